"""What MusicLDM does with sound that is given: filling a part of it, and vectors of its windows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from orchestrion.analysis.spectra import audioldm_waveform
from orchestrion.errors import OptionError
from orchestrion.media.audio import Audio
from orchestrion.nn.clap import Clap
from orchestrion.representations.latent_masks import free_bands, free_time
from orchestrion.systems.tasks import Embeddings, Progress

if TYPE_CHECKING:
    from orchestrion.systems.musicldm import MusicLDM


def fill(
    model: MusicLDM,
    audio: Audio,
    prompt: str,
    *,
    start: float | None = None,
    end: float | None = None,
    bands: tuple[float, float] | None = None,
    seed: int = 0,
    **settings: Any,
) -> Audio:
    """A clip (what is longer is cut) whose span from `start` to `end`, or share of bands, is made anew.

    Args:
        start, end: seconds; None: the beginning, the end.
        bands: shares of the mel axis, 0 to 1, instead of a span.
        settings: of `MusicLDM.sample`.

    Returns:
        Mono at the rate of the system, at the level of the sound given.

    Raises:
        OptionError: the span is empty or lies outside the clip.
    """
    wave = audio.mono().resample(model.rate).samples[0, : model.frames * model.codec.hop_length]
    level = 2 * float(abs(wave - wave.mean()).max(initial=0.0))
    latents = torch.from_numpy(model.codec.encode(Audio(wave[None], model.rate)).values)
    known = latents.unflatten(1, (model.vae.latent_channels, -1)).transpose(2, 3)
    known = functional.pad(known, (0, 0, 0, model.window - known.shape[2])).to(model.device)
    rate, count = model.codec.mel.frame_rate / model.vae.time_reduction, known.shape[3]
    if bands is not None:
        masked = free_bands(known, round(bands[0] * count), round(bands[1] * count))
    else:
        first = round((start or 0.0) * rate)
        last = model.window if end is None else round(end * rate)
        masked = free_time(known, first, last)
        if not 0 <= first < last <= model.window:
            raise OptionError(f"A clip of {model.window / rate:g} seconds cannot be filled from {start} to {end}.")
    vector = model.vectors_of_text([prompt])
    generator = torch.Generator().manual_seed(seed)
    made = model.sample(vector, masked=masked, generator=generator, **settings)
    sound = model.codec.decode_latents(made) * (level or 1.0)
    return Audio(sound.clamp(-1, 1).float().numpy(), model.rate)


def embed_windows(
    model: MusicLDM, audio: Audio, *, hop: float | None, pooling: str, space: str, progress: Progress | None = None
) -> Embeddings:
    """Unit vectors of windows of a clip's length, or their mean; what is left at the end counts from half a window on.

    Raises:
        OptionError: the pooling is unknown or the hop not above 0.
    """
    window = model.frames / model.codec.mel.frame_rate
    hop = window if hop is None else hop
    if pooling not in ("mean", "none") or hop <= 0:
        raise OptionError(f"pooling is {pooling!r} and hop {hop:g}; it must be 'mean' or 'none', and hop above 0.")
    wave = audioldm_waveform(torch.from_numpy(audio.mono().resample(model.rate).samples))
    samples, stride = model.frames * model.codec.hop_length, max(round(hop * model.rate), 1)
    starts = range(0, max(wave.shape[1] - samples // 2, 1), stride)  # what is left at the end, if half a window
    rows = []
    for number, start in enumerate(starts, 1):
        cut = wave[:, start : start + samples]
        cut = functional.pad(cut, (0, samples - cut.shape[1])).to(model.device)
        if isinstance(model.clap, Clap):
            rows.append(model.clap.embed_audio(cut, model.rate))
        else:
            rows.append(model.vectors_of_pictures(model.codec.pictures(cut)))
        if progress is not None:
            progress(number, len(starts))
    vectors = torch.cat(rows)
    if pooling == "mean":
        vectors = functional.normalize(vectors.mean(0, keepdim=True), dim=-1)
    times = tuple(start / model.rate for start in starts) if pooling == "none" else (0.0,)
    return Embeddings(vectors.cpu().numpy(), times, window, space)
