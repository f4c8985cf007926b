"""A page under docs/ that a script makes: writes it, or with --check compares."""

import argparse
import difflib
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]


def run(name, make, doc, arguments=()):
    """Handles the command line of the script that makes docs/`name` by make(options). Gives the exit code."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true",
                        help=f"write nothing; exit with 1 where docs/{name} is not what would be written")
    for argument in arguments:
        parser.add_argument(argument)
    options = parser.parse_args()
    made = make(options)
    page = TOP / "docs" / name
    if not options.check:
        page.write_text(made, encoding="utf-8")
        return 0
    there = page.read_text(encoding="utf-8") if page.exists() else ""
    if there == made:
        return 0
    sys.stdout.writelines(difflib.unified_diff(there.splitlines(True), made.splitlines(True), "as it is", "as made"))
    print(f"docs/{name} is out of date: run {Path(sys.argv[0]).name}", file=sys.stderr)
    return 1


def table(head, rows):
    return "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head)] +
                     ["| " + " | ".join(row) + " |" for row in rows])


def cell(text):
    """Text within a table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
