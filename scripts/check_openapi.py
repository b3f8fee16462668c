#!/usr/bin/env python3
"""The OpenAPI document is one: docs/openapi, put together by openapi.py.

O1  The parts fit together.
O2  It is what the OpenAPI Initiative's schema of such documents asks for.
O3  Each schema in it is one of JSON Schema.
O4  Each operation has an id of its own, a summary and a known tag; the parameters in its path are
    those that it declares.

That it has the routes that there are is tests/unit/api/route_openapi_test.c's to see.
"""

import re

import house
import openapi

FOLDER = "docs/openapi"
SCHEMA = house.Path(__file__).resolve().parent.parent / "tests/checks/openapi-3.1.schema.yaml"

try:
    import jsonschema
except ImportError:
    raise SystemExit("openapi: Python's jsonschema is missing; scripts/setup.sh test installs it "
                     "(Debian: python3-jsonschema)") from None


def part_of(parts, pointer):
    """The file that has what stands at `pointer`, a sequence of names."""
    size = 3 if pointer[:1] == ["components"] else 2
    for name, part in parts.items():
        at = part
        for key in pointer[:size]:
            at = at.get(key) if isinstance(at, dict) else None
        if at is not None:
            return name
    return f"{FOLDER}/openapi.yaml"


def check_form(findings, parts, document):
    schema = openapi.read(SCHEMA)
    for error in jsonschema.Draft202012Validator(schema).iter_errors(document):
        pointer = [str(key) for key in error.absolute_path]
        deepest = jsonschema.exceptions.best_match([error])
        findings.add(part_of(parts, pointer), 1,
                     f"/{'/'.join(pointer)} is no OpenAPI: {deepest.message[:200]}",
                     "clients are made of this document", "correct it by the specification")


def schemas(value, pointer=()):
    if isinstance(value, dict):
        for name, inner in value.items():
            is_map = pointer[:1] == ("components",) and len(pointer) == 1 and name == "schemas"
            if is_map:
                for key, schema in inner.items():
                    yield [*pointer, name, key], schema
            elif name == "schema":
                yield [*pointer, name], inner
            else:
                yield from schemas(inner, (*pointer, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from schemas(inner, (*pointer, str(number)))


def check_schemas(findings, parts, document):
    for pointer, schema in schemas(document):
        try:
            jsonschema.Draft202012Validator.check_schema(schema)
        except jsonschema.exceptions.SchemaError as error:
            findings.add(part_of(parts, pointer), 1,
                         f"/{'/'.join(pointer)} is no JSON Schema: {error.message[:200]}",
                         "nothing can be held against it", "correct it")


def resolve(document, parameter):
    if "$ref" in parameter:
        return document["components"]["parameters"][parameter["$ref"].rsplit("/", 1)[1]]
    return parameter


def check_operation(findings, document, seen, name, place, item, operation):
    identity = operation.get("operationId")
    if identity is None or identity in seen:
        findings.add(name, 1, f"{place} has no operationId of its own: {identity}",
                     "it is the name of a function in generated clients", "give it one")
    seen.add(identity)
    tags = {tag["name"] for tag in document["tags"]}
    if not operation.get("summary") or not set(operation.get("tags", [])) & tags:
        findings.add(name, 1, f"{place} has no summary, or no tag that is known",
                     "people read this, too", "say what it does, under a tag of openapi.yaml")
    parameters = [resolve(document, parameter)
                  for parameter in item.get("parameters", []) + operation.get("parameters", [])]
    declared = sorted(one["name"] for one in parameters if one["in"] == "path")
    needed = sorted(re.findall(r"\{(\w+)\}", place))
    if declared != needed:
        findings.add(name, 1, f"{place} declares the path parameters {declared}",
                     f"its path has {needed}", "make them the same")


def check_operations(findings, parts, document):
    seen = set()
    for path, item in document["paths"].items():
        name = part_of(parts, ["paths", path])
        for method in openapi.METHODS:
            if method in item:
                findings.subjects += 1
                check_operation(findings, document, seen, name, f"{method} {path}", item,
                                item[method])


def run():
    arguments = house.arguments(__doc__).parse_args()
    root = arguments.root.resolve()
    findings = house.Findings("openapi")
    paths = house.files(root, FOLDER, ".yaml")
    try:
        openapi.load(root)
        document = openapi.load(root, paths)
    except SystemExit as error:
        match = re.search(r"(\w+\.yaml)", str(error))
        findings.subjects = 1
        findings.add(f"{FOLDER}/{match[1] if match else 'openapi.yaml'}", 1, str(error),
                     "the parts have to make one document", "docs/openapi/README.md tells how")
        return findings.finish()
    parts = {house.name_of(root, path): openapi.read(path) for path in paths}
    check_form(findings, parts, document)
    check_schemas(findings, parts, document)
    check_operations(findings, parts, document)
    return findings.finish()


if __name__ == "__main__":
    house.main(run)
