import pytest
from tiny_study import tiny

from kdfair_core import datasets


@pytest.fixture
def study(monkeypatch):
    """A study that trains in a second."""
    dataset, study = tiny()
    monkeypatch.setattr(datasets, "load", lambda name, root=None, **options: dataset)
    return study
