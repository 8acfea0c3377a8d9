"""RAVE's published checkpoints in our names (acids-ircam/RAVE); `rave_arguments` reads its configurations.

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
from orchestrion.hub.official.rave_arguments import arguments
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
        WeightsError: there is no configuration beside it, it cannot be read, or the weights do not fit it.
    """
    text = configuration_of(Path(path))
    if text is None:
        raise WeightsError(f"Beside {path} lies no config.gin, which says how its network was made; put it there.")
    found = arguments({"config": text})
    width = {"bands": found["bands"], "mel": found.get("mel_bands", 128), "waveform": 1}[found["input"]]
    state = read(path)
    first = state.get("encoder.net.0.weight", state.get("encoder.net.0.parametrizations.weight.original1"))
    if first is None or first.dim() != 3 or first.shape[1] % width:
        raise WeightsError(f"The weights of {path} are of another network than the config.gin beside them.")
    return {**found, "channels": first.shape[1] // width}  # the text does not say how many


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
