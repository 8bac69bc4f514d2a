"""The sweep engine: one teacher, and all of its students trained together.

``views`` makes batches, ``learners`` holds networks that learn from them side by side, ``sweep``
is the training loop, ``engine`` does what a study asks for and stores it. Importing this package
does not import torch; calling :func:`run_study` does.
"""

from __future__ import annotations

from typing import Any


def run_study(*args: Any, **options: Any) -> int:
    """Train what is missing of a study; see :func:`kdfair_core.training.engine.run_study`."""
    from kdfair_core.training import engine

    return engine.run_study(*args, **options)
