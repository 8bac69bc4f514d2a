"""Made-up studies, drawn once."""

import pytest
from known_study import made_up, nothing

from kdfair_book.evidence import Sweep, sweep


@pytest.fixture(scope="session")
def moving() -> Sweep:
    """A study in which temperature draws the student towards its teacher."""
    return sweep(made_up(settings=((0.8, "T2"), (0.6, "T2")), n_classes=10))


@pytest.fixture(scope="session")
def still() -> Sweep:
    """A study in which distillation changes nothing at all."""
    return sweep(made_up(pull=lambda t: 0.0 * nothing(t), softness=0.0, n_classes=10, lift=0.0))
