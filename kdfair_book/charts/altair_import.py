"""Imports Altair in a third of the time.

Altair imports jsonschema, and that compiles a grammar of internationalized addresses (IRIs) where
rfc3987_syntax is installed, as it is with JupyterLab: more than a second for a format that no chart
has. Where the grammar is missing, jsonschema does without; so it is missing for a moment.
"""

import sys

if "jsonschema" not in sys.modules and "rfc3987_syntax" not in sys.modules:
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
    try:
        import altair  # noqa: F401
    finally:
        del sys.modules["rfc3987_syntax"]
