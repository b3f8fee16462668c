#!/usr/bin/env python3
"""What moves in bulk, a snapshot or a backup, hardly slows down the writes beside it."""

import statistics
import subprocess

import harness
from harness import wait_until
from meter import Meter
from test_join_load import DATA_BYTES, FLAGS, PATIENCE, fill, sum_of

ROUNDS = harness.pick(1, 5)  # the medians of them count
SECONDS = harness.pick(1, 8)
RATE = harness.pick("8MiB", "32MiB")  # so that the data are on their way for longer than SECONDS
P99_RATIO_MAX = 1.5
SLACK_SECONDS = harness.pick(0.5, 0.002)  # of a machine that does other things too
WRITE = (("PUT", b"x" * 100),)


class Pace(harness.TestCase):
    def setUp(self):
        self.nodes = self.cluster(3, snapshot_rate_bytes=RATE, **FLAGS)
        fill(self.nodes.leader())
        self.directory = harness.new_directory("pace")

    def measure(self, nodes):
        meter = Meter(nodes, WRITE)
        p99 = meter.measure(SECONDS)
        self.assertEqual(meter.failures, [])
        return p99

    def check(self, begin):
        """`begin` sets something going between two nodes or from one, and returns by whom to write,
        whether it is still under way, and how to wait for its end."""
        quiet, beside = [], []
        for _ in range(ROUNDS):
            self.nodes.wait_ready(PATIENCE)
            leader = self.nodes.leader()
            writers = [leader, self.nodes.others(leader)[0]]
            quiet.append(self.measure(writers))
            is_under_way, end = begin(leader, self.nodes.others(*writers)[0])
            beside.append(self.measure(writers))
            self.assertTrue(is_under_way(), "it was over too soon")
            end()
        ratio = statistics.median(beside) / statistics.median(quiet)
        harness.say(f"{DATA_BYTES >> 20} MiB, {RATE}/s; p99 {statistics.median(quiet) * 1e3:.2f} "
                    f"ms, beside it {statistics.median(beside) * 1e3:.2f} ms: {ratio:.2f} times")
        if not harness.is_sanitized():
            self.assertLessEqual(statistics.median(beside),
                                 P99_RATIO_MAX * statistics.median(quiet) + SLACK_SECONDS)

    def test_a_snapshot_for_the_third(self):
        def begin(_, behind):
            others = self.nodes.others(behind)
            behind.stop()
            (behind.data / "store/data.mdb").unlink()
            sent = sum_of(others, "snapshot_sent_bytes_total")
            behind.start()
            wait_until(lambda: sum_of(others, "snapshot_sent_bytes_total") > sent, PATIENCE,
                       "it is sent a snapshot, by whomever it asked")
            return (lambda: behind.metric("pontoon_snapshots_received_total") == 0,
                    lambda: behind.wait_ready(PATIENCE))
        self.check(begin)

    def test_a_backup_from_the_leader(self):
        def begin(leader, _):
            path = self.directory / "backup"
            path.unlink(missing_ok=True)
            backup = subprocess.Popen([harness.PROGRAM, "backup", "-e", f"127.0.0.1:{leader.port}",
                                       path], stdout=subprocess.DEVNULL)
            wait_until(lambda: leader.metric("pontoon_backup_bytes_total") > 0, PATIENCE,
                       "it has begun")
            return (lambda: backup.poll() is None,
                    lambda: self.assertEqual(backup.wait(PATIENCE), 0))
        self.check(begin)


if __name__ == "__main__":
    harness.main()
