"""The notebook on a file of one's own: the command's and the call's numbers."""

import json
from pathlib import Path

import pytest

import kdfair_core

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "audit.ipynb"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # those of papermill and its kernel client
def test_the_notebook_audits_a_file_of_ones_own(binary, roles, tmp_path):
    import papermill

    path = tmp_path / "predictions.parquet"
    binary.to_parquet(path)
    executed = papermill.execute_notebook(
        NOTEBOOK,
        tmp_path / "out.ipynb",
        parameters={
            **roles,
            "data": str(path),
            "rules": ["eod(sex) > 0.001"],
            "out": str(tmp_path / "report"),
        },
        cwd=NOTEBOOK.parent,
        kernel_name="python3",
        progress_bar=False,
    )
    report = kdfair_core.audit(path, **roles)
    assert json.loads((tmp_path / "report.json").read_text()) == json.loads(report.to_json())
    outputs = [o for c in executed.cells for o in c.get("outputs", [])]
    shown = ["".join(o.get("data", {}).get("text/html", "")) for o in outputs]
    assert report._repr_html_() in shown
    printed = "".join(o.get("text", "") for o in outputs)
    assert report.to_markdown() in printed
    said = "".join(o.get("data", {}).get("text/plain", "") for o in outputs)
    assert "eod(sex) > 0.001: it is" in said
