"""Many watchers of one key, and what the writers of others pay for them.

Three loads in turns: nobody watches; so many watch a key that nobody changes; the same with that
key changed once a second, so that each of them gets an event a second. Then, without a load, how
long it is from the answer of a change until the last of them has it.
"""

import select
import socket
import statistics
import struct
import threading
import time

import idle
import measure
import peers as servers
import tools

BUSY_CONNECTIONS = 64
CHANGE_SECONDS = 1
CHANGES = 5  # that are timed
KEY = "/kv/watched"
REQUEST = b"GET /watch/watched HTTP/1.1\r\nHost: localhost\r\n\r\n"
KINDS = ("none", "quiet", "changed")


class Watchers:
    """So many streams of one key from a port, read by a thread, from `with` to its end."""

    def __init__(self, port, count):
        self.port, self.count = port, count
        self.sockets, self.events, self.is_over = {}, 0, False

    def __enter__(self):
        self.poll = select.epoll()
        for _ in range(self.count):
            connection = socket.create_connection(("127.0.0.1", self.port), timeout=30)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.sendall(REQUEST)
            connection.setblocking(False)
            self.sockets[connection.fileno()] = connection
            self.poll.register(connection, select.EPOLLIN)
        self.thread = threading.Thread(target=self.read)
        self.thread.start()
        return self

    def read(self):
        while not self.is_over:
            for number, _ in self.poll.poll(0.2, 1000):
                self.events += self.sockets[number].recv(1 << 16).count(b"event: put")

    def __exit__(self, *_):
        self.is_over = True
        self.thread.join()
        for connection in self.sockets.values():
            connection.close()


class Changes:
    """Somebody who changes the key once a second, from `with` to its end."""

    def __init__(self, port):
        self.port, self.count, self.over = port, 0, threading.Event()

    def __enter__(self):
        self.thread = threading.Thread(target=self.change)
        self.thread.start()
        return self

    def change(self):
        while not self.over.wait(CHANGE_SECONDS):
            servers.ask_http(self.port, "PUT", KEY, str(self.count))
            self.count += 1

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def wait_watching(cluster, count):
    end = time.monotonic() + 60
    while cluster.stats()["watch"]["watchers"] != count:
        if time.monotonic() > end:
            raise tools.Failed(f"not {count} watch within a minute")
        time.sleep(0.05)


def load(peer, number, kind, count, settings):
    """A row of the writers beside the watchers of this kind."""
    cluster = peer.cluster
    point = ("put", BUSY_CONNECTIONS, 1)
    if kind == "none":
        wait_watching(cluster, 0)
        return measure.measure(number, peer, point, settings)
    with Watchers(cluster.leader, count) as watchers:
        wait_watching(cluster, count)
        if kind == "quiet":
            return measure.measure(number, peer, point, settings)
        with Changes(cluster.leader) as changes:
            row = measure.measure(number, peer, point, settings)
        end = time.monotonic() + 60
        while watchers.events < changes.count * count:
            if time.monotonic() > end:
                raise tools.Failed(f"{changes.count} changes are {watchers.events} events")
            time.sleep(0.05)
        return row


def delays(peer, count):
    """Milliseconds from a change's answer until the last of `count` watchers has it, sorted."""
    found = []
    with Watchers(peer.cluster.leader, count) as watchers:
        wait_watching(peer.cluster, count)
        for number in range(1, CHANGES + 1):
            servers.ask_http(peer.cluster.leader, "PUT", KEY, str(number))
            begin = time.monotonic()
            while watchers.events < number * count:
                if time.monotonic() - begin > 60:
                    raise tools.Failed("not all watchers were told within a minute")
                time.sleep(0.001)
            found.append((time.monotonic() - begin) * 1000)
    return sorted(found)


def run(arguments, root, settings):
    """Returns the exit status: 1 if requests failed."""
    count, failed, rows = arguments.watchers, 0, {}
    idle.raise_files(count + idle.FILES_BESIDE)
    peer = servers.Peer("pontoon", servers.Pontoon, 3, "bench-load", "--api", "pontoon")
    flags = ["--max-connections", str(count + idle.FILES_BESIDE // 2),
             "--max-watchers", str(count)]
    peer.cluster = servers.Pontoon(root, 3, flags=flags)
    peer.cluster.start()
    peer.cluster.wait()
    tools.load(peer, peer.cluster.leader, settings, operation="fill", connections=BUSY_CONNECTIONS)
    for number in range(1, arguments.rounds + 1):
        for kind in KINDS if number % 2 else reversed(KINDS):
            row = load(peer, number, kind, count, settings)
            rows[kind, number] = row
            failed += row["errors"]
    print(f"{'watchers of one key':27}{'puts/s':>12}{'p50 ms':>9}{'p99 ms':>9}{'CPU us':>9}"
          "   noisy rounds")
    for kind in KINDS:
        found = [rows[kind, number] for number in range(1, arguments.rounds + 1)]
        middle = [statistics.median(row[column] for row in found)
                  for column in ("rate", "p50_ms", "p99_ms", "server_cpu_us")]
        name = "none" if kind == "none" else f"{count}, {kind}"
        print(f"  {name:25}{middle[0]:12,.0f}{middle[1]:9.3f}{middle[2]:9.3f}{middle[3]:9.1f}"
              f"   {sum(row['noisy'] for row in found)}")
    for kind in KINDS[1:]:
        for column in ("rate", "p99_ms"):
            ratios = sorted(rows[kind, number][column] / rows["none", number][column]
                            for number in range(1, arguments.rounds + 1))
            print(f"{kind}: {column} {statistics.median(ratios):.2f} of that without "
                  f"({ratios[0]:.2f} to {ratios[-1]:.2f})")
    found = delays(peer, count)
    print(f"a change has come to all {count} after {statistics.median(found):.0f} ms "
          f"({found[0]:.0f} to {found[-1]:.0f})")
    return 1 if failed else 0
