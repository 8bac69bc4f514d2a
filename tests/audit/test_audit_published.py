"""Published predictions of this project: their roles are known already."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import kdfair_audit
from kdfair_audit import published_frame
from kdfair_audit.errors import AuditError
from kdfair_core import results
from kdfair_core.cli import main

TRIFEATURE = Path(__file__).resolve().parents[2] / "data" / "trifeature" / "laptop"


@pytest.fixture(scope="module")
def made_up():
    """Two seeds of a study with two losses; one student diverged."""
    rng = np.random.default_rng(3)
    n = 500
    y = rng.integers(0, 3, n)
    runs, predictions = [], []
    settings = [("teacher", None, None, ""), ("nds", None, None, ""), ("null", None, None, "")]
    settings += [("ds", t, 0.8, scale) for scale in ("T2", "none") for t in (1, 4, 20)]
    for seed in range(2):
        for role, temperature, alpha, scale in settings:
            runs.append(
                {
                    "name": f"{role}{temperature}{scale}{seed}",
                    "role": role,
                    "seed": seed,
                    "temperature": temperature,
                    "alpha": alpha,
                    "soft_scale": scale,
                    "diverged": temperature == 20 and seed == 1,
                }
            )
            predictions.append(np.where(rng.random(n) < 0.2, rng.integers(0, 3, n), y))
    manifest = {
        "study": "made up",
        "profile": "smoke",
        "badge": "measured here (smoke)",
        "classes": ["ant", "bee", "cat"],
        "groups": {"color": ["red", "blue"]},
        "runs": runs,
    }
    color = rng.integers(-1, 2, n)
    arrays = {"y_true": y, "group_color": color, "pred": np.stack(predictions)}
    arrays |= {"scored": np.arange(0), "logits": np.zeros((len(runs), 0, 3), np.float16)}
    return results.Results.from_arrays(manifest, arrays)


def test_roles_are_known(made_up):
    report = kdfair_audit.audit(made_up, n_boot=50)
    models = report.frames["models"]
    assert list(zip(models["role"], models["n_runs"], strict=True)) == [
        ("teacher", 2),
        ("baseline", 2),
        ("distilled", 2),
        ("distilled", 2),
        ("distilled", 1),  # the other diverged
    ]
    assert report.temperatures == [1, 4, 20]
    assert report.title == "Audit of made up (measured here (smoke))"
    assert any("have no 'color'" in note for note in report.notes)
    rows = pd.DataFrame(made_up.manifest["runs"])
    t2 = rows[(rows["temperature"] == 4) & (rows["soft_scale"] == "T2")].index
    expected = np.mean([(made_up.pred[i] == made_up.y_true).mean() for i in t2])
    found = models[models["temperature"] == 4]["accuracy"].iloc[0]
    assert found == pytest.approx(expected)


def test_a_frame_for_a_file(made_up, tmp_path):
    frame, given = published_frame(made_up, temperatures=[1, 4])
    assert list(frame.columns)[:4] == ["label", "color", "teacher_s0", "baseline_s0"]
    assert "student_T4_s1" in frame and "student_T20_s0" not in frame
    path = tmp_path / "predictions.parquet"
    frame.to_parquet(path)
    from_file = kdfair_audit.audit(path, **given, n_boot=50)
    direct = kdfair_audit.audit(made_up, distilled=[1, 4], n_boot=50)
    for name, table in direct.frames.items():
        pd.testing.assert_frame_equal(from_file.frames[name], table)


def test_what_the_results_do_not_have_is_said(made_up, tmp_path):
    with pytest.raises(AuditError, match="has no attribute 'texture'; it has 'color'"):
        kdfair_audit.audit(made_up, groups="texture")
    with pytest.raises(AuditError, match="no student of temperature 3"):
        kdfair_audit.audit(made_up, distilled=3)
    with pytest.raises(AuditError, match="are temperatures; got 'hot'"):
        kdfair_audit.audit(made_up, distilled="hot")
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(AuditError, match="cannot read the published results"):
        kdfair_audit.audit(tmp_path)
    assert main(["audit", str(tmp_path)]) == 2


@pytest.mark.skipif(not TRIFEATURE.exists(), reason="Trifeature is not published")
def test_published_trifeature_has_the_books_numbers():
    """The audit's EOD is that of the book's own frames, run by run averaged."""
    published = results.load("trifeature", "laptop")
    temperature = published.temperatures[0]
    report = kdfair_audit.audit(TRIFEATURE, distilled=temperature, groups="color", n_boot=100)
    runs = published.group_fairness("color")
    own = runs[(runs["role"] == "ds") & (runs["temperature"] == temperature)]
    own = own[(own["soft_scale"] == "T2") & (own["alpha"] == 0.8)]
    found = report.frames["fairness"].query("role == 'distilled'").set_index("metric")["value"]
    assert found["eod"] == pytest.approx(own["eod"].mean())
    assert found["dpd"] == pytest.approx(own["dpd"].mean())
    affected = published.affected_classes("bh")
    chosen = (affected["comparison"] == "TC") & (affected["temperature"] == temperature)
    chosen &= (affected["soft_scale"] == "T2") & (affected["alpha"] == 0.8)
    mine = report.frames["changed_classes"].query("against == 'teacher'").set_index("class")
    theirs = affected[chosen].set_index("class_name")
    np.testing.assert_array_equal(mine["significant"], theirs["significant"].loc[mine.index])
