#!/usr/bin/env python3
"""pontoon lock, elect and lease against real nodes."""

import json
import subprocess

import harness
from harness import wait_until

NOT_FOUND, PRECONDITION = 3, 4


class Locks(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.nodes = cls.class_cluster(3)
        cls.endpoints = ",".join(f"127.0.0.1:{node.port}" for node in cls.nodes)

    def environment(self):
        return harness.environment(PONTOON_ENDPOINTS=self.endpoints,
                                   P=str(harness.PROGRAM))

    def pontoon(self, *words, status=0):
        done = subprocess.run(harness.command(*words), capture_output=True, timeout=60, text=True,
                              stdin=subprocess.DEVNULL, env=self.environment())
        self.assertEqual(done.returncode, status, (words, done))
        return done.stdout, done.stderr

    def start(self, *words):
        process = subprocess.Popen(harness.command(*words), stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env=self.environment())
        self.addCleanup(self.finish, process)
        return process

    def finish(self, process):
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            stream.close()

    def test_one_after_the_other_and_the_store_knows_who(self):
        holder = self.start("lock", "a/b c", "--ttl", "10s")
        first = int(holder.stdout.readline())
        told = self.pontoon("lock", "a/b c", "--wait", "100ms", "--", "true", status=PRECONDITION)
        self.assertIn(f"another one has it, with the token {first}", told[1])
        waiting = self.start("lock", "a/b c", "--", "sh", "-c",
                             'echo "$PONTOON_TOKEN"; exec "$P" put k v --fence "$PONTOON_FENCE"')
        node = self.nodes[0]
        wait_until(lambda: node.get("/locks/a%2Fb%20c").json()["waiting"] == 1, 20, "one waits")
        holder.stdin.close()
        self.assertEqual(holder.wait(30), 0)
        self.assertEqual(waiting.wait(30), 0, waiting.stderr.read())
        self.assertGreater(int(waiting.stdout.readline()), first)
        self.pontoon("put", "k", "v", "--fence", f"a%2Fb%20c:{first}", status=PRECONDITION)
        self.assertEqual(self.pontoon("lock", "a/b c", "--", "sh", "-c", "exit 7", status=7)[0], "")

    def test_it_is_kept_beyond_its_life_and_lost_when_it_is_taken(self):
        process = self.start("lock", "kept", "--ttl", "1s", "--", "sh", "-c",
                             "echo up; exec sleep 1000")
        self.assertEqual(process.stdout.readline(), "up\n")
        node = self.nodes[0]
        token = node.get("/locks/kept").json()["holders"][0]["token"]
        seen = node.get("/stats").json()["revision"]
        self.pontoon("lock", "kept", "--wait", "2500ms", "--", "true", status=PRECONDITION)
        self.assertEqual(node.get("/locks/kept").json()["holders"][0]["token"], token, seen)
        self.assertEqual(node.request("DELETE", "/locks/kept?force", b"").status, 200)
        self.assertEqual(process.wait(30), PRECONDITION)
        self.assertIn("lock kept was lost", process.stderr.read())

    def test_what_was_taken_while_the_program_ran_was_lost(self):
        process = self.start("lock", "taken", "--ttl", "1m", "--", "sh", "-c", "echo up; read line")
        self.assertEqual(process.stdout.readline(), "up\n")
        node = self.nodes[0]
        self.assertEqual(node.request("DELETE", "/locks/taken?force", b"").status, 200)
        process.stdin.write("\n")
        process.stdin.flush()
        self.assertEqual(process.wait(30), PRECONDITION)
        self.assertIn("lock taken was lost before it was given back", process.stderr.read())

    def test_several_hold_one_with_a_limit(self):
        two = [self.start("lock", "few", "--limit", "2") for _ in range(2)]
        tokens = [int(process.stdout.readline()) for process in two]
        self.assertNotEqual(*tokens)
        self.pontoon("lock", "few", "--limit", "2", "--wait", "100ms", status=PRECONDITION)

    def test_who_is_elected_leads_until_it_ends(self):
        first = self.start("elect", "boss", "ada", "--ttl", "2s", "--", "sh", "-c",
                           "echo up; exec sleep 1000")
        self.assertEqual(first.stdout.readline(), "up\n")
        self.assertEqual(self.pontoon("elect", "boss", "--who")[0], "ada\n")
        second = self.start("elect", "boss", "bob", "--ttl", "2s", "--", "sh", "-c",
                            "echo up; exec sleep 1000")
        first.terminate()
        self.assertEqual(second.stdout.readline(), "up\n")
        self.assertEqual(self.pontoon("elect", "boss", "--who")[0], "bob\n")
        second.terminate()
        self.assertEqual(second.wait(30), 128 + 15)
        self.pontoon("elect", "boss", "--who", status=NOT_FOUND)

    def test_a_lease_and_its_keys(self):
        lease = self.pontoon("lease", "grant", "30s")[0].strip()
        self.pontoon("put", "on/it", "v", "--lease", lease)
        rows = self.pontoon("lease", "show", lease)[0].splitlines()
        self.assertEqual(rows[0].split()[0], lease)
        self.assertEqual(rows[1:], ["on/it"])
        self.assertIn(lease, self.pontoon("lease", "list")[0])
        told = json.loads(self.pontoon("lease", "keep", lease, "--once", "-o", "json")[0])
        self.assertEqual(told["ttl"], 30.0)
        keeper = self.start("lease", "keep", lease)
        self.assertEqual(float(keeper.stdout.readline()), 30.0)
        keeper.terminate()
        self.pontoon("lease", "revoke", lease)
        self.pontoon("get", "on/it", status=NOT_FOUND)
        self.pontoon("lease", "keep", lease, status=NOT_FOUND)
        self.pontoon("lease", "show", lease, status=NOT_FOUND)

    def test_a_prefix_is_gone(self):
        for key in ("gone/a", "gone/b", "stays"):
            self.pontoon("put", key, "v")
        self.assertEqual(self.pontoon("del", "--prefix", "gone/", "--dry-run")[0], "2\n")
        self.assertEqual(self.pontoon("del", "--prefix", "gone/")[0], "2\n")
        self.assertEqual(self.pontoon("ls", "gone/")[0], "")
        self.assertEqual(self.pontoon("get", "stays")[0], "v")


if __name__ == "__main__":
    harness.main()
