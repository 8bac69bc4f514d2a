"""Sweeps one after another, none of which another process on the same store is training."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from kdfair_core.claims import Claim, ClaimLost
from kdfair_core.runs import RunStore, run_name
from kdfair_core.training.loop import OutOfTime
from kdfair_core.training.plan import Sweep

POLL = 2.0
"""Seconds between two looks at sweeps that other processes train."""


def train_claimed(
    sweeps: Sequence[Sweep],
    store: RunStore,
    train: Callable[[Sweep, Claim], None],
    *,
    deadline: float | None = None,
    skipped: Callable[[Sweep], None] | None = None,
) -> None:
    """Train each sweep under a claim; those that other processes train come last.

    A sweep is finished when its runs are stored, whoever trained them: this waits for others, and
    takes over what they leave, until ``deadline`` (of ``time.monotonic()``; then OutOfTime).
    ``train`` is given a sweep with what is still missing of it, and had better call ``claim.check``
    at times; ``skipped`` is told of parts of sweeps that others have stored.
    """
    left = list(sweeps)
    while left:
        for sweep in list(left):
            now = _still_missing(sweep, store)
            if not now.missing:
                left.remove(sweep)
                _tell(skipped, sweep, now)
                continue
            identity = now.to_train()[0]
            claim = store.claim(identity["study"], identity["profile"], now.missing)
            if claim is None:
                continue
            with claim:
                now = _still_missing(now, store)  # it may have been stored while we asked
                _tell(skipped, sweep, now)
                try:
                    if now.missing:
                        train(now, claim)
                except ClaimLost:
                    continue
            left.remove(sweep)
            break  # what was waited for before may be free by now
        else:
            if left:
                if deadline is not None and time.monotonic() > deadline:
                    raise OutOfTime
                time.sleep(POLL)


def _still_missing(sweep: Sweep, store: RunStore) -> Sweep:
    left = [run_name(i) for i in sweep.to_train() if not store.has(i)]
    return replace(sweep, missing=tuple(left))


def _tell(skipped: Callable[[Sweep], None] | None, before: Sweep, now: Sweep) -> None:
    gone = tuple(name for name in before.missing if name not in now.missing)
    if gone and skipped:
        skipped(replace(before, missing=gone))
