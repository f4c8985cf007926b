#!/usr/bin/python3
"""Writes docs/api.md from the comments of proto/kith/v1.

Needs protoc and Python's protobuf, which scripts/setup.sh installs.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from generated_page import TOP, cell, run, table
from google.protobuf import descriptor_pb2

FILES = ["kith/v1/retrieval.proto", "kith/v1/experiments.proto", "kith/v1/types.proto"]
OURS = ".kith.v1."

# Field numbers in descriptor.proto, by which comments are found.
SYNTAX, MESSAGE, ENUM, SERVICE = 12, 4, 5, 6
FIELD_OF_MESSAGE, VALUE_OF_ENUM, METHOD_OF_SERVICE = 2, 2, 2

HEAD = """# API

Made from the comments of [proto/kith/v1](../proto/kith/v1) by `scripts/api_docs.py`; change those.

Every field is optional on the wire; *optional* here is one whose absence is another thing than its zero.
"""


def parse():
    """The descriptors of FILES, with comments."""
    with tempfile.NamedTemporaryFile() as out:
        command = ["protoc", f"--proto_path={TOP / 'proto'}", "--include_source_info"]
        subprocess.run(command + [f"--descriptor_set_out={out.name}", *FILES], check=True)
        files = descriptor_pb2.FileDescriptorSet.FromString(Path(out.name).read_bytes()).file
    return [next(file for file in files if file.name == name) for name in FILES]


def comments_of(file):
    """Comments by path: what stands above, else behind."""
    return {tuple(location.path): location.leading_comments or location.trailing_comments
            for location in file.source_code_info.location}


def lines_of(comment):
    return [line[1:].rstrip() if line.startswith(" ") else line.rstrip() for line in comment.rstrip().split("\n")]


def as_text(comment):
    """Paragraphs as they are; what is indented becomes a block of code."""
    out, code = [], False
    for line in lines_of(comment):
        indented = line.startswith("  ")
        if indented and not code:
            if out and out[-1]:
                out.append("")
            out.append("```text")
        if not indented and code:
            out += ["```"] if line == "" else ["```", ""]
        code = indented
        out.append(line[2:] if indented else line)
    return "\n".join(out + ["```"] * code)


def as_cell(comment):
    """In one line; a comment that is a table itself keeps its lines."""
    lines = lines_of(comment)
    keep = any("  " in line.strip() for line in lines)
    return ("<br>" if keep else " ").join(cell(line) for line in lines)


def anchor(name):
    return name.lower()


def link(type_name):
    if not type_name.startswith(OURS):
        return f"`{type_name.lstrip('.')}`"
    name = type_name[len(OURS):]
    return f"[{name}](#{anchor(name)})"


def type_of(field):
    kinds = descriptor_pb2.FieldDescriptorProto
    name = link(field.type_name) if field.type_name else kinds.Type.Name(field.type)[len("TYPE_"):].lower()
    if field.label == kinds.LABEL_REPEATED:
        return f"repeated {name}"
    return f"optional {name}" if field.proto3_optional else name


def service(number, this, comments):
    yield f"## {this.name}"
    if (SERVICE, number) in comments:
        yield as_text(comments[SERVICE, number])
    for i, method in enumerate(this.method):
        stream = ["stream " if streams else "" for streams in (method.client_streaming, method.server_streaming)]
        yield f"### {this.name}.{method.name}"
        yield f"{stream[0]}{link(method.input_type)} → {stream[1]}{link(method.output_type)}"
        yield as_text(comments.get((SERVICE, number, METHOD_OF_SERVICE, i), ""))


def message(number, this, comments):
    yield f"### {this.name}"
    yield as_text(comments.get((MESSAGE, number), ""))
    yield table(["field", "type", "number", "what"], [
        [f"`{field.name}`", type_of(field), str(field.number),
         as_cell(comments.get((MESSAGE, number, FIELD_OF_MESSAGE, i), ""))] for i, field in enumerate(this.field)
    ]) if this.field else "No fields."


def enum(number, this, comments):
    yield f"### {this.name}"
    yield as_text(comments.get((ENUM, number), ""))
    yield table(["value", "number", "what"], [
        [f"`{value.name}`", str(value.number), as_cell(comments.get((ENUM, number, VALUE_OF_ENUM, i), ""))]
        for i, value in enumerate(this.value)
    ])


def page():
    parts = [HEAD.strip()]
    for file in parse():
        comments = comments_of(file)
        parts.append(f"# {file.name}")
        parts.append(as_text(comments.get((SYNTAX,), "")))
        for i, this in enumerate(file.service):
            parts += service(i, this, comments)
        if file.message_type or file.enum_type:
            parts.append("## Messages of " + file.name.rsplit("/", 1)[-1])
        for i, this in enumerate(file.message_type):
            parts += message(i, this, comments)
        for i, this in enumerate(file.enum_type):
            parts += enum(i, this, comments)
    return "\n\n".join(part for part in parts if part) + "\n"


if __name__ == "__main__":
    sys.exit(run("api.md", lambda _: page(), __doc__))
