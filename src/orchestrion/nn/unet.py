"""The U-Net of latent diffusion (Rombach et al. 2022, arXiv 2112.10752), for pictures and for stacks of them.

A condition comes in as a vector that joins the time (FiLM), as a class, as one or more sequences that are attended to,
or as further channels of the input; each is optional.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn

from orchestrion.nn.image_blocks import (
    Downsample,
    ResidualBlock,
    Upsample,
    convolution,
    doubled,
    halved,
    silu,
    zeroed,
)
from orchestrion.nn.spatial_attention import SpatialSelfAttention, SpatialTransformer


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a U-Net is told; what it has no place for must be left out.

    Attributes:
        vector: joins the embedding of the time.
        labels: classes.
        contexts: sequences, one for each width that the network attends to.
        masks: where the contexts are real; None: everywhere.
    """

    vector: Float[Tensor, "batch width"] | None = None
    labels: Int[Tensor, " batch"] | None = None
    contexts: tuple[Tensor, ...] = ()
    masks: tuple[Bool[Tensor, "batch items"] | None, ...] = ()


def time_embedding(
    t: Shaped[Tensor, " batch"], width: int, *, longest: float = 10000.0
) -> Float[Tensor, "batch width"]:
    """[cos(ω t), sin(ω t)] with ω = longest^(-i / (width / 2)) (Ho et al. 2020); an odd width ends in 0."""
    half = width // 2
    rates = torch.exp(torch.arange(half, device=t.device, dtype=torch.float32) * (-math.log(longest) / half))
    angles = t.float()[:, None] * rates
    return nn.functional.pad(torch.cat([angles.cos(), angles.sin()], 1), (0, width % 2))


class Stage(nn.Module):
    """A residual block and what attends after it."""

    def __init__(self, block: ResidualBlock, attention: Sequence[nn.Module]) -> None:
        super().__init__()
        self.block = block
        self.attention = nn.ModuleList(attention)

    def forward(self, x: Tensor, embedded: Tensor, conditions: Conditions) -> Tensor:
        x = self.block(x, embedded)
        for number, attention in enumerate(self.attention):
            if isinstance(attention, SpatialTransformer) and attention.context_width is not None:
                mask = conditions.masks[number] if conditions.masks else None
                x = attention(x, conditions.contexts[number], mask)
            else:
                x = attention(x)
        return x


class UNet(nn.Module):
    """Predicts the noise (or whatever the diffusion asks for) in a noisy picture at a time.

    Args:
        in_channels, out_channels: of the picture.
        width: channels after the first convolution; the time is embedded in 4 · width.
        channels: of each level, from the finest; each level but the last halves the last two axes.
        blocks: residual blocks a level on the way down; one more on the way up.
        attention_levels: those that attend; the middle does as well, unless `middle_attention` is False.
        num_heads: in all levels, or in each.
        head_width: channels a head; None: channels of the level / heads.
        attention: "transformer", or "plain" self-attention.
        depth: blocks of each transformer.
        context_widths: of the sequences attended to, each by a transformer of its own, one after the other; none: the
            second attention of a transformer is over the picture itself.
        condition_width: of the vector that joins the time.
        condition_by: "concatenation" with the time's embedding, or "addition".
        num_classes: classes, whose embedding is added to the time's.
        scale_shift: whether the embedding scales and shifts rather than being added.
        resample: "convolution"; "plain" (means, repetition); "block" (inside a residual block).
        up_heads: heads of plain attention on the way up, where they differ.
        dropout: of residual blocks.
        groups, eps: of norms.
        kernel: of the convolutions.
        dims: axes of the picture: 2, or 3, of which the first keeps its length.
    """

    def __init__(
        self,
        *,
        in_channels: int = 8,
        out_channels: int = 8,
        width: int = 128,
        channels: Sequence[int] = (128, 256, 384, 640),
        blocks: int = 2,
        attention_levels: Sequence[int] = (1, 2, 3),
        num_heads: int | Sequence[int] = (4, 8, 12, 20),
        head_width: int | None = None,
        attention: str = "transformer",
        depth: int = 1,
        context_widths: Sequence[int] = (),
        condition_width: int | None = None,
        condition_by: str = "concatenation",
        num_classes: int | None = None,
        scale_shift: bool = False,
        resample: str = "convolution",
        up_heads: Sequence[int] | None = None,
        middle_attention: bool = True,
        dropout: float = 0.0,
        groups: int = 32,
        eps: float = 1e-5,
        kernel: int = 3,
        dims: int = 2,
    ) -> None:
        super().__init__()
        _one_of("attention", attention, ("transformer", "plain"))
        _one_of("condition_by", condition_by, ("concatenation", "addition"))
        _one_of("resample", resample, ("convolution", "plain", "block"))
        heads = [num_heads] * len(channels) if isinstance(num_heads, int) else list(num_heads)
        if len(heads) != len(channels):
            raise ValueError(f"there are heads for {len(heads)} levels, but {len(channels)} levels")
        self.width, self.dims, self.contexts = width, dims, len(context_widths)
        self.concatenates = condition_by == "concatenation"
        embedded = 4 * width
        self.time = nn.Sequential(nn.Linear(width, embedded), nn.SiLU(), nn.Linear(embedded, embedded))
        self.condition = nn.Linear(condition_width, embedded) if condition_width is not None else None
        self.classes = nn.Embedding(num_classes, embedded) if num_classes is not None else None
        embedding = embedded * (2 if self.condition is not None and self.concatenates else 1)

        def block(into: int, out: int, resampled: str | None = None) -> ResidualBlock:
            return ResidualBlock(
                in_channels=into,
                out_channels=out,
                embedding=embedding,
                scale_shift=scale_shift,
                groups=groups,
                eps=eps,
                dropout=dropout,
                kernel=kernel,
                resample=resampled,
                dims=dims,
            )

        def attend(count: int, level: int, on_way_up: bool = False) -> list[nn.Module]:
            number = up_heads[level] if on_way_up and up_heads is not None else heads[level]
            if attention == "plain":
                return [SpatialSelfAttention(count, num_heads=number, groups=groups, eps=eps, zero=True)]
            each = head_width or count // number
            return [
                SpatialTransformer(
                    count, num_heads=number, head_width=each, depth=depth, context_width=context, groups=groups
                )
                for context in (context_widths or (None,))
            ]

        def change(count: int, way: str) -> nn.Module:
            if resample == "convolution":
                kind = Downsample if way == "down" else Upsample
                return kind(count, kernel=kernel, dims=dims)
            return block(count, count, way) if resample == "block" else _PlainChange(way, dims)

        self.first = convolution(in_channels, width, kernel, dims=dims)
        self.down, self.shrink = nn.ModuleList(), nn.ModuleList()
        count, kept = width, [width]
        for level, out in enumerate(channels):
            stages = nn.ModuleList()
            for _ in range(blocks):
                stages.append(Stage(block(count, out), attend(out, level) if level in attention_levels else []))
                count = out
                kept.append(count)
            self.down.append(stages)
            if level < len(channels) - 1:
                self.shrink.append(change(count, "down"))
                kept.append(count)
        last = len(channels) - 1
        self.middle = Stage(block(count, count), attend(count, last) if middle_attention else [])
        self.middle_block = block(count, count)
        self.up, self.grow = nn.ModuleList(), nn.ModuleList()
        for level, out in reversed(list(enumerate(channels))):
            stages = nn.ModuleList()
            for _ in range(blocks + 1):
                attends = attend(out, level, on_way_up=True) if level in attention_levels else []
                stages.append(Stage(block(count + kept.pop(), out), attends))
                count = out
            self.up.append(stages)
            if level:
                self.grow.append(change(count, "up"))
        for part in self.modules():
            if isinstance(part, ResidualBlock):
                zeroed(part.conv_out)
        self.norm = nn.GroupNorm(groups, count, eps)
        self.last = zeroed(convolution(count, out_channels, kernel, dims=dims))

    def forward(
        self,
        x: Float[Tensor, "batch in_channels *axes"],
        t: Shaped[Tensor, " batch"],
        condition: Tensor | Conditions | None = None,
    ) -> Float[Tensor, "batch out_channels *axes"]:
        """The prediction at times `t`, in steps. A tensor as `condition` is the vector that joins the time.

        Raises:
            ValueError: a condition is missing, or given that the network has no place for, or the last two axes cannot
                be halved so often.
        """
        conditions = condition if isinstance(condition, Conditions) else Conditions(vector=condition)
        step = 2 ** len(self.shrink)
        if x.shape[-1] % step or x.shape[-2] % step:
            raise ValueError(f"the last two axes, {tuple(x.shape[-2:])}, must be multiples of {step}")
        embedded = self.embed(t, conditions)
        if self.dims == 2 and x.device.type == "cpu":
            x = x.contiguous(memory_format=torch.channels_last)
        h, kept = self.encode(x, embedded, conditions)
        h = self.middle_block(self.middle(h, embedded, conditions), embedded)
        return self.decode(h, kept, embedded, conditions)

    def embed(self, t: Shaped[Tensor, " batch"], conditions: Conditions) -> Float[Tensor, "batch embedding"]:
        """Time and condition as the one vector that all residual blocks take, after its SiLU."""
        for name, given, place in (
            ("vector", conditions.vector is not None, self.condition is not None),
            ("class", conditions.labels is not None, self.classes is not None),
        ):
            if given != place:
                raise ValueError(f"the {name} is missing" if place else f"the network takes no {name}")
        if len(conditions.contexts) != self.contexts:
            raise ValueError(f"there are {len(conditions.contexts)} contexts, but {self.contexts} are attended to")
        embedded = self.time(time_embedding(t, self.width).to(next(self.parameters()).dtype))
        if self.classes is not None:
            embedded = embedded + self.classes(conditions.labels)
        if self.condition is not None:
            vector = self.condition(conditions.vector)
            embedded = torch.cat([embedded, vector], 1) if self.concatenates else embedded + vector
        return silu(embedded)

    def encode(
        self, x: Tensor, embedded: Float[Tensor, "batch embedding"], conditions: Conditions
    ) -> tuple[Tensor, list[Tensor]]:
        """The way down: what the middle takes, and what the way up takes back, the last first to go."""
        x = self.first(x)
        kept = [x]
        for level, stages in enumerate(self.down):
            for stage in stages:  # type: ignore[union-attr]
                x = stage(x, embedded, conditions)
                kept.append(x)
            if level < len(self.shrink):
                x = _changed(self.shrink[level], x, embedded)
                kept.append(x)
        return x, kept

    def decode(
        self, x: Tensor, kept: list[Tensor], embedded: Float[Tensor, "batch embedding"], conditions: Conditions
    ) -> Tensor:
        """The way up. `kept` may have been added to, as control networks do."""
        kept = list(kept)
        for number, stages in enumerate(self.up):
            for stage in stages:  # type: ignore[union-attr]
                x = stage(torch.cat([x, kept.pop()], 1), embedded, conditions)
            if number < len(self.grow):
                x = _changed(self.grow[number], x, embedded)
        return self.last(silu(self.norm(x)))


class _PlainChange(nn.Module):
    """Halves or doubles without weights."""

    def __init__(self, way: str, dims: int) -> None:
        super().__init__()
        self.way, self.dims = way, dims

    def forward(self, x: Tensor) -> Tensor:
        return (halved if self.way == "down" else doubled)(x, self.dims)


def _changed(layer: nn.Module, x: Tensor, embedded: Tensor) -> Tensor:
    return layer(x, embedded) if isinstance(layer, ResidualBlock) else layer(x)


def _one_of(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise ValueError(f"{name} is {value!r}; it must be one of {', '.join(known)}")
