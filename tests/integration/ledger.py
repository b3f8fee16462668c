"""Who wrote what and was told what: the account by which nothing that was acknowledged is lost.

L1  Each key is written once, with a value that is nowhere else: what is there tells who wrote it.
L2  A write whose answer did not come is unknown: it may be there or not, but once, as it was sent.
"""

import itertools
import re
import threading

import harness
from crew import Crew

WRITERS = 32
ANSWER_SECONDS = 30  # for a read: an election on a machine that is busy loses nothing

# What a check of this file says of a write that is not there as it was acknowledged, what a node
# says that sees it by itself, and what it says if it ends for it.
LOST = r"node \d+ (lost|has another)|was written twice"
GONE = "(not there any more|do not belong together|cannot be trusted|is damaged|is missing)"
ENDED = f"ended by itself with 1: (fatal|pontoon): .*{GONE}"


class Ledger:
    """What became of every write. Each key is written once, with a value that is nowhere else."""

    def __init__(self):
        self.lock = threading.Lock()
        self.acknowledged = {}  # key -> (value, revision)
        self.unknown = {}       # key -> value: it may have happened
        self.refused = {}       # key -> value: it must not have happened
        self.statuses = {}

    def count(self, what):
        self.statuses[what] = self.statuses.get(what, 0) + 1

    def note(self, key, value, response):
        with self.lock:
            self.count(response.status)
            if response.status == 201:
                assert response.headers["kv-version"] == "1", f"{key!r} was written twice"
                self.acknowledged[key] = (value, response.headers["kv-revision"])
            elif response.status in (429, 503, 507):
                assert response.json()["outcome"] == "not-applied"
                assert response.status == 507 or "retry-after" in response.headers
                self.refused[key] = value
            elif response.status == 504:
                assert response.json()["outcome"] == "unknown"
                self.unknown[key] = value
            else:
                raise AssertionError(f"PUT {key!r}: {response}")

    def lost_sight(self, key, value, problem):
        with self.lock:
            self.count(type(problem).__name__)
            self.unknown[key] = value

    def wait_more(self, count, seconds=30):
        """Waits until `count` more writes have been acknowledged."""
        enough = len(self.acknowledged) + count
        harness.wait_until(lambda: len(self.acknowledged) >= enough, seconds,
                           f"{count} more writes are acknowledged")

    def part(self, index, count):
        """Every `count`-th write, from that one on."""
        part = Ledger()
        for name in ("acknowledged", "unknown", "refused"):
            writes = getattr(self, name).items()
            setattr(part, name, dict(itertools.islice(writes, index, None, count)))
        return part

    def summary(self):
        return f"{len(self.acknowledged)} acknowledged, {len(self.unknown)} unknown, " \
               f"{len(self.refused)} refused; {self.statuses}"


class Writers(Crew):
    """Threads that write through all nodes until they are stopped, whatever happens to those."""

    def __init__(self, cluster, ledger, count=WRITERS, name="", sizes=(0, 1, 16, 256, 4096)):
        super().__init__()
        self.cluster, self.ledger, self.name, self.sizes = cluster, ledger, name, sizes
        for number in range(count):
            self.add(self.write, number)

    def write(self, number):
        random_of = harness.rng(f"writer-{self.name}{number}")
        connections = {}
        written = 0
        while not self.is_over.is_set():
            node = random_of.choice(self.cluster.nodes)
            try:
                if node not in connections:
                    connections[node] = node.connect(seconds=10)
            except OSError:
                self.is_over.wait(0.005)  # it is down: another one
                continue
            key = b"%s%d/%d" % (self.name.encode(), number, written)
            value = random_of.randbytes(random_of.choice(self.sizes)) + key
            written += 1
            try:
                response = connections[node].request("PUT", harness.quote(key) + "?timeout=2s",
                                                     value)
            except (OSError, harness.Closed) as problem:
                self.ledger.lost_sight(key, value, problem)
                connections.pop(node).close()
                continue
            self.ledger.note(key, value, response)
        for connection in connections.values():
            connection.close()


def read_answered(node, keys, query):
    """Reads keys: yields (key, response) in order, each of which tells whether it is there."""
    def ask_again(key):
        node.check()
        found = node.get(harness.quote(key) + query)
        return found if found.status not in (503, 504) else None

    for key, response in node.read_many(keys, query):
        if response.status in (503, 504):
            response = harness.wait_until(lambda key=key: ask_again(key), ANSWER_SECONDS,
                                          f"node {node.id} answers, not {response}")
        assert response.status in (200, 404), f"GET {key!r}: {response}"
        yield key, response


class LedgerCase(harness.TestCase):
    """A test that can hold a cluster against a ledger."""

    def verify(self, cluster, ledger, others=0, is_split=False):
        """All that was promised is there, on every node, and nothing else but `others` keys.

        Where it is much, `is_split`: each key is read at one node, and equal state hashes have to
        speak for the others.
        """
        harness.say(ledger.summary())
        self.assertGreater(len(ledger.acknowledged), 100, "the load was no load")
        cluster.wait_ready()
        stats = cluster.settle()
        self.assertEqual(len({found["state_hash"] for found in stats}), 1, stats)
        for name in ("revision", "keys", "key_bytes", "value_bytes"):
            self.assertEqual(len({found[name] for found in stats}), 1, name)
        self.assertEqual({found["store"]["corrupt_records"] for found in stats}, {0})
        for index, node in enumerate(cluster):
            if is_split:
                self.verify_node(node, ledger.part(index, len(cluster.nodes)), "")
            else:
                self.verify_node(node, ledger, "?consistency=stale")
        if not is_split:
            self.verify_node(harness.rng("verify").choice(cluster.nodes), ledger, "")
        present = stats[0]["keys"] - others
        self.assertLessEqual(len(ledger.acknowledged), present)
        self.assertLessEqual(present, len(ledger.acknowledged) + len(ledger.unknown))

    def verify_node(self, node, ledger, query):
        for key, response in read_answered(node, list(ledger.acknowledged), query):
            value, revision = ledger.acknowledged[key]
            self.assertEqual(response.status, 200, f"node {node.id} lost {key!r}")
            self.assertTrue(response.body == value, f"node {node.id} has another {key!r}")
            self.assertEqual(response.headers["kv-version"], "1", f"{key!r} was written twice")
            self.assertEqual(response.headers["etag"], f'"{revision}"', key)
        for key, response in read_answered(node, list(ledger.unknown), query):
            if response.status != 404:
                self.assertEqual(response.status, 200, key)
                self.assertTrue(response.body == ledger.unknown[key], key)
                self.assertEqual(response.headers["kv-version"], "1", f"{key!r} was written twice")
        for key, response in read_answered(node, list(ledger.refused), query):
            self.assertEqual(response.status, 404, f"{key!r} was refused and is there")

    def assert_missed(self, cluster, ledger):
        """Something that was acknowledged is not there. Only the leader is asked, and all nodes are
        put away: who has lost what they promised may never agree again."""
        with self.assertRaisesRegex(AssertionError, f"{LOST}|{ENDED}") as found:
            try:
                self.verify_node(cluster.leader(), ledger, "")
            except AssertionError as problem:
                if re.search(LOST, str(problem)) is None:
                    for node in cluster:  # without an answer: one of them may have ended
                        if node.process is not None:
                            node.check()
                raise
        harness.say(f"missed: {str(found.exception).splitlines()[-1][:100]}")
        cluster.destroy()
