"""Soft targets and the loss that distills them.

Paper, equations (5) and (6); Hinton et al. (2015), section 2. Two later losses stand beside it, for
comparison: decoupled knowledge distillation and logit standardization.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from kdfair_core import asked


def soft_targets(logits: Tensor, temperature: Tensor | float) -> Tensor:
    """Softmax of logits at a temperature, equation (5): ``exp(z_i / T) / sum_j exp(z_j / T)``.

    Parameters
    ----------
    logits : Tensor, shape [..., class]
    temperature : Tensor or float
        Positive; broadcast against the logits.

    Returns
    -------
    Tensor, shape [..., class]
    """
    return F.softmax(logits / temperature, dim=-1)


def hinton(student: Tensor, teacher: Tensor, labels: Tensor, temperature: Tensor) -> Tensor:
    """Cross-entropy of the softened student with the softened teacher (Hinton et al. 2015).

    Parameters
    ----------
    student : Tensor, shape [student, batch, class]
    teacher : Tensor, shape [batch, class]
    labels : Tensor of int, shape [batch]
    temperature : Tensor, shape [student, 1, 1]

    Returns
    -------
    Tensor, shape [student, batch]
    """
    soft = soft_targets(teacher, temperature)
    return -(soft * F.log_softmax(student / temperature, dim=-1)).sum(-1)


def decoupled(
    student: Tensor,
    teacher: Tensor,
    labels: Tensor,
    temperature: Tensor,
    *,
    target: float = 1.0,
    rest: float = 8.0,
) -> Tensor:
    """Decoupled knowledge distillation (Zhao et al., CVPR 2022, equation 7); as :func:`hinton`.

    ``target`` times the divergence of "the label or not", and ``rest`` times that among the other
    classes: their alpha and beta, 1 and 8 for CIFAR-100. The factor T squared is applied outside of
    it.
    """
    right = F.one_hot(labels, teacher.shape[-1]).bool()
    p, q = soft_targets(teacher, temperature), soft_targets(student, temperature)
    p_two = torch.stack([(p * right).sum(-1), (p * ~right).sum(-1)], -1)
    q_two = torch.stack([(q * right).sum(-1), (q * ~right).sum(-1)], -1)
    binary = F.kl_div(q_two.clamp_min(1e-12).log(), p_two, reduction="none").sum(-1)
    masked = 1000.0 * right  # as the authors' code leaves the label out of the second softmax
    p_rest = F.log_softmax(teacher / temperature - masked, dim=-1)
    q_rest = F.log_softmax(student / temperature - masked, dim=-1)
    among = F.kl_div(q_rest, p_rest, reduction="none", log_target=True).sum(-1)
    return target * binary + rest * among


def standardized(student: Tensor, teacher: Tensor, labels: Tensor, temperature: Tensor) -> Tensor:
    """Logit standardization (Sun et al., CVPR 2024, algorithm 1); as :func:`hinton`.

    Logits of student and teacher are shifted and scaled to mean 0 and deviation 1 over the
    classes first, so that the student need not match the teacher's range.
    """

    def scaled(logits: Tensor) -> Tensor:
        deviation = logits.std(-1, keepdim=True, unbiased=False)
        return (logits - logits.mean(-1, keepdim=True)) / (deviation + 1e-7)

    return hinton(scaled(student), scaled(teacher), labels, temperature)


LossOf = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]

LOSSES: dict[str, LossOf] = {"kd": hinton, "dkd": decoupled, "standardized": standardized}
"""The soft terms by name; "kd" is the paper's."""


def named_loss(name: str) -> LossOf:
    """The soft term of that name, or ValueError with the choices."""
    return LOSSES[asked.choice("loss", name, LOSSES)]


def distillation_loss(
    student_logits: Tensor,
    teacher_logits: Tensor | None,
    labels: Tensor,
    *,
    temperature: Tensor | float,
    alpha: Tensor | float,
    soft_factor: Tensor | float,
    soft_loss: LossOf = hinton,
) -> Tensor:
    """Loss of each student, averaged over the batch; equation (6).

    ``alpha * s(T) * CE(softmax(z_teacher / T), softmax(z_student / T))
    + (1 - alpha) * CE(y, softmax(z_student))``

    Parameters
    ----------
    student_logits : Tensor, shape [student, batch, class]
    teacher_logits : Tensor, shape [batch, class], or None
        None if no student is distilled: cross-entropy with the labels.
    labels : Tensor of int, shape [batch]
    temperature, alpha, soft_factor : Tensor of shape [student], or float
        T, the weight of the soft term, and s(T): see :func:`soft_factor`. A student with
        ``alpha`` 0 is a non-distilled one.
    soft_loss : callable
        The soft term in place of ``CE(softmax(z_teacher / T), softmax(z_student / T))``; takes
        what :func:`hinton` takes and returns ``[student, batch]``.

    Returns
    -------
    Tensor, shape [student]
        A loss for each student, of its own logits alone: the gradient of the sum gives each student
        the gradient of its own loss.
    """
    students, batch, classes = student_logits.shape
    targets = labels.expand(students, batch).reshape(-1)
    hard = F.cross_entropy(student_logits.reshape(-1, classes), targets, reduction="none")
    hard = hard.reshape(students, batch).mean(1)
    if teacher_logits is None:
        return hard
    T = torch.as_tensor(temperature, dtype=student_logits.dtype, device=student_logits.device)
    T = T.reshape(-1, 1, 1)
    # Whoever does not listen to the teacher must not hear it: 0 times its NaN would be NaN.
    listens = torch.as_tensor(alpha, device=student_logits.device).reshape(-1, 1, 1) != 0
    heard = teacher_logits.masked_fill(~listens, 0.0)  # where(..., 0.0) cannot be captured
    soft = soft_loss(student_logits, heard, labels, T)
    return alpha * soft_factor * soft.mean(1) + (1 - alpha) * hard


def soft_factor(temperature: float, soft_scale: str) -> float:
    """The factor s(T) before the soft term: T squared for "T2", 1 for "none".

    Gradients of the soft term shrink as 1 / T^2; Hinton et al. (2015, section 2) multiply them
    back to scale. The paper does not say which it does.
    """
    return float(temperature) ** 2 if soft_scale == "T2" else 1.0
