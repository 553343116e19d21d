"""Photographs from files to batches."""

import struct
import zlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from apmlib import images
from apmlib.errors import InputError

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")


def picture(height=60, width=90, seed=0):
    """A smooth picture with no symmetry at all, uint8 (height, width, 3)."""
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    rng = np.random.default_rng(seed)
    a, b, c = rng.uniform(2, 6, 3)
    planes = [np.sin(a * x + y), np.cos(b * y - x), np.sin(c * x * y + a)]
    return np.round(127.5 + 127.5 * np.stack(planes, axis=2)).astype(np.uint8)


def refused(path):
    """The one line that reading ``path`` raises; header alone must not crash otherwise."""
    with pytest.raises(InputError) as caught:
        images.read(path)
    line = str(caught.value)
    assert "\n" not in line and line.startswith(f"{path}: ")
    assert "; " in line, "says what is wrong, not what to do"
    return line


# --- what a file shows ------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_by_tag_equals_orientation_in_pixels(tmp_path, orientation, suffix):
    upright = picture()
    stored = {  # the pixels of a camera that was held so; EXIF 2.3, tag 274
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[274] = orientation
    path = tmp_path / f"photo.{suffix}"
    Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif)
    assert np.array_equal(np.asarray(images.read(path)), upright)
    assert images.shape_of(path, 40) == (40, 60)
    assert images.load(path, 40).shape == (3, 40, 60)


def test_orientation_of_a_jpeg(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    stored = Image.fromarray(np.rot90(picture(), 1).copy())
    stored.save(tmp_path / "tagged.jpg", exif=exif, quality=95)
    stored.save(tmp_path / "plain.jpg", quality=95)
    turned = np.rot90(np.asarray(images.read(tmp_path / "plain.jpg")), -1)
    assert np.array_equal(np.asarray(images.read(tmp_path / "tagged.jpg")), turned)


def test_broken_exif_leaves_the_pixels(tmp_path):
    Image.fromarray(picture()).save(tmp_path / "a.jpg", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    assert images.read(tmp_path / "a.jpg").size == (90, 60)
    assert images.shape_of(tmp_path / "a.jpg", 30) == (30, 45)


def test_cmyk(tmp_path):
    Image.fromarray(picture()).convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    read = np.asarray(images.read(tmp_path / "a.jpg")).astype(int)
    assert abs(read - picture()).mean() < 3


def test_palette_and_its_transparency(tmp_path):
    palette = Image.fromarray(picture()).quantize(64)
    shown = np.asarray(palette.convert("RGB"))
    palette.save(tmp_path / "plain.png")
    palette.save(tmp_path / "index.png", transparency=3)
    palette.save(tmp_path / "bytes.png", transparency=bytes(range(64)))
    palette.save(tmp_path / "a.gif")
    for name in ("plain.png", "index.png", "bytes.png", "a.gif"):
        assert np.array_equal(np.asarray(images.read(tmp_path / name)), shown), name


def test_alpha_is_left_out(tmp_path):
    rgb = picture()
    alpha = picture(seed=1)[:, :, :1]
    Image.fromarray(np.concatenate([rgb, alpha], axis=2)).save(tmp_path / "rgba.png")
    Image.fromarray(np.concatenate([rgb[:, :, :1], alpha], axis=2)).save(tmp_path / "la.png")
    assert np.array_equal(np.asarray(images.read(tmp_path / "rgba.png")), rgb)
    grey = np.asarray(images.read(tmp_path / "la.png"))
    assert np.array_equal(grey, np.repeat(rgb[:, :, :1], 3, axis=2))


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
def test_sixteen_bits_of_grey_keep_black_and_white(tmp_path, suffix):
    grey = picture()[:, :, 0]
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / f"a.{suffix}")
    read = np.asarray(images.read(tmp_path / f"a.{suffix}"))
    assert np.array_equal(read, np.repeat(grey[:, :, None], 3, axis=2))


def test_grey_and_one_bit(tmp_path):
    grey = Image.fromarray(picture()[:, :, 0])
    grey.save(tmp_path / "grey.jpg", quality=95)
    read = np.asarray(images.read(tmp_path / "grey.jpg"))
    assert read.shape == (60, 90, 3) and (read[:, :, 0] == read[:, :, 2]).all()
    grey.convert("1").save(tmp_path / "bits.png")
    assert set(np.unique(np.asarray(images.read(tmp_path / "bits.png")))) == {0, 255}


@pytest.mark.parametrize("name", ["a.jpg", "A.PNG", "noname", "a.txt"])
def test_the_decoder_decides_not_the_suffix(tmp_path, name):
    Image.fromarray(picture()).save(tmp_path / name, format="PNG")
    assert np.array_equal(np.asarray(images.read(tmp_path / name)), picture())


def test_first_picture_of_a_cameras_multi_picture_jpeg(tmp_path):
    first, second = Image.fromarray(picture()), Image.fromarray(picture(seed=1))
    first.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[second])
    read = np.asarray(images.read(tmp_path / "a.jpg")).astype(int)
    assert abs(read - picture()).mean() < 6


# --- what is no photograph --------------------------------------------------------------------


def test_no_photograph_is_one_line(tmp_path):
    (tmp_path / "text.jpg").write_text("not a photograph\n" * 50)
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "folder.jpg").mkdir()
    assert "not an image" in refused(tmp_path / "text.jpg")
    assert "not an image" in refused(tmp_path / "empty.jpg")
    assert "no such file" in refused(tmp_path / "folder.jpg")
    assert "no such file" in refused(tmp_path / "absent.jpg")


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.97])
def test_truncated(tmp_path, suffix, share):
    path = tmp_path / f"a.{suffix}"
    noise = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    refused(path)


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tif"])
def test_animated(tmp_path, suffix):
    frames = [Image.fromarray(picture(seed=seed)) for seed in range(3)]
    path = tmp_path / f"a.{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    assert "3 frames" in refused(path)
    with pytest.raises(InputError, match="3 frames"):
        images.shape_of(path, 32)


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 7)])
def test_too_small(tmp_path, size):
    Image.new("RGB", size).save(tmp_path / "a.png")
    assert "too small" in refused(tmp_path / "a.png")


def test_pixels_of_unknown_range(tmp_path):
    for kind in (np.float32, np.int32):
        Image.fromarray(picture()[:, :, 0].astype(kind)).save(tmp_path / "a.tif")
        assert "32-bit" in refused(tmp_path / "a.tif")


def test_drawings_are_not_run(tmp_path):
    Image.fromarray(picture()).save(tmp_path / "a.jpg", format="EPS")
    assert "EPS" in refused(tmp_path / "a.jpg")


def test_huge_header(tmp_path):
    def chunk(kind, body):
        return (
            struct.pack(">I", len(body))
            + kind
            + body
            + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    body = (
        chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    assert "more pixels than" in refused(tmp_path / "a.png")


# --- size -------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.integers(8, 3000), st.integers(8, 3000), st.integers(32, 512))
def test_shorter_side_is_exact_and_the_aspect_kept(height, width, side):
    new = images.target_shape(height, width, side)
    assert images.target_shape(width, height, side) == new[::-1]
    assert (height <= width) == (new[0] <= new[1]) or new[0] == new[1]
    assert max(new) <= images.PANORAMA * side
    exact = max(height, width) * side / min(height, width)
    if exact <= images.PANORAMA * side:
        assert min(new) == side and abs(max(new) - exact) <= 0.5
    else:
        assert max(new) == images.PANORAMA * side
        assert images.NARROWEST <= min(new) <= side


def test_panorama_is_capped():
    assert images.target_shape(100, 300, 96) == (96, 288)
    assert images.target_shape(100, 10000, 96) == (32, 576)
    assert images.target_shape(1000, 500, 200, longest=300) == (300, 150)
    assert images.target_shape(500, 500, 200, longest=100) == (200, 200)


def test_resize_antialiases_and_enlarges():
    stripes = np.zeros((400, 400, 3), np.uint8)
    stripes[:, ::2] = 255
    small = images.resize(Image.fromarray(stripes), 50)
    assert small.shape == (50, 50, 3) and small.dtype == np.uint8
    assert abs(small[:, 2:-2].astype(int) - 127).max() <= 3
    assert images.resize(Image.fromarray(picture(20, 30)), 60).shape == (60, 90, 3)
    constant = Image.new("RGB", (333, 222), (10, 200, 77))
    assert (images.resize(constant, 32) == (10, 200, 77)).all()


def test_resize_keeps_a_photograph_of_the_right_size():
    assert np.array_equal(images.resize(Image.fromarray(picture()), 60), picture())


def test_load_and_normalise(tmp_path):
    Image.fromarray(picture()).save(tmp_path / "a.png")
    tensor = images.load(tmp_path / "a.png", 60)
    assert tensor.shape == (3, 60, 90) and tensor.dtype == torch.uint8
    assert np.array_equal(tensor.permute(1, 2, 0).numpy(), picture())
    batch = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 3, 1, 1)
    black, white = images.normalise(batch)[..., 0, 0].tolist()
    assert black == pytest.approx([-2.1179, -2.0357, -1.8044], abs=1e-4)
    assert white == pytest.approx([2.2489, 2.4286, 2.64], abs=1e-4)


# --- batches ----------------------------------------------------------------------------------

shapes = st.lists(st.sampled_from([(96, 96), (96, 144), (144, 96), (96, 128)]), max_size=60)


@settings(deadline=None)
@given(shapes, st.integers(1, 9), st.one_of(st.none(), st.integers(0, 5)))
def test_batches_hold_every_index_once_and_one_shape_each(shapes, size, seed):
    def draw():
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        return images.batches(shapes, size, generator)

    groups = draw()
    assert sorted(np.concatenate([*groups, []]).tolist()) == list(range(len(shapes)))
    assert all(1 <= len(group) <= size for group in groups)
    assert all(len({shapes[i] for i in group}) == 1 for group in groups)
    kinds = {shape: shapes.count(shape) for shape in shapes}
    assert len(groups) == sum(-(-count // size) for count in kinds.values())
    assert all(np.array_equal(a, b) for a, b in zip(groups, draw(), strict=True))
    if seed is None:
        assert all((np.diff(group) > 0).all() for group in groups)


def test_batches_are_shuffled_by_the_seed():
    shapes = [(96, 96)] * 40 + [(96, 144)] * 40
    one, other = (
        np.concatenate(images.batches(shapes, 8, torch.Generator().manual_seed(seed))).tolist()
        for seed in (0, 1)
    )
    assert one != other
    assert one != list(range(80))
    wide = [index >= 40 for index in one]
    assert wide != sorted(wide) and wide != sorted(wide, reverse=True)


@settings(deadline=None)
@given(shapes, st.integers(1, 9), st.integers(1, 9), st.integers(0, 5))
def test_steps_are_full_and_their_groups_of_one_shape(shapes, size, at_once, seed):
    generator = torch.Generator().manual_seed(seed)
    found = images.steps(shapes, size, at_once, generator)
    groups = [group for step in found for group in step]
    assert sorted(np.concatenate([*groups, []]).tolist()) == list(range(len(shapes)))
    assert all(1 <= len(group) <= at_once for group in groups)
    assert all(len({shapes[i] for i in group}) == 1 for group in groups)
    counts = [sum(map(len, step)) for step in found]
    assert counts[:-1] == [size] * (len(counts) - 1) and all(counts)


def test_without_a_number_at_once_each_batch_of_one_shape_is_a_step():
    shapes = [(96, 96)] * 5 + [(96, 144)] * 4
    steps = images.steps(shapes, 3)
    assert [[group.tolist() for group in step] for step in steps] == [
        [[0, 1, 2]],
        [[3, 4]],
        [[5, 6, 7]],
        [[8]],
    ]
    steps = images.steps(shapes, 4, 3)
    assert [[group.tolist() for group in step] for step in steps] == [
        [[0, 1, 2], [3]],
        [[4], [5, 6, 7]],
        [[8]],
    ]


def test_no_batch_of_nothing():
    with pytest.raises(ValueError, match="batch_size"):
        images.batches([(96, 96)], 0)
    assert images.batches([], 4) == []


# --- reading at a part of the size ------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "decoded"),
    [
        ((1600, 1280), (400, 320)),  # a quarter: an eighth would be below twice 128
        ((1600, 1024), (400, 256)),
        ((1600, 1016), (800, 508)),
        ((1602, 1281), (401, 321)),  # the last pixels show less than a quarter of four
        ((1600, 1016), (800, 508)),
        ((480, 320), (480, 320)),
    ],
)
def test_a_large_jpeg_is_decoded_at_a_part_of_its_size(tmp_path, size, decoded):
    path = tmp_path / "photo.jpg"
    Image.fromarray(picture(size[1], size[0])).save(path)
    assert images.read(path, 128).size == decoded
    assert images.read(path).size == size
    assert images.load(path, 128).shape[1:] == images.shape_of(path, 128)


@pytest.mark.parametrize(("size", "decoded"), [((1602, 1280), (801, 640)), ((1601, 1280),) * 2])
def test_of_a_turned_one_only_whole_pixels_are_taken(tmp_path, size, decoded):
    path = tmp_path / "photo.jpg"
    exif = Image.Exif()
    exif[274] = 3
    Image.fromarray(picture(size[1], size[0])).save(path, exif=exif)
    assert images.read(path, 128).size == decoded


@pytest.mark.parametrize("view", images.VIEWS)
@pytest.mark.parametrize(
    ("mode", "orientation", "height", "width"),
    [("RGB", 6, 1280, 1600), ("L", 1, 1283, 1597), ("CMYK", 1, 1600, 1281)],
)
def test_decoding_a_part_changes_less_than_another_filter_would(
    tmp_path, mode, orientation, height, width, view
):
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:height, 0:width]
    edges = 60 * ((y // 37 + x // 53) % 2)[..., None]
    grain = rng.normal(0, 6, (height, width, 1))
    pixels = (20 + 0.6 * picture(height, width) + edges + grain).clip(0, 255).astype(np.uint8)
    path = tmp_path / "photo.jpg"
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(pixels).convert(mode).save(path, quality=92, exif=exif)
    fast = images.load(path, 128, view=view).permute(1, 2, 0).numpy().astype(float)
    whole = images.read(path)
    assert whole.width > images.read(path, 128).width
    exact = images.resize(whole, 128, view=view).astype(float)
    assert fast.shape == exact.shape
    assert np.abs(fast - exact).max() <= 4
    if view != "crop":
        shape = exact.shape[1::-1]
        other = np.asarray(whole.resize(shape, Image.Resampling.BILINEAR)).astype(float)
        assert np.square(fast - exact).mean() <= np.square(other - exact).mean()


# --- photographs in memory or on disk ---------------------------------------------------------


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photographs")
    sizes = [(60, 90), (90, 60), (60, 60), (64, 96), (60, 90), (120, 80), (300, 40)]
    for number, (height, width) in enumerate(sizes):
        Image.fromarray(picture(height, width, number)).save(folder / f"{number}.png")
    return sorted(folder.iterdir())


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("cache", [True, False])
def test_alone_and_in_a_batch_a_photograph_is_the_same(paths, cache, workers):
    photographs = images.Photographs(paths, 32, cache=cache)
    assert len(photographs) == len(paths)
    assert photographs.shapes == [tuple(images.load(path, 32).shape[1:]) for path in paths]
    for size in (1, 2, 4):
        seen = []
        generator = torch.Generator().manual_seed(size)
        for indices, batch in images.loader(photographs, size, generator, workers=workers):
            assert batch.dtype == torch.uint8 and len(batch) == len(indices) <= size
            for index, tensor in zip(indices.tolist(), batch, strict=True):
                assert torch.equal(tensor, images.load(paths[index], 32))
                seen.append(index)
        assert sorted(seen) == list(range(len(paths)))


def test_loading_leaves_the_global_random_numbers_alone(paths):
    photographs = images.Photographs(paths, 32)
    _ = torch.manual_seed(0)
    before = torch.get_rng_state()
    list(images.loader(photographs, 2, torch.Generator().manual_seed(0)))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("cache", [True, False])
def test_the_file_that_is_no_photograph_is_named(paths, tmp_path, cache):
    (tmp_path / "bad.jpg").write_text("nothing")
    with pytest.raises(InputError, match="bad.jpg: is not an image"):
        images.Photographs([*paths, tmp_path / "bad.jpg"], 32, cache=cache)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_file_that_breaks_off_is_one_line_from_any_process(paths, tmp_path, workers):
    whole = paths[0].read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    photographs = images.Photographs([*paths, tmp_path / "cut.png"], 32, cache=False)
    with pytest.raises(InputError) as caught:
        list(images.loader(photographs, 2, workers=workers))
    line = str(caught.value)
    assert line.startswith(f"{tmp_path / 'cut.png'}: cannot be decoded") and "\n" not in line


@pytest.mark.parametrize("size", [(96, 64), (64, 96), (64, 64), (160, 90)])
@pytest.mark.parametrize("view", ["crop", "warp"])
def test_squares_have_as_many_pixels_as_the_whole(tmp_path, size, view):
    path = tmp_path / "a.png"
    Image.new("RGB", size, (10, 20, 30)).save(path)
    _, height, width = images.load(path, 48).shape
    square = images.load(path, 48, view=view).shape
    assert square[1] == square[2] == images.shape_of(path, 48, view=view)[0]
    assert square[1] ** 2 == pytest.approx(height * width, rel=0.03)


def test_a_crop_loses_the_sides_and_a_warp_keeps_them(tmp_path):
    pixels = np.zeros((60, 120, 3), dtype=np.uint8)
    pixels[:, :24] = 255  # a white band out of the central square's reach, from 30 to 90
    Image.fromarray(pixels).save(tmp_path / "a.png")
    crop, warp = (images.load(tmp_path / "a.png", 60, view=view) for view in ("crop", "warp"))
    assert crop.max() == 0
    assert warp.float().mean() == pytest.approx(255 / 5, abs=1)
    with pytest.raises(InputError, match="sideways.*whole, crop, warp"):
        images.load(tmp_path / "a.png", 60, view="sideways")
