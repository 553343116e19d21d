import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn

from apmlib import adversarial, evaluation, model, sheets
from apmlib.adversarial import DIRECTIONS, Descent, modify, target
from apmlib.errors import InputError
from tests import tiny


class Linear(nn.Module):
    """A head of two scores: the brighter the photograph, the more of the second."""

    def __init__(self, slope=0.05):
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(slope))

    def forward(self, x):
        second = 0.5 + self.slope * x.mean(dim=(1, 2, 3))
        return torch.stack([1 - second, second], dim=1).clamp_min(0)


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    net = model.APM(model.backbone("resnet-narrow", 8), 5, 32).eval()
    net.head.fc2.bias.data += 0.2
    return net


@pytest.fixture(scope="module")
def photographs():
    generator = torch.Generator().manual_seed(1)
    shape = (3, 3, 64, 80)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


distributions = st.lists(st.floats(0, 1), min_size=2, max_size=12).filter(lambda p: sum(p) > 0)


def rows(p):
    p = torch.tensor(p, dtype=torch.float64)[None]
    return p / p.sum()


# The target


def test_target_of_two_scores_by_hand():
    # p = (0.6, 0.4) has mean 1.4; q = (0.4, 0.6) has 1.6, and exp(lambda) = (0.6 / 0.4)**2.
    q = target(torch.tensor([[0.6, 0.4]]), 0.2)
    assert q.numpy() == pytest.approx(np.array([[0.4, 0.6]]), abs=1e-6)
    assert q.dtype == torch.float32 and not q.requires_grad


def test_target_is_p_tilted_by_one_exponential():
    p = torch.tensor([[0.1, 0.2, 0.4, 0.2, 0.1]], dtype=torch.float64)
    ratio = (target(p, 0.3) / p).log()[0]
    assert torch.diff(ratio).numpy() == pytest.approx(np.full(4, ratio[1] - ratio[0]))
    assert ratio[1] > ratio[0]


@given(distributions, st.floats(-1, 1))
def test_target_has_the_mean_moved_and_fills_empty_bins(p, share):
    p = rows(p)
    bins = p.shape[1]
    now = adversarial.mean(p).item()
    move = share * (bins - 1) / 2
    q = target(p, move)
    near = adversarial.EDGE * (bins - 1)
    wanted = min(max(now + move, min(1 + near, now)), max(bins - near, now))
    assert q.sum().item() == pytest.approx(1)
    assert (q > 0).all()
    assert adversarial.mean(q).item() == pytest.approx(wanted, abs=1e-6)


@settings(deadline=None)
@given(distributions, st.floats(-0.8, 0.8), st.integers(0, 2**31))
def test_no_other_distribution_of_that_mean_is_nearer(p, move, seed):
    p = rows(p)
    q = target(p, move)[0].numpy()
    floored = np.maximum(p[0].numpy(), adversarial.FLOOR)
    if len(q) < 3:
        return
    # A direction that changes neither the sum nor the mean.
    rng = np.random.default_rng(seed)
    base = np.stack([np.ones(len(q)), np.arange(len(q))], axis=1)
    drawn = rng.standard_normal(len(q))
    drawn -= base @ np.linalg.lstsq(base, drawn, rcond=None)[0]
    other = q + drawn * (0.5 * q.min() / max(np.abs(drawn).max(), 1e-9))

    def divergence(a):
        return float((a * np.log(a / floored)).sum())

    assert divergence(q) <= divergence(other) + 1e-9


def test_half_a_point_is_carried_over_to_other_scales():
    assert adversarial.half_a_point(10) == 0.5
    assert adversarial.half_a_point(7) == pytest.approx(1 / 3)


# The descent


def test_one_step_by_hand():
    # The gradient of the mean is the same at every pixel, so a step of 0.5 adds 0.5 to all.
    grey = torch.full((1, 3, 8, 8), 100, dtype=torch.uint8)
    found = modify(Linear(), grey, 1, Descent(iterations=3, step=0.5, budget=1.0))
    # ImageNet's deviations differ by channel, and so do the slopes: 1 / std, normalised.
    slopes = 1 / np.array([0.229, 0.224, 0.225])
    slopes /= np.sqrt((slopes**2).mean())
    change = (found.pixels - 100)[0].mean(dim=(1, 2)).numpy()
    assert change == pytest.approx(1.0 * slopes, abs=1e-4)  # two steps, then the budget
    assert found.rms[:, 0] == pytest.approx([0, 0.5, 1, 1], abs=1e-4)
    assert np.all(np.diff(found.mean[:3, 0]) > 0)
    assert modify(Linear(), grey, -1, Descent(iterations=1)).pixels.max() < 100


@pytest.mark.parametrize("value, direction", [(255, 1), (0, -1)])
def test_pixels_stay_in_range(value, direction):
    flat = torch.full((1, 3, 8, 8), value, dtype=torch.uint8)
    found = modify(Linear(), flat, direction, Descent(iterations=2))
    assert torch.equal(found.rounded(), flat)
    assert found.rms[-1, 0] == 0


@pytest.mark.parametrize("direction", DIRECTIONS.values())
def test_scores_move_within_the_budget_and_the_model_stays(net, photographs, direction):
    before = {name: value.clone() for name, value in net.state_dict().items()}
    found = modify(net, photographs, direction, Descent(iterations=12, step=0.2, budget=1.5))
    assert np.all(direction * (found.mean[-1] - found.mean[0]) > 0)
    assert found.rms.max() <= 1.5 + 1e-4
    assert found.pixels.min() >= 0 and found.pixels.max() <= 255
    assert found.mean.shape == found.rms.shape == found.dead.shape == (13, 3)
    assert found.before.sum(axis=1) == pytest.approx(1)
    assert found.mean[0] == pytest.approx(found.before @ np.arange(1, 6), abs=1e-5)
    assert found.mean[-1] == pytest.approx(found.after @ np.arange(1, 6), abs=1e-5)
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name])
    assert all(weight.grad is None for weight in net.parameters())


def test_a_photograph_is_changed_alike_alone_and_in_a_batch(net, photographs):
    descent = Descent(iterations=6)
    together = modify(net, photographs, 1, descent)
    alone = modify(net, photographs[1:2], 1, descent)
    assert together.mean[:, 1] == pytest.approx(alone.mean[:, 0], abs=1e-4)
    each = list(adversarial.modifications(net, list(photographs), 1, descent, batch=2))
    assert [list(indices) for indices, _ in each] == [[0, 1], [2]]
    assert each[1][1].mean[:, 0] == pytest.approx(together.mean[:, 2], abs=1e-4)


def test_one_target_kept_is_reached_and_not_passed():
    grey = torch.full((1, 3, 8, 8), 100, dtype=torch.uint8)
    descent = Descent(iterations=80, step=1.0, budget=99, move=0.05, anew=False)
    found = modify(Linear(0.1), grey, 1, descent)
    assert found.mean[-1, 0] - found.mean[0, 0] == pytest.approx(0.05, abs=0.01)
    further = modify(Linear(0.1), grey, 1, Descent(80, 1.0, 99, 0.05))
    assert further.mean[-1, 0] > found.mean[-1, 0] + 0.05


def test_dead_outputs_are_counted_and_pass_no_gradient():
    class Dead(Linear):
        def forward(self, x):
            return super().forward(x).mul(0)

    grey = torch.full((1, 3, 8, 8), 100, dtype=torch.uint8)
    found = modify(Dead(), grey, 1, Descent(iterations=2))
    assert torch.equal(found.rounded(), grey)
    assert found.mean[:, 0] == pytest.approx([1.5] * 3)  # of a row of zeros: uniform
    grey[:] = 255
    assert modify(Linear(10.0), grey, 1, Descent(iterations=1)).dead[0, 0] == 1


def test_a_mean_only_model_is_moved_too(photographs):
    class Mean(Linear):
        def forward(self, x):
            return 5 + self.slope * x.mean(dim=(1, 2, 3))[:, None]

    found = modify(Mean(), photographs, torch.tensor([1, -1, 1]), Descent(iterations=3))
    assert found.before.shape == (3, 1)
    assert list(np.sign(found.mean[-1] - found.mean[0])) == [1, -1, 1]


# Heat maps


def test_heat_is_greatest_where_pixels_changed():
    original = np.zeros((3, 40, 60), np.uint8)
    changed = original.copy()
    changed[:, 10, 50] = 9
    heated = adversarial.heat(original, changed)
    assert heated.max() == 1 and heated.min() >= 0
    assert np.unravel_index(heated.argmax(), heated.shape) == (10, 50)
    assert heated[30, 10] < 1e-6
    assert not adversarial.heat(original, original).any()
    one = Image.new("RGB", (120, 80), (200, 30, 90))
    shown = np.asarray(adversarial.overlay(one, heated)).astype(int)
    assert shown.shape == (80, 120, 3)
    assert np.ptp(shown[60, 20]) <= 1  # grey where it is cold
    assert shown[20, 100, 0] > shown[20, 100, 2] + 50  # yellow where it is hot


# Files


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return tiny.trained(tmp_path_factory.mktemp("explain"))


def test_explain_writes_what_predict_reads_again(run, tmp_path):
    rng = np.random.default_rng(0)
    photo = tmp_path / "a.jpg"
    Image.fromarray(tiny.picture(rng, (120, 90), 0.6)).save(photo, quality=95)
    given = photo.read_bytes()
    out = tmp_path / "out"
    (record,) = adversarial.explain(run, [photo], out, descent=Descent(iterations=8))
    assert photo.read_bytes() == given
    assert json.loads((out / "a-explained.json").read_text()) == record
    assert {path.name for path in out.iterdir()} == {
        *("a-explained.json", "a-explained.png", "a-up.png", "a-up-heat.png"),
        *("a-down.png", "a-down-heat.png"),
    }
    files = [photo, *(out / record[d]["files"]["photograph"] for d in ("up", "down"))]
    scores = evaluation.predict(run, files)["mean"]
    said = [record["before"]["mean"], record["up"]["mean"], record["down"]["mean"]]
    assert list(scores) == pytest.approx(said, abs=1e-5)
    assert record["up"]["mean"] >= record["before"]["mean"] >= record["down"]["mean"]
    assert record["descent"]["move"] == pytest.approx(0.5 * 4 / 9)
    assert len(record["up"]["history"]["mean"]) == 9
    again = adversarial.explain(run, [photo], out, descent=Descent(iterations=8))
    assert again == [record]


def test_explain_never_writes_over_what_is_there(run, tmp_path):
    photo, other = tmp_path / "a.png", tmp_path / "a-up.png"
    for path in (photo, other):
        Image.new("RGB", (80, 64), (90, 100, 110)).save(path)
    with pytest.raises(InputError, match="a-up.png: is there already"):
        adversarial.explain(run, [photo], tmp_path, descent=Descent(iterations=1))
    (tmp_path / "a-explained.json").write_text("{}")
    with pytest.raises(InputError, match="a-up.png: is there already"):
        adversarial.explain(run, [photo, other], tmp_path, descent=Descent(iterations=1))
    with pytest.raises(InputError, match="sideways"):
        adversarial.explain(run, [photo], tmp_path / "out", ["sideways"])
    assert not (tmp_path / "out").exists()


def test_a_run_without_scores_is_refused(run):
    with pytest.raises(InputError, match="gives no scores"):
        adversarial.scorer(run.parent / "objects-resnet")


def test_names_of_what_is_written_differ():
    assert sheets.stems(["x/a.jpg", "y/a.png", "b.jpg", "A.jpg"]) == ["a", "a-2", "b", "A-3"]


def test_sheet_holds_all_it_is_given():
    picture = Image.new("RGB", (300, 200), (9, 9, 9))
    page = sheets.sheet([("one", picture), ("two", picture)], [("p", [1, 2, 1], [0, 1, 3])])
    plain = sheets.sheet([("one", picture)], [("score", [5.0], [6.0])])
    assert page.height > plain.height and page.width > 2 * 300
    assert math.isclose((np.asarray(page) == 9).all(axis=2).sum(), 2 * 450 * 300, rel_tol=0.02)
