#!/usr/bin/env python3
"""Backup under load, restore elsewhere; files that are not whole; three nodes of one file."""

import json
import signal
import subprocess
import threading

import harness

REVISION_STEP = 10 ** 10


class Load:
    """Writers whose every write is known with its revision: the state at any of them is, too."""

    def __init__(self, node, count=4, keys=50):
        self.node, self.keys = node, keys
        self.written = []  # (revision, key, value or None)
        self.lock = threading.Lock()
        self.is_over = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(number,), daemon=True)
                        for number in range(count)]
        for thread in self.threads:
            thread.start()

    def run(self, number):
        rng = harness.rng(f"load-{number}")
        with self.node.connect() as connection:
            while not self.is_over.is_set():
                key = f"w{number}/{rng.randrange(self.keys)}".encode()
                value = rng.randbytes(rng.choice((0, 10, 1000, 20000)))
                if rng.random() < 0.1:
                    value = None
                    answer = connection.request("DELETE", harness.quote(key))
                else:
                    answer = connection.request("PUT", harness.quote(key), value)
                assert answer.status in (200, 201), answer
                if value is not None or answer.headers["kv-deleted"] == "1":
                    with self.lock:
                        revision = int(answer.headers["kv-revision"])
                        self.written.append((revision, key, value))

    def count(self):
        with self.lock:
            return len(self.written)

    def stop(self):
        self.is_over.set()
        for thread in self.threads:
            thread.join()

    def state_at(self, revision):
        """What every key ever written had then: (value, its revision), or None."""
        state = {}
        for at, key, value in sorted(self.written):
            state.setdefault(key, None)
            if at <= revision:
                state[key] = None if value is None else (value, at)
        return state


class Backup(harness.TestCase):
    def setUp(self):
        self.directory = harness.new_directory("backup")

    def run_ok(self, *arguments, **more):
        status, output, errors = harness.run(*arguments, **more)
        self.assertEqual(status, 0, errors)
        return json.loads(output)

    def backup(self, *nodes, name="a"):
        """Takes one, from the first node that answers: its path, and what it says of itself."""
        path = self.directory / name
        endpoints = ",".join(f"127.0.0.1:{node.port}" for node in nodes)
        told = self.run_ok("backup", "-e", endpoints, "-o", "json", path)
        self.assertEqual(told["size_bytes"], path.stat().st_size)
        return path, told

    def restore(self, path, node, **flags):
        """Into the node's data directory, which is not there."""
        given = {"data": node.data, "id": node.id} | {
            name: node.flags[name] for name in ("cluster", "cluster_name") if name in node.flags}
        arguments = [f"--{name.replace('_', '-')}={value}"
                     for name, value in (given | flags).items()]
        return self.run_ok("restore", path, "-o", "json", *arguments)

    def refuse(self, words, *arguments):
        status, output, errors = harness.run(*arguments)
        self.assertEqual((status, output), (1, ""), errors)
        for word in words:
            self.assertIn(word, errors)

    def assert_restored(self, node, told):
        stats = node.stats()
        self.assertEqual(stats["state_hash"], told["state_hash"])
        self.assertEqual((stats["keys"], stats["revision"]),
                         (told["keys"], told["revision"] + REVISION_STEP))

    def assert_keys(self, node, state):
        expected = dict(state)
        for key, answer in node.read_many(list(expected)):
            if expected[key] is None:
                self.assertEqual(answer.status, 404, key)
            else:
                value, revision = expected[key]
                self.assertEqual((answer.status, answer.body), (200, value), key)
                self.assertEqual(answer.headers["etag"], f'"{revision}"', key)

    def small(self, keys=20):
        """A node with a few keys, and a backup of it."""
        source = self.cluster(1)[0]
        for number in range(keys):
            source.put(f"/kv/k{number}", b"value" * 100)
        path, told = self.backup(source)
        return source, path, told


class UnderLoad(Backup):
    def test_it_is_the_state_of_its_revision_restored_elsewhere(self):
        source = self.cluster(3, tail_bytes="1MiB")
        load = Load(source.leader())
        taken = []
        for number in range(harness.pick(3, 20)):
            before = load.count()
            harness.wait_until(lambda: load.count() > before + 200, 60, "writes go on")
            node = source[number % 3]
            taken.append(self.backup(node, name=str(number)))
        before = load.count()
        harness.wait_until(lambda: load.count() > before + 200, 60, "writes go on")
        load.stop()
        self.assertEqual(len({told["revision"] for _, told in taken}), len(taken))
        for path, told in taken:
            target = self.cluster(1, start=False)[0]
            restored = self.restore(path, target)
            self.assertEqual(restored["state_hash"], told["state_hash"])
            target.start().wait_ready()
            self.assert_restored(target, told)
            self.assert_keys(target, load.state_at(told["revision"]))
            revision = int(target.put("/kv/new", b"x").headers["kv-revision"])
            self.assertEqual(revision, restored["next_revision"])
            self.assertGreater(revision, source.leader().stats()["revision"])
            target.stop()

    def test_members_at_one_place_give_one_file(self):
        source = self.cluster(3)
        for number in range(100):
            source.leader().put(f"/kv/k{number}", b"value")
        source.settle()
        files = [self.backup(node, name=str(node.id))[0].read_bytes() for node in source]
        self.assertEqual(files[1:], files[:1] * 2)

    def test_a_node_that_is_away_is_passed_over(self):
        source = self.cluster(2)
        source[0].stop()
        self.backup(source[0], source[1])


class NotWhole(Backup):
    def refuse_file(self, data, words=("no whole backup",)):
        path, target = self.directory / "bad", self.directory / "target"
        path.write_bytes(data)
        self.refuse(words, "restore", path, "--data", target)
        self.assertFalse(target.exists())

    def test_a_file_that_is_cut_is_refused(self):
        _, path, _ = self.small()
        whole = path.read_bytes()
        rng = harness.rng("cut")
        cuts = {0, 1, len(whole) - 1, len(whole) * 99 // 100}
        cuts |= {rng.randrange(len(whole)) for _ in range(harness.pick(20, 200))}
        for size in cuts:
            self.refuse_file(whole[:size])
        self.refuse_file(whole + b"x")

    def test_a_flipped_bit_is_refused(self):
        _, path, _ = self.small()
        rng = harness.rng("flip")
        for _ in range(harness.pick(20, 200)):
            data = bytearray(path.read_bytes())
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            self.refuse_file(bytes(data), words=("pontoon: ",))

    def test_a_connection_that_breaks_leaves_no_file(self):
        source = self.cluster(1)[0]
        for number in range(40):
            source.put(f"/kv/{number}", b"v" * (1 << 20))
        target = self.directory / "a"
        old = b"an older file"
        target.write_bytes(old)
        process = subprocess.Popen(
            harness.command("backup", "-e", f"127.0.0.1:{source.port}", target),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=harness.environment())
        tmp = self.directory / "a.tmp"
        harness.wait_until(lambda: process.poll() is not None or
                           tmp.exists() and tmp.stat().st_size > 0, 30, "it has begun")
        source.kill()
        _, errors = process.communicate(timeout=60)
        if process.returncode == 0:  # it was faster
            self.assertNotEqual(target.read_bytes(), old)
        else:
            self.assertEqual(process.returncode, 5, errors)
            self.assertIn(b"beginning again", errors)
            self.assertEqual(target.read_bytes(), old)
        self.assertFalse(tmp.exists())

    def test_a_slow_client_costs_no_memory_and_does_not_stop_writes(self):
        source = self.cluster(1)[0]
        for number in range(100):
            source.put(f"/kv/{number}", b"v" * (1 << 20))
        with source.connect() as connection:
            connection.send(harness.encode("GET", "/admin/snapshot"))
            status, _, _ = connection.take_head()
            self.assertEqual(status, 200)
            for number in range(50):
                self.assertEqual(source.put("/kv/0", b"%d" % number).status, 200)
            answer = source.get("/admin/snapshot")
            self.assertEqual(self.assert_problem(answer, 503, "overloaded")["outcome"],
                             "not-applied")
            self.assertIn("retry-after", answer.headers)
            self.assertLess(source.metric("pontoon_backup_bytes_total"), 50 << 20)
        harness.wait_until(lambda: source.metric("pontoon_backup_failures_total") == 1, 20,
                           "the backup of the client that is gone has ended")
        self.backup(source)


class Restored(Backup):
    def test_a_directory_that_has_something_is_refused(self):
        source, path, _ = self.small(keys=1)
        self.refuse(["is locked by"], "restore", path, "--data", source.data)
        source.stop()
        self.refuse(["is not empty"], "restore", path, "--data", source.data)
        source.start().wait_ready()
        self.assertEqual(source.get("/kv/k0").status, 200)

    def test_three_nodes_of_one_file_are_one_cluster(self):
        source, path, told = self.small()
        target = self.cluster(3, start=False)
        restored = [self.restore(path, node) for node in target]
        self.assertEqual(len({one["cluster_id"] for one in restored}), 1)
        target.start()
        for node in target:
            self.assert_restored(node, told)
            self.assertNotEqual(node.stats()["cluster_id"], source.stats()["cluster_id"])
        self.assertEqual(target.leader().put("/kv/new", b"x").status, 201)
        self.assertEqual(len({found["state_hash"] for found in target.settle()}), 1)
        target.kill()
        target.start()
        for node in target:
            self.assertEqual(node.get("/kv/new").body, b"x")
            self.assertEqual(node.get("/kv/k7").body, b"value" * 100)

    def test_a_member_of_the_old_cluster_is_not_let_in(self):
        old = self.cluster(3)
        old.leader().put("/kv/key", b"before")
        old.settle()
        path, told = self.backup(*old)
        old.leader().put("/kv/later", b"lost")  # behind the backup
        old.settle()
        old.finish()
        for node in old.nodes[:2]:
            node.data = node.directory / f"new-{node.id}"
            self.restore(path, node)
            node.start()
        old[2].start()  # the same members and addresses, the old data
        for node in old.nodes[:2]:
            node.wait_ready()
            self.assertEqual(node.get("/kv/key").body, b"before")
            self.assertEqual(node.get("/kv/later").status, 404)
        self.assertEqual(old.leader().put("/kv/new", b"x").status, 201)
        harness.wait_until(lambda: "this is cluster" in old[2].log(), 20, "it is told")
        self.assertFalse(old[2].is_ready())
        for node in old.nodes[:2]:
            peers = {peer["id"]: peer["is_connected"] for peer in node.stats()["peers"]}
            self.assertFalse(peers[3])
        self.assertEqual(old[2].stats()["revision"], told["revision"] + 1)  # all on its own

    def test_a_restored_node_grows_into_a_cluster(self):
        source, path, told = self.small()
        target = self.cluster(1, start=False)
        first = target[0]
        first.flags["peer_listen"] = f"127.0.0.1:{harness.ports.take()}"
        self.restore(path, first)
        first.start().wait_ready()
        joined = [target.joiner(number, first) for number in (2, 3)]
        for node in joined:
            node.start().wait_ready()
        harness.run("cluster", "wait", "-e", first.url, seconds=60)
        self.assertEqual(first.put("/kv/new", b"x").status, 201)
        target.settle()
        for node in target:
            stats = node.stats()
            self.assertEqual(stats["revision"], told["revision"] + REVISION_STEP + 1)
            self.assertEqual(stats["state_hash"], first.stats()["state_hash"])
            self.assertEqual(node.get("/kv/k7?consistency=stale").body, b"value" * 100)
        # Without the first one, and after all have been away.
        first.kill()
        self.assertEqual(joined[0].put("/kv/new", b"y").status, 200)
        first.start().wait_ready()
        target.settle()
        for node in target:
            node.stop()
        for node in joined:
            node.flags.update(join=None, id=node.id)
        target.start()
        for node in target:
            self.assertEqual(node.get("/kv/new").body, b"y")
            self.assertEqual(node.stats()["keys"], told["keys"] + 1)

    def test_who_joins_three_restored_ones_gets_all_of_it(self):
        _, path, told = self.small()
        target = self.cluster(3, start=False)
        for node in target:
            self.restore(path, node)
        target.start()
        fourth = target.joiner(4, target[1], cluster=None)
        fourth.start().wait_ready()
        target.settle()
        self.assert_restored(fourth, told)
        answer = target[0].request("DELETE", "/admin/members/1")
        self.assertEqual(answer.status, 204, answer)
        target[0].end(0)
        target.nodes.remove(target[0])
        self.assertEqual(fourth.put("/kv/new", b"x").status, 201)
        self.assertEqual(len({found["state_hash"] for found in target.settle()}), 1)

    def test_one_that_was_killed_in_the_middle_is_refused(self):
        source = self.cluster(1)[0]
        for number in range(30):
            source.put(f"/kv/{number}", b"v" * (1 << 20))
        path, told = self.backup(source)
        seen = set()
        for number in range(harness.pick(5, 50)):
            target = self.cluster(1, start=False)[0]
            process = subprocess.Popen(
                harness.command("restore", path, "--data", target.data),
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=harness.environment())
            identity = target.data / "identity"
            harness.wait_until(lambda: process.poll() is not None or identity.exists(), 60,
                               "it has begun")
            process.send_signal(signal.SIGKILL)
            if process.wait() == 0 or "state founded" in identity.read_text():
                seen.add("whole")
                target.start().wait_ready()
                self.assert_restored(target, told)
            else:
                seen.add("half")
                self.refuse(["not finished"], "serve", "--data", target.data,
                            "--listen", "127.0.0.1:0")
                self.refuse(["is not empty"], "restore", path, "--data", target.data)
        self.assertIn("half", seen)


if __name__ == "__main__":
    harness.main()
