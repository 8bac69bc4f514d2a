"""``kdfair serve``: the built book on this machine's own address."""

from __future__ import annotations

import argparse
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from kdfair_book.build import ROOT

SUMMARY = "show the built book on localhost"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``kdfair serve``."""
    parser.add_argument("--port", type=int, default=8000, help="0 takes any that is free (8000)")


def server(pages: Path, port: int) -> ThreadingHTTPServer:
    """Server of the pages in a folder, not started yet; port 0 takes any that is free.

    Raises
    ------
    ValueError
        If there is no book in the folder, or the port cannot be had.
    """
    if not (pages / "index.html").is_file():
        raise ValueError(f"there is no book at {pages}: build it with kdfair build")
    handler = partial(SimpleHTTPRequestHandler, directory=str(pages))
    try:
        return ThreadingHTTPServer(("127.0.0.1", port), handler)
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ValueError(f"cannot serve at port {port} ({why}): give another --port") from None


def main(args: argparse.Namespace) -> int:
    """Serve until interrupted; the exit code."""
    with server(ROOT / "_build" / "html", args.port) as serving:
        print(f"http://127.0.0.1:{serving.server_port}/ (end with Ctrl-C)", flush=True)
        try:
            serving.serve_forever()
        except KeyboardInterrupt:
            pass
    return 0
