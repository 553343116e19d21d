"""The camera: from a painted scene in linear light to an 8-bit photograph.

The order is fixed, because later chapters edit photographs and ask what the world would have
shown:

1. metering: one gain from the upright scene alone, never from the camera's latents;
2. lens: blur by depth, focus error, bloom (all linear in light), then tilt, one rotation;
3. sensor: vignette and noise, scaled with the signal;
4. contrast (a power law about middle grey), exposure, white balance, saturation;
5. shoulder, sRGB, treatment (the latent `divergence`), 8 bits. JPEG comes with the file.

Exposure, white balance and saturation act on what step 4's contrast left, in linear light, so
they can be applied afterwards: decode(rendered) * 2**0.5 is render(exposure + 0.5) up to
rounding, wherever nothing is clipped.
"""

from __future__ import annotations

import functools

import numpy as np
from PIL import Image
from scipy.ndimage import correlate1d, uniform_filter1d

from apmlib.simulated.canvas import Canvas, F, linear

LUMA = np.array([0.2126, 0.7152, 0.0722], F)
GREY = 0.18  # middle grey, where contrast turns
BASE_CONTRAST = 1.12  # of the film, at contrast 1
SHOULDER = 0.55  # linear light above which highlights are compressed
KEYS = {  # metered geometric mean of the luminance, unless the scene sets `canvas.key`
    "landscape": 0.20,
    "seascape": 0.19,
    "cityscape": 0.055,
    "forest": 0.13,
    "architecture": 0.20,
    "portrait": 0.16,
    "floral": 0.16,
    "stilllife": 0.15,
    "animal": 0.17,
    "abstract": 0.17,
}


def margin(width: int, height: int, tilt: float) -> int:
    """Pixels that a frame turned by `tilt` degrees reaches beyond its upright self."""
    angle = np.deg2rad(abs(tilt))
    c, s = np.cos(angle), np.sin(angle)
    over = max(width * c + height * s - width, height * c + width * s - height) / 2
    return int(np.ceil(over)) + 1 if tilt else 0


def meter(canvas: Canvas, category: str) -> float:
    """Gain that brings the frame's geometric mean to the key of its category.

    Highlights hold it back: the brightest three hundredths may not pass 1.6.
    """
    m = canvas.margin
    frame = canvas.rgb[m : m + canvas.height, m : m + canvas.width]
    step = max(1, min(frame.shape[:2]) // 64)
    light = frame[step // 2 :: step, step // 2 :: step] @ LUMA
    key = getattr(canvas, "key", None) or KEYS[category]
    mean = float(np.exp(np.mean(np.log(light + F(0.004)))))
    high = float(np.quantile(light, 0.97))
    return min(key / mean, max(1.6, 6 * key) / (high + 1e-6))


def soften(picture: np.ndarray, radius: float) -> np.ndarray:
    """A smooth blur of (H, W) or (H, W, C) whose standard deviation is `radius` pixels."""
    if radius < 0.3:
        return picture
    height, width = picture.shape[:2]
    shrink = 1 if radius < 2 else 2 if radius < 4 else 4 if radius < 8 else 8
    small = picture
    if shrink > 1:
        small = _resize(picture, max(4, width // shrink), max(4, height // shrink), Image.BOX)
    sigma = radius / shrink
    for axis in (0, 1):
        if sigma < 0.8:
            side = sigma * sigma / 2
            small = correlate1d(small, [side, 1 - 2 * side, side], axis, mode="nearest")
        else:
            size = 2 * max(1, round((np.sqrt(6 * sigma * sigma + 1) - 1) / 2)) + 1
            small = uniform_filter1d(small, size, axis, mode="nearest")
            small = uniform_filter1d(small, size, axis, mode="nearest")
    if shrink > 1:
        small = _resize(small, width, height, Image.BILINEAR)
    return small


def _resize(picture: np.ndarray, width: int, height: int, how: int) -> np.ndarray:
    planes = picture[..., None] if picture.ndim == 2 else picture
    planes = [
        np.asarray(
            Image.fromarray(np.ascontiguousarray(planes[..., i])).resize((width, height), how)
        )
        for i in range(planes.shape[-1])
    ]
    return planes[0] if picture.ndim == 2 else np.stack(planes, axis=-1)


def lens(canvas: Canvas, rgb: np.ndarray, blur: float, focus_error: float) -> np.ndarray:
    """Blur by distance from the plane of focus, which lies at the subject.

    Args:
        canvas: for depth and mask.
        rgb: (H, W, 3) metered linear light.
        blur: 0 (all sharp) .. 1 (a wide aperture).
        focus_error: 0 .. 1, softens everything, the subject too.
    """
    weight = canvas.mask
    total = float(weight.sum())
    focus = float((canvas.depth * weight).sum()) / total if total > 0 else 0.4
    shorter = 1.0 / canvas.px
    missed = 0.028 * focus_error * shorter
    opened = max(0.0, blur - 0.12) / 0.88  # a small aperture keeps all of a scene sharp
    if opened > 0:
        widest = F(0.045 * opened * shorter)
        radius = widest * np.minimum(np.abs(canvas.depth - F(focus)) * F(1.6), 1)
        if total > 0:
            radius *= 1 - weight
        # What is in focus must not bleed into the blurred background.
        away = np.clip(radius, F(0.001), 1)[..., None]
        carried = np.concatenate([rgb * away, away], axis=-1)
        steps = [0.0, *(s for s in (widest / 3, widest) if s > 0.3)]
        before, out = rgb, rgb.copy()
        for low, high in zip(steps[:-1], steps[1:], strict=True):
            soft = soften(carried, high)
            soft = soft[..., :3] / (soft[..., 3:] + F(1e-6))
            share = np.clip((radius - F(low)) * F(1 / (high - low)), 0, 1)
            out += share[..., None] * (soft - before)
            before = soft
        rgb = out
    return soften(rgb, missed)


def bloom(rgb: np.ndarray) -> np.ndarray:
    """Light that spills around what is brighter than white, as in a real lens."""
    bright = np.clip(rgb - F(0.9), 0, 8)
    if not bright.any():
        return rgb
    height, width = rgb.shape[:2]
    scale = 48 / min(height, width)
    small = _resize(bright, round(width * scale), round(height * scale), Image.BOX)
    small = F(0.10) * soften(small, 0.6) + F(0.12) * soften(small, 2.4)
    return rgb + _resize(small, width, height, Image.BILINEAR)


def turn(picture: np.ndarray, tilt: float, width: int, height: int) -> np.ndarray:
    """The frame cut from a larger (H, W, C), turned clockwise by tilt degrees, bilinear."""
    rows, columns = picture.shape[:2]
    if not tilt:
        top, left = (rows - height) // 2, (columns - width) // 2
        return picture[top : top + height, left : left + width]
    angle = np.deg2rad(tilt)
    c, s = F(np.cos(angle)), F(np.sin(angle))
    x = np.arange(width, dtype=F)[None, :] - F((width - 1) / 2)
    y = np.arange(height, dtype=F)[:, None] - F((height - 1) / 2)
    u = np.clip(c * x + s * y + F((columns - 1) / 2), 0, columns - F(1.001))
    v = np.clip(c * y - s * x + F((rows - 1) / 2), 0, rows - F(1.001))
    u0, v0 = u.astype(np.int32), v.astype(np.int32)
    a, b = (u - u0)[..., None], (v - v0)[..., None]
    flat, index = picture.reshape(rows * columns, -1), v0 * columns + u0
    top = flat.take(index, axis=0)
    top += a * (flat.take(index + 1, axis=0) - top)
    low = flat.take(index + columns, axis=0)
    low += a * (flat.take(index + columns + 1, axis=0) - low)
    top += b * (low - top)
    return top


@functools.cache
def _static() -> np.ndarray:
    """White noise, (512, 512) normal deviates."""
    return np.random.default_rng(6).standard_normal((512, 512)).astype(F)


def _grain(height: int, width: int, seed: int, shift: int) -> np.ndarray:
    """(height, width) white noise, another one for every seed and shift."""
    r, c = np.random.default_rng([seed & 0xFFFFFFFF, shift]).integers(0, 512, 2)
    rows, columns = (np.arange(height) + r) & 511, (np.arange(width) + c) & 511
    return _static()[rows[:, None], columns[None, :]]


def encode(light: np.ndarray) -> np.ndarray:
    """Linear light to display values in 0 .. 1: shoulder, then the sRGB curve (table)."""
    index = np.minimum(np.sqrt(np.maximum(light, 0)) * F(1024), F(_TABLE.size - 1))
    return _TABLE.take(index.astype(np.int32))


def decode(display: np.ndarray) -> np.ndarray:
    """The inverse of encode: display values in 0 .. 1 (or uint8) to linear light."""
    if np.asarray(display).dtype == np.uint8:
        display = np.asarray(display, F) / F(255)
    light = np.minimum(linear(display), F(0.9995))
    over = np.maximum(light - SHOULDER, 0) / (1 - SHOULDER)
    return np.where(light > SHOULDER, SHOULDER - (1 - SHOULDER) * np.log1p(-over), light)


def _table() -> np.ndarray:
    light = (np.arange(1024 * 4, dtype=np.float64) + 0.5) ** 2 / 1024**2
    over = np.maximum(light - SHOULDER, 0) / (1 - SHOULDER)
    light = np.where(light > SHOULDER, SHOULDER + (1 - SHOULDER) * (1 - np.exp(-over)), light)
    return np.where(
        light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055
    ).astype(F)


_TABLE = _table()


def balance(white_balance: float) -> np.ndarray:
    """Channel gains (3,) for -1 (cold, blue) .. 1 (warm, orange), luminance kept."""
    gains = np.exp(np.array([0.55, 0.02, -0.85]) * white_balance)
    return (gains / (gains @ LUMA)).astype(F)


def saturate(rgb: np.ndarray, amount: float) -> np.ndarray:
    """Linear light with its distance from grey multiplied: 0 grey, 1 unchanged."""
    grey = (rgb @ LUMA)[..., None]
    return np.maximum(grey + F(amount) * (rgb - grey), 0)


TREATMENTS = ("duotone", "cross", "grain", "infrared", "glow")


def treat(display: np.ndarray, strength: float, seed: int) -> np.ndarray:
    """A heavy darkroom treatment that people love or hate; strength 0 leaves all as it is.

    The kind follows from the seed: two inks, cross-processed film, coarse grained black and
    white, false colour, or an exaggerated glow.
    """
    if strength <= 0.02:
        return display
    rng = np.random.default_rng([seed & 0xFFFFFFFF, 77])
    kind = TREATMENTS[int(rng.integers(len(TREATMENTS)))]
    hue = float(rng.random())
    height, width = display.shape[:2]
    grey = display @ LUMA
    if kind == "duotone":
        dark, pale = _ink(hue, 0.12), _ink(hue + 0.42, 1.0)
        out = dark + (pale - dark) * _steep(grey, 2.0)[..., None]
    elif kind == "cross":
        out = _steep(display, 2.2)
        out = out * np.array([1.05, 1.0, 0.62], F) + np.array([-0.02, 0.03, 0.26], F)
        out = out + F(0.5) * (out - grey[..., None])
    elif kind == "grain":
        rough = soften(_grain(height, width, seed, 5), min(height, width) / 260)
        rough = rough * F(0.11 / (rough.std() + 1e-6))
        out = np.repeat((_steep(grey, 2.4) + rough)[..., None], 3, axis=-1)
    elif kind == "infrared":
        out = display[..., [1, 0, 2]] * np.array([1.25, 0.75, 1.1], F)
        out = out + F(0.8) * (out - grey[..., None])
    else:
        soft = soften(display, 0.035 * min(height, width))
        out = 1 - (1 - soft) * (1 - display * F(0.85))
        out = out + F(0.6) * (display - soft) + F(0.35) * (out - grey[..., None])
    return np.clip(display + F(strength) * (out - display), 0, 1).astype(F)


def _ink(hue: float, value: float) -> np.ndarray:
    turn_ = np.array([0.0, 1 / 3, 2 / 3]) + hue
    rgb = 0.5 + 0.5 * np.cos(2 * np.pi * turn_)
    return (value * (0.25 + 0.75 * rgb if value > 0.5 else rgb * 1.6)).astype(F)


def _steep(value: np.ndarray, slope: float) -> np.ndarray:
    """An S-curve through (0.45, 0.5)."""
    return 1 / (1 + np.exp(-F(slope * 2.4) * (value - F(0.45))))


def expose(canvas: Canvas, row: dict) -> tuple[np.ndarray, np.ndarray]:
    """Photograph a painted scene.

    Args:
        canvas: the scene, upright, with the margin that `row["tilt"]` needs.
        row: the latents.

    Returns:
        rgb (height, width, 3) uint8 and mask (height, width) uint8, 0 or 255.
    """
    width, height = canvas.width, canvas.height
    seed, tilt = int(row["scene_seed"]), float(row["tilt"])
    rgb = canvas.rgb * F(meter(canvas, row["category"]))
    rgb = lens(canvas, rgb, float(row["blur"]), float(row["focus_error"]))
    rgb = bloom(rgb)
    turned = turn(np.concatenate([rgb, canvas.mask[..., None]], axis=-1), tilt, width, height)
    rgb, mask = turned[..., :3], turned[..., 3]

    vignette = float(row["vignette"])
    if vignette > 0.01:
        m = canvas.margin
        x = canvas.x[m : m + height, m : m + width] / F(canvas.half_width)
        y = canvas.y[m : m + height, m : m + width] / F(canvas.half_height)
        rgb = rgb * (1 - F(0.42 * vignette) * np.minimum(x * x + y * y, 2))[..., None]
    noise = float(row["noise"])
    if noise > 0.01:
        level = F(0.15 * noise) * np.sqrt(rgb @ LUMA + F(0.001)) * np.sqrt(rgb.mean() + F(0.01))
        grey = _grain(height, width, seed, 1)
        for channel in range(3):
            tint = F(0.6) * _grain(height, width, seed, 2 + channel)
            rgb[..., channel] += level * (grey + tint)
        np.maximum(rgb, 0, out=rgb)

    slope = BASE_CONTRAST * float(row["contrast"]) - 1
    tone = (np.maximum(rgb @ LUMA, F(1e-5)) * F(1 / GREY)) ** F(slope)
    rgb = rgb * tone[..., None]
    rgb = rgb * (F(2.0 ** float(row["exposure"])) * balance(float(row["white_balance"])))
    rgb = saturate(rgb, float(row["saturation"]))
    display = treat(encode(rgb), float(row["divergence"]), seed)
    photograph = (display * F(255) + F(0.5)).astype(np.uint8)
    return photograph, np.where(mask > 0.5, 255, 0).astype(np.uint8)


def measure(photograph: np.ndarray, mask: np.ndarray) -> dict[str, float]:
    """What is measured on the finished photograph, after shrinking it to a shorter side of 48.

    Args:
        photograph: (H, W, 3) uint8.
        mask: (H, W) uint8.

    Returns:
        lightness (mean L* / 100), tones (standard deviation of L* / 100), chroma (mean C* /
        100), warmth (mean b* / 100), framing (mean L* / 100 of the middle ninth less that of
        the rest), clipped (share of pixels that are white in some channel and light, or
        black), mask_area (share of the frame).
    """
    height, width = photograph.shape[:2]
    scale = 48 / min(height, width)
    size = (round(width * scale), round(height * scale))
    small = np.asarray(Image.fromarray(photograph).resize(size, Image.BOX), F) / F(255)
    lightness, a, b = lab(small)
    white = (small.max(axis=-1) >= 0.985) & (lightness > 88)
    black = small.max(axis=-1) <= 0.025
    middle = np.zeros(lightness.shape, bool)
    middle[tuple(slice(round(n / 3), round(2 * n / 3)) for n in middle.shape)] = True
    return {
        "lightness": float(lightness.mean()) / 100,
        "tones": float(lightness.std()) / 100,
        "chroma": float(np.hypot(a, b).mean()) / 100,
        "warmth": float(b.mean()) / 100,
        "framing": float(lightness[middle].mean() - lightness[~middle].mean()) / 100,
        "clipped": float((white | black).mean()),
        "mask_area": float((mask > 127).mean()),
    }


def lab(srgb: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """CIE L* a* b* (D65) of sRGB values in 0 .. 1, (..., 3)."""
    matrix = np.array(
        [
            [0.4124564, 0.3575761, 0.1804375],
            [0.2126729, 0.7151522, 0.0721750],
            [0.0193339, 0.1191920, 0.9503041],
        ],
        F,
    )
    xyz = linear(srgb) @ (matrix / np.array([[0.95047], [1.0], [1.08883]], F)).T
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return 116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])
