"""What each chapter needs, as the table of the teacher's guide: from its own opening box."""

import json
import re

import nbformat

import chapters
from environment import ROOT

SECONDS = ROOT / "data" / "results" / "chapter-seconds.json"


def table(names: list[str]) -> str:
    """A Markdown table: chapter, what it needs, time to read, time to run at laptop."""
    measured = json.loads(SECONDS.read_text("utf-8"))["laptop"]["seconds"]
    rows = [
        ":::{table} What each chapter needs, and how long it takes.",
        ":name: tab-teaching-needs",
    ]
    rows += ["", "| chapter | it needs | to read | to run |", "| --- | --- | --- | --- |"]
    for name in names:
        needs, read = opening(name)
        run = minutes(measured[name]) if name in measured else "not measured"
        rows.append(f"| {{doc}}`{name}` | {needs} | {read} | {run} |")
    return "\n".join([*rows, ":::", ""])


def opening(name: str) -> tuple[str, str]:
    """What a chapter's opening box says of what it needs, and of the time to read it."""
    notebook = nbformat.read(chapters.BOOK / f"{name}.ipynb", as_version=4)
    box = " ".join(notebook.cells[0].source.split())
    found = re.search(r"\*\*It needs\*\* (.*?) \*\*Time\*\* (.*?) to read;", box)
    if not found:
        raise chapters.ChapterError(f"{name}: its opening box lacks what it needs, or the time")
    return found[1], found[2]


def minutes(seconds: float) -> str:
    """Seconds as whole minutes, at least one."""
    return f"{max(1, round(seconds / 60))} min"
