"""What the tasks ask of a score, as drafts: which tracks are read, what is to be written, and the score that comes of
it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orchestrion.errors import InputError, OptionError
from orchestrion.representations.getscore import TRACKS, GetVocabulary
from orchestrion.representations.getscore_conditions import CHORDS
from orchestrion.representations.getscore_draft import Draft, same_part
from orchestrion.representations.getscore_ruler import Ruler
from orchestrion.representations.getscore_tracks import (
    ALIASES,
    DRUMS,
    LEAD,
    PIANO,
    assign_tracks,
    select_tracks,
    track_number,
)

if TYPE_CHECKING:
    from symusic.core import ScoreTick


@dataclass(frozen=True, slots=True)
class Edit:
    """A draft, and what follows when it is written.

    Attributes:
        finish: the score of the written draft.
        chord_bars: bars [first, last) whose chords cannot be heard, as they are yet to be written; None: all can.
        report: what is to be told beside the draft's own report.
    """

    draft: Draft
    finish: Callable[[], ScoreTick]
    chord_bars: tuple[int, int] | None = None
    report: dict[str, Any] = field(default_factory=dict)

    def find_chords(self, *, can_write: bool) -> None:
        """Writes the chords that are heard in the notes; for a melody alone, those that suit it. Where there is
        neither, or the bars are yet to be written, and the model `can_write` chords, it is asked for them."""
        draft = self.draft
        draft.hear_chords()
        bars, source = self.chord_bars, "notes"
        if bars is None and not draft.tells_harmony:
            source = "melody" if draft.harmonise_lead() else "notes"
            bars = (0, len(draft.ruler.metres)) if source == "notes" else None
        if bars is not None and can_write:
            draft.ask([CHORDS], bars)
            source = "model"
        draft.notes["chords_from"] = source


def arrangement(score: ScoreTick, vocabulary: GetVocabulary, *, add: Sequence[str], keep: Sequence[str] = ()) -> Edit:
    """Tracks that are kept and others of the six that are added. Where a lead is to be added, none of those kept is
    taken for it, unless it is named as the lead.

    Raises:
        OptionError: a name is unknown, nothing is added, or what is to be added is kept.
        InputError: the metre cannot be served, or the piece is too long.
    """
    targets = sorted({track_number(name) for name in add})
    if not targets:
        raise OptionError("Nothing is to be added; name tracks such as bass, drums, piano.")
    named = any(ALIASES.get(name.strip().lower(), name.strip().lower()) == TRACKS[LEAD] for name in keep)
    roles = assign_tracks(score, lead=named or LEAD not in targets)
    there = [index for index, track in enumerate(score.tracks) if len(track.notes)]
    read = select_tracks(keep, score, roles) if keep else there
    if both := [TRACKS[track] for track in targets if track in {roles.of[index] for index in read}]:
        raise OptionError(f"The piece has {both[0]} already; name the tracks to keep without it, or add another.")
    draft = Draft.open(score, roles, vocabulary, read=read)
    draft.ask(targets)

    def finish() -> ScoreTick:
        made: Any = score.copy()
        made.tracks = [made.tracks[index] for index in read] + [draft.new_track(track) for track in targets]
        return made

    return Edit(draft, finish, report={"added": [TRACKS[track] for track in targets]})


def continuation(score: ScoreTick, vocabulary: GetVocabulary, *, bars: int) -> Edit:
    """More bars in all tracks of a score that are among the six.

    Raises:
        OptionError: `bars` is below 1.
        InputError: as `arrangement`.
    """
    if bars < 1:
        raise OptionError(f"bars is {bars}; at least 1 must be added.")
    roles = assign_tracks(score)
    length = len(Ruler.from_score(score).metres)
    span = (length, length + bars)
    draft = Draft.open(score, roles, vocabulary, read=range(len(score.tracks)), bars=length + bars)
    targets = sorted(roles.present)
    draft.ask(targets, span)

    def finish() -> ScoreTick:
        made = score.copy()
        for track in targets:
            draft.add_notes(made, same_part(score, roles.indices(track)), track, span)
        return made

    return Edit(draft, finish, span)


def infilling(
    score: ScoreTick, vocabulary: GetVocabulary, *, bars: tuple[int, int], tracks: Sequence[str] = ()
) -> Edit:
    """The notes that begin in bars [first, last), counted from 0, written anew in the tracks named, or in all.

    Raises:
        OptionError: the bars are not in the piece, or a track is not.
        InputError: as `arrangement`.
    """
    roles = assign_tracks(score)
    ruler = Ruler.from_score(score)
    first, last = bars
    if not 0 <= first < last <= len(ruler.metres):
        raise OptionError(f"Bars {first + 1}-{last} are not in the piece, which has {len(ruler.metres)}.")
    chosen = select_tracks(tracks, score, roles) if tracks else range(len(score.tracks))
    chosen = [index for index in chosen if roles.of[index] is not None]
    targets = sorted({role for index in chosen if (role := roles.of[index]) is not None})
    start, stop = ruler.ticks[ruler.bars[first]], ruler.ticks[ruler.bars[last]]
    cut: Any = score.copy()
    for index in chosen:
        notes = cut.tracks[index].notes
        cut.tracks[index].notes = type(notes)([note for note in notes if not start <= note.start < stop])
    draft = Draft.open(cut, roles, vocabulary, read=range(len(score.tracks)), bars=len(ruler.metres))
    draft.ask(targets, bars)

    def finish() -> ScoreTick:
        made = cut.copy()
        for track in targets:
            own = [index for index in roles.indices(track) if index in chosen]
            draft.add_notes(made, same_part(score, own), track, bars)
        return made

    told = {"written": [TRACKS[track] for track in targets], "bars": [first + 1, last]}
    return Edit(draft, finish, bars if set(chosen) >= _pitched(score, draft) else None, told)


def harmonisation(score: ScoreTick, vocabulary: GetVocabulary, *, melody: str | None = None) -> Edit:
    """A piano part for one track, which is the only one that is read; all others stay.

    Raises:
        OptionError: there is no such track.
        InputError: there is no melody, or as `arrangement`.
    """
    roles = assign_tracks(score)
    chosen = roles.melody if melody is None else select_tracks([melody], score, roles)[0]
    if chosen is None or roles.of[chosen] == DRUMS:
        raise InputError("The piece has no melody, only drums or nothing; give one with a tune.")
    bars = len(Ruler.from_score(score).metres)
    draft = Draft.open(score, assign_tracks(score, melody=chosen), vocabulary, read=[chosen], bars=bars)
    draft.ask([PIANO])

    def finish() -> ScoreTick:
        made: Any = score.copy()
        made.tracks.append(draft.new_track(PIANO, name="chords"))
        return made

    return Edit(draft, finish, report={"melody": score.tracks[chosen].name})


def _pitched(score: ScoreTick, draft: Draft) -> set[int]:
    """Tracks from which chords can be heard."""
    return {index for index in draft.read if draft.roles.of[index] != DRUMS and len(score.tracks[index].notes)}
