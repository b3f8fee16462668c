"""Watches, as curl sees them: every change once and in order, on any node, whoever leads."""

import json
import subprocess
import threading
import time

import harness
from harness import wait_until


class Stream:
    """A `curl -N` that runs on, and what it has received so far."""

    def __init__(self, node, target, *more):
        self.path = harness.new_directory("stream") / "text"
        with open(self.path, "wb") as out:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "curl", "-sSN", "-D", "-", *more,
                 node.url + target], stdin=subprocess.DEVNULL, stdout=out)

    def now(self):
        return self.path.read_bytes().decode()

    def body(self):
        return self.now().partition("\r\n\r\n")[2]

    def header(self, name):
        for line in self.now().partition("\r\n\r\n")[0].split("\r\n"):
            if line.lower().startswith(name.lower() + ":"):
                return line.partition(":")[2].strip()
        return None

    def opened(self):
        wait_until(lambda: "retry: 1000" in self.now(), 20, "the stream begins")
        return self

    def events(self):
        """(event, id, data) of each whole event so far."""
        found = []
        for block in self.body().split("\n\n")[:-1]:
            fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
            if "event" in fields:
                found.append((fields["event"], fields.get("id"), json.loads(fields["data"])))
        return found

    def changes(self):
        return [event for event in self.events() if event[0] in ("put", "delete", "expire")]

    def wait_changes(self, count, seconds=60):
        wait_until(lambda: len(self.changes()) >= count, seconds, f"{count} events")
        return self.changes()

    def kill(self):
        self.process.kill()
        self.end()

    def end(self):
        self.process.wait(30)


class Watch(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.shared = cls.class_cluster(3)

    def stream(self, node, target, *more):
        stream = Stream(node, target, *more)
        self.addCleanup(stream.kill)
        return stream

    def put_many(self, node, prefix, first, last):
        with node.connect() as connection:
            for i in range(first, last):
                answer = connection.request("PUT", f"/kv/{prefix}{i % 50}", str(i).encode())
                self.assertIn(answer.status, (200, 201))

    def assert_in_order(self, changes, first, last):
        """The values first to last - 1, each once, and every event with its id."""
        self.assertEqual([int(data["value"]) for _, _, data in changes], list(range(first, last)))
        revisions = [data["revision"] for _, _, data in changes]
        self.assertEqual(revisions, sorted(set(revisions)))
        self.assertEqual([int(id) for _, id, _ in changes], revisions)

    def test_1000_writes_are_1000_events_and_a_cut_is_resumed_on_another_node(self):
        cluster = self.shared
        leader = cluster.leader()
        follower, other = cluster.others(leader)
        whole = self.stream(follower, "/watch?prefix=many/").opened()
        cut = self.stream(leader, "/watch?prefix=many/").opened()
        self.put_many(other, "many/", 0, 500)
        changes = cut.wait_changes(500)
        cut.kill()
        self.put_many(other, "many/", 500, 1000)
        last = changes[-1][1]
        resumed = self.stream(other, "/watch?prefix=many/", "-H", f"Last-Event-ID: {last}").opened()
        self.assertEqual(resumed.header("KV-Revision"), last)
        self.assert_in_order(changes, 0, 500)
        self.assert_in_order(resumed.wait_changes(500), 500, 1000)
        self.assert_in_order(whole.wait_changes(1000), 0, 1000)

    def test_what_was_acknowledged_before_is_not_told_and_what_comes_after_is(self):
        leader = self.shared.leader()
        for node in self.shared:
            for i in range(10):
                leader.put("/kv/before", f"{i}".encode())
                stream = self.stream(node, "/watch/before").opened()
                leader.put("/kv/before", b"after")
                changes = stream.wait_changes(1)
                self.assertEqual(changes[0][2]["value"], "after")
                stream.kill()

    def test_an_initial_state_goes_on_without_a_gap_while_others_write(self):
        cluster = self.shared
        leader = cluster.leader()
        node = cluster.others(leader)[0]
        count = harness.pick(3000, 30000)
        with leader.connect() as connection:
            for i in range(count):
                connection.request("PUT", f"/kv/state/{i:06}", b"0")
        stop = threading.Event()
        written = {}

        def write():
            i = 0
            with leader.connect() as connection:
                while not stop.is_set():
                    key, value = f"state/{i * 7919 % count:06}", str(i + 1)
                    connection.request("PUT", f"/kv/{key}", value.encode())
                    written[key] = value
                    i += 1

        writer = threading.Thread(target=write)
        writer.start()
        try:
            stream = self.stream(node, "/watch?prefix=state/&initial=1").opened()
            wait_until(lambda: "event: synced" in stream.now(), 60, "the state was sent")
            seen = len(written)
            wait_until(lambda: len(written) > seen + 200, 60, "more writes")
        finally:
            stop.set()
            writer.join()
        end = leader.put("/kv/state/end", b"end").headers["kv-revision"]
        wait_until(lambda: any(id == end for _, id, _ in stream.events()), 60, "all was sent")
        events = stream.events()
        self.assertNotIn("reset", [event for event, _, _ in events])
        split = [event for event, _, _ in events].index("synced")
        synced = int(events[split][1])
        state, seen = {}, set()
        for _, id, data in events[:split]:
            self.assertIsNone(id)
            self.assertNotIn(data["key"], state)
            self.assertLessEqual(data["revision"], synced)
            state[data["key"]] = data["value"]
        self.assertEqual(len(state), count)
        last = synced
        for event, id, data in events[split + 1:]:
            if event == "put":
                self.assertEqual(int(id), last + 1 if data["key"] != "other" else last)
                last = int(id)
                state[data["key"]] = data["value"]
        expected = {f"state/{i:06}": "0" for i in range(count)} | written | {"state/end": "end"}
        self.assertEqual(state, expected)

    def test_what_is_too_old_is_refused_and_lines_are_json(self):
        cluster = self.cluster(1, history_revisions=10)
        node = cluster[0]
        for i in range(30):
            node.put("/kv/a", str(i).encode())
        answer = node.get("/watch/a?since=1")
        self.assert_problem(answer, 410, "compacted")
        oldest = answer.json()["oldest"]
        self.assertEqual(oldest, 20)
        status, _, _ = harness.curl("--fail", "-sN", f"{node.url}/watch/a?since={oldest - 1}")
        self.assertEqual(status, 22)
        stream = self.stream(node, f"/watch/a?since={oldest}", "-H", "Accept: application/x-ndjson")
        wait_until(lambda: stream.body().count("\n") == 11, 20, "ten lines and the progress")
        *lines, progress = [json.loads(line) for line in stream.body().splitlines()]
        self.assertEqual(progress, {"event": "progress", "id": 30})
        self.assertEqual([line["id"] for line in lines], list(range(21, 31)))
        self.assertEqual(lines[-1], {"event": "put", "id": 30, "key": "a", "value": "29",
                                     "revision": 30, "create_revision": 1, "version": 30})

    def test_a_node_that_ends_takes_leave(self):
        cluster = self.cluster(1)
        node = cluster[0]
        node.put("/kv/a", b"1")
        stream = self.stream(node, "/watch/a")
        wait_until(lambda: stream.events() == [("progress", "1", {})], 20, "it says where it is")
        node.put("/kv/b", b"1")
        node.stop()
        stream.end()
        self.assertEqual(stream.process.returncode, 0)
        self.assertEqual(stream.events(), [("progress", "1", {}), ("progress", "2", {})])

    def test_who_is_cut_off_while_nothing_happens_never_falls_behind(self):
        node = self.cluster(1, history_revisions=10)[0]
        node.put("/kv/other", b"0")
        fields, told = [], []
        for round in range(5):
            stream = self.stream(node, "/watch/idle", *fields)
            wait_until(stream.events, 10, "an id at once, not after 15 s")
            stream.kill()
            told += stream.events()
            fields = ["-H", f"Last-Event-ID: {told[-1][1]}"]
            for i in range(8):  # together far more than it keeps
                node.put("/kv/other", f"{round} {i}".encode())
        self.assertEqual(told, [("progress", str(1 + 8 * round), {}) for round in range(5)])
        node.put("/kv/idle", b"1")
        stream = self.stream(node, "/watch/idle", *fields)
        self.assertEqual([id for _, id, _ in stream.wait_changes(1)], ["42"])


class Failover(harness.TestCase):
    def test_a_watch_on_a_follower_sees_everything_when_the_leader_is_killed(self):
        cluster = self.cluster(3)
        leader = cluster.leader()
        follower, other = cluster.others(leader)
        stream = Stream(follower, "/watch?prefix=k").opened()
        self.addCleanup(stream.kill)
        acknowledged = []

        def write(node, i):
            try:
                if node.put(f"/kv/k{i % 10}", str(i).encode()).status in (200, 201):
                    acknowledged.append(i)
            except (OSError, harness.Closed):
                pass

        for i in range(300):
            if i == 100:
                leader.kill()
            write(other, i)
            if i == 150:
                cluster.leader()
        wait_until(lambda: acknowledged and any(
            data["value"] == str(acknowledged[-1]) for _, _, data in stream.changes()), 60,
            "the last write is seen")
        changes = stream.changes()
        values = [int(data["value"]) for _, _, data in changes]
        self.assertEqual(values, sorted(set(values)))
        self.assertLessEqual(set(acknowledged), set(values))
        self.assertGreater(len(acknowledged), 150)
        revisions = [data["revision"] for _, _, data in changes]
        self.assertEqual(revisions, list(range(revisions[0], revisions[0] + len(revisions))))

    def test_an_id_of_a_node_that_ended_is_good_there_in_its_next_life(self):
        cluster = self.cluster(3)
        leader = cluster.leader()
        follower, _ = cluster.others(leader)
        over = threading.Event()
        written = []

        def write():
            with leader.connect() as connection:
                while not over.is_set():
                    number = str(len(written)).encode()
                    written.append(connection.request("PUT", "/kv/k", number).status)

        thread = threading.Thread(target=write)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(over.set)
        revisions, fields = [], []
        for _ in range(3):
            stream = Stream(follower, "/watch?prefix=k", *fields).opened()
            self.addCleanup(stream.kill)
            stream.wait_changes(50)
            follower.stop()
            stream.end()
            revisions += [data["revision"] for _, _, data in stream.changes()]
            fields = ["-H", f"Last-Event-ID: {stream.events()[-1][1]}"]
            begun = len(written)
            wait_until(lambda begun=begun: len(written) > begun + 50, 30, "others write on")
            follower.start()
            follower.wait_ready(30)
        self.assertEqual(revisions, list(range(revisions[0], revisions[0] + len(revisions))))


class Restart(harness.TestCase):
    """What was before a checkpoint outlives the process, as what came after it does."""

    def assert_past(self, node, count, first_page):
        stream = Stream(node, "/watch?prefix=k&since=0").opened()
        self.addCleanup(stream.kill)
        changes = stream.wait_changes(count)[:count]
        self.assertEqual([(data["key"], data["value"], data["revision"]) for _, _, data in changes],
                         [(f"k{i % 10}", str(i), i + 1) for i in range(count)])
        for i in (0, 9, 17):
            answer = node.get(f"/kv/k{i % 10}?at={i + 1}")
            self.assertEqual((answer.status, answer.body), (200, str(i).encode()))
        self.assertEqual(node.get("/kv/k9?at=9").status, 404)
        second = node.get(first_page.json()["next"])
        keys = [entry["key"] for page in (first_page, second) for entry in page.json()["keys"]]
        self.assertEqual(keys, [f"k{i}" for i in range(10)])  # not k10, which came later

    def test_a_node_that_was_killed_or_stopped_still_has_what_was(self):
        node = self.cluster(1, checkpoint_interval="200ms")[0]
        for i in range(20):
            node.put(f"/kv/k{i % 10}", str(i).encode())
        wait_until(lambda: node.stats()["store"]["tail_records"] == 0, 30, "all is checkpointed")
        page = node.get("/kv/?prefix=k&limit=5")
        node.put("/kv/k10", b"20")  # in the log alone, it may be
        for end in (node.kill, node.stop, node.kill):
            end()
            node.start()
            node.wait_ready()
            self.assert_past(node, 20, page)
            self.assertEqual(node.get("/kv/k10").body, b"20")

    def test_without_its_files_a_node_starts_and_says_how_far_back_it_goes(self):
        node = self.cluster(1)[0]
        for i in range(20):
            node.put(f"/kv/k{i % 10}", str(i).encode())
        node.stop()
        for path in (node.data / "history").iterdir():
            path.write_bytes(path.read_bytes()[:-1] + b"!")
        node.start()
        node.wait_ready()
        answer = node.get("/watch?prefix=k&since=0")
        self.assert_problem(answer, 410, "compacted")
        self.assertEqual(answer.json()["oldest"], 20)
        self.assertEqual(node.get("/kv/k9").body, b"19")


class LongPoll(harness.TestCase):
    def poll(self, node, path, *arguments):
        """A curl that waits for a key to change."""
        process = subprocess.Popen(["curl", "-sS", "--max-time", "60", *arguments, node.url + path],
                                   stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def wait_watchers(self, node, count):
        wait_until(lambda: node.stats()["watch"]["watchers"] == count, 30, f"{count} wait")

    def test_who_waits_on_any_node_is_told_of_the_next_change(self):
        cluster = self.cluster(3)
        cluster[0].put("/kv/k", b"one")
        index = int(cluster[0].get("/kv/k").headers["etag"].strip('"'))
        polls = [self.poll(node, f"/kv/k?index={index}&wait=5m") for node in cluster]
        polls += [self.poll(node, "/kv/k", "-H", f'If-None-Match: "{index}"', "-H",
                            "Prefer: wait=300") for node in cluster]
        for node in cluster:
            self.wait_watchers(node, 2)
        cluster[1].put("/kv/other", b"x")
        self.assertEqual([poll.poll() for poll in polls], [None] * 6)
        cluster[2].put("/kv/k", b"two")
        self.assertEqual([poll.communicate(timeout=30)[0] for poll in polls], [b"two"] * 6)
        for node in cluster:
            self.wait_watchers(node, 0)

    def test_it_outlives_its_leader(self):
        cluster = self.cluster(3)
        leader = cluster.leader()
        follower, other = cluster.others(leader)
        follower.put("/kv/k", b"one")
        poll = self.poll(follower, "/kv/k?index=1&wait=5m&timeout=30s")
        self.wait_watchers(follower, 1)
        leader.kill()
        cluster.leader()
        self.assertIsNone(poll.poll())
        self.assertIn(other.put("/kv/k?timeout=30s", b"two").status, (200, 201))
        self.assertEqual(poll.communicate(timeout=60)[0], b"two")

    def test_clients_that_go_leave_nothing_behind(self):
        node = self.cluster(1, max_watchers=20)[0]
        node.put("/kv/k", b"one")
        polls = [self.poll(node, "/kv/k?index=1") for _ in range(20)]
        self.wait_watchers(node, 20)
        response = node.get("/kv/k?index=1")
        self.assert_problem(response, 503, "overloaded")
        for poll in polls:
            poll.kill()
        self.wait_watchers(node, 0)


class SlowReader(harness.TestCase):
    def test_it_costs_no_memory_and_others_nothing(self):
        cluster = self.cluster(1)
        node = cluster[0]
        slow = [Stream(node, "/watch?prefix=big", "--limit-rate", "1k") for _ in range(20)]
        for stream in slow:
            self.addCleanup(stream.kill)
        quick = Stream(node, "/watch?prefix=big").opened()
        self.addCleanup(quick.kill)
        value = b"v" * 20000
        first, count = 4000, harness.pick(4000, 50000)

        def memory():
            with open(f"/proc/{node.process.pid}/status", encoding="ascii") as status:
                return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

        def write(many):
            with node.connect() as connection:
                for i in range(many):
                    connection.request("PUT", f"/kv/big{i % 100}", value)
        write(first)  # log's cache, tail and history are full
        before = memory()
        started = time.monotonic()
        write(count)
        last = f"\nid: {first + count}\n".encode()
        wait_until(lambda: last in quick.path.read_bytes()[-50000:], 60, "the last one is sent")
        changes = quick.changes()
        harness.say(f"{count} values of 20 KB in {time.monotonic() - started:.1f} s, memory "
                    f"{before // 1024} MiB, then {memory() // 1024} MiB")
        revisions = [data["revision"] for _, _, data in changes]
        self.assertEqual(revisions, list(range(revisions[0], revisions[0] + len(revisions))))
        if not harness.is_sanitized():
            self.assertLess(memory() - before, 64 << 10)
        self.assertLess(node.metric("pontoon_http_reply_bytes"), 32 << 20)


if __name__ == "__main__":
    harness.main()
