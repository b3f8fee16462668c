#!/usr/bin/env python3
"""The whole interface at random, on three nodes whose leaders are killed, against a model.

Everything that was asked and answered is replayed in the order of revisions (model_judge.py), and
its order is held against the clocks by build/lincheck. What watches told meanwhile, each of which
goes on at another node every second, is what happened: each change once, in order, whole.
"""

import os
import subprocess
import time
from pathlib import Path

import harness
import model
from crew import Crew
from model import Request
from model_client import KEYS, Client
from model_judge import Judge, Lines, Wrong
from model_watch import Event, Guarantees, Stretch, Told, Watcher, note_states

CLIENTS = harness.pick(8, 16)
ROUNDS = harness.pick(1, 15)  # each is judged by itself, so that what is held stays bounded
SECONDS = harness.pick(10, 600)  # of a round,
REQUESTS = harness.pick(8000, 20_000)  # whichever comes first
KILL_SECONDS = harness.pick(2, 3)
CHECKER = Path(os.environ.get("PONTOON_LINCHECK", harness.ROOT / "build" / "lincheck")).resolve()
WATCHES = (
    {"prefix": "m/", "prev": "1"},
    {"prefix": "m/"},
    {"prefix": "m/", "format": "ndjson"},
    {"prefix": "m/b/", "format": "ndjson", "prev": "1"},
    {"key": "m/a/0"},
    {"prefix": "m/", "events": "delete,expire"},
    {"prefix": "m/", "initial": "1"},
    {"prefix": "none/"},
)


class Load(Crew):
    """Clients that ask until there are enough requests, or time is up."""

    def __init__(self, cluster, number):
        super().__init__()
        seen = {}
        first = number * 100 + 1  # clients have numbers of their own in each round
        self.clients = [Client(first + place, cluster, seen) for place in range(CLIENTS)]
        self.end = time.monotonic() + SECONDS
        for client in self.clients:
            self.add(self.ask, client)

    def count(self):
        return sum(len(client.history) for client in self.clients)

    def is_done(self):
        return time.monotonic() > self.end or self.count() >= REQUESTS or bool(self.failures)

    def ask(self, client):
        try:
            while not self.is_over.is_set():
                client.next()
        finally:
            client.close()


class Model(harness.TestCase):
    def disturb(self, cluster, load):
        """Kills whoever leads; every third time a follower is ended and started as people do."""
        turn = 0
        while not load.is_done():
            next_time = time.monotonic() + KILL_SECONDS
            while time.monotonic() < next_time and not load.is_done():
                load.is_over.wait(0.1)
            turn += 1
            leader = cluster.leader()
            if turn % 3 == 0:
                node = cluster.others(leader)[turn // 3 % 2]
                node.stop()
            else:
                node = leader
                node.kill()
                cluster.leader()  # of those that are left
            node.start().wait_ready()
        return turn

    def end_watches(self, cluster, watchers, last_revision):
        """Waits for the last events; who has a stream yet is told a last time by a node that ends.

        The last revision is one that all watches see but the one of nothing.
        """
        for watcher in watchers:
            watcher.is_ending = True
        harness.wait_until(lambda: all(
            watcher.failure or watcher.since >= last_revision
            or (watcher.is_idle and watcher.is_open)
            for watcher in watchers), 60, "every watcher was told of all")
        for watcher in watchers:
            watcher.end = last_revision
        for node in cluster:
            node.stop()
        for watcher in watchers:
            watcher.join(30)
            if watcher.failure:
                raise watcher.failure
            self.assertTrue(watcher.is_done(), f"{watcher.label} ends at {watcher.since}, not "
                                               f"{last_revision}: {watcher.stretches[-1]}")

    def close_all(self, cluster):
        """What each node has at the end, and then nothing any more: (requests, last revision)."""
        stats = cluster.settle()
        self.assertEqual(len({found["state_hash"] for found in stats}), 1)
        client = Client(0, cluster, {})
        history = client.history

        def insist(ask, *arguments):
            def is_answered():
                before = len(history)
                ask(*arguments)
                return len(history) > before and history[-1].outcome == "answered"
            harness.wait_until(is_answered, 60, f"{ask.__name__} is answered")
        for node in cluster:
            client.nodes = [node]
            insist(client.walk, {"prefix": "m/", "reverse": False, "delimiter": None,
                                 "values": True, "bounds": {}}, {"prefix": "m/"})
        client.nodes = list(cluster)
        insist(client.send_txn, {"then": [{"put": key, "value": "last"} for key in KEYS]})
        insist(client.delete, {"prefix": "m/", "is_dry": False})
        client.close()
        return history, history[-1].revision

    def summarize(self, load, judge, watchers, turns, seconds):
        counts = {}
        for request in judge.requests:
            counts[request.outcome] = counts.get(request.outcome, 0) + 1
        retries = sum(client.retries for client in load.clients)
        harness.say(f"{len(judge.requests)} requests in {seconds:.0f} s, {turns} kills: {counts}, "
                    f"{retries} retries; {len(judge.events)} revisions, {len(judge.owners)} of "
                    f"unknown outcome, {len(judge.expired)} expiries")
        stretches = [stretch for watcher in watchers for stretch in watcher.stretches]
        events = [event.kind for stretch in stretches for event in stretch.events]
        harness.say(f"watches: {len(stretches)} streams, {len(events)} events, "
                    f"{events.count('progress')} progress, {events.count('reset')} reset, "
                    f"{sum(watcher.refused for watcher in watchers)} refused")

    def lincheck(self, judge):
        path = harness.new_directory("model") / "model.history"
        Lines(judge).write(path)
        done = subprocess.run([CHECKER, path], capture_output=True, text=True,
                              timeout=harness.pick(120, 1800))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout.strip().rpartition("/")[2]

    def round(self, cluster, number, first):
        """Begins and ends with nothing there; returns the last revision."""
        told = Told()
        watchers = [Watcher(f"{number}.{place}", cluster.nodes, what, first, told)
                    for place, what in enumerate(WATCHES)]
        for watcher in watchers:
            watcher.start()
        with Load(cluster, number) as load:
            began = time.monotonic()
            turns = self.disturb(cluster, load)
        seconds = time.monotonic() - began
        closing, last = self.close_all(cluster)
        self.end_watches(cluster, watchers, last)
        requests = [request for client in load.clients for request in client.history] + closing
        judge = Judge(first, requests, told.revisions)
        for watcher in watchers:
            note_states(watcher, judge.snapshots)
        began = time.monotonic()
        state = judge.replay(last)
        self.assertEqual(state.keys(), [])
        for watcher in watchers:
            Guarantees(watcher, judge).check()
        replayed = time.monotonic() - began
        verdict = self.lincheck(judge)
        self.summarize(load, judge, watchers, turns, seconds)
        harness.say(f"replayed in {replayed:.1f} s; {verdict}, "
                    f"{time.monotonic() - began - replayed:.1f} s")
        return last

    def test_what_is_answered_and_told_is_what_the_model_says(self):
        cluster = self.cluster(3)
        cluster[0].put("/kv/m/first", b"")
        last = int(cluster[0].request("DELETE", "/kv/m/first").headers["kv-revision"])
        for number in range(ROUNDS):
            if number > 0:
                cluster.start()
            last = self.round(cluster, number, last)


def answered(state, number, kind, what, revision, is_change=True):
    """A request that is answered as the model says, at the time `number`."""
    request = Request(number, kind, what)
    request.invoked, request.returned = 10 * number, 10 * number + 5
    request.outcome, request.revision, request.is_change = "answered", revision, is_change
    request.answer, run = model.carry_out(state, request, revision)
    request.times = [None] * len(run.times)
    state.take(revision, run.changes)
    return request


def small_history():
    """A put, a transaction over two keys, a read, a delete."""
    state = model.State(0)
    put = {"method": "PUT", "op": {"put": "m/a", "value": "1"}, "if": None, "prefer": None}
    gone = {"method": "DELETE", "op": {"delete": "m/a"}, "if": None, "prefer": None}
    both = {"if": [{"key": "m/a", "etag": "1"}],
            "then": [{"put": "m/a", "value": "2"}, {"put": "m/b", "value": "3"}]}
    return [answered(state, 1, "one", put, 1), answered(state, 2, "txn", both, 2),
            answered(state, 3, "get", {"key": "m/b", "method": "GET"}, 2, is_change=False),
            answered(state, 4, "one", gone, 3)]


class Node:
    id = 1


def stretch_of(judge, since):
    """What a watch has to tell of a history."""
    stretch = Stretch(Node, since)
    for revision in sorted(revision for revision in judge.events if revision > since):
        changes = sorted(judge.events[revision].items())
        for place, (key, (kind, value, created, version)) in enumerate(changes):
            old = judge.replaced[(revision, key)]
            stretch.events.append(Event(kind, revision if place == len(changes) - 1 else None, {
                "key": key, "revision": revision, "value": value, "create_revision": created,
                "version": version, "prev_revision": old.revision if old else None,
                "prev_value": old.value if old else None}))
    return stretch


class Checks(harness.TestCase):
    """The checks find what they are for, in a small history that is right but for one thing."""

    def judged(self, requests, told=None):
        judge = Judge(0, requests, told or {})
        judge.replay(3)
        return judge

    def test_answers_that_are_wrong_are_found(self):
        def lose(requests):
            del requests[1]

        def lie(requests):
            requests[2].answer["body"] = "4"

        def take_twice(requests):
            requests[3].revision = 2

        def misplace(requests):
            requests[2].revision = 1

        def hide(requests):
            requests[3].is_change = False

        def refuse(requests):
            requests[1].outcome = "refused"
        self.judged(small_history())
        for wrong in (lose, lie, take_twice, misplace, hide, refuse):
            with self.subTest(wrong.__name__), self.assertRaises(Wrong):
                requests = small_history()
                wrong(requests)
                told = {2: (25, {"m/a": ("put", "2", 1, 2), "m/b": ("put", "3", 2, 1)})}
                self.judged(requests, told)

    def test_an_unknown_outcome_is_known_by_what_watches_told(self):
        requests = small_history()
        requests[1].outcome = "unknown"
        told = {2: (25, {"m/a": ("put", "2", 1, 2), "m/b": ("put", "3", 2, 1)})}
        self.assertEqual(self.judged(requests, told).owners, {2: requests[1]})
        told[2][1]["m/b"] = ("put", "4", 2, 1)
        with self.assertRaises(Wrong):
            self.judged(requests, told)

    def test_an_order_that_contradicts_the_clocks_is_found(self):
        path = harness.new_directory("checks") / "model.history"
        for began, status in ((30, 0), (5, 1)):
            requests = small_history()
            requests[3].invoked, requests[3].returned = began, began + 1
            Lines(self.judged(requests)).write(path)
            done = subprocess.run([CHECKER, path], capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, status, done.stdout + done.stderr)

    def test_each_guarantee_of_watches_is_held_against_what_they_told(self):
        wrong = {
            "filter": lambda events: setattr(events[1], "key", "n/a"),
            "ordered": lambda events: events.append(events.pop(0)),
            "unique": lambda events: events.insert(1, events[0]),
            "atomic": lambda events: events.pop(1),
            "reliable": lambda events: events.__delitem__(slice(1, 3)),
            "resumable": lambda events: events.pop(0),
            "bookmarkable": lambda events: events.insert(0, Event("progress", 1, {})),
            "is_create": lambda events: setattr(events[0], "change", ("put", "1", 1, 2)),
            "previous": lambda events: setattr(events[1], "previous", (1, "0")),
        }
        judge = self.judged(small_history())
        for name, spoil in wrong.items():
            with self.subTest(name):
                watcher = Watcher("w", [], {"prefix": "m/", "prev": "1"}, 0, Told())
                guarantees = Guarantees(watcher, judge)
                stretch = stretch_of(judge, 0)
                validate = getattr(guarantees, f"validate_{name}")
                self.assertIsNone(validate(stretch))
                spoil(stretch.events)
                self.assertIsNotNone(validate(stretch))


if __name__ == "__main__":
    harness.main()
