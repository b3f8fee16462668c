#!/usr/bin/env python3
"""pontoon bench: there are figures, its keys are gone afterwards, and what fails is counted."""

import json
import os
import pty
import signal
import subprocess

import harness
from harness import wait_until

USAGE, FAILED, UNAVAILABLE = 2, 1, 5
QUANTILES = ["min", "p50", "p90", "p99", "p999", "max"]


class Bench(harness.TestCase):
    def bench(self, nodes, *words, status=0, seconds=120):
        endpoints = ",".join(f"127.0.0.1:{node.port}" for node in nodes)
        found = harness.run("bench", endpoints, *words, seconds=seconds)
        self.assertEqual(found[0], status, found)
        return found[1], found[2]

    def bench_json(self, nodes, *words, **more):
        told = json.loads(self.bench(nodes, "-o", "json", *words, **more)[0])
        return told, {phase["phase"]: phase for phase in told["phases"]}

    def begin(self, nodes, *words, **more):
        """A bench that goes on while the test does."""
        endpoints = ",".join(f"127.0.0.1:{node.port}" for node in nodes)
        process = subprocess.Popen(
            harness.command("bench", "-e", endpoints, *words), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=more.pop("stderr", subprocess.PIPE), text=True,
            env=harness.environment())
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.kill)
        return process

    def assert_figures(self, figures, seconds):
        self.assertGreater(figures["requests"], 0)
        self.assertAlmostEqual(figures["rate"], figures["requests"] / seconds,
                               delta=figures["rate"] / 100)
        self.assertGreater(figures["mb_per_second"], 0)
        times = [figures["latency_us"][name] for name in QUANTILES]
        self.assertEqual(times, sorted(times))
        self.assertGreater(times[0], 0)
        self.assertEqual(sum(row["count"] for row in figures["histogram"]), figures["requests"])
        self.assertEqual((figures["failed"], figures["failures"]), (0, {}))


class Figures(Bench):
    def test_three_loads_of_three_nodes(self):
        nodes = self.cluster(3)
        for number in range(10):
            nodes[0].put(f"/kv/pontoon-bench/{number}", b"mine")
        told, phases = self.bench_json(nodes, "--duration", "500ms", "--keys", "200")
        self.assertEqual(list(phases), ["fill", "put", "get", "mixed", "remove"])
        for phase, operations in (("put", ["put"]), ("get", ["get"]), ("mixed", ["put", "get"])):
            seconds = phases[phase]["seconds"]
            self.assertGreaterEqual(seconds, 0.45)
            for operation in operations:
                self.assert_figures(phases[phase][operation], seconds)
            self.assertGreater(phases[phase]["tool_cpu_us_per_request"], 0)
        self.assertEqual(phases["fill"]["put"]["requests"], 200)
        self.assertEqual(phases["remove"]["delete"]["requests"], 200)
        self.assertEqual((told["keys_left"], told["is_interrupted"]), (0, False))
        self.assertEqual(told["connections"], 64)
        # The other keys are as they were, and no key is left.
        nodes.settle()
        self.assertEqual(nodes[1].stats()["keys"], 10)
        for number in range(10):
            self.assertEqual(nodes[2].get(f"/kv/pontoon-bench/{number}").body, b"mine")

    def test_what_people_read(self):
        node = self.cluster(1)[0]
        out, errors = self.bench([node], "--duration", "200ms", "--keys", "50", "--connections=4")
        for words in ("4 connections, 50 keys, values of 256 bytes, linearizable gets", "\nput  ",
                      "\nget  ", "\nmixed put ", "\nmixed get ", "p99.9", "<= "):
            self.assertIn(words, out)
        self.assertNotIn("failed", out)
        self.assertNotIn("\033", out + errors)

    def test_sizes_keys_and_a_prefix_of_ones_own(self):
        node = self.cluster(1)[0]
        told, phases = self.bench_json(
            [node], "--operation=mixed", "--duration=300ms", "--keys=7", "--value-bytes=100KiB",
            "--prefix=my own/", "--keep", "-c", "3")
        self.assertEqual(list(phases), ["fill", "mixed"])
        self.assertTrue(told["prefix"].startswith("my own/"))
        self.assertEqual((told["keys_left"], node.stats()["keys"]), (7, 7))
        for number in range(7):
            value = node.get(harness.quote(told["prefix"].encode() + b"%010d" % number))
            self.assertEqual((value.status, len(value.body)), (200, 100 << 10))
        for size in ("0", "1", "15"):
            told, phases = self.bench_json([node], "--duration=100ms", "--value-bytes", size)
            self.assertEqual(phases["get"]["get"]["failed"], 0)
        self.assertEqual(node.stats()["keys"], 7)

    def test_stale_gets_need_no_leader(self):
        nodes = self.cluster(3)
        process = self.begin([nodes[0]], "--operation=get", "--consistency=stale", "-o", "json",
                             "--duration=3s", "--keys=100", "--keep")
        # Once the keys are there, and known to be, this node alone answers.
        wait_until(lambda: nodes[0].stats()["http"]["requests"] > 1000, 30, "it is at work")
        for node in nodes.others(nodes[0]):
            node.kill()
        out, errors = process.communicate(timeout=60)
        told = json.loads(out)
        figures = {phase["phase"]: phase for phase in told["phases"]}["get"]["get"]
        self.assertEqual(figures["failures"], {}, errors)
        self.assertEqual(process.returncode, 0, errors)
        self.assertGreater(figures["requests"], 100)
        for node in nodes.others(nodes[0]):
            node.start()
        nodes.wait_ready()

    def test_a_terminal_sees_how_far_it_is(self):
        node = self.cluster(1)[0]
        ours, its = pty.openpty()
        process = self.begin([node], "--operation=put", "--duration=1500ms", stderr=its)
        os.close(its)
        out, _ = process.communicate(timeout=60)
        told = os.read(ours, 1 << 16).decode()
        os.close(ours)
        self.assertEqual(process.returncode, 0)
        self.assertRegex(told, r"\r\033\[Kput: 1 s of 2 s, \d+/s\r\033\[K")
        self.assertNotIn("\033", out)


class Failures(Bench):
    def test_an_interrupt_cleans_up_and_prints_what_there_is(self):
        node = self.cluster(1)[0]
        node.put("/kv/mine", b"1")
        for number in (signal.SIGINT, signal.SIGTERM):
            process = self.begin([node], "--duration=60s", "--keys=300")
            goal = node.stats()["revision"] + 1000
            wait_until(lambda: node.stats()["revision"] > goal, 60, "it is at work")
            process.send_signal(number)
            out, errors = process.communicate(timeout=60)
            self.assertEqual(process.returncode, -number, errors)
            self.assertRegex(out, r"\nput +\d+ requests in ")
            self.assertNotIn("\nget", out)
            self.assertIn("interrupted", errors)
            self.assertEqual(node.stats()["keys"], 1)

    def test_a_second_interrupt_ends_it_at_once(self):
        nodes = self.cluster(3)
        node = nodes[0]
        process = self.begin([node], "--duration=60s", "--keys=300", "--timeout=60s")
        wait_until(lambda: node.stats()["revision"] > 1000, 60, "it is at work")
        node.suspend()  # so that the keys cannot be removed
        process.send_signal(signal.SIGINT)
        self.assertIn("interrupted", process.stderr.readline())
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
        self.assertEqual(process.returncode, -signal.SIGINT)
        node.resume()

    def test_without_a_leader_refusals_are_counted(self):
        nodes = self.cluster(3, request_timeout="500ms")
        process = self.begin([nodes[0]], "-o", "json", "--operation=put", "--duration=6s",
                             "--keys=50", "--timeout=4s")
        wait_until(lambda: nodes[0].stats()["revision"] > 100, 60, "it is at work")
        for node in nodes.others(nodes[0]):
            node.kill()
        out, errors = process.communicate(timeout=60)
        told = json.loads(out)
        put = {phase["phase"]: phase for phase in told["phases"]}["put"]["put"]
        self.assertEqual(process.returncode, UNAVAILABLE, errors)
        self.assertGreater(put["requests"], 0)
        self.assertGreater(put["failed"], 0)
        self.assertTrue(any(cause.startswith("50") for cause in put["failures"]), put["failures"])
        self.assertEqual(told["keys_left"], 50)
        self.assertIn(f'keys are left under "{told["prefix"]}"', errors)
        for node in nodes.others(nodes[0]):
            node.start()
        nodes.wait_ready()

    def test_a_member_that_goes_meanwhile_is_counted_and_survived(self):
        nodes = self.cluster(3)
        process = self.begin(nodes, "-o", "json", "--operation=mixed", "--duration=5s",
                             "--keys=200")
        wait_until(lambda: nodes[0].stats()["revision"] > 1000, 60, "it is at work")
        gone = nodes.leader()
        gone.kill()
        out, errors = process.communicate(timeout=60)
        told = json.loads(out)
        self.assertEqual(process.returncode, FAILED, errors)
        self.assertIn("requests failed", errors)
        self.assertEqual(told["keys_left"], 0)
        mixed = {phase["phase"]: phase for phase in told["phases"]}["mixed"]
        causes = {**mixed["put"]["failures"], **mixed["get"]["failures"]}
        self.assertNotIn("wrong value", causes)
        self.assertTrue({"Connection refused", "it closed the connection"} & set(causes), causes)
        gone.start().wait_ready()
        self.assertEqual(nodes.settle()[0]["keys"], 0)

    def test_a_value_that_is_not_taken_ends_it(self):
        node = self.cluster(1, max_value_bytes="1KiB")[0]
        _, errors = self.bench([node], "--value-bytes=2KiB", status=FAILED)
        self.assertIn("too large", errors)
        self.assertEqual(node.stats()["keys"], 0)

    def test_nobody_there_is_told_at_once(self):
        node = self.cluster(1)[0]
        node.stop()
        out, errors = self.bench([node], status=UNAVAILABLE, seconds=10)
        self.assertEqual(out, "")
        self.assertIn("Connection refused", errors)
        self.assertIn(str(node.port), errors)

    def test_what_is_called_wrongly_is_told(self):
        for words, said in ((("--duration", "5"), "is not a duration"),
                            (("--duration", "1ms"), "100ms to 24h"),
                            (("--value-bytes", "lots"), "is not a size"),
                            (("--value-bytes", "65MiB"), "at most 64MiB"),
                            (("--value-bytes", "64MiB"), "at most 1GiB"),
                            (("--connections", "0"), "1 to 4096"),
                            (("--keys", "0"), "1 to 10000000"),
                            (("--operation", "delete"), "is not all|put|get|mixed"),
                            (("--prefix", "p" * 401), "at most 400 bytes"),
                            (("--operation=put", "--consistency=stale"), "there are none"),
                            (("--show-curl",), "many requests"),
                            (("--conections", "3"), "did you mean --connections"),
                            (("-e", "https://a"), "http, not https"),
                            (("127.0.0.1:3000", "-e", "127.0.0.1:3000"), "named once")):
            status, out, errors = harness.run("bench", *words)
            self.assertEqual((status, out), (USAGE, ""), words)
            self.assertIn(said, errors)
            self.assertIn("pontoon bench --help", errors)


if __name__ == "__main__":
    harness.main()
