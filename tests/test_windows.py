import numpy as np
import pytest
from PIL import Image

from apmlib import evaluation, images, metrics, windows
from apmlib.errors import InputError
from tests import tiny


def picture(width, height, seed=0):
    blots = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(blots).resize((width, height), Image.Resampling.BICUBIC)


@pytest.mark.parametrize(("width", "height"), [(300, 200), (200, 300), (240, 240)])
def test_windows_are_squares_of_as_many_pixels_and_the_middle_one_is_the_crop(width, height):
    photograph = picture(width, height)
    found = windows.windows(photograph, 96)
    whole = images.resize(photograph, 96)
    count, channels, rows, columns = found.shape
    assert (count, channels) == (3, 3) and rows == columns
    assert rows * columns == pytest.approx(whole.shape[0] * whole.shape[1], rel=0.03)
    crop = images.resize(photograph, 96, view="crop").transpose(2, 0, 1).astype(float)
    assert (
        np.abs(found[1].numpy() - crop).mean() < 8
    )  # resampled by another fraction of a pixel
    if width == height:
        assert (found[0] == found[2]).all()


def test_the_windows_reach_both_ends():
    strip = np.zeros((60, 180, 3), dtype=np.uint8)
    strip[:, :20, 0], strip[:, -20:, 2] = 255, 255
    first, middle, last = windows.windows(Image.fromarray(strip), 60).float()
    assert first[0].max() > 200 and first[2].max() < 20
    assert last[2].max() > 200 and last[0].max() < 20
    assert middle.max() < 20


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return tiny.trained(tmp_path_factory.mktemp("tiny"))


def test_average_and_best_of_what_the_run_says_of_each_window(run, tmp_path):
    path = tmp_path / "photograph.png"
    photograph = picture(90, 64)
    photograph.save(path)
    side = evaluation.read_config(run)["settings"]["side"]
    squares = windows.windows(photograph, side).permute(0, 2, 3, 1).numpy()
    paths = [tmp_path / f"{i}.png" for i in range(len(squares))]
    for square, file in zip(squares, paths, strict=True):
        Image.fromarray(square).save(file)
    net, config = evaluation.load(run)
    size = squares.shape[1]
    config["preprocessing"]["side"] = size  # shown as they are, not enlarged or reduced
    said = evaluation.distributions(evaluation.predict((net, config), paths))
    average = evaluation.distributions(windows.predict(run, [path]))[0]
    best = evaluation.distributions(windows.predict(run, [path], "max"))[0]
    assert np.allclose(average, said.mean(axis=0), atol=1e-6)
    assert np.allclose(best, said[metrics.mean(said).argmax()], atol=1e-6)


def test_what_cannot_be_is_said_in_a_line(run):
    with pytest.raises(InputError, match="choose one of average, max"):
        windows.predict(run, [], "min")
    with pytest.raises(InputError, match="no distributions"):
        windows.predict(run.parent / "objects-resnet", [])
