"""Copies of the chapters without their solutions."""

import re
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "ci"))

import chapters  # noqa: E402
import student  # noqa: E402

CELLS = [
    v4.new_markdown_cell("# A chapter"),
    v4.new_code_cell("x = 1"),
    v4.new_markdown_cell(
        """## Exercises

```{exercise-start} One
:label: ex-01-one
```
What is it?
```{exercise-end}
```"""
    ),
    v4.new_markdown_cell("```{solution-start} ex-01-one\n:class: dropdown\n```\nSecret one:"),
    v4.new_code_cell("secret = 2"),
    v4.new_markdown_cell(
        """Secret too.

```{solution-end}
```

```{exercise-start} Two
:label: ex-01-two
```
And this?
```{exercise-end}
```

```{solution-start} ex-01-two
:class: dropdown
```
Secret three.
```{solution-end}
```

## Self-check

:::{admonition} Answer
:class: dropdown
Open.
:::"""
    ),
    v4.new_code_cell("x"),
]


def sources(notebook):
    return [(cell.cell_type, cell.source) for cell in notebook.cells]


def test_solutions_go_and_each_exercise_gets_a_cell():
    made = student.copy(v4.new_notebook(cells=CELLS))
    nbformat.validate(made)
    kinds = [kind for kind, _ in sources(made)]
    assert kinds == ["markdown", "code"] * 4
    texts = [text for _, text in sources(made)]
    assert texts[3] == texts[5] == ""
    assert "What is it?" in texts[2] and "And this?" in texts[4]
    assert texts[6].startswith("## Self-check") and "Open." in texts[6]
    assert "secret" not in "".join(texts).lower() and "solution" not in "".join(texts)


@pytest.mark.parametrize("name", chapters.names())
def test_every_chapter_keeps_all_but_its_solutions(name):
    chapter = nbformat.read(chapters.BOOK / f"{name}.ipynb", as_version=4)
    made = student.copy(chapter)
    nbformat.validate(made)
    text = "\n".join(cell.source for cell in chapter.cells)
    left = "\n".join(cell.source for cell in made.cells)
    assert "{solution-" not in left
    for label in re.findall(r"\{exercise-start\}.*\n:label: ([\w-]+)", text):
        assert f":label: {label}\n" in left
    empty = [cell for cell in made.cells if cell.cell_type == "code" and not cell.source]
    assert len(empty) == text.count("{exercise-end}")
    assert left.count(":::{admonition} Answer") == text.count(":::{admonition} Answer")
    # The code outside of the solutions is that of the chapter, in its order.
    solved, code = False, []
    for cell in chapter.cells:
        if cell.cell_type == "code":
            code += [] if solved else [cell.source]
        for mark in re.findall(r"\{solution-(start|end)\}", cell.source):
            solved = mark == "start"
    assert [c.source for c in made.cells if c.cell_type == "code" and c.source] == code


def test_copies_that_somebody_worked_in_are_kept(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["student.py", str(tmp_path)])
    assert student.main() == 0
    first, second, third = (tmp_path / f"{name}.ipynb" for name in chapters.names()[:3])
    assert sorted(path.stem for path in tmp_path.iterdir()) == sorted(chapters.names())
    mine = nbformat.read(first, as_version=4)
    mine.cells[-1].source += "\nMy answer."
    nbformat.write(mine, first)
    run = nbformat.read(second, as_version=4)
    code = next(cell for cell in run.cells if cell.cell_type == "code")
    code.outputs = [v4.new_output("stream", text="2")]
    nbformat.write(run, second)
    third.unlink()
    capsys.readouterr()
    assert student.main() == 0
    assert nbformat.read(first, as_version=4).cells[-1].source.endswith("My answer.")
    kept = re.findall(r"^(\S+) has been worked in", capsys.readouterr().out, re.M)
    assert kept == [first.name]
    cells = nbformat.read(second, as_version=4).cells
    assert not any(cell.get("outputs") for cell in cells)
    assert third.exists()
