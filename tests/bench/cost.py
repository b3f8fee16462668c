"""What a write and a read cost, and where: stages, threads, and a flame graph of each.

The figures are of one load, those of the flame graph of another one behind it: to be looked at
costs time, too.
"""

import collections
import os
import re

import flame
import peers as servers
import tools

CONNECTIONS = 64
LEAST_US = 0.05
LEAST_SHARE = 0.001  # of the requests: what happens more seldom has nothing to do with them
STAGES = {
    'pontoon_write_stage_seconds{stage="queue"}': "from its coming to its proposal (ADR 29)",
    'pontoon_write_stage_seconds{stage="fsync"}': "from there until the leader's log has it",
    "pontoon_wal_sync_seconds": "of that one sync",
    'pontoon_write_stage_seconds{stage="replicate"}': "from its proposal until a majority has it",
    'pontoon_write_stage_seconds{stage="apply"}': "from there until it is applied",
    "pontoon_read_index_seconds": "from its coming until its read index is confirmed",
    "pontoon_http_request_duration_seconds": "in all: from its head to its answer",
}
BATCHES = {
    "pontoon_write_batch_entries": "writes a batch",
    "pontoon_wal_batch_entries": "entries a sync of the leader's log",
}
# Of a thread: what was done, and the functions one of which is then on its stack. The first counts.
PARTS = {
    "loop": [
        ("answers sent to clients", {"http_conn_flush"}),
        ("committed entries applied, answers made", {"replica_apply"}),
        ("reads served, proposals, what goes to the log", {"replica_turn"}),
        ("frames sent to peers, threads woken", {
            "net_send", "outbox_flush", "__GI_writev", "__GI___writev", "__GI___libc_write",
            "pthread_cond_signal"}),
        ("requests received, parsed, checked", {"on_poll"}),
        ("frames, other threads' news received", {
            "on_received", "read", "__GI_read", "__GI___libc_read"}),
        ("events waited for", {"epoll_wait"}),
    ],
    "wal": [("synced", {"fdatasync"}), ("written", {"wal_write_run"})],
}


def metrics(port):
    """Of a node: (sums, counts) of its histograms, without the label that every request has."""
    sums, counts = {}, {}
    for line in servers.ask_http(port, "GET", "/metrics")[1].decode().splitlines():
        found = re.match(r'(\w+)_(sum|count)(\{[^}]*\})? (\S+)$', line)
        if found:
            name = found[1] + (found[3] or "").replace('{route="kv"}', "")
            (sums if found[2] == "sum" else counts)[name] = float(found[4])
    return sums, counts


def threads(cluster):
    """{id: (what it is, nanoseconds of processor, times it went to sleep)} of all nodes'."""
    found = {}
    for process, port in zip(cluster.processes, cluster.ports):
        role = "leader" if port == cluster.leader else "follower"
        for thread in os.listdir(f"/proc/{process.pid}/task"):
            folder = f"/proc/{process.pid}/task/{thread}"
            with open(f"{folder}/comm") as comm, open(f"{folder}/schedstat") as stat, \
                    open(f"{folder}/status") as status:
                name = comm.read().strip()
                name = "loop" if thread == str(process.pid) else name
                sleeps = re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status.read(), re.M)
                found[thread] = (f"{role}'s {name}", int(stat.read().split()[0]),
                                 int(sleeps.group(1)))
    return found


def by_thread(before, after, requests):
    """{what it is: (microseconds, sleeps) a request}, followers' together."""
    spent = {}
    for thread, (name, nanoseconds, sleeps) in after.items():
        _, began, slept = before.get(thread, (name, 0, 0))
        sum_us, sum_sleeps = spent.get(name, (0, 0))
        spent[name] = (sum_us + (nanoseconds - began) / 1000 / requests,
                       sum_sleeps + (sleeps - slept) / requests)
    return spent


def row(words, figure, *more):
    return f"    {words:64}{figure:10.2f}" + "".join(f"{one:12.3f}" for one in more)


def lines(operation, result, spent, before, after):
    """The tables of one load."""
    text = [f"{operation}, {CONNECTIONS} connections: {result['rate']:,.0f} requests/s, "
            f"p50 {result['p50_us'] / 1000:.2f} ms, p99 {result['p99_us'] / 1000:.2f} ms", "",
            "  processor, of all three nodes: us and sleeps a request"]
    text += [row(name, *figures) for name, figures
             in sorted(spent.items(), key=lambda item: -item[1][0]) if figures[0] >= LEAST_US]
    text.append(row("all", sum(microseconds for microseconds, _ in spent.values())))
    (sums, counts), (sums_after, counts_after) = before, after
    least = result["answered"] * LEAST_SHARE
    rises = {name: (sums_after[name] - sums.get(name, 0), count - counts.get(name, 0))
             for name, count in counts_after.items() if count - counts.get(name, 0) > least}
    text += ["", "  at the leader: mean us"]
    text += [row(words, rises[name][0] / rises[name][1] * 1e6)
             for name, words in STAGES.items() if name in rises]
    text += ["", "  shared: mean",
             row("requests a turn of the leader's loop",
                 result["answered"] / rises["pontoon_loop_turn_seconds"][1])]
    text += [row(words, rises[name][0] / rises[name][1])
             for name, words in BATCHES.items() if name in rises]
    return text + [""]


def part_of(stack):
    """What the thread was at, of PARTS."""
    for part, functions in PARTS.get(stack[0].split()[-1], []):
        if not functions.isdisjoint(stack):
            return part
    return "else"


def parts(stacks, spent):
    """Where each thread's microseconds went: perf's shares of them."""
    shares, sums = collections.Counter(), collections.Counter()
    for stack, count in stacks.items():
        shares[stack[0], part_of(stack)] += count
        sums[stack[0]] += count
    text = ["  where they go, by perf's samples: us a request"]
    for thread in sorted(sums, key=lambda name: -spent.get(name, (0, 0))[0]):
        for (name, part), count in shares.most_common():
            microseconds = spent.get(name, (0, 0))[0] * count / sums[name]
            if name == thread and microseconds >= LEAST_US:
                text.append(row(f"{thread}: {part}", microseconds))
    return text + [""]


def load(peer, operation, settings):
    """(what the load tool says; the nodes' threads before and after it)."""
    before = threads(peer.cluster)
    result = tools.load(peer, peer.cluster.leader, settings, operation=operation,
                        connections=CONNECTIONS, warm_up=0)
    return result, before, threads(peer.cluster)


def draw(peer, operation, settings, spent, root, out):
    """The flame graph of another load. Returns (lines, how many requests failed): where perf is
    not there, or may not look, they say so."""
    if flame.missing() is not None:
        return [f"no flame graph: {flame.missing()}", ""], 0
    recording = flame.Recording(f"{root}/perf.data", [one.pid for one in peer.cluster.processes])
    with recording:
        result, _, found = load(peer, operation, settings)
    failed = sum(result["errors"].values())
    try:
        stacks = recording.stacks({thread: name for thread, (name, *_) in found.items()})
    except tools.Failed as problem:
        return [f"no flame graph: {problem}", ""], failed
    with open(f"{out}/flame-{operation}.svg", "w") as file:
        file.write(flame.svg(stacks, f"{operation}, {CONNECTIONS} connections: processor time of "
                                     "all three nodes"))
    return parts(stacks, spent), failed


def run(arguments, root, settings):
    """Returns the exit status: 1 if requests failed."""
    peer = servers.Peer("pontoon", servers.Pontoon, 3, "bench-load", "--api", "pontoon")
    peer.cluster = servers.Pontoon(root, 3)
    peer.cluster.start()
    peer.cluster.wait()
    tools.load(peer, peer.cluster.leader, settings, operation="fill", connections=CONNECTIONS)
    os.makedirs(arguments.out, exist_ok=True)
    failed = 0
    with open(f"{arguments.out}/cost.txt", "w") as file:
        for operation in arguments.operations:
            before = metrics(peer.cluster.leader)
            result, began, ended = load(peer, operation, settings)
            after = metrics(peer.cluster.leader)
            spent = by_thread(began, ended, result["answered"])
            more, failures = draw(peer, operation, settings, spent, root, arguments.out)
            failed += sum(result["errors"].values()) + failures
            text = "\n".join(lines(operation, result, spent, before, after) + more)
            print(text, flush=True)
            file.write(text + "\n")
    print(f"bench: cost.txt and what flame graphs there are, are in {arguments.out}")
    return 1 if failed else 0
