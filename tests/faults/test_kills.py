#!/usr/bin/env python3
"""kill -9 of one, two or three nodes of three under load, hundreds of times, also while they start.

Nothing that was acknowledged is lost or doubled. What a killed process has written the kernel still
has, so this bites on what is acknowledged before it is written; test_power_cuts.py and
test_crash_states.py bite on what is acknowledged before it is synced.
"""

import signal
import time

import faults
import harness
from ledger import Ledger, LedgerCase, Writers

CYCLES = 500                  # of one cluster
ROUNDS = harness.pick(1, 20)
VICTIMS = (1, 1, 1, 1, 2, 3)  # how many at a time, by chance
WRITERS = 12


class Kills(LedgerCase):
    def test_nothing_is_lost_over_hundreds_of_kills(self):
        for number in range(ROUNDS):
            cluster = self.cluster(3, **faults.FLAGS)
            self.kill_and_verify(cluster, harness.rng(f"kills-{number}"))
            cluster.finish()

    def kill_and_verify(self, cluster, choose):
        ledger = Ledger()
        counts = {1: 0, 2: 0, 3: 0}
        began = time.monotonic()
        with Writers(cluster, ledger, WRITERS, sizes=faults.SIZES):
            for _ in range(CYCLES):
                ledger.wait_more(choose.randrange(1, 20))
                victims = choose.sample(cluster.nodes, choose.choice(VICTIMS))
                counts[len(victims)] += 1
                for node in victims:
                    node.check()
                for node in victims:
                    node.send_signal(signal.SIGKILL)
                for node in victims:
                    node.kill_done()
                    node.start()
        harness.say(f"kill -9: {CYCLES} cycles in {time.monotonic() - began:.0f} s, of one node "
                    f"{counts[1]}, of two {counts[2]}, of all three {counts[3]}")
        self.verify(cluster, ledger, is_split=True)

    def test_what_is_acknowledged_before_it_is_written_is_missed(self):
        """The test bites: here the last writes to each log stay in the process, and go with it."""
        # No checkpoints: one that is ahead of its log keeps its node from starting.
        cluster = self.cluster(3)
        cluster.finish()
        for node in cluster:
            node.environment = faults.injected(node, "late")
        cluster.start()
        ledger = Ledger()
        with Writers(cluster, ledger, WRITERS, sizes=faults.SIZES):
            ledger.wait_more(200)
            cluster.kill()
        for node in cluster:
            node.environment = {}
            node.start()
        self.assert_missed(cluster, ledger)


if __name__ == "__main__":
    harness.main()
