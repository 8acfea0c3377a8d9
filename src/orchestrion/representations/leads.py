"""Melodies over chords, to and from scores: found, moved to one key and register, and written as two tracks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrion.analysis.skyline import skyline_of_track
from orchestrion.representations.melody_events import FOREIGN, STEPS, SUSTAIN, Event, Lead, join_events
from orchestrion.theory.chords import INTERVALS, Chord, ChordSpan
from orchestrion.theory.harmony import MelodyNote
from orchestrion.theory.keys import Key
from orchestrion.theory.plain_key import REGISTER, shift_to_c, shift_to_register

if TYPE_CHECKING:
    from symusic.core import ScoreTick

TPQ = 480
MELODY_PROGRAM, CHORD_PROGRAM = 73, 0
LOWEST_CHORD = 48  # the octave in which chords are played


def track_line(score: ScoreTick, track: int) -> list[MelodyNote]:
    """The notes of a track as one line (`analysis.skyline`), times in quarters."""
    tpq = score.ticks_per_quarter
    return [
        MelodyNote(start / tpq, (stop - start) / tpq, pitch)
        for start, stop, pitch in skyline_of_track(score.tracks[track]).tolist()
    ]


def move(lead: Lead, semitones: int) -> Lead:
    """The same, transposed."""
    melody = tuple(MelodyNote(n.onset, n.duration, n.pitch + semitones) for n in lead.melody)
    chords = tuple(ChordSpan(s.start, s.end, s.chord.transpose(semitones)) for s in lead.chords)
    return Lead(melody, chords, lead.quarters)


def to_plain_key(lead: Lead, key: Key, *, register: int = REGISTER) -> Lead:
    """Moved to C major or A minor, and by octaves towards `register`."""
    return move(lead, shift_to_register(key, [note.pitch for note in lead.melody], register=register))


def from_plain_key(lead: Lead, key: Key) -> Lead:
    """Moved from C major or A minor to a key, by at most half an octave."""
    return move(lead, (-shift_to_c(key) + 6) % 12 - 6)


def key_of_chords(chords: Sequence[ChordSpan]) -> Key:
    """The key that chords suggest: of the tones of all chords, weighted by time, roots twice, the first and last chord
    once more.

    Raises:
        ValueError: there is no chord.
    """
    from orchestrion.theory.keys import ALL_KEYS, key_scores

    weights = np.zeros(12)
    sounding = [span for span in chords if span.chord.root is not None]
    if not sounding:
        raise ValueError("without chords there is no key")
    for span in sounding:
        length = (span.end - span.start) * (1 + (span is sounding[0]) + (span is sounding[-1]))
        for pitch_class in span.chord.pitch_classes:
            weights[pitch_class] += length
        assert span.chord.root is not None
        weights[span.chord.root] += length
    return ALL_KEYS[int(np.argmax(key_scores(weights / weights.sum())))]


def voicing(chord: Chord, *, lowest: int = LOWEST_CHORD) -> list[int]:
    """Root, third, fifth and seventh, each in the octave from `lowest` up; none for no chord."""
    if chord.root is None:
        return []
    return [lowest + (chord.root + interval - lowest) % 12 for interval in INTERVALS[chord.quality][:4]]


def lead_score(
    lead: Lead,
    *,
    tempo: float,
    metre: tuple[int, int] = (4, 4),
    program: int = MELODY_PROGRAM,
    shown: Sequence[ChordSpan] | None = None,
) -> ScoreTick:
    """A score with the tracks "melody" and, where there are chords, "chords".

    Args:
        tempo: quarter notes a minute.
        program: of the melody.
        shown: chords to write in the place of the lead's, for instance with colours that its classes do not have.
    """
    import symusic

    score: Any = symusic.Score(TPQ)
    score.tempos.append(symusic.Tempo(0, qpm=tempo))
    score.time_signatures.append(symusic.TimeSignature(0, *metre))
    melody: Any = symusic.Track("melody", program)
    for note in lead.melody:
        melody.notes.append(symusic.Note(*_ticks(note.onset, note.duration), note.pitch, 96))
    score.tracks.append(melody)
    spans = [span for span in (lead.chords if shown is None else shown) if span.chord.root is not None]
    if spans:
        chords: Any = symusic.Track("chords", CHORD_PROGRAM)
        for span in spans:
            for pitch in voicing(span.chord):
                chords.notes.append(symusic.Note(*_ticks(span.start, span.end - span.start), pitch, 64))
        score.tracks.append(chords)
    return score


def published_notes(events: Sequence[Event]) -> list[tuple[int, int, float, float]]:
    """What the published code writes into a file: (track, pitch, onset, length) in quarters; track 0 is the melody.

    MIDI 0 and 1 are taken for rests and continuations, chords are in root position around middle C, the last chord
    is missing where it is one event long, and the melody is early by the continuations that it begins with.
    """
    read = [Event(e.bar, e.chord, e.duration, FOREIGN.get(e.note, e.note)) for e in events]
    lead = join_events(read)
    early = sum(event.duration for event in takewhile(lambda event: event.note == SUSTAIN, read)) / STEPS
    chords = list(lead.chords)
    if len(events) == 1 or (len(events) > 1 and events[-1].chord != events[-2].chord):
        chords = chords[:-1]
    notes = [(0, note.pitch, note.onset - early, note.duration) for note in lead.melody]
    for span in chords:
        if span.chord.root is not None:
            tones = [60 + (span.chord.root + interval) % 12 for interval in INTERVALS[span.chord.quality]]
            notes += [(1, pitch, span.start, span.end - span.start) for pitch in tones]
    return notes


def _ticks(onset: float, duration: float) -> tuple[int, int]:
    start, stop = round(onset * TPQ), round((onset + duration) * TPQ)
    return start, max(stop - start, 1)
