"""What clients saw of a handful of keys, for build/lincheck (sim/lincheck/README.md has the file).

H1  An operation was invoked before its first byte left, and has returned after its last came in.
H2  Each put writes a number that no other writes.
H3  A write of which nobody was told what became of it stays open: it may happen at any time. What
    the server says was not applied is written down as refused, and must never be seen.
H4  All writes to these keys are in the history: nothing else may write to them.
"""

import itertools
import os
import subprocess
import threading
import time
from pathlib import Path

import harness
from crew import Crew

CHECKER = Path(os.environ.get("PONTOON_LINCHECK", harness.ROOT / "build" / "lincheck")).resolve()
LEGAL, ILLEGAL = 0, 1  # its exit status


class History:
    def __init__(self, name, key_count=5):
        self.name, self.key_count = name, key_count
        self.lock = threading.Lock()
        self.lines = []
        self.values = itertools.count(1)
        self.clients = itertools.count(1)
        self.open_count = 0

    def target(self, key):
        return f"/kv/{self.name}-{key}"

    def add(self, kind, invoked, returned, **fields):
        words = [kind, f"time={invoked}..{returned or ''}"]
        words += [f"{name}={value}" for name, value in fields.items() if value is not None]
        with self.lock:
            self.lines.append(" ".join(words))
            self.open_count += returned is None

    def check(self, directory, expected=LEGAL):
        """Lets the checker judge all of it; nobody adds to it meanwhile. Returns what it said."""
        path = Path(directory) / f"{self.name}.history"
        path.write_text("\n".join(["pontoon-history 1", *self.lines]) + "\n")
        done = subprocess.run([CHECKER, path], capture_output=True, text=True, timeout=120)
        assert done.returncode == expected, f"{done.stdout}{done.stderr}(status {done.returncode})"
        return done.stdout


class Client:
    """One who asks one node, one thing after the other, and writes down what came of it."""

    def __init__(self, history, node, timeout_ms=1000, consistency="linearizable"):
        self.history, self.node = history, node
        self.number = next(history.clients)
        self.timeout_ms, self.consistency = timeout_ms, consistency
        self.connection = None

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def ask(self, kind, key):
        """One operation: "put", "get" or "delete". Its answer, or None: there was none."""
        target = f"{self.history.target(key)}?timeout={self.timeout_ms}ms"
        value = next(self.history.values) if kind == "put" else None
        if kind == "get":
            target += f"&consistency={self.consistency}"
        try:
            if self.connection is None:
                self.connection = self.node.connect(seconds=self.timeout_ms / 1000 + 1)
        except OSError:
            return None  # nothing was sent
        invoked = time.monotonic_ns()
        fields = {"client": self.number, "key": key}
        try:
            body = b"%d" % value if kind == "put" else None
            response = self.connection.request(kind.upper(), target, body)
        except (OSError, harness.Closed):
            self.close()
            if kind != "get":
                self.history.add(kind, invoked, None, value=value, **fields)
            return None
        self.note(kind, value, fields, invoked, response)
        return response

    def note(self, kind, value, fields, invoked, response):
        returned = time.monotonic_ns()
        found = response.headers
        if response.status in (503, 504):
            if kind != "get":  # a read without an answer says nothing
                is_open = response.json()["outcome"] == "unknown"
                assert is_open == (response.status == 504), response
                self.history.add(kind, invoked, None if is_open else returned, value=value,
                                 outcome=None if is_open else "refused", **fields)
            return
        statuses = {"put": (200, 201), "get": (200, 404), "delete": (200,)}[kind]
        assert response.status in statuses, response
        fields["revision"] = found["kv-revision"]
        if kind == "put":
            fields |= {"value": value, "existed": "no" if response.status == 201 else "yes"}
        elif kind == "delete":
            fields["existed"] = "yes" if found["kv-deleted"] == "1" else "no"
        elif response.status == 200:
            assert found["kv-consistency"] == self.consistency, response
            fields |= {"value": int(response.body), "written": found["etag"].strip('"')}
        self.history.add(kind, invoked, returned, **fields)


class Load(Crew):
    """Clients at each node, which write and read at random until the load is stopped."""

    PAUSE_SECONDS = 0.004  # so that they leave the machine to the nodes

    def __init__(self, history, nodes, clients_a_node=2):
        super().__init__()
        self.history = history
        self.answered = {}  # client -> moments of its answers that were no refusal
        for node in nodes:
            for _ in range(clients_a_node):
                client = Client(history, node)
                self.answered[client] = []
                self.add(self.ask, client)

    def ask(self, client):
        choose = harness.rng(f"{self.history.name}-client-{client.number}")
        try:
            while not self.is_over.is_set():
                kind = choose.choices(("get", "put", "delete"), (50, 45, 5))[0]
                response = client.ask(kind, choose.randrange(self.history.key_count))
                if response is not None and response.status < 500:
                    self.answered[client].append(time.monotonic())
                self.is_over.wait(self.PAUSE_SECONDS)
        finally:
            client.close()

    def wait_answers(self, count=5, seconds=20):
        """Each client has got so many more answers."""
        before = {client: len(moments) for client, moments in self.answered.items()}
        harness.wait_until(lambda: self.failures or all(
            len(moments) >= before[client] + count for client, moments in self.answered.items()),
            seconds, "every client is answered")
        self.check()
