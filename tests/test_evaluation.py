import csv
import io
import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from apmlib import evaluation, metrics, ratings, training
from apmlib.errors import InputError
from tests import tiny


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tiny.rated(tmp_path_factory.mktemp("rated") / "root")


def train(root, out, variant="resnet-imn-dist"):
    return training.train(
        variant, ratings.read(root), out, "smoke", overrides={**tiny.SMALL, "epochs": 3}
    )


@pytest.fixture(scope="module")
def run(root, tmp_path_factory):
    return train(root, tmp_path_factory.mktemp("runs") / "dist")


@pytest.fixture(scope="module")
def mean_run(root, tmp_path_factory):
    return train(root, tmp_path_factory.mktemp("runs") / "mean", "vgg-imn-mean")


def test_predictions_are_distributions_with_their_mean_and_spread(run, root):
    table = evaluation.predict(run, ratings.read(root))
    assert list(table) == ["image", "mean", "std", "p1", "p2", "p3", "p4", "p5"]
    assert table["image"].tolist() == ratings.read(root).table.index.tolist()
    p = evaluation.distributions(table)
    assert p.shape == (40, 5) and p.min() >= 0
    assert p.sum(1) == pytest.approx(np.ones(40))
    assert table["mean"].to_numpy() == pytest.approx(p @ np.arange(1, 6))
    assert table["std"].to_numpy() == pytest.approx(metrics.std(p))


def test_a_photograph_scores_the_same_alone_and_in_company(run, root):
    paths = ratings.read(root).table["path"].tolist()
    together = evaluation.distributions(evaluation.predict(run, paths))
    alone = [evaluation.distributions(evaluation.predict(run, [path]))[0] for path in paths[:6]]
    assert np.abs(together[:6] - alone).max() < 1e-5


def test_flips_make_a_photograph_and_its_mirror_alike(run, root, tmp_path):
    path = ratings.read(root).table["path"].iloc[0]
    mirror = tmp_path / "mirror.png"
    Image.open(path).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(mirror)
    Image.open(path).save(tmp_path / "same.png")
    table = evaluation.predict(run, [tmp_path / "same.png", mirror], flips=True)
    p = evaluation.distributions(table)
    assert np.abs(p[0] - p[1]).max() < 1e-6


def test_what_cannot_be_read_is_an_error_or_listed(run, root, tmp_path):
    good = ratings.read(root).table["path"].iloc[0]
    bad = tmp_path / "notes.jpg"
    bad.write_text("no picture")
    with pytest.raises(InputError, match="notes.jpg"):
        evaluation.predict(run, [good, bad])
    skipped = []
    table = evaluation.predict(run, [bad, good], names=["b", "g"], skipped=skipped)
    assert table["image"].tolist() == ["g"]
    assert [name for name, _ in skipped] == ["b"]
    assert evaluation.predict(run, [bad], skipped=[]).empty


def test_evaluate_gives_what_the_metrics_give(run, root):
    collection = ratings.read(root)
    result = evaluation.evaluate(run, root)
    part = collection.split("test")
    p = evaluation.distributions(evaluation.predict(run, part))
    assert result["n"] == 8 and result["split"] == "test"
    assert result["split_hash"] == ratings.split_hash(part.table.index)
    assert result["cdloss"]["value"] == pytest.approx(metrics.cdloss(p, part.counts).mean())
    assert result["mse"]["low"] <= result["mse"]["value"] <= result["mse"]["high"]
    assert result["seen_in_training"] == 0
    constant = collection.split("train").distributions.mean(0)
    expected = metrics.cdloss(np.tile(constant, (8, 1)), part.counts).mean()
    assert result["references"]["constant"]["cdloss"]["value"] == pytest.approx(expected)
    assert json.loads((run / "metrics.json").read_text()) == result
    written = pd.read_csv(run / "predictions.csv")
    assert evaluation.distributions(written) == pytest.approx(p)


def test_photographs_of_the_training_set_are_noticed(run, root):
    assert evaluation.evaluate(run, root, "train")["seen_in_training"] == 24
    evaluation.evaluate(run, root)


def test_a_test_set_with_photographs_of_the_training_set_is_refused(run, root, tmp_path):
    """By their content: here one has another name."""
    before = (run / "metrics.json").read_text()
    other = tiny.rated(tmp_path / "root", seed=1)
    shutil.copy(root / "images" / "000.jpg", other / "images" / "004.jpg")
    with pytest.raises(InputError, match="1 of 8 photographs.*'test'.*as 004.jpg"):
        evaluation.evaluate(run, other, fair=True)
    assert (run / "metrics.json").read_text() == before
    assert evaluation.evaluate(run, other)["seen_in_training"] == 1
    evaluation.evaluate(run, root)


def test_a_split_that_is_not_there_is_named(run, tmp_path):
    whole = tiny.rated(tmp_path / "root", images=20)
    table = pd.read_csv(whole / "ratings.csv").assign(split="test")
    table.to_csv(whole / "ratings.csv", index=False)
    with pytest.raises(InputError, match="'train'.*test"):
        evaluation.evaluate(run, whole, "train")


def test_another_scale_is_an_error(run, tmp_path):
    other = tiny.rated(tmp_path / "root", images=20, bins=7)
    with pytest.raises(InputError, match="scale of 7.*5"):
        evaluation.evaluate(run, other)


def test_a_mean_only_variant_has_no_distribution(mean_run, root):
    result = evaluation.evaluate(mean_run, root)
    assert result["kldiv"] is None and result["cdloss"] is None
    assert result["mse"]["value"] > 0
    assert list(pd.read_csv(mean_run / "predictions.csv")) == ["image", "mean"]


def test_percentiles_are_shares_of_the_training_photographs(run, root):
    means = ratings.read(root).split("train").means
    found = evaluation.percentile(run, [0, np.median(means), 6])
    assert found == pytest.approx([0, 50, 100])


def test_the_table_has_every_row_in_every_format(run, mean_run, root):
    evaluation.evaluate(run, root)
    evaluation.evaluate(mean_run, root)
    names = ["constant", "vgg-imn-mean", "resnet-imn-dist"]
    text = evaluation.table([mean_run, run]).splitlines()
    assert [line.split()[0] for line in text[1:4]] == names
    assert text[2].split()[1:3] == ["-", "-"]  # no KL divergence, no CDLoss
    assert "split test, 8 photographs" in text[-1]
    markdown = evaluation.table([mean_run, run], "markdown").splitlines()
    assert len({line.count("|") for line in markdown[:5]}) == 1
    latex = evaluation.table([mean_run, run], "latex").splitlines()
    assert sum(line.endswith(r"\\") for line in latex) == 4
    rows = list(csv.DictReader(io.StringIO(evaluation.table([mean_run, run], "csv"))))
    assert [row["method"] for row in rows] == names
    value = json.loads((run / "metrics.json").read_text())["mse"]["value"]
    assert float(rows[2]["mse"]) == pytest.approx(value)
    with pytest.raises(InputError, match="html.*markdown"):
        evaluation.table([run], "html")


def test_a_stage_that_gives_no_scores_has_an_empty_row(run, root, tmp_path):
    evaluation.evaluate(run, root)
    measured = json.loads((run / "metrics.json").read_text())
    stage = {name: measured[name] for name in ("split", "split_hash", "n", "accuracy")}
    stage |= {"variant": "stage", **dict.fromkeys(("kldiv", "cdloss", "mse", "rho"))}
    (tmp_path / "metrics.json").write_text(json.dumps(stage))
    lines = evaluation.table([tmp_path, run]).splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["constant", "stage", "resnet-imn-dist"]
    assert lines[2].split()[1:] == ["-"] * 5


def test_a_table_of_different_photographs_is_refused(run, mean_run, root):
    evaluation.evaluate(run, root, "val")
    evaluation.evaluate(mean_run, root)
    with pytest.raises(InputError, match="different photographs"):
        evaluation.table([run, mean_run])
    evaluation.evaluate(run, root)


def test_an_unfinished_or_missing_run_is_named(run, tmp_path):
    with pytest.raises(InputError, match="config.json"):
        evaluation.load(tmp_path)
    (tmp_path / "config.json").write_bytes((run / "config.json").read_bytes())
    with pytest.raises(InputError, match="not finished"):
        evaluation.load(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(InputError, match="not JSON"):
        evaluation.load(tmp_path)


def test_the_loaded_network_is_the_trained_one(run):
    net, config = evaluation.load(run)
    assert not net.training
    again = evaluation.build(config)
    again.load_state_dict(net.state_dict())
    x = torch.rand(1, 3, 64, 70)
    assert torch.allclose(net(x), again.eval()(x))


def test_files_are_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a.json"
    evaluation.write_json(path, {"a": np.float64("nan"), "b": [np.int64(3)]})
    assert json.loads(path.read_text()) == {"a": None, "b": [3]}
    with pytest.raises(TypeError):
        evaluation.write_json(path, {"a": object()})
    assert json.loads(path.read_text())["b"] == [3]
    assert [item.name for item in tmp_path.iterdir()] == ["a.json"]
