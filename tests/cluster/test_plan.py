"""What a study costs: rates stand on what was measured, simulated devices keep the order."""

import dataclasses

import pytest

from kdfair_cluster import costs
from kdfair_cluster.planning import Costs
from kdfair_cluster.schedule import Timeline, simulate, tasks, usual_split
from kdfair_core import cli, studies
from kdfair_core.runs import run_name
from kdfair_core.training.plan import plan

RECIPE = studies.get("cifar100").profile("paper").student_recipe
BF16 = dataclasses.replace(RECIPE, precision="bf16")


@pytest.fixture(scope="module")
def sweeps():
    return plan(studies.get("cifar10"), "paper", has=lambda _: False)


def test_what_was_timed_costs_what_was_measured():
    student = costs.network("resnet20", 100, 32)
    teacher = costs.network("resnet56", 100, 32)
    assert student.macs == pytest.approx(40.6, abs=0.1) and student.parameters == 275_572
    eager, stacked = costs.Rates("h100-eager"), costs.Rates("h100-stacked")
    assert eager.step_ms("student", student, RECIPE, 14) == pytest.approx(106.8)
    assert eager.step_ms("student", student, BF16, 7) == pytest.approx(110.8 / 2)
    assert stacked.step_ms("student", student, BF16, 14) == pytest.approx(8.2)
    assert stacked.step_ms("student", student, RECIPE, 14) == pytest.approx(17.2)  # TF32
    assert stacked.step_ms("teacher", teacher, BF16) == pytest.approx(4.3)
    # captured, it waits for kernels: layers of the student's row say 5.5 ms too
    captured = costs.Rates("h100-captured")
    by_layers = 28.3 / 14 / student.layers * teacher.layers
    assert captured.step_ms("teacher", teacher, BF16) == 5.5
    assert by_layers == pytest.approx(5.5, rel=0.05)
    assert captured.step_ms("look", teacher, BF16) == 1.4


def test_large_networks_cost_their_arithmetic_and_small_ones_their_layers():
    eager = costs.Rates("h100-eager")
    large = costs.network("resnet50", 1000, 224)
    assert eager.stands_on("teacher", large, RECIPE) == "arithmetic"
    once = eager.step_ms("teacher", large, RECIPE)
    twice = eager.step_ms("teacher", large, dataclasses.replace(RECIPE, batch_size=256))
    assert twice == pytest.approx(2 * once)
    small = costs.network("lenet5", 10, 32)
    assert eager.stands_on("student", small, RECIPE) == "layers"


def test_an_epoch_on_a_cpu_is_what_the_benchmark_timed():
    rates = costs.Rates("cpu")
    row = next(row for row in rates.rows if row["study"] == "cifar10")
    student = costs.network("resnet20", 10, 32)
    epoch = rates.step_ms("student", student, RECIPE) / 1000 * row["examples"] / RECIPE.batch_size
    assert epoch == pytest.approx(row["sweep_s"], rel=0.02)


@pytest.mark.parametrize("split", [1, 3, 14, 99])
def test_tasks_train_every_missing_run_once(sweeps, split):
    todo = tasks(sweeps, split)
    names = [run_name(identity) for task in todo for identity in task.sweep.to_train()]
    assert sorted(names) == sorted(name for sweep in sweeps for name in sweep.missing)
    kinds = [task.kind for task in todo]
    assert kinds == sorted(kinds, key=["teacher", "students", "null"].index)
    assert kinds.count("students") == 5 * min(split, 14)


def test_groups_hold_whole_programs(sweeps):
    """Students that run four as one program are cut between programs, none left by itself."""
    sizes = {}
    for n in (1, 4, 5, 8, 9, 14):
        (sweep,) = sweeps[:1]
        few = dataclasses.replace(sweep, students=sweep.students[:n])
        todo = [t for t in tasks([few], 99, together=4) if t.kind == "students"]
        sizes[n] = [len(task.sweep.students) for task in todo]
        assert {task.company for task in todo} == {n}
    assert sizes == {1: [1], 4: [4], 5: [5], 8: [4, 4], 9: [4, 5], 14: [4, 4, 4, 2]}


def test_simulated_students_wait_for_their_teacher(sweeps):
    seconds = {"teacher": 10.0, "students": 4.0, "null": 1.0}
    todo = tasks(sweeps, 2)  # five teachers, ten groups, five null seeds

    def on(devices):
        return simulate(todo, lambda task: seconds[task.kind], devices)

    work = 5 * 10 + 10 * 4 + 5
    assert on(1) == Timeline(work, work)
    assert on(1000).makespan == 14  # a teacher, then its students
    assert on(5).makespan == 10 + 2 * 4 + 1
    assert usual_split(sweeps, 8) == 2 and usual_split(sweeps, 1000) == 14


def test_more_devices_are_faster_and_less_efficient():
    rows = Costs(studies.get("cifar100"), "paper", costs.Rates("h100-stacked")).efficiency()
    hours = [row["hours"] for row in rows]
    assert hours == sorted(hours, reverse=True)
    assert rows[0]["efficiency"] == 1 and rows[-1]["efficiency"] < 0.05
    assert all(row["efficiency"] <= 1 for row in rows)
    assert rows[-1]["repeated"] > 1.2  # every group asks the teacher anew


def run(capsys, *arguments):
    code = cli.main(["plan", *arguments])
    return code, *capsys.readouterr()


def test_the_command_says_what_each_number_stands_on(capsys):
    code, out, err = run(capsys, "cifar100", "--gpus", "8", "--usd-per-hour", "2.5")
    assert code == 0 and not err
    assert "resnet20 measured" in out and "resnet56 scaled by layers" in out
    assert "recorded 2026-11-28" in out and "1,024" in out
    steps = 100 * 391 * (5 * (1 + 27) + 5)
    assert f"{steps:,}" in out


def test_only_what_is_missing_is_counted(capsys, tmp_path):
    code, out, _ = run(capsys, "cifar10", "--runs", str(tmp_path), "--rate", "h100-stacked")
    assert code == 0 and f"{100 * 391 * 80:,}" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nope"], "unknown study 'nope'"),
        (["cifar10", "--gpus", "0"], "gpus is 0; expected a whole number from 1"),
        (["cifar10", "--usd-per-hour", "-1"], "usd-per-hour is -1; expected a price from 0"),
        (["cifar10", "--rate", "h9"], "unknown rate 'h9'; expected one of h100-eager"),
        (["faces"], "unknown profile 'paper' of study 'faces'"),
        (["cifar10", "--split", "0"], "split is 0; expected a whole number from 1"),
    ],
)
def test_bad_input_is_one_sentence(capsys, arguments, said):
    code, _, err = run(capsys, *arguments)
    assert code == 2 and said in err and err.count("\n") == 1
