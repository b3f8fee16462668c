#!/usr/bin/env python3
"""The OpenAPI document against a running node: answers of every operation, its parameters, bodies.

That it has the routes that there are is unit/api/route_openapi's to see; that it is a document of
its kind, check/openapi's, and here a linter's of others; how errors are told, test_errors.py's.
"""

import base64
import hashlib
import http.client
import json
import os
import re
import subprocess
import sys
import unittest
import zlib

import harness
from contract import Contract

LINTER = harness.ROOT / "build/clients/npm/node_modules/@redocly/cli/bin/cli.js"
LINTER_RULES = harness.HERE / "clients" / "redocly.yaml"
# It tells nobody that it was run, and does not look for its next version.
LINTER_QUIET = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}

JSON = [("Content-Type", "application/json")]
TEXT = b"words, and more words. " * 100
TEXT_DIGEST = f"sha-256=:{base64.b64encode(hashlib.sha256(TEXT).digest()).decode()}:"

# (status, method, target, body, fields), in this order. What one has changed, a later one finds.
MERGE_PATCH = [("Content-Type", "application/merge-patch+json")]
ONE_NODE = [
    (201, "PUT", "/kv/a", b"1", JSON),
    (200, "PUT", "/kv/a?ttl=1h", b"1", ()),
    (204, "PUT", "/kv/a", b"1", [("Prefer", "return=minimal")]),
    (200, "PUT", "/kv/a?keepttl", b"1", [("Prefer", "return=representation, timing")]),
    (201, "PUT", "/kv/once", b"1", [("Idempotency-Key", "k")]),
    (201, "PUT", "/kv/once", b"1", [("Idempotency-Key", "k")]),
    (200, "POST", "/kv/a?cas=4", b"1", [("KV-TTL", "30")]),
    (200, "POST", "/kv/a?op=incr&by=41", None, ()),
    (200, "POST", "/kv/a?op=append", b"0", ()),
    (200, "POST", "/kv/a?touch&ttl=10m", None, ()),
    (204, "POST", "/kv/a", b"1", [("Prefer", "return=minimal")]),
    (200, "GET", "/kv/a", None, [("Prefer", "timing")]),
    (200, "GET", "/kv/a?consistency=stale&timeout=1s", None, ()),
    (200, "GET", "/kv/a?meta&min-revision=1", None, ()),
    (200, "GET", "/kv/a?max-staleness=1h", None, [("Want-Repr-Digest", "sha-256=1")]),
    (206, "GET", "/kv/a", None, [("Range", "bytes=0-0")]),
    (304, "GET", "/kv/a", None, [("If-None-Match", "*")]),
    (201, "PUT", "/kv/text", TEXT, [("Content-Type", "text/plain"), ("Repr-Digest", TEXT_DIGEST)]),
    (200, "PUT", "/kv/text", zlib.compress(TEXT), [("Content-Type", "text/plain"),
                                                   ("Content-Encoding", "deflate")]),
    (200, "GET", "/kv/text", None, [("Accept-Encoding", "gzip")]),
    (412, "GET", "/kv/a", None, [("If-Match", '"99"')]),
    (200, "HEAD", "/kv/a", None, ()),
    (304, "HEAD", "/kv/a", None, [("If-None-Match", "*")]),
    (204, "OPTIONS", "/kv/a", None, ()),
    (201, "PATCH", "/kv/j", b'{"a":1}', MERGE_PATCH),
    (200, "PATCH", "/kv/j", b'{"b":{"c":null}}', MERGE_PATCH),
    (204, "PATCH", "/kv/j", b"{}", [*MERGE_PATCH, ("Prefer", "return=minimal")]),
    (200, "POST", "/txn", b'{"if":[{"key":"j","exists":true}],"then":[{"get":"j"},{"incr":"n"},'
                          b'{"append":"s","value":"x"},{"delete":"s2"},{"delete_prefix":"t/"}]}',
     [("Idempotency-Key", "t"), ("Prefer", "timing")]),
    (412, "POST", "/txn", b'{"if":[{"key":"j","exists":false}],"then":[{"get":"j"}]}', ()),
    (409, "POST", "/txn", b'{"then":[{"incr":"j"}]}', ()),
    (200, "POST", "/batch?atomic=1", b'{"get":"j"}', ()),
    (200, "DELETE", "/kv/a", None, [("Prefer", "return=representation")]),
    (204, "DELETE", "/kv/a", None, [("Prefer", "return=minimal")]),
    (200, "DELETE", "/kv/a", None, ()),
    (404, "HEAD", "/kv/a", None, ()),
    (201, "PUT", "/kv/list/a", b"1", JSON),
    (201, "PUT", "/kv/list/%ff", b"\xff", ()),
    (200, "GET", "/kv?prefix=list/", None, ()),
    (200, "GET", "/kv?limit=1&delimiter=/", None, ()),
    (200, "GET", "/kv?min-mod-revision=2&max-create-revision=9", None, ()),
    (200, "GET", "/kv?count", None, ()),
    (200, "HEAD", "/kv?prefix=list/", None, ()),
    (200, "GET", "/kv", None, [("Accept", "application/x-ndjson")]),
    (200, "GET", "/kv", None, [("Accept", "text/plain")]),
    (200, "GET", "/export?prefix=list/", None, ()),
    (200, "POST", "/import?mode=create",
     b'{"pontoon_export":1,"revision":0,"keys":0,"state_hash":"00000000000000000000000000000000"}\n'
     b'{"records":0,"crc32c":"785432e1"}\n', ()),
    (200, "DELETE", "/kv?prefix=list/&dry-run=1", None, ()),
    (200, "DELETE", "/kv?prefix=list/", None, ()),
    (201, "POST", "/leases?ttl=10m&id=7f", None, ()),
    (409, "POST", "/leases?ttl=10m&id=7f", None, ()),
    (200, "PUT", "/kv/text?lease=7f", b"1", ()),
    (200, "POST", "/leases/7f/keepalive", None, ()),
    (200, "GET", "/leases/7f?keys", None, ()),
    (200, "GET", "/leases?limit=1", None, ()),
    (200, "DELETE", "/leases/7f", None, ()),
    (404, "GET", "/leases/7f", None, ()),
    (200, "POST", "/locks/l?ttl=10m", b"me", JSON),
    (423, "POST", "/locks/l?wait=1ms", b"you", ()),
    (200, "GET", "/locks/l", None, ()),
    (200, "DELETE", "/locks/l?force", None, ()),
    (404, "GET", "/locks/l", None, ()),
    (200, "POST", "/elections/e?ttl=10m", b"me", ()),
    (200, "GET", "/elections/e", None, ()),
    (200, "DELETE", "/elections/e?force", None, ()),
    (404, "GET", "/elections/e", None, ()),
    (200, "GET", "/", None, ()),
    (200, "GET", "/version", None, ()),
    (200, "GET", "/health", None, ()),
    (200, "GET", "/livez", None, ()),
    (200, "GET", "/readyz?verbose", None, ()),
    (200, "GET", "/leader", None, ()),
    (503, "GET", "/follower", None, ()),
    (200, "GET", "/stats", None, ()),
    (200, "GET", "/metrics", None, ()),
    (200, "GET", "/openapi.json", None, ()),
    (200, "GET", "/problems", None, ()),
    (200, "GET", "/problems", None, [("Accept", "text/html")]),
    (200, "GET", "/problems/quota", None, ()),
    (200, "GET", "/problems/quota", None, [("Accept", "text/html")]),
    (404, "GET", "/problems/sunshine", None, ()),
    (200, "GET", "/admin/members", None, ()),
    (200, "GET", "/admin/snapshot", None, ()),
    (304, "GET", "/admin/snapshot", None, [("If-None-Match", "*")]),
    (200, "POST", "/admin/drain", None, ()),
    (503, "GET", "/readyz", None, ()),
    (200, "DELETE", "/admin/drain", None, ()),
    (409, "POST", "/admin/leader", None, ()),
]

# Members of three; the fourth is nowhere, so it is no more than a name.
THREE_NODES = [
    (200, "GET", "/follower", None, ()),
    (503, "GET", "/leader", None, ()),
    (200, "GET", "/admin/members", None, ()),
    (201, "POST", "/admin/members", b'{"addr":"127.0.0.1:9","id":9,"learner":true}', JSON),
    (409, "POST", "/admin/members/9/promote?timeout=1s", None, ()),
    (204, "PATCH", "/admin/members/9", b'{"addr":"127.0.0.1:10"}', JSON),
    (201, "POST", "/admin/members/replace", b'{"old":9,"addr":"127.0.0.1:11","id":11}', JSON),
    (204, "DELETE", "/admin/members/11", None, ()),
    (204, "POST", "/12?timeout=20s", b"http://127.0.0.1:12/", ()),
    (204, "DELETE", "/12", None, ()),
    (200, "POST", "/admin/leader", None, ()),
]

# Without a length, or without an end.
STREAMED = {"/admin/snapshot", "/export", "/watch", "/watch/{key}", "/elections/{name}/watch"}
STREAMS = [
    ("POST", "/leases?ttl=10m&hold"),
    ("GET", "/elections/e/watch"),
    ("GET", "/watch/a?initial=1&prev=1"),
    ("GET", "/watch?prefix=a&events=put,delete&format=ndjson"),
]

# Answers that are in the document, and come in states that other tests make.
UNSEEN = {
    "post /admin/members/{id}/promote 204": "test_members.py: a learner has to catch up first",
    "get /health 503": "test_quorum.py: no quorum",
}


def fetch(node, method, target, body=None, headers=()):
    """One request by Python's own client, which reads streams, too; a Response."""
    connection = http.client.HTTPConnection("localhost", node.port, timeout=40)
    try:
        connection.request(method, target, body, dict(headers))
        answer = connection.getresponse()
        return harness.Response(answer.status, answer.reason, answer.getheaders(), answer.read())
    finally:
        connection.close()


class Document(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.node = cls.class_cluster()[0]
        cls.nodes = cls.class_cluster(3)
        cls.contract = Contract(cls.node)

    def operations(self):
        for template, item in self.contract.document["paths"].items():
            for method in item:
                if method not in ("parameters", "description"):
                    yield method, template

    def run_rows(self, node, rows):
        """Each answer as the row and the document have it: the operations and statuses seen."""
        seen = set()
        for status, method, target, body, headers in rows:
            with self.subTest(f"{status} {method} {target}"):
                answer = fetch(node, method, target, body, headers)
                self.assertEqual(answer.status, status, answer)
                self.contract.check(method, target, answer)
                template, _ = self.contract.operation(method, target)
                seen.add(f"{method.lower()} {template} {status}")
        return seen

    def run_fenced(self):
        """What needs the token of an answer before it."""
        seen = set()
        for path in ("/locks/fenced", "/elections/fenced"):
            fence = fetch(self.node, "POST", path, b"me").headers["kv-fence"]
            seen |= self.run_rows(self.node, [(200, "PUT", path, None, [("KV-Fence", fence)]),
                                              (200, "DELETE", path, None, [("KV-Fence", fence)]),
                                              (412, "PUT", path, None, [("KV-Fence", fence)])])
        return seen

    def run_unchanged(self):
        """What has the tag of an answer before it."""
        seen = set()
        for target in ("/kv?prefix=once", "/export?prefix=once"):
            tag = fetch(self.node, "GET", target).headers["etag"]
            seen |= self.run_rows(self.node, [(304, "GET", target, None,
                                               [("If-None-Match", tag)])])
        return seen

    def run_streams(self):
        """Answers that have no end: their heads."""
        seen = set()
        for method, target in STREAMS:
            with self.subTest(f"{method} {target}"), self.node.connect() as connection:
                connection.send(harness.encode(method, target))
                status, reason, fields = connection.take_head()
                self.assertEqual(status, 200)
                answer = harness.Response(status, reason, fields, b"")
                self.contract.check(method, target, answer)
                template, _ = self.contract.operation(method, target)
                seen.add(f"{method.lower()} {template} {status}")
        return seen

    def test_every_success_that_it_tells_of_is_seen(self):
        seen = self.run_rows(self.node, ONE_NODE)
        follower = self.nodes.others(self.nodes.leader())[0]
        seen |= self.run_rows(follower, THREE_NODES)
        told = set()
        for method, template in self.operations():
            responses = self.contract.document["paths"][template][method]["responses"]
            told |= {f"{method} {template} {status}" for status, response in responses.items()
                     if "$ref" not in response and method != "head"}
        seen |= self.run_fenced()
        seen |= self.run_unchanged()
        seen |= self.run_streams()
        self.assertEqual(sorted(told - seen - set(UNSEEN)), [], "told, and never seen")
        self.assertEqual(sorted(set(UNSEEN) - told), [], "excused for nothing")

    def test_it_is_the_one_of_the_sources_on_every_node(self):
        script = harness.ROOT / "scripts" / "openapi.py"
        target = harness.new_directory("openapi") / "openapi.json"
        subprocess.run([sys.executable, "-B", script, target], check=True)
        for node in self.nodes:
            is_same = node.get("/openapi.json").json() == json.loads(target.read_text())
            self.assertTrue(is_same, "the program was built of other sources")

    def test_parameters_are_those_that_are_taken(self):
        """A path that refuses unknown ones names those that it knows."""
        count = 0
        for method, template in self.operations():
            if method == "options":
                continue
            target = re.sub(r"\{(\w+)\}", "1", template) + "?zzzz=1"
            if template == "/leases" and method == "post":
                target += "&ttl=1m"
            answer = fetch(self.node, method.upper(), target)
            match = re.search(rb'unknown parameter \\"zzzz\\": there are (.*) here', answer.body)
            if match is None:
                continue
            known = set(re.findall(r"\?([\w-]+)", match[1].decode()))
            if template == "/watch/{key}":
                known -= {"key", "prefix"}  # known there, too, and refused: the path says it
            count += 1
            with self.subTest(f"{method} {template}"):
                self.assertEqual(self.contract.query_parameters(template, method), known)
        self.assertGreater(count, 5)

    def test_a_body_where_none_is_needed_changes_nothing(self):
        """Patroni sends GET /version with Content-Length: 2 and "{}"."""
        for method, template in self.operations():
            if method != "get" or template in STREAMED:
                continue
            target = re.sub(r"\{(\w+)\}", "1", template)
            plain = self.node.get(target)
            with self.node.connect() as connection:
                for _ in range(2):  # and the connection goes on behind it
                    answer = connection.request("GET", target, b"{}")
                    self.assertEqual(answer.status, plain.status, target)
        for body in (b"{}", b""):
            self.assertEqual(self.node.request("DELETE", "/kv/none", body).body, b"OK")

    def test_the_page_of_limits_has_each_flag_with_its_default(self):
        _, text, _ = harness.run("serve", "--help")
        flags = dict(re.findall(r"^  --([\w-]+) \S+  \(default ([^,)]*)", text, re.MULTILINE))
        page = (harness.ROOT / "docs" / "limits.md").read_text()
        told = {flag: bound for bound, flag in
                re.findall(r"^\|[^|]+\| ([^|]+?) \| `--([\w-]+)`", page, re.MULTILINE)}
        for flag in sorted(told):
            self.assertIn(flag, flags, "no such flag")
            self.assertEqual(told[flag].split(" ")[0], flags[flag], flag)
        bounding = {flag for flag in flags if re.match("max-|quota|history|idempotency|log-keep",
                                                       flag)}
        self.assertEqual(sorted(bounding - set(told)), [], "not in docs/limits.md")

    def test_the_root_links_to_it_and_to_what_there_is(self):
        root = self.node.get("/")
        self.assertEqual(root.headers["link"], '</openapi.json>; rel="service-desc"')
        for name, link in root.json()["links"].items():
            template, operation = self.contract.operation("GET", link.replace("{key}", "k"))
            self.assertIsNotNone(operation, f"{name}: {link} ({template})")


class Linter(harness.TestCase):
    """@redocly/cli, the npm package, with all rules that it recommends."""

    def lint(self, document):
        """(its status, what it says) of the bytes of a document."""
        if not LINTER.exists():
            raise unittest.SkipTest(f"{LINTER} is not there: scripts/clients.sh brings it")
        path = harness.new_directory("linter") / "openapi.json"
        path.write_bytes(document)
        done = subprocess.run(["node", LINTER, "lint", path.name, "--config", LINTER_RULES],
                              cwd=path.parent, env=os.environ | LINTER_QUIET, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        return done.returncode, done.stdout

    def test_others_find_nothing_wrong_with_it(self):
        status, text = self.lint(self.class_cluster()[0].get("/openapi.json").body)
        self.assertEqual(status, 0, text)

    def test_a_document_that_is_broken_is_found(self):
        document = self.class_cluster()[0].get("/openapi.json").json()
        get = document["paths"]["/stats"]["get"]
        get["descripton"] = "a name that is none"
        get["operationId"] = "listKeys"
        get["responses"]["200"]["headers"]["ETag"] = {"$ref": "#/components/headers/Etag"}
        document["components"]["schemas"]["List"]["required"].append("revison")
        status, text = self.lint(json.dumps(document, indent=1).encode())
        self.assertEqual(status, 1, text)
        for rule in ("struct", "operation-operationId-unique", "no-unresolved-refs",
                     "no-required-schema-properties-undefined"):
            self.assertIn(rule, text)


if __name__ == "__main__":
    harness.main()
