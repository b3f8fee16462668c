#!/usr/bin/env python3
"""Times to live and leases: never early, soon after, everywhere alike, whatever dies meanwhile."""

import subprocess
import time

import harness

ELECTION_SECONDS = 5  # an election, and then what was due


def seconds():
    return time.monotonic()


class OneNode(harness.TestCase):
    """By curl, as a person would."""

    @classmethod
    def setUpClass(cls):
        cls.node = cls.class_cluster(1)[0]

    def curl(self, *arguments):
        status, out, err = harness.curl("--silent", "--show-error", *arguments)
        return status, out.decode(), err.decode()

    def test_a_key_goes_after_its_ttl_and_not_before(self):
        begin = seconds()
        self.assertEqual(self.curl("--fail", "-d", "x", f"{self.node.url}/kv/t?ttl=2s"),
                         (0, "OK", ""))
        while self.node.get("/kv/t").status == 200:
            self.assertLess(seconds() - begin, 4, "it is still there")
        self.assertGreaterEqual(seconds() - begin, 2)
        self.assertEqual(self.curl("--fail", f"{self.node.url}/kv/t")[0], 22)

    def test_a_lease_from_its_grant_to_its_end(self):
        _, out, _ = self.curl("-X", "POST", f"{self.node.url}/leases?ttl=60s&id=7f")
        self.assertEqual(out, '{"id":"000000000000007f","ttl":60.0}\n')
        for number in range(1000):
            answer = self.node.put(f"/kv/of-lease/{number}?lease=7f", b"v")
            self.assertEqual(answer.status, 201, answer)
            self.assertEqual(answer.headers["kv-lease"], "000000000000007f")
        lease = self.node.get("/leases/7f?keys").json()
        self.assertEqual(len(lease["keys"]), 1000)
        self.assertNotIn("next", lease)
        self.assertLess(lease["remaining"], 60)
        before = self.node.stats()
        answer = self.node.request("DELETE", "/leases/7f")
        self.assertEqual(answer.json()["deleted"], 1000)
        after = self.node.stats()
        self.assertEqual(after["revision"], before["revision"] + 1)
        self.assertEqual(after["keys"], before["keys"] - 1000)
        self.assertEqual(answer.json()["revision"], after["revision"])
        self.assert_problem(self.node.request("POST", "/leases/7f/keepalive"), 404,
                            "lease-not-found")

    def test_a_lease_in_use_is_a_conflict_and_replays_are_told(self):
        self.assertEqual(self.node.request("POST", "/leases?ttl=60s&id=1").status, 201)
        self.assert_problem(self.node.request("POST", "/leases?ttl=60s&id=1"), 409, "conflict")
        key = (("Idempotency-Key", "one-lease"),)
        first = self.node.request("POST", "/leases?ttl=60s", headers=key)
        again = self.node.request("POST", "/leases?ttl=60s", headers=key)
        self.assertEqual((again.status, again.body), (201, first.body))
        self.assertEqual(again.headers["idempotency-replayed"], "true")

    def test_a_shell_holds_a_lease_as_long_as_it_lives(self):
        holder = subprocess.Popen(
            ["curl", "-sN", "-X", "POST", f"{self.node.url}/leases?ttl=1s&hold&id=abc"],
            stdout=subprocess.PIPE)
        self.addCleanup(holder.stdout.close)
        self.assertEqual(holder.stdout.readline(), b"event: lease\n")
        self.assertEqual(self.node.put("/kv/member/a?lease=abc", b"here").status, 201)
        begin = seconds()
        while seconds() - begin < 3:  # of its time alone it would be gone
            self.assertEqual(self.node.get("/kv/member/a").status, 200)
        holder.kill()
        holder.wait()
        gone = seconds()
        harness.wait_until(lambda: self.node.get("/kv/member/a").status == 404, 10, "it is gone")
        self.assertLess(seconds() - gone, 3)

    def test_a_drained_node_ends_its_streams_politely(self):
        node = self.cluster(1)[0]
        streams = [
            subprocess.Popen(["curl", "-sN", "-X", "POST", f"{node.url}/leases?ttl=60s&hold"],
                             stdout=subprocess.PIPE),
            subprocess.Popen(["curl", "-sN", f"{node.url}/elections/e/watch"],
                             stdout=subprocess.PIPE)]
        for stream in streams:
            self.addCleanup(stream.stdout.close)
            stream.stdout.readline()
        begin = seconds()
        node.stop()
        self.assertLess(seconds() - begin, 10)
        for stream in streams:
            self.assertEqual(stream.wait(10), 0)
            self.assertIn(b"event: draining\n", stream.stdout.read())


class ThreeNodes(harness.TestCase):
    def setUp(self):
        self.nodes = self.cluster(3)

    def is_gone(self, node, key):
        return node.get(f"/kv/{key}?timeout=10s", seconds=20).status == 404

    def assert_alike(self):
        stats = self.nodes.settle()
        self.assertEqual(len({found["state_hash"] for found in stats}), 1)

    def test_it_is_gone_on_all_nodes_at_once(self):
        begin = seconds()
        self.nodes[0].put("/kv/t?ttl=1s", b"x")
        harness.wait_until(lambda: self.is_gone(self.nodes[1], "t"), 5, "it is gone")
        self.assertGreaterEqual(seconds() - begin, 1)
        for node in self.nodes:
            self.assertTrue(self.is_gone(node, "t"))
        self.assert_alike()

    def test_another_leader_never_removes_it_early(self):
        leader = self.nodes.leader()
        others = self.nodes.others(leader)
        begin = seconds()
        self.assertEqual(leader.put("/kv/t?ttl=5s", b"x").status, 201)
        harness.wait_until(lambda: seconds() - begin > 1, 5, "a second has passed")
        leader.kill()
        while not self.is_gone(others[0], "t"):
            self.assertLess(seconds() - begin, 5 + ELECTION_SECONDS)
        self.assertGreaterEqual(seconds() - begin, 5)
        leader.start().wait_ready()
        self.assertTrue(self.is_gone(leader, "t"))
        self.assert_alike()

    def test_a_leader_that_slept_never_shows_what_is_gone(self):
        leader = self.nodes.leader()
        others = self.nodes.others(leader)
        leader.put("/kv/t?ttl=1s", b"dead")
        with leader.connect(30) as connection:
            leader.suspend()
            harness.wait_until(lambda: others[0].put("/kv/more?timeout=1s", b"x",
                                                     seconds=20).status in (200, 201), 20,
                               "the others have a leader")
            harness.wait_until(lambda: self.is_gone(others[0], "t"), 10, "it is gone")
            # Asked before it wakes: it answers as soon as it can.
            connection.send(harness.encode("GET", "/kv/t?timeout=10s"))
            leader.resume()
            answer = connection.receive()
            self.assertEqual(answer.status, 404, answer)
            for _ in range(20):
                self.assertNotEqual(leader.get("/kv/t", seconds=20).status, 200)
        leader.wait_ready()
        self.assert_alike()

    def test_a_keepalive_is_the_leaders_word(self):
        leader = self.nodes.leader()
        other = self.nodes.others(leader)[0]
        self.assertEqual(other.request("POST", "/leases?ttl=3s&id=5").status, 201)
        self.assertEqual(other.put("/kv/of-five?lease=5", b"x").status, 201)
        begin = seconds()
        while seconds() - begin < 5:
            for node in self.nodes:
                self.assertEqual(node.request("POST", "/leases/5/keepalive").status, 200)
        leader.suspend()
        harness.wait_until(lambda: self.is_gone(other, "of-five"), 20, "its lease has ended")
        leader.resume()
        answer = leader.request("POST", "/leases/5/keepalive?timeout=10s")
        self.assertEqual(answer.status, 404, answer)
        leader.wait_ready()
        self.assert_alike()


class Storm(harness.TestCase):
    def test_many_that_are_due_at_once_stop_nobody(self):
        count = harness.pick(10000, 100000)
        nodes = self.cluster(3)
        leader = nodes.leader()
        term = leader.stats()["term"]
        self.assertEqual(leader.request("POST", "/leases?ttl=600s&id=99").status, 201)
        begin = seconds()
        ttl = harness.pick(30, 150)
        with leader.connect(60) as connection:
            for start in range(0, count, 200):
                rest = max(1, int((ttl - (seconds() - begin)) * 1000))
                connection.send(b"".join(
                    harness.encode("PUT", f"/kv/storm/{number}?ttl={rest}ms", b"x")
                    for number in range(start, start + 200)))
                for _ in range(200):
                    self.assertEqual(connection.receive("PUT").status, 201)
        harness.say(f"{count} keys were put in {seconds() - begin:.1f} s")
        self.assertLess(seconds() - begin, ttl, "they are due together")
        longest, is_over = 0, False
        while not is_over:
            asked = seconds()
            self.assertIn(leader.put("/kv/other", b"x").status, (200, 201))
            longest = max(longest, seconds() - asked)
            stats = leader.stats()
            is_over = stats["keys"] == 1
            self.assertLess(seconds() - begin, 3 * ttl, stats["keys"])
        harness.say(f"the longest write beside them took {longest * 1000:.0f} ms")
        if not harness.is_sanitized():
            self.assertLessEqual(longest, 0.5)
        found = nodes.settle()
        self.assertEqual({stats["term"] for stats in found}, {term})
        self.assertEqual(len({stats["state_hash"] for stats in found}), 1)


if __name__ == "__main__":
    harness.main()
