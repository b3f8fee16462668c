#!/usr/bin/env python3
"""pontoon beside etcd, on one machine, in one run.

Both clusters (three nodes each, on loopback) are up for the whole run; the workloads take turns,
round by round, so that a slow minute of the machine falls on both. What counts is the ratio of the
medians; the absolute numbers say more about the machine. etcd is Debian's package, driven over its
JSON gateway.

  tests/bench/bench.py [--rounds 5] [--seconds 3] [--connections 64] [--value-bytes 256] [--no-etcd]
  tests/bench/bench.py --soak 600      ten minutes of load on pontoon: is resident memory flat?
"""
import argparse
import atexit
import http.client
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TICKS = os.sysconf("SC_CLK_TCK")


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def ask(port, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


class Cluster:
    """Three processes; a subclass knows their command lines and how to find the leader."""

    def __init__(self, name, root):
        self.name = name
        self.root = os.path.join(root, name)
        self.clients = free_ports(3)
        self.peers = free_ports(3)
        self.processes = []

    def start(self):
        for i in range(3):
            os.makedirs(f"{self.root}/{i + 1}")
            log = open(f"{self.root}/{i + 1}.log", "wb")
            self.processes.append(subprocess.Popen(self.command(i), stdout=log, stderr=log))
        atexit.register(self.stop)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                self.leader = self.find_leader()
                if self.leader is not None:
                    return
            except OSError:
                pass
            if any(process.poll() is not None for process in self.processes):
                break
            time.sleep(0.05)  # between two looks at a condition
        sys.exit(f"bench: {self.name} did not come up, see {self.root}/*.log")

    def stop(self):
        for process in self.processes:
            process.send_signal(signal.SIGKILL)
            process.wait()
        self.processes = []

    def cpu_seconds(self):
        total = 0
        for process in self.processes:
            with open(f"/proc/{process.pid}/stat") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICKS

    def resident_mb(self):
        sizes = []
        for process in self.processes:
            with open(f"/proc/{process.pid}/statm") as statm:
                sizes.append(int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20)
        return sizes


class Pontoon(Cluster):
    api = "pontoon"

    def __init__(self, program, root):
        super().__init__("pontoon", root)
        self.program = program

    def command(self, i):
        members = ",".join(f"{n + 1}=127.0.0.1:{port}" for n, port in enumerate(self.peers))
        return [self.program, "serve", "--id", str(i + 1), "--data", f"{self.root}/{i + 1}",
                "--listen", f"127.0.0.1:{self.clients[i]}", "--cluster", members]

    def find_leader(self):
        for port in self.clients:
            if ask(port, "GET", "/leader")[0] == 200:
                return port
        return None


class Etcd(Cluster):
    api = "etcd"

    def __init__(self, root):
        super().__init__("etcd", root)

    def command(self, i):
        members = ",".join(f"n{n}=http://127.0.0.1:{port}" for n, port in enumerate(self.peers))
        client = f"http://127.0.0.1:{self.clients[i]}"
        peer = f"http://127.0.0.1:{self.peers[i]}"
        return ["etcd", "--name", f"n{i}", "--data-dir", f"{self.root}/{i + 1}",
                "--log-level", "error",
                "--listen-client-urls", client, "--advertise-client-urls", client,
                "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                "--initial-cluster", members, "--snapshot-count", "100000"]

    def find_leader(self):
        for port in self.clients:
            status, body = ask(port, "POST", "/v3/maintenance/status", "{}")
            answer = json.loads(body) if status == 200 else {}
            if answer.get("leader") and answer["leader"] == answer["header"]["member_id"]:
                return port
        return None


def load(cluster, op, args, seconds):
    """One run of wrk against the leader: requests a second, p50 and p99 in ms, server CPU in us."""
    environment = dict(os.environ, API=cluster.api, OP=op, KEYSPACE=str(args.keys),
                       VALUE_SIZE=str(args.value_bytes), SEED=str(args.seed))
    before = cluster.cpu_seconds()
    command = ["wrk", "-t1", f"-c{args.connections}", f"-d{seconds}s", "--timeout", "10s",
               "-s", f"{HERE}/load.lua", f"http://127.0.0.1:{cluster.leader}"]
    out = subprocess.run(command, env=environment, capture_output=True, text=True,
                         check=True).stdout
    used = cluster.cpu_seconds() - before
    result = next(line.split()[1:] for line in out.splitlines() if line.startswith("RESULT"))
    requests, duration, p50, p99, errors = (float(value) for value in result)
    if errors > 0:
        sys.exit(f"bench: {cluster.name} {op}: {errors:.0f} requests failed")
    return {"rate": requests / duration, "p50": p50 / 1000, "p99": p99 / 1000,
            "cpu": used / requests * 1e6}


def compare(clusters, args):
    results = {(cluster.name, op): [] for cluster in clusters for op in args.operations}
    for cluster in clusters:
        load(cluster, "fill", args, args.seconds)
    for number in range(args.rounds):
        print(f"bench: round {number + 1} of {args.rounds}", file=sys.stderr, flush=True)
        for op in args.operations:
            for cluster in clusters if number % 2 == 0 else reversed(clusters):
                results[cluster.name, op].append(load(cluster, op, args, args.seconds))
    print(f"{args.connections} connections, {args.value_bytes}-byte values, three nodes, "
          f"medians of {args.rounds} rounds (least and most)\n")
    print(f"{'':20}{'requests/s':>26}{'p50 ms':>9}{'p99 ms':>9}{'CPU us':>9}")
    for op in args.operations:
        for cluster in clusters:
            rounds = results[cluster.name, op]
            rates = [one["rate"] for one in rounds]
            middle = {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
            spread = f"{middle['rate']:,.0f} ({min(rates):,.0f}-{max(rates):,.0f})"
            print(f"{op:8}{cluster.name:12}{spread:>26}{middle['p50']:9.2f}{middle['p99']:9.2f}"
                  f"{middle['cpu']:9.1f}")
        if len(clusters) == 2:
            ratios = [ours["rate"] / theirs["rate"] for ours, theirs in
                      zip(results[clusters[0].name, op], results[clusters[1].name, op])]
            print(f"{op:8}{'ratio':12}{statistics.median(ratios):>25.2f}x\n")


def soak(cluster, args):
    """Load for a long time; resident memory is read every tenth of it."""
    load(cluster, "fill", args, args.seconds)
    sizes = []
    for part in range(10):
        rate = load(cluster, "mixed" if part % 2 else "put", args, max(1, args.soak // 10))["rate"]
        sizes.append(cluster.resident_mb())
        print(f"{(part + 1) * 10:4} %  {rate:10,.0f} requests/s   resident MB "
              + "  ".join(f"{size:8.1f}" for size in sizes[-1]), flush=True)
    growth = max(last - middle for last, middle in zip(sizes[-1], sizes[4]))
    print(f"growth over the second half: {growth:.1f} MB")
    if growth > args.growth_mb:
        sys.exit(f"bench: resident memory grew by more than {args.growth_mb} MB")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=os.environ.get("PONTOON", "build/pontoon"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--value-bytes", type=int, default=256)
    parser.add_argument("--keys", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--operations", nargs="+", default=["put", "get"],
                        choices=["put", "get", "mixed"])
    parser.add_argument("--no-etcd", action="store_true")
    parser.add_argument("--soak", type=int, metavar="SECONDS", default=0)
    parser.add_argument("--growth-mb", type=float, default=16)
    args = parser.parse_args()
    for tool in ["wrk"] + ([] if args.no_etcd or args.soak else ["etcd"]):
        if shutil.which(tool) is None:
            sys.exit(f"bench: {tool} is missing: scripts/setup.sh bench installs it")
    if not os.access(args.program, os.X_OK):
        sys.exit(f"bench: no program at {args.program}: build it with make release")
    root = tempfile.mkdtemp(prefix="pontoon-bench-")
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    clusters = [Pontoon(args.program, root)]
    if not args.no_etcd and not args.soak:
        clusters.append(Etcd(root))
    for cluster in clusters:
        cluster.start()
    if args.soak:
        soak(clusters[0], args)
    else:
        compare(clusters, args)


if __name__ == "__main__":
    main()
