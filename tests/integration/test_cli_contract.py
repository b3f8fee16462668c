#!/usr/bin/env python3
"""The command line against nodes that this file plays: what it sends, and what it makes of answers.

Here because a real node cannot be made to break a stream in the middle of a transaction, or to say
at will that it does not know.
"""

import http.server
import json
import os
import signal
import subprocess
import threading
import urllib.parse

import harness
from harness import wait_until

USAGE, NOT_FOUND, PRECONDITION, UNAVAILABLE = 2, 3, 4, 5
CUT = "cut"  # the connection ends without an answer
JSON = {"Content-Type": "application/json"}
PROBLEM = {"Content-Type": "application/problem+json"}
STREAM = {"Content-Type": "text/event-stream", "KV-Revision": "40"}


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        size = int(self.headers.get("Content-Length") or 0)
        path, _, query = self.path.partition("?")
        asked = {"method": self.command, "path": path, "headers": dict(self.headers),
                 "query": dict(urllib.parse.parse_qsl(query, keep_blank_values=True)),
                 "body": self.rfile.read(size)}
        found = self.server.take(asked)
        if found == CUT:
            self.close_connection = True
            return
        status, fields, body = found
        self.send_response(status)
        for name, value in {"Connection": "close", **fields}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer

    def log_message(self, *_):
        pass


class Played(http.server.ThreadingHTTPServer):
    """A node that gives its answers in turn; to what comes after the last one: 503."""

    daemon_threads = True

    def __init__(self, answers):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.asked = list(answers), []
        self.lock = threading.Lock()
        self.address = f"127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def take(self, asked):
        with self.lock:
            self.asked.append(asked)
            return self.answers.pop(0) if self.answers else (503, {}, b"no more")


def event(name, data, number=None):
    lines = [f"event: {name}"] + ([f"id: {number}"] if number else [])
    return "\n".join([*lines, f"data: {json.dumps(data)}", "", ""]).encode()


class Contract(harness.TestCase):
    def play(self, *answers):
        node = Played(answers)
        self.addCleanup(node.server_close)
        self.addCleanup(node.shutdown)
        return node

    def pontoon(self, *words, nodes, status=0, data=b""):
        env = harness.environment(PONTOON_ENDPOINTS=",".join(node.address for node in nodes))
        done = subprocess.run(harness.command(*words), input=data, capture_output=True, timeout=60,
                              env=env)
        self.assertEqual(done.returncode, status, (words, done))
        return done.stdout.decode(), done.stderr.decode()

    def test_conditions_and_lives_are_sent(self):
        node = self.play(*[(200, {"ETag": '"43"'}, b"OK")] * 2, (412, PROBLEM, b'{"title":"No"}'))
        self.pontoon("put", "k", "v", "--ttl", "1500ms", "--lease", "7f", "--if-match", "42",
                     "--prev", "a b", "--fence", "tf:7", "--content-type", "a/b", nodes=[node])
        self.pontoon("put", "k", "v", "--if-none-match", "*", "--keep-ttl", nodes=[node])
        out, errors = self.pontoon("del", "k", "--if-match", "*", nodes=[node], status=PRECONDITION)
        self.assertIn("No", errors)
        first, second, third = node.asked
        self.assertEqual((first["method"], first["path"], first["body"]), ("PUT", "/kv/k", b"v"))
        wanted = {"ttl": "1500ms", "lease": "7f", "prev": "a b"}
        self.assertEqual({name: first["query"][name] for name in wanted}, wanted)
        wanted = {"If-Match": '"42"', "KV-Fence": "tf:7", "Content-Type": "a/b"}
        self.assertEqual({name: first["headers"][name] for name in wanted}, wanted)
        self.assertEqual(second["headers"]["If-None-Match"], "*")
        self.assertEqual(second["query"]["keepttl"], "")
        self.assertEqual(third["headers"]["If-Match"], "*")

    def test_changes_of_a_value(self):
        node = self.play((200, {}, b"11"), (200, {}, b"5"), (200, {}, b"OK"),
                         (200, {"ETag": '"9"'}, b"12"))
        self.assertEqual(self.pontoon("incr", "n", "-1", nodes=[node])[0], "11\n")
        self.assertEqual(self.pontoon("append", "n", "-", data=b"\0\n", nodes=[node])[0], "5\n")
        self.assertEqual(self.pontoon("touch", "n", "--ttl", "1m", nodes=[node])[0], "")
        told = json.loads(self.pontoon("incr", "n", "-o", "json", nodes=[node])[0])
        self.assertEqual(told, {"key": "n", "etag": "9", "result": "12"})
        incr, append, touch, _ = node.asked
        self.assertEqual((incr["query"]["op"], incr["query"]["by"]), ("incr", "-1"))
        self.assertEqual((append["query"]["op"], append["body"]), ("append", b"\0\n"))
        self.assertEqual((touch["method"], touch["query"]["touch"], touch["query"]["ttl"]),
                         ("POST", "", "1m"))

    def test_a_prefix_is_removed(self):
        gone = (200, JSON, b'{"deleted":12,"revision":43}')
        node = self.play(gone, (200, JSON, b'{"dry_run":true,"would_delete":11}'), gone)
        self.assertEqual(self.pontoon("del", "--prefix", "a/", nodes=[node])[0], "12\n")
        self.assertEqual(self.pontoon("del", "-p", "a/", "--dry-run", nodes=[node])[0], "11\n")
        out = self.pontoon("del", "--prefix", "", "--all", "-o", "json", nodes=[node])[0]
        self.assertEqual(json.loads(out), {"deleted": 12, "revision": 43})
        queries = [{name: value for name, value in asked["query"].items() if name != "timeout"}
                   for asked in node.asked]
        self.assertEqual(queries, [{"prefix": "a/"}, {"prefix": "a/", "dry-run": "1"},
                                   {"prefix": "", "all": "yes"}])

    def test_keys_come_page_by_page(self):
        pages = [(200, JSON, json.dumps(page).encode()) for page in (
            {"keys": [{"key": "a", "etag": "41", "size": 3}], "prefixes": ["b/"],
             "next": "/kv?prefix=&cursor=x%2Fy"},
            {"keys": [{"key_base64": "Yf8=", "etag": "40", "size": 2}, {"key": "c\n"}]})]
        node = self.play(*pages * 4, (200, {"KV-Count": "7"}, b""))
        self.assertEqual(self.pontoon("ls", nodes=[node])[0], "a\nb/\na\\xff\nc\\n\n")
        self.assertEqual(node.asked[0]["query"]["values"], "0")
        self.assertEqual(node.asked[1]["query"]["cursor"], "x/y")
        lines = self.pontoon("ls", "--long", nodes=[node])[0].splitlines()
        self.assertEqual(lines[0].split(), ["41", "3", "a"])
        self.assertEqual(lines[1].split(), ["-", "-", "b/"])
        done = subprocess.run(harness.command("ls", "-0", "-e", node.address), timeout=60,
                              capture_output=True, env=harness.environment())
        self.assertEqual(done.stdout, b"a\0b/\0a\xff\0c\n\0")
        rows = self.pontoon("ls", "-o", "json", nodes=[node])[0].splitlines()
        self.assertEqual(json.loads(rows[1]), {"prefix": "b/"})
        self.assertEqual(json.loads(rows[2])["key_base64"], "Yf8=")
        self.assertEqual(self.pontoon("ls", "x/", "--count", nodes=[node])[0], "7\n")
        self.assertEqual((node.asked[-1]["method"], node.asked[-1]["query"]["prefix"]),
                         ("HEAD", "x/"))

    def test_a_transaction_goes_as_it_is(self):
        body = b'{"then":[{"put":"a","value":"1"}]}'
        node = self.play((200, JSON, b'{"succeeded":true}'),
                         (412, PROBLEM, b'{"title":"Precondition failed","detail":"clause 1"}'))
        self.assertEqual(self.pontoon("txn", "-", data=body, nodes=[node])[0],
                         '{"succeeded":true}\n')
        self.assertEqual((node.asked[0]["path"], node.asked[0]["body"]), ("/txn", body))
        errors = self.pontoon("txn", "-", data=body, nodes=[node], status=PRECONDITION)[1]
        self.assertIn("clause 1", errors)

    def test_a_watch_goes_on_where_it_was_cut(self):
        """In the middle of a transaction: what was told of it is not told again."""
        one, two, three = ({"key": key, "value": value, "revision": revision} for key, value,
                           revision in (("a", "1", 43), ("b", "x\ny", 43), ("c", "3", 44)))
        first = self.play((200, STREAM, b"retry: 10\n\n" + event("put", one)))
        second = self.play((503, {}, b""), (200, STREAM, b"".join([
            event("put", one), event("put", two, 43), b": hello\n\n", event("progress", {}, 43),
            event("delete", {"key": "c", "revision": 44}, 44), event("put", three, 45)])))
        out, errors = self.pontoon("watch", "k", "--prefix", "--limit", "4",
                                   nodes=[first, second])
        self.assertEqual(out, "put 43 a 1\nput 43 b x\\ny\ndelete 44 c\nput 44 c 3\n")
        self.assertIn("going on elsewhere", errors)
        self.assertEqual(first.asked[0]["query"], {"prefix": "k"})
        self.assertNotIn("Last-Event-ID", first.asked[0]["headers"])
        # No event had an id: it goes on behind the revision at which it began.
        self.assertEqual(second.asked[-1]["headers"]["Last-Event-ID"], "40")

    def test_a_watch_tells_what_it_was_asked_for(self):
        stream = event("put", {"key": "k", "value": "v", "revision": 4}, 4) + event("synced", {}, 4)
        stream += event("reset", {}) + event("expire", {"key_base64": "/w==", "revision": 5}, 5)
        node = self.play(*[(200, STREAM, stream)] * 2, (410, PROBLEM, b'{"title":"Compacted"}'),
                         (200, STREAM, stream))
        out = self.pontoon("watch", "k", "--initial", "--limit", "2", "--events", "put,expire",
                           "--old-value", nodes=[node])[0]
        self.assertEqual(out, "put 4 k v\nsynced 4\nreset -\nexpire 5 \\xff\n")
        self.assertEqual(node.asked[0]["path"], "/watch/k")
        self.assertEqual(node.asked[0]["query"],
                         {"initial": "1", "prev": "1", "events": "put,expire"})
        out = self.pontoon("watch", "k", "--since", "3", "-n", "1", "-o", "json", nodes=[node])[0]
        self.assertEqual(json.loads(out), {"event": "put", "key": "k", "value": "v", "revision": 4})
        self.assertEqual(node.asked[1]["query"]["since"], "3")
        self.assertIn("Compacted", self.pontoon("watch", "k", "--since", "1", nodes=[node],
                                                status=1)[1])
        script = 'echo "$PONTOON_EVENT,$PONTOON_REVISION,$PONTOON_KEY,$PONTOON_VALUE,$(cat)"'
        out = self.pontoon("watch", "k", "-n", "1", "--", "sh", "-c", script + "; exit 3",
                           nodes=[node])
        self.assertEqual(out[0], "put,4,k,v,v\n")
        self.assertIn("ended with status 3", out[1])

    def test_a_watch_that_never_began_ends(self):
        node = self.play()
        self.pontoon("watch", "k", nodes=[node], status=UNAVAILABLE)

    def test_a_lock_ends_with_its_input(self):
        fields = {**JSON, "KV-Fence": "n:57"}
        node = self.play((200, fields, b'{"token":57,"lease":"7f"}'), (200, {}, b"OK"))
        self.assertEqual(self.pontoon("lock", "n", nodes=[node])[0], "57\n")
        self.assertEqual([asked["method"] for asked in node.asked], ["POST", "DELETE"])
        self.assertEqual(node.asked[1]["headers"]["KV-Fence"], "n:57")
        self.assertTrue(node.asked[0]["body"].startswith(os.uname().nodename.encode()))

    def start(self, *words, node, stdin=subprocess.PIPE):
        process = subprocess.Popen(harness.command(*words, "-e", node.address), stdin=stdin,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=harness.environment())
        self.addCleanup(process.kill)
        return process

    def test_signals_reach_the_program(self):
        fields = {**JSON, "KV-Fence": "n:57"}
        node = self.play((200, fields, b'{"token":57}'), (200, {}, b"OK"))
        script = ("trap 'echo usr' USR1; trap 'echo term; exit 5' TERM; echo up; "
                  "while :; do sleep 0.02; done")
        env = {**harness.environment(), "PONTOON_ENDPOINTS": node.address}
        process = subprocess.Popen(
            [str(harness.PROGRAM), "lock", "n", "--", "sh", "-c", script], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), b"up\n")
        process.send_signal(signal.SIGUSR1)
        self.assertEqual(process.stdout.readline(), b"usr\n")
        process.send_signal(signal.SIGTERM)
        out, errors = process.communicate(timeout=30)
        self.assertEqual((process.returncode, out), (5, b"term\n"), errors)
        self.assertEqual(node.asked[-1]["method"], "DELETE")

    def test_a_lock_that_is_held_by_a_terminal_ends_by_its_interrupt(self):
        node = self.play((200, {**JSON, "KV-Fence": "n:57"}, b'{"token":57}'), (200, {}, b"OK"))
        process = self.start("lock", "n", node=node)
        self.assertEqual(process.stdout.readline(), b"57\n")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(30), 0)
        self.assertEqual(node.asked[1]["headers"]["KV-Fence"], "n:57")
        process.communicate()

    def test_a_program_of_a_lock_ends_with_us(self):
        node = self.play((200, {**JSON, "KV-Fence": "n:57"}, b'{"token":57}'))
        process = subprocess.Popen(
            [str(harness.PROGRAM), "lock", "n", "-e", node.address, "--", "sh", "-c",
             "echo $$; exec sleep 1000"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env=harness.environment())
        number = int(process.stdout.readline())
        process.kill()
        process.wait()
        self.assertEqual(process.stdout.read(), b"")  # the program had the other end
        wait_until(lambda: not os.path.exists(f"/proc/{number}"), 30, "the program ends")
        process.communicate()

    def test_who_is_elected(self):
        node = self.play((200, {}, b"ada"), (404, PROBLEM, b'{"title":"Not found"}'))
        self.assertEqual(self.pontoon("elect", "n", "--who", nodes=[node])[0], "ada\n")
        self.pontoon("elect", "n", "--who", nodes=[node], status=NOT_FOUND)
        self.assertEqual(node.asked[0]["path"], "/elections/n")

    def test_leases(self):
        node = self.play((201, JSON, b'{"id":"7f","ttl":10.0}'), (200, JSON, b'{"ttl":10.0}'),
                         (200, JSON, b'{"leases":[{"id":"7f","ttl":10.0,"remaining":9.5}],'
                          b'"next":"/leases?after=7f"}'),
                         (200, JSON, b'{"leases":[{"id":"80","ttl":2.0,"remaining":1.0}]}'),
                         (200, JSON, b'{"id":"7f","ttl":10.0,"remaining":9.5,'
                          b'"keys":[{"key":"a"},{"key_base64":"/w=="}]}'),
                         (200, {}, b"OK"), (404, PROBLEM, b'{"title":"Lease not found"}'))
        self.assertEqual(self.pontoon("lease", "grant", "10s", nodes=[node])[0], "7f\n")
        self.assertEqual(self.pontoon("lease", "keep", "7f", "--once", nodes=[node])[0], "10.0\n")
        self.assertEqual(self.pontoon("lease", "list", nodes=[node])[0],
                         "7f 9.5 10.0\n80 1.0 2.0\n")
        self.assertEqual(self.pontoon("lease", "show", "7f", nodes=[node])[0],
                         "7f 9.5 10.0\na\n\\xff\n")
        self.assertEqual(self.pontoon("lease", "revoke", "7f", nodes=[node])[0], "")
        self.pontoon("lease", "keep", "7f", nodes=[node], status=NOT_FOUND)
        self.assertEqual([(asked["method"], asked["path"]) for asked in node.asked],
                         [("POST", "/leases"), ("POST", "/leases/7f/keepalive"),
                          ("GET", "/leases"), ("GET", "/leases"), ("GET", "/leases/7f"),
                          ("DELETE", "/leases/7f"),
                          ("POST", "/leases/7f/keepalive")])
        self.assertEqual(node.asked[0]["query"]["ttl"], "10s")
        for words in (("grant",), ("grant", "10"), ("list", "7f"), ("steal", "7f"),
                      ("list", "--once")):
            self.pontoon("lease", *words, nodes=[node], status=USAGE)

    def test_parts_of_a_value(self):
        node = self.play((206, {"Content-Range": "bytes 0-1/9"}, b"ab"), (200, {}, b"whole"))
        self.assertEqual(self.pontoon("get", "k", "--range", "0-1", "--min-revision", "7",
                                      "--max-staleness", "2s", "--at", "9", nodes=[node])[0], "ab")
        asked = node.asked[0]
        self.assertEqual(asked["headers"]["Range"], "bytes=0-1")
        wanted = {"min-revision": "7", "max-staleness": "2s", "at": "9"}
        self.assertEqual({name: asked["query"][name] for name in wanted}, wanted)
        self.assertIn("whole value", self.pontoon("get", "k", "--range", "0-1", nodes=[node],
                                                  status=1)[1])


if __name__ == "__main__":
    harness.main()
