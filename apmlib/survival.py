"""Whether a change of pixels can be seen, and what is left of it once the photograph is saved.

A change that fools a model by the last digit of a pixel is gone with the first JPEG. Here a
changed photograph goes through what happens to photographs (``TREATMENTS``), and so does the
untouched one, since saving moves a score by itself. Beside it goes random noise of the same
size (:func:`noise`): what any change does. :func:`visibility` says how little of it shows.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from apmlib import adversarial


def _saved(**options) -> Callable[[Image.Image], Image.Image]:
    def save(photograph: Image.Image) -> Image.Image:
        file = io.BytesIO()
        photograph.save(file, **options)
        file.seek(0)
        return Image.open(file).convert("RGB")

    return save


def _halved(photograph: Image.Image) -> Image.Image:
    half = photograph.resize(
        [max(1, round(size / 2)) for size in photograph.size], Image.Resampling.BICUBIC
    )
    return half.resize(photograph.size, Image.Resampling.BICUBIC)


TREATMENTS = {
    "8-bit PNG": _saved(format="PNG"),
    "JPEG 95": _saved(format="JPEG", quality=95),
    "JPEG 75": _saved(format="JPEG", quality=75),
    "half size and back": _halved,
}
"""What happens to photographs: by name, a function of an RGB picture to one of its size."""


def treated(pixels: Tensor, name: str) -> Tensor:
    """Photographs after one of ``TREATMENTS``: uint8 (B, 3, H, W).

    ``pixels``: (B, 3, H, W) in 0 .. 255, float or uint8. No file holds a fraction of a pixel,
    so each treatment begins by rounding.
    """
    rounded = pixels.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    after = [np.asarray(TREATMENTS[name](Image.fromarray(one))) for one in rounded]
    return torch.from_numpy(np.stack(after)).permute(0, 3, 1, 2).contiguous()


def noise(original: Tensor, rms: Tensor | np.ndarray, seed: int = 0) -> Tensor:
    """Photographs with normal noise of a given size: float32 (B, 3, H, W) in 0 .. 255.

    ``original``: (B, 3, H, W). ``rms``: (B,), the root mean square over a photograph's pixels
    and channels that the noise has before what leaves the range is cut off.
    """
    drawn = torch.randn(original.shape, generator=torch.Generator().manual_seed(seed))
    drawn /= drawn.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
    size = torch.as_tensor(rms, dtype=torch.float32).view(-1, 1, 1, 1)
    return (original.float().cpu() + size * drawn).clamp(0, 255)


@torch.inference_mode()
def means(net: nn.Module, pixels: Tensor) -> np.ndarray:
    """Predicted mean scores, float64 (B,), of pixels (B, 3, H, W) in 0 .. 255."""
    net.eval()
    p = adversarial.distribution(net, pixels.to(next(net.parameters()).device))
    return adversarial.mean(p).double().cpu().numpy()


def effects(net: nn.Module, original: Tensor, changed: Tensor) -> dict[str, np.ndarray]:
    """What a change moves the predicted means by, as it is and after every treatment.

    ``original``: uint8 (B, 3, H, W); ``changed``: the same photographs changed, float or uint8.
    Float64 (B,) by name, "as it is" first: the mean of the changed photograph less that of the
    untouched one, both treated alike. ``net`` need not be the model that the change was made
    for: then this says whether another one falls for it.
    """
    found = {"as it is": means(net, changed) - means(net, original)}
    for name in TREATMENTS:
        found[name] = means(net, treated(changed, name)) - means(net, treated(original, name))
    return found


def kept(after: np.ndarray, before: np.ndarray) -> float:
    """Share of a change that is left: the mean effect after over that before, (N,) each.

    Nan where there was none. Effects below zero count as such: the reverse of what was wanted.
    """
    whole = np.mean(before)
    return float(np.mean(after) / whole) if whole else np.nan


def visibility(original: Tensor, changed: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """PSNR in decibels and SSIM of photographs as files hold them, float64 (B,) each.

    ``original``, ``changed``: uint8 (B, 3, H, W). SSIM as its authors define it: Gaussian
    windows of deviation 1.5, averaged over pixels and channels. PSNR is infinite where nothing
    changed. From about 40 dB and 0.98 on, differences are hard to find with the eye.
    """
    # Only measurements of the book need it; the command line does without scikit-image.
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    psnr, ssim = [], []
    for a, b in zip(original.cpu().numpy(), changed.cpu().numpy(), strict=True):
        same = np.array_equal(a, b)
        psnr.append(np.inf if same else peak_signal_noise_ratio(a, b, data_range=255))
        ssim.append(
            structural_similarity(
                a,
                b,
                channel_axis=0,
                data_range=255,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
            )
        )
    return np.array(psnr), np.array(ssim)
