"""What networks are shown, of bytes and floats, gray and in color, and how many batches."""

import numpy as np
import pytest
import torch

from kdfair_core.datasets import Dataset, Split, fingerprint
from kdfair_core.datasets.tokens import Tokens
from kdfair_core.training.plan import steps_per_epoch
from kdfair_core.training.views import ImageViews, TokenViews, make_views

CPU = torch.device("cpu")
RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 256, (9, 3, 16, 16), dtype=np.uint8)
Y = RNG.integers(3, size=9)


def shown(x, mean=(0.5,) * 3, std=(0.25,) * 3, y=Y):
    (batch,) = ImageViews(Split(x, y, {}), mean, std, CPU).batches(9)
    return batch


def test_floats_are_scaled_by_their_own_range():
    of_bytes, of_floats = shown(BYTES), shown(BYTES.astype(np.float32) / 255)
    torch.testing.assert_close(of_floats.inputs[0], of_bytes.inputs[0], rtol=1e-5, atol=1e-5)
    assert of_floats.inputs[0].std() > 0.5


def test_gray_images_and_small_labels():
    batch = shown(BYTES[:, :1], (0.5,), (0.25,), Y.astype(np.int32))
    assert batch.inputs[0].shape == (9, 1, 16, 16)
    assert torch.nn.functional.cross_entropy(torch.zeros(9, 3), batch.labels) > 0


@pytest.mark.parametrize(
    ("x", "mean", "word"),
    [
        (BYTES.astype(np.int32), (0.5,) * 3, r"images are int32 of shape \(3, 16, 16\) each"),
        (BYTES[:, 0], (0.5,), r"images are uint8 of shape \(16, 16\) each"),
        (BYTES, (0.5,), r"images have 3 channels, mean \(0.5,\)"),
        (np.full((9, 3, 16, 16), np.nan, np.float32), (0.5,) * 3, "NaN or infinite"),
    ],
)
def test_images_that_cannot_be(x, mean, word):
    with pytest.raises(ValueError, match=word):
        shown(x, mean, (0.25,) * len(mean))


@pytest.mark.parametrize("n", [31, 32, 33, 34, 65])
@pytest.mark.parametrize("kind", ["images", "texts"])
def test_one_rule_for_a_last_batch_of_one(kind, n):
    """It is left out, of what is counted and of what is shown."""
    y = np.zeros(n, np.int64)
    if kind == "texts":
        views = TokenViews(Split(Tokens.of([[1] * (1 + i % 7) for i in range(n)]), y, {}), CPU)
    else:
        views = ImageViews(Split(np.zeros((n, 1, 8, 8), np.uint8), y, {}), (0.5,), (1.0,), CPU)
    sizes = [len(batch.index) for batch in views.epoch(0, 0, 16)]
    assert len(sizes) == views.steps(16) == steps_per_epoch(n, 16)
    assert sum(sizes) == n - (n % 16 == 1) and min(sizes) > 1
    late = [batch.index.tolist() for batch in views.epoch(0, 0, 16, start=1)]
    assert late == [batch.index.tolist() for batch in views.epoch(0, 0, 16)][1:]


def dataset(**changes):
    split = Split(BYTES, Y, {})
    given = dict(name="toy", train=split, test=split, class_names=tuple("abc"), group_names={})
    given |= dict(mean=(0.5,) * 3, std=(0.25,) * 3, note="")
    return Dataset(**(given | changes))


def test_the_data_set_says_what_its_examples_are():
    assert isinstance(make_views(dataset(), dataset().test, CPU), ImageViews)
    texts = Split(Tokens.of([[1, 2]] * 9), Y, {})
    assert isinstance(make_views(dataset(kind="texts"), texts, CPU), TokenViews)
    with pytest.raises(ValueError, match="kind 'sounds'; expected one of images, texts"):
        dataset(kind="sounds")


def test_a_fingerprint_is_of_examples_labels_groups_and_splits():
    groups = {"side": np.array([0, 1, 1, 0, 0, -1, 0, 1, 0], np.int16)}
    other = BYTES.copy()
    other[4, 2, 3, 3] ^= 1
    prints = [
        fingerprint(dataset(**changes))
        for changes in (
            {},
            {"train": Split(other, Y, {})},
            {"test": Split(other, Y, {})},
            {"test": Split(BYTES, (Y + 1) % 3, {})},
            {"test": Split(BYTES, Y, groups)},
            {"class_names": tuple("abd")},
            {"train": Split(Tokens.of([[1, 2]] * 9), Y, {})},
        )
    ]
    assert len(set(prints)) == len(prints)
    assert (
        fingerprint(dataset(name="other", train=Split(BYTES, Y.astype(np.int32), {}))) == prints[0]
    )


class OnDisk:
    """Examples that are read batch by batch; remembers which."""

    def __init__(self, x):
        self.x, self.read = x, []

    def __len__(self):
        return len(self.x)

    def __getitem__(self, rows):
        self.read += np.atleast_1d(rows).tolist()
        return self.x[rows]


@pytest.mark.parametrize("parts", [2, 3])
def test_processes_read_their_own_parts_of_the_same_batches(parts):
    def epoch(share):
        x = OnDisk(BYTES)
        views = ImageViews(Split(x, Y, {}), (0.5,) * 3, (0.25,) * 3, CPU, ("crop", "flip"))
        views.share, x.read = share, []
        return x.read, list(views.epoch(1, 0, 7))  # batches of 7 and 2

    read, whole = epoch((0, 1))
    shares = [epoch((part, parts)) for part in range(parts)]
    assert sorted(row for rows, _ in shares for row in rows) == sorted(read) == list(range(9))
    for k, batch in enumerate(whole):
        own = [batches[k] for _, batches in shares]
        assert torch.equal(torch.cat([one.inputs[0] for one in own]), batch.inputs[0])
        assert torch.equal(torch.cat([one.labels for one in own]), batch.labels)
        assert {one.size for one in own} == {len(batch.index)} == {batch.size}


def test_processes_share_texts_and_arrays():
    tokens = Tokens.of([[5] * (1 + k) for k in range(9)])
    texts = Dataset("t", Split(tokens, Y), Split(tokens, Y), ("a",) * 3, {}, (), (), "", "texts")
    x = RNG.normal(size=(9, 4)).astype(np.float32)
    arrays = Dataset("a", Split(x, Y), Split(x, Y), ("a",) * 3, {}, (), (), "", "arrays")
    for data in (texts, arrays):
        views = make_views(data, data.train, CPU)
        whole = list(views.epoch(0, 0, 5))
        rows = []
        for part in range(2):
            views.share = (part, 2)
            rows.append([batch.index for batch in views.epoch(0, 0, 5)])
        for first, second, batch in zip(*rows, whole, strict=True):
            assert torch.equal(torch.cat([first, second]), batch.index) and len(second)
