"""kdfair serve shows the built book, or says in a sentence why it cannot."""

import socket
import threading
import urllib.request

import pytest

from kdfair_book import serve
from kdfair_core import cli


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A project's folder with a book of one page."""
    pages = tmp_path / "_build" / "html"
    pages.mkdir(parents=True)
    (pages / "index.html").write_text("<p>the book</p>")
    monkeypatch.setattr(serve, "ROOT", tmp_path)
    return pages


def test_the_index_is_served(book):
    with serve.server(book, 0) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{serving.server_port}/") as answer:
                assert answer.read() == b"<p>the book</p>"
        finally:
            serving.shutdown()
            thread.join()


def test_it_ends_quietly_when_interrupted(book, monkeypatch, capsys):
    def interrupt(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(serve.ThreadingHTTPServer, "serve_forever", interrupt)
    assert cli.main(["serve", "--port", "0"]) == 0
    assert capsys.readouterr().out.startswith("http://127.0.0.1:")


def refused(capsys, *arguments):
    """What ``kdfair serve`` says on its one line when it cannot."""
    assert cli.main(["serve", *arguments]) == 2
    out, err = capsys.readouterr()
    assert not out and err.count("\n") == 1
    return err


def test_a_missing_book_is_said(book, capsys):
    (book / "index.html").unlink()
    assert f"no book at {book}: build it with kdfair build" in refused(capsys)


def test_a_taken_port_is_said(book, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"cannot serve at port {port}" in refused(capsys, "--port", str(port))
    assert "cannot serve at port 70000" in refused(capsys, "--port", "70000")
