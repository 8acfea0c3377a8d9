"""3 × 3 convolutions over pictures with a quarter of the products.

Lavin & Gray 2016, "Fast Algorithms for Convolutional Neural Networks" (arXiv 1509.09308): a tile of 4 × 4 outputs is
found from 6 × 6 inputs as 36 products a pair of channels instead of 144, between a transform of the input, one of the
kernel and one of what comes out. The points that the transforms stand on are 0, ±3/4, ±3/2 and ∞, with which rounding
is twice that of the plain convolution; the paper's 0, ±1, ±2 and ∞ have four times as much.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from numpy.polynomial import polynomial
from torch import Tensor
from torch.nn import functional

TILE, TAPS, SIDE = 4, 3, 6  # outputs, kernel, and inputs of a tile, along each axis
POINTS = (0.0, 0.75, -0.75, 1.5, -1.5)
BLOCK = 128  # tiles at once: few enough for the cache, enough for the products


def transforms(
    points: tuple[float, ...] = POINTS, taps: int = TAPS
) -> tuple[Float[np.ndarray, "side side"], Float[np.ndarray, "side taps"], Float[np.ndarray, "tile side"]]:
    """B, G and A of one axis, so that A ((B d) ∘ (G g)) is the correlation of `side` inputs d with `taps` taps g (Toom
    and Cook: both are polynomials, multiplied by their values at the points and at ∞)."""
    at = np.array(points)
    side = len(at) + 1
    tile = side - taps + 1
    inputs, kernel, outputs = np.zeros((side, side)), np.zeros((side, taps)), np.zeros((tile, side))
    for number, point in enumerate(at):
        others = np.delete(at, number)
        inputs[number, :-1] = polynomial.polyfromroots(others)
        kernel[number] = point ** np.arange(taps) / np.prod(point - others)
        outputs[:, number] = point ** np.arange(tile)
    inputs[-1] = polynomial.polyfromroots(at)
    kernel[-1, -1] = outputs[-1, -1] = 1
    return inputs, kernel, outputs


@lru_cache(maxsize=1)
def _planar() -> tuple[Float[Tensor, "36 36"], Float[Tensor, "16 36"]]:
    """The transforms of input and output over both axes of a tile."""
    inputs, _, outputs = transforms()
    return torch.from_numpy(np.kron(inputs, inputs)).float(), torch.from_numpy(np.kron(outputs, outputs)).float()


def winograd_kernel(weight: Float[Tensor, "out channels 3 3"]) -> Float[Tensor, "36 channels out"]:
    """The transform of a kernel; four times as large."""
    _, kernel, _ = transforms()
    axis = torch.from_numpy(kernel).to(weight.device)
    return torch.einsum("ai,bj,ocij->abco", axis, axis, weight.double()).flatten(0, 1).float().contiguous()


def padded_share(height: int, width: int) -> float:
    """Places of all tiles for one of the picture."""
    return (-(-height // TILE) * TILE) * (-(-width // TILE) * TILE) / (height * width)


def winograd_convolution(
    x: Float[Tensor, "batch channels height width"],
    kernel: Float[Tensor, "36 channels out"],
    bias: Float[Tensor, " out"] | None = None,
) -> Float[Tensor, "batch out height width"]:
    """The convolution that keeps the picture's size, with zeros beyond its edges. Channels lie last in memory.

    Args:
        kernel: of `winograd_kernel`.
    """
    batch, channels, height, width = x.shape
    out, rows, columns = kernel.shape[2], -(-height // TILE), -(-width // TILE)
    pictures = min(max(BLOCK // (rows * columns), 1), batch)
    lines = max(min(BLOCK // columns, rows), 1)
    work = _Work(x, pictures * lines * columns, channels, out)
    made = x.new_empty(batch, rows, TILE, columns, TILE, out)
    x = x.permute(0, 2, 3, 1)
    right = 1 + columns * TILE - width
    for item in range(0, batch, pictures):
        for line in range(0, rows, lines):
            first, last = line * TILE - 1, min(line + lines, rows) * TILE + 1
            strip = x[item : item + pictures, max(first, 0) : last]
            strip = functional.pad(strip, (0, 0, 1, right, max(-first, 0), max(last - height, 0)))
            work.convolve(strip, kernel, bias, made[item : item + pictures, line : line + lines])
    whole = made.view(batch, rows * TILE, columns * TILE, out)[:, :height, :width]
    return whole.permute(0, 3, 1, 2)


class _Work:
    """Memory of a block of tiles, taken once for all blocks.

    Args:
        like: a tensor of the same kind.
        tiles: at most.
    """

    def __init__(self, like: Tensor, tiles: int, channels: int, out: int) -> None:
        self.windows = like.new_empty(SIDE * SIDE * tiles * channels)
        self.inputs = like.new_empty(SIDE * SIDE * tiles * channels)
        self.products = like.new_empty(SIDE * SIDE * tiles * out)
        self.outputs = like.new_empty(TILE * TILE * tiles * out)

    def convolve(self, strip: Tensor, kernel: Tensor, bias: Tensor | None, place: Tensor) -> None:
        """Writes into `place` [pictures, lines, 4, columns, 4, out] what is made of `strip` [pictures, 4 · lines + 2,
        4 · columns + 2, channels]."""
        into, back = _planar()
        channels, out = kernel.shape[1:]
        windows = strip.unfold(1, SIDE, TILE).unfold(2, SIDE, TILE).permute(4, 5, 0, 1, 2, 3)
        tiles = windows[0, 0].numel() // channels
        wide, narrow = SIDE * SIDE * tiles * channels, SIDE * SIDE * tiles * out
        gathered = self.windows[:wide].view(windows.shape).copy_(windows).view(SIDE * SIDE, -1)
        inputs = torch.mm(into, gathered, out=self.inputs[:wide].view(SIDE * SIDE, -1))
        products = self.products[:narrow].view(SIDE * SIDE, tiles, out)
        torch.bmm(inputs.view(SIDE * SIDE, tiles, channels), kernel, out=products)
        outputs = self.outputs[: TILE * TILE * tiles * out].view(TILE * TILE, -1)
        made = torch.mm(back, products.flatten(1), out=outputs).view(TILE, TILE, *windows.shape[2:5], out)
        made = made.permute(2, 3, 0, 4, 1, 5)
        place.copy_(made) if bias is None else torch.add(made, bias, out=place)
