#!/usr/bin/env python3
"""The pages of docs/tour, run as they stand: on a node alone, and on each of a cluster's three."""

import re
import subprocess
import unittest

import harness

PAGES = sorted((harness.ROOT / "docs" / "tour").glob("[0-9]*.md"))
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ANY = "…"


def examples(page):
    """The page's commands, each with the lines that it prints."""
    found = []
    for block in BLOCK.findall(page.read_text()):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return found


def fits(expected, actual):
    parts = (re.escape(part) for part in expected.split(ANY))
    return re.fullmatch(".*".join(parts), actual) is not None


def same(expected, actual):
    return len(expected) == len(actual) and all(map(fits, expected, actual))


class Tour(harness.TestCase):
    def follow(self, page, node):
        directory = harness.new_directory("tour")
        for command, expected in examples(page):
            line = command.replace("localhost:3000", f"localhost:{node.port}")
            done = subprocess.run(["bash", "-c", line], cwd=directory, timeout=60, check=False,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            actual = done.stdout.decode().replace("\r\n", "\n").splitlines()
            if not same(expected, actual):
                self.fail(f"{page.name}, node {node.id}:\n$ {command}\nthe page says\n"
                          + "\n".join(expected) + "\nthe node answers\n" + "\n".join(actual))

    def follow_in(self, page, size, place):
        cluster = self.cluster(size)
        self.follow(page, cluster[place])
        cluster.close()  # the next one needs its ports

    def test_the_pages_are_there(self):
        self.assertGreaterEqual(len(PAGES), 6)
        for page in PAGES:
            self.assertGreaterEqual(len(examples(page)), 3, page.name)

    def test_a_node_alone(self):
        for page in PAGES:
            self.follow_in(page, 1, 0)

    def test_each_node_of_three(self):
        for page in PAGES:
            for place in range(3):
                self.follow_in(page, 3, place)


if __name__ == "__main__":
    harness.main()
