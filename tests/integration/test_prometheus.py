#!/usr/bin/env python3
"""Prometheus, unmodified, learns what to scrape from a stored value, and scrapes the nodes."""

import json
import subprocess
import unittest
import urllib.request

import harness
from harness import wait_until

PROGRAM = harness.ROOT / "build" / "clients" / "prometheus"
# It passes on what it has discovered every 5 seconds.
SECONDS = 60

CONFIGURATION = """\
global:
  scrape_interval: 1s
scrape_configs:
"""
JOB = """\
  - job_name: by-{node.id}
    http_sd_configs:
      - url: {node.url}/kv/scrape%2Fnodes
        refresh_interval: 200ms
"""


class Server:
    """One Prometheus on loopback, with an empty database."""

    def __init__(self, configuration):
        if not PROGRAM.exists():
            raise unittest.SkipTest(f"{PROGRAM} is not there: scripts/clients.sh brings it")
        self.directory = harness.new_directory("prometheus")
        self.port = harness.ports.take()
        (self.directory / "configuration.yml").write_text(configuration)
        self.log_path = self.directory / "log"
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", PROGRAM,
                 f"--config.file={self.directory / 'configuration.yml'}",
                 f"--storage.tsdb.path={self.directory / 'data'}",
                 f"--web.listen-address=127.0.0.1:{self.port}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def close(self):
        self.process.kill()
        self.process.wait()

    def get(self, target):
        """The data of an answer; None while it starts."""
        assert self.process.poll() is None, self.log_path.read_text(errors="replace")[-2000:]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/{target}",
                                        timeout=20) as answer:
                return json.load(answer)["data"]
        except OSError:
            return None

    def targets(self):
        """{job: {(address, its label "role", health)}}"""
        data = self.get("targets?state=active")
        found = {}
        for target in data["activeTargets"] if data else ():
            labels = target["labels"]
            found.setdefault(labels["job"], set()).add(
                (labels["instance"], labels.get("role"), target["health"]))
        return found


class Discovery(harness.TestCase):
    def setUp(self):
        self.nodes = self.cluster(3)
        self.server = Server(CONFIGURATION
                             + "".join(JOB.format(node=node) for node in self.nodes))
        self.addCleanup(self.server.close)

    def store(self, groups):
        answer = self.nodes[0].put("/kv/scrape%2Fnodes", json.dumps(groups).encode(),
                                   headers=[("Content-Type", "application/json")])
        self.assertIn(answer.status, (200, 201))

    def wait_targets(self, expected):
        """All three jobs have them, each asking another node, and what they name is up."""
        jobs = {f"by-{node.id}": expected for node in self.nodes}
        try:
            wait_until(lambda: self.server.targets() == jobs, SECONDS, f"targets {expected}")
        except AssertionError as error:
            raise AssertionError(f"{error}; there are {self.server.targets()}; "
                                 + self.server.log_path.read_text()[-1000:]) from None

    def wait_scraped(self, instances):
        """It has figures of theirs."""
        def find():
            data = self.server.get("query?query=pontoon_raft_term")
            return instances <= {series["metric"]["instance"] for series in data["result"]}
        wait_until(find, SECONDS, f"figures of {instances}")

    def test_targets_follow_the_value(self):
        first, second, third = (f"localhost:{node.port}" for node in self.nodes)
        self.store([{"targets": [first, second], "labels": {"role": "old"}}])
        self.wait_targets({(first, "old", "up"), (second, "old", "up")})
        self.store([{"targets": [second], "labels": {"role": "new"}}, {"targets": [third]}])
        self.wait_targets({(second, "new", "up"), (third, None, "up")})
        self.wait_scraped({second, third})


if __name__ == "__main__":
    harness.main()
