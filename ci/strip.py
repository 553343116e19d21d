"""Write the chapters as they are kept in git: ``python ci/strip.py``.

Without outputs, and each with the cell for kernels that lack the package.
"""

import environment

if __name__ == "__main__":
    environment.enter()

import json

import nbformat
import yaml
from nbformat import v4

import chapters
from environment import ROOT

CONFIG = ROOT / "_config.yml"
KEPT = {"tags", "mystnb"}
INSTALL = "install"


def strip(notebook: nbformat.NotebookNode) -> None:
    """Drop outputs, counts and whatever an editor left; tags and captions stay."""
    notebook.metadata = nbformat.NotebookNode(
        kernelspec={"display_name": "Python 3", "language": "python", "name": "python3"},
        language_info={"name": "python"},
    )
    for cell in notebook.cells:
        cell.metadata = nbformat.NotebookNode(
            {name: value for name, value in cell.metadata.items() if name in KEPT}
        )
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None


def install_cell() -> nbformat.NotebookNode:
    """The cell that installs the package where it is absent; no page shows it."""
    config = yaml.safe_load(CONFIG.read_text("utf-8"))
    code = (ROOT / "ci" / "install_cell.py").read_text("utf-8").strip()
    code = code.replace('"REPOSITORY"', json.dumps(config["repository"]["url"]))
    return v4.new_code_cell(code, id=INSTALL, metadata={"tags": ["remove-cell"]})


def add_install_cell(notebook: nbformat.NotebookNode) -> None:
    """Put the cell of today before the first code cell, in place of an older one."""
    cells = [cell for cell in notebook.cells if cell.get("id") != INSTALL]
    first = next(i for i, cell in enumerate(cells) if cell.cell_type == "code")
    notebook.cells = [*cells[:first], install_cell(), *cells[first:]]


if __name__ == "__main__":
    for path in sorted(chapters.BOOK.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        strip(notebook)
        add_install_cell(notebook)
        nbformat.write(notebook, path)
