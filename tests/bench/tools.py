"""The programs that load and measure: where they are, building etcd's client, reading results."""

import json
import os
import shutil
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(ROOT, "build")
GO_PATH = "/usr/share/gocode"  # where Debian's packages put sources
GO_SOURCE = os.path.join(HERE, "etcd", "main.go")
PATIENCE_SECONDS = 60  # beyond a run's own time


class Failed(Exception):
    """A program that did not do its work."""


def path_of(tool):
    """Where it is. The tests, which run in every build, name theirs in the environment."""
    given = os.environ.get(tool.upper().replace("-", "_"))
    return given or os.path.join(BUILD, "bench" if tool == "bench-etcd" else "", tool)


def build_etcd_client():
    """Builds bench-etcd if it is not there or older than its source. Returns why not, or None."""
    target = path_of("bench-etcd")
    if os.path.exists(target) and os.path.getmtime(target) >= os.path.getmtime(GO_SOURCE):
        return None
    if shutil.which("go") is None:
        return "golang-go is not installed"
    if not os.path.isdir(f"{GO_PATH}/src/go.etcd.io/etcd/clientv3"):
        return "golang-etcd-server-dev is not installed"
    folder = os.path.dirname(target)
    os.makedirs(folder, exist_ok=True)
    # No modules and no network: Debian's sources alone.
    environment = dict(os.environ, GO111MODULE="off", GOPATH=GO_PATH, GOFLAGS="",
                       GOCACHE=os.path.join(folder, "go-cache"))
    done = subprocess.run(["go", "build", "-o", target, "."], cwd=os.path.dirname(GO_SOURCE),
                          env=environment, capture_output=True, text=True)
    return None if done.returncode == 0 else f"go build failed: {done.stderr.strip()}"


def run(command, seconds):
    """Runs a tool that prints a line of JSON and returns that. Status 1 says that requests failed,
    which is in the line, too."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                              timeout=seconds + PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        raise Failed(f"{os.path.basename(command[0])} did not end") from None
    if done.returncode not in (0, 1) or not done.stdout:
        raise Failed(f"{os.path.basename(command[0])}: {done.stderr.strip() or done.returncode}")
    return json.loads(done.stdout)


def load(peer, port, settings, **point):
    """One run of the peer's load tool; what `settings` and `point` name becomes its flags."""
    command = [path_of(peer.tool), *peer.arguments, "--address", f"127.0.0.1:{port}"]
    for name, value in {**settings, **point}.items():
        command += [f"--{name.replace('_', '-')}", str(value)]
    return run(command, float({**settings, **point}.get("seconds", 0)))


def limits(folder, seconds):
    """What the machine allows at best: bench-limits on the file system that has `folder`."""
    return run([path_of("bench-limits"), folder, str(seconds)], 4 * seconds)
