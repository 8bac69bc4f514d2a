"""The toy: its arithmetic against torch, its training against itself, its publication whole."""

import re

import numpy as np
import pytest

from kdfair_book import toy

POINTS = toy.draw_points(60, seed=3)


def test_points_are_what_the_docstring_says():
    points = toy.draw_points(20_000, seed=0)
    assert points.group.mean() == pytest.approx(0.25, abs=0.01)
    for c in range(3):
        assert (points.y == c).mean() == pytest.approx(1 / 3, abs=0.02)
    inner = points.x[(points.group == 0) & (points.y == 0)]
    outer = points.x[(points.group == 1) & (points.y == 0)]
    assert inner.mean(axis=0) == pytest.approx([0, 1.1], abs=0.05)
    turned = np.deg2rad(170)
    assert outer.mean(axis=0) == pytest.approx(
        [2.2 * np.cos(turned), 2.2 * np.sin(turned)], abs=0.05
    )


@pytest.mark.parametrize("soft_scale", ["T2", "none"])
@pytest.mark.parametrize("temperature", [0.5, 1, 4, 40])
def test_gradient_is_that_of_the_loss_in_torch(temperature, soft_scale):
    torch = pytest.importorskip("torch")
    from kdfair_core.distillation import distillation_loss, soft_factor

    rng = np.random.default_rng(0)
    student, teacher, labels = rng.normal(size=(5, 4)), rng.normal(size=(5, 4)), [0, 3, 1, 2, 2]
    leaf = torch.tensor(student[None], requires_grad=True)
    factor = soft_factor(temperature, soft_scale)
    distillation_loss(
        leaf,
        torch.tensor(teacher),
        torch.tensor(labels),
        temperature=float(temperature),
        alpha=0.8,
        soft_factor=factor,
    ).sum().backward()
    ours = toy.loss_gradient(
        student, teacher, labels, temperature=float(temperature), alpha=0.8, soft_factor=factor
    )
    np.testing.assert_allclose(ours / len(labels), leaf.grad[0].numpy(), atol=1e-12)


def test_back_propagation_is_the_slope_of_the_loss():
    """One step without momentum moves each weight by its numerical derivative."""
    layers = toy.new_networks((2, 4, 3), [[1]])
    onehot = np.eye(3)[POINTS.y]

    def loss(parameters):
        z = toy.activations(parameters, POINTS.x)[-1]
        decay = sum((w**2).sum() + (b**2).sum() for w, b in parameters) * toy.WEIGHT_DECAY / 2
        return -(onehot * np.log(toy.softmax(z[0]))).sum() / len(onehot) + decay

    # The last fifth of the steps uses a tenth of the rate; a single step is in the first part.
    after = toy.train(layers, POINTS.x, lambda z: toy.softmax(z) - onehot, steps=1)
    for depth, part, place in [(0, 0, (0, 1, 2)), (0, 1, (0, 0, 3)), (1, 0, (0, 2, 1))]:
        moved = (layers[depth][part][place] - after[depth][part][place]) / toy.LR
        slopes = []
        for nudge in (1e-5, -1e-5):
            copy = [(w.copy(), b.copy()) for w, b in layers]
            copy[depth][part][place] += nudge
            slopes.append(loss(copy))
        assert moved == pytest.approx((slopes[0] - slopes[1]) / 2e-5, rel=1e-5)


def test_students_do_not_depend_on_their_neighbors():
    alone = toy.train_seed(POINTS, 0, temperatures=(4,), soft_scales=("T2",), steps=40)
    among = toy.train_seed(POINTS, 0, temperatures=(4, 10), soft_scales=("T2",), steps=40)
    for one, other in zip(alone, among, strict=False):
        for p, q in zip(one["layers"], other["layers"], strict=True):
            np.testing.assert_allclose(p["w"], q["w"], rtol=1e-4)


def test_published_measures_are_those_of_the_published_weights():
    published = toy.load()
    models = published["models"]
    test = toy.draw_points(published["settings"]["n_test"], seed=1)
    for model, numbers in zip(models, toy.measure(models, test), strict=True):
        assert {name: model[name] for name in numbers} == numbers
    assert len(models) == 5 * (2 + 2 * len(published["temperatures"]))


def test_published_points_are_the_drawn_ones():
    published = toy.load()["points"]
    points = toy.draw_points(toy.N_TRAIN, seed=0)
    np.testing.assert_allclose(published["x"], points.x, atol=6e-4)
    assert published["y"] == points.y.tolist()
    assert published["group"] == points.group.tolist()


@pytest.mark.slow
def test_training_again_gives_what_was_published():
    """The first seed's teacher and NDS: the same answers, but for the last digits."""
    published = toy.load()["models"][:2]
    points, test = toy.draw_points(toy.N_TRAIN, seed=0), toy.draw_points(1000, seed=1)
    again = toy.train_seed(points, 0, temperatures=())
    for old, new in zip(published, again, strict=True):
        same = toy.predict(old["layers"], test.x) == toy.predict(new["layers"], test.x)
        assert same.mean() >= 0.98


def test_teacher_beats_the_student_in_every_seed():
    by_role = {
        role: [m["accuracy"] for m in toy.load()["models"] if m["role"] == role]
        for role in ("teacher", "nds")
    }
    assert all(t > s for t, s in zip(by_role["teacher"], by_role["nds"], strict=True))


def test_the_script_holds_the_published_data():
    path = toy.ROOT / "book" / "_static" / "explain" / "toy-data.js"
    text = (toy.ROOT / "data" / "toy" / "toy.json").read_text().strip()
    assert path.read_text() == toy.script_of(text)


def test_numbers_in_the_text_are_the_measured_ones():
    """Each sentence of the page that states a mean, against the data."""
    text = (toy.ROOT / "book" / "explain" / "student.md").read_text()
    models = toy.load()["models"]

    def mean(role, what, temperature=None, soft_scale=None):
        kind = (role, temperature, soft_scale)
        chosen = [m for m in models if (m["role"], m["temperature"], m["soft_scale"]) == kind]
        assert len(chosen) == 5
        return 100 * np.mean([what(m) for m in chosen])

    def accuracy(m):
        return m["accuracy"]

    group_a, group_b = (lambda m: m["by_group"][0]), (lambda m: m["by_group"][1])
    eod, agreement = (lambda m: m["eod"]), (lambda m: m["agreement"])
    stated = {
        r"Teacher ([\d.]+) %": mean("teacher", accuracy),
        r"non-distilled student ([\d.]+) %": mean("nds", accuracy),
        r"has ([\d.]+) % as well": mean("ds", accuracy, 1, "T2"),
        r"to ([\d.]+) % at \$T = 10\$": mean("ds", accuracy, 10, "T2"),
        r"and ([\d.]+) % at \$T = 40\$\. The loss": mean("ds", accuracy, 40, "T2"),
        r"group A goes from ([\d.]+) %": mean("ds", group_a, 1, "T2"),
        r"down to ([\d.]+) %": mean("ds", group_a, 40, "T2"),
        r"group B from ([\d.]+) %": mean("ds", group_b, 1, "T2"),
        r"\*up\* to ([\d.]+) %": mean("ds", group_b, 40, "T2"),
        r"grows from ([\d.]+) to": mean("ds", eod, 1, "T2"),
        r"to ([\d.]+) points": mean("ds", eod, 40, "T2"),
        r"falls less, to ([\d.]+) %": mean("ds", accuracy, 4, "none"),
        r"recovers: ([\d.]+) %": mean("ds", accuracy, 40, "none"),
        r"difference \(([\d.]+) points\)": mean("ds", eod, 40, "none"),
        r"non-distilled student \(([\d.]+)\)": mean("nds", eod),
        r"agree on ([\d.]+) % of the points": mean("ds", agreement, 1, "T2"),
        r"on ([\d.]+) % at \$T = 40\$; ": mean("ds", agreement, 40, "T2"),
        r"any distillation agree on ([\d.]+) %": mean("nds", agreement),
    }
    for pattern, value in stated.items():
        found = re.search(pattern, text)
        assert found, f"no sentence {pattern!r}"
        assert float(found[1]) == pytest.approx(value, abs=0.051), pattern
