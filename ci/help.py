"""What the Makefile can make, from the comments beside its targets."""

import re
from pathlib import Path

if __name__ == "__main__":
    makefile = Path(__file__).resolve().parents[1] / "Makefile"
    for target, what in re.findall(r"^([\w-]+):.*?## (.*)$", makefile.read_text("utf-8"), re.M):
        print(f"make {target:14} {what}")
