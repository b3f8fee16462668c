#!/usr/bin/env python3
"""Writes what the server tells of itself as C, at build time:

embed.py problems OUT.c docs/problems/*.md    the page of each error, as text and as HTML
embed.py openapi OUT.c docs/openapi/*.yaml    the OpenAPI document (openapi.py)

A page is Markdown of few kinds: headings, paragraphs, an indented example, `code`. Whatever else
stands in one is refused: it would come out wrong.
"""

import html
import json
import re
import sys
from pathlib import Path

import openapi as document

BYTES_A_LINE = 24


def fail(path, text):
    raise SystemExit(f"embed: {path}: {text}")


def c_bytes(name, data):
    """An array: string literals of this length are more than a compiler has to take."""
    starts = range(0, len(data), BYTES_A_LINE)
    lines = [",".join(map(str, data[i:i + BYTES_A_LINE])) for i in starts]
    return f"static const uint8_t {name}[] = {{\n" + ",\n".join(lines) + "};\n"


# ---- pages -------------------------------------------------------------------------------------

STYLE = ("body{max-width:42em;margin:2em auto;padding:0 1em;font:1em/1.5 sans-serif}"
         "pre{overflow-x:auto;padding:.5em;border:1px solid}")


def inline(path, text):
    text = " ".join(text.split("\n"))
    pieces = text.split("`")
    if len(pieces) % 2 == 0 or re.search(r"[*_\[<]", "".join(pieces[::2])):
        fail(path, f"cannot render {text!r}")
    return "".join(f"<code>{html.escape(piece)}</code>" if i % 2 else html.escape(piece)
                   for i, piece in enumerate(pieces))


def block(path, text):
    match = re.fullmatch(r"(#{1,2}) (.+)", text)
    if match:
        level = len(match.group(1))
        return f"<h{level}>{inline(path, match.group(2))}</h{level}>"
    if all(line.startswith("    ") for line in text.split("\n")):
        return f"<pre>{html.escape(re.sub('^    ', '', text, flags=re.MULTILINE))}</pre>"
    if re.match(r"[-#|>]|    |\d+\.", text):
        fail(path, f"cannot render {text!r}")
    return f"<p>{inline(path, text)}</p>"


def page_html(path, text):
    blocks = [block(path, part) for part in re.split(r"\n{2,}", text.rstrip("\n"))]
    title = html.escape(text.split("\n", 1)[0].removeprefix("# "))
    return ('<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            f"<title>{title}</title><style>{STYLE}</style></head><body>\n" + "\n".join(blocks)
            + '\n<p><a href="/problems/">All errors</a></p>\n</body></html>\n')


def problems(target, paths):
    parts = ["/* Made of docs/problems by scripts/embed.py. */\n",
             "#include \"api/problem_pages.h\"\n\n"]
    rows = []
    pages = [path for path in sorted(paths) if path.name != "README.md"]
    for number, path in enumerate(pages):
        text = path.read_text()
        for kind, data in (("text", text), ("html", page_html(path, text))):
            parts.append(c_bytes(f"{kind}_{number}", data.encode()))
        rows.append(f'    {{"{path.stem}", {{text_{number}, sizeof(text_{number})}},'
                    f" {{html_{number}, sizeof(html_{number})}}}},\n")
    parts += ["\nconst struct problem_page api_problem_pages[] = {\n", *rows, "};\n",
              f"const size_t api_problem_page_count = {len(rows)};\n"]
    target.write_text("".join(parts))


# ---- the interface -----------------------------------------------------------------------------


def openapi(target, paths):
    text = json.dumps(document.load(paths=paths), separators=(",", ":"), ensure_ascii=False) + "\n"
    target.write_text("/* Made of docs/openapi by scripts/embed.py. */\n"
                      "#include \"api/openapi.h\"\n\n" + c_bytes("text", text.encode())
                      + "\nconst struct slice api_openapi_text = {text, sizeof(text)};\n")


def main(arguments):
    kinds = {"problems": problems, "openapi": openapi}
    if len(arguments) < 3 or arguments[0] not in kinds:
        raise SystemExit(__doc__)
    target = Path(arguments[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    kinds[arguments[0]](target, [Path(path) for path in arguments[2:]])


if __name__ == "__main__":
    main(sys.argv[1:])
