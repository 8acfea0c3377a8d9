"""SampleCNN for use: the same vectors as `SampleCnn` in evaluation mode, several times as fast on a CPU.

Batch normalisation is folded into the convolutions. With frames first and channels last, a convolution whose kernel is
as long as the pooling after it needs no unfolding: its outputs number p, p + k, p + 2k … are one matrix product of the
memory as it lies, begun p frames later, so the maximum over k neighbours is the maximum of k matrix products.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from orchestrion.nn.sample_cnn import FIRST_STRIDE, SampleBlock, SampleCnn

ROWS = 1024  # of a matrix product: as many as stay in the second cache
FEW = 512  # frames below which all windows go through a product together


class FoldedSampleCnn:
    """The weights of a `SampleCnn` as they are at this moment, folded.

    Args:
        network: in evaluation mode or not; running statistics are used.
        batch: windows that go through at once.
        precision: of the matrix products; bfloat16 is quicker where the processor has it, to about two digits.
    """

    def __init__(self, network: SampleCnn, *, batch: int = 8, precision: torch.dtype = torch.float32) -> None:
        self.window, self.features, self.batch = network.window, network.features, batch
        self.precision = precision
        self.layers = [_folded(block, precision) for block in network.blocks]  # type: ignore[arg-type]
        frames = self.window // FIRST_STRIDE
        self.places: list[_Place] = []
        for stride, (_, bias) in zip(network.strides, self.layers, strict=False):
            place = _Place(frames, stride, len(bias))
            self.places.append(place)
            frames = place.groups
        self.last = frames

    @torch.inference_mode()
    def __call__(self, windows: Float[Tensor, "batch samples"]) -> Float[Tensor, "batch features"]:
        """The representation of windows of `window` samples.

        Raises:
            ValueError: the windows have another length, for which there is no room here.
        """
        if windows.shape[1] != self.window:
            raise ValueError(f"the windows have {windows.shape[1]} samples, not {self.window}")
        if not len(windows):
            return windows.new_zeros(0, self.features)
        held = [place.room(min(self.batch, len(windows)), self.precision) for place in self.places]
        return torch.cat([self._represent(part, held) for part in windows.split(self.batch)])

    def _represent(self, x: Tensor, held: list[Tensor]) -> Tensor:
        """A few windows through all layers; `held` are the inputs of the blocks, whose zeros stay."""
        count = len(x)
        weight, bias = self.layers[0]
        spans = x.to(self.precision).view(count, -1, FIRST_STRIDE)
        target = self.places[0].frames_in(held[0], count)
        for number in range(count):
            for start in range(0, spans.shape[1], ROWS):
                part = spans[number, start : start + ROWS]
                torch.addmm(bias, part, weight, out=target[number, start : start + len(part)]).relu_()
        last = x.new_zeros(count, self.last + 2, len(self.layers[-1][0]) // 3, dtype=self.precision)
        for number, place in enumerate(self.places):
            following = number + 1 < len(self.places)
            out = self.places[number + 1].frames_in(held[number + 1], count) if following else last[:, 1:-1]
            _block(held[number].flatten(), place, *self.layers[number + 1], out)
        weight, bias = self.layers[-1]
        unfolded = torch.cat([last[:, p : p + self.last] for p in range(3)], -1)
        return (unfolded @ weight).add_(bias).relu_().mT.flatten(1).float()


class _Place:
    """Where a block finds the frames of each window: after a zero, and before as many as make its rows a multiple of
    the stride."""

    def __init__(self, frames: int, stride: int, channels: int) -> None:
        self.frames, self.stride, self.channels = frames, stride, channels
        self.groups = (frames + 2 - stride + 1) // stride  # frames that the block leaves
        self.length = stride * max(self.groups + 1, -(-(frames + 1) // stride))

    def room(self, count: int, dtype: torch.dtype) -> Tensor:
        """Zeros for so many windows."""
        return torch.zeros(count * self.length + self.stride, self.channels, dtype=dtype)

    def frames_in(self, held: Tensor, count: int) -> Tensor:
        """[count, frames, channels] where they belong."""
        return held[: count * self.length].view(count, self.length, -1)[:, 1 : self.frames + 1]


def _block(flat: Tensor, place: _Place, weight: Tensor, bias: Tensor, out: Tensor) -> None:
    """A convolution of `stride` frames and the maximum over `stride` frames, into out[count, groups, channels]."""
    count, step = len(out), place.stride * place.channels
    groups = place.length // place.stride
    buffer = out.new_empty(min(ROWS, count * groups), weight.shape[1])

    def products(first: int, chosen: Tensor) -> None:
        """Rows from number `first` on."""
        rows = len(chosen)
        for phase in range(place.stride):
            start = first * step + phase * place.channels
            torch.mm(flat[start : start + rows * step].view(rows, step), weight, out=buffer[:rows] if phase else chosen)
            if phase:
                torch.maximum(chosen, buffer[:rows], out=chosen)
        chosen.add_(bias).relu_()

    if place.groups >= FEW:
        for number in range(count):
            for start in range(0, place.groups, ROWS):
                products(number * groups + start, out[number, start : start + ROWS])
        return
    together = out.new_empty(count * groups, weight.shape[1])
    for start in range(0, count * groups, ROWS):
        products(start, together[start : start + ROWS])
    out.copy_(together.view(count, groups, -1)[:, : place.groups])


def _folded(block: SampleBlock, precision: torch.dtype) -> tuple[Tensor, Tensor]:
    """Kernel [kernel · inputs, outputs] and bias [outputs] of a block with its normalisation in them."""
    conv, norm = block.conv, block.norm
    assert norm.running_mean is not None and norm.running_var is not None and conv.bias is not None
    with torch.no_grad():
        scale = norm.weight.double() * (norm.running_var.double() + norm.eps).rsqrt()
        weight = conv.weight.double() * scale[:, None, None]
        bias = (conv.bias.double() - norm.running_mean.double()) * scale + norm.bias.double()
        return weight.permute(2, 1, 0).flatten(0, 1).to(precision).contiguous(), bias.to(precision)
