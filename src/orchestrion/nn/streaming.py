"""Networks of convolutions as streams: block by block, what comes out is what the whole would have given, later.

Caillon & Esling 2022, "Streamable Neural Audio Synthesis with Non-Causal Convolutions" (arXiv 2204.07064), with three
differences that make it exact from the first frame to the last: a layer knows how late its input is, so that strides
keep their phase; it uses all of a block before it waits for the next; and frames before the start and after the end of
the sound, where the whole network would see zeros, are silenced at each layer.

A streaming module holds no state. It is called with `state`, a list of tensors that it reads and replaces, so that many
streams share one network and a stream can be written down; and with `present` [1, 1, steps], which is 1 in steps of the
sound and 0 after its end, or empty once all of the network is inside the sound, where there is nothing to silence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from orchestrion.errors import OptionError
from orchestrion.nn.convolution import Conv1d, ConvTranspose1d, Residual, Summed, delayed_frames
from orchestrion.nn.derived import Derived
from orchestrion.nn.line_convolution import line_convolution, line_transposed, phase_kernels, tap_kernels
from orchestrion.nn.planar_convolution import plainly

_POINTWISE = (nn.Identity, nn.LeakyReLU, nn.ELU, nn.Tanh, nn.Sigmoid, nn.BatchNorm1d, nn.ReLU)


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a stream a layer stands.

    Attributes:
        rate: frames here in a step of the stream, the shortest block.
        late: frames by which they come later than in the whole.
    """

    rate: int
    late: int = 0


class Plan:
    """What is being built: the state that its modules need, and how delays are reckoned.

    Args:
        exact: as the docstring of this module says; otherwise as the published package `cached_conv` does, which waits
            longer than it must, silences nothing, and passes delays to strided convolutions only where a network asks.
    """

    def __init__(self, *, exact: bool = True) -> None:
        self.exact = exact
        self.shapes: list[tuple[int, int]] = []

    def slot(self, channels: int, frames: int) -> int:
        """A place for a tensor [batch, channels, frames] in the state, which begins with zeros."""
        self.shapes.append((channels, frames))
        return len(self.shapes) - 1

    def state(self, batch: int, *, like: Tensor) -> list[Tensor]:
        """The state of a stream that has not begun."""
        return [like.new_zeros(batch, channels, frames) for channels, frames in self.shapes]

    def build(self, module: nn.Module, place: Place) -> tuple[nn.Module, Place]:
        """The streaming form of a module at a place, and the place of what it gives.

        Raises:
            OptionError: the module cannot stream.
        """
        own: Callable[[Plan, Place], tuple[nn.Module, Place]] | None = getattr(module, "streaming", None)
        if own is not None:
            return own(self, place)
        if isinstance(module, nn.Sequential):
            return _sequence(self, module, place)
        if isinstance(module, Conv1d):
            return StreamedConv1d.of(module, self, place)
        if isinstance(module, ConvTranspose1d):
            return StreamedConvTranspose1d.of(module, self, place)
        if isinstance(module, Residual):
            body, after = self.build(module.body, place)
            wait = after.late - place.late
            return StreamedSum(
                [Late.by(wait, self, input_channels(module.body)), body] if wait else [Unchanged(), body]
            ), after
        if isinstance(module, Summed):
            return aligned_sum(self, list(module.branches), place)
        if isinstance(module, _POINTWISE) or getattr(module, "pointwise", False):
            return Pointwise(module), place
        raise OptionError(f"A network with {type(module).__name__} cannot work block by block.")


def _sequence(plan: Plan, modules: nn.Sequential, place: Place) -> tuple[nn.Module, Place]:
    built: list[nn.Module] = []
    for module in modules:
        if isinstance(module, nn.BatchNorm1d) and built and isinstance(built[-1], StreamedConv1d):
            built[-1].absorb(module)
            continue
        streamed, place = plan.build(module, place)
        before = built[-1] if built else None
        if isinstance(streamed, StreamedConv1d) and isinstance(before, Pointwise) and before.slope is not None:
            streamed.slope = before.slope
            built.pop()
        built.append(streamed)
    return StreamedSequence(built), place


def aligned_sum(plan: Plan, branches: list[nn.Module], place: Place) -> tuple[nn.Module, Place]:
    """Branches whose outputs wait for the latest one, and are added."""
    streams, latest = aligned(plan, branches, place)
    return StreamedSum(streams), latest


def aligned(plan: Plan, branches: list[nn.Module], place: Place) -> tuple[list[nn.Module], Place]:
    """Streaming forms of branches of one rate; all give their output at the place of the latest one."""
    if not plan.exact:  # each is built as if its input came in time, and its input waits
        alone = [plan.build(branch, Place(place.rate)) for branch in branches]
        late = max(after.late for _, after in alone)
        streams: list[nn.Module] = [
            StreamedSequence([Late.by(late - after.late, plan, input_channels(branch)), stream])
            for branch, (stream, after) in zip(branches, alone, strict=True)
        ]
        return streams, Place(alone[0][1].rate, place.late + late)
    pairs = [plan.build(branch, place) for branch in branches]
    latest = max(after.late for _, after in pairs)
    return [
        StreamedSequence([stream, Late.by(latest - after.late, plan, output_channels(branch))])
        for branch, (stream, after) in zip(branches, pairs, strict=True)
    ], Place(pairs[0][1].rate, latest)


def input_channels(module: nn.Module) -> int:
    """Of the first convolution in a module."""
    return next(part.in_channels for part in module.modules() if isinstance(part, Conv1d | ConvTranspose1d))


def output_channels(module: nn.Module) -> int:
    """What the module says of itself, or of its last convolution."""
    own = getattr(module, "out_channels", None)
    if isinstance(own, int):
        return own
    return [part.out_channels for part in module.modules() if isinstance(part, Conv1d | ConvTranspose1d)][-1]


class Unchanged(nn.Module):
    """Gives what it gets."""

    def forward(self, x: Tensor, state: list[Tensor], present: Tensor) -> Tensor:
        return x


class Pointwise(nn.Module):
    """A module that treats every frame alike.

    Attributes:
        slope: of a leaky ReLU, which a convolution that follows can take over; None: the module is another.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.slope = module.negative_slope if isinstance(module, nn.LeakyReLU) else None

    def forward(self, x: Tensor, state: list[Tensor], present: Tensor) -> Tensor:
        return self.module(x)


class StreamedSequence(nn.Module):
    """One streaming module after the other."""

    def __init__(self, modules: list[nn.Module]) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        for part in modules:
            if type(part) is StreamedSequence:
                parts += part.parts
            elif not (isinstance(part, Late) and part.frames == 0):
                parts.append(part)
        self.parts = nn.ModuleList(parts)
        for before, part in pairwise(parts):
            if isinstance(part, StreamedConv1d):
                part.owns = isinstance(before, StreamedConv1d | StreamedConvTranspose1d)

    def forward(self, x: Tensor, state: list[Tensor], present: Tensor) -> Tensor:
        for part in self.parts:
            x = part(x, state, present)
        return x


class StreamedSum(nn.Module):
    """The sum of streaming modules that see the same input."""

    def __init__(self, branches: list[nn.Module]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)
        ends = [
            branch.parts[-1] if isinstance(branch, StreamedSequence) and branch.parts else branch for branch in branches
        ]
        self.fresh = [isinstance(end, StreamedConv1d | StreamedConvTranspose1d) for end in ends]

    def forward(self, x: Tensor, state: list[Tensor], present: Tensor) -> Tensor:
        first, *others = self.branches
        if len(others) == 1 and isinstance(first, Late) and self.fresh[1] and plainly(x):
            return first.added(others[0](x, state, present), x, state)
        total = first(x, state, present)
        for branch, fresh in zip(others, self.fresh[1:], strict=True):
            made = branch(x, state, present)
            total = made.add_(total) if fresh and plainly(x) else total + made
        return total


class Late(nn.Module):
    """Gives back what it got some frames ago."""

    def __init__(self, frames: int, slot: int) -> None:
        super().__init__()
        self.frames, self.slot = frames, slot

    @classmethod
    def by(cls, frames: int, plan: Plan, channels: int) -> Late:
        """A delay of so many frames."""
        if frames < 0:
            raise ValueError(f"a stream cannot be {-frames} frames early")
        return cls(frames, plan.slot(channels, frames) if frames else -1)

    def forward(self, x: Tensor, state: list[Tensor], present: Tensor) -> Tensor:
        if self.frames == 0:
            return x
        line = torch.cat([state[self.slot], x], -1)
        state[self.slot] = line[..., x.shape[-1] :].clone()
        return line[..., : x.shape[-1]]

    def added(self, made: Tensor, x: Tensor, state: list[Tensor]) -> Tensor:
        """`made` with what this gives added in place, without a copy of the block."""
        held, now = state[self.slot], x.shape[-1]
        if now < self.frames:
            return made.add_(self(x, state, x[..., :0]))
        made[..., : self.frames] += held
        made[..., self.frames :] += x[..., : now - self.frames]
        state[self.slot] = x[..., now - self.frames :].clone()
        return made


class Gate(nn.Module):
    """Silences frames before the start and after the end of the sound."""

    def __init__(self, plan: Plan, place: Place) -> None:
        super().__init__()
        self.rate, self.late, self.works = place.rate, place.late, plan.exact
        self.slot = plan.slot(1, place.late) if plan.exact and place.late else -1

    def forward(self, x: Tensor, state: list[Tensor], present: Tensor) -> Tensor:
        here = self.here(x, state, present)
        return x if here is None else torch.where(here > 0, x, 0.0)

    def here(self, x: Tensor, state: list[Tensor], present: Tensor) -> Tensor | None:
        """Which frames of this block are inside the sound [batch or 1, 1, frames]; None: all.

        Args:
            x: the block, for its batch.
        """
        if not self.works or present.shape[-1] == 0:
            return None
        here = present.repeat_interleave(self.rate, -1)
        if self.late:
            line = torch.cat([state[self.slot], here.expand(x.shape[0], 1, here.shape[-1])], -1)
            state[self.slot] = line[..., here.shape[-1] :].clone()
            here = line[..., : here.shape[-1]]
        return here


def _settles(conv: Conv1d | ConvTranspose1d) -> bool:
    """Whether a weight is held as `nn.line_convolution` wants it, and shared by all streams until it changes."""
    even = isinstance(conv, Conv1d) or conv.kernel_size[0] % conv.stride[0] == 0
    weight = next(conv.parameters())
    return even and conv.groups == 1 and weight.device.type == "cpu" and weight.dtype == torch.float32


class StreamedConv1d(nn.Module):
    """A convolution that remembers the end of the last block in the place of zeros.

    Attributes:
        slope: of a leaky ReLU that comes first; None: nothing does.
        owns: whether nothing else needs its input, which may then be written to.
    """

    def __init__(
        self, weight: Tensor, bias: Tensor | None, *, stride: int, dilation: int, groups: int, held: int, slot: int
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight, requires_grad=False)
        self.bias = None if bias is None else nn.Parameter(bias.detach().clone(), requires_grad=False)
        self.stride, self.dilation, self.groups = stride, dilation, groups
        self.held, self.slot = held, slot
        self.spare = held + stride - (weight.shape[-1] - 1) * dilation - 1
        self.gate: nn.Module | None = None
        self.slope: float | None = None
        self.owns = False
        self._kernels = Derived()

    @classmethod
    def of(cls, conv: Conv1d, plan: Plan, place: Place) -> tuple[StreamedConv1d, Place]:
        """The streaming form of a convolution."""
        stride, (left, right) = conv.stride[0], conv.pads
        if place.rate % stride:
            raise OptionError(f"A block of {place.rate} frames cannot be divided by a stride of {stride}.")
        if plan.exact:
            late, held = delayed_frames(conv.reach, stride, place.late, left)
            out = late
        else:
            known = place.late if getattr(conv, "knows_delay", True) else 0
            late = -((right + known) // -stride)
            held = late * stride + left - known
            out = late if known == place.late else place.late // stride + late
        streamed = cls(
            conv.settled_weight() if _settles(conv) else conv.weight.detach().clone(),
            conv.bias,
            stride=stride,
            dilation=conv.dilation[0],
            groups=conv.groups,
            held=held,
            slot=plan.slot(conv.in_channels, held) if held > 0 else -1,
        )
        if conv.reach > 1:
            streamed.gate = Gate(plan, place)
        return streamed, Place(place.rate // stride, out)

    def absorb(self, norm: nn.BatchNorm1d) -> None:
        """Takes in a normalisation with fixed statistics that follows."""
        assert norm.running_var is not None and norm.running_mean is not None
        scale = (norm.running_var + norm.eps).rsqrt() * (1 if norm.weight is None else norm.weight)
        shift = -norm.running_mean * scale + (0 if norm.bias is None else norm.bias)
        self.weight.data = self.weight.data * scale.detach()[:, None, None]
        bias = shift if self.bias is None else shift + self.bias * scale
        self.bias = nn.Parameter(bias.detach().clone(), requires_grad=False)

    def forward(self, x: Tensor, state: list[Tensor], present: Tensor) -> Tensor:
        if self.gate is not None and present.shape[-1]:
            x = self.gate(x, state, present)
        if self.slot >= 0 and self.slope is not None and plainly(x):
            line = x.new_empty(*x.shape[:2], self.held + x.shape[-1])
            line[..., : self.held] = state[self.slot]
            torch.ops.aten.leaky_relu.out(x, self.slope, out=line[..., self.held :])  # copies on the way
            state[self.slot] = line[..., x.shape[-1] :].clone()
            x = line
        elif self.slot >= 0:
            x = x if self.slope is None else functional.leaky_relu(x, self.slope)
            line = torch.cat([state[self.slot], x], -1)
            state[self.slot] = line[..., x.shape[-1] :].clone()
            x = line
        elif self.slope is not None:
            x = functional.leaky_relu(x, self.slope, inplace=self.owns and plainly(x))
        x = x[..., max(-self.held, 0) : x.shape[-1] - self.spare]
        if plainly(x) and self.groups == 1:
            kernels = self._kernels(self.weight, tap_kernels)
            return line_convolution(x, kernels, self.bias, stride=self.stride, dilation=self.dilation)
        return functional.conv1d(x, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


class StreamedConvTranspose1d(nn.Module):
    """A transposed convolution that adds the overhang of the last block to the start of the next."""

    def __init__(self, weight: Tensor, bias: Tensor | None, *, stride: int, slot: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight, requires_grad=False)
        self.bias = None if bias is None else nn.Parameter(bias.detach()[:, None].clone(), requires_grad=False)
        self.stride, self.slot = stride, slot
        self.overlap = weight.shape[-1] - stride
        self.gate: nn.Module = nn.Identity()
        self._kernels = Derived()

    @classmethod
    def of(cls, conv: ConvTranspose1d, plan: Plan, place: Place) -> tuple[StreamedConvTranspose1d, Place]:
        """The streaming form of a transposed convolution."""
        stride, pad = conv.stride[0], int(conv.padding[0])
        overlap = conv.kernel_size[0] - stride
        if overlap <= 0 or conv.output_padding[0]:
            raise OptionError("A transposed convolution can stream where its kernel is longer than its stride.")
        weight = conv.settled_weight() if _settles(conv) else conv.weight.detach().clone()
        streamed = cls(weight, conv.bias, stride=stride, slot=plan.slot(conv.out_channels, overlap))
        streamed.gate = Gate(plan, place)
        return streamed, Place(place.rate * stride, place.late * stride + pad)

    def forward(self, x: Tensor, state: list[Tensor], present: Tensor) -> Tensor:
        if present.shape[-1]:
            x = self.gate(x, state, present)
        frames = x.shape[-1] * self.stride
        if plainly(x) and self.overlap % self.stride == 0:
            y = line_transposed(x, self._kernels(self.weight, phase_kernels, self.stride), stride=self.stride)
        else:
            y = functional.conv_transpose1d(x, self.weight, None, self.stride)
        y[..., : self.overlap] += state[self.slot]
        state[self.slot] = y[..., frames:].clone()
        y = y[..., :frames]
        return y if self.bias is None else y + self.bias
