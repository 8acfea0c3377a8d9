"""What can be heard in a sound file, by the listeners that ship and by the analysis that needs no training."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrion.verbs.result import Progress

if TYPE_CHECKING:
    from orchestrion.analysis.audio_key import HeardKey
    from orchestrion.analysis.audio_structure import AudioSection
    from orchestrion.analysis.bar_tracking import BeatPath
    from orchestrion.media.audio import Audio
    from orchestrion.theory.chords import ChordSpan

RATE = 22050
SILENT = 1e-5  # root mean square below which there is nothing to hear: -100 dB
MOST_TAGS = 4
TOLD = ("family", "mood")  # kinds of tags; of the genres that the listener would name, one in seven is right
FAMILY_WORDS = {
    "chromatic percussion": "mallets or bells", "strings": "bowed or plucked strings",
    "ensemble": "a string ensemble or choir", "reed": "reeds", "pipe": "flutes", "synth lead": "a synthesizer lead",
    "synth pad": "a synthesizer pad", "percussive": "percussion",
}  # fmt: skip
STEPS = 6
JOINING = r"(?:and|at|in|is|lasting|of|on|played|set|that|which|with|written)\b"  # what may follow a noun


@dataclass(frozen=True, slots=True)
class SoundFacts:
    """What was heard; times in seconds.

    Attributes:
        audio: one channel at 22.05 kHz without its mean, as it was heard.
        rate, channels: of the file.
        loudness, peak: LUFS and dB; minus infinity for silence.
        beats: None where there is nothing to hear.
        key, chords: None and empty for drums alone and other sound without tones that last.
        tags: "family" and "mood" with their probabilities.
        heard_by: which listener heard what.
    """

    audio: Audio
    rate: int
    channels: int
    loudness: float
    peak: float
    beats: BeatPath | None
    key: HeardKey | None
    chords: list[ChordSpan]
    sections: list[AudioSection]
    tags: dict[str, list[tuple[str, float]]]
    heard_by: dict[str, str]

    @property
    def metre(self) -> str | None:
        """A time signature; None where fewer than two bars were heard."""
        if self.beats is None or len(self.beats.downbeats) < 2:
            return None
        return "{}/{}".format(*self.beats.metre)

    @property
    def tempo(self) -> float | None:
        """Quarter notes a minute; None where fewer than two beats were heard."""
        if self.beats is None or self.beats.tempo is None:
            return None
        return self.beats.tempo * (1.5 if self.beats.triple else 1.0)


def hear(path: Path, *, progress: Progress | None = None) -> SoundFacts:
    """Listens to a sound file of any rate and number of channels, up to three hours.

    Raises:
        InputError: the file is missing, damaged, too long, or no sound.
    """
    import numpy as np

    tell: Callable[[int], None] = lambda done: progress(done, STEPS) if progress else None  # noqa: E731
    audio, rate, channels, loudness, peak = _read(path)
    tell(1)
    if float(np.square(audio.samples, dtype=np.float64).mean()) ** 0.5 < SILENT:
        return SoundFacts(audio, rate, channels, loudness, peak, None, None, [], [], {}, {})
    beats, beats_by = _beats(audio)
    tell(2)
    from orchestrion.analysis.audio_key import find_audio_key
    from orchestrion.analysis.audio_structure import find_sections
    from orchestrion.analysis.harmonic_share import UNPITCHED, harmonic_share

    pitched = harmonic_share(audio) > UNPITCHED
    chords, chords_by = _chords(audio, beats) if pitched else ([], None)
    tell(3)
    key = find_audio_key(audio) if pitched else None
    tell(4)
    sections = find_sections(audio, edges=beats.downbeats)
    tell(5)
    tags, tags_by = _tags(audio)
    tell(STEPS)
    listeners = {"beats": beats_by, "chords": chords_by, "tags": tags_by}
    heard_by = {what: by for what, by in listeners.items() if by}
    return SoundFacts(audio, rate, channels, loudness, peak, beats, key, chords, sections, tags, heard_by)


def _read(path: Path) -> tuple[Audio, int, int, float, float]:
    """The sound as it is heard, and rate, channels, loudness and peak of the file, in one pass."""
    import numpy as np
    import soxr

    from orchestrion.media.audio import Audio
    from orchestrion.media.audio_blocks import audio_blocks
    from orchestrion.media.loudness_meter import LoudnessMeter

    stream, meter, parts, rate, offset = None, None, [], RATE, np.float32(0)
    for block in audio_blocks(path, mono=False):
        if meter is None or stream is None:
            rate = block.rate
            meter = LoudnessMeter(rate, block.n_channels)
            stream = soxr.ResampleStream(rate, RATE, 1, dtype="float32", quality="HQ")
            offset = np.float32(block.samples.mean(dtype=np.float64))  # lest a resampled constant rings at its ends
        meter.add(block.samples)
        parts.append(stream.resample_chunk(block.mono().samples[0] - offset))
    assert stream is not None and meter is not None  # a file without sound was refused
    parts.append(stream.resample_chunk(np.zeros(0, np.float32), last=True))
    samples = np.concatenate(parts)
    samples = samples if len(samples) else np.zeros(1, np.float32)
    samples -= np.float32(samples.mean(dtype=np.float64))
    peak = 20 * math.log10(meter.peak) if meter.peak > 0 else -math.inf
    return Audio(samples[None], RATE), rate, len(meter.weights), meter.loudness, peak


def _beats(audio: Audio) -> tuple[BeatPath, str]:
    from orchestrion.systems.listeners.beats import BeatListener

    if BeatListener.bundled().is_file():
        return BeatListener.load().beats(audio), BeatListener.card.name
    from orchestrion.analysis.beats import track_beats

    return track_beats(audio), "librosa"


def _chords(audio: Audio, beats: BeatPath) -> tuple[list[ChordSpan], str]:
    from orchestrion.systems.listeners.chords import ChordListener

    if ChordListener.bundled().is_file():
        return ChordListener.load().chords(audio), ChordListener.card.name
    from orchestrion.analysis.audio_chords import find_audio_chords

    return find_audio_chords(audio, edges=beats.times if len(beats.times) > 3 else None), "chroma and chord_hmm"


def _tags(audio: Audio) -> tuple[dict[str, list[tuple[str, float]]], str | None]:
    from orchestrion.systems.listeners.tags import TagListener

    if not TagListener.bundled().is_file():
        return {}, None
    heard = TagListener.load().tags(audio, most=MOST_TAGS)
    return {kind: heard[kind] for kind in TOLD}, TagListener.card.name


def facts_to_dict(facts: SoundFacts) -> dict[str, Any]:
    """The facts as plain values, rounded to what can be heard."""
    beats = facts.beats
    return {
        "seconds": round(facts.audio.seconds, 3),
        "rate": facts.rate,
        "channels": facts.channels,
        "loudness_lufs": round(facts.loudness, 2) if math.isfinite(facts.loudness) else None,
        "peak_db": round(facts.peak, 2) if math.isfinite(facts.peak) else None,
        "tempo": round(facts.tempo, 1) if facts.tempo is not None else None,
        "metre": facts.metre,
        "key": str(facts.key.key) if facts.key else None,
        "instruments": [name for name, _ in facts.tags.get("family", [])],
        "moods": [name for name, _ in facts.tags.get("mood", [])],
        "sections": [
            {"label": part.label, "start": round(part.start, 2), "end": round(part.end, 2)} for part in facts.sections
        ],
        "chords": [
            {"chord": span.chord.jazz(), "start": round(span.start, 2), "end": round(span.end, 2)}
            for span in facts.chords
        ],
        "beats": [round(float(time), 3) for time in beats.times] if beats is not None else [],
        "downbeats": [round(float(time), 3) for time in beats.downbeats] if beats is not None else [],
        "heard_by": facts.heard_by,
    }


def caption(facts: SoundFacts, *, seed: int) -> str:
    """The facts in a few sentences, which the seed words."""
    import random

    from orchestrion.data.caption_facts import Facts
    from orchestrion.data.captions import GrammarWriter

    beats = facts.beats
    if beats is None:
        return f"Silence of {facts.audio.seconds:.1f} seconds."
    said = Facts(
        key=facts.key.key if facts.key else None,
        metre=beats.metre if facts.metre else None,
        tempo=facts.tempo,
        moods=tuple(name for name, _ in facts.tags.get("mood", ())),
        seconds=facts.audio.seconds,
    )
    text = maybe_sung(GrammarWriter(thorough=True).write(said, random.Random(seed)))
    families = [FAMILY_WORDS.get(name, name) for name, _ in facts.tags.get("family", ())]
    if not families:
        return text
    named = ", ".join(families[:-1]) + (" and " if len(families) > 1 else "") + families[-1]
    return f"{text} Heard are {named}."


def maybe_sung(text: str) -> str:
    """A caption of the grammar, which is made for scores, without the claim that nobody sings.

    >>> maybe_sung("An instrumental set in A minor. An instrumental piece of calm. An instrumental emotional tune.")
    'A piece set in A minor. A piece of calm. An emotional tune.'
    """
    text = re.sub(rf"\b([Aa])n instrumental (?!{JOINING})(?=([a-z]))", _article, text)
    text = re.sub(rf"\b[Ii]nstrumental (?!{JOINING})(?=[a-z])", "", text)
    text = re.sub(r"\b([Aa])n instrumental\b", r"\1 piece", text)
    return text.replace("instrumental", "piece").replace("Instrumental", "Piece")


def _article(found: re.Match[str]) -> str:
    return found[1] + ("n " if found[2] in "aeiou" else " ")
