"""Renders a score to stereo sound with a SoundFont: the whole, or one sound for each track."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from orchestrion.errors import InputError, OptionError
from orchestrion.media.audio import Audio
from orchestrion.media.loudness import TARGET_LUFS, mastering_gain
from orchestrion.media.room import room_answer, room_send
from orchestrion.media.soundfont import SoundFont, find_soundfont, read_soundfont
from orchestrion.media.stage import programme_gain, stage_positions, track_names
from orchestrion.media.synth import play_track
from orchestrion.media.timeline import Timeline

if TYPE_CHECKING:
    from symusic.core import ScoreTick

__all__ = ["find_soundfont", "render", "render_stems"]

MOST_SECONDS = 1800.0
TAIL = 4.0  # seconds after the last note, in which releases and the room die away
SILENT = 10 ** (-72 / 20)  # amplitude below which the tail is cut off
FADE = 0.05  # seconds at the very end


def render(
    score: ScoreTick,
    *,
    soundfont: str | Path | None = None,
    rate: int = 44100,
    target: float | None = TARGET_LUFS,
    room: float = 0.12,
    most_seconds: float = MOST_SECONDS,
) -> Audio:
    """Plays a score as stereo sound; the same score gives the same samples.

    Tracks without a pan of their own are placed on a stage, and programs that the SoundFont holds louder than others
    are brought closer together.

    Args:
        soundfont: a .sf2 file; otherwise as `find_soundfont` says.
        rate: Hz.
        target: integrated loudness in LUFS with no true peak above -1 dB (ITU-R BS.1770); None leaves the sound as it
            comes.
        room: how much reverberation is added, 0 to 1.
        most_seconds: longer scores are refused.

    Raises:
        InputError: the SoundFont is missing or damaged, or the score is too long.
        OptionError: a number is out of range.
    """
    plan = _plan(score, soundfont, rate, room, most_seconds)
    mix = np.zeros((2, plan.n_samples), np.float32)
    sent = np.zeros(plan.n_samples, np.float32)
    for _, stem, sends in plan.stems():
        mix += stem
        sent += sends
    mix = plan.finished(mix, sent)
    if target is not None:
        mix *= mastering_gain(mix, rate, target=target)
    return Audio(np.ascontiguousarray(mix[:, : plan.end_of(mix)]), rate)


def render_stems(
    score: ScoreTick,
    *,
    soundfont: str | Path | None = None,
    rate: int = 44100,
    target: float | None = TARGET_LUFS,
    room: float = 0.12,
    most_seconds: float = MOST_SECONDS,
) -> dict[str, Audio]:
    """Plays each track with notes alone, by name; all have the length of the whole, and their sum is what `render`
    gives with the same arguments.

    Raises:
        InputError, OptionError: as `render`.
    """
    plan = _plan(score, soundfont, rate, room, most_seconds)
    stems = {name: plan.finished(stem, sends) for name, stem, sends in plan.stems()}
    mix = np.zeros((2, plan.n_samples), np.float32)
    for stem in stems.values():
        mix += stem
    gain = mastering_gain(mix, rate, target=target) if target is not None else np.ones(plan.n_samples, np.float32)
    end = plan.end_of(mix * gain)
    return {name: Audio(np.ascontiguousarray((stem * gain)[:, :end]), rate) for name, stem in stems.items()}


class _Plan:
    """What is to be played, with what, and how long it takes."""

    def __init__(self, score: ScoreTick, font: SoundFont | None, rate: int, room: float, last: float) -> None:
        self.score, self.font, self.rate, self.room = score, font, rate, room
        self.timeline = Timeline.from_score(score)
        self.tracks: list[Any] = [track for track in score.tracks if len(track.notes)]
        self.last = int(np.ceil(last * rate))
        self.n_samples = self.last + int(TAIL * rate) if self.tracks else self.last

    def stems(self) -> Iterator[tuple[str, Float[np.ndarray, "2 samples"], Float[np.ndarray, " samples"]]]:
        """Name, dry sound, and what goes into the room."""
        names = track_names(self.tracks)
        for name, track, position in zip(names, self.tracks, stage_positions(self.tracks), strict=True):
            assert self.font is not None
            stem = play_track(track, self.timeline, self.font, rate=self.rate, n_samples=self.n_samples)
            stem *= np.float32(programme_gain(track, self.font, self.rate)) * position[:, None]
            yield name, stem, room_send(stem, self.room, is_drum=bool(track.is_drum))

    def finished(self, stem: np.ndarray, sent: np.ndarray) -> Float[np.ndarray, "2 samples"]:
        """With its room, and faded at the very end."""
        stem += room_answer(sent, self.rate)
        n_fade = min(int(FADE * self.rate), stem.shape[1])
        stem[:, stem.shape[1] - n_fade :] *= np.linspace(1, 0, n_fade, dtype=np.float32)
        return stem

    def end_of(self, mix: np.ndarray) -> int:
        """The tail that nobody hears is left out; the notes as written never are."""
        loud = np.flatnonzero(np.abs(mix[:, self.last :]).max(axis=0) > SILENT)
        return min(self.last + (int(loud[-1]) + int(FADE * self.rate) if len(loud) else 0), self.n_samples)


def _plan(score: ScoreTick, soundfont: str | Path | None, rate: int, room: float, most_seconds: float) -> _Plan:
    if not 8000 <= rate <= 192_000:
        raise OptionError(f"Sound cannot be rendered at {rate} Hz; choose a rate from 8000 to 192000.")
    if not 0 <= room <= 1:
        raise OptionError(f"The amount of reverberation is {room}; it must lie from 0 to 1.")
    ends = [track.notes.numpy() for track in score.tracks if len(track.notes)]
    last = max((int((notes["time"] + notes["duration"]).max()) for notes in ends), default=0)
    seconds = float(Timeline.from_score(score).tick_to_second(max(last, 0)))
    if seconds > most_seconds:
        raise InputError(
            f"The score lasts {seconds / 60:.0f} minutes; {most_seconds / 60:g} are the most that is rendered; cut it."
        )
    font = read_soundfont(find_soundfont(soundfont)) if ends or soundfont is not None else None
    return _Plan(score, font, rate, room, seconds)
