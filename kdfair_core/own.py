"""Distillation of one's own: a data set, a teacher and a student out of somebody's own program.

:func:`distill` makes a study of them, runs it through the engine that the catalogue's studies use,
and gives the same :class:`~kdfair_core.results.Results`. Nothing here is registered or edited.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from kdfair_core import asked, distillation, results, studies
from kdfair_core.datasets import Dataset, Inputs, Split, fingerprint
from kdfair_core.files import tensors_sha256
from kdfair_core.results import Results
from kdfair_core.runs import RunStore
from kdfair_core.studies import Profile, Recipe, Study
from kdfair_core.training.batches import initial_seed, stable_seed
from kdfair_core.training.learners import to_device
from kdfair_core.training.plan import Identity, plan
from kdfair_core.training.running import run_sweeps, store_runs
from kdfair_core.training.study import pick_device
from kdfair_core.training.sweep import finished_run, weights_of
from kdfair_core.training.views import DatasetViews

PROFILE = "own"


def distill(
    *,
    train: Any,
    test: Any,
    teacher: Any,
    student: Callable[[], nn.Module],
    groups: Mapping[str, Any] | None = None,
    temperatures: Iterable[float] = (1, 2, 4, 8),
    alphas: Iterable[float] = (0.8,),
    soft_scales: Iterable[str] = ("T2",),
    seeds: int | Iterable[int] = 3,
    null_seeds: int = 0,
    recipe: Recipe | None = None,
    teacher_recipe: Recipe | None = None,
    loss: str | Callable[..., Tensor] = "kd",
    runs: str | os.PathLike[str] = "runs/mine",
    name: str = "mine",
    device: str = "auto",
    time_limit: float | None = None,
    compiled: bool | None = None,
    progress: bool = True,
) -> Results:
    """Distill a teacher into students at several temperatures, and measure what that changed.

    For each seed a student alone and one for each temperature, alpha and soft scale are trained on
    the same batches; each comes out as if it were trained by itself. What is trained already, in
    ``runs``, is not trained again; after a killed or timed-out call the next one resumes.

    Parameters
    ----------
    train, test : (x, y), torch Dataset of such pairs, or Hugging Face Dataset
        ``x``: an array or tensor ``[example, ...]``; or a tuple or dict of them, which are the
        network's several inputs. Bytes ``[example, channel, height, width]`` are images, scaled by
        their channels' mean and deviation; everything else is passed on unchanged. ``y``: labels, 0
        to the number of classes less one, or text.
    teacher : Module, callable, array, (array, array) or path
        A trained network; a function that makes one to be trained, once for each seed; or logits
        that exist already, ``[training example, class]``, with those of the test examples as a
        second array where disagreement is to be measured. A path is that of a ``.npy`` file.
    student : callable
        Makes a fresh student. It is called under a seed of its own for each run.
    groups : mapping of str to array-like [test example], optional
        Sensitive attributes; missing values are unknown.
    temperatures, alphas, soft_scales : iterable
        Of the students; a single value is allowed.
    seeds : int or iterable of int
        How many, or which.
    null_seeds : int
        A null control: how many further students are trained alone, to show what seeds alone
        change.
    recipe, teacher_recipe : Recipe, optional
        Training of the students, and of the teacher (by default the same). Without one: 20 epochs
        of SGD in one cycle, no augmentation. Crops and flips are applied to images only.
    loss : str or callable
        The soft term: a name out of ``kdfair_core.distillation.LOSSES``, or a function of
        ``(student_logits, teacher_logits, labels, temperature)`` of one student's batch that
        returns a mean or a value an example. The whole loss is ``alpha * s(T) * loss +
        (1 - alpha) * cross-entropy``.
    runs : path
        Folder of the run store; what is published goes into its folder ``published``.
    name : str
        Names the study in the store. Change it when you change a network's code in a way that its
        initial weights do not show.
    device, time_limit, compiled, progress
        As in ``kdfair_core.training.run_study``.

    Returns
    -------
    Results

    Raises
    ------
    ValueError
        For data, networks or settings that do not fit together, in one sentence.
    """
    dataset = own_dataset(name, train, test, groups or {})
    n_classes = len(dataset.class_names)
    recipe = recipe or Recipe(
        epochs=20, lr=0.05, milestones=(), schedule="cycle", warmup=0.2, augment=()
    )
    if dataset.kind != "images":
        recipe = replace(recipe, augment=())
        teacher_recipe = teacher_recipe and replace(teacher_recipe, augment=())
    if callable(loss):
        soft_loss = _each_student(loss)
        recipe = replace(recipe, loss=f"{loss.__module__}.{getattr(loss, '__qualname__', 'loss')}")
    else:
        soft_loss, recipe = distillation.named_loss(loss), replace(recipe, loss=loss)
    views = DatasetViews(dataset, pick_device(device))
    chosen = tuple(range(seeds)) if isinstance(seeds, int) else asked.seeds(seeds)
    if not chosen:
        raise ValueError(f"seeds is {seeds!r}; expected how many, from 1, or which")
    makers: dict[str, Callable[[], nn.Module]] = {}
    makers[_label(student, "student", views, n_classes)] = student
    given, logits = _given(teacher, dataset)
    if given is not None:
        of_teacher = f"given-{tensors_sha256(weights_of(given))[:12]}"
        _probe(given, "teacher", views, n_classes)
    elif logits is not None:
        of_teacher = f"logits-{tensors_sha256({'logits': logits[0]})[:12]}"
    else:
        of_teacher = _label(teacher, "teacher", views, n_classes)
        makers[of_teacher] = teacher
    trained = given is None and logits is None
    profile = Profile(
        {"fingerprint": fingerprint(dataset)[:16]},
        of_teacher,
        next(iter(makers)),
        (teacher_recipe or replace(recipe, loss="kd")) if trained else Recipe(epochs=0),
        recipe,
        seeds=chosen,
        null_seeds=tuple(range(max(chosen) + 1, max(chosen) + 1 + null_seeds)),
        temperatures=temperatures,  # type: ignore[arg-type]
        alphas=alphas,  # type: ignore[arg-type]
        soft_scales=soft_scales,  # type: ignore[arg-type]
    )
    question = "group fairness" if groups else "class bias"
    study = Study(
        name, name, name, n_classes, question, {PROFILE: profile}, tuple(groups or ()), False
    )
    store = RunStore(runs)
    if not trained:
        _store_given(study, store, views, given, logits)

    def build(identity: Identity) -> nn.Module:
        if identity["role"] == "teacher" and given is not None:
            return copy.deepcopy(given)
        return _made(makers[identity["network"]], initial_seed(identity))

    sweeps = plan(
        study, PROFILE, has=lambda i: (i["role"] == "teacher" and not trained) or store.has(i)
    )
    missing = [sweep for sweep in sweeps if sweep.missing]
    if missing:
        run_sweeps(
            missing,
            views,
            build,
            store,
            time_limit=asked.minutes(time_limit),
            progress=progress,
            compiled=compiled,
            soft_loss=soft_loss,
            stored_weights=store.weights if given is None else lambda _: weights_of(given),
            teacher_logits=None if logits is None else logits[0],
        )
    root = Path(runs) / "published"
    results.publish(study, PROFILE, store, dataset=dataset, root=root, replace=True)
    return results.load(name, PROFILE, root=root)


def own_dataset(name: str, train: Any, test: Any, groups: Mapping[str, Any]) -> Dataset:
    """A data set of arrays; ``groups`` are of the test examples. See :func:`distill`."""
    (x_train, y_train), (x_test, y_test) = _pair(train, "train"), _pair(test, "test")
    labels, class_names = _labels(y_train, y_test)
    images = isinstance(x_train, np.ndarray) and x_train.ndim == 4 and x_train.dtype == np.uint8
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    if images:
        axes = (0, 2, 3)
        mean = tuple((x_train.mean(axes) / 255).tolist())
        std = tuple((np.maximum(x_train.std(axes), 1e-3) / 255).tolist())
    codes, names = {}, {}
    for attribute, values in groups.items():
        if np.ndim(values) != 1 or len(values) != len(y_test):
            raise ValueError(
                f"groups[{attribute!r}] has shape {np.shape(values)}; expected "
                f"({len(y_test)},), a group for each test example"
            )
        found, listed = pd.factorize(pd.Series(values), sort=True)
        codes[attribute], names[attribute] = found.astype(np.int16), tuple(map(str, listed))
    return Dataset(
        name,
        Split(x_train, labels[0]),
        Split(x_test, labels[1], codes),
        class_names,
        names,
        mean,
        std,
        f"One's own: {len(y_train):,} training and {len(y_test):,} test examples.",
        "images" if images else "arrays",
    )


def _pair(data: Any, what: str) -> tuple[Any, np.ndarray]:
    """Inputs and labels as arrays, checked."""
    if hasattr(data, "column_names"):  # Hugging Face
        columns = [c for c in data.column_names if c not in ("label", "labels")]
        label = next((c for c in data.column_names if c in ("label", "labels")), None)
        if label is None:
            raise ValueError(f"{what} has columns {data.column_names}; expected one named label")
        rows = data.with_format("numpy")[:]
        data = (tuple(np.asarray(rows[c]) for c in columns), rows[label])
    elif not isinstance(data, (tuple, list)) and hasattr(data, "__getitem__"):
        items = [data[i] for i in range(len(data))]
        data = (np.stack([np.asarray(x) for x, _ in items]), np.array([y for _, y in items]))
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        raise ValueError(f"{what} is a {type(data).__name__}; expected (x, y) or a data set")
    x, y = data
    several = tuple(x.values()) if isinstance(x, Mapping) else x
    if isinstance(several, tuple):
        arrays = tuple(_array(part, what) for part in several)
        x = arrays[0] if len(arrays) == 1 else Inputs(arrays)
    else:
        x = _array(several, what)
    labels = np.asarray(y)
    if labels.ndim != 1 or len(labels) != len(x) or not len(labels):
        raise ValueError(
            f"{what} has {len(x)} examples and labels of shape {labels.shape}; expected a label "
            "for each example, from one"
        )
    return x, labels


def _array(x: Any, what: str) -> np.ndarray:
    array = np.asarray(x)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{what} holds {array.dtype} inputs; expected numbers")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"{what} holds NaN or infinite inputs; expected finite numbers")
    return array


def _labels(train: np.ndarray, test: np.ndarray) -> tuple[list[np.ndarray], tuple[str, ...]]:
    """Labels as 0..n-1, and what they are called; text is sorted."""
    if train.dtype.kind in "biu" and test.dtype.kind in "biu":
        seen = np.unique(train.astype(np.int64))
        n = len(seen)
        if not np.array_equal(seen, np.arange(n)) or not set(np.unique(test)) <= set(seen.tolist()):
            raise ValueError(
                f"training labels are {seen[:8].tolist()}{'...' if n > 8 else ''} and test labels "
                f"{np.unique(test)[:8].tolist()}; expected 0 to the number of classes - 1, or text"
            )
        return [train.astype(np.int64), test.astype(np.int64)], tuple(map(str, range(n)))
    if train.dtype.kind == "f" or test.dtype.kind == "f":
        raise ValueError("labels are fractions; expected whole numbers from 0, or text")
    names, codes = np.unique([str(label) for label in train], return_inverse=True)
    answers = np.array([str(label) for label in test])
    unknown = np.setdiff1d(answers, names)
    if len(unknown):
        raise ValueError(
            f"the test label {str(unknown[0])!r} is not among those of training: {names.tolist()}"
        )
    return [codes, np.searchsorted(names, answers)], tuple(names.tolist())


class _Logits(nn.Module):
    """A network that answers with an object, as transformers do: its ``logits``."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.network(*inputs).logits


def _made(make: Callable[[], nn.Module], seed: int) -> nn.Module:
    """A network with initial weights of its own; torch's generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = make()
    if not isinstance(network, nn.Module):
        raise ValueError(f"it made a {type(network).__name__}; expected a torch.nn.Module")
    return _Logits(network) if getattr(network, "config", None) is not None else network


def _label(make: Any, what: str, views: DatasetViews, n_classes: int) -> str:
    """What a run's identity calls a network: its class and a hash of its weights under one seed."""
    if not callable(make) or isinstance(make, nn.Module):
        raise ValueError(f"{what} is a {type(make).__name__}; expected a function that makes one")
    network = _made(make, stable_seed("label"))
    _probe(network, what, views, n_classes)
    return f"{type(network).__name__}-{tensors_sha256(weights_of(network))[:12]}"


@torch.no_grad()
def _probe(network: nn.Module, what: str, views: DatasetViews, n_classes: int) -> None:
    """Refuse a network that does not answer examples with a logit for each class."""
    network = to_device(copy.deepcopy(network), views.device).eval()
    batch = next(iter(views("train").batches(2)))
    try:
        answer = network(*batch.inputs)
    except Exception as error:
        shapes = ", ".join(str(tuple(one.shape)) for one in batch.inputs)
        raise ValueError(f"the {what} cannot read inputs of shape {shapes}: {error}") from error
    if not isinstance(answer, Tensor):
        raise ValueError(
            f"the {what} returns a {type(answer).__name__}; expected logits, a tensor "
            f"[batch, {n_classes}]"
        )
    if answer.shape != (len(batch.index), n_classes):
        raise ValueError(
            f"the {what} returns logits of shape {tuple(answer.shape)} for {len(batch.index)} "
            f"examples; expected {(len(batch.index), n_classes)}, one for each class"
        )


def _given(teacher: Any, dataset: Dataset) -> tuple[nn.Module | None, list[np.ndarray] | None]:
    """A teacher that exists: its network, or its logits [train, perhaps test]."""
    if isinstance(teacher, nn.Module):
        return (_Logits(teacher) if getattr(teacher, "config", None) is not None else teacher), None
    if callable(teacher):
        return None, None
    parts = teacher if isinstance(teacher, (tuple, list)) else (teacher,)
    logits = []
    for part, split in zip(parts, (dataset.train, dataset.test), strict=False):
        if isinstance(part, (str, os.PathLike)):
            part = np.load(part, allow_pickle=False)
        values = np.asarray(part, dtype=np.float32)
        expected = (len(split), len(dataset.class_names))
        if values.shape != expected or not np.isfinite(values).all():
            raise ValueError(
                f"the teacher's logits have shape {values.shape}; expected finite numbers "
                f"{expected}, a row an example and a column a class"
            )
        logits.append(values)
    return None, logits


def _store_given(
    study: Study,
    store: RunStore,
    views: DatasetViews,
    network: nn.Module | None,
    logits: Sequence[np.ndarray] | None,
) -> None:
    """Store what an existing teacher says of the test set, as the teacher of each seed."""
    note: dict[str, Any] = {"data": views.fingerprint, "seconds": 0.0}
    for seed in study.profile(PROFILE).seeds:
        identity = studies.teacher_identity(study, PROFILE, seed)
        if store.has(identity):
            continue
        if network is not None:
            note["weights"] = tensors_sha256(weights_of(network))
            teacher = to_device(copy.deepcopy(network), views.device)
            run = finished_run(identity, teacher, np.zeros(0, np.float32), views, note)
            store_runs(store, [replace(run, weights=None)])
        elif logits is not None and len(logits) > 1:
            prediction = logits[1].argmax(1)
            accuracy = float((prediction == views.dataset.test.y).mean())
            arrays = {"logits": logits[1].astype(np.float16), "prediction": prediction}
            digest = tensors_sha256({"logits": logits[0]})
            store.write(identity, arrays, note | {"accuracy": accuracy, "weights": digest})


def _each_student(loss: Callable[..., Tensor]) -> distillation.LossOf:
    """The soft term of all students at once, from a function of one student's batch."""

    def soft(student: Tensor, teacher: Tensor, labels: Tensor, temperature: Tensor) -> Tensor:
        teachers = teacher.expand(student.shape)
        values = [
            loss(one, of_teacher, labels, float(t)).expand(len(labels))
            for one, of_teacher, t in zip(student, teachers, temperature.flatten(), strict=True)
        ]
        return torch.stack(values)

    return soft
