"""One key under one writer and many readers: no read may be older than what was known before it."""

import threading
import time

import harness


class Register:
    """A key that is written and read without end. `acknowledged` is the revision of the newest
    write that its writer was told of; a read that begins later must not find an older one.

    Revisions tell, not values: a write whose client gave up may happen late, and rightly so."""

    def __init__(self):
        self.acknowledged = 0
        self.written = {}  # revision -> value, of acknowledged writes
        self.found = {}    # revision -> value, of reads
        self.is_over = threading.Event()
        self.failures = []
        self.times = {}    # node id -> moments of its answers with a value
        self.threads = []

    def start(self, nodes, readers=1):
        """One writer, which goes through the nodes, and so many readers at each of them."""
        self.times = {node.id: [] for node in nodes}
        jobs = [(self.write, nodes)] + [(self.read, node) for node in nodes] * readers
        self.threads = [threading.Thread(target=target, args=(argument,), daemon=True)
                        for target, argument in jobs]
        for thread in self.threads:
            thread.start()
        return self

    def stop(self):
        self.is_over.set()
        for thread in self.threads:
            thread.join(30)

    def write(self, nodes):
        number = 0
        while not self.is_over.is_set():
            for node in [node for node in nodes if node.is_up()]:
                number += 1
                try:
                    with node.connect(seconds=2) as connection:
                        response = connection.request("PUT", "/kv/register?timeout=1s",
                                                      b"%d" % number)
                except (OSError, harness.Closed):
                    continue
                if response.status in (200, 201):
                    revision = int(response.headers["kv-revision"])
                    self.written[revision] = b"%d" % number
                    self.acknowledged = max(self.acknowledged, revision)

    def read(self, node):
        try:
            while not self.is_over.is_set():
                try:
                    with node.connect(seconds=10) as connection:
                        while not self.is_over.is_set():
                            floor = self.acknowledged
                            response = connection.request("GET", "/kv/register?timeout=1s")
                            if self.judge(response, floor):
                                self.times[node.id].append(time.monotonic())
                except (OSError, harness.Closed):
                    self.is_over.wait(0.02)  # it is down
        except Exception as problem:
            self.failures.append(problem)

    def judge(self, response, floor):
        """Whether the answer is a value; it must be none that is older than `floor`."""
        if response.status == 503 or (response.status == 404 and floor == 0):
            return False
        if response.status != 200:
            raise AssertionError(response)
        revision = int(response.headers["etag"].strip('"'))
        if revision < floor:
            raise AssertionError(f"read revision {revision} after {floor} was acknowledged")
        if self.found.setdefault(revision, response.body) != response.body:
            raise AssertionError(f"revision {revision} was read with two values")
        return True

    def check_readers(self):
        """Not yet has a reader found anything wrong."""
        if self.failures:
            raise self.failures[0]

    def check(self):
        """At the end: what was read and what was written are the same."""
        self.check_readers()
        for revision in self.written.keys() & self.found.keys():
            if self.written[revision] != self.found[revision]:
                raise AssertionError(f"revision {revision} was read with another value")

    def summary(self):
        return f"{sum(len(found) for found in self.times.values())} reads, " \
               f"{len(self.written)} writes"
