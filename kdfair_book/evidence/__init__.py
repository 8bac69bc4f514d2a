"""What published results can bear: intervals, tests and controls of a study.

Arranges :class:`~kdfair_core.results.Results` for :mod:`kdfair_core.metrics`; nothing here looks at
anything but stored predictions and logits. :mod:`kdfair_book.claims` turns the tests into verdicts.
"""

from kdfair_book.evidence.class_bias import (
    affected_classes_test,
    affected_trend,
    class_effects,
    disagreement_reduction,
    teacher_distance,
)
from kdfair_book.evidence.group import (
    fairness_by_run,
    fairness_differences,
    fairness_intervals,
    fairness_trend,
    floor_by_chance,
    signed_gaps,
)
from kdfair_book.evidence.individual import (
    dealt_at_random,
    individual_by_run,
    individual_intervals,
    softening_curve,
    softening_differences,
    unfairness_summary,
)
from kdfair_book.evidence.loss_gradients import gradient_sizes
from kdfair_book.evidence.seeds_needed import EFFECTS, power_curve, seeds_for
from kdfair_book.evidence.sweep import NotThere, Sweep, settings, sweep

__all__ = [
    "EFFECTS",
    "NotThere",
    "Sweep",
    "affected_classes_test",
    "affected_trend",
    "class_effects",
    "dealt_at_random",
    "disagreement_reduction",
    "fairness_by_run",
    "fairness_differences",
    "fairness_intervals",
    "fairness_trend",
    "floor_by_chance",
    "gradient_sizes",
    "individual_by_run",
    "individual_intervals",
    "power_curve",
    "seeds_for",
    "settings",
    "signed_gaps",
    "softening_curve",
    "softening_differences",
    "sweep",
    "teacher_distance",
    "unfairness_summary",
]
