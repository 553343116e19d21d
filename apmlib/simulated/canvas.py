"""The canvas that scenes are painted on: linear light, depth and the subject's mask.

Everything is measured in scene units: the shorter side of the frame is 1, the origin lies
in its centre, x points right and y down. A scene draws the same picture on a small and on a
large canvas; the large one only shows finer detail.
"""

from __future__ import annotations

import functools

import numpy as np
from PIL import Image, ImageDraw

F = np.float32
TILE = 512  # side of a noise tile in texels
CYCLES = 4  # the coarsest blobs of a tile repeat this often across it
EVERYWHERE = (slice(None), slice(None))


class Canvas:
    """A picture in the making.

    Args:
        width: width of the frame in pixels.
        height: height of the frame in pixels.
        margin: pixels added on all four sides, so that a tilted camera never looks
            past the edge of the picture.

    Attributes:
        x, y: (H, W) float32 scene coordinates of the pixel centres, margin included.
        px: side of a pixel in scene units.
        rgb: (H, W, 3) float32 linear light, 1 = white in normal exposure, brighter allowed.
        depth: (H, W) float32, 0 (at the lens) .. 1 (far away).
        mask: (H, W) float32 coverage of the subject, 0 .. 1.
        key: brightness that the scene wants to be metered to (geometric mean of the
            luminance, 0.18 is middle grey); None leaves it to the category.
        aspect, half_width, half_height: shape of the frame, the latter in scene units.
        left, right, top, bottom: what the canvas extends to, in scene units.
    """

    def __init__(self, width: int, height: int, margin: int = 0):
        self.width, self.height, self.margin = width, height, margin
        self.px = 1.0 / min(width, height)
        self.aspect = width / height
        self.half_width, self.half_height = 0.5 * width * self.px, 0.5 * height * self.px
        columns = np.arange(width + 2 * margin, dtype=F) - (margin + 0.5 * (width - 1))
        rows = np.arange(height + 2 * margin, dtype=F) - (margin + 0.5 * (height - 1))
        self.xs, self.ys = columns * F(self.px), rows * F(self.px)
        self.x, self.y = np.meshgrid(self.xs, self.ys)
        shape = self.x.shape
        self.rgb = np.zeros((*shape, 3), F)
        self.depth = np.ones(shape, F)
        self.mask = np.zeros(shape, F)
        self.key: float | None = None
        self.left, self.right = float(self.xs[0]) - self.px, float(self.xs[-1]) + self.px
        self.top, self.bottom = float(self.ys[0]) - self.px, float(self.ys[-1]) + self.px

    def place(self, fx: float, fy: float) -> tuple[float, float]:
        """Scene coordinates of a place given in shares of the frame (0, 0 = top left)."""
        return (fx - 0.5) * 2 * self.half_width, (fy - 0.5) * 2 * self.half_height

    def window(self, x0: float, y0: float, x1: float, y1: float) -> tuple[slice, slice]:
        """Slices (rows, columns) of the pixels within a box, for painting only there."""
        rows, columns = len(self.ys), len(self.xs)
        c0 = int(np.clip(np.floor((x0 - self.xs[0]) / self.px), 0, columns))
        c1 = int(np.clip(np.ceil((x1 - self.xs[0]) / self.px) + 1, 0, columns))
        r0 = int(np.clip(np.floor((y0 - self.ys[0]) / self.px), 0, rows))
        r1 = int(np.clip(np.ceil((y1 - self.ys[0]) / self.px) + 1, 0, rows))
        return slice(r0, r1), slice(c0, c1)

    def edge(self, distance: np.ndarray, soft: float = 0.0) -> np.ndarray:
        """Coverage of a shape from its signed distance (negative inside), scene units.

        The edge is one pixel wide, or `soft` scene units where that is more.
        """
        return np.clip(F(0.5) - distance * F(1.0 / max(self.px, soft)), 0, 1)

    def paint(self, colour, coverage=1.0, depth=None, subject=False, at=EVERYWHERE) -> None:
        """Lay a colour over the picture.

        Args:
            colour: (3,) or (h, w, 3) linear light.
            coverage: scalar or (h, w) in 0 .. 1.
            depth: scalar or (h, w), written where more than half is covered; None leaves it.
            subject: whether this is part of the subject; what is not hides the subject.
            at: slices from `window`; the arrays then have the window's shape.
        """
        light, mask = self.rgb[at], self.mask[at]
        if light.size == 0:
            return
        coverage = np.asarray(coverage, F)
        colour = np.asarray(colour, F)
        if coverage.ndim == 0 and coverage == 1:
            light[:] = colour
        else:
            change = colour - light
            change *= coverage[..., None]
            light += change
        if subject:
            np.maximum(mask, coverage, out=mask)
        else:
            mask *= 1 - coverage
        if depth is not None:
            np.copyto(self.depth[at], np.asarray(depth, F), where=coverage > 0.5)

    def glow(self, colour, amount, at=EVERYWHERE) -> None:
        """Add light: colour (3,) or (h, w, 3) times amount, a scalar or (h, w)."""
        light = self.rgb[at]
        if light.size:
            light += np.asarray(colour, F) * np.asarray(amount, F)[..., None]

    def noise(self, x, y, scale: float, seed: int, kind="fbm", smooth=None) -> np.ndarray:
        """Fractal noise in 0 .. 1, evenly distributed, for coordinates in any unit.

        Args:
            x, y: float arrays of one shape (or broadcastable), e.g. `canvas.x` and `canvas.y`.
            scale: size of the coarsest blobs in the unit of x and y.
            seed: chooses the tile and its place: other seeds, other noise.
            kind: "fbm" (clouds), "ridged" (rock, ripples), "soft" (broad blobs only),
                "grain" (fine grass, sand).
            smooth: interpolate; by default only where texels are larger than a pixel.
        """
        return noise(x, y, scale, seed, kind, smooth)

    def ridge(self, scale: float, height: float, seed: int, kind: str = "fbm") -> np.ndarray:
        """A fractal line along x: (W,) in -height .. height, for skylines and hills."""
        line = noise(self.xs, np.zeros_like(self.xs), scale, seed, kind)
        return (line * F(2) - F(1)) * F(height)

    def gradient(self, t: np.ndarray, stops: list[tuple[float, np.ndarray]]) -> np.ndarray:
        """Colours along t: stops are (position, linear (3,)), positions rising."""
        return gradient(t, stops)

    def stencil(self, at=EVERYWHERE) -> Stencil:
        """A finely sampled drawing board for polygons, lines and ellipses: see Stencil.

        at: slices from `window`; what is small is quicker on a small board.
        """
        return Stencil(self, at)


class Stencil:
    """Many outlines drawn at once with PIL, some samples a pixel, then read as coverage.

    Points are in scene units. Draw with `value` 0 to cut out again. The board covers the
    window `at` of the canvas.
    """

    def __init__(self, canvas: Canvas, at=EVERYWHERE):
        xs, ys = canvas.xs[at[1]], canvas.ys[at[0]]
        rows, columns = len(ys), len(xs)
        self.shape = (rows, columns)
        if not rows or not columns:  # out of the picture: draw on a spare board
            xs, ys, rows, columns = canvas.xs[-1:] + 9, canvas.ys[-1:] + 9, 1, 1
        self.fine = int(np.clip(1600 // max(canvas.x.shape), 2, 4))
        self.board = Image.new("L", (columns * self.fine, rows * self.fine), 0)
        self.draw = ImageDraw.Draw(self.board)
        self.left = float(xs[0]) - 0.5 * canvas.px
        self.top = float(ys[0]) - 0.5 * canvas.px
        self.zoom = self.fine / canvas.px

    def points(self, points) -> list[tuple[float, float]]:
        """Board coordinates of an (n, 2) list of scene coordinates."""
        left, top, zoom = self.left, self.top, self.zoom
        return [((x - left) * zoom - 0.5, (y - top) * zoom - 0.5) for x, y in points]

    def polygon(self, points, value: float = 1.0) -> None:
        """A filled polygon, (n, 2)."""
        self.draw.polygon(self.points(points), fill=int(255 * value))

    def line(self, points, width: float, value: float = 1.0) -> None:
        """A line through (n, 2) points; width in scene units, thinner than a sample fades."""
        samples = width * self.zoom
        value *= min(1.0, samples)
        self.draw.line(
            self.points(points),
            fill=int(255 * value),
            width=max(1, round(samples)),
            joint="curve" if samples > 3 else None,
        )

    def ellipse(self, x: float, y: float, rx: float, ry: float, value: float = 1.0) -> None:
        """A filled ellipse with axes along x and y."""
        (x0, y0), (x1, y1) = self.points([(x - rx, y - ry), (x + rx, y + ry)])
        self.draw.ellipse((x0, y0, x1, y1), fill=int(255 * value))

    def coverage(self) -> np.ndarray:
        """(H, W) float32 in 0 .. 1 on the pixels of the canvas, or of the window."""
        if not all(self.shape):
            return np.zeros(self.shape, F)
        return np.asarray(self.board.reduce(self.fine), F) / F(255)


# --- noise -------------------------------------------------------------------------------


def _equalise(tile: np.ndarray) -> np.ndarray:
    """The same picture with its values spread evenly over 0 .. 1."""
    ranks = np.empty(tile.size, F)
    ranks[np.argsort(tile, axis=None, kind="stable")] = np.linspace(0, 1, tile.size, dtype=F)
    return ranks.reshape(tile.shape)


def _spectral(rng: np.random.Generator, falloff: float, low: float, high: float) -> np.ndarray:
    """Tileable Gaussian noise whose amplitude falls with frequency, between two bounds."""
    fy = np.fft.fftfreq(TILE)[:, None] * TILE
    fx = np.fft.rfftfreq(TILE)[None, :] * TILE
    radius = np.hypot(fx, fy)
    amplitude = np.where((radius >= low) & (radius <= high), radius + 1e-9, np.inf) ** -falloff
    spectrum = amplitude * np.exp(2j * np.pi * rng.random(amplitude.shape))
    tile = np.fft.irfft2(spectrum, s=(TILE, TILE))
    return tile / tile.std()


KINDS = {"fbm": 4, "ridged": 2, "soft": 2, "grain": 2}  # kind: number of tiles


@functools.cache
def _pyramid(kind: str, number: int) -> tuple[np.ndarray, np.ndarray]:
    """A noise tile at all sizes from TILE down to 16, end to end, and where each begins."""
    rng = np.random.default_rng([20170404, sorted(KINDS).index(kind), number])
    if kind == "fbm":
        tile = _spectral(rng, 1.9, CYCLES - 1, TILE)
    elif kind == "ridged":
        octaves = [_spectral(rng, 1.5, f * 0.6, f * 1.5) for f in (4, 8, 16, 32, 64, 128)]
        tile = sum(0.55**i * -np.sqrt(np.abs(o)) for i, o in enumerate(octaves))
    elif kind == "soft":
        tile = _spectral(rng, 2.5, CYCLES - 1.5, 14)
    else:
        tile = _spectral(rng, 0.6, CYCLES * 4, TILE)
    level, levels = _equalise(tile), []
    while level.shape[0] >= 16:
        levels.append(level)
        level = 0.25 * (
            level[::2, ::2] + level[1::2, ::2] + level[::2, 1::2] + level[1::2, 1::2]
        )
    starts = np.cumsum([0] + [level.size for level in levels[:-1]])
    return np.concatenate([level.ravel() for level in levels]).astype(F), starts


def _step(values: np.ndarray, axis: int) -> np.ndarray:
    """Distance between neighbours along an axis, one number a row: shape (rows,) or ()."""
    if values.ndim == 0 or values.shape[axis] < 2:
        return np.zeros(1, F)
    if values.ndim == 1:
        return np.abs(values[1:2] - values[0:1])
    middle = values.shape[1] // 2
    if axis == 1:
        return np.abs(values[:, middle] - values[:, middle - 1])
    steps = np.abs(np.diff(values[:, middle]))
    return np.append(steps, steps[-1:])


def noise(
    x, y, scale: float, seed: int, kind: str = "fbm", smooth: bool | None = None
) -> np.ndarray:
    """Sample the noise bank: see Canvas.noise.

    smooth: interpolate between texels; by default only where they are larger than a pixel.
    """
    x, y = np.broadcast_arrays(np.asarray(x, F), np.asarray(y, F))
    if x.size == 0:
        return np.zeros(x.shape, F)
    place = np.random.SeedSequence(int(seed) & 0xFFFFFFFF).generate_state(3)
    pyramid, starts = _pyramid(kind, int(place[0]) % KINDS[kind])
    zoom = F(TILE / (CYCLES * scale))
    u = x * zoom + F(place[1] % TILE)
    v = y * zoom + F(place[2] % TILE)

    # Texels a pixel, row by row: it chooses the level, so that far water does not flicker.
    if x.ndim == 2:
        across = np.maximum(_step(u, 1), _step(v, 1))
        down = np.maximum(_step(u, 0), _step(v, 0))
    else:
        across = down = np.maximum(_step(u, 0), _step(v, 0))
    footprint = np.sqrt(np.maximum(across, 1e-3) * np.maximum(down, 1e-3))
    typical = float(np.median(footprint))
    level = np.clip(np.floor(np.log2(footprint) + 0.5), 0, len(starts) - 1).astype(np.int32)
    if x.ndim == 2:
        level = level[:, None]
    if not (typical < 0.9 if smooth is None else smooth):
        size = TILE >> level
        return _texels(pyramid, starts, u * (size / F(TILE)), v * (size / F(TILE)), level)

    shrink = (TILE >> level).astype(F) / F(TILE)
    u, v = u * shrink, v * shrink
    u0, v0 = np.floor(u), np.floor(v)
    a, b = u - u0, v - v0
    top = _texels(pyramid, starts, u0, v0, level)
    top += a * (_texels(pyramid, starts, u0 + 1, v0, level) - top)
    low = _texels(pyramid, starts, u0, v0 + 1, level)
    low += a * (_texels(pyramid, starts, u0 + 1, v0 + 1, level) - low)
    top += b * (low - top)
    if typical < 0.45 and kind != "soft":
        detail = _texels(pyramid, starts, u * 8, v * 8, level)
        top += (detail - F(0.5)) * F(0.08)
        np.clip(top, 0, 1, out=top)
    return top


def _texels(pyramid, starts, u, v, level) -> np.ndarray:
    """Nearest texels of a flattened pyramid; u, v in texels of the level."""
    column, row = np.floor(u).astype(np.int32), np.floor(v).astype(np.int32)
    if not level.any():
        return pyramid.take(((row & (TILE - 1)) << 9) + (column & (TILE - 1)))
    size = TILE >> level
    start = starts.astype(np.int32).take(level)
    return pyramid.take(start + (row & (size - 1)) * size + (column & (size - 1)))


# --- colour ------------------------------------------------------------------------------


def linear(colour) -> np.ndarray:
    """sRGB in 0 .. 1 (any shape), or "#rrggbb", as float32 linear light."""
    if isinstance(colour, str):
        colour = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    c = np.asarray(colour, F)
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4).astype(F)


def hsv(hue: float, saturation: float, value: float) -> np.ndarray:
    """Hue (turns: 0 red, 1/3 green, 2/3 blue), saturation and value as linear light (3,)."""
    k = (np.array([5, 3, 1]) + (hue % 1.0) * 6) % 6
    srgb = value - value * saturation * np.clip(np.minimum(k, 4 - k), 0, 1)
    return linear(srgb)


def oklch(lightness: float, chroma: float, hue: float) -> np.ndarray:
    """A colour of OKLCH, where even steps look even, as linear light (3,), clipped to 0.

    ``lightness`` is 0 .. 1, ``chroma`` 0 .. 0.35, ``hue`` in turns (0.08 red, 0.3 yellow, 0.4
    green, 0.73 blue).
    Source: B. Ottosson, "A perceptual color space for image processing", 2020.
    """
    a, b = chroma * np.cos(2 * np.pi * hue), chroma * np.sin(2 * np.pi * hue)
    lms = np.array(
        [
            lightness + 0.3963377774 * a + 0.2158037573 * b,
            lightness - 0.1055613458 * a - 0.0638541728 * b,
            lightness - 0.0894841775 * a - 1.2914855480 * b,
        ]
    )
    matrix = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    )
    return np.maximum(matrix @ lms**3, 0).astype(F)


def mix(a, b, t) -> np.ndarray:
    """From a (t = 0) to b (t = 1); t scalar or (h, w), the colours (3,) or (h, w, 3)."""
    a = np.asarray(a, F)
    change = (np.asarray(b, F) - a) * np.asarray(t, F)[..., None]
    change += a
    return change


def smoothstep(low: float, high: float, value) -> np.ndarray:
    """0 below low, 1 above high, smooth between; low > high runs the other way."""
    t = np.clip((np.asarray(value, F) - F(low)) * F(1.0 / (high - low)), 0, 1)
    return t * t * (F(3) - F(2) * t)


def gradient(t: np.ndarray, stops: list[tuple[float, np.ndarray]]) -> np.ndarray:
    """Colours along t: stops are (position, linear (3,)), positions rising; shape (*t, 3)."""
    positions = [position for position, _ in stops]
    colours = np.asarray([colour for _, colour in stops], F)
    t = np.asarray(t, F)
    return np.stack([np.interp(t, positions, c).astype(F) for c in colours.T], axis=-1)
