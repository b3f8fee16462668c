#!/usr/bin/env python3
"""Live power cuts under load: the file systems of one, two or all three nodes stop at one instant.

Each node's data is on a file system of its own in an image, which is shut down without a last flush
of its journal; the nodes die with it, or of it. It is mounted again, which replays the journal, and
the node starts. Nothing that was acknowledged is lost or doubled.
"""

import signal
import time
import unittest

import faults
import harness
from ledger import Ledger, LedgerCase, Writers

CUTS = 100                      # of one cluster: its images are small
ROUNDS = harness.pick(1, 20)    # on each of the file systems
VICTIMS = (1, 1, 2, 3, 3)       # how many at a time, by chance
LEFT_ALONE = 0.2                # so often the node has to find out by itself
WRITERS = 12


class PowerCuts:
    FILE_SYSTEM = None

    @classmethod
    def setUpClass(cls):
        reason = faults.why_no_mounts(cls.FILE_SYSTEM)
        if reason:
            raise unittest.SkipTest(reason)

    def cluster_on_images(self, size=3):
        """A cluster, not started, with each node's data on an image of its own."""
        directory = harness.new_directory(self.FILE_SYSTEM, faults.memory())
        cluster = self.cluster(size, start=False, **faults.FLAGS)
        for node in cluster:
            node.image = faults.Image(directory, f"node-{node.id}", self.FILE_SYSTEM).mount()
            node.data = node.image.place / "data"
        return cluster

    def cut(self, victims, is_left_alone=False):
        """Cuts the power of all victims, and mounts their file systems again."""
        for node in victims:
            node.check()
        for node in victims:
            node.image.cut()
        for node in victims:
            if is_left_alone:
                node.end(1)
                # "fatal", or if it had not begun yet, "pontoon"; by a call that fails, or by a page
                # of the store that it wants to read, and then cannot leave the mark.
                self.assertRegex(node.last_line(),
                                 "^(fatal|pontoon): .*(Input/output error|cannot be marked)")
            else:
                node.send_signal(signal.SIGKILL)
                node.kill_done()
        for node in victims:
            node.image.unmount()
            node.image.mount()

    def test_nothing_is_lost(self):
        for number in range(ROUNDS):
            cluster = self.cluster_on_images()
            self.cut_and_verify(cluster, harness.rng(f"{self.FILE_SYSTEM}-{number}"))
            for node in cluster:
                node.image.unmount()

    def cut_and_verify(self, cluster, choose):
        cluster.start()
        ledger = Ledger()
        counts = {1: 0, 2: 0, 3: 0}
        alone = 0
        began = time.monotonic()
        with Writers(cluster, ledger, WRITERS, sizes=faults.SIZES):
            for _ in range(CUTS):
                ledger.wait_more(choose.randrange(1, 30))
                victims = choose.sample(cluster.nodes, choose.choice(VICTIMS))
                # One alone: the others have to have something for it to write.
                is_left_alone = len(victims) == 1 and choose.random() < LEFT_ALONE
                alone += is_left_alone
                counts[len(victims)] += 1
                self.cut(victims, is_left_alone)
                for node in victims:
                    node.start()
        harness.say(f"power cuts on {self.FILE_SYSTEM}: {CUTS} in {time.monotonic() - began:.0f} s"
                    f", of one node {counts[1]} ({alone} stopped by themselves), of two "
                    f"{counts[2]}, of all three {counts[3]}")
        self.verify(cluster, ledger, is_split=True)
        for node in cluster:
            node.stop()
            status, out, _ = harness.run("check", node.data)
            self.assertEqual(status, 0, out)

    def test_without_syncs_it_would_be_lost(self):
        """The test bites: what is acknowledged before it is synced is missed."""
        cluster = self.cluster_on_images()
        cluster.start()
        for node in cluster:  # it has begun well, and ends in order
            node.stop()
            node.environment = faults.injected(node, "no-sync")
        cluster.start()
        ledger = Ledger()
        with Writers(cluster, ledger, WRITERS, sizes=faults.SIZES):
            ledger.wait_more(200)
            self.cut(cluster.nodes)
        for node in cluster:
            node.environment = {}
            node.start()
        self.assert_missed(cluster, ledger)


class Ext4(PowerCuts, LedgerCase):
    FILE_SYSTEM = "ext4"


class Xfs(PowerCuts, LedgerCase):
    FILE_SYSTEM = "xfs"


if __name__ == "__main__":
    faults.main()
