"""Clients that ask for anything, of any node, and write down what was asked and what was answered.

C1  A request was invoked before its first byte left, and has returned after its last came in.
C2  One with an Idempotency-Key is asked again, of other nodes, until somebody says what became of
    it; of one without a key that stays unknown, and the client goes on.
C3  What 503 says was not applied must never be seen, unless an earlier try may have been.
"""

import json
import time
import urllib.parse
import uuid

import harness
import model
from model import Request

PREFIXES = ("m/a/", "m/b/", "m/c/")
KEYS = tuple(f"{prefix}{number}" for prefix in PREFIXES for number in range(4))
QUIET_KEYS = tuple(f"m/t/{number}" for number in range(6))  # written so seldom that they expire
OTHERS = ("m/", "m/t/", "m/d/")  # the last one has nothing
TIMEOUT_MS = 1500
ANSWER_SECONDS = 8  # of one try: its timeout, and what a busy machine takes
INSIST_SECONDS = 30
UNHEARD = 40  # one in so many writes goes without its answer: the client hangs up
TIMES = ("60s", "1s", "500ms", "200ms", "80ms")
PATCH_TYPE = ("Content-Type", "application/merge-patch+json")


class Draw:
    """What a client asks for next: drawn, with what was seen lately so that conditions hold."""

    def __init__(self, name, seen):
        self.chance = harness.rng(name)
        self.seen = seen  # key -> (revision, value or None), of whoever saw it last
        self.name, self.serial = name, 0

    def value(self):
        self.serial += 1
        kind = self.chance.random()
        if kind < 0.6:
            return f"v{self.name}.{self.serial}."
        if kind < 0.8:
            return str(self.chance.randrange(10**12))
        return f'{{"t":"{self.name}.{self.serial}"}}'

    def key(self):
        return self.chance.choice(QUIET_KEYS if self.is_one_in(25) else KEYS)

    def revision(self, key):
        revision = self.seen.get(key, (1, None))[0]
        return revision if self.chance.random() < 0.8 else max(1, revision - 1)

    def is_one_in(self, count):
        return self.chance.randrange(count) == 0

    def put(self, key):
        op = {"put": key, "value": self.value()}
        if self.is_one_in(4) or key in QUIET_KEYS:
            op["ttl"] = self.chance.choice(TIMES)
        elif self.is_one_in(6):
            op["keepttl"] = True
        if self.is_one_in(4):
            op["content_type"] = "text/x-model"
        return op

    def incr(self, key):
        return {"incr": key, "by": self.chance.randrange(1, 10**9)}

    def append(self, key):
        self.serial += 1
        return {"append": key, "value": f"+{self.name}.{self.serial}."}

    def touch(self, key):
        return {"touch": key, "ttl": self.chance.choice(TIMES)}

    def patch(self, key):
        self.serial += 1
        members = {"p": f"{self.name}.{self.serial}"}
        members |= {"t": None} if self.is_one_in(3) else {}
        return {"patch": key, "merge": members}

    def condition(self, key):
        """A clause for one verb on one key, or None."""
        kind = self.chance.random()
        if kind < 0.5:
            return None
        if kind < 0.7:
            return {"etags": [self.revision(key)]}
        if kind < 0.8:
            return {"exists": self.is_one_in(2)}
        if kind < 0.9:
            return {"cas": self.revision(key) if not self.is_one_in(4) else 0}
        value = self.seen.get(key, (0, None))[1]
        return {"value": value if value is not None else "none"}

    # ---- requests ----

    def one(self):
        key = self.key()
        make = self.chance.choices(
            (self.put, lambda key: {"delete": key}, self.incr, self.append, self.touch, self.patch),
            (40, 12, 16, 12, 10, 10))[0]
        op = make(key)
        condition = None if "touch" in op and self.is_one_in(2) else self.condition(key)
        method = {"delete": "DELETE", "patch": "PATCH"}.get(model.kind_of(op), "POST")
        if "put" in op:
            method = self.chance.choice(("PUT", "PUT", "POST"))
        prefer = self.chance.choice((None, None, None, "minimal", "representation"))
        return "one", {"method": method, "op": op, "if": condition,
                       "prefer": None if "touch" in op else prefer}

    def clause(self):
        key = self.key()
        revision, value = self.seen.get(key, (1, None))
        kinds = [{"key": key, "etag": str(self.revision(key))},
                 {"key": key, "exists": not self.is_one_in(3)},
                 {"key": key, "mod_revision": {"le": revision}},
                 {"key": key, "version": {"ge": 1, "lt": 50}},
                 {"key": key, "create_revision": {"ne": revision}},
                 {"prefix": self.chance.choice(PREFIXES), "mod_revision": {"le": revision + 40}}]
        if value is not None:
            kinds.append({"key": key, "value": value})
        return self.chance.choice(kinds)

    def branch(self):
        """Each key is written once, and none of those that a delete_prefix has."""
        ops = []
        free = list(KEYS)
        if self.is_one_in(6):
            prefix = self.chance.choice(PREFIXES)
            free = [key for key in free if not key.startswith(prefix)]
            ops.append({"delete_prefix": prefix})
        keys = self.chance.sample(free, self.chance.randrange(1, 6))
        for key in keys + [self.chance.choice(QUIET_KEYS)] * self.is_one_in(8):
            make = self.chance.choices(
                (self.put, lambda key: {"delete": key}, self.incr, self.append, self.touch,
                 lambda key: {"get": key}), (40, 15, 8, 8, 2, 27))[0]
            op = make(key)
            if self.is_one_in(4) and model.kind_of(op) in ("put", "incr", "append"):
                op["return"] = self.chance.choice(("old", "new"))
            elif "delete" in op and self.is_one_in(4):
                op["return"] = "old"
            ops.append(op)
        self.chance.shuffle(ops)
        return ops + [{"get": self.key()}]

    def txn(self):
        what = {"then": self.branch()}
        if not self.is_one_in(3):
            what["if"] = [self.clause() for _ in range(self.chance.randrange(1, 4))]
            if self.is_one_in(2):
                what["else"] = self.branch()
        return "txn", what

    def batch(self):
        """Lines of one operation, and some whole transactions: each is a request of its own."""
        lines = []
        for key in self.chance.sample(KEYS, self.chance.randrange(2, 7)):
            make = self.chance.choice((self.put, self.incr, self.append,
                                       lambda key: {"delete": key}, lambda key: {"get": key}))
            lines.append(self.txn() if self.is_one_in(5) else ("txn", {"then": [make(key)]}))
        return lines

    def get(self):
        key = self.key()
        what = {"key": key, "method": "HEAD" if self.is_one_in(6) else "GET"}
        if self.is_one_in(5):
            what[self.chance.choice(("match", "none_match"))] = self.revision(key)
        return "get", what

    def prefix(self):
        return self.chance.choice((*PREFIXES, *OTHERS))

    def bounds(self):
        """Of revisions, as parameters; mostly none."""
        if not self.is_one_in(3):
            return {}
        ends = sorted(max(1, self.revision(self.key())) for _ in range(2))
        of = self.chance.choice(("mod", "create"))
        both = {f"min-{of}-revision": ends[0], f"max-{of}-revision": ends[1]}
        left_out = self.chance.choice((None, *both))
        return {name: revision for name, revision in both.items() if name != left_out}

    def list(self):
        return "list", {"prefix": self.prefix(), "reverse": self.is_one_in(4),
                        "delimiter": "/" if self.is_one_in(4) else None,
                        "values": not self.is_one_in(4), "bounds": self.bounds()}


# ---- requests as HTTP has them -----------------------------------------------------------------


def query_of(parameters):
    text = "&".join(name if value is True else f"{name}={urllib.parse.quote(str(value), safe='')}"
                    for name, value in parameters.items())
    return "?" + text


def condition_as(clause, parameters, headers):
    """Puts a condition into the query or the headers."""
    if clause is None:
        return
    if "cas" in clause:
        parameters["cas"] = clause["cas"]
    elif "value" in clause:
        parameters["prev"] = clause["value"]
    elif "etags" in clause:
        headers.append(("If-Match", ", ".join(f'"{one}"' for one in clause["etags"])))
    else:
        headers.append(("If-Match" if clause["exists"] else "If-None-Match", "*"))


def clause_as_model(clause):
    """?cas=0 and ?cas=42, as the model has them."""
    if clause is None or "cas" not in clause:
        return clause
    return {"etags": [clause["cas"]]} if clause["cas"] else {"exists": False}


def one_as_http(what):
    """(method, target, body, headers)"""
    op, headers = what["op"], []
    kind = model.kind_of(op)
    parameters = {"timeout": f"{TIMEOUT_MS}ms"}
    body = op.get("value")
    if kind in ("incr", "append"):
        parameters["op"] = kind
    if kind == "incr":
        parameters["by"] = op["by"]
    if kind == "touch":
        parameters["touch"] = True
    if kind == "patch":
        body = json.dumps(op["merge"])
        headers.append(PATCH_TYPE)
    parameters |= {name: op[name] for name in ("ttl", "keepttl") if op.get(name)}
    if op.get("content_type"):
        headers.append(("Content-Type", op["content_type"]))
    condition_as(what["if"], parameters, headers)
    if what["prefer"]:
        headers.append(("Prefer", f"return={what['prefer']}"))
    body = body.encode() if body is not None else None
    return what["method"], harness.quote(op[kind]) + query_of(parameters), body, headers


# ---- answers -----------------------------------------------------------------------------------


def tag(headers):
    found = headers.get("etag")
    return found.strip('"') if found is not None else None


def refusal(request, status, document, etag):
    """An error, as the model has it."""
    answer = {"status": status, "slug": document["type"].rpartition("/")[2]}
    if request.kind == "txn":
        answer |= {name: document[name] for name in ("operation", "clause") if name in document}
        if status == 412:
            answer |= {"key": document["key"], "etag": document.get("etag")}
    elif status == 412 or request.kind == "get":
        answer["etag"] = etag
    return answer


def read_results(request, results):
    """Takes the times out of a transaction's results, and says whether any of them is a change."""
    for result in results:
        time_told = result.pop("ttl", None)
        if "etag" in result:
            request.times.append(time_told)


def is_changed_by(ops, results):
    return any(model.kind_of(op) in model.SETS_VALUE or result.get("deleted", 0) > 0
               for op, result in zip(ops, results))


def note_txn(request, document):
    """A transaction's answer, or that of a line of a batch."""
    what = request.what
    ops = what["then"] if document["succeeded"] else what["else"]
    read_results(request, document["results"])
    request.answer = {"status": 200, "succeeded": document["succeeded"],
                      "results": document["results"]}
    request.is_change = is_changed_by(ops, document["results"])


def note_one(request, response):
    headers, op = response.headers, request.what["op"]
    request.answer = {"status": response.status, "body": response.body.decode()}
    if "delete" in op:
        request.answer["deleted"] = int(headers["kv-deleted"])
        request.is_change = request.answer["deleted"] > 0
        return
    request.is_change = "touch" not in op
    note_fields(request, headers)


def note_fields(request, headers):
    request.answer |= {"etag": tag(headers), "version": int(headers["kv-version"]),
                       "create_revision": int(headers["kv-create-revision"])}
    if "at" in request.what:
        return
    told = headers.get("kv-ttl")
    request.times.append(float(told) if told is not None else None)


def note_get(request, response):
    if request.what["method"] == "HEAD" and response.status >= 400:
        slug = {404: "not-found", 412: "precondition-failed"}[response.status]
        request.answer = {"status": response.status, "slug": slug, "etag": tag(response.headers)}
        return
    request.answer = {"status": response.status, "body": response.body.decode()}
    note_fields(request, response.headers)
    if response.status == 200:
        request.answer["type"] = response.headers["content-type"]


def note_answer(request, response):
    """Writes down an answer that is for good."""
    request.outcome = "answered"
    request.revision = int(response.headers["kv-revision"])
    if response.status >= 400 and response.body:
        request.answer = refusal(request, response.status, response.json(), tag(response.headers))
        if request.revision != response.json()["revision"]:
            raise AssertionError(f"KV-Revision is not that of the document: {response}")
    elif request.kind == "txn":
        document = response.json()
        if document["revision"] != request.revision:
            raise AssertionError(f"KV-Revision is not that of the document: {response}")
        note_txn(request, document)
    elif request.kind == "one":
        note_one(request, response)
    elif request.kind == "get":
        note_get(request, response)
    if "at" in request.what:
        assert request.revision >= request.what["at"], request
        request.revision = request.what["at"]


class Client:
    """One who asks, one thing after the other."""

    def __init__(self, number, cluster, seen):
        self.number, self.nodes = number, list(cluster)
        self.draw = Draw(str(number), seen)
        self.chance, self.seen = self.draw.chance, seen
        self.connections = {}
        self.history = []
        self.retries = 0
        self.is_over = lambda: False

    def close(self):
        for connection in self.connections.values():
            connection.close()
        self.connections = {}

    # ---- one try ----

    def exchange(self, node, method, target, body, headers):
        """The answer; None: none came."""
        try:
            if node not in self.connections:
                self.connections[node] = node.connect(seconds=ANSWER_SECONDS)
        except OSError:
            return "unsent"
        try:
            if method not in ("GET", "HEAD") and self.draw.is_one_in(UNHEARD):
                self.connections[node].send(harness.encode(method, target, body, headers))
                raise harness.Closed("by us")
            return self.connections[node].request(method, target, body, headers)
        except (OSError, harness.Closed):
            self.connections.pop(node).close()
            return None

    def node(self):
        return self.chance.choice(self.nodes)

    def attempt(self, request, wire):
        """Asks once: "unsent", "refused", "unknown", or "answered", which the request then has."""
        response = self.exchange(self.node(), *wire)
        if response == "unsent":
            return "unsent"
        if response is None or response.status == 504:
            return "unknown"
        if response.status in (503, 429):
            assert not request.is_write() or response.json()["outcome"] == "not-applied", response
            return "refused"
        if response.status == 409 and b"/idempotency-in-progress" in response.body:
            return "unknown"
        if response.status == 410 and "at" in request.what:
            return "refused"  # the node was started again since
        if response.status == 409 and b"/problems/conflict" in response.body:
            return "refused"  # a PATCH that others were always faster than
        request.returned = time.monotonic_ns()
        note_answer(request, response)
        self.learn(request)
        return "answered"

    def ask(self, kind, what, wire):
        """A request with its answer, as often as it takes (C2)."""
        request = Request(self.number, kind, what)
        method, target, body, headers = wire
        insists = request.is_write() and kind != "delete_prefix" and self.draw.is_one_in(2)
        if insists:
            headers = [*headers, ("Idempotency-Key", str(uuid.uuid4()))]
        request.invoked = time.monotonic_ns()
        end = time.monotonic() + INSIST_SECONDS
        may_be_done = False
        while True:
            outcome = self.attempt(request, (method, target, body, headers))
            if outcome == "answered":
                break
            may_be_done = may_be_done or outcome == "unknown"
            if not insists or time.monotonic() > end:
                request.outcome = "unknown" if may_be_done else "refused"
                request.returned = None if may_be_done else time.monotonic_ns()
                break
            self.retries += 1
            time.sleep(0.02)  # a client's own pace, nothing that is waited for
        self.history.append(request)
        return request

    def learn(self, request):
        """What was seen, for the conditions of those that come."""
        answer, key = request.answer, None
        if request.kind == "get":
            key, value = request.what["key"], answer.get("body")
        elif request.kind == "one":
            key, value = next(iter(model.keys_of(request))), request.what["op"].get("value")
            value = value if "put" in request.what["op"] else None
        if key is not None and answer.get("etag"):
            known = self.seen.get(key, (0, None))
            if int(answer["etag"]) >= known[0] and answer["status"] < 300:
                self.seen[key] = (int(answer["etag"]), value or None)
        for result in answer.get("results", ()):
            if result.get("etag") and int(result["etag"]) > self.seen.get(result["key"], (0,))[0]:
                self.seen[result["key"]] = (int(result["etag"]), result.get("value"))

    # ---- kinds ----

    def one(self):
        kind, what = self.draw.one()
        wire = one_as_http(what)
        self.ask(kind, what | {"if": clause_as_model(what["if"])}, wire)

    def txn(self):
        self.send_txn(self.draw.txn()[1])

    def send_txn(self, what):
        target, body = "/txn?", json.dumps(what)
        if list(what) == ["then"] and self.draw.is_one_in(2):
            target, body = "/batch?atomic=1&", "\n".join(map(json.dumps, what["then"]))
        wire = ("POST", f"{target}timeout={TIMEOUT_MS}ms", body.encode(), [])
        self.ask("txn", what, wire)

    def get(self):
        kind, what = self.draw.get()
        headers = [("If-Match", f'"{what["match"]}"')] if "match" in what else []
        headers += [("If-None-Match", f'"{what["none_match"]}"')] if "none_match" in what else []
        parameters = {"timeout": f"{TIMEOUT_MS}ms"}
        is_stale = self.draw.is_one_in(6)
        if is_stale:
            parameters["consistency"] = "stale"
            if self.draw.is_one_in(2):
                parameters["min-revision"] = floor = self.seen.get(what["key"], (1,))[0]
        elif not headers and self.seen and self.draw.is_one_in(8):
            revisions = [revision for revision, _ in list(self.seen.values())]
            parameters["at"] = what["at"] = max(revisions)
        target = harness.quote(what["key"]) + query_of(parameters)
        request = self.ask(kind, what, (what["method"], target, None, headers))
        request.is_of_its_time = not is_stale and "at" not in what
        if request.outcome == "answered" and "min-revision" in parameters:
            assert request.revision >= floor, request

    def batch(self):
        lines = self.draw.batch()
        requests = [Request(self.number, *line) for line in lines]
        body = "\n".join(json.dumps(what["then"][0] if list(what) == ["then"] and
                                    len(what["then"]) == 1 else what) for _, what in lines)
        invoked = time.monotonic_ns()
        response = self.exchange(self.node(), "POST", f"/batch?timeout={TIMEOUT_MS}ms",
                                 body.encode(), [])
        returned = time.monotonic_ns()
        if response == "unsent":
            return
        answers = {}
        if response is not None and response.status == 200:
            answers = {answer["line"]: answer for answer in map(json.loads,
                                                                response.body.splitlines())}
            assert list(answers) == list(range(1, len(lines) + 1)), response
        is_refused = response is not None and response.status == 503
        for place, request in enumerate(requests, 1):
            request.invoked = invoked
            request.outcome = "refused" if is_refused else "unknown"
            if place in answers:
                self.note_line(request, answers[place])
            if request.outcome != "unknown":
                request.returned = returned
            self.history.append(request)

    def note_line(self, request, answer):
        status = answer["status"]
        if status in (503, 504):
            assert (answer["outcome"] == "unknown") == (status == 504), answer
            request.outcome = "unknown" if status == 504 else "refused"
            return
        request.outcome, request.revision = "answered", answer["revision"]
        if status >= 400:
            request.answer = refusal(request, status, answer, answer.get("etag"))
            if list(request.what) == ["then"] and len(request.what["then"]) == 1:
                request.answer["operation"] = 0  # a line that is one operation has no places
            return
        if "results" not in answer:
            result = {name: value for name, value in answer.items()
                      if name not in ("line", "status", "revision")}
            answer = {"succeeded": True, "results": [result]}
        note_txn(request, answer)

    def list(self):
        """All pages, each of any node; they are of the revision of the first."""
        _, what = self.draw.list()
        parameters = {"prefix": what["prefix"], "limit": self.chance.choice((2, 3, 5, 1000)),
                      "timeout": f"{TIMEOUT_MS}ms", **what["bounds"]}
        parameters |= {"reverse": 1} if what["reverse"] else {}
        parameters |= {"values": 0} if not what["values"] else {}
        parameters |= {"delimiter": what["delimiter"]} if what["delimiter"] else {}
        if self.draw.is_one_in(5):
            seen = [revision for revision, _ in list(self.seen.values())]
            parameters["at"] = max(seen, default=1)
        self.walk(what, parameters)

    def walk(self, what, parameters):
        request = Request(self.number, "list", what)
        request.is_of_its_time = "at" not in parameters
        target = "/kv" + query_of(parameters)
        request.invoked = time.monotonic_ns()
        pages = []
        while target is not None:
            page = self.page(target, is_first=not pages and request.is_of_its_time)
            if page is None:
                return  # it says nothing
            request.returned = request.returned or time.monotonic_ns()
            pages.append(page)
            target = page.get("next")
        revisions = {page["revision"] for page in pages}
        assert len(revisions) == 1, f"pages of {revisions}"
        assert parameters.get("at") in (None, *revisions), pages
        request.outcome, request.revision = "answered", revisions.pop()
        request.answer = {"status": 200}
        for part in ("keys", "prefixes"):
            request.answer[part] = [entry for page in pages for entry in page.get(part, ())]
        self.history.append(request)

    def page(self, target, is_first):
        """A page, or None: it cannot be had from there."""
        response = self.exchange(self.node(), "GET", target, None, [])
        if response in ("unsent", None) or response.status in (503, 504):
            return None
        if response.status == 410 and not is_first:
            assert response.json()["oldest"] > 1, response
            return None  # the node was started again since
        assert response.status == 200, (target, response)
        return response.json()

    def count(self):
        what = {"prefix": self.draw.prefix(), "bounds": self.draw.bounds()}
        method = self.chance.choice(("GET", "HEAD"))
        parameters = {"count": True, "prefix": what["prefix"], "timeout": f"{TIMEOUT_MS}ms"}
        wire = (method, "/kv" + query_of(parameters | what["bounds"]), None, [])
        self.many("count", what, wire, "kv-count", "count")

    def delete_prefix(self):
        what = {"prefix": self.draw.prefix() if self.draw.is_one_in(8) else
                self.chance.choice(PREFIXES), "is_dry": self.draw.is_one_in(3)}
        self.delete(what)

    def delete(self, what):
        parameters = {"prefix": what["prefix"], "timeout": f"{TIMEOUT_MS}ms"}
        parameters |= {"dry-run": 1} if what["is_dry"] else {}
        wire = ("DELETE", "/kv" + query_of(parameters), None, [])
        names = ("kv-count", "count") if what["is_dry"] else ("kv-deleted", "deleted")
        self.many("delete_prefix", what, wire, *names)

    def many(self, kind, what, wire, header, name):
        request = Request(self.number, kind, what)
        request.invoked = time.monotonic_ns()
        response = self.exchange(self.node(), *wire)
        if response == "unsent":
            return
        if response is None or response.status in (503, 504):
            is_known = response is not None and response.status == 503
            request.outcome = "refused" if is_known else "unknown"
        else:
            assert response.status == 200, response
            request.outcome, request.returned = "answered", time.monotonic_ns()
            request.revision = int(response.headers["kv-revision"])
            request.answer = {"status": 200, name: int(response.headers[header])}
            request.is_change = name == "deleted" and request.answer[name] > 0
        if request.outcome == "refused":
            request.returned = time.monotonic_ns()
        self.history.append(request)

    KINDS = (("get", 26), ("one", 40), ("txn", 14), ("batch", 4), ("list", 8), ("count", 4),
             ("delete_prefix", 2))

    def next(self):
        names, weights = zip(*self.KINDS)
        getattr(self, self.chance.choices(names, weights)[0])()
