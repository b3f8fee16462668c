"""A headless Chromium, driven over its debugging pipe: no port, no driver, no library."""

import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import time
import unittest

import harness

PROGRAM = "chromium-headless-shell"
REPLY_SECONDS = 60  # its start on a machine that is busy, too

FLAGS = """
    --remote-debugging-pipe --no-sandbox --no-proxy-server --no-first-run --disable-gpu
    --disable-dev-shm-usage --disable-background-networking --disable-component-update
    --disable-breakpad --disable-crash-reporter
""".split()


def high(descriptor):
    """The same pipe under a number that is not in the way of 3 and 4."""
    copy = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(descriptor)
    return copy


class Browser:
    """One process tree. Messages are JSON, each ended by a zero byte."""

    def __init__(self):
        if shutil.which(PROGRAM) is None:
            raise unittest.SkipTest(f"{PROGRAM} is not there: scripts/setup.sh clients installs it")
        directory = harness.new_directory("browser")
        theirs_in, self.out = map(high, os.pipe())
        self.source, theirs_out = map(high, os.pipe())
        exec_it = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}'
        self.log_path = directory / "log"
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "bash", "-c", exec_it, "bash", PROGRAM, *FLAGS,
                 f"--user-data-dir={directory / 'profile'}", "about:blank"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                pass_fds=(theirs_in, theirs_out), env=dict(os.environ, HOME=str(directory)))
        os.close(theirs_in)
        os.close(theirs_out)
        self.held, self.number, self.pages = b"", 0, {}

    def close(self):
        """Ends it as a person would, so that it reaps its own; what is left then is killed."""
        try:
            self.call(None, "Browser.close")
            self.process.wait(REPLY_SECONDS)
        except (AssertionError, OSError, subprocess.TimeoutExpired):
            pass  # it has gone, or does not want to
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        os.close(self.out)
        os.close(self.source)

    def page(self):
        target = self.call(None, "Target.createTarget", url="about:blank")["targetId"]
        session = self.call(None, "Target.attachToTarget", targetId=target, flatten=True)
        page = self.pages[session["sessionId"]] = Page(self, target, session["sessionId"])
        page.call("Network.enable")
        return page

    def fail(self, what):
        raise AssertionError(f"{PROGRAM} {what}: "
                             + self.log_path.read_text(errors="replace")[-2000:])

    def receive(self, deadline):
        while b"\0" not in self.held:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.source], [], [], left)[0]:
                self.fail(f"did not answer in {REPLY_SECONDS} s")
            data = os.read(self.source, 1 << 18)
            if not data:
                self.fail("has ended")
            self.held += data
        message, self.held = self.held.split(b"\0", 1)
        return json.loads(message)

    def call(self, session, method, **params):
        """Asks for something; what is told of pages meanwhile is kept there."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + REPLY_SECONDS
        while True:
            answer = self.receive(deadline)
            if answer.get("id") == self.number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            page = self.pages.get(answer.get("sessionId"))
            if page is not None:
                page.take(answer["method"], answer["params"])


class Page:
    """A tab. `sent` has the fields of each request as they went out, `statuses` what came back."""

    def __init__(self, browser, target, session):
        self.browser, self.target, self.session = browser, target, session
        self.sent, self.statuses = [], []

    def take(self, method, params):
        if method == "Network.requestWillBeSentExtraInfo":
            self.sent.append(params["headers"])
        elif method == "Network.responseReceivedExtraInfo":
            self.statuses.append(params["statusCode"])

    def close(self):
        self.browser.call(None, "Target.closeTarget", targetId=self.target)
        del self.browser.pages[self.session]

    def call(self, method, **params):
        return self.browser.call(self.session, method, **params)

    def evaluate(self, expression):
        """The value of what JavaScript says in the page; promises are waited for."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True,
                          awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def open(self, url):
        """Goes there and waits until all of it is."""
        failed = self.call("Page.navigate", url=url).get("errorText")
        assert failed is None, f"{url}: {failed}"
        harness.wait_until(
            lambda: self.evaluate("document.readyState === 'complete' && location.href") == url,
            REPLY_SECONDS, f"{url} is loaded")
        return self
