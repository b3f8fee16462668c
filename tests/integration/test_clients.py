#!/usr/bin/env python3
"""Other people's clients, unmodified, against each of three nodes."""

import os
import subprocess

import harness

SOURCE = "int number_{0}(void)\n{{\n    return {0};\n}}\n"


class Ccache(harness.TestCase):
    """The compiler cache with its HTTP storage: GET, PUT, HEAD of binary values."""

    FILES = 5

    def setUp(self):
        self.nodes = self.cluster(3)
        self.directory = harness.new_directory("ccache")
        for number in range(self.FILES):
            (self.directory / f"file-{number}.c").write_text(SOURCE.format(number))

    def ccache(self, node, name, *arguments):
        """Runs it with a local cache of its own, which another name does not share."""
        environment = dict(os.environ, CCACHE_DIR=str(self.directory / name),
                           CCACHE_CONFIGPATH=str(self.directory / "none"),
                           CCACHE_REMOTE_STORAGE=f"{node.url}/kv/ccache")
        for key in ("CCACHE_BASEDIR", "CCACHE_NOHASHDIR", "CCACHE_DISABLE"):
            environment.pop(key, None)
        done = subprocess.run(["ccache", *arguments], cwd=self.directory, env=environment,
                              capture_output=True, text=True, timeout=120, check=True)
        return done.stdout

    def compile_all(self, node, name):
        """The objects, and what ccache counted."""
        objects = []
        for number in range(self.FILES):
            target = self.directory / f"{name}-{number}.o"
            self.ccache(node, name, "gcc", "-c", f"file-{number}.c", "-o", str(target))
            objects.append(target.read_bytes())
        lines = self.ccache(node, name, "--print-stats").splitlines()
        return objects, {key: int(value) for key, value in (line.split("\t") for line in lines)}

    def test_what_one_machine_has_compiled_another_need_not(self):
        first, counted = self.compile_all(self.nodes[0], "first")
        self.assertEqual(counted["remote_storage_hit"], 0)
        self.assertEqual(counted["remote_storage_error"], 0)
        self.assertGreaterEqual(counted["remote_storage_miss"], self.FILES)
        listed = self.nodes[1].get("/kv?prefix=ccache/&count").json()["count"]
        self.assertGreaterEqual(listed, 2 * self.FILES)  # a manifest and a result each
        for node in self.nodes:
            again, counted = self.compile_all(node, f"again-{node.id}")
            self.assertEqual(again, first)
            self.assertEqual(counted["remote_storage_error"], 0)
            self.assertEqual(counted["cache_miss"], 0)
            self.assertGreaterEqual(counted["remote_storage_hit"], self.FILES)


if __name__ == "__main__":
    harness.main()
