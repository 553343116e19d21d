"""The project's own Python environment in ``.venv``, made or brought up to date on demand.

Standard library only, and written so that an old Python can still read it and say what it
lacks: the other programs in this folder call :func:`enter` before they import anything else.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = ROOT / ".venv"
STAMP = ENVIRONMENT / "installed.txt"
DEPENDS_ON = (ROOT / "ci" / "constraints.txt", ROOT / "pyproject.toml")


def enter():
    """Go on inside the project's environment, with all that it needs installed.

    Called from another Python, this makes the environment, runs the same command in it and ends
    with its status. With ``--no-install`` the running Python is used as it is.
    """
    complaint = unsupported(sys.version_info)
    if complaint:
        sys.exit(complaint)
    if "--no-install" in sys.argv:
        sys.argv.remove("--no-install")
        return
    if not _up_to_date():
        _install()
    if Path(sys.prefix).resolve() != ENVIRONMENT.resolve():
        try:
            sys.exit(subprocess.call([str(_python())] + sys.argv))
        except KeyboardInterrupt:
            sys.exit(130)


def unsupported(version):
    """One line for a Python that cannot run the project, ``""`` for one that can."""
    if (3, 11) <= tuple(version[:2]) <= (3, 13):
        return ""
    return (
        "Python 3.11, 3.12 or 3.13 is needed and this is {}.{}: name another one, as in "
        "'make PYTHON=python3.12 ...' or 'python3.12 ci/book.py'.".format(*version[:2])
    )


def _python():
    windows = ENVIRONMENT / "Scripts" / "python.exe"
    return windows if os.name == "nt" else ENVIRONMENT / "bin" / "python"


def _key():
    return hashlib.sha256(b"".join(path.read_bytes() for path in DEPENDS_ON)).hexdigest()


def _up_to_date():
    if not (STAMP.exists() and _python().exists()):
        return False
    return STAMP.read_text(encoding="utf-8").strip() == _key()


def _has_pip():
    """Whether the environment is there and was not left half made."""
    if not _python().exists():
        return False
    question = [str(_python()), "-m", "pip", "--version"]
    return subprocess.call(question, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0


def _install():
    if not _has_pip():
        print("Making the environment .venv (about 7 GB; minutes, the first time)", flush=True)
        made = subprocess.call([sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT)])
        if made != 0 or not _has_pip():
            sys.exit(
                f"No environment could be made with {sys.executable}: on Debian or Ubuntu, "
                "install python3-venv and call again."
            )
    print("Installing into .venv", flush=True)
    STAMP.unlink(missing_ok=True)
    command = [str(_python()), "-m", "pip", "install", "--disable-pip-version-check"]
    if not sys.stdout.isatty():
        command.append("--quiet")
    command += ["-c", str(DEPENDS_ON[0]), "-e", str(ROOT) + "[book,test]"]
    if subprocess.call(command) != 0:
        sys.exit("The installation failed (see above); what is there is kept, call again.")
    temporary = STAMP.with_suffix(".part")
    temporary.write_text(_key(), encoding="utf-8")
    os.replace(str(temporary), str(STAMP))
