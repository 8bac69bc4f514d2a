"""The notebook on a file of one's own: the command's and the call's numbers."""

import json
from pathlib import Path

import pytest

import kdfair_audit

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "audit.ipynb"


@pytest.mark.filterwarnings("ignore")  # those of papermill
def test_papermill_lists_every_parameter():
    import papermill

    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    (cell,) = [c for c in cells if "parameters" in c["metadata"].get("tags", [])]
    names = [line.split(" = ")[0] for line in cell["source"]]
    assert list(papermill.inspect_notebook(NOTEBOOK)) == names
    assert {"distilled", "rules"} <= set(names)


@pytest.mark.parametrize("own", [False, True])
def test_the_default_rules_are_the_examples(own, binary, roles):
    """The cells up to the gate, on the example or a table of one's own."""
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    sources = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"][1:]
    names = {}
    exec(sources[0], names)
    if own:
        names |= {**roles, "data": binary}
    for source in sources[1:4]:
        exec(source, names)
    if own:
        assert names["rules"] is None
        return
    assert len(names["rules"]) == 3
    (line,) = names["report"].broken(names["rules"])
    assert line.startswith("worse_groups(texture, teacher, T=4) > 0 (T = 4): it is 3: “rain”")


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
    report = kdfair_audit.audit(path, **roles)
    assert json.loads((tmp_path / "report.json").read_text()) == json.loads(report.to_json())
    outputs = [o for c in executed.cells for o in c.get("outputs", [])]
    shown = ["".join(o.get("data", {}).get("text/html", "")) for o in outputs]
    assert report._repr_html_() in shown
    printed = "".join(o.get("text", "") for o in outputs)
    assert report.to_markdown() in printed
    said = "".join(o.get("data", {}).get("text/plain", "") for o in outputs)
    assert "eod(sex) > 0.001: it is" in said
