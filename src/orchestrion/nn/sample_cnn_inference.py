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

ROWS = 2048  # of a matrix product: as many as stay in the second cache


class FoldedSampleCnn:
    """The weights of a `SampleCnn` as they are at this moment, folded.

    Args:
        network: in evaluation mode or not; running statistics are used.
        batch: windows that go through at once.
        precision: of the matrix products; bfloat16 is quicker where the processor has it, to about two digits.
    """

    def __init__(self, network: SampleCnn, *, batch: int = 4, precision: torch.dtype = torch.float32) -> None:
        self.window, self.features, self.batch = network.window, network.features, batch
        self.strides = network.strides
        self.precision = precision
        self.layers = [_folded(block, precision) for block in network.blocks]  # type: ignore[arg-type]

    @torch.inference_mode()
    def __call__(self, windows: Float[Tensor, "batch samples"]) -> Float[Tensor, "batch features"]:
        """The representation of windows of `window` samples."""
        if not len(windows):
            return windows.new_zeros(0, self.features)
        return torch.cat([self._represent(part) for part in windows.split(self.batch)])

    def _represent(self, x: Tensor) -> Tensor:
        """A few windows through all layers."""
        count = len(x)
        weight, bias = self.layers[0]
        frames = self.window // FIRST_STRIDE
        rows = torch.mm(x.to(self.precision).reshape(-1, FIRST_STRIDE), weight).add_(bias).relu_()
        x = rows.view(count, frames, -1)
        for (weight, bias), stride in zip(self.layers[1:-1], self.strides, strict=True):
            x = self._block(x, weight, bias, stride)
        weight, bias = self.layers[-1]
        padded = torch.nn.functional.pad(x, (0, 0, 1, 1))
        unfolded = torch.cat([padded[:, p : p + x.shape[1]] for p in range(3)], -1)
        last = (unfolded @ weight).add_(bias).relu_()
        return last.mT.flatten(1).float()

    def _block(self, x: Tensor, weight: Tensor, bias: Tensor, stride: int) -> Tensor:
        """A convolution of `stride` frames with one zero on either side, and the maximum over `stride` frames."""
        count, frames, channels = x.shape
        groups = (frames + 2 - stride + 1) // stride  # frames that are left
        length = -(-(stride * groups + stride - 1) // stride) * stride  # rows kept for a window, a multiple of stride
        length = max(length, -(-(frames + 1) // stride) * stride)
        padded = x.new_zeros(count * length + stride, channels)
        padded[: count * length].view(count, length, channels)[:, 1 : frames + 1] = x
        flat = padded.flatten()
        step = stride * channels
        total = count * length // stride  # rows of the products; the last of each window are left out below
        out = x.new_empty(total, weight.shape[1])
        buffer = x.new_empty(min(ROWS, total), weight.shape[1])
        for start in range(0, total, ROWS):
            rows = min(ROWS, total - start)
            chosen, other = out[start : start + rows], buffer[:rows]
            for phase in range(stride):
                first = start * step + phase * channels
                view = flat[first : first + rows * step].view(rows, step)
                torch.mm(view, weight, out=chosen if phase == 0 else other)
                if phase:
                    torch.maximum(chosen, other, out=chosen)
            chosen.add_(bias).relu_()
        return out.view(count, length // stride, -1)[:, :groups]


def _folded(block: SampleBlock, precision: torch.dtype) -> tuple[Tensor, Tensor]:
    """Kernel [kernel · inputs, outputs] and bias [outputs] of a block with its normalisation in them."""
    conv, norm = block.conv, block.norm
    assert norm.running_mean is not None and norm.running_var is not None and conv.bias is not None
    with torch.no_grad():
        scale = norm.weight.double() * (norm.running_var.double() + norm.eps).rsqrt()
        weight = conv.weight.double() * scale[:, None, None]
        bias = (conv.bias.double() - norm.running_mean.double()) * scale + norm.bias.double()
        return weight.permute(2, 1, 0).flatten(0, 1).to(precision).contiguous(), bias.to(precision)
