#!/usr/bin/env python3
"""Lists of keys: pages, order, prefixes, patterns, forms, bounds (docs/api.md, section 3)."""

import base64
import json
import re
import urllib.parse
from pathlib import Path

import harness

KEYS = [b"a", b"a!", b"a/", b"a/b", b"a/b/c", b"aa", b"b\xff\x00", b"c%2F", "\u00e9".encode(),
        b"\xff", b"\xff\xff/x", b"zz/"]

PARTS = ("keys", "prefixes", "prefixes_base64")


def fill(node, pairs):
    """Puts all of them, many at a time."""
    pairs = list(pairs)
    with node.connect(seconds=120) as connection:
        for begin in range(0, len(pairs), 64):
            part = pairs[begin:begin + 64]
            connection.send(b"".join(harness.encode("PUT", harness.quote(key), value)
                                     for key, value in part))
            for _ in part:
                answer = connection.receive("PUT")
                assert answer.status in (200, 201), answer


def memory_of(node):
    """What the process has allocated: pages of the data file that are mapped do not count."""
    text = Path(f"/proc/{node.process.pid}/status").read_text()
    return int(re.search(r"^RssAnon:\s+(\d+) kB", text, re.MULTILINE).group(1)) << 10


def key_of(item):
    return item["key"].encode() if "key" in item else base64.b64decode(item["key_base64"])


def value_of(item):
    return item["value"].encode() if "value" in item else base64.b64decode(item["value_base64"])


def pages(node, target):
    """The documents of a list's pages, as a client goes through them."""
    while target is not None:
        answer = node.get(target)
        assert answer.status == 200, answer
        document = answer.json()
        yield document
        target = document.get("next")
        link = answer.headers.get("link")
        assert (link is None) == (target is None), answer.headers
        assert target is None or link == f'<{target}>; rel="next"', answer.headers


def keys(node, query):
    return [key_of(item) for page in pages(node, f"/kv?{query}") for item in page["keys"]]


class List(harness.TestCase):
    def each_node(self, size, pairs):
        """Nodes of a cluster of that size, which has these."""
        cluster = self.cluster(size)
        fill(cluster.leader(), pairs)
        for node in cluster:
            with self.subTest(size=size, node=node.id):
                yield node

    def check_small(self, size):
        expected = sorted(KEYS)
        for node in self.each_node(size, [(key, b"<" + key + b">") for key in KEYS]):
            page = node.get("/kv").json()
            self.assertEqual([key_of(item) for item in page["keys"]], expected)
            self.assertEqual([value_of(item) for item in page["keys"]],
                             [b"<" + key + b">" for key in expected])
            self.assertNotIn("next", page)
            self.assertEqual(keys(node, "limit=1"), expected)
            self.assertEqual(keys(node, "limit=5&reverse=1&values=0"), expected[::-1])
            # RNG-1: half-open ranges, byte by byte; a limit of 0 is an empty page.
            self.assertEqual(keys(node, "start=a!&end=aa"), [b"a!", b"a/", b"a/b", b"a/b/c"])
            self.assertEqual(keys(node, "after=a!&before=aa"), [b"a/", b"a/b", b"a/b/c"])
            self.assertEqual(keys(node, "prefix=a/&reverse"), [b"a/b/c", b"a/b", b"a/"])
            self.assertEqual(keys(node, "prefix=%FF"), [b"\xff", b"\xff\xff/x"])
            self.assertEqual(keys(node, "prefix=%FF&limit=1"), [b"\xff", b"\xff\xff/x"])
            self.assertEqual(keys(node, "match=*/*"),
                             [b"a/", b"a/b", b"a/b/c", b"zz/", b"\xff\xff/x"])
            self.assertEqual(keys(node, "match=a%3F"), [b"a!", b"a/", b"aa"])
            self.assertEqual(keys(node, "prefix=nothing"), [])
            page = node.get("/kv?limit=0").json()
            self.assertEqual((page["keys"], page.get("next")), ([], None))
            # One level; what stands for many keys counts as one.
            page = node.get("/kv/?delimiter=/").json()
            self.assertEqual([key_of(item) for item in page["keys"]],
                             [b"a", b"a!", b"aa", b"b\xff\x00", b"c%2F", "\u00e9".encode(),
                              b"\xff"])
            self.assertEqual(page["prefixes"], ["a/", "zz/"])
            self.assertEqual(page["prefixes_base64"], [base64.b64encode(b"\xff\xff/").decode()])
            page = node.get("/kv?prefix=a/&delimiter=/").json()
            self.assertEqual([key_of(item) for item in page["keys"]], [b"a/", b"a/b"])
            self.assertEqual(page["prefixes"], ["a/b/"])
            for order in ("", "&reverse=1"):
                found = [sum(len(page.get(part, ())) for part in PARTS)
                         for page in pages(node, f"/kv?delimiter=/&limit=3{order}")]
                self.assertEqual(found, [3, 3, 3, 1])
            # Forms.
            answer = node.get("/kv?prefix=a/", headers=[("Accept", "application/x-ndjson")])
            self.assertEqual(answer.headers["content-type"], "application/x-ndjson")
            self.assertEqual([json.loads(line)["key"] for line in answer.body.splitlines()],
                             ["a/", "a/b", "a/b/c"])
            answer = node.get("/kv?format=text")
            self.assertEqual([urllib.parse.unquote_to_bytes(line)
                              for line in answer.body.splitlines()], expected)
            answer = node.get("/kv?format=text&limit=2")
            self.assertEqual((answer.body, "next" in answer.headers["link"]), (b"a\na%21\n", True))
            # Counts.
            revision = answer.headers["kv-revision"]
            self.assertEqual(node.get("/kv?count&prefix=a/").json(),
                             {"revision": int(revision), "count": 3})
            self.assertEqual(node.get("/kv?count&format=text").body, b"12\n")
            for query, count in (("", "12"), ("?prefix=a/", "3"), ("?delimiter=/", "10")):
                answer = node.request("HEAD", f"/kv{query}")
                self.assertEqual((answer.status, answer.headers["kv-count"], answer.body),
                                 (200, count, b""))

    def test_one_node_lists(self):
        self.check_small(1)

    def test_each_of_three_nodes_lists(self):
        self.check_small(3)

    def test_what_has_changed_since_is_listed(self):
        """RNG-4."""
        changed = [b"%05d" % number for number in range(0, 10_000, 7)]
        made = [b"%05dx" % number for number in range(0, 10_000, 11)]
        for node in self.each_node(3, ((b"%05d" % number, b"v") for number in range(10_000))):
            since = int(node.get("/kv?limit=0").headers["kv-revision"])
            fill(node, [(key, b"w") for key in changed] + [(key, b"v") for key in made])
            then = int(node.get("/kv?limit=0").headers["kv-revision"])
            self.assertEqual(then - since, len(changed) + len(made))
            fill(node, [(changed[0], b"later")])
            later = f"min-mod-revision={since + 1}"
            both = sorted(changed + made)
            for form in ("limit=10", "limit=500&reverse", "limit=10000&values=0"):
                found = keys(node, f"{later}&{form}")
                self.assertEqual(found, both[::-1] if "reverse" in form else both, form)
            self.assertEqual(keys(node, f"{later}&min-create-revision={since + 1}"), made)
            self.assertEqual(keys(node, f"{later}&max-create-revision={since}"), changed)
            self.assertEqual(keys(node, f"{later}&max-mod-revision={then}"), both[1:])
            self.assertEqual(keys(node, f"{later}&at={then}"), both)
            self.assertEqual(keys(node, f"{later}&at={since}"), [])
            self.assertEqual(keys(node, f"{later}&match=*0x"), made[::10])
            self.assertEqual(keys(node, f"min-mod-revision={then + 2}"), [])
            # Without a limit lines are all of them; counts and levels are of what is left.
            answer = node.get(f"/kv?{later}&format=text")
            self.assertEqual(answer.body.split(), both)
            answer = node.get(f"/kv?{later}&prefix=000&format=ndjson")
            found = [json.loads(line)["key"].encode() for line in answer.body.splitlines()]
            self.assertEqual(found, [key for key in both if key.startswith(b"000")])
            for query, count in ((later, len(both)), (f"max-mod-revision={since}",
                                                     10_000 - len(changed))):
                self.assertEqual(node.get(f"/kv?count&{query}").json()["count"], count)
                self.assertEqual(node.request("HEAD", f"/kv?{query}").headers["kv-count"],
                                 str(count))
            page = node.get(f"/kv?min-create-revision={since + 1}&delimiter=x").json()
            self.assertEqual((page["keys"], len(page["prefixes"])), ([], len(made)))
            self.assertEqual(node.request("DELETE", "/kv?all=yes").status, 200)
            fill(node, ((b"%05d" % number, b"v") for number in range(10_000)))

    def test_unchanged_is_told_and_a_delete_is_a_change(self):
        node = self.cluster()[0]
        fill(node, [(b"a/1", b"1"), (b"a/2", b"2")])
        answer = node.get("/kv?prefix=a/")
        self.assertRegex(answer.headers["etag"], r'^W/"\d+"$')
        known = [("If-None-Match", answer.headers["etag"])]
        again = node.get("/kv?prefix=a/", headers=known)
        self.assertEqual((again.status, again.body), (304, b""))
        self.assertEqual(node.request("DELETE", "/kv/a/1").status, 200)
        again = node.get("/kv?prefix=a/", headers=known)
        self.assertEqual((again.status, len(again.json()["keys"])), (200, 1))

    def test_pages_stay_at_the_revision_at_which_they_began(self):
        """RNG-2, and the same of a stream and of a count."""
        for size in (1, 3):
            cluster = self.cluster(size)
            node, other = cluster.leader(), cluster[size - 1]
            # More than what sockets hold of a stream that nobody reads.
            old = {f"page/{number:05}": f"{number:0700}" for number in range(10_000)}
            fill(node, ((key.encode(), value.encode()) for key, value in old.items()))
            walk = pages(node, "/kv?prefix=page/")
            found = [next(walk) for _ in range(5)]
            with node.connect(seconds=120) as connection:
                connection.send(harness.encode("GET", "/kv?prefix=page/&format=ndjson"))
                connection.more()  # it has begun; no more of it is read for now
                fill(node, ((key.encode(), b"new") for key in old if not key.endswith("7")))
                for key in list(old)[7::10]:
                    self.assertEqual(node.request("DELETE", f"/kv/{key}").status, 200)
                fill(node, ((key.encode() + b"x", b"new") for key in old if key.endswith("1")))
                lines = connection.receive().body.splitlines()
            self.assertEqual({line["key"]: line["value"] for line in map(json.loads, lines)}, old)
            # The rest comes from another node, which has it as well.
            found += [document for document in pages(other, found[-1]["next"])]
            self.assertEqual({document["revision"] for document in found},
                             {found[0]["revision"]})
            self.assertEqual({item["key"]: item["value"] for document in found
                              for item in document["keys"]}, old)
            self.assertEqual(sum(len(document["keys"]) for document in found), len(old))
            then = f"at={found[0]['revision']}"
            back = keys(other, f"prefix=page/&reverse&values=0&limit=3000&{then}")
            self.assertEqual([key.decode() for key in back], sorted(old, reverse=True))
            self.assertEqual(node.get(f"/kv?prefix=page/&count&{then}").json()["count"], 10_000)
            self.assertEqual(node.get("/kv?prefix=page/&count").json()["count"], 10_000)
            self.assertEqual(len(keys(node, "prefix=page/&match=*x&limit=10000")), 1000)

    def test_what_is_not_kept_any_more_is_gone(self):
        node = self.cluster(history_revisions=100)[0]
        fill(node, ((b"%03d" % number, b"v") for number in range(50)))
        following = node.get("/kv?limit=10").json()["next"]
        self.assertEqual(node.get(following).status, 200)
        fill(node, ((b"%03d" % number, b"w") for number in range(150)))
        document = self.assert_problem(node.get(following), 410, "compacted")
        self.assertEqual(document["restart"], "/kv?limit=10")
        self.assertGreater(document["oldest"], 50)
        self.assertEqual(node.get(f"/kv?at={document['oldest']}").status, 200)
        self.assert_problem(node.get(f"/kv?at={document['oldest'] - 1}"), 410, "compacted")

    def test_an_export_is_what_the_command_makes_of_a_backup(self):
        cluster, other = self.cluster(3), self.cluster()
        node = cluster.leader()
        fill(node, [(key, b"<" + key + b">") for key in KEYS])
        fill(node, ((f"more/{number}".encode(), b"v" * number) for number in range(2000)))
        for member in cluster:
            answer = member.get("/export")
            self.assertEqual(answer.headers["content-type"], "application/x-ndjson")
            status, made, error = harness.run("export", "-", "-e", f"127.0.0.1:{member.port}")
            self.assertEqual((status, made), (0, answer.body.decode()), error)
        path = cluster.directory / "part"
        path.write_bytes(node.get("/export?prefix=more/").body)
        status, _, error = harness.run("import", path, "-e", f"127.0.0.1:{other[0].port}")
        self.assertEqual(status, 0, error)
        self.assertEqual(other[0].get("/kv?count").json()["count"], 2000)
        self.assertEqual(other[0].get("/kv/more/1999").body, b"v" * 1999)

    def test_what_is_asked_wrongly_is_refused(self):
        cluster, other = self.cluster(), self.cluster()
        node = cluster[0]
        fill(node, [(b"a", b"1"), (b"b", b"2")])
        fill(other[0], [(b"a", b"1"), (b"b", b"2")])
        refused = {"limit=ten": "limit", "prefixx=a": "prefix", "format=xml": "format",
                   "reverse=perhaps": "reverse", "timeout=0": "timeout", "at=0": "at",
                   "cursor=": "cursor", "cursor=abc": "cursor", "unknown=1": "unknown",
                   "min-mod-revision=x": "revision", "max-create-revision=0": "revision",
                   "min-mod-revision=2&max-mod-revision=1": "above",
                   "count&limit=1": "limit", "at=999999": "revision", "prefix=%zz": "%",
                   "prefix=a&prefix=b": "twice"}
        for query, word in refused.items():
            with self.subTest(query=query):
                document = self.assert_problem(node.get(f"/kv?{query}"), 400, "bad-request")
                self.assertIn(word, document["detail"])
        self.assert_problem(node.get("/kv?prefix=" + 481 * "x"), 414, "key-too-long")
        following = node.get("/kv?limit=1").json()["next"]
        self.assertEqual(keys(node, following.split("?")[1]), [b"b"])
        self.assert_problem(other[0].get(following), 400, "bad-request")  # foreign
        for wrong in (following + "&prefix=b", following + "&reverse=1", following[:-1]):
            self.assert_problem(node.get(wrong), 400, "bad-request")

    def test_deleting_many_is_guarded(self):
        node = self.cluster()[0]
        fill(node, [(b"a/1", b"1"), (b"a/2", b"2"), (b"b", b"3")])
        for query in ("", "?", "?prefix=", "?all=1", "?prefix=a&all=yes", "?recurse"):
            self.assert_problem(node.request("DELETE", f"/kv{query}"), 400, "bad-request")
            self.assert_problem(node.request("DELETE", f"/kv/{query}"), 400, "bad-request")
        answer = node.request("DELETE", "/kv?prefix=a/&dry-run=1")
        self.assertEqual((answer.json()["would_delete"], answer.json()["dry_run"]), (2, True))
        self.assertEqual(node.request("DELETE", "/kv?all=yes&dry-run").json()["would_delete"], 3)
        self.assertEqual(len(keys(node, "")), 3)

    def test_many_are_deleted_at_once_on_every_node(self):
        """RNG-6."""
        cluster = self.cluster(3)
        fill(cluster.leader(), ((f"gone/{number:04}".encode(), b"v") for number in range(1000)))
        fill(cluster.leader(), [(b"gone", b"v"), (b"gone0", b"v"), (b"\xff", b"v")])
        node = cluster.others(cluster.leader())[0]
        before = int(node.get("/kv/gone").headers["kv-revision"])
        answer = node.request("DELETE", "/kv?prefix=gone/")
        self.assertEqual(answer.json(), {"deleted": 1000, "revision": before + 1})
        for member in cluster:
            self.assertEqual(keys(member, ""), [b"gone", b"gone0", b"\xff"])
            self.assertEqual(len(keys(member, f"at={before}&limit=10000")), 1003)
        self.assertEqual(node.request("DELETE", "/kv?all=yes").json()["deleted"], 3)
        self.assertEqual(len({found["state_hash"] for found in cluster.settle()}), 1)

    def test_a_page_ends_at_a_bound_of_bytes(self):
        """RNG-8."""
        node = self.cluster()[0]
        value = bytes(range(97, 123)) * ((1 << 20) // 26)
        fill(node, ((f"big/{number:03}".encode(), value) for number in range(100)))
        before = memory_of(node)
        found = []
        for page in pages(node, "/kv?prefix=big/"):
            self.assertIn(len(page["keys"]), range(1, 5))
            self.assertTrue(all(value_of(item) == value for item in page["keys"]))
            found += [item["key"] for item in page["keys"]]
        self.assertEqual(found, [f"big/{number:03}" for number in range(100)])
        growth = memory_of(node) - before
        harness.say(f"RNG-8: {len(found)} values of 1 MiB; memory grew by {growth / 1e6:.0f} MB")
        if not harness.is_sanitized():
            self.assertLess(growth, 64 << 20)

    def test_a_list_of_any_length_is_streamed_in_bounded_memory(self):
        """RNG-3."""
        node = self.cluster()[0]
        count = harness.pick(100_000, 1_000_000)
        fill(node, ((f"many/{number:08}".encode(), b"v%08d" % number) for number in range(count)))
        before = memory_of(node)
        status, body, _ = harness.curl("-sN", "-H", "Accept: application/x-ndjson",
                                       f"{node.url}/kv?prefix=many/", seconds=300)
        growth = memory_of(node) - before
        self.assertEqual((status, body.count(b"\n")), (0, count))
        for number in range(0, count, 9973):
            start = body.index(b'{"key":"many/%08d"' % number)
            line = json.loads(body[start:body.index(b"\n", start)])
            self.assertEqual(line["value"], f"v{number:08}")
        found = re.findall(rb'^\{"key":"many/(\d{8})"', body, re.MULTILINE)
        self.assertEqual(found, [b"%08d" % number for number in range(count)])
        harness.say(f"RNG-3: {count} keys; memory grew by {growth / 1e6:.0f} MB")
        if not harness.is_sanitized():
            self.assertLess(growth, 64 << 20)
        for query in ("prefix=many/", "prefix=many/&match=*"):
            self.assertEqual(node.get(f"/kv?count&{query}").json()["count"], count)
        status, body, _ = harness.curl("-sN", f"{node.url}/kv?format=text&limit=20000")
        self.assertEqual((status, body.count(b"\n")), (0, 20000))
        # Who does not read it holds up nobody, and may go.
        with node.connect() as connection:
            connection.send(harness.encode("GET", "/kv?format=ndjson"))
            connection.take(1000)
            self.assertEqual(node.get("/kv/many/00000000").body, b"v00000000")
        self.assertEqual(node.get("/kv?count").json()["count"], count)


if __name__ == "__main__":
    harness.main()
