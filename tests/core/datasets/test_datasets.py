import subprocess
import sys

import numpy as np
import pytest

from kdfair_core import datasets
from kdfair_core.datasets import Split


def test_names_are_sorted_and_load():
    assert datasets.names() == sorted(datasets.names())
    assert "trifeature" in datasets.names()


def test_unknown_name_and_option():
    with pytest.raises(ValueError, match=r"'mnist'; expected one of .*trifeature"):
        datasets.load("mnist")
    with pytest.raises(ValueError, match="no option 'sise'; expected one of n_test, n_train, seed"):
        datasets.load("trifeature", sise=32)


def test_split_takes_examples_and_checks_lengths():
    split = Split(np.arange(12).reshape(4, 3), np.arange(4), {"a": np.array([0, 1, -1, 0])})
    part = split.take(np.array([2, 0]))
    assert part.y.tolist() == [2, 0] and part.groups["a"].tolist() == [-1, 0] and len(part) == 2
    with pytest.raises(ValueError, match=r"'y': 3"):
        Split(np.zeros((4, 2)), np.zeros(3))


def test_no_data_set_imports_torch():
    code = (
        "import importlib, sys; from kdfair_core import datasets\n"
        "for entry in datasets.REGISTRY.values():\n"
        "    importlib.import_module('kdfair_core.datasets.' + entry.partition(':')[0])\n"
        "heavy = {'torch', 'torchvision', 'transformers', 'timm'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
