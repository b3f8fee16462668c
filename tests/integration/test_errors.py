#!/usr/bin/env python3
"""Errors as they are told: each status with its document, as text, as a page, and explained.

Every row of CASES, and every error that needs a cluster in some state, is held against the OpenAPI
document of the node (contract.py), against what docs/api.md (section 11) promises of all, and
against the page that its type points to.
"""

import re

import harness
from contract import Contract

VALUE_BYTES_MAX = 100_000
QUOTA_BYTES = 1 << 20

RETRY_LATER = {"conflict", "idempotency-in-progress", "locked", "too-many-requests", "no-leader",
               "draining", "overloaded", "diverged", "mending"}


class Case:
    """A request and what it is refused with: `members` of the document, None is any value.

    is_early: it is refused while its header is read, so that nothing in that counts yet: it might
    have been a write, and would rather have text.
    """

    def __init__(self, slug, status, method, target, body=None, headers=(), is_early=False,
                 **members):
        self.slug, self.status, self.is_early = slug, status, is_early
        self.method, self.target, self.body, self.headers = method, target, body, headers
        self.members = members

    def __repr__(self):
        return f"{self.status} {self.slug}: {self.method} {self.target[:60]}"

    @property
    def is_write(self):
        return self.method not in ("GET", "HEAD")

    def send(self, node, accept=None):
        headers = [*self.headers, *([("Accept", accept)] if accept else [])]
        with node.connect() as connection:
            connection.send(harness.encode(self.method, self.target, self.body, headers))
            return connection.receive(self.method)


# One node, with /kv/text ("abc") in it, a lock that is held, a short memory and little room.
CASES = [
    Case("bad-request", 400, "GET", "/kv/a?timeout=fast", parameter="timeout"),
    Case("bad-request", 400, "GET", "/kv/a?consistency=strong", parameter="consistency"),
    Case("bad-request", 400, "PUT", "/kv/a?tll=30s", b"x", parameter="tll", did_you_mean="ttl"),
    Case("bad-request", 400, "PUT", "/kv/a?ttl=soon", b"x", parameter="ttl"),
    Case("bad-request", 400, "PUT", "/kv/a?cas=1&cas=2", b"x", parameter="cas"),
    Case("bad-request", 400, "GET", "/kv/%zz"),
    Case("bad-request", 400, "GET", "/kv/a?x=%zz"),
    Case("bad-request", 400, "PUT", "/kv/a", b"x", [("If-Match", "42")]),
    Case("bad-request", 400, "PUT", "/kv/a", b"x", [("Idempotency-Key", "k" * 300)], limit=None),
    Case("bad-request", 400, "POST", "/admin/members", b'{"adr":"x:1"}'),
    Case("bad-request", 400, "POST", "/admin/leader?too=2", did_you_mean="to", parameter="too"),
    Case("bad-request", 400, "POST", "/4x", b"http://127.0.0.1:1"),
    Case("bad-request", 400, "GET", "/readyz?exclude=everything", parameter="exclude"),
    Case("forbidden", 403, "POST", "/kv/a", b"x", [("Sec-Fetch-Site", "cross-site")]),
    Case("forbidden", 403, "POST", "/kv/a", b"x", [("Origin", "http://evil.example")]),
    Case("not-found", 404, "GET", "/kv/nobody"),
    Case("not-found", 404, "GET", "/kv/a%FF", key_base64="Yf8="),
    Case("not-found", 404, "POST", "/kv/nobody?touch&ttl=5s", key="nobody"),
    Case("not-found", 404, "GET", "/problems/sunshine"),
    Case("lease-not-found", 404, "PUT", "/kv/a?lease=7f", b"x", key="a"),
    Case("lease-not-found", 404, "POST", "/leases/7f/keepalive"),
    Case("not-found", 404, "GET", "/locks/nobody"),
    Case("conflict", 409, "POST", "/admin/leader"),
    Case("conflict", 409, "POST", "/1", b"http://127.0.0.1:1"),
    Case("not-a-number", 409, "POST", "/kv/text?op=incr", key="text"),
    Case("compacted", 410, "GET", "/kv?at=1", oldest=None),
    Case("precondition-failed", 412, "PUT", "/kv/text", b"x", [("If-Match", '"999"')],
         key="text", etag=None),
    Case("precondition-failed", 412, "PUT", "/kv/text", b"x", [("If-None-Match", "*")],
         key="text", etag=None),
    Case("precondition-failed", 412, "PUT", "/kv/text?cas=0", b"x", etag=None),
    Case("precondition-failed", 412, "POST", "/kv/text?prev=abd", b"x", etag=None),
    Case("precondition-failed", 412, "DELETE", "/kv/nobody", None, [("If-Match", "*")],
         key="nobody"),
    Case("fence-lost", 412, "PUT", "/kv/a", b"x", [("KV-Fence", "nolock:1")]),
    Case("fence-lost", 412, "PUT", "/locks/held", None, [("KV-Fence", "held:1")]),
    Case("too-large", 413, "PUT", "/kv/a", b"x" * (VALUE_BYTES_MAX + 1),
         limit=VALUE_BYTES_MAX, setting="max-value-bytes", key="a"),
    Case("too-large", 413, "POST", "/admin/members", b" " * 70_000),
    Case("key-too-long", 414, "PUT", "/kv/" + "k" * 481, b"x", limit=480),
    Case("uri-too-long", 414, "GET", "/kv/a?x=" + "x" * 9000, is_early=True),
    Case("unsupported-encoding", 415, "PUT", "/kv/a", b"x", [("Content-Encoding", "compress")]),
    Case("range", 416, "GET", "/kv/text", None, [("Range", "bytes=3-")], key="text"),
    Case("expectation-failed", 417, "PUT", "/kv/a", b"x", [("Expect", "200-maybe")],
         is_early=True),
    Case("idempotency-mismatch", 422, "PUT", "/kv/idempotent", b"other",
         [("Idempotency-Key", "first")]),
    Case("digest-mismatch", 422, "PUT", "/kv/a", b"x",
         [("Repr-Digest", "sha-256=:" + "A" * 43 + "=:")]),
    Case("locked", 423, "POST", "/locks/held?wait=1ms", b"you", holder="me"),
    Case("headers-too-large", 431, "GET", "/kv/a", None, [("X", "x" * 20_000)], is_early=True),
    Case("not-implemented", 501, "PUT", "/kv/a", None, [("Transfer-Encoding", "gzip, chunked")],
         is_early=True),
    Case("behind", 504, "GET", "/kv/a?min-revision=999999&timeout=50ms"),
    Case("quota", 507, "PUT", "/kv/full", b"x" * 90_000,
         setting="quota-bytes", limit=QUOTA_BYTES, used=None),
]

# What is no operation, so no part of the document.
UNTOLD = [
    Case("not-found", 404, "GET", "/nope"),
    Case("method-not-allowed", 405, "DELETE", "/stats", allow="GET, HEAD, OPTIONS"),
    Case("method-not-allowed", 405, "TRACE", "/kv/a",
         allow="GET, HEAD, PUT, POST, DELETE, PATCH, OPTIONS"),
]


class Errors(harness.TestCase):
    """What all cases share: each is refused several times over, and told in each form."""

    def check_document(self, case, answer):
        """What section 11 promises of every error."""
        document = self.assert_problem(answer, case.status, case.slug)
        self.assertEqual(document["request_id"], answer.headers["kv-request-id"])
        self.assertEqual(document["revision"], int(answer.headers["kv-revision"]))
        if case.is_write or case.is_early or case.status >= 500:
            self.assertIn(document.get("outcome"), ("not-applied", "unknown"), document)
            self.assertEqual(document["outcome"] == "unknown", case.slug == "outcome-unknown")
        else:
            self.assertNotIn("outcome", document)
        if case.slug in RETRY_LATER:
            self.assertGreaterEqual(int(answer.headers["retry-after"]), 1)
        else:
            self.assertNotIn("retry-after", answer.headers)
        if "etag" in document:
            self.assertEqual(answer.headers["etag"], f'"{document["etag"]}"')
        for name, value in case.members.items():
            self.assertIn(name, document)
            if value is not None:
                self.assertEqual(document[name], value, document)
        return document

    def check_forms(self, case, node, document):
        """As text and as a page; the words are the same."""
        text = case.send(node, "text/plain")
        self.assertEqual((text.status, text.headers["content-type"]),
                         (case.status, "text/plain; charset=utf-8"))
        first, second, rest = text.body.decode().split("\n")
        self.assertTrue(first.startswith(f"{case.status} {document['title']}: "), first)
        self.assertIn(f"More: /problems/{case.slug} (request ", second)
        self.assertEqual("(outcome: " in second, "outcome" in document, second)
        self.assertEqual(rest, "")
        page = case.send(node, "text/html,application/xhtml+xml,*/*;q=0.8")
        self.assertEqual((page.status, page.headers["content-type"]),
                         (case.status, "text/html; charset=utf-8"))
        self.assertIn(f'<a href="/problems/{case.slug}">', page.body.decode())
        self.assertEqual(page.headers["x-content-type-options"], "nosniff")

    def check_explanation(self, node, case, document):
        """Where the type points there is something, for people and for browsers."""
        explanation = node.get(document["type"])
        self.assertEqual(explanation.status, 200)
        self.assertRegex(explanation.body.decode(), rf"^# {case.status} ")
        explanation = node.get(document["type"], headers=[("Accept", "text/html")])
        self.assertRegex(explanation.body.decode(), rf"<h1>{case.status} ")

    def check(self, case, node, contract=None):
        answer = case.send(node)
        document = self.check_document(case, answer)
        if contract is not None:
            contract.check(case.method, case.target, answer)
        if not case.is_early:
            self.check_forms(case, node, document)
        self.check_explanation(node, case, document)


class OneNode(Errors):
    @classmethod
    def setUpClass(cls):
        cls.node = cls.class_cluster(max_value_bytes=VALUE_BYTES_MAX, quota_bytes="1MiB",
                                     history_revisions=1)[0]
        cls.contract = Contract(cls.node)
        cls.node.put("/kv/text", b"abc")
        cls.node.put("/kv/idempotent", b"first", headers=[("Idempotency-Key", "first")])
        cls.node.request("POST", "/locks/held?ttl=1h", b"me")
        full = 0
        while cls.node.put(f"/kv/fill/{full}", b"x" * 90_000).status == 201:
            full += 1

    def test_every_case_is_told_and_explained(self):
        for case in CASES:
            with self.subTest(case):
                self.check(case, self.node, self.contract)

    def test_what_is_nowhere_too(self):
        for case in UNTOLD:
            with self.subTest(case):
                self.check(case, self.node)
        self.assertEqual(UNTOLD[1].send(self.node).headers["allow"], "GET, HEAD, OPTIONS")

    def test_none_of_them_wrote_anything(self):
        revision = self.node.stats()["revision"]
        for case in (*CASES, *UNTOLD):
            case.send(self.node)
        self.assertEqual(self.node.stats()["revision"], revision)
        self.assertEqual(self.node.get("/kv/text").body, b"abc")

    def test_what_is_no_request_is_told_as_well(self):
        for slug, status, message in (
                ("http-version", 505, b"GET /kv/a HTTP/2.0\r\nHost: localhost\r\n\r\n"),
                ("bad-request", 400, b"GET /kv/a HTTP/1.1\r\n\r\n"),
                ("bad-request", 400, b"PUT /kv/a HTTP/1.1\r\nHost: localhost\r\n"
                                     b"Content-Length: x\r\n\r\n"),
                ("request-timeout", 408, b"PUT /kv/a HTTP/1.1\r\nHost: local")):
            case = Case(slug, status, "PUT", "/kv/a", is_early=True)
            with self.subTest(case), self.node.connect() as connection:
                connection.send(message)
                answer = connection.receive()
                document = self.check_document(case, answer)
                self.contract.check(case.method, case.target, answer)
                self.check_explanation(self.node, case, document)

    def test_a_head_has_the_status_and_no_body(self):
        for target in ("/kv/nobody", "/kv/a?timeout=fast", "/problems/sunshine"):
            head = self.node.request("HEAD", target)
            get = self.node.get(target)
            self.assertEqual((head.status, head.body), (get.status, b""))
            self.assertEqual(head.headers["content-type"], get.headers["content-type"])

    def test_curl_and_its_fail_flag(self):
        """curl says that it takes anything, and gets the document, which ends with a line end."""
        status, body, _ = harness.curl("-sS", f"{self.node.url}/kv/nobody")
        self.assertEqual(status, 0)
        self.assertRegex(body, rb'^\{"type":"/problems/not-found",.*\}\n$')
        status, body, error = harness.curl("-sS", "--fail", f"{self.node.url}/kv/nobody")
        self.assertEqual((status, body), (22, b""))
        self.assertIn(b"404", error)

    def test_what_a_client_sent_steers_no_terminal_and_is_no_markup(self):
        case = Case("forbidden", 403, "POST", "/kv/a", b"x",
                    [("Origin", "http://<script>alert(1)</script>")])
        page = case.send(self.node, "text/html").body
        self.assertNotIn(b"<script>", page)
        self.assertIn(b"&lt;script&gt;", page)
        text = Case("bad-request", 400, "GET", "/kv/a?timeout=%1b[2J%0a").send(
            self.node, "text/plain").body
        self.assertEqual(re.findall(rb"[^\x20-\x7e\n\x80-\xff]", text), [])
        self.assertEqual(text.count(b"\n"), 2)

    def test_accept_is_weighed(self):
        for accept, kind in (
                ("*/*", "application/problem+json"),
                ("application/json", "application/problem+json"),
                ("text/plain;q=0.2, application/json;q=0.1", "text/plain; charset=utf-8"),
                ("text/html;q=0.1, text/*", "text/plain; charset=utf-8"),
                ("image/png", "application/problem+json")):
            answer = self.node.get("/kv/nobody", headers=[("Accept", accept)])
            self.assertEqual(answer.headers["content-type"], kind, accept)


class States(Errors):
    """Errors of a cluster in some state."""

    def test_a_draining_node(self):
        node = self.cluster()[0]
        contract = Contract(node)
        self.assertEqual(node.request("POST", "/admin/drain").status, 200)
        for method, body in (("GET", None), ("PUT", b"x"), ("DELETE", None)):
            self.check(Case("draining", 503, method, "/kv/a", body, key="a"), node, contract)
        self.assertEqual(node.request("DELETE", "/admin/drain").status, 200)
        self.assertEqual(node.put("/kv/a", b"x").status, 201)

    def test_a_follower_that_is_to_redirect(self):
        cluster = self.cluster(3)
        follower = cluster.others(cluster.leader())[0]
        case = Case("redirect", 307, "PUT", "/kv/a?redirect", b"x", key="a")
        self.check(case, follower, Contract(follower))
        self.assertEqual(case.send(follower).headers["location"],
                         f"http://127.0.0.1:{cluster.leader().port}/kv/a?redirect")

    def test_one_connection_too_many(self):
        node = self.cluster(max_connections=4)[0]
        contract = Contract(node)
        held = [node.connect() for _ in range(4)]
        for connection in held:
            self.assertEqual(connection.request("GET", "/livez").status, 200)
        case = Case("overloaded", 503, "GET", "/livez", is_early=True)
        with node.connect() as connection:
            answer = connection.receive()
        self.check_document(case, answer)
        contract.check(case.method, case.target, answer)
        for connection in held:
            connection.close()
        harness.wait_until(node.is_ready, 10, "there is room again")

    def test_no_leader_and_then_an_outcome_that_is_unknown(self):
        # It has to lead long enough to take the write, on a machine that does other things, too.
        cluster = self.cluster(3, election_timeout="3s")
        leader = cluster.leader()
        contract = Contract(leader)
        others = cluster.others(leader)
        for node in others:
            node.suspend()
        unknown = Case("outcome-unknown", 504, "PUT", "/kv/a?timeout=300ms", b"x", key="a")
        answer = unknown.send(leader)
        self.check_document(unknown, answer)
        contract.check(unknown.method, unknown.target, answer)
        harness.wait_until(lambda: leader.get("/leader").status == 503, 20, "it leads no more")
        for method, body in (("GET", None), ("PUT", b"x"), ("DELETE", None)):
            self.check(Case("no-leader", 503, method, "/kv/a?timeout=100ms", body, key="a"),
                       leader, contract)
        self.check(Case("no-leader", 503, "POST", "/admin/leader?timeout=100ms"), leader, contract)
        for node in others:
            node.resume()
        cluster.wait_ready()


if __name__ == "__main__":
    harness.main()
