"""Every row of Table 1, its controls and experiments, and the sizes to train them at, as data.

A *variant* says what is trained: which family of networks, towards what, with which loss. A
*profile* says at what size: how large the photographs, which network of the family, how many
epochs, at which rates. Together with a few ``--set KEY=VALUE`` they make the *settings* of a
run, a flat dict that is all the training loop reads.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from apmlib.errors import InputError


@dataclass(frozen=True)
class Variant:
    """What is trained.

    ``family`` is "vgg" or "resnet". ``target`` is "dist" (the score distribution, K outputs),
    "mean" (the mean score, one output), "objects" (the classes of the objects task) or
    "semantic" (a teacher's distribution over its classes). ``loss`` names a function of
    ``apmlib.losses``. ``scale`` is the scaling of that loss: "paper" for equation 1 as printed,
    "caffe" for equation 1 divided by delta, which is what Caffe's layer computes for sigma = 3.

    ``start`` is the variant that it starts from. One with the same target is carried on whole;
    of any other the convolutional layers are taken. Where the profile has ImageNet weights they
    take the place of the objects variants. ``teacher`` is the variant that gives a semantic one
    its soft targets. ``branch`` is the grid of a second branch: 0 for none, 1 for the paper's
    global one.

    ``as_long_as`` names variants whose epochs and steps, added up, are its own. ``set`` holds
    the settings of the profile that it changes: what makes an experiment.
    """

    name: str
    family: str
    target: str
    loss: str
    scale: str = "caffe"
    delta: float = 1 / 9
    start: str | None = None
    teacher: str | None = None
    branch: int = 0
    as_long_as: tuple[str, ...] = ()
    set: dict = field(default_factory=dict)


def _experiment(
    name: str, loss: str = "huber", teacher: str | None = None, **changes
) -> Variant:
    """``resnet-imn-dist`` with something changed."""
    return Variant(
        f"resnet-imn-dist-{name}",
        "resnet",
        "dist",
        loss,
        start="objects-resnet",
        teacher=teacher,
        set=changes,
    )


# The layers that an earlier aesthetic stage trained have a tenth of the rate (section 4.1).
_GENTLY = {"carried": 0.1}

# Huber and Euclidean rows have the same scale, so that they differ in the shape of the loss and
# not in the size of the step; the size of the step is an experiment of its own.
VARIANTS = {
    variant.name: variant
    for variant in (
        Variant("objects-vgg", "vgg", "objects", "cross_entropy"),
        Variant("objects-resnet", "resnet", "objects", "cross_entropy"),
        Variant("vgg-imn-mean", "vgg", "mean", "huber", start="objects-vgg"),
        Variant("vgg-imn-dist-eucl", "vgg", "dist", "euclidean", start="objects-vgg"),
        Variant("vgg-imn-dist", "vgg", "dist", "huber", start="objects-vgg"),
        Variant("resnet-imn-dist", "resnet", "dist", "huber", start="objects-resnet"),
        Variant(
            "resnet-ava-semantic",
            "resnet",
            "semantic",
            "cross_entropy",
            start="objects-resnet",
            teacher="objects-resnet",
        ),
        Variant("resnet-ava-dist", "resnet", "dist", "huber", start="resnet-ava-semantic"),
        Variant(
            "resnet-ava-dist-m",
            "resnet",
            "dist",
            "huber",
            start="resnet-ava-dist",
            branch=1,
            set=_GENTLY,
        ),
        # Controls: the same steps without what is claimed to help.
        Variant(
            "resnet-imn-dist-longer",
            "resnet",
            "dist",
            "huber",
            start="objects-resnet",
            as_long_as=("resnet-ava-semantic", "resnet-ava-dist"),
        ),
        Variant(
            "resnet-ava-semantic-permuted",
            "resnet",
            "semantic",
            "cross_entropy",
            start="objects-resnet",
            teacher="objects-resnet",
            as_long_as=("resnet-ava-semantic",),
            set={"permuted": True},
        ),
        Variant(
            "resnet-ava-dist-permuted",
            "resnet",
            "dist",
            "huber",
            start="resnet-ava-semantic-permuted",
            as_long_as=("resnet-ava-dist",),
        ),
        Variant(
            "resnet-ava-dist-longer",
            "resnet",
            "dist",
            "huber",
            start="resnet-ava-dist",
            as_long_as=("resnet-ava-dist-m",),
            set=_GENTLY,
        ),
        Variant(
            "resnet-ava-dist-two",
            "resnet",
            "dist",
            "huber",
            start="resnet-ava-dist",
            branch=3,
            as_long_as=("resnet-ava-dist-m",),
            set=_GENTLY,
        ),
        # Experiments: one thing changed.
        _experiment("grid1", n=1),
        _experiment("grid2", n=2),
        _experiment("grid4", n=4),
        _experiment("average", how="average"),
        _experiment("nol2", l2=False),
        _experiment("l1", last="l1"),
        _experiment("softmax", last="softmax"),
        _experiment("emd", "emd"),
        # Of a softmax, KL is the cross entropy less a constant: their gradients are the same.
        _experiment("xent", "kl", last="softmax"),
        _experiment("crop", view="crop"),
        _experiment("warp", view="warp"),
        # The multi-task setting of section 3.3, which "did not bring noticeable improvements".
        _experiment("joint-weak", teacher="objects-resnet", joint=0.01),
        _experiment("joint", teacher="objects-resnet", joint=0.1),
        _experiment("joint-strong", teacher="objects-resnet", joint=1.0),
        # What section 4.2 compares with: labels good and bad in place of scores.
        Variant("resnet-imn-label", "resnet", "mean", "logistic", start="objects-resnet"),
        Variant(
            "vgg-imn-dist-eucl-1", "vgg", "dist", "euclidean", "paper", start="objects-vgg"
        ),
        Variant("vgg-imn-dist-1", "vgg", "dist", "huber", "paper", start="objects-vgg"),
    )
}

TABLE = (  # Table 1 of the paper in its order, and the stage between
    "vgg-imn-mean",
    "vgg-imn-dist-eucl",
    "vgg-imn-dist",
    "resnet-imn-dist",
    "resnet-ava-semantic",
    "resnet-ava-dist",
    "resnet-ava-dist-m",
)
CONTROLS = (
    "resnet-imn-dist-longer",
    "resnet-ava-semantic-permuted",
    "resnet-ava-dist-permuted",
    "resnet-ava-dist-longer",
    "resnet-ava-dist-two",
)
EXPERIMENTS = (
    "resnet-imn-dist-grid1",
    "resnet-imn-dist-grid2",
    "resnet-imn-dist-grid4",
    "resnet-imn-dist-average",
    "resnet-imn-dist-nol2",
    "resnet-imn-dist-l1",
    "resnet-imn-dist-softmax",
    "resnet-imn-dist-emd",
    "resnet-imn-dist-xent",
    "resnet-imn-dist-crop",
    "resnet-imn-dist-warp",
    "resnet-imn-dist-joint-weak",
    "resnet-imn-dist-joint",
    "resnet-imn-dist-joint-strong",
    "resnet-imn-label",
    "vgg-imn-dist-eucl-1",
    "vgg-imn-dist-1",
)


@dataclass(frozen=True)
class Profile:
    """At what size a variant is trained.

    ``only`` holds, by variant, target or family (later ones win in the order family, target,
    variant), what differs from the rest of the profile.
    """

    name: str
    # Data
    images: int  # photographs in the simulated collection (0: the profile needs one's own)
    side: int  # the shorter side in pixels
    view: str = "whole"  # "crop", "warp": squares of as many pixels (images.resize)
    permuted: bool = False  # soft targets dealt out to other photographs: a control
    joint: float = 0.0  # weight of the loss of what is shown, learnt along with the scores
    flips: bool = True  # mirrored at random while training
    # Network
    vgg: str = "vgg-narrow"
    resnet: str = "resnet-narrow"
    width: int = 32  # channels of the first stage, narrow networks only
    stages: int = 3  # narrow networks only
    hidden: int = 256  # units of the first fully connected layer
    n: int = 3  # the grid of the pyramid
    how: str = "max"  # or "average": how its cells pool
    l2: bool = True  # the l2 norm before the fully connected layers
    last: str = "relu"  # or "l1", "softmax": what follows the last layer
    threshold: float = 5.0  # mean score above which loss "logistic" calls a photograph good
    pretrained: bool = False  # starts from ImageNet weights, not from the objects task
    frozen: str = ""  # the convolutional layers up to this module are not trained
    bfloat16: bool = False  # the convolutions computed in it, where the device has it
    recompute: bool = False  # activations computed again for the gradient, to save memory
    ridge: bool = False  # the head starts from ridge regression, not from the constant
    # Schedule
    batch: int = 32
    at_once: int = 0  # of a batch pass the network at once (0: a batch is of one shape)
    epochs: float = 10  # times through the training photographs; ignored where steps is set
    steps: int = 0
    interval: int = 0  # steps between two rows of the history (0: an epoch)
    schedule: str = "cycle"  # "cycle": warm-up, then a cosine to nothing; "step": the paper's
    warmup: float = 0.1  # share of the steps, "cycle" only
    decay: float = 0.1  # "step" only
    decay_every: int = 20_000  # steps, "step" only
    # Optimiser
    rate: float = 0.05  # of the fully connected layers
    backbone_rate: float = 0.05  # of the convolutional layers
    carried: float = 1.0  # times the rates of all that an earlier aesthetic stage trained
    momentum: float = 0.9
    weight_decay: float = 5e-4  # on weights, not on biases
    clip: float = 1.0  # largest l2 norm of the gradient (0: not clipped)
    # Which weights are kept, and what they are trained on
    select: str = "best"  # "best": lowest validation loss; "last": validation joins training
    only: dict = field(default_factory=dict)


PROFILES = {
    profile.name: profile
    for profile in (
        Profile(
            "smoke",
            images=400,
            side=64,
            width=12,
            stages=2,
            hidden=64,
            batch=16,
            epochs=4,
            rate=1e-3,
            only={
                "objects": {"images": 600, "epochs": 2, "rate": 0.05, "batch": 32},
                "semantic": {"epochs": 2, "rate": 1e-3},
                "resnet-ava-dist-m": {"epochs": 2},
            },
        ),
        Profile(
            "laptop",
            images=10_000,
            side=96,
            width=32,
            epochs=7,
            rate=2e-4,
            backbone_rate=0.2,
            clip=0.0,
            only={
                "vgg": {"width": 16, "epochs": 5, "backbone_rate": 0.1},
                "objects": {
                    "images": 8_000,
                    "side": 64,
                    "epochs": 12,
                    "rate": 0.1,
                    "backbone_rate": 0.05,
                    "clip": 1.0,
                },
                "objects-vgg": {"epochs": 8},
                "semantic": {"epochs": 5, "rate": 1e-3, "backbone_rate": 0.05, "clip": 1.0},
                "resnet-ava-dist-m": {"epochs": 3},
            },
        ),
        Profile(
            "photos",
            images=0,
            side=224,
            vgg="vgg16:conv4",
            resnet="resnet18:layer3",
            hidden=512,
            pretrained=True,
            frozen="layer2",
            ridge=True,
            batch=16,
            epochs=3,
            rate=0.0003,
            backbone_rate=0.003,
            select="last",
            only={
                "vgg": {"frozen": "features.9"},
                "semantic": {"rate": 0.1, "epochs": 6},
            },
        ),
        # The paper: batch, rate, momentum, weight decay, a lower rate every 20,000 iterations.
        # Not in the paper, so our choice: 2,048 hidden units, 60,000 iterations, a tenth at
        # each lowering, both networks cut after their last convolutional stage.
        Profile(
            "full",
            images=0,
            side=500,
            vgg="vgg16",
            resnet="resnet101",
            hidden=2_048,
            pretrained=True,
            bfloat16=True,
            batch=128,
            at_once=16,
            steps=60_000,
            interval=2_000,
            schedule="step",
            rate=1e-3,
            backbone_rate=1e-3,
            clip=0.0,
        ),
    )
}

_FIXED = ("name", "only", "images")  # of a profile, not of a run
_FROM_VARIANT = ("family", "target", "loss", "scale", "delta", "branch")
_SHAPE_BACKBONE = ("backbone", "width", "stages")
_SHAPE_PYRAMID = ("side", "view", "n", "how", "l2")
_SHAPE_HEAD = ("hidden", "last")


def variant(name: str) -> Variant:
    """The variant of this name, else an ``InputError`` that lists the names."""
    if name not in VARIANTS:
        raise InputError(
            f"variant {name!r}: no such variant; choose one of {', '.join(VARIANTS)}"
        )
    return VARIANTS[name]


def profile(name: str) -> Profile:
    """The profile of this name, else an ``InputError`` that lists the names."""
    if name not in PROFILES:
        raise InputError(
            f"profile {name!r}: no such profile; choose one of {', '.join(PROFILES)}"
        )
    return PROFILES[name]


def images(variant_name: str, profile_name: str) -> int:
    """Number of photographs that the simulated collection of this variant and profile has."""
    return _merged(variant(variant_name), profile(profile_name))["images"]


def settings(variant_name: str, profile_name: str, overrides: dict | None = None) -> dict:
    """All that the training loop reads, flat: the profile, the variant, then ``overrides``.

    ``overrides`` maps a key to a value or, from the command line, to its text. ``backbone`` is
    among the keys: the network of the variant's family. An unknown key or a value of the wrong
    kind is an ``InputError``.
    """
    chosen, size = variant(variant_name), profile(profile_name)
    values = _merged(chosen, size)
    values["backbone"] = values[chosen.family]
    values.update({key: getattr(chosen, key) for key in _FROM_VARIANT})
    for key in (*_FIXED, "vgg", "resnet"):
        values.pop(key, None)
    for key, value in (overrides or {}).items():
        if key not in values or key in ("family", "target"):
            keys = ", ".join(sorted(values.keys() - {"family", "target"}))
            raise InputError(f"--set {key}: no such setting; choose one of {keys}")
        values[key] = _typed(key, value, type(values[key]))
    return values


def ancestors(name: str) -> list[str]:
    """The variants that ``name`` goes through before its own stage, the nearest first."""
    found, start = [], variant(name).start
    while start:
        found.append(start)
        start = VARIANTS[start].start
    return found


def goes_on(name: str) -> bool:
    """Whether the variant carries on all of its start, not the convolutional layers alone."""
    start = variant(name).start
    return start is not None and VARIANTS[start].target == variant(name).target


def handed_down(name: str, profile_name: str, overrides: dict | None = None) -> dict:
    """Settings in which the start of a variant must depart from its own, to fit the variant.

    Those that shape the layers taken over, and, where both stages see the same photographs, how
    they are seen.
    """
    start = VARIANTS[variant(name).start]
    keys = _SHAPE_BACKBONE
    if start.target != "objects":
        keys += _SHAPE_PYRAMID
    if goes_on(name):
        keys += _SHAPE_HEAD
    mine, theirs = settings(name, profile_name, overrides), settings(start.name, profile_name)
    return {key: mine[key] for key in keys if mine[key] != theirs[key]}


def _merged(chosen: Variant, size: Profile) -> dict:
    values = {item.name: getattr(size, item.name) for item in fields(size)}
    for name in (chosen.family, chosen.target, chosen.name):
        values.update(size.only.get(name, {}))
    if chosen.as_long_as:
        stages = [_merged(VARIANTS[name], size) for name in chosen.as_long_as]
        for key in ("epochs", "steps"):
            values[key] = sum(stage[key] for stage in stages)
    values.update(chosen.set)
    for item in fields(size):
        if item.type == "float":  # written as 10 or as 10.0, it is one setting
            values[item.name] = float(values[item.name])
    return values


def _typed(key: str, value: object, kind: type) -> object:
    """``value`` as ``kind`` (bool, int, float or str), from its text where it is one."""
    try:
        if kind is bool and isinstance(value, str):
            return {"true": True, "yes": True, "false": False, "no": False}[value.lower()]
        if kind is int and float(value) != int(float(value)):
            raise ValueError
        return kind(float(value)) if kind is int else kind(value)
    except (KeyError, TypeError, ValueError):
        raise InputError(
            f"--set {key}={value}: not a value for this setting; give a {kind.__name__}"
        ) from None
