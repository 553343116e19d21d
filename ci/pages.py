"""What must hold for the built pages: they read offline, and every figure is described."""

import re
from pathlib import Path

from bs4 import BeautifulSoup

# Elements whose address a browser fetches by itself; a link that one clicks is not among them.
FETCHED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
# `link` elements of these kinds say something about the page and fetch nothing.
UNFETCHED = {"canonical", "author", "license", "next", "prev", "search", "index"}


def problems(html: Path) -> list[str]:
    """Complaints about the pages under ``html``, a line each."""
    found = []
    for page in sorted(html.glob("*.html")):
        soup = BeautifulSoup(page.read_text("utf-8"), "html.parser")
        found += [f"{page.name}: {problem}" for problem in external(soup) + undescribed(soup)]
    for sheet in sorted((html / "_static").glob("*.css")):
        if re.search(r"(url\(|@import)\s*['\"]?(https?:)?//", sheet.read_text("utf-8")):
            found.append(f"_static/{sheet.name}: fetches from another machine")
    return found


def external(soup: BeautifulSoup) -> list[str]:
    """Addresses on other machines that a browser would fetch while it shows the page."""
    found = []
    for element in soup.find_all(list(FETCHED)):
        if element.name == "link" and UNFETCHED & set(element.get("rel", [])):
            continue
        address = element.get(FETCHED[element.name]) or ""
        if re.match(r"(https?:)?//", address):
            found.append(f"fetches {address}")
    return found


def undescribed(soup: BeautifulSoup) -> list[str]:
    """Pictures of the page's text that lack a caption, a number or an alternative text."""
    article = soup.find("article")
    found = []
    for image in article.find_all("img") if article else []:
        name = Path(image.get("src", "")).name
        alt = image.get("alt", "")
        if len(alt) < 15 or name in alt:
            found.append(f"{name} has no alternative text")
        caption = image.find_parent("figure") and image.find_parent("figure").figcaption
        if not caption or not caption.find(class_="caption-number"):
            found.append(f"{name} ({alt}) has no numbered caption")
    return found
