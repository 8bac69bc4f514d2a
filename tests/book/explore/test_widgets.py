"""The explorer without a browser: its controls are turned, its numbers checked against the runs."""

import json
import re
from pathlib import Path

import ipywidgets as ipw
import numpy as np
import pandas as pd
import pytest
import vl_convert

from kdfair_book.explore import widgets
from kdfair_book.explore.selection import PAIRS
from kdfair_core import metrics
from kdfair_core.results import NotMeasured, Results


def made_up(study, n_classes, groups, settings, seeds=3, n=400):
    """Predictions drawn at random; none of them measured."""
    rng = np.random.default_rng(7)
    y = rng.integers(0, n_classes, n)
    runs, preds = [], []
    for seed in range(seeds):
        for role, T, alpha, scale in settings:
            wrong = rng.random(n) < 0.3
            preds.append(np.where(wrong, rng.integers(0, n_classes, n), y).astype(np.uint8))
            runs.append(
                {
                    "name": f"{role}-{seed}-{T}-{alpha}-{scale}", "role": role, "seed": seed,
                    "temperature": T, "alpha": alpha, "soft_scale": scale,
                    "accuracy": float((preds[-1] == y).mean()), "seconds": 1.0, "diverged": False,
                }
            )  # fmt: skip
    manifest = {
        "study": study,
        "profile": "smoke",
        "badge": "measured here (smoke)",
        "classes": [f"<{study} {c}>" for c in range(n_classes)],
        "groups": groups,
        "runs": runs,
    }
    arrays = {
        "y_true": y,
        "pred": np.stack(preds),
        "scored": np.arange(5),
        "logits": np.zeros((len(runs), 5, n_classes), np.float16),
        **{f"group_{name}": rng.integers(-1, len(g), n) for name, g in groups.items()},
    }
    return Results.from_arrays(manifest, arrays)


BASE = [("teacher", None, None, ""), ("nds", None, None, "")]
SHAPES = made_up(
    "shapes",
    5,
    {"color": ["red", "green", "blue"], "size": ["small", "large"]},
    [
        *BASE,
        ("null", None, None, ""),
        *(("ds", T, 0.8, scale) for T in (1, 4, 20) for scale in ("T2", "none")),
        ("ds", 2, 0.6, "T2"),
    ],
)
MANY = made_up("many", 100, {}, [*BASE, ("ds", 4, 0.8, "T2")])
PETS = made_up("pets", 2, {"age": ["old", "young"]}, [*BASE, ("ds", 1, 0.8, "T2")], seeds=1)
STUDIES = {there.study: there for there in (SHAPES, MANY, PETS)}


@pytest.fixture(autouse=True)
def published(monkeypatch):
    frame = pd.DataFrame(
        [(name, "smoke", "") for name in STUDIES], columns=["study", "profile", "problem"]
    )
    monkeypatch.setattr(widgets, "available", lambda root=None: frame)
    monkeypatch.setattr(widgets, "load", lambda study, profile, root=None: STUDIES[study])


@pytest.fixture
def explorer():
    return widgets.explore(study="shapes")


def spec(explorer):
    """The Vega-Lite chart that is on show."""
    (output,) = explorer.charts.outputs
    return next(v for k, v in output["data"].items() if "vegalite" in k)


@pytest.mark.parametrize("pair", PAIRS)
def test_what_it_shows_can_be_drawn(explorer, pair):
    """Vega refuses, for one, a signal that nothing defines."""
    explorer.change(pair=pair)
    assert "<svg" in vl_convert.vegalite_to_svg(spec(explorer))


def test_it_shows_itself(explorer):
    assert "application/vnd.jupyter.widget-view+json" in explorer._repr_mimebundle_()
    assert isinstance(explorer.widget, ipw.VBox)
    title = spec(explorer)["title"]
    assert title["text"] == "shapes: student alone and distilled student"
    assert title["subtitle"] == "measured here (smoke), T = 4, alpha 0.8, T2"


@pytest.mark.parametrize(
    ("control", "value"),
    [
        ("pair", "teacher-nds"),
        ("temperature", 20),
        ("soft_scale", "none"),
        ("attribute", "size"),
        ("class_name", "<shapes 3>"),
        ("group", "blue"),
    ],
)
def test_turning_a_control_changes_state_and_view(explorer, control, value):
    before = (json.dumps(spec(explorer)), explorer.tables.value, explorer.copy.value)
    explorer.controls[control].value = value
    assert getattr(explorer.state, control) == value
    after = (json.dumps(spec(explorer)), explorer.tables.value, explorer.copy.value)
    assert after[2] != before[2]
    assert after[:2] != before[:2]


def test_another_study_replaces_what_it_does_not_have(explorer):
    explorer.change(class_name="<shapes 2>", temperature=20, attribute="size", group="large")
    explorer.controls["study"].value = "pets"
    state = explorer.state
    assert (state.study, state.temperature, state.attribute, state.group) == (
        "pets", 1, "age", "all",
    )  # fmt: skip
    assert explorer.controls["class_name"].options == ("<pets 0>", "<pets 1>")
    assert "nds-null" not in dict(explorer.controls["pair"].options).values()
    explorer.controls["study"].value = "many"
    assert explorer.state.attribute is None
    assert explorer.controls["attribute"].value == widgets.NO_ATTRIBUTE


def test_only_settings_that_were_measured_are_offered(explorer):
    explorer.controls["alpha"].value = 0.6
    assert explorer.controls["soft_scale"].options == ("T2",)
    assert [t for _, t in explorer.controls["temperature"].options] == [2]
    assert explorer.state.temperature == 2


def test_the_state_comes_back_from_its_code(explorer):
    explorer.change(temperature=20, soft_scale="none", class_name="<shapes 1>", group="red")
    scope = {}
    code = explorer.copy.value
    exec(code.replace("\nexplore(", "\nagain = explore("), scope)
    assert scope["again"].state == explorer.state
    assert json.dumps(spec(scope["again"]), sort_keys=True) == json.dumps(
        spec(explorer), sort_keys=True
    )


@pytest.mark.parametrize("pair", ["nds-ds", "teacher-ds", "nds-null"])
def test_classes_are_those_of_the_results(explorer, pair):
    explorer.change(pair=pair)
    got = explorer.selection.classes()
    comparison = {"nds-ds": "SC", "teacher-ds": "TC", "nds-null": "null"}[pair]
    frame = SHAPES.affected_classes()
    frame = frame[frame["comparison"] == comparison]
    if pair != "nds-null":
        frame = frame[
            (frame["temperature"] == 4) & (frame["alpha"] == 0.8) & (frame["soft_scale"] == "T2")
        ]
    np.testing.assert_allclose(got["p_value"], frame["p_value"])
    np.testing.assert_allclose(got["effect"], frame["effect"])
    nds = SHAPES.class_accuracy().query("role == 'nds'").groupby("class")["accuracy"].mean()
    if pair == "nds-ds":
        np.testing.assert_allclose(got["accuracy_a"], nds)


def test_groups_and_summary_are_those_of_the_results(explorer):
    explorer.change(attribute="size", pair="teacher-nds")
    fair = SHAPES.group_fairness("size").groupby("role")[["accuracy", "dpd", "eod"]].mean()
    summary = explorer.selection.summary().set_index("model")
    for model, role in (("teacher", "teacher"), ("student alone", "nds")):
        np.testing.assert_allclose(
            summary.loc[model, ["accuracy", "dpd", "eod"]].astype(float), fair.loc[role]
        )
    rates = explorer.selection.groups().query("model == 'teacher' and group == 'large'").iloc[0]
    teachers = SHAPES.pred[SHAPES.runs["role"].to_numpy() == "teacher"]
    large = SHAPES.groups["size"] == 1
    assert rates["n"] == large.sum()
    assert rates["selection_rate"] == pytest.approx((teachers[:, large] == 0).mean())
    positive = large & (SHAPES.y_true == 0)
    assert rates["tpr"] == pytest.approx((teachers[:, positive] == 0).mean())


@pytest.mark.parametrize("group", ["all", "green"])
def test_counts_behind_a_class_and_a_group(explorer, group):
    explorer.change(class_name="<shapes 2>", group=group, pair="teacher-nds")
    chosen = SHAPES.y_true == 2
    if group == "green":
        chosen &= SHAPES.groups["color"] == 1
    counts = explorer.selection.counts().set_index("prediction")
    assert counts["teacher"].sum() == pytest.approx(chosen.sum())
    role = SHAPES.runs["role"].to_numpy()
    teachers, students = SHAPES.pred[role == "teacher"], SHAPES.pred[role == "nds"]
    for c in range(5):
        hits = (teachers[:, chosen] == c).sum(axis=1).mean()
        assert counts["teacher"].get(f"<shapes {c}>", 0) == pytest.approx(hits)
        both = ((teachers == students) & (teachers == c))[:, chosen].sum(axis=1).mean()
        assert counts["both"].get(f"<shapes {c}>", 0) == pytest.approx(both)


def test_the_pictured_mistakes_are_those_of_the_pair(explorer):
    explorer.change(pair="teacher-nds")
    data = spec(explorer)["datasets"]
    wrong = next(v for v in data.values() if v and "prediction" in v[0])
    teacher = sum(row["examples"] for row in wrong if row["model"] == "teacher")
    role = SHAPES.runs["role"].to_numpy()
    assert teacher == pytest.approx(
        (SHAPES.pred[role == "teacher"] != SHAPES.y_true).sum(axis=1).mean()
    )


def test_a_study_of_many_classes_and_no_groups():
    explorer = widgets.explore(study="many")
    assert explorer.state.attribute is None
    assert len(explorer.selection.classes()) == 100
    assert list(explorer.selection.summary()) == ["model", "seeds", "accuracy"]
    with pytest.raises(ValueError, match="no sensitive attribute"):
        explorer.selection.groups()


def test_one_seed_has_no_test():
    explorer = widgets.explore(study="pets")
    assert explorer.selection.classes()["p_value"].isna().all()
    fair = metrics.demographic_parity_difference(
        PETS.y_true[PETS.groups["age"] >= 0],
        PETS.pred[1][PETS.groups["age"] >= 0],
        sensitive_features=PETS.groups["age"][PETS.groups["age"] >= 0],
    )
    assert explorer.selection.summary().loc[0, "dpd"] == pytest.approx(fair)


def test_hostile_names_are_shown_as_text(explorer):
    assert "<shapes" not in explorer.tables.value
    assert "&lt;shapes 0&gt;" in explorer.tables.value


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"study": "nothing"}, "study 'nothing' is not there; expected one of shapes, many, pets"),
        ({"study": "shapes", "temperature": 7}, "temperature 7 is not there; expected one of 1"),
        ({"study": "shapes", "attribute": "taste"}, "attribute 'taste'.*color, size"),
        ({"study": "shapes", "group": "mauve"}, "group 'mauve'.*all, red, green, blue"),
        ({"tempreature": 4}, "unknown field 'tempreature'; expected out of study, profile"),
    ],
)
def test_what_is_not_there_is_said(state, message):
    with pytest.raises(ValueError, match=message):
        widgets.explore(**state)


def test_an_error_leaves_the_state(explorer):
    before = explorer.state
    with pytest.raises(ValueError, match="not there"):
        explorer.change(temperature=7)
    assert explorer.state == before


def test_nothing_published(monkeypatch):
    empty = pd.DataFrame(columns=["study", "profile", "problem"])
    monkeypatch.setattr(widgets, "available", lambda root=None: empty)
    with pytest.raises(NotMeasured, match=re.escape("python -m kdfair_core run")):
        widgets.explore()


def test_the_notebook_runs(monkeypatch):
    """Every code cell, one after the other, over the made-up studies."""
    from kdfair_book.evidence import available

    frame = pd.DataFrame(
        [(name, "smoke", *("",) * 6) for name in STUDIES],
        columns=[
            "study", "profile", "badge", "runs", "seeds", "temperatures", "soft_scales", "missing",
        ],
    )  # fmt: skip
    monkeypatch.setattr(available, "available", lambda root=None: frame)
    path = Path(__file__).parents[3] / "notebooks" / "explore.ipynb"
    cells = [c for c in json.loads(path.read_text())["cells"] if c["cell_type"] == "code"]
    assert all(c["outputs"] == [] and c["execution_count"] is None for c in cells)
    scope = {}
    for cell in cells:
        exec("".join(cell["source"]), scope)
    assert scope["explorer"].state.pair == "teacher-ds"
    assert scope["explorer"].state.temperature == 20
