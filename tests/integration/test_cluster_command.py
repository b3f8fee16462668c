#!/usr/bin/env python3
"""pontoon cluster: the members from a shell, with exit statuses that scripts can go by."""

import json
import re

import harness
from harness import wait_until

ENTRIES = 20000  # of 4000 bytes: to catch up with them takes longer than to ask
USAGE, FAILED, NOT_FOUND, UNAVAILABLE = 2, 1, 3, 5


class ClusterCommand(harness.TestCase):
    def run_cluster(self, *words, nodes=None, status=0):
        endpoints = ",".join(node.url for node in nodes or self.nodes)
        found = harness.run("cluster", *words, "-e", endpoints, seconds=60)
        self.assertEqual(found[0], status, found)
        return found[1:]

    def setUp(self):
        self.nodes = self.cluster(3)

    def told(self, *words):
        """What a command says to programs."""
        return json.loads(self.run_cluster(*words, "-o", "json")[0])

    def rows(self):
        return self.told("status")["members"]

    def test_members_from_a_shell(self):
        self.run_cluster("wait")
        table = self.run_cluster("status")[0].splitlines()
        self.assertEqual(table[0].split()[:2], ["ID", "ROLE"])
        self.assertEqual(sorted(line.split()[0] for line in table[1:]), ["1", "2", "3"])
        # Whoever is asked, the lag is told: it is the leader that knows.
        for node in self.nodes:
            found = json.loads(self.run_cluster("status", "-o", "json", nodes=[node])[0])
            self.assertEqual(found["figures_from"], found["leader_id"])
            self.assertTrue(all(isinstance(row["lag_entries"], int) for row in found["members"]))
        address = f"127.0.0.1:{harness.ports.take()}"
        out = self.run_cluster("add", address, "--learner")[0]
        self.assertIn("member 4: start it with", out)
        # The line is one that serve takes: it is started with those very words.
        flags = dict(re.findall(r"--(\S+) (\S+)", out))
        self.assertIn(flags["join"], [node.url for node in self.nodes])
        self.assertEqual(flags["peer-listen"], address)
        fourth = self.nodes.joiner(4, self.nodes[0], join=flags["join"],
                                   peer_listen=flags["peer-listen"])
        fourth.start().wait_ready()
        self.assertEqual([row["role"] for row in self.rows() if row["id"] == 4], ["learner"])
        _, err = self.run_cluster("add", address, status=FAILED)  # it was to stay a learner
        self.assertIn("promote", err)
        def is_promoted():
            found = harness.run("cluster", "promote", "4", "-o", "json", "-e", self.nodes[0].url)
            return found[0] == 0 and json.loads(found[1]) == {"id": 4}
        wait_until(is_promoted, 20, "it has caught up and is promoted")
        self.assertEqual(len(self.told("wait")["members"]), 4)
        self.assertEqual(self.run_cluster("transfer", "2")[0], "member 2 leads\n")
        self.assertEqual(self.told("transfer", "3"), {"leader_id": 3})
        moved = f"127.0.0.1:{harness.ports.take()}"
        fourth.stop()  # its checkpoint has it as a member: --join is not needed any more
        self.assertEqual(self.told("move", "4", moved), {"id": 4})
        fourth.start(join=None, id=4, peer_listen=moved)
        fourth.wait_ready()
        self.run_cluster("wait")
        self.assertEqual(self.told("remove", "4"), {"id": 4})
        fourth.end(0)
        self.nodes.nodes.remove(fourth)
        self.assertEqual(len(self.rows()), 3)

    def test_what_is_wrong_has_its_status_and_its_words(self):
        for words in ((), ("frobnicate",), ("add",), ("remove", "x"), ("replace", "1"),
                      ("move", "1"), ("transfer", "one"), ("remove", "1", "2"),
                      ("status", "--frce")):
            _, err = self.run_cluster(*words, status=USAGE)
            self.assertIn("pontoon cluster --help", err)
        for words, named in ((("status", "extra"), "extra"), (("wait", "extra"), "extra"),
                             (("transfer", "2", "extra"), "extra"),
                             (("status", "--force"), "--force"),
                             (("add", "127.0.0.1:1", "--force"), "--force"),
                             (("add", "127.0.0.1:1", "--id=0"), "--id"),
                             (("add", "127.0.0.1:1", f"--id={1 << 53}"), f"{(1 << 53) - 1}"),
                             (("add", "127.0.0.1:1", "--with=127.0.0.1:2"), "--with"),
                             (("transfer", "--learner"), "--learner"),
                             (("remove", "9", "--id=4"), "--id"),
                             (("replace", "1", "--with=127.0.0.1:1", "--learner"), "--learner")):
            _, err = self.run_cluster(*words, status=USAGE)
            self.assertIn(named, err)
        _, err = self.run_cluster("remove", "9", status=NOT_FOUND)
        self.assertIn("there is no member 9", err)
        _, err = self.run_cluster("add", "nowhere", status=FAILED)
        self.assertIn("an address is HOST:PORT", err)
        self.nodes[2].kill()
        wait_until(lambda: not all(row["is_reachable"] for row in self.rows()), 10, "it is missed")
        _, err = self.run_cluster("wait", "--timeout", "1s", status=UNAVAILABLE)
        self.assertIn("cluster status", err)
        _, err = self.run_cluster("remove", "1", status=FAILED)
        self.assertIn("no majority", err)
        # The first endpoint is dead: the next one is asked.
        self.run_cluster("status", nodes=[self.nodes[2], self.nodes[0]])
        _, err = self.run_cluster("status", nodes=[self.nodes[2]], status=UNAVAILABLE)
        self.assertIn(str(self.nodes[2].port), err)
        # A node that cannot is heard before the patience with it ends: nothing was done.
        self.nodes[1].kill()
        for words in (("transfer", "2"), ("remove", "2")):
            _, err = self.run_cluster(*words, "--timeout", "7s", "--show-curl",
                                      nodes=self.nodes[:1], status=UNAVAILABLE)
            self.assertIn("timeout=6000ms", err)
            self.assertIn("no leader", err)
        self.nodes[1].start().wait_ready()
        self.nodes[2].start().wait_ready()

    def test_wait_is_for_who_is_behind(self):
        leader = self.nodes.leader()
        behind = self.nodes.others(leader)[0]
        behind.kill()
        with leader.connect() as connection:
            for _ in range(ENTRIES // 100):
                connection.send(harness.encode("PUT", "/kv/k", b"x" * 4000) * 100)
                for _ in range(100):
                    self.assertIn(connection.receive("PUT").status, (200, 201))
        behind.start()
        self.run_cluster("wait")
        lags = {row["id"]: row["lag_entries"] for row in self.rows()}
        self.assertLessEqual(lags[behind.id], 256)


if __name__ == "__main__":
    harness.main()
