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
    config = {"settings": variants.settings(name, profile), "bins": 10, "shown": 30}
    net = evaluation.build(config).eval()
    side = config["settings"]["side"]
    p = net(torch.zeros(1, 3, side, side + 20))
    assert p.shape == (1, 1 if config["settings"]["target"] == "mean" else 10)


@pytest.mark.parametrize("name", ["vgg-imn-dist", "resnet-imn-dist"])
def test_the_full_profile_takes_a_step(name):
    settings = variants.settings(name, "full", {"steps": 1, "interval": 0})
    net = evaluation.build({"settings": settings, "bins": 10, "shown": 30})
    net.init_head(torch.full((10,), 0.1))
    shown = images.Photographs([], 500)
    shown.tensors = [torch.zeros(3, 500, 500, dtype=torch.uint8)]
    shown.paths, shown.shapes = ["one"], [(500, 500)]
    before = net.head.fc2.bias.detach().clone()
    target = torch.eye(10)[:1]
    state = training.fit(net, training.loss_function(settings), shown, target, settings)
    assert state["step"] == 1
    assert (net.head.fc2.bias != before).all()


def test_the_table_is_the_papers_and_every_variant_is_listed_once():
    listed = (*variants.TABLE, *variants.CONTROLS, *variants.EXPERIMENTS)
    objects = ("objects-vgg", "objects-resnet")
    assert sorted((*listed, *objects)) == sorted(variants.VARIANTS)
    assert len(variants.TABLE) == 7
    for i, name in enumerate(variants.TABLE):  # in order of dependence
        assert set(variants.ancestors(name)) <= {*objects, *variants.TABLE[:i]}


def test_an_experiment_changes_what_it_says_and_no_more():
    base = variants.settings("resnet-imn-dist", "laptop")
    for name in variants.EXPERIMENTS:
        chosen = variants.settings(name, "laptop")
        if name.startswith("resnet"):
            assert 1 <= sum(base[key] != chosen[key] for key in base) <= 2, name
    assert variants.settings("resnet-imn-dist-grid4", "laptop")["n"] == 4
    assert variants.settings("vgg-imn-dist-1", "laptop")["scale"] == "paper"


@pytest.mark.parametrize("profile", variants.PROFILES)
def test_controls_are_trained_as_long_as_what_they_control(profile):
    def length(*names):
        chosen = [variants.settings(name, profile) for name in names]
        return [sum(item[key] for item in chosen) for key in ("epochs", "steps")]

    assert length("resnet-imn-dist-longer") == length("resnet-ava-semantic", "resnet-ava-dist")
    for name in ("resnet-ava-dist-longer", "resnet-ava-dist-two"):
        assert length(name) == length("resnet-ava-dist-m")
    for name in ("resnet-ava-semantic", "resnet-ava-dist"):
        assert length(f"{name}-permuted") == length(name)


def test_only_the_same_target_is_carried_on_whole():
    going_on = {name for name in variants.VARIANTS if variants.goes_on(name)}
    assert going_on == {"resnet-ava-dist-m", "resnet-ava-dist-longer", "resnet-ava-dist-two"}


def test_what_shapes_shared_layers_is_handed_down():
    given = {"width": 8, "side": 128, "n": 2, "hidden": 32, "epochs": 1}
    assert variants.handed_down("resnet-imn-dist", "laptop", given) == {"width": 8}
    semantic = variants.handed_down("resnet-ava-dist", "laptop", given)
    assert semantic == {"width": 8, "side": 128, "n": 2}
    whole = variants.handed_down("resnet-ava-dist-m", "laptop", given)
    assert whole == {"width": 8, "side": 128, "n": 2, "hidden": 32}
