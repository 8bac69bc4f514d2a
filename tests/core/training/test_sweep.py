"""Nothing is lost to speed: what the sweep gives each student is what it would get alone."""

import threading
import time

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tiny_study import SIDE, images, run, same, stored

from kdfair_core import models
from kdfair_core.datasets import Split, trifeature
from kdfair_core.runs import RunStore
from kdfair_core.studies import Recipe
from kdfair_core.training import memory
from kdfair_core.training.compiling import can_compile
from kdfair_core.training.learners import Learners, make_learners
from kdfair_core.training.loop import train
from kdfair_core.training.step import Lesson, learning_rate, make_optimizer
from kdfair_core.training.teacher import TeacherOutputs, predict
from kdfair_core.training.views import ImageViews

CPU = torch.device("cpu")
RECIPE = Recipe(epochs=2, batch_size=8, lr=0.01, milestones=(1,), augment=("flip",))


def views(augment=("flip",), split=None):
    return ImageViews(split or images(), (0.5,) * 3, (0.25,) * 3, CPU, augment)


def lesson(rows):
    return Lesson(*torch.tensor(rows, dtype=torch.float32).T)


def students(name, n):
    return [models.build(name, 3, in_shape=(3, SIDE, SIDE), seed=i) for i in range(n)]


def weights(network):
    return torch.cat([t.detach().flatten().double() for t in network.state_dict().values()])


LESSONS = [(1.0, 0.0, 1.0), (4.0, 0.8, 16.0), (20.0, 0.8, 1.0)]


@pytest.mark.parametrize("name", ["lenet5", "resnet20"])
@pytest.mark.parametrize("augment", [(), ("flip",), ("crop", "flip")])
def test_each_student_learns_what_a_plain_loop_teaches_it(name, augment):
    """Oracle: one student, the teacher run on each batch, torch's own loss and optimizer."""
    teacher = models.build("lenet5", 3, in_shape=(3, SIDE, SIDE), seed=99).eval()
    shown = views(augment)
    together = students(name, 3)
    learners = make_learners(together, CPU)
    train(
        learners,
        shown,
        RECIPE,
        seed=7,
        lesson=lesson(LESSONS),
        teacher=TeacherOutputs(teacher, shown, "fp32"),
    )
    learners.finish()
    for i, (T, alpha, factor) in enumerate(LESSONS):
        alone = students(name, 3)[i].to(memory_format=torch.channels_last).train()
        optimizer = torch.optim.SGD(alone.parameters(), 0.01, momentum=0.9, weight_decay=1e-3)
        for epoch in range(2):
            for group in optimizer.param_groups:
                group["lr"] = 0.01 if epoch < 1 else 0.001
            for batch in shown.epoch(7, epoch, 8):
                with torch.no_grad():
                    wanted = teacher(*batch.inputs)
                logits = alone(*batch.inputs)
                soft = F.kl_div(  # cross-entropy less the teacher's entropy: the same gradient
                    F.log_softmax(logits / T, 1), F.softmax(wanted / T, 1), reduction="batchmean"
                )
                hard = F.cross_entropy(logits, batch.labels)
                optimizer.zero_grad()
                (alpha * factor * soft + (1 - alpha) * hard).backward()
                optimizer.step()
        assert apart(together[i], alone, start=students(name, 3)[i]) < 0.01


def apart(a, b, start):
    """Distance of two networks over the way that training took one of them."""
    a, b, start = weights(a), weights(b), weights(start)
    return ((a - b).norm() / (b - start).norm()).item()


def fitted(rows, name="lenet5", which=None):
    """Train students with these lessons (those at positions `which`), give their weights."""
    which = range(len(rows)) if which is None else which
    networks = [students(name, len(rows))[i] for i in which]
    teacher = models.build("lenet5", 3, in_shape=(3, SIDE, SIDE), seed=99).eval()
    shown = views()
    learners = make_learners(networks, CPU)
    history, _ = train(
        learners,
        shown,
        RECIPE,
        seed=7,
        lesson=lesson([rows[i] for i in which]),
        teacher=TeacherOutputs(teacher, shown, "fp32"),
    )
    return [weights(network) for network in learners.finish()], history


@pytest.mark.parametrize("name", ["lenet5", "resnet20"])
def test_adding_or_removing_a_temperature_changes_no_other_student(name):
    everyone, _ = fitted(LESSONS, name)
    some, _ = fitted(LESSONS, name, which=[0, 2])
    for a, b in zip([everyone[0], everyone[2]], some, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)
    assert not torch.allclose(everyone[0], everyone[1], rtol=1e-2)


@pytest.mark.parametrize("name", ["lenet5", "resnet20"])
def test_a_student_that_diverges_takes_nobody_down(name):
    wild = [LESSONS[0], (1.0, 0.8, float("inf")), LESSONS[2]]
    after, history = fitted(wild, name)
    calm, _ = fitted(LESSONS, name)
    assert np.isnan(history[1]).any()
    assert np.isfinite(history[[0, 2]]).all()
    for i in (0, 2):
        torch.testing.assert_close(after[i], calm[i], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["lenet5", "resnet20"])
def test_the_number_of_cores_changes_no_bit(name):
    """Also with more LeNets than a stack holds."""
    rows = [(t, 0.8, 1.0) for t in range(1, 7)]
    usual = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one, _ = fitted(rows, name)
        torch.set_num_threads(2)
        two, _ = fitted(rows, name)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(usual)
    for a, b in zip(one, two, strict=True):
        assert torch.equal(a, b)


def test_every_core_takes_part(monkeypatch):
    usual = torch.get_num_threads()
    seen = set()
    learn = Learners._learn

    def watched(*args):
        seen.add(threading.get_ident())
        time.sleep(0.01)
        return learn(*args)

    monkeypatch.setattr(Learners, "_learn", watched)
    try:
        torch.set_num_threads(2)
        fitted(LESSONS, "resnet20")
    finally:
        torch.set_num_threads(usual)
    assert len(seen) == 2 and threading.get_ident() not in seen


class Watched(TeacherOutputs):
    """A teacher that notes who asks for which batch, and may be late or fail."""

    def __init__(self, network, views, fails_at=None):
        super().__init__(network, views, "fp32")
        self.threads, self.asked, self.fails_at = set(), [], fails_at

    def __call__(self, batch):
        self.threads.add(threading.get_ident())
        self.asked.append(batch.index.tolist())
        if len(self.asked) - 1 == self.fails_at:
            raise RuntimeError("the teacher is ill")
        return super().__call__(batch)


def taught(teacher, shown, cores, n=3):
    """Train that many students on that many cores; gives their weights."""
    usual = torch.get_num_threads()
    learners = make_learners(students("resnet20", n), CPU)
    try:
        torch.set_num_threads(cores)
        train(learners, shown, RECIPE, seed=7, lesson=lesson(LESSONS[:n]), teacher=teacher)
    finally:
        learners.finish()
        torch.set_num_threads(usual)
    return [weights(network) for network in learners.networks]


def test_the_teacher_looks_at_the_next_batch_beside_the_students():
    """On a core of theirs; at every batch once, in order; and nobody learns anything else by it."""
    network = models.build("resnet20", 3, in_shape=(3, SIDE, SIDE), seed=99)
    shown = views(("crop", "flip"))
    here, beside = Watched(network, shown), Watched(network, shown)
    one, two = taught(here, shown, 1), taught(beside, shown, 2)
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    assert here.threads == {threading.get_ident()}
    assert threading.get_ident() not in beside.threads
    expected = [b.index.tolist() for epoch in (0, 1) for b in shown.epoch(7, epoch, 8)]
    assert here.asked == beside.asked == expected


def test_students_begin_while_the_teacher_looks_ahead(monkeypatch):
    """Each waits for the other; one after the other, they would wait for ever."""
    shown = views(("crop",))
    begun, looked = threading.Event(), threading.Event()
    teacher = Watched(models.build("lenet5", 3, in_shape=(3, SIDE, SIDE), seed=99), shown)
    look, learn = TeacherOutputs.__call__, Learners._learn

    def ahead(self, batch):
        if len(self.asked) == 2:
            looked.set()
            assert begun.wait(30)
        return look(self, batch)

    def learned(*args):
        begun.set()
        assert looked.wait(30)
        return learn(*args)

    monkeypatch.setattr(TeacherOutputs, "__call__", ahead)
    monkeypatch.setattr(Learners, "_learn", learned)
    taught(teacher, shown, 2)


@pytest.mark.parametrize("cores", [1, 2])
def test_a_teacher_that_fails_says_so(cores):
    shown = views(("crop",))
    network = models.build("lenet5", 3, in_shape=(3, SIDE, SIDE), seed=99)
    with pytest.raises(RuntimeError, match="the teacher is ill"):
        taught(Watched(network, shown, fails_at=2), shown, cores)


def test_lenets_are_stacked_and_others_are_not():
    sizes = lambda name, n: [  # noqa: E731
        (part.which.stop - part.which.start, part.stack)
        for part in make_learners(students(name, n), CPU).parts
    ]
    assert sizes("lenet5", 6) == [(4, True), (2, True)]
    assert sizes("lenet5", 1) == [(1, False)]
    assert sizes("resnet20", 2) == [(1, False)] * 2


def test_teacher_outputs_belong_to_the_view():
    teacher = models.build("resnet20", 3, in_shape=(3, SIDE, SIDE), seed=1).eval()
    shown = views(("flip",))
    outputs = TeacherOutputs(teacher, shown, "fp32")
    assert outputs.table is not None
    assert outputs.table.shape == (42, 2, 3)
    flipped = 0
    for batch in shown.epoch(0, 0, 8):
        with torch.no_grad():
            torch.testing.assert_close(outputs(batch), teacher(*batch.inputs), rtol=1e-4, atol=1e-5)
        flipped += int(batch.view.sum())
    assert 0 < flipped < 42
    assert TeacherOutputs(teacher, views(("crop",)), "fp32").table is None


def test_crops_and_flips_are_those_of_the_padded_image():
    split = images(n=20)
    shown = views(("crop", "flip"), split)
    for batch in shown.epoch(3, 0, 20):
        pixels = ((batch.inputs[0] * 0.25 + 0.5) * 255).round().to(torch.uint8).numpy()
        places = set()
        for i, image in zip(batch.index.tolist(), pixels, strict=True):
            padded = np.pad(split.x[i], ((0, 0), (2, 2), (2, 2)))
            found = [
                (dy, dx, flip)
                for dy in range(5)
                for dx in range(5)
                for flip in (1, -1)
                if (padded[:, dy : dy + SIDE, dx : dx + SIDE][:, :, ::flip] == image).all()
            ]
            assert len(found) == 1
            places.add(found[0])
        assert len(places) > 10


def test_epochs_differ_and_cover_every_example_once():
    shown = views(())
    orders = [torch.cat([b.index for b in shown.epoch(0, e, 8)]).tolist() for e in (0, 1, 0)]
    assert sorted(orders[0]) == list(range(42))
    assert orders[0] == orders[2] != orders[1]


def test_trifeature_lies_in_memory_once():
    """The paper's size fills 15 GB; a copy beside it would not fit many a machine."""
    images, _ = trifeature.make(3, size=32)
    shown = views((), Split(images, np.zeros(3, int), {}))
    assert np.shares_memory(images, shown._pixels.numpy())
    (batch,) = shown.batches(3)
    torch.testing.assert_close((batch.inputs[0] * 0.25 + 0.5) * 255, torch.tensor(images).float())


class Slow:
    """Examples that cannot be held in memory: only rows that are asked for."""

    def __init__(self, x):
        self.x = x

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        assert len(index) <= 8
        return self.x[index]


def test_streaming_gives_the_same_batches_as_memory():
    split = images()
    streamed = ImageViews(
        Split(Slow(split.x), split.y, {}), (0.5,) * 3, (0.25,) * 3, CPU, ("crop", "flip")
    )
    assert not streamed.resident
    resident = views(("crop", "flip"), split)
    for a, b in zip(streamed.epoch(5, 1, 8), resident.epoch(5, 1, 8), strict=True):
        assert torch.equal(a.inputs[0], b.inputs[0])
        assert torch.equal(a.labels, b.labels)


def test_learning_rate_drops_at_milestones_and_decays_for_adamw():
    recipe = Recipe(epochs=10, lr=0.1, milestones=(3, 6))
    assert [learning_rate(recipe, 5 * e, 5) for e in (0, 2, 3, 5, 6, 9)] == pytest.approx(
        [0.1, 0.1, 0.01, 0.01, 0.001, 0.001]
    )
    recipe = Recipe(epochs=10, lr=1.0, optimizer="adamw", warmup=0.1)
    rates = [learning_rate(recipe, step, 10) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(1.0) == rates[9]
    assert rates[-1] == pytest.approx(1 / 90)


def test_one_cycle_rises_over_the_warm_up_and_ends_at_zero():
    recipe = Recipe(epochs=10, lr=0.2, schedule="cycle", warmup=0.2, nesterov=True)
    rates = [learning_rate(recipe, step, 10) for step in range(100)]
    assert rates[19] == max(rates) == pytest.approx(0.2)
    assert rates[0] == pytest.approx(0.2 / 20) and rates[-1] == pytest.approx(0.2 / 80)
    assert np.diff(rates[:20]) == pytest.approx(0.2 / 20)
    assert np.diff(rates[20:]) == pytest.approx(-0.2 / 80)
    with pytest.raises(ValueError, match="unknown schedule 'cosine'; expected steps or cycle"):
        learning_rate(Recipe(schedule="cosine"), 0, 10)


def test_nesterov_is_what_torch_computes():
    weights = torch.nn.Parameter(torch.ones(3)), torch.nn.Parameter(torch.ones(3))
    ours = make_optimizer(Recipe(lr=0.1, nesterov=True), [weights[0]])
    theirs = torch.optim.SGD([weights[1]], 0.1, momentum=0.9, nesterov=True, weight_decay=1e-3)
    for step in range(3):
        for weight, optimizer in zip(weights, (ours, theirs), strict=True):
            weight.grad = torch.full((3,), 1.0 + step)
            optimizer.step()
    assert torch.allclose(*weights)
    plain = make_optimizer(Recipe(lr=0.1), [weights[0]])
    assert not plain.param_groups[0]["nesterov"]


# --- a whole study ---------------------------------------------------------------------------


def test_a_study_is_trained_once(study, tmp_path):
    store = RunStore(tmp_path)
    assert run(study, store) == 2 * (1 + 1 + 2) + 1
    first = stored(store)
    assert run(study, store) == 0
    assert {r.written for r in stored(store).values()} == {r.written for r in first.values()}
    for r in first.values():
        assert r.arrays["logits"].shape == (30, 3)
        assert r.arrays["prediction"].dtype == np.uint8
        assert (r.arrays["logits"].argmax(1) == r.arrays["prediction"]).mean() > 0.9
        assert r.info["seconds"] > 0
    teacher = next(r for r in first.values() if r.identity["role"] == "teacher")
    network = models.build("resnet20", 3)
    weights = store.weights(teacher.identity)
    network.load_state_dict({name: torch.as_tensor(w) for name, w in weights.items()})
    shown = views((), images(30, seed=2))
    for name, call in (("logits", None), ("features", network.features)):
        expected = predict(network, shown, call=call).numpy()
        np.testing.assert_allclose(teacher.arrays[name], expected, rtol=2e-3, atol=1e-4)


def test_a_sweep_in_pieces_gives_what_a_whole_one_gives(study, tmp_path):
    whole, pieces = RunStore(tmp_path / "whole"), RunStore(tmp_path / "pieces")
    run(study, whole)
    run(study, pieces, seeds=[1], temperatures=[4])
    run(study, pieces, seeds=[5])
    run(study, pieces)
    got, expected = stored(pieces), stored(whole)
    assert got.keys() == expected.keys()
    for name in got:
        a, b = (np.asarray(r[name].arrays["logits"], float) for r in (got, expected))
        np.testing.assert_allclose(a, b, rtol=0.01, atol=0.01)


@pytest.mark.parametrize("compiled", [False, True])
def test_time_is_kept_and_work_goes_on_bit_for_bit(study, tmp_path, compiled):
    if compiled and not can_compile():
        pytest.skip("needs a C++ compiler")
    whole, broken = RunStore(tmp_path / "whole"), RunStore(tmp_path / "broken")
    run(study, whole, compiled=compiled)
    assert run(study, broken, time_limit=0) == 0
    clock = iter(range(10_000))
    with pytest.MonkeyPatch.context() as patch:
        # each look at the clock is a second: two epochs fit in a sitting
        patch.setattr("kdfair_core.training.loop.time.monotonic", lambda: next(clock))
        sittings = 0
        while len(stored(broken)) < 9:
            run(study, broken, time_limit=5 / 60, compiled=compiled)
            sittings += 1
            assert sittings < 60
    assert sittings > 3
    same(stored(broken), stored(whole))
    assert {r.info["compiled"] for r in stored(whole).values()} == {False, compiled}


def test_a_diverged_student_is_named_and_stored(study, tmp_path):
    store = RunStore(tmp_path)
    with pytest.warns(RuntimeWarning, match="ds-s0-T1e-18.*diverged"):
        run(study, store, seeds=[0], temperatures=[1e-18, 4], soft_scales=["none"])
    runs = stored(store)
    assert sorted(r.info["diverged"] for r in runs.values()) == [False] * 3 + [True]


def test_a_checkpoint_of_another_recipe_is_refused_and_kept(study, tmp_path):
    store = RunStore(tmp_path)
    clock = iter(range(10_000))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kdfair_core.training.loop.time.monotonic", lambda: next(clock))
        run(study, store, time_limit=2 / 60)
    left = list(tmp_path.rglob("*.safetensors"))
    assert left
    with pytest.raises(ValueError, match=r"another training \(recipe .*fp32.*bf16"):
        run(study, store, precision="bf16")
    assert [p for p in left if p.exists()] == left


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (dict(temperatures=[0]), "temperature 0"),
        (dict(alphas=[1.5]), "alpha 1.5"),
        (dict(soft_scales=["T3"]), "T3"),
        (dict(device="abacus"), "abacus"),
        (dict(precision="fp8"), "fp8.*fp32"),
        (dict(seeds="01"), "seeds is the text '01'"),
        (dict(seeds="[0]"), "seeds is the text"),
        (dict(seeds=["0"]), "seed '0'"),
        (dict(seeds=[0.5]), "seed 0.5"),
        (dict(seeds=[-1]), "seed -1"),
        (dict(seeds=[True]), "seed True"),
        (dict(temperatures="4"), "temperatures is the text '4'"),
        (dict(soft_scales="T"), "soft_scale 'T'; expected one of T2, none"),
        (dict(time_limit=-1), "time_limit is -1"),
        (dict(time_limit="5"), "time_limit is '5'"),
        (dict(together=0), "together is 0; expected a whole number from 1"),
    ],
)
def test_bad_input_is_named(study, tmp_path, options, word):
    with pytest.raises(ValueError, match=word):
        run(study, RunStore(tmp_path), **options)
    assert stored(RunStore(tmp_path)) == {}


def test_global_random_state_is_left_alone(study, tmp_path):
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    run(study, RunStore(tmp_path), seeds=[5])
    assert torch.equal(torch.rand(3), expected)


def test_the_process_keeps_its_settings(study, tmp_path, monkeypatch):
    """Those of memory are the command's; threads and the stream of random numbers come back."""

    def touched(name, *arguments):
        raise AssertionError(f"{name}{arguments}: the library told the C library something")

    monkeypatch.setattr(memory, "_library_call", touched)
    usual = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        run(study, RunStore(tmp_path), seeds=[0])
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(usual)


@pytest.mark.parametrize(
    ("same", "count"),
    [
        (dict(seeds=0, temperatures=4, alphas=0.8, soft_scales="T2"), 3),
        (dict(seeds=[np.int64(0)], temperatures=[4.0], alphas=[np.float32(0.8)]), 3),
        (dict(seeds=[0, 0], temperatures=[4, 4.0, np.float16(4)]), 3),
    ],
)
def test_however_it_is_asked_for_it_is_the_same_run(study, tmp_path, same, count):
    store, plain = RunStore(tmp_path / "a"), RunStore(tmp_path / "b")
    run(study, plain, seeds=[0], temperatures=[4])
    assert run(study, store, **same) == count
    for name, stored_run in stored(plain).items():
        found = stored(store)[name]
        assert found.arrays["logits"].tobytes() == stored_run.arrays["logits"].tobytes()


def test_predictions_come_in_the_order_of_the_split():
    network = students("lenet5", 1)[0].eval()
    split = images(n=600)
    shown = views((), split)
    expected = network(((torch.tensor(split.x) / 255.0) - 0.5) / 0.25)
    torch.testing.assert_close(predict(network, shown), expected, rtol=1e-4, atol=1e-4)
