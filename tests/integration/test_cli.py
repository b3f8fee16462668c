#!/usr/bin/env python3
"""pontoon get, put and del against real nodes: bytes, statuses, fail-over, what curl would do."""

import json
import os
import pty
import select
import socketserver
import subprocess
import threading

import harness

FAILED, USAGE, NOT_FOUND, PRECONDITION, UNAVAILABLE = 1, 2, 3, 4, 5


class Forgetful(socketserver.ThreadingTCPServer):
    """In front of a node: hands requests on, and closes when the answer has come."""

    daemon_threads = True

    def __init__(self, node):
        super().__init__(("127.0.0.1", 0), None)
        self.node, self.requests = node, 0
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def finish_request(self, request, _):
        self.requests += 1
        with self.node.connect() as connection:
            held = b""
            while not held or not connection.held:
                for ready in select.select([request, connection.socket], [], [])[0]:
                    if ready is request:
                        held += request.recv(1 << 16)
                        connection.send(held)
                    else:
                        connection.more()


class Cli(harness.TestCase):
    def node(self):
        node = self.cluster(1)[0]
        self.endpoints = f"127.0.0.1:{node.port}"
        return node

    def pontoon(self, *words, status=0, data=b"", endpoints=None):
        """Runs it: (stdout, stderr), as bytes and text."""
        env = harness.environment(PONTOON_ENDPOINTS=endpoints or self.endpoints)
        done = subprocess.run(harness.command(*words), input=data, capture_output=True, timeout=60,
                              env=env, cwd=self.directory)
        self.assertEqual(done.returncode, status, (words, done))
        return done.stdout, done.stderr.decode()

    def setUp(self):
        super().setUp()
        self.directory = harness.new_directory("cli")

    def test_the_first_session(self):
        self.node()
        self.assertEqual(self.pontoon("put", "foo", "bar"), (b"", ""))
        self.assertEqual(self.pontoon("get", "foo"), (b"bar", ""))
        self.assertEqual(self.pontoon("del", "foo"), (b"1\n", ""))
        self.assertEqual(self.pontoon("del", "foo"), (b"0\n", ""))
        out, errors = self.pontoon("get", "foo", status=NOT_FOUND)
        self.assertEqual(out, b"")
        self.assertIn(f"{self.endpoints}: Not found: there is no such key", errors)

    def test_any_bytes_come_and_go(self):
        node = self.node()
        value = bytes(range(256)) * 5000
        key = "a b/../\u00e4%2F?&"
        (self.directory / "in").write_bytes(value)
        self.pontoon("put", key, "@in", "--content-type", "application/x-test")
        self.assertEqual(self.pontoon("get", key)[0], value)
        answer = node.get(harness.quote(key))
        self.assertEqual(answer.body, value)
        self.assertEqual(answer.headers["content-type"], "application/x-test")
        self.assertEqual(self.pontoon("get", key, "-O", "out"), (b"", ""))
        self.assertEqual((self.directory / "out").read_bytes(), value)
        self.pontoon("put", key, "-", data=b"\n")
        self.assertEqual(self.pontoon("get", key)[0], b"\n")
        self.pontoon("put", key, "")
        self.assertEqual(self.pontoon("get", key)[0], b"")
        self.pontoon("put", "--", "-k", "v")
        self.assertEqual(self.pontoon("get", "--", "-k")[0], b"v")

    def test_a_terminal_gets_a_lines_end(self):
        self.node()
        self.pontoon("put", "foo", "bar")
        main, side = pty.openpty()
        done = subprocess.run(harness.command("get", "foo", "-e", self.endpoints), stdout=side,
                              stdin=subprocess.DEVNULL, env=harness.environment(), timeout=60)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(os.read(main, 100), b"bar\r\n")
        os.close(main)
        os.close(side)

    def test_what_is_known_of_a_key(self):
        node = self.node()
        made = json.loads(self.pontoon("put", "k\n", "v", "-o", "json")[0])
        self.assertTrue(made["is_new"])
        self.assertEqual((made["key"], made["version"]), ("k\n", 1))
        told = json.loads(self.pontoon("get", "k\n", "-o", "json")[0])
        self.assertEqual(told["value"], "v")
        self.assertEqual(told["etag"], made["etag"])
        self.assertEqual(told["etag"], node.get("/kv/k%0A").headers["etag"].strip('"'))
        lines = self.pontoon("get", "k\n", "--meta")[0].decode().splitlines()
        self.assertIn(f"etag: {made['etag']}", lines)
        self.assertIn("size: 1", lines)
        node.put("/kv/raw", b"\xff")
        self.assertEqual(json.loads(self.pontoon("get", "raw", "-o", "json")[0])["value_base64"],
                         "/w==")
        self.assertEqual(self.pontoon("get", "raw", "--consistency", "stale")[0], b"\xff")
        gone = json.loads(self.pontoon("del", "raw", "-o", "json")[0])
        self.assertEqual(gone["deleted"], 1)

    def test_what_is_called_wrongly_is_told(self):
        self.node()
        for words, told in ((("get",), 'pontoon get KEY"'), (("put", "a"), "KEY VALUE"),
                            (("get", "a", "--mta"), "did you mean --meta?"),
                            (("del", "a", "--dry-run"), "--dry-run is for --prefix"),
                            (("del", "--prefix", ""), "--all says that you mean it"),
                            (("del", "a", "--prefix", "b"), "not both"),
                            (("incr", "a", "one"), "BY is a number"),
                            (("touch", "a"), "KEY --ttl TIME"),
                            (("put", "a", "b", "--content-type", "a\nb"), "Content-Type: "),
                            (("get", ""), "at least one byte")):
            out, errors = self.pontoon(*words, status=USAGE)
            self.assertEqual(out, b"")
            self.assertIn(told, errors)
        self.assertIn("No such file", self.pontoon("put", "a", "@nowhere", status=FAILED)[1])
        with open("/dev/full", "wb") as full:
            self.pontoon("put", "a", "b")
            done = subprocess.run(harness.command("get", "a", "-e", self.endpoints), stdout=full,
                                  stderr=subprocess.PIPE, env=harness.environment(), timeout=60)
            self.assertEqual(done.returncode, FAILED)
            self.assertIn(b"No space left on device", done.stderr)

    def test_conditions_hold_or_not(self):
        self.node()
        self.pontoon("put", "k", "1", "--if-none-match", "*")
        told = self.pontoon("put", "k", "2", "--if-none-match", "*", status=PRECONDITION)[1]
        self.assertIn("Precondition failed", told)
        etag = json.loads(self.pontoon("get", "k", "-o", "json")[0])["etag"]
        self.pontoon("put", "k", "2", "--if-match", str(int(etag) + 1), status=PRECONDITION)
        self.pontoon("put", "k", "2", "--if-match", etag)
        self.pontoon("put", "k", "3", "--prev", "1", status=PRECONDITION)
        self.pontoon("put", "k", "a b&c=d", "--prev", "2")
        self.assertEqual(self.pontoon("put", "k", "4", "--prev", "a b&c=d", "--return")[0], b"4")
        self.pontoon("del", "k", "--prev", "3", status=PRECONDITION)
        self.assertEqual(self.pontoon("del", "k", "--prev", "4", "--return")[0], b"4")
        self.pontoon("del", "k", "--if-match", "*", status=PRECONDITION)
        self.pontoon("put", "k", "1", "--fence", "nobody:7", status=PRECONDITION)

    def test_numbers_and_ends(self):
        self.node()
        self.assertEqual(self.pontoon("incr", "n")[0], b"1\n")
        self.assertEqual(self.pontoon("incr", "n", "41")[0], b"42\n")
        self.assertEqual(self.pontoon("incr", "n", "-50")[0], b"-8\n")
        self.assertEqual(self.pontoon("append", "t", "ab")[0], b"2\n")
        self.assertEqual(self.pontoon("append", "t", "-", data=b"\0c")[0], b"4\n")
        self.assertEqual(self.pontoon("get", "t")[0], b"ab\0c")
        self.assertIn("number", self.pontoon("incr", "t", status=FAILED)[1])

    def test_a_life_ends(self):
        node = self.node()
        for words in (("v", "--ttl", "1h"), ("w", "--keep-ttl")):
            made = json.loads(self.pontoon("put", "k", *words, "-o", "json")[0])
            self.assertGreater(float(made["ttl"]), 3500)
        self.pontoon("touch", "k", "--ttl", "100ms")
        harness.wait_until(lambda: node.get("/kv/k").status == 404, 20, "it expires")
        self.pontoon("touch", "k", "--ttl", "1h", status=NOT_FOUND)

    def test_keys_are_listed(self):
        node = self.node()
        names = [f"a/{number:04}" for number in range(2500)] + ["b\n", "c/d/e", "c/d/f", "c/g"]
        with node.connect() as connection:
            for name in names:
                connection.request("PUT", harness.quote(name), b"val")
            connection.request("PUT", "/kv/%FF/x", b"")
        self.assertEqual(self.pontoon("ls", "a/")[0].decode().split(), names[:2500])
        self.assertEqual(self.pontoon("ls", "a/", "--reverse", "--limit", "1500")[0].split(),
                         [name.encode() for name in reversed(names[1000:2500])])
        self.assertEqual(self.pontoon("ls", "--delimiter", "/")[0], b"a/\nb\\n\nc/\n\\xff/\n")
        self.assertEqual(self.pontoon("ls", "-r", "-d", "/")[0], b"\\xff/\nc/\nb\\n\na/\n")
        self.assertEqual(self.pontoon("ls", "c/", "-d", "/")[0], b"c/d/\nc/g\n")
        self.assertEqual(self.pontoon("ls", "--match", "*9/x", "-0")[0], b"")
        self.assertEqual(self.pontoon("ls", "--match", "c/d*", "-0")[0], b"c/d/e\0c/d/f\0")
        self.assertEqual(self.pontoon("ls", "--count")[0], b"2505\n")
        self.assertEqual(self.pontoon("ls", "--min-mod-revision", "2503", "--max-mod-revision",
                                      "2504")[0], b"c/d/f\nc/g\n")
        bounds = ("--min-create-revision", "2", "--max-create-revision", "2500")
        self.assertEqual(self.pontoon("ls", *bounds, "--count")[0], b"2499\n")
        self.assertEqual(self.pontoon("ls", *bounds)[0].decode().split(), names[1:2500])
        self.assertEqual(self.pontoon("del", "--prefix", "a/", "--dry-run")[0], b"2500\n")
        rows = self.pontoon("ls", "c/g", "-o", "table")[0].decode().splitlines()
        self.assertEqual(rows[0].split(), ["REVISION", "SIZE", "KEY"])
        self.assertEqual(rows[1].split()[1:], ["3", "c/g"])
        told = json.loads(self.pontoon("ls", "\udcff", "-o", "json")[0])
        self.assertEqual((told["key_base64"], told["size"]), ("/y94", 0))

    def test_a_lost_answer_is_asked_for_and_not_done_twice(self):
        node = self.node()
        front = Forgetful(node)
        self.addCleanup(front.server_close)
        self.addCleanup(front.shutdown)
        forgetful = f"127.0.0.1:{front.server_address[1]}"
        both = f"{forgetful},{self.endpoints}"
        for number in range(1, 6):
            self.assertEqual(self.pontoon("incr", "n", endpoints=both)[0], b"%d\n" % number)
        self.assertEqual(front.requests, 5)
        self.assertEqual(node.get("/kv/n").headers["kv-version"], "5")
        # With nobody else to ask: it may have been done, and here it was.
        self.assertIn(forgetful, self.pontoon("incr", "n", endpoints=forgetful, status=6)[1])
        self.assertEqual(node.get("/kv/n").body, b"6")

    def test_curl_would_do_the_same(self):
        node = self.node()
        value = "it's $HOME `x` \"y\" \\ @"
        for key in ("plain", "it's a $key", "../..", "a&b?c#d%"):
            errors = self.pontoon("put", key, value, "--show-curl")[1]
            self.assertTrue(errors.startswith("curl -X PUT "))
            self.pontoon("del", key)
            subprocess.run(["sh", "-c", errors], check=True, capture_output=True, timeout=60)
            self.assertEqual(node.get(harness.quote(key).replace("..", "%2E%2E")).body,
                             value.encode())
            errors = self.pontoon("get", key, "--show-curl")[1]
            done = subprocess.run(["sh", "-c", errors], check=True, capture_output=True, timeout=60)
            self.assertEqual(done.stdout, value.encode())

    def test_another_node_is_asked_when_one_cannot(self):
        nodes = self.cluster(3)
        self.endpoints = ",".join(f"127.0.0.1:{node.port}" for node in nodes)
        self.pontoon("put", "foo", "bar")
        nodes[0].kill()
        self.pontoon("put", "foo", "more", "--timeout", "20s")
        self.assertEqual(self.pontoon("get", "foo", "--timeout", "20s")[0], b"more")
        nodes[1].request("POST", "/admin/drain", b"")
        self.assertEqual(self.pontoon("get", "foo", "--timeout", "20s")[0], b"more")
        nobody = f"127.0.0.1:{harness.ports.take()}"
        out, errors = self.pontoon("get", "foo", status=UNAVAILABLE, endpoints=nobody)
        self.assertIn(f"{nobody}: Connection refused", errors)


if __name__ == "__main__":
    harness.main()
