"""Text of a page, and words that several sentences share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

NETWORKS = {
    "vit-b-16": "ViT-Base",
    "tinyvit-5m": "TinyViT-5M",
    "bert-base": "BERT-Base",
    "distilbert": "DistilBERT",
    "minilm-l6": "MiniLM of six layers",
    "minilm-l3": "MiniLM of three layers",
}
SCALES = {"T2": "with the factor T²", "none": "without the factor T²"}


SPELLED = {"EOD": "equalized odds difference", "DPD": "demographic parity difference"}


def spelled_out(text: str) -> str:
    """The text with its abbreviations spelled out at first use: "EOD (equalized odds ...)"."""
    for short, full in SPELLED.items():
        if full not in text:
            text = text.replace(short, f"{short} ({full})", 1)
    return text


class Text(str):
    """Markdown that shows itself in a notebook."""

    def _repr_markdown_(self) -> str:
        return str(self)


def table(frame: pd.DataFrame) -> Text:
    """A small frame as a table in Markdown; missing values as a dash."""

    def cell(value: Any) -> str:
        text = f"{value:.2f}" if isinstance(value, float) else str(value)
        return "–" if pd.isna(value) else text.replace("|", "\\|")

    rows = [list(frame.columns), ["---"] * len(frame.columns), *frame.to_numpy(dtype=object)]
    return Text("\n".join("| " + " | ".join(map(cell, row)) + " |" for row in rows))


def listed(words: Iterable[str]) -> str:
    """Words as a list in a sentence: "a, b and c"."""
    items = list(words)
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def signed(share: float) -> str:
    """A difference of shares in points, with its sign: "+1.2", "\u22120.4"."""
    return f"{100 * share:+.1f}".replace("-", "\u2212")


def at(temperatures: Iterable[float]) -> str:
    """Temperatures in a sentence: "T = 1, 2 and 4"."""
    items = [f"{t:g}" for t in temperatures]
    return f"T = {listed(items)}" if items else "no temperature"


def network(name: str) -> str:
    """The name of a network as people write it: resnet20 is ResNet-20."""
    if name in NETWORKS:
        return NETWORKS[name]
    name, small, _ = name.partition("-small")
    for plain, written in (("resnet", "ResNet-"), ("lenet", "LeNet-"), ("densenet", "DenseNet-")):
        if name.startswith(plain) and name.removeprefix(plain).isdigit():
            stem = " with a stem for small images" if small else ""
            return written + name.removeprefix(plain) + stem
    return name + small
