"""What is published under ``data/``: predictions, where they came from, and the frames they give.

    data/<study>/<profile>/manifest.json     what was run, on what, and a checksum of each file
    data/<study>/<profile>/predictions.npz   labels, groups, predictions; logits of some examples
    data/<study>/<profile>/runs.csv          a row a run
    data/<study>/<profile>/summary.csv       means over seeds with intervals

``$KDFAIR_RESULTS`` names another folder than ``data/``.
"""

from kdfair_core.files import Damaged
from kdfair_core.results.collecting import scored_examples
from kdfair_core.results.frames import IDENTIFYING, Results
from kdfair_core.results.manifest import NotMeasured, badge, results_root
from kdfair_core.results.publishing import publish
from kdfair_core.results.reading import load, published, validate

__all__ = ["IDENTIFYING", "Damaged", "NotMeasured", "Results", "badge", "load", "publish"]
__all__ += ["published", "results_root", "scored_examples", "validate"]
