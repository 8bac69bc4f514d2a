"""The walk through the core names files that exist, and its code runs."""

import re
from pathlib import Path

CORE = Path(__file__).parents[2] / "kdfair_core"
TEXT = (CORE / "README.md").read_text(encoding="utf-8")


def test_every_file_of_the_walk_exists():
    named = [
        name
        for name in re.findall(r"`([\w/]+(?:\.py|/))`", TEXT)
        if not name.startswith(("data/", "tests/"))
    ]
    assert len(named) > 15
    assert [name for name in named if not (CORE / name).exists()] == []


def test_every_file_of_the_engine_is_on_the_walk_and_short():
    for path in (CORE / "training").glob("*.py"):
        assert len(path.read_text().splitlines()) < 300
    steps = {"plan", "views", "teacher", "learners", "loop", "sweep", "study"}
    assert {f"training/{step}.py" for step in steps} <= set(
        re.findall(r"`(training/\w+\.py)`", TEXT)
    )


def test_the_student_by_hand_learns():
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    names: dict = {}
    exec(
        code.replace("optimizer = ", "before = student.linear3.weight.clone()\noptimizer = "), names
    )
    assert not names["student"].linear3.weight.equal(names["before"])
