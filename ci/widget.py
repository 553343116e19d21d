"""Take the picture of the rating widget anew: ``python ci/widget.py``.

Some simulated photographs are rated in JupyterLab, in headless Chromium, as a reader would rate
them: clicks, a key, and after a reload the work goes on. Writes ``book/images/rating.webp``.
"""

import environment

if __name__ == "__main__":
    environment.enter()

import io
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import nbformat
from nbformat import v4
from PIL import Image
from playwright.sync_api import Page, sync_playwright

import chapters
from apmlib import rating
from apmlib.simulated import world
from environment import ROOT

PICTURE = ROOT / "book" / "images" / "rating.webp"
LEAST = 9  # photographs that anna has rated already, before the three of :func:`take`
WIDE = {"width": 900, "height": 900}


@contextmanager
def jupyter(folder: Path):
    """A JupyterLab server on ``folder`` while it lasts; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jupyterlab", str(folder), f"--port={port}"]
    command += [
        "--no-browser",
        "--allow-root",
        "--IdentityProvider.token=",
        "--LabApp.news_url=",
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            for line in server.stderr:
                if "is running at" in line:
                    break
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def opened(page: Page, address: str, name: str = "rating.ipynb"):
    """The widget of the one cell of notebook ``name``, run in ``page``."""
    page.goto(f"{address}/lab/tree/{name}?reset")
    page.locator(".jp-Notebook .jp-CodeCell .cm-content").first.click()
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()
    page.keyboard.press("Control+Enter")
    widget = page.locator(".jp-OutputArea-output .widget-vbox").first
    widget.locator("img").wait_for()
    return widget


def notebook(path: Path, folder: Path, rater: str) -> None:
    """A notebook of the one line that opens the widget."""
    line = f'from apmlib import rating\nrating.widget("{folder.as_posix()}", rater="{rater}")'
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cell = v4.new_code_cell(line)
    nbformat.write(v4.new_notebook(cells=[cell], metadata={"kernelspec": kernel}), path)


def told(widget, text: str) -> None:
    """Wait until the widget says ``text``."""
    widget.get_by_text(text).wait_for()


def take(folder: Path, address: str) -> Image.Image:
    """Rate three photographs of ``folder`` in the browser; the picture of the widget."""
    before = len(rating.votes(folder, "anna"))
    queue = rating.left(folder, "anna")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport=WIDE)
        widget = opened(page, address)
        widget.get_by_role("button", name="7", exact=True).click()
        told(widget, f"{before + 1} of")
        widget.locator("input").click()
        page.keyboard.press("0")
        told(widget, f"{before + 2} of")
        page.reload()
        widget = opened(page, address)
        told(widget, f"{before + 2} of")
        widget.get_by_role("button", name="6", exact=True).click()
        told(widget, f"{before + 3} of")
        given = list(rating.votes(folder, "anna").items())[before:]
        assert given == list(zip(queue[:3], (7, 10, 6), strict=True)), given
        picture = widget.screenshot()
        browser.close()
    return Image.open(io.BytesIO(picture)).convert("RGB")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        world.simulate(place / "world", 200, 480, seed=15)
        folder = place / "world" / "images"
        rating.start(folder)
        queue, latents = rating.left(folder, "anna"), world.read_latents(place / "world")
        wide = latents.index[(latents["category"] == "seascape") & (latents["aspect"] > 1.4)]
        shown = next(i for i in range(LEAST + 3, 200) if Path(queue[i]).stem in wide)
        for number, image in enumerate(queue[: shown - 3]):
            rating.vote(folder, "anna", image, 3 + number % 6)
        notebook(place / "rating.ipynb", folder, "anna")
        chapters.prepare_environment(place / "home", place / "ipython")
        with jupyter(place) as address:
            taken = take(folder, address)
    PICTURE.parent.mkdir(exist_ok=True)
    taken.save(PICTURE, quality=80, method=6)
    print(f"{PICTURE.relative_to(ROOT)}: {PICTURE.stat().st_size // 1024} KB, {taken.size}")
