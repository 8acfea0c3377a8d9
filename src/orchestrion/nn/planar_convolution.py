"""Convolutions over pictures by the way that needs the least work where no gradient is wanted, on a CPU."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from orchestrion.nn.derived import Derived
from orchestrion.nn.winograd import padded_share, winograd_convolution, winograd_kernel

FEWEST_CHANNELS = 96  # of input and output: with fewer, the transforms cost more than the products they save
FEWEST_PLACES = 128  # of all pictures together
LARGEST_SHARE = 1.3  # of places that tiles may have beyond the picture
NARROW = 2  # columns up to which a picture is worked on in whole rows


def plainly(x: Tensor) -> bool:
    """Whether a tensor is worked on as it is, without gradient, half precision or a tracer that looks on: only then
    other ways of computing the same are worth their while."""
    return (
        not torch.is_grad_enabled()
        and x.device.type == "cpu"
        and x.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage] (documented, but not re-exported)
    )


class Convolution2d(nn.Conv2d):
    """`nn.Conv2d` with the same weights and, to rounding, the same result.

    Without gradients 1 × 1 kernels are matrix products; 3 × 3 kernels go by `winograd`, or, over pictures of one or two
    columns, by `row_products`, where the library's convolution is slow.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int | tuple[int, int] = 1,
        padding: int = 0,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride=stride, padding=padding)
        self._tiles, self._rows = Derived(), Derived()

    def forward(self, input: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch out new new_width"]:
        if not plainly(input) or self.stride != (1, 1):
            return super().forward(input)
        height, width = input.shape[2:]
        if self.kernel_size == (1, 1) and self.padding == (0, 0):
            return functional.linear(input.permute(0, 2, 3, 1), self.weight[:, :, 0, 0], self.bias).permute(0, 3, 1, 2)
        if (
            self.kernel_size != (3, 3)
            or self.padding != (1, 1)
            or min(self.in_channels, self.out_channels) < FEWEST_CHANNELS
        ):
            return super().forward(input)
        if width <= NARROW:
            return row_products(input, self._rows(self.weight, row_kernels, width), self.bias)
        if len(input) * height * width < FEWEST_PLACES or padded_share(height, width) > LARGEST_SHARE:
            return super().forward(input)
        return winograd_convolution(input, self._tiles(self.weight, winograd_kernel), self.bias)


def row_kernels(weight: Float[Tensor, "out channels 3 3"], width: int) -> Float[Tensor, "3 in_wide out_wide"]:
    """For each row of the kernel, from all channels of a row of the picture to all of a row of the result."""
    out, channels = weight.shape[:2]
    kernels = weight.new_zeros(3, width, channels, width, out)
    for column in range(width):
        for other in range(max(column - 1, 0), min(column + 2, width)):
            kernels[:, other, :, column] = weight[:, :, :, other - column + 1].permute(2, 1, 0)
    return kernels.view(3, width * channels, width * out)


def row_products(
    x: Float[Tensor, "batch channels height width"],
    kernels: Float[Tensor, "3 in_wide out_wide"],
    bias: Float[Tensor, " out"] | None = None,
) -> Float[Tensor, "batch out height width"]:
    """A 3 × 3 convolution with zeros beyond the edges as three products of whole rows. The rows of all pictures
    stand in one matrix, with two of zeros between them.

    Args:
        kernels: of `row_kernels`.
    """
    batch, channels, height, width = x.shape
    wide = kernels.shape[2]
    padded = functional.pad(x.permute(0, 2, 3, 1), (0, 0, 0, 0, 1, 1)).view(-1, width * channels)
    made = x.new_empty(len(padded), wide)
    count = len(padded) - 2
    torch.mm(padded[:count], kernels[0], out=made[:count])
    made[:count].addmm_(padded[1 : count + 1], kernels[1]).addmm_(padded[2:], kernels[2])
    rows = made.view(batch, height + 2, width, wide // width)[:, :height]
    return (rows if bias is None else rows + bias).contiguous().permute(0, 3, 1, 2)
