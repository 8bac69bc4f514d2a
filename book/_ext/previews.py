"""Addresses to share: a picture and a description of each page, a line to cite it by."""

import re
import textwrap
from html import escape
from pathlib import Path
from typing import Any

import vl_convert
from bs4 import BeautifulSoup
from docutils import nodes
from sphinx.application import Sphinx

#: Paragraphs that state a finding begin so; each gets an address.
FINDINGS = {"What we found.": "what-we-found", "What is not known.": "what-is-not-known"}
#: The first chart of a page, as text: parsers of HTML change how SVG is spelled.
CHART = re.compile(
    r'(?:<div class="kd-panel"[^>]*>|(?=<svg class="kd-tiny"))(<svg .*?</svg>)', re.S
)
WIDTH, HEIGHT = 1200, 630
INK, MUTED, GROUND, ACCENT = "#1f2730", "#4f5964", "#fefefe", "#0f766e"


def name_findings(app: Sphinx, doctree: nodes.document) -> None:
    """Give the paragraphs that state findings an address, and a link to it."""
    for paragraph in doctree.findall(nodes.paragraph):
        for start, name in FINDINGS.items():
            if paragraph.astext().startswith(start) and name not in doctree.ids:
                paragraph["ids"].append(name)
                doctree.ids[name] = paragraph
                link = f'<a class="headerlink" href="#{name}" title="Address of this finding">#</a>'
                paragraph += nodes.raw("", link, format="html")


def describe(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Add what a preview of a link shows, and how to cite the page."""
    if doctree is None or "body" not in context:
        return
    body = BeautifulSoup(context["body"], "html.parser")
    title = BeautifulSoup(str(context.get("title", "")), "html.parser").get_text()
    said = next((p.get_text() for p in body.select("p") if len(p.get_text()) > 60), "")
    said = " ".join(said.removesuffix("#").split())
    picture = Path("_static") / "previews" / f"{page.replace('/', '-')}.png"
    target = Path(app.outdir) / picture
    target.parent.mkdir(parents=True, exist_ok=True)
    chart = CHART.search(context["body"])
    target.write_bytes(preview(title, said, chart[1] if chart else "", app.config.html_title))
    base = app.config.html_baseurl
    address = f"{base.rstrip('/')}/" if base else "../" * page.count("/")
    properties = {
        "og:type": "article",
        "og:site_name": app.config.html_title,
        "og:title": title,
        "og:description": textwrap.shorten(said, 300, placeholder=" …"),
        "og:image": f"{address}{picture.as_posix()}",
        "og:image:width": str(WIDTH),
        "og:image:height": str(HEIGHT),
    }
    if base:
        properties["og:url"] = f"{address}{page}.html"
    tags = "".join(
        f'<meta property="{k}" content="{escape(v)}" />\n' for k, v in properties.items()
    )
    tags += f'<meta name="description" content="{escape(properties["og:description"])}" />\n'
    tags += '<meta name="twitter:card" content="summary_large_image" />\n'
    context["metatags"] = context.get("metatags", "") + tags
    year = re.search(r"\d{4}", app.config.copyright)
    context["body"] += (
        f'<p class="kd-cite">Cite this page: The kdfair authors ({year[0] if year else ""}). '
        f"“{escape(title)}”. In <em>{escape(app.config.html_title)}</em>."
        "<span data-kd-address></span></p>"
    )


def preview(title: str, said: str, chart: str, book: str) -> bytes:
    """A picture of 1200 by 630 pixels: the page's title, what it says first, its first chart."""
    room = 34 if chart else 62
    lines = textwrap.wrap(title, 26 if chart else 44)[:3]
    texts, y = [], 90.0
    for line in lines:
        texts.append(_text(60, y, line, 48, INK, "600"))
        y += 58
    y += 14
    for line in textwrap.wrap(textwrap.shorten(said, 9 * room, placeholder=" …"), room)[:9]:
        texts.append(_text(60, y, line, 27, MUTED))
        y += 38
    texts.append(_text(60, HEIGHT - 36, book, 25, ACCENT, "600"))
    drawn = ""
    if chart:
        found = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', chart)
        if found:
            scale = min(520 / float(found[1]), 450 / float(found[2]))
            width, height = (scale * float(n) for n in found.groups())
            plain = re.sub(r"var\(--[\w-]+,\s*([^)]+)\)", r"\1", chart)
            head, _, rest = plain.partition(">")
            head = re.sub(r'\s(width|height|x|y|class)="[^"]*"', "", head)
            place = f' x="640" y="{(HEIGHT - height) / 2:.0f}" width="{width:.0f}" '
            drawn = f'{head}{place}height="{height:.0f}">{rest}'
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}"><rect width="100%" height="100%" fill="{GROUND}"/>'
        f'<rect width="14" height="100%" fill="{ACCENT}"/>{"".join(texts)}{drawn}</svg>'
    )
    return vl_convert.svg_to_png(svg)


def _text(x: float, y: float, text: str, size: int, color: str, weight: str = "400") -> str:
    return (
        f'<text x="{x}" y="{y:.0f}" font-family="sans-serif" font-size="{size}" '
        f'font-weight="{weight}" fill="{color}">{escape(text)}</text>'
    )


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the hooks."""
    app.connect("doctree-read", name_findings)
    app.connect("html-page-context", describe, priority=950)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
