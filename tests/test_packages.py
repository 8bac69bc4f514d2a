"""Which package and which module may import which: the contracts of pyproject.toml."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_imports_go_one_way():
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout
    assert "5 kept, 0 broken" in done.stdout


def test_the_core_does_not_load_the_other_packages():
    code = (
        "import sys, kdfair_core.cli, kdfair_core.metrics, kdfair_core.results;"
        "import kdfair_core.training;"
        "others = ('kdfair_audit', 'kdfair_book', 'kdfair_cluster');"
        "sys.exit(any(name.startswith(others) for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


BLOCKED = """
import importlib.abc, sys

class Blocked(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocked())
"""


def extras(*names: str) -> set[str]:
    """Modules of what pyproject.toml installs with these extras, besides what these need."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    chosen = [*project["dependencies"]]
    for name in names:
        chosen += project["optional-dependencies"].get(name, [name])
    return {re.split("[^A-Za-z0-9_-]", one)[0] for one in chosen}


MODULES = {"pillow": "PIL", "jupyter-book": "jupyter_book", "sphinx-exercise": "sphinx_exercise"}
MODULES |= {"vl-convert-python": "vl_convert"}


def without(*kept: str) -> str:
    """Python code that makes what the other extras install impossible to import."""
    everything = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    others = extras(*everything["optional-dependencies"]) - extras(*kept)
    others -= {"scikit-learn"}  # transformers imports it where it is installed
    return BLOCKED.format(blocked=sorted(MODULES.get(name, name) for name in others))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kept", "code"),
    [
        (
            [],
            "from kdfair_core import metrics, results, studies\n"
            "loaded = results.load('trifeature')\n"
            "assert len(loaded.group_fairness('color')) and len(loaded.affected_classes())\n"
            "assert studies.names() and len(loaded.individual_fairness('teacher'))",
        ),
        (["train"], "import sys; from kdfair_core.cli import main; sys.exit(main(TRAIN))"),
        # small networks ask for torch and safetensors alone
        (
            ["torch", "safetensors"],
            "import sys; from kdfair_core.cli import main; sys.exit(main(TRAIN))",
        ),
        (
            ["audit"],
            "from kdfair_audit import audit; import pandas as pd\n"
            "table = pd.DataFrame({'y': [0, 1] * 20, 'p': [0, 1, 1, 0] * 10, 's': ['a'] * 20 "
            "+ ['b'] * 20})\n"
            "assert 'html' in audit(table, label='y', groups=['s'], distilled='p').to_html()",
        ),
    ],
    ids=["core alone", "train", "torch alone", "audit"],
)
def test_an_extra_brings_what_its_part_needs(kept, code, tmp_path):
    train = ["run", "trifeature", "--profile", "smoke", "--seeds", "0", "--temperatures", "4"]
    train += ["--runs", str(tmp_path), "--quiet"]
    script = without(*kept) + f"TRAIN = {train!r}\n" + code
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
