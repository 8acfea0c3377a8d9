"""The augmentations of CLMR (arXiv 2103.09410)."""

from __future__ import annotations

from orchestrion.data.augment.chain import Chain, Transform
from orchestrion.data.augment.delay import Delay
from orchestrion.data.augment.filters import BandFilter, HighPass, LowPass
from orchestrion.data.augment.reverb import Freeverb
from orchestrion.data.augment.simple import Crop, Gain, Noise, Polarity
from orchestrion.data.augment.stretch import PitchShift
from orchestrion.errors import OptionError


def clmr_chain(
    version: str = "paper", *, rate: int = 22050, samples: int | None = None, quirks: str | None = None
) -> Chain:
    """Crop, polarity, noise, gain, filter, delay, pitch, reverb, each decided for every view on its own.

    Args:
        version: "paper" or "v1" is the code behind the paper (no noise, gains and cutoffs of whole dB and Hz, filters
            of first order, echo 0.2, reverb numbers from 1), "v2" its rewrite (rare noise, windowed sincs, echo 0.5,
            reverb numbers from 0).
        samples: of a crop that comes first (59,049 in both versions); None: what comes is cropped already.
        quirks: as `Chain`.

    Raises:
        OptionError: there is no such version.
    """
    if version not in ("paper", "v1", "v2"):
        raise OptionError(f"There is no version {version!r} of CLMR's augmentations; choose paper, v1 or v2.")
    paper = version != "v2"
    order = "first" if paper else "sinc"
    noise = Noise((0.01, 0.01), reference="rms", clamp=True) if paper else Noise()
    steps: list[tuple[float, Transform]] = [
        (0.8, Polarity()),
        (0.0 if paper else 0.01, noise),
        (0.3, Gain(-20, -1, integer=paper)),
        (0.8, BandFilter(HighPass(rate, order=order, integer=paper), LowPass(rate, order=order, integer=paper))),
        (0.3, Delay(rate, factor=0.2 if paper else 0.5)),
        (0.6, PitchShift(rate)),
        (0.6, Freeverb(rate, *((1, 100) if paper else (0, 99)))),
    ]
    return Chain([(1.0, Crop(samples)), *steps] if samples is not None else steps, quirks=quirks)
