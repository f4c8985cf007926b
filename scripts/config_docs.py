#!/usr/bin/python3
"""Writes docs/configuration.md from config/kithd.yaml, which a test holds equal to the keys that kithd knows."""

import sys

from generated_page import TOP, cell, run, table

HEAD = """# Configuration

Made from [config/kithd.yaml](../config/kithd.yaml) by `scripts/config_docs.py`; change that.
"""


def read():
    """What stands above all, then (section or "", its comment, [(key, default, comment)])."""
    head, parts, comment, within = None, [("", "", [])], [], []
    for line in (TOP / "config" / "kithd.yaml").read_text(encoding="utf-8").split("\n"):
        text = line.strip()
        if text.startswith("#"):
            comment.append(text[1:].strip())
            continue
        if not text:
            if head is None:
                head, comment = comment, []
            continue
        key, _, value = text.partition(":")
        said, comment = " ".join(comment), []
        within = within[: (len(line) - len(line.lstrip())) // 2] + [key]
        name = ".".join(within)
        if not value:
            parts.append((name, said, []))
        else:
            parts[0 if len(within) == 1 else -1][2].append((name, value.strip(), said))
    return head, [part for part in parts if part[2]]


def page(_):
    head, sections = read()
    paragraphs = "\n".join(head).split("\n\n")
    parts = [HEAD.strip(), *paragraphs]
    for name, about, keys in sections:
        parts.append(f"## {name or 'At the top'}")
        parts.append(about)
        rows = []
        for key, default, said in keys:
            live = "[reload]" in said
            rows.append([f"`{key}`", f"`{default}`", "yes" if live else "", cell(said.replace("[reload]", ""))])
        parts.append(table(["key", "default", "by reload", "what"], rows))
    return "\n\n".join(part for part in parts if part) + "\n"


if __name__ == "__main__":
    sys.exit(run("configuration.md", page, __doc__))
