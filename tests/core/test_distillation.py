"""The loss against its formula, and against what Hinton et al. derive from it."""

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax

from kdfair_core import asked, distillation


def draw(seed, students=3, batch=5, classes=4):
    rng = np.random.default_rng(seed)
    return (
        rng.normal(size=(students, batch, classes)) * 3,
        rng.normal(size=(batch, classes)) * 5,
        rng.integers(classes, size=batch),
    )


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("soft_scale", asked.SOFT_SCALES)
def test_loss_is_the_formula(seed, soft_scale):
    student, teacher, labels = draw(seed)
    temperature, alpha = np.array([1.0, 4.0, 40.0]), np.array([0.8, 0.5, 0.0])
    factor = [distillation.soft_factor(T, soft_scale) for T in temperature]
    got = distillation.distillation_loss(
        torch.tensor(student),
        torch.tensor(teacher),
        torch.tensor(labels),
        temperature=torch.tensor(temperature),
        alpha=torch.tensor(alpha),
        soft_factor=torch.tensor(factor, dtype=torch.float64),
    )
    for i, (T, a) in enumerate(zip(temperature, alpha, strict=True)):
        soft = -(softmax(teacher / T, 1) * log_softmax(student[i] / T, 1)).sum(1).mean()
        hard = -log_softmax(student[i], 1)[np.arange(5), labels].mean()
        scale = T**2 if soft_scale == "T2" else 1
        assert got[i].item() == pytest.approx(a * scale * soft + (1 - a) * hard, rel=1e-12)


def test_a_student_reads_no_other_students_logits():
    student, teacher, labels = (torch.tensor(a) for a in draw(0))
    student.requires_grad_()
    kind = dict(temperature=torch.tensor([1.0, 4, 9]), alpha=torch.tensor([0.8] * 3))
    loss = distillation.distillation_loss(student, teacher, labels, soft_factor=1.0, **kind)
    (gradient,) = torch.autograd.grad(loss[1], student)
    assert gradient[1].abs().sum() > 0
    assert gradient[[0, 2]].abs().sum() == 0


def test_t_squared_keeps_the_gradient_and_none_loses_it():
    """At high T the gradient of the soft term tends to logit matching over T^2 (Hinton, eq. 4)."""
    student, teacher, labels = (torch.tensor(a) for a in draw(1, students=1))
    student.requires_grad_()
    T = 1e4
    expected = student[0] - student[0].mean(1, keepdim=True)
    expected = (expected - (teacher - teacher.mean(1, keepdim=True))) / 4 / len(labels)
    for soft_scale, power in (("T2", 0), ("none", 2)):
        loss = distillation.distillation_loss(
            student,
            teacher,
            labels,
            temperature=T,
            alpha=1.0,
            soft_factor=distillation.soft_factor(T, soft_scale),
        )
        (gradient,) = torch.autograd.grad(loss.sum(), student)
        torch.testing.assert_close(gradient[0] * T**power, expected, rtol=1e-2, atol=1e-4)


def test_without_teacher_it_is_cross_entropy():
    student, _, labels = (torch.tensor(a) for a in draw(2))
    got = distillation.distillation_loss(
        student, None, labels, temperature=4.0, alpha=0.8, soft_factor=1.0
    )
    for logits, loss in zip(student, got, strict=True):
        assert loss == pytest.approx(torch.nn.functional.cross_entropy(logits, labels).item())


def test_a_student_that_does_not_listen_is_untouched_by_a_teacher_gone_mad():
    student = torch.randn(2, 4, 3, requires_grad=True)
    mad, labels = torch.full((4, 3), float("nan")), torch.tensor([0, 1, 2, 0])
    given = dict(temperature=torch.tensor([4.0, 4.0]), soft_factor=torch.tensor([16.0, 16.0]))
    loss = distillation.distillation_loss(
        student, mad, labels, alpha=torch.tensor([0.0, 0.8]), **given
    )
    loss[0].backward()
    alone = distillation.distillation_loss(
        student, None, labels, temperature=4, alpha=0, soft_factor=1
    )
    assert loss[0] == alone[0] and torch.isnan(loss[1])
    assert torch.isfinite(student.grad[0]).all()
