"""The sweep engine: one teacher, and all of its students trained together.

In the order of the data: ``plan`` turns what is asked for into sweeps, ``views`` makes batches,
``teacher`` says what the teacher answers, ``learners`` holds networks that learn side by side,
``loop`` trains them, ``sweep`` puts these together for one seed, ``study`` runs a study out of the
catalogue and stores what comes back. Importing this package does not import torch.
"""

from __future__ import annotations

from typing import Any


def run_study(*args: Any, **options: Any) -> int:
    """Train what is missing of a study; see :func:`kdfair_core.training.study.run_study`."""
    from kdfair_core.training import study

    return study.run_study(*args, **options)
