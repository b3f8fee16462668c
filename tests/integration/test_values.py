#!/usr/bin/env python3
"""What a value is asked for and sent as, with real curl: parts, codings, digests, how fresh."""

import base64
import gzip
import hashlib
import json
import zlib

import harness

VALUE = b"".join(b"line %d of a text that has much of itself in it\n" % i for i in range(4000))
STALENESS_SECONDS = 1
UNKNOWN_REVISION = 1 << 40


def digest(name, value):
    made = base64.b64encode(hashlib.new(name.replace("-", ""), value).digest()).decode()
    return f"{name}=:{made}:"


class ValuesTestCase(harness.TestCase):
    """Checks of what any node of a cluster has to do; `self.nodes` are to be asked."""

    def curl(self, *arguments, status=0):
        found, body, errors = harness.curl("-sS", *arguments)
        self.assertEqual(found, status, errors)
        return body

    def head(self, *arguments):
        """What curl got as a header, of the last answer, as a dict; "" is the status."""
        text = self.curl(*arguments, "-o", self.directory / "void", "-D", "-").decode()
        lines = text.strip().split("\r\n\r\n")[-1].split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines[1:])
        return {"": int(lines[0].split()[1])} | {n.lower(): v for n, v in fields.items()}

    @property
    def directory(self):
        return self.own[-1].directory

    def put(self, node, path, value=VALUE, *arguments):
        source = self.directory / "source"
        source.write_bytes(value)
        body = self.curl("--fail", "-X", "PUT", "--data-binary", f"@{source}", "-H",
                         "Content-Type: text/plain", *arguments, node.url + path)
        self.assertEqual(body, b"OK")

    def check_ranges(self, node):
        url = node.url + "/kv/range"
        self.put(node, "/kv/range")
        target = self.directory / "target"
        target.write_bytes(VALUE[:1000])
        self.curl("--fail", "-C", "-", "-o", target, url)
        self.assertEqual(target.read_bytes(), VALUE)
        self.curl("-C", "-", "-o", target, url)  # it is whole: 416 says so, and curl is content
        self.assertEqual(target.read_bytes(), VALUE)
        self.assertEqual(self.curl("-r", "10-19", url), VALUE[10:20])
        self.assertEqual(self.curl("-r", "-7", url), VALUE[-7:])
        found = self.head("-r", f"{len(VALUE)}-", url)
        self.assertEqual((found[""], found["content-range"]), (416, f"bytes */{len(VALUE)}"))
        found = self.head("-r", "0-4", url)
        self.assertEqual((found[""], found["content-range"]), (206, f"bytes 0-4/{len(VALUE)}"))
        etag = found["etag"]
        self.assertEqual(self.curl("-r", "0-4", "-H", f"If-Range: {etag}", url), VALUE[:5])
        self.assertEqual(self.curl("-r", "0-4", "-H", 'If-Range: "999"', url), VALUE)
        self.assertEqual(self.head("-z", "Mon, 01 Jan 2001 00:00:00 GMT", url)[""], 200)
        since = f"If-Modified-Since: {found['last-modified']}"
        self.assertEqual(self.head("-H", since, url)[""], 304)
        since = "If-Unmodified-Since: Mon, 01 Jan 2001 00:00:00 GMT"
        self.assertEqual(self.head("-H", since, url)[""], 412)

    def check_etags(self, node):
        url = node.url + "/kv/etag"
        saved, target = self.directory / "etag", self.directory / "target"
        for compressed in ([], ["--compressed"]):
            self.put(node, "/kv/etag")
            target.unlink(missing_ok=True)
            get = ["--fail", *compressed, "-o", target, url]
            self.curl("--etag-save", saved, *get)
            self.assertEqual(target.read_bytes(), VALUE)
            self.assertEqual("-gzip" in saved.read_text(), bool(compressed))
            target.unlink()
            self.curl("--etag-compare", saved, *get)
            self.assertFalse(target.exists() and target.stat().st_size)
            self.put(node, "/kv/etag", VALUE[::-1])
            self.curl("--etag-compare", saved, *get)
            self.assertEqual(target.read_bytes(), VALUE[::-1])

    def check_codings(self, node):
        url = node.url + "/kv/coding"
        for coding, coded in (("gzip", gzip.compress(VALUE)), ("deflate", zlib.compress(VALUE)),
                              ("gzip", gzip.compress(VALUE, 1) + gzip.compress(b"", 9))):
            self.put(node, "/kv/coding", coded, "-H", f"Content-Encoding: {coding}")
            self.assertEqual(self.curl(url), VALUE)
        raw = self.curl("-H", "Accept-Encoding: gzip", url)
        self.assertLess(len(raw), len(VALUE) / 2)
        self.assertEqual(gzip.decompress(raw), VALUE)
        self.assertEqual(self.curl("--compressed", url), VALUE)
        self.assertEqual(self.curl("--compressed", "-r", "0-9", url), VALUE[:10])
        self.assertEqual(self.head("--compressed", url)["content-encoding"], "gzip")
        self.assertNotIn("content-encoding", self.head("-H", "Accept-Encoding: gzip;q=0", url))
        source = self.directory / "source"
        source.write_bytes(gzip.compress(VALUE)[:-9])
        send = ["-X", "PUT", "--data-binary", f"@{source}", url, "-H"]
        self.assertEqual(self.head(*send, "Content-Encoding: gzip")[""], 400)
        found = self.head(*send, "Content-Encoding: br")
        self.assertEqual((found[""], found["accept-encoding"]), (415, "gzip, deflate"))
        source.write_bytes(gzip.compress(bytes((8 << 20) + 1)))
        self.assertEqual(self.head(*send, "Content-Encoding: gzip")[""], 413)
        self.assertEqual(self.curl(url), VALUE)

    def check_digests(self, node):
        url = node.url + "/kv/digest"
        for name in ("sha-256", "sha-512"):
            good = digest(name, VALUE)
            self.put(node, "/kv/digest", VALUE, "-H", f"Repr-Digest: {good}")
            self.put(node, "/kv/digest", VALUE, "-H", f"Content-Digest: {good}")
            self.put(node, "/kv/digest", gzip.compress(VALUE), "-H", f"Repr-Digest: {good}",
                     "-H", "Content-Encoding: gzip")
            found = self.head("-H", f"Want-Repr-Digest: {name}=1", "--compressed", url)
            self.assertEqual(found["repr-digest"], good)
            found = self.head("-X", "PUT", "-d", "something else", url, "-H",
                              f"Repr-Digest: {good}")
            self.assertEqual(found[""], 422)
        self.assertEqual(self.curl(url), VALUE)

    def check_meta(self, node):
        self.put(node, "/kv/meta")
        found = json.loads(self.curl(node.url + "/kv/meta?meta"))
        self.assertEqual((found["key"], found["size"], found["content_type"]),
                         ("meta", len(VALUE), "text/plain"))
        self.assertEqual(f'"{found["etag"]}"', self.head(node.url + "/kv/meta")["etag"])

    def check_options(self, node):
        found = self.head("-X", "OPTIONS", node.url + "/kv/x")
        self.assertEqual((found[""], found["kv-max-value-bytes"]), (204, str(8 << 20)))
        self.assertIn("PUT", found["allow"])

    def check_freshness(self, node):
        node.put("/kv/fresh", b"1")
        revision = int(node.get("/kv/fresh").headers["kv-revision"])
        for query in (f"min-revision={revision}", f"consistency=stale&min-revision={revision}"):
            found = node.get(f"/kv/fresh?{query}")
            self.assertEqual((found.status, found.body), (200, b"1"))
        for query in ("", "&consistency=stale"):
            found = node.get(f"/kv/fresh?timeout=100ms&min-revision={UNKNOWN_REVISION}{query}")
            self.assertEqual((found.status, found.json()["type"]), (504, "/problems/behind"))
            self.assertEqual(found.json()["outcome"], "not-applied")
        found = node.get("/kv/fresh?max-staleness=1h")
        self.assertEqual(found.headers["kv-consistency"], "stale")
        self.assertLess(int(found.headers["kv-staleness-ms"]), 3_600_000)


class Values(ValuesTestCase):
    """Of a node that is alone, and of each of three."""

    def check_all(self, nodes):
        for node in nodes:
            with self.subTest(node=node.id):
                self.check_ranges(node)
                self.check_etags(node)
                self.check_codings(node)
                self.check_digests(node)
                self.check_meta(node)
                self.check_options(node)
                self.check_freshness(node)

    def test_one_node(self):
        self.check_all(self.cluster())

    def test_each_of_three_nodes(self):
        self.check_all(self.cluster(3))


class Freshness(ValuesTestCase):
    def test_who_has_written_reads_it_on_a_follower_that_asks_nobody(self):
        cluster = self.cluster(3)
        leader = cluster.leader()
        with leader.connect() as writer:
            readers = [node.connect() for node in cluster.others(leader)]
            for number in range(harness.pick(200, 5000)):
                value = str(number).encode()
                written = writer.request("PUT", "/kv/own", value)
                revision = written.headers["kv-revision"]
                for reader in readers:
                    found = reader.request(
                        "GET", f"/kv/own?consistency=stale&min-revision={revision}")
                    self.assertEqual((found.status, found.body), (200, value))
                    self.assertEqual(found.headers["kv-consistency"], "stale")
            for reader in readers:
                reader.close()

    def test_a_key_is_read_as_it_was_on_any_node_until_that_is_forgotten(self):
        cluster = self.cluster(3, history_revisions=20)
        was = {}
        for i in range(20):
            node = cluster[i % 3]
            method = "DELETE" if i % 7 == 6 else "PUT"
            self.assertIn(node.request(method, "/kv/was", b"%d" % i).status, (200, 201, 204))
            found = cluster[(i + 1) % 3].get("/kv/was")
            was[int(found.headers["kv-revision"])] = (found.status, found.body)
        for node in cluster:
            for revision, (status, body) in was.items():
                found = node.get(f"/kv/was?at={revision}")
                self.assertEqual(found.status, status)
                if status == 200:
                    self.assertEqual(found.body, body)
        for i in range(30):
            cluster[0].put("/kv/others", b"%d" % i)
        for node in cluster:
            document = self.assert_problem(node.get(f"/kv/was?at={max(was)}"), 410, "compacted")
            self.assertGreater(document["oldest"], max(was))

    def test_a_member_that_was_paused_does_not_take_its_own_state_for_fresh(self):
        cluster = self.cluster(3)
        leader = cluster.leader()
        follower = cluster.others(leader)[0]
        for number in range(harness.pick(3, 20)):
            leader.put("/kv/pause", b"old")
            self.assertEqual(follower.get("/kv/pause").body, b"old")
            follower.suspend()
            leader.put("/kv/pause", b"new %d" % number)
            dates = set()

            def is_second_over(dates=dates):
                dates.add(leader.get("/kv/pause").headers["date"])
                return len(dates) == 3  # the first of them may just have been about to end

            harness.wait_until(is_second_over, 5, "a second is over")
            with follower.connect() as connection:  # its kernel takes that
                connection.send(harness.encode("GET", "/kv/pause?max-staleness=100ms"))
                follower.resume()
                found = connection.receive()
            self.assertEqual((found.status, found.body), (200, b"new %d" % number))

    def test_without_a_leader_a_bound_ends_and_stale_reads_go_on(self):
        cluster = self.cluster(3, request_timeout="1s")
        leader = cluster.leader()
        leader.put("/kv/bound", b"1")
        left, other = cluster.others(leader)
        self.assertEqual(left.get("/kv/bound").body, b"1")
        leader.suspend()
        other.suspend()

        def is_over():
            return left.get("/kv/bound?max-staleness=300ms&timeout=100ms").status == 503

        harness.wait_until(is_over, 20, "300 ms without a leader are over")

        def is_old():  # while it has been held up that is not known, and the bound is over, too
            found = left.get("/kv/bound?consistency=stale")
            self.assertEqual((found.status, found.body), (200, b"1"))
            return int(found.headers.get("kv-staleness-ms", 0)) >= 300

        harness.wait_until(is_old, 20, "it says how old its state is")
        leader.resume()
        other.resume()
        cluster.wait_ready()
        self.assertEqual(left.get("/kv/bound?max-staleness=5s").body, b"1")

    def test_a_follower_names_the_leader_to_who_would_rather_ask_there(self):
        cluster = self.cluster(3)
        leader = cluster.leader()
        source = self.directory / "source"
        source.write_bytes(VALUE)
        for node in cluster:
            url = f"{node.url}/kv/re%20direct?redirect"
            self.assertEqual(self.curl("--fail", "-L", "-T", source, url), b"OK")
            self.assertEqual(self.curl("--fail", "-L", url), VALUE)
            found = self.head(url)
            if node is leader:
                self.assertEqual((found[""], found["kv-leader"]), (200, str(leader.id)))
                continue
            self.assertEqual(found[""], 307)
            self.assertEqual(found["location"],
                             f"http://{leader.host}:{leader.port}/kv/re%20direct?redirect")
            self.assertEqual(self.head(url + "&consistency=stale")[""], 200)
            self.assertEqual(self.head("-X", "DELETE", url)[""], 307)
        leader.kill()
        left = cluster.others(leader)[0]

        def is_there():  # until it is, curl is sent to the one that was killed
            status, body, _ = harness.curl("-sS", "--fail", "-L",
                                           f"{left.url}/kv/re%20direct?redirect")
            return status == 0 and body == VALUE

        harness.wait_until(is_there, 20, "the next leader is named")


if __name__ == "__main__":
    harness.main()
