import json

import pytest

from apmlib import losses, ratings, runs, training
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


def test_own_photographs_have_no_simulation():
    with pytest.raises(InputError, match="photos"):
        runs.simulated("photos")
