#!/usr/bin/env python3
"""Blind retries with an Idempotency-Key: each request has one effect, whatever gets lost.

Clients append tokens, each its own, through a proxy that loses a third of the answers, some of them
before the node has even answered. They send again, to any node, until they are told. Meanwhile the
leader is killed, again and again. At the end each token stands there once, and every answer to a
request was the same one.
"""

import socket
import threading
import time

import harness

CLIENTS = harness.pick(8, 20)
SECONDS = harness.pick(12, 300)
KILL_SECONDS = 3
LOST_SHARE = 1 / 3
KEY = "/kv/ledger"
GIVE_UP_SECONDS = 60


class LossyProxy:
    """One connection, one request: passes it on, and the answer, or loses that."""

    def __init__(self, node, name):
        self.node = node
        self.chance = harness.rng(name)
        self.lost = 0
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with self.lock:
            share = self.chance.random()
        with client:
            try:
                self.pass_on(client, share)
            except (OSError, harness.Closed):
                pass  # either side has gone: the client sees its connection end

    def pass_on(self, client, share):
        request = client.recv(1 << 16)
        with self.node.connect() as upstream:
            upstream.send(request)
            if share < LOST_SHARE / 2:  # gone while the node is at it
                self.lost += 1
                return
            answer = upstream.socket.recv(1 << 16)
            if share < LOST_SHARE:
                self.lost += 1
                return
            client.sendall(answer)

    def close(self):
        self.listener.close()


class Client(threading.Thread):
    """Appends its tokens one after the other, each until it is told that it is there."""

    def __init__(self, number, proxies, end):
        super().__init__()
        self.number, self.proxies, self.end = number, proxies, end
        self.chance = harness.rng(f"client-{number}")
        self.done = []  # (token, size told)
        self.tries = 0
        self.failure = None

    def run(self):
        try:
            while time.monotonic() < self.end:
                self.append(f"{self.number}.{len(self.done)};")
        except AssertionError as problem:
            self.failure = problem

    def append(self, token):
        give_up = time.monotonic() + GIVE_UP_SECONDS
        headers = (("Idempotency-Key", f"token-{token}"),)
        while True:
            assert time.monotonic() < give_up, f"{token} was not taken in {GIVE_UP_SECONDS} s"
            response = self.ask(token, headers)
            if response is not None and response.status == 200:
                self.done.append((token, int(response.body), response.headers["etag"]))
                return
            if response is not None and response.status != 504:
                assert response.status in (409, 503), response  # it is at work, or nobody leads
                time.sleep(0.02)  # a client's own pace, nothing that is waited for

    def ask(self, token, headers):
        self.tries += 1
        proxy = self.chance.choice(self.proxies)
        try:
            with harness.Connection(proxy.port, 10) as connection:
                return connection.request("POST", f"{KEY}?op=append&timeout=2s", token.encode(),
                                          headers)
        except (OSError, harness.Closed):
            return None


class ExactlyOnce(harness.TestCase):
    def kill_leaders(self, cluster, end):
        kills = 0
        while time.monotonic() + KILL_SECONDS < end:
            time.sleep(KILL_SECONDS)  # the clients' time
            leader = cluster.leader()
            leader.kill()
            cluster.leader()  # of those that are left
            leader.start().wait_ready()
            kills += 1
        return kills

    def test_each_token_is_there_once(self):
        cluster = self.cluster(3)
        proxies = [LossyProxy(node, f"proxy-{node.id}") for node in cluster]
        end = time.monotonic() + SECONDS
        clients = [Client(number, proxies, end) for number in range(CLIENTS)]
        for client in clients:
            client.start()
        kills = self.kill_leaders(cluster, end)
        for client in clients:
            client.join()
        for proxy in proxies:
            proxy.close()
        self.assertEqual([client.failure for client in clients if client.failure], [])
        tokens = [token for client in clients for token, _, _ in client.done]
        tries = sum(client.tries for client in clients)
        lost = sum(proxy.lost for proxy in proxies)
        harness.say(f"{len(tokens)} tokens, {tries} tries, {lost} answers lost, {kills} kills")
        self.assertGreater(lost, len(tokens) // 10)
        self.assertGreaterEqual(kills, 2)
        self.check(cluster, clients, tokens)

    def check(self, cluster, clients, tokens):
        for node in cluster:
            text = node.get(KEY).body.decode()
            found = text.split(";")[:-1]
            self.assertEqual(len(found), len(tokens), "tokens")
            self.assertEqual(sorted(f"{token};" for token in found), sorted(tokens))
        # Each was told where its token ends.
        for client in clients:
            for token, size, _ in client.done:
                self.assertEqual(text[size - len(token):size], token)
        self.assertEqual(len({etag for client in clients for _, _, etag in client.done}),
                         len(tokens))
        self.assertEqual(len({stats["state_hash"] for stats in cluster.settle()}), 1)

    def test_an_answer_is_the_same_on_every_node_and_after_restarts(self):
        cluster = self.cluster(3)
        headers = (("Idempotency-Key", "one"),)
        first = cluster[0].request("POST", "/kv/n?op=incr", b"", headers)
        self.assertEqual((first.status, first.body), (200, b"1"))
        for turn in range(2):
            for node in cluster:
                again = node.request("POST", "/kv/n?op=incr", b"", headers)
                self.assertEqual((again.status, again.body), (200, b"1"))
                self.assertEqual(again.headers["idempotency-replayed"], "true")
                for name in ("etag", "kv-version", "last-modified", "kv-revision"):
                    self.assertEqual(again.headers[name], first.headers[name], name)
            if turn == 0:
                cluster.kill()
                cluster.start()
        other = cluster[1].request("POST", "/kv/n?op=incr&by=2", b"", headers)
        self.assert_problem(other, 422, "idempotency-mismatch")


if __name__ == "__main__":
    harness.main()
