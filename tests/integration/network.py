"""Hosts of their own for the nodes: a network namespace each, behind the switch of tests/netsim.

W1  Namespaces have no names. Descriptors of this process and what runs in them keep them, and the
    devices in them: so they go with it, whatever it dies of.
W2  This process is in the clients' namespace for as long as there is a switch, and never makes or
    changes anything in the one that it came from.
W3  Only the main thread moves between namespaces. A thread is, and stays, in the one of its birth.
"""

import contextlib
import ctypes
import os
import re
import shutil
import subprocess
import unittest
from pathlib import Path

import harness

SWITCH = Path(os.environ.get("PONTOON_NETSIM", harness.ROOT / "build" / "netsim")).resolve()
DEVICE = "t0"
PREFIX = "10.99.0."
CLONE_NEWNET = 0x40000000
OWN = "/proc/thread-self/ns/net"

libc = ctypes.CDLL(None, use_errno=True)


def missing():
    """Why there can be no namespaces here; None: there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "ip is not there: scripts/setup.sh test installs it (iproute2)"
    try:
        os.close(os.open("/dev/net/tun", os.O_RDWR))
    except OSError as problem:
        return f"the switch needs /dev/net/tun: {problem}"
    tried = subprocess.run(["unshare", "--net", "true"], capture_output=True, text=True)
    return f"no namespace can be made: {tried.stderr.strip()}" if tried.returncode else None


def need():
    """Says what is missing, and skips whatever needs it."""
    reason = missing()
    if reason is not None:
        harness.say(f"SKIPPED: {reason}")
        raise unittest.SkipTest(reason)


def call(name, *arguments):
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


class Namespace:
    """A network namespace with nothing in it but its loopback and, if `address`, a TUN device."""

    def __init__(self, address=None):
        before = os.open(OWN, os.O_RDONLY | os.O_CLOEXEC)
        try:
            call("unshare", CLONE_NEWNET)
            self.fd = os.open(OWN, os.O_RDONLY | os.O_CLOEXEC)
            self.configure(address)
        finally:
            call("setns", before, CLONE_NEWNET)
            os.close(before)

    def configure(self, address):
        lines = ["link set lo up"]
        if address is not None:
            lines += [f"tuntap add dev {DEVICE} mode tun", f"addr add {address}/24 dev {DEVICE}",
                      f"link set {DEVICE} up"]
        subprocess.run(["ip", "-batch", "-"], input="\n".join(lines), text=True, check=True)

    @contextlib.contextmanager
    def entered(self):
        before = os.open(OWN, os.O_RDONLY | os.O_CLOEXEC)
        call("setns", self.fd, CLONE_NEWNET)
        try:
            yield
        finally:
            call("setns", before, CLONE_NEWNET)
            os.close(before)

    def close(self):
        os.close(self.fd)


class Switch:
    """Namespaces on one switch: one for each number from 1, and the clients' as the last."""

    def __init__(self, node_count, seed):
        self.node_ports = range(1, node_count + 1)
        self.client_port = node_count + 1
        self.process = None
        self.spaces = []
        self.stack = contextlib.ExitStack()
        self.stack.callback(self.end)
        try:
            for port in (*self.node_ports, self.client_port):
                space = Namespace(f"{PREFIX}{port}")
                self.stack.callback(space.close)
                self.spaces.append(space)
            self.begin(seed)
            self.stack.enter_context(self.spaces[-1].entered())
        except BaseException:
            self.close()
            raise

    def begin(self, seed):
        fds = [space.fd for space in self.spaces]
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", str(SWITCH), str(seed), DEVICE,
             *(f"/proc/self/fd/{fd}" for fd in fds)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, pass_fds=fds,
            start_new_session=True, env=harness.environment())
        if self.process.stdout.readline() != "ready\n":
            raise AssertionError(f"the switch ended with {self.process.wait()}")

    def end(self):
        if self.process is not None:
            self.process.stdin.close()
            status = self.process.wait(harness.STOP_SECONDS)
            self.process.stdout.close()
            self.process = None
            assert status == 0, f"the switch ended with {status}"

    def close(self):
        self.stack.close()

    def space(self, port):
        return self.spaces[port - 1]

    def say(self, line):
        """A line to the switch; returns its answer, by when it is in force."""
        self.process.stdin.write(line + "\n")
        return self.process.stdout.readline().rstrip("\n")

    def command(self, line):
        answer = self.say(line)
        assert answer == "ok", f'"{line}": {answer or "the switch has ended"}'

    def counts(self):
        return {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", self.say("counts"))}

    def cut(self, sources, targets):
        """Nothing gets from any of the nodes `sources` to any of `targets`."""
        for source in sources:
            for target in targets:
                self.command(f"cut {source.id} {target.id}")

    def cut_both(self, some, others):
        self.cut(some, others)
        self.cut(others, some)

    def isolate(self, node):
        """Its cable is out: nobody reaches it any more, clients included."""
        self.command(f"cut {node.id} *")
        self.command(f"cut * {node.id}")

    def spoil(self, settings):
        """The same rule for every link between nodes, each way."""
        for source in self.node_ports:
            for target in self.node_ports:
                self.command(f"link {source} {target} {settings}")

    def heal(self):
        self.command("link * *")
        self.command("heal * *")


class Host(harness.Node):
    """A node in a namespace of its own."""

    def __init__(self, number, directory, flags, space):
        super().__init__(number, directory, flags)
        self.host = f"{PREFIX}{number}"
        self.space = space

    @property
    def url(self):
        return f"http://{self.host}:{self.port}"

    def start(self, stderr=None, **flags):
        with self.space.entered():
            return super().start(stderr, **flags)


class NetworkCluster(harness.Cluster):
    """Nodes behind a switch, which it owns."""

    @classmethod
    def of_class(cls, owner, size):
        """One that runs, for the tests of the class `owner`; they are skipped where none can."""
        need()
        nodes = cls(size, owner.__name__)
        owner.clusters = (nodes,)
        owner.addClassCleanup(nodes.close)
        nodes.start()
        return nodes

    def __init__(self, size, name, **flags):
        self.switch = Switch(size, harness.rng(f"switch-{name}").getrandbits(48))
        try:
            super().__init__(size, name, **flags)
        except BaseException:
            self.switch.close()
            raise

    def new_node(self, number, flags):
        return Host(number, self.directory, flags, self.switch.space(number))

    def close(self):
        with contextlib.ExitStack() as stack:  # from the last to the first, whichever of them fails
            stack.callback(self.switch.close)
            stack.callback(super().close)
            stack.callback(self.switch.heal)
