"""The check of the built pages in a real browser, on small pages with one fault each."""

import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "ci"))

from PIL import Image  # noqa: E402

import browser  # noqa: E402

PHOTOGRAPH = '<img src="photograph.png" alt="A grey square" class="dark-light">'
BODIES = {
    "good": f'<h2 id="here">Here</h2>{PHOTOGRAPH}<a href="other.html#there">there</a>',
    "other": '<h2 id="there">There</h2><a href="good.html#here">here</a><a href="#">up</a>',
    "console": "<script>console.error('lost')</script>",
    "throws": "<script>throw new Error('broken')</script>",
    "fetches": '<img src="https://elsewhere.example/x.png" alt="Nothing to see">',
    "script": '<script src="gone.js"></script>',
    "image": '<img src="gone.png" alt="Nothing to see">',
    "file": '<a href="gone.html">gone</a>',
    "anchor": '<a href="good.html#gone">gone</a>',
    "folded": '<details><summary>More</summary><a href="gone.ipynb">gone</a></details>',
    "wide": '<div style="width: 600px">wide</div>',
    "scrolls": '<div style="overflow: auto" tabindex="0"><p style="width: 600px">a</p></div>',
    "search": '<ul id="search-results"></ul>',
    "unnamed": "<button></button>",
    "excused": '<button class="theme"></button><button class="ours"></button>',
    "faint": '<p style="color: #aaa; background: #fff">faint</p>',
    "dark": (
        "<style>@media (prefers-color-scheme: dark) { body { background: #000 } }</style>"
        '<p style="color: #444">faint in the dark</p>'
    ),
    "filter": (
        "<style>@media (prefers-color-scheme: dark) { p { filter: brightness(.8) } }</style>"
        f"<p>{PHOTOGRAPH}</p>"
    ),
    "tinted": (
        "<style>p { position: relative } @media (prefers-color-scheme: dark) { p::after {"
        " content: ''; position: absolute; inset: 0; background: #0008 } }</style>"
        f"<p>{PHOTOGRAPH}</p>"
    ),
}
FAULTS = {
    "good": None,
    "other": None,
    "scrolls": None,
    "console": "console: lost",
    "throws": "a script fails: broken",
    "fetches": "fetches https://elsewhere.example/x.png",
    "script": "misses gone.js",
    "image": "misses gone.png",
    "file": "links to gone.html, which is not there",
    "anchor": "links to good.html#gone, which is not there",
    "folded": "links to gone.ipynb, which is not there",
    "wide": "pixels wide on a phone: <div",
    "search": "finds nothing for 'photograph'",
    "unnamed": "button-name",
    "excused": '<button class="ours"></button>',
    "faint": "color-contrast",
    "dark": '<p style="color: #444">faint in the dark</p> in dark mode',
    "filter": "shows photograph.png altered in dark mode",
    "tinted": "shows other pixels of photograph.png in dark mode",
}


def page(title, body):
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"></head>'
        f"<body><main><h1>{title}</h1>{body}</main></body></html>"
    )


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    chromium = browser.find()
    if chromium is None:
        pytest.skip(browser.ABSENT)
    html = tmp_path_factory.mktemp("html")
    Image.new("RGB", (40, 30), (120, 120, 120)).save(html / "photograph.png")
    for name, body in BODIES.items():
        (html / f"{name}.html").write_text(page(name, body), "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(browser, "SEARCHING", 500)
        patch.setattr(browser, "THEME", [("button-name", ".theme", "the theme's")])
        return browser.problems(html, chromium)


def test_every_page_is_opened(found):
    assert set(found) == {f"{name}.html" for name in BODIES}


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_found_once_and_on_its_page(found, name):
    lines = found[f"{name}.html"]
    if FAULTS[name] is None:
        assert lines == []
    else:
        fault = [line for line in lines if FAULTS[name] in line]
        assert len(fault) == 1, lines
        assert "\n" not in fault[0]


def test_excuses_name_a_rule_elements_and_a_reason():
    for rule, selector, reason in browser.THEME:
        assert rule and selector and len(reason) > 20


def test_without_a_browser_there_is_none(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert browser.find() is None
