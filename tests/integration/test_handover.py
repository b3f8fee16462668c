#!/usr/bin/env python3
"""Nodes are ended and started one after the other, and clients that retry once notice nothing."""

import signal
import statistics
import threading
import time

import harness

CLIENTS = 6
ROLLS = harness.pick(2, 10)   # each of them restarts every node
GAP_MAX_MS = 500              # on a machine that does other things too
GAP_MEDIAN_MAX_MS = 50        # what was promised


class Client:
    """Writes and reads through random nodes; what fails is tried once more, at another node."""

    def __init__(self, number, nodes):
        self.number, self.nodes = number, nodes
        self.connections = {}
        self.acknowledged = []  # moments at which writes were
        self.requests = 0
        self.retries = 0
        self.failures = []
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def attempt(self, node, method, target, body):
        """OK, or what went wrong, as text."""
        try:
            if node not in self.connections:
                self.connections[node] = node.connect(seconds=10)
            response = self.connections[node].request(method, target, body)
        except (OSError, harness.Closed) as problem:
            connection = self.connections.pop(node, None)
            if connection is not None:
                connection.close()
            return f"node {node.id}: {problem!r}"
        if response.headers.get("connection") == "close":
            self.connections.pop(node).close()
        if response.status in (200, 201, 204):
            return None
        return f"node {node.id}: {response}"

    def run(self):
        choose = harness.rng(f"client-{self.number}")
        while not self.is_over.is_set():
            is_write = choose.random() < 0.8 or self.requests == 0
            method, body = ("PUT", b"x" * 100) if is_write else ("GET", None)
            first, second = choose.sample(self.nodes, 2)
            problem = self.attempt(first, method, f"/kv/client-{self.number}", body)
            if problem is not None:
                self.retries += 1
                again = self.attempt(second, method, f"/kv/client-{self.number}", body)
                if again is not None:
                    self.failures.append(f"{method}: {problem}; then {again}")
            if is_write:
                self.acknowledged.append(time.monotonic())
            self.requests += 1
        for connection in self.connections.values():
            connection.close()

    def longest_gap_ms(self, begin, end):
        """Between two acknowledged writes, of those that have to do with [begin, end]."""
        moments = [at for at in self.acknowledged]
        return max((later - earlier) * 1000 for earlier, later in zip(moments, moments[1:])
                   if later >= begin and earlier <= end)


class Rolling(harness.TestCase):
    def setUp(self):
        self.nodes = self.cluster(3)
        self.clients = [Client(number, self.nodes.nodes) for number in range(CLIENTS)]
        for client in self.clients:
            client.thread.start()
        self.addCleanup(self.stop_clients)

    def stop_clients(self):
        for client in self.clients:
            client.is_over.set()
        for client in self.clients:
            client.thread.join(30)

    def wait_for_clients(self):
        """Each has begun and finished another request: none is left that met a node when down."""
        before = [client.requests for client in self.clients]
        harness.wait_until(
            lambda: all(client.requests > count + 1 for client, count in zip(self.clients, before)),
            30, "every client goes on")

    def restart(self, node):
        """Ends and starts it; the longest gap that a client saw if it led, else None."""
        self.wait_for_clients()
        is_leader = node is self.nodes.leader()
        began = time.monotonic()
        node.stop(signal.SIGTERM)
        ended = time.monotonic()
        node.start().wait_ready()
        self.wait_for_clients()
        if not is_leader:
            return None
        return max(client.longest_gap_ms(began, ended) for client in self.clients)

    def test_a_rolling_restart_fails_no_request_that_is_retried_once(self):
        gaps = []
        for _ in range(ROLLS):
            order = [self.nodes.leader()]  # it leads for sure; later ones may by then
            order += self.nodes.others(order[0])
            gaps += [gap for gap in map(self.restart, order) if gap is not None]
        self.stop_clients()
        requests = sum(client.requests for client in self.clients)
        retries = sum(client.retries for client in self.clients)
        harness.say(f"{requests} requests, {retries} retried; leader ended {len(gaps)} times, "
                    f"longest gap that any of {CLIENTS} clients saw between acknowledged writes: "
                    f"median {statistics.median(gaps):.0f} ms, max {max(gaps):.0f} ms")
        self.assertEqual([failure for client in self.clients for failure in client.failures], [])
        self.assertGreaterEqual(len(gaps), ROLLS)
        for node in self.nodes:
            self.assertNotIn("level=error", node.log())
        self.assertLess(statistics.median(gaps), GAP_MAX_MS, gaps)
        if harness.SCALE == "full" and not harness.is_sanitized():
            self.assertLessEqual(statistics.median(gaps), GAP_MEDIAN_MAX_MS, gaps)


if __name__ == "__main__":
    harness.main()
