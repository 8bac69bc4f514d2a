"""Which package and which module may import which: the contracts of pyproject.toml."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_imports_go_one_way():
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout
    assert "3 kept, 0 broken" in done.stdout


def test_the_core_does_not_load_the_other_packages():
    code = (
        "import sys, kdfair_core.cli, kdfair_core.metrics, kdfair_core.results;"
        "import kdfair_core.training;"
        "sys.exit(any(name.startswith(('kdfair_audit', 'kdfair_book')) for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
