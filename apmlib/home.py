"""Where everything expensive is kept."""

import os
from pathlib import Path


def home() -> Path:
    """Folder of simulated collections and trained runs, absolute, made when missing.

    ``$APM_HOME`` where it is set, else ``data/work`` of the repository.
    """
    default = Path(__file__).resolve().parents[1] / "data" / "work"
    path = Path(os.environ.get("APM_HOME") or default).expanduser().resolve()
    path.mkdir(parents=True, exist_ok=True)
    return path
