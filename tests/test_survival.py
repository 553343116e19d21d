import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity
from torch import nn

from apmlib import survival

SHAPE = (4, 3, 32, 40)


class Brightness(nn.Module):
    """Two scores, the brighter the more of the second: the mean is 1 + brightness / 255."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x):
        mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
        std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
        second = (x * std + mean).mean(dim=(1, 2, 3)) * self.scale
        return torch.stack([1 - second, second], dim=1)


@pytest.fixture
def photographs():
    generator = torch.Generator().manual_seed(3)
    return torch.randint(20, 235, SHAPE, generator=generator, dtype=torch.uint8)


def test_a_png_keeps_all_but_the_fractions(photographs):
    assert torch.equal(survival.treated(photographs, "8-bit PNG"), photographs)
    part = photographs + torch.rand(SHAPE, generator=torch.Generator().manual_seed(0)) * 0.4
    assert torch.equal(survival.treated(part, "8-bit PNG"), photographs)


@pytest.mark.parametrize("name", survival.TREATMENTS)
def test_a_plain_picture_survives_everything(name):
    plain = torch.full(SHAPE, 120, dtype=torch.uint8)
    after = survival.treated(plain, name)
    assert after.shape == plain.shape and after.dtype == torch.uint8
    assert (after.int() - 120).abs().max() <= 1


def test_the_coarser_the_file_the_more_is_lost(photographs):
    def lost(name):
        after = survival.treated(photographs, name).float()
        return (after - photographs).square().mean().item()

    assert 0 < lost("JPEG 95") < lost("JPEG 75") < lost("half size and back")


def test_half_size_and_back_of_odd_sizes():
    odd = torch.zeros(1, 3, 33, 41, dtype=torch.uint8)
    assert survival.treated(odd, "half size and back").shape == odd.shape


def test_noise_has_the_size_asked_for(photographs):
    sizes = torch.tensor([0.5, 1.0, 2.0, 4.0])
    change = survival.noise(photographs, sizes) - photographs
    found = change.square().mean(dim=(1, 2, 3)).sqrt()
    assert found.numpy() == pytest.approx(sizes.numpy(), rel=1e-4)
    assert torch.equal(survival.noise(photographs, sizes) - photographs, change)
    dark = survival.noise(torch.zeros(1, 3, 8, 8), np.array([3.0]))
    assert dark.min() == 0


def test_effects_by_hand(photographs):
    # Ten grey levels more are 10 / 255 of a point to this model, and a PNG keeps them.
    found = survival.effects(Brightness(), photographs, photographs + 10)
    assert list(found) == ["as it is", *survival.TREATMENTS]
    assert found["as it is"] == pytest.approx(np.full(4, 10 / 255), abs=1e-5)
    assert found["8-bit PNG"] == pytest.approx(found["as it is"], abs=1e-5)
    # What saving does to the untouched photograph is taken off: brightness survives it all.
    assert found["half size and back"] == pytest.approx(found["as it is"], abs=2e-3)


def test_means_leave_the_model_as_it_is(photographs):
    net = Brightness().train()
    means = survival.means(net, photographs)
    assert means == pytest.approx(1 + photographs.double().mean(dim=(1, 2, 3)) / 255, abs=1e-5)
    assert net.scale.grad is None


def test_share_kept_by_hand():
    assert survival.kept(np.array([1.0, -1.0, 3.0]), np.array([2.0, 2.0, 2.0])) == 0.5
    assert np.isnan(survival.kept(np.ones(2), np.zeros(2)))


def test_visibility_by_hand(photographs):
    psnr, ssim = survival.visibility(photographs, photographs + 1)
    assert psnr == pytest.approx(np.full(4, 20 * np.log10(255)))
    assert np.all(ssim > 0.999)
    psnr, ssim = survival.visibility(photographs, photographs)
    assert np.isinf(psnr).all() and ssim == pytest.approx(np.ones(4))
    noisy = survival.noise(photographs, np.full(4, 30.0)).round().to(torch.uint8)
    _, ssim = survival.visibility(photographs, noisy)
    # Rows are photographs and not channels or pixels: the library, on one of them.
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    a, b = (x[2].permute(1, 2, 0).numpy() for x in (photographs, noisy))
    one = structural_similarity(a, b, channel_axis=2, data_range=255, **options)
    assert ssim[2] == pytest.approx(one) and ssim[2] < 0.99
