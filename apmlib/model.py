"""From photograph to distribution: backbones, the pyramid, the head (section 3.2, figure 2).

A backbone is a stack of torchvision's own layers under torchvision's own names, cut after one
of its stages, so that weights published for the whole network load into the part.

``"resnet101"``, ``"resnet18:layer3"``
    any torchvision ResNet, whole (up to ``layer4``) or cut after ``layer1`` to ``layer4``.
``"vgg16"``, ``"vgg16:pool4"``, ``"vgg16_bn:conv3"``
    any torchvision VGG; ``convN`` ends with the last convolution (and its ReLU) of block N,
    ``poolN`` with the pooling after it. The paper pools "after the last convolutional layer"
    and does not say more; uncut stands for ``conv5`` here, so that the pyramid takes the place
    of the fifth pooling, as in He et al. [11]. That is our choice.
``"resnet-narrow"``, ``"vgg-narrow"``
    small ones of the same blocks for small photographs, to be trained from scratch.

All take float ``(B, 3, H, W)``, normalised as ImageNet's networks expect, any H and W, in
either memory format, and give ``(B, C, H / stride, W / stride)``, sizes rounded up for ResNet,
down for VGG.
"""

import re
import sys
from collections import OrderedDict
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path
from pickle import UnpicklingError
from urllib.error import URLError

import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from torchvision import models
from torchvision.models.resnet import BasicBlock
from torchvision.models.vgg import cfgs, make_layers

from apmlib.errors import InputError
from apmlib.losses import normalise
from apmlib.spp import l2_normalise, spatial_pyramid_pooling

SMALLEST_BIAS = 1e-3
LAST = ("relu", "l1", "softmax")  # last layers of a head
VGG_PLANS = {"11": "A", "13": "B", "16": "D", "19": "E"}


class Backbone(nn.Sequential):
    """Convolutions. ``name``, ``channels`` (of the last map) and ``stride`` (in pixels).

    ``bfloat16``: compute in that type, which GPUs multiply several times as fast; weights and
    the feature map that comes out stay float32. ``recompute``: keep of each block its input
    only, and compute the block again when the gradient asks for the rest: a third more work in
    a fraction of the memory.
    """

    name: str
    channels: int
    stride: int
    bfloat16: bool = False
    recompute: bool = False

    def forward(self, photographs: Tensor) -> Tensor:
        """Float ``(B, 3, H, W)`` to ``(B, C, H / stride, W / stride)``."""
        x, kind = photographs, photographs.device.type
        with torch.autocast(kind, torch.bfloat16) if self.bfloat16 else nullcontext():
            if self.recompute and torch.is_grad_enabled():
                for block in _blocks(self):
                    x = checkpoint(block, x, use_reentrant=False)
            else:
                x = super().forward(x)
        return x.float() if self.bfloat16 else x


def backbone(name: str, width: int = 16, stages: int = 3) -> Backbone:
    """Build the backbone ``name`` with random weights.

    ``width``: channels of the first stage of a narrow one; they double with each following
    stage. ``stages``: 2 or more, narrow ones only; the stride is 2 to the power ``stages``
    (in the narrow ResNet the stem, with its max pooling, takes the place of two).
    """
    base, _, stage = name.partition(":")
    if base == "resnet-narrow":
        layers = _resnet_narrow(width, stages)
    elif base == "vgg-narrow":
        layers = _vgg_narrow(width, stages)
    elif re.fullmatch(r"(wide_)?resne(x)?t\d+\w*", base) and base in models.list_models():
        layers = _resnet(name, base, stage or "layer4")
    elif re.fullmatch(r"vgg\d+(_bn)?", base) and base in models.list_models():
        layers = _vgg(name, base, stage or "conv5")
    else:
        raise InputError(
            f"backbone {name!r}: unknown; use a ResNet or VGG of torchvision, cut or not, "
            "such as resnet18:layer3 or vgg16:pool4, or resnet-narrow or vgg-narrow"
        )
    net = Backbone(OrderedDict(layers))
    _kaiming(net)
    net.name = name
    net.channels = [m.out_channels for m in _main_path(net) if isinstance(m, nn.Conv2d)][-1]
    net.stride = receptive_field(net)[1]
    return net


def _blocks(net: Backbone) -> list[nn.Module]:
    """What ``recompute`` computes at a time: residual blocks, or a VGG's up to a pooling."""
    if "features" in net._modules:
        layers = net.features
        pools = [i + 1 for i, m in enumerate(layers) if isinstance(m, nn.MaxPool2d)]
        ends = [*pools, len(layers)]
        return [layers[a:b] for a, b in pairwise([0, *ends]) if a < b]
    stages = [m for m in net if isinstance(m, nn.Sequential)]
    stem = nn.Sequential(*(m for m in net if m not in stages))
    return [stem, *(block for stage in stages for block in stage)]


def _resnet(name: str, base: str, stage: str) -> dict[str, nn.Module]:
    layers: dict[str, nn.Module] = {}
    for child, module in models.get_model(base).named_children():
        layers[child] = module
        if child == stage and child.startswith("layer"):
            return layers
    raise InputError(
        f"backbone {name!r}: no stage {stage!r}; use layer1, layer2, layer3, layer4"
    )


def _vgg(name: str, base: str, stage: str) -> dict[str, nn.Module]:
    # Only the convolutions are built: the classifier of a VGG-16 alone has 120 M weights.
    depth, _, norm = base.removeprefix("vgg").partition("_")
    features = make_layers(cfgs[VGG_PLANS[depth]], batch_norm=norm == "bn")
    pools = [i for i, m in enumerate(features) if isinstance(m, nn.MaxPool2d)]
    ends = {f"pool{n}": i + 1 for n, i in enumerate(pools, 1)}
    ends |= {f"conv{n}": i for n, i in enumerate(pools, 1)}
    if stage not in ends:
        raise InputError(
            f"backbone {name!r}: no stage {stage!r}; use conv1 to conv5 or pool1 to pool5"
        )
    return {"features": features[: ends[stage]]}


def _resnet_narrow(width: int, stages: int) -> dict[str, nn.Module]:
    # As torchvision's ResNet, but with a stem that sees 3 pixels, not 7, and one block a stage:
    # it sees 47 pixels at three stages.
    layers: dict[str, nn.Module] = {
        "conv1": nn.Conv2d(3, width, 3, stride=2, padding=1, bias=False),
        "bn1": nn.BatchNorm2d(width),
        "relu": nn.ReLU(inplace=True),
        "maxpool": nn.MaxPool2d(3, stride=2, padding=1),
        "layer1": nn.Sequential(BasicBlock(width, width)),
    }
    for i in range(2, stages):
        c = width * 2 ** (i - 1)
        shortcut = nn.Sequential(
            nn.Conv2d(c // 2, c, 1, stride=2, bias=False), nn.BatchNorm2d(c)
        )
        layers[f"layer{i}"] = nn.Sequential(BasicBlock(c // 2, c, 2, shortcut))
    return layers


def _vgg_narrow(width: int, stages: int) -> dict[str, nn.Module]:
    # Blocks of 1, 1, 2, 2, ... convolutions as in VGG-11, and one more after the last pooling,
    # with batch norm, because it is trained from scratch in a minute.
    plan: list[str | int] = []
    for i in range(stages):
        plan += [width * 2**i] * (1 if i < 2 else 2) + ["M"]
    return {"features": make_layers([*plan, width * 2**stages], batch_norm=True)}


def _kaiming(net: nn.Module) -> None:
    """Random weights as torchvision's ResNet and VGG draw them."""
    for m in net.modules():
        if isinstance(m, nn.Conv2d):
            nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
            if m.bias is not None:
                nn.init.zeros_(m.bias)


def receptive_field(net: nn.Module) -> tuple[int, int]:
    """Pixels that one cell of the feature map sees, along one side, and the stride in pixels.

    Follows the main path; a shortcut's 1 x 1 convolution never sees further. Each layer of
    kernel k and stride s adds (k - 1) steps of the stride so far, then multiplies that by s.
    """
    size, stride, _ = _geometry(net)
    return size, stride


def window(net: nn.Module, cell: int) -> tuple[int, int]:
    """First and last pixel (included) that cell number ``cell`` sees along one side.

    The first may be negative and the last beyond the edge: padding is seen there.
    """
    size, stride, first = _geometry(net)
    return first + cell * stride, first + cell * stride + size - 1


def _geometry(net: nn.Module) -> tuple[int, int, int]:
    size, stride, first = 1, 1, 0
    for m in _main_path(net):
        k, s, p, d = (
            x if isinstance(x, int) else x[0]
            for x in (m.kernel_size, m.stride, m.padding, m.dilation)
        )
        size += d * (k - 1) * stride
        first -= p * stride
        stride *= s
    return size, stride, first


def _main_path(net: nn.Module) -> list[nn.Module]:
    """Convolutions and poolings in the order in which torchvision defines and applies them."""
    return [
        m
        for path, m in net.named_modules()
        if isinstance(m, nn.Conv2d | nn.MaxPool2d) and "downsample" not in path
    ]


def check_fits(net: Backbone, side: int, cells: int = 6) -> None:
    """Refuse a narrow backbone under which the pyramid would mean nothing.

    At shorter side ``side`` a cell may see half of it at most, or the nine parts of the grid
    all see the whole; and the map needs ``cells`` cells along it, or the grid cuts crumbs.
    """
    size, stride = receptive_field(net)
    if 2 * size > side or side // stride < cells:
        raise InputError(
            f"{net.name}: sees {size} pixels and leaves {side // stride} cells at shorter side "
            f"{side}; use photographs of side {max(2 * size, cells * stride)} or fewer stages"
        )


class Head(nn.Module):
    """l2 norm, then two fully connected layers, each with ReLU: ``(B, D)`` to ``(B, K)``.

    It takes any pooled vector, so that a second branch is a second head. ``l2`` leaves out the
    norm. ``last`` is what follows the last layer: ``"relu"``, or one of the two layers that
    section 3.4 found slow to train, ``"l1"`` (ReLU, then divided by the sum; zeros become
    uniform) and ``"softmax"``.
    """

    def __init__(
        self,
        inputs: int,
        hidden: int,
        outputs: int,
        rescale: bool = True,
        l2: bool = True,
        last: str = "relu",
    ):
        super().__init__()
        if last not in LAST:
            raise InputError(f"last layer {last!r}: unknown; choose one of {', '.join(LAST)}")
        self.rescale, self.l2, self.last = rescale, l2, last
        self.fc1 = nn.Linear(inputs, hidden)
        self.fc2 = nn.Linear(hidden, outputs)
        nn.init.kaiming_normal_(self.fc1.weight, nonlinearity="relu")
        nn.init.zeros_(self.fc1.bias)
        nn.init.kaiming_normal_(self.fc2.weight, nonlinearity="relu")
        nn.init.zeros_(self.fc2.bias)

    def forward(self, pooled: Tensor) -> Tensor:
        logits = self.fc2(F.relu(self.fc1(self.scaled(pooled))))
        if self.last == "softmax":
            return logits.softmax(dim=1)
        return F.relu(logits) if self.last == "relu" else normalise(F.relu(logits))

    def scaled(self, pooled: Tensor) -> Tensor:
        """What the first layer is given of ``pooled``."""
        return l2_normalise(pooled, self.rescale) if self.l2 else pooled

    def start_at(self, target: ArrayLike | Tensor) -> None:
        """Make ``target`` ``(K,)`` the output for every photograph: the constant predictor.

        The last weights become zero and the last bias the target, so that training starts from
        the best answer that looks at nothing, and every output is above zero, where ReLU lets
        the gradient through. A target of zero would be dead from the start and is lifted to
        0.001.
        """
        target = torch.as_tensor(target, dtype=self.fc2.bias.dtype).reshape(-1)
        if target.shape != self.fc2.bias.shape:
            raise ValueError(f"{len(target)} values for {len(self.fc2.bias)} outputs")
        target = target.clamp_min(SMALLEST_BIAS)
        with torch.no_grad():
            self.fc2.weight.zero_()
            self.fc2.bias.copy_(target.log() if self.last == "softmax" else target)


class Pyramid(nn.Module):
    """Backbone and spatial pyramid pooling, which the aesthetic model and the student share.

    ``n``: the grid. ``how``: ``"max"`` or ``"average"`` pooling.

    ``freeze_norm``: batch norm uses its stored statistics also in training mode. A batch here
    is small and of one shape, hence of few kinds of photograph, and says little about all of
    them; the statistics of pre-training come from a million images. It also makes a
    photograph's score independent of its batch while training, and it is the only right way
    with weights whose batch norm was folded into the convolutions. Its scale and shift go on
    learning.
    """

    def __init__(self, net: Backbone, n: int = 3, how: str = "max", freeze_norm: bool = True):
        super().__init__()
        self.n, self.how, self.freeze_norm = n, how, freeze_norm
        self.backbone = net

    def pool(self, photographs: Tensor) -> Tensor:
        """Float ``(B, 3, H, W)`` to the pyramid ``(B, C * n * n)``."""
        return spatial_pyramid_pooling(self.backbone(photographs), self.n, self.how)

    def train(self, mode: bool = True) -> "Pyramid":
        """As in torch, except for batch norm: see ``freeze_norm``."""
        super().train(mode)
        if self.freeze_norm:
            for m in self.backbone.modules():
                if isinstance(m, nn.BatchNorm2d):
                    m.eval()
        return self


class APM(Pyramid):
    """The aesthetic prediction model of figure 2: photographs to raw predictions.

    ``net``: a backbone. ``outputs``: K for a distribution, 1 for a mean score. ``hidden``: the
    width of the first fully connected layer, which the paper leaves open. ``n``, ``how`` and
    ``freeze_norm``: see ``Pyramid``. ``rescale``: multiply by the square root of the vector's
    size after the l2 norm. ``l2`` and ``last``: see ``Head``.

    ``forward``: float ``(B, 3, H, W)`` to ``(B, outputs)``, never negative, not normalised
    (section 3.4); ``metrics.normalise`` makes distributions of them. All outputs of a
    photograph can be zero; that then counts as the uniform distribution.
    """

    def __init__(
        self,
        net: Backbone,
        outputs: int,
        hidden: int = 256,
        n: int = 3,
        how: str = "max",
        rescale: bool = True,
        freeze_norm: bool = True,
        l2: bool = True,
        last: str = "relu",
    ):
        super().__init__(net, n, how, freeze_norm)
        self.head = Head(net.channels * n * n, hidden, outputs, rescale, l2, last)

    def forward(self, photographs: Tensor) -> Tensor:
        return self.head(self.pool(photographs))

    def heads(self) -> list[tuple[Head, int]]:
        """Each head with the grid that it looks through."""
        return [(self.head, self.n)]

    def init_head(self, target: ArrayLike | Tensor) -> None:
        """Start from the mean training distribution (or score): see ``Head.start_at``."""
        for head, _ in self.heads():
            head.start_at(target)


class Joint(APM):
    """The aesthetic model that also says what is shown, from the same pyramid (section 3.3).

    One fully connected layer beside the head gives logits over the ``classes`` of a teacher.
    All other arguments are those of ``APM``. ``forward``: in training mode the raw predictions
    and the logits ``(B, outputs + classes)``, in evaluation mode the raw predictions
    ``(B, outputs)``.
    """

    def __init__(self, net: Backbone, outputs: int, classes: int, hidden: int = 256, **options):
        super().__init__(net, outputs, hidden, **options)
        self.shown = nn.Linear(net.channels * self.n**2, classes)

    def forward(self, photographs: Tensor) -> Tensor:
        pooled = self.pool(photographs)
        p = self.head(pooled)
        if not self.training:
            return p
        return torch.cat([p, self.shown(self.head.scaled(pooled))], dim=1)


class Student(Pyramid):
    """The network that learns what is shown: ``(B, 3, H, W)`` to logits ``(B, C)``.

    The aesthetic model up to the pyramid and its l2 norm, then one fully connected layer, whose
    softmax is a distribution over the teacher's C classes (section 3.3). ``n``, ``how`` and
    ``freeze_norm``: see ``Pyramid``.
    """

    def __init__(
        self,
        net: Backbone,
        classes: int,
        n: int = 3,
        how: str = "max",
        rescale: bool = True,
        freeze_norm: bool = True,
        l2: bool = True,
    ):
        super().__init__(net, n, how, freeze_norm)
        self.rescale, self.l2 = rescale, l2
        self.fc = nn.Linear(net.channels * n * n, classes)

    def forward(self, photographs: Tensor) -> Tensor:
        pooled = self.pool(photographs)
        return self.fc(l2_normalise(pooled, self.rescale) if self.l2 else pooled)

    def init_head(self, target: Tensor) -> None:
        """Start from the mean soft target ``(C,)``, said of every photograph."""
        with torch.no_grad():
            self.fc.weight.zero_()
            self.fc.bias.copy_(target.clamp_min(1e-8).log())


class Classifier(nn.Module):
    """Backbone, global average pooling, linear layer: ``(B, 3, H, W)`` to logits ``(B, C)``.

    What the narrow backbones are pre-trained as, in place of ImageNet's networks.
    """

    def __init__(self, net: Backbone, classes: int):
        super().__init__()
        self.backbone = net
        self.fc = nn.Linear(net.channels, classes)

    def forward(self, photographs: Tensor) -> Tensor:
        return self.fc(self.backbone(photographs).mean(dim=(2, 3)))


def load_weights(model: nn.Module, path: str | Path) -> None:
    """Load a safetensors file (or a run folder's) that must fit ``model`` key by key."""
    path = weights_file(path)
    fit_weights(model, read_weights(path), path)


def load_carried(net: APM, path: str | Path) -> list[tuple[Head, int]]:
    """Load all of a finished run into ``net``; return its heads that the run lacks.

    That is the second branch, where the run has but one; it stays as it is.
    """
    path = weights_file(path)
    state = read_weights(path)
    new = {k: v for k, v in net.state_dict().items() if k == "w" or k.startswith("second.")}
    fit_weights(net, new | state, path)
    return [] if "second.fc1.weight" in state else net.heads()[1:]


def load_backbone(net: Backbone, path: str | Path) -> None:
    """Load pre-trained weights into a backbone, and nothing but what belongs there.

    ``path`` may be

    - ``"imagenet"``: torchvision's weights for this network, from its cache or the network;
      the first that it published (IMAGENET1K_V1), nearest to the paper's;
    - a run folder, or its ``weights.safetensors``: the backbone of that run;
    - a torchvision state dict, ``.safetensors`` or ``.pth`` (read without executing anything).

    Layers beyond the cut and a head may be there or missing. Everything of the backbone must be
    there in the right shape; a count of batches, which nothing uses, may lack. Statistics of 0
    and 1 mean that batch norm was folded into the weights: right in eval mode, as here.
    """
    if str(path) == "imagenet":
        state, path = imagenet(net.name)
    else:
        path = weights_file(path)
        state = read_weights(path)
    if any(key.startswith("backbone.") for key in state):
        state = {k[9:]: v for k, v in state.items() if k.startswith("backbone.")}
    fit_weights(net, {k: v for k, v in state.items() if not _beyond(net, k)}, path)


def _beyond(net: Backbone, key: str) -> bool:
    """Whether a torchvision key belongs to a layer after the cut, or to the classifier."""
    first, _, rest = key.partition(".")
    index, last = rest.partition(".")[0], list(net._modules)[-1]
    if first == last == "features":
        return index.isdigit() and int(index) >= len(net.features)
    deeper = first.startswith("layer") and last.startswith("layer") and first > last
    return deeper or first in ("fc", "classifier")


def weights_file(path: str | Path) -> Path:
    """The weights of a run folder, or the file itself."""
    path = Path(path)
    if path.is_dir():
        path = path / "weights.safetensors"
    if not path.is_file():
        raise InputError(f"{path}: no such file; give a run folder or a file of weights")
    return path


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read a state dict from safetensors or ``.pth``, on the CPU; nothing in it is executed."""
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (
        SafetensorError,
        UnpicklingError,
        RuntimeError,
        EOFError,
        ValueError,
        KeyError,
        OSError,
    ) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path}: no readable weights ({reason}); fetch it again") from error
    if not (isinstance(state, dict) and all(isinstance(v, Tensor) for v in state.values())):
        raise InputError(f"{path}: no plain state dict; save model.state_dict() instead")
    return state


def imagenet(name: str) -> tuple[dict[str, Tensor], Path]:
    """torchvision's first weights for the network ``name``, and the file that caches them."""
    base = name.partition(":")[0]
    if base.endswith("-narrow"):
        raise InputError(
            f"{name}: no ImageNet weights exist; pre-train it (apm train objects-...)"
        )
    weights = models.get_model_weights(base).IMAGENET1K_V1
    file = Path(torch.hub.get_dir()) / "checkpoints" / weights.url.rsplit("/", 1)[1]
    try:
        return weights.get_state_dict(
            progress=sys.stderr.isatty(), check_hash=True, weights_only=True
        ), file
    except (URLError, OSError, RuntimeError) as error:
        raise InputError(
            f"{file}: not there and cannot be fetched ({error}); download {weights.url} "
            "elsewhere and put it there"
        ) from error


def fit_weights(module: nn.Module, state: dict[str, Tensor], path: Path) -> None:
    """Load ``state``, read from ``path``, which must fit ``module`` key by key."""
    own = module.state_dict()
    optional = {k for k in own if k.endswith("num_batches_tracked")}
    problems = {
        "missing": sorted(own.keys() - state.keys() - optional),
        "unexpected": sorted(state.keys() - own.keys()),
        "of another shape": [
            f"{k} {tuple(state[k].shape)} for {tuple(own[k].shape)}"
            for k in own
            if k in state and state[k].shape != own[k].shape
        ],
    }
    found = "; ".join(f"{what}: {_some(keys)}" for what, keys in problems.items() if keys)
    if found:
        raise InputError(
            f"{path}: weights do not fit, {found}; check the network's name and cut"
        )
    module.load_state_dict(state, strict=False)


def _some(keys: list[str], most: int = 6) -> str:
    rest = f" and {len(keys) - most} more" if len(keys) > most else ""
    return ", ".join(keys[:most]) + rest
