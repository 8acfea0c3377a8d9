"""Attention among the tokens of a picture: over all of them, over shifted windows, or over each one's neighbourhood.

What hourglass transformers are made of (Crowson et al. 2024, HDiT, arXiv 2401.11605, section 4.2): queries and keys are
compared by their angle, at a learned temperature a head, and turned by their place on both axes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from orchestrion.nn.attention import attend

KINDS = ("none", "global", "neighborhood", "shifted_window")
TILE = 8  # queries along an axis that neighbourhood attention computes at once

Grid = Float[Tensor, "batch height width heads head_dim"]


def grid_positions(height: int, width: int) -> Float[Tensor, "height width 2"]:
    """Row and column of the centre of each token: the longer side spans [−1, 1], the shorter one its share of it."""
    longest = max(height, width)
    rows, columns = (((2 * torch.arange(side) + 1) / side - 1) * (side / longest) for side in (height, width))
    return torch.stack(torch.meshgrid(rows, columns, indexing="ij"), -1)


def coarser_positions(positions: Float[Tensor, "height width 2"]) -> Float[Tensor, "half_height half_width 2"]:
    """The mean place of each two by two tokens."""
    height, width, _ = positions.shape
    return positions.reshape(height // 2, 2, width // 2, 2, 2).mean((1, 3))


def axial_frequencies(num_heads: int, head_dim: int) -> Float[Tensor, "heads eighth"]:
    """num_heads · head_dim/8 frequencies from π to 10π (end left out), evenly spaced in their logarithm and dealt out
    to the heads in turn.

    Raises:
        ValueError: the heads' width is not a multiple of 8.
    """
    if head_dim % 8:
        raise ValueError(f"a head of {head_dim} channels cannot be turned on two axes; take a multiple of 8")
    count = num_heads * head_dim // 8
    spaced = torch.linspace(math.log(math.pi), math.log(10 * math.pi), count + 1)[:-1].exp()
    return spaced.view(head_dim // 8, num_heads).T.contiguous()


def axial_rotations(
    positions: Float[Tensor, "height width 2"], frequencies: Float[Tensor, "heads eighth"]
) -> Float[Tensor, "2 height width heads quarter"]:
    """Cosines, then sines, of the angles of each token and head: those of its row, then those of its column."""
    angles = positions[..., None, :, None] * frequencies[:, None].to(positions)
    return torch.stack([angles.flatten(-2).cos(), angles.flatten(-2).sin()])


def place_and_scale(
    x: Float[Tensor, "batch height width two heads head_dim"],
    scale: Float[Tensor, " heads"],
    rotations: Float[Tensor, "2 height width heads quarter"],
    *,
    eps: float = 1e-6,
) -> Float[Tensor, "batch height width two heads head_dim"]:
    """Queries and keys at length √scale, the first half of their channels turned by their place."""
    length = (torch.linalg.vector_norm(x, dim=-1, keepdim=True).square() + eps).rsqrt()
    x = x * (length * scale.sqrt()[:, None]).to(x.dtype)
    quarter = rotations.shape[-1]
    cos, sin = rotations[:, None, :, :, None].to(x.dtype)
    first, second, rest = x.split([quarter, quarter, x.shape[-1] - 2 * quarter], -1)
    turned = torch.addcmul(first * cos, second, sin, value=-1), torch.addcmul(second * cos, first, sin)
    if torch.is_grad_enabled():
        return torch.cat([*turned, rest], -1)
    first.copy_(turned[0])
    second.copy_(turned[1])
    return x


def grid_attend(q: Grid, k: Grid, v: Grid, *, kind: str, window: int, shift: int) -> Grid:
    """softmax(q·k) v, each token over the tokens that its kind of attention shows it; q and k are scaled before.

    Args:
        kind: one of `KINDS` but "none".
        window: side of a window or neighbourhood, in tokens.
        shift: by which windows are moved.

    Raises:
        ValueError: the grid is smaller than a neighbourhood, or no multiple of a window.
    """
    if kind == "global":
        parts = (part.flatten(1, 2).transpose(1, 2) for part in (q, k, v))
        return attend(*parts, scale=1.0).transpose(1, 2).unflatten(1, q.shape[1:3])
    if kind == "neighborhood":
        return neighborhood_attend(q, k, v, window=window)
    if kind == "shifted_window":
        return window_attend(q, k, v, window=window, shift=shift)
    raise ValueError(f"unknown attention {kind!r} of a grid; take one of {', '.join(KINDS[1:])}")


def window_attend(q: Grid, k: Grid, v: Grid, *, window: int, shift: int) -> Grid:
    """Over the window that a token lies in, after the picture was moved by `shift` down and right, around its edges;
    what only meets because of that does not see each other (Liu et al. 2021, Swin).

    Raises:
        ValueError: the grid is no multiple of a window.
    """
    height, width = q.shape[1:3]
    cut = (cut_windows(part, window=window, shift=shift) for part in (q, k, v))
    out = attend_in_windows(*cut, height=height, width=width, shift=shift)
    return join_windows(out, height=height, width=width, shift=shift)


def cut_windows(
    x: Shaped[Tensor, "batch height width *channels"], *, window: int, shift: int
) -> Shaped[Tensor, "windows window window *channels"]:
    """The windows of a grid, row by row, after it was moved by `shift` down and right, around its edges.

    Raises:
        ValueError: the grid is no multiple of a window.
    """
    height, width = x.shape[1:3]
    if height % window or width % window:
        raise ValueError(f"a grid of {height} × {width} tokens is no multiple of windows of {window}; change one")
    places, _ = _window_places(height, width, window, shift, x.device)
    return x.flatten(1, 2).index_select(1, places).reshape(-1, window, window, *x.shape[3:])


def join_windows(
    x: Shaped[Tensor, "windows window window *channels"], *, height: int, width: int, shift: int
) -> Shaped[Tensor, "batch height width *channels"]:
    """The inverse of `cut_windows`."""
    _, places = _window_places(height, width, x.shape[1], shift, x.device)
    return x.reshape(-1, height * width, *x.shape[3:]).index_select(1, places).unflatten(1, (height, width))


@lru_cache(maxsize=32)
def _window_places(
    height: int, width: int, window: int, shift: int, device: torch.device
) -> tuple[Int[Tensor, " tokens"], Int[Tensor, " tokens"]]:
    """Where the tokens of the windows stand in the grid, one window after another, and the way back."""
    with torch.inference_mode(False):  # they are kept, and gradients may need them later
        places = torch.arange(height * width, device=device).view(height, width).roll((shift, shift), (0, 1))
        places = places.unflatten(1, (-1, window)).unflatten(0, (-1, window)).transpose(1, 2).flatten()
        return places, places.argsort()


def attend_in_windows(q: Grid, k: Grid, v: Grid, *, height: int, width: int, shift: int) -> Grid:
    """Each window over itself; in windows of a grid of `height` × `width` tokens that was moved, only what has been
    together before."""
    window, mask = q.shape[1], None
    if shift:
        rows, columns = height // window, width // window
        mask = _window_mask(rows, columns, window, shift, q.device)
        mask = mask.repeat(len(q) // len(mask), 1, 1)[:, None]
    parts = (part.flatten(1, 2).transpose(1, 2) for part in (q, k, v))
    return attend(*parts, mask=mask, scale=1.0).transpose(1, 2).unflatten(1, (window, window))


@lru_cache(maxsize=32)
def _window_mask(rows: int, columns: int, window: int, shift: int, device: torch.device) -> Tensor:
    """[rows · columns, window², window²]: whether two tokens of a window belong together."""
    wrapped = torch.arange(window, device=device) < shift
    same = wrapped[:, None] == wrapped

    def axis(count: int) -> Tensor:
        first = torch.arange(count, device=device) == 0
        return torch.where(first[:, None, None], same, True)

    vertical, horizontal = axis(rows), axis(columns)
    both = vertical[:, None, :, None, :, None] & horizontal[None, :, None, :, None, :]
    return both.flatten(0, 1).flatten(3, 4).flatten(1, 2)


def neighborhood_attend(q: Grid, k: Grid, v: Grid, *, window: int) -> Grid:
    """Over the window × window tokens around each token, moved inwards at the edges (Hassani et al. 2023).

    Tiles of queries look at all that any of them sees, under a mask: some products are wasted, but all are large ones.

    Raises:
        ValueError: the grid is smaller than the window.
    """
    height, width = q.shape[1:3]
    if min(height, width) < window:
        raise ValueError(f"a grid of {height} × {width} tokens is smaller than a neighbourhood of {window}")
    rows, columns = (_tiles(side, window) for side in (height, width))
    down, across = (_seen(side, tile, window, q.device) for side, tile in ((height, rows), (width, columns)))
    batch, heads, head_dim = q.shape[0], *q.shape[3:]
    cut = q.unflatten(2, (-1, columns)).unflatten(1, (-1, rows)).permute(0, 1, 3, 5, 2, 4, 6)
    places = (down[:, None, :, None], across[None, :, None, :])
    keys, values = (x[:, places[0], places[1]].permute(0, 1, 2, 5, 3, 4, 6) for x in (k, v))
    mask = _neighborhood_mask((height, width), (rows, columns), window, q.device)
    seen = keys.shape[4] * keys.shape[5]
    out = attend(
        cut.reshape(-1, heads, rows * columns, head_dim),
        keys.reshape(-1, heads, seen, head_dim),
        values.reshape(-1, heads, seen, head_dim),
        mask=mask.repeat(batch, 1, 1)[:, None],
        scale=1.0,
    )
    out = out.view(batch, height // rows, width // columns, heads, rows, columns, head_dim)
    return out.permute(0, 1, 4, 2, 5, 3, 6).reshape(q.shape)


def _tiles(side: int, window: int) -> int:
    """Queries of a tile: the divisor of the side that wastes least, small tiles costing more calls."""
    divisors = [number for number in range(1, side + 1) if side % number == 0]
    return min(divisors, key=lambda number: abs(math.log(number / TILE)))


@lru_cache(maxsize=32)
def _seen(side: int, tile: int, window: int, device: torch.device) -> Int[Tensor, "tiles seen"]:
    """The places along an axis that the queries of each tile see."""
    length = min(side, tile + window - 1)
    starts = (torch.arange(0, side, tile, device=device) - window // 2).clamp(0, side - length)
    return starts[:, None] + torch.arange(length, device=device)


@lru_cache(maxsize=32)
def _neighborhood_mask(sides: Sequence[int], tiles: Sequence[int], window: int, device: torch.device) -> Tensor:
    """[tiles, queries, seen]: whether a place that a tile sees is in the neighbourhood of a query."""

    def axis(side: int, tile: int) -> Tensor:
        start = (torch.arange(side, device=device) - window // 2).clamp(0, side - window).view(-1, tile)
        places = _seen(side, tile, window, device)[:, None]
        return (places >= start[..., None]) & (places < start[..., None] + window)

    vertical, horizontal = axis(sides[0], tiles[0]), axis(sides[1], tiles[1])
    both = vertical[:, None, :, None, :, None] & horizontal[None, :, None, :, None, :]
    return both.flatten(0, 1).flatten(3, 4).flatten(1, 2)
