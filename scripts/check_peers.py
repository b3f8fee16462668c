#!/usr/bin/env python3
"""What the peers' Raft tests ask for stands in tests/peers/table/*.tsv, and the tests named there
exist.

A row is id, verdict, and where or why, with tabs between them.

P1  Each id of a peer's test stands there once, with a verdict of its own.
P2  covered: each test (file:function) or trace (a path below tests/raft-trace/data) exists, and a
    test is also run. not-applicable and open: the reason is there.
P3  The "peers:" comment above a test of tests/peers and the table say the same.
P4  Of each peer's tests that apply, at least 90 of 100 are covered.
"""

import re

import house

TABLE = "tests/peers/table"
TRACES = "tests/raft-trace/data/"
PEERS = ("etcd", "raftrs", "tinykv")
VERDICTS = ("covered", "not-applicable", "open")
COVERED_MIN = 0.9

IDENTITY = re.compile(r"\b(?:" + "|".join(PEERS) + r")/\w+(?:/\w+)?")
COMMENT = re.compile(r"/\*[\s*]*peers:((?:(?!\*/).)*)\*/\s*(?:static void (\w+)\()?", re.DOTALL)


class Row:
    """One line of a table."""

    def __init__(self, name, line, fields):
        self.name, self.line = name, line
        self.id, self.verdict, self.text = fields
        self.places = [place.strip() for place in self.text.split(",")]


def read_tables(findings, root):
    rows = {}
    for path in house.files(root, TABLE, ".tsv"):
        name = house.name_of(root, path)
        for line, text in enumerate(path.read_text().splitlines(), 1):
            fields = text.split("\t")
            if len(fields) != 3 or not all(field.strip() for field in fields):
                findings.add(name, line, f"has {len(fields)} columns",
                             "a row is id, verdict, and where or why", "fill in all three")
                continue
            row = Row(name, line, fields)
            findings.subjects += 1
            if not IDENTITY.fullmatch(row.id):
                findings.add(name, line, f"{row.id} is no id",
                             "an id is PEER/TEST", f"begin it with one of {', '.join(PEERS)}")
            elif row.verdict not in VERDICTS:
                findings.add(name, line, f"{row.verdict} is no verdict",
                             "every test has one", f"say one of {', '.join(VERDICTS)}")
            elif row.id in rows:
                findings.add(name, line, f"{row.id} is there twice",
                             f"also in {rows[row.id].name}:{rows[row.id].line}", "take one out")
            else:
                rows[row.id] = row
    return rows


def read_comments(findings, root):
    """The ids above each test: {id: {file:function: line}}."""
    comments = {}
    for path in house.files(root, "tests/peers", ".c"):
        name, text = house.name_of(root, path), path.read_text()
        for match in COMMENT.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            if match.group(2) is None:
                findings.add(name, line, "names peers' tests above no test",
                             "it says which test does the same", "move it above its test")
                continue
            for identity in IDENTITY.findall(match.group(1)):
                comments.setdefault(identity, {})[f"{name}:{match.group(2)}"] = line
    return comments


def why_not(root, place):
    """What is wrong with a place that is to cover something, or None."""
    if place.startswith(TRACES):
        # A folder stands for all the traces in it.
        return None if (root / place).exists() else "no such trace"
    name, _, function = place.partition(":")
    if not name.startswith("tests/") or not (root / name).is_file():
        return "no such file"
    text = (root / name).read_text()
    if not re.search(rf"^static void {re.escape(function)}\(", text, re.MULTILINE):
        return "no such test in it"
    if not re.search(rf"\bcmocka_unit_test\w*\(\s*{re.escape(function)}\b", text):
        return "the test is never run"
    return None


def check_rows(findings, root, rows, comments):
    for row in rows.values():
        for place in row.places if row.verdict == "covered" else []:
            fault = why_not(root, place)
            if fault is not None:
                findings.add(row.name, row.line, f"{place}: {fault}",
                             f"{row.id} is said to be covered by it", "mend the place")
            elif place.startswith("tests/peers/") and place not in comments.get(row.id, {}):
                findings.add(row.name, row.line, f"{place} does not name {row.id}",
                             "table and comments say the same", "add it above the test")


def check_comments(findings, rows, comments):
    for identity, places in comments.items():
        row = rows.get(identity)
        for place, line in places.items():
            if row is None or row.verdict != "covered" or place not in row.places:
                findings.add(place.partition(":")[0], line, f"{identity} is not in the table",
                             "table and comments say the same", f"write it into {TABLE}")


def check_shares(findings, rows):
    for peer in PEERS:
        own = [row for row in rows.values() if row.id.startswith(peer + "/")]
        counts = {verdict: sum(row.verdict == verdict for row in own) for verdict in VERDICTS}
        applicable = counts["covered"] + counts["open"]
        share = counts["covered"] / applicable if applicable else 1.0
        print(f"peers: {peer}: {counts['covered']} of {applicable} covered ({share:.0%}), "
              f"{counts['not-applicable']} do not apply")
        if share < COVERED_MIN:
            findings.add(TABLE, 1, f"{peer}: {share:.0%} covered",
                         f"at least {COVERED_MIN:.0%} of what applies is", "write the open tests")


def run():
    root = house.arguments(__doc__).parse_args().root.resolve()
    findings = house.Findings("peers")
    rows = read_tables(findings, root)
    comments = read_comments(findings, root)
    check_rows(findings, root, rows, comments)
    check_comments(findings, rows, comments)
    check_shares(findings, rows)
    return findings.finish()


if __name__ == "__main__":
    house.main(run)
