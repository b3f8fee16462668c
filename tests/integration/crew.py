"""Threads that do a test's load while it does something else.

T1  What one of them fails with is raised where the crew ends, unless the test has failed by itself:
    that is then the better reason.
T2  A thread that does not end when it is told to is a failure, too: what it would have said of the
    load nobody would hear.
"""

import threading

END_SECONDS = 60  # each operation of a load has a shorter timeout of its own


class Crew:
    """Works as long as its `with` block lasts, whatever happens to the nodes meanwhile."""

    def __init__(self):
        self.is_over = threading.Event()  # whoever works looks at it between two operations
        self.failures = []
        self.threads = []

    def add(self, work, *arguments):
        """One more thread, which does `work` until that looks at `is_over`. Before the block."""
        self.threads.append(threading.Thread(target=self.run, args=(work, *arguments), daemon=True))

    def run(self, work, *arguments):
        try:
            work(*arguments)
        except Exception as problem:
            self.failures.append(problem)

    def check(self):
        """Raises what the first one failed with, if one did."""
        if self.failures:
            raise self.failures[0]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, kind, *_):
        self.is_over.set()
        for thread in self.threads:
            thread.join(END_SECONDS)
        if kind is None:
            self.check()
            assert not any(thread.is_alive() for thread in self.threads), "the load does not end"
