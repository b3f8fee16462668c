#!/usr/bin/env python3
"""Starting and ending: errors that a person can act on, settings, strangers, signals."""

import json
import os
import re
import signal
import socket
import threading
import time

import harness


def lines_of(node, *words):
    """The node's log lines with all these words."""
    return [line for line in node.log().splitlines() if all(word in line for word in words)]


class Refusals(harness.TestCase):
    """Exit status 2: called wrongly; 1: it could not. One last line says what and what to do."""

    def setUp(self):
        self.directory = harness.new_directory("refusals")

    def refuse(self, status, words, *arguments, **more):
        """The command fails with this status and a last line that has all the words."""
        found, output, errors = harness.run(*arguments, cwd=self.directory, **more)
        self.assertEqual((found, output), (status, ""), errors)
        lines = [line for line in errors.splitlines() if line.startswith("pontoon: ")]
        self.assertEqual(len(lines), 1, errors)
        for word in words:
            self.assertIn(word, lines[0])

    def serve(self, status, words, *flags, **more):
        flags = [flag for flag in ("--listen=127.0.0.1:0", f"--data={self.directory / 'data'}")
                 if not any(given.startswith(flag.split("=")[0]) for given in flags)] + [*flags]
        self.refuse(status, words, "serve", *flags, **more)

    def test_what_a_command_does_not_take_is_refused_by_its_name(self):
        for words, named in ((("version", "extra"), "extra"), (("--version", "--jsn"), "--jsn"),
                             (("help", "sevre"), "\"serve\""), (("help", "serve", "more"), "more")):
            self.refuse(2, [named], *words)
        self.assertEqual(harness.run("help", "serve")[1], harness.run("serve", "--help")[1])

    def test_a_command_that_is_unknown_is_met_with_a_suggestion(self):
        self.refuse(2, ['"sevre"', 'did you mean "serve"?'], "sevre")
        self.refuse(2, ['"frobnicate"', "there are serve, "], "frobnicate")
        self.refuse(2, ["pontoon serve"])
        # It is the program's help that lists the commands.
        for words in (("sevre",), ("help", "frobnicate"), ()):
            _, _, errors = harness.run(*words)
            self.assertEqual(errors.splitlines()[-1], '"pontoon --help" tells what there is.')

    def test_a_flag_that_is_unknown_is_met_with_a_suggestion(self):
        self.serve(2, ["--lisen", "did you mean --listen?"], "--lisen=127.0.0.1:0")
        self.serve(2, ["--segment-sise", "did you mean --segment-size?"], "--segment-sise", "1MiB")
        self.serve(2, ["unknown flag --frobnicate"], "--frobnicate")
        self.serve(2, ['unexpected argument "extra"'], "extra")

    def test_a_bad_value_is_met_with_what_is_meant(self):
        for flag, *words in (
                ("--id=0", "--id", "out of range"),
                (f"--id={1 << 53}", "--id", f"1 to {(1 << 53) - 1}"),
                ("--id=one", "--id", "not a number"),
                ("--id=-1", "--id", "not a number"),
                ("--listen=3000", "--listen", "HOST:PORT"),
                ("--listen=127.0.0.1:65536", "--listen", "HOST:PORT"),
                ("--max-value-bytes=1GiB", "--max-value-bytes", "64MiB"),
                ("--max-value-bytes=8MB", "--max-value-bytes", "8MiB"),
                ("--request-timeout=5", "--request-timeout", "5s"),
                ("--election-timeout=60ms", "--election-timeout", "heartbeat", "150ms"),
                ("--log-level=loud", "--log-level", "error, warn, info, debug"),
                ("--access-log=maybe", "--access-log", "true nor false"),
                ("--cluster=1", "--cluster", "member 1", "address"),
                (f"--cluster={1 << 53}=127.0.0.1:4001", "--cluster", f"{(1 << 53) - 1}"),
                ("--cluster=one=127.0.0.1:4001", "--cluster", "ID=HOST:PORT"),
                ("--cluster=1=127.0.0.1:4001,1=127.0.0.1:4002", "--cluster", "given twice"),
                ("--cluster=1=127.0.0.1:4001,2=127.0.0.1:4001", "--cluster", "same address"),
                ("--cluster=2=127.0.0.1:4001,3=127.0.0.1:4002", "--cluster", "--id"),
                ("--data", "--data", "needs a value")):
            with self.subTest(flag):
                self.serve(2, words, flag)
        for number in (0, 1 << 53):
            self.refuse(2, ["--id", f"1 to {(1 << 53) - 1}"], "restore", "a.backup",
                        "--data", self.directory / "restored", f"--id={number}")

    def test_a_port_that_is_taken_is_named(self):
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            address = f"127.0.0.1:{other.getsockname()[1]}"
            data = self.directory / "untouched"
            self.serve(1, [address, "in use", "--listen"], f"--listen={address}", f"--data={data}")
            members = f"1={address},2=127.0.0.1:{harness.ports.take()}"
            self.serve(1, [address, "in use"], f"--cluster={members}",
                       f"--listen=127.0.0.1:{harness.ports.take()}", f"--data={data}")
            # What was not begun does not stand in the way of the next try.
            self.assertFalse(data.exists())

    def test_a_directory_that_cannot_be_used_is_named(self):
        file = self.directory / "file"
        file.touch()
        self.serve(1, [str(file)], f"--data={file}")
        self.serve(1, [str(file / "below"), "a directory that is there", "may write"],
                   f"--data={file / 'below'}")
        if os.geteuid() != 0:  # root may write everywhere
            sealed = self.directory / "sealed"
            sealed.mkdir(mode=0o500)
            self.serve(1, [str(sealed), "Permission denied"], f"--data={sealed}")

    def test_a_directory_in_use_is_refused_with_the_process_that_uses_it(self):
        node = self.cluster()[0]
        self.serve(1, [f"{node.data}/lock", f"process {node.process.pid}", "another --data"],
                   f"--data={node.data}")
        self.assertEqual(node.get("/livez").status, 200)

    def test_a_directory_of_another_node_or_cluster_is_refused(self):
        node = self.cluster()[0]
        node.put("/kv/mine", b"x")
        node.stop()
        data = f"--data={node.data}"
        self.serve(1, [str(node.data), "node 1", "--id 1"], data, "--id=2")
        self.serve(1, [str(node.data), "another cluster"], data, "--cluster-name=other")
        members = f"1=127.0.0.1:{harness.ports.take()},2=127.0.0.1:{harness.ports.take()}"
        self.serve(1, [str(node.data), "another cluster"], data, f"--cluster={members}",
                   f"--listen=127.0.0.1:{harness.ports.take()}")
        node.start().wait_ready()
        self.assertEqual(node.get("/kv/mine").body, b"x")

    def test_a_directory_of_an_unknown_format_is_refused(self):
        node = self.cluster()[0]
        node.stop()
        identity = node.data / "identity"
        identity.write_text(identity.read_text().replace("pontoon-data 1", "pontoon-data 2"))
        self.serve(1, [str(identity), "format 2"], f"--data={node.data}")


class Settings(harness.TestCase):
    def limit(self, node):
        return node.get("/").json()["limits"]["value_bytes_max"]

    def start(self, flags, env):
        """A node with these settings."""
        node = self.cluster(start=False)[0]
        node.environment = env
        return node.start(**flags).wait_ready()

    def test_flag_wins_over_environment_over_file(self):
        directory = harness.new_directory("settings")
        file = directory / "pontoon.conf"
        file.write_text("; what a person wrote\nmax-value-bytes = 1KiB\nlog-format = json\n")
        env = {"PONTOON_MAX_VALUE_BYTES": "2KiB"}
        node = self.start({"config": file}, {})
        self.assertEqual(self.limit(node), 1024)
        for line in node.log().splitlines():
            self.assertEqual(json.loads(line)["node"], 1)
        self.assertEqual(self.limit(self.start({"config": file}, env)), 2048)
        self.assertEqual(self.limit(self.start({"config": file, "max-value-bytes": 3072}, env)),
                         3072)
        self.assertEqual(self.limit(self.start({}, {"PONTOON_CONFIG": str(file)})), 1024)

    def refuse(self, words, *arguments, env=None):
        status, _, errors = harness.run("serve", *arguments, env=env)
        self.assertEqual(status, 2, errors)
        for word in words:
            self.assertIn(word, errors)

    def test_a_bad_setting_is_refused_with_the_place_where_it_stands(self):
        file = harness.new_directory("settings") / "pontoon.conf"
        file.write_text("\nmax-value-bites = 1KiB\n")
        self.refuse([f"{file}:2", "max-value-bites", 'did you mean "max-value-bytes"?'],
                    f"--config={file}")
        file.write_text("id = 1\nlog-level = loud\n")
        self.refuse([f"{file}:2", "log-level", "error, warn, info, debug"], f"--config={file}")
        file.write_text("id = 1\nid = 2\n")
        self.refuse(["id", "twice"], f"--config={file}")
        self.refuse(["PONTOON_LISTEM", "did you mean PONTOON_LISTEN?"],
                    env=harness.environment(PONTOON_LISTEM="127.0.0.1:0"))
        self.refuse(["PONTOON_ID", "out of range"], env=harness.environment(PONTOON_ID="0"))
        status, _, errors = harness.run("serve", f"--config={file}.none")
        self.assertEqual(status, 1)
        self.assertIn(f"{file}.none", errors)

    def test_help_teaches_and_version_tells(self):
        status, output, errors = harness.run("--help")
        self.assertEqual((status, errors), (0, ""))
        self.assertIn("curl", output)
        status, output, errors = harness.run("serve", "--help")
        self.assertEqual((status, errors), (0, ""))
        for flag in ("id", "data", "listen", "peer-listen", "cluster", "config"):
            self.assertIn(f"--{flag} ", output)
            self.assertIn(f"PONTOON_{flag.upper().replace('-', '_')}", output)
        status, output, errors = harness.run("version")
        self.assertEqual((status, errors), (0, ""))
        self.assertRegex(output, r"^pontoon \d+\.\d+\.\d+\n$")
        self.assertEqual(harness.run("help", "serve")[1], harness.run("serve", "--help")[1])

    def test_an_address_that_others_reach_is_warned_of_and_loopback_is_not(self):
        node = self.cluster(start=False)[0]
        node.start(listen=f"0.0.0.0:{node.port}").wait_ready()
        self.assertEqual(len(lines_of(node, "level=warn", "ANYONE", "0.0.0.0")), 1)
        quiet = self.cluster()[0]
        self.assertEqual(lines_of(quiet, "level=warn"), [])

    def test_no_line_a_request_unless_asked_for(self):
        quiet, verbose = self.cluster()[0], self.cluster(access_log="true")[0]
        for node in (quiet, verbose):
            node.put("/kv/secret", b"x")
        self.assertEqual(lines_of(quiet, "msg=request"), [])
        line = harness.wait_until(lambda: lines_of(verbose, "msg=request", "method=PUT"), 5,
                                  "the access log has the write")[0]
        for word in ("route=", "status=201", "duration_us="):
            self.assertIn(word, line)
        self.assertNotIn("secret", line)


class Strangers(harness.TestCase):
    def check_service(self, nodes):
        for node in nodes:
            self.assertIn(node.put("/kv/service", b"x").status, (200, 201))

    def stranger(self, cluster, number, **flags):
        """One more process that says it is this member, with data and ports of its own."""
        node = harness.Node(number, harness.new_directory("stranger"),
                            {"cluster": cluster.members, **flags})
        self.addCleanup(node.destroy)
        self.addCleanup(lambda: node.process and node.stop())
        return node.start()

    def check_refused(self, stranger, members, reason):
        """Both sides say so, and the stranger is of no use."""
        for member in members:
            harness.wait_until(lambda: lines_of(member, "level=warn", "peer connection refused",
                                                f"peer={stranger.id}", f"reason={reason}"), 20,
                               f"node {member.id} logs that it refuses")
        for member in members:
            harness.wait_until(lambda: lines_of(stranger, "level=warn", "refused by peer",
                                                f"peer={member.id}", f"reason={reason}"), 20,
                               "the stranger logs that it is refused")
        self.assertEqual(stranger.get("/livez").status, 200)
        self.assertEqual(stranger.get("/readyz").status, 503)
        self.assertEqual(stranger.get("/kv/service?consistency=stale").status, 404)
        self.assertEqual(stranger.put("/kv/stranger?timeout=300ms", b"x").status, 503)

    def test_a_peer_of_another_cluster_is_refused_on_both_sides(self):
        cluster = self.cluster(3)
        cluster[1].kill()
        members = cluster.others(cluster[1])
        stranger = self.stranger(cluster, 2, cluster_name="other")
        self.check_refused(stranger, members, "cluster")
        self.check_service(members)
        stranger.stop()
        cluster[1].start().wait_ready()
        self.check_service(cluster)

    def test_a_peer_with_a_taken_id_is_refused_on_both_sides(self):
        cluster = self.cluster(3)
        self.check_service(cluster)
        terms = {node.stats()["term"] for node in cluster}
        stranger = self.stranger(cluster, 2, peer_listen=f"127.0.0.1:{harness.ports.take()}")
        self.check_refused(stranger, cluster.others(cluster[1]), "id-taken")
        self.check_service(cluster)
        self.assertEqual({node.stats()["term"] for node in cluster}, terms, "it forced an election")

    def test_garbage_on_the_peer_port_harms_nobody(self):
        cluster = self.cluster(3)
        port = int(cluster.members.split(",")[0].rsplit(":", 1)[1])
        random = harness.rng("garbage")
        for garbage in (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", bytes(4096), b"\xff" * 4096,
                        random.randbytes(65536), b"a"):
            with harness.Connection(port) as connection:
                connection.send(garbage)
                connection.socket.shutdown(socket.SHUT_WR)
                connection.receive_end()
        self.check_service(cluster)
        self.assertGreater(len(lines_of(cluster[0], "malformed frame")), 0)


class Endings(harness.TestCase):
    def test_both_signals_end_it_with_status_0_and_a_clean_log(self):
        node = self.cluster()[0]
        for number in (signal.SIGTERM, signal.SIGINT):
            node.put("/kv/kept", b"x" * 1000)
            idle = node.connect()
            self.assertEqual(idle.request("GET", "/livez").status, 200)
            node.stop(number)
            self.assertEqual(idle.receive_end(), b"")
            idle.close()
            node.start().wait_ready()
            self.assertEqual(node.get("/kv/kept").body, b"x" * 1000)
        self.assertEqual(lines_of(node, "level=warn") + lines_of(node, "level=error"), [])
        self.assertEqual(len(lines_of(node, "pontoon ends")), 2)

    def test_a_second_signal_behind_the_last_answer_leaves_the_status_0(self):
        node = self.cluster(segment_size="64MiB")[0]
        for number in range(harness.pick(3, 100)):
            with node.connect() as connection:  # so that the last checkpoint takes a while
                for part in range(20):
                    connection.request("PUT", f"/kv/{part}", b"x" * (1 << 20))
            drained = len(lines_of(node, "msg=drained"))
            node.send_signal(signal.SIGTERM)
            harness.wait_until(lambda: len(lines_of(node, "msg=drained")) > drained, 10, "drained")
            if node.process.poll() is None:
                node.send_signal(signal.SIGINT)
            node.end(0)
            node.start().wait_ready()
            self.assertEqual(node.get("/kv/19").body, b"x" * (1 << 20))

    def test_what_is_in_flight_is_finished(self):
        node = self.cluster()[0]
        with node.connect() as connection:
            # A whole request and the front of another one.
            connection.send(harness.encode("PUT", "/kv/whole", b"x")
                            + b"PUT /kv/part HTTP/1.1\r\nHost: localhost\r\n"
                              b"Content-Length: 4\r\n\r\nha")
            whole = connection.receive("PUT")
            self.assertEqual(whole.status, 201)
            node.send_signal(signal.SIGTERM)
            harness.wait_until(lambda: lines_of(node, "finishing what is at work"), 5, "it drains")
            connection.send(b"lf")
            part = connection.receive("PUT")
            self.assertIn(part.status, (201, 503))
            self.assertEqual(part.headers["connection"], "close")
            self.assertEqual(connection.receive_end(), b"")
        node.end(0)
        node.start().wait_ready()
        self.assertEqual(node.get("/kv/whole").body, b"x")
        self.assertEqual(node.get("/kv/part").status, 200 if part.status == 201 else 404)

    def test_it_ends_under_load_and_loses_no_answer(self):
        node = self.cluster()[0]
        acknowledged, problems = [], []

        def write(number):
            with node.connect() as connection:
                for count in range(1_000_000):
                    key = f"/kv/load-{number}-{count}"
                    try:
                        response = connection.request("PUT", key, b"x")
                    except (OSError, harness.Closed):
                        if connection.held:
                            problems.append(f"half an answer: {connection.held!r}")
                        return
                    if response.status == 201:
                        acknowledged.append(key)
                    elif response.status != 503:
                        problems.append(response)
                    if response.headers.get("connection") == "close":
                        return
        threads = [threading.Thread(target=write, args=(number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        harness.wait_until(lambda: len(acknowledged) > 500, 20, "there is load")
        node.send_signal(signal.SIGTERM)
        node.end(0)
        for thread in threads:
            thread.join(20)
        self.assertEqual(problems, [])
        with self.assertRaises(ConnectionRefusedError):
            node.connect()
        node.start().wait_ready()
        keys = [key.removeprefix("/kv/").encode() for key in acknowledged]
        for key, response in node.read_many(keys):
            self.assertEqual(response.status, 200, key)

    def test_a_client_that_never_finishes_does_not_keep_it(self):
        node = self.cluster(shutdown_timeout="500ms")[0]
        with node.connect() as connection:
            connection.send(b"PUT /kv/never HTTP/1.1\r\nHost: localhost\r\n"
                            b"Content-Length: 4\r\n\r\nha")
            harness.wait_until(lambda: node.stats()["http"]["connections"] > 1, 5, "it is seen")
            began = time.monotonic()
            node.stop()
            self.assertLess(time.monotonic() - began, 5)

    def test_a_leader_that_is_ended_is_replaced(self):
        cluster = self.cluster(3)
        leader = cluster.leader()
        others = cluster.others(leader)
        leader.stop()
        for node in others:
            self.assertIn(node.put("/kv/goes-on", b"x").status, (200, 201))
        leader.start().wait_ready()
        self.assertEqual(leader.get("/kv/goes-on").body, b"x")


if __name__ == "__main__":
    harness.main()
