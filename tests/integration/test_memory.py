#!/usr/bin/env python3
"""Under constant load resident memory stays where it is; what idle connections hold."""

import contextlib
import re
import resource
import statistics
import threading
import time
from pathlib import Path

import harness

SAMPLE_SECONDS = harness.pick(0.5, 5)
# Caches, the allocator's arenas and a sanitizer's quarantine fill by work done, not by time.
WARM_UP_REQUESTS = harness.pick(500_000, 2_000_000)
MEASURED_REQUESTS = WARM_UP_REQUESTS
MEASURED_SECONDS = harness.pick(10, 600)
KEYS = 2000
VALUE_BYTES = 256
# A quick run needs bounds that it reaches; a full one takes the default settings.
FLAGS = harness.pick(
    {"tail_bytes": "1MiB", "segment_size": "1MiB", "checkpoint_interval": "1s"}, {})
GROWTH_MAX = 0.10  # of the first half's median, over the second half
GROWTH_SPARE_BYTES = 2 << 20
IDLE_CONNECTIONS = 2000
# Of the process that has them, twice what was measured. The aim is 4 KiB; a sanitizer puts its own
# around each allocation, and keeps freed ones.
IDLE_BYTES_MAX = 4096 if harness.is_sanitized() else 1024
# A sanitizer keeps freed memory back; that has to have reached its bound, too.
SANITIZED = {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=1:quarantine_size_mb=1:"
                             "malloc_context_size=5"}
# A leak grows in each of them; what a busy machine let queue up does not.
MEASUREMENTS = 4


def anonymous_bytes(node):
    """Resident memory without what is mapped from files: LMDB's pages belong to the kernel."""
    text = Path(f"/proc/{node.process.pid}/status").read_text()
    return int(re.search(r"^RssAnon:\s+(\d+) kB", text, re.MULTILINE).group(1)) << 10


class Load:
    """Clients that write and read the same keys over and over, pipelined, until the end."""

    def __init__(self, cluster):
        self.is_over = threading.Event()
        self.count = 0
        self.failures = []
        self.threads = [threading.Thread(target=self.run, args=(node, number), daemon=True)
                        for node in cluster for number in range(2)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        for thread in self.threads:
            thread.join(30)

    def run(self, node, number):
        random = harness.rng(f"load-{node.id}-{number}")
        value = random.randbytes(VALUE_BYTES)
        try:
            with node.connect() as connection:
                while not self.is_over.is_set():
                    keys = [f"/kv/key-{random.randrange(KEYS)}" for _ in range(32)]
                    connection.send(b"".join(harness.encode("PUT", key, value)
                                             + harness.encode("GET", key) for key in keys))
                    for _ in range(2 * len(keys)):
                        response = connection.receive()
                        if response.status not in (200, 201, 404):
                            raise AssertionError(response)
                    self.count += 2 * len(keys)
        except Exception as problem:
            self.failures.append(problem)


class Memory(harness.TestCase):
    def test_resident_memory_is_flat_under_constant_load(self):
        cluster = self.cluster(3, start=False, **FLAGS)
        for node in cluster:
            node.environment = SANITIZED
        cluster.start()
        with Load(cluster) as load:
            self.sample(cluster, load, WARM_UP_REQUESTS, 0)
            growing = list(cluster)
            for _ in range(MEASUREMENTS):
                samples = self.sample(cluster, load, MEASURED_REQUESTS, MEASURED_SECONDS)
                growing = [node for node in growing if self.has_grown(node, samples[node])]
                if not growing:
                    return
        self.fail(f"the memory of {[node.id for node in growing]} grows and grows")

    def sample(self, cluster, load, requests, seconds):
        """What each node's memory was during at least so many requests and seconds."""
        samples = {node: [] for node in cluster}
        begin, before = time.monotonic(), load.count
        while load.count - before < requests or time.monotonic() - begin < seconds:
            if load.failures:
                raise load.failures[0]
            load.is_over.wait(SAMPLE_SECONDS)
            for node in cluster:
                samples[node].append(anonymous_bytes(node))
        harness.say(f"{load.count - before} requests in {time.monotonic() - begin:.1f} s")
        return samples

    def has_grown(self, node, found):
        """The second half, and a straight line through it, against the first half."""
        half = len(found) // 2
        first, second = statistics.median(found[:half]), found[half:]
        line = statistics.linear_regression(range(len(second)), second)
        growth = line.slope * len(second)
        harness.say(f"node {node.id}: {first / 2**20:.1f} MiB, then "
                    f"{statistics.median(second) / 2**20:.1f} MiB, at most "
                    f"{max(found) / 2**20:.1f} MiB; slope {growth / 2**20:+.2f} MiB over the "
                    f"second half")
        bound = GROWTH_MAX * first + GROWTH_SPARE_BYTES
        return growth >= bound or statistics.median(second) - first >= bound

    def test_idle_connections_hold_little(self):
        """Each has had a request answered, not all at once: that needs memory for another thing."""
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (IDLE_CONNECTIONS + 500, hard))
        cluster = self.cluster(1, start=False)
        node = cluster[0]
        node.environment = SANITIZED
        cluster.start()
        node.get("/kv/idle")
        sizes = [anonymous_bytes(node)]
        for _ in range(3):
            with contextlib.ExitStack() as stack:
                idle = [stack.enter_context(node.connect()) for _ in range(IDLE_CONNECTIONS)]
                for connection in idle:
                    self.assertEqual(connection.request("GET", "/kv/idle").status, 404)
                self.assertGreaterEqual(node.stats()["http"]["connections"], IDLE_CONNECTIONS)
                sizes.append(anonymous_bytes(node))
            harness.wait_until(lambda: node.stats()["http"]["connections"] == 1, 10,
                               "all of them are gone")
        each = [(size - sizes[0]) / IDLE_CONNECTIONS for size in sizes[1:]]
        harness.say("bytes an idle connection, opened anew each time: "
                    + ", ".join(f"{size:.0f}" for size in each))
        # Were anything of those before still held, the last ones would not fit.
        self.assertLess(max(each), IDLE_BYTES_MAX)


if __name__ == "__main__":
    harness.main()
