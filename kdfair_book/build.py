"""Builds the book: runs its notebooks over the published results and turns them into pages.

    notebooks/*.ipynb  --papermill-->  book/studies/*.ipynb  --jupyter-book-->  _build/html

Only what changed is done again. What a step read is remembered as hashes of contents in
``.build/state.json``: a notebook runs again when it, the packages' code or the data that it reads
has changed; the pages are made again when anything that is written in them has.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import yaml

SUMMARY = "execute the notebooks and build the book"
ROOT = Path(__file__).resolve().parents[1]
STUDIES = "book/studies"
JUPYTER_BOOK = "from jupyter_book.cli.main import main; main()"
PACKAGES = ("kdfair_core", "kdfair_audit", "kdfair_book")
#: Modules of a package that no notebook of the book can reach: changing them runs none again.
APART = ("build.py", "serve.py", "cli.py", "__main__.py")

#: Pixels that no page exceeds on a screen 1280 wide, except what is looked up by name.
TALLEST = 8500
REFERENCE = ("book/api.html",)


class BuildError(Exception):
    """The book could not be built; the message says what to mend."""


def digest(root: Path, paths: Iterable[Path], *more: str) -> str:
    """Hash of the names and contents of files, and of ``more``.

    Folders stand for all files below them; what does not exist counts as missing.
    """
    found: set[Path] = set()
    for path in paths:
        found |= {p for p in path.rglob("*") if p.is_file()} if path.is_dir() else {path}
    total = hashlib.sha256()
    for path in sorted(found):
        if "__pycache__" in path.parts or ".ipynb_checkpoints" in path.parts:
            continue
        content = path.read_bytes() if path.exists() else b"missing"
        name = path.relative_to(root).as_posix()
        total.update(f"{name}\0{hashlib.sha256(content).hexdigest()}\0".encode())
    for text in more:
        total.update(f"{text}\0".encode())
    return total.hexdigest()


def listed_files(toc: Any) -> list[str]:
    """Every file that a table of contents names, in order, without ending."""
    if isinstance(toc, dict):
        own = [toc[key] for key in ("root", "file") if key in toc]
        return own + [name for value in toc.values() for name in listed_files(value)]
    if isinstance(toc, list):
        return [name for part in toc for name in listed_files(part)]
    return []


def book_notebooks(root: Path = ROOT) -> list[str]:
    """Names of the notebooks that the book shows: those its ``_toc.yml`` has below book/studies.

    Raises
    ------
    BuildError
        If one of them does not exist.
    """
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    names = [f.rpartition("/")[2] for f in listed_files(toc) if f.startswith(f"{STUDIES}/")]
    for name in names:
        if not (root / "notebooks" / f"{name}.ipynb").is_file():
            raise BuildError(
                f"_toc.yml names {STUDIES}/{name}, but notebooks/{name}.ipynb is missing"
            )
    return names


def notebook_key(root: Path, name: str) -> str:
    """Hash of all that the outputs of a notebook depend on.

    Its metadata may say which parts of ``data/`` it reads: ``{"kdfair": {"data": ["paper"]}}``.
    Without that it is all of ``data/``.
    """
    source = root / "notebooks" / f"{name}.ipynb"
    metadata = json.loads(source.read_text(encoding="utf-8")).get("metadata", {})
    parts = metadata.get("kdfair", {}).get("data", [""])
    apart = {root / package / name for package in PACKAGES for name in APART}
    code = {p for package in PACKAGES for p in (root / package).rglob("*.py")} - apart
    data = [root / "data" / part for part in parts]
    results = os.environ.get("KDFAIR_RESULTS", "")
    return digest(root, [source, *code, *data, root / "requirements.txt"], sys.version, results)


def run_notebook(root: Path, name: str) -> float:
    """Run one notebook with papermill into ``book/studies``; seconds that it took.

    Raises
    ------
    BuildError
        If a cell fails. What an earlier build left in ``book/studies`` stays.
    """
    import papermill

    began = time.perf_counter()
    scratch = root / ".build" / "running" / f"{name}.ipynb"
    scratch.parent.mkdir(parents=True, exist_ok=True)
    os.environ["KDFAIR_BOOK"] = "1"
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
    try:
        papermill.execute_notebook(
            root / "notebooks" / f"{name}.ipynb",
            scratch,
            cwd=root / "notebooks",
            kernel_name="python3",
            progress_bar=False,
            extra_arguments=["--IPKernelApp.log_level=CRITICAL"],
        )
    except papermill.PapermillExecutionError as error:
        raise BuildError(
            f"notebooks/{name}.ipynb failed in cell {error.exec_count}: {error.ename}: "
            f"{error.evalue}\n(as far as it came: {scratch.relative_to(root)})"
        ) from None
    target = root / STUDIES / f"{name}.ipynb"
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch.replace(target)
    return time.perf_counter() - began


class State:
    """What was done, and from which inputs: ``.build/state.json``."""

    def __init__(self, root: Path) -> None:
        self.path = root / ".build" / "state.json"
        try:
            self.done: dict[str, str] = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self.done = {}  # never built, or not to be read: everything is built again

    def is_done(self, step: str, key: str) -> bool:
        return self.done.get(step) == key

    def set(self, step: str, key: str) -> None:
        self.done[step] = key
        self.path.parent.mkdir(parents=True, exist_ok=True)
        scratch = self.path.with_suffix(".tmp")
        scratch.write_text(json.dumps(self.done, indent=1, sort_keys=True), encoding="utf-8")
        scratch.replace(self.path)


def run_notebooks(root: Path, state: State, *, force: bool, jobs: int) -> int:
    """Run the notebooks whose inputs have changed; how many that were."""
    names = book_notebooks(root)
    keys = {name: notebook_key(root, name) for name in names}
    stale = [
        name
        for name in names
        if force
        or not state.is_done(f"notebook {name}", keys[name])
        or not (root / STUDIES / f"{name}.ipynb").is_file()
    ]
    for left in (root / STUDIES).glob("*.ipynb"):
        if left.stem not in names:
            left.unlink()
    if not stale:
        return 0
    failures = []
    with ProcessPoolExecutor(max_workers=min(jobs, len(stale))) as pool:
        running = {pool.submit(run_notebook, root, name): name for name in stale}
        for future in as_completed(running):
            name = running[future]
            try:
                seconds = future.result()
            except BuildError as error:
                failures.append(str(error))
                print(f"  failed: notebooks/{name}.ipynb", flush=True)
            else:
                print(f"  ran notebooks/{name}.ipynb ({seconds:.0f} s)", flush=True)
                state.set(f"notebook {name}", keys[name])
    if failures:
        raise BuildError("\n".join(failures))
    return len(stale)


def write_assets(root: Path, state: State, *, force: bool) -> None:
    """Write what pages load from installed packages into ``book/_static/vendor``."""
    from kdfair_book.charts import assets

    folder = root / "book" / "_static" / "vendor"
    charts = root / "kdfair_book" / "charts"
    key = digest(root, [charts / "assets.py", charts / "theme.py", root / "requirements.txt"])
    if force or not state.is_done("assets", key) or not folder.is_dir():
        assets.write(folder)
        state.set("assets", key)


def make_pages(root: Path, state: State, *, force: bool) -> bool:
    """Run jupyter-book, warnings as errors; whether there was anything to do.

    Raises
    ------
    BuildError
        If Sphinx warns or fails.
    """
    html = root / "_build" / "html"
    inputs = ("book", "_config.yml", "_toc.yml", "requirements.txt", *PACKAGES)
    key = digest(root, [root / name for name in inputs], sys.version)
    if not force and state.is_done("pages", key) and (html / "index.html").is_file():
        return False
    if force:
        shutil.rmtree(root / "_build", ignore_errors=True)
    command = [sys.executable, "-c", JUPYTER_BOOK, "build", str(root)]
    command += ["--path-output", str(root), "--quiet", "-n", "-W", "--keep-going"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    if done.returncode:
        # Sphinx tells of a page only when it reads it: after a failure it must read all again.
        shutil.rmtree(root / "_build" / ".doctrees", ignore_errors=True)
        raise BuildError(f"jupyter-book failed:\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}")
    state.set("pages", key)
    return True


def page_heights(html: Path, pages: Iterable[Path]) -> dict[str, int]:
    """Height of each page in pixels on a screen 1280 wide, by its name below ``html``.

    Empty where there is no Chromium to measure with, or no Playwright to steer it.
    """
    chromium = shutil.which("chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return {}
    if chromium is None:
        return {}
    found = {}
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        for path in sorted(pages):
            page.goto(path.as_uri())
            height = page.evaluate("document.documentElement.scrollHeight")
            found[path.relative_to(html).as_posix()] = int(height)
        browser.close()
    return found


def say_heights(html: Path) -> None:
    """Print how tall each page is, and which are taller than a reader is asked to scroll."""
    heights = page_heights(html, html.rglob("book/**/*.html"))
    if not heights:
        print("  heights of pages: not measured, for want of Chromium or Playwright", flush=True)
    for name, height in sorted(heights.items(), key=lambda pair: -pair[1]):
        tall = height > TALLEST and name not in REFERENCE
        print(f"  {height:6,} px  {name}{'  (too tall)' if tall else ''}", flush=True)


def build(root: Path = ROOT, *, force: bool = False, jobs: int = 2, heights: bool = True) -> Path:
    """Build the book, doing only what has changed.

    Parameters
    ----------
    root
        The project's folder.
    force
        Do everything again.
    jobs
        Notebooks that run at a time.
    heights
        Open every page that was made in Chromium to say how tall it is.

    Returns
    -------
    Path
        The page to open.

    Raises
    ------
    BuildError
        If a notebook fails, or Sphinx warns.
    """
    began = time.perf_counter()
    state = State(root)
    ran = run_notebooks(root, state, force=force, jobs=jobs)
    write_assets(root, state, force=force)
    made = make_pages(root, state, force=force)
    if made and heights:
        say_heights(root / "_build" / "html")
    done = f"{ran} notebooks run, pages {'made' if made else 'unchanged'}"
    page = root / "_build" / "html" / "index.html"
    print(f"The book is at {page} ({done}; {time.perf_counter() - began:.0f} s)", flush=True)
    return page


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``kdfair build``."""
    parser.add_argument("--force", action="store_true", help="do everything again")
    parser.add_argument("--jobs", type=int, default=2, help="notebooks that run at a time")
    parser.add_argument(
        "--no-heights", action="store_true", help="do not measure how tall the pages are"
    )


def main(args: argparse.Namespace) -> int:
    """Build the book; the exit code."""
    try:
        build(force=args.force, jobs=args.jobs, heights=not args.no_heights)
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0
