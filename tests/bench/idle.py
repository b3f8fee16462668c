"""Connections that say nothing: what each of them holds, and what the busy ones pay for them.

Each has had one small request answered before: one after the other, and then, other connections,
all of them at once, which leaves behind what so many requests needed. Memory is looked at while the
cluster has done nothing else, so that nothing can be taken from what a load has left behind. What
the busy ones pay is a ratio: of the same load with the idle ones there and without, in turns.
"""

import resource
import socket
import statistics
import struct

import measure
import peers as servers
import report
import tools

BUSY_CONNECTIONS = 64
FILES_BESIDE = 1000  # of the server and of ours
KB_MAX = 4
# Of a load beside itself on a busy machine; less than that cannot be told from nothing.
CPU_RATIO_MAX = 1.03
P99_RATIO_MAX = 1.10
REQUEST = b"GET /kv/idle HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Idle:
    """So many connections to a port, from `with` to its end."""

    def __init__(self, port, count, at_once=1):
        self.port, self.count, self.at_once = port, count, at_once
        self.sockets = []

    def __enter__(self):
        for _ in range(self.count):
            connection = socket.create_connection(("127.0.0.1", self.port), timeout=30)
            # Ended by a reset: a port that waits would be missing in the next rounds.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.sockets.append(connection)
        for begin in range(0, self.count, self.at_once):
            self.ask(self.sockets[begin:begin + self.at_once])
        return self

    @staticmethod
    def ask(sockets):
        for connection in sockets:
            connection.sendall(REQUEST)
        for connection in sockets:
            if not connection.recv(4096).startswith(b"HTTP/1.1 404"):
                raise tools.Failed("an idle connection's one request was not answered as it should")

    def __exit__(self, *_):
        for connection in self.sockets:
            connection.close()


def kernel_bytes():
    """What the kernel holds in small objects: of sockets, files and what polls them, but also of
    everything else."""
    with open("/proc/meminfo") as meminfo:
        return next(int(line.split()[1]) << 10 for line in meminfo if line.startswith("Slab:"))


def raise_files(needed):
    """For us and, as they inherit it, the servers."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise tools.Failed(f"{needed} open files are needed, {hard} are allowed (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def memory(cluster, count):
    """Bytes a connection: (of the process that has them; the same of connections that have asked
    all at once; of the kernel, for both ends)."""
    at = cluster.ports.index(cluster.leader)
    with Idle(cluster.leader, 16):
        pass  # what the first connection of all needs is not one connection's
    process, kernel = cluster.anonymous_bytes()[at], kernel_bytes()
    with Idle(cluster.leader, count):
        each, kernel = cluster.anonymous_bytes()[at] - process, kernel_bytes() - kernel
    with Idle(cluster.leader, count, at_once=count):
        together = cluster.anonymous_bytes()[at] - process
    return each / count, together / count, kernel / count


def load(peer, number, operation, count, settings):
    """A row of the busy ones beside `count` idle ones."""
    with Idle(peer.cluster.leader, count):
        row = measure.measure(number, peer, (operation, BUSY_CONNECTIONS, 1), settings)
        connected = peer.cluster.stats()["http"]["connections"]
    if connected < count:
        raise tools.Failed(f"only {connected} of {count} idle connections were there at the end")
    return row


def ratio(rows, operation, column):
    """Of each round that has both, with over without, in order: a load may have had no answer."""
    numbers = [number for name, is_beside, number in rows if (name, is_beside) == (operation, True)]
    return sorted(rows[operation, True, number][column] / rows[operation, False, number][column]
                  for number in numbers if rows[operation, False, number][column] > 0)


def lines(count, sizes, rows, operations, rounds):
    """The table and the goals."""
    text = [f"{count} idle connections: {sizes[0]:,.0f} bytes of the process each, after all have "
            f"asked at once {sizes[1]:,.0f};",
            f"of the kernel {sizes[2]:,.0f}, for both ends", "",
            f"{'':27}{'requests/s':>12}{'p50 ms':>9}{'p99 ms':>9}{'CPU us':>9}   noisy rounds"]
    for operation in operations:
        for is_beside in (False, True):
            found = [rows[operation, is_beside, number] for number in range(1, rounds + 1)]
            middle = [statistics.median(row[column] for row in found)
                      for column in ("rate", "p50_ms", "p99_ms", "server_cpu_us")]
            name = f"{operation}, {count if is_beside else 0} idle"
            text.append(f"  {name:25}{middle[0]:12,.0f}{middle[1]:9.3f}{middle[2]:9.3f}"
                        f"{middle[3]:9.1f}   {sum(row['noisy'] for row in found)}")
    goals = report.Goals()
    for size, name in ((sizes[0], ""), (sizes[1], ", all have asked at once")):
        goals.judge(7, f"kB of the process an idle connection{name}", size / 1024, KB_MAX, False, 1)
    for operation in operations:
        for column, name, most in (("server_cpu_us", "CPU", CPU_RATIO_MAX),
                                   ("p99_ms", "p99", P99_RATIO_MAX)):
            found = ratio(rows, operation, column)
            if found:
                goals.judge(7, f"{operation}: {name} with them over without "
                            f"({found[0]:.2f} to {found[-1]:.2f})", statistics.median(found), most,
                            False, len(found))
    return text + ["", "goals (medians of the rounds' ratios; in brackets their range)"] \
        + goals.lines


def run(arguments, root, settings):
    """Returns the exit status: 1 if requests failed."""
    count, failed, rows = arguments.idle, 0, {}
    operations = [name for name in arguments.operations if name != "mixed"]
    raise_files(count + FILES_BESIDE)
    peer = servers.Peer("pontoon", servers.Pontoon, 3, "bench-load", "--api", "pontoon")
    peer.cluster = servers.Pontoon(
        root, 3, flags=["--max-connections", str(count + FILES_BESIDE // 2)])
    peer.cluster.start()
    peer.cluster.wait()
    sizes = memory(peer.cluster, count)
    tools.load(peer, peer.cluster.leader, settings, operation="fill", connections=BUSY_CONNECTIONS)
    for number in range(1, arguments.rounds + 1):
        for operation in operations:
            for is_beside in ((False, True) if number % 2 else (True, False)):
                row = load(peer, number, operation, count if is_beside else 0, settings)
                rows[operation, is_beside, number] = row
                failed += row["errors"]
    text = lines(count, sizes, rows, operations, arguments.rounds)
    print("\n".join(text))
    return 1 if failed else 0
