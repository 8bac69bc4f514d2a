"""Published results as tidy frames. The numbers come from kdfair_core.metrics; here they are
arranged."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special, stats

from kdfair_core import asked, metrics
from kdfair_core.metrics import UndefinedMetricWarning

IDENTIFYING = ["role", "seed", "temperature", "alpha", "soft_scale"]
"""The columns that say which run a row is about; the last three are NaN, NaN and "" unless the
run is a distilled student."""

SETTING = IDENTIFYING[2:]


@dataclass(frozen=True, eq=False)
class Results:
    """Published results of one study under one profile.

    Accuracies, rates and differences are fractions. The metrics of a
    run that diverged are NaN; no mean or test counts it, and a warning names it.

    Attributes
    ----------
    study, profile, badge : str
    manifest : dict
        Where the results came from.
    classes : tuple of str
    group_names : dict of str to tuple of str
        The groups of each sensitive attribute.
    y_true : int array [example]
    groups : dict of str to int array [example]
        Codes into ``group_names``; -1 is unknown.
    pred : int array [run, example]
    scored : int array [m]
        The examples whose logits are kept.
    logits : float16 array [run, m, class]
    features : dict of str to float array [m, d]
        Where distances between the scored examples can be measured, by the name of the space.
    """

    study: str
    profile: str
    badge: str
    manifest: dict[str, Any]
    classes: tuple[str, ...]
    group_names: dict[str, tuple[str, ...]]
    y_true: NDArray[np.int64]
    groups: dict[str, NDArray[np.int64]]
    pred: NDArray[np.integer]
    scored: NDArray[np.int64]
    logits: NDArray[np.float16]
    features: dict[str, NDArray[np.float16]]

    @classmethod
    def from_arrays(cls, manifest: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Results:
        """Return the results that a manifest and the arrays of predictions.npz describe."""
        prefix = "features_"
        return cls(
            study=manifest["study"],
            profile=manifest["profile"],
            badge=manifest["badge"],
            manifest=manifest,
            classes=tuple(manifest["classes"]),
            group_names={name: tuple(groups) for name, groups in manifest["groups"].items()},
            y_true=arrays["y_true"].astype(np.int64),
            groups={name: arrays[f"group_{name}"].astype(np.int64) for name in manifest["groups"]},
            pred=arrays["pred"],
            scored=arrays["scored"].astype(np.int64),
            logits=arrays["logits"],
            features={
                name.removeprefix(prefix): values
                for name, values in arrays.items()
                if name.startswith(prefix)
            },
        )

    def __repr__(self) -> str:
        return (
            f"<Results of {self.study}, {self.badge}: {len(self.pred)} runs on "
            f"{len(self.y_true)} examples of {len(self.classes)} classes>"
        )

    @property
    def attributes(self) -> tuple[str, ...]:
        """Names of the sensitive attributes."""
        return tuple(self.group_names)

    @property
    def temperatures(self) -> list[float]:
        """Temperatures of the distilled students, ascending."""
        return self._values("temperature")

    @property
    def alphas(self) -> list[float]:
        """Weights of the distillation term, ascending."""
        return self._values("alpha")

    @property
    def soft_scales(self) -> list[str]:
        """Scalings of the soft term ("T2", "none" or both)."""
        return self._values("soft_scale")

    def _values(self, key: str) -> list[Any]:
        return sorted({run[key] for run in self.manifest["runs"] if run["role"] == "ds"})

    def only(
        self,
        *,
        seeds: Any = None,
        temperatures: Any = None,
        alphas: Any = None,
        soft_scales: Any = None,
    ) -> Results:
        """Return the results of some seeds (null seeds count) and settings alone.

        Raises
        ------
        ValueError
            For a value that cannot be, or that is not among the results.
        """
        keep = np.ones(len(self.manifest["runs"]), dtype=bool)
        for key, given, check in (
            ("seed", seeds, asked.seeds),
            ("temperature", temperatures, asked.temperatures),
            ("alpha", alphas, asked.alphas),
            ("soft_scale", soft_scales, asked.soft_scales),
        ):
            if given is None:
                continue
            chosen, values = check(given), [run[key] for run in self.manifest["runs"]]
            there = sorted({value for value in values if value is not None})
            for value in chosen:
                if value not in there:
                    listed = ", ".join(map(str, there)) or "none"
                    raise ValueError(
                        f"{key} {value} is not among the results of {self.study}/"
                        f"{self.profile}; there are {listed}"
                    )
            keep &= [value is None or value in chosen for value in values]
        runs = [run for run, kept in zip(self.manifest["runs"], keep, strict=True) if kept]
        manifest = self.manifest | {"runs": runs}
        return replace(self, manifest=manifest, pred=self.pred[keep], logits=self.logits[keep])

    # a row a run

    @cached_property
    def runs(self) -> pd.DataFrame:
        """A row a run. Columns ``run`` (position in ``pred``), the identifying ones, ``accuracy``,
        ``seconds`` (of training), ``diverged`` and ``name``."""
        frame = pd.DataFrame(self.manifest["runs"])
        ds = frame["role"] == "ds"
        return pd.DataFrame(
            {
                "run": np.arange(len(frame)),
                "role": frame["role"],
                "seed": frame["seed"],
                "temperature": frame["temperature"].where(ds).astype(float),
                "alpha": frame["alpha"].where(ds).astype(float),
                "soft_scale": frame["soft_scale"].where(ds, ""),
                "accuracy": frame["accuracy"].astype(float),
                "seconds": frame["seconds"].astype(float),
                "diverged": frame["diverged"].astype(bool),
                "name": frame["name"],
            }
        )

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """A row a test example. Columns ``label``, the group by each attribute (NaN if unknown),
        and one a run."""
        columns: dict[str, Any] = {"label": self.y_true}
        for name, codes in self.groups.items():
            columns[name] = pd.Categorical.from_codes(
                codes, categories=pd.Index(self.group_names[name])
            )
        columns |= dict(zip(self.runs["name"], self.pred, strict=True))
        return pd.DataFrame(columns, index=pd.RangeIndex(len(self.y_true), name="example"))

    def class_accuracy(self) -> pd.DataFrame:
        """Class-wise accuracy: the identifying columns, ``class``, ``class_name``, ``accuracy``."""
        accuracy = metrics.class_accuracy(self.y_true, self.pred, n_classes=len(self.classes))
        frame = self._repeated(len(self.classes))
        frame["class"] = np.tile(np.arange(len(self.classes)), len(self.pred))
        frame["class_name"] = np.tile(np.array(self.classes, dtype=object), len(self.pred))
        frame["accuracy"] = self._without_diverged(accuracy).ravel()
        return frame

    def group_fairness(self, attribute: str) -> pd.DataFrame:
        """Fairness of each run: the identifying columns, ``accuracy``, ``dpd``, ``eod``.

        Examples whose group is unknown count for accuracy alone.
        ``attrs["floor"]`` is the DPD of the labels themselves, which a perfect classifier has.

        Raises
        ------
        ValueError
            If the study has no such attribute.
        """
        names = self._groups_of(attribute)
        counts = self._counts(attribute, np.vstack([self.pred, self.y_true[None]]))
        named: dict[str, Any] = {"group_names": names}
        if len(self.classes) > 2:
            named["class_names"] = self.classes
        dpd = metrics.dpd_from_counts(counts, **named)
        frame = self.runs[[*IDENTIFYING, "accuracy"]].copy()
        frame["accuracy"] = self._without_diverged(frame["accuracy"])
        frame["dpd"] = self._without_diverged(dpd[:-1])
        frame["eod"] = self._without_diverged(metrics.eod_from_counts(counts[:-1], **named))
        frame.attrs["floor"] = float(dpd[-1])
        return frame

    def individual_fairness(
        self, space: str = "input", *, n_pairs: int = 20_000, seed: int = 0
    ) -> pd.DataFrame:
        """Individual unfairness of each run: the identifying columns, ``individual_unfairness``.

        The scores are the probabilities of the classes (softmax of the logits) of the scored
        examples; the distance is the cosine distance of their features, the same pairs for all
        runs. A run whose logits are not finite has NaN.

        Parameters
        ----------
        space : str
            A name out of ``features``.
        n_pairs, seed : int
            As in `kdfair_core.metrics.individual_unfairness`.
        """
        if space not in list(self.features):
            raise ValueError(
                f"unknown feature space {space!r} of {self.study}/{self.profile}; expected one of "
                f"{', '.join(self.features) or 'none: no features are published'}"
            )
        pairs = metrics.sample_pairs(self.features[space], n_pairs=n_pairs, seed=seed)
        finite = np.isfinite(self.logits).all(axis=(1, 2))
        unfairness = np.full(len(self.logits), np.nan)
        scores = special.softmax(self.logits[finite].astype(np.float32), axis=-1)
        unfairness[finite] = metrics.unfairness_over_pairs(scores, pairs)
        frame = self.runs[IDENTIFYING].copy()
        frame["individual_unfairness"] = unfairness
        frame.attrs |= {"space": space, "n_pairs": len(pairs.first), "n_same": pairs.n_same}
        return frame

    # means over seeds

    def fairness_summary(self, attribute: str, *, level: float = 0.95) -> pd.DataFrame:
        """Means over seeds of what `group_fairness` gives.

        Returns
        -------
        pandas.DataFrame
            ``role``, ``temperature``, ``alpha``, ``soft_scale``, ``metric`` ("accuracy", "dpd" or
            "eod"), ``mean``, ``sd`` (between runs), ``low`` and ``high`` (Student's t interval of
            the mean; NaN with one run), ``n_runs``, ``floor`` (what a perfect classifier has, for
            DPD and EOD).
        """
        fairness = self.group_fairness(attribute)
        floors = {"accuracy": np.nan, "dpd": fairness.attrs["floor"], "eod": 0.0}
        return _summary(fairness, floors, level)

    def accuracy_summary(self, *, level: float = 0.95) -> pd.DataFrame:
        """Means over seeds of accuracy, in the columns of `fairness_summary`."""
        frame = self.runs[[*IDENTIFYING, "accuracy"]].copy()
        frame["accuracy"] = self._without_diverged(frame["accuracy"])
        return _summary(frame, {"accuracy": np.nan}, level)

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return the tables that are published beside the predictions, by the name of the file."""
        parts = [self.accuracy_summary().assign(attribute="")]
        for attribute in self.attributes:
            summary = self.fairness_summary(attribute)
            parts.append(summary[summary["metric"] != "accuracy"].assign(attribute=attribute))
        return {"runs.csv": self.runs, "summary.csv": pd.concat(parts, ignore_index=True)}

    # comparisons

    def affected_classes(self, correction: str | None = None) -> pd.DataFrame:
        """Classes whose relative accuracy differs between two groups of runs (equation 8).

        Parameters
        ----------
        correction : None or "bh"
            As in `kdfair_core.metrics.affected_classes`.

        Returns
        -------
        pandas.DataFrame
            ``comparison`` ("SC": NDS and DS; "TC": teacher and DS; "null": NDS and its null
            control), ``temperature``, ``alpha``, ``soft_scale``, the columns of
            `kdfair_core.metrics.affected_classes`, ``class_name``. A comparison with fewer than
            two runs on a side is left out.
        """
        position = {role: runs["run"].to_numpy() for role, runs in self._sound().groupby("role")}
        frames = []
        pairs = (("SC", "nds", "ds"), ("TC", "teacher", "ds"), ("null", "nds", "null"))
        for comparison, role_a, role_b in pairs:
            a = position.get(role_a, np.array([], dtype=int))
            for _, setting, runs in self._settings(role_b):
                if len(a) > 1 and len(runs) > 1:
                    frame = metrics.affected_classes(
                        self.y_true,
                        self.pred[a],
                        self.pred[runs["run"].to_numpy()],
                        n_classes=len(self.classes),
                        correction=correction,
                    )
                    frame.attrs = {}
                    frames.append(
                        frame.assign(comparison=comparison, **setting, class_name=self.classes)
                    )
        of_class = ["class", "mean_a", "mean_b", "effect", "statistic", "p_value", "significant"]
        return _joined(frames, ["comparison", *SETTING, *of_class, "class_name"])

    def disagreement(self) -> pd.DataFrame:
        """Disagreement matrices of the teacher and its student, mean over seeds (equation 7).

        Returns
        -------
        pandas.DataFrame
            ``pair`` ("teacher-nds" or "teacher-ds"), ``temperature``, ``alpha``, ``soft_scale``,
            ``class_a`` (what the teacher predicts), ``class_b`` (what the student predicts),
            ``count`` of examples; zero where they agree.
        """
        sound = self._sound()
        teachers = sound[sound["role"] == "teacher"].set_index("seed")["run"]
        names = pd.Categorical(self.classes, categories=self.classes)
        n = len(names)
        frames = []
        for role, setting, students in self._settings("nds", "ds"):
            students = students[students["seed"].isin(teachers.index)]
            if students.empty:
                continue
            matrix = metrics.disagreement_matrix(
                self.pred[teachers[students["seed"]].to_numpy()],
                self.pred[students["run"].to_numpy()],
                n_classes=n,
            ).mean(axis=0)
            cells = {
                "class_a": names.repeat(n),
                "class_b": names.take(np.tile(np.arange(n), n)),
                "count": matrix.ravel(),
            }
            frames.append(pd.DataFrame({"pair": f"teacher-{role}", **setting, **cells}))
        return _joined(frames, ["pair", *SETTING, "class_a", "class_b", "count"])

    # helpers

    def _sound(self) -> pd.DataFrame:
        """The runs that did not diverge; a warning names those that did."""
        lost = self.runs["diverged"]
        if lost.any():
            names = ", ".join(self.runs.loc[lost, "name"])
            warnings.warn(
                f"{lost.sum()} of {len(lost)} runs of {self.study}/{self.profile} diverged and are "
                f"left out: {names}",
                UndefinedMetricWarning,
                stacklevel=4,
            )
        return self.runs[~lost]

    def _without_diverged(self, values: Any) -> NDArray[np.float64]:
        """Values ``[run, ...]`` with NaN for the runs that diverged."""
        values = np.array(values, dtype=float)
        values[np.setdiff1d(np.arange(len(self.runs)), self._sound()["run"])] = np.nan
        return values

    def _groups_of(self, attribute: str) -> tuple[str, ...]:
        if attribute not in self.attributes:
            raise ValueError(
                f"unknown attribute {attribute!r} of study {self.study}; expected one of "
                f"{', '.join(self.attributes) or 'none: the study has no sensitive attributes'}"
            )
        return self.group_names[attribute]

    def _counts(self, attribute: str, pred: NDArray[Any]) -> NDArray[Any]:
        return metrics.group_counts(
            self.y_true,
            pred,
            sensitive_features=self.groups[attribute],
            n_classes=len(self.classes),
            groups=range(len(self._groups_of(attribute))),
        )

    def _repeated(self, times: int) -> pd.DataFrame:
        positions = np.repeat(np.arange(len(self.runs)), times)
        return self.runs[IDENTIFYING].iloc[positions].reset_index(drop=True)

    def _settings(self, *roles: str) -> Iterator[tuple[str, dict[str, Any], pd.DataFrame]]:
        """Yield role, setting (temperature, alpha, soft_scale) and runs, of each that there is."""
        chosen = self._sound()
        chosen = chosen[chosen["role"].isin(roles)]
        for key, runs in chosen.groupby(["role", *SETTING], dropna=False, sort=False):
            yield str(key[0]), dict(zip(SETTING, key[1:], strict=True)), runs


def _summary(frame: pd.DataFrame, floors: dict[str, float], level: float) -> pd.DataFrame:
    """Mean, deviation and interval over seeds of the columns that ``floors`` names."""
    asked.share("level", level)
    keys = ["role", *SETTING]
    parts = []
    for metric, floor in floors.items():
        grouped = frame.groupby(keys, dropna=False, sort=False)[metric]
        part = grouped.agg(mean="mean", sd="std", n_runs="count").reset_index()
        n = part["n_runs"]
        half = stats.t.ppf((1 + level) / 2, n.where(n > 1) - 1) * part["sd"] / np.sqrt(n)
        part["metric"], part["low"], part["high"] = metric, part["mean"] - half, part["mean"] + half
        part["floor"] = floor
        parts.append(part)
    columns = [*keys, "metric", "mean", "sd", "low", "high", "n_runs", "floor"]
    return pd.concat(parts, ignore_index=True)[columns]


def _joined(frames: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    if not frames:
        return pd.DataFrame(columns=columns)
    return pd.concat(frames, ignore_index=True)[columns]
