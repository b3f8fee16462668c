#!/usr/bin/env python3
"""HTTP at its edges: framing in doubt, slow clients, pipelines, HTTP/1.0, and ab under pressure."""

import fcntl
import os
import re
import shutil
import socket
import subprocess
import threading
import time

import harness

HOST = b"Host: localhost\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


def put(fields=b"", body=b"", version=b"HTTP/1.1", target=b"/kv/victim"):
    """A PUT of the key that no refused message may write."""
    return b"PUT " + target + b" " + version + b"\r\n" + HOST + fields + b"\r\n" + body


def get(fields=b"", target=b"/kv/x", version=b"HTTP/1.1", host=HOST):
    return b"GET " + target + b" " + version + b"\r\n" + host + fields + b"\r\n"


# Whoever takes this for a request writes the canary.
CANARY = b"PUT /kv/canary HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\n\r\nhi"

# Each is followed by CANARY on its connection: (what, status, bytes).
CORPUS = [
    # -- two lengths
    ("CL and TE", 400, put(b"Content-Length: 4\r\n" + CHUNKED, b"0\r\n\r\n")),
    ("TE and CL", 400, put(CHUNKED + b"Content-Length: 4\r\n", b"0\r\n\r\n")),
    ("CL and TE, hidden request", 400,
     put(b"Content-Length: %d\r\n" % (5 + len(CANARY)) + CHUNKED, b"0\r\n\r\n" + CANARY)),
    ("CL.0 and TE", 400, put(b"Content-Length: 0\r\n" + CHUNKED, b"5\r\nhello\r\n0\r\n\r\n")),
    ("two CL that differ", 400, put(b"Content-Length: 0\r\nContent-Length: 5\r\n", b"hello")),
    ("two CL that agree", 400, put(b"Content-Length: 5\r\nContent-Length: 5\r\n", b"hello")),
    ("CL list", 400, put(b"Content-Length: 5, 5\r\n", b"hello")),
    ("two TE", 400, put(CHUNKED + CHUNKED, b"0\r\n\r\n")),
    # -- lengths that are none
    ("CL negative", 400, put(b"Content-Length: -1\r\n")),
    ("CL with plus", 400, put(b"Content-Length: +5\r\n", b"hello")),
    ("CL hexadecimal", 400, put(b"Content-Length: 0x5\r\n", b"hello")),
    ("CL with a space", 400, put(b"Content-Length: 1 0\r\n", b"hello")),
    ("CL empty", 400, put(b"Content-Length: \r\n")),
    ("CL with letters", 400, put(b"Content-Length: 5a\r\n", b"hello")),
    ("CL above 64 bits", 400, put(b"Content-Length: 18446744073709551621\r\n", b"hello")),
    ("CL far above 64 bits", 400, put(b"Content-Length: " + b"9" * 60 + b"\r\n", b"hello")),
    ("CL above the limit", 413, put(b"Content-Length: 9000000000000000000\r\n", b"hello")),
    ("CL float", 400, put(b"Content-Length: 5.0\r\n", b"hello")),
    # -- codings
    ("TE unknown", 400, put(b"Transfer-Encoding: gzip\r\n")),
    ("TE chunked, gzip", 400, put(b"Transfer-Encoding: chunked, gzip\r\n", b"0\r\n\r\n")),
    ("TE gzip, chunked", 501, put(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n")),
    ("TE identity", 400, put(b"Transfer-Encoding: identity\r\n")),
    ("TE xchunked", 400, put(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n")),
    ("TE quoted", 400, put(b'Transfer-Encoding: "chunked"\r\n', b"0\r\n\r\n")),
    ("TE with vertical tab", 400, put(b"Transfer-Encoding: \x0bchunked\r\n", b"0\r\n\r\n")),
    ("TE empty", (400, 501), put(b"Transfer-Encoding:\r\n")),
    ("TE in HTTP/1.0", 400, put(CHUNKED, b"0\r\n\r\n", version=b"HTTP/1.0")),
    ("TE name with a space", 400, put(b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n")),
    ("CL name with a space", 400, put(b"Content-Length : 5\r\n", b"hello")),
    ("CL name with a tab", 400, put(b"Content-Length\t: 5\r\n", b"hello")),
    ("CL name with NUL", 400, put(b"Content-Length\0: 5\r\n", b"hello")),
    # -- line ends
    ("bare LF after the request line", 400,
     b"PUT /kv/victim HTTP/1.1\n" + HOST + b"Content-Length: 0\r\n\r\n"),
    ("bare LF after a field", 400,
     b"PUT /kv/victim HTTP/1.1\r\nHost: localhost\nContent-Length: 0\r\n\r\n"),
    ("bare LF everywhere", 400, b"PUT /kv/victim HTTP/1.1\nHost: localhost\n\n"),
    ("bare LF ends the header", 400, b"PUT /kv/victim HTTP/1.1\r\n" + HOST + b"\n"),
    ("bare CR in a field", 400, put(b"X: a\rContent-Length: 5\r\n", b"hello")),
    ("bare CR as line end", 400,
     b"PUT /kv/victim HTTP/1.1\rHost: localhost\rContent-Length: 0\r\r"
     + b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"),
    ("CR CR LF", 400, b"PUT /kv/victim HTTP/1.1\r\r\n" + HOST + b"\r\r\n"),
    ("LF first", 400, b"\n" + put(b"Content-Length: 0\r\n")),
    ("two empty lines first", 400, b"\r\n\r\n" + put(b"Content-Length: 0\r\n")),
    # -- folded and malformed fields
    ("folded with a space", 400, put(b"X: a\r\n b\r\nContent-Length: 0\r\n")),
    ("folded with a tab", 400, put(b"X: a\r\n\tb\r\nContent-Length: 0\r\n")),
    ("folded TE", 400, put(b"Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n")),
    ("first field folded", 400, b"PUT /kv/victim HTTP/1.1\r\n " + HOST + b"\r\n"),
    ("field without colon", 400, put(b"Nonsense\r\n")),
    ("field without name", 400, put(b": nameless\r\n")),
    ("field with NUL", 400, put(b"X: a\0b\r\n")),
    ("field with DEL", 400, put(b"X: a\x7fb\r\n")),
    ("field name with a high byte", 400, put(b"X\xe9: a\r\n")),
    ("field name with brackets", 400, put(b"X(y): a\r\n")),
    # -- Host
    ("no Host", 400, b"GET /kv/x HTTP/1.1\r\n\r\n"),
    ("two Hosts", 400, get(HOST)),
    ("Host with a space", 400, get(host=b"Host: local host\r\n")),
    ("Host with a path", 400, get(host=b"Host: localhost/kv\r\n")),
    ("Host with a user", 400, get(host=b"Host: me@localhost\r\n")),
    # -- request lines
    ("HTTP/0.9", (400, 505), b"GET /kv/x\r\n"),
    ("HTTP/0.9 bare", 400, b"GET /kv/x\n"),
    ("HTTP/2.0", 505, get(version=b"HTTP/2.0")),
    ("HTTP/1.2", 505, get(version=b"HTTP/1.2")),
    ("HTTP/3.1", 505, get(version=b"HTTP/3.1")),
    ("the preface of HTTP/2", 505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ("version in lower case", 400, get(version=b"http/1.1")),
    ("version with more digits", 400, get(version=b"HTTP/1.10")),
    ("version with a comma", 400, get(version=b"HTTP/1,1")),
    ("version of another protocol", 400, get(version=b"ICY/1.1")),
    ("two spaces", 400, b"GET  /kv/x HTTP/1.1\r\n" + HOST + b"\r\n"),
    ("a tab between", 400, b"GET\t/kv/x HTTP/1.1\r\n" + HOST + b"\r\n"),
    ("a space first", 400, b" GET /kv/x HTTP/1.1\r\n" + HOST + b"\r\n"),
    ("a space at the end", 400, b"GET /kv/x HTTP/1.1 \r\n" + HOST + b"\r\n"),
    ("a space in the target", 400, get(target=b"/kv/a b")),
    ("a fragment in the target", 400, get(target=b"/kv/a#b")),
    ("NUL in the target", 400, get(target=b"/kv/a\0b")),
    ("a high byte in the target", 400, get(target=b"/kv/\xff")),
    ("a target that is no path", 400, get(target=b"kv/x")),
    ("an absolute target of another scheme", 400, get(target=b"ftp://localhost/kv/x")),
    ("asterisk with GET", 400, get(target=b"*")),
    ("NUL first", 400, b"\0" + get()),
    ("TLS", 400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40)),
    ("CONNECT", 501, b"CONNECT localhost:80 HTTP/1.1\r\n" + HOST + b"\r\n"),
    ("a method in lower case", (400, 501), b"get /kv/x HTTP/1.1\r\n" + HOST + b"\r\n"),
    ("a method with a slash", 400, b"G/T /kv/x HTTP/1.1\r\n" + HOST + b"\r\n"),
    # -- chunks
    ("a chunk size that is none", 400, put(CHUNKED, b"zz\r\nhello\r\n0\r\n\r\n")),
    ("a chunk size with a sign", 400, put(CHUNKED, b"-5\r\nhello\r\n0\r\n\r\n")),
    ("a chunk size with a plus", 400, put(CHUNKED, b"+5\r\nhello\r\n0\r\n\r\n")),
    ("a chunk size with 0x", 400, put(CHUNKED, b"0x5\r\nhello\r\n0\r\n\r\n")),
    ("an empty chunk size", 400, put(CHUNKED, b"\r\nhello\r\n0\r\n\r\n")),
    ("a space before a chunk size", 400, put(CHUNKED, b" 5\r\nhello\r\n0\r\n\r\n")),
    ("a space after a chunk size", 400, put(CHUNKED, b"5 \r\nhello\r\n0\r\n\r\n")),
    ("a chunk size above 64 bits", 400, put(CHUNKED, b"10000000000000005\r\nhello\r\n0\r\n\r\n")),
    ("a chunk size of 64 bits", 413,
     put(CHUNKED, b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n")),
    ("a chunk longer than its size", 400, put(CHUNKED, b"4\r\nhello\r\n0\r\n\r\n")),
    ("a chunk shorter than its size", 400, put(CHUNKED, b"6\r\nhello\r\n0\r\n\r\n")),
    ("bare LF after a chunk size", 400, put(CHUNKED, b"5\nhello\r\n0\r\n\r\n")),
    ("bare LF after a chunk", 400, put(CHUNKED, b"5\r\nhello\n0\r\n\r\n")),
    ("bare LF after the last chunk", 400, put(CHUNKED, b"5\r\nhello\r\n0\n\n")),
    ("bare LF in an extension", 400, put(CHUNKED, b"5;a\nb\r\nhello\r\n0\r\n\r\n")),
    ("a bare CR in an extension", 400, put(CHUNKED, b"5;a\rb\r\nhello\r\n0\r\n\r\n")),
    ("a chunk line without end", 400, put(CHUNKED, b"5;" + b"a" * 5000 + b"\r\nhello\r\n")),
    ("a folded trailer", 400, put(CHUNKED, b"5\r\nhello\r\n0\r\nX: a\r\n b\r\n\r\n")),
    ("a trailer without colon", 400, put(CHUNKED, b"5\r\nhello\r\n0\r\nNonsense\r\n\r\n")),
    ("trailers without end", (400, 431),
     put(CHUNKED, b"0\r\n" + b"X: a\r\n" * 2000 + b"\r\n")),
    # -- sizes
    ("a huge field", 431, get(b"X: " + b"a" * 70000 + b"\r\n")),
    ("a huge field name", 431, get(b"X" * 70000 + b": a\r\n")),
    ("very many fields", 431, get(b"X: a\r\n" * 4000)),
    ("more fields than are kept", 431, get(b"X: a\r\n" * 200)),
    ("a huge target", 414, get(target=b"/kv/" + b"a" * 70000)),
    ("a target above the limit", 414, get(target=b"/stats?" + b"a" * 9000)),
    ("a huge method", (400, 414, 501), b"A" * 70000 + b" / HTTP/1.1\r\n" + HOST + b"\r\n"),
    # -- expectations
    ("an expectation that we do not know", 417,
     put(b"Expect: 200-maybe\r\nContent-Length: 5\r\n", b"hello")),
]


class Smuggling(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.node = cls.class_cluster()[0]

    def exchange(self, pieces):
        """Sends the pieces one by one and returns all that comes back; the other side closes."""
        with self.node.connect() as connection:
            try:
                for piece in pieces:
                    connection.send(piece)
            except (BrokenPipeError, ConnectionResetError):
                pass  # it has read enough; its answer comes first
            return connection.receive_end()

    def check(self, what, expected, pieces):
        answer = self.exchange(pieces)
        statuses = [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]
        expected = expected if isinstance(expected, tuple) else (expected,)
        self.assertEqual(len(statuses), 1, f"{what}: one answer, and the end: {answer[:500]!r}")
        self.assertIn(statuses[0], expected, f"{what}: {answer[:500]!r}")
        head, _, body = answer.partition(b"\r\n\r\n")
        self.assertIn(b"\r\nConnection: close", head, what)
        self.assertIn(b"\r\nContent-Length: %d" % len(body), head, what)
        self.assertIn(b"application/problem+json", head, what)
        for key in ("canary", "victim"):
            self.assertEqual(self.node.get(f"/kv/{key}").status, 404, f"{what} wrote {key}")

    def test_framing_in_doubt_ends_the_connection_and_is_never_a_second_request(self):
        for what, expected, message in CORPUS:
            with self.subTest(what):
                self.check(what, expected, [message + CANARY])

    def test_so_it_is_however_the_bytes_are_cut(self):
        random = harness.rng("cuts")
        for what, expected, message in CORPUS:
            whole = message + CANARY
            cuts = sorted(random.randrange(1, min(len(whole), 400)) for _ in range(3))
            pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)])]
            with self.subTest(what, cuts=cuts):
                self.check(what, expected, pieces)

    def test_the_canary_sings_after_messages_that_are_whole(self):
        """The corpus proves nothing unless this, sent the same way, is two requests."""
        for body in (put(b"Content-Length: 5\r\n", b"hello", target=b"/kv/whole"),
                     put(CHUNKED, b"5;a=b\r\nhello\r\n0\r\nX: a\r\n\r\n", target=b"/kv/whole"),
                     b"\r\n" + put(b"Content-Length: 5\r\n", b"hello", target=b"/kv/whole")):
            with self.node.connect() as connection:
                connection.send(body + CANARY.replace(b"canary", b"sung"))
                self.assertIn(connection.receive("PUT").status, (200, 201))
                self.assertIn(connection.receive("PUT").status, (200, 201))
            self.assertEqual(self.node.get("/kv/whole").body, b"hello")
            self.assertEqual(self.node.get("/kv/sung").body, b"hi")

    def test_a_message_that_ends_early_is_no_request(self):
        for message in (b"PUT /kv/victim HTTP/1.1\r\n" + HOST, put(b"Content-Length: 5\r\n", b"he"),
                        put(CHUNKED, b"5\r\nhello\r\n"), put(CHUNKED, b"5\r\nhello\r\n0\r\n")):
            with self.node.connect() as connection:
                connection.send(message)
                connection.socket.shutdown(socket.SHUT_WR)
                self.assertRegex(connection.receive_end()[:12], rb"^$|^HTTP/1.1 400")
            self.assertEqual(self.node.get("/kv/victim").status, 404)


class Slow(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.node = cls.class_cluster()[0]

    def drip(self, begin, piece, found):
        """Sends `piece` over and over, too slowly, until the other side has had enough."""
        began = time.monotonic()
        with self.node.connect(seconds=0.4) as connection:
            connection.send(begin)
            while time.monotonic() - began < 30:
                try:
                    connection.more()
                except TimeoutError:
                    try:
                        connection.send(piece)
                    except OSError:
                        pass  # the answer is on its way, or was read
                except (harness.Closed, ConnectionResetError):
                    break
            found.append((connection.held, time.monotonic() - began))

    def test_slow_clients_get_408_and_cost_others_nothing(self):
        cases = {
            "header": (b"PUT /kv/slow HTTP/1.1\r\n" + HOST, b"X: a\r\n"),
            "request line": (b"PUT /kv/sl", b"o"),
            "body": (put(b"Content-Length: 1000000\r\n", target=b"/kv/slow"), b"a"),
            "chunks": (put(CHUNKED, target=b"/kv/slow"), b"1\r\na\r\n"),
            "silent body": (put(b"Content-Length: 10\r\n", target=b"/kv/slow"), b""),
        }
        results = {name: [] for name in cases}
        threads = [threading.Thread(target=self.drip, args=(*case, results[name]))
                   for name, case in cases.items()]
        for thread in threads:
            thread.start()
        slowest = 0
        while any(thread.is_alive() for thread in threads):
            began = time.monotonic()
            self.assertIn(self.node.put("/kv/quick", b"x").status, (200, 201))
            slowest = max(slowest, time.monotonic() - began)
        for thread in threads:
            thread.join()
        for name, found in results.items():
            with self.subTest(name):
                (answer, seconds), = found
                self.assertTrue(answer.startswith(b"HTTP/1.1 408 "), answer[:200])
                self.assertIn(b"\r\nConnection: close", answer)
                self.assertEqual(answer.count(b"HTTP/1.1 "), 1)
                self.assertLess(seconds, 12)
        self.assertLess(slowest, 3)
        self.assertEqual(self.node.get("/kv/slow").status, 404)


class Connections(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.node = cls.class_cluster()[0]

    def test_sixteen_pipelined_requests_are_answered_in_order(self):
        self.node.put("/kv/big", bytes(range(256)) * 4096)
        requests, expected = [], []
        for number in range(16):
            kind = number % 4
            if kind == 0:
                requests.append(harness.encode("GET", "/kv/big"))
                expected.append((200, bytes(range(256)) * 4096))
            elif kind == 1:
                requests.append(harness.encode("PUT", f"/kv/pipelined-{number}", b"x"))
                expected.append((201, b"OK"))
            elif kind == 2:
                requests.append(harness.encode("GET", "/livez"))
                expected.append((200, b"ok\n"))
            else:
                requests.append(harness.encode("GET", f"/kv/%zz?number={number}"))
                expected.append((400, None))
        marks = [f"request-{number}" for number in range(16)]
        requests = [request.replace(b"\r\n", f"\r\nX-Request-Id: {mark}\r\n".encode(), 1)
                    for request, mark in zip(requests, marks)]
        with self.node.connect() as connection:
            connection.send(b"".join(requests))
            answers = [connection.receive() for _ in range(16)]
            self.assertEqual(connection.held, b"")
        self.assertEqual([answer.headers["kv-request-id"] for answer in answers], marks)
        for (status, body), answer in zip(expected, answers):
            self.assertEqual(answer.status, status)
            if body is not None:
                self.assertTrue(answer.body == body)

    def test_sixteen_pipelined_writes_happen_in_order_and_as_few_batches(self):
        syncs = self.node.stats()["wal"]["syncs"]
        with self.node.connect() as connection:
            connection.send(b"".join(harness.encode("PUT", "/kv/ordered", b"%d" % number)
                                     for number in range(16)))
            versions = [int(connection.receive("PUT").headers["kv-version"]) for _ in range(16)]
        self.assertEqual(versions, list(range(1, 17)))
        self.assertEqual(self.node.get("/kv/ordered").body, b"15")
        self.assertLess(self.node.stats()["wal"]["syncs"] - syncs, 16)

    def test_a_close_after_some_requests_answers_those_and_no_more(self):
        with self.node.connect() as connection:
            connection.send(harness.encode("GET", "/livez")
                            + harness.encode("GET", "/livez", headers=[("Connection", "close")])
                            + harness.encode("PUT", "/kv/after-close", b"x"))
            self.assertEqual(connection.receive().status, 200)
            self.assertEqual(connection.receive().headers["connection"], "close")
            self.assertEqual(connection.receive_end(), b"")
        self.assertEqual(self.node.get("/kv/after-close").status, 404)

    def test_http_1_0_closes_unless_asked_to_stay(self):
        with self.node.connect() as connection:
            connection.send(b"GET /livez HTTP/1.0\r\n\r\n")
            self.assertEqual(connection.receive().body, b"ok\n")
            self.assertEqual(connection.receive_end(), b"")
        with self.node.connect() as connection:
            for _ in range(3):
                connection.send(b"GET /livez HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
                answer = connection.receive()
                self.assertEqual((answer.body, answer.headers["connection"].lower()),
                                 (b"ok\n", "keep-alive"))
        status, body, _ = harness.curl("--fail", "-sS", "--http1.0", "-d", "old",
                                       f"{self.node.url}/kv/http-1-0")
        self.assertEqual((status, body), (0, b"OK"))
        self.assertEqual(self.node.get("/kv/http-1-0").body, b"old")

    def test_a_reader_that_does_not_read_stops_nobody(self):
        self.node.put("/kv/wide", bytes(1 << 20))
        with self.node.connect() as connection:
            connection.send(harness.encode("GET", "/kv/wide") * 60)
            for _ in range(100):
                self.assertEqual(self.node.get("/livez", seconds=5).status, 200)
            for _ in range(60):
                self.assertEqual(len(connection.receive().body), 1 << 20)

    def test_connections_beyond_the_limit_are_refused_and_the_others_stay(self):
        node = self.cluster(max_connections=8)[0]
        held = [node.connect() for _ in range(8)]
        for connection in held:
            self.assertEqual(connection.request("GET", "/livez").status, 200)
        with node.connect() as connection:
            self.assertRegex(connection.receive_end()[:12], b"^HTTP/1.1 503$")
        for connection in held:
            self.assertEqual(connection.request("GET", "/livez").status, 200)
            connection.close()
        harness.wait_until(node.is_ready, 10, "there is room again")


class Load(harness.TestCase):
    REQUESTS = harness.pick(10_000, 100_000)

    def ab(self, node, *arguments):
        """Runs ab and returns its figures."""
        words = ["ab", "-q", "-k", "-n", self.REQUESTS, "-c", 100, *arguments,
                 f"http://127.0.0.1:{node.port}/kv/ab"]
        done = subprocess.run([str(word) for word in words], capture_output=True, text=True,
                              timeout=600)
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        return dict(re.findall(r"^([A-Z][\w /-]+): +([\d.]+)", done.stdout, re.MULTILINE))

    def check(self, found, what):
        harness.say(f"ab {what}: {found['Requests per second']} requests/s")
        self.assertEqual(int(found["Complete requests"]), self.REQUESTS, found)
        self.assertEqual(int(found["Failed requests"]), 0, found)
        self.assertNotIn("Non-2xx responses", found)
        self.assertGreater(int(found["Keep-Alive requests"]), self.REQUESTS * 0.9, found)

    def test_ab_sees_no_failure_while_nobody_reads_standard_error(self):
        if shutil.which("ab") is None:
            self.fail("ab is not there: scripts/setup.sh test installs it (apache2-utils)")
        cluster = self.cluster(start=False, access_log="true", log_level="debug")
        node = cluster[0]
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
        node.start(stderr=writer)
        os.close(writer)
        node.wait_ready()
        body = cluster.directory / "body"
        body.write_bytes(b"bar")
        self.check(self.ab(node, "-p", body, "-T", "application/x-www-form-urlencoded"), "POST")
        self.check(self.ab(node), "GET")
        self.assertEqual(node.get("/kv/ab").headers["kv-version"], str(self.REQUESTS))
        self.assertGreater(node.metric("pontoon_log_lines_dropped_total"), self.REQUESTS,
                           "standard error was never full")


if __name__ == "__main__":
    harness.main()
