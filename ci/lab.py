"""JupyterLab on the chapters: ``python ci/lab.py``."""

import environment

if __name__ == "__main__":
    environment.enter()

import subprocess
import sys

import chapters
from environment import ROOT

if __name__ == "__main__":
    chapters.prepare_environment(ROOT / "data" / "work", ROOT / "_build" / "ipython")
    try:
        sys.exit(subprocess.call([sys.executable, "-m", "jupyterlab", str(chapters.BOOK)]))
    except KeyboardInterrupt:
        sys.exit(130)
