"""What GETMusic makes of a request in words: which of its six tracks play which instruments, key, tempo, metre, length,
chords."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrion.analysis.instruments import instrument_name
from orchestrion.errors import OptionError
from orchestrion.representations.getscore import PROGRAMS, TRACKS, GetVocabulary
from orchestrion.representations.getscore_conditions import CHORDS
from orchestrion.representations.getscore_draft import Draft
from orchestrion.representations.getscore_ruler import MOST_BARS, Ruler
from orchestrion.representations.getscore_score import Losses, chord_state, empty_grid, write_chords
from orchestrion.representations.getscore_tracks import BASS, DRUMS, LEAD, PIANO, SOLO_PROGRAMS, Roles, family
from orchestrion.theory.chords import Chord
from orchestrion.theory.keys import Key

if TYPE_CHECKING:
    from symusic.core import ScoreTick

    from orchestrion.representations.prompt import MusicRequest

DRUM_KIT = 128
USUAL = {LEAD: PROGRAMS[LEAD], BASS: PROGRAMS[BASS], DRUMS: PROGRAMS[DRUMS], PIANO: PROGRAMS[PIANO]}
BARS, TEMPO, METRE = 16, 110.0, (4, 4)
USUAL_KEYS = {"major": (0, 7, 2, 5, 10, 9), "minor": (9, 4, 2, 7, 0, 11)}
MINOR_SHARE = 0.3


@dataclass(frozen=True, slots=True)
class PiecePlan:
    """A piece that is to be written: program of each of the six tracks that play, and the rest.

    Attributes:
        chords: one a bar, repeated as long as needed; empty where they are free.
        unserved: one sentence for each wish that cannot be granted.
        chosen: names of what was chosen as nothing was said about it.
    """

    programs: dict[int, int]
    key: Key
    tempo: float
    metre: tuple[int, int]
    bars: int
    chords: tuple[Chord, ...]
    unserved: tuple[str, ...]
    chosen: tuple[str, ...]

    def draft(self, vocabulary: GetVocabulary, *, chords: bool) -> Draft:
        """The grid with everything to be written; the first and the last bar have the chord of the tonic.

        Args:
            chords: whether the model can write chords; else there are none where none were asked for.

        Raises:
            InputError: the metre cannot be served.
        """
        ruler = Ruler.regular(self.metre, self.bars)
        grid = empty_grid(ruler, vocabulary, ())
        shift = -self.key.tonic if self.key.mode == "major" else 9 - self.key.tonic
        draft = Draft(self._blank(), Roles((), None), ruler, vocabulary, self.key, shift, grid, (), Losses())
        draft.ask(self.programs)
        if self.chords:
            states = [chord_state(chord.transpose(shift)) for chord in self.chords]
            write_chords(grid, [states[bar % len(states)] for bar in range(self.bars)], ruler, vocabulary)
        elif chords:
            home = chord_state(Chord(0, "maj") if self.key.mode == "major" else Chord(9, "min"))
            write_chords(grid, [home] * self.bars, ruler, vocabulary)
            if self.bars > 2:
                draft.ask([CHORDS], (1, self.bars - 1))
        return draft

    def score(self, draft: Draft) -> ScoreTick:
        """The score of a draft that is written."""
        score = self._blank()
        for track, program in sorted(self.programs.items()):
            score.tracks.append(draft.new_track(track, program=program))
        return score

    def report(self) -> dict[str, Any]:
        """What the piece was planned as."""
        return {
            "instruments": {
                TRACKS[track]: instrument_name(program) for track, program in sorted(self.programs.items())
            },
            "key": str(self.key),
            "tempo": self.tempo,
            "metre": "{}/{}".format(*self.metre),
            "bars": self.bars,
            "chosen": list(self.chosen),
            "unserved": list(self.unserved),
        }

    def _blank(self) -> ScoreTick:
        import symusic

        score: Any = symusic.Score(480)
        score.tempos.append(symusic.Tempo(0, self.tempo))
        score.time_signatures.append(symusic.TimeSignature(0, *self.metre))
        score.key_signatures.append(symusic.KeySignature(0, self.key.fifths, int(self.key.mode == "minor")))
        return score


def plan_piece(
    request: MusicRequest,
    *,
    seed: int = 0,
    bars: int | None = None,
    seconds: float | None = None,
    tempo: float | None = None,
    key: Key | None = None,
    metre: tuple[int, int] | None = None,
    instruments: Sequence[int] | None = None,
) -> PiecePlan:
    """A plan from what a text asks for; keywords go before it, and what nobody says is drawn with `seed`.

    Args:
        instruments: General MIDI programs, 128 for drums.

    Raises:
        OptionError: there would be no bar, or more than 1024; or every instrument is left out.
    """
    rng = np.random.default_rng(seed)
    if instruments is not None:
        request = replace(
            request,
            instruments=tuple(p for p in instruments if p != DRUM_KIT),
            drums=DRUM_KIT in instruments,
            excluded=(),
        )
    unserved, chosen = list(request.unserved), []
    programs = _cast(request, unserved, chosen)
    mode = request.mode or ("minor" if rng.random() < MINOR_SHARE else "major")
    tonic = int(rng.choice(USUAL_KEYS[mode]))
    key = key or request.key
    if key is None:
        chosen.append("key")
        key = Key(tonic, mode)
    between = request.tempo_range
    tempo = tempo or request.tempo or (sum(between) / 2 if between else None)
    if tempo is None:
        chosen.append("tempo")
        tempo = TEMPO
    metre = metre or request.metre
    if metre is None:
        chosen.append("metre")
        metre = METRE
    bars, seconds = (bars, seconds) if bars or seconds else (request.bars, request.seconds)
    if bars is None and seconds is not None:
        bars = round(seconds * tempo / 60 / (4 * metre[0] / metre[1])) or 1
    if bars is None:
        chosen.append("bars")
        bars = BARS
    if not 1 <= bars <= MOST_BARS:
        raise OptionError(f"The piece would have {bars} bars; it must have between 1 and {MOST_BARS}.")
    for what, words in (("genre", request.genres), ("mood", request.moods)):
        unserved += [f"GETMusic does not know the {what} {word}." for word in words]
    if request.era:
        unserved.append(f"GETMusic does not know the era {request.era}.")
    chords = tuple(chord for text in request.chords if (chord := Chord.parse(text)).root is not None)
    return PiecePlan(programs, key, float(tempo), metre, bars, chords, tuple(dict.fromkeys(unserved)), tuple(chosen))


def _cast(request: MusicRequest, unserved: list[str], chosen: list[str]) -> dict[int, int]:
    """The program of each of the six tracks that play. The first instrument that is not a bass leads, where none is a
    soloist's."""
    asked = list(dict.fromkeys(request.instruments))
    cast: dict[int, int] = {}
    leader = next((p for p in asked if p in SOLO_PROGRAMS), None)
    if leader is None:
        leader = next((p for p in asked if family(p) not in (None, BASS)), None)
    if leader is not None:
        cast[LEAD] = leader
    for program in asked:
        track = family(program)
        if track is None:
            unserved.append(f"GETMusic has no track for {instrument_name(program)}.")
        elif track not in cast and (program != leader or program not in SOLO_PROGRAMS):
            cast[track] = program
        elif program != leader:
            unserved.append(
                f"GETMusic has one track for {instrument_name(program)} and {instrument_name(cast[track])}."
            )
    if request.drums:
        cast[DRUMS] = DRUM_KIT
    if cast:
        return cast
    chosen.append("instruments")
    left = {
        track: program
        for track, program in USUAL.items()
        if program not in request.excluded and _wanted(track, request)
    }
    if not left:
        raise OptionError("Every instrument is to be left out; name one that may play.")
    return left


def _wanted(track: int, request: MusicRequest) -> bool:
    if track == DRUMS:
        return request.drums is not False
    return not any(family(program) == track for program in request.excluded)
