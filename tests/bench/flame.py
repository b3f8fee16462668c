"""Where processors spend their time, as a flame graph: perf's samples, folded and drawn.

A box is a function, as wide as the share of the samples in which it was; what it called stands on
it (B. Gregg, "The Flame Graph", ACM Queue 14(2), 2016). Debian's libuv and libc keep no frame
pointers, so of a stack that goes through them only what is above them is known: on a thread's box
stands what it was called for, not the way there.
"""

import collections
import html
import os
import re
import shutil
import subprocess

import tools

HERTZ = 1999  # no divisor of what timers tick at
WIDTH, ROW, MARGIN, HEAD = 1200, 17, 10, 44
LETTER = 6.2  # wide, about
LEAST_SHARE = 0.002  # narrower boxes are left out: nobody could read them
KERNEL, OURS, LIBRARY, THREAD = "#d98c5f", "#1f6f8b", "#7f9c6b", "#b8b8b0"
LIBRARIES = re.compile(r"^(__GI_|__libc_|__vdso_|_int_|__mem|__str|uv_|llhttp|crc32_|XXH3|mdb_|"
                       r"pthread_|malloc|free$|cfree|realloc|start_thread|fdatasync|epoll_wait|"
                       r"(p?read|p?write)v?$)")


def missing():
    """Why none can be drawn here, or None."""
    return None if shutil.which("perf") else "perf is not installed (scripts/setup.sh bench)"


class Recording:
    """Samples of these processes, from `with` to its end, in a file."""

    def __init__(self, path, pids):
        self.path, self.pids, self.perf, self.errors = path, pids, None, ""
        self.orders = self.answers = None  # pipes to and from perf

    def __enter__(self):
        (order, self.orders), (self.answers, answer) = os.pipe(), os.pipe()
        self.perf = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "perf", "record", "--quiet", "--event=cpu-clock",
             f"--freq={HERTZ}", "--call-graph=fp", f"--pid={','.join(map(str, self.pids))}",
             "--delay=-1", f"--control=fd:{order},{answer}", f"--output={self.path}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            pass_fds=(order, answer))
        os.close(order)
        os.close(answer)
        self.tell(b"enable\n")
        return self

    def tell(self, order):
        """And waits until it has done so, or has ended: short loads are over before perf begins."""
        try:
            os.write(self.orders, order)
            os.read(self.answers, 16)
        except BrokenPipeError:
            pass  # what it died of comes with its end

    def __exit__(self, *_):
        self.tell(b"stop\n")
        _, self.errors = self.perf.communicate(timeout=tools.PATIENCE_SECONDS)
        os.close(self.orders)
        os.close(self.answers)

    def stacks(self, threads):
        """How often each stack was seen, from a thread's name (`threads`: by its id) upwards."""
        text = subprocess.run(["perf", "script", "--input", self.path, "--fields", "tid,ip,sym"],
                              capture_output=True, text=True, timeout=10 * tools.PATIENCE_SECONDS)
        found = collections.Counter()
        for sample in text.stdout.split("\n\n"):
            head, *frames = sample.strip().split("\n")
            name = threads.get(head.strip())
            if name is not None:
                found[name, *reversed(list(names(frames)))] += 1
        if not found:
            raise tools.Failed(f"perf saw nothing: {self.errors.strip() or text.stderr.strip()}")
        return found


def names(frames):
    """Of the frames that are known."""
    for frame in frames:
        _, _, name = frame.strip().partition(" ")
        if name and name != "[unknown]" and not name.startswith("0x"):
            yield re.sub(r"\.(constprop|isra|part|cold)\.?\d*", "", name).split("@")[0]


class Box:
    """A function (or thread), the samples in it, and what stands on it by name."""

    def __init__(self):
        self.count, self.above = 0, {}

    def add(self, stack, count):
        self.count += count
        if stack:
            self.above.setdefault(stack[0], Box()).add(stack[1:], count)

    def height(self, least):
        return 1 + max((box.height(least) for box in self.above.values() if box.count >= least),
                       default=0)


def colour(name, depth, is_in_kernel):
    if depth == 0:
        return THREAD
    if is_in_kernel:
        return KERNEL
    return LIBRARY if LIBRARIES.match(name) else OURS


def draw(name, box, left, depth, least, scale, bottom, is_in_kernel=False):
    """The marks of a box and of all that stands on it."""
    is_in_kernel = is_in_kernel or bool(re.match(r"entry_|asm_|do_syscall", name))
    width, y = box.count * scale, bottom - (depth + 1) * ROW
    share = 100 * box.count * scale / (WIDTH - 2 * MARGIN)
    has_room = len(name) * LETTER < width - 6
    words = f'<text x="{left + 3:.1f}" y="{y + 12}">{html.escape(name)}</text>' if has_room else ""
    marks = [f'<g><title>{html.escape(name)}: {share:.1f} %</title><rect x="{left:.1f}" y="{y}" '
             f'width="{max(width - 0.4, 0.2):.1f}" height="{ROW - 1}" '
             f'fill="{colour(name, depth, is_in_kernel)}"/>{words}</g>']
    for above, inner in sorted(box.above.items(), key=lambda item: -item[1].count):
        if inner.count >= least:
            marks += draw(above, inner, left, depth + 1, least, scale, bottom, is_in_kernel)
        left += inner.count * scale
    return marks


def svg(stacks, title):
    """The whole picture: threads beside each other, the busiest first."""
    root = Box()
    for stack, count in stacks.items():
        root.add(stack, count)
    least = root.count * LEAST_SHARE
    scale = (WIDTH - 2 * MARGIN) / root.count
    bottom = HEAD + (root.height(least) - 1) * ROW
    marks, left = [], MARGIN
    for name, box in sorted(root.above.items(), key=lambda item: -item[1].count):
        marks += draw(name, box, left, 0, least, scale, bottom)
        left += box.count * scale
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{bottom + MARGIN}" '
        f'viewBox="0 0 {WIDTH} {bottom + MARGIN}" font-family="sans-serif" font-size="11" '
        'fill="#111">', f'<rect width="{WIDTH}" height="{bottom + MARGIN}" fill="#fff"/>',
        f'<text x="{MARGIN}" y="20" font-size="15" font-weight="bold">{html.escape(title)}</text>',
        f'<text x="{MARGIN}" y="36">{root.count} samples. Blue: ours; green: libraries; orange: '
        'the kernel; grey: threads</text>', *marks, "</svg>", ""])
