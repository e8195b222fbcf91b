"""Pictures of a page as PNG and SVG paths, without a plotting library: numpy and zlib are enough."""

import base64
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from hf_asr.decoding.ngram import Floats

WINDOW, HOP, BINS = 400, 160, 512  # samples: windows of 25 ms every 10 ms, and the length of their Fourier transform
FLOOR = -80.0  # dB; what is softer is drawn as if it were this
SHADES = 64  # of a picture: noise packs badly
# Corners of a colour map from black over violet and orange to light yellow, even in lightness as magma is
WARM = [(8, 6, 24), (62, 16, 110), (140, 41, 129), (222, 73, 104), (254, 159, 109), (252, 253, 191)]
SURE, BLANK = (47, 128, 224), (128, 134, 144)  # probabilities, seen on light and on dark ground


def powers(samples: np.ndarray) -> Floats:
    """Power in dB below the loudest spot [257 frequencies of 0 to 8 kHz, frames of 10 ms]."""
    side = (WINDOW - HOP) // 2  # so that each window has its hop in the middle
    frames = max(1, -(-len(samples) // HOP))
    padded = np.pad(samples.astype(np.float64), (side, side + frames * HOP - len(samples)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP][:frames]
    power = np.abs(np.fft.rfft(windows * np.hanning(WINDOW), BINS)) ** 2
    level = 10 * np.log10(power.T + 1e-12)
    return np.asarray(np.maximum(level - level.max(), FLOOR), dtype=np.float64)


def loudness(samples: np.ndarray, columns: int) -> Floats:
    """The largest amplitude in each of `columns` parts of a clip."""
    parts = np.array_split(np.abs(samples), columns)
    return np.array([float(part.max()) if len(part) else 0.0 for part in parts])


def wave(samples: np.ndarray, columns: int) -> str:
    """An SVG path in a box of `columns` by 2: from the highest to the lowest sample of each column."""
    parts = np.array_split(np.clip(samples, -1, 1), min(columns, len(samples)))
    wide = columns / len(parts)
    ends = [(1 - part.max(), 1 - part.min() + 0.004) for part in parts]  # a little, or silence would be no line
    strokes = (f"M{wide * (x + 0.5):.2f} {above:.3f}V{below:.3f}" for x, (above, below) in enumerate(ends))
    return "".join(strokes)


def warm(values: Floats, low: float, high: float) -> str:
    """Values [rows, columns], the first row lowest, as a data address of a picture from dark (low) to light (high)."""
    shade = np.clip((values[::-1] - low) / (high - low), 0, 1) * (SHADES - 1)
    at = np.linspace(0, len(WARM) - 1, SHADES)
    corners = np.array(WARM, dtype=np.float64)
    palette = np.stack([np.interp(at, np.arange(len(WARM)), corners[:, channel]) for channel in range(3)], axis=1)
    return png(np.round(shade).astype(np.uint8), np.round(palette).astype(np.uint8), np.full(SHADES, 255, np.uint8))


def sure(shares: Floats, blank: int | None = None) -> str:
    """Shares of 1 [rows, columns], the first row on top, from clear to full colour; the row of blank in grey."""
    shade = np.round(np.clip(shares, 0, 1) ** 0.7 * (SHADES - 1)).astype(np.uint8)  # faint ones are to be seen
    if blank is not None:
        shade[blank] += SHADES
    palette = np.array([SURE] * SHADES + [BLANK] * SHADES, dtype=np.uint8)
    opacity = np.tile(np.round(np.linspace(0, 255, SHADES)), 2).astype(np.uint8)
    return png(shade, palette, opacity)


def png(pixels: NDArray[np.uint8], palette: NDArray[np.uint8], opacity: NDArray[np.uint8]) -> str:
    """A data address of a PNG: numbers [height, width] of colours [colours, 3] and their opacity [colours]."""
    height, width = pixels.shape
    rows = np.zeros((height, width + 1), np.uint8)  # each begins with the number of its filter: none
    rows[:, 1:] = pixels
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        (b"PLTE", palette.tobytes()),
        (b"tRNS", opacity.tobytes()),
        (b"IDAT", zlib.compress(rows.tobytes(), 9)),
        (b"IEND", b""),
    ]
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
    return "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + body).decode()
