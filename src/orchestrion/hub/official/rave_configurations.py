"""What the configurations that RAVE's tool ships say, as arguments of ours."""

from __future__ import annotations

from typing import Any

_DILATIONS = ((1, 3, 9), (1, 3, 9), (1, 3, 9), (1, 3))
_COMMON: dict[str, Any] = {"rate": 44100, "bands": 16, "attenuation": 100.0, "ratios": (4, 4, 4, 2), "latent": 128}
_V1: dict[str, Any] = {
    **_COMMON,
    "layout": "headed",
    "capacity": 64,
    "dilations": ((1, 1), (3, 1), (5, 1)),
    "noise_ratios": (4, 4, 4),
    "discriminator": "scales",
    "discriminator_capacity": 64,
    "beta": (0.1, 0.1, 1),
    "matching_weight": 10.0,
    "matching_relative": False,
    "matching_skip": 0,
    "valid_crop": False,
    "discriminator_every": 2,
    "steps": (1_000_000, 5_000_000),
}
_V2: dict[str, Any] = {
    **_COMMON,
    "layout": "residual",
    "capacity": 96,
    "dilations": _DILATIONS,
    "discriminator": "periods and scales",
    "discriminator_capacity": 96,
    "beta": (1e-6, 0.05, 20_000),
    "matching_weight": 20.0,
    "discriminator_every": 4,
    "steps": (1_000_000, 5_000_000),
}
_QUICK = {"steps": (200_000, 5_800_000)}
_DISCRETE = {
    **_V2,
    **_QUICK,
    "ratios": (4, 4, 2, 2),
    "bottleneck": "discrete",
    "noise_channels": 128,
    "log_floor": 1.0,
    "matching_skip": 0,
    "beta": (0.1, 0.1, 1),
}
ADDITIONS: dict[str, dict[str, Any]] = {
    "causal": {"padding": "causal"},
    "noise": {"noise_ratios": (2, 2, 2), "noise_points": 5, "noise_hidden": 128},
    "snake": {"act": "snake"},
    "adain": {"style": True},
    "descript_discriminator": {"discriminator": "dac"},
    "spectral_discriminator": {"discriminator": "spectra and scales"},
    "wasserstein": {
        **_QUICK,
        "bottleneck": "wasserstein",
        "latent": 16,
        "noise_channels": 128,
        "distance_weight": 2.0,
        "adversarial_weight": 2.0,
        "beta": (100.0, 100.0, 1),
    },
    "spherical": {**_QUICK, "bottleneck": "spherical", "latent": 16},
}
"""What configurations change that the tool ships to be put on top of others."""

_V3 = {**_V2, **ADDITIONS["snake"], **ADDITIONS["adain"], **ADDITIONS["descript_discriminator"]}
_NO_BANDS = {
    **_V2,
    "capacity": 64,
    "discriminator_capacity": 64,
    "output": "waveform",
    "encoder_ratios": (4, 4, 4, 2),
    "ratios": (8, 8, 8, 4),
    "beta": (1e-6, 1e-2, 500_000),
}
_MEL = {"input": "mel", "encoder_ratios": (2, 2, 2)}

CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "v1_paper": {
        **_V1,
        "rate": 48000,
        "bias": True,
        "dilations": ((1, 1), (3, 1), (9, 1)),
        "discriminator": "melgan",
        "discriminator_capacity": 16,
        "matching_weight": 30.0,  # 10, summed over three scales
        "distance": "frobenius",
        "loudness_weight": 1.0,
        "crop": 65536,
        "learning_rate": (1e-4, 1e-4),
    },
    "v1": _V1,
    "onnx": {**_V1, "capacity": 32, "discriminator_capacity": 32, "noise_ratios": ()},
    "raspberry": {**_V1, "capacity": 16, "discriminator_capacity": 16, "noise_ratios": ()},
    "v2": _V2,
    "v2_small": {
        **_V2,
        "capacity": 48,
        "ratios": (4, 2, 2, 2),
        "noise_ratios": (2, 2, 2),
        "noise_points": 32,
        "noise_hidden": 64,
        "discriminator_capacity": 48,
        "beta": (0.01, 0.01, 300_000),
        "discriminator_every": 2,
    },
    "v2_nopqmf": _NO_BANDS,
    "v2_nopqmf_small": {**_NO_BANDS, "beta": (0.1, 0.1, 1), "steps": (500_000, 5_500_000)},
    "v2_with_augs": {**_V2, **_MEL, "beta": (0.2, 0.2, 1)},
    "v3": _V3,
    "discrete": _DISCRETE,
    "discrete_v3": {**_DISCRETE, "act": "snake", "discriminator": "dac", "beta": (1e-6, 0.05, 20_000)},
    "causal": {**_V2, **ADDITIONS["causal"]},
    "wasserstein": {**_V2, **ADDITIONS["wasserstein"]},
    "spherical": {**_V2, **ADDITIONS["spherical"]},
    "hybrid": {**_V2, **_MEL, "encoder_dilations": (1,), "recurrent_layers": 2},
}
