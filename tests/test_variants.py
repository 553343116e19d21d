import pytest
import torch

from apmlib import evaluation, images, losses, training, variants
from apmlib.errors import InputError


def test_settings_are_the_profile_then_the_variant_then_the_overrides():
    base = variants.settings("vgg-imn-dist", "laptop")
    assert base["backbone"] == "vgg-narrow"
    assert (base["loss"], base["target"]) == ("huber", "dist")
    changed = variants.settings(
        "vgg-imn-dist", "laptop", {"epochs": "2.5", "batch": "8", "flips": "no"}
    )
    assert (changed["epochs"], changed["batch"], changed["flips"]) == (2.5, 8, False)
    assert {key for key in base if base[key] != changed[key]} == {"epochs", "batch", "flips"}


def test_one_setting_selects_any_backbone():
    chosen = variants.settings("resnet-imn-dist", "smoke", {"backbone": "resnet18:layer3"})
    assert chosen["backbone"] == "resnet18:layer3"


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"epoch": "3"}, ("--set epoch", "epochs")),
        ({"target": "mean"}, ("--set target", "no such setting")),
        ({"batch": "many"}, ("--set batch=many", "int")),
        ({"batch": "8.5"}, ("--set batch=8.5", "int")),
        ({"flips": "perhaps"}, ("--set flips=perhaps", "bool")),
    ],
)
def test_a_wrong_override_is_named(overrides, words):
    with pytest.raises(InputError) as error:
        variants.settings("vgg-imn-dist", "smoke", overrides)
    assert all(word in str(error.value) for word in words)
    assert "\n" not in str(error.value)


def test_wrong_names_list_the_right_ones():
    with pytest.raises(InputError, match="resnet-imn-dist"):
        variants.settings("resnet-dist", "smoke")
    with pytest.raises(InputError, match="laptop"):
        variants.settings("resnet-imn-dist", "desktop")


@pytest.mark.parametrize("name", ["vgg-imn-dist", "resnet-imn-dist", "vgg-imn-mean"])
def test_the_full_profile_is_the_papers(name):
    full = variants.settings(name, "full")
    assert (full["side"], full["batch"], full["rate"]) == (500, 128, 1e-3)
    assert (full["momentum"], full["weight_decay"], full["delta"]) == (0.9, 5e-4, 1 / 9)
    assert full["backbone"] == ("vgg16" if name.startswith("vgg") else "resnet101")
    rates = [training.schedule(step, 60_000, full) for step in (0, 19_999, 20_000, 59_999)]
    assert rates == pytest.approx([1, 1, 0.1, 0.01])


def test_huber_and_euclidean_rows_take_steps_of_the_same_size():
    p, g = torch.tensor([[0.3, 0.7]]), torch.tensor([[0.32, 0.68]])  # errors within delta
    values = [
        training.loss_function(variants.settings(name, "laptop"))(p, g)
        for name in ("vgg-imn-dist", "vgg-imn-dist-eucl")
    ]
    assert values[0].item() == pytest.approx(values[1].item())
    assert values[0].item() == pytest.approx(9 * losses.euclidean(p, g).item())


@pytest.mark.parametrize("profile", ["smoke", "laptop"])
@pytest.mark.parametrize("name", variants.VARIANTS)
def test_every_variant_builds_and_fits_its_photographs(profile, name):
    config = {"settings": variants.settings(name, profile), "bins": 10}
    net = evaluation.build(config).eval()
    side = config["settings"]["side"]
    p = net(torch.zeros(1, 3, side, side + 20))
    assert p.shape == (1, 1 if name.endswith("mean") else 10)


@pytest.mark.parametrize("name", ["vgg-imn-dist", "resnet-imn-dist"])
def test_the_full_profile_takes_a_step(name):
    settings = variants.settings(name, "full", {"steps": 1, "interval": 0})
    net = evaluation.build({"settings": settings, "bins": 10})
    net.init_head(torch.full((10,), 0.1))
    shown = images.Photographs([], 500)
    shown.tensors = [torch.zeros(3, 500, 500, dtype=torch.uint8)]
    shown.paths, shown.shapes = ["one"], [(500, 500)]
    before = net.head.fc2.bias.detach().clone()
    target = torch.eye(10)[:1]
    state = training.fit(net, training.loss_function(settings), shown, target, settings)
    assert state["step"] == 1
    assert (net.head.fc2.bias != before).all()
