#!/usr/bin/env python3
"""The benchmark's load generator against a real node, and a tiny run of the whole benchmark.

Nothing here looks at how fast anything is.
"""

import csv
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree

import harness

BENCH = harness.ROOT / "tests" / "bench"
LOAD = os.environ.get("BENCH_LOAD", harness.ROOT / "build" / "bench-load")
SECONDS = 60  # for what takes one
KEYS = 500

sys.path.insert(0, str(BENCH))
import flame  # noqa: E402
import report  # noqa: E402


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
            # From the first request on: a machine that stands still for longer than the window is
            # open must not leave it empty.
            status, result = load(self.node.port, operation=operation, pipeline=pipeline,
                                  **{"warm-up": 0})
            self.assertEqual((status, result["errors"]), (0, {}), result)
            self.assertTrue(0 < result["ops"] == result["answered"], result)
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

    def test_what_warms_up_is_not_counted(self):
        status, result = load(self.node.port)
        self.assertEqual((status, result["errors"]), (0, {}), result)
        self.assertTrue(result["ops"] < result["answered"] == self.revision(), result)

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


class Benchmark(harness.TestCase):
    def bench(self, *arguments, **environment):
        """A tiny run that has to end well; what it prints."""
        done = subprocess.run(
            ["setpriv", "--pdeathsig", "KILL", sys.executable, "-B", str(BENCH / "bench.py"),
             "--program", str(harness.PROGRAM), "--rounds", "1", "--seconds", "0.2",
             "--warm-up", "0.1", *map(str, arguments)],
            capture_output=True, text=True, timeout=SECONDS, env=harness.environment(**environment))
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        return done.stdout

    def test_a_run_from_start_to_charts(self):
        out = harness.new_directory("bench")
        printed = self.bench("--peers", "pontoon", "pontoon-1", "--operations", "put",
                             "--connections", 64, "--keys", 100, "--out", out)
        with open(out / "rounds.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        # Two peers, without a pipeline and with one.
        self.assertEqual(len({(row["peer"], row["pipeline"]) for row in rows}), 4)
        self.assertTrue(all(float(row["rate"]) > 0 and row["errors"] == "0" for row in rows), rows)
        self.assertIn("4. put 64: rate with 16 on their way over with 1", printed)
        self.assertEqual((out / "report.txt").read_text(), printed)
        for name in ("rates", "cpu"):
            xml.etree.ElementTree.parse(out / f"{name}.svg")

    def test_the_cost_of_a_put_and_a_get(self):
        out = harness.new_directory("cost")
        printed = self.bench("--cost", "--operations", "put", "get", "--keys", 100, "--out", out)
        cost = (out / "cost.txt").read_text()
        for words in ("put, 64 connections: ", "leader's loop ", "follower's loop ",
                      "from its proposal until a majority has it ", "writes a batch ",
                      "get, 64 connections: ", "until its read index is confirmed "):
            self.assertRegex(cost, re.escape(words) + r" *\d")
            self.assertIn(words, printed)
        # Where perf is, and may look.
        drawn = len(list(out.glob("*.svg")))
        self.assertEqual(drawn + printed.count("no flame graph: "), 2)
        self.assertEqual(cost.count("leader's loop: answers sent to clients "), drawn)

    def test_a_flame_graph_has_what_is_wide_enough(self):
        stacks = {("loop", "ours", "entry_SYSCALL_64", "tcp<send>"): 500, ("loop", "uv_run"): 300,
                  ("log",): 199, ("loop", "ours", "rare"): 1}
        picture = xml.etree.ElementTree.fromstring(flame.svg(stacks, "a & b"))
        name = "{http://www.w3.org/2000/svg}"
        boxes = {group.find(f"{name}title").text: group.find(f"{name}rect")
                 for group in picture.iter(f"{name}g")}
        self.assertEqual(list(boxes), ["loop: 80.1 %", "ours: 50.1 %", "entry_SYSCALL_64: 50.0 %",
                                       "tcp<send>: 50.0 %", "uv_run: 30.0 %", "log: 19.9 %"])
        fills = [box.get("fill") for box in boxes.values()]
        self.assertEqual(fills, [flame.THREAD, flame.OURS, flame.KERNEL, flame.KERNEL,
                                 flame.LIBRARY, flame.THREAD])
        self.assertIn("a & b", "".join(picture.itertext()))

    def test_idle_connections(self):
        # Long enough that a disk which halts for a moment leaves something to compare.
        printed = self.bench("--idle", 20, "--keys", 100, "--operations", "put", "--seconds", 1)
        self.assertRegex(printed, r"7\. kB of the process an idle connection +-?\d+\.\d+  at most")
        self.assertRegex(printed, r"7\. put: CPU with them over without .* 1 round")

    def test_many_keys(self):
        printed = self.bench("--scale", "20k", PONTOON_CHECKPOINT_INTERVAL="500ms")
        for words in ("put: CPU with 100 times the keys", "20,000 keys, loaded: MB of its own",
                      "20,000 keys, filled: bytes over LMDB's",
                      "20,000 keys: seconds until ready after SIGKILL"):
            self.assertRegex(printed, rf"6\. {words}.* (?!0\.000 )\d+\.\d{{3}}  at most")

    def test_a_goal_is_the_median_of_the_rounds_ratios(self):
        point = ("put", 64, 1)
        results = report.Results([], [point])
        for number, ours, theirs in ((1, 900, 100), (2, 100, 100), (3, 8200, 1000)):
            for peer, rate in (("pontoon", ours), ("etcd-grpc", theirs)):
                is_ours = peer == "pontoon"
                results.add({"peer": peer, "round": number, "operation": "put", "connections": 64,
                             "pipeline": 1, "rate": rate, "p99_ms": 10.0 if is_ours else 25.0,
                             "server_cpu_us": 10.0 if is_ours else 120.0})
            results.add({"peer": "pontoon", "round": number, "operation": "put", "connections": 1,
                         "pipeline": 1, "p50_ms": number / 10})
        limits = {number: {"two_syncs_us": 30, "round_trip_us": 10, "round_trip_apart_us": 35}
                  for number in (1, 2, 3)}
        lines = [" ".join(line.split()) for line in report.goals(results, limits)]
        trips = "3. put 1: p50 over a sync and two round trips"
        self.assertEqual(lines, [
            "1. put 64: rate over etcd's (gRPC) 8.200 at least 8 reached, 1.02x as good 3 rounds",
            "1. put 64: p99 over etcd's (gRPC) 0.400 at most 0.2 MISSED by 2.00x 3 rounds",
            "2. put 64: server CPU over etcd's (gRPC) 0.083 at most 0.0833 reached, 1.00x as good"
            " 3 rounds",
            f"{trips} (as placed) 4.000 at most 2 MISSED by 2.00x 3 rounds",
            f"{trips} (apart) 2.000 at most 2 reached, 1.00x as good 3 rounds"])


if __name__ == "__main__":
    harness.main()
