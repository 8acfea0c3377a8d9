"""RAVE's published checkpoints, configurations and constructor arguments, in our names (acids-ircam/RAVE).

A run of the published tool leaves a checkpoint (.ckpt) and beside it, or above it, the configuration `config.gin` that
says how its network was made. Exported models (.ts) hold the same weights without their normalisation, and are read
where the configuration lies beside them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from orchestrion.errors import WeightsError
from orchestrion.hub.official.gin import parse_gin
from orchestrion.hub.weights import read_foreign

SOURCE = {
    "repository": None,
    "file": None,
    "licence": "CC-BY-NC-4.0",
    "code": "https://github.com/acids-ircam/RAVE",
    "arguments": {"gin file": "v2.gin"},
}
"""The authors' models are TorchScript exports without configurations; a user may own checkpoints."""

PRIOR = ("pre_net.", "residuals.", "post_net.")
_COMPUTED = re.compile(
    r"pqmf\.|audio_distance\.|multiband_audio_distance\.|loudness\.|receptive_field$|spectrogram\.|synth\."
    r"|.*\.(target_size|gru_state|downsampler|pad|cache|window)$|encoder\.warmed_up$"
    r"|.*\.(mean|std|learn|num_update)_[xy]$|.*\.mel_scale\.fb$"
)  # fmt: skip
_RENAMED = (
    (r"latent_pca$", "space.axes"),
    (r"latent_mean$", "space.mean"),
    (r"fidelity$", "space.fidelity"),
    (r"decoder\.warmed_up$", "second_stage"),
    (r"encoder\.enabled$", "bottleneck.enabled"),  # the published training never sets it, so that nothing is rounded
    (r"encoder\.rvq\.layers\.(\d+)\._codebook\.inited$", r"bottleneck.quantizer.books.\1.started"),
    (r"encoder\.rvq\.layers\.(\d+)\._codebook\.cluster_size$", r"bottleneck.quantizer.books.\1.counts"),
    (r"encoder\.rvq\.layers\.(\d+)\._codebook\.embed$", r"bottleneck.quantizer.books.\1.table"),
    (r"encoder\.rvq\.layers\.(\d+)\._codebook\.embed_avg$", r"bottleneck.quantizer.books.\1.sums"),
    (r"encoder\.rvq\.layers\.(\d+)\.project_in\.", r"bottleneck.quantizer.into.\1."),
    (r"encoder\.rvq\.layers\.(\d+)\.project_out\.", r"bottleneck.quantizer.out.\1."),
    (r"encoder\.encoder\.net\.", "encoder.net."),
    (r"(decoder\.net\.\d+)\.net\.branches\.(\d+)\.net\.(\d+)\.net\.aligned\.branches\.0\.", r"\1.branches.\2.\3.body."),
    (r"(decoder\.net\.\d+)\.net\.(\d+)\.aligned\.branches\.0\.", r"\1.branches.0.\2.body."),
    (r"((?:en|de)coder\.net\.\d+)\.aligned\.branches\.0\.net\.", r"\1.body."),
    (r"(decoder\.net\.\d+)\.net\.(\d+)\.(?=weight|bias)", r"\1.\2."),
    (r"decoder\.synth\.branches\.0\.", "decoder.waveform."),
    (r"decoder\.synth\.branches\.1\.", "decoder.loudness."),
    (r"decoder\.synth\.branches\.2\.", "decoder.noise."),
    (r"decoder\.waveform_module\.", "decoder.waveform."),
    (r"decoder\.noise_module\.", "decoder.noise."),
    (r"discriminator\.discriminators\.(\d+)\.net\.", r"discriminator.layers.\1.net."),
)
_NORMS = (("weight_g", "parametrizations.weight.original0"), ("weight_v", "parametrizations.weight.original1"))


def rename(key: str, *, last: int | None = None) -> str | None:
    """Our name of an official key; None for what follows from the sizes or is measured anew.

    Args:
        last: index of the decoder's layer that makes the signal, where it has no name of its own.
    """
    if _COMPUTED.match(key):
        return None
    if last is not None:
        key = re.sub(rf"^decoder\.net\.{last}\.(?=weight|bias)", "decoder.waveform.", key)
    spectra = re.match(r"discriminator\.discriminators\.(\d+)\.nets\.(\d+)\.", key)
    if spectra:
        place = int(spectra[1]) + int(spectra[2])
        key = f"discriminator.discriminators.{place}.{key[spectra.end() :]}"
    else:
        for pattern, ours in _RENAMED:
            key = re.sub("^" + pattern, ours, key)
    for official, ours in _NORMS:
        if key.endswith("." + official):
            return key.removesuffix(official) + ours
    return key


def convert(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """An official state dict in our names, those of the discriminator under "discriminator.".

    Raises:
        WeightsError: it is of no RAVE.
    """
    if not any(key.startswith("decoder.net.") for key in state):
        raise WeightsError("The checkpoint holds no network of RAVE; give the .ckpt file of one of its trainings.")
    last = None
    if not any(key.startswith(("decoder.synth.", "decoder.waveform_module.")) for key in state):
        last = max(int(found[1]) for key in state if (found := re.match(r"decoder\.net\.(\d+)\.", key)))
    named = {rename(key, last=last): value for key, value in state.items()}
    named.pop(None, None)
    ours = {str(key): value for key, value in named.items()}
    if "second_stage" in ours:
        ours["second_stage"] = ours["second_stage"].float()
    else:
        ours["second_stage"] = torch.ones(())
    if "bottleneck.enabled" in ours:
        ours["bottleneck.enabled"] = ours["bottleneck.enabled"].float()
    return ours


def convert_prior(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The prior in an official state dict, in the names of `nn.latent_prior.LatentPrior`; biases that it was trained
    without are zeros."""
    names = {"pre_net.0.": "first.", "post_net.0.": "last.0.", "post_net.2.": "last.2."}
    layer = {"dconv.": "dilated.", "rconv.": "onward.", "sconv.": "skip."}
    ours = {}
    for key, value in state.items():
        found = re.match(r"residuals\.(\d+)\.(\wconv\.)", key)
        if found:
            ours[f"layers.{found[1]}.{layer[found[2]]}{key[found.end() :]}"] = value
            continue
        for official, name in names.items():
            if key.startswith(official):
                ours[name + key.removeprefix(official)] = value
    lacking = [key for key in ours if key.endswith(".weight") and f"{key.removesuffix('weight')}bias" not in ours]
    return ours | {f"{key.removesuffix('weight')}bias": ours[key].new_zeros(len(ours[key])) for key in lacking}


def with_norms(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights that an export has freed of their normalisation, split into length and direction again.

    Args:
        state: in our names.
    """
    residual = any(key.startswith("encoder.") and ".body." in key for key in state)
    normed = ("encoder.", "decoder.") if residual else ("decoder.",)
    split = dict(state)
    for key, value in state.items():
        if key.endswith(".weight") and value.dim() == 3 and key.startswith(normed) and ".noise." not in key:
            length, direction = (key.removesuffix("weight") + name for _, name in _NORMS)
            del split[key]
            split[direction] = value
            split[length] = value.flatten(1).norm(dim=1).view(-1, 1, 1)
    return split


# Arguments ----------------------------------------------------------------------------------------------------------

_MACROS = {
    "CAPACITY": ("capacity", "discriminator_capacity"),
    "LATENT_SIZE": ("latent",),
    "N_BAND": ("bands",),
    "RATIOS": ("ratios",),
    "ENCODER_RATIOS": ("encoder_ratios",),
    "DILATIONS": ("dilations",),
    "KERNEL_SIZE": ("kernel_size",),
    "SAMPLING_RATE": ("rate",),
    "NOISE_AUGMENTATION": ("noise_channels",),
    "NUM_QUANTIZERS": ("codebooks",),
    "CODEBOOK_SIZE": ("codes",),
    "NUM_GRU_LAYERS": ("recurrent_layers",),
    "N_MELS": ("mel_bands",),
    "N_FFT": ("mel_size",),
    "HOP_LENGTH": ("mel_hop",),
    "PHASE_1_DURATION": ("phase 1",),
}
_BINDINGS = {
    "CachedPQMF.attenuation": "attenuation",
    "CachedPQMF.n_band": "bands",
    "PQMF.attenuation": "attenuation",
    "PQMF.n_band": "bands",
    "Encoder.capacity": "capacity",
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
    "EncoderV2.capacity": "capacity",
    "EncoderV2.ratios": "encoder_ratios",
    "EncoderV2.dilations": "encoder_dilations",
    "EncoderV2.kernel_size": "kernel_size",
    "EncoderV2.keep_dim": "keep_dim",
    "GeneratorV2.capacity": "capacity",
    "GeneratorV2.ratios": "ratios",
    "GeneratorV2.dilations": "dilations",
    "GeneratorV2.kernel_size": "kernel_size",
    "GeneratorV2.keep_dim": "keep_dim",
    "GeneratorV2.amplitude_modulation": "modulated",
    "GRU.num_layers": "recurrent_layers",
    "ResidualVectorQuantization.num_quantizers": "codebooks",
    "ResidualVectorQuantization.codebook_size": "codes",
    "WasserteinEncoder.noise_augmentation": "noise_channels",
    "DiscreteEncoder.noise_augmentation": "noise_channels",
    "MelSpectrogram.n_mels": "mel_bands",
    "MelSpectrogram.n_fft": "mel_size",
    "MelSpectrogram.hop_length": "mel_hop",
    "Conv1d.bias": "bias",
    "ConvNet.capacity": "discriminator_capacity",
    "ConvNet.n_layers": "discriminator_layers",
    "MultiScaleDiscriminator.n_discriminators": "discriminator_scales",
    "MultiPeriodDiscriminator.periods": "discriminator_periods",
    "AudioDistanceV1.log_epsilon": "log_floor",
    "mean_difference.relative": "matching_relative",
    "RAVE.latent_size": "latent",
    "RAVE.sampling_rate": "rate",
    "RAVE.n_channels": "channels",
    "RAVE.valid_signal_crop": "valid_crop",
    "RAVE.num_skipped_features": "matching_skip",
    "RAVE.update_discriminator_every": "discriminator_every",
    "RAVE.phase_1_duration": "phase 1",
    "RAVE.output_mode": "output",
    "RAVE.input_mode": "input",
    "BetaWarmupCallback.initial_value": "beta 0",
    "BetaWarmupCallback.target_value": "beta 1",
    "BetaWarmupCallback.warmup_len": "beta 2",
}
_CHOICES = {
    "@blocks.VariationalEncoder": {"bottleneck": "gaussian"},
    "@blocks.WasserteinEncoder": {"bottleneck": "wasserstein"},
    "@blocks.SphericalEncoder": {"bottleneck": "spherical"},
    "@blocks.DiscreteEncoder": {"bottleneck": "discrete"},
    "@discriminator.MultiScaleDiscriminator": {"discriminator": "scales"},
    "@discriminator.CombineDiscriminators": {"discriminator": "periods and scales"},
    "@descript_discriminator.DescriptDiscriminator": {"discriminator": "dac"},
    "@core.hinge_gan": {"adversary": "hinge"},
    "@core.ls_gan": {"adversary": "least_squares"},
    "@core.nonsaturating_gan": {"adversary": "nonsaturating"},
    "@blocks.GeneratorV2": {"layout": "residual"},
    "@blocks.Generator": {"layout": "headed"},
}
_MODES = {"pqmf": "bands", "mel": "mel", "raw": "waveform"}
_PADDINGS = {"centered": "centred", "causal": "causal", "anticausal": "anticausal"}


def arguments(official: Mapping[str, Any]) -> dict[str, Any]:
    """Our constructor arguments from the official ones.

    Args:
        official: of `rave.RAVE`: the name of its configuration ("gin file"), `overrides` of it as lines, `n_channels`;
            or `config`, the text of a whole configuration; or of the paper's code (tag 1.0), which begin with
            `data_size`.

    Raises:
        WeightsError: the configuration is unknown or cannot be read.
    """
    if "data_size" in official:
        return {**_first_code(official), "quirks": "official"}
    if "config" in official:
        bindings = parse_gin(official["config"])
        newer = any("EncoderV2" in name or "GeneratorV2" in name for name in bindings)
        ours = _preset("v2" if newer else "v1")
        ours |= {"noise_ratios": ()} if newer else {}
    else:
        ours = _preset(Path(str(official.get("gin file", "v2.gin"))).stem)
        bindings = parse_gin("\n".join(official.get("overrides", [])))
    for name, value in bindings.items():
        _apply(ours, name, value, bindings)
    if "n_channels" in official:
        ours["channels"] = official["n_channels"]
    first, beta = ours.pop("phase 1", None), list(ours.get("beta", (0.1, 0.1, 1)))
    for number in range(3):
        beta[number] = ours.pop(f"beta {number}", beta[number])
    if first is not None:
        ours["steps"] = (first, max(6_000_000 - first, 1))
    return {**ours, "beta": tuple(beta), "quirks": "official"}


def _preset(name: str) -> dict[str, Any]:
    """What a configuration that the tool ships says."""
    from orchestrion.hub.official.rave_configurations import CONFIGURATIONS

    if name not in CONFIGURATIONS:
        raise WeightsError(f"There is no published configuration {name!r}; known are {', '.join(CONFIGURATIONS)}.")
    return dict(CONFIGURATIONS[name])


def _apply(ours: dict[str, Any], name: str, value: Any, bindings: Mapping[str, Any]) -> None:
    """Takes one binding over."""
    short = ".".join(name.rpartition("/")[2].split(".")[-2:])
    if isinstance(value, str) and value.startswith("%"):
        return
    if name in _MACROS:
        ours |= dict.fromkeys(_MACROS[name], _plain(value))
        return
    if isinstance(value, str) and value.startswith("@"):
        reference = value.rpartition("/")[2].removesuffix("()").removeprefix("@")
        found = _CHOICES.get("@" + ".".join(reference.split(".")[-2:]))
        if found and short.startswith("RAVE."):
            ours |= found
        if short == "GeneratorV2.noise_module":
            ours.setdefault("noise_ratios", (2, 2, 2))
            ours["noise_ratios"] = _plain(_bound(bindings, "NoiseGeneratorV2.ratios") or (2, 2, 2))
        if short in ("EncoderV2.activation", "GeneratorV2.activation") and reference.endswith("Snake"):
            ours["act"] = "snake"
        if short == "DilatedUnit.activation" and reference.endswith("Snake"):
            ours["unit_act"] = "leaky_relu"
        if short in ("EncoderV2.adain", "GeneratorV2.adain"):
            ours["style"] = True
        return
    if short == "get_padding.mode":
        ours["padding"] = _PADDINGS.get(value, value)
    elif short in ("RAVE.input_mode", "RAVE.output_mode"):
        ours[_BINDINGS[short]] = _MODES.get(value, value)
    elif short == "Encoder.sample_norm":
        ours["norm"] = "unit" if value else "batch"
    elif short == "Generator.use_noise" and not value:
        ours["noise_ratios"] = ()
    elif short in ("RAVE.weights", "RAVE.loss_weights") and isinstance(value, dict):
        names = {"feature_matching": "matching_weight", "adversarial": "adversarial_weight"}
        ours |= {names[key]: float(one) for key, one in value.items() if key in names}
    elif short.startswith("NoiseGenerator") and not ours.get("noise_ratios"):
        return  # bound, but not used
    elif short in _BINDINGS and value is not None:
        ours[_BINDINGS[short]] = _plain(value)


def _bound(bindings: Mapping[str, Any], short: str) -> Any:
    return next((value for name, value in bindings.items() if name.endswith(short)), None)


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


# Files --------------------------------------------------------------------------------------------------------------


def configuration_of(path: Path) -> str | None:
    """The text of `config.gin` beside a checkpoint or up to three folders above it."""
    for folder in list(path.resolve().parents)[:4]:
        if (folder / "config.gin").is_file():
            return (folder / "config.gin").read_text(encoding="utf-8", errors="replace")
    return None


def arguments_of(path: str | Path) -> dict[str, Any]:
    """Our constructor arguments of a checkpoint file.

    Raises:
        WeightsError: there is no configuration beside it, or it cannot be read.
    """
    text = configuration_of(Path(path))
    if text is None:
        raise WeightsError(f"Beside {path} lies no config.gin, which says how its network was made; put it there.")
    return arguments({"config": text})


def read(path: str | Path, *, ema: bool = True) -> dict[str, Tensor]:
    """Reads a published checkpoint (.ckpt) or export (.ts) in our names, without the discriminator.

    Args:
        ema: takes averaged weights where the file has them.

    Raises:
        WeightsError: the file cannot be read safely, or holds no such network.
    """
    path = Path(path)
    if path.suffix == ".ts":
        state, averaged = _scripted(path), {}
    else:
        held = read_foreign(path)
        state = held.get("state_dict", held)
        averaged = dict((held.get("callbacks") or {}).get("EMA") or {}) if ema else {}
    ours = convert({**state, **{key: value for key, value in averaged.items() if key in state}})
    ours = with_norms(ours) if path.suffix == ".ts" else ours
    return {key: value for key, value in ours.items() if not key.startswith("discriminator.")}


def _scripted(path: Path) -> dict[str, Tensor]:
    """Weights of an exported model. Nothing of its program is called."""
    try:
        module = torch.jit.load(str(path), map_location="cpu")
    except Exception as error:
        raise WeightsError(f"The model {path} cannot be read as TorchScript ({type(error).__name__}).") from error
    held = {re.sub(r"^_rave\.|^model\.", "", key): value for key, value in module.state_dict().items()}
    return {key: value for key, value in held.items() if not key.endswith("_params")}


def prior_arguments(official: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `nn.latent_prior.LatentPrior` from those of the published prior, whose number of dimensions is
    rounded up to a power of two."""
    names = {
        "resolution": "bins",
        "res_size": "width",
        "skp_size": "skip",
        "kernel_size": "kernel_size",
        "cycle_size": "cycle",
        "n_layers": "layers",
    }
    ours = {names[name]: value for name, value in official.items() if name in names}
    return {**ours, "dims": 1 << (int(official["latent_size"]) - 1).bit_length()}
