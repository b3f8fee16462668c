#!/usr/bin/env python3
"""pontoon export and import: byte-exact there and back, what was cut refused, members that go."""

import json
import subprocess

import harness

USAGE, FAILED, UNAVAILABLE = 2, 1, 5


class Export(harness.TestCase):
    def setUp(self):
        self.directory = harness.new_directory("export")

    def run_ok(self, *arguments, **more):
        status, output, errors = harness.run(*arguments, **more)
        self.assertEqual(status, 0, errors)
        return output

    def refuse(self, words, *arguments, status=FAILED):
        found, output, errors = harness.run(*arguments)
        self.assertEqual((found, output), (status, ""), errors)
        for word in words:
            self.assertIn(word, errors)

    def endpoint(self, *nodes):
        return ",".join(f"127.0.0.1:{node.port}" for node in nodes)

    def export(self, node, name="a.ndjson"):
        path = self.directory / name
        self.run_ok("export", path, "-e", self.endpoint(node))
        return path

    def fill(self, node, count):
        """Keys and values of all kinds; what they are."""
        rng = harness.rng("export")
        state = {bytes([byte]): bytes([255 - byte]) for byte in range(256)}
        state |= {b"empty": b"", b"\xff" * 480: b"longest key", b"text/\xc3\xa9": "ü€\n\0".encode(),
                  b"large": rng.randbytes(1 << 20), b"large text": b"a\"\\" * 300000}
        state |= {b"many/%d" % number: rng.randbytes(rng.choice((1, 100)))
                  for number in range(count)}
        keys = sorted(state)
        with node.connect() as connection:
            for begin in range(0, len(keys), 32):
                part = keys[begin:begin + 32]
                connection.send(b"".join(
                    harness.encode("PUT", harness.quote(key), state[key]) for key in part))
                for key in part:
                    self.assertEqual(connection.receive().status, 201, key)
        node.put("/kv/typed", b"{}", headers=[("Content-Type", "application/json")])
        return state | {b"typed": b"{}"}

    def assert_state(self, nodes, node, state):
        """A node's own copy, once it has applied what the others have."""
        nodes.settle()
        self.assertEqual(node.stats()["keys"], len(state))
        for key, answer in node.read_many(sorted(state)):
            self.assertEqual((answer.status, answer.body), (200, state[key]), key)
        self.assertEqual(node.get("/kv/typed").headers["content-type"], "application/json")


class ThereAndBack(Export):
    def test_every_byte_is_there_again(self):
        source, target = self.cluster(1), self.cluster(3)
        state = self.fill(source[0], harness.pick(3000, 200000))
        path = self.export(source[0])
        lines = path.read_bytes().split(b"\n")
        head, end = json.loads(lines[0]), json.loads(lines[-2])
        self.assertEqual(head["revision"], source[0].stats()["revision"])
        self.assertEqual(head["keys"], end["records"])
        self.assertEqual(len(lines), len(state) + 3)
        told = json.loads(self.run_ok("import", path, "-o", "json", "-e",
                                      self.endpoint(*target), seconds=300))
        self.assertEqual(told["keys"], len(state))
        self.assert_state(target, target[0], state)
        self.assertEqual(self.export(target[1], "b").read_bytes().split(b"\n")[1:],
                         path.read_bytes().split(b"\n")[1:-2] + end_of(target[1], self))

    def test_through_pipes_and_out_of_a_backup(self):
        source, target = self.cluster(1), self.cluster(1)
        state = self.fill(source[0], 100)
        backup = self.directory / "backup"
        self.run_ok("backup", backup, "-e", self.endpoint(source[0]))
        self.run_ok("export", self.directory / "a", "--from", backup)
        out = subprocess.run(harness.command("export", "-", "-e", self.endpoint(source[0])),
                             capture_output=True, env=harness.environment(), timeout=60)
        self.assertEqual(out.returncode, 0, out.stderr)
        self.assertEqual(out.stdout, (self.directory / "a").read_bytes())
        put = subprocess.run(harness.command("import", "-", "-e", self.endpoint(target[0])),
                             input=out.stdout, capture_output=True, env=harness.environment(),
                             timeout=60)
        self.assertEqual(put.returncode, 0, put.stderr)
        self.assert_state(target, target[0], state)

    def test_out_of_a_stopped_nodes_directory(self):
        source = self.cluster(1)[0]
        state = self.fill(source, 100)
        path = self.export(source)
        other = self.directory / "other"
        self.refuse(["is locked by"], "export", other, "--from", source.data)
        source.put("/kv/zz", b"later")  # in no checkpoint: the export above asked for one
        source.kill()
        self.refuse([str(source.data), "not in its checkpoint", "SIGTERM"],
                    "export", other, "--from", source.data)
        self.assertFalse(other.exists())
        source.start().wait_ready()
        source.stop()
        told = json.loads(self.run_ok("export", other, "--from", source.data, "-o", "json"))
        self.assertEqual(told["keys"], len(state) + 1)
        lines = other.read_bytes().split(b"\n")[1:-2]
        self.assertIn(b'{"key":"zz","value":"later"}', lines)
        lines.remove(b'{"key":"zz","value":"later"}')
        self.assertEqual(lines, path.read_bytes().split(b"\n")[1:-2])

    def test_a_state_without_keys(self):
        source = self.cluster(1)[0]
        path = self.export(source)
        self.assertEqual(len(path.read_bytes().splitlines()), 2)
        self.assertIn("0 keys written", self.run_ok("import", path, "-e", self.endpoint(source)))

    def test_there_and_back_with_curl_alone(self):
        source, target = self.cluster(1)[0], self.cluster(3)
        state = self.fill(source, 500)
        whole = self.directory / "whole"
        self.assertEqual(harness.curl("-sS", "--fail", source.url + "/export", "-o", whole)[0], 0)
        follower, other = target.others(target.leader())

        def send(node, path, query=""):
            status, body, errors = harness.curl("-sS", "--data-binary", f"@{path}",
                                                f"{node.url}/import{query}")
            self.assertEqual(status, 0, errors)
            return json.loads(body)

        damaged = self.directory / "damaged"
        damaged.write_bytes(whole.read_bytes().replace(b'"many/7"', b'"many/8"', 1))
        self.assertIn("nothing was written", send(follower, damaged)["detail"])
        self.assertEqual(target.settle()[0]["keys"], 0)
        counts = {"keys": len(state), "written": len(state), "skipped": 0}
        self.assertEqual(send(follower, whole), counts)
        for node in target:
            self.assert_state(target, node, state)
        other.put("/kv/empty", b"another")
        other.request("DELETE", "/kv/large", None)
        self.assertEqual(send(other, whole, "?mode=create"),
                         counts | {"written": 1, "skipped": len(state) - 1})
        self.assert_state(target, follower, state | {b"empty": b"another"})

    def test_members_that_go_meanwhile_fail_nothing(self):
        source, target = self.cluster(1), self.cluster(3)
        state = self.fill(source[0], harness.pick(3000, 100000))
        path = self.export(source[0])
        process = subprocess.Popen(
            harness.command("import", path, "-e", self.endpoint(*target)),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=harness.environment())
        harness.wait_until(lambda: target[0].stats()["keys"] > 0 or process.poll() is not None, 60,
                           "it has begun")
        leader = target.leader()
        leader.kill()
        output, errors = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 0, errors)
        leader.start().wait_ready()
        self.assert_state(target, leader, state)


def end_of(node, test):
    """What an export of this node ends with."""
    return test.export(node, "c").read_bytes().split(b"\n")[-2:]


class NotWhole(Export):
    def test_what_was_cut_or_changed_writes_nothing(self):
        source, target = self.cluster(1)[0], self.cluster(1)[0]
        for number in range(20):
            source.put(f"/kv/{number}", b"value")
        whole = self.export(source).read_bytes()
        rng = harness.rng("cut")
        path = self.directory / "bad"
        for size in {0, len(whole) - 1, len(whole) * 99 // 100, rng.randrange(len(whole))}:
            path.write_bytes(whole[:size])
            self.refuse(["cut short"], "import", path, "-e", self.endpoint(target))
        for _ in range(harness.pick(5, 50)):
            data = bytearray(whole)
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            path.write_bytes(bytes(data))
            self.refuse([str(path)], "import", path, "-e", self.endpoint(target))
        lines = whole.split(b"\n")
        path.write_bytes(b"\n".join(lines[:5] + lines[6:]))
        self.refuse(["line 21", "cut or changed"], "import", path, "-e", self.endpoint(target))
        self.assertEqual(target.stats()["keys"], 0)

    def test_the_first_refusal_ends_it_and_is_named(self):
        source = self.cluster(1)[0]
        target = self.cluster(1, max_value_bytes="1KiB")[0]
        for number in range(10):
            source.put(f"/kv/{number}", b"v" * (2000 if number == 5 else 10))
        path = self.export(source)
        self.refuse(["line 7", "too large"], "import", path, "-e", self.endpoint(target))

    def test_a_connection_that_breaks_leaves_no_file(self):
        source = self.cluster(1)[0]
        source.put("/kv/a", b"v")
        source.stop()
        path = self.directory / "a"
        self.refuse([str(source.port)], "export", path, "-e", self.endpoint(source),
                    status=UNAVAILABLE)
        self.assertEqual(list(self.directory.iterdir()), [])
        path.write_bytes(b"no backup")
        self.refuse([str(path)], "export", self.directory / "b", "--from", path)
        self.assertEqual(list(self.directory.iterdir()), [path])

    def test_what_is_called_wrongly_is_told(self):
        for words in (("export",), ("import",), ("export", "a", "--from", "b", "-e", "h:1"),
                      ("export", "a", "--from", "b", "--timeout", "60s"),
                      ("export", "a", "--from", "b", "--show-curl"),
                      ("import", "a", "--show-curl"), ("import", "a", "b")):
            self.refuse([f"pontoon {words[0]} --help"], *words, status=USAGE)


if __name__ == "__main__":
    harness.main()
