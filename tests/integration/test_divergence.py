#!/usr/bin/env python3
"""Damage in one node of three: never served, mended, or the end of that node's service.

A stopped node's files are changed: single bits of values, which their checksums tell; and, with the
checksums made right again, a whole record or the state hash, which only a comparison with the
others (or the scrub's sums) can tell.
"""

import os
import re
import shutil
import struct
import time
from concurrent.futures import ThreadPoolExecutor

import harness

KEYS = harness.pick(300, 3000)
HEAD_SIZE = 56
VALUE_CRC, HEAD_CRC = 48, 52
HASH_OFFSET = 65  # in the region's state: format, then eight numbers


def crc32c(data, crc=0):
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def places(data, text):
    return [match.start() for match in re.finditer(re.escape(text), data)]


class File:
    """The data file of a stopped node."""

    def __init__(self, node):
        self.path = node.data / "store" / "data.mdb"

    def __enter__(self):
        self.file = open(self.path, "r+b")
        self.data = bytearray(self.file.read(self.path.stat().st_blocks * 512 + (1 << 20)))
        return self

    def used(self):
        """Bytes from the beginning that are not a hole."""
        with open(self.path, "rb") as file:
            return os.lseek(file.fileno(), 0, os.SEEK_HOLE)

    def write(self, offset, data):
        self.data[offset:offset + len(data)] = data
        self.file.seek(offset)
        self.file.write(data)

    def __exit__(self, *_):
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()

    def flip(self, value, offset, mask):
        """A bit of a value, in every copy of it that the file has."""
        found = places(bytes(self.data), value)
        assert found, "the value does not stand in the file"
        for place in found:
            self.write(place + offset, bytes([self.data[place + offset] ^ mask]))

    def replace(self, key, value, wrong):
        """Another value of the same size, with checksums that are right."""
        assert len(value) == len(wrong)
        found = places(bytes(self.data), value)
        assert found, "the value does not stand in the file"
        for place in found:
            start = place - HEAD_SIZE
            head = bytearray(self.data[start:place])
            revision = head[16:24]
            head[VALUE_CRC:HEAD_CRC] = struct.pack("<I", crc32c(key + bytes(revision) + wrong))
            head[HEAD_CRC:] = struct.pack("<I", crc32c(bytes(head[:HEAD_CRC]) + key))
            self.write(start, bytes(head) + wrong)

    def spoil_hash(self, state_hash):
        """Another state hash in the region's state, with a checksum that is right."""
        high, low = int(state_hash[:16], 16), int(state_hash[16:], 16)
        for place in places(bytes(self.data), struct.pack("<QQ", low, high)):
            start = place - HASH_OFFSET
            for end in range(place + 16, place + 4096):
                whole = bytes(self.data[start:end])
                if struct.pack("<I", crc32c(whole)) == self.data[end:end + 4]:
                    wrong = whole[:HASH_OFFSET] + struct.pack("<Q", low ^ 1) + \
                        whole[HASH_OFFSET + 8:]
                    self.write(start, wrong + struct.pack("<I", crc32c(wrong)))
                    return
        raise AssertionError("the region's state was not found")


class Divergence(harness.TestCase):
    def fill(self, sizes=(40, 200, 1000, 3000, 20_000), prefix=b"value-", **flags):
        """Three nodes with the same values, all of them in every checkpoint."""
        self.nodes = self.cluster(3, checkpoint_interval="100ms", **flags)
        random = harness.rng("values")
        self.values = {prefix + b"%d" % number: random.randbytes(sizes[number % len(sizes)])
                       for number in range(KEYS)}
        with self.nodes[0].connect() as connection:
            for key, value in self.values.items():
                answer = connection.request("PUT", harness.quote(key), value)
                self.assertEqual(answer.status, 201, answer)
        for node in self.nodes:
            self.wait_checkpointed(node)
        self.leader = self.nodes.leader()
        self.followers = [node for node in self.nodes if node is not self.leader]

    def wait_checkpointed(self, node):
        def is_checkpointed():
            stats = node.stats()
            return stats["keys"] == KEYS and stats["store"]["tail_records"] == 0
        harness.wait_until(is_checkpointed, 30, f"node {node.id} has all in its checkpoint")

    def flip_some(self, node, keys, name):
        random = harness.rng(name)
        with File(node) as file:
            for key in keys:
                size = len(self.values[key])
                file.flip(self.values[key], random.randrange(size), 1 << random.randrange(8))

    def check_all(self, node, query):
        """Each answer is right, or says that it is not there yet; in the end all are there."""
        left = list(self.values)
        deadline = time.monotonic() + 30
        while left:
            again = []
            for key, answer in node.read_many(left, query):
                if answer.status == 503:
                    self.assert_problem(answer, 503, "mending")
                    again.append(key)
                else:
                    self.assertEqual(answer.status, 200, f"{key}: {answer}")
                    self.assertEqual(answer.body, self.values[key], f"{key} is wrong")
            left = again
            self.assertLess(time.monotonic(), deadline, f"{len(left)} keys do not come back")

    def check_serving(self, but=None):
        """A write by every node but one, and a read of it by all of them."""
        for node in self.nodes:
            if node is not but:
                key = f"/kv/by-{node.id}-{time.monotonic_ns()}"
                self.assertEqual(node.put(key, b"1").status, 201)
                for other in self.nodes:
                    if other is not but:
                        self.assertEqual(other.get(key).status, 200)

    # ---- records that their checksums tell ----

    def test_flipped_values_are_mended_as_they_are_read(self):
        self.fill(scrub_rate_bytes=0)
        victim = self.followers[0]
        victim.stop()
        spoilt = harness.rng("victims").sample(sorted(self.values), KEYS // 2)
        self.flip_some(victim, spoilt, "flips")
        victim.start().wait_ready()
        began = time.monotonic()
        self.check_all(victim, "?consistency=stale")
        harness.say(f"{len(spoilt)} of {KEYS} mended in {time.monotonic() - began:.2f} s")
        self.assertEqual(victim.stats()["store"]["mended_records"], len(spoilt))
        self.assertEqual(victim.metric("pontoon_store_mended_records_total"), len(spoilt))
        self.assertIn("a damaged record is whole again", victim.log())
        self.check_all(victim, "?consistency=linearizable")
        # What was mended is in the checkpoint, and a second life has it.
        self.wait_checkpointed(victim)
        victim.kill()
        victim.start().wait_ready()
        self.check_all(victim, "?consistency=stale")
        self.assertEqual(victim.stats()["store"]["mended_records"], 0)

    def test_the_scrub_finds_and_mends_what_nobody_reads(self):
        self.fill(scrub_rate_bytes="64MiB")
        victim = self.leader
        victim.stop()
        spoilt = harness.rng("victims").sample(sorted(self.values), KEYS // 2)
        self.flip_some(victim, spoilt, "flips")
        victim.start().wait_ready()
        began = time.monotonic()
        harness.wait_until(
            lambda: victim.stats()["store"]["mended_records"] == len(spoilt), 30,
            "every damaged record is mended")
        harness.say(f"{len(spoilt)} of {KEYS} mended in {time.monotonic() - began:.2f} s")
        self.assertEqual(victim.stats()["store"]["corrupt_records"], 0)
        self.check_all(victim, "?consistency=stale")
        self.check_serving()

    def test_other_records_damaged_on_each_node_all_come_back(self):
        self.fill()
        for node in self.nodes:
            node.stop()
        keys = sorted(self.values)
        harness.rng("helix").shuffle(keys)
        for number, node in enumerate(self.nodes):
            self.flip_some(node, keys[number::3], f"flips-{number}")
        self.nodes.start()
        for node in self.nodes:
            self.check_all(node, "?consistency=stale")
        self.check_serving()
        self.assertEqual(len({found["state_hash"] for found in self.nodes.settle()}), 1)

    # ---- any bit of the file ----

    def try_flip(self, node, offset, mask):
        """A start with a flipped bit: what is answered is right, or says that it cannot be."""
        shutil.copyfile(self.template, node.data / "store" / "data.mdb")
        with File(node) as file:
            file.write(offset, bytes([file.data[offset] ^ mask]))
        node.start()
        outcome = "served"
        try:
            harness.wait_until(lambda: node.process.poll() is not None or self.listens(node), 30,
                               "it has started, or refuses to")
            for key, answer in node.read_many(list(self.values)):
                if answer.status == 503:
                    outcome = answer.json()["type"]
                else:
                    self.assertEqual(answer.status, 200, f"{key} at {offset}: {answer}")
                    self.assertEqual(answer.body, self.values[key], f"{key} at {offset}")
        except (OSError, harness.Closed):
            outcome = "ended"
        if node.process.poll() is not None:
            node.kill_done()
            return "ended"
        node.kill()
        return outcome

    def listens(self, node):
        try:
            return node.get("/livez", seconds=5).status == 200
        except (OSError, harness.Closed):
            return False

    def test_a_flipped_bit_anywhere_makes_no_answer_wrong(self):
        """Keys, heads, LMDB's own pages: of many short records they are most of the file."""
        self.fill(sizes=(0, 10, 30), prefix=b"a/key/that/is/longer/than/its/value/")
        victim = self.followers[0]
        victim.stop()
        self.template = self.nodes.directory / "template.mdb"
        shutil.copyfile(victim.data / "store" / "data.mdb", self.template)
        size = File(victim).used()
        random = harness.rng("anywhere")
        outcomes = {}
        for _ in range(harness.pick(12, 2000)):
            outcome = self.try_flip(victim, random.randrange(size), 1 << random.randrange(8))
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
        harness.say(f"{outcomes}")
        self.assertIn("served", outcomes)
        shutil.copyfile(self.template, victim.data / "store" / "data.mdb")
        victim.start().wait_ready()
        self.check_all(victim, "?consistency=stale")

    # ---- what only a comparison tells ----

    def start_listening(self, node):
        """As wait_ready, for one that will not be ready."""
        node.start()
        harness.wait_until(lambda: self.listens(node), harness.START_SECONDS,
                           f"node {node.id} listens")

    def check_stopped(self, node):
        for method, body in (("GET", None), ("PUT", b"x")):
            answer = node.request(method, "/kv/value-0", body)
            self.assert_problem(answer, 503, "diverged")
        self.assert_problem(node.get("/kv/value-0?consistency=stale"), 503, "diverged")
        self.assertEqual(node.get("/health").status, 503)
        self.assertEqual(node.get("/readyz").status, 503)
        self.assertEqual(node.metric("pontoon_state_is_trusted"), 0)
        self.assertEqual(node.stats()["raft"]["divergence"], "diverged")

    def stops_within(self, node, seconds, what):
        began = time.monotonic()
        harness.wait_until(lambda: node.stats()["raft"]["divergence"] == "diverged", 20, what)
        took = time.monotonic() - began
        harness.say(f"{what}: {took:.2f} s")
        if not harness.is_sanitized():
            self.assertLess(took, seconds)

    def check_rebuilt(self, node):
        """It ends by itself, for a supervisor to start it again, and has the others' state then."""
        node.end(1, seconds=30)
        self.assertIn("the next start rebuilds it from a peer", node.log())
        node.start().wait_ready()
        self.assertEqual(node.stats()["repair"]["stores"], 1)
        self.check_serving()
        self.assertEqual(len({found["state_hash"] for found in self.nodes.settle()}), 1)

    def test_a_record_that_was_edited_shows_with_the_next_write_to_it(self):
        self.fill(scrub_rate_bytes=0)
        victim = self.followers[0]
        victim.stop()
        with File(victim) as file:
            value = self.values[b"value-0"]
            file.replace(b"value-0", value, value[:-1] + bytes([value[-1] ^ 1]))
        victim.start().wait_ready()
        self.assertEqual(self.leader.put("/kv/value-0", b"new").status, 200)
        self.stops_within(victim, 2, "the state that differs is found")
        self.check_stopped(victim)
        self.assertRegex(victim.log(), r"level=error .*differs from the majority.* index=\d+ "
                                       r"state_hash=[0-9a-f]{32} .*majority_hash=[0-9a-f]{32}")
        self.check_serving(but=victim)
        self.check_rebuilt(victim)

    def test_a_record_that_was_edited_is_found_by_the_scrub(self):
        self.fill(scrub_rate_bytes="64MiB")
        victim = self.followers[0]
        victim.stop()
        with File(victim) as file:
            value = self.values[b"value-0"]
            file.replace(b"value-0", value, value[:-1] + bytes([value[-1] ^ 1]))
        victim.start()
        harness.wait_until(lambda: "store is not what it was" in victim.log(), 30,
                           "the scrub has found that the sums do not agree")
        self.check_stopped(victim)
        self.check_serving(but=victim)
        self.check_rebuilt(victim)

    def test_a_state_that_differs_is_found_though_nothing_is_written(self):
        self.fill(scrub_rate_bytes=0)
        victim = self.followers[0]
        victim.stop()
        stats = self.leader.stats()
        with File(victim) as file:
            file.spoil_hash(stats["state_hash"])
        self.start_listening(victim)
        self.stops_within(victim, 3, "a state that differs from its start on is found")
        self.check_stopped(victim)
        self.check_serving(but=victim)
        self.check_rebuilt(victim)

    def test_a_leader_that_differs_hands_over(self):
        self.fill(scrub_rate_bytes=0)
        victim = self.leader
        victim.stop()
        with File(victim) as file:
            value = self.values[b"value-0"]
            file.replace(b"value-0", value, value[:-1] + bytes([value[-1] ^ 1]))
        victim.start().wait_ready()
        answer = self.nodes.leader().request("POST", f"/admin/leader?to={victim.id}")
        self.assertEqual(answer.status, 200, answer)
        harness.wait_until(lambda: victim.get("/leader").status == 200, 10, "it leads again")
        with ThreadPoolExecutor(1) as pool:
            write = pool.submit(self.followers[0].put, "/kv/value-0", b"new")
            self.assertIn(write.result().status, (200, 503, 504))
        self.stops_within(victim, 2, "the leader that differs is found")
        self.check_stopped(victim)
        harness.wait_until(lambda: self.nodes.leader() is not victim, 10, "another one leads")
        self.check_serving(but=victim)
        self.check_rebuilt(victim)

    def test_without_a_majority_nobody_serves_until_a_third_decides(self):
        self.fill(scrub_rate_bytes=0)
        victim, away = self.followers
        victim.stop()
        stats = self.leader.stats()
        with File(victim) as file:
            file.spoil_hash(stats["state_hash"])
        away.stop()
        self.start_listening(victim)
        # Up to here the leader knows that a majority had its state. Whether this is answered
        # before it stops does not matter.
        self.leader.put("/kv/one-more", b"1")
        for node in (victim, self.leader):
            harness.wait_until(lambda: node.stats()["raft"]["divergence"] == "disputed", 20,
                               f"node {node.id} knows of the dispute")
            self.assert_problem(node.get("/kv/value-1?consistency=stale"), 503, "diverged")
        away.start()
        harness.wait_until(lambda: victim.stats()["raft"]["divergence"] == "diverged", 20,
                           "the one that is wrong knows it")
        self.leader.wait_ready()
        away.wait_ready()
        self.check_serving(but=victim)
        self.check_rebuilt(victim)


if __name__ == "__main__":
    harness.main()
