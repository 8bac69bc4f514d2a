"""A teacher's answers and features are read without leaving anything behind."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from kdfair_core import models
from kdfair_core.datasets import Dataset, Split
from kdfair_core.runs import RunStore, run_name
from kdfair_core.studies import Profile, Recipe, Study, teacher_identity
from kdfair_core.training import compiling, loop
from kdfair_core.training import teacher as teacher_module
from kdfair_core.training.plan import plan
from kdfair_core.training.sweep import train_sweep
from kdfair_core.training.teacher import has_features, logits_and_features, products
from kdfair_core.training.views import DatasetViews

CPU = torch.device("cpu")
X = torch.randn(5, 3, 16, 16)
RECIPE = Recipe(epochs=1, batch_size=16, lr=0.01, milestones=(), augment=("crop", "flip"))
STUDY = Study(
    "tiny",
    "Tiny",
    "tiny",
    3,
    "class bias",
    {"smoke": Profile({}, "resnet20", "lenet5", RECIPE, RECIPE, (0,), (), (1, 4))},
)


def views(n=48, classes=3):
    rng = np.random.default_rng(0)
    y = rng.integers(classes, size=n)
    split = Split(rng.integers(0, 256, (n, 3, 16, 16), dtype=np.uint8), y, {})
    return DatasetViews(
        Dataset("tiny", split, split, tuple("abc"), {}, (0.5,) * 3, (0.25,) * 3, ""), CPU
    )


class Own(nn.Module):
    """Somebody's network: a linear layer at the end, no method ``features``."""

    def __init__(self):
        super().__init__()
        self.conv, self.linear = nn.Conv2d(3, 4, 3), nn.Linear(4, 3)
        self.looks = 0

    def forward(self, x):
        self.looks += not self.training
        return self.linear(self.conv(x).mean((2, 3)).relu())


@pytest.mark.parametrize(
    ("precision", "inside"), [("fp32", "ieee"), ("bf16", "ieee"), ("tf32", "tf32")]
)
def test_fp32_on_a_gpu_is_float32_and_settings_come_back(precision, inside):
    """The settings are there without a GPU; only whether they are used is not."""
    kinds = (torch.backends.cuda.matmul, torch.backends.cudnn.conv, torch.backends.cudnn.rnn)
    before = [kind.fp32_precision for kind in kinds]
    with pytest.raises(RuntimeError, match="inside"), products(torch.device("cuda"), precision):
        assert [kind.fp32_precision for kind in kinds] == [inside] * 3
        raise RuntimeError("inside")
    assert [kind.fp32_precision for kind in kinds] == before
    with products(CPU, precision):
        assert [kind.fp32_precision for kind in kinds] == before


def test_training_and_predicting_go_through_it(monkeypatch):
    asked = []
    real = teacher_module.products

    def watched(device, precision):
        asked.append(precision)
        return real(device, precision)

    monkeypatch.setattr(teacher_module, "products", watched)
    monkeypatch.setattr(loop, "products", watched)
    (sweep,) = plan(STUDY, "smoke", has=lambda identity: False, seeds=[0])
    for identity in (sweep.teacher, *sweep.students):
        identity["recipe"] = identity["recipe"] | {"precision": "tf32"}
    sweep = replace(sweep, missing=tuple(run_name(i) for i in (sweep.teacher, *sweep.students)))
    list(train_sweep(sweep, views(), lambda i: models.build("lenet5", 3, in_shape=(3, 16, 16))))
    assert asked == ["tf32", "fp32", "tf32", "fp32", "fp32", "fp32"]  # predictions: always float32


def hooks(network):
    return sum(len(m._forward_pre_hooks) + len(m._forward_hooks) for m in network.modules())


@pytest.mark.parametrize("make", [lambda: models.build("resnet20", 3, seed=0), Own])
def test_features_come_from_one_look_and_nothing_is_left(make):
    network = make().eval()
    with torch.no_grad():
        logits = network(X)
        before = set(vars(network))
        if isinstance(network, Own):
            features = network.conv(X).mean((2, 3)).relu()
            network.looks = 0
        else:
            features = network.features(X)
        with logits_and_features(network) as call:
            both = call(X)
    torch.testing.assert_close(both, torch.cat([logits, features], 1))
    assert hooks(network) == 0 and set(vars(network)) == before
    if isinstance(network, Own):
        assert network.looks == 1
    assert torch.equal(network(X), logits)


def test_a_network_without_features_is_told_before_training():
    class Bare(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 16)

        def forward(self, x):
            return self.conv(x)[:, :, 0, 0]

    assert not has_features(Bare())
    (sweep,) = plan(STUDY, "smoke", has=lambda identity: False, seeds=[0])
    sweep = sweep.__class__(0, sweep.teacher, (), sweep.missing[:1])
    with pytest.warns(UserWarning, match="Bare has neither a method features nor a linear layer"):
        ((run,),) = train_sweep(sweep, views(), lambda identity: Bare())
    assert set(run.arrays) == {"logits", "prediction", "history"}
    with (
        pytest.raises(ValueError, match="Bare has no features"),
        logits_and_features(Bare()),
    ):
        pass


def test_a_teacher_trained_and_used_in_one_call_keeps_nothing(monkeypatch):
    """Its looks: one a batch of the test set, one a batch of the students' epoch."""
    teachers = []

    def build(identity):
        if identity["role"] == "teacher":
            teachers.append(Own())
            return teachers[-1]
        return models.build("lenet5", 3, in_shape=(3, 16, 16), seed=0)

    (sweep,) = plan(STUDY, "smoke", has=lambda identity: False, seeds=[0])
    finished = list(train_sweep(sweep, views(), build))
    assert [len(runs) for runs in finished] == [1, 3]
    (teacher,) = teachers
    assert teacher.looks == 1 + 3
    assert hooks(teacher) == 0


@pytest.mark.skipif(not compiling.can_compile(), reason="needs a C++ compiler")
def test_a_compiled_teacher_is_compiled_once_to_learn_and_once_to_teach():
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    (sweep,) = plan(STUDY, "smoke", has=lambda identity: False, seeds=[0])
    build = {"resnet20": models.build("resnet20", 3, in_shape=(3, 16, 16), seed=0)}

    def of(identity):
        return build.get(identity["network"]) or models.build("lenet5", 3, in_shape=(3, 16, 16))

    list(train_sweep(sweep, views(), of, compiled=True))
    counters = torch._dynamo.utils.counters
    assert counters["stats"]["unique_graphs"] == 2
    assert not counters["recompile_limit"]


def test_students_name_their_teachers_weights_and_the_data(tmp_path):
    shown = views()
    (sweep,) = plan(STUDY, "smoke", has=lambda identity: False, seeds=[0])

    def build(identity):
        return models.build(identity["network"], 3, in_shape=(3, 16, 16), seed=0)

    ((teacher,), students) = train_sweep(sweep, shown, build)
    assert {run.info["teacher_weights"] for run in students} == {teacher.info["weights"]}
    assert {run.info["data"] for run in (teacher, *students)} == {shown.fingerprint}
    # the same name when the teacher comes out of a store
    store = RunStore(tmp_path)
    store.write(teacher.identity, teacher.arrays, teacher.info, teacher.weights)
    (rest,) = plan(STUDY, "smoke", has=store.has, seeds=[0])
    assert rest.teacher == teacher_identity(STUDY, "smoke", 0)
    (again,) = train_sweep(rest, shown, build, stored_weights=store.weights)
    for a, b in zip(students, again, strict=True):
        assert a.info["teacher_weights"] == b.info["teacher_weights"]
        assert a.arrays["logits"].tobytes() == b.arrays["logits"].tobytes()
    with pytest.raises(ValueError, match=r"teacher-s0-.* is not missing, and stored_weights"):
        list(train_sweep(rest, shown, build))
