"""Watchers that are cut and go on elsewhere, and whether all they were told is what happened.

W1  A watcher goes on behind the last id that it was told, on any node; what it was told of a
    revision whose id it has not seen is told again, and counts as nothing.
W2  Who sees nothing is not cut, and lives on the ids of progress events.
W3  Each guarantee is a check of its own over what was recorded, named as etcd's robustness tests
    name them (WCH-5), against the changes that the model has at each revision.
"""

import bisect
import json
import threading
import time

import harness
from model_client import KEYS

CUT_SECONDS = 1.0  # a little more or less
TICK_SECONDS = 0.2
CHANGES = ("put", "delete", "expire")


class Told:
    """All that watches told, by revision: each change is stored once, whoever tells it again."""

    def __init__(self):
        self.lock = threading.Lock()
        self.revisions = {}

    def add(self, revision, events):
        """A whole revision, of a watch that sees all keys."""
        with self.lock:
            first = self.revisions.setdefault(revision, (time.monotonic_ns(), events))
        if first[1] != events:
            raise AssertionError(f"revision {revision} was told as {first[1]} and as {events}")


class Event:
    __slots__ = ("kind", "id", "key", "revision", "change", "previous")

    def __init__(self, kind, number, data):
        self.kind, self.id = kind, number
        self.key, self.revision = data.get("key"), data.get("revision", number)
        self.change = (kind, data.get("value"), data.get("create_revision"), data.get("version"))
        self.previous = (data.get("prev_revision"), data.get("prev_value"))

    def __repr__(self):
        return f"<{self.kind} id {self.id}: {self.key} at {self.revision}>"


class Stretch:
    """One connection: behind which id it goes on, and what it told."""

    def __init__(self, node, since):
        self.node, self.since, self.events = node.id, since, []
        self.synced = None  # its place, of one that began with a state

    def __repr__(self):
        return f"<node {self.node}, since {self.since}: {len(self.events)} events>"

    def changes(self):
        begin = 0 if self.synced is None else self.synced + 1
        return [event for event in self.events[begin:] if event.kind in CHANGES]

    def start(self):
        return self.since if self.synced is None else self.events[self.synced].id


# ---- the wire ----------------------------------------------------------------------------------


class Chunks:
    """The body of an answer while it comes."""

    def __init__(self, connection):
        self.connection = connection
        connection.socket.settimeout(TICK_SECONDS)
        self.raw, connection.held = connection.held, b""
        self.body = b""
        self.is_over = False

    def more(self):
        """Waits a moment for more of it."""
        try:
            data = self.connection.socket.recv(1 << 16)
            self.is_over = not data
        except TimeoutError:
            return
        except OSError:
            self.is_over = True
            return
        self.raw += data
        while b"\r\n" in self.raw:
            head, rest = self.raw.split(b"\r\n", 1)
            size = int(head, 16)
            if len(rest) < size + 2:
                break
            self.body += rest[:size]
            self.raw = rest[size + 2:]
            self.is_over = self.is_over or size == 0

    def take(self, end):
        """Whole pieces so far."""
        *pieces, self.body = self.body.split(end)
        return [piece.decode() for piece in pieces]


def sse(chunks):
    for block in chunks.take(b"\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n")
                      if ": " in line and not line.startswith(":"))
        if "event" in fields:
            number = int(fields["id"]) if "id" in fields else None
            yield Event(fields["event"], number, json.loads(fields["data"]))


def ndjson(chunks):
    for line in chunks.take(b"\n"):
        if line.strip():
            data = json.loads(line)
            yield Event(data["event"], data.get("id"), data)


# ---- watchers ----------------------------------------------------------------------------------


class Watcher(threading.Thread):
    """One that watches what `what` says, from `since` on.

    what   {"prefix": …} or {"key": …}, and "events", "prev", "initial" as they stand in the query
    """

    def __init__(self, name, nodes, what, since, told):
        super().__init__(daemon=True)
        self.label, self.nodes, self.what, self.since, self.told = name, nodes, what, since, told
        self.chance = harness.rng(f"watcher-{name}")
        self.is_whole = set(what) <= {"prefix", "prev", "format"} and what.get("prefix") == "m/"
        self.is_initial = "initial" in what
        self.is_idle = not any(key.startswith(what.get("prefix", "")) for key in KEYS)
        self.stretches = []
        self.refused = 0
        self.is_open = False
        self.is_ending = False  # it is not cut any more
        self.end = None         # what it has to have been told of before it ends
        self.failure = None

    def run(self):
        try:
            while not self.is_done():
                self.go_on()
        except Exception as problem:
            self.failure = problem
        self.is_open = False

    def is_done(self):
        return self.end is not None and self.since is not None and self.since >= self.end

    def go_on(self):
        node = self.chance.choice(self.nodes)
        try:
            with node.connect(seconds=5) as connection:
                self.watch(node, connection)
        except (OSError, harness.Closed):
            pass  # it is down, or has just gone
        self.is_open = False
        if not node.is_up():
            time.sleep(0.02)  # a client's own pace, nothing that is waited for

    def request(self):
        """(target, headers): Last-Event-ID for events, since for lines."""
        query = {name: value for name, value in self.what.items() if name != "format"}
        headers = []
        if not self.is_initial:
            if self.what.get("format") == "ndjson":
                query |= {"since": self.since}
                headers.append(("Accept", "application/x-ndjson"))
            else:
                headers.append(("Last-Event-ID", str(self.since)))
        return "/watch?" + "&".join(f"{name}={value}" for name, value in query.items()), headers

    def watch(self, node, connection):
        target, headers = self.request()
        connection.send(harness.encode("GET", target, headers=headers))
        status, _, fields = connection.take_head()
        if status != 200:
            self.take_refusal(status, fields, connection)
            return
        stretch = Stretch(node, None if self.is_initial else self.since)
        self.stretches.append(stretch)
        self.is_open = True
        chunks = Chunks(connection)
        read = ndjson if self.what.get("format") == "ndjson" else sse
        end = time.monotonic() + CUT_SECONDS * (0.2 + 1.6 * self.chance.random())
        while not chunks.is_over and not self.is_done():
            chunks.more()
            for event in read(chunks):
                self.take(stretch, event)
            if time.monotonic() > end and not self.is_ending and not self.is_idle:
                return

    def take_refusal(self, status, fields, connection):
        size = int(dict((name.lower(), value) for name, value in fields)["content-length"])
        document = json.loads(connection.take(size))
        self.refused += 1
        if status == 503:
            time.sleep(0.05)  # a client's own pace, nothing that is waited for
            return
        assert status == 410, document
        assert document["oldest"] > self.since, f"{document} to who has {self.since}"
        if self.is_idle:  # no event, and nodes that ended before a progress: it has no newer id
            self.since = document["oldest"]

    def take(self, stretch, event):
        stretch.events.append(event)
        if event.kind == "synced":
            stretch.synced = len(stretch.events) - 1
        if event.id is not None:
            self.since = event.id
        if event.id is not None and event.kind in CHANGES and self.is_whole:
            same = []
            for one in reversed(stretch.events):
                if one.revision != event.revision or one.kind not in CHANGES:
                    break
                same.append(one)
            self.told.add(event.revision, {one.key: one.change for one in same})

    def matches(self, key, change):
        what = self.what
        is_key = key == what["key"] if "key" in what else key.startswith(what["prefix"])
        return is_key and change[0] in what.get("events", "put,delete,expire").split(",")


# ---- guarantees --------------------------------------------------------------------------------


class Guarantees:
    """What a watcher was told, held against the model's changes: revision -> {key: change}."""

    def __init__(self, watcher, judge):
        self.watcher, self.judge = watcher, judge
        self.expected = {}
        for revision, events in judge.events.items():
            found = {key: change for key, change in events.items() if watcher.matches(key, change)}
            if found:
                self.expected[revision] = found
        self.revisions = sorted(self.expected)

    def check(self):
        for name in ("filter", "ordered", "unique", "atomic", "reliable", "resumable",
                     "bookmarkable", "is_create", "previous"):
            for stretch in self.watcher.stretches:
                problem = getattr(self, f"validate_{name}")(stretch)
                if problem:
                    raise AssertionError(f"watcher {self.watcher.label}, {stretch}: not {name}: "
                                         f"{problem}")

    def between(self, after, upto):
        """Revisions that have to be told, in (after, upto]."""
        return self.revisions[bisect.bisect_right(self.revisions, after):
                              bisect.bisect_right(self.revisions, upto)]

    def validate_filter(self, stretch):
        """Only what was asked for is told."""
        for event in stretch.changes():
            if not self.watcher.matches(event.key, event.change):
                return event
        return None

    def validate_ordered(self, stretch):
        """Revisions do not go back."""
        last = 0
        for event in stretch.changes():
            if event.revision < last:
                return f"{event} after {last}"
            last = event.revision
        return None

    def validate_unique(self, stretch):
        """No change is told twice on a connection, and none that an id had covered before it."""
        seen = set()
        for event in stretch.changes():
            if (event.revision, event.key) in seen or event.revision <= stretch.start():
                return event
            seen.add((event.revision, event.key))
        return None

    def validate_atomic(self, stretch):
        """The last event of a revision has its id and no other: up to there it is whole."""
        told = {}
        for event in stretch.changes():
            told.setdefault(event.revision, {})[event.key] = event.change
            if event.id is None:
                continue
            if event.id != event.revision or told[event.id] != self.expected.get(event.id):
                return f"{event}: {told[event.revision]}, not {self.expected.get(event.revision)}"
            told[event.id] = {}
        open_ones = [revision for revision, changes in told.items() if changes]
        # A cut may have been within a revision: the last one alone.
        if open_ones and open_ones != [max(told)]:
            return f"no id for {open_ones}"
        return None

    def validate_reliable(self, stretch):
        """Between the first and the last that is told nothing is left out."""
        told = list(dict.fromkeys(event.revision for event in stretch.changes()))
        if told and told != self.between(told[0] - 1, told[-1]):
            missing = sorted(set(self.between(told[0] - 1, told[-1])) ^ set(told))
            return f"revisions {missing[:10]}"
        return None

    def validate_resumable(self, stretch):
        """It goes on with the first change behind the id."""
        changes = stretch.changes()
        if not changes:
            return None
        missing = self.between(stretch.start(), changes[0].revision - 1)
        return f"it begins with {changes[0]}, before that {missing[:10]}" if missing else None

    def validate_bookmarkable(self, stretch):
        """A progress stands behind everything up to its revision, and nothing of that follows."""
        position = stretch.start()
        for event in stretch.events if stretch.synced is None else ():
            if event.kind == "progress":
                missing = self.between(position, event.id)
                if missing or event.id < position:
                    return f"{event}, and {missing[:10]} were not told"
            if event.id is not None:
                position = event.id
        return None

    def validate_is_create(self, stretch):
        """A put with version 1 is of a key that was not there, at its create revision."""
        for event in stretch.changes():
            if event.kind != "put":
                continue
            old = self.judge.replaced[(event.revision, event.key)]
            _, _, created, version = event.change
            if (version == 1) != (old is None) or (version == 1) != (created == event.revision):
                return f"{event}: {event.change} after {old}"
        return None

    def validate_previous(self, stretch):
        """With ?prev, what was there before."""
        for event in stretch.changes() if "prev" in self.watcher.what else ():
            old = self.judge.replaced[(event.revision, event.key)]
            expected = (old.revision, old.value) if old is not None else (None, None)
            if event.previous != expected:
                return f"{event}: {event.previous}, not {expected}"
        return None


def note_states(watcher, snapshots):
    """What it was sent as the state is to be compared with the model's of that revision."""
    for stretch in watcher.stretches:
        if stretch.synced is not None:
            check = check_state(watcher, stretch)
            snapshots.setdefault(stretch.start(), []).append(check)


def check_state(watcher, stretch):
    def check(state):
        told = {event.key: (event.revision, *event.change[1:])
                for event in stretch.events[:stretch.synced]}
        expected = {key: (record.revision, record.value, record.created, record.version)
                    for key, record in state.records.items()
                    if key.startswith(watcher.what["prefix"])}
        ids = [event.id for event in stretch.events[:stretch.synced]]
        if told != expected or ids != [None] * len(told):
            raise AssertionError(f"watcher {watcher.label}, {stretch}: the state at "
                                 f"{state.revision} is {told}, not {expected}")
    return check
