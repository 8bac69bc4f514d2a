"""The built book in headless Chromium, with every way to the network cut."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from browsing import STUDY, Visit

from kdfair_core.files import locked

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def book() -> Path:
    """Folder of the built book. It is built here if it is not up to date.

    KDFAIR_BOOK_HTML names a book that was built elsewhere.
    """
    given = os.environ.get("KDFAIR_BOOK_HTML")
    if given:
        return Path(given)
    command = [sys.executable, "-m", "kdfair_core", "build", "--no-heights"]
    with locked(ROOT):  # another worker may be at it; the second finds it built
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return ROOT / "_build" / "html"


@pytest.fixture(scope="session")
def pages(book: Path) -> list[str]:
    """Every page that a reader can open, relative to the book."""
    apart = {"index.html", "search.html", "genindex.html", "py-modindex.html"}
    found = [p.relative_to(book).as_posix() for p in book.rglob("*.html")]
    return sorted(p for p in found if not p.startswith("_") and p not in apart)


@pytest.fixture
def visit(chromium: Any, book: Path) -> Iterator[Callable[..., tuple[Visit, Any]]]:
    """visit("page.html#T=7", width=360, dark=True, scripts=False): open a page from the folder."""
    opened: list[Visit] = []

    def open_page(
        name: str, *, width: int = 1280, dark: bool = False, scripts: bool = True
    ) -> tuple[Visit, Any]:
        seen = Visit(
            chromium,
            ("file://",),
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            java_script_enabled=scripts,
        )
        opened.append(seen)
        url = f"file://{book}/{name}"
        if not scripts:
            seen.page.goto(url)
            return seen, seen.page
        return seen, seen.open(url)

    yield open_page
    for one in opened:
        one.context.close()


@pytest.fixture(scope="session")
def opened(chromium: Any, book: Path) -> Iterator[Visit]:
    """A visit to the page of a study, which takes seconds to draw, for tests that turn its dial."""
    seen = Visit(chromium, ("file://",))
    seen.open(f"file://{book}/{STUDY}#T=4")
    yield seen
    seen.context.close()


@pytest.fixture
def study(opened: Visit) -> Visit:
    """The page of a study at its top, with the dial at 4."""
    opened.errors.clear()
    opened.page.evaluate("scrollTo(0, 0); kdfair.dial.set(4)")
    opened.page.mouse.move(0, 0)
    return opened


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="session")
def host(book: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a static host that serves the book under a path of its own."""
    root = tmp_path_factory.mktemp("host")
    (root / "some").mkdir()
    (root / "some" / "path").symlink_to(book, target_is_directory=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(root)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/some/path"
    server.shutdown()
    server.server_close()
    thread.join()
