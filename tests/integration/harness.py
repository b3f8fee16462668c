"""What the whole-system tests share: real nodes, real sockets, deadlines instead of sleeps.

I1  Nothing survives a test. Each node is the leader of its own session and is killed with this
    process, whatever that one dies of; so nodes are started from threads that outlive them.
I2  A node that a test leaves running is ended with SIGTERM and has to exit with 0: that is where a
    sanitizer tells of its leaks. A node that ends by itself fails the test.
I3  Nothing sleeps in place of a condition: wait_until polls one, with a deadline.
I4  Ports are from below the range out of which the kernel takes those of outgoing connections: a
    node that is down must find its port free when it comes back.

README.md tells how to run one test, with which seed, at which scale.
"""

import atexit
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PROGRAM = Path(os.environ.get("PONTOON", ROOT / "build" / "pontoon")).resolve()
SCALE = os.environ.get("PONTOON_TEST_SCALE", "quick")
SEED = int(os.environ.get("PONTOON_TEST_SEED", 0)) or random.SystemRandom().getrandbits(48)

SKIPPED = 77  # ctest's SKIP_RETURN_CODE

START_SECONDS = 30
STOP_SECONDS = 30
LOG_LINES_SHOWN = 40

if SCALE not in ("quick", "full"):
    raise SystemExit(f'PONTOON_TEST_SCALE is "quick" or "full", not "{SCALE}"')


def pick(quick, full):
    """The amount of something at this scale."""
    return full if SCALE == "full" else quick


def rng(name):
    """A generator of its own for each use, so that one's draws do not move another's."""
    return random.Random(f"{SEED}/{name}")


def say(text):
    print(text, flush=True)


def wait_until(condition, seconds, what):
    """The condition's first true value; AssertionError with `what` when time is up."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


# ---- the program -------------------------------------------------------------------------------


def is_sanitized():
    """Whether the program is built with a sanitizer, whose pace says nothing about ours."""
    if not hasattr(is_sanitized, "known"):
        text = PROGRAM.read_bytes()
        is_sanitized.known = b"__asan_init" in text or b"__tsan_init" in text
    return is_sanitized.known


def environment(**more):
    """This process's environment without our own variables, which the program would read."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PONTOON")}
    clean.setdefault("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=1")
    clean.setdefault("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1")
    clean.setdefault("TSAN_OPTIONS", "halt_on_error=1")
    clean.update(more)
    return clean


def command(*arguments):
    """The program's command line; SIGKILL for it when our thread dies (I1)."""
    return ["setpriv", "--pdeathsig", "KILL", str(PROGRAM), *map(str, arguments)]


def run(*arguments, seconds=START_SECONDS, env=None, cwd=None):
    """Runs the program to its end: (exit status, stdout, stderr)."""
    done = subprocess.run(command(*arguments), capture_output=True, text=True, timeout=seconds,
                          stdin=subprocess.DEVNULL, env=env or environment(), cwd=cwd)
    return done.returncode, done.stdout, done.stderr


def curl(*arguments, seconds=60, cwd=None):
    """Runs curl: (exit status, stdout as bytes, stderr as bytes)."""
    done = subprocess.run(["curl", *map(str, arguments)], capture_output=True, timeout=seconds,
                          stdin=subprocess.DEVNULL, cwd=cwd)
    return done.returncode, done.stdout, done.stderr


# ---- ports and directories ---------------------------------------------------------------------


class Ports:
    """A block of ports that no other test run takes: the socket on its first one is the lock."""

    FIRST, LAST, BLOCK = 10000, 31000, 100

    def __init__(self):
        starts = list(range(self.FIRST, self.LAST, self.BLOCK))
        random.SystemRandom().shuffle(starts)
        for start in starts:
            self.guard = socket.socket()
            try:
                self.guard.bind(("127.0.0.1", start))
            except OSError:
                self.guard.close()
                continue
            self.start, self.used = start, 0
            return
        raise AssertionError("every block of ports is taken")

    def take(self):
        for _ in range(self.BLOCK - 1):
            self.used = self.used % (self.BLOCK - 1) + 1
            port = self.start + self.used
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                    return port
                except OSError:
                    pass  # someone else's
        raise AssertionError("no port is free in this block")


ports = Ports()


def new_directory(name, parent=None):
    """A directory that goes when the process ends, unless PONTOON_TEST_KEEP is set."""
    path = Path(tempfile.mkdtemp(prefix=f"pontoon-{name}-", dir=parent))
    if os.environ.get("PONTOON_TEST_KEEP"):
        say(f"kept: {path}")
    else:
        atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


# ---- HTTP --------------------------------------------------------------------------------------


class Response:
    """One answer. `headers` maps lower-case names to values; `fields` has them as they stood."""

    def __init__(self, status, reason, fields, body):
        self.status, self.reason, self.fields, self.body = status, reason, fields, body
        self.headers = {name.lower(): value for name, value in fields}

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.body[:200]!r}>"


class Closed(Exception):
    """The other side closed the connection where an answer was due."""


class Connection:
    """A client connection that says exactly the bytes it is given."""

    def __init__(self, port, seconds=20, host="127.0.0.1"):
        self.socket = socket.create_connection((host, port), timeout=seconds)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.held = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def more(self):
        data = self.socket.recv(1 << 18)
        if not data:
            raise Closed(f"after {self.held[:200]!r}")
        self.held += data

    def take(self, size):
        while len(self.held) < size:
            self.more()
        data, self.held = self.held[:size], self.held[size:]
        return data

    def take_head(self):
        while b"\r\n\r\n" not in self.held:
            self.more()
        head, self.held = self.held.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        match = re.fullmatch(r"HTTP/1\.1 (\d{3}) ([^\r\n]*)", lines[0])
        assert match, f"not a status line: {lines[0]!r}"
        fields = [tuple(line.split(": ", 1)) for line in lines[1:]]
        return int(match.group(1)), match.group(2), fields

    def take_chunks(self):
        chunks = []
        while True:
            while b"\r\n" not in self.held:
                self.more()
            size, self.held = self.held.split(b"\r\n", 1)
            chunks.append(self.take(int(size, 16) + 2)[:-2])
            if not chunks[-1]:
                return b"".join(chunks)

    def receive(self, method="GET"):
        """The next answer that is not 100 Continue."""
        status = 100
        while status == 100:
            status, reason, fields = self.take_head()
        response = Response(status, reason, fields, b"")
        if method == "HEAD" or status in (204, 304):
            return response
        if response.headers.get("transfer-encoding") == "chunked":
            response.body = self.take_chunks()
        else:
            response.body = self.take(int(response.headers["content-length"]))
        return response

    def receive_end(self):
        """Whatever comes until the other side closes."""
        try:
            while True:
                self.more()
        except (Closed, ConnectionResetError):
            return self.held

    def request(self, method, target, body=None, headers=()):
        self.send(encode(method, target, body, headers))
        return self.receive(method)


def encode(method, target, body=None, headers=()):
    """A request as bytes; `headers` is a sequence of pairs."""
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost"]
    lines += [f"{name}: {value}" for name, value in headers]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + (body or b"")


def quote(key):
    """A key's path; every byte that is not plain is escaped."""
    return "/kv/" + urllib.parse.quote(key, safe="")


# ---- nodes -------------------------------------------------------------------------------------


class Node:
    """One process of the program, over all its lives: same id, same ports, same data."""

    host = "127.0.0.1"

    def __init__(self, number, directory, flags):
        self.id = number
        self.directory = Path(directory)
        self.data = self.directory / f"data-{number}"
        self.log_path = self.directory / f"node-{number}.log"
        self.port = ports.take()
        self.flags = dict(flags)
        self.environment = {}
        self.process = None
        self.is_suspended = False

    @property
    def url(self):
        return f"http://localhost:{self.port}"

    def start(self, stderr=None, **flags):
        """Starts it and returns at once; `flags` count for this life alone."""
        assert self.process is None, f"node {self.id} runs"
        given = {"id": self.id, "data": self.data, "listen": f"{self.host}:{self.port}"}
        given |= self.flags | flags
        arguments = [f"--{name.replace('_', '-')}={value}" for name, value in given.items()
                     if value is not None]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                command("serve", *arguments), stdin=subprocess.DEVNULL, stdout=log,
                stderr=stderr or log, env=environment(**self.environment),
                start_new_session=True)
        return self

    def send_signal(self, number):
        os.killpg(self.process.pid, number)

    def kill(self):
        """kill -9, in one blow; returns when it is gone."""
        self.check()
        self.send_signal(signal.SIGKILL)
        self.kill_done()

    def kill_done(self):
        self.process.wait()
        self.process, self.is_suspended = None, False

    def suspend(self):
        self.send_signal(signal.SIGSTOP)
        self.is_suspended = True
        state = re.compile(r"\) T ")
        wait_until(lambda: state.search(Path(f"/proc/{self.process.pid}/stat").read_text()), 5,
                   f"node {self.id} is stopped")

    def resume(self):
        self.is_suspended = False
        self.send_signal(signal.SIGCONT)

    def stop(self, number=signal.SIGTERM):
        """Ends it as a person would, and wants status 0 (I2)."""
        self.check()
        self.send_signal(number)
        self.end(0)

    def end(self, status, seconds=STOP_SECONDS):
        """Waits for it to end by itself, with `status`."""
        try:
            found = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"node {self.id} did not end within {seconds} s") from None
        self.process, self.is_suspended = None, False
        assert found == status, f"node {self.id} ended with {found}, not {status}"

    def check(self):
        """It has not ended by itself."""
        assert self.process is not None, f"node {self.id} was not started"
        status = self.process.poll()
        if status is not None:
            self.process = None
            raise AssertionError(f"node {self.id} ended by itself with {status}: "
                                 f"{self.last_line()}")

    def is_up(self):
        return self.process is not None and not self.is_suspended

    def connect(self, seconds=20):
        return Connection(self.port, seconds, self.host)

    def request(self, method, target, body=None, headers=(), seconds=20):
        """One request on a connection of its own."""
        with self.connect(seconds) as connection:
            return connection.request(method, target, body, headers)

    def get(self, target, **more):
        return self.request("GET", target, **more)

    def put(self, target, body, **more):
        return self.request("PUT", target, body, **more)

    def stats(self, seconds=20):
        return self.get("/stats", seconds=seconds).json()

    def metric(self, name):
        """The value of a metric; `name` has its labels, as they stand there."""
        text = self.get("/metrics").body.decode()
        return float(re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE).group(1))

    def is_ready(self):
        self.check()
        try:
            return self.get("/readyz", seconds=5).status == 200
        except OSError:
            return False
        except Closed:
            return False

    def wait_ready(self, seconds=START_SECONDS):
        wait_until(self.is_ready, seconds, f"node {self.id} is ready")
        return self

    def read_many(self, keys, query="?consistency=stale", window=64):
        """Reads keys (bytes), pipelined: yields (key, response) in order."""
        with self.connect() as connection:
            for begin in range(0, len(keys), window):
                part = keys[begin:begin + window]
                connection.send(b"".join(encode("GET", quote(key) + query) for key in part))
                for key in part:
                    yield key, connection.receive()

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def last_line(self):
        """Of its log: where it says why it has ended."""
        return (self.log().splitlines() or [""])[-1]

    def report(self):
        """What a person wants to see of it when a test has failed."""
        lines = [f"---- node {self.id}: {self.url}, "
                 + ("down" if self.process is None else
                    f"pid {self.process.pid}{', stopped' if self.is_suspended else ''}")
                 + f", {self.log_path}"]
        lines += self.log().splitlines()[-LOG_LINES_SHOWN:]
        if self.is_up() and self.process.poll() is None:
            try:
                lines.append("/stats: " + json.dumps(self.stats(seconds=3)))
            except (OSError, Closed, ValueError) as problem:
                lines.append(f"/stats: {problem!r}")
        return "\n".join(lines)

    def destroy(self):
        """Ends whatever is left of it; nothing is checked."""
        if self.process is not None:
            try:
                self.send_signal(signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.process.wait()
            self.process = None


class Cluster:
    """Some nodes that know each other."""

    def __init__(self, size=1, name="cluster", **flags):
        self.directory = new_directory(name)
        self.flags = dict(flags)
        self.nodes = [self.new_node(number, flags) for number in range(1, size + 1)]
        self.is_failed = False
        if size > 1:
            self.members = ",".join(f"{node.id}={node.host}:{ports.take()}" for node in self.nodes)
            for node in self.nodes:
                node.flags["cluster"] = self.members
        atexit.register(self.destroy)

    def new_node(self, number, flags):
        return Node(number, self.directory, flags)

    def __getitem__(self, index):
        return self.nodes[index]

    def __iter__(self):
        return iter(self.nodes)

    def start(self):
        for node in self.nodes:
            node.start()
        return self.wait_ready()

    def joiner(self, number, by, **flags):
        """One more node, not started: it will ask `by` who it is; `number` is for its files."""
        node = Node(number, self.directory, self.flags)
        node.flags.update(id=None, join=by.url, peer_listen=f"127.0.0.1:{ports.take()}")
        node.flags.update(flags)
        self.nodes.append(node)
        return node

    def wait_ready(self, seconds=START_SECONDS):
        for node in self.nodes:
            node.wait_ready(seconds)
        return self

    def leader(self, seconds=START_SECONDS):
        """The node that leads and knows it, of those that run."""
        def find():
            for node in self.nodes:
                if node.is_up():
                    node.check()
                    try:
                        if node.get("/leader", seconds=5).status == 200:
                            return node
                    except (OSError, Closed):
                        pass  # it may be starting
            return None
        return wait_until(find, seconds, "a node leads")

    def others(self, *nodes):
        return [node for node in self.nodes if node not in nodes]

    def kill(self):
        """kill -9 for all of them at once."""
        for node in self.nodes:
            node.check()
        for node in self.nodes:
            node.send_signal(signal.SIGKILL)
        for node in self.nodes:
            node.kill_done()

    def settle(self, seconds=60):
        """Waits until all have applied the same index; returns all their /stats of that moment."""
        def level():
            found = [node.stats() for node in self.nodes]
            indexes = {stats[name] for stats in found for name in ("applied_index", "last_index")}
            return found if len(indexes) == 1 else None
        return wait_until(level, seconds, "all nodes have applied the same index")

    def finish(self):
        """Ends what runs, and checks how it ends (I2)."""
        running = [node for node in self.nodes if node.process is not None]
        for node in running:
            node.check()
            if node.is_suspended:
                node.resume()
            node.send_signal(signal.SIGTERM)
        for node in running:
            node.end(0)

    def destroy(self):
        for node in self.nodes:
            node.destroy()

    def close(self):
        try:
            if not self.is_failed:
                self.finish()
        finally:
            self.destroy()


# ---- tests -------------------------------------------------------------------------------------


class TestCase(unittest.TestCase):
    """A test with clusters, of its own or of its class; each failure shows their nodes."""

    longMessage = True
    maxDiff = None
    clusters = ()  # of the class

    def cluster(self, size=1, start=True, **flags):
        """A cluster for this test alone."""
        cluster = Cluster(size, name=type(self).__name__, **flags)
        self.own = getattr(self, "own", []) + [cluster]
        self.addCleanup(cluster.close)
        return cluster.start() if start else cluster

    @classmethod
    def class_cluster(cls, size=1, **flags):
        """A cluster that the tests of a class share; for setUpClass."""
        cluster = Cluster(size, name=cls.__name__, **flags)
        cls.clusters = (*cls.clusters, cluster)
        cls.addClassCleanup(cluster.close)
        return cluster.start()

    def assert_problem(self, response, status, slug):
        """It is a problem document of this kind."""
        self.assertEqual(response.status, status, response)
        self.assertEqual(response.headers["content-type"], "application/problem+json")
        document = response.json()
        self.assertEqual((document["type"], document["status"]), (f"/problems/{slug}", status))
        self.assertTrue(document["title"] and document["detail"] and document["request_id"])
        self.assertTrue(response.body.endswith(b"}\n"), response.body)
        return document

    def show_nodes(self):
        """Once a cluster: its first failure is the one to look at."""
        for cluster in (*self.clusters, *getattr(self, "own", ())):
            for node in cluster if not cluster.is_failed else ():
                say(node.report())
            cluster.is_failed = True


class Result(unittest.TextTestResult):
    def addFailure(self, test, err):
        self.show(test)
        super().addFailure(test, err)

    def addError(self, test, err):
        self.show(test)
        super().addError(test, err)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.show(test)
        super().addSubTest(test, subtest, err)

    def show(self, test):
        if isinstance(test, TestCase):
            self.stream.flush()
            say(f"==== {test.id()} failed (seed {SEED}); its nodes:")
            test.show_nodes()


def main():
    """Runs the tests of the calling file: all, or those named on the command line.

    The status is 0, 1 if one failed, or SKIPPED if one said why it cannot be run here.
    """
    say(f"program {PROGRAM}, scale {SCALE}, seed {SEED} (PONTOON_TEST_SEED)")
    if not PROGRAM.exists():
        raise SystemExit(f"{PROGRAM} is not there: build it, or name it in PONTOON")
    for tool in ("curl", "setpriv"):
        if shutil.which(tool) is None:
            raise SystemExit(f"{tool} is not there: scripts/setup.sh test installs it")
    # A default SIGTERM would leave directories behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    runner = unittest.TextTestRunner(stream=sys.stdout, verbosity=2, resultclass=Result)
    result = unittest.main(module="__main__", testRunner=runner, exit=False).result
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(SKIPPED if result.skipped else 0)
