"""Remove outputs from the chapters, as they are kept in git: ``python ci/strip.py``."""

import environment

if __name__ == "__main__":
    environment.enter()

import nbformat

import chapters

KEPT = {"tags", "mystnb"}


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


if __name__ == "__main__":
    for path in sorted(chapters.BOOK.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        strip(notebook)
        nbformat.write(notebook, path)
