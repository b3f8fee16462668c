#!/usr/bin/env python3
"""Without a quorum nothing is promised, and a leader that was asleep knows that it may be none."""

import time
from concurrent.futures import ThreadPoolExecutor

import harness
from register import Register

STALE = "?consistency=stale"
TIMEOUT_SECONDS = 0.5
ROUNDS = 2           # once the loss has been noticed
SLACK_SECONDS = 1.5  # of this machine, beyond the request's timeout


class NoQuorum(harness.TestCase):
    def setUp(self):
        self.nodes = self.cluster(3)
        self.nodes[0].put("/kv/known", b"before")
        for node in self.nodes:
            self.assertEqual(node.get("/kv/known").body, b"before")

    def ask(self, node, method, key):
        """A request with a timeout: its answer, which came within it."""
        began = time.monotonic()
        response = node.request(method, f"/kv/{key}?timeout={TIMEOUT_SECONDS * 1000:.0f}ms",
                                b"x" if method == "PUT" else None)
        self.assertLess(time.monotonic() - began, TIMEOUT_SECONDS + SLACK_SECONDS, response)
        return response

    def check_alone(self, node, stale_statuses=(200,)):
        """`node` has no quorum, says so, and answers what needs none. Returns keys not written."""
        began = time.monotonic()
        refused = []
        while len(refused) < ROUNDS:
            is_settled = time.monotonic() - began > 1
            asked = (("PUT", f"alone-{time.monotonic_ns()}"), ("GET", "known"), ("DELETE", "known"))
            with ThreadPoolExecutor(len(asked)) as pool:
                answers = list(pool.map(lambda one: self.ask(node, *one), asked))
            for (method, key), response in zip(asked, answers):
                if response.status == 504 and not is_settled and method != "GET":
                    continue  # it was proposed while there was a leader yet
                document = self.assert_problem(response, 503, "no-leader")
                self.assertEqual(document["outcome"], "not-applied")
                self.assertEqual(response.headers["retry-after"], "1")
                refused += [key] if method == "PUT" and is_settled else []
            stale = node.get(f"/kv/known{STALE}")
            self.assertIn(stale.status, stale_statuses)
            if stale.status == 200:
                self.assertEqual((stale.body, stale.headers["kv-consistency"]),
                                 (b"before", "stale"))
        for path, status in (("/livez", 200), ("/readyz", 503), ("/leader", 503), ("/health", 503),
                             ("/stats", 200), ("/metrics", 200), ("/version", 200)):
            self.assertEqual(node.get(path).status, status, path)
        self.assertIn(b"[-]leader", node.get("/readyz").body)
        return refused

    def check_back(self, refused):
        """Service has resumed by itself, and what was refused has not happened since."""
        self.nodes.wait_ready(20)
        for node in self.nodes:
            self.assertIn(node.put("/kv/after", b"%d" % node.id).status, (200, 201))
            for reader in self.nodes:
                self.assertEqual(reader.get("/kv/after").body, b"%d" % node.id)
        for key in refused:
            self.assertEqual(self.nodes[1].get(f"/kv/{key}").status, 404, key)
        stats = self.nodes.settle()
        self.assertEqual(len({found["state_hash"] for found in stats}), 1)

    def test_a_leader_whose_followers_were_killed_refuses_and_recovers(self):
        leader = self.nodes.leader()
        for node in self.nodes.others(leader):
            node.kill()
        refused = self.check_alone(leader)
        for node in self.nodes.others(leader):
            node.start()
        self.check_back(refused)

    def test_a_follower_whose_peers_were_killed_refuses_and_recovers(self):
        leader = self.nodes.leader()
        follower, other = self.nodes.others(leader)
        leader.kill()
        other.kill()
        refused = self.check_alone(follower)
        leader.start()
        self.check_back_one_missing(other, refused)

    def check_back_one_missing(self, other, refused):
        """Two of three are enough."""
        for node in self.nodes.others(other):
            node.wait_ready(20)
            self.assertIn(node.put("/kv/two", b"x").status, (200, 201))
        other.start()
        self.check_back(refused)

    def test_a_leader_whose_followers_are_asleep_refuses_and_recovers(self):
        leader = self.nodes.leader()
        for node in self.nodes.others(leader):
            node.suspend()
        refused = self.check_alone(leader)
        for node in self.nodes.others(leader):
            node.resume()
        self.check_back(refused)

    def test_a_follower_whose_peers_are_asleep_refuses_and_recovers(self):
        follower = self.nodes.others(self.nodes.leader())[0]
        for node in self.nodes.others(follower):
            node.suspend()
        refused = self.check_alone(follower)
        for node in self.nodes.others(follower):
            node.resume()
        self.check_back(refused)

    def test_a_node_that_starts_alone_lives_and_is_not_ready(self):
        self.nodes.kill()
        node = self.nodes[2].start()
        harness.wait_until(lambda: self.is_alive(node), 20, "it lives")
        # What was committed it may not know alone: stale is as stale as that.
        self.check_alone(node, stale_statuses=(200, 404))
        for other in self.nodes.others(node):
            other.start()
        self.check_back([])

    def is_alive(self, node):
        node.check()
        try:
            return node.get("/livez").status == 200
        except OSError:
            return False


class SleepingLeader(harness.TestCase):
    ROUNDS = harness.pick(3, 6)
    SLEEP_SECONDS = harness.pick(2, 5)
    QUEUED = 10  # at each of some moments

    def queue_reads(self, node, register):
        """Reads that the sleeping node will find in its sockets as soon as it wakes up."""
        queued = []
        for _ in range(self.QUEUED):
            connection = node.connect(seconds=15)
            floor = register.acknowledged
            connection.send(harness.encode("GET", "/kv/register?timeout=2s"))
            queued.append((floor, connection))
        return queued

    def one_round(self, cluster, register):
        leader = cluster.leader()
        before = register.acknowledged
        leader.suspend()
        asleep = register.acknowledged
        end = time.monotonic() + self.SLEEP_SECONDS
        harness.wait_until(lambda: register.acknowledged > asleep + 5, 20,
                           "writes go on while the leader sleeps")
        queued = []
        while time.monotonic() < end or not queued:
            register.is_over.wait(0.2)  # so that the reads are of many moments
            queued += self.queue_reads(leader, register)
        leader.resume()
        answered = 0
        for floor, connection in queued:
            with connection:
                answered += register.judge(connection.receive(), floor)
        return leader, before, time.monotonic(), answered

    def test_it_never_answers_with_less_than_was_acknowledged_elsewhere(self):
        cluster = self.cluster(3)
        register = Register().start(cluster.nodes, readers=2)
        try:
            for number in range(self.ROUNDS):
                leader, before, resumed, answered = self.one_round(cluster, register)
                found = register.times[leader.id]
                harness.wait_until(lambda: found and found[-1] > resumed, 20,
                                   "the old leader answers reads again")
                self.assertGreater(register.acknowledged, before)
                harness.say(f"round {number}: node {leader.id} slept, {answered} of its queued "
                            f"reads were answered with a value")
                register.check_readers()
        finally:
            register.stop()
        register.check()
        harness.say(register.summary())


if __name__ == "__main__":
    harness.main()
