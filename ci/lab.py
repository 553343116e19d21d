"""JupyterLab on the chapters: ``python ci/lab.py [options of jupyter lab]``."""

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
        command = [sys.executable, "-m", "jupyterlab", str(chapters.BOOK), *sys.argv[1:]]
        sys.exit(subprocess.call(command))
    except KeyboardInterrupt:
        sys.exit(130)
