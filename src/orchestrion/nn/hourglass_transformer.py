"""The hourglass transformer of pictures (Crowson et al. 2024, HDiT, arXiv 2401.11605): tokens are merged two by two,
level by level, most of the work is done among few of them, and the way back up meets the way down by interpolation.

Only the coarsest level sees the whole picture, so that the cost grows with the number of pixels and no faster.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from orchestrion.nn.activations import add_in_place
from orchestrion.nn.grid_attention import (
    KINDS,
    attend_in_windows,
    axial_frequencies,
    axial_rotations,
    coarser_positions,
    cut_windows,
    grid_attend,
    grid_positions,
    join_windows,
    place_and_scale,
)
from orchestrion.nn.packed_linear import Linear, packs
from orchestrion.nn.planar_convolution import plainly

Tokens = Float[Tensor, "batch height width channels"]
Condition = Float[Tensor, "batch condition"]
INNER_NUMBERS = 1 << 20  # inside a feed-forward network at once, so that they stay in the cache
LARGE_PICTURE = 1 << 17  # numbers of a level from which pictures go through it one after the other, for the same reason
AUGMENTATIONS = 9  # numbers that tell how a training picture was changed (Karras et al. 2022, table 6)


@dataclass(frozen=True, slots=True)
class PictureCondition:
    """What a network is told beside the noise level; what is left out counts as nothing.

    Attributes:
        augmentation: how training pictures were changed, [batch, 9]; zeros where they were not.
        classes: [batch]; the last class stands for none where classes are dropped in training.
        vector: [batch, condition_width].
    """

    augmentation: Float[Tensor, "batch 9"] | None = None
    classes: Int[Tensor, " batch"] | None = None
    vector: Float[Tensor, "batch condition_width"] | None = None


def rms(x: Tensor, scale: Tensor, *, eps: float = 1e-6) -> Tensor:
    """x over the root mean square of its last axis, times `scale`."""
    length = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.promote_types(x.dtype, torch.float32))
    size = (length.square() / x.shape[-1] + eps).rsqrt().to(x.dtype)
    if torch.is_grad_enabled():
        return x * size * scale.to(x.dtype)
    return (x * size).mul_(scale)


class RmsNorm(nn.Module):
    """Normalisation with a learned scale."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))

    def forward(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch width"]:
        """Along the last axis."""
        return rms(x, self.scale)


class ConditionedNorm(nn.Module):
    """Normalisation whose scale is 1 + a linear map of the condition (section 4.4); it begins as 1."""

    def __init__(self, width: int, condition_width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(condition_width, width, bias=False)
        nn.init.zeros_(self.linear.weight)

    def forward(self, x: Tokens, condition: Condition) -> Tokens:
        """Along the last axis, one scale a picture."""
        return rms(x, 1 + self.linear(condition)[:, None, None])


class GatedFeedForward(nn.Module):
    """up → x · gelu(gate) → dropout → down; what it adds begins as zero."""

    def __init__(self, width: int, inner: int, *, dropout: float) -> None:
        super().__init__()
        self.up = Linear(width, 2 * inner, bias=False)
        self.down = Linear(inner, width, bias=False)
        self.dropout = nn.Dropout(dropout)
        nn.init.zeros_(self.down.weight)

    def forward(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch width"]:
        """Without the residual connection."""
        if not plainly(x):
            value, gate = self.up(x).chunk(2, -1)
            return self.down(self.dropout(value * functional.gelu(gate)))
        rows = x.reshape(-1, x.shape[-1])
        made = torch.empty_like(rows)
        size = max(INNER_NUMBERS // self.up.out_features, 1)
        for part, place in zip(rows.split(size), made.split(size), strict=True):
            value, gate = self.up(part).chunk(2, -1)
            inner = self.dropout(functional.gelu(gate).mul_(value))
            if packs():
                place.copy_(self.down(inner))
            else:
                torch.mm(inner, self.down.weight.t(), out=place)
        return made.view(x.shape)


class GridAttention(nn.Module):
    """Attention on a grid of tokens; what it adds begins as zero.

    Args:
        width, head_dim: channels of tokens and of a head.
        kind, window, shift: as of `grid_attention.grid_attend`.
    """

    def __init__(self, *, width: int, head_dim: int, kind: str, window: int, shift: int, dropout: float) -> None:
        super().__init__()
        if width % head_dim:
            raise ValueError(f"width {width} is not a multiple of heads of {head_dim}")
        self.head_dim, self.kind, self.window, self.shift = head_dim, kind, window, shift
        self.to_qkv = Linear(width, 3 * width, bias=False)
        self.scale = nn.Parameter(torch.full((width // head_dim,), 10.0))
        self.to_out = Linear(width, width, bias=False)
        self.dropout = nn.Dropout(dropout)
        nn.init.zeros_(self.to_out.weight)

    def forward(self, x: Tokens, rotations: Float[Tensor, "2 height width heads quarter"]) -> Tokens:
        """Without the residual connection.

        Windows are cut before all else, so that their tokens are moved once; only differences of places count, and so
        the angles of the first window serve all.
        """
        if self.kind != "shifted_window":
            q, k, v = self._project(x, rotations)
            out = grid_attend(q, k, v, kind=self.kind, window=self.window, shift=self.shift)
            return self.to_out(self.dropout(out.flatten(3)))
        height, width = x.shape[1:3]
        cut = cut_windows(x, window=self.window, shift=self.shift)
        q, k, v = self._project(cut, rotations[:, : self.window, : self.window])
        out = attend_in_windows(q, k, v, height=height, width=width, shift=self.shift)
        return join_windows(self.to_out(self.dropout(out.flatten(3))), height=height, width=width, shift=self.shift)

    def _project(self, x: Tokens, rotations: Float[Tensor, "2 height width heads quarter"]) -> tuple[Tensor, ...]:
        """Queries and keys, scaled and turned, and values."""
        qkv = self.to_qkv(x).unflatten(-1, (3, -1, self.head_dim))
        q, k = place_and_scale(qkv[..., :2, :, :], self.scale, rotations).unbind(3)
        return q, k, qkv[..., 2, :, :]


class GridLayer(nn.Module):
    """Attention (where there is any) and a feed-forward network, each after a conditioned norm."""

    def __init__(
        self,
        *,
        width: int,
        inner: int,
        condition_width: int,
        kind: str,
        head_dim: int,
        window: int,
        shift: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.attention: GridAttention | None = None
        if kind != "none":
            self.attention_norm = ConditionedNorm(width, condition_width)
            self.attention = GridAttention(
                width=width, head_dim=head_dim, kind=kind, window=window, shift=shift, dropout=dropout
            )
        self.feed_norm = ConditionedNorm(width, condition_width)
        self.feed = GatedFeedForward(width, inner, dropout=dropout)

    def forward(
        self, x: Tokens, rotations: Float[Tensor, "2 height width heads quarter"] | None, condition: Condition
    ) -> Tokens:
        """Both with residual connections."""
        if self.attention is not None and rotations is not None:
            x = add_in_place(self.attention(self.attention_norm(x, condition), rotations), x)
        return add_in_place(self.feed(self.feed_norm(x, condition)), x)


class Merge(nn.Module):
    """Tokens of a block joined into one."""

    def __init__(self, width: int, merged: int, block: Sequence[int]) -> None:
        super().__init__()
        self.block = (int(block[0]), int(block[1]))
        self.linear = Linear(width * self.block[0] * self.block[1], merged, bias=False)

    def forward(self, x: Tokens) -> Float[Tensor, "batch fewer_rows fewer_columns merged"]:
        """[batch, rows, columns, width] → one token a block."""
        x = x.unflatten(2, (-1, self.block[1])).unflatten(1, (-1, self.block[0]))
        return self.linear(x.permute(0, 1, 3, 2, 4, 5).flatten(3))


class Split(nn.Module):
    """The way back from `Merge`, and towards what was there before by a learned share."""

    def __init__(self, merged: int, width: int, block: Sequence[int], *, skip: bool) -> None:
        super().__init__()
        self.block = (int(block[0]), int(block[1]))
        self.linear = Linear(merged, width * self.block[0] * self.block[1], bias=False)
        self.share = nn.Parameter(torch.full((1,), 0.5)) if skip else None

    def forward(self, x: Float[Tensor, "batch fewer_rows fewer_columns merged"], skip: Tokens | None = None) -> Tokens:
        """A block of tokens for each; with `skip`, skip + share · (x − skip)."""
        x = self.linear(x).unflatten(-1, (*self.block, -1)).permute(0, 1, 3, 2, 4, 5)
        x = x.flatten(3, 4).flatten(1, 2)
        return x if skip is None or self.share is None else torch.lerp(skip, x, self.share.to(x.dtype))


class FourierFeatures(nn.Module):
    """Cosines, then sines, of 2π times random combinations of what comes in; the combinations are not learned."""

    weight: Tensor

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.randn(width // 2, inputs))

    def forward(self, x: Float[Tensor, "batch inputs"]) -> Float[Tensor, "batch width"]:
        """[batch, inputs] → [batch, width]."""
        angles = 2 * math.pi * x @ self.weight.mT
        return torch.cat([angles.cos(), angles.sin()], -1)


class Mapping(nn.Module):
    """From the sum of all that is told to the condition of all norms: norm, residual feed-forward blocks, norm."""

    def __init__(self, *, width: int, depth: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.first_norm, self.last_norm = RmsNorm(width), RmsNorm(width)
        self.norms = nn.ModuleList(RmsNorm(width) for _ in range(depth))
        self.blocks = nn.ModuleList(GatedFeedForward(width, inner, dropout=dropout) for _ in range(depth))

    def forward(self, x: Condition) -> Condition:
        """[batch, width] → [batch, width]."""
        x = self.first_norm(x)
        for norm, block in zip(self.norms, self.blocks, strict=True):
            x = x + block(norm(x))
        return self.last_norm(x)


class HourglassTransformer(nn.Module):
    """F(x, c_noise, condition) of a denoiser.

    All lists have an entry a level, the finest first; the last level is the middle, the others are there twice.

    Args:
        channels: of pictures, in and out.
        patch_size: height and width of the pixels of a token.
        widths, depths, feed_forwards: channels of tokens, number of layers, inner channels of a level.
        attentions: "global", "neighborhood", "shifted_window" or "none".
        head_dims: channels of a head.
        windows: side of neighbourhoods or windows in tokens; windows of every second layer are moved by half of it.
        dropouts: of a level.
        mapping_width, mapping_depth, mapping_feed_forward, mapping_dropout: of the condition.
        num_classes: 0: none.
        condition_width: of a vector that is told; 0: none.

    Raises:
        ValueError: the lists differ in length, or an attention is unknown.
    """

    def __init__(
        self,
        *,
        channels: int,
        patch_size: Sequence[int],
        widths: Sequence[int],
        depths: Sequence[int],
        feed_forwards: Sequence[int],
        attentions: Sequence[str],
        head_dims: Sequence[int],
        windows: Sequence[int],
        dropouts: Sequence[float],
        mapping_width: int,
        mapping_depth: int,
        mapping_feed_forward: int,
        mapping_dropout: float = 0.0,
        num_classes: int = 0,
        condition_width: int = 0,
    ) -> None:
        super().__init__()
        if len({len(one) for one in (widths, depths, feed_forwards, attentions, head_dims, windows, dropouts)}) > 1:
            raise ValueError("the lists that describe levels differ in length; give an entry a level in each")
        if unknown := [kind for kind in attentions if kind not in KINDS]:
            raise ValueError(f"unknown attention {unknown[0]!r} of a grid; take one of {', '.join(KINDS)}")
        self.patch_size = (int(patch_size[0]), int(patch_size[1]))
        self.patch_in = Merge(channels, widths[0], self.patch_size)
        self.time_features = FourierFeatures(1, mapping_width)
        self.time_in = nn.Linear(mapping_width, mapping_width, bias=False)
        self.augmentation_features = FourierFeatures(AUGMENTATIONS, mapping_width)
        self.augmentation_in = nn.Linear(mapping_width, mapping_width, bias=False)
        self.classes = nn.Embedding(num_classes, mapping_width) if num_classes else None
        self.vector_in = nn.Linear(condition_width, mapping_width, bias=False) if condition_width else None
        self.mapping = Mapping(
            width=mapping_width, depth=mapping_depth, inner=mapping_feed_forward, dropout=mapping_dropout
        )
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        self.frequencies: list[Tensor | None] = []
        for level, depth in enumerate(depths):
            kind, head_dim = attentions[level], head_dims[level]
            layers = [
                GridLayer(
                    width=widths[level],
                    inner=feed_forwards[level],
                    condition_width=mapping_width,
                    kind=kind,
                    head_dim=head_dim,
                    window=windows[level],
                    shift=windows[level] // 2 if number % 2 else 0,
                    dropout=dropouts[level],
                )
                for number in range(depth if level == len(depths) - 1 else 2 * depth)
            ]
            self.down.append(nn.ModuleList(layers[:depth]))
            if level < len(depths) - 1:
                self.up.append(nn.ModuleList(layers[depth:]))
            with torch.device("cpu"):
                turned = None if kind == "none" else axial_frequencies(widths[level] // head_dim, head_dim)
            self.frequencies.append(turned)
        pairs = list(itertools.pairwise(widths))
        self.merges = nn.ModuleList(Merge(fine, coarse, (2, 2)) for fine, coarse in pairs)
        self.splits = nn.ModuleList(Split(coarse, fine, (2, 2), skip=True) for fine, coarse in pairs)
        self.out_norm = RmsNorm(widths[0])
        self.patch_out = Split(widths[0], channels, self.patch_size, skip=False)
        nn.init.zeros_(self.patch_out.linear.weight)
        self._tables: dict[tuple[int, int, torch.device], list[Tensor | None]] = {}

    @property
    def multiple(self) -> tuple[int, int]:
        """Height and width of pictures must be multiples of these."""
        step = 2 ** len(self.merges)
        return self.patch_size[0] * step, self.patch_size[1] * step

    def condition(self, time: Float[Tensor, " batch"], condition: PictureCondition | None = None) -> Condition:
        """What the norms are told.

        Args:
            time: log(σ)/4.

        Raises:
            ValueError: the network is made for classes or a vector that are not given, or the other way round.
        """
        told = condition or PictureCondition()
        for name, layer, given in (("classes", self.classes, told.classes), ("vector", self.vector_in, told.vector)):
            if (layer is None) != (given is None):
                raise ValueError(f"the condition's {name} must be given if and only if the network is made for it")
        weight = self.time_in.weight
        changed = told.augmentation if told.augmentation is not None else weight.new_zeros(len(time), AUGMENTATIONS)
        total = self.time_in(self.time_features(time.to(weight)[:, None]))
        total = total + self.augmentation_in(self.augmentation_features(changed))
        if self.classes is not None and told.classes is not None:
            total = total + self.classes(told.classes)
        if self.vector_in is not None and told.vector is not None:
            total = total + self.vector_in(told.vector)
        return self.mapping(total)

    def rotations(self, height: int, width: int, device: torch.device) -> list[Tensor | None]:
        """The tables of all levels for a grid of tokens; they are kept."""
        key = (height, width, device)
        if key not in self._tables:
            positions, tables = grid_positions(height, width).to(device), []
            for level, frequencies in enumerate(self.frequencies):
                positions = coarser_positions(positions) if level else positions
                tables.append(None if frequencies is None else axial_rotations(positions, frequencies.to(device)))
            self._tables = {key: tables}
        return self._tables[key]

    def forward(
        self,
        x: Float[Tensor, "batch channels height width"],
        time: Float[Tensor, " batch"],
        condition: PictureCondition | None = None,
    ) -> Float[Tensor, "batch channels height width"]:
        """Pictures, log(σ)/4 and what else is told → pictures.

        Raises:
            ValueError: height or width is no multiple of what the levels need; the condition does not fit.
        """
        if x.shape[2] % self.multiple[0] or x.shape[3] % self.multiple[1]:
            raise ValueError(f"a picture of {tuple(x.shape[2:])} pixels is no multiple of {self.multiple}")
        told = self.condition(time, condition)
        tokens = self.patch_in(x.movedim(1, -1))
        tables = self.rotations(*tokens.shape[1:3], device=x.device)
        skips = []
        for level, layers in enumerate(self.down):
            if level:
                skips.append(tokens)
                tokens = self.merges[level - 1](tokens)
            tokens = _through(layers, tokens, tables[level], told)
        for level in reversed(range(len(self.up))):
            tokens = self.splits[level](tokens, skips[level])
            tokens = _through(self.up[level], tokens, tables[level], told)
        return self.patch_out(self.out_norm(tokens)).movedim(-1, 1)

    def parameter_groups(self, *, learning_rate: float, mapping_share: float = 1 / 3) -> list[dict[str, Any]]:
        """For an optimiser: the mapping network learns at a third of the rate, and only matrices of tokens and of the
        mapping decay."""
        groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
        for name, value in self.named_parameters():
            mapping = name.startswith("mapping.") or "_norm.linear." in name
            decays = value.ndim > 1 and not name.startswith(("time_in", "augmentation_in", "classes", "vector_in"))
            groups.setdefault((mapping, decays), []).append(value)
        return [
            {"params": held, "lr": learning_rate * (mapping_share if mapping else 1.0)}
            | ({} if decays else {"weight_decay": 0.0})
            for (mapping, decays), held in groups.items()
        ]


def _through(layers: Any, tokens: Tensor, rotations: Tensor | None, condition: Tensor) -> Tensor:
    if plainly(tokens) and len(tokens) > 1 and tokens[0].numel() >= LARGE_PICTURE:
        parts = zip(tokens.split(1), condition.split(1), strict=True)
        return torch.cat([_through(layers, picture, rotations, told) for picture, told in parts])
    for layer in layers:
        tokens = layer(tokens, rotations, condition)
    return tokens
