#!/usr/bin/env python3
"""The storage quota: 507 for what grows, on every node alike; everything else goes on."""

import harness

QUOTA = 1 << 20
VALUE = b"v" * (64 << 10)


class Quota(harness.TestCase):
    def setUp(self):
        self.nodes = self.cluster(3, quota_bytes="1MiB")

    def fill(self):
        """Writes until it is refused: how many were taken, and the refusal."""
        for number in range(100):
            answer = self.nodes[number % 3].put(f"/kv/fill/{number}", VALUE)
            if answer.status == 507:
                return number, answer
            self.assertEqual(answer.status, 201, answer)
        self.fail("the quota was never reached")

    def test_it_is_reached_and_left_without_an_operator(self):
        count, answer = self.fill()
        self.assertEqual(count, QUOTA // (len(VALUE) + 64 + 7))
        document = self.assert_problem(answer, 507, "quota")
        self.assertEqual((document["setting"], document["limit"], document["outcome"]),
                         ("quota-bytes", QUOTA, "not-applied"))
        self.assertIn("delete keys", document["detail"])
        self.assertIn(document["used"], range(QUOTA - len(VALUE) - 100, QUOTA + 1))
        for node in self.nodes:
            self.assert_problem(node.put("/kv/more", VALUE), 507, "quota")
            self.assertEqual(node.get("/kv/fill/0").body, VALUE)
            self.assertEqual(node.get("/readyz").status, 200)
        stats = self.nodes.settle()
        self.assertEqual(len({found["state_hash"] for found in stats}), 1)
        for node, found in zip(self.nodes, stats):
            self.assertTrue(found["is_quota_reached"])
            self.assertEqual((found["quota_bytes"], found["keys"]), (QUOTA, count))
            self.assertEqual(node.metric("pontoon_quota_reached"), 1)
            self.assertGreaterEqual(node.metric("pontoon_quota_refused_total"), 4)
            self.assertEqual(node.log().count("the storage quota is reached"), 1)
        # What does not grow is taken: the same size again, less, a delete; and then more.
        self.assertEqual(self.nodes[0].put("/kv/fill/0", VALUE).status, 200)
        self.assertEqual(self.nodes[1].put("/kv/fill/0", b"").status, 200)
        self.assertEqual(self.nodes[1].request("DELETE", "/kv/fill/1").status, 200)
        self.assertEqual(self.nodes[2].request("DELETE", "/kv/fill/2").status, 200)
        self.assertEqual(self.nodes[2].put("/kv/more", VALUE).status, 201)
        self.nodes.settle()
        for node in self.nodes:
            harness.wait_until(lambda: not node.stats()["is_quota_reached"], 20, "it is left")
            self.assertIn("below the storage quota again", node.log())

    def test_members_come_and_go_past_it(self):
        self.fill()
        joiner = self.nodes.joiner(4, self.nodes[0]).start()
        joiner.wait_ready()
        self.nodes.settle()
        gone = self.nodes.others(self.nodes.leader(), joiner)[0]
        answer = self.nodes.leader().request("DELETE", f"/admin/members/{gone.id}")
        self.assertIn(answer.status, (200, 204), answer)
        gone.end(0)
        self.assert_problem(joiner.put("/kv/more", VALUE), 507, "quota")

    def test_the_same_decision_stands_after_a_restart(self):
        count, _ = self.fill()
        before = self.nodes.settle()[0]["state_hash"]
        self.nodes.kill()
        self.nodes.start()
        stats = self.nodes.settle()
        self.assertEqual({found["state_hash"] for found in stats}, {before})
        self.assertEqual({found["keys"] for found in stats}, {count})
        self.assert_problem(self.nodes[0].put("/kv/more", VALUE), 507, "quota")


if __name__ == "__main__":
    harness.main()
