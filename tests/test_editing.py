import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn

from apmlib import editing, evaluation
from apmlib.editing import NAMES, Edit, Search
from apmlib.errors import InputError
from apmlib.simulated import camera
from tests import tiny

VECTORS = st.lists(st.floats(-1, 1), min_size=len(NAMES), max_size=len(NAMES))


def values(edit):
    return editing.natural(editing.vector(edit)[None])


def photograph(size=(90, 60), seed=0):
    """A smooth picture with no pixel near black or white."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(60, 180, (6, 9, 3)).astype(np.uint8))
    return small.resize(size, Image.Resampling.BICUBIC)


def tensor(picture):
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None] / 255


# Parameters


def test_vectors_run_from_limit_to_limit():
    assert editing.edit(torch.zeros(len(NAMES))) == Edit()
    ones = torch.ones(len(NAMES))
    lowest, highest = editing.edit(-ones), editing.edit(ones)
    for name, limits in editing.RANGES.items():
        assert getattr(lowest, name) == pytest.approx(limits.low, abs=1e-6)
        assert getattr(highest, name) == pytest.approx(limits.high, abs=1e-6)
    assert float(editing.vector(Edit(exposure=1.0))[0]) == pytest.approx(0.5)


@given(VECTORS)
def test_an_edit_and_its_vector_are_one(drawn):
    found = editing.edit(drawn)
    inside = torch.minimum(torch.maximum(torch.tensor(drawn), editing.LOW), editing.HIGH)
    assert editing.vector(found).numpy() == pytest.approx(inside.numpy(), abs=1e-5)
    assert float(editing.size(inside)) == pytest.approx(float((inside[:-2] ** 2).sum()))


def test_what_a_model_hardly_knows_is_a_risk():
    turned, brighter = (editing.vector(e) for e in (Edit(rotation=6.0), Edit(exposure=1.0)))
    assert editing.size(turned) == editing.size(brighter)
    assert editing.risk(turned) > editing.risk(brighter) > 0
    crops = (editing.vector(Edit(zoom=0.8, x=x)) for x in (-1.0, 0.3))
    assert len({float(editing.risk(crop)) for crop in crops}) == 1


def test_an_edit_out_of_range_is_one_line():
    with pytest.raises(InputError, match="exposure 9 is out of range; choose -2 .. 2"):
        Edit(exposure=9)


# Tones


def test_tones_follow_the_simulated_camera():
    light = np.linspace(0.002, 3, 60).reshape(1, 20, 3).astype(np.float32)
    shown = torch.from_numpy(camera.encode(light)).permute(2, 0, 1)[None]
    ours = editing.decode(shown)[0].permute(1, 2, 0).numpy()
    assert ours == pytest.approx(camera.decode(camera.encode(light)), rel=1e-4, abs=1e-5)
    again = editing.encode(torch.from_numpy(light)).numpy()
    assert again == pytest.approx(camera.encode(light), abs=2e-3)


def test_exposure_doubles_the_light_and_saturation_0_would_be_grey():
    display = tensor(photograph())
    flat = torch.zeros(60, 90)
    brighter = editing.tone(display, values(Edit(exposure=1.0)), flat)
    assert torch.allclose(editing.decode(brighter), 2 * editing.decode(display), rtol=1e-3)
    dull = editing.decode(editing.tone(display, values(Edit(saturation=0.5)), flat))
    light = editing.decode(display)
    grey = torch.einsum("nchw,c->nhw", light, torch.tensor(camera.LUMA))[:, None]
    assert torch.allclose(dull, (light + grey) / 2, atol=1e-4)


def test_white_balance_has_the_gains_of_the_camera_and_contrast_turns_about_grey():
    level = float(camera.encode(np.float32(0.18)))
    grey = torch.full((1, 3, 4, 4), level)
    flat = torch.zeros(4, 4)
    warm = editing.decode(editing.tone(grey, values(Edit(white_balance=0.5)), flat))
    assert warm[0, :, 0, 0].numpy() / 0.18 == pytest.approx(camera.balance(0.5), rel=3e-3)
    steep = editing.tone(grey, values(Edit(contrast=1.5)), flat)
    assert torch.allclose(steep, grey, atol=1e-3)


def test_colours_of_clipped_pixels_are_left_as_they_are():
    pixels = torch.tensor([[1.0, 0.9, 0.9], [0.8, 0.7, 0.7]]).T.view(1, 3, 1, 2)
    edited = editing.tone(pixels, values(Edit(white_balance=0.6, saturation=2.0)))
    assert torch.allclose(edited[..., 0], pixels[..., 0], atol=1e-3)
    assert (edited[..., 1] - pixels[..., 1]).abs().max() > 0.05


def test_a_vignette_darkens_corners_and_its_negative_undoes_it():
    display = tensor(photograph())
    dark = editing.tone(display, values(Edit(vignette=0.5)))
    assert torch.all(dark[..., 0, 0] < display[..., 0, 0])
    assert torch.allclose(dark[..., 30, 45], display[..., 30, 45], atol=2e-3)
    assert torch.allclose(editing.tone(dark, values(Edit(vignette=-0.5))), display, atol=1e-3)


@given(VECTORS)
@settings(deadline=None, max_examples=30)
def test_tones_stay_in_range_with_a_finite_gradient(drawn):
    vector = torch.tensor([drawn]).clamp(editing.LOW, editing.HIGH).requires_grad_(True)
    display = torch.tensor([0.0, 0.02, 0.5, 1.0, 1.0, 0.0, 0.3, 0.9, 0.04]).view(1, 3, 1, 3)
    shown = editing.tone(display, editing.natural(vector))
    assert shown.min() >= 0 and shown.max() <= 1
    shown.sum().backward()
    assert torch.isfinite(vector.grad).all()


# Geometry


@given(VECTORS, st.floats(0.4, 2.5))
@settings(deadline=None)
def test_no_corner_leaves_the_frame(drawn, aspect):
    edit = editing.edit(drawn)
    height, width = 100.0, 100.0 * aspect
    w, h, cx, cy = (t.item() for t in editing.window(values(edit).double(), height, width))
    angle = np.deg2rad(edit.rotation)
    for x, y in ((w, h), (w, -h), (-w, h), (-w, -h)):
        u = cx + (np.cos(angle) * x + np.sin(angle) * y) / 2
        v = cy + (np.cos(angle) * y - np.sin(angle) * x) / 2
        assert abs(u) <= width / 2 + 1e-3 and abs(v) <= height / 2 + 1e-3
    assert w / h == pytest.approx(aspect * edit.aspect, rel=1e-4)
    assert 0.75 - 1e-6 <= edit.aspect <= 4 / 3 + 1e-6


def test_a_crop_by_hand():
    numbered = np.zeros((100, 200, 3), np.uint8)
    numbered[..., 0] = np.arange(200)
    numbered[..., 1] = np.arange(100)[:, None]
    cropped = np.asarray(editing.apply(Image.fromarray(numbered), Edit(zoom=0.75, x=1, y=-1)))
    assert cropped.shape == (75, 150, 3)
    assert cropped[0, 0, :2] == pytest.approx([50, 0], abs=1)
    assert cropped[-1, -1, :2] == pytest.approx([199, 74], abs=1)


def test_rotation_is_clockwise_like_the_latent():
    dot = np.zeros((101, 101, 3), np.uint8)
    dot[48:53, 88:93] = 255  # right of the middle
    turned = np.asarray(editing.apply(Image.fromarray(dot), Edit(rotation=10))).astype(float)
    y, x = np.argwhere(turned[..., 0] > 128).mean(axis=0)
    assert y > turned.shape[0] / 2  # clockwise: from three o'clock downwards
    ours = camera.turn(dot[..., :1].astype(np.float32), 10.0, 101, 101)
    other = np.argwhere(ours[..., 0] > 128).mean(axis=0)
    assert y - turned.shape[0] / 2 == pytest.approx(other[0] - 50.5, abs=0.6)
    assert x - turned.shape[1] / 2 == pytest.approx(other[1] - 50.5, abs=0.6)


@given(VECTORS)
@settings(deadline=None, max_examples=10)
def test_the_network_is_shown_what_is_written(drawn):
    picture = photograph((180, 120))
    edit = editing.edit(drawn)
    written = editing.apply(picture, edit)
    shape = (written.height // 2, written.width // 2)
    given = values(edit)
    shown = editing.tone(editing.cut(tensor(picture), given, shape), given)
    small = written.resize(shape[::-1], Image.Resampling.BOX)
    gap = (shown[0].permute(1, 2, 0).numpy() - np.asarray(small) / 255)[2:-2, 2:-2]
    assert np.sqrt(np.mean(gap**2)) < 0.02


def test_no_edit_leaves_every_pixel_and_strips_do_not_show(monkeypatch):
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (40, 50, 3)).astype(np.uint8))
    assert np.array_equal(editing.apply(noise, Edit()), noise)
    edit = Edit(exposure=0.4, vignette=0.6, contrast=1.2)
    whole = np.asarray(editing.apply(noise, edit))
    monkeypatch.setattr(editing, "STRIP", 130)
    assert np.array_equal(editing.apply(noise, edit), whole)
    level = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 256, 3)
    neutral = editing.tone(tensor(Image.fromarray(level)), values(Edit()))
    assert (255 * neutral - 255 * tensor(Image.fromarray(level))).abs().max() < 0.1


# The search


class Bright(nn.Module):
    """Likes photographs whose mean is near one level; the rest it does not see."""

    def __init__(self, level=0.6):
        super().__init__()
        self.level = nn.Parameter(torch.tensor(level))

    def forward(self, x):
        level = 0.45 + 0.225 * x.mean(dim=(1, 2, 3))
        good = torch.exp(-(((level - self.level) / 0.2) ** 2))
        return torch.stack([1 - 0.9 * good, 0.05 + 0.0 * good, 0.9 * good], dim=1)


def test_the_search_finds_the_exposure():
    dark = editing.apply(photograph((150, 100)), Edit(exposure=-1.5))
    seen = {"side": 48, "view": "whole"}
    only = ("exposure",)
    found = editing.find(Bright(), dark, seen, 3, Search(16, 2, 30, 0.1, 0.02, only))
    changed = np.asarray(editing.apply(dark, found.edit)).mean() / 255
    assert changed == pytest.approx(0.6, abs=0.06)
    assert found.after @ [1, 2, 3] > found.before @ [1, 2, 3] + 0.3
    assert found.edit == Edit(exposure=found.edit.exposure)
    meek = editing.find(Bright(), dark, seen, 3, Search(16, 2, 30, 0.1, 99, only))
    assert abs(meek.edit.exposure) < 0.05
    with pytest.raises(InputError, match="no parameter colour"):
        editing.find(Bright(), dark, seen, 3, Search(only=("colour",)))


@pytest.mark.parametrize("view", ["whole", "crop", "warp"])
def test_every_view_of_a_run_can_be_searched(view):
    search = Search(candidates=4, starts=2, iterations=2)
    found = editing.find(Bright(), photograph(), {"side": 48, "view": view}, 3, search)
    again = editing.find(Bright(), photograph(), {"side": 48, "view": view}, 3, search)
    assert found.edit == again.edit


# Files


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return tiny.trained(tmp_path_factory.mktemp("improve"))


QUICK = Search(candidates=6, starts=2, iterations=3, penalty=0.0)


def test_improve_writes_upright_at_full_resolution_and_leaves_the_original(run, tmp_path):
    photo, out = tmp_path / "a.jpg", tmp_path / "out"
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    profile = b"a colour profile"
    photograph((200, 150)).save(photo, quality=95, exif=exif, icc_profile=profile)
    given = photo.read_bytes()
    (record,) = editing.improve(run, [photo], out, QUICK)
    assert photo.read_bytes() == given
    assert {path.name for path in out.iterdir()} == {
        *("a-improved.jpg", "a-improved.json", "a-improved-sheet.png"),
    }
    assert json.loads((out / "a-improved.json").read_text()) == json.loads(json.dumps(record))
    with Image.open(out / "a-improved.jpg") as written:
        assert written.getexif().get(0x0112, 1) == 1
        assert written.info["icc_profile"] == profile
        assert list(written.size) == record["pixels"]["after"]
    assert record["pixels"]["before"] == [150, 200]
    scores = evaluation.predict(run, [photo, out / "a-improved.jpg"])["mean"]
    said = [record["before"]["mean"], record["after"]["mean"]]
    assert list(scores) == pytest.approx(said, abs=1e-5)
    edit = Edit(**record["edit"])
    assert record["size"] == pytest.approx(float(editing.size(editing.vector(edit))))


def test_a_lossless_photograph_stays_lossless(run, tmp_path):
    photo = tmp_path / "a.png"
    photograph().convert("L").save(photo)
    (record,) = editing.improve(run, [photo], tmp_path / "out", QUICK)
    assert record["files"]["photograph"] == "a-improved.png"
    assert Image.open(tmp_path / "out" / "a-improved.png").format == "PNG"


def test_improve_never_writes_over_what_is_there(run, tmp_path):
    photo = tmp_path / "a.jpg"
    photograph().save(photo)
    (tmp_path / "a-improved.jpg").write_bytes(b"mine")
    with pytest.raises(InputError, match="a-improved.jpg: is there already"):
        editing.improve(run, [photo], tmp_path, QUICK)
    assert (tmp_path / "a-improved.jpg").read_bytes() == b"mine"


def test_changes_in_words():
    assert editing.changes(Edit()) == "nothing"
    said = editing.changes(Edit(exposure=0.5, white_balance=-0.1, saturation=1.2, x=1.0))
    assert said == "exposure +0.50, white balance -0.10, saturation 1.20"
