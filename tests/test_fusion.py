import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from apmlib import evaluation, fusion, losses, model, ratings, training, variants
from apmlib.errors import InputError
from tests import tiny


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    return ratings.read(tiny.rated(tmp_path_factory.mktemp("rated") / "root"))


@pytest.fixture(scope="module")
def first(collection, tmp_path_factory):
    """A finished run of one branch."""
    out = tmp_path_factory.mktemp("runs") / "dist"
    return train(collection, out, "resnet-ava-dist")


def train(collection, out, variant="resnet-ava-dist-m", init=None, **changes):
    overrides = {**tiny.SMALL, **changes}
    return training.train(variant, collection, out, "smoke", overrides=overrides, init=init)


def net(n2=1):
    result = fusion.Fusion(model.backbone("resnet-narrow", 4, 2), 5, 16, n2)
    for parameter in result.parameters():
        parameter.data += 0.05 * torch.rand_like(parameter)
    return result


def test_fusion_is_the_weighted_average_of_normalised_predictions():
    p1, p2 = torch.tensor([[2.0, 2.0], [0.0, 0.0]]), torch.tensor([[0.0, 3.0], [1.0, 0.0]])
    fused = fusion.fuse(p1, p2, 0.75)
    assert torch.allclose(fused, torch.tensor([[0.375, 0.625], [0.625, 0.375]]))
    assert torch.equal(fusion.fuse(p1, p2, 1.0), torch.full((2, 2), 0.5))
    assert torch.equal(fusion.fuse(p1, p2, 0.0), torch.tensor([[0.0, 1.0], [1.0, 0.0]]))


@pytest.mark.parametrize("n2", [1, 3])
def test_training_sees_both_branches_and_evaluation_their_fusion(n2):
    two = net(n2)
    x = torch.rand(3, 3, 64, 70)
    assert two.second.fc1.in_features == two.backbone.channels * n2**2
    both = two.train()(x)
    assert both.shape == (3, 2, 5)
    two.eval()
    two.w.fill_(0.3)
    expected = fusion.fuse(both[:, 0], both[:, 1], 0.3)
    assert torch.allclose(two(x), expected, atol=1e-6)


def test_the_gradient_is_the_sum_of_both_losses_gradients():
    two, x, g = net().train(), torch.rand(3, 3, 64, 64), torch.full((3, 5), 0.2)
    fusion.summed(losses.huber)(two(x), g).backward()
    together = [parameter.grad.clone() for parameter in two.parameters()]
    two.zero_grad()
    for branch in range(2):
        losses.huber(two.branches(x)[:, branch], g).backward()
    for one, other in zip(together, two.parameters(), strict=True):
        assert torch.allclose(one, other.grad, atol=1e-6)


@pytest.mark.parametrize("name", ["huber", "euclidean", "emd", "kl"])
def test_the_better_branch_gets_the_weight(name):
    loss = getattr(losses, name)
    g = torch.rand(200, 5).softmax(dim=1)
    wrong = torch.rand(200, 5).softmax(dim=1)
    assert fusion.learn_weight(wrong, g, g, loss)["w"] == 0
    assert fusion.learn_weight(g, wrong, g, loss)["w"] == 1


def test_two_equally_wrong_branches_share_the_weight_and_the_curve_says_so():
    g = torch.full((500, 5), 0.2)
    p1, p2 = g + 0.05 * torch.randn(500, 5), g + 0.05 * torch.randn(500, 5)
    loss = losses.euclidean
    found = fusion.learn_weight(p1, p2, g, loss)
    assert found["low"] <= found["w"] <= found["high"]
    assert 0.4 < found["low"] and found["high"] < 0.6
    assert len(found["curve"]) == 101
    assert found["curve"][0] == pytest.approx(loss(fusion.fuse(p1, p2, 0), g).item())
    assert found["curve"][37] == pytest.approx(loss(fusion.fuse(p1, p2, 0.37), g).item())
    assert np.argmin(found["curve"]) == round(100 * found["w"])


def test_new_layers_have_the_full_rate_and_the_rest_a_tenth():
    chosen = variants.settings("resnet-ava-dist-m", "full", {"backbone": "resnet18:layer1"})
    two = evaluation.build({"settings": chosen, "bins": 5})
    of = {
        id(parameter): group["rate"]
        for group in training.parameter_groups(two, chosen)
        for parameter in group["params"]
    }
    for name, parameter in two.named_parameters():
        expected = 1e-3 if name.startswith("second.") else 1e-4
        assert of[id(parameter)] == pytest.approx(expected), name


def test_the_first_branch_starts_as_the_finished_run(collection, first, tmp_path):
    frozen = {"rate": 0.0, "backbone_rate": 0.0}
    run = train(collection, tmp_path / "m", init=first, **frozen)
    p1, p2 = evaluation.branches(run, collection)
    before = evaluation.distributions(evaluation.predict(first, collection))
    assert np.abs(p1 - before).max() < 1e-5
    mean = collection.split("train").distributions.mean(axis=0)
    assert np.abs(p2 - mean).max() < 1e-3  # the second starts at the constant
    with pytest.raises(InputError, match="one branch"):
        evaluation.branches(first, collection)


def test_the_weight_is_learnt_on_validation_and_kept(collection, first, tmp_path):
    run = train(collection, tmp_path / "m", init=first)
    learned = json.loads((run / "config.json").read_text())["trained"]["fusion"]
    assert load_file(run / "weights.safetensors")["w"] == pytest.approx(learned["w"])
    val = collection.split("val")
    p1, p2 = (torch.tensor(p, dtype=torch.float32) for p in evaluation.branches(run, val))
    g = torch.tensor(val.distributions, dtype=torch.float32)
    loss = training.loss_function(evaluation.read_config(run)["settings"])
    again = fusion.learn_weight(p1, p2, g, loss)
    assert again["w"] == pytest.approx(learned["w"], abs=0.011)
    assert again["curve"] == pytest.approx(learned["curve"], rel=1e-3)
    fused = fusion.fuse(p1, p2, learned["w"]).numpy()
    predicted = evaluation.distributions(evaluation.predict(run, val))
    assert np.abs(predicted - fused).max() < 1e-5


def test_without_validation_the_weight_stays_one_half(collection, first, tmp_path):
    run = train(collection, tmp_path / "m", init=first, select="last")
    learned = json.loads((run / "config.json").read_text())["trained"]["fusion"]
    assert learned == {"w": 0.5, "low": None, "high": None, "curve": None}
    assert load_file(run / "weights.safetensors")["w"] == 0.5


def test_a_ridge_start_weighs_the_branches_on_folds(collection, first, tmp_path):
    run = train(collection, tmp_path / "m", init=first, select="last", ridge=True)
    learned = json.loads((run / "config.json").read_text())["trained"]["fusion"]
    assert load_file(run / "weights.safetensors")["w"] == pytest.approx(learned["w"])
    curve = np.array(learned["curve"])
    assert learned["w"] == pytest.approx(curve.argmin() / 100)
    assert 0 <= learned["low"] <= learned["w"] <= learned["high"] <= 1
    # Each end is the loss of one regression alone: neither is as bad as the constant.
    rows = collection.table["split"].isin(["train", "val"])
    g = torch.tensor(collection.distributions[rows], dtype=torch.float32)
    loss = training.loss_function(evaluation.read_config(run)["settings"])
    constant = loss(g.mean(dim=0).expand_as(g), g)
    assert max(curve[0], curve[-1]) < constant


def test_a_start_of_another_target_gives_its_convolutions_only(collection, tmp_path):
    task = training.read_objects(tiny.objects(tmp_path / "objects"))
    start = training.train(
        "objects-resnet", task, tmp_path / "first", "smoke", overrides=tiny.SMALL
    )
    run = train(collection, tmp_path / "m", init=start, backbone_rate=0.0, weight_decay=0.0)
    before, after = (load_file(path / "weights.safetensors") for path in (start, run))
    shared = [name for name in before if name.startswith("backbone.")]
    assert all(torch.equal(before[name], after[name]) for name in shared)


def test_a_mean_has_no_branches(collection, tmp_path):
    with pytest.raises(InputError, match="no branches"):
        train(collection, tmp_path / "m", "vgg-imn-mean", branch=1)
