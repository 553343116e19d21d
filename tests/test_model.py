"""Backbones, their geometry, weights that must fit, and what the model promises."""

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision import models

from apmlib import losses
from apmlib.errors import InputError
from apmlib.fusion import Fusion
from apmlib.model import (
    APM,
    Classifier,
    Head,
    Student,
    backbone,
    check_fits,
    load_backbone,
    load_carried,
    load_weights,
    receptive_field,
    window,
)

NARROW = [
    ("resnet-narrow", 8, 2),
    ("resnet-narrow", 8, 3),
    ("vgg-narrow", 8, 2),
    ("vgg-narrow", 8, 3),
]


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.fixture
def weights():
    folder = os.environ.get("APM_WEIGHTS")
    if not folder:
        pytest.skip("APM_WEIGHTS is unset: no pretrained weights to read")
    return Path(folder) / "resnet18-imagenet-conv1-layer3.safetensors"


def photographs(b=2, h=64, w=96):
    return torch.randn(b, 3, h, w)


def learned(net):
    """A model whose every parameter and statistic has left its initial value."""
    for p in net.parameters():
        p.data += 0.05 * torch.randn_like(p)
    for m in net.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.running_mean.normal_(std=0.1)
            m.running_var.uniform_(0.5, 2)
    return net


# --- Geometry -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, channels, field",
    [
        (("resnet-narrow", 16, 3), 32, (47, 8)),
        (("vgg-narrow", 16, 3), 128, (46, 8)),
        (("resnet-narrow", 16, 2), 16, (23, 4)),
        (("vgg-narrow", 16, 2), 64, (18, 4)),
        (("resnet18:layer3",), 256, (211, 16)),
        (("resnet18",), 512, (435, 32)),
        (("vgg16",), 512, (196, 16)),
        (("vgg16:pool4",), 512, (100, 16)),
    ],
)
def test_channels_and_receptive_fields(arguments, channels, field):
    net = backbone(*arguments)
    assert net.channels == channels
    assert receptive_field(net) == field
    assert net.stride == field[1]
    side = 8 * net.stride
    with torch.no_grad():
        shape = net.eval()(torch.zeros(1, 3, side, 2 * side)).shape
    assert shape == (1, channels, 8, 16)


@pytest.mark.parametrize(
    "arguments", [*NARROW, ("resnet18:layer2",), ("resnet50:layer1",), ("vgg11:conv3",)]
)
def test_a_cell_sees_what_its_window_says_and_no_more(arguments):
    # Positive weights and averages in place of maxima let every pixel that can matter matter.
    net = backbone(*arguments).eval()
    size, stride = receptive_field(net)
    side = (2 * size // stride + 4) * stride
    cell = size // stride
    first, last = window(net, cell)
    for path, m in list(net.named_modules()):
        if isinstance(m, nn.MaxPool2d):
            parent, _, child = path.rpartition(".")
            average = nn.AvgPool2d(m.kernel_size, m.stride, m.padding)
            setattr(net.get_submodule(parent), child, average)
    for p in net.parameters():
        p.data = p.data.abs() / p[0].numel() + 1e-3
    x = torch.ones(1, 3, side, side, dtype=torch.float64, requires_grad=True)
    out = net.double()(x)
    out[0, :, cell, cell].sum().backward()
    seen = x.grad[0].sum(dim=0)
    assert last - first + 1 == size
    for along in (seen.sum(dim=0), seen.sum(dim=1)):
        assert along.nonzero().flatten()[[0, -1]].tolist() == [first, last]


@pytest.mark.parametrize("side, stages", [(64, 2), (96, 3), (128, 3)])
@pytest.mark.parametrize("name", ["resnet-narrow", "vgg-narrow"])
def test_narrow_networks_fit_the_sides_they_are_for(name, side, stages):
    net = backbone(name, 8, stages)
    check_fits(net, side)
    assert 2 * receptive_field(net)[0] <= side
    assert min(net.eval()(photographs(1, side, 3 * side // 2)).shape[2:]) >= 6


def test_a_side_too_small_is_refused_with_a_number():
    with pytest.raises(InputError, match="sees 47 pixels .* use photographs of side 94"):
        check_fits(backbone("resnet-narrow", 8, 3), 64)


@pytest.mark.parametrize("name", ["alexnet", "resnet18:layer5", "vgg16:conv6", "resnet99", ""])
def test_unknown_names_get_one_line(name):
    with pytest.raises(InputError) as error:
        backbone(name)
    assert "\n" not in str(error.value)
    assert repr(name) in str(error.value)


@pytest.mark.parametrize("name", ["resnet18", "vgg11", "vgg13_bn", "resnet50"])
def test_keys_are_torchvisions(name):
    theirs = models.get_model(name).state_dict()
    ours = backbone(name).state_dict()
    assert {k: v.shape for k, v in ours.items()} == {k: theirs[k].shape for k in ours}
    left_out = {k.split(".")[0] for k in theirs.keys() - ours.keys()}
    assert left_out <= {"fc", "classifier"}


def test_features_are_torchvisions_at_the_cut():
    theirs = models.resnet18().eval()
    ours = backbone("resnet18:layer2").eval()
    ours.load_state_dict(
        {k: v for k, v in theirs.state_dict().items() if k in ours.state_dict()}
    )
    x = photographs()
    with torch.no_grad():
        y = theirs.maxpool(theirs.relu(theirs.bn1(theirs.conv1(x))))
        assert torch.equal(ours(x), theirs.layer2(theirs.layer1(y)))


# --- The model ------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", NARROW)
@pytest.mark.parametrize("outputs", [10, 7, 1])
def test_any_aspect_gives_one_raw_output(arguments, outputs):
    net = APM(backbone(*arguments), outputs, hidden=16).eval()
    with torch.no_grad():
        for h, w in [(64, 64), (64, 113), (90, 64), (48, 300)]:
            p = net(photographs(2, h, w))
            assert p.shape == (2, outputs)
            assert (p >= 0).all()


@pytest.mark.parametrize("arguments", NARROW)
@pytest.mark.parametrize("format", [torch.contiguous_format, torch.channels_last])
def test_a_photograph_scores_the_same_alone_and_in_a_batch(arguments, format):
    net = learned(APM(backbone(*arguments), 10, hidden=32)).eval().to(memory_format=format)
    with torch.no_grad():
        for h, w in [(64, 64), (64, 96), (96, 64), (70, 101)]:
            x = photographs(5, h, w).to(memory_format=format)
            together = net(x)
            alone = torch.cat([net(one[None]) for one in x])
            assert together.std() > 1e-4
            assert (together - alone).abs().max() <= 1e-5


def test_memory_formats_agree():
    net = learned(APM(backbone("resnet-narrow", 8, 2), 10, hidden=16)).eval()
    x = photographs()
    with torch.no_grad():
        torch.testing.assert_close(
            net(x), net.to(memory_format=torch.channels_last)(x), atol=1e-5, rtol=1e-4
        )


def test_a_fresh_head_predicts_the_mean_distribution_for_everything():
    net = APM(backbone("vgg-narrow", 8, 2), 4, hidden=16)
    net.init_head([0.1, 0.2, 0.7, 0.0])
    p = net(photographs(3))
    # A bin that nobody used starts just above zero: at zero, ReLU would never let it go.
    assert p.tolist() == [pytest.approx([0.1, 0.2, 0.7, 0.001])] * 3
    losses.huber(p, torch.rand(3, 4)).backward()
    assert (net.head.fc2.bias.grad != 0).all()
    assert (net.head.fc2.weight.grad != 0).any(dim=1).all()


def test_the_mean_variant_starts_at_the_mean_score():
    net = APM(backbone("vgg-narrow", 8, 2), 1, hidden=16)
    net.init_head(5.38)
    assert net(photographs(2)).flatten().tolist() == pytest.approx([5.38, 5.38])


def test_a_start_of_the_wrong_length_is_refused():
    with pytest.raises(ValueError, match="7 values for 10 outputs"):
        Head(9, 4, 10).start_at([1 / 7] * 7)


def test_outputs_can_all_be_zero_and_then_have_no_gradient():
    net = APM(backbone("resnet-narrow", 8, 2), 10, hidden=16)
    net.head.start_at([0.1] * 10)
    net.head.fc2.bias.data.fill_(-1)
    p = net(photographs())
    assert torch.equal(p, torch.zeros(2, 10))
    losses.huber(p, torch.full((2, 10), 0.1)).backward()
    assert net.head.fc2.bias.grad.abs().sum() == 0


def test_rescaling_makes_inputs_of_order_one():
    inputs = []
    for rescale in (True, False):
        head = Head(900, 16, 10, rescale)
        head.fc1.register_forward_pre_hook(lambda m, x: inputs.append(x[0]))
        head(torch.rand(4, 900))
    rescaled, plain = (x.square().mean().sqrt().item() for x in inputs)
    assert rescaled == pytest.approx(1, rel=1e-4)
    assert plain == pytest.approx(1 / 30, rel=1e-4)


def test_the_head_forgets_the_scale_of_its_input():
    head = learned(Head(90, 16, 10))
    x = torch.rand(3, 90)
    torch.testing.assert_close(head(1000 * x), head(x), atol=1e-5, rtol=1e-4)


def test_gradients_reach_every_parameter():
    net = learned(APM(backbone("resnet-narrow", 8, 2), 10, hidden=16)).train()
    net.head.fc2.bias.data.fill_(1)
    losses.huber(net(photographs(4)), torch.full((4, 10), 0.1)).backward()
    without = [n for n, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


@pytest.mark.parametrize(
    "name", ["resnet18:layer2", "vgg11:conv3", "resnet-narrow", "vgg-narrow"]
)
def test_recomputing_gives_the_same_gradients_from_less_memory(name):
    torch.manual_seed(0)
    net = APM(backbone(name, width=8), 5, 16).train()
    x = torch.rand(2, 3, 64, 96)
    kept, gradients = [], []
    for recompute in (False, True):
        net.backbone.recompute = recompute
        net.zero_grad()
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda t, sizes=sizes: sizes.append(t.numel()) or t, lambda t: t
        ):
            net(x).sum().backward()
        kept.append(sum(sizes))
        gradients.append([p.grad.clone() for p in net.parameters()])
    assert all(map(torch.equal, *gradients))
    assert kept[1] < 0.8 * kept[0]


def test_half_precision_stays_inside_the_backbone():
    torch.manual_seed(0)
    net = APM(backbone("resnet-narrow"), 5, 16).eval()
    x = torch.rand(2, 3, 64, 96)
    exact = net(x)
    net.backbone.bfloat16 = True
    assert net.backbone(x).dtype == net(x).dtype == torch.float32
    rough = net(x)
    assert not torch.equal(rough, exact)
    assert torch.allclose(rough, exact, rtol=0.05, atol=0.02)


def test_batch_norm_keeps_its_statistics_while_the_rest_trains():
    net = learned(APM(backbone("resnet-narrow", 8, 2), 10)).train()
    net.head.fc2.bias.data.fill_(1)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    net(photographs()).square().sum().backward()
    optimizer.step()
    after = net.state_dict()
    assert all(torch.equal(before[k], after[k]) for k in before if "running" in k)
    assert not torch.equal(before["backbone.bn1.weight"], after["backbone.bn1.weight"])
    assert net.training and net.head.training
    x = photographs(3)
    torch.testing.assert_close(net(x)[:1], net(x[:1]), atol=1e-5, rtol=1e-4)


def test_batch_norm_trains_where_asked_and_in_the_classifier():
    for net in (
        APM(backbone("resnet-narrow", 8, 2), 10, freeze_norm=False),
        Classifier(backbone("vgg-narrow", 8, 2), 5),
    ):
        norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
        assert all(m.training for m in norms)
        net.eval()
        assert not any(m.training for m in norms)
        net.train()
        assert all(m.training for m in norms)


def test_classifier_gives_logits():
    net = Classifier(backbone("resnet-narrow", 8, 2), 30).eval()
    with torch.no_grad():
        assert net(photographs(2, 64, 64)).shape == (2, 30)


@pytest.mark.parametrize("n, how", [(1, "max"), (2, "average"), (4, "max")])
def test_grid_and_pooling_are_choices(n, how):
    net = APM(backbone("resnet-narrow", 8, 2), 10, hidden=16, n=n, how=how)
    assert net.head.fc1.in_features == 8 * n * n
    assert net(photographs()).shape == (2, 10)


@pytest.mark.parametrize("name", ["vgg16", "resnet101"])
def test_the_paper_s_networks_take_a_step_at_500_pixels(name):
    net = APM(backbone(name), 10, hidden=2048)
    net.init_head([0.1] * 10)
    net.train().to(memory_format=torch.channels_last)
    x = photographs(1, 500, 500).to(memory_format=torch.channels_last)
    loss = losses.huber(net(x), torch.eye(10)[5:6])
    loss.backward()
    before = net.head.fc2.bias.detach().clone()
    torch.optim.SGD(net.parameters(), lr=0.01).step()
    assert not torch.equal(before, net.head.fc2.bias)
    assert net.head.fc1.in_features == {"vgg16": 512, "resnet101": 2048}[name] * 9


# --- Weights --------------------------------------------------------------------------------


def test_a_saved_model_loads_and_scores_alike(tmp_path):
    net = learned(APM(backbone("resnet-narrow", 8, 2), 10, hidden=16)).eval()
    save_file(net.state_dict(), tmp_path / "weights.safetensors")
    other = APM(backbone("resnet-narrow", 8, 2), 10, hidden=16).eval()
    load_weights(other, tmp_path)
    x = photographs()
    assert torch.equal(net(x), other(x))


def test_weights_of_another_network_are_named(tmp_path):
    file = tmp_path / "weights.safetensors"
    save_file(APM(backbone("resnet-narrow", 8, 2), 10, hidden=16).state_dict(), file)
    with pytest.raises(
        InputError, match=r"another shape: .*fc2.bias \(10,\) for \(7,\)"
    ) as error:
        load_weights(APM(backbone("resnet-narrow", 8, 2), 7, hidden=16), file)
    assert str(error.value).startswith(f"{file}: ")
    assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="missing: .*layer2.0.*; check"):
        load_weights(APM(backbone("resnet-narrow", 8, 3), 10, hidden=16), file)


def test_a_backbone_goes_on_from_a_classifier_or_another_run(tmp_path):
    for net in (
        Classifier(backbone("vgg-narrow", 8, 2), 30),
        APM(backbone("vgg-narrow", 8, 2), 1),
    ):
        learned(net)
        save_file(net.state_dict(), tmp_path / "weights.safetensors")
        fresh = backbone("vgg-narrow", 8, 2)
        load_backbone(fresh, tmp_path)
        assert all(
            torch.equal(v, net.backbone.state_dict()[k]) for k, v in fresh.state_dict().items()
        )


@pytest.mark.parametrize(
    "name, cut", [("resnet18", "layer2"), ("vgg11", "conv3"), ("vgg11", "pool3")]
)
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_whole_networks_weights_load_into_its_part(tmp_path, name, cut, suffix):
    state = {k: v for k, v in backbone(name).state_dict().items() if "batches" not in k}
    state |= {"fc.weight": torch.zeros(1000, 1), "classifier.0.bias": torch.zeros(7)}
    file = tmp_path / f"whole{suffix}"
    save_file(state, file) if suffix == ".safetensors" else torch.save(state, file)
    part = backbone(f"{name}:{cut}")
    load_backbone(part, file)
    assert all(torch.equal(v, state[k]) for k, v in part.state_dict().items() if k in state)


def test_too_little_and_foreign_weights_are_named(tmp_path):
    file = tmp_path / "part.safetensors"
    save_file(backbone("resnet18:layer2").state_dict(), file)
    with pytest.raises(InputError, match="missing: layer3.0.bn1.bias.* and 19 more"):
        load_backbone(backbone("resnet18:layer3"), file)
    with pytest.raises(InputError, match="missing: features.0.bias.*unexpected: bn1.bias"):
        load_backbone(backbone("vgg11"), file)


def test_supplied_imagenet_weights_fit_their_cut_and_no_more(weights):
    net = backbone("resnet18:layer3")
    load_backbone(net, weights)
    # Folded batch norm: in eval mode it must be the identity but for its shift.
    norm = net.bn1
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    torch.testing.assert_close(scale, torch.ones(64), atol=1e-5, rtol=0)
    load_backbone(backbone("resnet18:layer1"), weights)
    with pytest.raises(InputError, match="missing: layer4.0"):
        load_backbone(backbone("resnet18"), weights)
    model = APM(net, 7, hidden=16)
    model.init_head([1 / 7] * 7)
    with torch.no_grad():
        assert model(photographs(1, 200, 250)).shape == (1, 7)


@pytest.mark.parametrize("content", [b"", b"not weights", b"\x80\x02K\x01."])
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_what_holds_no_weights_gets_one_line(tmp_path, content, suffix):
    file = tmp_path / f"broken{suffix}"
    file.write_bytes(content)
    with pytest.raises(InputError, match="broken") as error:
        load_backbone(backbone("resnet-narrow", 8, 2), file)
    assert "\n" not in str(error.value)


def test_missing_weights_get_one_line(tmp_path):
    with pytest.raises(InputError, match="none: no such file"):
        load_backbone(backbone("resnet-narrow", 8, 2), tmp_path / "none")


def test_imagenet_without_a_network_says_which_file_goes_where(tmp_path, monkeypatch):
    from urllib.error import URLError

    def offline(*args, **kwargs):
        raise URLError("no route")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    with pytest.raises(InputError) as error:
        load_backbone(backbone("resnet18:layer1"), "imagenet")
    message = str(error.value)
    assert message.startswith(f"{tmp_path}/checkpoints/resnet18-f37072fd.pth: ")
    assert "download https://download.pytorch.org/models/resnet18-f37072fd.pth" in message
    with pytest.raises(InputError, match="no ImageNet weights exist"):
        load_backbone(backbone("vgg-narrow", 8, 2), "imagenet")


# --- Choices of the experiments, and the student ----------------------------------------------


@pytest.mark.parametrize("last", ["l1", "softmax"])
def test_normalising_last_layers_give_distributions(last):
    head = learned(Head(9, 16, 5, last=last))
    p = head(torch.rand(4, 9))
    torch.testing.assert_close(p.sum(dim=1), torch.ones(4))
    head.start_at([0.1, 0.2, 0.3, 0.2, 0.2])
    torch.testing.assert_close(
        head(torch.rand(1, 9))[0], torch.tensor([0.1, 0.2, 0.3, 0.2, 0.2])
    )
    with pytest.raises(InputError, match="tanh.*relu, l1, softmax"):
        Head(9, 16, 5, last="tanh")


def test_without_the_norm_the_scale_of_the_features_matters():
    x = torch.rand(3, 9)
    without = learned(Head(9, 16, 5, l2=False))
    assert torch.equal(without.scaled(x), x)
    assert not torch.allclose(without(10 * x), without(x))


def test_a_student_starts_at_the_mean_soft_target_and_keeps_batch_norm():
    net = Student(backbone("resnet-narrow", 8, 2), 6)
    target = torch.tensor([0.5, 0.2, 0.1, 0.1, 0.05, 0.05])
    net.init_head(target)
    torch.testing.assert_close(net(photographs(2)).softmax(dim=1), target.repeat(2, 1))
    assert net.fc.in_features == 8 * 9
    norms = [m for m in net.train().modules() if isinstance(m, nn.BatchNorm2d)]
    assert not any(m.training for m in norms)


def test_a_carried_model_lacks_the_new_branch_alone(tmp_path):
    one = learned(APM(backbone("resnet-narrow", 8, 2), 5, 16))
    save_file(one.state_dict(), tmp_path / "weights.safetensors")
    two = Fusion(backbone("resnet-narrow", 8, 2), 5, 16)
    assert [head for head, _ in load_carried(two, tmp_path)] == [two.second]
    x = photographs(2)
    torch.testing.assert_close(two.eval().branches(x)[:, 0], one.eval()(x))
    save_file(two.state_dict(), tmp_path / "weights.safetensors")
    assert load_carried(Fusion(backbone("resnet-narrow", 8, 2), 5, 16), tmp_path) == []
    with pytest.raises(InputError, match="unexpected: second"):
        load_carried(one, tmp_path)
