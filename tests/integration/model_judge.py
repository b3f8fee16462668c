"""Holds what clients and watchers saw against the model, in the order of revisions.

J1  Every change has a revision of its own, and those are the order in which all happened. A request
    that changed nothing was answered from the state at its revision.
J2  A revision that nobody was answered with is one of an unknown outcome, or what had expired. What
    it was the watchers tell; who asked for it is looked for among the unknown requests, each of
    which has happened at most once.
J3  That this order contradicts no clock build/lincheck finds out, and with it that each key behaves
    like a register, transactions included.
"""

import model
from model import State

EXPIRY_CLIENT = 1_000_000


class Wrong(AssertionError):
    pass


def events_of(changes, is_expiry=False):
    """Changes as a watch tells them: key -> (event, value, create_revision, version)."""
    gone = ("expire" if is_expiry else "delete", None, None, None)
    return {key: gone if record is None else ("put", record.value, record.created, record.version)
            for key, record in changes.items()}


def match(wanted):
    """wanted: [[unknown request…] of each revision]. One for each, none twice; None: impossible."""
    owner = {}

    def place(revision, tried):
        for request in wanted[revision]:
            if id(request) in tried:
                continue
            tried.add(id(request))
            if id(request) not in owner or place(owner[id(request)][0], tried):
                owner[id(request)] = (revision, request)
                return True
        return False

    for revision in wanted:
        if not place(revision, set()):
            return revision, None
    return None, {revision: request for revision, request in owner.values()}


class Judge:
    """`told` has what watches told: revision -> (ns when first seen, {key: event})."""

    def __init__(self, first_revision, requests, told):
        self.first, self.told = first_revision, told
        self.requests = requests
        self.changers, self.lookers = {}, {}
        self.unknown = [one for one in requests if one.is_write() and one.outcome == "unknown"]
        self.events = {}      # revision -> {key: event}, by the model
        self.replaced = {}    # (revision, key) -> the record before
        self.wanted = {}      # revision -> unknown requests that explain it
        self.expired = {}     # revision -> earliest ns of each key that expired
        self.snapshots = {}   # revision -> what is to be called with the state there
        self.state = State(first_revision)
        for request in requests:
            if request.outcome == "answered":
                self.file(request)

    def file(self, request):
        if not request.is_change:
            self.lookers.setdefault(request.revision, []).append(request)
            return
        other = self.changers.setdefault(request.revision, request)
        if other is not request:
            raise Wrong(f"two changes have revision {request.revision}: {other} and {request}")

    # ---- the replay ----

    def replay(self, last_revision):
        """Judges every answer up to that revision; returns the state there."""
        highest = max((*self.changers, *self.lookers, self.first))
        if highest > last_revision:
            raise Wrong(f"revision {highest} was answered, and the last one is {last_revision}")
        self.look()
        for revision in range(self.first + 1, last_revision + 1):
            self.change(revision)
            self.look()
        revision, self.owners = match(self.wanted)
        if revision is not None:
            raise Wrong(f"revision {revision} is explained by requests that explain others, too: "
                        f"{self.wanted[revision]}")
        return self.state

    def change(self, revision):
        request = self.changers.get(revision)
        if request is None:
            changes = self.explain(revision)
        else:
            answer, run = model.carry_out(self.state, request, revision)
            self.compare(request, answer, run)
            changes = run.changes
            if not changes:
                raise Wrong(f"it is answered as a change, and is none: {request}")
            self.touch(run.touched)
        is_expiry = revision in self.expired
        self.events[revision] = events_of(changes, is_expiry)
        if revision in self.told and self.told[revision][1] != self.events[revision]:
            raise Wrong(f"at revision {revision} watches told {self.told[revision][1]}, and it was "
                        f"{self.events[revision]} by {request}")
        for key in changes:
            self.replaced[(revision, key)] = self.state.records.get(key)
        self.state.take(revision, changes)

    def look(self):
        """What changed nothing at the state's revision. Touches are in doubt among each other."""
        lookers = self.lookers.get(self.state.revision, ())
        for request in lookers:
            if has_touch(request) and request.answer["status"] < 300:
                _, run = model.carry_out(self.state, request, self.state.revision + 1)
                for key, record in run.touched.items():
                    old = self.state.records[key]
                    self.state.records[key] = old._replace(times=old.times + record.times)
        for request in lookers:
            answer, run = model.carry_out(self.state, request, self.state.revision + 1)
            if run.changes:
                raise Wrong(f"it is answered as no change, and is {run.changes}: {request}")
            self.compare(request, answer, run)
        for call in self.snapshots.get(self.state.revision, ()):
            call(self.state)

    def touch(self, touched):
        for key, record in touched.items():
            self.state.records[key] = self.state.records[key]._replace(times=record.times)

    def compare(self, request, answer, run):
        if answer != request.answer:
            raise Wrong(f"it has to be answered {answer}: {request}\n"
                        f"with {self.records(request)}")
        if len(run.times) != len(request.times):
            raise Wrong(f"it tells of {len(request.times)} times, not {len(run.times)}: {request}")
        for told, times in zip(request.times, run.times):
            if not model.fits(told, times) and not self.is_touched_late(request):
                raise Wrong(f"a TTL of {told} is none of {times}: {request}")

    def is_touched_late(self, request):
        """Whether a touch of unknown outcome may have been before it: then any TTL may be right."""
        keys = model.keys_of(request)
        return any(keys & model.keys_of(touch) and touch.invoked < request.returned
                   for touch in self.unknown if has_touch(touch))

    def records(self, request):
        return {key: self.state.records.get(key) for key in model.keys_of(request)}

    # ---- revisions that nobody was answered with ----

    def explain(self, revision):
        if revision not in self.told:
            raise Wrong(f"revision {revision} was answered to nobody, and no watch told of it")
        seen, events = self.told[revision]
        if all(event[0] == "expire" for event in events.values()):
            self.expire(revision, seen, events)
            return dict.fromkeys(events)
        found, changes = [], None
        for request in self.unknown:
            if request.kind != "delete_prefix" and not may_touch(request, events):
                continue
            _, run = model.carry_out(self.state, request, revision)
            if run.changes and events_of(run.changes) == events and request.invoked < seen:
                found.append(request)
                changes = changes or run.changes
        if not found:
            raise Wrong(f"nobody asked for revision {revision}, seen at {seen} ns: {events}\nwith "
                        f"{ {key: self.state.records.get(key) for key in events} }\n"
                        f"it would be: {self.look_alikes(revision, events)}")
        self.wanted[revision] = found
        return changes

    def look_alikes(self, revision, events):
        """Requests with another outcome that would have done just that."""
        found = []
        for request in self.requests:
            if request.is_write() and request.outcome != "unknown":
                _, run = model.carry_out(self.state, request, revision)
                if run.changes and events_of(run.changes) == events:
                    found.append(request)
        return found

    def expire(self, revision, seen, events):
        """Nothing goes early: time passes since it was asked for."""
        earliest = []
        for key in events:
            record = self.state.records.get(key)
            if record is None:
                raise Wrong(f"{key} expired at revision {revision}, and was not there")
            times = [*record.times, *(time for touch in self.unknown if has_touch(touch)
                                      for time in times_of_touch(touch, key))]
            last = [time for time in times if time.ttl is not None and not any(
                time.returned is not None and time.returned < other.invoked and
                other.returned is not None for other in record.times)]
            due = min((time.invoked + time.ttl * 1_000_000 for time in last), default=None)
            if due is None or due > seen:
                raise Wrong(f"{key} expired early at revision {revision}, seen at {seen} ns: "
                            f"{record}")
            earliest.append(due)
        self.expired[revision] = max(earliest)


def ops_of(request):
    """What a write of one operation, or a transaction, does in either case."""
    if request.kind == "one":
        return [request.what["op"]]
    if request.kind == "txn":
        return [*request.what.get("then", ()), *request.what.get("else", ())]
    return []


def has_touch(request):
    return any("touch" in op for op in ops_of(request))


def times_of_touch(touch, key):
    return [model.Time(model.milliseconds(op["ttl"]), touch.invoked, None)
            for op in ops_of(touch) if op.get("touch") == key]


def may_touch(request, events):
    return any(key in events for key in model.keys_of(request)) or (
        request.kind == "txn" and any("delete_prefix" in op for op in ops_of(request)))


# ---- build/lincheck ----------------------------------------------------------------------------


class Lines:
    """The history as build/lincheck reads it: what each request says of each key."""

    def __init__(self, judge):
        self.judge = judge
        self.keys, self.values = {}, {}
        self.lines = ["pontoon-history 1"]
        self.written = {}  # (key, revision) -> value
        for revision, events in judge.events.items():
            for key, event in events.items():
                self.written[(key, revision)] = event[1]

    def key(self, key):
        return self.keys.setdefault(key, len(self.keys) + 1)

    def value(self, key, value):
        return self.values.setdefault((key, value), len(self.values) + 1)

    def add(self, kind, client, key, invoked, returned, **fields):
        words = [kind, f"client={client}", f"key={self.key(key)}",
                 f"time={invoked}..{'' if returned is None else returned}"]
        words += [f"{name}={value}" for name, value in fields.items() if value is not None]
        self.lines.append(" ".join(words))

    def read(self, request, key, revision, etag, value=None):
        """`request` found the key at `etag` (None: it found nothing) in the state at `revision`."""
        if etag is not None and value is None:
            value = self.written.get((key, int(etag)))
        fields = {} if etag is None else {"value": self.value(key, value), "written": etag}
        self.add("get", request.client, key, request.invoked, request.returned, revision=revision,
                 **fields)

    def changes(self, revision, request, number):
        """What happened at a revision, at once."""
        events = self.judge.events[revision]
        for key, (_, value, _, _) in events.items():
            fields = {"value": self.value(key, value) if value is not None else None,
                      "revision": revision, "txn": number if len(events) > 1 else None}
            kind = "delete" if value is None else "put"
            if request is None:
                self.add(kind, EXPIRY_CLIENT, key, self.judge.expired[revision], None, **fields,
                         outcome="applied")
            elif request.outcome == "unknown":
                self.add(kind, request.client, key, request.invoked, None, **fields,
                         outcome="applied")
            else:
                existed = self.judge.replaced[(revision, key)] is not None
                self.add(kind, request.client, key, request.invoked, request.returned, **fields,
                         existed="yes" if existed else "no")

    def reads(self, request):
        """What an answer says of keys that it found, or did not find."""
        answer = request.answer
        before = request.revision - (1 if request.is_change else 0)
        if request.kind == "get" or (request.kind == "one" and answer["status"] == 412):
            key = next(iter(model.keys_of(request)))
            body = answer.get("body") or None
            self.read(request, key, request.revision, answer["etag"], body)
        elif request.kind == "txn" and answer["status"] == 412 and (
                "key" in request.what["if"][answer["clause"]]):
            self.read(request, answer["key"], request.revision, answer["etag"])
        elif request.kind == "txn" and answer["status"] == 200:
            own = self.judge.events[request.revision] if request.is_change else ()
            for result in answer["results"]:
                if "found" in result and result["key"] not in own:
                    self.read(request, result["key"], before, result.get("etag"),
                              result.get("value"))
        elif request.kind == "list":
            for entry in answer["keys"]:
                self.read(request, entry["key"], request.revision, entry["etag"],
                          entry.get("value"))

    def write(self, path):
        for number, revision in enumerate(self.judge.events, 1):
            request = self.judge.changers.get(revision) or self.judge.owners.get(revision)
            self.changes(revision, request, number)
        for request in self.judge.requests:
            if request.outcome == "answered" and request.is_of_its_time:
                self.reads(request)
            elif request.outcome == "refused" and request.kind == "one" and (
                    "put" in request.what["op"]):
                op = request.what["op"]
                self.add("put", request.client, op["put"], request.invoked, request.returned,
                         value=self.value(op["put"], op["value"]), outcome="refused")
        path.write_text("\n".join(self.lines) + "\n")
