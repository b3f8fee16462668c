#!/usr/bin/env python3
"""The benchmark's load generator against a real node: what it counts, not how fast that is."""

import json
import os
import subprocess

import harness

LOAD = os.environ.get("BENCH_LOAD", harness.ROOT / "build" / "bench-load")
SECONDS = 60  # for what takes one
KEYS = 500


def load(port, **flags):
    """Runs it: (exit status, its line as an object, or what it said of an error)."""
    flags = {"address": f"127.0.0.1:{port}", "keys": KEYS, "warm-up": 0.1, "seconds": 0.3} | flags
    arguments = [word for name, value in flags.items() for word in (f"--{name}", str(value))]
    done = subprocess.run(["setpriv", "--pdeathsig", "KILL", str(LOAD), *arguments],
                          capture_output=True, text=True, timeout=SECONDS)
    return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr


class LoadGenerator(harness.TestCase):
    def setUp(self):
        self.node = self.cluster(1)[0]

    def revision(self):
        return self.node.stats()["revision"]

    def fill(self):
        status, result = load(self.node.port, operation="fill", connections=8)
        self.assertEqual((status, result["errors"]), (0, {}), result)
        return result

    def test_what_it_counts_was_done(self):
        before = self.revision()
        result = self.fill()
        self.assertEqual((result["ops"], result["answered"]), (KEYS, KEYS))
        self.assertEqual(self.revision() - before, KEYS)
        self.assertEqual(self.node.stats()["keys"], KEYS)
        for operation, pipeline in (("put", 1), ("put", 16), ("get", 16), ("mixed", 1)):
            before = self.revision()
            status, result = load(self.node.port, operation=operation, pipeline=pipeline)
            self.assertEqual((status, result["errors"]), (0, {}), result)
            self.assertTrue(0 < result["ops"] <= result["answered"], result)
            self.assertTrue(0 < result["p50_us"] <= result["p99_us"] <= result["max_us"], result)
            self.assertAlmostEqual(result["rate"], result["ops"] / result["seconds"],
                                   delta=result["rate"] / 1000)
            writes = self.revision() - before
            if operation == "put":
                self.assertEqual(writes, result["answered"])
            elif operation == "get":
                self.assertEqual(writes, 0)
            else:
                self.assertTrue(0 < writes < result["answered"] / 2, (writes, result))

    def test_a_count_ends_it(self):
        status, result = load(self.node.port, count=100, connections=7)
        self.assertEqual((status, result["ops"], self.revision()), (0, 100, 100), result)

    def test_a_failure_is_no_success(self):
        status, result = load(self.node.port, operation="get", count=100)
        self.assertEqual((status, result["ops"], result["errors"]), (1, 0, {"404": 100}))
        self.fill()
        self.node.put(f"/kv/key-{KEYS - 1:08}", b"another value")
        status, result = load(self.node.port, operation="get", count=20 * KEYS)
        self.assertEqual((status, list(result["errors"])), (1, ["wrong_value"]), result)
        self.assertEqual(result["ops"], 20 * KEYS - result["errors"]["wrong_value"])

    def test_what_it_cannot_reach_is_said(self):
        port = self.node.port
        self.node.stop()
        status, said = load(port)
        self.assertEqual(status, 2)
        self.assertIn("Connection refused", said)


if __name__ == "__main__":
    harness.main()
