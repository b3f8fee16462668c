#!/usr/bin/env python3
"""The README's session and what one key can do, with real curl: docs/api.md."""

import difflib
import re
import shlex

import harness

# The session, against each node, byte for byte; golden/session.txt has what it answers.
SESSION = """
curl --fail -X GET localhost:3000/kv/foo
curl --fail -X POST localhost:3000/kv/foo -d bar
curl --fail localhost:3000/kv/foo
curl --fail -X POST localhost:3000/kv/foo -d baz
curl --fail localhost:3000/kv/foo
curl --fail -I localhost:3000/kv/foo
curl --fail -X DELETE localhost:3000/kv/foo
curl --fail -X DELETE localhost:3000/kv/foo
curl --fail localhost:3000/kv/foo
curl localhost:3000/kv/foo
curl --fail -X PUT localhost:3000/kv/foo -d bar
curl --fail -X PUT localhost:3000/kv/foo -d bar
curl --fail -X DELETE localhost:3000/kv/foo
""".strip().splitlines()

GOLDEN = harness.HERE / "golden" / "session.txt"
VALUE_MAX = 8 << 20

# What no two runs have in common. Revisions are told from the session's begin.
VOLATILE = re.compile(
    r"^(Date|Last-Modified|KV-Request-Id|KV-Leader|KV-Term|KV-Staleness-Ms): .*$", re.MULTILINE)
REVISION = re.compile(r'^((?:KV-Revision|KV-Create-Revision): |ETag: ")(\d+)', re.MULTILINE)
LENGTH = re.compile(r"^(Content-Length: )\d+", re.MULTILINE)
BODY_VOLATILE = re.compile(r'"request_id":"[^"]*"')
BODY_REVISION = re.compile(r'("revision":)(\d+)')


def transcript(node, directory):
    """What the session answers at `node`: commands, exit statuses, headers, bodies."""
    base = int(node.get("/kv/none").headers["kv-revision"])  # linearizable: it has caught up
    # A node that has just started does not know yet how old its state is, and leaves that out.
    harness.wait_until(lambda: "kv-staleness-ms" in node.get("/kv/none").headers, 20,
                       "the node knows how long ago it heard from its leader")

    def relative(match):
        return f"{match.group(1)}+{int(match.group(2)) - base}"

    lines = []
    for line in SESSION:
        words = shlex.split(line.replace("localhost:3000", f"localhost:{node.port}"))[1:]
        head = directory / "head"
        status, body, _ = harness.curl(*words, "--dump-header", head)
        if "-I" in words:
            body = b""  # the header again
        fields = VOLATILE.sub(r"\1: *", head.read_text().replace("\r\n", "\n"))
        fields = REVISION.sub(relative, fields)
        if "problem+json" in fields:
            fields = LENGTH.sub(r"\1*", fields)  # it counts the revision's digits
        text = BODY_VOLATILE.sub('"request_id":"*"', repr(body))
        text = BODY_REVISION.sub(relative, text)
        lines += [f"$ {line}", f"exit {status}", *fields.rstrip("\n").split("\n"), text, ""]
    return "\n".join(lines)


class Session(harness.TestCase):
    def check(self, node, directory):
        found, expected = transcript(node, directory), GOLDEN.read_text()
        if found != expected:
            difference = difflib.unified_diff(expected.splitlines(), found.splitlines(),
                                              str(GOLDEN), f"node {node.id}", lineterm="")
            self.fail("\n".join(["the session's answers changed", *difference]))

    def test_one_node_answers_the_session_byte_for_byte(self):
        cluster = self.cluster()
        self.check(cluster[0], cluster.directory)

    def test_each_of_three_nodes_answers_the_session_byte_for_byte(self):
        cluster = self.cluster(3)
        for node in cluster:
            with self.subTest(node=node.id):
                self.check(node, cluster.directory)

    def test_values_of_any_size_come_back_identical_from_every_node(self):
        # Where a machine stands still for long enough, an election is right, and fails a write.
        cluster = self.cluster(3, election_timeout="3s")
        source = cluster.directory / "source"
        target = cluster.directory / "target"
        for size in (0, 1, 100_000, VALUE_MAX):
            value = harness.rng(f"value-{size}").randbytes(size)
            source.write_bytes(value)
            for writer in cluster:
                for form in (["-X", "POST", "--data-binary", f"@{source}"], ["-T", source]):
                    path = f"/kv/size-{size}-{writer.id}-{form[0]}?timeout=30s"
                    status, body, errors = harness.curl("--fail", "-sS", *form, writer.url + path)
                    self.assertEqual((status, body), (0, b"OK"), errors)
                    for reader in cluster:
                        status, _, errors = harness.curl("--fail", "-sS", reader.url + path,
                                                         "-o", target)
                        found = target.read_bytes() if target.exists() else b""
                        self.assertEqual(status, 0, errors)
                        self.assertTrue(found == value, f"{size} bytes, {writer.id}, {reader.id}")
                        target.unlink(missing_ok=True)


class OneKey(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.node = cls.class_cluster()[0]

    # ---- sizes ----

    def test_a_value_above_the_limit_is_refused_before_its_body_is_sent(self):
        source = self.clusters[0].directory / "source"
        source.write_bytes(bytes(VALUE_MAX + 1))
        for form in (["-X", "POST", "--data-binary", f"@{source}"], ["-T", source]):
            status, output, errors = harness.curl(
                "-sSv", *form, f"{self.node.url}/kv/large", "-o", "/dev/null",
                "-w", "%{http_code} %{size_upload}")
            self.assertEqual((status, output), (0, b"413 0"), errors.decode(errors="replace"))
        self.assertEqual(self.node.get("/kv/large").status, 404)

    def test_an_expectation_is_met_or_refused_at_once(self):
        for size, status in ((VALUE_MAX, 100), (VALUE_MAX + 1, 413), (1 << 62, 413)):
            with self.node.connect() as connection:
                connection.send(b"PUT /kv/expected HTTP/1.1\r\nHost: localhost\r\n"
                                b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % size)
                found, reason, fields = connection.take_head()
                self.assertEqual(found, status, size)
                if status == 413:
                    length = int(dict(fields)["Content-Length"])
                    response = harness.Response(found, reason, fields, connection.take(length))
                    document = self.assert_problem(response, 413, "too-large")
                    self.assertEqual((document["limit"], document["setting"],
                                      document["outcome"]),
                                     (VALUE_MAX, "max-value-bytes", "not-applied"))
                    self.assertEqual(connection.receive_end(), b"")
                else:
                    connection.send(bytes(size))
                    self.assertEqual(connection.receive("PUT").status, 201)

    def test_a_chunked_value_is_counted_while_it_comes(self):
        begin = (b"PUT /kv/chunked HTTP/1.1\r\nHost: localhost\r\n"
                 b"Transfer-Encoding: chunked\r\n\r\n")
        piece = b"100000\r\n" + bytes(1 << 20) + b"\r\n"
        with self.node.connect() as connection:
            connection.send(begin + 8 * piece + b"0\r\n\r\n")
            self.assertEqual(connection.receive("PUT").status, 201)
        self.assertEqual(self.node.get("/kv/chunked").body, bytes(VALUE_MAX))
        with self.node.connect() as connection:
            connection.send(begin.replace(b"chunked HTTP", b"more HTTP") + 8 * piece + b"1\r\nx")
            self.assert_problem(connection.receive("PUT"), 413, "too-large")
        self.assertEqual(self.node.get("/kv/more").status, 404)

    # ---- keys ----

    def test_a_key_has_1_to_480_bytes_and_each_is_decoded_once(self):
        self.assertEqual(self.node.put("/kv/" + "k" * 480, b"x").status, 201)
        self.assertEqual(self.node.put("/kv/" + "%6b" * 480, b"y").status, 200)
        self.assertEqual(self.node.get("/kv/" + "k" * 480).body, b"y")
        for key in ("k" * 481, "%6b" * 481, "k" * 5000):
            document = self.assert_problem(self.node.put("/kv/" + key, b"x"), 414,
                                           "key-too-long")
            self.assertEqual(document["limit"], 480)
        status, output, _ = harness.curl("-s", "-o", "/dev/null", "-w", "%{http_code}", "-d", "x",
                                         f"{self.node.url}/kv/{'k' * 481}")
        self.assertEqual((status, output), (0, b"414"))
        for method, key in (("GET", "%zz"), ("PUT", "%zz"), ("PUT", "a%2"), ("DELETE", "%")):
            body = b"x" if method == "PUT" else None
            self.assert_problem(self.node.request(method, "/kv/" + key, body), 400,
                                "bad-request")

    def test_slashes_and_dots_are_literal(self):
        self.assertEqual(self.node.put("/kv/a%2Fb", b"slash").status, 201)
        self.assertEqual(self.node.get("/kv/a/b").body, b"slash")
        self.assertEqual(self.node.put("/kv/last", b"plain").status, 201)
        dotted = f"{self.node.url}/kv/p/../last"
        status, body, _ = harness.curl("--fail", "-sS", "--path-as-is", "-d", "dotted", dotted)
        self.assertEqual((status, body), (0, b"OK"))
        status, body, _ = harness.curl("--fail", "-sS", "--path-as-is", dotted)
        self.assertEqual((status, body), (0, b"dotted"))
        self.assertEqual(self.node.get("/kv/last").body, b"plain")
        self.assertEqual(self.node.get("/kv/p%2F..%2Flast").body, b"dotted")
        for key in ("/kv//two", "/kv/./last", "/kv/../last", "/kv/a//b", "/kv/%252e", "/kv/a+b"):
            self.assertEqual(self.node.get(key).status, 404, key)
            self.assertEqual(self.node.put(key, key.encode()).status, 201, key)
            self.assertEqual(self.node.get(key).body, key.encode())
        self.assertEqual(self.node.get("/kv/a%20b").status, 404)  # "+" is no space

    def test_any_byte_may_stand_in_a_key(self):
        for byte in range(256):
            key = bytes([byte])
            expected = 200 if self.node.get(harness.quote(key)).status == 200 else 201
            self.assertEqual(self.node.put(harness.quote(key), b"=" + key).status, expected, byte)
        for key, response in self.node.read_many([bytes([byte]) for byte in range(256)]):
            self.assertEqual((response.status, response.body), (200, b"=" + key))

    def test_no_key_is_the_collection(self):
        for path in ("/kv", "/kv/"):
            self.assertIn("keys", self.node.get(path).json())
            response = self.node.put(path, b"x")
            self.assert_problem(response, 405, "method-not-allowed")
            self.assertEqual(response.headers["allow"], "GET, HEAD, DELETE, OPTIONS")

    # ---- verbs ----

    def test_each_verb_answers_its_status_and_its_fields(self):
        first = self.node.put("/kv/verbs", b"one")
        self.assertEqual((first.status, first.body), (201, b"OK"))
        second = self.node.put("/kv/verbs", b"two")
        self.assertEqual((second.status, second.body), (200, b"OK"))
        third = self.node.request("POST", "/kv/verbs", b"three")
        self.assertEqual((third.status, third.body), (200, b"OK"))
        created = first.headers["kv-revision"]
        for version, response in enumerate((first, second, third), 1):
            self.assertEqual(response.headers["kv-version"], str(version))
            self.assertEqual(response.headers["kv-create-revision"], created)
            self.assertEqual(response.headers["etag"], f'"{response.headers["kv-revision"]}"')
        revisions = [int(r.headers["kv-revision"]) for r in (first, second, third)]
        self.assertEqual(revisions, sorted(set(revisions)))

        read = self.node.get("/kv/verbs")
        self.assertEqual(read.body, b"three")
        for name in ("etag", "kv-version", "kv-create-revision", "last-modified"):
            self.assertEqual(read.headers[name], third.headers[name], name)
        self.assertEqual(read.headers["x-content-type-options"], "nosniff")
        self.assertEqual(read.headers["content-security-policy"], "sandbox")
        self.assertEqual(read.headers["kv-consistency"], "linearizable")
        head = self.node.request("HEAD", "/kv/verbs")
        volatile = ("date", "kv-request-id")
        self.assertEqual({n: v for n, v in head.headers.items() if n not in volatile},
                         {n: v for n, v in read.headers.items() if n not in volatile})

        removed = self.node.request("DELETE", "/kv/verbs")
        self.assertEqual((removed.status, removed.body), (200, b"OK"))
        self.assertEqual(removed.headers["kv-deleted"], "1")
        again = self.node.request("DELETE", "/kv/verbs")
        self.assertEqual((again.status, again.headers["kv-deleted"]), (200, "0"))
        self.assertEqual(self.node.request("HEAD", "/kv/verbs").status, 404)
        self.assertEqual(self.node.request("POST", "/kv/verbs", b"new").status, 200)
        self.assertEqual(self.node.get("/kv/verbs").headers["kv-version"], "1")

    def test_a_read_may_be_conditional(self):
        tag = self.node.put("/kv/conditional", b"x").headers["etag"]
        fresh = self.node.get("/kv/conditional", headers=[("If-None-Match", tag)])
        self.assertEqual((fresh.status, fresh.body, fresh.headers["etag"]), (304, b"", tag))
        other = self.node.get("/kv/conditional", headers=[("If-None-Match", '"1234567"')])
        self.assertEqual(other.status, 200)

    def test_a_content_type_is_stored_unless_it_is_curls_own(self):
        for sent, stored in (("application/json", "application/json"),
                             ("text/html; charset=utf-8", "text/html; charset=utf-8"),
                             ("application/x-www-form-urlencoded", "application/octet-stream"),
                             (None, "application/octet-stream")):
            headers = [("Content-Type", sent)] if sent else []
            self.node.put("/kv/typed", b"{}", headers=headers)
            for method in ("GET", "HEAD"):
                response = self.node.request(method, "/kv/typed")
                self.assertEqual(response.headers["content-type"], stored)

    def test_a_method_that_does_not_fit_is_refused_with_those_that_do(self):
        for method, path, status, allow in (
                ("PUT", "/stats", 405, "GET, HEAD, OPTIONS"),
                ("DELETE", "/", 405, "GET, HEAD, OPTIONS"),
                ("POST", "/livez", 405, "GET, HEAD, OPTIONS"),
                ("LOCK", "/kv/x", 405, "GET, HEAD, PUT, POST, DELETE, PATCH, OPTIONS"),
                ("BREW", "/kv/x", 501, None)):
            response = self.node.request(method, path)
            slug = "method-not-allowed" if status == 405 else "not-implemented"
            self.assert_problem(response, status, slug)
            if allow:
                self.assertEqual(response.headers["allow"], allow, method)
        options = self.node.request("OPTIONS", "/kv/x")
        self.assertEqual((options.status, options.headers["allow"]),
                         (204, "GET, HEAD, PUT, POST, DELETE, PATCH, OPTIONS"))

    # ---- parameters and fields ----

    def test_unknown_parameters_are_ignored_but_not_near_misses(self):
        self.node.put("/kv/parameter", b"x")
        self.assertEqual(self.node.get("/kv/parameter?ID=1234&anything").status, 200)
        for query, meant in (("tll=30s", "ttl"), ("consistancy=stale", "consistency"),
                             ("timeuot=1s", "timeout")):
            document = self.assert_problem(self.node.get(f"/kv/parameter?{query}"), 400,
                                           "bad-request")
            self.assertEqual(document["did_you_mean"], meant)
            self.assertIn("did you mean", document["detail"])
        for query in ("consistency=fast", "timeout=0s", "timeout=5", "timeout=1e3s", "timeout=2h",
                      "consistency=stale&consistency=stale"):
            self.assert_problem(self.node.get(f"/kv/parameter?{query}"), 400, "bad-request")
        for level in ("stale", "linearizable"):
            response = self.node.get(f"/kv/parameter?consistency={level}&timeout=2s")
            self.assertEqual((response.body, response.headers["kv-consistency"]), (b"x", level))

    def test_what_is_not_there_yet_is_refused_and_not_ignored(self):
        response = self.node.put("/kv/later", b"x", headers=[("Content-Encoding", "br")])
        self.assert_problem(response, 415, "unsupported-encoding")
        self.assertEqual(self.node.get("/kv/later").status, 404)

    def test_a_page_of_another_site_cannot_write(self):
        for name, value in (("Sec-Fetch-Site", "cross-site"), ("Origin", "http://evil.example"),
                            ("Origin", "null")):
            response = self.node.request("POST", "/kv/browser", b"x", headers=[(name, value)])
            self.assert_problem(response, 403, "forbidden")
        with self.node.connect() as connection:
            connection.send(b"GET /kv/browser HTTP/1.1\r\nHost: evil.example\r\n\r\n")
            self.assert_problem(connection.receive(), 403, "forbidden")
        own = [("Origin", "http://localhost"), ("Sec-Fetch-Site", "same-origin")]
        self.assertEqual(self.node.get("/kv/browser").status, 404)
        response = self.node.request("POST", "/kv/browser", b"x", headers=own)
        self.assertEqual(response.status, 200)

    def test_every_answer_has_date_revision_and_request_id(self):
        for path in ("/", "/kv/every", "/stats", "/livez", "/nowhere"):
            response = self.node.get(path, headers=[("X-Request-Id", "mine-42")])
            self.assertEqual(response.headers["kv-request-id"], "mine-42", path)
            self.assertTrue(response.headers["kv-revision"].isdigit(), path)
            self.assertRegex(response.headers["date"],
                             r"^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$")


class OtherRoutes(harness.TestCase):
    STATS = """version cluster_id node_id role leader_id term commit_index applied_index last_index
        snapshot_index revision state_hash keys key_bytes value_bytes uptime_seconds store wal
        peers""".split()

    @classmethod
    def setUpClass(cls):
        cls.nodes = cls.class_cluster(3)

    def test_version_answers_to_a_get_with_a_body(self):
        for node in self.nodes:
            with node.connect() as connection:
                document = connection.request("GET", "/version", b"{}").json()
                self.assertEqual(connection.request("GET", "/livez").body, b"ok\n")
            for name in ("version", "etcdserver", "etcdcluster"):
                self.assertRegex(document[name], r"^\d+\.\d+\.\d+")
            self.assertGreaterEqual(document["etcdserver"], "3.4")

    def test_who_asks_is_told_what_the_time_went_into(self):
        leader = next(node for node in self.nodes if node.get("/leader").status == 200)
        for node in self.nodes:
            for method, body, stages in (("PUT", b"x", ["queue", "replicate"]), ("GET", None, [])):
                answer = node.request(method, "/kv/timed", body, [("Prefer", "timing")])
                timing = answer.headers["server-timing"]
                self.assertRegex(timing, r"^(\w+;dur=\d+\.\d{3}, )*total;dur=\d+\.\d{3}$")
                for stage in stages:
                    self.assertEqual(f"{stage};" in timing, node is leader, timing)
        # Those that came by way of the others are counted, too.
        name = 'pontoon_write_stage_seconds_count{stage="replicate"}'
        self.assertGreaterEqual(leader.metric(name), 3)
        self.assertGreater(leader.metric(name.replace("replicate", "fsync")), 0)
        self.assertGreater(leader.metric("pontoon_read_index_seconds_count"), 0)

    def test_probes_and_leader_agree(self):
        leaders = [node for node in self.nodes if node.get("/leader").status == 200]
        self.assertEqual(len(leaders), 1)
        for node in self.nodes:
            self.assertEqual(node.get("/livez").status, 200)
            self.assertEqual(node.get("/readyz").status, 200)
            self.assertIn(b"[+]leader ok", node.get("/readyz?verbose").body)
            answer = node.get("/leader")
            self.assertEqual(answer.status, 200 if node is leaders[0] else 503)
            self.assertEqual(answer.json()["id"], leaders[0].id)
            self.assertEqual(answer.json()["client_address"],
                             f"http://127.0.0.1:{leaders[0].port}")
            stats = node.stats()
            self.assertEqual(stats["role"], "leader" if node is leaders[0] else "follower")
            self.assertEqual((stats["leader_id"], stats["node_id"]), (leaders[0].id, node.id))

    def test_stats_has_the_fields_that_tools_rely_on(self):
        self.nodes[0].put("/kv/counted", b"12345")
        for stats in self.nodes.settle():
            self.assertEqual([name for name in self.STATS if name not in stats], [])
            self.assertEqual([name for name in ("engine", "path", "size_bytes", "used_bytes")
                              if name not in stats["store"]], [])
            self.assertEqual((stats["keys"], stats["key_bytes"], stats["value_bytes"]),
                             (1, len("counted"), 5))
            self.assertEqual(len(stats["peers"]), 2)
        self.assertEqual(len({s["state_hash"] for s in self.nodes.settle()}), 1)
        self.assertEqual(len({s["cluster_id"] for s in self.nodes.settle()}), 1)

    def test_root_tells_limits_and_links(self):
        document = self.nodes[0].get("/").json()
        self.assertEqual(document["limits"]["value_bytes_max"], VALUE_MAX)
        self.assertEqual(document["limits"]["key_bytes_max"], 480)

    def test_metrics_are_prometheus_text(self):
        response = self.nodes[1].get("/metrics")
        self.assertTrue(response.headers["content-type"].startswith("text/plain"))
        number = r"(?:[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|[-+]Inf|NaN)"
        sample = re.compile(
            r'[a-z_:][a-zA-Z0-9_:]*(?:\{(?:[a-z_]+="(?:[^"\\]|\\.)*",?)*\})? ' + number)
        kinds = {}
        for line in response.body.decode().splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                self.assertNotIn(name, kinds)
                kinds[name] = kind
            elif not line.startswith("# HELP "):
                self.assertRegex(line, f"^(?:{sample.pattern})$")
                name = re.match(r"[a-zA-Z0-9_:]+", line).group()
                family = re.sub(r"_(bucket|sum|count)$", "", name)
                self.assertTrue(name in kinds or kinds.get(family) == "histogram", line)
        for part in ("http", "raft", "wal", "store"):
            self.assertTrue(any(name.startswith(f"pontoon_{part}_") for name in kinds), part)
        self.assertIn("process_resident_memory_bytes", kinds)


if __name__ == "__main__":
    harness.main()
