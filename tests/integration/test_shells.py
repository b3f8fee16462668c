#!/usr/bin/env python3
"""What shells and roff make of the completion and of the manual; each where it is installed."""

import shutil
import subprocess
import unittest

import harness


class Shells(harness.TestCase):
    def script(self, shell):
        status, out, errors = harness.run("completion", shell)
        self.assertEqual((status, errors), (0, ""))
        path = harness.new_directory("shells") / shell
        path.write_text(out)
        return path

    def complete(self, *words):
        """What bash offers for the last of `words`."""
        driver = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _pontoon; '
                  'printf "%s\\n" "${COMPREPLY[@]}"')
        done = subprocess.run(["bash", "-c", driver, "bash", self.bash, "pontoon", *words],
                              capture_output=True, text=True, timeout=30, cwd=self.bash.parent)
        self.assertEqual((done.returncode, done.stderr), (0, ""), words)
        return done.stdout.split()

    @unittest.skipUnless(shutil.which("bash"), "no bash here")
    def test_bash_completes(self):
        self.bash = self.script("bash")
        self.assertIn("watch", self.complete(""))
        self.assertEqual(self.complete("el"), ["elect"])
        self.assertEqual(self.complete("get", "--cons"), ["--consistency"])
        self.assertEqual(self.complete("get", "--consistency", ""), ["linearizable", "stale"])
        self.assertEqual(self.complete("get", "k", "-o", "j"), ["json"])
        self.assertEqual(self.complete("get", "--range", ""), [])
        self.assertEqual(self.complete("get", "-O", "ba"), ["bash"])
        self.assertEqual(self.complete("lease", "r"), ["revoke"])
        self.assertEqual(self.complete("import", "ba"), ["bash"])
        self.assertEqual(self.complete("get", "ba"), [])
        self.assertEqual(self.complete("help", "res"), ["restore"])
        self.assertIn("--max-value-bytes", self.complete("serve", "--max"))
        self.assertEqual(self.complete("serve", "--log-level", "w"), ["warn"])

    @unittest.skipUnless(shutil.which("zsh"), "no zsh here")
    def test_zsh_reads_it(self):
        subprocess.run(["zsh", "-n", self.script("zsh")], check=True, timeout=30)
        driver = ('autoload -Uz compinit; compinit -D -u; source "$1"; print $_comps[pontoon]')
        done = subprocess.run(["zsh", "-f", "-c", driver, "zsh", self.script("zsh")],
                              capture_output=True, text=True, timeout=30)
        self.assertEqual(done.stdout, "_pontoon\n", done.stderr)

    @unittest.skipUnless(shutil.which("fish"), "no fish here")
    def test_fish_completes(self):
        path = self.script("fish")
        for line, wanted in (("pontoon el", "elect"), ("pontoon get --cons", "--consistency"),
                             ("pontoon get --consistency st", "stale"),
                             ("pontoon lease r", "revoke")):
            done = subprocess.run(
                ["fish", "-N", "-c", f"source {path}; complete -C '{line}'"],
                capture_output=True, text=True, timeout=30, env=harness.environment(HOME="/tmp"))
            self.assertEqual(done.stdout.split()[0], wanted, (line, done))

    @unittest.skipUnless(shutil.which("groff"), "no groff here")
    def test_roff_has_nothing_to_warn_of(self):
        status, page, errors = harness.run("man")
        self.assertEqual((status, errors), (0, ""))
        done = subprocess.run(["groff", "-man", "-ww", "-Tutf8", "-P-cbou"], input=page,
                              capture_output=True, text=True, timeout=30)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("pontoon put app/name Ada --if-none-match '*'", done.stdout)
        self.assertIn("  min … max  a request's time", done.stdout)
        if shutil.which("mandoc"):
            done = subprocess.run(["mandoc", "-Tlint", "-Wwarning"], input=page, timeout=30,
                                  capture_output=True, text=True)
            told = [line for line in done.stdout.splitlines() if "missing date" not in line]
            self.assertEqual(told, [])  # a date would make each build another one

    def test_another_shell_is_refused(self):
        for words in ((), ("tcsh",)):
            status, out, errors = harness.run("completion", *words)
            self.assertEqual((status, out), (2, ""))
            self.assertIn("bash, zsh or fish", errors)


if __name__ == "__main__":
    harness.main()
