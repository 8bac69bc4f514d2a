"""Numbers from predictions: numpy and scipy only.

Arrays in, numbers or pandas frames out. Labels and predictions are whole numbers from 0; rates and
differences are fractions. Most group metrics are functions of one table,
``count[group, label, prediction]``, which :func:`group_counts` builds for any number of runs at
once.
"""

from kdfair_core.metrics.bootstrap import bootstrap_interval
from kdfair_core.metrics.checks import UndefinedMetricWarning
from kdfair_core.metrics.classes import (
    accuracy_from_counts,
    affected_classes,
    class_accuracy,
    class_accuracy_from_counts,
    disagreement_matrix,
    relative_class_accuracy,
)
from kdfair_core.metrics.counts import group_counts
from kdfair_core.metrics.fairness import (
    demographic_parity_difference,
    dpd_from_counts,
    eod_from_counts,
    equalized_odds_difference,
)
from kdfair_core.metrics.individual import (
    Pairs,
    individual_unfairness,
    sample_pairs,
    unfairness_over_pairs,
)
from kdfair_core.metrics.significance import benjamini_hochberg, welch

__all__ = ["Pairs", "UndefinedMetricWarning", "accuracy_from_counts", "affected_classes"]
__all__ += ["benjamini_hochberg", "bootstrap_interval", "class_accuracy"]
__all__ += ["class_accuracy_from_counts", "demographic_parity_difference", "disagreement_matrix"]
__all__ += ["dpd_from_counts", "eod_from_counts", "equalized_odds_difference", "group_counts"]
__all__ += ["individual_unfairness", "relative_class_accuracy", "sample_pairs"]
__all__ += ["unfairness_over_pairs", "welch"]
