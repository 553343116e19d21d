import json

import numpy as np
import pytest

from apmlib import distillation, losses, ratings, runs, training, variants
from apmlib.errors import InputError
from tests import tiny


@pytest.fixture
def store(tmp_path, monkeypatch):
    """An empty store whose objects task is a tiny one; returns a tiny rated collection."""
    monkeypatch.setenv("APM_HOME", str(tmp_path / "home"))
    task = tiny.objects(tmp_path / "objects")
    monkeypatch.setattr(runs, "objects", lambda profile, seed=0: task)
    return ratings.read(tiny.rated(tmp_path / "rated"))


def run(data, variant="resnet-imn-dist", **overrides):
    return runs.run(variant, data, "smoke", **{**tiny.SMALL, **overrides})


def test_a_run_is_made_once_its_predecessor_first(store, monkeypatch):
    folder = run(store)
    made = sorted(path.name.rsplit("-", 1)[0] for path in folder.parent.iterdir())
    assert made == ["objects-resnet-smoke-0", "resnet-imn-dist-smoke-0"]
    monkeypatch.setattr(training, "fit", None)  # would fail if it were called
    assert run(store) == folder
    assert run(store.root) == folder  # a root is as good as a collection


def test_seeds_share_one_predecessor(store):
    one, two = run(store), run(store, seed=1)
    assert one != two
    first, second = (json.loads((path / "config.json").read_text()) for path in (one, two))
    assert first["init"] == second["init"] is not None
    assert len(list(one.parent.glob("objects-*"))) == 1


def test_a_wider_network_has_a_wider_predecessor(store):
    run(store)
    folder = run(store, width=6)
    widths = {
        json.loads((path / "config.json").read_text())["settings"]["width"]
        for path in folder.parent.glob("objects-*")
    }
    assert widths == {4, 6}


def test_what_a_run_depends_on_is_in_its_key(store, monkeypatch):
    base = training.configuration("resnet-imn-dist", store, "smoke", overrides=tiny.SMALL)
    other = ratings.Collection(store.root, store.table.assign(n1=store.table["n1"] + 1))
    changed = [
        training.configuration("resnet-imn-dist", store, "smoke", 1, overrides=tiny.SMALL),
        training.configuration("resnet-imn-dist", store, "smoke"),
        training.configuration("vgg-imn-dist", store, "smoke", overrides=tiny.SMALL),
        training.configuration("resnet-imn-dist", other, "smoke", overrides=tiny.SMALL),
    ]
    monkeypatch.setattr(training, "code_key", lambda: "other code")
    changed.append(
        training.configuration("resnet-imn-dist", store, "smoke", overrides=tiny.SMALL)
    )
    assert len({runs.key(config) for config in [base, *changed]}) == 6
    assert runs.key({**base, "versions": {}, "trained": {"steps": 3}}) == runs.key(base)


def test_the_code_of_a_loss_is_part_of_the_key():
    assert losses.__name__.split(".")[1] in runs.KEYED_MODULES
    one = training.code_key(["losses"])
    assert one == training.code_key(["losses"])
    assert one != training.code_key(["metrics"])


def test_the_last_variant_makes_all_that_it_goes_through(store):
    folder = run(store, "resnet-ava-dist-m", seed=1)
    configs = {}
    for path in folder.parent.iterdir():
        config = json.loads((path / "config.json").read_text())
        configs[config["variant"]] = config
    assert set(configs) == {
        "objects-resnet",
        "resnet-ava-semantic",
        "resnet-ava-dist",
        "resnet-ava-dist-m",
    }
    assert configs["objects-resnet"]["seed"] == 0
    assert {config["seed"] for name, config in configs.items() if name != "objects-resnet"} == {
        1
    }
    assert {config["settings"]["width"] for config in configs.values()} == {4}
    assert configs["resnet-ava-dist"]["settings"]["hidden"] == 16
    assert configs["resnet-ava-semantic"]["teacher"] == configs["resnet-ava-semantic"]["init"]


def test_a_longer_control_starts_where_the_branch_does(store):
    run(store, "resnet-ava-dist-m")
    folder = run(store, "resnet-ava-dist-longer")
    assert len(list(folder.parent.glob("resnet-ava-dist-smoke-*"))) == 1


@pytest.mark.parametrize("variant", [*variants.TABLE, *variants.CONTROLS])
def test_every_row_and_control_is_made_from_nothing(store, variant):
    folder = run(store, variant)
    assert json.loads((folder / "metrics.json").read_text())["variant"] == variant


def test_predecessors_beside_a_run_have_their_own_names_by_seed(store, tmp_path):
    given = ("resnet-ava-dist", "smoke", tmp_path / "beside", tiny.SMALL, store)
    assert runs.predecessor(*given).name == "resnet-ava-semantic"
    assert runs.predecessor(*given, seed=1).name == "resnet-ava-semantic-1"
    assert runs.predecessor(*given).name == "resnet-ava-semantic"
    made = {path.name for path in (tmp_path / "beside").iterdir()}
    assert made == {"objects-resnet", "resnet-ava-semantic", "resnet-ava-semantic-1"}


def test_soft_targets_made_elsewhere_reach_the_semantic_stage(store, tmp_path):
    names = list(store.table.index)
    softmax = np.random.default_rng(0).dirichlet([1] * 6, len(names))
    distillation.write(tmp_path / "soft.npz", names, softmax)
    folder = run(store, "resnet-ava-dist", teacher=tmp_path / "soft.npz")
    (semantic,) = folder.parent.glob("resnet-ava-semantic-*")
    assert json.loads((semantic / "config.json").read_text())["bins"] == 6


def test_imagenet_takes_the_place_of_the_objects_variants(tmp_path):
    assert runs.predecessor("resnet-ava-semantic", "full") is None
    assert runs.teacher_of("resnet-ava-semantic", "photos") == "imagenet:resnet18"
    assert runs.teacher_of("resnet-imn-dist", "photos") is None


def test_own_photographs_have_no_simulation():
    with pytest.raises(InputError, match="photos"):
        runs.simulated("photos")
