#!/usr/bin/python3
"""Writes docs/cli.md from what kithd and kith say with --help.

BIN is the folder that they are in: build/release/bin.
"""

import re
import subprocess
import sys
from pathlib import Path

from generated_page import cell, run, table

HEAD = """# Commands

Made from `--help` of the programs by `scripts/cli_docs.py`; change those.
"""


def help_of(program, *command):
    environment = {"PATH": "/usr/bin:/bin"}  # a variable such as KITH_SERVER would change what is told
    return subprocess.run([program, *command, "--help"], env=environment, check=True, capture_output=True, text=True).stdout


def sections(text):
    """Of CLI11's help: what it is, then (title, [(left, right)]), the last being the footer's lines."""
    about, *blocks = re.split(r"\n\n(?=[A-Z][A-Za-z ]*:\n)", text)
    titled, footer = [], ""
    for block in blocks:
        title, body = block.split(":\n", 1)
        body, _, footer = body.partition("\n\n")
        # A description may begin in the next line, and further in.
        body = re.sub(r"\n {10,}", "   ", body)
        rows = [re.split(r" {2,}", line.strip(), maxsplit=1) for line in body.rstrip("\n").split("\n")]
        titled.append((title, [(row[0], row[1] if len(row) > 1 else "") for row in rows]))
    return about, titled, footer.strip()


def merged_groups(rows):
    """A group of options has three lines: its name, what it is, and the word Options."""
    rows = iter(rows)
    for left, right in rows:
        if left.startswith("[Option Group: "):
            yield f"*{left[len('[Option Group: '):-1]}*", " ".join(next(rows)).strip()
        elif left != "Options:":
            yield left, right


def left_cell(text):
    if text.startswith("*"):
        return text
    return "`" + text.replace("|", "\\|") + "`"


def describe(heading, program, command):
    about, titled, footer = sections(help_of(program, *command))
    *told, usage = about.strip().split("\nUsage: ")
    yield f"{heading} {' '.join([program.name, *command])}"
    yield " ".join("".join(told).split())
    yield f"`{usage.strip()}`"
    rows = [row for title, rows in titled if title != "Subcommands" for row in rows if row[0] != "-h,--help"]
    rows = list(merged_groups(rows))
    if rows:
        yield table(["option", "what"], [[left_cell(left), cell(right)] for left, right in rows])
    if footer:
        yield " ".join(footer.split())


def commands_below(program, command=()):
    """Every command, depth first."""
    _, titled, _ = sections(help_of(program, *command))
    for title, rows in titled:
        if title == "Subcommands":
            for name, _ in rows:
                yield (*command, name)
                yield from commands_below(program, (*command, name))


def page(options):
    folder = Path(options.BIN).resolve()
    kithd, kith = folder / "kithd", folder / "kith"
    parts = [HEAD.strip(), *describe("##", kithd, ()), *describe("##", kith, ())]
    for command in commands_below(kith):
        parts += describe("###", kith, command)
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.exit(run("cli.md", page, __doc__, ["BIN"]))
