"""Many keys: what a hundred times as many cost, and what a node that holds them needs.

Three nodes that are each alone in their cluster: with few keys, with a tenth of many, and with
many. The first and the last take turns, so that what is compared had the same minutes. Before each
turn the checkpoint that the last one has left under way is waited for.

CPU of a put counts what the checkpoints behind it take: a turn begins when there is none under way,
and goes on until one has ended. It consists of single seconds, each a run of the load tool, whose
p99 are sorted by whether a checkpoint was under way.
"""

import signal
import statistics
import sys
import threading
import time

import measure
import peers as servers
import report
import tools

FILL_RATE_MIN = 5000  # a second; slower than that is given up
FEW = 100  # times as many are many
CONNECTIONS = 64
PIPELINE = 16  # while the keys are filled in
TAIL_MB = 64  # the default of --tail-bytes
CHECKPOINT_SECONDS = 120

COST_MAX = 1.3
P99_MAX = 2
OWN_MB_MAX = 64 + TAIL_MB
DISK_MAX = 1.5
RESTART_MAX = {1: 2.0, 10: 0.5}  # seconds; many keys, a tenth of them


def count_of(text):
    """10M, 100k, or digits."""
    factor = {"k": 1000, "M": 1000000}.get(text[-1:], 1)
    return int(text if factor == 1 else text[:-1]) * factor


def rest(cluster):
    """Until no checkpoint is under way."""
    deadline = time.monotonic() + CHECKPOINT_SECONDS
    while cluster.stats()["store"]["is_checkpointing"]:
        if time.monotonic() > deadline:
            raise tools.Failed(f"a checkpoint took more than {CHECKPOINT_SECONDS} s")
        time.sleep(0.05)  # between two looks at a condition


class Watch:
    """Looks all the while, from `with` to its end, whether a checkpoint is under way, and how much
    memory of its own the node has."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.is_over = threading.Event()
        self.seen = []  # (when, is one under way)
        self.own_mb = 0
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.thread.join()

    def run(self):
        while not self.is_over.wait(0.02):
            try:
                is_under_way = self.cluster.stats()["store"]["is_checkpointing"]
            except OSError:
                continue  # too busy to answer in time
            self.seen.append((time.monotonic(), is_under_way))
            self.own_mb = max(self.own_mb, self.cluster.anonymous_bytes()[0] / 2**20)

    def saw(self, began, ended):
        """Whether one was under way in that time; None: it was not looked."""
        within = [is_under_way for when, is_under_way in self.seen if began <= when <= ended]
        return any(within) if within else None


class Node:
    """One of the three, with so many keys."""

    def __init__(self, root, keys, settings):
        self.keys = keys
        self.settings = dict(settings, keys=keys)
        self.peer = servers.Peer("pontoon-1", servers.Pontoon, 1, "bench-load", "--api", "pontoon")
        self.cluster = self.peer.cluster = servers.Pontoon(root, 1, name=f"keys-{keys}")
        self.rows, self.p99 = [], {False: [], True: []}
        self.own_mb = self.filling_mb = 0
        self.cluster.start()
        self.cluster.wait()

    def load(self, **point):
        result = tools.load(self.peer, self.cluster.leader, self.settings, connections=CONNECTIONS,
                            **point)
        if result["errors"]:
            raise tools.Failed(f"{point} of {self.keys} keys: {result['errors']}")
        return result

    def fill(self):
        with Watch(self.cluster) as watch:
            self.load(operation="fill", pipeline=PIPELINE, seconds=self.keys / FILL_RATE_MIN + 1)
        self.filling_mb = watch.own_mb
        # What is still in the tail is to be in the file, too.
        self.cluster.restart(signal.SIGTERM)
        self.filled = self.cluster.stats()["store"]

    def get(self, number):
        """A turn of gets."""
        rest(self.cluster)
        row = measure.measure(number, self.peer, ("get", CONNECTIONS, 1), self.settings)
        if row["errors"]:
            raise tools.Failed(f"gets of {self.keys} keys: {row['problems']}")
        self.rows.append(row)

    def second(self, watch, seed):
        """One of puts: what the load tool says of it."""
        began = time.monotonic()
        result = self.load(operation="put", seconds=1, warm_up=0, seed=seed)
        is_under_way = watch.saw(began, time.monotonic())
        if is_under_way is not None:
            self.p99[is_under_way].append(result["p99_us"] / 1000)
        return result

    def has_checkpointed(self, before):
        store = self.cluster.stats()["store"]
        return store["checkpoints"] > before and not store["is_checkpointing"]

    def put(self, number):
        """A turn of puts."""
        rest(self.cluster)
        before = self.cluster.stats()["store"]["checkpoints"]
        found, used, began = [], self.cluster.cpu_seconds(), time.monotonic()
        with Watch(self.cluster) as watch:
            while len(found) < self.settings["seconds"] or not self.has_checkpointed(before):
                found.append(self.second(watch, 1000 * number + len(found)))
                if time.monotonic() - began > CHECKPOINT_SECONDS:
                    raise tools.Failed(f"no checkpoint within {CHECKPOINT_SECONDS} s")
        used = self.cluster.cpu_seconds() - used
        self.own_mb = max(self.own_mb, watch.own_mb)
        self.rows.append({
            "operation": "put",
            "rate": sum(one["ops"] for one in found) / sum(one["seconds"] for one in found),
            "p50_ms": statistics.median(one["p50_us"] for one in found) / 1000,
            "p99_ms": statistics.median(one["p99_us"] for one in found) / 1000,
            "server_cpu_us": used / sum(one["answered"] for one in found) * 1e6})

    def of(self, operation, column):
        return [row[column] for row in self.rows if row["operation"] == operation]

    def restarts(self, rounds):
        """Medians of seconds until it is ready, each after some puts: SIGTERM, SIGKILL."""
        found = {signal.SIGTERM: [], signal.SIGKILL: []}
        for _ in range(rounds):
            for number in found:
                self.load(operation="put")
                found[number].append(self.cluster.restart(number))
                self.cluster.wait()
        return {number: statistics.median(times) for number, times in found.items()}


def table(nodes):
    lines = [f"{'':27}{'requests/s':>12}{'p50 ms':>9}{'p99 ms':>9}{'CPU us':>9}"]
    for operation in ("put", "get"):
        for node in nodes:
            middle = [statistics.median(node.of(operation, column))
                      for column in ("rate", "p50_ms", "p99_ms", "server_cpu_us")]
            lines.append(f"  {operation + f', {node.keys:,} keys':25}{middle[0]:12,.0f}"
                         f"{middle[1]:9.3f}{middle[2]:9.3f}{middle[3]:9.1f}")
    lines.append("")
    for node in nodes:
        for is_under_way, name in ((False, "no checkpoint"), (True, "a checkpoint under way")):
            found = node.p99[is_under_way]
            words = (f"{len(found)} seconds, median of their p99 {statistics.median(found):.3f} ms,"
                     f" worst {max(found):.3f}" if found else "not a second")
            lines.append(f"  put, {node.keys:,} keys, {name}: {words}")
    return lines


def cost_goals(goals, few, many):
    for operation in ("put", "get"):
        for column, name in (("server_cpu_us", "CPU"), ("p50_ms", "median")):
            found = [over / under for over, under in zip(many.of(operation, column),
                                                         few.of(operation, column)) if under > 0]
            if found:
                goals.judge(6, f"{operation}: {name} with {FEW} times the keys "
                            f"({min(found):.2f} to {max(found):.2f})", statistics.median(found),
                            COST_MAX, False, len(found))


def other_goals(goals, nodes, lmdb_bytes):
    for node in nodes:
        if node.p99[True] and node.p99[False]:
            found = statistics.median(node.p99[True]) / statistics.median(node.p99[False])
            goals.judge(6, f"put, {node.keys:,} keys: p99 in a checkpoint over outside", found,
                        P99_MAX, False, 1)
        for most, name in ((node.filling_mb, "while they are filled in"), (node.own_mb, "loaded")):
            goals.judge(6, f"{node.keys:,} keys, {name}: MB of its own", most, OWN_MB_MAX, False, 1)
    many = nodes[-1]
    for size, name in ((many.filled["size_bytes"], "filled"),
                       (many.cluster.stats()["store"]["size_bytes"], "after the puts")):
        goals.judge(6, f"{many.keys:,} keys, {name}: bytes over LMDB's ({size / many.keys:.0f} a "
                    "key)", size / lmdb_bytes, DISK_MAX, False, 1)


def run(arguments, root, settings):
    """Returns the exit status."""
    keys = arguments.scale
    lmdb = tools.run([tools.path_of("bench-lmdb"), root, str(keys), str(arguments.value_bytes)],
                     600)
    few, tenth, many = (Node(root, max(keys // part, 1), settings) for part in (FEW, 10, 1))
    for node in (few, tenth, many):
        node.fill()
        print(f"bench: {node.keys:,} keys are filled in", file=sys.stderr, flush=True)
    for number in range(1, arguments.rounds + 1):
        for turn in (Node.put, Node.get):
            for node in (few, many) if number % 2 else (many, few):
                turn(node, number)
    goals = report.Goals()
    cost_goals(goals, few, many)
    other_goals(goals, (few, many), lmdb["size_bytes"])
    for node, part in ((tenth, 10), (many, 1)):
        for number, seconds in node.restarts(arguments.rounds).items():
            goals.judge(6, f"{node.keys:,} keys: seconds until ready after {number.name}", seconds,
                        RESTART_MAX[part], False, arguments.rounds)
    lines = table((few, many)) + ["", "goals (medians of the rounds' ratios; in brackets their "
                                  "range)"] + goals.lines
    print("\n".join(lines))
    return 0
