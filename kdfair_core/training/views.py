"""Views: what a network is shown of an example, a batch at a time.

Examples lie on the device as they are stored (bytes for images, token ids for text) and become
floats, crops and flips there, a whole batch at once; a set that is too large for memory is read
batch by batch in a thread beside the training. All draws of an epoch come from one generator,
seeded by (seed, epoch) on the CPU: the views of a seed are the same on every device, whoever
learns from them, and a resumed epoch needs no generator's state.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from kdfair_core.datasets import Dataset, Inputs, Split, fingerprint
from kdfair_core.training.batches import Batch, Labeled, stable_seed


class ImageViews(Labeled):
    """Images of one split: bytes, or finite floats, ``[example, channel, height, width]``.

    They are shifted and scaled by each channel's ``mean`` and ``std``: for bytes on the scale 0 to
    1, for floats on the images' own. ``augment`` is out of "crop" and "flip" (see
    :class:`kdfair_core.studies.Recipe`). Other images and another augmentation are a ValueError.
    """

    def __init__(
        self,
        split: Split,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        device: torch.device,
        augment: tuple[str, ...] = (),
    ) -> None:
        unknown = set(augment) - {"crop", "flip"}
        if unknown:
            raise ValueError(f"unknown augmentation {sorted(unknown)}; expected crop or flip")
        super().__init__(split, device)
        self.examples, self.augment = split.x, augment
        self.n_views = None if "crop" in augment else 2 if "flip" in augment else 1
        first = np.asarray(split.x[np.array([0])])
        _check_images(first, mean, std)
        self.side = first.shape[2:]
        self.pad = max(self.side) // 8 if "crop" in augment else 0
        white = 255 if first.dtype == np.uint8 else 1
        scale = torch.tensor(std, device=device) * white
        self._scale = (1 / scale)[None, :, None, None]
        self._shift = (-torch.tensor(mean, device=device) * white / scale)[None, :, None, None]
        self.resident = isinstance(split.x, np.ndarray)
        if isinstance(split.x, np.ndarray):
            if first.dtype != np.uint8 and not np.isfinite(split.x).all():
                raise ValueError("images hold NaN or infinite values; expected finite numbers")
            # [example, row, column, channel]: channels last, as convolutions like it
            self._pixels = torch.as_tensor(np.ascontiguousarray(split.x.transpose(0, 2, 3, 1)))
            self._pixels = self._pixels.to(device)

    def epoch(self, seed: int, epoch: int, batch_size: int, *, start: int = 0) -> Iterator[Batch]:
        """Every example once, in random order, augmented. A last batch of one is left out.

        ``start`` is how many of the batches to pass over.
        """
        draws = torch.Generator().manual_seed(stable_seed("views", seed, epoch))
        n = len(self)
        # on the device once an epoch: each time waits for all that is still to be done there
        order = torch.randperm(n, generator=draws).to(self.device)
        flip = torch.randint(2, (n,), generator=draws) * ("flip" in self.augment)
        offset = torch.randint(2 * self.pad + 1, (2, n), generator=draws).to(self.device)
        flips = flip.to(self.device).split(batch_size)[start:]
        offsets = offset.split(batch_size, 1)[start:]
        sizes = [len(view) for view in flips]
        read = self._read([self.own(batch) for batch in order.split(batch_size)[start:]])
        for size, (index, pixels), view, moved in zip(sizes, read, flips, offsets, strict=True):
            if size > 1:
                view, moved = self.own(view), self.own(moved, 1)
                inputs = self._augmented(pixels, view, moved)
                shown = None if self.pad else view
                yield Batch(index, (inputs,), self.labels[index], shown, size)

    def batches(self, batch_size: int, view: int = 0) -> Iterator[Batch]:
        """Every example once, in order, as stored (or all flipped, for ``view`` 1)."""
        everyone = torch.arange(len(self), device=self.device).split(batch_size)
        for index, pixels in self._read(everyone):
            inputs = self._floats(pixels.flip(2) if view else pixels)
            shown = torch.full_like(index, view)
            yield Batch(index, (inputs,), self.labels[index], shown, len(index))

    def _read(self, indices: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """Pairs of (index, its pixels); read ahead by a thread where they come from disk."""
        if self.resident:
            yield from ((index, self._pixels[index]) for index in indices)
            return

        def fetch(index: np.ndarray) -> Tensor:
            return torch.as_tensor(self.examples[index]).permute(0, 2, 3, 1).contiguous()

        joined = torch.cat(list(indices)).cpu()
        rows = [index.numpy() for index in joined.split([*map(len, indices)])]
        with ThreadPoolExecutor(1) as reader:
            ahead = [reader.submit(fetch, row) for row in rows[:2]]
            for position, index in enumerate(indices):
                pixels = ahead.pop(0).result().to(self.device)
                if position + 2 < len(rows):
                    ahead.append(reader.submit(fetch, rows[position + 2]))
                yield index, pixels

    def _augmented(self, pixels: Tensor, flip: Tensor, offset: Tensor) -> Tensor:
        if not self.augment:
            return self._floats(pixels)
        height, width = self.side
        if self.pad:
            pixels = torch.nn.functional.pad(pixels, (0, 0, *[self.pad] * 4))
        row = torch.arange(height, device=self.device) + offset[0, :, None]
        column = torch.arange(width, device=self.device).expand(len(flip), width)
        column = torch.where(flip[:, None] == 1, width - 1 - column, column) + offset[1, :, None]
        image = torch.arange(len(flip), device=self.device)[:, None, None]
        return self._floats(pixels[image, row[:, :, None], column[:, None, :]])

    def _floats(self, pixels: Tensor) -> Tensor:
        return torch.addcmul(self._shift, pixels.permute(0, 3, 1, 2).float(), self._scale)


class TokenViews(Labeled):
    """Texts of one split, batched with others of about their length so that little is padding."""

    n_views = 1
    fixed = False
    WINDOW = 50  # batches among which texts are sorted by length

    def __init__(self, split: Split, device: torch.device) -> None:
        super().__init__(split, device)
        self.tokens = split.x
        self.lengths = torch.as_tensor(np.asarray(split.x.lengths))  # type: ignore[attr-defined]

    def epoch(self, seed: int, epoch: int, batch_size: int, *, start: int = 0) -> Iterator[Batch]:
        """Every text once: shuffled, sorted by length within windows, batches shuffled again.

        A batch of one is left out, and the first ``start`` batches.
        """
        draws = torch.Generator().manual_seed(stable_seed("views", seed, epoch))
        chunks: list[Tensor] = []
        for window in torch.randperm(len(self), generator=draws).split(self.WINDOW * batch_size):
            window = window[self.lengths[window].argsort(stable=True)]
            chunks.extend(chunk for chunk in window.split(batch_size) if len(chunk) > 1)
        for position in torch.randperm(len(chunks), generator=draws).tolist()[start:]:
            yield self._batch(self.own(chunks[position]), len(chunks[position]))

    def batches(self, batch_size: int, view: int = 0) -> Iterator[Batch]:
        """Every text once, shortest first."""
        for chunk in self.lengths.argsort(stable=True).split(batch_size):
            yield self._batch(chunk, len(chunk))

    def _batch(self, chunk: Tensor, size: int) -> Batch:
        ids, mask = self.tokens[chunk.numpy()]
        index = chunk.to(self.device)
        inputs = (torch.as_tensor(ids).to(self.device), torch.as_tensor(mask).to(self.device))
        return Batch(index, inputs, self.labels[index], torch.zeros_like(index), size)


class ArrayViews(Labeled):
    """Arrays of any shape, shown as they are; several of them are a network's several inputs.

    Floats become float32, whole numbers int64.
    """

    n_views = 1

    def __init__(self, split: Split, device: torch.device) -> None:
        super().__init__(split, device)
        arrays = split.x.arrays if isinstance(split.x, Inputs) else (np.asarray(split.x),)
        self.inputs = tuple(_as_tensor(array).to(device) for array in arrays)

    def epoch(self, seed: int, epoch: int, batch_size: int, *, start: int = 0) -> Iterator[Batch]:
        """Every example once, in random order, but for a last batch of one; see ImageViews."""
        draws = torch.Generator().manual_seed(stable_seed("views", seed, epoch))
        order = torch.randperm(len(self), generator=draws).to(self.device)
        chunks = [chunk for chunk in order.split(batch_size) if len(chunk) > 1]
        for chunk in chunks[start:]:
            yield self._batch(self.own(chunk), len(chunk))

    def batches(self, batch_size: int, view: int = 0) -> Iterator[Batch]:
        """Every example once, in order."""
        for chunk in torch.arange(len(self), device=self.device).split(batch_size):
            yield self._batch(chunk, len(chunk))

    def _batch(self, index: Tensor, size: int) -> Batch:
        inputs = tuple(array[index] for array in self.inputs)
        return Batch(index, inputs, self.labels[index], torch.zeros_like(index), size)


def _as_tensor(array: np.ndarray) -> Tensor:
    kind = {"f": torch.float32, "b": torch.bool}.get(array.dtype.kind, torch.int64)
    return torch.as_tensor(np.ascontiguousarray(array)).to(kind)


Views = ImageViews | TokenViews | ArrayViews


def make_views(
    dataset: Dataset, split: Split, device: torch.device, augment: tuple[str, ...] = ()
) -> Views:
    """Views of one split of a data set, as its ``kind`` says."""
    if dataset.kind == "texts":
        return TokenViews(split, device)
    if dataset.kind == "arrays":
        if augment:
            raise ValueError(
                f"augmentation {', '.join(augment)} is for images; data set {dataset.name!r} "
                "holds arrays: leave augment empty"
            )
        return ArrayViews(split, device)
    return ImageViews(split, dataset.mean, dataset.std, device, augment)


class DatasetViews:
    """A data set on a device: the views of its splits, each made once.

    Parameters
    ----------
    dataset : Dataset
    device : torch.device
    """

    def __init__(self, dataset: Dataset, device: torch.device) -> None:
        self.dataset, self.device = dataset, device
        self._made: dict[tuple[str, tuple[str, ...]], Views] = {}

    def __call__(self, split: str, augment: tuple[str, ...] = ()) -> Views:
        """Views of "train" or "test"."""
        key = (split, augment)
        if key not in self._made:
            part = getattr(self.dataset, split)
            self._made[key] = make_views(self.dataset, part, self.device, augment)
        return self._made[key]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the data set (see :func:`kdfair_core.datasets.fingerprint`)."""
        return fingerprint(self.dataset)


def _check_images(first: np.ndarray, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    floats = first.dtype.kind == "f"
    if first.ndim != 4 or not (floats or first.dtype == np.uint8):
        raise ValueError(
            f"images are {first.dtype} of shape {first.shape[1:]} each; expected uint8 or floats "
            "[channel, height, width]"
        )
    channels = first.shape[1]
    if not len(mean) == len(std) == channels or min(std, default=0) <= 0:
        raise ValueError(
            f"images have {channels} channels, mean {mean} and std {std}; expected a number for "
            "each channel, std above 0"
        )
