"""Constructor arguments of RAVE from the published configurations: gin files, overrides of them, and the first code's.

A line counts where the network has the part that it is about; what this network cannot do is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

from orchestrion.errors import WeightsError
from orchestrion.hub.official.gin import parse_gin
from orchestrion.hub.official.rave_configurations import ADDITIONS, CONFIGURATIONS

_BOTH = ("capacity", "ratios", "dilations", "kernel_size", "keep_dim", "style", "act")
"""What encoder and decoder have each for itself; the encoder's is called "encoder_…" until the end."""

_MACROS = {
    "CAPACITY": ("capacity", "encoder_capacity", "discriminator_capacity"),
    "LATENT_SIZE": ("latent",),
    "N_BAND": ("bands",),
    "RATIOS": ("ratios", "encoder_ratios"),
    "SAMPLING_RATE": ("rate",),
    "PHASE_1_DURATION": ("phase 1",),
}
_LATER_MACROS = {
    "DILATIONS": ("dilations", "encoder_dilations"),
    "KERNEL_SIZE": ("kernel_size", "encoder_kernel_size"),
    "NOISE_AUGMENTATION": ("noise_channels",),
    "NUM_QUANTIZERS": ("codebooks",),
    "CODEBOOK_SIZE": ("codes",),
    "N_MELS": ("mel_bands",),
    "N_FFT": ("mel_size",),
    "HOP_LENGTH": ("mel_hop",),
}
"""Of the residual layout."""

_OWN_MACROS: dict[str, dict[str, tuple[str, ...]]] = {
    "hybrid": {
        "RATIOS": ("ratios",),
        "ENCODER_RATIOS": ("encoder_ratios",),
        "DILATIONS": ("dilations",),
        "NUM_GRU_LAYERS": ("recurrent_layers",),
    },
    "v2_with_augs": {"RATIOS": ("ratios",), "ENCODER_RATIOS": ("encoder_ratios",), "PHASE_1_DURATION": ()},
    "v2_nopqmf": {"RATIOS": (), "PHASE_1_DURATION": ()},
    "v2_nopqmf_small": {"RATIOS": (), "PHASE_1_DURATION": ()},
    "spherical": {"PHASE_1_DURATION": ()},
}
"""Where a configuration reads macros for something else, or not at all."""

_BINDINGS = {
    "CachedPQMF.attenuation": "attenuation",
    "CachedPQMF.n_band": "bands",
    "PQMF.attenuation": "attenuation",
    "PQMF.n_band": "bands",
    "Encoder.capacity": "encoder_capacity",
    "Encoder.ratios": "encoder_ratios",
    "Encoder.repeat_layers": "repeats",
    "Generator.capacity": "capacity",
    "Generator.ratios": "ratios",
    "Generator.loud_stride": "loudness_stride",
    "ResidualStack.kernel_sizes": "kernel_sizes",
    "ResidualStack.dilations_list": "dilations",
    "NoiseGenerator.ratios": "noise_ratios",
    "NoiseGenerator.noise_bands": "noise_points",
    "NoiseGeneratorV2.hidden_size": "noise_hidden",
    "NoiseGeneratorV2.ratios": "noise_ratios",
    "NoiseGeneratorV2.noise_bands": "noise_points",
    "EncoderV2.capacity": "encoder_capacity",
    "EncoderV2.ratios": "encoder_ratios",
    "EncoderV2.dilations": "encoder_dilations",
    "EncoderV2.kernel_size": "encoder_kernel_size",
    "EncoderV2.keep_dim": "encoder_keep_dim",
    "GeneratorV2.capacity": "capacity",
    "GeneratorV2.ratios": "ratios",
    "GeneratorV2.dilations": "dilations",
    "GeneratorV2.kernel_size": "kernel_size",
    "GeneratorV2.keep_dim": "keep_dim",
    "GeneratorV2.amplitude_modulation": "modulated",
    "GRU.num_layers": "recurrent_layers",
    "ResidualVectorQuantization.num_quantizers": "codebooks",
    "ResidualVectorQuantization.codebook_size": "codes",
    "ResidualVectorQuantization.codebook_dim": "code_dim",
    "WasserteinEncoder.noise_augmentation": "noise_channels",
    "DiscreteEncoder.noise_augmentation": "noise_channels",
    "VariationalEncoder.beta": "beta factor",
    "MelSpectrogram.n_mels": "mel_bands",
    "MelSpectrogram.n_fft": "mel_size",
    "MelSpectrogram.hop_length": "mel_hop",
    "ConvTranspose1d.bias": "up_bias",
    "MultiScaleDiscriminator.n_discriminators": "discriminator_scales",
    "MultiPeriodDiscriminator.periods": "discriminator_periods",
    "DescriptDiscriminator.periods": "discriminator_periods",
    "AudioDistanceV1.log_epsilon": "log_floor",
    "mean_difference.relative": "matching_relative",
    "RAVE.latent_size": "latent",
    "RAVE.sampling_rate": "rate",
    "RAVE.n_channels": "channels",
    "RAVE.valid_signal_crop": "valid_crop",
    "RAVE.num_skipped_features": "matching_skip",
    "RAVE.update_discriminator_every": "discriminator_every",
    "RAVE.phase_1_duration": "phase 1",
    "BetaWarmupCallback.initial_value": "beta 0",
    "BetaWarmupCallback.target_value": "beta 1",
    "BetaWarmupCallback.warmup_len": "beta 2",
}
_CHOICES = {
    "blocks.VariationalEncoder": {"bottleneck": "gaussian"},
    "blocks.WasserteinEncoder": {"bottleneck": "wasserstein"},
    "blocks.SphericalEncoder": {"bottleneck": "spherical"},
    "blocks.DiscreteEncoder": {"bottleneck": "discrete"},
    "discriminator.MultiScaleDiscriminator": {"discriminator": "scales"},
    "discriminator.CombineDiscriminators": {"discriminator": "periods and scales"},
    "descript_discriminator.DescriptDiscriminator": {"discriminator": "dac"},
    "core.hinge_gan": {"adversary": "hinge"},
    "core.ls_gan": {"adversary": "least_squares"},
    "core.nonsaturating_gan": {"adversary": "nonsaturating"},
    "blocks.GeneratorV2": {"layout": "residual"},
    "blocks.Generator": {"layout": "headed"},
}
_CHOSEN = ("RAVE.encoder", "RAVE.decoder", "RAVE.discriminator", "RAVE.gan_loss")
_MODES = {"pqmf": "bands", "mel": "mel", "raw": "waveform"}
_PADDINGS = {"centered": "centred", "causal": "causal", "anticausal": "anticausal"}
_COMBINED: dict[tuple[str, ...], str] = {
    ("MultiPeriodDiscriminator", "MultiScaleDiscriminator"): "periods and scales",
    ("MultiScaleDiscriminator", "MultiScaleSpectralDiscriminator"): "spectra and scales",
}
_USED = {
    "Encoder": ("layout", "headed"),
    "Generator": ("layout", "headed"),
    "ResidualStack": ("layout", "headed"),
    "NoiseGenerator": ("layout", "headed"),
    "EncoderV2": ("layout", "residual"),
    "GeneratorV2": ("layout", "residual"),
    "NoiseGeneratorV2": ("layout", "residual"),
    "VariationalEncoder": ("bottleneck", "gaussian"),
    "WasserteinEncoder": ("bottleneck", "wasserstein"),
    "SphericalEncoder": ("bottleneck", "spherical"),
    "DiscreteEncoder": ("bottleneck", "discrete"),
    "ResidualVectorQuantization": ("bottleneck", "discrete"),
    "MelSpectrogram": ("input", "mel"),
    "ConvNet": ("discriminator", "scales", "periods and scales", "spectra and scales"),
    "MultiScaleDiscriminator": ("discriminator", "scales", "periods and scales", "spectra and scales"),
    "MultiPeriodDiscriminator": ("discriminator", "periods and scales"),
    "MultiScaleSpectralDiscriminator": ("discriminator", "spectra and scales"),
    "EncodecConvNet": ("discriminator", "spectra and scales"),
    "DescriptDiscriminator": ("discriminator", "dac"),
}
"""Parts whose lines count only where a network has them."""

_FIXED: dict[str, Any] = {
    "normalization.mode": "weight_norm",
    "Encoder.recurrent_layer": None,
    "EncoderV2.recurrent_layer": None,
    "Generator.recurrent_layer": None,
    "MelSpectrogram.normalized": True,
    "ConvNet.stride": 4,
    "ConvNet.out_size": 1,
    "MultiScaleSpectralDiscriminator.scales": (4096, 2048, 1024, 512, 256),
    "EncodecConvNet.capacity": 32,
    "DescriptDiscriminator.rates": (),
    "DescriptDiscriminator.fft_sizes": (2048, 1024, 512),
    "mean_difference.norm": "L1",
    "MultiScaleSTFT.scales": (2048, 1024, 512, 256, 128),
    "MultiScaleSTFT.magnitude": True,
    "MultiScaleSTFT.normalized": False,
    "MultiScaleSTFT.num_mels": None,
    "BetaWarmupCallback.log": True,
}
"""What the published code can change and this network cannot."""


def arguments(official: Mapping[str, Any]) -> dict[str, Any]:
    """Our constructor arguments from the official ones.

    Args:
        official: of `rave.RAVE`: the name of its configuration ("gin file"; several as a list or with "+" between),
            `overrides` of it as lines, `n_channels`; or `config`, the text of a whole configuration; or of the paper's
            code (tag 1.0), which begin with `data_size`.

    Raises:
        WeightsError: the configuration is unknown, cannot be read, or asks for what this network cannot do.
    """
    if "data_size" in official:
        return {**_first_code(official), "quirks": "official"}
    if "config" in official:
        bindings = parse_gin(official["config"])
        newer = any("EncoderV2" in name or "GeneratorV2" in name for name in bindings)
        ours, macros = _preset("v2" if newer else "v1"), {}
        ours |= {"noise_ratios": ()} if newer else {}
    else:
        ours, macros = _files(official.get("gin file", "v2.gin"))
        bindings = parse_gin("\n".join(official.get("overrides", [])))
    ours = {"bottleneck": "gaussian", "input": "bands", "noise_ratios": (), "up_bias": False, **ours}
    ours = {"kernel_size": 3, "keep_dim": False, "style": False, "act": "leaky_relu", **ours}
    ours = {**{f"encoder_{name}": ours[name] for name in _BOTH}, **ours}
    read = {name: value for name, value in bindings.items() if not _of_torch(name) and not _is_macro(value)}
    for name in sorted(read, key=lambda name: _short(name).startswith(("RAVE.enable_pqmf", "RAVE.is_mel"))):
        _choose(ours, _short(name), read[name])  # what older versions called the modes comes last, and wins
    macros = _MACROS | (_LATER_MACROS if ours["layout"] == "residual" else {}) | macros
    for name in read.keys() & macros.keys():
        ours |= dict.fromkeys(macros[name], _plain(read[name]))
    for name, value in read.items():
        _apply(ours, name, value)
    _agree(ours, read)
    if "n_channels" in official:
        ours["channels"] = official["n_channels"]
    return {**_settled(ours), "quirks": "official"}


def _preset(name: str) -> dict[str, Any]:
    """What a configuration that the tool ships says."""
    if name not in CONFIGURATIONS:
        raise WeightsError(f"There is no published configuration {name!r}; known are {', '.join(CONFIGURATIONS)}.")
    return dict(CONFIGURATIONS[name])


def _files(given: Any) -> tuple[dict[str, Any], dict[str, tuple[str, ...]]]:
    """What one published configuration says, or several on top of each other, and the macros that are its own."""
    names = [Path(str(one)).stem for one in (re.split(r"\s*\+\s*", given) if isinstance(given, str) else given)]
    whole = [name for name in names if name not in ADDITIONS] or ["v2"]
    ours, macros = _preset(whole[-1]), dict(_OWN_MACROS.get(whole[-1], {}))
    for name in names:
        if name in ADDITIONS and not (ours["layout"] == "headed" and name in ("noise", "snake", "adain")):
            ours |= ADDITIONS[name]
            macros |= _OWN_MACROS.get(name, {})
    return ours, macros


def _short(name: str) -> str:
    """Class and argument of a binding, without scope and module."""
    return ".".join(name.rpartition("/")[2].split(".")[-2:])


def _of_torch(name: str) -> bool:
    """Whether it binds an argument of torch's own layers, as the discriminators have them."""
    return "nn" in name.rpartition("/")[2].split(".")[:-2]


def _is_macro(value: Any) -> bool:
    """Whether the value is a macro that the text does not define, and so what it was."""
    return isinstance(value, str) and value.startswith("%")


def _reference(value: Any) -> str:
    """Module and name that a reference names, or ""."""
    if not isinstance(value, str) or not value.startswith("@"):
        return ""
    return ".".join(value.rpartition("/")[2].removesuffix("()").removeprefix("@").split(".")[-2:])


def _refuse(what: str, value: Any) -> WeightsError:
    return WeightsError(f"The configuration sets {what} to {value!r}, which this network cannot do.")


def _choose(ours: dict[str, Any], short: str, value: Any) -> None:
    """Takes over what decides which other lines count: parts of the network, and what it reads and writes."""
    named = _reference(value)
    if short in _CHOSEN:
        if named not in _CHOICES:
            raise _refuse(short, value)
        ours |= _CHOICES[named]
    elif short in ("RAVE.input_mode", "RAVE.output_mode"):
        ours[short.removeprefix("RAVE.").removesuffix("_mode")] = _MODES.get(value, value)
    elif short in ("RAVE.enable_pqmf_encode", "RAVE.enable_pqmf_decode") and value is not None:
        ours["input" if short.endswith("encode") else "output"] = "bands" if value else "waveform"
    elif short == "RAVE.is_mel_input" and value is not None:
        ours["input"] = "mel"
    elif short == "Generator.use_noise" and ours["layout"] == "headed":
        ours["noise_ratios"] = (ours["noise_ratios"] or (4, 4, 4)) if value else ()
    elif short == "GeneratorV2.noise_module":
        ours["noise_ratios"] = (ours["noise_ratios"] or (2, 2, 2)) if value else ()
    elif short == "GeneratorV2.recurrent_layer":
        if named not in ("", "blocks.GRU"):
            raise _refuse(short, value)
        ours["recurrent_layers"] = (ours.get("recurrent_layers") or 1) if value else 0


def _apply(ours: dict[str, Any], name: str, value: Any) -> None:
    """Takes one binding over."""
    short, named = _short(name), _reference(value)
    part = short.partition(".")[0]
    deciding, *used = _USED.get(part, ("layout", ours["layout"]))
    if ours[deciding] not in used or (part.startswith("NoiseGenerator") and not ours["noise_ratios"]):
        return
    if part == "GRU" and not ours.get("recurrent_layers"):
        return
    if short in _FIXED and _plain(value) != _FIXED[short]:
        raise _refuse(short, value)
    if short in ("EncoderV2.activation", "GeneratorV2.activation", "EncoderV2.adain", "GeneratorV2.adain"):
        known = {"activation": "Snake", "adain": "AdaptiveInstanceNormalization"}[short.partition(".")[2]]
        if named not in ("", f"blocks.{known}"):
            raise _refuse(short, value)
        ours_, chosen = ("act", "snake") if known == "Snake" else ("style", True)
        ours |= {f"{'encoder_' if part == 'EncoderV2' else ''}{ours_}": chosen} if named else {}
    elif short == "get_padding.mode":
        ours["padding"] = _PADDINGS.get(value, value)
    elif short == "Encoder.sample_norm":
        ours["norm"] = "unit" if value else "batch"
    elif short == "Conv1d.bias":
        ours |= {"bias": value, "stack_bias": value}
    elif short in ("RAVE.weights", "RAVE.loss_weights") and isinstance(value, dict):
        ours |= _weights(value)
    elif short in _BINDINGS and value is not None and not named:
        ours[_BINDINGS[short]] = _plain(value)


def _weights(given: Mapping[str, float]) -> dict[str, float]:
    """Weights of the losses; where one is not given, that of the code."""
    held = {"feature_matching": 20.0, **given}
    bands, whole = (
        held.get(f"{prefix}audio_distance", 1.0) * held.get(f"{name}_spectral_distance", 1.0)
        for prefix, name in (("multiband_", "multiband"), ("", "fullband"))
    )
    if bands != whole:
        raise _refuse("the weights of the distances", dict(given))
    return {
        "matching_weight": float(held["feature_matching"]),
        "adversarial_weight": float(held.get("adversarial", 1.0)),
        "distance_weight": float(whole),
        "penalty factor": float(held.get("regularization", 1.0)),
    }


def _agree(ours: dict[str, Any], read: Mapping[str, Any]) -> None:
    """Takes over what several lines say together.

    Raises:
        WeightsError: they ask for different parts where this network has one kind.
    """
    for name, value in read.items():
        short, named = _short(name), _reference(value)
        if short.endswith((".encoder", ".encoder_cls")) and named in ("blocks.Encoder", "blocks.EncoderV2"):
            deciding, *used = _USED.get(short.partition(".")[0], ("layout", ours["layout"]))
            if ours[deciding] in used and (named == "blocks.EncoderV2") != (ours["layout"] == "residual"):
                raise _refuse(f"{short} beside a decoder of another version", value)
        if short == "CombineDiscriminators.discriminators" and " and " in ours["discriminator"]:
            kinds = tuple(_reference(one).partition(".")[2] for one in value)
            if kinds not in _COMBINED:
                raise _refuse(short, value)
            ours["discriminator"] = _COMBINED[kinds]
    scopes = {"scales": ("scales",), "periods and scales": ("scales", "periods"), "spectra and scales": ("scales",)}
    for scope in scopes.get(ours["discriminator"], ()):
        size = read.get(f"{scope}/discriminator.ConvNet.kernel_size", {"scales": 15, "periods": (5, 1)}[scope])
        if size != {"scales": 15, "periods": (5, 1)}[scope]:
            raise _refuse("the discriminator's kernel_size", size)
    for theirs, name in (("capacity", "discriminator_capacity"), ("n_layers", "discriminator_layers")):
        of_all = read.get(f"discriminator.ConvNet.{theirs}", ours.get(name))
        found = [
            read.get(f"{scope}/discriminator.ConvNet.{theirs}", of_all)
            for scope in scopes.get(ours["discriminator"], ())
        ]
        if len(set(found)) > 1:
            raise _refuse(f"the {theirs} of its discriminators", tuple(found))
        if found and found[0] is not None:
            ours[name] = found[0]


def _settled(ours: dict[str, Any]) -> dict[str, Any]:
    """Arguments in the form that our constructor takes."""
    ours = dict(ours)
    if ours["layout"] == "residual":
        _pair(ours)
    else:
        for name in ("dilations", "kernel_size", "keep_dim", "style"):
            del ours[f"encoder_{name}"]
    for name in _BOTH:
        if ours.get(f"encoder_{name}") == ours[name]:
            del ours[f"encoder_{name}"]
    factor = ours.pop("beta factor", 1.0) * ours.pop("penalty factor", 1.0)
    start, end, steps = (ours.pop(f"beta {number}", ours["beta"][number]) for number in range(3))
    first = ours.pop("phase 1", None)
    if first is not None:
        ours["steps"] = (first, max(6_000_000 - first, 1))
    return {**ours, "beta": (factor * start, factor * end, steps)}


def _pair(ours: dict[str, Any]) -> None:
    """Levels of the residual layout: as many as there are both ratios and lists of dilations; the encoder takes the
    first ones, the decoder, which counts from its end, the last ones, though its width is that of all ratios."""
    for side in ("encoder_", ""):
        ratios, lists = ours[f"{side}ratios"], ours[f"{side}dilations"]
        if isinstance(lists[0], int):
            continue
        levels = min(len(ratios), len(lists))
        over = len(ratios) - levels
        if side:
            ours |= {"encoder_ratios": ratios[:levels], "encoder_dilations": lists[:levels]}
            continue
        ours["capacity"] *= prod(ratios[:over]) if ours["keep_dim"] else 2**over
        ours |= {"ratios": ratios[over:], "dilations": lists[len(lists) - levels :]}


def _plain(value: Any) -> Any:
    return tuple(_plain(one) for one in value) if isinstance(value, list | tuple) else value


def _first_code(official: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of the code of the paper."""
    names = {
        "data_size": "bands",
        "capacity": "capacity",
        "latent_size": "latent",
        "ratios": "ratios",
        "bias": "bias",
        "loud_stride": "loudness_stride",
        "noise_ratios": "noise_ratios",
        "noise_bands": "noise_points",
        "d_capacity": "discriminator_capacity",
        "d_multiplier": "discriminator_multiplier",
        "d_n_layers": "discriminator_layers",
        "sr": "rate",
        "warmup": "phase 1",
    }
    ours = _preset("v1_paper") | {"rate": 24000, "noise_bias": True}  # `bias` does not reach the noise head there
    ours |= {names[name]: _plain(value) for name, value in official.items() if name in names}
    if not official.get("use_noise", True):
        ours["noise_ratios"] = ()
    losses = {"hinge": "hinge", "square": "least_squares"}
    mode = official.get("mode", "hinge")
    if mode not in losses:
        raise WeightsError(f"The first code has no adversarial loss {mode!r}; known are {', '.join(losses)}.")
    ours["adversary"] = losses[mode]
    first = ours.pop("phase 1", 1_000_000)
    return {**ours, "steps": (first, max(3_000_000 - first, 1))}
