"""What is to be done with a theme: which bars of a score it is, in which metre and tempo it is developed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from symusic.core import ScoreTick

from orchestrion.analysis.skyline import find_melody_track
from orchestrion.analysis.themes import LEAST_NOTES
from orchestrion.errors import InputError
from orchestrion.media.timeline import Timeline
from orchestrion.representations.theme_remi import MELODY, FindRegions, ThemeSong, ThemeVocabulary, encode
from orchestrion.representations.theme_song import Ruler, song_of_score
from orchestrion.theory.chord_inference import infer_chords
from orchestrion.theory.chords import ChordSpan
from orchestrion.theory.harmony import MelodyNote, harmonise
from orchestrion.theory.keys import find_key

THEME_BARS = 2
SHORT_SCORE = 4  # bars: the theme of a score that is not longer is its beginning


class Plan:
    """A score as a song, and its theme.

    Args:
        find: where the theme of a song is.
        accompaniment: "notes", or "chords" for blocks of the chords that are heard, or that suit a melody alone.

    Attributes:
        tokens: the theme with its marks.
        marked: the whole song, its theme regions marked.
        metre, tempo, programs, bar_lengths, parts: of what is written; a bar of the score is `parts` bars of the song.
        report: where the theme is, in bars counted from 1, and what was put aside.

    Raises:
        InputError: the score has no melody, or no two bars of it with three notes.
    """

    def __init__(self, score: ScoreTick, vocabulary: ThemeVocabulary, accompaniment: str, *, find: FindRegions) -> None:
        melody = find_melody_track(score)
        if melody is None:
            raise InputError("The score has no pitched notes, so there is no theme in it.")
        self.score, self.ruler = score, Ruler.of(score)
        chords = chords_of(score, melody) if accompaniment == "chords" else None
        song = song_of_score(score, melody=melody, chords=chords)
        timeline = Timeline.from_score(score)
        parts = self.ruler.parts
        regions = _regions(song, self.ruler, find)
        first, last = regions[0]
        bar = self.ruler.bar_of_part(first)
        self.parts = int(parts[bar])
        self.metre, self.tempo = timeline.metre_at(self.ruler.ticks[bar]), timeline.tempo_at(self.ruler.ticks[bar])
        self.bar_lengths = _bar_lengths(self.metre)
        self.marked = replace(song, themes=tuple(regions))
        theme = song.part(first, last)
        self.tokens = [vocabulary.start, *encode(theme, vocabulary), vocabulary.end]
        others = [n for n, track in enumerate(score.tracks) if n != melody and not track.is_drum and len(track.notes)]
        self.programs = (int(score.tracks[melody].program), int(score.tracks[others[0]].program) if others else 0)
        self.report = {
            "bars": [bar + 1, self.ruler.bar_of_part(last - 1) + 1],
            "notes": int((theme.notes[:, 4] == MELODY).sum()),
            "times_in_score": len(regions),
            "metre": "{}/{}".format(*self.metre),
        }

    def regions(self, song: ThemeSong, *, after: int = 0) -> list[list[int]]:
        """Theme regions of what was written `after` so many bars, in bars counted from 1, both ends included."""
        return [[after + first // self.parts + 1, after + (last - 1) // self.parts + 1] for first, last in song.themes]

    def extended(self, song: ThemeSong) -> ScoreTick:
        """The score with a song after its last bar, as tracks of their own."""
        import symusic

        score: Any = self.score.copy()
        begin, step = float(self.ruler.ticks[-1]), score.ticks_per_quarter / 4
        for number, (name, program) in enumerate(zip(("melody", "piano"), self.programs, strict=True)):
            rows = song.notes[(song.notes[:, 4] == MELODY) == (number == 0)]
            if len(rows):
                track: Any = symusic.Track(name, program)
                for start, length, pitch, loud, _ in rows.tolist():
                    left, right = round(begin + start * step), round(begin + (start + length) * step)
                    track.notes.append(symusic.Note(left, max(right - left, 1), pitch, loud))
                score.tracks.append(track)
        return score


def _regions(song: ThemeSong, ruler: Ruler, find: FindRegions) -> Sequence[tuple[int, int]]:
    """Theme regions in bars of the song: what returns most, or the first two bars with enough of a melody."""
    bars = len(ruler.parts)
    if bars > SHORT_SCORE:
        regions = find(song, THEME_BARS * int(ruler.parts.max()))
        if len(regions) > 1:
            return regions
    for bar in range(bars):
        first, last = ruler.first_part(bar), ruler.first_part(min(bar + THEME_BARS, bars))
        melody = song.notes[song.notes[:, 4] == MELODY]
        inside = (melody[:, 0] >= song.bars[first]) & (melody[:, 0] < song.bars[last])
        if int(inside.sum()) >= LEAST_NOTES:
            return [(first, last)]
    raise InputError("No two bars of the melody have three notes or more; give a theme with more of them.")


def _bar_lengths(metre: tuple[int, int]) -> list[int]:
    """Sixteenths of the bars of a song in this metre, over and over for as long as any piece may be."""
    length = max(round(16 * metre[0] / metre[1]), 1)
    parts = -(-length // 16)
    borders = [length * part // parts for part in range(parts + 1)]
    lengths = [b - a for a, b in pairwise(borders)]
    return lengths * 4096 if len(set(lengths)) > 1 else lengths[:1]


def chords_of(score: ScoreTick, melody: int) -> list[ChordSpan]:
    """The chords of a score: heard where something accompanies the melody, else such as suit it."""
    others = [track for number, track in enumerate(score.tracks) if number != melody and not track.is_drum]
    key = find_key(score)
    if any(len(track.notes) for track in others) or key is None:
        return infer_chords(score, frame="half")
    notes = score.tracks[melody].notes.numpy()
    tpq = score.ticks_per_quarter
    line = [
        MelodyNote(start / tpq, max(length, 1) / tpq, pitch)
        for start, length, pitch in zip(*(notes[name].tolist() for name in ("time", "duration", "pitch")), strict=True)
    ]
    timeline = Timeline.from_score(score)
    first = timeline.pickup / tpq
    line = [MelodyNote(note.onset - first, note.duration, note.pitch) for note in line]
    metre = timeline.metre_at(float(timeline.bar_to_tick(np.float64(1)) if first else 0))
    found = harmonise(line, key, metre)
    return [ChordSpan(span.start + first, span.end + first, span.chord) for span in found]
