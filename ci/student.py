"""Write copies of the chapters without their solutions: ``python ci/student.py [FOLDER]``.

An exercise keeps its text and gets an empty cell to work in; the self-check keeps its folded
answers, which explain and are not handed in. Called again, it renews the copies, except those
that someone has worked in.
"""

import environment

if __name__ == "__main__":
    environment.enter()

import argparse
import hashlib
import os
import re
import sys
from pathlib import Path

import nbformat
from nbformat import v4

import chapters
from environment import ROOT

# Begin and end of a solution, and end of an exercise, as sphinx-exercise marks them.
MARK = re.compile(
    r"^```\{(solution-start|solution-end|exercise-end)\}[^\n]*\n(?::[^\n]*\n)*```[^\S\n]*$",
    re.M,
)
FINGERPRINT = "student"


def copy(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """A chapter without its solutions, code and text, ready to be worked in."""
    cells, solution = [], False
    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            cells += [] if solution else [cell]
            continue
        start = 0
        for mark in [*MARK.finditer(cell.source), None]:
            end = len(cell.source) if mark is None else mark.end()
            ended = mark is not None and mark[1] == "exercise-end"
            kept = cell.source[start : end if mark is None or ended else mark.start()]
            if kept.strip() and not solution:
                cells.append(v4.new_markdown_cell(kept.strip()))
            if ended:
                cells.append(v4.new_code_cell(""))
            elif mark is not None:
                solution = mark[1] == "solution-start"
            start = end
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number:03d}"
    made = v4.new_notebook(cells=cells, metadata=dict(notebook.metadata))
    made.metadata[FINGERPRINT] = fingerprint(made)
    return made


def fingerprint(notebook: nbformat.NotebookNode) -> str:
    """Hash of what is written in the cells; outputs do not count."""
    text = "\0".join(f"{cell.cell_type}\0{cell.source}" for cell in notebook.cells)
    return hashlib.sha256(text.encode()).hexdigest()


def worked_in(path: Path) -> bool:
    """Whether somebody has changed a copy since it was written here."""
    notebook = nbformat.read(path, as_version=4)
    return notebook.metadata.get(FINGERPRINT) != fingerprint(notebook)


def main() -> int:
    """Do what the top of this file says, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = ROOT / "_build" / "student"
    parser.add_argument("folder", nargs="?", type=Path, default=default, metavar="FOLDER")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name in chapters.names():
        target = folder / f"{name}.ipynb"
        if target.exists() and worked_in(target):
            print(f"{target.name} has been worked in and is kept: move it away for a new one")
            continue
        chapter = nbformat.read(chapters.BOOK / target.name, as_version=4)
        temporary = target.with_suffix(".part")
        nbformat.write(copy(chapter), temporary)
        os.replace(temporary, target)
    print(f"The copies: {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
