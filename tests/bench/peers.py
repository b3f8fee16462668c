"""The servers that are measured: clusters on free loopback ports, and the peers that ask them.

A cluster is started once and stays up for the whole run, so that the peers can take turns point by
point: a slow second of the machine falls on all of them. Idle ones cost a few heartbeats. etcd's
two interfaces, and Redis with and without WAIT, are peers of one cluster where that can be.
"""

import atexit
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

TICKS = os.sysconf("SC_CLK_TCK")
PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 2**20
START_SECONDS = 60
PORTS = list(range(12000, 31000))  # below those that outgoing connections get
random.SystemRandom().shuffle(PORTS)


class NotUp(Exception):
    """A cluster that did not come up."""


def free_port():
    while True:
        port = PORTS.pop()
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass  # somebody else's


def ask_http(port, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def ask_line(port, line):
    """What a server that is asked by a line says to it, or the beginning of that."""
    with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
        connection.sendall(line)
        return connection.recv(1 << 16).decode("latin-1")


class Cluster:
    """Processes of one kind; a subclass knows their command lines, and which of them to ask."""

    package = None  # of Debian, that has the program

    def __init__(self, root, size, name=None):
        self.size = size
        self.root = os.path.join(root, name or f"{type(self).__name__.lower()}-{size}")
        self.processes = []
        self.ports = [free_port() for _ in range(size)]
        self.peer_ports = [free_port() for _ in range(size)]
        self.leader = None

    @staticmethod
    def missing():
        """Why it cannot be started here, or None."""
        return None

    def directory(self, i):
        return f"{self.root}/{i + 1}"

    def command(self, i):
        raise NotImplementedError

    def prepare(self, i):
        """Writes what node i reads when it starts."""

    def find_leader(self):
        """The port to ask once the cluster serves, else None."""
        raise NotImplementedError

    def start(self):
        atexit.register(self.stop)
        for i in range(self.size):
            os.makedirs(self.directory(i))
            self.prepare(i)
            self.processes.append(self.spawn(i))

    def spawn(self, i):
        with open(f"{self.root}/{i + 1}.log", "ab") as log:
            # Killed with us, whatever we die of; Ctrl-C is for us alone, stop() for them.
            return subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *self.command(i)], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, cwd=self.directory(i), start_new_session=True)

    def wait(self):
        """Until it serves."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.is_alive():
            try:
                self.leader = self.find_leader()
            except (OSError, http.client.HTTPException, ValueError, KeyError):
                self.leader = None
            if self.leader is not None:
                return
            time.sleep(0.05)  # between two looks at a condition
        raise NotUp(f"{os.path.basename(self.root)}: {self.why_not()}")

    def why_not(self):
        for i, process in enumerate(self.processes):
            if process.poll() is not None:
                with open(f"{self.root}/{i + 1}.log", errors="replace") as log:
                    last = (log.read().splitlines() or ["nothing"])[-1]
                return f"node {i + 1} ended with status {process.poll()}, and said last: {last}"
        return f"no leader within {START_SECONDS} s"

    def is_alive(self):
        return all(process.poll() is None for process in self.processes)

    def stop(self):
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()
        self.processes = []

    def cpu_seconds(self):
        total = 0
        for process in self.processes:
            with open(f"/proc/{process.pid}/stat") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICKS

    def resident_mb(self):
        sizes = []
        for process in self.processes:
            with open(f"/proc/{process.pid}/statm") as statm:
                sizes.append(int(statm.read().split()[1]) * PAGE_MB)
        return sizes

    def anonymous_bytes(self):
        """What each process has of its own: without what is mapped from files."""
        sizes = []
        for process in self.processes:
            with open(f"/proc/{process.pid}/smaps_rollup") as rollup:
                size = re.search(r"^Anonymous: +(\d+) kB$", rollup.read(), re.MULTILINE)
            sizes.append(int(size.group(1)) << 10)
        return sizes


class Pontoon(Cluster):
    program = None  # set by bench.py

    def __init__(self, root, size, name=None, flags=()):
        super().__init__(root, size, name)
        self.flags = list(flags)

    def command(self, i):
        command = [self.program, "serve", "--id", str(i + 1), "--data", f"{self.directory(i)}/data",
                   "--listen", f"127.0.0.1:{self.ports[i]}"]
        if self.size > 1:
            members = (f"{n + 1}=127.0.0.1:{port}" for n, port in enumerate(self.peer_ports))
            command += ["--cluster", ",".join(members)]
        return command + self.flags

    def find_leader(self):
        return next((port for port in self.ports if ask_http(port, "GET", "/leader")[0] == 200),
                    None)

    def restart(self, number):
        """Ends the node of a cluster of one by this signal. Seconds from its start until it says
        that it is ready."""
        self.processes[0].send_signal(number)
        self.processes[0].wait()
        began = time.monotonic()
        self.processes[0] = self.spawn(0)
        while time.monotonic() - began < START_SECONDS and self.is_alive():
            try:
                if ask_http(self.ports[0], "GET", "/readyz")[0] == 200:
                    return time.monotonic() - began
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.002)  # between two looks at a condition
        raise NotUp(f"{os.path.basename(self.root)}: {self.why_not()}")

    def stats(self):
        """Of the leader."""
        return json.loads(ask_http(self.leader, "GET", "/stats")[1])


class Etcd(Cluster):
    package = "etcd-server"

    @staticmethod
    def missing():
        return None if shutil.which("etcd") else "etcd is not installed"

    def command(self, i):
        members = ",".join(f"n{n}=http://127.0.0.1:{port}"
                           for n, port in enumerate(self.peer_ports))
        client = f"http://127.0.0.1:{self.ports[i]}"
        peer = f"http://127.0.0.1:{self.peer_ports[i]}"
        return ["etcd", "--name", f"n{i}", "--data-dir", f"{self.directory(i)}/data",
                "--log-level", "error", "--quota-backend-bytes", str(8 << 30),
                "--listen-client-urls", client, "--advertise-client-urls", client,
                "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                "--initial-cluster", members]

    def find_leader(self):
        for port in self.ports:
            status, body = ask_http(port, "POST", "/v3/maintenance/status", "{}")
            answer = json.loads(body) if status == 200 else {}
            if answer.get("leader") and answer["leader"] == answer["header"]["member_id"]:
                return port
        return None


class Redis(Cluster):
    package = "redis-server"

    @staticmethod
    def missing():
        return None if shutil.which("redis-server") else "redis-server is not installed"

    def command(self, i):
        command = ["redis-server", "--port", str(self.ports[i]), "--bind", "127.0.0.1",
                   "--dir", self.directory(i), "--save", "", "--appendonly", "yes",
                   "--appendfsync", "always"]
        return command + (["--replicaof", f"127.0.0.1 {self.ports[0]}"] if i > 0 else [])

    def find_leader(self):
        text = ask_line(self.ports[0], b"INFO replication\r\n")
        return self.ports[0] if text.count("state=online") == self.size - 1 else None


class ZooKeeper(Cluster):
    package = "zookeeper"
    jar = "/usr/share/java/zookeeper.jar"

    @staticmethod
    def missing():
        if not os.path.exists(ZooKeeper.jar):
            return "zookeeper is not installed"
        return None if shutil.which("java") else "java is not installed"

    def __init__(self, root, size):
        super().__init__(root, size)
        self.election_ports = [free_port() for _ in range(size)]

    def prepare(self, i):
        directory = self.directory(i)
        lines = ["tickTime=2000", "initLimit=10", "syncLimit=5", f"dataDir={directory}",
                 f"clientPort={self.ports[i]}", "clientPortAddress=127.0.0.1", "maxClientCnxns=0",
                 "admin.enableServer=false", "4lw.commands.whitelist=srvr"]
        lines += [f"server.{n + 1}=127.0.0.1:{peer}:{election}" for n, (peer, election)
                  in enumerate(zip(self.peer_ports, self.election_ports))]
        for name, text in (("zoo.cfg", "\n".join(lines)), ("myid", str(i + 1)),
                           ("log4j.properties", "log4j.rootLogger=ERROR, CONSOLE\n"
                            "log4j.appender.CONSOLE=org.apache.log4j.ConsoleAppender\n"
                            "log4j.appender.CONSOLE.layout=org.apache.log4j.SimpleLayout")):
            with open(f"{directory}/{name}", "w") as file:
                file.write(text + "\n")

    def command(self, i):
        return ["java", "-Xmx1g", "-cp", f"{self.directory(i)}:{self.jar}",
                "org.apache.zookeeper.server.quorum.QuorumPeerMain", f"{self.directory(i)}/zoo.cfg"]

    def find_leader(self):
        modes = [re.search(r"Mode: (\w+)", ask_line(port, b"srvr")) for port in self.ports]
        return next((port for port, mode in zip(self.ports, modes)
                     if mode and mode.group(1) == "leader" and all(modes)), None)


class Nginx(Cluster):
    package = "nginx-light"

    @staticmethod
    def program():
        return shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")

    @staticmethod
    def missing():
        return None if Nginx.program() else "nginx is not installed"

    def prepare(self, i):
        paths = " ".join(f"{name}_temp_path {name};" for name in
                         ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        with open(f"{self.directory(i)}/nginx.conf", "w") as file:
            # One process, so that what is killed and counted is all of it.
            file.write(f"daemon off; master_process off; pid nginx.pid; error_log stderr;\n"
                       f"events {{ worker_connections 2048; }}\n"
                       f"http {{ access_log off; keepalive_requests 1000000000; {paths}\n"
                       f"server {{ listen 127.0.0.1:{self.ports[i]}; location / {{ "
                       f'default_type text/plain; return 200 "OK"; }} }} }}\n')

    def command(self, i):
        directory = self.directory(i)
        return [self.program(), "-p", directory, "-c", "nginx.conf", "-e", "stderr"]

    def find_leader(self):
        return self.ports[0] if ask_http(self.ports[0], "GET", "/")[0] == 200 else None


class Peer:
    """One way to ask one cluster. `arguments` are for the load tool beside what a point says."""

    def __init__(self, name, kind, size, tool, *arguments, operations=("put", "get", "mixed")):
        self.name, self.kind, self.size = name, kind, size
        self.tool, self.arguments, self.operations = tool, arguments, operations
        self.cluster = None


def all_peers():
    """Every peer that there is, in the order of the table."""
    return [
        Peer("pontoon", Pontoon, 3, "bench-load", "--api", "pontoon"),
        Peer("etcd-grpc", Etcd, 3, "bench-etcd"),
        Peer("etcd-gateway", Etcd, 3, "bench-load", "--api", "etcd"),
        Peer("zookeeper", ZooKeeper, 3, "bench-load", "--api", "zookeeper"),
        Peer("redis-wait", Redis, 3, "bench-load", "--api", "redis", "--replicas", "1"),
        Peer("pontoon-1", Pontoon, 1, "bench-load", "--api", "pontoon"),
        Peer("redis-1", Redis, 1, "bench-load", "--api", "redis"),
        Peer("nginx", Nginx, 1, "bench-load", "--api", "plain", operations=("get",)),
    ]


def start(peers, root):
    """Starts what the peers ask, each cluster once, and waits for all of them."""
    clusters = {}
    for peer in peers:
        key = (peer.kind, peer.size)
        if key not in clusters:
            clusters[key] = peer.kind(root, peer.size)
            clusters[key].start()
        peer.cluster = clusters[key]
    for cluster in clusters.values():
        cluster.wait()


def stop_on_signals():
    """SIGTERM, SIGHUP and Ctrl-C end the run as an exit does, so that no server stays."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda which, _: sys.exit(128 + which))
