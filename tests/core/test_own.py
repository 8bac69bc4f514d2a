"""One's own data, teacher and student, nothing of the package edited."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from kdfair_core import Recipe, distill, distillation, results
from kdfair_core.runs import RunStore

RNG = np.random.default_rng(0)
N, N_TEST = 120, 60
CENTERS = RNG.normal(size=(3, 8))


def drawn(n):
    y = RNG.integers(3, size=n)
    return (CENTERS[y] + RNG.normal(size=(n, 8))).astype(np.float32), y


(X, Y), (X_TEST, Y_TEST) = drawn(N), drawn(N_TEST)
SEX = RNG.choice(["female", "male"], N_TEST)
RECIPE = Recipe(epochs=4, batch_size=20, lr=0.1, milestones=(), augment=())


class Wide(nn.Module):
    def __init__(self, n=3):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, n))

    def forward(self, x):
        return self.layers(x)


class Small(nn.Module):
    def __init__(self, n=3):
        super().__init__()
        self.linear = nn.Linear(8, n)

    def forward(self, x):
        return self.linear(x)


def run(tmp_path, **changes):
    given = dict(
        train=(X, Y),
        test=(X_TEST, Y_TEST),
        groups={"sex": SEX},
        teacher=Wide,
        student=Small,
        temperatures=[1, 4],
        seeds=2,
        recipe=RECIPE,
        runs=tmp_path / "mine",
        progress=False,
    )
    return distill(**(given | changes))


def logits(found):
    return found.logits.astype(float)


def test_the_ten_lines(tmp_path):
    found = run(tmp_path, null_seeds=2)
    assert isinstance(found, results.Results)
    assert found.runs["role"].value_counts().to_dict() == {
        "ds": 4,
        "teacher": 2,
        "nds": 2,
        "null": 2,
    }
    fairness = found.group_fairness("sex")
    assert len(fairness) == 10 and fairness[["dpd", "eod"]].notna().all(axis=None)
    assert set(found.affected_classes()["comparison"]) == {"SC", "TC", "null"}
    assert found.disagreement()["count"].sum() > 0
    assert found.individual_fairness("teacher")["individual_unfairness"].notna().all()
    assert found.group_names == {"sex": ("female", "male")}
    assert found.runs.loc[found.runs["role"] == "teacher", "accuracy"].min() > 0.6
    before = {r.name: r.written for r in RunStore(tmp_path / "mine").runs("mine", "own")}
    again = run(tmp_path, null_seeds=2)
    assert np.array_equal(logits(again), logits(found))
    assert {r.name: r.written for r in RunStore(tmp_path / "mine").runs("mine", "own")} == before


def test_the_papers_recipe_crops_and_flips_images_alone(tmp_path):
    plain = run(tmp_path / "a", seeds=1)
    as_in_the_paper = Recipe(epochs=4, batch_size=20, lr=0.1, milestones=())
    assert as_in_the_paper.augment == ("crop", "flip")
    assert np.array_equal(
        logits(run(tmp_path / "b", seeds=1, recipe=as_in_the_paper)), logits(plain)
    )


def test_a_student_is_what_it_would_be_alone(tmp_path):
    together, alone = run(tmp_path), run(tmp_path / "alone", temperatures=[4])
    names = set(alone.runs["name"])
    here = together.runs["name"].isin(names).to_numpy()
    assert here.sum() == len(names)
    np.testing.assert_allclose(logits(together)[here], logits(alone), atol=1e-3)


def test_the_engine_teaches_what_a_plain_loop_teaches(tmp_path):
    """Oracle: torch alone, over the batches that the views give."""
    torch.manual_seed(7)
    teacher = Wide().eval()
    seen = []

    class Watched(Small):
        def forward(self, x):
            if self.training:
                seen.append(x.clone())
            return super().forward(x)

    found = run(
        tmp_path, teacher=teacher, student=Watched, seeds=[0], temperatures=[4],
        recipe=Recipe(epochs=1, batch_size=20, lr=0.1, milestones=(), augment=()),
    )  # fmt: skip
    ds = found.runs[found.runs["role"] == "ds"]["run"].item()
    batches = seen[::2]  # the student alone and the distilled one saw the same
    from kdfair_core.training.views import stable_seed

    torch.manual_seed(stable_seed("init", "ds", 0, 4, 0.8, "T2"))
    student = Small()
    optimizer = torch.optim.SGD(student.parameters(), 0.1, momentum=0.9, weight_decay=1e-3)
    labels = {x.tobytes(): int(y) for x, y in zip(X, Y, strict=True)}
    for x in batches:
        y = torch.tensor([labels[row.numpy().tobytes()] for row in x])
        soft = -(F.softmax(teacher(x).detach() / 4, 1) * F.log_softmax(student(x) / 4, 1)).sum(1)
        loss = 0.8 * 16 * soft.mean() + 0.2 * F.cross_entropy(student(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    expected = student(torch.tensor(X_TEST)).detach().numpy()
    np.testing.assert_allclose(logits(found)[ds], expected, atol=5e-3)


def test_a_trained_teacher_is_used_as_it_is(tmp_path):
    teacher = Wide()
    before = {name: t.clone() for name, t in teacher.state_dict().items()}
    teacher.train()
    found = run(tmp_path, teacher=teacher)
    assert teacher.training and all(
        torch.equal(t, before[n]) for n, t in teacher.state_dict().items()
    )
    with torch.no_grad():
        expected = teacher.eval()(torch.tensor(X_TEST)).numpy()
    for k in found.runs.loc[found.runs["role"] == "teacher", "run"]:
        np.testing.assert_allclose(logits(found)[k], expected, atol=1e-2)
    (weights,) = {row["teacher_weights"] for row in found.manifest["runs"] if row["role"] == "ds"}
    assert {r["weights"] for r in found.manifest["runs"] if r["role"] == "teacher"} == {weights}


def test_logits_that_exist_teach_as_their_network_does(tmp_path):
    teacher = Wide().eval()
    with torch.no_grad():
        said = [teacher(torch.tensor(x)).numpy() for x in (X, X_TEST)]
    network = run(tmp_path / "network", teacher=teacher)
    both = run(tmp_path / "both", teacher=tuple(said))
    np.save(tmp_path / "logits.npy", said[0])
    file = run(tmp_path / "file", teacher=tmp_path / "logits.npy")
    students = network.runs["role"] != "teacher"
    np.testing.assert_allclose(logits(both), logits(network), atol=2e-3)
    np.testing.assert_allclose(logits(file), logits(network)[students], atol=2e-3)
    assert both.disagreement()["count"].sum() > 0 and file.disagreement().empty


class Two(nn.Module):
    """Two inputs; an answer with an attribute, as transformers give it."""

    class Answer:
        def __init__(self, logits):
            self.logits = logits

    config = "any"

    def __init__(self):
        super().__init__()
        self.embedding, self.linear = nn.Embedding(5, 4), nn.Linear(4 + 8, 3)

    def forward(self, ids, x):
        return self.Answer(self.linear(torch.cat([self.embedding(ids).mean(1), x], 1)))


def test_several_inputs_and_answers_with_logits(tmp_path):
    ids, ids_test = RNG.integers(5, size=(N, 6)), RNG.integers(5, size=(N_TEST, 6))
    given = dict(teacher=Two, student=Two, seeds=1, temperatures=2)
    found = run(tmp_path, train=((ids, X), Y), test=((ids_test, X_TEST), Y_TEST), **given)
    assert len(found.runs) == 3
    named = dict(train=({"ids": ids, "x": X}, Y), test=({"ids": ids_test, "x": X_TEST}, Y_TEST))
    assert np.array_equal(logits(run(tmp_path / "b", **named, **given)), logits(found))


def test_data_sets_of_others(tmp_path):
    expected = logits(run(tmp_path / "arrays", seeds=1))

    class Columns:  # what is used of a Hugging Face data set
        column_names = ("x", "label")

        def __init__(self, x, y):
            self.rows = {"x": x, "label": y}

        def with_format(self, kind):
            assert kind == "numpy"
            return self

        def __getitem__(self, index):
            return {name: column[index] for name, column in self.rows.items()}

    tensors = [
        torch.utils.data.TensorDataset(torch.tensor(x), torch.tensor(y))
        for x, y in ((X, Y), (X_TEST, Y_TEST))
    ]
    for k, (train, test) in enumerate(
        [
            tensors,
            (Columns(X, Y), Columns(X_TEST, Y_TEST)),
            ((torch.tensor(X), Y), (X_TEST, Y_TEST)),
        ]
    ):
        assert np.array_equal(
            logits(run(tmp_path / str(k), train=train, test=test, seeds=1)), expected
        )


def test_images_in_bytes_and_names_for_labels(tmp_path):
    rng = np.random.default_rng(0)
    y = np.array(["cat", "dog"])[np.arange(40) % 2]
    x = rng.integers(0, 256, (40, 1, 8, 8), dtype=np.uint8)

    def network():
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 2))

    found = run(
        tmp_path,
        train=(x, y),
        test=(x, y),
        groups=None,
        teacher=network,
        student=network,
        seeds=1,
        recipe=Recipe(epochs=1, batch_size=8, lr=0.1, milestones=(), augment=("flip",)),
    )
    assert found.classes == ("cat", "dog") and found.attributes == ()


def test_a_loss_of_ones_own(tmp_path):
    """The paper's, written by hand, gives the paper's; another gives something else."""

    def mine(student, teacher, labels, temperature):
        wanted = F.softmax(teacher / temperature, 1)
        return -(wanted * F.log_softmax(student / temperature, 1)).sum(1)

    def mean_of_it(student, teacher, labels, temperature):
        return mine(student, teacher, labels, temperature).mean()

    expected = logits(run(tmp_path / "kd", seeds=1))
    for k, loss in enumerate((mine, mean_of_it)):
        found = run(tmp_path / str(k), seeds=1, loss=loss)
        np.testing.assert_allclose(logits(found), expected, atol=2e-3)
        assert "mine" in found.manifest["identities"]["ds"]["recipe"]["loss"] or k
    others = [logits(run(tmp_path / n, seeds=1, loss=n)) for n in ("dkd", "standardized")]
    for other in others:
        assert np.abs(other[2:] - expected[2:]).max() > 0.05
        np.testing.assert_allclose(other[:2], expected[:2], atol=2e-3)  # teacher, student alone


def test_decoupled_loss_is_the_published_formula():
    """With beta equal to what the teacher leaves to other classes, it is plain KD (equation 5)."""
    torch.manual_seed(0)
    student, teacher, labels = torch.randn(1, 6, 4), torch.randn(6, 4), torch.arange(6) % 4
    T = torch.full((1, 1, 1), 3.0)
    p = F.softmax(teacher / 3, 1)
    entropy = -(p * p.log()).sum(1)
    kd = distillation.hinton(student, teacher, labels, T)[0] - entropy
    left = 1 - p[torch.arange(6), labels]
    parts = [
        distillation.decoupled(student, teacher, labels, T, target=a, rest=b)[0]
        for a, b in ((1.0, 0.0), (0.0, 1.0))
    ]
    torch.testing.assert_close(parts[0] + left * parts[1], kd, rtol=1e-4, atol=1e-5)


def test_standardized_logits_forget_shift_and_scale():
    torch.manual_seed(0)
    student, teacher, labels = torch.randn(2, 6, 4), torch.randn(6, 4), torch.arange(6) % 4
    T = torch.tensor([2.0, 4.0]).reshape(2, 1, 1)
    one = distillation.standardized(student, teacher, labels, T)
    other = distillation.standardized(5 * student - 3, 0.2 * teacher + 7, labels, T)
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    z = (student[0] - student[0].mean(1, keepdim=True)) / student[0].std(1, False, keepdim=True)
    t = (teacher - teacher.mean(1, keepdim=True)) / teacher.std(1, False, keepdim=True)
    by_hand = -(F.softmax(t / 2, 1) * F.log_softmax(z / 2, 1)).sum(1)
    torch.testing.assert_close(one[0], by_hand, rtol=1e-4, atol=1e-5)


class Tuple(Small):
    def forward(self, x):
        return super().forward(x), x


def with_nan(x):
    x = x.copy()
    x[3, 2] = np.nan
    return x


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        (dict(train=(X, Y[:-1])), r"train has 120 examples and labels of shape \(119,\)"),
        (dict(train=(X, Y + 1)), r"training labels are \[1, 2, 3\].*0 to the number of classes"),
        (dict(train=(X, Y / 2)), "labels are fractions"),
        (dict(train=(with_nan(X), Y)), "train holds NaN or infinite inputs"),
        (dict(test=(with_nan(X_TEST), Y_TEST)), "test holds NaN"),
        (dict(train=X), "train is a ndarray|too many values|expected"),
        (
            dict(student=lambda: Small(5)),
            r"student returns logits of shape \(2, 5\) for 2 examples",
        ),
        (
            dict(student=Tuple),
            r"the student returns a tuple; expected logits, a tensor \[batch, 3\]",
        ),
        (dict(student=lambda: nn.Linear(9, 3)), r"student cannot read inputs of shape \(2, 8\)"),
        (dict(student=Small()), "student is a Small; expected a function that makes one"),
        (dict(student=lambda: 3), "it made a int; expected a torch.nn.Module"),
        (dict(teacher=Wide(4)), r"the teacher returns logits of shape \(2, 4\)"),
        (dict(teacher=np.zeros((N, 4))), r"logits have shape \(120, 4\); expected .*\(120, 3\)"),
        (dict(teacher=np.full((N, 3), np.nan)), "expected finite numbers"),
        (dict(groups={"sex": SEX[:-1]}), r"groups\['sex'\] has shape \(59,\); expected \(60,\)"),
        (dict(temperatures=[0]), "temperature 0 is not"),
        (dict(seeds=0), "seeds is 0; expected how many"),
        (dict(seeds=[0.5]), "seed 0.5"),
        (dict(loss="mse"), "unknown loss 'mse'; expected one of kd, dkd, standardized"),
        (dict(name="a/b"), "study 'a/b' cannot name a folder"),
        (dict(time_limit=-1), "time_limit is -1"),
    ],
)
def test_bad_input(tmp_path, changes, word):
    with pytest.raises(ValueError, match=word), warnings.catch_warnings():
        run(tmp_path, **changes)


def test_augmented_images_need_the_network(tmp_path):
    x = RNG.integers(0, 256, (N, 3, 8, 8), dtype=np.uint8)
    with pytest.raises(ValueError, match="give the teacher's network"):
        run(
            tmp_path,
            train=(x, Y),
            test=(x[:N_TEST], Y_TEST),
            teacher=np.zeros((N, 3)),
            student=lambda: nn.Sequential(nn.Flatten(), nn.Linear(192, 3)),
            recipe=Recipe(epochs=1, augment=("crop", "flip")),
        )


STUDY = """
import numpy as np
from torch import nn
from kdfair_core.datasets import Dataset, Split
from kdfair_core.studies import Profile, Recipe, Study

def load(n=40):
    y = np.arange(n) % 2
    split = Split((y[:, None] + np.zeros((n, 4))).astype(np.float32), y, {})
    return Dataset("points", split, split, ("no", "yes"), {}, (), (), "Made here.", "arrays")

def build(dataset):
    return lambda identity: nn.Linear(4, len(dataset.class_names))

recipe = Recipe(epochs=1, batch_size=8, lr=0.1, milestones=(), augment=())
profile = Profile({"n": 40}, "big", "small", recipe, recipe, seeds=(0,), null_seeds=(),
                  temperatures=(1, 4))
STUDY = Study("points", "Points", "points", 2, "class bias", {"laptop": profile},
              in_paper=False, load=load, build=build)
"""


def test_a_study_out_of_a_file(tmp_path, capsys, monkeypatch):
    from kdfair_core import cli

    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_study.py").write_text(STUDY)
    assert cli.main(["studies", "my_study.py"]) == 0
    assert "points: Points (class bias)" in capsys.readouterr().out
    command = ["run", "my_study.py:STUDY", "--quiet", "--results", "published", "--publish"]
    assert cli.main(command) == 0, capsys.readouterr().err
    assert "points/laptop: 4 runs written" in capsys.readouterr().out
    assert len(results.load("points", root=tmp_path / "published").runs) == 4
    assert cli.main(["run", "my_study.py:OTHER"]) == 2
    assert "has no study 'OTHER'; it has STUDY" in capsys.readouterr().err
    (tmp_path / "broken.py").write_text("1 / 0")
    assert cli.main(["run", "broken.py:STUDY"]) == 2
    assert "broken.py cannot be run: ZeroDivisionError" in capsys.readouterr().err


def test_a_package_may_bring_studies(monkeypatch):
    from kdfair_core import studies

    class Entry:
        name = "theirs"

        def load(self):
            return studies.get("trifeature")

    monkeypatch.setattr(studies.metadata, "entry_points", lambda group: [Entry()])
    assert studies.get("theirs").name == "trifeature"
    with pytest.raises(ValueError, match=r"unknown study 'x'; expected one of svhn, .*theirs"):
        studies.get("x")


def test_the_published_example_is_whole():
    root = Path(__file__).parents[2] / "data" / "examples"
    results.validate("digits", root=root)
    found = results.load("digits", root=root)
    assert len(found.runs) == 40 and found.attributes == ("ink",)
