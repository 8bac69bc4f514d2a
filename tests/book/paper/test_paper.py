"""The paper's tables: counts, neighbors, and cells typed by hand from the page."""

from __future__ import annotations

from html import escape

import numpy as np
import pandas as pd
import pytest

from kdfair_book import paper

UP_TO_10 = list(range(1, 11))
FROM_2 = list(range(2, 11))
EXTREME = [20, 30, 40]

ROWS = {
    "table1": 116,  # 4 pairs x (2 accuracies + 9 temperatures x 3)
    "table2": 72,  # 2 data sets x 12 models x 3
    "table3": 60,  # 12 models x 5
    "table4": 14,
    "table5": 87,
    "table6": 152,
    "table7": 58,
    "table8": 90,
    "table9": 90,
    "individual_fairness": 36,
    "figure2": 341,  # 360 cells, 19 of them unreadable
    "facts": 85,
}

TEMPERATURES = {
    "table1": FROM_2,
    "table2": UP_TO_10,
    "table3": UP_TO_10,
    "table5": FROM_2,
    "table6": FROM_2 + EXTREME,
    "table7": FROM_2,
    "table8": UP_TO_10 + EXTREME,
    "table9": UP_TO_10 + EXTREME,
    "individual_fairness": UP_TO_10,
}

# Typed from the page: table, study, attribute, role, T, alpha, metric, mean, deviation.
CELLS = [
    (1, "cifar100", "", "teacher", None, None, "accuracy", 70.87, 0.21),
    (1, "imagenet", "", "ds", 10, 0.8, "sc", 408, None),
    (1, "imagenet-vit", "", "ds", 2, 0.8, "tc", 397, None),
    (1, "cifar100-densenet", "", "ds", 9, 0.8, "accuracy", 71.51, 0.23),
    (2, "trifeature", "color", "teacher", None, None, "dpd", 3.64, 0.00),
    (2, "trifeature", "color", "ds", 10, 0.8, "dpd", 3.10, 0.02),
    (2, "celeba-smiling", "", "ds", 10, 0.8, "accuracy", 92.57, 0.11),
    (2, "celeba-smiling", "Young", "teacher", None, None, "eod", 4.69, 0.06),
    (2, "celeba-smiling", "Young", "teacher", None, None, "dpd", 9.41, 0.11),
    (3, "hatexplain", "", "nds", None, None, "accuracy", 73.28, 0.12),
    (3, "hatexplain", "gender", "ds", 10, 0.8, "dpd", 0.64, 0.08),
    (3, "hatexplain", "race", "ds", 10, 0.8, "eod", 2.64, 0.08),
    (3, "hatexplain", "race", "teacher", None, None, "dpd", 1.64, 0.07),
    (5, "svhn", "", "ds", 7, 0.8, "accuracy", 96.10, 0.08),
    (5, "cifar10", "", "ds", 3, 0.8, "tc", 1, None),
    (5, "tiny-imagenet", "", "ds", 10, 0.8, "sc", 49, None),
    (5, "tiny-imagenet", "", "teacher", None, None, "accuracy", 72.3, 0.07),
    (6, "imagenet-vit", "", "ds", 20, 0.8, "sc", 447, None),
    (6, "cifar100", "", "ds", 40, 0.8, "accuracy", 68.62, 0.25),
    (7, "cifar100", "", "ds", 10, 0.6, "sc", 20, None),
    (7, "cifar100", "", "ds", 2, 0.8, "tc", 15, None),
    (8, "celeba-smiling", "Young", "ds", 10, 0.8, "dpd", 8.86, 0.04),
    (8, "celeba-eyeglasses", "", "ds", 10, 0.8, "accuracy", 97.84, 0.12),
    (8, "celeba-eyeglasses", "Young", "ds", 10, 0.8, "dpd", 2.05, 0.09),
    (8, "celeba-eyeglasses", "Young", "teacher", None, None, "eod", 1.18, 0.03),
    (9, "trifeature", "texture", "teacher", None, None, "accuracy", 94.43, 0.04),
    (9, "trifeature", "texture", "ds", 10, 0.8, "accuracy", 88.33, 0.11),
    (9, "trifeature", "texture", "ds", 40, 0.8, "dpd", 4.23, 0.15),
    (
        "individual_fairness",
        "celeba-smiling",
        "",
        "teacher",
        None,
        None,
        *("individual_unfairness", 0.0407, None),
    ),
    (
        "individual_fairness",
        "hatexplain",
        "",
        "ds",
        10,
        0.8,
        *("individual_unfairness", 0.0654, None),
    ),
]


def one(rows: pd.DataFrame, **wanted: object) -> pd.Series:
    for column, value in wanted.items():
        rows = rows[rows[column].isna() if value is None else rows[column] == value]
    assert len(rows) == 1, wanted
    return rows.iloc[0]


def test_every_table_has_its_rows() -> None:
    assert dict(zip(*paper.tables()[["name", "rows"]].to_numpy().T, strict=True)) == ROWS


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: "-".join(map(str, cell[:7])))
def test_cells_typed_from_the_page(cell: tuple) -> None:
    name, study, attribute, role, temperature, alpha, metric, mean, deviation = cell
    row = one(
        paper.table(name),
        study=study,
        attribute=attribute,
        role=role,
        temperature=temperature,
        alpha=alpha,
        metric=metric,
    )
    assert row["mean"] == mean
    assert np.isnan(row["deviation"]) if deviation is None else row["deviation"] == deviation


@pytest.mark.parametrize("name", paper.RESULTS)
class TestTablesOfResults:
    def test_a_source_in_every_row(self, name: str) -> None:
        number = name.removeprefix("table")
        source = f"paper, Table {number}" if number.isdecimal() else "talk, Table 4"
        assert set(paper.table(name)["source"]) == {source}

    def test_no_row_twice(self, name: str) -> None:
        key = ["study", "attribute", "role", "temperature", "alpha", "metric"]
        rows = paper.table(name)
        if name == "table7":  # prints teacher and NDS under both alphas
            rows = rows[rows["role"] == "ds"]
        assert not rows.duplicated(key).any()

    def test_no_temperature_missing(self, name: str) -> None:
        ds = paper.table(name).query("role == 'ds'")
        for part, rows in ds.groupby(["study", "attribute", "alpha", "metric"]):
            assert list(rows["temperature"]) == TEMPERATURES[name], part

    def test_teacher_and_nds_have_neither_temperature_nor_alpha(self, name: str) -> None:
        rows = paper.table(name).query("role != 'ds'")
        assert set(rows["role"]) == {"teacher", "nds"}
        assert rows[["temperature", "alpha"]].isna().all(axis=None)

    def test_ranges(self, name: str) -> None:
        rows = paper.table(name)
        low_high = {
            "accuracy": (65, 100),
            "sc": (0, 1000),
            "tc": (0, 1000),
            "eod": (0, 10),
            "dpd": (0, 15),
            "individual_unfairness": (0, 0.2),
        }
        for metric, values in rows.groupby("metric")["mean"]:
            assert values.between(*low_high[metric]).all()
        assert rows["deviation"].dropna().between(0, 0.4).all()

    def test_deviations_where_the_table_prints_them(self, name: str) -> None:
        rows = paper.table(name)
        without = rows["metric"].isin(["sc", "tc", "individual_unfairness"])
        assert (rows["deviation"].isna() == without).all()

    def test_units(self, name: str) -> None:
        units = paper.table(name).groupby("metric")["unit"].agg(set)
        for metric, unit in units.items():
            expected = {"sc": "classes", "tc": "classes", "individual_unfairness": "score"}
            assert unit == {expected.get(metric, "percent")}

    def test_layout_has_the_shape_of_the_page(self, name: str) -> None:
        wide = paper.layout(name)
        assert len(wide) == 2 + len(TEMPERATURES[name])
        assert list(wide.index)[:2] == [("teacher", "–"), ("NDS", "–")]
        printed = (wide != "–").sum(axis=None)
        assert printed == ROWS[name]


def test_counts_of_classes_stay_below_the_number_of_classes() -> None:
    n_classes = {
        "cifar10": 10,
        "svhn": 10,
        "cifar100": 100,
        "cifar100-densenet": 100,
        "tiny-imagenet": 200,
        "imagenet": 1000,
        "imagenet-vit": 1000,
    }
    for name in ("table1", "table5", "table6", "table7"):
        rows = paper.table(name).query("metric in ('sc', 'tc')")
        assert (rows["mean"] < rows["study"].map(n_classes)).all()


@pytest.mark.parametrize(("short", "full"), [(1, 6), (2, 8), (2, 9), (7, 6)])
def test_tables_that_repeat_each_other_agree(short: int, full: int) -> None:
    key = ["study", "attribute", "role", "temperature", "alpha", "metric"]
    both = (
        paper.table(short)
        .drop_duplicates(key)
        .merge(paper.table(full), on=key, suffixes=("", "_full"))
    )
    assert len(both) >= 29
    pd.testing.assert_series_equal(both["mean"], both["mean_full"], check_names=False)
    pd.testing.assert_series_equal(both["deviation"], both["deviation_full"], check_names=False)


def test_layout_keeps_the_printed_digits() -> None:
    wide = paper.layout(9)
    color = wide["Trifeature, ResNet-20 / LeNet-5, by color"]
    assert color.loc[("teacher", "–"), "accuracy (%)"] == "100 ± 0.00"
    assert color.loc[("DS", "10"), "DPD (%)"] == "3.10 ± 0.02"
    counts = paper.layout(7)
    assert list(dict.fromkeys(half.split(", ")[-1] for half, _ in counts.columns)) == [
        "alpha 0.6",
        "alpha 0.8",
    ]


def test_layout_of_table_4() -> None:
    wide = paper.layout(4).set_index("")
    assert wide.loc["Smiling", "Young"] == "61793"
    assert wide.loc["Distribution", "Not Young"] == "22.15 %"


class TestResults:
    def test_a_number_in_several_tables_is_one_row(self) -> None:
        rows = paper.results("cifar100", metric="accuracy")
        row = one(rows, role="ds", temperature=4, alpha=0.8)
        assert row["source"] == "paper, Tables 1, 6 and 7"
        assert one(rows, role="ds", temperature=40)["source"] == "paper, Table 6"
        assert len(rows) == 2 + 12 + 9  # teacher and NDS, alpha 0.8, alpha 0.6

    def test_columns_and_order(self) -> None:
        rows = paper.results("trifeature", metric="dpd", attribute="color")
        assert list(rows) == [
            *("role", "temperature", "alpha", "attribute", "metric"),
            *("mean", "deviation", "unit", "source"),
        ]
        assert list(rows["role"]) == ["teacher", "nds"] + 13 * ["ds"]
        assert list(rows["temperature"][2:]) == UP_TO_10 + EXTREME

    def test_an_attribute_keeps_what_belongs_to_none(self) -> None:
        rows = paper.results("hatexplain", attribute="Race")
        assert set(rows["attribute"]) == {"", "race"}
        assert set(rows["metric"]) == {"accuracy", "eod", "dpd", "individual_unfairness"}
        assert set(paper.results("celeba-smiling", attribute="young")["attribute"]) == {"", "Young"}
        trifeature = paper.results("trifeature", metric="accuracy", attribute="texture")
        assert set(trifeature["attribute"]) == {"texture"}

    def test_every_number_of_every_table_is_in_the_results(self) -> None:
        total = sum(len(paper.results(study)) for study in paper.studies())
        repeated = 116 + 72 + 29 + 2  # Tables 1 and 2, half of 7, its teacher and NDS once more
        assert total == sum(ROWS[name] for name in paper.RESULTS) - repeated

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("mnist",), "unknown study: 'mnist'; expected one of cifar10, svhn"),
            (("cifar10", "dpd"), "unknown metric of cifar10: 'dpd'; expected one of accuracy, sc"),
            (("trifeature", "dpd", "shape"), "'shape'; expected one of color, texture"),
        ],
    )
    def test_unknown_names(self, arguments: tuple[str, ...], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            paper.results(*arguments)


@pytest.mark.parametrize("name", paper.TITLES)
def test_every_table_shows_itself(name: str) -> None:
    shown = paper.show(name)
    html = shown._repr_html_()
    assert html.count("<table") == 1
    assert escape(paper.TITLES[name]) in html
    assert shown.source in repr(shown)
    assert ">nan<" not in html.lower()
    if name == "figure2":
        assert html.count("<td>?</td>") == 19
    if name == "facts":
        assert "reported by the paper" not in html


def test_contents_are_not_cut() -> None:
    html = paper.contents()._repr_html_()
    for title in paper.TITLES.values():
        assert escape(title, quote=False) in html


def test_tables_by_number_or_name() -> None:
    pd.testing.assert_frame_equal(paper.table(3), paper.table("table3"))
    pd.testing.assert_frame_equal(paper.table("3"), paper.table("Table3"))
    for unknown in (10, 0, "table11", "", "facts.csv"):
        with pytest.raises(ValueError, match="expected one of table1, table2"):
            paper.table(unknown)
    with pytest.raises(ValueError, match="'facts' is a list"):
        paper.layout("facts")


def test_a_table_can_be_changed_without_harm() -> None:
    changed = paper.table(1)
    changed["mean"] = 0.0
    assert paper.table(1)["mean"].min() > 1


def test_facts() -> None:
    facts = paper.table("facts")
    assert facts["key"].is_unique
    assert (facts["source"] != "").all()
    assert paper.fact("hatexplain.total.total") == 20148
    with pytest.raises(ValueError, match=r"expected one of svhn.classes, svhn.images.train.0"):
        paper.fact("svhn.images")


class TestFigure2:
    def test_cells_typed_from_the_page(self) -> None:
        cells = paper.table("figure2").set_index(["study", "pair", "class_a", "class_b"])["count"]
        assert cells["cifar10", "teacher-nds", 5, 3] == 97
        assert cells["cifar10", "teacher-ds", 5, 3] == 81
        assert cells["cifar10", "teacher-nds", 3, 5] == 64
        assert cells["svhn", "teacher-nds", 1, 7] == 47
        assert cells["svhn", "teacher-ds", 1, 7] == 36
        assert cells["cifar10", "teacher-ds", 0, 9] == 13

    def test_whole_matrices_but_for_the_unreadable_cells(self) -> None:
        cells = paper.table("figure2")
        assert (cells["class_a"] != cells["class_b"]).all()
        sizes = cells.groupby(["study", "pair"]).size()
        assert sizes.to_dict() == {
            ("cifar10", "teacher-nds"): 90,
            ("cifar10", "teacher-ds"): 90 - 9 - 1,
            ("svhn", "teacher-nds"): 90,
            ("svhn", "teacher-ds"): 90 - 9,
        }
        assert not cells.duplicated(["study", "pair", "class_a", "class_b"]).any()
