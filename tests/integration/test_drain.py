#!/usr/bin/env python3
"""pontoon drain: a node out of service and back, seen by its clients and by the others."""

import json
import signal
import time

import harness
from harness import wait_until

USAGE, UNAVAILABLE = 2, 5


class Drain(harness.TestCase):
    def drain(self, node, *words, status=0):
        found = harness.run("drain", "-e", f"127.0.0.1:{node.port}", *words)
        self.assertEqual(found[0], status, found)
        return found[1]

    def test_a_leader_hands_over_follows_and_comes_back(self):
        nodes = self.cluster(3)
        node = nodes.leader()
        node.put("/kv/a", b"1")
        told = json.loads(self.drain(node, "-o", "json", "--wait"))
        self.assertTrue(told["is_draining"])
        self.assertNotIn(told["leader_id"], (0, node.id))
        self.assertEqual(node.get("/readyz").status, 503)
        self.assertIn(b"draining", node.get("/readyz?verbose").body)
        self.assertEqual(node.get("/health").status, 200)
        self.assertEqual(node.get("/livez").status, 200)
        self.assertEqual(node.metric("pontoon_draining"), 1)
        for answer in (node.put("/kv/a", b"2"), node.get("/kv/a")):
            problem = self.assert_problem(answer, 503, "draining")
            self.assertEqual(problem["outcome"], "not-applied")
            self.assertIn("is draining", problem["detail"])
        self.assertEqual(node.get("/kv/a?consistency=stale").body, b"1")
        # It follows: what the others take arrives.
        other = nodes.others(node)[0]
        self.assertEqual(other.put("/kv/a", b"3").status, 200)
        nodes.settle()
        self.assertEqual(node.get("/kv/a?consistency=stale").body, b"3")
        # Nobody hands over to it; nor do two that drain hand the lead to and fro.
        answer = other.request("POST", f"/admin/leader?to={node.id}", b"")
        self.assertIn("is being drained", self.assert_problem(answer, 409, "conflict")["detail"])
        second = nodes.leader()
        self.assertIn("drained; node", self.drain(second))
        third = nodes.others(node, second)[0]
        wait_until(lambda: nodes.leader() is third, 10, "the one that does not drain leads")
        term = third.stats()["term"]
        time.sleep(1)  # in which they had thirty terms
        self.assertEqual(third.stats()["term"], term)
        self.assertEqual(third.put("/kv/a", b"3").status, 200)
        self.drain(second, "--undo")
        second.wait_ready()
        self.assertIn("drained; node", self.drain(node))  # again
        self.assertEqual(self.drain(node, "--undo"), f"node {node.id} takes requests\n")
        node.wait_ready()
        self.assertEqual(node.metric("pontoon_draining"), 0)
        self.assertEqual(node.put("/kv/a", b"4").status, 200)
        self.assertEqual(self.drain(node, "--undo"), f"node {node.id} takes requests\n")

    def test_it_ends_by_a_signal_as_any_other(self):
        nodes = self.cluster(3)
        node = nodes.leader()
        self.drain(node)
        node.stop(signal.SIGTERM)
        node.start().wait_ready()  # the next life is another one
        self.assertEqual(node.put("/kv/a", b"1").status, 201)

    def test_a_node_alone_refuses_until_it_is_undone(self):
        node = self.cluster(1)[0]
        self.assertIn(f"node {node.id} is drained", self.drain(node))
        self.assert_problem(node.put("/kv/a", b"1"), 503, "draining")
        self.drain(node, "--undo")
        self.assertEqual(node.put("/kv/a", b"1").status, 201)

    def test_it_is_about_one_node(self):
        node = self.cluster(1)[0]
        for words in (("-e", "127.0.0.1:1,127.0.0.1:2"), ("--undo", "--wait"), ("now",)):
            status, _, errors = harness.run("drain", *words)
            self.assertEqual(status, USAGE, errors)
            self.assertIn("pontoon drain --help", errors)
        node.stop()
        self.drain(node, status=UNAVAILABLE)


if __name__ == "__main__":
    harness.main()
