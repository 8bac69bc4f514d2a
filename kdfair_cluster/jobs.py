"""What the tasks of a study share: plain data that can be sent to other processes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from kdfair_cluster.buckets import BucketStore
from kdfair_core import datasets
from kdfair_core.datasets import Dataset
from kdfair_core.runs import RunStore
from kdfair_core.studies import Study
from kdfair_core.training.plan import Identity
from kdfair_core.training.study import catalogue_networks


@dataclass(frozen=True)
class Job:
    """What all tasks of a run share.

    Attributes
    ----------
    study : Study
        Narrowed to what was asked for.
    place : str
        Of the run store: an absolute path or a URL.
    data_root : str or None
    ends : float or None
        ``time.time()`` after which no further step is made.
    gpus_per_teacher : int
        Devices that share each teacher.
    """

    study: Study
    profile: str
    place: str
    device: str
    compiled: bool | None
    data_root: str | None
    ends: float | None
    gpus_per_teacher: int = 1

    @classmethod
    def of(
        cls,
        study: Study,
        profile: str,
        store: RunStore,
        *,
        device: str,
        compiled: bool | None,
        data_root: str | os.PathLike[str] | None,
        time_limit: float | None,
        gpus_per_teacher: int = 1,
    ) -> Job:
        """The job of a store and minutes from now."""
        place = store.bucket.url if isinstance(store, BucketStore) else str(store.root.resolve())
        # as absolute paths: a node has another folder of its own
        root = os.path.abspath(data_root or os.environ.get("KDFAIR_DATA") or "datasets")
        ends = None if time_limit is None else time.time() + 60 * time_limit
        return cls(study, profile, place, device, compiled, root, ends, gpus_per_teacher)

    def deadline(self) -> float | None:
        """Its end in ``time.monotonic()``."""
        return None if self.ends is None else time.monotonic() + self.ends - time.time()

    def dataset(self) -> Dataset:
        """The data set of the study, read."""
        options = self.study.profile(self.profile).dataset
        if self.study.load is None:
            return datasets.load(self.study.dataset, root=self.data_root, **options)
        return self.study.load(**options)

    def networks(self, dataset: Dataset) -> Callable[[Identity], nn.Module]:
        """What builds the networks of the study."""
        return (self.study.build or catalogue_networks)(dataset)
