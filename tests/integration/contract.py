"""Answers against the OpenAPI document that the node itself serves.

C1  An operation of the document is found for each request, and its status stands there.
C2  Each field of the answer stands there, but those of HTTP itself.
C3  The body is of a type that stands there, and JSON fits its schema; lines of it are whole.
"""

import json
import re

import jsonschema

# Of the message, or what every answer may have by HTTP.
FIELDS_OF_HTTP = {"connection", "content-length", "content-type", "transfer-encoding",
                  "keep-alive"}


class Contract:
    """The document of a node."""

    def __init__(self, node):
        self.document = node.get("/openapi.json").json()
        self.templates = []
        for template in self.document["paths"]:
            # A key may have slashes; whatever else is named has none.
            pattern = re.sub(r"\\\{(\w+)\\\}", lambda m: ".+" if m[1] == "key" else "[^/]+",
                             re.escape(template))
            self.templates.append((template.count("{"), re.compile(pattern), template))
        self.templates.sort(key=lambda row: row[0])  # a path without parameters is meant first

    def resolve(self, value):
        while "$ref" in value:
            at = self.document
            for name in value["$ref"].removeprefix("#/").split("/"):
                at = at[name]
            value = at
        return value

    def operation(self, method, target):
        """(template, operation) of a request; operation is None if the path has no such method."""
        path = target.partition("?")[0]
        for _, pattern, template in self.templates:
            if pattern.fullmatch(path):
                item = self.document["paths"][template]
                if method.lower() in item:
                    return template, item[method.lower()]
        return None, None

    def check(self, method, target, response):
        """AssertionError with what does not stand in the document."""
        template, operation = self.operation(method, target)
        assert operation is not None, f"{method} {target} is no operation of the document"
        what = f"{method} {template}: {response.status}"
        assert str(response.status) in operation["responses"], f"{what} is not in the document"
        answer = self.resolve(operation["responses"][str(response.status)])
        told = {name.lower() for name in answer.get("headers", {})}
        untold = set(response.headers) - told - FIELDS_OF_HTTP
        assert not untold, f"{what}: fields that are not in the document: {sorted(untold)}"
        if response.body:
            self.check_body(what, answer.get("content", {}), response)

    def check_body(self, what, content, response):
        kind = response.headers["content-type"].partition(";")[0]
        body = content.get(kind, content.get("*/*"))
        assert body is not None, f"{what}: a body of type {kind} is not in the document"
        if kind.endswith("ndjson"):
            for line in response.body.splitlines():
                json.loads(line)
        elif kind.endswith("json") and "schema" in body:
            self.check_schema(what, body["schema"], response.json())

    def check_schema(self, what, schema, value):
        # References are from the root: the shared part has to be under it.
        whole = {"$ref": "#/it", "it": schema, "components": self.document["components"]}
        for error in jsonschema.Draft202012Validator(whole).iter_errors(value):
            raise AssertionError(f"{what}: the body does not fit its schema: {error.message} in "
                                 f"{json.dumps(value)[:500]}")

    def query_parameters(self, template, method):
        """The names of an operation's query parameters."""
        item = self.document["paths"][template]
        parameters = item.get("parameters", []) + item[method].get("parameters", [])
        return {one["name"] for one in map(self.resolve, parameters) if one["in"] == "query"}
