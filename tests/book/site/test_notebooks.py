"""The notebooks' sources, and that other parameters work."""

import json
from pathlib import Path

import pytest

from kdfair_book import build

FOLDER = Path(__file__).resolve().parents[3] / "notebooks"
SOURCES = sorted(p for p in FOLDER.rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts)


def cells(path, tag=None):
    found = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [c for c in found if tag is None or tag in c["metadata"].get("tags", [])]


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.stem)
def test_sources_hold_no_outputs(path):
    for cell in cells(path):
        assert not cell.get("outputs"), "".join(cell["source"])[:80]
        assert cell.get("execution_count") is None


@pytest.mark.parametrize("name", build.book_notebooks())
def test_parameters_stand_in_one_cell_each_explained(name):
    path = FOLDER / f"{name}.ipynb"
    (parameters,) = cells(path, "parameters")
    for line in "".join(parameters["source"]).splitlines():
        assert "=" in line and "#" in line, line


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # those of papermill and its kernel client
def test_trifeature_trains_from_nothing(tmp_path, monkeypatch):
    import papermill

    monkeypatch.delenv("KDFAIR_BOOK", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    out = tmp_path / "out.ipynb"
    papermill.execute_notebook(
        FOLDER / "trifeature.ipynb",
        out,
        parameters={
            "profile": "smoke",
            "train": True,
            "device": "cpu",
            "attribute": "texture",
            "temperature": 10,
            "runs": str(tmp_path / "runs"),
        },
        cwd=FOLDER,
        kernel_name="python3",
        progress_bar=False,
    )
    assert (tmp_path / "runs" / "published" / "trifeature" / "smoke" / "manifest.json").is_file()
    outputs = [o for c in cells(out) for o in c.get("outputs", []) if "data" in o]
    charts = [o["data"] for o in outputs if "application/vnd.vegalite.v5+json" in o["data"]]
    assert len(charts) >= 7
    first = charts[0]["application/vnd.vegalite.v5+json"]
    assert "texture" in json.dumps(first["title"])
    dial = next(p for p in first["params"] if p["name"] == "dial")
    assert dial["value"] == 2  # T = 10 is the third temperature of the smoke profile
    texts = "".join(str(o["data"].get("text/markdown", "")) for o in outputs)
    assert "measured here (smoke)" in texts
