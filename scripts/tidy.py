#!/usr/bin/env python3
"""The house rules that a script can check (docs/STYLE.md). Prints file:line: what; why; what to do.

Every rule has a canary in tests/checks/canary.py. The limits and the exceptions are in house.py.
"""

import posixpath
import re

import house

WORDS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
LINK = re.compile(r"https?://([a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,})\b")
RESERVED_HOST = re.compile(r"(?:^|\.)(?:example|invalid|test)(?:\.com|\.org|\.net)?$")
HOME = re.compile(r"(?<![\w.}$-])/(?:home|root|Users|work|srv)/[\w.-]+")
UPWARD = re.compile(r"(?<![\w/.])(?:\.\./)+[\w./-]*")
REFERENCE = re.compile(r"\]\(([\w./-]+)(?:#[\w-]*)?\)")


class Source:
    """One C file: its text, the same without comments and strings, its lines."""

    def __init__(self, root, path):
        self.name = house.name_of(root, path)
        self.text = path.read_text()
        self.lines = self.text.splitlines()
        self.code = house.blank_comments(self.text)
        self.is_header = path.suffix == ".h"
        parts = self.name.split("/")
        self.in_src = parts[0] in ("src", "sim")
        self.layer = parts[1] if self.in_src and len(parts) > 2 else None
        # What stands in sim/ itself is included by that name.
        self.short = "/".join(parts[1:]) if parts[0] != "sim" or self.layer else self.name

    def line_of(self, position):
        return self.text.count("\n", 0, position) + 1


# ---- reading C ---------------------------------------------------------------------------------

_PREPROCESSOR = re.compile(r"^[ \t]*#(?:[^\n\\]|\\\n|\\.)*", re.MULTILINE)
_NAME_BEFORE_PAREN = re.compile(r"(\w+)\s*\(")


def without_preprocessor(code):
    return _PREPROCESSOR.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), code)


def top_level(code):
    """(begin, end, kind, body) of each top-level piece: kind ';' or '{', body: where '{' stands."""
    depth = 0
    begin = 0
    body = -1
    for match in re.finditer(r"[{};]", code):
        position, char = match.start(), match.group()
        if char == "{":
            if depth == 0:
                body = position
            depth += 1
        elif char == "}":
            depth -= 1
            if depth == 0 and code[begin:body].rstrip().endswith(")"):
                yield begin, position + 1, "{", body
                begin = position + 1
        elif depth == 0:
            yield begin, position + 1, ";", body
            begin = position + 1
            body = -1


def functions(source):
    """(name, first line, last line, body text) of each function definition."""
    code = without_preprocessor(source.code)
    for begin, end, kind, body in top_level(code):
        head = code[begin:body] if kind == "{" else ""
        names = _NAME_BEFORE_PAREN.findall(head)
        if names:
            first = begin + len(head) - len(head.lstrip())
            yield names[0], source.line_of(first), source.line_of(end - 1), code[body:end]


def prototypes(source):
    """(name, line, declaration) of each function that a header declares without defining it."""
    code = without_preprocessor(source.code)
    for begin, end, kind, _ in top_level(code):
        text = code[begin:end]
        if kind != ";" or "(" not in text or "{" in text:
            continue
        words = text.split()
        if words[0].startswith(("typedef", "_Static_assert", "extern")) or "=" in text:
            continue
        names = [n for n in _NAME_BEFORE_PAREN.findall(text)
                 if n not in ("__attribute__", "PRINTF_LIKE")]
        if names:
            first = begin + len(text) - len(text.lstrip())
            yield names[0], source.line_of(first), " ".join(words)


# ---- rules -------------------------------------------------------------------------------------


def check_size(findings, source):
    if len(source.lines) > house.FILE_LINES_MAX:
        findings.add(source.name, house.FILE_LINES_MAX + 1, f"{len(source.lines)} lines",
                     f"a file has at most {house.FILE_LINES_MAX}", "split it along its nouns")
    for number, line in enumerate(source.lines, 1):
        if len(line) > house.COLUMNS_MAX:
            findings.add(source.name, number, f"{len(line)} columns",
                         f"a line has at most {house.COLUMNS_MAX}", "break it")


def check_scripts(findings, root):
    for folder in ("scripts", "tests"):
        for path in house.files(root, folder, ".py", ".sh"):
            check_size(findings, Source(root, path))


def check_functions(findings, source, long_seen, density):
    for name, first, last, body in functions(source):
        count = last - first + 1
        key = f"{source.short}:{name}"
        if count > house.FUNCTION_LINES_MAX and key in house.LONG_FUNCTIONS:
            long_seen.add(key)
            if count > house.LONG_FUNCTIONS[key][0]:
                findings.add(source.name, first, f"{name} has grown to {count} lines",
                             "an exception may only shrink", "take something out")
        elif count > house.FUNCTION_LINES_MAX:
            findings.add(source.name, first, f"{name} has {count} lines",
                         f"a function has at most {house.FUNCTION_LINES_MAX}",
                         "give its steps names of their own")
        if source.layer is not None:
            entry = density.setdefault(source.layer, [0, 0])
            entry[0] += len(re.findall(r"\b(?:ASSERT|INVARIANT|UNREACHABLE)\s*\(", body))
            entry[1] += 1


def check_guard(findings, source):
    if not source.is_header:
        return
    own = source.short if source.in_src else source.name.split("/")[-1]
    guard = re.sub(r"\W", "_", own).upper()
    code = [line.strip() for line in source.code.splitlines() if line.strip()]
    begin = re.fullmatch(r"#ifndef (\w+)\n#define \1", "\n".join(code[:2]))
    if begin is None or not begin.group(1).endswith(guard) or (
            source.in_src and begin.group(1) != guard):
        findings.add(source.name, 1, f"does not begin with #ifndef {guard}, #define {guard}",
                     "guards are LAYER_FILE_H, so that they never clash", "write it so")
    if not code or code[-1] != "#endif" or source.lines[-1].strip() != "#endif":
        findings.add(source.name, len(source.lines), "does not end with #endif",
                     "a guard that ends early guards nothing", "move it to the last line")


def has_contract(source, line):
    """A comment stands above the prototype, above the run of lines that it is in, or behind it."""
    if "/*" in source.lines[line - 1]:
        return True
    number = line - 1  # the line above, counted from 1
    while number >= 1 and source.lines[number - 1].strip():
        if "*/" in source.lines[number - 1]:
            return True
        number -= 1
    last = line
    while last < len(source.lines) and ";" not in source.lines[last - 1]:
        last += 1
    return "/*" in source.lines[last - 1]


def check_prototypes(findings, source, ignorable_seen):
    if not source.is_header or not source.in_src:
        return
    for name, line, text in prototypes(source):
        if not has_contract(source, line):
            findings.add(source.name, line, f"{name} has no contract",
                         "whoever calls it must not have to read the body",
                         "say what it does, who owns what, its errors (docs/STYLE.md)")
        returns_err = re.match(r"(?:MUST_USE )?err \w+", text) is not None
        if returns_err and name in house.MAY_IGNORE:
            ignorable_seen.add(name)
        elif returns_err and not text.startswith("MUST_USE "):
            findings.add(source.name, line, f"{name} returns err without MUST_USE",
                         "an error that nobody looks at is a bug", "write MUST_USE before it")


def banned_patterns():
    for names, (instead, allowed) in house.BANNED_CALLS.items():
        for name in names.split():
            yield name, instead, allowed


BANNED = {name: (instead, allowed) for name, instead, allowed in banned_patterns()}
BANNED_CALL = re.compile(r"(?<![\w.])(?<!->)(" + "|".join(sorted(BANNED)) + r")\s*\(")
# What would make a simulation depend on more than its seed.
UNSIMULATED = set("time clock clock_gettime gettimeofday getrandom sleep usleep nanosleep rand "
                  "random malloc calloc realloc free strdup pthread_create fork getenv".split())
IN_TESTS = set("strcpy strcat sprintf vsprintf strtok gets alloca atoi rand srand system".split())


def check_calls(findings, source):
    for match in BANNED_CALL.finditer(source.code):
        name = match.group(1)
        instead, allowed = BANNED[name]
        if source.in_src and not source.layer:  # the simulator's own files
            is_allowed = (name not in IN_TESTS | UNSIMULATED) or source.name == "sim/main.c"
        elif source.in_src:
            is_allowed = any(source.short.startswith(prefix) for prefix in allowed)
        else:
            is_allowed = name not in IN_TESTS
        if not is_allowed:
            findings.add(source.name, source.line_of(match.start()), f"calls {name}",
                         "it is on the list of calls that we do not make", f"use {instead}")


def check_includes(findings, source):
    """Own header first, then system headers, then ours: a header that leans on another shows it."""
    found = house.includes(source.text)
    own = source.short.removesuffix(".c") + ".h"
    if source.in_src and not source.is_header and any(h == own for _, _, h in found):
        if found[0][2] != own:
            findings.add(source.name, found[0][0], f'does not include "{own}" first',
                         "so that the header is seen to compile alone", "move it up")
        found = [item for item in found if item[2] != own]
    kinds = [is_system for _, is_system, _ in found]
    if source.in_src and kinds != sorted(kinds, reverse=True):
        line = next(line for (line, is_system, _), wanted in
                    zip(found, sorted(kinds, reverse=True)) if is_system != wanted)
        findings.add(source.name, line, "includes are out of order",
                     "own header, then <system>, then ours", "make format")


def check_c(findings, root, density):
    long_seen, ignorable_seen = set(), set()
    for folder in house.C_FOLDERS:
        for path in house.files(root, folder, ".c", ".h"):
            source = Source(root, path)
            findings.subjects += 1
            check_size(findings, source)
            check_functions(findings, source, long_seen, density)
            check_guard(findings, source)
            check_prototypes(findings, source, ignorable_seen)
            check_calls(findings, source)
            check_includes(findings, source)
    for key in sorted(set(house.LONG_FUNCTIONS) - long_seen):
        findings.add("scripts/house.py", 1, f"LONG_FUNCTIONS has {key}, which needs it no longer",
                     "the list only shrinks", "take it out")
    for name in sorted(set(house.MAY_IGNORE) - ignorable_seen):
        findings.add("scripts/house.py", 1, f"MAY_IGNORE has {name}, which is gone",
                     "the list only shrinks", "take it out")


def check_tree(findings, root):
    """Every source has its test, every header a reader, every layer a README."""
    sources = house.files(root, "src", ".c", ".h")
    for layer in house.SIM_LAYERS:
        sources += house.files(root, f"sim/{layer}", ".c", ".h")
    included = {header for path in sources + house.files(root, "tests", ".c", ".h")
                for _, is_system, header in house.includes(path.read_text()) if not is_system}
    for path in sources:
        name = house.name_of(root, path)
        short = name.removeprefix("src/").removeprefix("sim/")
        test = root / "tests" / "unit" / (short.removesuffix(".c") + "_test.c")
        if path.suffix == ".c" and not test.exists() and short not in house.NO_UNIT_TEST:
            findings.add(name, 1, f"has no {house.name_of(root, test)}",
                         "tests/unit mirrors src", "write it, or give house.py a reason")
        if path.suffix == ".c" and test.exists() and short in house.NO_UNIT_TEST:
            findings.add("scripts/house.py", 1, f"NO_UNIT_TEST has {short}, which has a test now",
                         "the list only shrinks", "take it out")
        if path.suffix == ".h" and short not in included:
            findings.add(name, 1, "is included by nobody", "dead files mislead", "delete it")
    for test in house.files(root, "tests/unit", ".c"):
        short = house.name_of(root, test).removeprefix("tests/unit/")
        stem = short.removesuffix("_test.c")
        mirrored = any((root / folder / (stem + suffix)).exists()
                       for folder in ("src", "sim", "") for suffix in (".c", ".h"))
        if short.endswith("_test.c") and not mirrored and stem not in house.LAYER_TESTS:
            findings.add(house.name_of(root, test), 1, "tests no file of src",
                         "tests/unit mirrors src and sim", "name it after what it tests")
    for stem in sorted(house.LAYER_TESTS):
        if not (root / "tests" / "unit" / (stem + "_test.c")).exists():
            findings.add("scripts/house.py", 1, f"LAYER_TESTS has {stem}, which is gone",
                         "the list only shrinks", "take it out")
    for short in sorted(house.NO_UNIT_TEST):
        if not any((root / folder / short).exists() for folder in ("src", "sim")):
            findings.add("scripts/house.py", 1, f"NO_UNIT_TEST has {short}, which is gone",
                         "the list only shrinks", "take it out")
    for folder in [f"src/{layer}" for layer in house.LAYERS] + \
                  [f"sim/{layer}" for layer in house.SIM_LAYERS]:
        if (root / folder).is_dir() and not (root / folder / "README.md").exists():
            findings.add(f"{folder}/README.md", 1, "is missing",
                         "each layer says what it is for", "write it (at most 80 lines)")


def check_words(findings, root):
    """What does not belong into a repository: open ends, a private machine, links that will die."""
    rules = ((WORDS, "an open end belongs into an issue", "finish it or file it"),
             (HOME, "that is somebody's machine", "name it relative to the repository"))
    for path in house.files(root, "."):
        name = house.name_of(root, path)
        if path.suffix not in house.TEXT_SUFFIXES or name in ("scripts/tidy.py", "LICENSE"):
            continue
        if name.startswith(("tests/checks/", "tests/golden/", "tests/raft-trace/data/",
                            "tests/fuzz/corpus/")):
            continue
        try:
            lines = path.read_text().splitlines()
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(lines, 1):
            for pattern, why, do in rules:
                match = pattern.search(line)
                if match:
                    findings.add(name, number, f'says "{match.group()}"', why, do)
            check_references(findings, root, path, number, line)
            for host in LINK.findall(line):
                if host not in house.LINK_HOSTS and not RESERVED_HOST.search(host):
                    findings.add(name, number, f"links to {host}",
                                 "not among the hosts that we expect to last (LINK_HOSTS)",
                                 "say what is meant, or add the host")


def check_references(findings, root, path, number, line):
    """Relative paths stay inside of the repository, and a page's links lead somewhere."""
    name = house.name_of(root, path)
    if path.suffix not in (".md", ".txt", ".c", ".h"):
        return
    for reference in UPWARD.findall(line):
        if posixpath.normpath(posixpath.join(posixpath.dirname(name), reference)).startswith(".."):
            findings.add(name, number, f'says "{reference}"', "that is outside of the repository",
                         "say it here")
    for reference in REFERENCE.findall(line) if path.suffix == ".md" else []:
        if not (path.parent / reference).exists():
            findings.add(name, number, f"links to {reference}", "nothing is there", "mend the link")


def print_density(density):
    """Asserts per function: a figure to look at, not a rule."""
    parts = []
    for layer in house.LAYERS:
        asserts, count = density.get(layer, (0, 0))
        if count:
            target = house.ASSERT_TARGETS.get(layer, 1.0)
            parts.append(f"{layer} {asserts / count:.1f}/{target:.0f}")
    if parts:
        print("tidy: asserts per function, seen/aimed at: " + ", ".join(parts))


def run():
    root = house.arguments(__doc__).parse_args().root
    findings = house.Findings("tidy")
    density = {}
    check_c(findings, root, density)
    check_scripts(findings, root)
    check_tree(findings, root)
    check_words(findings, root)
    print_density(density)
    return findings.finish()


if __name__ == "__main__":
    house.main(run)
