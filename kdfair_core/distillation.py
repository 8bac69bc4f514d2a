"""Soft targets and the loss that distills them.

Paper, equations (5) and (6); Hinton et al. (2015), section 2.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


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


def distillation_loss(
    student_logits: Tensor,
    teacher_logits: Tensor | None,
    labels: Tensor,
    *,
    temperature: Tensor | float,
    alpha: Tensor | float,
    soft_factor: Tensor | float,
) -> Tensor:
    """Loss of each student, averaged over the batch; equation (6).

    ``alpha * s(T) * CE(softmax(z_teacher / T), softmax(z_student / T))
    + (1 - alpha) * CE(y, softmax(z_student))``

    Parameters
    ----------
    student_logits : Tensor, shape [student, batch, class]
    teacher_logits : Tensor, shape [batch, class], or None
        None where nobody is distilled: plain cross-entropy with the labels.
    labels : Tensor of int, shape [batch]
    temperature, alpha, soft_factor : Tensor of shape [student], or float
        T, the weight of the soft term, and s(T): see :func:`soft_factor`. A student with
        ``alpha`` 0 is a non-distilled one.

    Returns
    -------
    Tensor, shape [student]
        A student's loss reads no other student's logits, so the gradient of the sum is for each
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
    wanted = torch.where(listens, soft_targets(teacher_logits, T), 0.0)
    soft = -(wanted * F.log_softmax(student_logits / T, dim=-1)).sum(-1)
    return alpha * soft_factor * soft.mean(1) + (1 - alpha) * hard


def soft_factor(temperature: float, soft_scale: str) -> float:
    """The factor s(T) before the soft term: T squared for "T2", 1 for "none".

    Gradients of the soft term shrink as 1 / T^2; Hinton et al. (2015, section 2) multiply them
    back to scale. The paper does not say which it does.
    """
    return float(temperature) ** 2 if soft_scale == "T2" else 1.0
