"""Execution of the chapters with papermill, and what must hold for an executed one."""

import hashlib
import json
import os
import sys
import time
from pathlib import Path

import nbformat
import papermill
import yaml
from papermill.exceptions import PapermillExecutionError

from environment import ROOT

sys.path.insert(0, str(ROOT))

from apmlib.report import tidy

BOOK = ROOT / "book"
PARAMETERS = {"profile", "seed"}


class ChapterError(RuntimeError):
    """A chapter that did not run to its end, or must not be published as it came out."""


def names(toc: Path = BOOK / "_toc.yml") -> list[str]:
    """Names of the chapters (the notebooks of the table of contents) in their order."""
    pages = [
        chapter["file"]
        for part in yaml.safe_load(toc.read_text("utf-8"))["parts"]
        for chapter in part["chapters"]
    ]
    return [page for page in pages if page[:2].isdigit()]


def prepare_environment(home: Path, ipython: Path) -> None:
    """Set what every kernel started from here on inherits.

    ``home`` is where chapters keep what is expensive; ``ipython`` becomes IPython's own folder,
    so that no profile of the user's changes a page. Values that are set already win for
    ``APM_HOME`` only.
    """
    os.environ.setdefault("APM_HOME", str(home))
    os.environ["IPYTHONDIR"] = str(ipython)
    os.environ["PYTHONHASHSEED"] = "0"
    # This clone's package and no other, also where another one is installed.
    paths = [str(ROOT), str(ROOT / "ci"), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    os.environ["PATH"] = str(Path(sys.executable).parent) + os.pathsep + os.environ["PATH"]
    os.environ.pop("MPLBACKEND", None)
    settings = ipython / "profile_default" / "ipython_kernel_config.py"
    settings.parent.mkdir(parents=True, exist_ok=True)
    # Else a kernel speaks of its local connection, and of the interrupt that ends it. What goes
    # wrong in a chapter, papermill tells.
    settings.write_text("c.IPKernelApp.log_level = 50\n", encoding="utf-8")


def key(source: Path, profile: str) -> str:
    """Hash of all that decides a chapter's outputs: it runs again when this changes."""
    files = [source, ROOT / "ci" / "constraints.txt", *sorted(BOOK.glob("*.csv"))]
    files += sorted((ROOT / "apmlib").rglob("*.py"))
    files += sorted(
        path
        for folder in ("released", "results")
        for path in (ROOT / "data" / folder).rglob("*")
        # How long chapters took is shown on them and must not make them run again.
        if path.is_file() and path.name != "chapter-seconds.json"
    )
    digest = hashlib.sha256(profile.encode())
    for path in files:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def execute(source: Path, target: Path, profile: str) -> float:
    """Execute ``source`` into ``target`` and return the seconds that it took.

    ``target`` appears only when every cell ran and nothing speaks against publishing it; its
    first cell then holds the profile, hidden on the page.
    """
    found = set(papermill.inspect_notebook(str(source)))
    if found != PARAMETERS:
        raise ChapterError(
            f"{source.name}: its cell tagged 'parameters' sets {sorted(found) or 'nothing'} "
            f"and must set {sorted(PARAMETERS)}"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_suffix(".part.ipynb")
    bar = {"desc": source.stem, "leave": False} if sys.stderr.isatty() else False
    started = time.perf_counter()
    try:
        papermill.execute_notebook(
            str(source),
            str(temporary),
            parameters={"profile": profile, "seed": 0},
            kernel_name="python3",
            cwd=str(target.parent),
            progress_bar=bar,
        )
    except PapermillExecutionError as failure:
        raise ChapterError(
            f"{source.name}, cell {failure.cell_index + 1}:\n\n{failure.source}\n\n"
            + "\n".join(failure.traceback)
        ) from None
    seconds = time.perf_counter() - started
    notebook = nbformat.read(temporary, as_version=4)
    tidy(notebook)
    found = problems(notebook)
    if found:
        raise ChapterError("\n".join(f"{source.name}, {problem}" for problem in found))
    nbformat.write(notebook, temporary)
    os.replace(temporary, target)
    return seconds


def problems(notebook: nbformat.NotebookNode) -> list[str]:
    """What keeps an executed chapter from being published, a line each."""
    found = []
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        if cell.execution_count is None:
            found.append(f"cell {number} was not executed")
        for output in cell.outputs:
            if output.output_type == "error":
                found.append(f"cell {number} raised {output.ename}: {output.evalue}")
            if output.get("name") == "stderr":
                found.append(f"cell {number} wrote to standard error: {output.text.strip()}")
            if "application/vnd.jupyter.widget-view+json" in output.get("data", {}):
                found.append(f"cell {number} shows a widget, which a page cannot")
            if str(ROOT) in json.dumps(_texts(output)):
                found.append(f"cell {number} prints a path of this machine")
    return found


def _texts(output: nbformat.NotebookNode) -> list[str]:
    data = output.get("data", {})
    return [output.get("text", "")] + [str(v) for k, v in data.items() if "image" not in k]
