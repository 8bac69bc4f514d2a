"""A toy study in a folder of its own, which is the default folder of results."""

import shutil

import pytest
from toy_study import Toy


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A toy study of which nothing is stored or published."""
    toy = Toy(tmp_path)
    monkeypatch.setenv("KDFAIR_RESULTS", str(toy.root))
    return toy


@pytest.fixture(scope="session")
def published_once(tmp_path_factory):
    toy = Toy(tmp_path_factory.mktemp("published"))
    toy.fill()
    toy.publish()
    return toy


@pytest.fixture
def published(toy, published_once):
    """A toy study whose teachers and students, all of them right, are published."""
    shutil.copytree(published_once.root, toy.root)
    return toy
