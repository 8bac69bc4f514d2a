"""Failed trainings are told from unlucky ones."""

import numpy as np
import pytest

from kdfair_book.evidence.collapse import collapsed


@pytest.mark.parametrize(
    ("accuracy", "expected"),
    [
        ([0.94, 0.10, 0.93, 0.95, 0.92], [0, 1, 0, 0, 0]),
        ([0.94, 0.70, 0.93], [0, 0, 0]),
        ([0.9, 0.5], [0, 0]),
        ([0.9, 0.2], [0, 1]),
        ([0.1, 0.1, 0.1], [0, 0, 0]),
        ([0.0, 0.0], [0, 0]),
        ([0.5], [0]),
        ([], []),
    ],
)
def test_far_below_the_median(accuracy, expected):
    assert collapsed(accuracy).tolist() == [bool(e) for e in expected]


def test_shape():
    with pytest.raises(ValueError, match=r"shape \(1, 2\); expected \[run\]"):
        collapsed(np.zeros((1, 2)))
