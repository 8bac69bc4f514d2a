"""Every study, as data: the paper's eight data sets, and one that stands in for CelebA.

To study something new, add a :class:`~kdfair_core.studies.kinds.Study` here, and a loader or a
network if it needs one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kdfair_core.studies import temperatures
from kdfair_core.studies.kinds import Profile, Recipe, Study

MOMENTUM = "The paper names SGD but no momentum; 0.9 is our reading."
SPLIT = "The paper does not say how Trifeature is split; training and test images are drawn anew."
T2 = "The paper does not say whether the soft term is multiplied by T^2; here it is."
BOTH_SCALES = (
    "The paper does not say whether the soft term is multiplied by T^2; both are measured."
)

PAPER = Recipe()
SMOKE = Recipe(epochs=1, batch_size=32, lr=0.01, milestones=(), augment=())


def _smoke(dataset: dict[str, Any], teacher: str, student: str, **changes: Any) -> Profile:
    """A profile of seconds, for tests and first steps: too small to learn much."""
    recipe = replace(SMOKE, **changes)
    return Profile(
        dataset,
        teacher,
        student,
        recipe,
        recipe,
        seeds=(0, 1),
        null_seeds=(5, 6),
        temperatures=temperatures.SMOKE,
        departures=("Two seeds, three temperatures and one epoch: a test of the machinery.",),
    )


STUDIES: dict[str, Study] = {}


def _image_study(
    row: tuple[str, str, str, int],
    networks: tuple[str, str] = ("resnet56", "resnet20"),
    *,
    recipe: dict[str, Any] | None = None,
    laptop: Profile | None = None,
    alphas: tuple[float, ...] = (0.8,),
    departures: tuple[str, ...] = (),
) -> None:
    """Class bias under the paper's recipe for images (its appendix C), and what differs from it.

    ``row``: name, title, data set, classes; ``networks``: teacher, student.
    """
    name, title, dataset, n = row
    of_paper = replace(PAPER, **(recipe or {}))
    said = (MOMENTUM, T2, *departures)
    profiles = {"paper": Profile({}, *networks, of_paper, of_paper, alphas=alphas, departures=said)}
    if laptop:
        profiles["laptop"] = laptop
    few = dict(n_train=20 * n if n < 50 else 4 * n, n_test=2 * n)
    profiles["smoke"] = _smoke(few, *networks)
    STUDIES[name] = Study(name, title, dataset, n, "class bias", profiles)


def _laptop(
    dataset: dict[str, Any], teacher: str, student: str, *, shrunk: str, **changes: Any
) -> Profile:
    """The paper's schedule in fewer epochs: drops after 30, 60 and 90 % of them, unless told."""
    epochs = changes.pop("epochs")
    early = tuple(round(epochs * share) for share in (0.3, 0.6, 0.9))
    usual: dict[str, Any] = {"milestones": early, "precision": "bf16"}
    recipe = Recipe(epochs=epochs, **{**usual, **changes.pop("recipe", {})})
    teacher_recipe = changes.pop("teacher_recipe", recipe)
    return Profile(
        dataset,
        teacher,
        student,
        teacher_recipe,
        recipe,
        departures=(
            shrunk,
            MOMENTUM,
            BOTH_SCALES if "none" in changes.get("soft_scales", ()) else T2,
            *changes.pop("departures", ()),
        ),
        **changes,
    )


# The pair ResNet-56, ResNet-20 on images a quarter the size; the teacher gets twice the epochs.
_CIFAR_LAPTOP = _laptop(
    dict(size=16),
    "resnet56",
    "resnet20",
    epochs=6,
    recipe=dict(precision="fp32", milestones=(4, 5)),
    teacher_recipe=Recipe(epochs=12, milestones=(8, 11)),
    temperatures=temperatures.WITHOUT_SOME,
    seeds=(0, 1, 2),
    null_seeds=(5, 6, 7),
    shrunk="Images averaged to 16x16 in place of 32x32; 12 epochs for the teacher and 6 for the "
    "students in place of 100; three seeds; T = 3, 5, 7, 9 and 30 left out.",
    departures=(
        "The learning rate drops late, after 8 and 11 epochs of the teacher's and 4 and 5 of the "
        "students': the paper's early drops leave so short a training unfinished.",
    ),
)

_image_study(
    ("svhn", "SVHN: house numbers", "svhn", 10),
    departures=("The text names ResNet-56/ResNet-20, Table 5 ResNet-50/ResNet-18; the text's.",),
)
_image_study(("cifar10", "CIFAR-10: ten kinds of things", "cifar10", 10), laptop=_CIFAR_LAPTOP)
_image_study(
    ("cifar100", "CIFAR-100: a hundred kinds of things", "cifar100", 100),
    alphas=(0.8, 0.6),
    laptop=_CIFAR_LAPTOP,
)
_image_study(
    ("cifar100-densenet", "CIFAR-100, with DenseNets", "cifar100", 100),
    ("densenet169-small", "densenet121-small"),
    departures=("The stem is a 3x3 convolution without pooling, as images of 32x32 want it.",),
)
_image_study(
    ("tiny-imagenet", "Tiny ImageNet: two hundred kinds of things", "tinyimagenet", 200),
    ("resnet50-small", "resnet18-small"),
    recipe=dict(batch_size=512),
    departures=(
        "The stem is a 3x3 convolution without pooling, as images of 64x64 want it.",
        "The public test images have no labels; the validation images stand for them.",
    ),
)
_image_study(
    ("imagenet", "ImageNet: a thousand kinds of things", "imagenet", 1000),
    ("resnet50", "resnet18"),
    recipe=dict(batch_size=512),
    departures=(
        "Images are resized and cropped at the center once, then padded and cropped at random.",
    ),
)
_image_study(
    ("imagenet-vit", "ImageNet, with transformers", "imagenet", 1000),
    ("vit-b-16", "tinyvit-5m"),
    recipe=dict(
        batch_size=512, optimizer="adamw", lr=1e-3, weight_decay=0.05, epochs=300, warmup=0.05
    ),
    departures=(
        "The paper refers to the settings of two other papers; AdamW for 300 epochs is our "
        "reading, and TinyViT-5M that of a TinyViT whose size is not given.",
    ),
)

for _label in ("Smiling", "Eyeglasses"):
    _options = dict(label=_label, attributes=("Young", "Male"), size=64)
    _recipe_celeba = replace(PAPER, batch_size=256)
    _name = f"celeba-{_label.lower()}"
    STUDIES[_name] = Study(
        _name,
        f"CelebA: {_label.lower()}, by age and gender",
        "celeba",
        2,
        "group fairness",
        {
            "paper": Profile(
                _options,
                "resnet50-small",
                "resnet18-small",
                _recipe_celeba,
                _recipe_celeba,
                departures=(MOMENTUM, T2, "Images of 64x64; the paper does not give a size."),
            ),
            "smoke": _smoke(
                {**_options, "n_train": 64, "n_test": 40}, "resnet50-small", "resnet18-small"
            ),
        },
        attributes=("Young", "Male"),
    )

STUDIES["trifeature"] = Study(
    "trifeature",
    "Trifeature: shapes, by color and texture",
    "trifeature",
    10,
    "group fairness",
    attributes=("color", "texture"),
    profiles={
        "paper": Profile(
            dict(size=224, n_train=80_000, n_test=20_000),
            "resnet20",
            "lenet5",
            replace(PAPER, batch_size=64),
            replace(PAPER, batch_size=64),
            soft_scales=("T2", "none"),
            departures=(MOMENTUM, SPLIT, BOTH_SCALES),
        ),
        "laptop": _laptop(
            dict(size=48, n_train=8_000, n_test=10_000),
            "resnet20",
            "lenet5",
            epochs=12,
            recipe=dict(batch_size=32, lr=0.004, augment=()),
            teacher_recipe=Recipe(
                epochs=5, batch_size=64, milestones=(2, 3, 4), augment=(), precision="bf16"
            ),
            soft_scales=("T2", "none"),
            shrunk="Images of 48x48 in place of 224x224, 8,000 to learn from; 5 epochs for the "
            "teacher and 12 for the students, the learning rate dropping at the same shares of "
            "them; no crops and flips, since shapes come turned and placed at random.",
            departures=(
                "The students learn in batches of 32 at a rate that starts at 0.004: a first "
                "sweep at 0.01, and trials at the paper's 0.1, ended with students that call "
                "every shape the same at high T under T^2. LeNet-5 has no batch normalization.",
                SPLIT,
            ),
        ),
        "smoke": _smoke(dict(size=32, n_train=256, n_test=200), "resnet20", "lenet5"),
    },
)

_laptop_profile = STUDIES["trifeature"].profiles["laptop"]
for _loss, _said, _lr in (
    (
        "dkd",
        "decoupled distillation (Zhao et al., 2022; weights 1 and 8), its students' learning rate "
        "0.001: at 0.004 they collapse",
        0.001,
    ),
    ("standardized", "cross-entropy of standardized logits (Sun et al., 2024)", 0.004),
):
    STUDIES["trifeature"].profiles[f"laptop-{_loss}"] = replace(
        _laptop_profile,
        student_recipe=replace(_laptop_profile.student_recipe, loss=_loss, lr=_lr),
        seeds=(0, 1, 2),
        null_seeds=(),
        temperatures=temperatures.OTHER_LOSSES,
        soft_scales=("T2",),
        departures=(
            *_laptop_profile.departures,
            f"The soft term is {_said}; three seeds, five temperatures.",
        ),
    )

TEXT = Recipe(
    epochs=3,
    batch_size=32,
    lr=2e-5,
    milestones=(),
    optimizer="adamw",
    weight_decay=0.01,
    warmup=0.1,
    augment=(),
    pretrained=True,
)
TEXT_READING = (
    "The paper gives no recipe for text; AdamW with a linear decay, as BERT is usually tuned, is "
    "our reading.",
    "The paper trains its non-distilled student from scratch; ours starts where the distilled ones "
    "do, from public weights.",
)
_MINILM = replace(TEXT, epochs=1, lr=1e-4)

STUDIES["hatexplain"] = Study(
    "hatexplain",
    "HateXplain: toxic posts, by whom they speak of",
    "hatexplain",
    2,
    "group fairness",
    {
        "paper": Profile({}, "bert-base", "distilbert", TEXT, TEXT, departures=(*TEXT_READING, T2)),
        "laptop": Profile(
            dict(n_train=10_000),
            "minilm-l6",
            "minilm-l3",
            _MINILM,
            _MINILM,
            temperatures=temperatures.WITHOUT_SOME,
            departures=(
                "A MiniLM of six layers, 384 wide, in place of BERT-Base, and three of its "
                "layers in place of DistilBERT; 10,000 of the 15,383 training posts, once; "
                "T = 3, 5, 7, 9 and 30 left out.",
                *TEXT_READING,
                T2,
            ),
        ),
        "smoke": _smoke(
            dict(n_train=64, n_test=40),
            "minilm-l6",
            "minilm-l3",
            optimizer="adamw",
            lr=1e-4,
            pretrained=True,
        ),
    },
    attributes=("gender", "race", "religion", "sexual_orientation"),
)

STUDIES["faces"] = Study(
    "faces",
    "Faces: thirty or older, by gender and ethnicity",
    "utkface",
    2,
    "group fairness",
    {
        "laptop": _laptop(
            dict(size=32),
            "resnet20",
            "lenet5",
            epochs=10,
            recipe=dict(batch_size=32, lr=0.004, augment=("flip",), precision="fp32"),
            teacher_recipe=Recipe(epochs=10, milestones=(6, 9), augment=("flip",)),
            soft_scales=("T2", "none"),
            shrunk="Not one of the paper's data sets: UTKFace, at 32x32, where CelebA's images "
            "are not at hand; ResNet-20 and LeNet-5.",
            departures=(
                "The teacher learns for 10 epochs and its rate drops late: with 5 epochs and "
                "the paper's early drops it was right less often than the student without a "
                "teacher, and its students were less accurate and less fair for it.",
            ),
        ),
        "smoke": _smoke(dict(size=32, n_train=128, n_test=100), "resnet20", "lenet5"),
    },
    attributes=("gender", "ethnicity"),
    in_paper=False,
)
