"""Processes on one store: each run is trained once, and everyone ends with all of them."""

import subprocess
import sys
import time

import pytest

from kdfair_core import studies
from kdfair_core.runs import RunStore, run_name
from kdfair_core.training import claimed
from kdfair_core.training.claimed import train_claimed
from kdfair_core.training.loop import OutOfTime
from kdfair_core.training.plan import plan

COMMAND = "run trifeature --profile smoke --seeds 0 1 5 --temperatures 4 --quiet --runs".split()


@pytest.mark.slow
def test_processes_on_one_store_train_each_run_once(tmp_path):
    command = [sys.executable, "-m", "kdfair_core", *COMMAND, str(tmp_path)]
    processes = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=300) for process in processes]
    assert [p.returncode for p in processes] == [0, 0], said
    written = [int(out.split(": ")[1].split()[0]) for out, _ in said]
    assert sum(written) == 7  # two seeds of a teacher and two students, a null seed
    store = RunStore(tmp_path)
    assert len(store.runs("trifeature", "smoke")) == 7
    assert not list(tmp_path.glob(".claims/*/*/*"))


def test_what_others_train_is_waited_for_until_the_deadline(tmp_path, monkeypatch):
    monkeypatch.setattr(claimed, "POLL", 0.05)
    store = RunStore(tmp_path)
    sweeps = plan(studies.get("trifeature"), "smoke", has=lambda _: False)
    seen, skipped = [], []

    def train(sweep, claim):
        seen.append(sweep.seed)
        for identity in sweep.to_train():
            store.write(identity, {}, {})

    (first, *_) = sweeps
    with store.claim("trifeature", "smoke", [run_name(first.students[1])]):
        with pytest.raises(OutOfTime):
            train_claimed(sweeps, store, train, deadline=time.monotonic() + 0.2)
        assert seen == [1, 5, 6]
        for identity in first.students:  # what the other trained
            store.write(identity, {}, {})
    train_claimed(sweeps, store, train, skipped=lambda sweep: skipped.append(sweep.missing))
    assert seen == [1, 5, 6, 0]
    assert sum(map(len, skipped)) == 11 and len(store.names("trifeature", "smoke")) == 12
