"""Draw the pictures that stand where a figure would be when JavaScript is off.

python tests/explain/pictures.py      after a change of a figure; look at what it wrote
"""

import io
import os
import shutil

from PIL import Image
from playwright.sync_api import sync_playwright

from kdfair_book.toy import ROOT

STATIC = ROOT / "book" / "_static" / "explain"
FIGURES = {
    "temperature": "temperature.js",
    "student": "student.js",
    "thresholds": "fairness.js",
    "floor": "fairness.js",
    "individual": "fairness.js",
}


def main() -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM") or shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu"],
        )
        for name, script in FIGURES.items():
            page = browser.new_page(viewport={"width": 800, "height": 900}, device_scale_factor=2)
            page.set_content(
                '<html lang="en"><body style="width:760px;font:16px system-ui,sans-serif">'
                f'<div class="kx-explain kx-long" style="--kx-room:0" data-explain="{name}"></div>'
            )
            page.add_style_tag(path=STATIC / "explain.css")
            for source in ("math.js", "dom.js", "toy-data.js", script):
                page.add_script_tag(path=STATIC / source)
            page.wait_for_timeout(800)
            image = Image.open(io.BytesIO(page.locator(".kx-explain").screenshot()))
            path = STATIC / f"{name}.png"
            image.convert("RGB").quantize(64, dither=Image.Dither.NONE).save(path, optimize=True)
            print(path.name, path.stat().st_size)
        browser.close()


if __name__ == "__main__":
    main()
