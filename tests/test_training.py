import json

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torchvision import models

from apmlib import evaluation, images, losses, parallel, ratings, training, variants
from apmlib.errors import InputError
from tests import tiny


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    return ratings.read(tiny.rated(tmp_path_factory.mktemp("rated") / "root"))


def settings(**changes):
    return variants.settings("resnet-imn-dist", "smoke", {**tiny.SMALL, **changes})


def train(collection, out, variant="resnet-imn-dist", restart=False, init=None, **changes):
    overrides = {**tiny.SMALL, **changes}
    return training.train(
        variant, collection, out, "smoke", overrides=overrides, restart=restart, init=init
    )


# --- parts of the loop


def test_the_cycle_rises_to_one_and_falls_to_nothing():
    chosen = {"schedule": "cycle", "warmup": 0.1}
    rates = [training.schedule(step, 1000, chosen) for step in range(1000)]
    assert rates[0] < 0.02
    assert max(rates) == rates[100] == 1
    assert np.all(np.diff(rates[:101]) > 0) and np.all(np.diff(rates[100:]) < 0)
    assert 0 < rates[-1] < 1e-5


def test_flip_mirrors_the_chosen_photographs_left_to_right():
    batch = torch.arange(3 * 3 * 2 * 4).reshape(3, 3, 2, 4)
    flipped = training.flip(batch, torch.tensor([True, False, True]))
    assert torch.equal(flipped[1], batch[1])
    assert flipped[0, 0, 0].tolist() == [3, 2, 1, 0] and flipped[0, 0, 1].tolist() == [
        7,
        6,
        5,
        4,
    ]
    assert torch.equal(flipped[2], batch[2].flip(-1))


def test_biases_have_no_weight_decay_and_each_part_its_rate():
    chosen = settings(rate=0.5, backbone_rate=0.1, frozen="layer1")
    net = evaluation.build({"settings": chosen, "bins": 5})
    training.freeze(net.backbone, chosen["frozen"])
    groups = training.parameter_groups(net, chosen)
    of = {id(p): group for group in groups for p in group["params"]}
    for name, parameter in net.named_parameters():
        if name.startswith(("backbone.conv1", "backbone.bn1", "backbone.layer1")):
            assert id(parameter) not in of and not parameter.requires_grad
            continue
        group = of[id(parameter)]
        assert group["rate"] == (0.1 if name.startswith("backbone.") else 0.5)
        assert group["weight_decay"] == (5e-4 if parameter.ndim > 1 else 0)


def test_freezing_what_is_not_there_is_an_error():
    net = evaluation.build({"settings": settings(), "bins": 5})
    with pytest.raises(InputError, match="layer7.*maxpool, layer1"):
        training.freeze(net.backbone, "layer7")


def test_an_unknown_loss_is_named():
    with pytest.raises(InputError, match="quadratic.*huber"):
        training.loss_function(settings(loss="quadratic"))


# --- the loop


def test_32_photographs_are_learnt_by_heart_in_300_steps(collection):
    part = collection.table.iloc[:32]
    chosen = settings(width=12, hidden=64, batch=16, steps=300, flips=False)
    torch.manual_seed(0)
    net = evaluation.build({"settings": chosen, "bins": 5})
    shown = images.Photographs(list(part["path"]), 64)
    g = torch.tensor(collection.distributions[:32], dtype=torch.float32)
    net.init_head(g.mean(0))
    loss = training.loss_function(chosen)
    start = loss(evaluation.outputs(net, shown), g).item()
    training.fit(net, loss, shown, g, chosen)
    assert loss(evaluation.outputs(net, shown), g).item() < 0.05 * start


def test_too_little_memory_is_one_line_that_says_what_to_set(collection, tmp_path, monkeypatch):
    def fit(*given):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")

    monkeypatch.setattr(training, "fit", fit)
    with pytest.raises(InputError, match="hold 8 photographs; .*at_once=4.*recompute=true"):
        train(collection, tmp_path / "run", at_once=8, batch=16)


def test_groups_of_unequal_size_give_the_gradient_of_the_whole_batch(collection):
    """Seven photographs of one shape as one batch, and as groups of 1, 4 and 2."""
    part = collection.table.iloc[::3][:7]
    shown = images.Photographs(list(part["path"]), 64)
    assert len(set(shown.shapes)) == 1
    g = torch.tensor(collection.distributions[::3][:7], dtype=torch.float32)
    loss, gradients, values = training.loss_function(settings()), [], []
    for sizes in ([7], [1, 4, 2]):
        torch.manual_seed(0)
        net = evaluation.build({"settings": settings(width=12), "bins": 5}).train()
        groups = np.split(np.arange(7), np.cumsum(sizes)[:-1])
        (mine,) = parallel.deal(groups, shown.shapes, 1)
        loaded = images.loaded(shown, groups)
        value, p = training.backward(net, loss, g, mine, loaded, None, parallel.engine())
        assert p.shape == (7, 5)
        values.append(value.item())
        gradients.append([parameter.grad for parameter in net.parameters()])
    assert values[0] == pytest.approx(values[1], rel=1e-5)
    for whole, summed in zip(*gradients, strict=True):
        assert torch.allclose(whole, summed, rtol=1e-3, atol=1e-6)
        assert whole.abs().max() > 0


@pytest.mark.parametrize("interval", [0, 3])
def test_an_interrupted_run_goes_on_to_the_same_weights(
    collection, tmp_path, monkeypatch, interval
):
    whole = train(collection, tmp_path / "whole", epochs=3, interval=interval)
    calls, huber = [], losses.huber

    def breaking(*args, **kwargs):
        calls.append(1)
        if len(calls) == 11:
            raise RuntimeError("power cut")
        return huber(*args, **kwargs)

    monkeypatch.setattr(losses, "huber", breaking)
    with pytest.raises(RuntimeError, match="power cut"):
        train(collection, tmp_path / "parts", epochs=3, interval=interval)
    state = torch.load(tmp_path / "parts" / "state.pt", weights_only=True)
    assert 0 < state["step"] < 9
    assert not (tmp_path / "parts" / "weights.safetensors").exists()
    monkeypatch.setattr(losses, "huber", huber)
    parts = train(collection, tmp_path / "parts", epochs=3, interval=interval)
    for name in ("weights.safetensors", "history.csv", "predictions.csv", "metrics.json"):
        assert (whole / name).read_bytes() == (parts / name).read_bytes(), name


def test_the_kept_weights_are_those_of_the_lowest_validation_loss(collection):
    chosen = settings(epochs=4)
    net = evaluation.build({"settings": chosen, "bins": 5})
    shown = images.Photographs(list(collection.table["path"]), 64)
    g = torch.tensor(collection.distributions, dtype=torch.float32)
    weights, values = [], iter([0.4, 0.2, 0.3, 0.5])

    def check(net):
        weights.append(net.head.fc2.bias.detach().clone())
        return {"val_loss": next(values), "val_rho": 0.0}

    loss = training.loss_function(chosen)
    state = training.fit(net, loss, shown, g, chosen, check=check)
    assert state["best"]["val_loss"] == 0.2
    assert torch.equal(net.head.fc2.bias, weights[1])


def test_a_loss_that_is_no_number_ends_the_training_with_one_line(collection):
    chosen = settings()
    net = evaluation.build({"settings": chosen, "bins": 5})
    shown = images.Photographs(list(collection.table["path"][:8]), 64)
    g = torch.full((8, 5), torch.nan)
    with pytest.raises(InputError, match="loss is nan.*--set rate"):
        training.fit(net, training.loss_function(chosen), shown, g, chosen)


# --- the run folder


def test_a_run_folder_holds_all_that_is_needed(collection, tmp_path):
    run = train(collection, tmp_path / "run")
    names = {path.name for path in run.iterdir()}
    assert names == {
        "config.json",
        "weights.safetensors",
        "history.csv",
        "metrics.json",
        "predictions.csv",
        "train.csv",
    }
    config = json.loads((run / "config.json").read_text())
    assert config["variant"] == "resnet-imn-dist"
    assert config["data"] == collection.fingerprint
    assert config["bins"] == 5
    assert config["preprocessing"]["side"] == 64
    assert sum(config["trained"]["mean_distribution"]) == pytest.approx(1)
    history = pd.read_csv(run / "history.csv")
    assert tuple(history.columns) == training.HISTORY
    assert history["step"].tolist() == [3, 6] and history["epoch"].tolist() == [1, 2]
    assert history["val_loss"].notna().all()
    table = pd.read_csv(run / "train.csv")
    assert table["image"].tolist() == collection.split("train").table.index.tolist()
    assert table["sha256"].str.len().eq(64).all()
    assert table["mean"].to_numpy() == pytest.approx(collection.split("train").means)
    assert "backbone.conv1.weight" in load_file(run / "weights.safetensors")
    metrics = json.loads((run / "metrics.json").read_text())
    assert (metrics["split"], metrics["n"]) == ("test", 8)
    assert len(pd.read_csv(run / "predictions.csv")) == 8


def test_a_finished_run_is_reused(collection, tmp_path, monkeypatch):
    run = train(collection, tmp_path / "run")
    monkeypatch.setattr(training, "fit", None)  # would fail if it were called
    assert train(collection, tmp_path / "run") == run


def test_another_run_in_the_folder_is_an_error_unless_restarted(collection, tmp_path):
    run = train(collection, tmp_path / "run")
    before = (run / "weights.safetensors").read_bytes()
    with pytest.raises(InputError, match="another run.*epochs.*--restart") as error:
        train(collection, run, epochs=1)
    assert "\n" not in str(error.value)
    assert (run / "weights.safetensors").read_bytes() == before
    train(collection, run, epochs=1, restart=True)
    assert len(pd.read_csv(run / "history.csv")) == 1


def test_a_folder_of_something_else_is_left_alone(collection, tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(InputError, match="no run folder"):
        train(collection, tmp_path, restart=True)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_no_test_photograph_is_looked_at_before_the_weights_are_kept(
    collection, tmp_path, monkeypatch
):
    looked = []
    photographs = evaluation.photographs

    def recording(paths, side, view):
        looked.extend(paths)
        return photographs(paths, side, view)

    monkeypatch.setattr(evaluation, "photographs", recording)
    monkeypatch.setattr(evaluation, "measure", lambda run, data: None)
    train(collection, tmp_path / "run")
    used = collection.table[collection.table["split"] != "test"]
    assert sorted(looked) == sorted(used["path"])


def test_select_last_trains_on_validation_too(collection, tmp_path):
    run = train(collection, tmp_path / "run", select="last")
    used = collection.table[collection.table["split"] != "test"]
    assert pd.read_csv(run / "train.csv")["image"].tolist() == used.index.tolist()
    assert pd.read_csv(run / "history.csv")["val_loss"].isna().all()


def test_the_backbone_starts_from_the_objects_run(collection, tmp_path):
    task = training.read_objects(tiny.objects(tmp_path / "objects"))
    first = training.train(
        "objects-resnet",
        task,
        tmp_path / "first",
        "smoke",
        overrides={**tiny.SMALL, "epochs": 8},
    )
    metrics = json.loads((first / "metrics.json").read_text())
    assert metrics["accuracy"]["value"] > 0.8  # red and blue are easily told apart
    run = train(collection, tmp_path / "run", init=first, backbone_rate=0.0, weight_decay=0.0)
    before, after = (load_file(path / "weights.safetensors") for path in (first, run))
    shared = [name for name in before if name.startswith("backbone.")]
    assert shared
    assert all(torch.equal(before[name], after[name]) for name in shared)
    assert json.loads((run / "config.json").read_text())["init"] == evaluation.file_hash(
        first / "weights.safetensors"
    )


def test_a_variant_says_what_data_it_needs(collection, tmp_path):
    with pytest.raises(InputError, match="objects.csv"):
        train(collection, tmp_path / "run", variant="objects-vgg")
    with pytest.raises(InputError, match="objects.csv"):
        training.read_objects(collection.root)
    means = ratings.read(tiny.rated(tmp_path / "means", images=20, means=True))
    with pytest.raises(InputError, match="mean scores only.*vgg-imn-mean"):
        train(means, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_mean_variant_learns_from_mean_scores_alone(tmp_path):
    means = ratings.read(tiny.rated(tmp_path / "means", images=20, means=True))
    run = train(means, tmp_path / "run", variant="vgg-imn-mean")
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["cdloss"] is None and metrics["mse"]["value"] >= 0
    assert list(pd.read_csv(run / "predictions.csv")) == ["image", "mean"]


def test_the_full_profile_trains_from_a_state_dict(collection, tmp_path):
    """All that it sets, on a smaller network, photographs and batch."""
    weights = tmp_path / "resnet18.pth"
    torch.save(models.resnet18().state_dict(), weights)
    changed = {"backbone": "resnet18:layer2", "side": 64, "hidden": 16}
    changed |= {"batch": 10, "at_once": 3, "steps": 4, "interval": 2, "decay_every": 2}
    run = training.train(
        "resnet-imn-dist", collection, tmp_path / "run", "full", init=weights, overrides=changed
    )
    history = pd.read_csv(run / "history.csv")
    assert history["step"].tolist() == [2, 4]
    assert np.allclose(history["lr"], [1e-3, 1e-4])
    config = json.loads((run / "config.json").read_text())
    assert config["settings"]["bfloat16"] and config["settings"]["schedule"] == "step"
