#!/usr/bin/env python3
"""Damaged data of one node of three: mended from its peers, without an operator, while the cluster
serves. No wrong answer, and everything that was acknowledged is there."""

import os
import re
import subprocess
import time

import harness
from test_recovery import used
from test_crash import Ledger, Writers

FLAGS = {"segment_size": "64KiB", "tail_bytes": "64KiB", "checkpoint_interval": "500ms",
         "log_keep_bytes": "1MiB"}
WRITERS = 4
REPAIR_SECONDS = 60


def flip(path, offset, random):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1 << random.randrange(8)]))


def segments(node):
    return sorted((node.data / "wal").glob("*.seg"))


def flip_in_log(node, random):
    path = random.choice(segments(node))
    end = used(path.read_bytes())
    flip(path, random.randrange(max(end, 512)), random)


def flip_at_end_of_log(node, random):
    """Of the last batch, with the last hard state that there is."""
    path = segments(node)[-1]
    end = used(path.read_bytes())
    flip(path, random.randrange(max(end - 512, 0), end), random)


def flip_in_mark(node, random):
    path = node.data / "wal" / "synced"
    flip(path, random.randrange(path.stat().st_size), random)


def lose_a_segment(node, random):
    random.choice(segments(node)).unlink()  # the oldest may not be needed any more


def lose_the_last_segment(node, _):
    segments(node)[-1].unlink()


def cut_store(node, random):
    os.truncate(node.data / "store/data.mdb", random.choice((0, 1, 4096, 8192, 20_000)))


def spoil_meta_page(node, random):
    with open(node.data / "store/data.mdb", "r+b") as file:
        file.seek(random.choice((0, 4096)))
        file.write(bytes(512))


def lose_store(node, _):
    (node.data / "store/data.mdb").unlink()


def lose_both(node, random):
    spoil_meta_page(node, random)
    flip_in_log(node, random)


DAMAGES = (flip_in_log, flip_in_log, flip_in_log, flip_at_end_of_log, flip_in_mark, lose_a_segment,
           lose_the_last_segment, cut_store, spoil_meta_page, lose_store, lose_both)


def entries(node):
    """Where the stopped node's log has each entry: (index, segment, offset)."""
    dump = subprocess.run([harness.PROGRAM, "log", "dump", node.data], check=True, timeout=60,
                          capture_output=True, text=True).stdout
    found = re.findall(r"(?m)^([0-9a-f]{16}\.seg):(\d+) region=1 entry index=(\d+) ", dump)
    return [(int(index), node.data / "wal" / segment, int(offset))
            for segment, offset, index in found]


class Repair(harness.TestCase):
    def is_mended(self, node):
        node.check()
        try:
            return node.is_ready() and not node.stats()["repair"]["is_under_way"]
        except (OSError, harness.Closed):
            return False

    def verify(self, cluster, ledger):
        harness.say(ledger.summary())
        self.assertGreater(len(ledger.acknowledged), 100, "the load was no load")
        cluster.wait_ready()
        stats = cluster.settle()
        self.assertEqual(len({found["state_hash"] for found in stats}), 1, stats)
        for node in cluster:
            for key, response in node.read_many(sorted(ledger.acknowledged)):
                self.assertEqual(response.status, 200, f"{key!r} is lost on node {node.id}")
                self.assertEqual(response.body, ledger.acknowledged[key][0], key)
            for key, response in node.read_many(sorted(ledger.refused)):
                self.assertEqual(response.status, 404, key)

    def start_and_read(self, cluster, keys, value):
        """All nodes mend themselves, and each has everything."""
        for node in cluster:
            node.start()
        for node in cluster:
            harness.wait_until(lambda node=node: self.is_mended(node), REPAIR_SECONDS,
                               f"node {node.id} is whole")
            for key, response in node.read_many(keys, query=""):
                self.assertEqual((response.status, response.body), (200, value), key)

    def test_damage_under_load(self):
        cluster = self.cluster(3, **FLAGS)
        ledger = Ledger()
        random = harness.rng("repair")
        counts, longest = {}, 0
        with Writers(cluster, ledger, WRITERS):
            harness.wait_until(lambda: len(ledger.acknowledged) > 300, 60, "there is some load")
            for number in range(harness.pick(20, 2000)):
                node = random.choice(cluster.nodes)
                damage = DAMAGES[number] if number < len(DAMAGES) else random.choice(DAMAGES)
                node.stop()
                damage(node, random)
                node.start()
                begun = time.monotonic()
                harness.wait_until(lambda node=node: self.is_mended(node), REPAIR_SECONDS,
                                   f"node {node.id} has mended itself after {damage.__name__}")
                longest = max(longest, time.monotonic() - begun)
                found = node.stats()["repair"]
                what = ("rebuilt" if found["stores"] + found["logs"] > 0 else
                        "mended in place" if found["log_mends"] > 0 else "harmless")
                counts[damage.__name__, what] = counts.get((damage.__name__, what), 0) + 1
        harness.say(f"{counts}; the longest took {longest:.1f} s")
        self.verify(cluster, ledger)
        for damage in (cut_store, spoil_meta_page, lose_the_last_segment):
            self.assertGreater(counts.get((damage.__name__, "rebuilt"), 0), 0, damage.__name__)

    def test_a_store_that_is_cut_while_it_is_read(self):
        """SIGBUS: the process ends with a line that says why, and its next start mends it."""
        cluster = self.cluster(3, **FLAGS)
        node = cluster.others(cluster.leader())[0]
        keys = [b"key-%d" % number for number in range(200)]
        for key in keys:
            self.assertEqual(node.put(harness.quote(key), b"value" * 100).status, 201)
        harness.wait_until(lambda: node.stats()["store"]["tail_records"] == 0, 30,
                           "everything is in the checkpoint")
        os.truncate(node.data / "store/data.mdb", 8192)

        def has_ended():
            try:
                list(node.read_many(keys))
            except (OSError, harness.Closed):
                return True
            return False
        harness.wait_until(has_ended, 30, "it has read a page that is gone")
        node.end(1)
        self.assertIn("fatal: ", node.log())
        self.assertIn("SIGBUS", node.log())
        node.start()
        harness.wait_until(lambda: self.is_mended(node), REPAIR_SECONDS, "it has mended itself")
        self.assertGreater(node.stats()["repair"]["stores"], 0)
        for key, response in node.read_many(keys, query=""):
            self.assertEqual((response.status, response.body), (200, b"value" * 100), key)

    def test_two_stores_of_three(self):
        cluster = self.cluster(3, **FLAGS)
        keys = [b"key-%d" % number for number in range(200)]
        for key in keys:
            self.assertEqual(cluster[0].put(harness.quote(key), b"value" * 100).status, 201)
        harness.wait_until(lambda: all(node.stats()["raft"]["first_index"] > 1
                                       for node in cluster), 60, "the logs are cut")
        random = harness.rng("two")
        for node in cluster:
            node.stop()
        spoil_meta_page(cluster[0], random)
        lose_store(cluster[2], random)
        self.start_and_read(cluster, keys, b"value" * 100)

    def test_the_same_record_damaged_on_no_two_nodes(self):
        """Of each entry one node of three has no whole record, and no node has a whole log: they
        mend each other's, without a leader, and each log is what it was."""
        cluster = self.cluster(3, segment_size="64KiB")
        keys = {b"key-%d" % number: b"value %d " % number * 20 for number in range(300)}
        for key, value in keys.items():
            self.assertEqual(cluster[0].put(harness.quote(key), value).status, 201)
        cluster.settle()
        cluster.kill()
        before = [{path: path.read_bytes() for path in segments(node)} for node in cluster]
        counts = []
        for number, node in enumerate(cluster):
            mine = [place for place in entries(node) if place[0] % 3 == number]
            for index, path, offset in mine:
                flip(path, offset + index % 49, harness.rng(f"helical-{index}"))
            counts.append(len(mine))
        self.assertGreater(min(counts), 95)
        for node in cluster:
            node.start()
        for node, count in zip(cluster, counts):
            harness.wait_until(lambda node=node: self.is_mended(node), REPAIR_SECONDS,
                               f"node {node.id} has mended its log")
            found = node.stats()["repair"]
            self.assertEqual((found["logs"], found["stores"]), (0, 0), found)
            self.assertGreaterEqual(found["log_mends"], count)
        stats = cluster.settle()
        self.assertEqual(len({found["state_hash"] for found in stats}), 1, stats)
        for node in cluster:
            for key, response in node.read_many(sorted(keys), query=""):
                self.assertEqual((response.status, response.body), (200, keys[key]), key)
        for node, files in zip(cluster, before):
            for path, data in files.items():
                end = used(data)
                self.assertEqual(path.read_bytes()[:end], data[:end], path)

    def test_two_damaged_logs_of_three(self):
        """A majority has no whole log: the third one's records mend both."""
        cluster = self.cluster(3, segment_size="64KiB")
        keys = [b"key-%d" % number for number in range(100)]
        for key in keys:
            self.assertEqual(cluster[0].put(harness.quote(key), b"value" * 20).status, 201)
        cluster.settle()
        cluster.kill()
        for node in (cluster[0], cluster[2]):
            index, path, offset = entries(node)[-20]
            flip(path, offset + 60, harness.rng(f"two-{index}"))
        self.start_and_read(cluster, keys, b"value" * 20)
        self.assertEqual([node.stats()["repair"]["log_mends"] for node in cluster], [1, 0, 1])


if __name__ == "__main__":
    harness.main()
