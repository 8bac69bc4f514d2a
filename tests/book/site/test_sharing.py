"""What is needed to pass a page, a finding or a figure on."""

import struct
import xml.etree.ElementTree as tree

import pytest
from browsing import FIRST, STUDY
from bs4 import BeautifulSoup

pytestmark = pytest.mark.browser


def soup(book, name):
    return BeautifulSoup((book / name).read_text(encoding="utf-8"), "html.parser")


def test_every_page_has_a_preview_and_a_line_to_cite_it_by(book, pages):
    titles = set()
    for name in pages:
        page = soup(book, name)
        tags = {t["property"]: t["content"] for t in page.select("meta[property^='og:']")}
        assert len(tags["og:description"]) > 40, name
        titles.add(tags["og:title"])
        picture = ((book / name).parent / tags["og:image"]).read_bytes()
        assert picture[:8] == b"\x89PNG\r\n\x1a\n"
        assert struct.unpack(">II", picture[16:24]) == (1200, 630), name
        assert tags["og:title"] in page.select_one(".kd-cite").get_text(), name
    assert len(titles) == len(pages)


def test_findings_have_addresses(book):
    opening = soup(book, FIRST)
    links = {a["href"] for a in opening.select("a.headerlink")}
    for answer in opening.select(".kd-answer"):
        assert f"#{answer['id']}" in links
    assert "#what-is-not-known" in links and opening.find(id="what-is-not-known")
    study = soup(book, STUDY)
    assert study.find(id="what-we-found").get_text().startswith("What we found.")
    assert study.select_one("a[href='#what-we-found']")
    for link in study.select("a[href^='#figure-']"):
        assert study.find(id=link["href"][1:])


def test_a_picture_stands_alone(study):
    """With its lines named, its title, where it is from, and what its numbers are."""
    page = study.page
    figure = page.locator(".kd-figure").first
    with page.expect_download() as download:
        figure.get_by_role("button", name="Download the picture as SVG").click()
    root = tree.fromstring(download.value.path().read_text(encoding="utf-8"))
    texts = " ".join(text.strip() for text in root.itertext() if text.strip())
    assert figure.locator("figcaption strong").inner_text() in texts
    assert figure.locator(".kd-badge").inner_text().strip() in texts
    assert page.title() in texts
    for name in figure.locator(".kd-key li").all_inner_texts():
        assert name.strip() in texts
