"""What the book's pages load besides themselves, made from installed packages: no network."""

from pathlib import Path

import vl_convert

from . import theme


def vega_script() -> str:
    """Vega alone, as one script that sets ``window.vega`` and nothing else.

    Figures are compiled from Vega-Lite while the book is built, so its pages need neither
    Vega-Lite nor Vega-Embed: a third of the weight. The address names a module that
    ``vl_convert`` carries; nothing is fetched.
    """
    version = vl_convert.get_vega_version()
    bundle = vl_convert.javascript_bundle(
        f'import * as vega from "https://cdn.jsdelivr.net/npm/vega@{version}/+esm";'
        "window.vega = {View: vega.View, parse: vega.parse, Warn: vega.Warn};"
    )
    return f"/* Vega {version}, BSD 3-Clause, https://vega.github.io */\n(() => {{{bundle}}})();\n"


def write(folder: Path) -> None:
    """Write ``vega.js`` and ``colors.css`` into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (("vega.js", vega_script()), ("colors.css", theme.css())):
        (folder / name).write_text(text, encoding="utf-8")
