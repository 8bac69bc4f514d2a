"""The paper against itself: verdicts typed here, bounds against simulation, checks that flip."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from kdfair_book import paper
from kdfair_book.paper import celeba_annotations, hatexplain_annotations, numbers
from kdfair_book.paper import checks as paper_checks
from kdfair_book.paper.checks import celeba, class_bias, documents, fairness, feasibility
from kdfair_book.paper.checks.listing import Listing, listing
from kdfair_core.metrics import demographic_parity_difference

AGREE = {
    "cifar10 temperatures",
    "svhn temperatures",
    "at most one class",
    "lowest accuracy",
    "Figure 3",
    "alpha 0.6",
    "Figure 2",
    "Figure 2 and accuracy",
    "downward trend",
    "fairer than the teacher",
    "HateXplain by gender",
    "teacher fairer than NDS",
    "DS fairer than NDS",
    "extreme temperatures: fairness",
    "fairness and accuracy",
    "individual fairness",
    "undersampling",
    "sums of Table 4",
    "order of Figure 6",
    "size of CelebA",
    "Tables 1 and 6",
    "Tables 2 and 8",
    "Tables 2 and 9",
    "Tables 7 and 6",
    "Tiny ImageNet's images",
    "HateXplain's totals",
    "HateXplain's size",
    "HateXplain's labels",
    "bold cells",
}
DIFFER = {
    "maximum",
    "discussion order",
    "discussion low end",
    "all data sets",
    "extreme temperatures: classes",
    "complexity",
    "ImageNet most",
    "chance: CIFAR-10 and SVHN",
    "chance: CIFAR-100",
    "Trifeature balanced",
    "Trifeature's two accuracies",
    "equal accuracies",
    "CelebA by Male",
    "possible: Smiling by Young",
    "possible: Eyeglasses by Young",
    "possible: toxic by gender",
    "possible: toxic by race",
    "below the teacher's DPD",
    "deviations",
    "rows of Table 4",
    "shares of Table 4",
    "SVHN's networks",
    "SVHN balanced",
    "sizes of CelebA's networks",
    "temperatures",
    "TinyViT's data set",
    "what Table 9 shows",
    "EOD on the poster",
    "equalized odds in the talk",
    "EOD stricter than DPD",
    "date of publication",
    "axis of Figure 1",
    "what Figure 2 counts",
}


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return paper_checks.checks()


def test_the_frame(rows: pd.DataFrame) -> None:
    assert list(rows) == paper_checks.COLUMNS
    assert rows["name"].is_unique
    assert rows["agrees"].dtype == bool
    for column in ("topic", "name", "claim", "where", "stated", "recomputed"):
        assert rows[column].str.len().gt(0).all(), column
    assert rows["where"].str.match(r"(paper|poster|talk|article|arXiv)").all()


def test_verdicts(rows: pd.DataFrame) -> None:
    assert set(rows.loc[rows["agrees"], "name"]) == AGREE
    assert set(rows.loc[~rows["agrees"], "name"]) == DIFFER


def test_no_placeholder_is_left(rows: pd.DataFrame) -> None:
    text = rows[["claim", "stated", "recomputed", "note"]].to_numpy().ravel()
    for cell in text:
        assert "nan" not in cell.lower().split(), cell
        assert "{" not in cell
        assert "np." not in cell


def test_topics(rows: pd.DataFrame) -> None:
    for topic in paper_checks.TOPICS:
        pd.testing.assert_frame_equal(
            paper_checks.checks(topic), rows[rows["topic"] == topic].reset_index(drop=True)
        )
    with pytest.raises(ValueError, match="unknown topic 'color'; expected one of class bias, fai"):
        paper_checks.checks("color")


def test_summary(rows: pd.DataFrame) -> None:
    counts = paper_checks.summary().set_index("topic")
    assert counts.loc["all"].tolist() == [len(rows), len(AGREE), len(DIFFER)]
    assert (counts["agree"] + counts["differ"] == counts["checks"]).all()


class TestNumbers:
    """What the checks should have found, from pencil and paper."""

    def test_shares(self) -> None:
        shares = class_bias.shares().set_index(["study", "temperature", "alpha", "metric"])
        assert shares.loc[("imagenet", 10, 0.8, "sc"), "percent"] == pytest.approx(40.8)
        assert shares.loc[("imagenet-vit", 20, 0.8, "sc"), "percent"] == pytest.approx(44.7)
        assert shares.loc[("tiny-imagenet", 10, 0.8, "sc"), "percent"] == pytest.approx(24.5)
        assert len(shares) == 2 * (7 * 9 + 4 * 3 + 9)  # 7 studies, 4 with extremes, alpha 0.6

    def test_maximum(self) -> None:
        check = class_bias.maximum()
        assert check.stated == "41 %"
        assert "42.6 % (#SC, ImageNet (ViT), T = 10)" in check.recomputed
        assert "44.7 % (#SC, ImageNet (ViT), T = 20)" in check.recomputed

    def test_chance(self) -> None:
        check = class_bias.chance_small()
        assert check.stated == "17 significant of 360 tests"
        assert check.recomputed.startswith("18 expected")

    def test_rows_of_table_4(self) -> None:
        check = celeba.rows_swapped()
        assert check.stated == "Smiling: 61793, 16287, 37780, 40300"
        assert check.recomputed == "Smiling: 59765, 18315, 27259, 50821"

    def test_random_test_split_of_trifeature(self) -> None:
        """About 6,433 images: the DPD of labels drawn at random, by simulation."""
        rng = np.random.default_rng(0)
        images, expected = 6433, 3.64
        found = []
        for _ in range(200):
            shape, color = rng.integers(0, 10, (2, images))
            table = np.bincount(10 * color + shape, minlength=100).reshape(10, 10)
            rates = table / table.sum(axis=1, keepdims=True)
            found.append(100 * np.ptp(rates, axis=0).mean())
        assert np.mean(found) == pytest.approx(expected, abs=0.06)
        assert f"{images:,}" in fairness.trifeature_balanced().note


def test_figure_6() -> None:
    shares = celeba.attribute_shares()
    assert list(shares) == ["all", "train", "validation", "test"]
    assert shares["all"].is_monotonic_decreasing
    assert shares.loc["Smiling", "train"] == pytest.approx(100 * 78080 / 162770)
    assert shares.loc["Smiling", "all"] == pytest.approx(100 * 97669 / 202599)
    assert len(shares) == 40
    assert not shares["train"].is_monotonic_decreasing


class TestTable4:
    def test_one_reading_fits(self) -> None:
        rows = celeba.table_4_readings()
        kept = rows[rows["sd"] == 0].assign(hit=lambda r: r["printed"] == r["expected"])
        hits = kept.groupby(["reading", "labels"])["hit"].agg(["sum", "size"])
        assert hits.loc[("training split", "swapped"), "sum"] == 4
        assert hits.drop(("training split", "swapped"))["sum"].max() == 0
        worst = rows.groupby(["reading", "labels"])["z"].agg(lambda z: z.abs().max())
        assert worst["training split", "swapped"] < 1
        assert worst.drop(("training split", "swapped")).min() > 20

    def test_undersampling_against_drawing(self) -> None:
        counts = np.array([[30, 20], [70, 30]])  # 100 without the label, 50 with it
        rng = np.random.default_rng(1)
        members = np.repeat([0, 1], counts[:, 0])
        drawn = [rng.choice(members, 50, replace=False).sum() for _ in range(4000)]
        mean, sd = celeba._undersampled(counts, group=1, label=0)
        assert mean == 35
        assert np.mean(drawn) == pytest.approx(mean, abs=0.2)
        assert np.std(drawn) == pytest.approx(sd, rel=0.05)
        assert celeba._undersampled(counts, group=1, label=1) == (30, 0)


def classifier(rates: np.ndarray, counts: np.ndarray) -> tuple[float, float, float]:
    """Accuracy, EOD and DPD of a classifier with rates [group, (FPR, TPR)]."""
    positive = (counts * rates).sum(axis=1) / counts.sum(axis=1)
    right = counts[:, 0] @ (1 - rates[:, 0]) + counts[:, 1] @ rates[:, 1]
    return right / counts.sum(), np.abs(rates[1] - rates[0]).max(), abs(positive[1] - positive[0])


class TestBounds:
    counts = np.array([[400, 300], [100, 200]])

    def test_the_dpd_of_labels_is_that_of_a_perfect_classifier(self) -> None:
        group, label = np.indices((2, 2)).reshape(2, -1)
        group, label = (np.repeat(codes, self.counts.ravel()) for codes in (group, label))
        expected = demographic_parity_difference(label, label, sensitive_features=group)
        assert feasibility.label_dpd(self.counts) == pytest.approx(expected)

    def test_no_classifier_is_outside(self) -> None:
        rng = np.random.default_rng(2)
        for _ in range(150):
            counts = rng.integers(5, 500, (2, 2))
            accuracy, eod, dpd = classifier(rng.random((2, 2)), counts)
            low, high = feasibility.dpd_range(counts, accuracy, eod)
            assert low - 1e-9 <= dpd <= high + 1e-9

    def test_the_lower_limit_is_reached(self) -> None:
        """No classifier on a fine grid does better, and one comes close."""
        accuracy, eod = 0.80, 0.10
        low, _ = feasibility.dpd_range(self.counts, accuracy, eod)
        grid = np.linspace(0, 1, 101)
        tpr0, tpr1, fpr0 = np.meshgrid(grid, grid, grid, indexing="ij")
        (n0, p0), (n1, p1) = self.counts
        total = self.counts.sum()
        fpr1 = 1 - (accuracy * total - p0 * tpr0 - p1 * tpr1 - n0 * (1 - fpr0)) / n1
        close = np.maximum(np.abs(tpr1 - tpr0), np.abs(fpr1 - fpr0)) <= eod
        real = close & (fpr1 >= 0) & (fpr1 <= 1)
        first = (p0 * tpr0 + n0 * fpr0) / (n0 + p0)
        second = (p1 * tpr1 + n1 * fpr1) / (n1 + p1)
        best = np.abs(first - second)[real].min()
        assert low > 0.01
        assert low - 1e-3 <= best <= low + 0.02

    def test_a_perfect_classifier_has_no_choice(self) -> None:
        low, high = feasibility.dpd_range(self.counts, 1.0, 0.0)
        floor = feasibility.label_dpd(self.counts)
        assert low == pytest.approx(floor, abs=2e-3)
        assert high == pytest.approx(floor, abs=2e-3)

    def test_it_holds_for_means_over_runs(self) -> None:
        rng = np.random.default_rng(3)
        for _ in range(50):
            base = rng.random((2, 2))
            runs = [
                classifier(np.clip(base + rng.normal(0, 0.1, (2, 2)), 0, 1), self.counts)
                for _ in range(5)
            ]
            accuracy, eod, dpd = np.mean(runs, axis=0)
            low, high = feasibility.dpd_range(self.counts, accuracy, eod)
            assert low - 1e-9 <= dpd <= high + 1e-9

    def test_what_no_classifier_can_be(self) -> None:
        counts = np.array([[100, 0], [0, 100]])  # the group gives the label away
        assert np.isnan(feasibility.dpd_range(counts, -0.5, 0.0)).all()

    def test_a_higher_dpd_of_labels_makes_room_above(self) -> None:
        test, validation = (
            celeba_annotations.load_cross_counts("Smiling", "Young", [part])
            for part in ("test", "validation")
        )
        assert feasibility.label_dpd(test) == pytest.approx(0.0176, abs=1e-4)
        assert feasibility.label_dpd(validation) == pytest.approx(0.0741, abs=1e-4)
        assert feasibility.dpd_range(test, 0.9309, 0.0469)[1] < 0.0941
        assert feasibility.dpd_range(validation, 0.9309, 0.0469)[1] > 0.0941

    def test_hatexplain_as_typed(self) -> None:
        counts = hatexplain_annotations.load_group_counts("race", 2)
        assert feasibility.label_dpd(counts) == pytest.approx(440 / 493 - 702 / 1431)

    def test_ranges_of_every_model(self) -> None:
        rows = feasibility.dpd_ranges("hatexplain", "race")
        assert len(rows) == 3 * 12
        assert not rows["possible"].any()
        celeba_rows = feasibility.dpd_ranges("celeba-smiling", "Young")
        assert len(celeba_rows) == 8 * 15
        fits = celeba_rows.groupby("reading")["possible"].all()
        assert set(fits.index[fits]) == {"validation split", "validation split, balanced"}

    def test_balancing(self) -> None:
        even = feasibility.balanced(self.counts)
        assert even.sum(axis=0) == pytest.approx([500, 500])
        skewed = feasibility.balanced(np.array([[90, 10], [60, 40]]))
        assert skewed.sum(axis=0) == pytest.approx([50, 50])
        assert skewed[:, 1].tolist() == [10, 40]


class TestChecksCanFlip:
    """Another number in a table gives another verdict."""

    @staticmethod
    def change(monkeypatch: pytest.MonkeyPatch, name: str, where: str, **values: float) -> None:
        frame = paper.table(name)
        found = frame.query(where).index
        assert len(found) > 0
        for column, value in values.items():
            frame.loc[found, column] = value
        read = numbers._read
        monkeypatch.setattr(numbers, "_read", lambda n: frame if n == name else read(n))
        results = getattr(numbers._results, "__wrapped__", numbers._results)
        monkeypatch.setattr(numbers, "_results", results)

    def test_a_repeated_cell(self, monkeypatch: pytest.MonkeyPatch) -> None:
        where = "study == 'imagenet' and temperature == 7 and metric == 'tc'"
        self.change(monkeypatch, "table6", where, mean=175)
        check = documents.tables_1_and_6()
        assert not check.agrees
        assert check.recomputed.startswith("115 the same")
        assert len(paper.results("imagenet", "tc").query("temperature == 7")) == 2

    def test_a_second_class(self, monkeypatch: pytest.MonkeyPatch) -> None:
        where = "study == 'svhn' and temperature == 4 and metric == 'sc'"
        self.change(monkeypatch, "table5", where, mean=2)
        assert not class_bias.at_most_one().agrees
        assert not class_bias.svhn_temperatures().agrees

    def test_shares_of_table_4(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.change(monkeypatch, "table4", "column == 'Young' and unit == 'percent'", value=77.84)
        assert not celeba.percentages().agrees
        where = "column == 'Not Young' and unit == 'percent'"
        self.change(monkeypatch, "table4", where, value=22.16)
        assert celeba.percentages().agrees

    def test_one_accuracy_for_trifeature(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.change(monkeypatch, "table9", "metric == 'accuracy' and role != 'ds'", mean=95.0)
        self.change(monkeypatch, "table2", "metric == 'accuracy' and role != 'ds'", mean=95.0)
        check = fairness.trifeature_accuracy()
        assert check.agrees, check

    def test_numbers_that_fit_together(self, monkeypatch: pytest.MonkeyPatch) -> None:
        where = "study == 'celeba-eyeglasses' and metric == 'dpd'"
        self.change(monkeypatch, "table8", where, mean=12.0)
        assert feasibility.celeba_eyeglasses().agrees


class TestListing:
    def test_every_check_with_its_verdict(self, rows: pd.DataFrame) -> None:
        html = listing()._repr_html_()
        assert html.count("<section>") == len(rows)
        assert html.count("≠ differs") == len(DIFFER)
        assert html.count("= agrees") == len(AGREE)
        assert repr(listing()).count("recomputed: ") == len(rows)

    def test_only_what_differs(self) -> None:
        shown = listing("CelebA's annotations", show="differ")
        assert set(shown.rows["name"]) == {"rows of Table 4", "shares of Table 4"}
        assert set(listing(show="agree").rows["name"]) == AGREE

    def test_text_is_escaped(self, rows: pd.DataFrame) -> None:
        row = rows.iloc[[0]].assign(claim="a < b & c")
        assert "a &lt; b &amp; c" in Listing(row)._repr_html_()

    def test_unknown_choice(self) -> None:
        with pytest.raises(ValueError, match="'wrong' of what to show; expected all, agree, dif"):
            listing(show="wrong")
