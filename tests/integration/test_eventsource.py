#!/usr/bin/env python3
"""The EventSource of others, unmodified, on a watch while its node dies and comes back.

The npm package `eventsource`, and that of a headless Chromium. And what a browser lets pages of
other origins do.
"""

import json
import socketserver
import subprocess
import threading
import unittest

import browser
import harness
from harness import wait_until

PACKAGES = harness.ROOT / "build" / "clients" / "npm" / "node_modules"
CLOSED = 2  # EventSource.readyState: it has given up
EVENTS_BETWEEN = 100
KEYS = 20

# What runs in a page. It keeps records as eventsource.mjs writes them.
WATCH_SCRIPT = """
var records = [];
var source = new EventSource("/watch?prefix=feed/&initial=1");
source.onopen = () => records.push(["open"]);
source.onerror = () => records.push(["error", source.readyState]);
for (const kind of ["put", "delete", "expire", "progress", "synced", "reset"]) {
    source.addEventListener(kind, (event) => records.push([kind, event.lastEventId, event.data]));
}
"""


class Writer(threading.Thread):
    """Writes 0, 1, 2, …, each once (that is what the keys are for), at whichever node answers."""

    def __init__(self, cluster):
        super().__init__()
        self.nodes, self.count = list(cluster), 0
        self.ending = threading.Event()

    def write(self, node):
        headers = [("Idempotency-Key", f"feed-{self.count}")]
        try:
            answer = node.put(f"/kv/feed/{self.count % KEYS}", str(self.count).encode(),
                              headers=headers, seconds=10)
        except (OSError, harness.Closed):
            return False
        return answer.status in (200, 201)

    def run(self):
        at = 0
        while not self.ending.wait(0.003):
            if self.write(self.nodes[at % len(self.nodes)]):
                self.count += 1
            else:
                at += 1

    def wait_more(self, amount):
        aim = self.count + amount
        wait_until(lambda: self.count >= aim, 60, "writes go on")

    def end(self):
        self.ending.set()
        self.join()


class NodeClient:
    """The npm package, in a process of its own."""

    def __init__(self, url):
        module = PACKAGES / "eventsource" / "dist" / "index.js"
        if not module.exists():
            raise unittest.SkipTest(f"{module} is not there: scripts/clients.sh brings it")
        self.path = harness.new_directory("eventsource") / "records"
        script = harness.HERE / "eventsource.mjs"
        with open(self.path, "wb") as out:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "node", script, module, url],
                stdin=subprocess.DEVNULL, stdout=out)

    def close(self):
        self.process.kill()
        self.process.wait()

    def records(self):
        lines = self.path.read_bytes().split(b"\n")[:-1]
        return [record for record in map(json.loads, lines) if record[0] != "request"]

    def requested(self):
        """The Last-Event-ID of each request."""
        lines = self.path.read_bytes().split(b"\n")[:-1]
        return [record[1] for record in map(json.loads, lines) if record[0] == "request"]


class PageClient:
    """What a page of the browser has seen, where WATCH_SCRIPT runs."""

    def __init__(self, page):
        self.page, self.known = page, []

    def records(self):
        self.known += self.page.evaluate(f"records.slice({len(self.known)})")
        return self.known

    def requested(self):
        return [sent.get("Last-Event-ID") for sent in self.page.sent
                if sent["Accept"] == "text/event-stream"]


class Gateway(socketserver.ThreadingTCPServer):
    """What stands before a node so that pages may watch: `page` at /, all else is the node's.

    Where the node is not there it says nothing at all, not 502: an EventSource takes any status
    but 200 for the end.
    """

    allow_reuse_address = daemon_threads = True

    def __init__(self, node, page):
        super().__init__(("127.0.0.1", harness.ports.take()), GatewayHandler)
        self.node, self.page = node, page.encode()
        self.url = f"http://localhost:{self.server_address[1]}/"
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.shutdown()
        self.server_close()


class GatewayHandler(socketserver.StreamRequestHandler):
    def handle(self):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.rfile.readline()
            if not line:
                return
            head += line
        if head.startswith(b"GET / "):
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n"
                             b"Content-Length: %d\r\n\r\n" % len(self.server.page)
                             + self.server.page)
            return
        try:
            with self.server.node.connect(seconds=None) as node:
                node.send(head)
                while data := node.socket.recv(1 << 16):
                    self.wfile.write(data)
        except OSError:
            pass  # the node is gone, or the page is


class Browsing(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.browser = browser.Browser()
        cls.addClassCleanup(cls.browser.close)

    def page(self):
        page = self.browser.page()
        self.addCleanup(page.close)
        return page

    def gateway(self, node, content):
        gateway = Gateway(node, content)
        self.addCleanup(gateway.close)
        return gateway


class Restart(Browsing):
    """Nothing is lost and nothing comes twice, and the clients do all of it by themselves."""

    def setUp(self):
        self.nodes = self.cluster(3)
        self.node = self.nodes.others(self.nodes.leader())[0]

    def clients(self):
        package = NodeClient(f"{self.node.url}/watch?prefix=feed/&initial=1")
        self.addCleanup(package.close)
        own = self.page().open(f"{self.node.url}/version")
        own.evaluate(WATCH_SCRIPT)
        gateway = self.gateway(self.node, f"<!doctype html><script>{WATCH_SCRIPT}</script>")
        return {"package of npm": package, "page of the node": PageClient(own),
                "page behind a gateway": PageClient(self.page().open(gateway.url))}

    def wait_all(self, clients, condition, what):
        for name, client in clients.items():
            try:
                wait_until(lambda: condition(client), 60, f"{what}, of the {name}")
            except AssertionError as error:
                raise AssertionError(f"{error}; the last of it: {client.records()[-4:]}, asked "
                                     f"with {client.requested()[-4:]}") from None

    def wait_seen(self, clients, count):
        def has(client):
            return any(record[0] == "put" and int(json.loads(record[2])["value"]) >= count - 1
                       for record in client.records()[-EVENTS_BETWEEN:])
        self.wait_all(clients, has, f"{count} events")

    def restart(self, clients, writer, end):
        """The node goes in the midst of events, others write on, and it comes back."""
        writer.wait_more(EVENTS_BETWEEN)
        self.wait_seen(clients, writer.count)
        end()
        writer.wait_more(EVENTS_BETWEEN)
        self.node.start().wait_ready()
        self.wait_seen(clients, writer.count)

    def check_events(self, records):
        """Each value once and in order, but for a state that is given anew; returns the newest."""
        state, is_state, newest = {}, True, -1
        for kind, *rest in records:
            if kind == "reset":
                state, is_state = {}, True
            elif kind == "synced":
                is_state, newest = False, max(state.values(), default=-1)
            elif kind == "put":
                event = json.loads(rest[1])
                state[event["key"]] = int(event["value"])
                if not is_state:
                    newest += 1
                    self.assertEqual(int(event["value"]), newest)
                    self.assertEqual(int(rest[0]), event["revision"])
        first = max(0, newest + 1 - KEYS)
        self.assertEqual(state, {f"feed/{n % KEYS}": n for n in range(first, newest + 1)})
        return newest

    def check_reconnects(self, client):
        """It goes on where it was, however often it has to ask, and nobody ends it."""
        last, at_errors, opened = None, set(), 0
        for kind, *rest in client.records():
            if kind == "open":
                opened += 1
            elif kind == "error":
                self.assertNotEqual(rest[0], CLOSED)
                at_errors.add(last)
            else:
                last = rest[0] or last
        self.assertEqual(opened, 3)
        first, *later = client.requested()
        self.assertEqual(first, None)
        self.assertEqual(set(later), at_errors)

    def test_a_node_that_is_killed_or_ended_and_comes_back_is_followed(self):
        clients = self.clients()
        self.wait_all(clients, lambda client: any(record[0] == "synced"
                                                  for record in client.records()), "the state")
        writer = Writer(self.nodes)
        self.addCleanup(writer.end)
        writer.start()
        self.restart(clients, writer, self.node.kill)
        # A node that ends has a checkpoint, behind which its next life has no history: it may
        # give the state anew.
        known = {name: len(client.records()) for name, client in clients.items()}
        self.restart(clients, writer, self.node.stop)
        writer.end()
        self.wait_seen(clients, writer.count)
        for name, client in clients.items():
            with self.subTest(name):
                self.assertNotIn("reset", [r[0] for r in client.records()[:known[name]]])
                self.assertEqual(self.check_events(client.records()), writer.count - 1)
                self.check_reconnects(client)


class Foreign(Browsing):
    """What a page that is not the node's can do with it: nothing."""

    def setUp(self):
        self.node = self.cluster(1)[0]
        self.node.put("/kv/feed/1", b"there")

    def check_write(self, page, body, status):
        """A write that asks nobody first, and what it was answered, whoever may see that."""
        page.evaluate(f"fetch('{self.node.url}/kv/feed/1', "
                      f"{{method: 'POST', mode: 'no-cors', body: '{body}'}}).then(() => 0)")
        wait_until(lambda: page.evaluate("1") and status == page.statuses[-1], 20,
                   f"status {status} after {page.statuses}")

    def test_a_page_of_another_origin_neither_watches_nor_writes(self):
        url = self.gateway(self.node, "<!doctype html>").url
        script = WATCH_SCRIPT.replace("/watch", f"{self.node.url}/watch")
        for url in (url, url.replace("localhost", "127.0.0.1")):  # same site, cross site
            with self.subTest(url):
                page = self.page().open(url)
                page.evaluate(script)
                client = PageClient(page)
                wait_until(client.records, 60, "the stream ends")
                self.assertEqual(client.records(), [["error", CLOSED]])
                self.check_write(page, "foreign", 403)
                self.assertEqual(self.node.get("/kv/feed/1").body, b"there")

    def test_a_page_of_the_node_writes_but_a_stored_one_runs_nothing(self):
        page = self.page().open(f"{self.node.url}/version")
        page.statuses = []
        self.check_write(page, "own", 200)
        self.assertEqual(self.node.get("/kv/feed/1").body, b"own")
        self.node.put("/kv/page", b"<title>stored</title><script>document.title = 'ran'</script>",
                      headers=[("Content-Type", "text/html")])
        page.open(f"{self.node.url}/kv/page")
        self.assertEqual(page.evaluate("document.title"), "stored")
        self.assertEqual(page.evaluate("origin"), "null")


if __name__ == "__main__":
    harness.main()
