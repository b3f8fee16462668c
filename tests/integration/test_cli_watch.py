#!/usr/bin/env python3
"""pontoon watch against real nodes: nothing is missed or told twice, whichever node ends."""

import json
import subprocess

import harness

FAILED = 1


class Watch(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.nodes = self.cluster(3)
        self.endpoints = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    def start(self, *words):
        process = subprocess.Popen(
            harness.command("watch", "-e", self.endpoints, *words), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=harness.environment())
        self.addCleanup(self.finish, process)
        return process

    def finish(self, process):
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()

    def test_it_goes_on_at_another_node(self):
        node = self.nodes[2]
        node.put("/kv/a/0", b"old")
        watch = self.start("--prefix", "a/", "--initial")
        self.assertEqual(watch.stdout.readline().split()[2:], ["a/0", "old"])
        self.assertEqual(watch.stdout.readline().split()[0], "synced")
        node.put("/kv/a/1", b"one")
        node.put("/kv/b", b"of nobody's interest")
        self.assertEqual(watch.stdout.readline().split()[2:], ["a/1", "one"])
        self.nodes[0].kill()  # it is the one that is watched
        harness.wait_until(lambda: node.put("/kv/a/2", b"x\ny", seconds=30).status in (200, 201),
                           30, "a write is taken")
        node.request("DELETE", "/kv/a/1")
        node.request("POST", "/kv/a/2?touch&ttl=100ms", b"")
        lines = [watch.stdout.readline().split() for _ in range(3)]
        self.assertEqual([(line[0], *line[2:]) for line in lines],
                         [("put", "a/2", "x\\ny"), ("delete", "a/1"), ("expire", "a/2")])
        revisions = [int(line[1]) for line in lines]
        self.assertEqual(revisions, sorted(set(revisions)))

    def test_what_came_since_and_no_more(self):
        node = self.nodes[0]
        revision = int(node.put("/kv/k", b"1").headers["kv-revision"])
        node.put("/kv/k", b"2")
        node.put("/kv/k", b"\xff")
        watch = self.start("k", "--since", revision, "--limit", "2", "-o", "json", "--old-value")
        first, second = map(json.loads, watch.stdout.read().splitlines())
        self.assertEqual(watch.wait(30), 0)
        self.assertEqual((first["event"], first["key"], first["value"]), ("put", "k", "2"))
        self.assertEqual(second["value_base64"], "/w==")
        watch = self.start("k", "--since", revision, "-n", "1", "--", "sh", "-c",
                           'echo "$PONTOON_EVENT $PONTOON_KEY $(cat)"')
        self.assertEqual(watch.stdout.read(), "put k 2\n")
        watch = self.start("k", "--since", revision, "--evnts", "put")
        self.assertIn("did you mean --events?", watch.stderr.read())
        watch = self.start("k", "--events", "puts")
        self.assertEqual(watch.wait(30), FAILED, watch.stderr.read())


if __name__ == "__main__":
    harness.main()
