"""Progress of long work on a terminal, silence elsewhere."""

import os
import sys
from collections.abc import Iterable
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")


def progress(items: Iterable[T] | None, what: str, total: int | None = None, initial: int = 0):
    """Wrap ``items`` in a progress bar on standard error.

    A notebook or a log would keep every redrawn bar, so the bar is shown on a terminal only,
    or where ``APM_PROGRESS=1`` asks for it. The object returned is tqdm's: it has
    ``set_postfix_str``.
    """
    shown = sys.stderr.isatty() or os.environ.get("APM_PROGRESS") == "1"
    return tqdm(items, desc=what, total=total, initial=initial, disable=not shown, leave=False)
