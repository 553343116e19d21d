"""A network without batch norm that says what the one with it says."""

import pytest
import torch
from torch import nn

from apmlib.folding import folded
from apmlib.fusion import Fusion
from apmlib.model import APM, backbone

NAMES = (
    "resnet-narrow",
    "vgg-narrow",
    "resnet18:layer2",
    "resnet50:layer2",
    "resnext50_32x4d:layer1",
    "vgg11_bn:conv2",
    "vgg11:conv2",
)


def norms(net):
    return [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def trained(net):
    """Statistics, scales and shifts as training leaves them: nowhere 0 and 1."""
    for m in norms(net):
        for values, low in ((m.running_var, 0.5), (m.weight.data, 0.5)):
            values.uniform_(low, 2)
        for values in (m.running_mean, m.bias.data):
            values.normal_()
    return net


@pytest.mark.parametrize("name", NAMES)
@torch.inference_mode()
def test_same_output(name):
    net = trained(APM(backbone(name, width=8), outputs=10)).eval()
    x = torch.randn(2, 3, 64, 96)
    before = net(x)
    other, config = folded((net, {"some": "config"}))
    assert config == {"some": "config"}
    assert not norms(other)
    torch.testing.assert_close(other(x), before, rtol=1e-4, atol=1e-5)
    assert (before > 0).any()
    assert len(norms(net)) == len(norms(backbone(name, width=8)))  # the given one is as it was
    assert torch.equal(net(x), before)


@torch.inference_mode()
def test_both_branches():
    net = trained(Fusion(backbone("resnet-narrow", width=8), outputs=10))
    x = torch.randn(2, 3, 64, 96)
    after = folded((net, {}))[0](x)
    torch.testing.assert_close(after, net.eval()(x), rtol=1e-4, atol=1e-5)
