"""What a pontoon holds and answers, written down a second time, in the simplest way.

M1  An operation is a dict, as /txn has it: {"put": KEY, "value": …}. What is asked of one key by
    a verb is such an operation too, with conditions in front (`Request`).
M2  A request is carried out on a state and answered from it, and leaves the state alone: what it
    changes is returned beside the answer.
M3  An answer has what the server says and no more: status, values, tags. What a key's time is at a
    given moment nobody else knows, so it is compared apart (`Time`).
"""

import json
from typing import NamedTuple, Optional

WRITES = ("put", "delete", "delete_prefix", "incr", "append", "touch", "patch")
SETS_VALUE = ("put", "incr", "append", "patch")


class Time(NamedTuple):
    """A TTL that somebody asked for; `ttl` in ms, None: to be there until it is deleted."""

    ttl: Optional[int]
    invoked: int  # ns
    returned: Optional[int]  # None: nobody was told


class Record(NamedTuple):
    value: str
    type: str
    revision: int
    created: int
    version: int
    times: tuple  # those that it may be on: touches make no revision, so that some are in doubt


class Refusal(Exception):
    """A request that changes nothing, and its answer."""

    def __init__(self, status, slug, **fields):
        super().__init__(status, slug)
        self.answer = {"status": status, "slug": slug, **fields}


class State:
    """Keys and their records at a revision."""

    def __init__(self, revision):
        self.revision = revision
        self.records = {}

    def take(self, revision, changes):
        """The next one: `changes` maps keys to records, or to None."""
        self.revision = revision
        for key, record in changes.items():
            if record is None:
                del self.records[key]
            else:
                self.records[key] = record

    def keys(self, prefix=""):
        return sorted(key for key in self.records if key.startswith(prefix))


class Request:
    """What somebody asked for, and what came of it.

    kind      "one", "txn", "get", "list", "count", "delete_prefix"
    what      as its kind has it: see `carry_out`
    outcome   "answered", "refused", "unknown", "none" (of a read: it says nothing)
    """

    __slots__ = ("client", "kind", "what", "invoked", "returned", "outcome", "revision", "answer",
                 "times", "is_change", "is_of_its_time")

    def __init__(self, client, kind, what):
        self.client, self.kind, self.what = client, kind, what
        self.invoked = self.returned = self.revision = self.answer = None
        self.outcome, self.times = "none", []
        self.is_change = False
        self.is_of_its_time = True  # False: it asked for the past

    def __repr__(self):
        return (f"<client {self.client}: {self.kind} {self.what}, {self.outcome} at revision "
                f"{self.revision}, {self.invoked}..{self.returned}: {self.answer}, "
                f"times {self.times}>")

    def is_write(self):
        return self.kind in ("one", "txn", "delete_prefix")


class Run:
    """One request while it is carried out."""

    def __init__(self, state, request, revision):
        self.state, self.request, self.revision = state, request, revision
        self.changes = {}
        self.touched = {}
        self.times = []  # of the records told, in order

    def find(self, key):
        if key in self.changes:
            return self.changes[key]
        return self.touched.get(key) or self.state.records.get(key)

    def keys(self, prefix, bounds=None):
        """Those with the prefix; `bounds` of their revisions as a list's parameters."""
        names = set(self.state.records) | set(self.changes)
        return sorted(key for key in names
                      if key.startswith(prefix) and self.find(key) is not None
                      and is_within(self.find(key), bounds or {}))


def is_within(record, bounds):
    for name, bound in bounds.items():
        least, of, _ = name.split("-")
        revision = record.revision if of == "mod" else record.created
        if revision < bound if least == "min" else revision > bound:
            return False
    return True


# ---- conditions --------------------------------------------------------------------------------


def compare(asked, found):
    """A number as it is, or {"ge": 3, "lt": 9}."""
    if not isinstance(asked, dict):
        return found == int(asked)
    return all({"eq": found == number, "ne": found != number, "lt": found < number,
                "le": found <= number, "gt": found > number, "ge": found >= number}[relation]
               for relation, number in asked.items())


def holds(clause, record):
    """Whether a clause of /txn holds of this record, or of None."""
    numbers = {"etag": record.revision, "mod_revision": record.revision, "version": record.version,
               "create_revision": record.created} if record is not None else {}
    for name, asked in clause.items():
        if name in ("key", "prefix"):
            continue
        if name == "exists":
            is_so = asked == (record is not None)
        elif name == "value":
            is_so = record is not None and record.value == asked
        elif name == "etags":  # If-Match: one of them
            is_so = record is not None and record.revision in asked
        else:
            is_so = compare(asked, numbers.get(name, 0))
        if not is_so:
            return False
    return True


def first_failed(run, clauses):
    """(its place, what it is of, and the record of that key; a prefix has none); None: all hold."""
    for place, clause in enumerate(clauses):
        if "key" in clause and not holds(clause, run.find(clause["key"])):
            return place, clause["key"], run.find(clause["key"])
        if "prefix" in clause and not all(holds(clause, run.find(key))
                                          for key in run.keys(clause["prefix"])):
            return place, clause["prefix"], None
    return None


# ---- operations --------------------------------------------------------------------------------


def milliseconds(text):
    return int(text[:-2]) if text.endswith("ms") else int(text[:-1]) * 1000


def times_of(run, op, old):
    """Those of the record after a write: its own, unless it keeps what there was."""
    keeps = op.get("keepttl") or "incr" in op or "append" in op or "patch" in op
    if keeps and old is not None:
        return old.times  # nothing asks for both
    return (Time(milliseconds(op["ttl"]) if op.get("ttl") else None, run.request.invoked,
                 run.request.returned),)


def put(run, op, key, value, content_type):
    old = run.find(key)
    record = Record(value, content_type, run.revision, old.created if old else run.revision,
                    old.version + 1 if old else 1, times_of(run, op, old))
    run.changes[key] = record
    return record


def number_of(record):
    text = record.value
    if not text.removeprefix("-").isdigit():
        raise Refusal(409, "not-a-number")
    return int(text)


def merged(record, patch):
    """RFC 7396."""
    try:
        target = json.loads(record.value) if record is not None else {}
    except ValueError:
        raise Refusal(409, "not-json") from None
    target = target if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            target.pop(name, None)
        else:
            target[name] = value
    return json.dumps(target, separators=(",", ":"))


def value_after(op, kind, key, old):
    if kind == "put":
        return op["value"]
    if kind == "incr":
        return str((number_of(old) if old else 0) + op.get("by", 1))
    if kind == "append":
        return (old.value if old else "") + op["value"]
    return merged(old, op["merge"])


def type_after(op, kind, old):
    if kind == "put" or (kind == "append" and op.get("content_type")):
        return op.get("content_type", "")
    if old is not None:
        return old.type
    return "application/json" if kind == "patch" else ""


def describe(run, record):
    run.times.append(record.times)
    return {"etag": str(record.revision), "version": record.version,
            "create_revision": record.created}


def kind_of(op):
    return next(name for name in (*WRITES, "get") if name in op)


def carry_out_op(run, op):
    """The result as /txn tells it, but for `ttl`, which `run.times` has."""
    kind = kind_of(op)
    key = op[kind]
    old = run.find(key)
    if kind == "delete_prefix":
        gone = run.keys(key)
        run.changes.update(dict.fromkeys(gone))
        return {"prefix": key, "deleted": len(gone)}
    result = {"key": key}
    if kind == "get":
        result["found"] = old is not None
        if old is not None:
            result |= {**describe(run, old), "value": old.value}
            result |= {"content_type": old.type} if old.type else {}
        return result
    if kind == "delete":
        result["deleted"] = int(old is not None)
        if old is not None:
            run.changes[key] = None
            shows = op.get("return") == "old"
            result |= {"old_value": old.value} if shows else {}
            result |= {"content_type": old.type} if shows and old.type else {}
        return result
    if kind == "touch":
        if old is None:
            raise Refusal(404, "not-found")
        record = old._replace(times=times_of(run, op, None))
        run.touched[key] = record
        return result | describe(run, record)
    record = put(run, op, key, value_after(op, kind, key, old), type_after(op, kind, old))
    result |= {"created": old is None, **describe(run, record)}
    shown = {"new": record, "old": old}.get(op.get("return"))
    result |= {"content_type": shown.type} if shown is not None and shown.type else {}
    result |= {"number": record.value} if kind == "incr" else {}
    result |= {"size": len(record.value)} if kind == "append" else {}
    result |= {"value": record.value} if op.get("return") == "new" else {}
    return result | ({"old_value": old.value} if op.get("return") == "old" and old else {})


# ---- requests ----------------------------------------------------------------------------------


def txn(run):
    """{"if": [clause…], "then": [op…], "else": [op…]}; `then` alone is needed."""
    what = run.request.what
    failed = first_failed(run, what.get("if", ()))
    if failed is not None and "else" not in what:
        place, key, record = failed
        raise Refusal(412, "precondition-failed", clause=place, key=key,
                      etag=str(record.revision) if record else None)
    branch = what.get("then", ()) if failed is None else what["else"]
    results = []
    for place, op in enumerate(branch):
        try:
            results.append(carry_out_op(run, op))
        except Refusal as refusal:
            refusal.answer["operation"] = place
            raise
    return {"status": 200, "succeeded": failed is None, "results": results}


def told_body(what, kind, old, record):
    """What a write of one key has in its body, and its status."""
    wants, status = what.get("prefer"), 200
    if kind == "delete":
        if wants == "minimal" or (wants == "representation" and old is None):
            return 204, ""
        return 200, old.value if wants == "representation" else "OK"
    if what["method"] in ("PUT", "PATCH") and old is None:
        status = 201
    if wants == "minimal":
        return 204, ""
    if wants == "representation" or kind == "incr":
        return status, record.value
    return status, str(len(record.value)) if kind == "append" else "OK"


def one(run):
    """{"method": …, "op": op, "if": clause or None, "prefer": …}"""
    what = run.request.what
    kind = kind_of(what["op"])
    key = what["op"][kind]
    old = run.find(key)
    if kind == "patch" and (run.request.answer or {}).get("status") != 412:
        merged(old, what["op"]["merge"])  # of two reasons it may have met the other one first
    if what["if"] is not None and not holds(what["if"], old):
        raise Refusal(412, "precondition-failed", etag=str(old.revision) if old else None)
    result = carry_out_op(run, what["op"])
    status, body = told_body(what, kind, old, run.find(key))
    answer = {"status": status, "body": body}
    if kind == "delete":
        return answer | {"deleted": result["deleted"]}
    return answer | {name: result[name] for name in ("etag", "version", "create_revision")}


def get(run):
    """{"key": …, "method": …, "match": revision, "none_match": revision, "at": revision}"""
    what = run.request.what
    record = run.find(what["key"])
    if record is None:
        raise Refusal(404, "not-found", etag=None)
    if what.get("match") not in (None, record.revision):
        raise Refusal(412, "precondition-failed", etag=str(record.revision))
    answer = {"status": 200, "body": record.value if what["method"] == "GET" else "",
              **describe(run, record), "type": record.type or "application/octet-stream"}
    if "at" in what:
        run.times = []  # it may be over since
    if what.get("none_match") == record.revision:
        del answer["type"]
        answer |= {"status": 304, "body": ""}
    return answer


def listed(run):
    """{"prefix": …, "reverse": …, "delimiter": …, "values": …, "bounds": …}"""
    what = run.request.what
    keys, prefixes = [], []
    for key in run.keys(what["prefix"], what["bounds"]):
        head, found, _ = key.removeprefix(what["prefix"]).partition(what["delimiter"] or "\0")
        if found:
            prefixes.append(what["prefix"] + head + found)
            continue
        record = run.find(key)
        entry = {"key": key, "etag": str(record.revision), "size": len(record.value),
                 "create_revision": record.created, "version": record.version}
        entry |= {"content_type": record.type} if record.type else {}
        keys.append(entry | ({"value": record.value} if what["values"] else {}))
    prefixes = list(dict.fromkeys(prefixes))
    order = -1 if what["reverse"] else 1
    return {"status": 200, "keys": keys[::order], "prefixes": prefixes[::order]}


def count(run):
    """{"prefix": …, "bounds": …}"""
    what = run.request.what
    return {"status": 200, "count": len(run.keys(what["prefix"], what["bounds"]))}


def delete_prefix(run):
    """{"prefix": …, "is_dry": …}"""
    what = run.request.what
    if what["is_dry"]:
        return {"status": 200, "count": len(run.keys(what["prefix"]))}
    gone = carry_out_op(run, {"delete_prefix": what["prefix"]})
    return {"status": 200, "deleted": gone["deleted"]}


KINDS = {"txn": txn, "one": one, "get": get, "list": listed, "count": count,
         "delete_prefix": delete_prefix}


def carry_out(state, request, revision):
    """(the answer, the run with what changes): M2. `revision` is that of a change, if it is one."""
    run = Run(state, request, revision)
    try:
        answer = KINDS[request.kind](run)
    except Refusal as refusal:
        run.changes, run.touched, run.times = {}, {}, []
        answer = refusal.answer
    return answer, run


def fits(told, times):
    """Whether a TTL that was told (in seconds, or None) may be one of these."""
    if told is None:
        return any(time.ttl is None for time in times)
    return 0 < told and any(time.ttl is not None and told * 1000 <= time.ttl for time in times)


def keys_of(request):
    """The keys that a request names; what it says by prefix is not in it."""
    if request.kind == "one":
        return {request.what["op"][kind_of(request.what["op"])]}
    if request.kind == "txn":
        ops = [*request.what.get("then", ()), *request.what.get("else", ())]
        return {op[kind_of(op)] for op in ops if kind_of(op) != "delete_prefix"} | {
            clause["key"] for clause in request.what.get("if", ()) if "key" in clause}
    return {request.what["key"]} if request.kind == "get" else set()
