#!/usr/bin/env python3
"""Disks that are really full: nothing acknowledged is lost, reads and deletes go on, and service
resumes by itself when there is room. Each node's data is on a small file system of its own."""

import subprocess
import threading
import time

import harness

SIZE = "48m"
VALUE = b"v" * (16 << 10)
SETTINGS = {"segment_size": "1MiB", "tail_bytes": "2MiB", "checkpoint_interval": "1s",
            "log_keep_bytes": "4MiB"}


class DiskFull(harness.TestCase):
    def setUp(self):
        self.nodes = self.cluster(3, start=False, **SETTINGS)
        for node in self.nodes:
            self.mount(node)
        self.nodes.start()
        self.taken = {}  # what was acknowledged: key -> value

    def mount(self, node):
        """The node's directory is below the mount point: what is not its own fills the disk."""
        node.disk = node.directory / f"disk-{node.id}"
        node.disk.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", node.disk],
                              capture_output=True, text=True)
        if done.returncode != 0:
            self.skipTest(f"a small file system cannot be mounted here: {done.stderr.strip()}")
        self.addCleanup(self.unmount, node)
        node.data = node.disk / "data"
        node.filler = node.disk / "filler"

    def unmount(self, node):
        node.destroy()
        subprocess.run(["umount", node.disk], check=True)

    def fill_disk(self, node, leave=0):
        """Takes all the room there is, but for `leave` bytes; also what was given back since."""
        with open(node.filler, "ab", buffering=0) as filler:
            try:
                while True:
                    filler.write(b"f" * 4096)
            except OSError:
                filler.truncate(max(0, filler.tell() - leave))

    def empty_disk(self, node):
        node.filler.unlink(missing_ok=True)

    def put(self, node, key, value=VALUE, timeout="5s"):
        answer = node.put(f"/kv/{key}?timeout={timeout}", value)
        if answer.status in (200, 201):
            self.taken[key] = value
        elif answer.status == 504:
            self.taken.pop(key, None)  # it may be there, or not
        return answer

    def put_until_full(self, prefix):
        """Writes through all the nodes until the answer is 507; returns it."""
        for number in range(20000):
            answer = self.put(self.nodes[number % 3], f"{prefix}-{number % 400}")
            if answer.status == 507:
                return answer
            self.assertIn(answer.status, (200, 201, 503, 504), answer)
        self.fail("the disks were never full")

    def check_taken(self, nodes=None):
        for node in nodes or self.nodes:
            for key, value in self.taken.items():
                answer = node.get(f"/kv/{key}")
                self.assertEqual((answer.status, answer.body), (200, value), key)

    def check_alike(self):
        stats = self.nodes.settle()
        self.assertEqual(len({found["state_hash"] for found in stats}), 1)

    def resume(self, prefix):
        """Writes are taken again by themselves, through all the nodes: twenty in a row, since a
        checkpoint that has met the full disk may end, and say so, after the first was taken."""
        def round_is_taken():
            answers = [self.put(self.nodes[number % 3], f"{prefix}-after-{number}")
                       for number in range(20)]
            return all(answer.status in (200, 201) for answer in answers)
        harness.wait_until(round_is_taken, 30, "writes are taken again")

    def test_all_disks_are_full(self):
        self.put(self.nodes[0], "known")
        for node in self.nodes:
            self.fill_disk(node)
        document = self.assert_problem(self.put_until_full("all"), 507, "quota")
        self.assertEqual(document["outcome"], "not-applied")
        self.assertIn("make room", document["detail"])
        leader = self.nodes.leader()
        harness.say(f"{len(self.taken)} keys were taken before the disks were full; "
                    f"{leader.stats()['wal']}")
        harness.wait_until(lambda: any(node.stats()["is_disk_full"] for node in self.nodes), 10,
                           "a node says that its disk is full")
        self.check_taken()
        for number, key in enumerate(list(self.taken)[:50]):
            node = self.nodes[number % 3]
            answer = node.request("DELETE", f"/kv/{key}")
            self.assertEqual(answer.status, 200, answer)
            self.assertEqual(node.get(f"/kv/{key}").status, 404)
            del self.taken[key]
        for node in self.nodes:
            self.fill_disk(node)  # a history that was given up has left room
        self.put_until_full("more")
        for node in self.nodes:
            node.check()
            self.empty_disk(node)
        self.resume("all")
        self.check_alike()
        self.check_taken()
        for node in self.nodes:
            harness.wait_until(lambda: not node.stats()["is_disk_full"], 20, "there is room again")
        self.nodes.kill()
        self.nodes.start()
        self.check_taken()

    def test_one_disk_is_full(self):
        for role in ("leader", "follower"):
            with self.subTest(role):
                leader = self.nodes.leader()
                full = leader if role == "leader" else self.nodes.others(leader)[0]
                self.check_one(full, role)

    def check_one(self, full, role):
        """The others go on, also when the log of the full one has come to its end."""
        self.fill_disk(full)
        others = self.nodes.others(full)
        longest, refused, last = 0, 0, time.monotonic()
        for number in range(600):
            if number % 10 == 0:
                self.fill_disk(full)  # for want of space it gives up its history, and has some
            answer = self.put(others[number % 2], f"{role}-{number % 300}", timeout="2s")
            now = time.monotonic()
            if answer.status in (200, 201):
                longest, last = max(longest, now - last), now
            else:
                self.assertIn(answer.status, (503, 504, 507), answer)
                refused += 1
        harness.say(f"{role} full: {refused} of 600 writes refused, longest gap {longest:.2f} s")
        self.assertLess(longest, 5)
        full.check()
        self.assertTrue(full.stats()["is_disk_full"])
        self.assertEqual(full.get("/kv/known-nothing?consistency=stale").status, 404)
        self.assertNotEqual(full.get("/leader").status, 200)
        self.check_taken(others)
        self.empty_disk(full)
        harness.wait_until(lambda: not full.stats()["is_disk_full"], 30, "there is room again")
        self.resume(role)
        self.check_alike()
        self.check_taken()

    def test_a_node_is_restarted_while_its_disk_is_full(self):
        for node in self.nodes:
            self.fill_disk(node)
        self.put_until_full("restart")
        self.nodes.kill()
        self.nodes.start()
        self.check_taken()
        for node in self.nodes:
            self.empty_disk(node)
        self.resume("restart")
        self.check_alike()
        self.check_taken()

    def test_it_fills_by_writes_alone_under_load(self):
        """Nobody else takes the room: the clients do, all at once."""
        is_over = threading.Event()
        taken = [{} for _ in self.nodes]
        refused = [0 for _ in self.nodes]

        def load(number, node):
            at = 0
            while not is_over.is_set():
                at += 1
                key = f"load-{number}-{at}"
                answer = node.put(f"/kv/{key}?timeout=5s", VALUE)
                if answer.status in (200, 201):
                    taken[number][key] = VALUE
                refused[number] += answer.status == 507
        threads = [threading.Thread(target=load, args=pair, daemon=True)
                   for pair in enumerate(self.nodes)]
        for thread in threads:
            thread.start()
        try:
            harness.wait_until(lambda: min(refused) > 20, 120, "all are refused")
        finally:
            is_over.set()
            for thread in threads:
                thread.join(30)
        for part in taken:
            self.taken |= part
        harness.say(f"{len(self.taken)} keys were taken, {refused} writes refused")
        for node in self.nodes:
            node.check()
        # A follower whose log is at its very end applies nothing more until there is room.
        self.check_taken([self.nodes.leader()])
        for node in self.nodes:
            subprocess.run(["mount", "-o", "remount,size=128m", node.disk], check=True)
        self.resume("load")
        self.check_alike()
        self.check_taken()


if __name__ == "__main__":
    harness.main()
