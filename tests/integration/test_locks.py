#!/usr/bin/env python3
"""Locks, semaphores, elections: who holds one, who is next, and what a late holder can still do."""

import json
import subprocess
import time

import harness


class Waiting:
    """A request whose answer is taken later."""

    def __init__(self, test, node, target, body=b"", method="POST", seconds=60, headers=()):
        self.connection = node.connect(seconds)
        test.addCleanup(self.close)
        self.connection.send(harness.encode(method, target, body, headers))

    def close(self):
        self.connection.__exit__(None, None, None)

    def answer(self):
        return self.connection.receive("POST")


class TestCase(harness.TestCase):
    def take(self, node, name, query="", body=b"owner"):
        answer = node.request("POST", f"/locks/{name}{query}", body)
        self.assertEqual(answer.status, 200, answer)
        return answer

    def release(self, node, name, held):
        return node.request("DELETE", f"/locks/{name}",
                            headers=(("KV-Fence", held.headers["kv-fence"]),))

    def waiting(self, node, name, count):
        def found():
            answer = node.get(f"/locks/{name}")
            return (answer.json()["waiting"] if answer.status == 200 else 0) == count
        harness.wait_until(found, 20, f"{count} wait")


class OneNode(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.node = cls.class_cluster(1)[0]

    def curl(self, *arguments):
        status, out, _ = harness.curl("--silent", "-w", "%{http_code}", *arguments)
        return status, out.decode()[:-3], int(out[-3:])

    def test_twenty_who_wait_are_served_in_turn(self):
        held = self.take(self.node, "fifo")
        queue = []
        for number in range(20):
            queue.append(Waiting(self, self.node, "/locks/fifo?ttl=60s&wait=60s",
                                 str(number).encode()))
            self.waiting(self.node, "fifo", number + 1)
        tokens = [held.json()["token"]]
        for number, waiting in enumerate(queue):
            self.assertEqual(self.release(self.node, "fifo", held).status, 200)
            held = waiting.answer()
            self.assertEqual(held.status, 200, held)
            tokens.append(held.json()["token"])
            self.assertEqual(self.node.get("/locks/fifo").json()["holders"][0]["owner"],
                             str(number))
        self.assertEqual(tokens, sorted(set(tokens)))

    def test_a_semaphore_of_three(self):
        held = [self.take(self.node, "sem", "?limit=3&ttl=60s") for _ in range(3)]
        answer = self.node.request("POST", "/locks/sem?limit=3", b"fourth")
        self.assert_problem(answer, 423, "locked")
        waiting = Waiting(self, self.node, "/locks/sem?limit=3&wait=30s", b"fourth")
        self.waiting(self.node, "sem", 1)
        self.release(self.node, "sem", held[1])
        self.assertEqual(waiting.answer().status, 200)
        self.assertEqual(self.node.get("/locks/sem").json()["held"], 3)

    def test_a_client_that_goes_leaves_the_queue(self):
        held = self.take(self.node, "left")
        client = subprocess.Popen(["curl", "-s", "-d", "x",
                                   f"{self.node.url}/locks/left?wait=60s"],
                                  stdout=subprocess.DEVNULL)
        self.waiting(self.node, "left", 1)
        client.kill()
        client.wait()
        self.waiting(self.node, "left", 0)
        self.assertEqual(self.release(self.node, "left", held).status, 200)
        self.assertEqual(self.node.get("/locks/left").status, 404)

    def test_a_wait_that_ran_out_says_who_has_it(self):
        self.take(self.node, "slow", "?ttl=60s", b"host-1")
        begin = time.monotonic()
        answer = self.node.request("POST", "/locks/slow?wait=1s", b"host-2")
        self.assertGreaterEqual(time.monotonic() - begin, 1)
        self.assertLess(time.monotonic() - begin, 5)
        document = self.assert_problem(answer, 423, "locked")
        self.assertEqual(document["holder"], "host-1")
        self.assertIn("retry-after", answer.headers)

    def test_terraforms_sequence(self):
        """As its http backend sends it; Terraform itself is in no registry of ours."""
        state, lock = f"{self.node.url}/kv/tf/state", f"{self.node.url}/locks/tf"
        info = json.dumps({"ID": "9f1", "Operation": "OperationTypeApply", "Who": "me@host"})
        other = json.dumps({"ID": "9f2", "Operation": "OperationTypePlan", "Who": "you@host"})
        body = ("-H", "Content-Type: application/json", "-d")
        self.assertEqual(self.curl(state)[2], 404)
        self.assertEqual(self.curl("-X", "LOCK", *body, info, lock)[2], 200)
        self.assertEqual(self.curl("-X", "LOCK", *body, other, lock)[1:], (info, 423))
        self.assertEqual(self.curl("-X", "POST", *body, '{"version":4}', f"{state}?ID=9f1")[2], 200)
        self.assertEqual(self.curl(state)[1:], ('{"version":4}', 200))
        self.assertEqual(self.curl("-X", "UNLOCK", *body, other, lock)[1:], (info, 423))
        self.assertEqual(self.curl("-X", "UNLOCK", *body, info, lock)[2], 200)
        self.assertEqual(self.curl("-X", "LOCK", *body, other, lock)[2], 200)
        self.assertEqual(self.curl("-X", "UNLOCK", lock)[2], 200)  # terraform force-unlock
        self.assertEqual(self.curl("-X", "LOCK", *body, info, lock)[2], 200)

    def test_a_drain_sends_who_waits_away(self):
        node = self.cluster(1)[0]
        self.take(node, "a", "?ttl=60s")
        waiting = Waiting(self, node, "/locks/a?wait=60s")
        self.waiting(node, "a", 1)
        begin = time.monotonic()
        node.stop()
        self.assertIn(waiting.answer().status, (503, 504))
        self.assertLess(time.monotonic() - begin, 10)


class ThreeNodes(TestCase):
    def setUp(self):
        self.nodes = self.cluster(3)

    def test_the_write_of_a_holder_that_slept_is_refused(self):
        """CAS-8."""
        first = self.take(self.nodes[0], "job", "?ttl=1s", b"first")
        fence = (("KV-Fence", first.headers["kv-fence"]),)
        self.assertEqual(self.nodes[0].put("/kv/result", b"1", headers=fence).status, 201)
        second = self.nodes[1].request("POST", "/locks/job?ttl=60s&wait=20s", b"second")
        self.assertEqual(second.status, 200, second)  # once the first one's time is over
        self.assertGreater(second.json()["token"], first.json()["token"])
        for node in self.nodes:
            self.assert_problem(node.put("/kv/result", b"late", headers=fence), 412, "fence-lost")
        fence = (("KV-Fence", second.headers["kv-fence"]),)
        self.assertEqual(self.nodes[2].put("/kv/result", b"2", headers=fence).status, 200)
        self.assertEqual(self.nodes[0].get("/kv/result").body, b"2")

    def test_who_waits_outlives_the_leader(self):
        leader = self.nodes.leader()
        others = self.nodes.others(leader)
        held = self.take(others[0], "a", "?ttl=600s")
        waiting = [Waiting(self, node, "/locks/a?ttl=60s&wait=60s", body)
                   for node, body in ((others[0], b"one"),)]
        self.waiting(others[0], "a", 1)
        waiting.append(Waiting(self, others[1], "/locks/a?ttl=60s&wait=60s", b"two"))
        self.waiting(others[0], "a", 2)
        leader.kill()
        # This one comes while nobody leads.
        waiting.append(Waiting(self, others[1], "/locks/a?ttl=60s&wait=60s", b"three"))
        harness.wait_until(lambda: others[0].get("/locks/a?timeout=1s").status == 200, 20,
                           "there is a leader")
        self.waiting(others[0], "a", 3)
        for body, request in zip((b"one", b"two", b"three"), waiting):
            self.assertEqual(self.release(others[0], "a", held).status, 200)
            held = request.answer()
            self.assertEqual(held.status, 200, held)
            shown = others[1].get("/locks/a").json()["holders"][0]
            self.assertEqual(shown["owner"].encode(), body)
        leader.start().wait_ready()
        stats = self.nodes.settle()
        self.assertEqual(len({found["state_hash"] for found in stats}), 1)

    def test_the_lock_of_a_waiters_node_that_died_comes_free(self):
        held = self.take(self.nodes[0], "a", "?ttl=60s")
        Waiting(self, self.nodes[1], "/locks/a?ttl=1s&wait=60s", b"lost")
        self.waiting(self.nodes[0], "a", 1)
        self.nodes[1].kill()
        harness.wait_until(lambda: self.release(self.nodes[0], "a", held).status in (200, 412),
                           20, "it is given back")
        answer = self.nodes[2].request("POST", "/locks/a?ttl=60s&wait=20s", b"next")
        self.assertEqual(answer.status, 200, answer)
        self.nodes[1].start().wait_ready()

    def test_who_is_cut_off_asks_another_node_under_its_key(self):
        first, second, third = self.nodes
        target, key = "/locks/cut?ttl=20s&wait=20s", (("Idempotency-Key", "cut"),)
        held = self.take(first, "cut", "?ttl=60s")
        cut = Waiting(self, second, target, b"me", headers=key)
        self.waiting(first, "cut", 1)
        again = Waiting(self, third, target, b"me", headers=key)
        time.sleep(0.5)
        self.waiting(first, "cut", 1)  # at one place
        cut.close()
        time.sleep(1)
        self.waiting(first, "cut", 1)  # at a new one
        self.assertEqual(self.release(first, "cut", held).status, 200)
        answer = again.answer()
        self.assertEqual(answer.status, 200, answer)
        time.sleep(0.5)
        told = second.request("POST", target, b"me", headers=key)
        self.assertEqual(told.status, 200, told)
        self.assertEqual(told.json()["token"], answer.json()["token"])
        self.assertEqual(told.headers["idempotency-replayed"], "true")
        self.assertEqual(len(first.get("/locks/cut").json()["holders"]), 1)
        self.assertEqual(self.release(third, "cut", answer).status, 200)

    def test_an_election_is_seen_from_every_node(self):
        watches = []
        for node in self.nodes:
            watch = subprocess.Popen(["curl", "-sN", f"{node.url}/elections/e/watch"],
                                     stdout=subprocess.PIPE)
            self.addCleanup(watch.wait)
            self.addCleanup(watch.kill)
            self.addCleanup(watch.stdout.close)
            self.assertEqual(watch.stdout.readline(), b"event: none\n")
            watches.append(watch)
        first = self.nodes[0].request("POST", "/elections/e?ttl=60s", b"node-1")
        self.assertEqual(first.status, 200, first)
        second = Waiting(self, self.nodes[1], "/elections/e?ttl=60s&wait=30s", b"node-2")
        harness.wait_until(lambda: self.nodes[2].get("/elections/e").body == b"node-1", 10,
                           "it is elected")
        fence = (("KV-Fence", first.headers["kv-fence"]),)
        self.assertEqual(self.nodes[2].request("PUT", "/elections/e", headers=fence).status, 200)
        said = self.nodes[2].request("PUT", "/elections/e", b"node-1 serves", headers=fence)
        self.assertEqual(said.status, 200, said)
        for watch in watches:
            lines = iter(watch.stdout.readline, b"")
            values = (json.loads(line[6:]).get("value") for line in lines
                      if line.startswith(b"data: "))
            self.assertIn("node-1 serves", values)
        harness.wait_until(
            lambda: self.nodes[2].request("DELETE", "/elections/e", headers=fence).status == 200,
            10, "it resigns")
        token = second.answer().json()["token"]
        for watch in watches:
            lines = iter(watch.stdout.readline, b"")
            data = [json.loads(line[6:]) for line in self.until(lines, token)]
            self.assertEqual([event.get("value") for event in data if event][-1], "node-2")

    def until(self, lines, token):
        for line in lines:
            if line.startswith(b"data: "):
                yield line
                if json.loads(line[6:]).get("token") == token:
                    return


if __name__ == "__main__":
    harness.main()
