"""What a study is made of: recipes, profiles, studies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from kdfair_core import asked
from kdfair_core.studies.temperatures import TEMPERATURES

SEEDS = (0, 1, 2, 3, 4)
NULL_SEEDS = (5, 6, 7, 8, 9)


@dataclass(frozen=True)
class Recipe:
    """How one network is trained.

    Attributes
    ----------
    epochs, batch_size : int
    lr : float
        Starting learning rate.
    milestones : tuple of int
        Epochs at whose start the learning rate is multiplied by ``gamma``.
    optimizer : str
        "sgd" with ``momentum``, or "adamw", whose schedule is always one cycle.
    weight_decay : float
    warmup : float
        Share of all steps over which the learning rate rises from zero.
    augment : tuple of str
        Out of "crop" (random crop after padding by an eighth of the side, 4 pixels for 32) and
        "flip" (horizontal).
    precision : str
        "fp32": float32, on a GPU too; "tf32": products of float32 in TF32 on a GPU; or "bf16":
        bfloat16 autocast, weights in float32. Predictions are always made in float32.
    pretrained : bool
        Start from public weights.
    schedule : str
        "steps": drops at the milestones; or "cycle": a linear warm-up, then a linear decay to zero
        at the last step, for short trainings.
    nesterov : bool
        Nesterov's momentum, for SGD.
    loss : str
        The soft term, a name out of ``kdfair_core.distillation.LOSSES`` ("kd": the paper's).
    """

    epochs: int = 100
    batch_size: int = 128
    lr: float = 0.1
    milestones: tuple[int, ...] = (30, 60, 90)
    gamma: float = 0.1
    optimizer: str = "sgd"
    momentum: float = 0.9
    weight_decay: float = 1e-3
    warmup: float = 0.0
    augment: tuple[str, ...] = ("crop", "flip")
    precision: str = "fp32"
    pretrained: bool = False
    schedule: str = "steps"
    nesterov: bool = False
    loss: str = "kd"


def recipe_of(fields: dict[str, Any]) -> Recipe:
    """The recipe that an identity holds as JSON."""
    given: Any = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
    return Recipe(**given)


@dataclass(frozen=True)
class Profile:
    """A study at one size.

    Attributes
    ----------
    dataset : dict
        Options of :func:`kdfair_core.datasets.load`.
    teacher, student : str
        Names of networks.
    teacher_recipe, student_recipe : Recipe
        The non-distilled and the distilled students share one.
    seeds, null_seeds : tuple of int
        A seed is one teacher and all its students; a null seed one more non-distilled student.
    temperatures : tuple
    alphas : tuple of float
        Weights of the distillation term.
    soft_scales : tuple of str
        Out of "T2" and "none".
    departures : tuple of str
        What differs from the paper, and our reading where the paper is silent; a sentence each.

    Raises
    ------
    ValueError
        For an invalid seed or setting, and for a seed that is in ``seeds`` and ``null_seeds``.
    """

    dataset: dict[str, Any]
    teacher: str
    student: str
    teacher_recipe: Recipe
    student_recipe: Recipe
    seeds: tuple[int, ...] = SEEDS
    null_seeds: tuple[int, ...] = NULL_SEEDS
    temperatures: tuple[float, ...] = TEMPERATURES
    alphas: tuple[float, ...] = (0.8,)
    soft_scales: tuple[str, ...] = ("T2",)
    departures: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, check in (
            ("seeds", asked.seeds),
            ("null_seeds", asked.seeds),
            ("temperatures", asked.temperatures),
            ("alphas", asked.alphas),
            ("soft_scales", asked.soft_scales),
        ):
            object.__setattr__(self, name, check(getattr(self, name)))
        both = sorted(set(self.seeds) & set(self.null_seeds))
        if both:
            raise ValueError(
                f"seed {both[0]} is among the seeds {self.seeds} and the null seeds "
                f"{self.null_seeds}; expected it in one of them: a null seed has no teacher"
            )


@dataclass(frozen=True)
class Study:
    """What the paper asks of one data set and one pair of networks.

    Attributes
    ----------
    name, title : str
    dataset : str
        Name for :func:`kdfair_core.datasets.load`.
    n_classes : int
    question : str
        "class bias" or "group fairness".
    attributes : tuple of str
        Sensitive attributes, none for a study of class bias.
    profiles : dict
        By name, the most faithful first.
    in_paper : bool
        Whether the paper has this study.
    load : callable, optional
        What makes the data set of a study of one's own, from the profile's ``dataset``, in place of
        :func:`kdfair_core.datasets.load`.
    build : callable, optional
        From the data set, what makes the network of an identity, in place of the names of
        ``kdfair_core.models.build``.
    """

    name: str
    title: str
    dataset: str
    n_classes: int
    question: str
    profiles: dict[str, Profile] = field(repr=False)
    attributes: tuple[str, ...] = ()
    in_paper: bool = True
    load: Callable[..., Any] | None = field(default=None, repr=False)
    build: Callable[..., Any] | None = field(default=None, repr=False)

    def profile(self, name: str) -> Profile:
        """Profile of that name, or ValueError with the choices."""
        if name not in list(self.profiles):
            raise ValueError(
                f"unknown profile {name!r} of study {self.name!r}; "
                f"expected one of {', '.join(self.profiles)}"
            )
        return self.profiles[name]
