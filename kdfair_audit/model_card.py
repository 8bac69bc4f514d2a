"""A model card in the form of Hugging Face's, with what the audit found."""

from __future__ import annotations

import json
import math
from typing import Any

from kdfair_audit.findings import Findings
from kdfair_audit.frames import Rows, records
from kdfair_audit.markdown import escape, section
from kdfair_audit.numbers import printable, temperature

NAMES = {"dpd": "demographic_parity_difference", "eod": "equalized_odds_difference"}


def model_card(report: Findings) -> str:
    """A ``README.md`` that ``huggingface_hub.ModelCard`` reads.

    The metadata hold accuracy, DPD and EOD of the distilled students, and the accuracy of each
    group, as evaluation results; the sections are those of the template on evaluation.
    """
    dataset = printable(report.title.removeprefix("Audit of "))
    results = {
        "task": {"type": "other", "name": "Classification"},
        "dataset": {"type": "audit", "name": dataset},
        "metrics": _metrics(report),
    }
    metadata: dict[str, Any] = {
        "tags": ["fairness", "knowledge-distillation"],
        "model-index": [{"name": dataset, "results": [results]}],
    }
    # JSON is YAML, so that no name of the data can be anything but text.
    head = "\n".join(f"{key}: {json.dumps(value)}" for key, value in metadata.items())
    counts = report.counts
    sizes = records(report.frames["sizes"])
    factors = [f"- {escape(r['attribute'])}: {escape(r['group'])}, {r['n']:,}" for r in sizes]
    body = section(report).replace("## Fairness after distillation", "### Results", 1)
    return "\n\n".join(
        [
            f"---\n{head}\n---",
            f"# {escape(report.title)}",
            "## Evaluation",
            "### Testing Data, Factors & Metrics",
            f"#### Testing Data\n\n{counts.n:,} examples of {len(counts.classes)} classes.",
            "#### Factors\n\nGroups, and how many examples each has:\n\n" + "\n".join(factors),
            "#### Metrics\n\nAccuracy; demographic parity difference (DPD) and equalized odds "
            "difference (EOD) between groups, as fairlearn computes them.",
            body.replace("\n### T = ", "\n#### T = "),
        ]
    )


def _metrics(report: Findings) -> list[dict[str, Any]]:
    def own(name: str) -> Rows:
        return records(report.frames[name].query("role == 'distilled'"))

    found = [("accuracy", row["temperature"], row["accuracy"], "") for row in own("models")]
    for row in own("fairness"):
        what = f" between groups of {row['attribute']}"
        found.append((NAMES[row["metric"]], row["temperature"], row["value"], what))
    for row in own("groups"):
        if row["metric"] == "accuracy":
            what = f" on {row['group']} ({row['attribute']})"
            found.append(("accuracy", row["temperature"], row["value"], what))
    return [
        {
            "type": kind,
            "name": printable(f"{kind.replace('_', ' ')}{what}{temperature(at)}"),
            "value": float(value),
        }
        for kind, at, value, what in found
        if not math.isnan(value)
    ]
