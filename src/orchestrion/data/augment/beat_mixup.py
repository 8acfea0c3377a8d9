"""Beat-synchronous mixup (MusicLDM, Chen et al. 2024, arXiv 2308.01546, section 3).

Two clips of one tempo are laid over each other with a downbeat of one on a downbeat of the other, as sound or latents.

What is random is drawn apart from what is done with it, so that either can be tested.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from orchestrion.analysis.spectra import audioldm_waveform

SHORTEST = 100  # samples of overlap; MusicLDM's code mixes only what is longer
CONCENTRATION = 5.0  # of the Beta distribution of the shares


@dataclass(frozen=True, slots=True)
class MixDraw:
    """What is random in a mix: which downbeat of each clip meets the other's, and the share of the first."""

    first: int
    second: int
    share: float


@dataclass(frozen=True, slots=True)
class Aligned:
    """Two sounds cut so that both begin on a downbeat, of one length."""

    first: Float[Tensor, " samples"]
    second: Float[Tensor, " samples"]


def tempo_groups(tempi: Sequence[float], *, width: float = 1.0) -> list[list[int]]:
    """Clips by tempo: groups of indices whose tempos lie at most `width` beats a minute apart, so that beats stay
    together for a whole clip."""
    order = sorted(range(len(tempi)), key=lambda number: tempi[number])
    groups: list[list[int]] = []
    for number in order:
        if groups and tempi[number] - tempi[groups[-1][0]] <= width + 1e-9:
            groups[-1].append(number)
        else:
            groups.append([number])
    return groups


def draw_share(
    count: int, generator: torch.Generator | None = None, *, concentration: float = CONCENTRATION
) -> Float[Tensor, " count"]:
    """Draws from Beta(a, a): mean 1/2, variance 1 / (4 (2 a + 1))."""
    shape = torch.full((2, count), concentration)
    gammas = torch._standard_gamma(shape, generator=generator)  # pyright: ignore[reportPrivateImportUsage]
    return gammas[0] / gammas.sum(0)


def draw_partner(group: Sequence[int], item: int, generator: torch.Generator, *, quirks: str = "none") -> int | None:
    """Another clip of the tempo group; None where there is none.

    Args:
        quirks: "official" may draw the clip itself, where its group has others.
    """
    others = list(group) if quirks == "official" and len(group) > 1 else [one for one in group if one != item]
    return others[int(torch.randint(len(others), (), generator=generator))] if others else None


def draw_mix(
    downbeats_first: Sequence[float], downbeats_second: Sequence[float], generator: torch.Generator
) -> MixDraw | None:
    """Downbeats, never the last, and the share; None where a clip has fewer than two downbeats."""
    if min(len(downbeats_first), len(downbeats_second)) < 2:
        return None
    first, second = (
        int(torch.randint(len(times) - 1, (), generator=generator)) for times in (downbeats_first, downbeats_second)
    )
    return MixDraw(first, second, float(draw_share(1, generator)))


def align(
    first: Float[Tensor, " samples_first"],
    second: Float[Tensor, " samples_second"],
    downbeats_first: Sequence[float],
    downbeats_second: Sequence[float],
    draw: MixDraw | None,
    *,
    rate: int,
) -> Aligned | None:
    """Both sounds from the downbeats on, cropped to the shorter; None where there is nothing to align.

    Args:
        downbeats_first, downbeats_second: in seconds.
    """
    if draw is None or min(len(downbeats_first), len(downbeats_second)) < 2:
        return None
    cut_first = first[int(downbeats_first[draw.first] * rate) :]
    cut_second = second[int(downbeats_second[draw.second] * rate) :]
    length = min(len(cut_first), len(cut_second))
    return Aligned(cut_first[:length], cut_second[:length]) if length > SHORTEST else None


def mix_audio(first: Float[Tensor, " samples"], aligned: Aligned | None, share: float) -> Float[Tensor, " mixed"]:
    """p · first + (1 − p) · second, then the mean taken off and the peak at a half (BAM, equation 3); the clip itself,
    normalised, where there was nothing to align."""
    mixed = first if aligned is None else share * aligned.first + (1 - share) * aligned.second
    return audioldm_waveform(mixed)


def segment(wave: Float[Tensor, " samples"], start: int, samples: int) -> Float[Tensor, " segment"]:
    """So many samples from `start` on, followed by silence where the sound ends."""
    cut = wave[start : start + samples]
    return functional.pad(cut, (0, samples - len(cut)))


def mix_latents(
    first: Float[Tensor, "batch ..."], second: Float[Tensor, "batch ..."], share: Float[Tensor, " batch"]
) -> Float[Tensor, "batch ..."]:
    """p · z₁ + (1 − p) · z₂ of each item (BLM, equation 4)."""
    share = share.view(-1, *[1] * (first.ndim - 1)).to(first)
    return share * first + (1 - share) * second


def heard_mix(
    decoded: Float[Tensor, "batch decoded"], samples: int, *, quirks: str = "none"
) -> Float[Tensor, "batch samples"]:
    """The sound of mixed latents from which their condition is computed, at the length of the clips.

    Args:
        decoded: what the vocoder made, which may be some samples longer.
        quirks: "official" keeps only the first nine tenths of a sound of another length, followed by silence.
    """
    if decoded.shape[1] == samples:
        return decoded
    kept = int(0.9 * samples) if quirks == "official" else min(decoded.shape[1], samples)
    return functional.pad(decoded[:, :kept], (0, samples - kept))
