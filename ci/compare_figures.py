"""Plugin of pytest that makes nbval stricter.

nbval leaves pictures out of its comparison; here they take part, as decoded pixels. And every
notebook starts from an empty work folder of its own, which shows that each chapter stands
alone. nbval also runs cells outside the kernel's history, where a ``;`` at the end of a line no
longer silences it: that is mended too.
"""

import base64
import io
import os
from pathlib import Path

import numpy as np
from nbval.kernel import RunningKernel
from nbval.plugin import IPyNbCell, IPyNbFile
from PIL import Image

PICTURES = ("image/png", "image/jpeg")
TOLERANCE = 1
"""Largest difference of a pixel's value, of 255, that still counts as the same picture.

On one machine, with one number of threads, pictures repeat exactly; the one level is for a
rounding that falls to the other side.
"""


def alike(first: str, second: str, tolerance: int = TOLERANCE) -> bool:
    """Whether two pictures, base64-encoded, have one size and all but the same pixels."""
    one, two = (
        np.asarray(Image.open(io.BytesIO(base64.b64decode(text))).convert("RGBA"), dtype=int)
        for text in (first, second)
    )
    return one.shape == two.shape and int(np.abs(one - two).max(initial=0)) <= tolerance


def pytest_configure(config) -> None:
    """Put the stricter methods in nbval's place."""
    compare, setup = IPyNbCell.compare_outputs, IPyNbFile.setup

    def compare_with_pictures(self, test, ref, skip_compare=None):
        skipped = skip_compare or self.parent.skip_compare
        for new, old in zip(test, ref, strict=False):
            for kind in PICTURES:
                pair = new.get("data", {}).get(kind), old.get("data", {}).get(kind)
                if all(pair) and alike(*pair):
                    new["data"][kind] = old["data"][kind]
        return compare(self, test, ref, tuple(set(skipped) - set(PICTURES)))

    def setup_alone(self):
        own = Path(os.environ["APM_HOME"]) / self.path.stem
        before = os.environ["APM_HOME"]
        os.environ["APM_HOME"] = str(own)
        try:
            setup(self)
        finally:
            os.environ["APM_HOME"] = before

    def execute_with_history(self, cell_input, allow_stdin=None):
        return self.kc.execute(cell_input, allow_stdin=allow_stdin, stop_on_error=False)

    RunningKernel.execute_cell_input = execute_with_history
    IPyNbCell.compare_outputs = compare_with_pictures
    IPyNbFile.setup = setup_alone
