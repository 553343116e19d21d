"""The world is frozen before anything is trained on it; a hash says whether it still is.

A world that could be changed after the results are known could be bent until they please.
``data/simulated-frozen.json`` holds the hash of the code that decides what is drawn and how it
is voted on, and a log of every change with its reason. A test compares. A change that is
meant is logged by ``python -m apmlib.simulated.frozen "the reason"``.
"""

import ast
import hashlib
import json
import os
import sys
from datetime import date
from pathlib import Path

FOLDER = Path(__file__).parent
RECORD = FOLDER.parents[1] / "data" / "simulated-frozen.json"
# These decide neither a byte of a photograph nor a vote.
ASIDE = ("frozen.py", "marginals.py", "references.py", "workers.py")


def world_hash(folder: Path = FOLDER) -> str:
    """Hash of the code of the world, 16 hexadecimal digits.

    Comments, layout and docstrings do not count, nor does the version of Python.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        if path.name not in ASIDE:
            name = path.relative_to(folder).as_posix()
            code = _plain(ast.parse(path.read_text(encoding="utf-8")))
            digest.update(json.dumps([name, code]).encode())
    return digest.hexdigest()[:16]


def record() -> dict:
    """What is frozen: "hash", and "log", a list of dates, hashes and reasons, oldest first."""
    return json.loads(RECORD.read_text(encoding="utf-8"))


def freeze(reason: str) -> dict:
    """Log the world as it is now, with today's date and the reason, as the frozen one."""
    log = record()["log"] if RECORD.is_file() else []
    now = world_hash()
    if not log or log[-1]["hash"] != now:
        log.append({"date": date.today().isoformat(), "hash": now, "reason": reason})
    frozen = {"hash": now, "log": log}
    temporary = RECORD.with_name(f".{RECORD.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps(frozen, indent=2) + "\n", encoding="utf-8")
    os.replace(temporary, RECORD)
    return frozen


def _plain(node):
    """A syntax tree as lists and strings, without docstrings and without empty fields."""
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = dict(ast.iter_fields(node))
    if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
        fields["body"] = fields["body"][1:]
    kept = {name: _plain(value) for name, value in fields.items() if value not in (None, [])}
    # A constant None is a value, an absent field is not.
    if isinstance(node, ast.Constant):
        kept["value"] = repr(node.value)
    return [type(node).__name__, kept]


_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


if __name__ == "__main__":
    if len(sys.argv) != 2 or not sys.argv[1].strip():
        sys.exit('say why: python -m apmlib.simulated.frozen "the reason"')
    print(json.dumps(freeze(sys.argv[1]), indent=2))
