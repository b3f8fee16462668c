#!/usr/bin/env python3
"""The pages of docs/tour, run as they stand: on a node alone, and on each of a cluster's three."""

import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

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

    def test_the_pages_are_there(self):
        self.assertGreaterEqual(len(PAGES), 6)
        for page in PAGES:
            self.assertGreaterEqual(len(examples(page)), 3, page.name)

    def test_a_node_alone_and_each_node_of_three(self):
        places = ((1, 0), (3, 0), (3, 1), (3, 2))
        for page in PAGES:
            clusters = [self.cluster(size, start=False) for size, _ in places]
            for cluster in clusters:  # by this thread: a node ends with the one that started it
                for node in cluster:
                    node.start()
            with ThreadPoolExecutor(len(places)) as pool:  # the pages wait more than they work
                runs = [pool.submit(self.follow, page, cluster.wait_ready()[place])
                        for cluster, (_, place) in zip(clusters, places)]
            for each in runs:
                each.result()
            for cluster in clusters:
                cluster.close()  # the next page's need their ports


if __name__ == "__main__":
    harness.main()
