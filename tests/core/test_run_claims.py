"""Claims: of many processes, one has a run; what a dead one had is taken over."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from kdfair_core import claims
from kdfair_core.claims import Folder, take
from kdfair_core.runs import RunStore

# Processes that claim what is not done yet, one or two runs at a time, until all is. A mark that
# can be made only once is held while a run is "trained": whoever finds it there has proved that
# two trained the same.
WRITER = """
import os, random, sys, time
from pathlib import Path
from kdfair_core import claims
claims.BEAT, claims.PATIENCE = 0.1, 2.0
root, seed = Path(sys.argv[1]), int(sys.argv[2])
draws = random.Random(seed)
names = [f"run{k}" for k in range(12)]
while left := [n for n in names if not (root / "done" / n).exists()]:
    wanted = draws.sample(left, min(len(left), draws.choice([1, 1, 2])))
    claim = claims.take(claims.Folder(root / "claims"), wanted)
    if claim is None:
        time.sleep(0.02)
        continue
    with claim:
        for name in wanted:
            if (root / "done" / name).exists():
                continue
            mark = root / "held" / name
            try:
                mark.touch(exist_ok=False)
            except FileExistsError:
                owner = int(mark.read_text() or 0)
                alive = owner and Path(f"/proc/{owner}").exists()
                if alive and Path(f"/proc/{owner}/stat").read_text().split()[2] != "Z":
                    (root / "twice" / f"{name}-{owner}-{os.getpid()}").touch()
            mark.write_text(str(os.getpid()))
            time.sleep(draws.uniform(0.02, 0.1))
            claim.check()
            with open(root / "log", "a") as log:
                log.write(name + "\\n")
            (root / "done" / name).touch()
            mark.unlink()
"""


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(claims, "BEAT", 0.05)
    monkeypatch.setattr(claims, "PATIENCE", 0.6)


def test_of_sixteen_writers_one_has_a_run_and_killed_ones_are_taken_over(tmp_path):
    for name in ("done", "held", "twice"):
        (tmp_path / name).mkdir()
    processes = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), str(seed)])
        for seed in range(16)
    ]
    draws = random.Random(0)
    killed = 0
    while any(p.poll() is None for p in processes) and killed < 6:
        time.sleep(0.3)
        if list((tmp_path / "held").iterdir()):
            victim = draws.choice([p for p in processes if p.poll() is None])
            victim.send_signal(signal.SIGKILL)
            killed += 1
    for process in processes:
        process.wait(timeout=60)
    assert not list((tmp_path / "twice").iterdir())
    assert len(list((tmp_path / "done").iterdir())) == 12
    trained = (tmp_path / "log").read_text().split()
    # what a killed writer had finished and not yet marked as done may be there twice
    assert len(set(trained)) == 12 and len(trained) <= 12 + killed
    assert not any(p.returncode == 1 for p in processes)


def test_a_claim_is_of_all_its_runs_or_none(tmp_path):
    place = Folder(tmp_path)
    with take(place, ["a", "b"]):
        assert take(place, ["b", "c"]) is None
        with take(place, ["c"]):
            assert len(place.times()) == 2
    assert place.times() == {}
    with take(place, ["b", "c"]):
        pass


def test_a_claim_that_nobody_touches_is_taken_over_and_its_owner_learns_it(tmp_path, quick):
    place = Folder(tmp_path)
    content = json.dumps({"runs": ["a"], "owner": {"machine": "elsewhere", "pid": 1}})
    place.write("other", content.encode())
    assert take(place, ["a"]) is None
    time.sleep(0.7)
    with take(place, ["a"]) as claim:
        assert "other" not in place.times()
        claim.check()
        time.sleep(0.8)  # it is touched, and lives
        assert take(place, ["a"]) is None
        place.remove(claim.name)  # as somebody does who heard nothing for too long
        time.sleep(0.2)
        with pytest.raises(claims.ClaimLost):
            claim.check()


def test_a_process_of_this_machine_that_ended_is_not_waited_for(tmp_path):
    code = "import sys; from kdfair_core import claims; from pathlib import Path;"
    code += "claims.take(claims.Folder(Path(sys.argv[1])), ['a'])"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    place = Folder(tmp_path)
    assert len(place.times()) == 1
    with take(place, ["a"]):
        assert len(place.times()) == 1


def test_clocks_of_machines_need_not_agree(tmp_path):
    """A living claim stays one where this machine's clock is an hour off the file system's."""
    place = Folder(tmp_path)
    content = json.dumps({"runs": ["a"], "owner": {"machine": "elsewhere", "pid": 1}})
    place.write("other", content.encode())

    class Ahead(Folder):
        def times(self):
            return {name: touched + 3600 for name, touched in super().times().items()}

    assert take(Ahead(tmp_path), ["a"]) is None
    os.utime(tmp_path / "other", (0, 0))
    assert take(Ahead(tmp_path), ["a"]) is not None


def test_a_store_claims_runs_of_a_study(tmp_path):
    store = RunStore(tmp_path)
    with store.claim("toy", "smoke", ["x"]):
        assert RunStore(tmp_path).claim("toy", "smoke", ["x"]) is None
        with store.claim("toy", "laptop", ["x"]):
            pass
    with pytest.raises(ValueError, match=r"study '\.\.' cannot name"):
        store.claim("..", "smoke", ["x"])
