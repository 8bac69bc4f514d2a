"""The command line: what it does, and what it says when it cannot."""

import dataclasses
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from kdfair_core import cli, datasets, studies, training
from kdfair_core.datasets import Dataset, DatasetMissing, Split
from kdfair_core.runs import DiskFull, RunStore

LABELS = np.array([0, 1, 0, 1])


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Two toy studies, and folders of their own for everything."""
    recipe = studies.Recipe()
    profile = studies.Profile({}, "resnet20", "lenet5", recipe, recipe, (0, 1), (5,), (1, 2, 3, 20))
    smoke = dataclasses.replace(profile, seeds=(0,), null_seeds=(), temperatures=(1,))
    profiles = {"laptop": profile, "smoke": smoke}
    one = studies.Study("one", "First", "toy", 2, "group fairness", profiles, ("side",))
    two = dataclasses.replace(one, name="two", title="Second", dataset="absent", attributes=())
    monkeypatch.setattr(studies, "STUDIES", {"one": one, "two": two})

    def load(name, *, root=None, **options):
        if name == "absent":
            raise DatasetMissing("data set 'absent' is not in ./datasets: download it")
        x = np.zeros((4, 3, 8, 8), np.uint8)
        split = Split(x, LABELS, {"side": np.array([0, 1, 1, 0], np.int16)})
        mean = (0.5, 0.5, 0.5)
        groups = {"side": ("left", "right")}
        return Dataset("toy", split, split, ("a", "b"), groups, mean, mean, "Made up.")

    monkeypatch.setattr(datasets, "load", load)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KDFAIR_RESULTS", str(tmp_path / "data"))
    return tmp_path


@pytest.fixture
def trained(here, monkeypatch):
    """A stand-in for training that stores what is asked for, and the calls that it got."""
    calls = []

    def run_study(study, profile, *, store, seeds=None, data_root=None, **options):
        calls.append({"study": study, "profile": profile, "seeds": seeds, **options})
        study = studies.get(study)
        datasets.load(study.dataset, root=data_root)
        logits = np.eye(2, dtype=np.float16)[LABELS]
        arrays = {"logits": logits, "prediction": LABELS.astype(np.uint8)}
        missing = [
            identity
            for identity in studies.expected_identities(study, profile, seeds)
            if not store.has(identity)
        ]
        for identity in missing:
            store.write(identity, arrays, {"seconds": 3600, "environment": {"device": "cpu"}})
        return len(missing)

    monkeypatch.setattr(training, "run_study", run_study)
    return calls


def run(capsys, *arguments):
    code = cli.main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return code, out, err


# studies


def test_studies_lists_what_is_measured_and_what_is_missing(trained, capsys):
    code, out, err = run(capsys, "studies")
    assert code == 0 and not err
    assert out.splitlines()[:2] == [
        "one: First (group fairness by side)",
        "    laptop   missing: all of 13 runs (kdfair run one --profile laptop)",
    ]
    assert "two: Second (group fairness)" in out

    run(capsys, "run", "one", "--seeds", 0, 5, "--publish")
    run(capsys, "run", "one", "--seeds", 1)
    RunStore("runs").path(studies.teacher_identity(studies.get("one"), "laptop", 1)).rename("gone")
    code, out, err = run(capsys, "studies", "one")
    assert code == 0 and not err and "two" not in out
    lines = out.splitlines()
    assert lines[1].startswith("    laptop   measured, published 2")
    assert lines[1].endswith(
        ": 7 runs; seeds 0; null control 5; T 1-3, 20; alpha 0.8; soft scale T2; 7.0 hours on cpu"
    )
    assert lines[2:4] == [
        "             in the run store and not yet published: 5 (seeds 1)",
        "             missing: 1 (seeds 1) of 13 runs (kdfair run one --profile laptop)",
    ]


def test_studies_tells_of_damaged_results(trained, here, capsys):
    run(capsys, "run", "one", "--profile", "smoke", "--publish")
    (here / "data" / "one" / "smoke" / "predictions.npz").write_bytes(b"x")
    code, out, _ = run(capsys, "studies", "one")
    assert code == 0 and "predictions.npz is damaged" in out


# run


def test_run_passes_on_what_was_asked(trained, capsys):
    code, out, _ = run(capsys, "run", "one")
    assert code == 0 and "one/laptop: 13 runs written to runs" in out
    assert trained == [
        {
            "study": "one",
            "profile": "laptop",
            "seeds": None,
            "temperatures": None,
            "alphas": None,
            "soft_scales": None,
            "device": "auto",
            "precision": None,
            "compiled": None,
            "together": None,
            "ray": None,
            "split": None,
            "gpus_per_teacher": 1,
            "time_limit": None,
            "progress": True,
        }
    ]
    trained.clear()
    options = "--profile smoke --seeds 0 3 --temperatures 1 2.5 --alpha 0.6 1 --soft-scale none T2"
    places = "--device cpu --precision fp32 --no-compile --together 2 --time-limit 0.5 --quiet"
    places += " --runs elsewhere"
    code, out, _ = run(capsys, "run", "one", *options.split(), *places.split())
    assert code == 0 and "written to elsewhere" in out
    assert trained == [
        {
            "study": "one",
            "profile": "smoke",
            "seeds": [0, 3],
            "temperatures": [1, 2.5],
            "alphas": [0.6, 1],
            "soft_scales": ["none", "T2"],
            "device": "cpu",
            "precision": "fp32",
            "compiled": False,
            "together": 2,
            "ray": None,
            "split": None,
            "gpus_per_teacher": 1,
            "time_limit": 0.5,
            "progress": False,
        }
    ]
    assert [type(value) for value in trained[0]["temperatures"]] == [int, float]


def test_run_and_publish(trained, here, capsys):
    code, out, _ = run(capsys, "run", "one", "--seeds", 0, "--publish", "--results", "published")
    assert code == 0
    assert "published 6 runs in published/one/laptop; 7 of the profile are missing" in out
    assert (here / "published" / "one" / "laptop" / "manifest.json").exists()
    code, out, _ = run(capsys, "publish", "one", "--results", "published")
    assert code == 0 and "published 6 runs" in out


def test_publish_keeps_or_replaces(trained, capsys):
    run(capsys, "run", "one", "--seeds", 0, "--publish")
    run(capsys, "run", "one", "--seeds", 1, "--runs", "other")
    out = run(capsys, "publish", "one", "--runs", "other")[1]
    assert "published 12 runs in " in out and out.endswith(
        "laptop, 6 of them kept from before; 1 of the profile are missing\n"
    )
    assert "published 6 runs" in run(capsys, "publish", "one", "--runs", "other", "--replace")[1]


def test_next_takes_one_piece(trained, capsys):
    for seed in (0, 1, 5):
        code, out, _ = run(capsys, "run", "--next")
        assert code == 0 and out.startswith(f"next: one/laptop, seed {seed}\n")
    assert [call["seeds"] for call in trained] == [(0,), (1,), (5,)]
    code, out, err = run(capsys, "run", "--next")
    assert code == 2 and "two is passed over" in out and "absent" in err
    code, out, err = run(capsys, "run", "--next", "one")
    assert code == 0 and out == "nothing is missing under profile laptop\n"


def test_next_goes_on_until_the_time_limit(trained, capsys, monkeypatch):
    code, out, _ = run(capsys, "run", "--next", "--time-limit", 10, "--publish")
    assert code == 0 and out.count("next: ") == 4
    assert "two is passed over: data set 'absent' is not in ./datasets: download it" in out
    assert "one/laptop: 13 runs written" in out and "published 13 runs" in out
    limits = [call["time_limit"] for call in trained]
    assert 9 < limits[2] < limits[1] < limits[0] <= 10


def test_next_stops_when_time_is_up(trained, capsys, monkeypatch):
    clock = iter([0, 30, 61, 90])
    monkeypatch.setattr(cli.time, "monotonic", lambda: next(clock))
    code, out, _ = run(capsys, "run", "--next", "--time-limit", 1)
    assert code == 0 and out.count("next: ") == 1
    assert trained[0]["time_limit"] == 0.5


def test_next_does_not_turn_in_circles(trained, capsys, monkeypatch):
    monkeypatch.setattr(training, "run_study", lambda *arguments, **options: 0)
    code, out, _ = run(capsys, "run", "--next", "--time-limit", 10)
    assert code == 0 and out.count("next: ") == 1


# what cannot be


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("", ["COMMAND"]),
        ("train", ["'train'", "studies", "run", "publish", "build", "audit"]),
        ("studies one three", ["'three'", "one, two"]),
        ("run three", ["'three'", "one, two"]),
        ("run", ["one, two", "--next"]),
        ("run one --profile paper", ["'paper'", "laptop, smoke"]),
        ("run --next --profile paper", ["'paper'", "laptop, smoke"]),
        ("run three --next", ["'three'", "one, two"]),
        ("run --next --seeds 1", ["seeds", "--next"]),
        ("run one --temperatures 0", ["'0'", "positive"]),
        ("run one --temperatures 1 -4", ["'-4'", "positive"]),
        ("run one --temperatures inf", ["'inf'", "positive"]),
        ("run one --temperatures nan", ["'nan'", "positive"]),
        ("run one --temperatures warm", ["'warm'", "positive"]),
        ("run one --temperatures", ["--temperatures", "at least one"]),
        ("run one --alpha 1.5", ["'1.5'", "0 to 1"]),
        ("run one --alpha -0.1", ["'-0.1'", "0 to 1"]),
        ("run one --seeds -1", ["'-1'", "from 0"]),
        ("run one --seeds 1.5", ["'1.5'", "whole number"]),
        ("run one --soft-scale T", ["'T'", "T2", "none"]),
        ("run one --precision fp8", ["'fp8'", "fp32", "bf16"]),
        ("run one --time-limit 0", ["'0'", "minutes"]),
        ("run one --colour", ["--colour"]),
        ("run two", ["'absent'", "download"]),
        ("publish", ["study"]),
        ("publish three", ["'three'", "one, two"]),
        ("publish one --profile paper", ["'paper'", "laptop, smoke"]),
        ("publish one", ["nothing to publish", "runs", "run one --profile laptop"]),
    ],
)
def test_bad_input_is_one_sentence_and_code_2(trained, capsys, arguments, words):
    code, out, err = run(capsys, *arguments.split())
    assert code == 2 and not out
    assert err.count("\n") == 1 and err.startswith("kdfair")
    assert all(word in err for word in words), err


@pytest.mark.parametrize(
    "error",
    [ValueError("a checkpoint of another recipe"), DiskFull("the disk is full"), OSError("no")],
)
def test_errors_of_training_are_said_in_one_sentence(here, capsys, monkeypatch, error):
    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr(training, "run_study", fail)
    assert run(capsys, "run", "one") == (2, "", f"kdfair run: {error}\n")
    monkeypatch.setenv("KDFAIR_TRACEBACK", "1")
    with pytest.raises(type(error)):
        run(capsys, "run", "one")


def test_an_error_in_the_program_is_not_hidden(here, monkeypatch):
    def fail(*arguments, **options):
        raise RuntimeError("a bug")

    monkeypatch.setattr(training, "run_study", fail)
    with pytest.raises(RuntimeError):
        cli.main(["run", "one"])


def test_stopped_by_hand(here, capsys, monkeypatch):
    def stop(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "run_study", stop)
    code, _, err = run(capsys, "run", "one")
    assert code == 130 and "goes on from here" in err


def test_damaged_runs_are_named(trained, here, capsys):
    run(capsys, "run", "one", "--profile", "smoke")
    path = next((here / "runs" / "one" / "smoke").glob("nds-*/logits.npy"))
    path.write_bytes(b"x")
    code, _, err = run(capsys, "publish", "one", "--profile", "smoke")
    assert code == 2 and err.count("\n") == 1 and "logits.npy is damaged" in err


# the rest


@pytest.mark.parametrize(
    ("name", "module"), [("build", "kdfair_book.build"), ("audit", "kdfair_audit.cli")]
)
def test_commands_of_other_modules(monkeypatch, capsys, name, module):
    other = types.ModuleType(module)
    other.SUMMARY = "do something else"
    other.add_arguments = lambda parser: parser.add_argument("--jobs", type=int)
    other.main = lambda args: args.jobs
    monkeypatch.setitem(sys.modules, module, other)
    assert run(capsys, name, "--jobs", 3)[0] == 3
    assert run(capsys, name, "--help")[0] == 0


@pytest.mark.parametrize("command", ["", "studies", "run", "publish"])
def test_help_is_quick_and_needs_little(command):
    arguments = [*command.split(), "--help"]
    code = (
        "import sys; from kdfair_core import cli; code = cli.main(sys.argv[1:]); "
        "heavy = {'torch', 'pandas', 'numpy'} & set(sys.modules); sys.exit(code or bool(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert done.returncode == 0 and "usage: kdfair" in done.stdout


def test_it_runs_as_a_module_and_by_its_name():
    said = []
    for front in (
        [sys.executable, "-m", "kdfair_core"],
        [Path(sys.executable).with_name("kdfair")],
    ):
        command = [*front, "run", "trifeature", "--temperatures", "0"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 2 and done.stderr.count("\n") == 1 and not done.stdout
        said.append(done.stderr)
    assert said[0] == said[1]


def test_a_reader_that_closes_early_gets_no_error_line():
    command = f"{sys.executable} -u -m kdfair_core studies | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert done.stdout.count("\n") == 1 and not done.stderr


def test_help_lists_the_commands_of_every_package(capsys):
    out = run(capsys, "--help")[1]
    assert all(f"\n    {name} " in out for name in ("studies", "run", "publish", "audit", "build"))
    assert "audit models from their predictions" in out
