"""Open every built page in a real browser: ``python ci/browser.py [FOLDER]``.

Pages are opened as their readers open them, as files, in headless Chromium: on a wide screen in
light and in dark mode, and on a phone. Every fault is printed on a line that names its page.
"""

import environment

if __name__ == "__main__":
    environment.enter()

import argparse
import io
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlparse
from urllib.request import url2pathname

import numpy as np
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import BrowserContext, Page, TimeoutError, sync_playwright

from environment import ROOT

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ABSENT = "no Chromium on this machine (on Debian: apt-get install chromium)"
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
SEARCHED = "photograph"
PATIENCE = 120_000  # milliseconds that anything may take, on a busy machine
SEARCHING = 20_000  # and until a search must have found something
BROWSING = 2  # browsers at work side by side
PHOTOGRAPHS = "img.dark-light"

# What axe-core finds in the theme and in what other programs write, and no page can mend: the
# rule, the elements that are excused (a CSS selector), the reason.
THEME = [
    ("region", ".bd-sidebar-primary *", "the theme gives its side bar no landmark"),
    ("empty-table-header", "table.dataframe th", "pandas heads its index column with nothing"),
    ("aria-allowed-role", ".citation", "docutils gives each work of a bibliography this role"),
    (
        "aria-deprecated-role",
        ".citation",
        "docutils gives each work of a bibliography this role",
    ),
    (
        "aria-required-children",
        ".citation-list",
        "docutils makes the bibliography a list of these",
    ),
]


def find() -> str | None:
    """The path of a Chromium on this machine, ``None`` where there is none."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def problems(html: Path, chromium: str) -> dict[str, list[str]]:
    """What is wrong with each page under ``html``: a line each, none where all is well."""
    names = [path.relative_to(html).as_posix() for path in sorted(html.rglob("*.html"))]
    names = [name for name in names if not name.startswith("_")]
    with ThreadPoolExecutor(BROWSING) as pool:
        shares = [names[i::BROWSING] for i in range(BROWSING)]
        parts = pool.map(lambda share: tour(html, share, chromium), shares)
        visits = {name: seen for part in parts for name, seen in part.items()}
    targets = {(html / name).resolve(): set(seen["ids"]) for name, seen in visits.items()}
    found = {}
    for name in names:
        lines = visits[name]["found"] + dead(visits[name]["links"], targets)
        found[name] = list(dict.fromkeys(lines))
    return found


def tour(html: Path, names: list[str], chromium: str) -> dict[str, dict]:
    """Open some pages, one after the other, in a browser of their own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        context = browser.new_context(viewport=WIDE, color_scheme="light")
        context.set_default_timeout(PATIENCE)
        try:
            visits = {name: visit(context, html / name) for name in names}
            if "search.html" in visits:
                visits["search.html"]["found"] += unsearchable(context, html)
        finally:
            browser.close()
    return visits


def visit(context: BrowserContext, path: Path) -> dict[str, list[str]]:
    """Open one page; return its faults (``found``), its ``ids`` and its ``links``."""
    found = []
    page = context.new_page()
    page.on("console", lambda message: found.extend(_complaint(message)))
    page.on("pageerror", lambda error: found.append(f"a script fails: {_line(error.message)}"))
    page.on(
        "requestfailed",
        lambda request: _local(request.url) and found.append(f"misses {_name(request.url)}"),
    )
    page.route(lambda url: not _local(url), lambda route: _refuse(route, found))
    try:
        page.goto(path.resolve().as_uri())
        page.evaluate("() => window.MathJax?.startup?.promise")
        state = page.evaluate(STATE)
        found += [f"misses {_name(address)}" for address in state["broken"]]
        found += too_wide(page)
        found += altered(page)
        found += inaccessible(page)
    finally:
        page.close()
    return {"found": found, "ids": state["ids"], "links": state["links"]}


# Everything that is folded away is opened first: it is read, too. Colours change at once.
STATE = """() => {
    document.querySelectorAll('details').forEach(details => details.open = true);
    document.querySelectorAll('.toggle-hidden').forEach(
        element => element.classList.remove('toggle-hidden'));
    document.head.append(document.createElement('style'));
    document.head.lastChild.textContent = '* { transition: none !important }';
    return {
        ids: [...document.querySelectorAll('[id], a[name]')].map(e => e.id || e.name),
        links: [...document.querySelectorAll('a[href]')].map(
            a => new URL(a.getAttribute('href'), location).href),
        broken: [...document.images].filter(i => !i.naturalWidth).map(i => i.src),
    };
}"""


def inaccessible(page: Page) -> list[str]:
    """What axe-core objects to, in light mode and, as colours go, in dark mode."""
    page.evaluate(SLIM)
    found = _axe(page, {})
    page.emulate_media(color_scheme="dark")
    found += [
        f"{line} in dark mode"
        for line in _axe(page, {"runOnly": ["color-contrast", "link-in-text-block"]})
        if line not in found
    ]
    page.emulate_media(color_scheme="light")
    return found


# Of the thousands of coloured tokens in code and of glyphs in formulas, all of which axe would
# compare with all that they might overlap, one token of each kind stays.
SLIM = """() => {
    const kinds = new Set();
    document.querySelectorAll('pre span, .sig span, .sig em').forEach(token => {
        if (kinds.has(token.className)) token.replaceWith(...token.childNodes);
        kinds.add(token.className);
    });
    document.querySelectorAll('mjx-container').forEach(formula => formula.replaceChildren());
    document.querySelectorAll('pre, .sig').forEach(code => code.normalize());
}"""


def _axe(page: Page, options: dict) -> list[str]:
    # Without `preload`: style sheets of files cannot be read by a script.
    options = {"resultTypes": ["violations"], "preload": False, **options}
    results = Axe().run(page, options=options)
    found = []
    for violation in results.response["violations"]:
        nodes = _unexcused(page, violation)
        if nodes:
            where = f"{_line(nodes[0]['html'])[:120]}"
            more = f" and {len(nodes) - 1} more" if len(nodes) > 1 else ""
            found.append(f"{violation['id']}: {violation['help']}: {where}{more}")
    return found


def _unexcused(page: Page, violation: dict) -> list[dict]:
    selector = ", ".join(where for rule, where, _ in THEME if rule == violation["id"])
    if not selector:
        return violation["nodes"]
    where = [node["target"][0] for node in violation["nodes"]]
    excused = page.evaluate(
        "([where, selector]) => where.map(w => document.querySelector(w).matches(selector))",
        [where, selector],
    )
    return [node for node, known in zip(violation["nodes"], excused, strict=True) if not known]


def altered(page: Page) -> list[str]:
    """Pictures that a style filters, and photographs whose pixels dark mode changes."""
    found, shots = [], {}
    photograph = page.locator(PHOTOGRAPHS).first
    for mode in ("light", "dark"):
        page.emulate_media(color_scheme=mode)
        filtered = page.evaluate(FILTERED)
        found += [f"shows {_name(address)} altered in {mode} mode" for address in filtered]
        if page.locator(PHOTOGRAPHS).count():
            # Without the edge, where half a pixel may be ground.
            pixels = np.asarray(Image.open(io.BytesIO(photograph.screenshot())))
            shots[mode] = pixels[1:-1, 1:-1]
    if shots and not np.array_equal(shots["light"], shots["dark"]):
        address = photograph.evaluate("image => image.src")
        found.append(f"shows other pixels of {_name(address)} in dark mode")
    page.emulate_media(color_scheme="light")
    return found


FILTERED = """() => [...document.querySelectorAll('main img')].filter(image => {
    for (let element = image; element; element = element.parentElement) {
        const style = getComputedStyle(element);
        if (style.filter !== 'none' || style.opacity !== '1' || style.mixBlendMode !== 'normal')
            return true;
    }
    return false;
}).map(image => image.src)"""


def too_wide(page: Page) -> list[str]:
    """Whether the page must be pushed sideways on a phone, and what makes it so wide."""
    page.set_viewport_size(PHONE)
    wide = page.evaluate(WIDEST, PHONE["width"])
    page.set_viewport_size(WIDE)
    return [f"is {wide[0]} pixels wide on a phone: {_line(wide[1])[:120]}"] if wide else []


# The innermost of the elements that reach as far as the page does.
WIDEST = """phone => {
    const width = document.documentElement.scrollWidth;
    if (width <= phone) return null;
    const far = [...document.body.querySelectorAll('*')].filter(
        element => Math.abs(element.getBoundingClientRect().right + scrollX - width) < 1);
    return [width, (far.at(-1) ?? document.body).outerHTML];
}"""


def dead(links: list[str], targets: dict[Path, set[str]]) -> list[str]:
    """Links into the book that lead to no file, or to no place in their page."""
    found = []
    for link in links:
        address, anchor = urldefrag(link)
        if not address.startswith("file:"):
            continue
        path = Path(url2pathname(urlparse(address).path)).resolve()
        if not path.is_file():
            found.append(f"links to {path.name}, which is not there")
        elif anchor and unquote(anchor) not in targets.get(path, {unquote(anchor)}):
            found.append(f"links to {path.name}#{anchor}, which is not there")
    return found


def unsearchable(context: BrowserContext, html: Path) -> list[str]:
    """Whether the search finds nothing for a word that is in the book."""
    page = context.new_page()
    try:
        page.goto(f"{(html / 'search.html').resolve().as_uri()}?q={SEARCHED}")
        page.wait_for_selector("#search-results li a", timeout=SEARCHING)
    except TimeoutError:
        return [f"finds nothing for {SEARCHED!r}"]
    finally:
        page.close()
    return []


def report(found: dict[str, list[str]]) -> str:
    """The faults of all pages, a line each, and how many pages were opened."""
    lines = [f"{name} {line}" for name, lines in found.items() for line in lines]
    return "\n".join([*lines, f"{len(found)} pages opened, {len(lines)} faults"])


def _local(address: str) -> bool:
    return address.startswith(("file:", "data:", "blob:", "about:"))


def _refuse(route, found: list[str]) -> None:
    found.append(f"fetches {route.request.url}")
    route.abort()


def _complaint(message) -> list[str]:
    # A file that is missing or refused is reported where it is asked for.
    known = message.text.startswith("Failed to load resource")
    return [] if message.type != "error" or known else [f"console: {_line(message.text)}"]


def _line(text: str) -> str:
    return " ".join(text.split())


def _name(address: str) -> str:
    return "an embedded picture" if address.startswith("data:") else Path(address).name


def main() -> int:
    """Do what the top of this file says, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = ROOT / "_build" / "laptop" / "html"
    parser.add_argument("html", nargs="?", type=Path, default=default, metavar="FOLDER")
    html = parser.parse_args().html
    chromium = find()
    if chromium is None or not (html / "index.html").exists():
        print(ABSENT if chromium is None else f"{html}: no pages; `make book` builds them")
        return 2
    found = problems(html, chromium)
    print(report(found))
    return 1 if any(found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
