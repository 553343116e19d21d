import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torchvision import models
from torchvision.transforms import functional

from apmlib import (
    distillation,
    evaluation,
    images,
    losses,
    model,
    ratings,
    training,
    variants,
)
from apmlib.errors import InputError
from tests import tiny


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    return ratings.read(tiny.rated(tmp_path_factory.mktemp("rated") / "root"))


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    task = training.read_objects(tiny.objects(tmp_path_factory.mktemp("task") / "objects"))
    out = tmp_path_factory.mktemp("runs") / "teacher"
    return training.train("objects-resnet", task, out, "smoke", overrides=tiny.SMALL)


def train(collection, out, teacher, variant="resnet-ava-semantic", **changes):
    overrides = {**tiny.SMALL, **changes}
    return training.train(
        variant, collection, out, "smoke", overrides=overrides, teacher=teacher
    )


def given(path, collection, classes=4, seed=0):
    """Soft targets of all photographs of the collection, in a file."""
    softmax = np.random.default_rng(seed).dirichlet([0.5] * classes, len(collection.table))
    distillation.write(path, list(collection.table.index), softmax)
    return path


# --- the teacher


def test_a_teacher_sees_the_square_that_it_was_trained_on(teacher, collection):
    paths = list(collection.table["path"][:7])
    found = distillation.soft_targets(teacher, paths)
    assert found.dtype == np.float32 and found.shape == (7, 2)
    net, config = evaluation.load(teacher)
    side = config["settings"]["side"]
    for path, row in zip(paths, found, strict=True):
        image = functional.resize(Image.open(path), side, functional.InterpolationMode.BICUBIC)
        x = functional.to_tensor(functional.center_crop(image, side))
        x = functional.normalize(x, images.MEAN, images.STD)
        with torch.no_grad():
            expected = net(x[None]).softmax(dim=1)[0].numpy()
        assert row == pytest.approx(expected, abs=1e-4)


def test_a_torchvision_teacher_uses_its_own_transforms(collection, monkeypatch):
    torch.manual_seed(0)
    theirs = models.resnet18()
    monkeypatch.setattr(model, "imagenet", lambda name: (theirs.state_dict(), Path(name)))
    path = collection.table["path"].iloc[0]
    found = distillation.soft_targets("imagenet:resnet18", [path])
    transform = models.ResNet18_Weights.IMAGENET1K_V1.transforms()
    with torch.no_grad():
        expected = theirs.eval()(transform(Image.open(path))[None]).softmax(dim=1)
    assert found == pytest.approx(expected.numpy(), abs=1e-5)
    assert distillation.classes("imagenet:resnet18") == 1000
    with pytest.raises(InputError, match="resnet999"):
        distillation.classes("imagenet:resnet999")


def test_an_aesthetic_run_is_no_teacher(collection, tmp_path):
    run = training.train(
        "resnet-imn-dist", collection, tmp_path / "run", "smoke", overrides=tiny.SMALL
    )
    with pytest.raises(InputError, match="names no objects"):
        distillation.soft_targets(run, list(collection.table["path"][:1]))


# --- soft targets


def test_written_soft_targets_are_read_in_any_order(tmp_path):
    softmax = np.random.default_rng(0).dirichlet([0.1] * 1000, 3)
    distillation.write(tmp_path / "soft.npz", ["a", "b", "c"], softmax)
    found = distillation.read(tmp_path / "soft.npz", ["c", "a"])
    assert found.dtype == np.float32
    assert found.sum(axis=1) == pytest.approx([1, 1], abs=1e-6)
    assert found == pytest.approx(softmax[[2, 0]], abs=1e-3)


@pytest.mark.parametrize(
    ("names", "softmax", "words"),
    [
        (["a"], [[0.5, 0.5]], "lacks 1 of 2 photographs .b."),
        (["a", "b", "a"], [[0.5, 0.5]] * 3, "holds a more than once"),
        (["a", "b"], [[0.5, 0.5]], "are not"),
        (["a", "b"], [0.5, 0.5], "are not"),
        (["a", "b"], [[0.5, 0.5], [0.9, 0.9]], "the row of b is no distribution"),
        (["a", "b"], [[1.5, -0.5], [0.5, 0.5]], "the row of a is no distribution"),
        (["a", "b"], [[np.nan, 0.5], [0.5, 0.5]], "the row of a is no distribution"),
        (["a", "b"], [[1, 0], [0, 1]], "int64"),
        ([1, 2], [[0.5, 0.5]] * 2, "not names"),
        (np.array(["a", "b"], dtype=object), [[0.5, 0.5]] * 2, "no soft targets"),
    ],
)
def test_what_are_no_soft_targets_is_one_line(tmp_path, names, softmax, words):
    file = tmp_path / "soft.npz"
    np.savez(file, image=names, softmax=softmax)
    with pytest.raises(InputError, match=words) as error:
        distillation.read(file, ["a", "b"])
    assert str(error.value).startswith(f"{file}: ") and "\n" not in str(error.value)
    assert "; " in str(error.value)


@pytest.mark.parametrize("content", [None, b"", b"no zip", b"PK\x03\x04broken"])
def test_files_of_something_else_are_one_line(tmp_path, content):
    file = tmp_path / "soft.npz"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError) as error:
        distillation.read(file, ["a"])
    assert str(error.value).startswith(f"{file}: ") and "\n" not in str(error.value)


def test_arrays_of_other_names_are_named(tmp_path):
    np.savez(tmp_path / "soft.npz", names=["a"], p=[[0.5, 0.5]])
    with pytest.raises(InputError, match="image and softmax"):
        distillation.read(tmp_path / "soft.npz", ["a"])


def test_permuted_rows_are_the_same_rows():
    softmax = np.random.default_rng(0).dirichlet([1] * 3, 50)
    dealt = distillation.permuted(softmax, seed=1)
    assert not np.array_equal(dealt, softmax)
    assert np.array_equal(np.sort(dealt, axis=0), np.sort(softmax, axis=0))
    assert {tuple(row) for row in dealt} == {tuple(row) for row in softmax}
    assert np.array_equal(dealt, distillation.permuted(softmax, seed=1))
    assert not np.array_equal(dealt, distillation.permuted(softmax, seed=2))


def test_entropy_is_nothing_for_the_certain_and_most_for_the_uniform():
    found = distillation.entropy(np.array([[1, 0, 0, 0], [0.25] * 4, [0.5, 0.5, 0, 0]]))
    assert found == pytest.approx([0, np.log(4), np.log(2)])


def test_real_soft_targets_are_read():
    if "APM_OASIS_ROOT" not in os.environ:
        pytest.skip("APM_OASIS_ROOT is not set")
    root = Path(os.environ["APM_OASIS_ROOT"])
    names = list(ratings.read(root).table.index)
    softmax = distillation.read(root / "teacher_softmax.npz", names)
    assert softmax.shape == (400, 1000)
    assert (distillation.entropy(softmax) < np.log(1000)).all()


# --- the student


def test_a_student_learns_the_soft_targets(collection, tmp_path):
    part = collection.table.iloc[:16]
    file = given(tmp_path / "soft.npz", collection)
    softmax = distillation.read(file, list(part.index))
    chosen = variants.settings(
        "resnet-ava-semantic",
        "smoke",
        {**tiny.SMALL, "width": 12, "steps": 300, "flips": False, "rate": 0.01},
    )
    torch.manual_seed(0)
    net = evaluation.build({"settings": chosen, "bins": 4})
    g = torch.from_numpy(softmax)
    net.init_head(g.mean(0))
    shown = evaluation.photographs(part["path"], 64)
    start = losses.cross_entropy(evaluation.outputs(net, shown), g).item()
    assert start == pytest.approx(distillation.entropy(g.mean(0)[None]).item(), abs=1e-4)
    training.fit(net, losses.cross_entropy, shown, g, chosen)
    end = losses.cross_entropy(evaluation.outputs(net, shown), g).item()
    least = distillation.entropy(softmax).mean()
    assert end - least < 0.1 * (start - least)


def test_a_semantic_run_says_how_often_it_agrees(collection, teacher, tmp_path):
    run = train(collection, tmp_path / "run", teacher)
    config, metrics = (
        json.loads((run / name).read_text()) for name in ("config.json", "metrics.json")
    )
    assert config["bins"] == 2
    assert config["teacher"] == evaluation.file_hash(teacher / "weights.safetensors")
    test = collection.split("test")
    soft = distillation.read(run / "soft_targets.npz", list(test.table.index))
    expected = distillation.soft_targets(teacher, list(test.table["path"]))
    assert soft == pytest.approx(expected, abs=2e-3)
    net, _ = evaluation.load(run)
    says = evaluation.outputs(net, evaluation.photographs(test.table["path"], 64))
    agreement = (says.numpy().argmax(1) == soft.argmax(1)).mean()
    assert metrics["accuracy"]["value"] == pytest.approx(agreement)
    assert (metrics["split"], metrics["mse"], metrics["rho"]) == ("test", None, None)
    with pytest.raises(InputError, match="no scores"):
        evaluation.predict(run, test)
    with pytest.raises(InputError, match="no scores"):
        evaluation.evaluate(run, collection)


def test_agreement_is_measured_where_there_are_soft_targets(collection, tmp_path):
    names = list(collection.table.index[collection.table["split"] != "test"])
    softmax = np.random.default_rng(0).dirichlet([1] * 3, len(names))
    distillation.write(tmp_path / "soft.npz", names, softmax)
    run = train(collection, tmp_path / "run", tmp_path / "soft.npz")
    assert json.loads((run / "metrics.json").read_text())["split"] == "val"


def test_an_interrupted_student_goes_on_to_the_same_weights(
    collection, teacher, tmp_path, monkeypatch
):
    whole = train(collection, tmp_path / "whole", teacher, epochs=3)
    calls, cross_entropy = [], losses.cross_entropy

    def breaking(*args):
        calls.append(1)
        if len(calls) == 8:
            raise RuntimeError("power cut")
        return cross_entropy(*args)

    monkeypatch.setattr(losses, "cross_entropy", breaking)
    with pytest.raises(RuntimeError, match="power cut"):
        train(collection, tmp_path / "parts", teacher, epochs=3)
    monkeypatch.setattr(losses, "cross_entropy", cross_entropy)
    monkeypatch.setattr(distillation, "soft_targets", None)  # would fail if it were called
    parts = train(collection, tmp_path / "parts", teacher, epochs=3)
    for name in ("weights.safetensors", "history.csv", "metrics.json", "soft_targets.npz"):
        assert (whole / name).read_bytes() == (parts / name).read_bytes(), name


def test_permuted_targets_make_another_student(collection, tmp_path):
    file = given(tmp_path / "soft.npz", collection)
    run = train(collection, tmp_path / "run", file)
    control = train(
        collection, tmp_path / "control", file, variant="resnet-ava-semantic-permuted"
    )
    weights = [(path / "weights.safetensors").read_bytes() for path in (run, control)]
    assert weights[0] != weights[1]


def test_a_student_needs_a_teacher_and_others_none(collection, tmp_path):
    with pytest.raises(InputError, match="no teacher; give --teacher"):
        train(collection, tmp_path / "run", None)
    file = given(tmp_path / "soft.npz", collection)
    with pytest.raises(InputError, match="not from a teacher"):
        train(collection, tmp_path / "run", file, variant="resnet-imn-dist")
    assert not (tmp_path / "run").exists()


# --- both at once


def test_scores_and_what_is_shown_are_learnt_together(collection, tmp_path):
    file = given(tmp_path / "soft.npz", collection)
    variant = "resnet-imn-dist-joint"
    alone, joint = (
        train(collection, tmp_path / str(weight), file, variant, joint=weight, epochs=4)
        for weight in (1e-9, 3.0)
    )
    net, config = evaluation.load(joint)
    assert isinstance(net, model.Joint) and config["shown"] == 4
    part = collection.split("train")
    shown = evaluation.photographs(part.table["path"], config["settings"]["side"])
    soft = torch.from_numpy(distillation.read(file, list(part.table.index)))

    def named(net):
        of = evaluation.outputs(
            net, shown, of=lambda x: net.shown(net.head.scaled(net.pool(x)))
        )
        return losses.cross_entropy(of, soft).item()

    assert named(net) < named(evaluation.load(alone)[0]) - 0.01
    scores = evaluation.predict(joint, part)
    assert list(scores) == ["image", "mean", "std", *(f"p{k}" for k in range(1, 6))]
    history = pd.read_csv(joint / "history.csv")
    assert history["l1_mass"].between(0.5, 2).all()  # of the scores alone, without the logits


def test_without_a_teacher_or_with_two_branches_nothing_is_learnt_along(collection, tmp_path):
    for variant in ("vgg-imn-mean", "resnet-ava-dist-m", "resnet-imn-dist-joint"):
        with pytest.raises(InputError, match="joint=0.5.*train resnet-imn-dist-joint"):
            train(collection, tmp_path / "run", None, variant, joint=0.5)
