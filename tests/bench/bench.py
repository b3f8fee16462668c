#!/usr/bin/env python3
"""pontoon beside its peers, on one machine, in one run.

All servers are up for the whole run (peers.py says why), and take turns point by point, in an order
that turns round with every round. What counts are the ratios: absolute figures say as much about
the machine. Whatever is not installed is left out, with a line that says so.

  bench.py                      five rounds of all: about half an hour
  bench.py --short              three quick rounds of fewer points: under five minutes
  bench.py --peers pontoon etcd-grpc --operations put --connections 64
  bench.py --cost                what a write and a read cost, by stage and thread; flame graphs
  bench.py --soak 600           ten minutes of load on pontoon: is resident memory flat?
  bench.py --idle 10000         what so many idle connections hold, and cost the busy ones
  bench.py --watchers 10000     what so many watchers of one key cost those who write others
  bench.py --scale 10M          what ten million keys cost over a hundredth of them
"""

import argparse
import atexit
import csv
import os
import platform
import shutil
import subprocess
import sys
import tempfile

import charts
import cost
import idle
import measure
import peers as servers
import report
import scale
import soak
import tools
import watchers

PIPELINE = 16
PIPELINE_CONNECTIONS = 64
LIMIT_SECONDS_MAX = 1


def say(words):
    print(f"bench: {words}", file=sys.stderr, flush=True)


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [peer.name for peer in servers.all_peers()]
    parser.add_argument("--peers", nargs="+", choices=names, default=names)
    parser.add_argument("--operations", nargs="+", default=["put", "get", "mixed"],
                        choices=["put", "get", "mixed"])
    parser.add_argument("--connections", nargs="+", type=int, default=[1, 64, 256])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--warm-up", type=float, default=0.5, metavar="SECONDS")
    parser.add_argument("--keys", type=int, default=100000)
    parser.add_argument("--value-bytes", type=int, default=256)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--short", action="store_true",
                        help="three rounds of a second, fewer points")
    parser.add_argument("--cost", action="store_true")
    parser.add_argument("--soak", type=int, metavar="SECONDS", default=0)
    parser.add_argument("--idle", type=int, metavar="CONNECTIONS", default=0)
    parser.add_argument("--watchers", type=int, metavar="WATCHERS", default=0)
    parser.add_argument("--scale", type=scale.count_of, metavar="KEYS", default=0)
    parser.add_argument("--growth-mb", type=float, default=16, help="that a soak allows")
    parser.add_argument("--out", default=os.path.join(tools.BUILD, "bench"),
                        help="where CSV, charts and the report go (build/bench)")
    parser.add_argument("--program", default=os.environ.get("PONTOON", tools.path_of("pontoon")))
    arguments = parser.parse_args()
    if arguments.short:
        arguments.rounds, arguments.seconds, arguments.warm_up = 3, 1, 0.3
        arguments.keys = min(arguments.keys, 10000)
    return arguments


def choose_peers(names):
    """The peers of these names that can be started here."""
    chosen = []
    for peer in servers.all_peers():
        why = None
        if peer.name in names:
            why = peer.kind.missing()
            if why is None and peer.tool == "bench-etcd":
                say("builds etcd's client, if it is not there yet")
                why = tools.build_etcd_client()
            if why is None:
                chosen.append(peer)
            else:
                say(f"{peer.name} is left out: {why} (scripts/setup.sh bench)")
    return chosen


def choose_points(arguments):
    """(operation, connections, pipeline) of everything that is measured."""
    points = [(operation, connections, 1) for operation in arguments.operations
              for connections in arguments.connections
              if not (arguments.short and (operation, connections) != ("put", 1)
                      and connections != 64)]
    if "put" in arguments.operations and PIPELINE_CONNECTIONS in arguments.connections:
        points.append(("put", PIPELINE_CONNECTIONS, PIPELINE))
    return points


def does(peer, point):
    """Whether the peer is asked for the point; only we are asked with requests in a pipeline."""
    operation, _, pipeline = point
    return operation in peer.operations and (pipeline == 1 or peer.kind is servers.Pontoon)


def fill(peers, settings):
    """Puts every key once into each cluster. Then each peer has a turn that is not measured: a
    JVM, for one, is slow before it knows its work."""
    filled = set()
    for peer in peers:
        turns = ["mixed" if "mixed" in peer.operations else peer.operations[0]]
        if peer.cluster not in filled and "put" in peer.operations:
            filled.add(peer.cluster)
            turns.insert(0, "fill")
        for operation in turns:
            result = tools.load(peer, peer.cluster.leader, settings, operation=operation,
                                connections=64)
            if result["errors"]:
                raise tools.Failed(f"{operation} on {peer.name}: {result['errors']}")


def run_rounds(arguments, peers, settings, root, writer):
    """Measures everything; (results, limits by round)."""
    points = choose_points(arguments)
    results, limits = report.Results(peers, points), {}
    for number in range(1, arguments.rounds + 1):
        say(f"round {number} of {arguments.rounds}")
        measure.settle(arguments.seconds)
        limits[number] = tools.limits(root, min(arguments.seconds, LIMIT_SECONDS_MAX))
        for point in points:
            for peer in peers if number % 2 else list(reversed(peers)):
                if not does(peer, point):
                    continue
                row = measure.measure(number, peer, point, settings)
                problems = row.pop("problems")
                if problems:
                    say(f"{peer.name}, {point}: requests failed: {problems}")
                writer.writerow(row)
                results.add(row)
    return results, limits


def version_of(package):
    """A Debian package and its version."""
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Version}", package],
                          capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else package


def describe(arguments, peers):
    """What ran, where, how: the head of the report."""
    with open("/proc/cpuinfo") as cpuinfo:
        model = next((line.split(":", 1)[1].strip() for line in cpuinfo
                      if line.startswith("model name")), platform.machine())
    done = subprocess.run(["git", "-C", tools.ROOT, "describe", "--always", "--dirty", "--match="],
                          capture_output=True, text=True)
    packages = sorted({peer.kind.package for peer in peers if peer.kind.package})
    return [f"pontoon {done.stdout.strip() or 'of no known commit'}; "
            f"{os.cpu_count()} cores, {model}, Linux {platform.release()}",
            "; ".join(map(version_of, packages)),
            f"{arguments.keys} keys, {arguments.value_bytes}-byte values, "
            f"{arguments.rounds} rounds of {arguments.seconds:g} s; medians", ""]


def compare(arguments, peers, settings, root):
    """A whole run. Returns the exit status: 1 if any request to pontoon failed; what failed at
    others stands in their lines."""
    os.makedirs(arguments.out, exist_ok=True)
    servers.start(peers, root)
    say("fills and warms up")
    fill(peers, settings)
    with open(f"{arguments.out}/rounds.csv", "w", newline="", buffering=1) as file:
        writer = csv.DictWriter(file, measure.COLUMNS)
        writer.writeheader()
        results, limits = run_rounds(arguments, peers, settings, root, writer)
    lines = describe(arguments, peers) + report.table(results)
    lines += ["", "this machine's limits"] + report.limit_lines(limits)
    lines += ["", "goals (medians of the rounds' ratios)"] + report.goals(results, limits)
    rows = [row for of_point in results.rows.values() for row in of_point.values()]
    noisy = sum(row["noisy"] for row in rows)
    lines += ["", f"{noisy} of {len(rows)} points were noisy (~: half of a line's or more)"]
    with open(f"{arguments.out}/report.txt", "w") as file:
        file.write("\n".join(lines) + "\n")
    print("\n".join(lines))
    charts.write(results, arguments.out)
    say(f"rounds.csv, report.txt, rates.svg and cpu.svg are in {arguments.out}")
    return 1 if any(row["errors"] for row in rows if row["peer"].startswith("pontoon")) else 0


def run():
    arguments = read_arguments()
    servers.stop_on_signals()
    for tool in (arguments.program, tools.path_of("bench-load"), tools.path_of("bench-limits")):
        if not os.access(tool, os.X_OK):
            sys.exit(f"bench: no program at {tool}: make bench builds it")
    servers.Pontoon.program = os.path.abspath(arguments.program)
    root = tempfile.mkdtemp(prefix="pontoon-bench-")
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    settings = {"keys": arguments.keys, "value_bytes": arguments.value_bytes,
                "seconds": arguments.seconds, "warm_up": arguments.warm_up,
                "seed": arguments.seed}
    try:
        if arguments.cost:
            return cost.run(arguments, root, settings)
        if arguments.idle:
            return idle.run(arguments, root, settings)
        if arguments.watchers:
            return watchers.run(arguments, root, settings)
        if arguments.scale:
            return scale.run(arguments, root, settings)
        if not arguments.soak:
            return compare(arguments, choose_peers(arguments.peers), settings, root)
        peers = [peer for peer in servers.all_peers() if peer.name == "pontoon"]
        servers.start(peers, root)
        fill(peers, settings)
        connections = arguments.connections[0] if len(arguments.connections) == 1 else 64
        return soak.run(peers[0], settings, arguments.soak, connections, arguments.growth_mb)
    except (servers.NotUp, tools.Failed) as problem:
        say(f"{problem}")
        return 2


if __name__ == "__main__":
    sys.exit(run())
