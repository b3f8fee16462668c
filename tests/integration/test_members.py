#!/usr/bin/env python3
"""The cluster changes under load: nodes join, leave, take each other's place; any node is asked."""

import json
import shutil
import threading
import time

import harness
from harness import wait_until

CLIENTS = 4
CHANGES = harness.pick(6, 20)


class Load:
    """Clients that write through any node that is there; a request may be repeated once."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.is_over = threading.Event()
        self.longest, self.slowest = 0.0, "none"  # that a write took, in s; which, and what it met
        self.written = [{} for _ in range(CLIENTS)]
        self.failures = []
        self.threads = [threading.Thread(target=self.run, args=(number,), daemon=True)
                        for number in range(CLIENTS)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        for thread in self.threads:
            thread.join(60)

    def put(self, number, count):
        """One write: two attempts, on two nodes. Returns what became of the first, if it failed."""
        seen, tried = [], []
        for _ in range(2):
            running = [node for node in self.cluster if node.is_up() and node not in tried]
            node = running[(number + count) % len(running)]
            tried.append(node)
            try:
                response = node.put(f"/kv/{number}-{count}", str(count).encode())
                if response.status in (200, 201):
                    return seen
                seen.append((node.id, response))
            except (OSError, harness.Closed) as problem:
                seen.append((node.id, problem))
        raise AssertionError(f"write {number}-{count} failed twice: {seen}")

    def run(self, number):
        count, last = 0, time.monotonic()
        try:
            while not self.is_over.is_set():
                count += 1
                seen = self.put(number, count)
                now = time.monotonic()
                if now - last > self.longest:
                    self.longest = now - last
                    self.slowest = f"{number}-{count}, {seen or 'at the first attempt'}"
                last = now
                self.written[number][f"{number}-{count}"] = str(count).encode()
        except Exception as problem:
            self.failures.append(problem)

    def wait_moved_on(self):
        """Each client has written since: what it had met on the way, it has behind it."""
        before = [len(written) for written in self.written]
        wait_until(lambda: self.failures or
                   all(len(written) > count for written, count in zip(self.written, before)),
                   30, "every client goes on")

    def check(self, node):
        """Everything that was acknowledged is there."""
        for written in self.written:
            for key, response in node.read_many([key.encode() for key in written], query=""):
                assert response.body == written[key.decode()], (key, response)


def ask(node, method, target, document=None):
    body = None if document is None else json.dumps(document).encode()
    return node.request(method, target, body, seconds=60)


def members(node):
    return {row["id"]: row for row in ask(node, "GET", "/admin/members").json()["members"]}


def wait_missed(cluster, node):
    """The leader knows that the node is gone."""
    wait_until(lambda: not members(cluster.leader())[node.id]["is_reachable"], 10, "it is missed")


class Members(harness.TestCase):
    def is_voter(self, node, number):
        return members(node).get(number, {}).get("role") in ("leader", "follower")

    def join(self, cluster, by, number, **flags):
        """A node joins and becomes a voter by itself; returns it, with its id."""
        node = cluster.joiner(number, by, **flags)
        node.start()
        node.wait_ready()
        node.id = node.stats()["node_id"]
        wait_until(lambda: self.is_voter(node, node.id), 30, f"node {node.id} is a voter")
        return node

    def remove(self, cluster, by, node):
        """A member is removed, ends by itself with status 0, and its data is refused."""
        response = ask(by, "DELETE", f"/admin/members/{node.id}")
        self.assertEqual(response.status, 204, response)
        node.end(0)
        self.assertIn("I've been removed from the cluster! Shutting down.", node.log())
        self.assertNotIn(node.id, members(cluster.others(node)[0]))
        status, output, _ = harness.run("check", node.data)
        self.assertEqual(status, 0, output)
        self.assertRegex(output, "note .*a start refuses this directory: .* was removed from its")
        node.start()
        node.end(1)
        self.assertIn("was removed from its cluster", node.log())
        cluster.nodes.remove(node)

    def test_a_node_alone_becomes_three_and_one_again(self):
        cluster = self.cluster(1)
        first = cluster[0]
        first.put("/kv/key", b"value")
        second = self.join(cluster, first, 2)
        third = self.join(cluster, second, 3)
        self.assertEqual([second.id, third.id], [2, 3])
        self.assertEqual(third.get("/kv/key").body, b"value")
        self.assertEqual({row["role"] for row in members(third).values()},
                         {"leader", "follower"})
        # Who has joined needs to be told nobody any more: an orderly stop notes it (M4).
        third.stop()
        third.start(join=None, id=3, peer_listen=None)
        third.wait_ready()
        self.assertEqual(third.get("/kv/key").body, b"value")
        self.remove(cluster, second, first)
        self.remove(cluster, third, second)
        self.assertEqual(third.put("/kv/key", b"alone").status, 200)
        # Ids are not given twice.
        self.assertEqual(self.join(cluster, third, 4).id, 4)

    def test_who_is_stopped_as_soon_as_it_was_taken_in_needs_no_join(self):
        cluster = self.cluster(1)
        cluster[0].put("/kv/key", b"value")
        for number in range(2, 2 + harness.pick(3, 20)):
            node = cluster.joiner(number, cluster[0]).start()
            wait_until(lambda: "taken into the cluster" in node.log(), 30, "it is a member")
            node.stop()
            node.start(join=None, id=number, peer_listen=None).wait_ready()
            self.assertEqual(node.get("/kv/key").body, b"value")
            node.flags.update(join=None, id=number, peer_listen=None)

    def test_who_joins_says_whom_it_asks_and_what_it_waits_for(self):
        cluster = self.cluster(3)
        first, second, third = cluster
        second.kill()
        third.kill()
        node = cluster.joiner(4, first).start()
        wait_until(lambda: "not taken in yet, asking again" in node.log(), 30, "it says why")
        line = next(line for line in node.log().splitlines() if "asking to be taken" in line)
        self.assertIn(f"nodes={first.url}", line)
        line = next(line for line in node.log().splitlines() if "asking again" in line)
        self.assertIn("no leader", line)
        second.start().wait_ready()
        third.start().wait_ready()
        node.wait_ready()
        # As often as it asked, it is one member more.
        self.assertEqual(sorted(members(first)), [1, 2, 3, 4])

    def test_members_come_and_go_under_load(self):
        cluster = self.cluster(3)
        with Load(cluster) as load:
            newest = self.join(cluster, cluster[0], 4)
            for change in range(CHANGES):
                leader = cluster.leader()
                # The leader itself goes every other time, asked by way of itself or of another.
                gone = leader if change % 2 == 0 else cluster.others(leader, newest)[0]
                self.remove(cluster, gone if change % 4 == 0 else newest, gone)
                newest = self.join(cluster, newest, 5 + change)
        self.assertEqual(load.failures, [])
        for node in cluster:
            load.check(node)
        harness.say(f"{sum(map(len, load.written))} writes through {CHANGES} changes, "
                    f"the longest took {load.longest * 1000:.0f} ms: {load.slowest}")

    def test_a_dead_node_is_replaced_in_one_step(self):
        cluster = self.cluster(3)
        cluster[0].put("/kv/key", b"value")
        dead = cluster.others(cluster.leader())[0]
        dead.kill()
        cluster.nodes.remove(dead)
        wait_missed(cluster, dead)
        address = f"127.0.0.1:{harness.ports.take()}"
        response = ask(cluster[0], "POST", "/admin/members/replace",
                       {"old": dead.id, "addr": address})
        self.assertEqual(response.status, 201, response)
        self.assertEqual(response.json()["id"], 4)
        self.join(cluster, cluster[0], 4, peer_listen=address)
        self.assertEqual(sorted(members(cluster[0])), sorted({1, 2, 3, 4} - {dead.id}))
        dead.start()
        dead.end(0, seconds=30)  # it is told, wherever it asks
        self.assertIn("removed from the cluster", dead.log())

    def test_the_leader_is_replaced_without_a_gap(self):
        """A learner catches up first; then it takes the place in one joint step."""
        cluster = self.cluster(3)
        with Load(cluster) as load:
            old = cluster.leader()
            address = f"127.0.0.1:{harness.ports.take()}"
            change = {"old": old.id, "addr": address}
            by = cluster.others(old)[0]
            response = ask(by, "POST", "/admin/members/replace", change)
            self.assertIn(f"member {old.id} is there",
                          self.assert_problem(response, 409, "conflict")["detail"])
            response = ask(by, "POST", "/admin/members", {"addr": address, "learner": True})
            self.assertEqual(response.status, 201, response)
            node = cluster.joiner(4, by, peer_listen=address)
            node.start().wait_ready()

            def is_replaced():
                response = ask(by, "POST", "/admin/members/replace", change)
                self.assertIn(response.status, (201, 409), response)
                return response.status == 201
            wait_until(is_replaced, 20, "it has caught up, and is a voter in the old one's place")
            self.assertEqual({row["id"]: row["role"] != "learner" for row in members(by).values()},
                             {id: True for id in (1, 2, 3, 4) if id != old.id})
            old.end(0)
            cluster.nodes.remove(old)
        self.assertEqual(load.failures, [])
        for each in cluster:
            load.check(each)

    def test_the_two_calls_of_raftexample(self):
        """etcd's raftexample: POST /4 with a URL, start node 4, DELETE /3."""
        cluster = self.cluster(3)
        address = f"127.0.0.1:{harness.ports.take()}"
        added = harness.curl("-s", "-w", "%{http_code}", "-L", f"{cluster[0].url}/4", "-XPOST",
                             "-d", f"http://{address}")
        self.assertEqual(added[:2], (0, b"204"))
        fourth = self.join(cluster, cluster[1], 4, id=4, peer_listen=address)
        self.assertEqual(fourth.put("/kv/foo", b"bar").status, 201)
        third = cluster[2]
        removed = harness.curl("-s", "-w", "%{http_code}", "-L", f"{cluster[0].url}/3",
                               "-XDELETE")
        self.assertEqual(removed[:2], (0, b"204"))
        third.end(0)
        cluster.nodes.remove(third)
        self.assertEqual(cluster[0].get("/kv/foo").body, b"bar")
        for method in ("POST", "DELETE"):
            for path in ("/4x", "/abc"):
                response = ask(cluster[0], method, path)
                self.assertIn(f"Failed on {method}", self.assert_problem(response, 400,
                                                                         "bad-request")["detail"])

    def test_what_is_not_safe_is_refused(self):
        cluster = self.cluster(3)
        leader = cluster.leader()
        one, other = cluster.others(leader)
        other.kill()
        wait_missed(cluster, other)
        response = ask(leader, "DELETE", f"/admin/members/{one.id}")
        self.assertIn("no majority", self.assert_problem(response, 409, "conflict")["detail"])
        response = ask(one, "PATCH", f"/admin/members/{one.id}", {"addr": "127.0.0.1:1"})
        self.assertIn(f"member {one.id} is moving",
                      self.assert_problem(response, 409, "conflict")["detail"])
        response = ask(one, "POST", f"/admin/leader?to={other.id}")
        self.assertIn(f"member {other.id} is not reached",
                      self.assert_problem(response, 409, "conflict")["detail"])
        for target, document, status, slug in (
                ("/admin/members", {"addr": "nowhere"}, 400, "bad-request"),
                ("/admin/members", {"addr": "\u00f6:24101"}, 400, "bad-request"),
                ("/admin/members", {"addr": "0.0.0.0:4000"}, 400, "bad-request"),
                ("/admin/members", {"addr": "127.0.0.1:1", "id": 1 << 53}, 400, "bad-request"),
                ("/admin/members", {"addr": "127.0.0.1:1", "id": 2}, 409, "conflict"),
                ("/admin/members/9/promote", None, 404, "not-found"),
                ("/admin/leader?to=9", None, 404, "not-found")):
            self.assert_problem(ask(one, "POST", target, document), status, slug)
        self.assertEqual(ask(one, "DELETE", f"/admin/members/{other.id}").status, 204)
        other.start()
        other.end(0, seconds=30)
        cluster.nodes.remove(other)
        # A wiped node cannot come back as what it was.
        one.kill()
        shutil.rmtree(one.data)
        one.start(cluster=None, id=None, join=leader.url,
                  peer_listen=one.flags["cluster"].split(",")[one.id - 1].split("=")[1])
        one.end(1)
        self.assertIn("lost its data", one.log())
        self.assertEqual(ask(leader, "DELETE", f"/admin/members/{one.id}?timeout=2s").status, 503)

    def assert_figures(self, cluster, away=None):
        """Every node tells the same figures: the leader's, who sees all as level but for one."""
        def are_told(node):
            leader = cluster.leader()
            document = ask(node, "GET", "/admin/members").json()
            level = [row for row in document["members"] if row["lag_entries"] == 0]
            return (document["figures_from"] == document["leader_id"] == leader.id and
                    len(level) == len(document["members"]) - (away is not None) and
                    all(row["is_reachable"] == (away is None or row["id"] != away.id)
                        for row in document["members"]) and document)
        running = [node for node in cluster if node.is_up()]
        for node in running:
            document = wait_until(lambda: are_told(node), 20, f"{node.id} has all figures")
            self.assertEqual(len({frozenset(row) for row in document["members"]}), 1)
            for row in document["members"]:
                is_leader = row["id"] == document["leader_id"]
                self.assertEqual(row["progress"] is None, is_leader, row)
                if away is not None and row["id"] == away.id:
                    self.assertGreater(row["lag_entries"], 0)

    def test_every_node_lists_the_leaders_figures(self):
        cluster = self.cluster(3)
        cluster[0].put("/kv/key", b"value")
        self.assert_figures(cluster)
        leader = cluster.leader()
        gone, last = cluster.others(leader)
        gone.kill()
        self.assertEqual(leader.put("/kv/key", b"without it").status, 200)
        self.assert_figures(cluster, away=gone)
        # Nobody leads: it is listed all the same, and not after the time that a change is given.
        leader.kill()
        def has_no_figures():
            document = ask(last, "GET", "/admin/members").json()
            return document["figures_from"] is None and document
        document = wait_until(has_no_figures, 20, "the leader is missed")
        self.assertEqual({row["lag_entries"] for row in document["members"]}, {None})
        self.assertEqual(sorted(row["id"] for row in document["members"]), [1, 2, 3])
        leader.start()
        gone.start()
        cluster.wait_ready()
        self.assert_figures(cluster)

    def test_leadership_goes_where_it_is_told(self):
        cluster = self.cluster(3)
        for _ in range(3):
            leader = cluster.leader()
            target = cluster.others(leader)[0]
            response = ask(cluster.others(target)[0], "POST", f"/admin/leader?to={target.id}")
            self.assertEqual((response.status, response.json()), (200, {"leader_id": target.id}))
            self.assertEqual(cluster.leader().id, target.id)


if __name__ == "__main__":
    harness.main()
