"""Many clients of one node in a process of their own, which ask for more than it can do.

F1  Each connection has so many requests under way, and sends the next as soon as one is answered,
    a refused one, too: nobody here heeds Retry-After. One that the node has closed is opened anew.
F2  A refusal has to be one: 429 or 503 with Retry-After and a document that says what was full and
    that nothing was applied. Anything else that is not success is a fault, and is told.
"""

import json
import multiprocessing
import selectors
import socket
import statistics
import time

import harness

REFUSALS = (429, 503)
FAULTS_TOLD = 5


class Client:
    """One connection; `request` is what it says again and again."""

    def __init__(self, flood, number):
        self.flood, self.number = flood, number
        self.open()

    def open(self):
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.flood.receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.flood.receive_bytes)
        self.socket.connect_ex((harness.Node.host, self.flood.port))
        self.out, self.held, self.skip, self.sent = b"", b"", 0, []
        self.events = selectors.EVENT_WRITE
        self.flood.selector.register(self.socket, self.events, self)
        self.is_closing = False
        self.fill()

    def fill(self):
        requests = []
        while len(self.sent) < self.flood.pipeline and self.flood.is_on():
            self.sent.append(time.monotonic())
            requests.append(self.flood.request(self.number))
        self.out = b"".join([bytes(self.out), *requests]) if requests else self.out

    def watch(self):
        events = (selectors.EVENT_WRITE if len(self.out) > 0 else 0) \
            | (selectors.EVENT_READ if self.flood.is_reading() else 0)
        events = events or selectors.EVENT_WRITE
        if events != self.events:
            self.events = events
            self.flood.selector.modify(self.socket, events, self)

    def turn(self, mask):
        try:
            if mask & selectors.EVENT_WRITE and len(self.out) > 0:
                self.out = memoryview(self.out)[self.socket.send(self.out):]
            if mask & selectors.EVENT_READ:
                self.receive()
            self.fill()
            self.watch()
        except BlockingIOError:
            pass
        except OSError:
            self.close()

    def receive(self):
        data = self.socket.recv(1 << 20)
        if not data:
            raise ConnectionResetError
        while data:
            if self.skip > 0:
                used = min(self.skip, len(data))
                self.skip -= used
                data = data[used:]
                continue
            self.held += data
            data = b""
            while self.skip == 0 and b"\r\n\r\n" in self.held:
                head, rest = self.held.split(b"\r\n\r\n", 1)
                status = int(head[9:12])
                size = int(head.lower().split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0])
                if status >= 300 and len(rest) < size:
                    return  # its document is looked at as a whole
                self.flood.answered(status, head, rest[:size], time.monotonic() - self.sent.pop(0))
                self.skip = max(0, size - len(rest))
                self.held = rest[size:]

    def close(self):
        self.flood.selector.unregister(self.socket)
        self.socket.close()
        self.flood.lost += len(self.sent)
        self.sent = []
        if self.flood.is_on():
            self.open()
        else:
            self.socket = None


class Flood:
    """`count` clients for so many seconds; `request(number)` makes what one of them asks next. They
    read nothing in the first `late_seconds`."""

    def __init__(self, port, count, seconds, request, pipeline=1, late_seconds=0, receive_bytes=0):
        self.port, self.count, self.seconds, self.request = port, count, seconds, request
        self.pipeline, self.late_seconds = pipeline, late_seconds
        self.receive_bytes = receive_bytes
        self.latencies, self.statuses, self.faults, self.details = [], {}, [], {}
        self.lost = 0

    def start(self):
        context = multiprocessing.get_context("fork")
        self.pipe, child = context.Pipe(duplex=False)
        self.process = context.Process(target=self.run, args=(child,), daemon=True)
        self.process.start()
        child.close()
        return self

    def result(self):
        """What became of it, once it is over."""
        found = self.pipe.recv()
        self.process.join()
        return found

    def is_on(self):
        return time.monotonic() < self.end

    def is_reading(self):
        return time.monotonic() >= self.reads_from

    def answered(self, status, head, document, took):
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if status in (200, 201, 404):
            self.latencies.append(took)
        elif status in REFUSALS:
            self.check_refusal(head, document)
        elif len(self.faults) < FAULTS_TOLD:
            self.faults.append(f"{status}: {document[:400]!r}")

    def check_refusal(self, head, document):
        found = json.loads(document)
        self.details[found["detail"]] = self.details.get(found["detail"], 0) + 1
        is_right = b"\r\nRetry-After: " in head and found.get("outcome", "") == "not-applied" \
            and b"application/problem+json" in head
        if not is_right and len(self.faults) < FAULTS_TOLD:
            self.faults.append(f"{head!r} {document[:400]!r}")

    def run(self, pipe):
        self.selector = selectors.EpollSelector()
        begin = time.monotonic()
        self.end, self.reads_from = begin + self.seconds, begin + self.late_seconds
        clients = [Client(self, number) for number in range(self.count)]
        give_up = self.end + 10
        while time.monotonic() < give_up and (self.is_on() or any(
                client.sent for client in clients)):
            if self.late_seconds and self.is_reading():
                self.late_seconds = 0
                for client in clients:
                    client.watch()
            for key, mask in self.selector.select(0.05):
                key.data.turn(mask)
        quantiles = statistics.quantiles(self.latencies, n=100) if len(self.latencies) > 1 else []
        pipe.send({"accepted": len(self.latencies), "statuses": self.statuses,
                   "p50": quantiles[49] if quantiles else None,
                   "p99": quantiles[98] if quantiles else None,
                   "max": max(self.latencies, default=None), "faults": self.faults,
                   "details": self.details, "lost": self.lost,
                   "unanswered": sum(len(client.sent) for client in clients)})
