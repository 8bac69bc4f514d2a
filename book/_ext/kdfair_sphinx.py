"""What this book asks of Sphinx beyond Jupyter Book: pages that load nothing from elsewhere.

Formulas become MathML while the book is built (docutils does it), so that they need no script,
can be read aloud, and are there without JavaScript, in print and from a folder. Scripts with an
address elsewhere, which extensions of Jupyter Book add, are taken out.
"""

from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

logger = logging.getLogger(__name__)
#: Scripts of extensions that the book does not use; they would be loaded on every page.
UNUSED = ("sphinx-thebe", "thebe", "design-tabs")


def _mathml(node: nodes.Element, *, block: bool) -> str:
    source = node.astext()
    try:
        return str(tex2mathml(source, as_block=block))
    except Exception as error:  # docutils raises its own and plain errors alike
        logger.warning("cannot write %r as MathML: %s", source, error, location=node)
        return f"<code>{source}</code>"


def visit_math(self: Any, node: nodes.Element) -> None:
    """Write an inline formula."""
    self.body.append(_mathml(node, block=False))
    after = node.next_node(nodes.Text, descend=False, siblings=True)
    if after is not None and after.astext()[:1] in set(".,;:!?)"):
        self.body.append("\u2060")  # no line begins with the sign that follows
    raise nodes.SkipNode


def visit_displaymath(self: Any, node: nodes.Element) -> None:
    """Write a displayed formula, with its number where it has one."""
    self.body.append(self.starttag(node, "div", CLASS="math kd-formula"))
    self.body.append(_mathml(node, block=True))
    if node["number"]:
        number = get_node_equation_number(self, node)
        self.body.append(f'<span class="eqno">({number})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    self.body.append("</div>")
    raise nodes.SkipNode


def drop_foreign_scripts(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    """Leave out scripts from other hosts and those that no page uses."""
    kept = []
    for script in context.get("script_files", []):
        name = str(getattr(script, "filename", script) or "")
        body = str(getattr(script, "attributes", {}).get("body") or "")
        foreign = name.startswith(("http:", "https:", "//"))
        unused = any(word in name.rpartition("/")[2] for word in UNUSED) or "THEBE" in body
        if not foreign and not unused:
            kept.append(script)
    context["script_files"] = kept


def mend_roles(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    """Take out a role that docutils gives to the bibliography without the children it asks for."""
    if "body" in context:
        context["body"] = context["body"].replace(
            '<div role="list" class="citation-list">', "<div>"
        )


def name_summaries(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    """Say what the arrows of the sidebar are for: they unfold a page's own pages."""
    make = context.get("generate_toctree_html")
    if make is not None:
        context["generate_toctree_html"] = lambda *args, **kwargs: str(
            make(*args, **kwargs)
        ).replace("<summary>", '<summary aria-label="Pages of this part">')


def launch_sources(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    """Let Binder and Colab open the notebook that lies in the repository.

    The page was made from ``book/studies/NAME.ipynb``, which only a build has; its source is
    ``notebooks/NAME.ipynb``. Colab is offered for notebooks with a cell, tagged "colab", that
    fetches the project there.
    """
    made = f"{page}.ipynb"
    source = made.replace("book/studies/", "notebooks/")
    path = Path(app.srcdir) / source
    on_colab = path.is_file() and '"colab"' in path.read_text(encoding="utf-8")

    def mended(buttons: list[dict[str, Any]]) -> list[dict[str, Any]]:
        kept = []
        for button in buttons:
            url = str(button.get("url", ""))
            if "colab.research" in url and not on_colab:
                continue
            if "url" in button and "/_sources/" not in url:
                button = {**button, "url": url.replace(made, source)}
            if "buttons" in button:
                button = {**button, "buttons": mended(button["buttons"])}
            kept.append(button)
        return kept

    if page.startswith("book/studies/") and "header_buttons" in context:
        context["header_buttons"] = mended(context["header_buttons"])


def gather_code(app: Sphinx, doctree: nodes.document) -> None:
    """Move the hidden code of a notebook's cells to the page's end, behind one line.

    Nothing stands between a sentence and its figure then. A cell that showed nothing goes whole.
    What a cell with the tag "folded" shows waits behind a line: the cell's ``summary``.
    """
    if not app.env.docname.startswith("book/studies/"):
        return
    moved: list[nodes.Element] = []
    for cell in list(doctree.findall(nodes.container)):
        if cell.get("nb_element") != "cell_code" or cell.get("hide_mode") != "input":
            continue
        code = cell.children[0]
        if isinstance(code, nodes.Element) and code.get("nb_element") == "cell_code_source":
            cell.remove(code)
            moved.append(code)
        if not cell.children:
            cell.parent.remove(cell)
            continue
        cell["hide_mode"] = None
        if "tag_folded" in cell["classes"]:
            line = escape(cell["cell_metadata"].get("summary", "Open all of it"))
            opened = f'<details class="kd-folded"><summary>{line}</summary>'
            cell.insert(0, nodes.raw("", opened, format="html"))
            cell.append(nodes.raw("", "</details>", format="html"))
    if moved:
        opened = '<details class="kd-code"><summary>Show the code of this page</summary>'
        end = [nodes.raw("", opened, format="html"), *moved]
        doctree.children[-1].extend([*end, nodes.raw("", "</details>", format="html")])


FROM_FOLDER = """/* Icons come from fonts; where a browser reads none from a folder, draw them. */
if (location.protocol === "file:") {
  const script = document.createElement("script");
  script.src = document.currentScript.src.replace("fontawesome.js", "fontawesome-drawn.js");
  document.head.append(script);
}
"""


def lighten(app: Sphinx, error: Exception | None) -> None:
    """Load the theme's script that draws icons (half a megabyte) only where its fonts fail."""
    script = Path(app.outdir) / "_static" / "scripts" / "fontawesome.js"
    if error is None and script.is_file() and script.stat().st_size > 10_000:
        script.rename(script.with_name("fontawesome-drawn.js"))
        script.write_text(FROM_FOLDER, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the formulas' renderer and the page hook."""
    app.add_html_math_renderer(
        "mathml",
        inline_renderers=(visit_math, None),
        block_renderers=(visit_displaymath, None),
    )
    app.connect("html-page-context", drop_foreign_scripts, priority=900)
    app.connect("html-page-context", launch_sources, priority=900)
    app.connect("html-page-context", mend_roles)
    app.connect("build-finished", lighten)
    app.connect("doctree-read", gather_code)
    app.connect("html-page-context", name_summaries, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
