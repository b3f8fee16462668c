#!/usr/bin/env python3
"""Puts the parts of the OpenAPI document together: openapi.py OUT.json [docs/openapi/*.yaml]

The parts are OpenAPI 3.1 in YAML, a file a resource, and a few short forms: docs/openapi/README.md
tells them. What is known elsewhere is taken from there: errors from src/base/err.h, the version
from CMakeLists.txt. What does not fit together is refused with the file and the place.
"""

import json
import re
import sys
from pathlib import Path

try:
    import yaml
except ImportError:
    raise SystemExit("openapi: Python's yaml is missing; scripts/setup.sh build installs it "
                     "(Debian: python3-yaml)") from None

ROOT = Path(__file__).resolve().parent.parent
METHODS = ("get", "head", "put", "post", "delete", "options", "patch", "trace", "query")

# What any request may be answered with, whatever it asks for: framing, guards, sizes, time.
ERRORS_OF_ALL = (400, 403, 408, 413, 414, 417, 431, 500, 501, 503, 505)
HEADERS_OF_ALL = ("KV-Revision", "KV-Request-Id", "Date")

# What errors have besides, where it applies, and which of them have more.
HEADERS_OF_ERRORS = ("Cache-Control", "X-Content-Type-Options", "Content-Security-Policy",
                     "Server-Timing", "Preference-Applied", "Idempotency-Replayed", "KV-Leader",
                     "KV-Term", "KV-Staleness-Ms")
HEADERS_BY_STATUS = {307: ["Location"], 404: ["KV-Consistency"], 405: ["Allow"],
                     409: ["Retry-After"], 412: ["ETag", "KV-Consistency"],
                     415: ["Accept-Encoding"], 416: ["Content-Range", "ETag", "KV-Consistency"],
                     423: ["Retry-After"], 429: ["Retry-After"], 501: ["Allow"],
                     503: ["Retry-After"]}


def fail(text):
    raise SystemExit(f"openapi: {text}")


# ---- parts -------------------------------------------------------------------------------------


def merge(into, part, path, place=""):
    """Adds what `part` has; the same place in two parts is a mistake, unless both are objects, or
    the lists of tags."""
    for name, value in part.items():
        here = f"{place}/{name}"
        if name not in into:
            into[name] = value
        elif isinstance(into[name], dict) and isinstance(value, dict) and here != f"/paths/{name}":
            merge(into[name], value, path, here)
        elif here == "/tags":
            into[name] += value
        else:
            fail(f"{path}: {here} is there already, in another part")


def read(path):
    try:
        # Through JSON and back: what an alias names twice is written twice.
        return json.loads(json.dumps(yaml.safe_load(path.read_text())))
    except yaml.YAMLError as error:
        fail(f"{path.name}: {error}")


def errors(root):
    """{status: [(slug, title)]} of what clients see, in the order of the list."""
    text = (root / "src/base/err.h").read_text().replace("\\\n", "")
    rows = re.findall(r'X\(ERR_\w+,\s*(\d+),\s*"([a-z-]+)",\s*"([^"]+)"', text)
    if not rows:
        fail("src/base/err.h has no list of errors")
    found = {}
    for status, slug, title in rows:
        group = found.setdefault(int(status), [])
        if slug not in [known for known, _ in group]:
            group.append((slug, title))
    return dict(sorted(found.items()))


def version(root):
    return re.search(r"project\(pontoon VERSION ([\d.]+)", (root / "CMakeLists.txt").read_text())[1]


# ---- short forms -------------------------------------------------------------------------------


def ref(kind, name):
    return {"$ref": f"#/components/{kind}/{name}"}


def flat(names):
    """A list within the list, an alias of one, is a part of it."""
    found = []
    for one in names:
        found += flat(one) if isinstance(one, list) else [one]
    return found


def expand_parameters(parameters):
    return [ref("parameters", one) if isinstance(one, str) else one for one in flat(parameters)]


def expand_headers(response):
    """A list of names becomes the headers of those names; those of every answer are added."""
    names = flat(response.get("headers", []))
    response["headers"] = {name: ref("headers", name) for name in [*names, *HEADERS_OF_ALL]}


def problem_content():
    return {"application/problem+json": {"schema": ref("schemas", "Problem")},
            "text/plain": {"schema": {"type": "string"}},
            "text/html": {"schema": {"type": "string"}}}


def error_response(status, group):
    names = [*HEADERS_OF_ERRORS, *HEADERS_BY_STATUS.get(status, [])]
    response = {"description": "; ".join(f"`{slug}`: {title}" for slug, title in group) + ".",
                "headers": names, "content": problem_content()}
    expand_headers(response)
    return response


def add_error(responses, status):
    key = str(status)
    if key not in responses:
        responses[key] = ref("responses", f"Error{status}")
    elif "content" in responses[key]:
        responses[key]["content"] = {**problem_content(), **responses[key]["content"]}


def expand_operation(operation, known, place):
    if "parameters" in operation:
        operation["parameters"] = expand_parameters(operation["parameters"])
    if not operation.get("responses"):
        fail(f"{place}: has no responses")
    for response in operation["responses"].values():
        expand_headers(response)
    for status in sorted({*operation.pop("x-errors", []), *ERRORS_OF_ALL}):
        if status not in known:
            fail(f"{place}: no error has the status {status}")
        add_error(operation["responses"], status)
    operation["responses"] = dict(sorted(operation["responses"].items()))


def head_of(get):
    """HEAD answers as GET does, without the body."""
    def without(response):
        return {name: value for name, value in response.items() if name != "content"}

    return {**get, "operationId": f"{get.get('operationId')}Head",
            "summary": f"As GET, without the body: {get.get('summary')}",
            "responses": {status: response if "$ref" in response else without(response)
                          for status, response in get["responses"].items()}}


def expand_path(path, item, known, origin):
    has_head = item.pop("x-head", True)
    if "parameters" in item:
        item["parameters"] = expand_parameters(item["parameters"])
    for method in METHODS:
        if method in item:
            expand_operation(item[method], known, f"{origin}: {method} {path}")
    if has_head and "get" in item and "head" not in item:
        item["head"] = head_of(item["get"])


# ---- the whole ---------------------------------------------------------------------------------


def references(value):
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "$ref":
                yield inner
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def check_references(document):
    """Each leads somewhere, and of what is shared nothing is left over."""
    used = set(references(document))
    defined = {f"#/components/{kind}/{name}"
               for kind, group in document["components"].items() for name in group}
    for lost in sorted(used - defined):
        fail(f"{lost} is used and nowhere defined")
    for unused in sorted(defined - used):
        fail(f"{unused} is defined and nowhere used")


def load(root=ROOT, paths=None):
    """The document, of the parts at `paths`."""
    document, origins = {}, {}
    paths = sorted(paths or (root / "docs/openapi").glob("*.yaml"))
    if "openapi.yaml" not in [path.name for path in paths]:
        fail("no openapi.yaml, which has what all parts share")
    for path in sorted(paths, key=lambda path: path.name != "openapi.yaml"):
        part = read(path)
        part.pop("x-short", None)  # what is named there is in its places by now
        merge(document, part, path.name)
        origins.update(dict.fromkeys(part.get("paths", {}), path.name))
    document["info"]["version"] = version(root)
    known = errors(root)
    for path, item in document["paths"].items():
        expand_path(path, item, known, origins[path])
    document["components"]["responses"] = {
        f"Error{status}": error_response(status, group) for status, group in known.items()}
    used = set(references(document["paths"]))
    document["components"]["responses"] = {
        name: response for name, response in document["components"]["responses"].items()
        if f"#/components/responses/{name}" in used}
    document["components"]["schemas"]["Problem"]["properties"]["type"]["enum"] = [
        f"/problems/{slug}" for group in known.values() for slug, _ in group]
    check_references(document)
    return document


def main(arguments):
    if not arguments:
        raise SystemExit(__doc__)
    document = load(paths=[Path(path) for path in arguments[1:]] or None)
    Path(arguments[0]).write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
