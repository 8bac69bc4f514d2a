"""Text goes through the same loop: batches of like length, and draws of one's own."""

import numpy as np
import torch
from torch import nn

from kdfair_core.datasets import Split
from kdfair_core.datasets.tokens import Tokens
from kdfair_core.studies import Recipe
from kdfair_core.training.learners import make_learners
from kdfair_core.training.loop import train
from kdfair_core.training.step import Lesson
from kdfair_core.training.teacher import TeacherOutputs, predict
from kdfair_core.training.views import TokenViews

CPU = torch.device("cpu")


def texts(n=203, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=n)
    ids = [rng.integers(1, 20, size=rng.integers(1, 40)) + 20 * label for label in y]
    return Split(Tokens.of(ids), y, {})


class Bag(nn.Module):
    """Mean of embeddings, dropout, a linear layer."""

    def __init__(self, seed):
        super().__init__()
        torch.manual_seed(seed)
        self.embedding, self.dropout = nn.Embedding(40, 8), nn.Dropout(0.3)
        self.linear = nn.Linear(8, 2)

    def features(self, ids, mask):
        return (self.embedding(ids) * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)

    def forward(self, ids, mask):
        return self.linear(self.dropout(self.features(ids, mask)))


def test_every_text_once_and_little_padding():
    split = texts()
    views = TokenViews(split, CPU)
    views.WINDOW = 5
    seen, padding = [], 0
    for batch in views.epoch(0, 0, 16):
        ids, mask = batch.inputs
        for i, row, kept in zip(batch.index.tolist(), ids, mask, strict=True):
            np.testing.assert_array_equal(row[kept], split.x[[i]][0][0])
        seen += batch.index.tolist()
        padding += int((~mask).sum())
    assert sorted(seen) == list(range(203))
    unsorted = 0
    for chunk in np.array_split(np.random.default_rng(0).permutation(203), 13):
        unsorted += int((~split.x[chunk][1]).sum())
    assert padding < unsorted / 2
    assert seen != [i for b in views.epoch(0, 1, 16) for i in b.index.tolist()]


def test_predictions_come_in_the_order_of_the_split():
    split, network = texts(), Bag(0).eval()
    logits = predict(network, TokenViews(split, CPU))
    for i in (0, 57, 202):
        ids, mask = (torch.as_tensor(a) for a in split.x[[i]])
        torch.testing.assert_close(logits[i], network(ids, mask)[0])


def test_texts_are_learned_and_a_student_with_dropout_is_its_own():
    split = texts()
    views = TokenViews(split, CPU)
    recipe = Recipe(epochs=8, batch_size=16, lr=0.05, optimizer="adamw", augment=())
    rows = [(1.0, 0.0, 1.0), (4.0, 0.8, 16.0), (10.0, 0.8, 100.0)]
    teacher = TeacherOutputs(Bag(9), views, "fp32")

    def learned(*which):
        networks = [Bag(i) for i in which]
        learners = make_learners(networks, CPU, seeds=which)
        lesson = Lesson(*torch.tensor([rows[i] for i in which]).T)
        history, _ = train(learners, views, recipe, seed=1, lesson=lesson, teacher=teacher)
        assert learners.draws
        return networks, history

    alone, _ = learned(1)
    together, history = learned(0, 1, 2)
    for a, b in zip(alone[0].parameters(), together[1].parameters(), strict=True):
        assert torch.equal(a, b)
    assert history[0, -1] < 0.2 < history[0, 0]
    accuracy = (predict(together[0], views).argmax(1) == views.labels).float().mean()
    assert accuracy > 0.95
