"""CelebA's count tables: from tiny files in the official form, and the published ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from kdfair_book.paper import annotation_tables
from kdfair_book.paper import celeba_annotations as celeba

NAMES = ("Eyeglasses", "Male", "Smiling", "Young")


def write_official(folder: Path, values: np.ndarray, partition: np.ndarray) -> None:
    files = [f"{number:06d}.jpg" for number in range(1, len(values) + 1)]
    rows = [
        file + " " + "".join(f" {1 if value else -1:>2}" for value in row)
        for file, row in zip(files, values, strict=True)
    ]
    head = [str(len(values)), " ".join(NAMES) + " "]
    (folder / "list_attr_celeba.txt").write_text("\n".join(head + rows) + "\n")
    parts = [f"{file} {part}" for file, part in zip(files, partition, strict=True)]
    (folder / "list_eval_partition.txt").write_text("\n".join(parts) + "\n")


def write_packed(folder: Path, values: np.ndarray, partition: np.ndarray) -> None:
    packed = np.packbits(values, axis=1)
    np.savez(folder / "attributes.npz", packed=packed, names=np.array(NAMES), partition=partition)


@pytest.fixture
def tiny() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    return rng.random((200, 4)) < [0.1, 0.4, 0.5, 0.8], rng.integers(0, 3, 200).astype(np.uint8)


@pytest.mark.parametrize("write", [write_official, write_packed])
def test_reading_either_form(tmp_path: Path, tiny: tuple, write) -> None:
    write(tmp_path, *tiny)
    annotations = celeba.read_annotations(tmp_path)
    assert annotations.names == NAMES
    assert np.array_equal(annotations.values, tiny[0])
    assert np.array_equal(annotations.partition, tiny[1])
    assert annotations.digest() == celeba.Annotations(NAMES, *tiny).digest()


def test_the_digest_sees_one_changed_bit(tiny: tuple) -> None:
    values, partition = tiny
    changed = values.copy()
    changed[17, 2] ^= True
    digests = {celeba.Annotations(NAMES, v, partition).digest() for v in (values, changed)}
    assert len(digests) == 2


def test_counts_against_counting_one_by_one(tiny: tuple) -> None:
    annotations = celeba.Annotations(NAMES, *tiny)
    values, partition = tiny
    cross = celeba.cross_counts(annotations)
    assert len(cross) == 2 * 2 * 3 * 4
    for row in cross.itertuples():
        expected = sum(
            celeba.PARTITIONS[part] == row.partition
            and value[NAMES.index(row.label)] == row.label_value
            and value[NAMES.index(row.attribute)] == row.attribute_value
            for value, part in zip(values, partition, strict=True)
        )
        assert row.images == expected
    counts = celeba.attribute_counts(annotations).set_index(["attribute", "partition"])
    for code, part in enumerate(celeba.PARTITIONS):
        assert counts.loc[("Male", part), "images"] == (partition == code).sum()
        assert counts.loc[("Male", part), "positive"] == values[partition == code, 1].sum()


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("list_attr_celeba.txt", "200\n", "201\n", "says '201' images, but 200 follow"),
        ("list_attr_celeba.txt", "000003.jpg ", "000003.jpg 0 ", "000003.jpg needs 4 values"),
        ("list_eval_partition.txt", "000200.jpg", "200.jpg", "no partition for 1 images, 000200"),
        ("list_eval_partition.txt", "000001.jpg ", "000001.jpg 1", "unknown partitions"),
    ],
)
def test_files_of_another_form(
    tmp_path: Path, tiny: tuple, file: str, old: str, new: str, message: str
) -> None:
    write_official(tmp_path, *tiny)
    path = tmp_path / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(ValueError, match=message):
        celeba.read_annotations(tmp_path)


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"list_attr_celeba.txt"):
        celeba.read_annotations(tmp_path)


def test_unknown_attribute(tiny: tuple) -> None:
    with pytest.raises(ValueError, match="'Hat'; expected one of Eyeglasses, Male"):
        celeba.Annotations(NAMES, *tiny)["Hat"]


class TestPublished:
    def test_the_official_partitions(self) -> None:
        counts = celeba.load_attribute_counts()
        assert counts["attribute"].nunique() == 40
        sizes = counts.groupby("partition")["images"].agg(set).to_dict()
        assert sizes == {"train": {162770}, "validation": {19867}, "test": {19962}}
        assert counts.eval("0 < positive < images").all()

    def test_both_tables_count_the_same_images(self) -> None:
        counts = celeba.load_attribute_counts().set_index(["attribute", "partition"])["positive"]
        for label in celeba.LABELS:
            for attribute in celeba.ATTRIBUTES:
                for part in celeba.PARTITIONS:
                    cross = celeba.load_cross_counts(label, attribute, [part])
                    assert cross[:, 1].sum() == counts[label, part]
                    assert cross[1].sum() == counts[attribute, part]

    def test_partitions_add(self) -> None:
        parts = [celeba.load_cross_counts("Smiling", "Male", [p]) for p in celeba.PARTITIONS]
        both = celeba.load_cross_counts("Smiling", "Male", celeba.PARTITIONS)
        assert np.array_equal(sum(parts), both)
        assert both.sum() == 202599

    def test_writing_them_again_gives_the_same_files(self, tmp_path: Path, tiny: tuple) -> None:
        celeba.write_counts(celeba.Annotations(NAMES, *tiny), tmp_path)
        manifest = annotation_tables.read_manifest(tmp_path)
        published = annotation_tables.read_manifest(celeba.FOLDER)
        assert manifest.keys() == published.keys()
        assert manifest["images"] == 200
        assert published["images"] == 202599
        assert len(annotation_tables.read(tmp_path, "cross_counts")) == 48

    def test_damage_and_unknown_names(self, tmp_path: Path) -> None:
        folder = Path(shutil.copytree(celeba.FOLDER, tmp_path / "copy"))
        path = folder / "cross_counts.csv"
        path.write_text(path.read_text().replace("17667", "17668"))
        with pytest.raises(ValueError, match=r"cross_counts.csv is damaged"):
            annotation_tables.read(folder, "cross_counts")
        with pytest.raises(ValueError, match=r"'faces'; expected one of attribute_counts.csv"):
            annotation_tables.read(folder, "faces")
        with pytest.raises(ValueError, match="unknown partition 'all'; expected one of train"):
            celeba.load_cross_counts("Smiling", "Young", ["all"])
