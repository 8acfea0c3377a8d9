"""What MusicLDM does with sound that is given: filling a span of it, going on behind it, and vectors of its windows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from orchestrion.analysis.mel_filters import hertz_to_mel
from orchestrion.analysis.spectra import audioldm_waveform
from orchestrion.errors import OptionError, PromptError
from orchestrion.media.audio import Audio
from orchestrion.media.bridging import FADE_SECONDS, bridged, laid_in
from orchestrion.media.loudness import at_safe_peak
from orchestrion.nn.clap import Clap
from orchestrion.representations.latent_masks import Masked
from orchestrion.systems.tasks import Embeddings, Progress, Sound

if TYPE_CHECKING:
    from orchestrion.systems.musicldm import MusicLDM

MOST_CHARACTERS = 4000
MOST_SECONDS = 600.0
SILENT = 1e-5  # root mean square below which there is nothing to measure a level by: -100 dB


@dataclass(frozen=True, slots=True)
class Hole:
    """What is made anew of latents: the time [start, end) of the bands from `lowest` on."""

    start: int
    end: int
    lowest: int = 0


@torch.no_grad()
def infill_sound(
    model: MusicLDM,
    audio: Audio,
    prompt: str = "",
    *,
    start: float,
    end: float,
    above: float | None = None,
    negative: str = "",
    seed: int = 0,
    progress: Progress | None = None,
    **settings: Any,
) -> Sound:
    """A recording whose span from `start` to `end` is made anew, to fit what lies around it (inpainting).

    The span is cut into windows of a clip's length, each of which is told what lies before it and, the last, behind it.
    All other samples stay as they are. What was in the span has no influence, unless only a part of its spectrum is
    made anew. What is made is mono, brought to the level that each channel has around it, and its true peak stays
    below -1 dB.

    Args:
        audio: of any rate and number of channels, longer than the span.
        prompt: what the span shall be; where it is empty, the sound around it is what it shall be like.
        start, end: seconds.
        above: Hz; only the spectrum above is made anew, up to half the rate of the system (super-resolution).
        negative: what it shall not be.
        settings: `steps`, `guidance` and `eta` of `MusicLDM.sample`.

    Raises:
        OptionError: a number is out of range.
        PromptError: a text is too long.
    """
    check_texts(prompt, negative)
    first, last = _samples_of(model, audio, start, end, above)
    rate, seconds = audio.rate, model.frames / model.codec.mel.frame_rate
    # A clip before and behind is as far as a window reaches.
    low = max(first - round(seconds * rate), 0)
    high = min(last + round(seconds * rate), audio.samples.shape[1])
    near = Audio(audio.samples[:, low:high], rate)
    if above is None:
        near = Audio(bridged(near.samples, first - low, last - low), rate)
    heard = near.mono().resample(model.rate).samples
    heard = np.pad(heard, ((0, 0), (0, max(model.frames * model.codec.hop_length - heard.shape[1], 0))))
    encoded = model.codec.encode(Audio(heard, model.rate))
    known = torch.from_numpy(encoded.values).unflatten(1, (model.vae.latent_channels, -1)).transpose(2, 3)
    hole = Hole(
        math.floor((first - low) / rate * encoded.rate),
        math.ceil((last - low) / rate * encoded.rate) if last < audio.samples.shape[1] else known.shape[2],
        0 if above is None else _lowest_band(model, above),
    )
    away = model.vectors_of_text([negative])
    vector = model.vectors_of_text([prompt]) if prompt.strip() else _vector_around(model, heard)
    generator = torch.Generator().manual_seed(seed)
    latents = make(model, known, hole, vector, unconditional=away, generator=generator, progress=progress, **settings)
    sound = Audio(model.codec.decode_latents(latents).float().numpy(), model.rate).resample(rate).samples
    sound = np.pad(sound, ((0, 0), (0, max(high - low - sound.shape[1], 0))))[:, : high - low]
    part = slice(first - low, last - low)
    made = _levelled(sound, near.samples, part, above=above, rate=rate)
    fade = round(FADE_SECONDS * rate)
    samples = audio.samples.copy()
    if above is None:
        samples = laid_in(samples, at_safe_peak(made), first, fade=fade)
    else:
        samples[:, first:last] = _widened(near.samples, made, part, above=above, rate=rate, fade=fade)
    report = {"made": [round(first / rate, 4), round(last / rate, 4)], "negative": negative, "prompt": prompt}
    return Sound(Audio(samples, rate), model.told(report if above is None else {**report, "above": above}))


def continue_sound(model: MusicLDM, audio: Audio, prompt: str = "", *, seconds: float, **settings: Any) -> Sound:
    """A recording and what follows it: `infill_sound` of a span behind its end.

    Raises:
        OptionError: a number is out of range.
        PromptError: a text is too long.
    """
    if not 0.1 <= seconds <= MOST_SECONDS:
        raise OptionError(f"seconds is {seconds:g}; give a number from 0.1 to {MOST_SECONDS:g}.")
    more = np.zeros((audio.n_channels, round(seconds * audio.rate)), np.float32)
    longer = Audio(np.concatenate([audio.samples, more], axis=1), audio.rate)
    return infill_sound(model, longer, prompt, start=audio.seconds, end=longer.seconds, **settings)


@torch.no_grad()
def make(
    model: MusicLDM,
    known: Float[Tensor, "1 channels time bands"],
    hole: Hole,
    vector: Float[Tensor, "1 dim"],
    *,
    progress: Progress | None = None,
    **settings: Any,
) -> Float[Tensor, "1 channels time bands"]:
    """Latents with the hole filled window by window; all else as it was.

    Args:
        known: at least as long as a clip; what it holds in the hole is of no account.
        settings: of `MusicLDM.sample`.
    """
    places = windows_over(hole, total=known.shape[2], window=model.window)
    latents = known.clone()
    for number, (at, first, last) in enumerate(places):
        shown = latents[:, :, at : at + model.window].to(model.device)
        mask = shown.new_ones(1, 1, *shown.shape[2:])
        mask[:, :, first - at : min(hole.end - at, model.window), hole.lowest :] = 0  # what no window has made yet

        def told(step: int, of: int, done: int = number) -> None:
            if progress is not None:
                progress(done * of + step, len(places) * of)

        made = model.sample(vector, masked=Masked(shown, mask), progress=told, **settings).cpu()
        latents[:, :, first:last, hole.lowest :] = made[:, :, first - at : last - at, hole.lowest :]
    return latents


def windows_over(hole: Hole, *, total: int, window: int) -> list[tuple[int, int, int]]:
    """Where windows begin, and the time [first, last) that each of them makes, in order.

    Each knows half a window before what it makes; the last one stands with what is left in its middle, so that it
    knows what lies behind as well.
    """
    places, first = [], hole.start
    while first < hole.end:
        left = hole.end - first
        before = (window - left) // 2 if left <= window // 2 else window // 2
        at = min(max(first - before, 0), total - window)
        last = min(at + window, hole.end)
        places.append((at, first, last))
        first = last
    return places


def check_texts(*texts: str) -> None:
    """Raises:
    PromptError: one is too long.
    """
    if max(map(len, texts)) > MOST_CHARACTERS:
        raise PromptError(f"A text has more than {MOST_CHARACTERS} characters; shorten it.")


def _samples_of(model: MusicLDM, audio: Audio, start: float, end: float, above: float | None) -> tuple[int, int]:
    """The span in samples, if it can be served."""
    if not 0 <= start < end <= audio.seconds + 1e-6:
        raise OptionError(
            f"The span from {start:g} to {end:g} seconds is empty or lies outside the sound, which lasts "
            f"{audio.seconds:.2f} seconds."
        )
    if end - start > MOST_SECONDS + 1e-6:
        raise OptionError(f"The span lasts {end - start:g} seconds; {MOST_SECONDS:g} are the most at once.")
    first, last = round(start * audio.rate), min(round(end * audio.rate), audio.samples.shape[1])
    if first == last:
        raise OptionError("The span is shorter than a sample; make it longer.")
    if above is None and last - first == audio.samples.shape[1]:
        raise OptionError("The span is all of the sound, and nothing would be left to fit; make it shorter.")
    highest = min(model.rate, audio.rate) / 2
    if above is not None and not 100 <= above < highest:
        raise OptionError(f"above is {above:g} Hz; give a number from 100 to below {highest:g}, half the rate.")
    return first, last


def _lowest_band(model: MusicLDM, above: float) -> int:
    """The band of the latents in which a frequency lies; at least the first stays known, for all that fits it."""
    mel = model.codec.mel
    place, top = hertz_to_mel(np.array([above, mel.sample_rate / 2]))
    bands = mel.n_mels // model.vae.reduction
    return min(max(int(place / top * bands), 1), bands - 1)


def _vector_around(model: MusicLDM, heard: Float[np.ndarray, "1 samples"]) -> Float[Tensor, "1 dim"]:
    """The vector of the sound around a span; of what was told where there are no towers for sound."""
    found = embed_windows(model, Audio(heard, model.rate), hop=None, pooling="mean", space="")
    return torch.from_numpy(found.vectors).to(model.device)


def _levelled(
    sound: Float[np.ndarray, "1 samples"],
    near: Float[np.ndarray, "channels samples"],
    part: slice,
    *,
    above: float | None,
    rate: int,
) -> Float[np.ndarray, "channels length"]:
    """What was made, for each channel at the level at which the system gives back what it knows of that channel: the
    sound around the span, or below the frequency. Where all that is silent the level is that of training."""
    if above is None:
        offset = np.delete(near, part, axis=1).mean(axis=1, keepdims=True, dtype=np.float64)
        ours, theirs = np.delete(sound, part, axis=1), np.delete(near, part, axis=1) - offset
    else:
        offset = np.zeros((len(near), 1))
        ours, theirs = (wave[:, part] - _high(wave, above, rate)[:, part] for wave in (sound, near))
    power, wanted = (np.square(wave, dtype=np.float64).mean(axis=1, keepdims=True) for wave in (ours, theirs))
    if wanted.max() < SILENT**2 or power.max() < SILENT**2:
        gain = np.ones((len(near), 1)) if above is None else np.zeros((len(near), 1))
    else:
        gain = np.sqrt(wanted / power)
    return (sound[:, part] * gain + offset).astype(np.float32)


def _high(
    samples: Float[np.ndarray, "channels samples"], above: float, rate: int
) -> Float[np.ndarray, "channels samples"]:
    """What of a sound lies above a frequency (windowed sinc, 80 dB, without delay)."""
    from scipy.signal import firwin, kaiserord, oaconvolve

    taps, beta = kaiserord(80.0, min(0.1 * above, 0.5 * (rate / 2 - above)) / (rate / 2))
    window: Any = ("kaiser", beta)  # scipy's annotations know names only
    low_pass = np.asarray(firwin(taps | 1, above, window=window, fs=rate))
    low = oaconvolve(samples, low_pass[np.newaxis], mode="full", axes=1)
    half = len(low_pass) // 2
    return samples - low[:, half : half + samples.shape[1]]


def _widened(
    near: Float[np.ndarray, "channels samples"],
    made: Float[np.ndarray, "channels length"],
    part: slice,
    *,
    above: float,
    rate: int,
    fade: int,
) -> Float[np.ndarray, "channels length"]:
    """The sound below the frequency and what was made above it, going over into the sound as it was at both ends."""
    whole = near.copy()
    whole[:, part] = made
    low = near - _high(near, above, rate)
    fresh = at_safe_peak((low + _high(whole, above, rate))[:, part].astype(np.float32))
    share, fade = np.ones(fresh.shape[1], np.float32), min(fade, fresh.shape[1] // 2)
    rise = ((np.arange(fade) + 0.5) / max(fade, 1)).astype(np.float32)
    share[:fade] = rise
    share[len(share) - fade :] = rise[::-1]
    return near[:, part] + share * (fresh - near[:, part])


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
