"""``kdfair serve``: the built book on this machine's own address."""

from __future__ import annotations

import argparse
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

from kdfair_book.build import ROOT

SUMMARY = "show the built book on localhost"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("--port", type=int, default=8000, help="0 takes any that is free (8000)")


def main(args: argparse.Namespace) -> int:
    """Serve until interrupted; the exit code."""
    pages = ROOT / "_build" / "html"
    if not (pages / "index.html").is_file():
        raise ValueError(f"there is no book at {pages}: build it with kdfair build")
    handler = partial(SimpleHTTPRequestHandler, directory=str(pages))
    with ThreadingHTTPServer(("127.0.0.1", args.port), handler) as server:
        print(f"http://127.0.0.1:{server.server_port}/ (end with Ctrl-C)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return 0
    return 0
