"""Which of GETMusic's six tracks each track of a score becomes: lead, bass, drums, guitar, piano or strings.

The published code leaves this to preprocessing that was not released, and refuses files with other programs. Here the
General MIDI families are shared out by how they are played; the tune is the most melodious track that is not the bass.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from orchestrion.errors import OptionError
from orchestrion.representations.getscore import TRACKS

if TYPE_CHECKING:
    from symusic.core import ScoreTick

LEAD, BASS, DRUMS, GUITAR, PIANO, STRINGS = range(len(TRACKS))
_FAMILIES = (
    (24, PIANO),  # pianos, tuned percussion, organs
    (32, GUITAR),
    (40, BASS),
    (45, STRINGS),
    (47, GUITAR),  # pizzicato strings and harp are plucked
    (48, BASS),  # timpani
    (80, STRINGS),  # strings, choirs, brass, reeds, pipes
    (88, PIANO),  # synthesiser leads that do not lead
    (104, STRINGS),  # pads
    (108, GUITAR),  # sitar, banjo, shamisen, koto
    (109, PIANO),
    (112, STRINGS),
    (120, PIANO),
)
"""(first program that is not in it, track) of each family; from 120 on are noises, which belong to no track."""
LOW_PROGRAMS = (43, 58)  # contrabass and tuba play the bass wherever they come
SOLO_PROGRAMS = frozenset((*range(80, 88), 40, 52, 53, 54, *range(64, 80), 109, 110))
MELODY_NAMES = re.compile(r"melod|lead|vocal|voice|sing|soprano|solo|tune|theme", re.IGNORECASE)
BASS_NAMES = re.compile(r"\bbass(?!oon|et)|contrabass|tuba|basso\b", re.IGNORECASE)
NOISE_NAMES = re.compile(r"percussion|(?<!steel )\bdrums?\b|\b(?:snare|kick|hi-?hat|cymbals?)\b", re.IGNORECASE)
ALIASES = {
    "melody": "lead", "tune": "lead", "voice": "lead", "drum": "drums", "percussion": "drums", "keys": "piano",
    "keyboard": "piano", "string": "strings", "guitars": "guitar", "pianos": "piano",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Roles:
    """What each track of a score becomes.

    Attributes:
        of: number of the GETMusic track of each track of the score; None where it has no notes or only noises.
        melody: the track that most likely carries the tune; None where nothing has a pitch.
    """

    of: tuple[int | None, ...]
    melody: int | None

    def indices(self, track: int) -> list[int]:
        """Tracks of the score that become this track."""
        return [index for index, role in enumerate(self.of) if role == track]

    @property
    def present(self) -> set[int]:
        """Tracks that some track of the score becomes."""
        return {role for role in self.of if role is not None}


@dataclass(frozen=True, slots=True)
class _Look:
    """What is seen of a track: mean pitch, share of onsets with one note, share of the music's length with onsets in
    it."""

    pitch: float
    single: float
    coverage: float


def assign_tracks(score: ScoreTick, *, melody: int | None = None, lead: bool = True) -> Roles:
    """Shares out the tracks of a score.

    Args:
        melody: the track that is the lead, where it is known; found by name, program, register and texture by default.
        lead: whether a track that is found to carry the tune becomes the lead; without, it goes with its family.
    """
    looks = [_look(track, score) for track in score.tracks]
    found: list[int | None] = []
    for track, look in zip(score.tracks, looks, strict=True):
        found.append(None if look is None else DRUMS if track.is_drum else _role(track))
    pitched = [index for index, role in enumerate(found) if role is not None and role != DRUMS]
    if melody is None:
        candidates = [index for index in pitched if found[index] != BASS] or pitched
        melody = max(candidates, key=lambda index: _melodiousness(score.tracks[index], looks[index]), default=None)
        tuneful = melody is not None and found[melody] != BASS and _leads(score.tracks[melody], looks[melody])
        leads = lead and tuneful
    else:
        leads = True
    if leads and melody is not None:
        found[melody] = LEAD
    if BASS not in found:
        low = [i for i in pitched if found[i] != LEAD and (look := looks[i]) and look.pitch < 52 and look.single > 0.6]
        if low:
            found[min(low, key=lambda index: looks[index].pitch)] = BASS  # type: ignore[union-attr]
    return Roles(tuple(found), melody)


def track_number(name: str) -> int:
    """The number of one of the six tracks from its name or a usual other name.

    Raises:
        OptionError: there is no such track.
    """
    plain = name.strip().lower()
    plain = ALIASES.get(plain, plain)
    if plain not in TRACKS:
        raise OptionError(f"There is no track {name!r}; GETMusic writes {', '.join(TRACKS)}.")
    return TRACKS.index(plain)


def select_tracks(names: Sequence[str], score: ScoreTick, roles: Roles) -> list[int]:
    """The tracks of a score that names stand for: one of the six, "melody", or the name that a track has in the file.

    Raises:
        OptionError: a name stands for none.
    """
    chosen: set[int] = set()
    for name in names:
        plain = name.strip().lower()
        role = ALIASES.get(plain, plain)
        own = [i for i, track in enumerate(score.tracks) if track.name.strip().lower() == plain and len(track.notes)]
        if role in TRACKS and (found := roles.indices(TRACKS.index(role))):
            chosen.update(found)
        elif role == "lead" and roles.melody is not None:
            chosen.add(roles.melody)
        elif own:
            chosen.update(own)
        else:
            there = dict.fromkeys(TRACKS[role] for role in roles.of if role is not None)
            raise OptionError(f"The piece has no track {name!r}; it has {', '.join(there) or 'none'}.")
    return sorted(chosen)


def _look(track, score: ScoreTick) -> _Look | None:
    if not len(track.notes):
        return None
    notes = track.notes.numpy()
    times = np.unique(notes["time"])
    step = max(4 * score.tpq, 1)
    bars = len(np.unique(times // step)) / max(int(score.end()) // step + 1, 1)
    return _Look(float(notes["pitch"].mean()), len(times) / len(notes["time"]), min(bars, 1.0))


def family(program: int) -> int | None:
    """The track that plays a General MIDI program (128: drums) where it does not lead; None for noises."""
    if program in LOW_PROGRAMS:
        return BASS
    return DRUMS if program == 128 else next((role for end, role in _FAMILIES if program < end), None)


def _role(track) -> int | None:
    if NOISE_NAMES.search(track.name):
        return None  # drums on another channel than theirs: what they play has no pitch
    return BASS if BASS_NAMES.search(track.name) else family(track.program)


def _melodiousness(track, look: _Look | None) -> float:
    assert look is not None
    named = 3.0 if MELODY_NAMES.search(track.name) else 0.0
    solo = 0.5 if track.program in SOLO_PROGRAMS else 0.0
    return named + solo + 2 * look.single + look.coverage + float(np.clip((look.pitch - 60) / 24, -1, 1))


def _leads(track, look: _Look | None) -> bool:
    """Whether it is played one note at a time, or says that it is the tune."""
    return look is not None and (look.single >= 0.5 or bool(MELODY_NAMES.search(track.name)))
