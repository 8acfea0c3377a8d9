"""Augmentations of waveforms: batches of float32 [batch, channels, samples], an explicit generator, every item its own
draws."""

from __future__ import annotations

from orchestrion.data.augment.chain import Chain, Transform
from orchestrion.data.augment.clmr import clmr_chain
from orchestrion.data.augment.codecs import CodecRoundTrip
from orchestrion.data.augment.delay import Delay
from orchestrion.data.augment.dynamics import Compand
from orchestrion.data.augment.filters import AllPass, BandFilter, HighPass, LowPass
from orchestrion.data.augment.mixing import MixItems, mix_stems
from orchestrion.data.augment.presets import ApolloDamage, rave_chain
from orchestrion.data.augment.reverb import Freeverb, NoiseReverb
from orchestrion.data.augment.simple import Clip, Crop, Dequantise, Gain, Mute, Noise, Polarity, RandomChannel
from orchestrion.data.augment.stretch import PitchShift, Resample, TimeStretch

__all__ = [
    "AllPass",
    "ApolloDamage",
    "BandFilter",
    "Chain",
    "Clip",
    "CodecRoundTrip",
    "Compand",
    "Crop",
    "Delay",
    "Dequantise",
    "Freeverb",
    "Gain",
    "HighPass",
    "LowPass",
    "MixItems",
    "Mute",
    "Noise",
    "NoiseReverb",
    "PitchShift",
    "Polarity",
    "RandomChannel",
    "Resample",
    "TimeStretch",
    "Transform",
    "clmr_chain",
    "mix_stems",
    "rave_chain",
]
