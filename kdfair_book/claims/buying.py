"""What some GPU hours would buy: which undecided verdicts more seeds would decide, cheapest first.

A seed of a study is trained whole (teacher, student alone, every distilled student of the profile),
so it serves every claim about that study. Seeds are bought greedily: whichever study, brought to
the seeds that one of its verdicts lacks, decides most verdicts an hour. What a verdict lacks is
reckoned with power 0.8 (:mod:`kdfair_book.claims.deciding`); hours are those of ``kdfair plan``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from kdfair_book.claims.seeds_to_decide import POWER
from kdfair_cluster.costs import Rates
from kdfair_cluster.plan_command import RATE
from kdfair_cluster.planning import Costs
from kdfair_core import studies
from kdfair_core.training.plan import plan

COLUMNS = ["study", "profile", "seeds", "more_seeds", "hours", "verdicts", "expected"]


def seed_gpu_hours(study: str, profile: str, *, rate: str = RATE) -> float:
    """GPU hours of one seed of a study, as ``kdfair plan`` reckons them."""
    known = studies.get(study)
    one = plan(known, profile, has=lambda _: False, seeds=[known.profile(profile).seeds[0]])
    return Costs(known, profile, Rates(rate), one).cost(1).work / 3600


def bought(
    card: pd.DataFrame,
    hours: float = 10.0,
    *,
    each: Callable[[str, str], float] = seed_gpu_hours,
) -> pd.DataFrame:
    """What so many GPU hours would buy, in the order of buying.

    Parameters
    ----------
    card : DataFrame
        From :func:`kdfair_book.claims.scorecard`, with ``missing`` (what each undecided row lacks).
    hours : float
    each : callable
        GPU hours of a seed of a study under a profile.

    Returns
    -------
    pandas.DataFrame
        A row a purchase (steps of one study in a row are one): ``study``, ``profile``, ``seeds``
        (in all, afterwards), ``more_seeds``, ``hours`` (of it), ``verdicts`` (rows of the card, as
        dicts, that become decidable) and ``expected`` (how many of them are decided, if what was
        measured is the truth).
    """
    lacking = card[card["verdict"] == "undecided"]
    finite = [lack is not None and bool(np.isfinite(lack.seeds)) for lack in lacking["missing"]]
    lacking = lacking[finite]
    need = pd.Series([lack.seeds for lack in lacking["missing"]], lacking.index, dtype=float)
    studied = lacking[["study", "profile", "n"]].groupby(["study", "profile"])["n"].max()
    have = {(str(study), str(of)): float(n) for (study, of), n in studied.items()}  # type: ignore
    price = {(study, profile): each(study, profile) for study, profile in have}
    left, steps = hours, list[list[Any]]()
    while True:
        offers: list[tuple[float, Any]] = []
        for key, seeds in have.items():
            mine = need[(lacking["study"] == key[0]) & (lacking["profile"] == key[1])]
            for target in sorted(set(mine[mine > seeds])):
                cost = (target - seeds) * price[key]
                rows = mine.index[(mine > seeds) & (mine <= target)]
                if cost <= left:
                    offers.append((len(rows) / cost, (key, target, cost, rows)))
        if not offers:
            return pd.DataFrame(steps, columns=COLUMNS)
        key, target, cost, rows = max(offers, key=lambda offer: offer[0])[1]
        if not steps or tuple(steps[-1][:2]) != key:
            steps.append([*key, 0, 0, 0.0, [], 0.0])
        step = steps[-1]
        step[2] = int(target)
        step[3] += int(target - have[key])
        step[4] += cost
        step[5] += lacking.loc[rows].to_dict("records")
        step[6] += POWER * len(rows)
        have[key], left = target, left - cost
