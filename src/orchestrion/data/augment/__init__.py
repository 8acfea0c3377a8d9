"""Augmentations of waveforms: batches of float32 [batch, channels, samples], an explicit generator, every item its own
draws."""

from __future__ import annotations

import importlib
from typing import Any

MODULES = {
    "chain": ("Chain", "Transform"),
    "simple": ("Clip", "Crop", "Dequantise", "Gain", "Mute", "Noise", "Polarity", "RandomChannel"),
    "filters": ("AllPass", "BandFilter", "HighPass", "LowPass"),
    "delay": ("Delay",),
    "stretch": ("PitchShift", "Resample", "TimeStretch"),
    "reverb": ("Freeverb", "NoiseReverb"),
    "dynamics": ("Compand",),
    "codecs": ("CodecRoundTrip",),
    "mixing": ("MixItems", "mix_stems"),
    "clmr": ("clmr_chain",),
    "presets": ("ApolloDamage", "rave_chain"),
}
_PLACES = {name: module for module, names in MODULES.items() for name in names}
__all__ = sorted(_PLACES)


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)
