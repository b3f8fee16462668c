"""One point: a peer, an operation, so many connections, loaded once; and what else the machine did.

A row is noisy if others took more than a quarter of a core meanwhile, or the host took more than
4 % of the time away.
"""

import os
import time

import tools

TICKS = os.sysconf("SC_CLK_TCK")
OTHER_PERCENT_MAX = 25.0
STEAL_PERCENT_MAX = 4.0

COLUMNS = ("round peer nodes operation connections pipeline ops seconds rate p50_ms p90_ms p99_ms "
           "p999_ms max_ms errors server_cpu_us load_cpu_us resident_mb_max resident_mb_sum "
           "other_cpu_percent steal_percent noisy").split()


def machine():
    """Seconds of CPU since the machine started: (in use, taken away by the host, in all)."""
    with open("/proc/stat") as stat:
        user, nice, system, idle, wait, irq, soft_irq, steal = map(
            int, stat.readline().split()[1:9])
    busy = user + nice + system + irq + soft_irq
    return busy / TICKS, steal / TICKS, (busy + idle + wait + steal) / TICKS


def settle(seconds_max):
    """Waits until what the last point left behind is done, or it goes on for too long."""
    deadline = time.monotonic() + seconds_max
    while time.monotonic() < deadline:
        busy, began = machine()[0], time.monotonic()
        time.sleep(0.1)  # the length of a look at the counters
        if machine()[0] - busy < OTHER_PERCENT_MAX / 100 * (time.monotonic() - began):
            return


def measure(number, peer, point, settings):
    """One row; tools.Failed if the load tool could not do its work, peers.NotUp if a server has
    ended. Errors are in the row, by kind in its "problems"."""
    operation, connections, pipeline = point
    arguments = {"operation": operation, "connections": connections, "seed": number}
    if pipeline > 1:
        arguments["pipeline"] = pipeline
    cluster = peer.cluster
    cluster.wait()  # it may have another leader by now, or have ended
    settle(settings["seconds"])
    own, used = time.process_time(), cluster.cpu_seconds()
    busy, steal, total = machine()
    began = time.monotonic()
    result = tools.load(peer, cluster.leader, settings, **arguments)
    wall = time.monotonic() - began
    used = cluster.cpu_seconds() - used
    busy, steal, total = (after - before for after, before
                          in zip(machine(), (busy, steal, total)))
    other = busy - used - result["cpu_seconds"] - (time.process_time() - own)
    answered = max(result["answered"], 1)
    resident = cluster.resident_mb()
    row = {"round": number, "peer": peer.name, "nodes": peer.size, "operation": operation,
           "connections": connections, "pipeline": pipeline, "ops": result["ops"],
           "seconds": round(result["seconds"], 3), "rate": round(result["rate"], 1),
           "errors": sum(result["errors"].values()),
           "server_cpu_us": round(used / answered * 1e6, 2),
           "load_cpu_us": round(result["cpu_seconds"] / answered * 1e6, 2),
           "resident_mb_max": round(max(resident), 1), "resident_mb_sum": round(sum(resident), 1),
           "other_cpu_percent": round(100 * other / wall, 1),
           "steal_percent": round(100 * steal / max(total, 0.01), 1),
           "problems": result["errors"]}
    for name in ("p50", "p90", "p99", "p999", "max"):
        row[f"{name}_ms"] = round(result[f"{name}_us"] / 1000, 3)
    row["noisy"] = int(row["other_cpu_percent"] > OTHER_PERCENT_MAX
                       or row["steal_percent"] > STEAL_PERCENT_MAX)
    return row
