"""Counts from CelebA's annotations: how often each attribute is set, and with which others.

    python -m kdfair_book.paper.celeba_annotations FOLDER [OUT]

reads the official ``list_attr_celeba.txt`` and ``list_eval_partition.txt`` of FOLDER (or a packed
``attributes.npz``) and writes the tables of ``data/celeba_annotations``: enough for the paper's
Figure 6 and Table 4, and for the DPD that the labels themselves have. No image is needed.

CelebA (Liu, Luo, Wang & Tang, ICCV 2015) is available for non-commercial research only.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from kdfair_book.paper import annotation_tables

FOLDER = annotation_tables.DATA / "celeba_annotations"
PARTITIONS = ("train", "validation", "test")
LABELS = ("Smiling", "Eyeglasses")
ATTRIBUTES = ("Young", "Male")

_ATTRIBUTE_FILE = "list_attr_celeba.txt"
_PARTITION_FILE = "list_eval_partition.txt"
_PACKED_FILE = "attributes.npz"


@dataclass(frozen=True)
class Annotations:
    """CelebA's annotations in file order.

    Attributes
    ----------
    names : tuple of str
        The attributes.
    values : ndarray of bool, [image, attribute]
    partition : ndarray of uint8, [image]
        0 train, 1 validation, 2 test.
    """

    names: tuple[str, ...]
    values: np.ndarray
    partition: np.ndarray

    def __getitem__(self, name: str) -> np.ndarray:
        """Values of one attribute, bool ``[image]``."""
        if name not in self.names:
            raise ValueError(f"unknown attribute {name!r}; expected one of {', '.join(self.names)}")
        return self.values[:, self.names.index(name)]

    def digest(self) -> str:
        """SHA-256 of what was annotated, the same whichever files it was read from."""
        content = hashlib.sha256("\n".join(self.names).encode())
        content.update(np.packbits(self.values, axis=1).tobytes())
        content.update(self.partition.astype(np.uint8).tobytes())
        return content.hexdigest()


def read_annotations(folder: str | Path) -> Annotations:
    """Read CelebA's annotations.

    Parameters
    ----------
    folder : path
        Holds ``list_attr_celeba.txt`` and ``list_eval_partition.txt`` as published, or
        ``attributes.npz`` with ``packed`` (uint8 ``[image, 5]``, 40 bits each), ``names`` and
        ``partition``.

    Raises
    ------
    FileNotFoundError
        If the folder has neither.
    ValueError
        If a file does not have the official form.
    """
    folder = Path(folder)
    if (folder / _ATTRIBUTE_FILE).exists():
        return _read_text(folder)
    if (folder / _PACKED_FILE).exists():
        with np.load(folder / _PACKED_FILE, allow_pickle=False) as packed:
            names = tuple(str(name) for name in packed["names"])
            bits = np.unpackbits(packed["packed"], axis=1, count=len(names))
            return _checked(Annotations(names, bits.astype(bool), packed["partition"]), folder)
    raise FileNotFoundError(
        f"no CelebA annotations in {folder}: expected {_ATTRIBUTE_FILE} and {_PARTITION_FILE} "
        f"(from CelebA's home page, folder Anno and Eval), or {_PACKED_FILE}"
    )


def _read_text(folder: Path) -> Annotations:
    count, header, *lines = (folder / _ATTRIBUTE_FILE).read_text().splitlines()
    names = tuple(header.split())
    rows = [line.split() for line in lines if line.strip()]
    if not count.strip().isdecimal() or int(count) != len(rows):
        raise ValueError(
            f"{folder / _ATTRIBUTE_FILE}: its first line says {count.strip()!r} images, "
            f"but {len(rows)} follow"
        )
    files = [row[0] for row in rows]
    for row in rows:
        if len(row) != len(names) + 1 or not {"1", "-1"}.issuperset(row[1:]):
            raise ValueError(
                f"{folder / _ATTRIBUTE_FILE}: {row[0]} needs {len(names)} values of 1 or -1"
            )
    partition = dict(
        line.split() for line in (folder / _PARTITION_FILE).read_text().splitlines() if line.strip()
    )
    missing = [file for file in files if file not in partition]
    if missing:
        raise ValueError(
            f"{folder / _PARTITION_FILE}: no partition for {len(missing)} images, "
            f"{missing[0]} the first"
        )
    values = np.array([row[1:] for row in rows]) == "1"
    parts = np.array([int(partition[file]) for file in files], dtype=np.uint8)
    return _checked(Annotations(names, values, parts), folder)


def _checked(annotations: Annotations, folder: Path) -> Annotations:
    if len(annotations.values) != len(annotations.partition):
        raise ValueError(
            f"{folder}: {len(annotations.values)} images have attributes, "
            f"but {len(annotations.partition)} a partition"
        )
    others = set(np.unique(annotations.partition).tolist()) - {0, 1, 2}
    if others:
        raise ValueError(f"{folder}: unknown partitions {sorted(others)}; expected 0, 1 and 2")
    return annotations


def attribute_counts(annotations: Annotations) -> pd.DataFrame:
    """Count each attribute in each partition (the paper's Figure 6 shows their shares).

    Returns
    -------
    DataFrame
        Columns attribute, partition, positive (images that have it), images.
    """
    rows = []
    for code, partition in enumerate(PARTITIONS):
        inside = annotations.values[annotations.partition == code]
        for name, positive in zip(annotations.names, inside.sum(axis=0), strict=True):
            rows.append((name, partition, int(positive), len(inside)))
    return pd.DataFrame(rows, columns=["attribute", "partition", "positive", "images"])


def cross_counts(
    annotations: Annotations,
    labels: Sequence[str] = LABELS,
    attributes: Sequence[str] = ATTRIBUTES,
) -> pd.DataFrame:
    """Count every label with every sensitive attribute in each partition.

    Returns
    -------
    DataFrame
        Columns label, attribute, partition, label_value, attribute_value (0 or 1), images.
    """
    rows = []
    for label in labels:
        for attribute in attributes:
            code = 4 * annotations.partition.astype(int)
            code += 2 * annotations[label] + annotations[attribute]
            counts = np.bincount(code, minlength=4 * len(PARTITIONS)).reshape(-1, 2, 2)
            for (part, y, group), images in np.ndenumerate(counts):
                rows.append((label, attribute, PARTITIONS[part], y, group, int(images)))
    columns = ["label", "attribute", "partition", "label_value", "attribute_value", "images"]
    return pd.DataFrame(rows, columns=columns)


def write_counts(annotations: Annotations, folder: str | Path = FOLDER) -> None:
    """Write both tables and their manifest."""
    annotation_tables.write(
        Path(folder),
        {
            "attribute_counts": attribute_counts(annotations),
            "cross_counts": cross_counts(annotations),
        },
        {
            "schema": 1,
            "made_from": "CelebA's list_attr_celeba.txt and list_eval_partition.txt",
            "reference": "Liu, Luo, Wang & Tang, Deep Learning Face Attributes in the Wild, 2015",
            "use": "CelebA is available for non-commercial research only; these are counts of it",
            "computed_by": "python -m kdfair_book.paper.celeba_annotations FOLDER",
            "images": len(annotations.values),
            "annotations_sha256": annotations.digest(),
        },
    )


def load_attribute_counts() -> pd.DataFrame:
    """Return the published :func:`attribute_counts`."""
    return annotation_tables.read(FOLDER, "attribute_counts")


def load_cross_counts(label: str, attribute: str, partitions: Sequence[str]) -> np.ndarray:
    """Return published counts of one label and one attribute, summed over partitions.

    Returns
    -------
    ndarray of int, [group, label]
        Row 0 without the attribute, row 1 with it; column 0 without the label, column 1 with it.

    Raises
    ------
    ValueError
        If there are no such counts; the message names the choices.
    """
    rows = annotation_tables.read(FOLDER, "cross_counts")
    wanted = {"label": [label], "attribute": [attribute], "partition": list(partitions)}
    for column, values in wanted.items():
        known = list(dict.fromkeys(rows[column]))
        for value in values:
            if value not in known:
                raise ValueError(f"unknown {column} {value!r}; expected one of {', '.join(known)}")
        rows = rows[rows[column].isin(values)]
    return rows.groupby(["attribute_value", "label_value"])["images"].sum().to_numpy().reshape(2, 2)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: python -m kdfair_book.paper.celeba_annotations FOLDER [OUT]")
    write_counts(read_annotations(sys.argv[1]), *sys.argv[2:])
