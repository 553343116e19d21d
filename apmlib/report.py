"""The executable report: a notebook run on any rated collection, and the page that it becomes.

``report.ipynb`` beside this file is the report; papermill gives it its parameters and runs it,
nbconvert makes the page of it (``report.html.j2``). Nothing on the page is fetched from
elsewhere, and nothing in it depends on the clock or on the machine's folders.
"""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from apmlib.errors import InputError

NOTEBOOK = Path(__file__).with_name("report.ipynb")
TEMPLATE = Path(__file__).with_name("report.html.j2")
NEEDS = ("papermill", "nbconvert", "ipykernel", "matplotlib")  # of the extra "book"
FILES = ("report.html", "report.ipynb")
MARK = "made by apm report"  # in both files: one without it is not ours to write over


def report(
    run: str | os.PathLike,
    data: str | os.PathLike,
    out: str | os.PathLike,
    split: str = "test",
    explain: int = 3,
) -> list[tuple[str, str]]:
    """Write ``report.html`` and ``report.ipynb`` of a run on a split of ``data`` into ``out``.

    ``explain`` photographs get heat maps. Returns (image, reason) of the photographs that
    cannot be read, which are left out. Both files are written when all is done, or stay as they
    were. InputError, one line, for whatever keeps the report from being made.
    """
    missing = [name for name in NEEDS if find_spec(name) is None]
    if missing:
        raise InputError(
            f"apm report: needs {', '.join(missing)}; pip install '.[book]' where apmlib's "
            "pyproject.toml is"
        )
    out = Path(out)
    _check_free(out)
    given = {"run": os.fspath(run), "data": os.fspath(data), "split": split, "explain": explain}
    notebook = _execute(given)
    title = " on ".join(Path(path).absolute().name for path in (run, data))
    notebook.metadata |= {"title": f"Report: {title}", "generator": MARK}
    _write(out, notebook)
    return [
        tuple(pair)
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        for pair in output.get("metadata", {}).get("skipped", [])
    ]


def command(run: str, data: str, split: str, explain: int) -> str:
    """The command line of a report, without the folder that it is written to."""
    words = ["apm", "report", run, "--data", data]
    words += ["--split", split] * (split != "test")
    words += ["--explain", str(explain)] * (explain != 3)
    return shlex.join([*words, "--out"]) + " DIR"


def tidy(notebook) -> None:
    """Drop what papermill adds (paths, times) and hide the cell that it injects."""
    for gone in ("papermill", "widgets"):
        notebook.metadata.pop(gone, None)
    for cell in notebook.cells:
        for gone in ("papermill", "execution"):
            cell.metadata.pop(gone, None)
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.metadata.tags.append("remove-cell")
            cell.id = "injected-parameters"


def _check_free(out: Path) -> None:
    """Find out before the work whether ``out`` can be written, and nothing is in the way."""
    there = next(path for path in (out, *out.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise InputError(f"{there}: is no folder that can be written; choose another --out")
    for path in (out / name for name in FILES):
        if path.exists() and MARK.encode() not in path.read_bytes():
            raise InputError(
                f"{path}: is there already and no report of ours; choose another --out"
            )


def _execute(given: dict):
    """The notebook, executed with these parameters and tidied."""
    import nbformat
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    bar = {"desc": "report", "leave": False} if sys.stderr.isatty() else False
    with _surroundings():
        try:
            notebook = papermill.execute_notebook(
                nbformat.read(NOTEBOOK, as_version=4),
                None,
                parameters=given,
                kernel_name="python3",
                progress_bar=bar,
            )
        except PapermillExecutionError as error:
            raise InputError(_one_line(error)) from None
        except DeadKernelError:
            raise InputError(
                f"{given['data']}: the notebook's process died; is there memory enough?"
            ) from None
    tidy(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":  # warnings name processes and folders
            cell.outputs = [item for item in cell.outputs if item.get("name") != "stderr"]
    return notebook


def _one_line(error) -> str:
    """What went wrong in the notebook: the line of an InputError, or what and where."""
    if error.ename == "InputError":
        return error.evalue
    what = " ".join(f"{error.ename}: {error.evalue}".split())
    return f"{NOTEBOOK.name}, cell {error.cell_index + 1}: {what}; the report was not made"


@contextmanager
def _surroundings() -> Iterator[None]:
    """What the notebook's process inherits: this apmlib, and no settings of the user's."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder) / "profile_default" / "ipython_kernel_config.py"
        settings.parent.mkdir()
        # What the kernel says of its connection, or its end, would stand among our lines.
        settings.write_text("c.IPKernelApp.log_level = 50\n", encoding="utf-8")
        paths = [str(Path(__file__).resolve().parents[1]), os.environ.get("PYTHONPATH", "")]
        ours = {
            "IPYTHONDIR": folder,
            "MPLBACKEND": "agg",
            "PYTHONHASHSEED": "0",
            "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        }
        before = {name: os.environ.get(name) for name in ours}
        os.environ.update(ours)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


def _write(out: Path, notebook) -> None:
    """Both files, whole: first under other names, then put in place."""
    import nbformat
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(
        template_file=str(TEMPLATE),
        exclude_input=True,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    html, _ = exporter.from_notebook_node(notebook)
    texts = dict(zip(FILES, (html, nbformat.writes(notebook) + "\n"), strict=True))
    out.mkdir(parents=True, exist_ok=True)
    parts = {out / name: out / f".{name}.{os.getpid()}" for name in FILES}
    try:
        for path, part in parts.items():
            part.write_text(texts[path.name], encoding="utf-8", newline="\n")
        for path, part in parts.items():
            os.replace(part, path)
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)
