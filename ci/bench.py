"""Every benchmark that needs no GPU, one after the other.

    python ci/bench.py [--quick] [--no-install]

Each is a program of its own in ci/bench/ and writes data/results/bench-NAME.json. They run on
an idle machine, or the numbers are worth little. One that fails does not stop the others; then
the status is 1.
"""

import environment

if __name__ == "__main__":
    environment.enter()

import subprocess
import sys

from environment import ROOT

NAMES = ("reading", "memory", "training", "scoring")


def main() -> int:
    """Run them; return the exit status."""
    failed = []
    for name in NAMES:
        program = ROOT / "ci" / "bench" / f"{name}.py"
        if subprocess.call([sys.executable, program, "--no-install", *sys.argv[1:]]):
            failed.append(name)
    if failed:
        print(f"bench: failed: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
