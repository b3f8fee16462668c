"""What a write and a read cost, and where: stages, threads, and a flame graph of each.

The figures are of one load, those of the flame graph of another one behind it: to be looked at
costs time, too.
"""

import os
import re

import flame
import peers as servers
import tools

CONNECTIONS = 64
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
COUNTS = {
    "pontoon_loop_turn_seconds": "requests a turn of the leader's loop",
    "pontoon_write_batch_entries": "writes a batch",
    "pontoon_wal_sync_seconds": "requests a sync of the leader's log",
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


def lines(operation, result, spent, before, after):
    text = [f"{operation}, {CONNECTIONS} connections: {result['rate']:,.0f} requests/s, "
            f"p50 {result['p50_us'] / 1000:.2f} ms, p99 {result['p99_us'] / 1000:.2f} ms", "",
            f"  {'processor, of all three nodes':50}{'us/request':>12}{'sleeps/request':>16}"]
    for name, (microseconds, sleeps) in sorted(spent.items(), key=lambda item: -item[1][0]):
        if microseconds >= 0.05:
            text.append(f"    {name:48}{microseconds:12.2f}{sleeps:16.3f}")
    text.append(f"    {'all':48}{sum(us for us, _ in spent.values()):12.2f}")
    (sums, counts), (sums_after, counts_after) = before, after
    least = result["answered"] * LEAST_SHARE
    rises = {name: (sums_after[name] - sums.get(name, 0), count - counts.get(name, 0))
             for name, count in counts_after.items() if count - counts.get(name, 0) > least}
    text += ["", f"  {'stage, at the leader':50}{'mean us':>12}"]
    text += [f"    {words:48}{rises[name][0] / rises[name][1] * 1e6:12.1f}"
             for name, words in STAGES.items() if name in rises]
    text += ["", f"  {'sharing':50}{'mean':>12}"]
    text += [f"    {words:48}{result['answered'] / rises[name][1]:12.1f}"
             for name, words in COUNTS.items() if name in rises]
    return text + [""]


def measure(peer, operation, settings):
    """The table of one load, and what failed in it, by kind."""
    cluster = peer.cluster
    before, spent = metrics(cluster.leader), threads(cluster)
    result = tools.load(peer, cluster.leader, settings, operation=operation,
                        connections=CONNECTIONS, warm_up=0)
    spent = by_thread(spent, threads(cluster), result["answered"])
    return lines(operation, result, spent, before, metrics(cluster.leader)), result["errors"]


def flames(peer, operation, settings, root, out):
    """Draws it; how many requests failed. Where perf is not there, or may not look, says so."""
    if flame.missing() is not None:
        print(f"bench: no flame graph: {flame.missing()}")
        return 0
    cluster = peer.cluster
    recording = flame.Recording(f"{root}/perf.data", [one.pid for one in cluster.processes])
    with recording:
        result = tools.load(peer, cluster.leader, settings, operation=operation,
                            connections=CONNECTIONS, warm_up=0)
    try:
        stacks = recording.stacks({thread: name for thread, (name, *_) in threads(cluster).items()})
    except tools.Failed as problem:
        print(f"bench: no flame graph: {problem}")
    else:
        path = f"{out}/flame-{operation}.svg"
        with open(path, "w") as file:
            file.write(flame.svg(stacks, f"{operation}, {CONNECTIONS} connections: processor time "
                                         "of all three nodes"))
        print(f"bench: {path}")
    return sum(result["errors"].values())


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
            text, errors = measure(peer, operation, settings)
            print("\n".join(text), flush=True)
            file.write("\n".join(text) + "\n")
            failed += sum(errors.values()) + flames(peer, operation, settings, root, arguments.out)
    return 1 if failed else 0
