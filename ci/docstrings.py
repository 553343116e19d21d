"""A Sphinx extension: docstrings are prose, in which stars and bars mean themselves."""

import re


def setup(app) -> dict:
    """Have every docstring made plain before others read it as reStructuredText."""
    app.connect("autodoc-process-docstring", _plain, priority=100)
    return {"parallel_read_safe": True}


def _plain(app, what, name, thing, options, lines: list[str]) -> None:
    lines[:] = plain("\n".join(lines)).split("\n")


# Code, and words that are meant to be emphasised.
MARKED = re.compile(r"(``.*?``|`[^`]+`|(?<![\w*])\*[A-Za-z][\w ]*\*(?![\w*]))", re.S)


def plain(text: str) -> str:
    """Escape every other ``*`` and ``|``: they would begin emphasis or a substitution."""
    parts = MARKED.split(text)
    parts[::2] = [re.sub(r"([*|])", r"\\\1", part) for part in parts[::2]]
    return "".join(parts)
