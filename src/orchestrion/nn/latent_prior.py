"""A WaveNet over quantised latents, which makes sound out of nothing when a decoder follows it (RAVE's prior, arXiv
2111.05011, section 5.3; van den Oord et al. 2016, arXiv 1609.03499)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from orchestrion.errors import OptionError
from orchestrion.nn.convolution import Conv1d
from orchestrion.nn.streaming import Place, Plan

FURTHEST = 4.0  # decoded latents are cut there


def to_bins(z: Float[Tensor, "batch dims frames"], bins: int) -> Int[Tensor, "batch dims frames"]:
    """Bins of equal probability under a normal distribution."""
    share = torch.special.ndtr(z)
    return (share * bins).floor().long().clamp(0, bins - 1)


def from_bins(
    chosen: Int[Tensor, "batch dims frames"], bins: int, dither: Float[Tensor, "batch dims frames"] | float = 0.5
) -> Float[Tensor, "batch dims frames"]:
    """Latents of bins, `dither` in [0, 1) of the way through each."""
    share = (chosen + dither) / bins
    return torch.special.ndtri(share).clamp(-FURTHEST, FURTHEST)


def shift_diagonally(x: Float[Tensor, "batch dims frames"]) -> Float[Tensor, "batch dims shorter"]:
    """Dimension i delayed by i frames, so that within one step of a network dimensions follow one another; the first
    and last dims − 1 frames, which not all dimensions have, are left out.

    Raises:
        OptionError: there are fewer frames than dimensions.
    """
    dims, frames = x.shape[1:]
    if frames < dims:
        raise OptionError(f"{frames} frames of latents are too few for {dims} dimensions, which take turns.")
    count = frames - dims + 1
    return torch.stack([x[:, i, dims - 1 - i : dims - 1 - i + count] for i in range(dims)], 1)


def shift_back(x: Float[Tensor, "batch dims frames"]) -> Float[Tensor, "batch dims shorter"]:
    """Undoes `shift_diagonally`, at the cost of dims − 1 frames more."""
    return shift_diagonally(x.flip(1)).flip(1)


class GatedLayer(nn.Module):
    """σ(a)·tanh(b) of a dilated causal convolution, added to what goes on and to what is skipped to the end."""

    def __init__(self, width: int, skip: int, kernel_size: int, dilation: int, *, bias: bool) -> None:
        super().__init__()
        self.dilated = Conv1d(width, 2 * width, kernel_size, dilation=dilation, padding="causal", bias=bias)
        self.onward, self.skip = nn.Conv1d(width, width, 1), nn.Conv1d(width, skip, 1)

    def after(
        self, x: Float[Tensor, "batch width time"], opened: Float[Tensor, "batch wide time"]
    ) -> tuple[Float[Tensor, "batch width time"], Float[Tensor, "batch skip time"]]:
        """What goes on and what is skipped, once the convolution is done."""
        gate, value = opened.chunk(2, 1)
        value = torch.sigmoid(gate) * torch.tanh(value)
        return x + self.onward(value), self.skip(value)


class LatentPrior(nn.Module):
    """Logits of the bins of the next frame.

    Args:
        dims: latent dimensions, diagonally shifted.
        bins: of each.
        width, skip: channels that go on and that are skipped.
        kernel_size, layers, cycle: of the convolutions; dilations are 2^(i mod cycle).
        bias: of the dilated, first and last convolutions.
    """

    def __init__(
        self,
        *,
        dims: int,
        bins: int = 32,
        width: int = 512,
        skip: int = 256,
        kernel_size: int = 3,
        layers: int = 10,
        cycle: int = 4,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.dims, self.bins = dims, bins
        self.first = Conv1d(bins * dims, width, kernel_size, groups=dims, padding="causal", bias=bias)
        self.layers = nn.ModuleList(
            [GatedLayer(width, skip, kernel_size, 2 ** (number % cycle), bias=bias) for number in range(layers)]
        )
        self.last = nn.Sequential(
            nn.Conv1d(skip, skip, 1, bias=bias),
            nn.LeakyReLU(0.2),
            nn.Conv1d(skip, bins * dims, 1, groups=dims, bias=bias),
        )
        self.receptive_field = kernel_size + (kernel_size - 1) * sum(2 ** (n % cycle) for n in range(layers))

    def one_hot(self, chosen: Int[Tensor, "batch dims frames"]) -> Float[Tensor, "batch wide frames"]:
        """Channels, all bins of the first dimension first."""
        hot = functional.one_hot(chosen, self.bins).permute(0, 1, 3, 2)
        return hot.flatten(1, 2).to(self.first.weight.dtype)

    def forward(self, hot: Float[Tensor, "batch wide frames"]) -> Float[Tensor, "batch wide frames"]:
        convolutions: list[Callable[[Tensor], Tensor]] = [self.first, *(layer.dilated for layer in self.layers)]  # type: ignore[list-item]
        return self._run(hot, convolutions)

    def _run(self, hot: Tensor, convolutions: list[Callable[[Tensor], Tensor]]) -> Tensor:
        x = functional.leaky_relu(convolutions[0](hot), 0.2)
        total: Tensor | None = None
        for layer, dilated in zip(self.layers, convolutions[1:], strict=True):
            assert isinstance(layer, GatedLayer)
            x, skipped = layer.after(x, dilated(x))
            total = skipped if total is None else total + skipped
        assert total is not None
        return self.last(total)

    def loss(self, z: Float[Tensor, "batch dims frames"]) -> Float[Tensor, ""]:
        """Cross-entropy of the bins of each next frame, in nats, mean over all."""
        chosen = to_bins(shift_diagonally(z), self.bins)
        logits = self(self.one_hot(chosen))[..., :-1].unflatten(1, (self.dims, self.bins))
        return functional.cross_entropy(logits.transpose(1, 2), chosen[..., 1:])

    @torch.inference_mode()
    def sample(
        self, frames: int, *, batch: int = 1, temperature: float = 1.0, generator: torch.Generator | None = None
    ) -> Float[Tensor, "batch dims frames"]:
        """Latents, frame by frame; each convolution remembers what it has seen.

        Raises:
            OptionError: no frame is asked for, or the temperature is not above 0.
        """
        if frames < 1 or temperature <= 0:
            raise OptionError(
                f"{frames} frames at temperature {temperature:g} cannot be drawn; give more than 0 of both."
            )
        plan = Plan(exact=False)
        streams = [plan.build(one, Place(1))[0] for one in (self.first, *(layer.dilated for layer in self.layers))]  # type: ignore[arg-type]
        weight = self.first.weight
        state, none = plan.state(batch, like=weight), weight.new_zeros(1, 1, 0)
        steps = [lambda x, part=part: part(x, state, none) for part in streams]
        start = torch.randint(self.bins, (batch, self.dims, 1), generator=generator, device=weight.device)
        drawn = [start]
        for _ in range(frames + self.dims - 2 + self.dims):
            logits = self._run(self.one_hot(drawn[-1]), steps).unflatten(1, (self.dims, self.bins))[..., 0]
            chances = torch.softmax(logits / temperature, -1).flatten(0, 1)
            drawn.append(torch.multinomial(chances, 1, generator=generator).view(batch, self.dims, 1))
        chosen = torch.cat(drawn, -1)[..., self.dims :]  # the first frames follow from a frame that was not drawn
        dither = torch.rand(chosen.shape, generator=generator, device=weight.device)
        return shift_back(from_bins(chosen, self.bins, dither))[..., :frames]
