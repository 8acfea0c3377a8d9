"""SampleCNN: one-dimensional convolutions from raw samples to one vector, with no spectrogram between.

Lee et al. 2017 (arXiv 1703.01789), as CLMR (Spijkervet & Burgoyne 2021, arXiv 2103.09410) uses it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

FIRST_STRIDE = 3


class SampleBlock(nn.Module):
    """Convolution, batch normalisation, a maximum over `pool` frames, and ReLU (which may as well come before it).

    Args:
        inputs, outputs: channels.
        kernel: frames that the convolution sees.
        stride: of the convolution; other than 1 it must equal the kernel, without padding.
        padding: zeros on either side.
        pool: frames that become one; 1: all stay.
        channels_last: lay frames one after the other in memory, the channels of each together.
    """

    def __init__(
        self,
        *,
        inputs: int,
        outputs: int,
        kernel: int = 3,
        stride: int = 1,
        padding: int = 1,
        pool: int = 1,
        channels_last: bool = False,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, kernel, stride=stride, padding=padding)
        self.norm = nn.BatchNorm2d(outputs)
        self.stride, self.padding, self.pool, self.channels_last = stride, padding, pool, channels_last
        self.apart = stride == kernel and padding == 0  # no frame is seen twice: one matrix product will do

    def forward(self, x: Float[Tensor, "batch inputs time"]) -> Float[Tensor, "batch outputs frames"]:
        """The frames after it."""
        if self.channels_last and self.apart:
            frames = x.shape[2] // self.stride
            spans = x[..., : frames * self.stride].mT.reshape(len(x), frames, -1)
            y = functional.linear(spans, self.conv.weight.mT.flatten(1), self.conv.bias).mT.unsqueeze(2)
        else:
            layout = torch.channels_last if self.channels_last else torch.contiguous_format
            wide, kernel = x.unsqueeze(2).contiguous(memory_format=layout), self.conv.weight.unsqueeze(2)
            y = functional.conv2d(wide, kernel, self.conv.bias, stride=(1, self.stride), padding=(0, self.padding))
        y = self.norm(y)
        if self.pool > 1:
            y = functional.max_pool2d(y, (1, self.pool))
        return y.relu().squeeze(2)


class SampleCnn(nn.Module):
    """Waveform → vector.

    A strided convolution, a block for each of `strides`, whose kernel and pooling have the length of the stride (with
    one zero on either side whatever the stride, as published), and a convolution on the single frame that is left.

    Args:
        channels: of the first convolution, of each block, and of the last convolution: two more than `strides`.
        strides: of the blocks. 3 × their product is the length of a window in samples, or as near to that as leaves one
            frame, of which `features` numbers are made.
        outputs: size of a linear head, such as the number of tags; None: the representation itself comes out.
        dropout: before the head, in training.
        channels_last: the layout of memory inside. On a CPU a training step takes half the time with it; the numbers
            differ by rounding.
        kaiming: draw the kernels as He et al. 2015 for ReLU (uniform, fan-in), as the paper's code does; by default as
            torch does.

    Raises:
        ValueError: the numbers of channels and strides do not fit, or no window leaves one frame.
    """

    def __init__(
        self,
        *,
        channels: Sequence[int],
        strides: Sequence[int],
        outputs: int | None = None,
        dropout: float = 0.0,
        channels_last: bool = False,
        kaiming: bool = False,
    ) -> None:
        super().__init__()
        if len(channels) != len(strides) + 2:
            raise ValueError(f"{len(strides)} strides need {len(strides) + 2} numbers of channels, not {len(channels)}")
        self.strides = tuple(strides)
        last = channels_last
        blocks = [SampleBlock(inputs=1, outputs=channels[0], stride=FIRST_STRIDE, padding=0, channels_last=last)]
        for number, stride in enumerate(strides):
            one, two = channels[number : number + 2]
            blocks.append(SampleBlock(inputs=one, outputs=two, kernel=stride, pool=stride, channels_last=last))
        blocks.append(SampleBlock(inputs=channels[-2], outputs=channels[-1], channels_last=last))
        self.blocks = nn.ModuleList(blocks)
        least, most = 1, 1  # frames before a block that leave one frame in the end
        for stride in reversed(strides):
            least, most = max(stride * (least + 1) - 3, 1), stride * (most + 2) - 4
            if most < 1:  # a stride of 1 adds two frames, the zeros on either side
                raise ValueError(f"the strides {list(strides)} leave one frame of no window")
        self.window = FIRST_STRIDE * min(max(math.prod(strides), least), most)
        self.features = channels[-1]
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(self.features, outputs) if outputs is not None else None
        if kaiming:
            for block in blocks:
                nn.init.kaiming_uniform_(block.conv.weight, mode="fan_in", nonlinearity="relu")

    def frames(self, samples: int) -> int:
        """Frames that are left of so many samples."""
        frames = samples // FIRST_STRIDE
        for stride in self.strides:
            if frames < 1:
                return 0
            frames = max((frames + 2 - stride + 1) // stride, 0)
        return frames

    def represent(self, x: Float[Tensor, "batch 1 samples"]) -> Float[Tensor, "batch numbers"]:
        """The representation, called h in the paper: `features` numbers of windows of `window` samples; of windows of
        any other length, channels[-1] numbers for each frame that is left, channel by channel.

        Raises:
            ValueError: nothing is left of windows of this length.
        """
        if self.frames(x.shape[2]) < 1:
            raise ValueError(f"nothing is left of windows of {x.shape[2]} samples; give {self.window}")
        for block in self.blocks:
            x = block(x)
        return x.flatten(1)

    def represent_one(self, x: Float[Tensor, "batch 1 samples"]) -> Float[Tensor, "batch features"]:
        """The same for what has room for `features` numbers alone: the head, or a projector.

        Raises:
            ValueError: another number of frames than one is left of windows of this length.
        """
        frames = self.frames(x.shape[2])
        if frames != 1:
            raise ValueError(f"windows of {x.shape[2]} samples leave {frames} frames, not one; give {self.window}")
        return self.represent(x)

    def forward(self, x: Float[Tensor, "batch 1 samples"]) -> Float[Tensor, "batch outputs"]:
        """The representation, or the logits of the head where there is one.

        Raises:
            ValueError: nothing is left of windows of this length, or more than one frame where there is a head.
        """
        return self.represent(x) if self.head is None else self.head(self.dropout(self.represent_one(x)))


class Projector(nn.Module):
    """Linear layers without bias and ReLU between them: representation → what the contrastive loss compares.

    Args:
        features: of the representation, and of all layers but the last.
        outputs: of the last.
        num_layers: how many (SimCLR: 2).
    """

    def __init__(self, *, features: int, outputs: int, num_layers: int = 2) -> None:
        super().__init__()
        widths = [features] * num_layers + [outputs]
        self.layers = nn.ModuleList(nn.Linear(one, two, bias=False) for one, two in pairwise(widths))

    def forward(self, x: Float[Tensor, "batch features"]) -> Float[Tensor, "batch outputs"]:
        """The projection, called z in the paper."""
        for number, layer in enumerate(self.layers):
            x = layer(x if number == 0 else x.relu())
        return x
