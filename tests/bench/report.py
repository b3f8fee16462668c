"""What a run has shown: medians, their spread, and the ratios that the project aims at.

A ratio is taken round by round, so that both sides had the same minutes, and then its median.
"""

import statistics

US, US_ONE = "pontoon", "pontoon-1"
GRPC, GATEWAY, REDIS_ONE = "etcd-grpc", "etcd-gateway", "redis-1"


class Results:
    """Rows by point (operation, connections, pipeline) and peer."""

    def __init__(self, peers, points):
        self.peers = [peer.name for peer in peers]
        self.points = points
        self.rows = {}

    def add(self, row):
        point = (row["operation"], row["connections"], row["pipeline"])
        self.rows.setdefault((row["peer"], point), {})[row["round"]] = row

    def of(self, peer, point):
        """The rows of a point, in the order of rounds."""
        rows = self.rows.get((peer, point), {})
        return [rows[number] for number in sorted(rows)]

    def ratio(self, column, over, under):
        """The median of one (peer, point) over another, and how many rounds have both. None: no
        round has."""
        upper, lower = self.rows.get(over, {}), self.rows.get(under, {})
        ratios = [upper[number][column] / lower[number][column]
                  for number in sorted(set(upper) & set(lower)) if lower[number][column] > 0]
        return (statistics.median(ratios), len(ratios)) if ratios else None


def table(results):
    """The lines of the table. "~" stands behind what was noisy in half of its rounds or more."""
    lines = [f"{'':27}{'requests/s (least-most)':>33}{'p50 ms':>10}{'p99 ms':>10}"
             f"{'CPU us':>9}{'load us':>9}{'MB':>7}"]
    for point in results.points:
        operation, connections, pipeline = point
        title = f"{operation}, {connections} connection{'s' if connections > 1 else ''}"
        lines += ["", title + (f", {pipeline} requests on their way on each" if pipeline > 1
                               else "")]
        for peer in results.peers:
            rows = results.of(peer, point)
            if not rows:
                continue
            rates = [row["rate"] for row in rows]
            middle = {column: statistics.median(row[column] for row in rows) for column in
                      ("rate", "p50_ms", "p99_ms", "server_cpu_us", "load_cpu_us",
                       "resident_mb_sum")}
            noisy = "~" if 2 * sum(row["noisy"] for row in rows) >= len(rows) else " "
            failed = sum(row["errors"] for row in rows)
            rate = f"{middle['rate']:,.0f} ({min(rates):,.0f}-{max(rates):,.0f})"
            lines.append(f"  {peer:24}{noisy}{rate:>33}{middle['p50_ms']:10.3f}"
                         f"{middle['p99_ms']:10.3f}{middle['server_cpu_us']:9.1f}"
                         f"{middle['load_cpu_us']:9.1f}{middle['resident_mb_sum']:7.0f}"
                         + (f"  {failed} failed" if failed else ""))
    return lines


class Goals:
    """Lines that say what was to be reached, and by how much it was reached or missed."""

    def __init__(self, results=None):
        self.results = results
        self.lines = []

    def judge(self, number, what, found, wanted, is_least, rounds):
        """`found` has to be `wanted` at least, or at most. Says by which factor it is better, or
        falls short."""
        by = found / wanted if is_least else wanted / max(found, 1e-9)
        missed_by = 1 / max(by, 1e-9)
        verdict = f"reached, {by:.2f}x as good" if by >= 1 else f"MISSED by {missed_by:.2f}x"
        bound = "at least" if is_least else "at most"
        self.lines.append(f"  {number}. {what:57}{found:8.3f}  {bound:8} {wanted:<8.3g}{verdict:24}"
                          f"{rounds} round{'s' if rounds > 1 else ''}")

    def ratio(self, number, what, column, over, under, wanted, is_least=True):
        found = self.results.ratio(column, over, under)
        if found is not None:
            self.judge(number, what, found[0], wanted, is_least, found[1])

    def against_etcd(self):
        for connections in (64, 256):
            for operation, wanted in (("put", 8), ("get", 10), ("mixed", 10)):
                point = (operation, connections, 1)
                name = f"{operation} {connections}"
                self.ratio(1, f"{name}: rate over etcd's (gRPC)", "rate", (US, point),
                           (GRPC, point), wanted)
                self.ratio(1, f"{name}: p99 over etcd's (gRPC)", "p99_ms", (US, point),
                           (GRPC, point), 1 / 5, is_least=False)
            point = ("put", connections, 1)
            self.ratio(1, f"put {connections}: rate over etcd's (gateway)", "rate", (US, point),
                       (GATEWAY, point), 15)
        for connections in (64, 256):
            for operation, wanted in (("put", 1 / 12), ("get", 1 / 15)):
                point = (operation, connections, 1)
                self.ratio(2, f"{operation} {connections}: server CPU over etcd's (gRPC)",
                           "server_cpu_us", (US, point), (GRPC, point), wanted, is_least=False)

    def one_connection(self, limits):
        point = ("put", 1, 1)
        rows = self.results.rows.get((US, point), {})
        for name, placed in (("round_trip_us", "as placed"), ("round_trip_apart_us", "apart")):
            ratios = [rows[number]["p50_ms"] * 1000 / (limit["two_syncs_us"] + 2 * limit[name])
                      for number, limit in limits.items() if number in rows and limit[name] > 0]
            if ratios:
                self.judge(3, f"put 1: p50 over a sync and two round trips ({placed})",
                           statistics.median(ratios), 2.0, False, len(ratios))
        self.ratio(3, "put 1: p50 over etcd's (gRPC)", "p50_ms", (US, point), (GRPC, point), 1 / 2,
                   is_least=False)

    def pipelined(self):
        for operation, connections, pipeline in self.results.points:
            if operation == "put" and pipeline > 1:
                self.ratio(4, f"put {connections}: rate with {pipeline} on their way over with 1",
                           "rate", (US, (operation, connections, pipeline)),
                           (US, (operation, connections, 1)), 4)

    def against_redis(self):
        for connections in (64, 256):
            point = ("put", connections, 1)
            self.ratio(5, f"put {connections}: one node's rate over one Redis's", "rate",
                       (US_ONE, point), (REDIS_ONE, point), 1)
            self.ratio(5, f"put {connections}: three nodes' rate over one Redis's", "rate",
                       (US, point), (REDIS_ONE, point), 1 / 2)


def goals(results, limits):
    """A line for each goal that this run can tell of; `limits` by round."""
    found = Goals(results)
    found.against_etcd()
    found.one_connection(limits)
    found.pipelined()
    found.against_redis()
    return found.lines


def limit_lines(limits):
    """What the machine allows, as medians of the rounds."""
    names = (("sync_us", "fdatasync of a small write"), ("two_syncs_us", "the same, two at once"),
             ("round_trip_us", "round trip over loopback, as the kernel places both"),
             ("round_trip_apart_us", "the same, on two cores"))
    return [f"  {what:56}{statistics.median(limit[name] for limit in limits.values()):10.1f} us"
            for name, what in names] if limits else []
