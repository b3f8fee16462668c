"""What the tests of tests/faults share: settings, helpers, file systems in images.

M1  All mounts are in a mount namespace that lives as long as this process and its nodes, images are
    in a tmpfs of that namespace, and a loop device lets go of its image with the mount: none of it
    stays, whatever this process dies of.
M2  What the machine does not offer is named, its tests are skipped, and the status is 77.
"""

import atexit
import fcntl
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

import harness  # noqa: E402  (it is found only now)

HELPERS = Path(os.environ.get("PONTOON_HELPERS",
                              HERE.parent.parent / "build/release/tests/faults")).resolve()
INJECT = HELPERS / "inject.so"
APART = "PONTOON_FAULTS_NAMESPACE"  # is set in a process whose mounts are its own

# Every few writes a new segment, every few dozen a checkpoint; elections that do not dominate.
FLAGS = {"segment_size": "128KiB", "tail_bytes": "64KiB", "checkpoint_interval": "300ms",
         "heartbeat_interval": "20ms", "election_timeout": "150ms"}
SIZES = (0, 1, 16, 256, 2048)  # of values

# EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN are one number: _IOR('X', 125, __u32).
GOING_DOWN = 0x8004587D
WITHOUT_LOG_FLUSH = struct.pack("I", 2)

IMAGE_BYTES = 64 << 20
OPTIONS = {"ext4": "loop", "xfs": "loop,nouuid"}  # two states have one UUID
MAKE = {
    "ext4": ["mkfs.ext4", "-q", "-F", "-b", "4096"],
    # Below 300 MB XFS wants to be asked twice.
    "xfs": ["mkfs.xfs", "-q", "-f", "--unsupported"],
}


def tool(*command):
    """Runs a tool that has to succeed; its output."""
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: {done.stdout}{done.stderr}")
    return done.stdout


def injected(node, mode, log="", **more):
    """The environment of a node whose file calls are tampered with (inject.c)."""
    names = {f"INJECT_{name.upper()}": str(value) for name, value in more.items()}
    return {"LD_PRELOAD": str(INJECT), "INJECT_DIR": str(node.data), "INJECT_MODE": mode,
            "INJECT_LOG": str(log), **names}


def symbols(callers):
    """The functions behind a site's callers ("pontoon+0x1234 ..."), as far as the program tells."""
    own = [word.split("+")[1] for word in callers.split() if word.startswith("pontoon+")]
    if not own or shutil.which("addr2line") is None:
        return callers
    # Of the call, not of what comes after it.
    lines = tool("addr2line", "-f", "-s", "-e", harness.PROGRAM,
                 *(hex(int(address, 16) - 1) for address in own)).splitlines()
    return ", by " + " < ".join(f"{name} ({place})" for name, place in zip(lines[::2], lines[1::2]))


# ---- file systems ------------------------------------------------------------------------------


def memory():
    """A directory that no disk slows down: the file systems are real, what is below need not be."""
    if not hasattr(memory, "place"):
        memory.place = harness.new_directory("images")
        tool("mount", "-t", "tmpfs", "images", memory.place)
        atexit.register(tool, "umount", "--lazy", memory.place)
    return memory.place


def own_mounts(command):
    """What runs `command` in a mount namespace of its own; None: nothing can (for instance where
    the root directory is no mount)."""
    own = ["unshare", "--mount", "--propagation", "private"]
    tried = subprocess.run([*own, "true"], capture_output=True, check=False)
    return [*own, *command] if tried.returncode == 0 else None


def why_no_mounts(file_system):
    """Why images of this kind cannot be mounted here, or None."""
    if os.geteuid() != 0:
        return "only root may mount"
    if own_mounts(["true"]) is None:
        return "no mount namespace can be made"
    if not os.path.exists("/dev/loop-control"):
        return "there is no /dev/loop-control"
    if file_system not in Path("/proc/filesystems").read_text().split():
        return f"the kernel has no {file_system}"
    if shutil.which(MAKE[file_system][0]) is None:
        return f"{MAKE[file_system][0]} is not installed"
    try:
        probe = harness.new_directory("probe", memory())
        Image(probe, "probe", file_system).mount().unmount()
    except AssertionError as problem:
        return str(problem)
    return None


def why_no_disk():
    """Why disk.c does not work here, or None."""
    return None if os.path.exists("/dev/fuse") else "there is no /dev/fuse"


def serve_disk(image, log, place):
    """Starts a disk that keeps a log (disk.c), shown at `place`; its process."""
    command = ["setpriv", "--pdeathsig", "KILL", HELPERS / "disk", image, log, place]
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    harness.wait_until(lambda: (place / "disk").exists(), 10, "the disk is there")
    return server


class Image:
    """A file system in a file, mounted by a loop device at a directory beside it."""

    def __init__(self, directory, name, file_system):
        self.path = Path(directory) / f"{name}.img"
        self.place = Path(directory) / name
        self.place.mkdir()
        self.path_mounted = self.path  # it may be shown elsewhere
        self.options = OPTIONS[file_system]
        with open(self.path, "wb") as file:
            file.truncate(IMAGE_BYTES)
        tool(*MAKE[file_system], self.path)

    def mount(self):
        tool("mount", "-o", self.options, self.path_mounted, self.place)
        return self

    def unmount(self):
        tool("umount", self.place)

    def cut(self):
        """The power is gone: nothing reaches the device any more, not even the journal."""
        place = os.open(self.place, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(place, GOING_DOWN, WITHOUT_LOG_FLUSH)
        finally:
            os.close(place)


# ---- main --------------------------------------------------------------------------------------


def main():
    """harness.main in a mount namespace of its own (M1), or without what needs one (M2)."""
    own = own_mounts([sys.executable, "-B", *sys.argv])
    if own is not None and APART not in os.environ:
        os.environ[APART] = "1"
        os.execvp(own[0], own)
    harness.main()
