#!/usr/bin/env python3
"""The offline look at a data directory: check, log dump, store dump. What is whole is said to be,
what is damaged is named, and nothing in the directory changes."""

import hashlib
import os
import re
import struct
import subprocess
from pathlib import Path

import harness

SEGMENT_SIZE = 64 << 10
SECTOR = 512
RECORD_HEAD, ENTRY_HEAD = 32, 17  # src/wal/README.md
STORE_HEAD = 56                   # src/store/README.md
DIRECTORY = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
NOBODY = 65534


def copy(source, target):
    """A directory as it is, holes included (LMDB's file is mostly one)."""
    subprocess.run(["rm", "-rf", target], check=True)
    subprocess.run(["cp", "-a", "--sparse=always", source, target], check=True)


def written(path):
    """The bytes of a file up to the hole at its end."""
    with open(path, "rb") as file:
        return file.read(path.stat().st_blocks * 512 + (1 << 20))


def state_of(directory):
    """Every file: its name, size, time of change and bytes."""
    found = {}
    for path in sorted(directory.rglob("*")):
        status = path.stat()
        digest = hashlib.sha256(written(path)).hexdigest() if path.is_file() else ""
        found[path.relative_to(directory)] = (status.st_size, status.st_mtime_ns, digest)
    return found


def flip(path, offset, mask):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ mask]))


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


class Offline(harness.TestCase):
    """A node of many keys that was killed: `template` is its data."""

    @classmethod
    def setUpClass(cls):
        cls.workers = harness.new_directory("offline", parent=DIRECTORY)
        cls.random = harness.rng("offline")
        node = cls.class_cluster(segment_size=SEGMENT_SIZE, checkpoint_interval="24h")[0]
        # Small ones stand within LMDB's pages, large ones on pages of their own.
        sizes = (40, 300, 1200, 9000)
        cls.values = {b"app/key %d" % number: cls.random.randbytes(sizes[number % 4])
                      for number in range(40)}
        cls.put(node, cls.values)
        node.stop()
        node.start(checkpoint_interval="100ms").wait_ready()
        harness.wait_until(lambda: cls.is_checkpointed(node), 30, "everything is checkpointed")
        node.stop()
        node.start().wait_ready()
        # What no checkpoint has: the log alone does.
        cls.later = {b"later-%d" % number: cls.random.randbytes(number * 20 + 20)
                     for number in range(30)}
        cls.put(node, cls.later)
        node.kill()  # an orderly stop would leave no entries behind the checkpoint
        cls.template = cls.workers / "template"
        copy(node.data, cls.template)
        cls.data = cls.workers / "data"

    @staticmethod
    def is_checkpointed(node):
        store = node.stats()["store"]
        return store["checkpoints"] > 0 and store["tail_records"] == 0

    @staticmethod
    def put(node, values):
        with node.connect() as connection:
            for key, value in values.items():
                response = connection.request("PUT", harness.quote(key), value)
                assert response.status in (200, 201), response

    def setUp(self):
        copy(self.template, self.data)

    def look(self, *words, directory=None, status=0):
        """Runs a command on the directory: its output and its errors. Nothing has changed."""
        directory = directory or self.data
        before = state_of(directory)
        found, output, errors = harness.run(*words, directory)
        self.assertEqual(state_of(directory), before)
        if status is not None:
            self.assertEqual(found, status, output + errors)
        return output, errors

    def expect_whole(self, directory=None):
        output, errors = self.look("check", directory=directory)
        self.assertEqual(errors, "")
        self.assertNotRegex(output, "(?m)^damaged ")
        self.assertRegex(output.splitlines()[-1], "^/.* is whole$")
        return output

    def expect_damage(self, *words):
        """Exit status 1, a verdict, and a line of damage with all the words."""
        output, _ = self.look("check", status=1)
        lines = [line for line in output.splitlines() if line.startswith("damaged ")]
        self.assertTrue(any(all(word in line for word in words) for line in lines),
                        f"{words} in {output}")
        self.assertIn(f" is damaged, {len(lines)} finding", output.splitlines()[-1])
        return output

    def records(self):
        """Every record of the log: its file, its offset, its line."""
        output, _ = self.look("log", "dump")
        places = [re.match(r"([0-9a-f]{16}\.seg):(\d+) (.*)", line)
                  for line in output.splitlines()]
        return [(place.group(1), int(place.group(2)), place.group(3)) for place in places]

    # ---- whole ones ----

    def test_what_was_stopped_is_whole(self):
        output = self.expect_whole()
        for part in ("identity: node 1", "wal/synced: ", "0000000000000003.seg: ",
                     "wal: region 1: ", f"data.mdb: {len(self.values)} records",
                     "state hash are those", "the log goes on where the store ends"):
            self.assertIn(part, output)

    def test_what_was_killed_is_whole(self):
        node = self.cluster(segment_size=SEGMENT_SIZE, checkpoint_interval="100ms")[0]
        for number in range(harness.pick(6, 60)):
            self.put(node, {b"%d-%d" % (number, i): b"x" * (i * 37 % 5000) for i in range(40)})
            node.kill()
            self.expect_whole(node.data)
            self.look("log", "dump", directory=node.data)
            self.look("store", "dump", directory=node.data)
            node.start().wait_ready()

    def test_the_dumps_have_every_key(self):
        output, _ = self.look("store", "dump")
        self.assertRegex(output, r"^region=1 applied_index=\d+ applied_term=\d+ revision=40 ")
        self.assertIn("\nregion=1 member=1 ", output)
        for key, value in self.values.items():
            name = re.escape(harness.quote(key)[len("/kv/"):].replace("%2F", "/"))
            self.assertRegex(output, rf"(?m)^key={name} .* size={len(value)} .*crc=ok$")
        output, _ = self.look("log", "dump")
        for key, value in self.later.items():
            line = rf" entry index=\d+ term=\d+ type=command size=\d+ put key={key.decode()} " \
                   rf"value={len(value)}\n"
            self.assertRegex(output, line)
        self.assertRegex(output, r" region=1 hard-state term=\d+ vote=1 commit=\d+\n")

    def test_the_dumps_tell_what_a_transaction_was(self):
        node = self.cluster()[0]
        headers = (("If-None-Match", "*"), ("Idempotency-Key", "once"))
        self.assertEqual(node.put("/kv/timed?ttl=1h", b"1", headers=headers).status, 201)
        node.request("POST", "/leases?ttl=1h&id=7f")
        node.put("/kv/leased?lease=7f", b"2")
        node.stop()
        output, _ = self.look("log", "dump", directory=node.data)
        self.assertRegex(output, r" txn elapsed_ms=\d+ checks=1 idempotency_key=once "
                                 r"then=put:timed\n")
        self.assertRegex(output, r" checks=0 then=lease-grant:\n")
        output, _ = self.look("store", "dump", directory=node.data)
        self.assertRegex(output, r"(?m)^key=timed .* expires_elapsed_ms=\d+ crc=ok$")
        self.assertRegex(output, r"(?m)^key=leased .* lease=000000000000007f crc=ok$")
        self.expect_whole(node.data)

    def test_a_dump_can_be_bounded(self):
        index = [int(re.search(r"index=(\d+)", line).group(1))
                 for _, _, line in self.records() if line.startswith("region=1 entry")]
        output, errors = self.look("log", "dump", "--from", index[-5], f"--to={index[-3]}")
        self.assertEqual(len(output.splitlines()), 3)
        self.assertIn("the log ends", errors)
        output, _ = self.look("store", "dump", "--prefix", "app/key%201")
        keys = [line for line in output.splitlines() if line.startswith("key=")]
        self.assertEqual(len(keys), 11)

    def test_a_torn_tail_is_said_and_is_no_damage(self):
        (self.data / "wal" / "synced").unlink()
        segment, offset, _ = self.records()[-1]
        # The last batch's own first record stays: it was begun.
        batches = sorted({place for name, place, _ in self.records()
                          if name == segment and place % SECTOR == 0})
        self.assertLessEqual(batches[-1], offset)
        flip(self.data / "wal" / segment, batches[-1] + RECORD_HEAD + 4, 1)
        output = self.expect_whole()
        self.assertIn(f"{segment}: at offset {batches[-1]}: a torn tail", output)
        self.assertIn("there is no mark", output)
        _, errors = self.look("log", "dump")
        self.assertIn("a batch is torn that was never reported durable", errors)

    def test_a_directory_that_may_only_be_read(self):
        for path in [self.data, *self.data.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        for parent in (self.workers, *self.workers.parents):
            if parent.stat().st_uid == os.getuid() and not parent.stat().st_mode & 0o001:
                parent.chmod(parent.stat().st_mode | 0o011)
        as_nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        program = self.workers / "pontoon"
        subprocess.run(["cp", harness.PROGRAM, program], check=True)
        program.chmod(0o555)
        for words in (("check",), ("log", "dump"), ("store", "dump")):
            done = subprocess.run([*(as_nobody if os.getuid() == 0 else []), program, *words,
                                   self.data], capture_output=True, text=True, timeout=60,
                                  env=harness.environment())
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    # ---- refusals ----

    def test_a_running_node_is_left_alone(self):
        node = self.cluster()[0]
        for words in (("check",), ("log", "dump"), ("store", "dump")):
            status, output, errors = harness.run(*words, node.data)
            self.assertEqual((status, output), (1, ""))
            self.assertRegex(errors, rf"is in use: .* locked by process \d+; stop the node")

    def test_another_directory_is_told_as_such(self):
        empty = self.workers / "empty"
        empty.mkdir(exist_ok=True)
        for words in (("check",), ("log", "dump"), ("store", "dump")):
            _, errors = self.look(*words, directory=empty, status=1)
            self.assertIn("is no data directory", errors)
            status, _, errors = harness.run(*words, empty / "none")
            self.assertEqual(status, 1)
            self.assertIn("there is no such directory", errors)
            status, _, errors = harness.run(*words)
            self.assertEqual(status, 2)
            status, _, errors = harness.run(*words, empty, "--frm=1")
            self.assertEqual(status, 2)
            self.assertIn("unknown flag --frm=1", errors)

    def test_the_help_begins_with_an_example(self):
        for name in ("check", "log", "store"):
            status, output, _ = harness.run(name, "--help")
            self.assertEqual(status, 0)
            self.assertRegex("".join(output.splitlines(True)[:5]), rf"\n  pontoon {name} .*data")
            self.assertLessEqual(max(map(len, output.splitlines())), 80)

    # ---- damaged logs ----

    def test_a_flipped_byte_of_a_record_is_named(self):
        records = self.records()
        for segment, offset, line in self.random.sample(records, harness.pick(25, len(records))):
            size = RECORD_HEAD + 16  # what every kind has at least
            found = re.search(r" entry .* size=(\d+)", line)
            if found:
                size = RECORD_HEAD + ENTRY_HEAD + int(found.group(1))
            at = offset + self.random.randrange(size)
            mask = self.random.randrange(1, 256)
            path = self.data / "wal" / segment
            flip(path, at, mask)
            with self.subTest(segment=segment, at=at, mask=mask):
                self.expect_damage(str(path), f"at offset {offset}: ")
                # The dump has what is before it, and says where it ends.
                output, errors = self.look("log", "dump", status=1)
                self.assertIn(f"{path}: at offset {offset}: ", errors)
                self.assertNotIn(f"{segment}:{offset} ", output)
            flip(path, at, mask)
        self.expect_whole()

    def test_every_damaged_place_is_named(self):
        """One in each segment."""
        records = self.records()
        names = sorted({name for name, _, _ in records})
        self.assertGreater(len(names), 1)
        for name in names:
            offset = next(place for segment, place, _ in records if segment == name)
            flip(self.data / "wal" / name, offset + RECORD_HEAD, 1)
        for name in names:
            self.expect_damage(f"{name}: at offset ")

    def test_a_damaged_header_is_named(self):
        names = sorted(path.name for path in (self.data / "wal").glob("*.seg"))
        for name in names:
            at = self.random.randrange(SECTOR)
            flip(self.data / "wal" / name, at, 1)
            self.expect_damage(f"{name}: at offset 0: the header is damaged")
            flip(self.data / "wal" / name, at, 1)

    def test_a_cut_segment_is_named(self):
        for path in sorted((self.data / "wal").glob("*.seg")):
            whole = path.read_bytes()
            for size in (0, 100, self.random.randrange(SECTOR, len(whole)), len(whole) - 1):
                path.write_bytes(whole[:size])
                self.expect_damage(f"{path.name}: at offset ")
            path.write_bytes(whole)
        path.unlink()
        self.expect_damage(f"{path.name} is missing, which has been synced up to offset ")

    def test_another_version_of_the_log_is_told(self):
        path = max((self.data / "wal").glob("*.seg"))
        header = bytearray(path.read_bytes()[:SECTOR])
        header[8] += 1
        header[SECTOR - 4:] = struct.pack("<I", crc32c(header[:SECTOR - 4]))
        with open(path, "r+b") as file:
            file.write(header)
        self.expect_damage(path.name, "a format version that this program does not know")
        _, errors = self.look("log", "dump", status=1)
        self.assertIn("a format version that this program does not know", errors)

    def test_the_small_files_damaged(self):
        for name in ("identity", "wal/synced"):
            path = self.data / name
            whole = path.read_bytes()
            for at in self.random.sample(range(len(whole)), harness.pick(8, len(whole))):
                flip(path, at, 1)
                output, _ = self.look("check", status=None)
                self.assertTrue(f"{name}: " in output, output)
                if name == "identity":
                    self.assertIn(" is damaged, ", output)
                    self.assertRegex(output, "(replace the node|version of pontoon).*\n$")
                flip(path, at, 1)
        path = self.data / "identity"
        path.write_bytes(path.read_bytes().replace(b"pontoon-data 1", b"pontoon-data 2"))
        output = self.expect_damage("identity: data format 2, this program knows 1")
        self.assertIn("start it with the version of pontoon that wrote it", output)
        path.unlink()
        self.expect_damage("identity is missing")

    def serve(self):
        """The last line of a start that is refused."""
        status, _, errors = harness.run("serve", "--data", self.data, "--listen", "127.0.0.1:0")
        self.assertEqual(status, 1, errors)
        return errors.splitlines()[-1]

    def test_the_verdict_is_what_a_start_says(self):
        def flip_identity():
            flip(self.data / "identity", 40, 1)

        def remove(*names):
            for name in names:
                subprocess.run(["rm", "-r", self.data / name], check=True)
        for damage in (flip_identity, lambda: remove("wal"), lambda: remove("wal", "store")):
            damage()
            output, _ = self.look("check", status=1)
            self.assertIn("replace the node", output.splitlines()[-1])
            self.assertIn("replace the node", self.serve())
            copy(self.template, self.data)

    def test_both_marks_damaged(self):
        for slot in (0, 1):
            flip(self.data / "wal" / "synced", slot * SECTOR + 20, 1)
        self.expect_damage("wal/synced: ", "neither slot verifies")

    # ---- what the node has noted itself ----

    def distrust(self, why="the state hash differs"):
        (self.data / "store" / "distrusted").write_text(why)

    def test_a_store_that_is_not_to_be_trusted_is_told_with_what_the_next_start_does(self):
        self.distrust()
        output = self.expect_damage("store/distrusted: ", "(the state hash differs)",
                                    "sets data.mdb aside as damaged.mdb",
                                    "from another member; without one it refuses")
        self.assertIn("1 finding: with other members, start it", output)
        self.assertNotIn("the log goes on where the store ends", output)
        self.assertIn("state hash are those", output)  # it is looked at all the same

    def test_what_check_says_of_a_distrusted_store_is_what_a_start_does(self):
        node = self.cluster(checkpoint_interval="24h")[0]
        self.put(node, self.later)
        node.kill()
        copy(node.data, self.data)
        self.distrust()
        self.expect_damage("store/distrusted: ", "from the log, which has every entry")
        copy(self.data, node.data)
        node.start().wait_ready()
        self.assertIn("it is set aside, and rebuilt from the log", node.log())
        self.assertEqual(node.get("/kv/later-3").body, self.later[b"later-3"])
        node.kill()
        copy(self.template, node.data)
        (node.data / "store" / "distrusted").write_text("x")
        status, _, errors = harness.run("serve", "--data", node.data, "--listen", "127.0.0.1:0")
        self.assertEqual(status, 1)
        self.assertIn("not to be trusted", errors)

    def test_a_log_that_was_set_aside_is_told_with_what_the_next_start_does(self):
        path = self.data / "identity"
        lines = path.read_text().splitlines(True)
        for kind, words in (("log", ["in term 7: the next start"]),
                            ("vote", ["in term 7 or a later one", "all of them have told"])):
            text = "".join([*lines[:-1], f"lost 1 7 2 {kind}\n"])
            path.write_text(text + f"crc {crc32c(text.encode()):08x}\n")
            output = self.expect_damage("identity: the log was damaged and is set aside", *words,
                                        "the next start begins a new one")
            self.assertIn("1 finding", output)
            self.assertIn("does not count: the next start sets it aside, too", output)

    # ---- damaged checkpoints ----

    def places_of(self, data, value):
        """Where LMDB's file has the value: also in pages that are free by now."""
        found = [match.start() for match in re.finditer(re.escape(value), data)]
        self.assertGreater(len(found), 0)
        return found

    def test_a_flipped_byte_of_a_stored_record_is_named_by_its_key(self):
        path = self.data / "store" / "data.mdb"
        data = written(path)
        keys = self.random.sample(sorted(self.values), harness.pick(12, len(self.values)))
        for key in keys:
            value = self.values[key]
            at = self.random.randrange(-STORE_HEAD, len(value))
            places = self.places_of(data, value)
            for place in places:
                flip(path, place + at, 0x20)
            name = harness.quote(key)[len("/kv/"):].replace("%2F", "/")
            with self.subTest(key=key, at=at):
                self.expect_damage(f"{path}: key {name}: ")
                output, errors = self.look("store", "dump", status=1)
                self.assertRegex(output, rf"(?m)^key={re.escape(name)} .*crc=damaged")
                self.assertIn("1 of what was printed is damaged", errors)
            for place in places:
                flip(path, place + at, 0x20)
        self.expect_whole()

    def test_a_flipped_byte_of_a_stored_key_is_named(self):
        path = self.data / "store" / "data.mdb"
        key = next(key for key in sorted(self.values) if len(self.values[key]) == 300)
        for place in self.places_of(written(path), self.values[key]):
            flip(path, place - STORE_HEAD - len(key), 2)  # "app" becomes "cpp"
        self.expect_damage(f"{path}: key cpp/")

    def test_a_region_of_another_state_is_told(self):
        path = self.data / "store" / "data.mdb"
        data = written(path)
        key = b"region/" + bytes(7) + b"\x01"
        for place in self.places_of(data, key):
            flip(path, place + len(key) + 1 + 8 * 5, 1)
        self.expect_damage("data.mdb: the state of region 1: it does not match its checksum")

    def test_a_cut_checkpoint_is_told(self):
        path = self.data / "store" / "data.mdb"
        for size in (100, 4096, 10_000, len(written(path).rstrip(b"\0")) // 2):
            os.truncate(path, size)
            self.expect_damage(str(path))
            _, errors = self.look("store", "dump", status=1)
            self.assertIn(str(path), errors)
            copy(self.template, self.data)

    def test_what_came_in_of_a_snapshot_is_looked_at(self):
        incoming = self.data / "store" / "incoming"
        incoming.mkdir(exist_ok=True)
        name = f"{1:016x}-{100:016x}-{9:016x}"
        (incoming / f"{name}.partial").write_bytes(b"anything")
        self.assertIn(f"{name}.partial: a snapshot that had not come in completely",
                      self.expect_whole())
        (incoming / f"{name}.snapshot").write_bytes(self.random.randbytes(5000))
        self.expect_damage(f"{name}.snapshot: its header is damaged")

    def test_another_version_of_the_checkpoint_is_told(self):
        path = self.data / "store" / "data.mdb"
        data = written(path)
        version = struct.pack("<I", 2)
        record = version + struct.pack("<I", crc32c(b"format" + version))
        old = struct.pack("<I", 1) + struct.pack("<I", crc32c(b"format" + struct.pack("<I", 1)))
        with open(path, "r+b") as file:
            for place in self.places_of(data, b"format" + old):
                file.seek(place + len(b"format"))
                file.write(record)
        self.expect_damage("data.mdb has format 2, this program knows 1")

    def test_damaged_pages_never_end_it_by_a_signal(self):
        """Flips in the pages' heads and tables, in a file that ends with its last page: what they
        lead to may be found by LMDB, by us, by the kernel, or be unused."""
        path = self.data / "store" / "data.mdb"
        data = written(path)
        last = max((struct.unpack_from("<Q", data, page + 144)[0],
                    struct.unpack_from("<Q", data, page + 136)[0]) for page in (0, 4096))[1]
        os.truncate(path, (last + 1) * 4096)
        self.expect_whole()
        statuses = {}
        for _ in range(harness.pick(30 if harness.is_sanitized() else 100, 3000)):
            at = self.random.randrange(2, last + 1) * 4096 + self.random.randrange(64)
            mask = self.random.randrange(1, 256)
            flip(path, at, mask)
            for words in (("check",), ("store", "dump")):
                status, output, errors = harness.run(*words, self.data)
                self.assertIn(status, (0, 1), f"{words} {at} {mask}: {output[-2000:]} {errors}")
                self.assertIn("data.mdb", output + errors)
                statuses[words[0], status] = statuses.get((words[0], status), 0) + 1
            flip(path, at, mask)
        harness.say(f"statuses: {statuses}")
        self.assertGreater(statuses.get(("check", 1), 0), 0)

    # ---- log and checkpoint that do not belong together ----

    def test_a_checkpoint_that_is_gone_is_missed(self):
        (self.data / "store" / "data.mdb").unlink()
        output = self.expect_damage("the store has applied entry 0, and the log begins behind",
                                    "the next start rebuilds the store from another member")
        self.assertIn("with other members, start it", output.splitlines()[-1])
        self.assertNotIn("replace the node", output)

    def test_a_log_that_is_gone_is_missed(self):
        for path in (self.data / "wal").iterdir():
            path.unlink()
        output = self.expect_damage("the log has entries 1 to 0")
        self.assertIn("replace the node", output.splitlines()[-1])
        (self.data / "store" / "data.mdb").unlink()
        output = self.expect_damage("log and store are empty, but this node had begun")
        self.assertIn("replace the node", output.splitlines()[-1])


if __name__ == "__main__":
    harness.main()
