"""Spectral losses of waveforms at several scales: how far what a network made is from what it should be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

SIZES = (2048, 1024, 512, 256, 128)


def magnitudes(
    x: Float[Tensor, "batch channels samples"], size: int, *, hop: int | None = None, normalized: bool = False
) -> Float[Tensor, "signals bins frames"]:
    """Magnitudes of short-time spectra under a periodic Hann window, centred, the ends reflected.

    Args:
        hop: a quarter of `size` by default.
        normalized: divides by √size.
    """
    flat = x.flatten(0, 1).float()
    window = torch.hann_window(size, device=flat.device)
    spectrum = torch.stft(
        flat, size, hop or size // 4, window=window, center=True, normalized=normalized, return_complex=True
    )
    return spectrum.abs()


def spectral_distance(
    target: Float[Tensor, "batch channels samples"],
    made: Float[Tensor, "batch channels samples"],
    *,
    sizes: Sequence[int] = SIZES,
    overlap: float = 0.75,
    linear: Literal["squared", "frobenius"] = "squared",
    log_floor: float = 1e-7,
    normalized: bool = False,
) -> Float[Tensor, ""]:
    """Sum over scales of a relative distance of magnitudes and of the mean |log(X + floor) − log(Y + floor)|.

    Gradients reach what was made only, once: they are computed along with the distance.

    Args:
        sizes: of the transforms; those that the signal is too short for are left out.
        overlap: of neighbouring frames.
        linear: "squared" mean (X − Y)² / mean X²; "frobenius" ‖X − Y‖ / ‖X‖ (RAVE, arXiv 2111.05011, eq. 5, as the
            paper's code has it).
        normalized: as of `magnitudes`.

    Raises:
        ValueError: the signal is too short for every scale.
    """
    total: Tensor | None = None
    for size in sizes:
        if size // 2 >= target.shape[-1]:
            continue
        ends = (size // 2, size // 2)
        wanted, found = (pad(one.flatten(0, 1).float(), ends, mode="reflect") for one in (target, made))
        scale = size**-0.5 if normalized else 1.0
        hop = round(size * (1 - overlap))
        distance = _Distance.apply(wanted.detach(), found, size, hop, scale, log_floor, linear == "squared")
        total = distance if total is None else total + distance
    if total is None:
        raise ValueError(f"signals of {target.shape[-1]} samples are too short for transforms of {min(sizes)}")
    return total


class _Distance(torch.autograd.Function):
    """The distance at one scale. Torch's own gradient of it goes over the spectra a dozen times more."""

    @staticmethod
    def forward(
        context: Any, target: Tensor, made: Tensor, size: int, hop: int, scale: float, floor: float, squared: bool
    ) -> Tensor:
        window = torch.hann_window(size, device=target.device) * scale
        wanted = torch.fft.rfft(target.unfold(-1, size, hop) * window).abs()
        spectrum = torch.fft.rfft(made.unfold(-1, size, hop) * window)
        found = spectrum.abs()
        difference = found - wanted
        energy, error = wanted.square().sum(), difference.square().sum()
        raised = found + floor
        logs = torch.log(raised / wanted.add_(floor))
        linear = error / energy if squared else (error / energy).sqrt()
        if made.requires_grad:
            slope = difference.mul_(2 / energy if squared else (error * energy).rsqrt())
            slope.add_(logs.sign().div_(raised), alpha=1 / logs.numel())
            slope.div_(found.clamp_(min=1e-30))
            slope[..., 1:-1] *= 0.5  # as the inverse transform counts these twice
            frames = torch.fft.irfft(spectrum.mul_(slope), size).mul_(window * size)
            context.save_for_backward(_added(frames, hop, made.shape[-1]))
        return linear + logs.abs_().mean()

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        (slope,) = context.saved_tensors
        return None, slope * gradients[0], None, None, None, None, None


def _added(frames: Float[Tensor, "signals frames size"], hop: int, length: int) -> Float[Tensor, "signals length"]:
    """Frames laid over each other, `hop` samples apart, and added."""
    signals, count, size = frames.shape
    parts = -(-size // hop)
    blocks = frames.new_zeros(signals, max(count + parts, -(-length // hop)), hop)
    frames = pad(frames, (0, parts * hop - size))
    for part in range(parts):
        blocks[:, part : part + count] += frames[..., part * hop : (part + 1) * hop]
    return blocks.flatten(1)[:, :length]


def a_weighting(frequencies: Float[Tensor, " bins"]) -> Float[Tensor, " bins"]:
    """The A curve of IEC 61672 in dB, not below −80."""
    squared = frequencies.double().square()
    poles = [12194.217**2, 20.598997**2, 107.65265**2, 737.86223**2]
    power = 2.0 + 20 * (
        math.log10(poles[0])
        + 2 * squared.log10()
        - (squared + poles[0]).log10()
        - (squared + poles[1]).log10()
        - 0.5 * (squared + poles[2]).log10()
        - 0.5 * (squared + poles[3]).log10()
    )
    return power.clamp(min=-80).float()


def a_weighted_loudness(
    x: Float[Tensor, "batch channels samples"], rate: int, *, size: int = 2048, hop: int = 512
) -> Float[Tensor, "signals 1 frames"]:
    """Mean over frequencies of log(magnitude + 1e-7) plus the A curve, as RAVE's first code has it: the curve is in dB
    and the logarithm natural, which only shifts the level and drops out of differences."""
    found = magnitudes(x, size, hop=hop)
    curve = a_weighting(torch.linspace(0, rate / 2, size // 2 + 1) + 1e-7).to(found)
    return (torch.log(found + 1e-7) + curve[:, None]).mean(1, keepdim=True)
