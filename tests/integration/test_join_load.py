#!/usr/bin/env python3
"""Much data moves to other nodes while clients write: joins, a leader that is removed, a dead node
that is replaced; and a network that breaks every transfer off, again and again."""

import socket
import threading

import harness
from harness import wait_until
from test_members import Load, ask, members, wait_missed

VALUE_BYTES = 16 << 10
# LMDB loses memory of its own when a transaction is larger than 16 MiB (checkpoint_snapshot.c).
IS_SMALL = harness.is_sanitized()
DATA_BYTES = 12 << 20 if IS_SMALL else harness.pick(30 << 20, 1 << 30)
PATIENCE = harness.pick(60, 600)
# So that there are checkpoints soon, and who is behind gets one instead of the log.
FLAGS = {"tail_bytes": "4MiB", "log_keep_bytes": "1MiB"}
PIECE = 2 << 20 if IS_SMALL else harness.pick(3 << 20, 40 << 20)  # that a connection brings


def fill(node):
    """Writes DATA_BYTES, a few requests at a time; returns the keys."""
    keys = [b"big-%d" % number for number in range(DATA_BYTES // VALUE_BYTES)]
    chance = harness.rng("values")
    with node.connect() as connection:
        for begin in range(0, len(keys), 32):
            part = keys[begin:begin + 32]
            connection.send(b"".join(
                harness.encode("PUT", harness.quote(key), chance.randbytes(VALUE_BYTES))
                for key in part))
            for key in part:
                status = connection.receive("PUT").status
                assert status in (200, 201), (key, status)
    return keys


def sum_of(nodes, name):
    return sum(node.metric(f"pontoon_{name}") for node in nodes if node.is_up())


class Much(harness.TestCase):
    def assert_alike(self, cluster):
        self.assertEqual(len({stats["state_hash"] for stats in cluster.settle()}), 1)


class JoinUnderLoad(Much):
    def is_voter(self, cluster, node):
        role = members(cluster.leader()).get(node.id, {}).get("role")
        return role in ("leader", "follower")

    def join(self, cluster, number, **flags):
        """Nobody does anything but start it."""
        node = cluster.joiner(number, cluster.leader(), **flags)
        node.start()
        node.wait_ready(PATIENCE)
        node.id = node.stats()["node_id"]
        wait_until(lambda: self.is_voter(cluster, node), PATIENCE, f"node {node.id} is a voter")
        # In the place of another one it is that from the beginning.
        wait_until(lambda: node.stats()["applied_index"] > 0, PATIENCE, "it has a state")
        self.assertEqual(node.metric("pontoon_snapshots_received_total"), 1)
        return node

    def test_join_remove_the_leader_replace_a_dead_node(self):
        cluster = self.cluster(3, **FLAGS)
        fill(cluster.leader())
        with Load(cluster) as load:
            fourth = self.join(cluster, 4)
            gone = cluster.leader()
            response = ask(fourth, "DELETE", f"/admin/members/{gone.id}")
            self.assertEqual(response.status, 204, response)
            gone.end(0)
            cluster.nodes.remove(gone)
            load.wait_moved_on()  # a retry is for one node that is gone, not for two at once
            dead = cluster.others(cluster.leader(), fourth)[0]
            dead.kill()
            wait_missed(cluster, dead)
            address = f"127.0.0.1:{harness.ports.take()}"
            response = ask(fourth, "POST", "/admin/members/replace",
                           {"old": dead.id, "addr": address})
            self.assertEqual(response.status, 201, response)
            cluster.nodes.remove(dead)
            self.join(cluster, 5, peer_listen=address)
        self.assertEqual(load.failures, [])
        for node in cluster:
            load.check(node)
        self.assert_alike(cluster)
        harness.say(f"{sum(map(len, load.written))} writes while {DATA_BYTES >> 20} MiB moved "
                    f"twice, the longest took {load.longest * 1000:.0f} ms: {load.slowest}")


# ---- a network that breaks ---------------------------------------------------------------------


class Proxy:
    """Stands before a node's peer port, and ends each connection that has brought PIECE bytes; one
    of them it ends by a flipped bit, which the node has to notice."""

    def __init__(self, target):
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.breaks = 0
        self.has_flipped = False
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def accept(self):
        while True:
            try:
                incoming, _ = self.listener.accept()
                outgoing = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                if self.listener.fileno() < 0:
                    return
                incoming.close()  # the node is down
                continue
            for source, target, bound in ((incoming, outgoing, PIECE), (outgoing, incoming, None)):
                threading.Thread(target=self.carry, args=(source, target, bound),
                                 daemon=True).start()

    def carry(self, source, target, bound):
        carried = 0
        try:
            while data := source.recv(1 << 16):
                carried += len(data)
                if bound is not None and carried > bound:
                    self.breaks += 1
                    if self.has_flipped:
                        break
                    self.has_flipped, bound = True, None
                    data = bytes([data[0] ^ 1]) + data[1:]
                target.sendall(data)
        except OSError:
            pass
        for each in (source, target):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class BrokenTransfer(Much):
    def test_a_transfer_goes_on_behind_each_break(self):
        cluster = self.cluster(3, start=False, **FLAGS)
        third = cluster[2]
        own = cluster.members.rpartition(":")[2]
        proxy = Proxy(int(own))
        self.addCleanup(proxy.close)
        third.flags["peer_listen"] = f"127.0.0.1:{own}"
        for node in cluster:
            node.flags["cluster"] = cluster.members.rpartition(":")[0] + f":{proxy.port}"
        cluster.start()
        third.stop()
        others = cluster.others(third)
        fill(cluster.leader())
        before = sum_of(others, "snapshot_sent_bytes_total")
        third.start()
        wait_until(lambda: sum_of(others, "snapshots_sent_total") > 0, PATIENCE, "it was taken in")
        third.wait_ready()
        sent = sum_of(others, "snapshot_sent_bytes_total") - before
        self.assertGreater(proxy.breaks, 3)
        self.assertGreater(sum_of(others, "snapshot_resumes_total"), 3)
        self.assertTrue(proxy.has_flipped)
        self.assertEqual(third.metric("pontoon_snapshots_received_total"), 1)
        # Not from the beginning, unless another node leads: what was on its way at each break.
        begun = sum(node.log().count("sending a snapshot") for node in others)
        self.assertLess(sent, begun * DATA_BYTES * 1.1 + (proxy.breaks + 1) * (2 << 20))
        self.assert_alike(cluster)
        harness.say(f"{sent / DATA_BYTES:.2f} times the data were sent over {proxy.breaks} breaks")


if __name__ == "__main__":
    harness.main()
