"""Importing the charts does not compile what no chart needs."""

import subprocess
import sys

CODE = """
import sys
from kdfair_book import charts
assert "altair" in sys.modules and "rfc3987_syntax" not in sys.modules
import rfc3987_syntax  # it can still be had
"""


def test_altair_comes_without_the_grammar_of_addresses():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
