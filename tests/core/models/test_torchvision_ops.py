import subprocess
import sys

import pytest

from kdfair_core.models import _torchvision


def python(code):
    return subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-c", code], capture_output=True, text=True
    )


@pytest.mark.slow
@pytest.mark.parametrize("package", ["torchvision", "timm", "transformers"])
def test_packages_import_after_registering(package):
    code = (
        "from kdfair_core.models._torchvision import register_ops\n"
        "register_ops(); register_ops()\n"
        f"import {package}\n"
    )
    code += "from transformers import BertModel\n" if package == "transformers" else ""
    result = python(code)
    assert result.returncode == 0, result.stderr


def test_torch_knows_both_operators():
    import torch

    torchvision = _torchvision.import_torchvision()
    assert torchvision.__name__ == "torchvision"
    for name in ("nms", "qnms"):
        assert hasattr(torch.ops.torchvision, name)


def test_compiled_operators_are_left_alone():
    """Where the library loads and brings its operators, nothing is declared over them."""
    code = (
        "import torch\n"
        "brought = []\n"
        "def load_library(path):\n"
        "    for name in ('nms', 'qnms'):\n"
        "        torch.library.define('torchvision::' + name, '(Tensor x) -> Tensor')\n"
        "    brought.append(path)\n"
        "torch.ops.load_library = load_library\n"
        "from kdfair_core.models._torchvision import register_ops\n"
        "register_ops()\n"
        "assert len(brought) == 1, brought\n"
        "assert 'iou' not in str(torch.ops.torchvision.nms.default._schema)\n"
    )
    result = python(code)
    assert result.returncode == 0, result.stderr


def test_without_torchvision(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    _torchvision.register_ops.__wrapped__()  # nothing to do, no error
