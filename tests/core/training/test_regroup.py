"""A checkpoint of one grouping serves another, and nothing is mixed."""

from dataclasses import replace

import numpy as np
import pytest
from tiny_study import run, same, stored

from kdfair_core import datasets
from kdfair_core.checkpoints import FORMAT, Checkpoint
from kdfair_core.runs import RunStore, run_name
from kdfair_core.training.plan import plan
from kdfair_core.training.regroup import clear_finished, companies
from kdfair_core.training.running import store_runs
from kdfair_core.training.study import catalogue_networks, pick_device
from kdfair_core.training.sweep import train_sweep
from kdfair_core.training.views import DatasetViews

STEPS = 4  # of each epoch; a checkpoint is saved at its end


class Killed(Exception):
    pass


@pytest.fixture
def student(study):
    """Students that each learn by themselves: their sums do not depend on the company."""
    given = study.profile("smoke")
    profile = replace(given, teacher="lenet5", student="resnet20", seeds=(0,), null_seeds=())
    return replace(study, profiles={"smoke": profile})


@pytest.fixture
def train(student):
    """Train some of the students; the steps that were told, as many as they are."""
    views = DatasetViews(datasets.load("tiny"), pick_device("cpu"))

    def some(store, which, *, until=None):
        (sweep,) = plan(student, "smoke", has=store.has)
        group = tuple(sweep.students[i] for i in which)
        names = tuple(run_name(i) for i in group if run_name(i) in sweep.missing)
        told = []

        def tick(steps):
            told.append(steps)
            if until is not None and sum(told) >= until * len(group):
                raise Killed

        try:
            for finished in train_sweep(
                replace(sweep, students=group, missing=names),
                views,
                catalogue_networks(views.dataset),
                stored_weights=store.weights,
                checkpoints=store.checkpoint,
                tick=tick,
            ):
                store_runs(store, finished)
        except Killed:
            assert until is not None
        return told

    return some


@pytest.fixture
def store(student, tmp_path):
    """With the teacher alone."""
    made = RunStore(tmp_path / "runs")
    run(student, made, temperatures=[7])  # a student that nobody asks for again
    return made


@pytest.fixture
def unbroken(student, tmp_path):
    made = RunStore(tmp_path / "unbroken")
    run(student, made, temperatures=[7])
    run(student, made)
    return stored(made)


def clear_student(store):
    """Of the fixture's run, the student without a teacher is asked for again."""
    import shutil

    for path in (store.root / "tiny" / "smoke").glob("nds-*"):
        shutil.rmtree(path)


def left(store):
    return list((store.root / ".checkpoints").rglob("*.safetensors"))


def test_groups_go_on_as_one(store, train, unbroken):
    clear_student(store)
    train(store, (0, 1), until=STEPS + 1)
    train(store, (2,), until=2 * STEPS + 1)
    told = train(store, (0, 1, 2))
    # who went further goes on alone, then the others, each from where they were
    assert told == [2 * STEPS] + [1] * STEPS + [STEPS * 2] + [2] * 2 * STEPS
    same(stored(store), unbroken)
    assert not left(store)


def test_groups_at_one_step_go_on_together(store, train, unbroken):
    clear_student(store)
    train(store, (0,), until=STEPS + 1)
    train(store, (1, 2), until=STEPS + 2)
    assert train(store, (0, 1, 2), until=STEPS + 3)[0] == 3 * STEPS
    assert train(store, (0, 1, 2)) == [3 * STEPS] + [3] * 2 * STEPS
    same(stored(store), unbroken)
    assert not left(store)


def test_a_whole_goes_on_in_groups(store, train, unbroken):
    clear_student(store)
    train(store, (0, 1, 2), until=2 * STEPS + 1)
    assert train(store, (1,), until=2 * STEPS + 2) == [2 * STEPS, 1, 1]
    assert train(store, (0, 2)) == [4 * STEPS] + [2] * STEPS
    assert train(store, (0, 1, 2)) == [2 * STEPS] + [1] * STEPS
    same(stored(store), unbroken)
    assert not left(store)


def test_who_was_not_begun_begins_anew(store, train, unbroken):
    clear_student(store)
    train(store, (1,), until=STEPS + 1)
    assert train(store, (1, 2)) == [STEPS] + [1] * 2 * STEPS + [1] * 3 * STEPS
    train(store, (0,))
    same(stored(store), unbroken)


def saved(path, members, step):
    rows = np.arange(len(members), dtype=np.float32)
    arrays = {"history": np.tile(rows[:, None], 3), "total": rows}
    arrays |= {f"{name}/w": np.full(2, 10 * step + i) for i, name in enumerate(members)}
    meta = {"format": FORMAT, "members": members, "step": step, "seen": 0, "seconds": 6.0}
    Checkpoint(path, {"of": path.name}).save(meta, arrays)


def test_each_run_is_taken_from_where_it_went_furthest(tmp_path):
    saved(tmp_path / "students-s0-a.safetensors", ["x", "y", "z"], 4)
    saved(tmp_path / "students-s0-b.safetensors", ["z", "u"], 8)
    saved(tmp_path / "students-s1-c.safetensors", ["v"], 12)  # of another seed
    (tmp_path / "students-s0-d.safetensors").write_bytes(b"damaged")
    own = Checkpoint(tmp_path / "students-s0-e.safetensors", {"of": "e"})
    made = companies(own, list("uvyz"))
    assert next(made) == ["u", "z"]
    meta, arrays = own.load()
    assert meta["step"] == 8 and meta["members"] == ["u", "z"] and meta["seconds"] == 6.0
    assert arrays["total"].tolist() == [1, 0] and arrays["history"][:, 0].tolist() == [1, 0]
    assert arrays["z/w"].tolist() == [80, 80] and set(arrays) == {"history", "total", "u/w", "z/w"}
    own.clear()
    assert next(made) == ["y"]
    assert own.load()[0]["step"] == 4 and own.load()[0]["seconds"] == 2.0
    clear_finished((own, *own.beside()), set("xyz"))
    assert own.load() is None
    assert next(made) == ["v"] and own.load() is None
    assert next(made, None) is None
    clear_finished(own.beside(), set("uxyz"))
    assert sorted(path.name[:13] for path in tmp_path.iterdir()) == [
        "students-s0-d",
        "students-s1-c",
    ]
