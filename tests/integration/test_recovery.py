#!/usr/bin/env python3
"""Damaged files: a start has everything that was acknowledged, or refuses and says where; a damaged
value is never served."""

import os
import re
import shutil
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import harness

SEGMENT_SIZE = 64 << 10
SECTOR = 512
WORKERS = 2
# Damage is in the bytes, not in their syncing: where there is memory for it, it takes less time.
TRIALS = Path("/dev/shm") if Path("/dev/shm").is_dir() else None


def copy(source, target):
    """A directory as it is, holes included (LMDB's file is mostly one)."""
    shutil.rmtree(target, ignore_errors=True)
    subprocess.run(["cp", "-a", "--sparse=always", source, target], check=True)


def used(data):
    """Bytes of a segment that were written, in whole sectors."""
    end = len(data.rstrip(b"\0"))
    return end + -end % SECTOR


class Damage:
    """One way to spoil the log's last segment. `apply` takes its bytes and returns others."""

    def __init__(self, name, offset, apply):
        self.name, self.offset, self.apply = name, offset, apply

    def __str__(self):
        return f"{self.name} at offset {self.offset}"


def cut(offset):
    return Damage("cut", offset, lambda data: data[:offset])


def lost(offset):
    """Nothing was written from there on: what a torn write leaves in a file of zeros."""
    return Damage("lost", offset, lambda data: data[:offset] + bytes(len(data) - offset))


def flip(offset, mask):
    def apply(data):
        return data[:offset] + bytes([data[offset] ^ mask]) + data[offset + 1:]
    return Damage(f"flip {mask:#04x}", offset, apply)


class Trial:
    """A start of the program with damaged files. It either serves or ends."""

    def __init__(self, data):
        words = harness.command("serve", f"--data={data}", "--listen=127.0.0.1:0",
                                f"--segment-size={SEGMENT_SIZE}", "--checkpoint-interval=24h")
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                        env=harness.environment(), start_new_session=True)
        self.lines = []
        self.port = None
        self.watchdog = threading.Timer(harness.START_SECONDS, self.process.kill)

    def __enter__(self):
        self.watchdog.start()
        for line in self.process.stderr:
            self.lines.append(line.decode(errors="replace"))
            match = re.search(r"msg=serving url=http://127\.0\.0\.1:(\d+)", self.lines[-1])
            if match:
                self.port = int(match.group(1))
                break
        else:
            self.status = self.process.wait()
        return self

    def __exit__(self, *_):
        self.watchdog.cancel()
        self.process.kill()
        self.process.stderr.close()
        self.process.wait()

    @property
    def text(self):
        return "".join(self.lines)


class DamagedLog(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.acknowledged = {}
        cls.workers = harness.new_directory("trials", parent=TRIALS)
        node = cls.class_cluster(segment_size=SEGMENT_SIZE, checkpoint_interval="24h")[0]
        cls.write(node)
        node.kill()
        cls.template = cls.workers / "template"
        copy(node.data, cls.template)
        cls.segment = max((cls.template / "wal").glob("*.seg"))
        cls.bytes = cls.segment.read_bytes()
        assert len(cls.bytes) == SEGMENT_SIZE
        cls.end = used(cls.bytes)
        assert 10 * SECTOR < cls.end < SEGMENT_SIZE, f"the last segment is used up to {cls.end}"
        count = len(list((cls.template / "wal").glob("*.seg")))
        assert count > 1, "there is no segment before the last"

    @classmethod
    def write(cls, node):
        """Enough that the log has a full segment, then some thirty writes of all kinds."""
        random = harness.rng("recovery")
        with node.connect() as connection:
            def put(key, value):
                response = connection.request("PUT", harness.quote(key), value)
                assert response.status in (200, 201), response
                cls.acknowledged[key] = value
            for number in range(4):
                put(b"large-%d" % number, random.randbytes(SEGMENT_SIZE // 4))
            for number in range(26):
                size = random.choice((0, 1, 40, 200, 700))
                put(b"small-%d" % number, random.randbytes(size))
            for number in range(3):
                put(b"small-%d" % number, b"again")
            assert connection.request("DELETE", "/kv/small-3").status == 200
            cls.acknowledged[b"small-3"] = None
            # Several records in few batches, after a look at what the log had come to.
            wal = node.data / "wal"
            cls.marks_before = (wal / "synced").read_bytes()
            cls.end_before = used(max(wal.glob("*.seg")).read_bytes())
            part = {b"batch-%d" % number: random.randbytes(60) for number in range(6)}
            connection.send(b"".join(harness.encode("PUT", harness.quote(key), value)
                                     for key, value in part.items()))
            for key, value in part.items():
                assert connection.receive("PUT").status == 201
                cls.acknowledged[key] = value

    # ---- one start ----

    def try_start(self, data, what, place, unsure=()):
        """The one rule: all that was acknowledged, or a refusal that says where (`place`)."""
        with Trial(data) as trial:
            if trial.port is None:
                self.assertEqual(trial.status, 1, f"{what}:\n{trial.text}")
                self.assertRegex(trial.lines[-1], f"^pontoon: .*{place}", what)
                return "refused"
            self.check_served(trial, what, unsure)
        return "cut" if "torn tail cut" in trial.text else "served"

    def check_served(self, trial, what, unsure=()):
        """All that was acknowledged is there; keys that are `unsure` may be there or not."""
        with harness.Connection(trial.port) as connection:
            connection.send(b"".join(harness.encode("GET", harness.quote(key))
                                     for key in self.acknowledged))
            for key, value in self.acknowledged.items():
                response = connection.receive()
                found = None if response.status == 404 else response.body
                self.assertIn(response.status, (200, 404), f"{what}: {key!r}: {response}")
                if key not in unsure or found is not None:
                    self.assertEqual(found, value,
                                     f"{what}: {key!r} is lost or wrong\n{trial.text}")

    def try_damage(self, damage):
        data = self.workers / threading.current_thread().name
        copy(self.template, data)
        (data / "wal" / self.segment.name).write_bytes(damage.apply(self.bytes))
        place = re.escape(f"wal/{self.segment.name}") + r": at offset \d+: "
        return self.try_start(data, str(damage), place)

    def try_all(self, damages):
        """Runs them all; the first failure ends it. Says how many starts ended how."""
        outcomes = {}
        with ThreadPoolExecutor(WORKERS, thread_name_prefix="trial") as pool:
            futures = [pool.submit(self.try_damage, damage) for damage in damages]
            try:
                for future in futures:
                    outcome = future.result()
                    outcomes[outcome] = outcomes.get(outcome, 0) + 1
            finally:
                pool.shutdown(cancel_futures=True)
        harness.say(f"{len(damages)} starts: {outcomes}")
        return outcomes

    def offsets(self, count):
        """All offsets of what was written; in a quick run the sectors' borders and some others."""
        if harness.SCALE == "full":
            return list(range(self.end))
        borders = [border + step for border in range(0, self.end, SECTOR) for step in (-1, 0, 1)]
        random = harness.rng("offsets")
        borders = random.sample(borders[1:], min(count // 2, len(borders) - 1))
        return sorted({*borders, *random.sample(range(self.end), count - len(borders))})

    # ---- the tests ----

    def test_an_undamaged_log_has_everything(self):
        outcome = self.try_damage(Damage("nothing", 0, lambda data: data))
        self.assertEqual(outcome, "served")

    def test_a_log_cut_at_any_offset(self):
        outcomes = self.try_all([cut(offset) for offset in self.offsets(100)])
        self.assertIn("refused", outcomes)

    def test_a_log_whose_end_was_never_written(self):
        outcomes = self.try_all([lost(offset) for offset in self.offsets(100)])
        self.assertIn("refused", outcomes)

    def test_a_log_with_any_byte_flipped(self):
        random = harness.rng("flips")
        outcomes = self.try_all([flip(offset, random.randrange(1, 256))
                                 for offset in self.offsets(300)])
        self.assertIn("refused", outcomes)

    def test_a_torn_batch_that_was_never_acknowledged_is_cut(self):
        """The last batch torn, and the mark from before it: the crash of a write in flight."""
        unsure = [key for key in self.acknowledged if key.startswith(b"batch-")]
        data = self.workers / "torn"
        offsets = range(self.end_before + 1, self.end)
        outcomes = set()
        for offset in harness.rng("torn").sample(offsets, min(harness.pick(60, 5000),
                                                               len(offsets))):
            copy(self.template, data)
            (data / "wal" / "synced").write_bytes(self.marks_before)
            (data / "wal" / self.segment.name).write_bytes(lost(offset).apply(self.bytes))
            outcome = self.try_start(data, f"torn at {offset}", "never", unsure)
            outcomes.add(outcome)
        self.assertIn("cut", outcomes)

    def test_a_flip_behind_the_end_harms_nothing(self):
        random = harness.rng("behind")
        offsets = random.sample(range(self.end, SEGMENT_SIZE), harness.pick(20, 2000))
        outcomes = self.try_all([flip(offset, random.randrange(1, 256)) for offset in offsets])
        self.assertEqual(set(outcomes) - {"served", "cut"}, set())

    def test_a_full_segment_with_a_flip_is_refused(self):
        first = min((self.template / "wal").glob("*.seg")).name
        data = self.workers / "full-segment"
        for offset in harness.rng("full-segment").sample(range(40_000), harness.pick(10, 1000)):
            copy(self.template, data)
            path = data / "wal" / first
            path.write_bytes(flip(offset, 1).apply(path.read_bytes()))
            place = re.escape(f"wal/{first}") + r": at offset \d+: "
            self.try_start(data, f"flip at {offset} of {first}", place)

    def test_a_missing_segment_is_refused_by_name(self):
        for path in sorted((self.template / "wal").glob("*.seg")):
            data = self.workers / "missing"
            copy(self.template, data)
            (data / "wal" / path.name).unlink()
            outcome = self.try_start(data, f"without {path.name}", r"(\.seg|has no entries) ")
            self.assertEqual(outcome, "refused")

    def test_the_small_files_damaged(self):
        """The mark of what was synced, and who the node is."""
        random = harness.rng("small-files")
        for name in ("wal/synced", "identity"):
            size = (self.template / name).stat().st_size
            for offset in sorted(random.sample(range(size), harness.pick(15, size))):
                data = self.workers / "small"
                copy(self.template, data)
                path = data / name
                path.write_bytes(flip(offset, random.randrange(1, 256)).apply(path.read_bytes()))
                self.try_start(data, f"{name}: flip at {offset}", f"(wal/|{re.escape(name)})")


class DamagedValue(harness.TestCase):
    KEYS = 40

    def setUp(self):
        self.node = self.cluster(checkpoint_interval="100ms")[0]
        random = harness.rng("values")
        # Small ones stand within LMDB's pages, large ones on pages of their own.
        sizes = (32, 200, 1000, 3000, 20_000)
        self.values = {b"value-%d" % number: random.randbytes(sizes[number % len(sizes)])
                       for number in range(self.KEYS)}
        for key, value in self.values.items():
            self.assertEqual(self.node.put(harness.quote(key), value).status, 201)
        harness.wait_until(self.is_checkpointed, 30, "everything is in the checkpoint")

    def is_checkpointed(self):
        store = self.node.stats()["store"]
        return store["checkpoints"] > 0 and store["tail_records"] == 0

    def spoil(self, key, offset, mask):
        """Flips bits of a stored value, in every copy of it that LMDB's file has."""
        value = self.values[key]
        wrong = flip(offset, mask).apply(value)
        path = self.node.data / "store" / "data.mdb"
        with open(path, "r+b") as file:
            data = file.read(path.stat().st_blocks * 512 + (1 << 20))
            places = [match.start() for match in re.finditer(re.escape(value), data)]
            self.assertGreater(len(places), 0, f"{key!r} does not stand in {path}")
            for place in places:
                file.seek(place)
                file.write(wrong)
            file.flush()
            os.fsync(file.fileno())

    def check_corrupt(self, key):
        document = self.assert_problem(self.node.get(harness.quote(key)), 500, "corrupt")
        self.assertEqual(document["key"].encode(), key)
        stale = self.node.get(harness.quote(key) + "?consistency=stale")
        self.assert_problem(stale, 500, "corrupt")
        self.assertEqual(self.node.request("HEAD", harness.quote(key)).status, 500)

    def test_a_flipped_bit_is_told_and_never_served_until_a_write_heals_it(self):
        random = harness.rng("spoil")
        spoilt = random.sample(sorted(self.values), 10)
        self.node.stop()
        for key in spoilt:
            size = len(self.values[key])
            offset = random.choice((0, size - 1, random.randrange(size)))
            self.spoil(key, offset, 1 << random.randrange(8))
        self.node.start().wait_ready()
        for key, value in self.values.items():
            if key in spoilt:
                self.check_corrupt(key)
            else:
                self.assertEqual(self.node.get(harness.quote(key)).body, value)
        self.assertGreaterEqual(self.node.stats()["store"]["corrupt_records"], len(spoilt))
        for key in spoilt[1:]:
            self.assertEqual(self.node.put(harness.quote(key), b"healed").status, 200)
            self.assertEqual(self.node.get(harness.quote(key)).body, b"healed")
        removed = self.node.request("DELETE", harness.quote(spoilt[0]))
        self.assertEqual((removed.status, removed.headers["kv-deleted"]), (200, "1"))
        self.assertEqual(self.node.get(harness.quote(spoilt[0])).status, 404)
        harness.wait_until(self.is_checkpointed, 30, "what was healed is in the checkpoint")
        self.node.kill()
        self.node.start().wait_ready()
        for key in self.values:
            expected = b"healed" if key in spoilt else self.values[key]
            response = self.node.get(harness.quote(key))
            self.assertEqual(response.body if response.status == 200 else None,
                             None if key == spoilt[0] else expected)


if __name__ == "__main__":
    harness.main()
