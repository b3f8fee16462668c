"""How long small requests take."""

import statistics
import threading
import time

import harness

CLIENTS_A_NODE = 2
PAUSE_SECONDS = 0.003


class Meter:
    """Clients at some nodes, and how long their requests take."""

    def __init__(self, nodes, requests=(("PUT", b"x" * 100), ("GET", None))):
        self.requests = requests
        self.latencies = []
        self.failures = []
        self.is_over = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(node, number), daemon=True)
                        for number, node in enumerate(nodes * CLIENTS_A_NODE)]

    def measure(self, seconds):
        """Runs for so long; the 99th percentile of the latencies."""
        for thread in self.threads:
            thread.start()
        self.is_over.wait(seconds)
        self.is_over.set()
        for thread in self.threads:
            thread.join(30)
        return statistics.quantiles(self.latencies, n=100)[98]

    def run(self, node, number):
        choose = harness.rng(f"meter-{number}")
        try:
            with node.connect() as connection:
                while not self.is_over.is_set():
                    method, body = choose.choice(self.requests)
                    began = time.monotonic()
                    response = connection.request(method, f"/kv/meter-{number}", body)
                    self.latencies.append(time.monotonic() - began)
                    assert response.status in (200, 201, 404), response
                    self.is_over.wait(PAUSE_SECONDS)
        except Exception as problem:
            self.failures.append(problem)
