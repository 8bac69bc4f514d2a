"""A browser page that holds the explanations' scripts, without the book around them."""

from pathlib import Path

import pytest

STATIC = Path(__file__).resolve().parents[3] / "book" / "_static" / "explain"


@pytest.fixture
def open_page(chromium):
    """open_page(*scripts, name="...") gives a page with one figure that the scripts bring alive."""
    contexts = []

    def open_(*scripts, name="none", width=1000, javascript=True, prelude=""):
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, java_script_enabled=javascript
        )
        contexts.append(context)
        page = context.new_page()
        page.problems = []
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.on("console", lambda m: page.problems.append(m.text) if m.type == "error" else None)
        page.set_content(
            '<!doctype html><html lang="en" data-theme="light"><title>t</title><body>'
            f'<main><h1>t</h1><h2>u</h2><div class="kx-explain" data-explain="{name}"></div></main>'
        )
        page.add_style_tag(path=STATIC / "explain.css")
        if prelude:
            page.add_script_tag(content=prelude)
        for script in scripts:
            page.add_script_tag(path=STATIC / script)
        page.wait_for_timeout(60)
        return page

    yield open_
    for context in contexts:
        context.close()
