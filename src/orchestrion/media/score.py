"""Scores: notes in tracks, read from MIDI, MusicXML, Humdrum kern and ABC files, written to MIDI and MusicXML.

A score is a `symusic` score in ticks. Files of strangers are checked before a native parser sees them: MIDI is put in
a plain form (`midi.plain_midi`), sheets are read in a process of their own (`isolation`).
"""

from __future__ import annotations

import base64
import itertools
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from orchestrion.errors import InputError, OptionError, OutputError
from orchestrion.media.files import atomic_write, read_input
from orchestrion.media.isolation import ParserFailed, ask
from orchestrion.media.midi import number as midi_number
from orchestrion.media.midi import plain_midi, text_event
from orchestrion.media.notation import abc_pickup, kind_of, plain_text, split_tunes, unpack_mxl, xml_text
from orchestrion.media.timeline import Timeline

if TYPE_CHECKING:
    from symusic.core import ScoreTick

MOST_BYTES = 32 << 20  # of a file; 60,000 notes need less than one MiB as MIDI, thirty as MusicXML
MOST_TUNE = 1 << 18  # characters of one ABC tune
MOST_NOTES = 1_000_000
MOST_SECONDS = 4 * 3600.0  # the longest operas play as long
MOST_QUARTERS = 100_000
SHEET_TPQ = 480
MIDI_SUFFIXES = (".mid", ".midi")
XML_SUFFIXES = (".musicxml", ".xml")


class HasJson(Protocol):
    """A record that can be put into a file, such as `provenance.Provenance`."""

    def to_json(self) -> str: ...


def read_score(path: str | Path, *, isolate: bool = True) -> ScoreTick:
    """The score in a file, told by its content: MIDI, MusicXML (also .mxl), Humdrum kern, or ABC (the first tune).

    Sheets are read as they are played: repeats are played out, chord symbols and lyrics left out; a first or inner bar
    that is shorter or longer than its metre asks is followed by the time signature again, so that `Timeline` knows it;
    a tempo counts from the bar it stands in.
    Tempos and time signatures that are illegal are left out.

    Args:
        isolate: False reads sheets in this process, without limits of time and memory: for files that are trusted.

    Raises:
        InputError: the file is missing, damaged, hostile, of no known kind, or too long (four hours, 100,000 quarters,
            a million notes).
    """
    return _read(path, isolate=isolate, all_tunes=False)[0]


def read_scores(path: str | Path, *, isolate: bool = True) -> list[ScoreTick]:
    """All scores in a file: the tunes of an ABC file that can be read, else the one score; see `read_score`.

    Raises:
        InputError: as for `read_score`, or no tune can be read.
    """
    return _read(path, isolate=isolate, all_tunes=True)


def _read(path: str | Path, *, isolate: bool, all_tunes: bool) -> list[ScoreTick]:
    name = str(path)
    data = read_input(path, most_bytes=MOST_BYTES)
    kind = kind_of(data, name)
    if kind == "midi":
        return [_checked(_parse(plain_midi(data, name), name), name)]
    if kind == "abc":
        return _read_abc(plain_text(data), name, isolate=isolate, all_tunes=all_tunes)
    if kind == "kern":
        return [_checked(_sheet("kern", plain_text(data), name, isolate=isolate), name)]
    text = xml_text(unpack_mxl(data, name) if kind == "mxl" else data, name)
    return [_checked(_sheet("musicxml", text, name, isolate=isolate), name)]


def _parse(data: bytes, name: str) -> Any:
    import symusic

    try:
        score: Any = symusic.Score.from_midi(data)
    except (RuntimeError, ValueError) as error:
        raise InputError(
            f"The file {name} cannot be read as MIDI ({str(error).rstrip('.!')}); get it again."
        ) from error
    for events in (score.tempos, score.time_signatures, score.key_signatures):
        _drop_repeated(events)
    return score


def _drop_repeated(events: Any) -> None:
    """Leaves one of several equal events at a tick: some programs write them into every track."""
    kept: list[Any] = []
    for event in sorted(events, key=lambda event: event.time):
        if not any(event == other for other in reversed(kept[-8:])):
            kept.append(event)
    if len(kept) < len(events):
        events[:] = kept


def _checked(score: Any, name: str) -> ScoreTick:
    """The score, if it is of a size that can be worked with."""
    notes = sum(len(track.notes) for track in score.tracks)
    if notes > MOST_NOTES:
        raise InputError(f"The file {name} holds {notes} notes, more than the {MOST_NOTES} that are read; split it.")
    timeline = Timeline.from_score(score)
    seconds, quarters = timeline.tick_to_second(float(timeline.end)), timeline.end / timeline.tpq
    if seconds > MOST_SECONDS or quarters > MOST_QUARTERS:
        raise InputError(
            f"The file {name} lasts {seconds / 3600:.1f} hours or {quarters:.0f} quarter notes, more than the "
            f"{MOST_SECONDS / 3600:.0f} hours or {MOST_QUARTERS} quarter notes that are read; cut it."
        )
    return score


def _sheet(kind: str, text: str, name: str, *, isolate: bool) -> Any:
    import symusic

    try:
        found = ask(kind, text, isolate=isolate)
    except ParserFailed as error:
        label = "MusicXML" if kind == "musicxml" else "Humdrum kern"
        raise InputError(f"The file {name} cannot be read as {label}: {error}; get it again.") from error
    score = _parse(plain_midi(base64.b64decode(found["midi"]), name), name)
    played = _rescaled(score, head=0, tail=1, times=found["times"])  # verovio ends every note a tick early
    restate_bars(played, found["bars"])
    for position, sharps, minor in found["keys"]:
        played.key_signatures.append(symusic.KeySignature(round(position * SHEET_TPQ), sharps, minor))
    return played


def _read_abc(text: str, name: str, *, isolate: bool, all_tunes: bool) -> list[ScoreTick]:
    scores: list[ScoreTick] = []
    first_error: InputError | None = None
    for tune in split_tunes(text):
        try:
            scores.append(_checked(_tune(tune, name, isolate=isolate), name))
        except InputError as error:
            first_error = first_error or error
        if not all_tunes:
            break
    if not scores:
        raise first_error or InputError(f"The file {name} holds no ABC tune.")
    return scores


def _tune(tune: str, name: str, *, isolate: bool) -> Any:
    if len(tune) > MOST_TUNE:
        raise InputError(f"The file {name} holds a tune of {len(tune)} characters, more than {MOST_TUNE}; shorten it.")
    try:
        found = ask("abc", tune, isolate=isolate)
    except ParserFailed as error:
        raise InputError(f"The file {name} cannot be read as ABC: {error}; look at its X:, M: and K: lines.") from error
    score = _parse(plain_midi(base64.b64decode(found["midi"]), name), name)
    played = _rescaled(score, head=1, tail=0)  # abc2midi begins a tick late
    if pickup := abc_pickup(tune):
        bar = 4 * Fraction(*Timeline.from_score(played).metre_at(0))
        restate_bars(played, [0.0, float(pickup), float(pickup + bar)])
    return played


def _rescaled(score: Any, *, head: int, tail: int, times: Sequence[float] = ()) -> Any:
    """The tracks that have notes, in ticks of `SHEET_TPQ`; all begins `head` ticks earlier, notes end `tail` later.

    Args:
        times: exact positions in quarters; what lies within two ticks of one is put there.
    """
    import symusic

    exact = np.unique(np.array(sorted(times), dtype=np.float64))

    def at(ticks: Any) -> Any:
        quarters = np.maximum(np.asarray(ticks, dtype=np.float64), 0) / score.tpq
        if len(exact):
            right = np.minimum(np.searchsorted(exact, quarters), len(exact) - 1)
            left = np.maximum(right - 1, 0)
            nearest = np.where(quarters - exact[left] < exact[right] - quarters, exact[left], exact[right])
            quarters = np.where(np.abs(nearest - quarters) < 2 / score.tpq, nearest, quarters)
        return np.rint(quarters * SHEET_TPQ).astype(np.int32)

    made: Any = symusic.Score(SHEET_TPQ)
    for event in score.tempos:
        made.tempos.append(symusic.Tempo(int(at(event.time - head)), mspq=event.mspq))
    for event in score.time_signatures:
        time = int(at(event.time - head))
        made.time_signatures.append(symusic.TimeSignature(time, event.numerator, event.denominator))
    for event in score.key_signatures:
        made.key_signatures.append(symusic.KeySignature(int(at(event.time - head)), event.key, event.tonality))
    for track in score.tracks:
        if not len(track.notes):
            continue
        notes = track.notes.numpy()
        start, stop = at(notes["time"] - head), at(notes["time"] + notes["duration"] + tail)
        copy: Any = symusic.Track(track.name, track.program, track.is_drum)
        copy.notes = symusic.Note.from_numpy(start, np.maximum(stop - start, 1), notes["pitch"], notes["velocity"])
        made.tracks.append(copy)
    return made


def restate_bars(score: Any, bars: list[float]) -> None:
    """Writes the time signature again where a bar is shorter or longer than it asks, so that bar lines come right.

    Args:
        bars: positions of the bar lines in quarters, from 0. Two short bars that make a whole one, as around a repeat
            sign, are left as they are.
    """
    import symusic

    lines = [round(position * score.tpq) for position in bars]
    timeline = Timeline.from_score(score)
    for index, (previous, line) in enumerate(itertools.pairwise(lines), 2):
        expected = timeline.tick_to_bar(float(line))
        aligned = abs(expected - round(expected)) < 1e-6
        numerator, denominator = timeline.metre_at(previous)
        whole = numerator * 4 * score.tpq / denominator
        if aligned and line - previous <= whole + 1:
            continue
        if index < len(lines) and lines[index] - previous == whole:
            continue
        if timeline.metre_at(line) == (numerator, denominator):
            score.time_signatures.append(symusic.TimeSignature(line, numerator, denominator))
            score.time_signatures.sort()
            timeline = Timeline.from_score(score)


def named_tracks(score: ScoreTick, names: Sequence[str]) -> list[int]:
    """The tracks of a score that bear one of the names, in order; capitals do not matter.

    Raises:
        OptionError: a name stands for none.
    """
    wanted, there = {name.strip().lower() for name in names}, [track.name for track in score.tracks]
    found = [number for number, name in enumerate(there) if name.strip().lower() in wanted]
    if missing := wanted - {there[number].strip().lower() for number in found}:
        raise OptionError(f"The piece has no track {min(missing)!r}; it has {', '.join(there) or 'none'}.")
    return found


def write_score(score: ScoreTick, path: str | Path, *, provenance: HasJson | None = None) -> Path:
    """Writes a score to `.mid` / `.midi` or, quantised for reading, `.musicxml` / `.xml`; whole or not at all.

    Args:
        provenance: is put into the file: a text event of MIDI, a miscellaneous field of MusicXML.

    Raises:
        OutputError: the suffix is another, or the file cannot be written.
    """
    target = Path(path)
    suffix = target.suffix.lower()
    record = provenance.to_json() if provenance is not None else None
    if suffix in MIDI_SUFFIXES:
        content = midi_bytes(score, text=record)
    elif suffix in XML_SUFFIXES:
        from orchestrion.media.musicxml import musicxml_bytes

        content = musicxml_bytes(score, record=record)
    else:
        raise OutputError(f"Scores are not written as {suffix or 'a file without suffix'}; choose .mid or .musicxml.")
    with atomic_write(target) as temporary:
        temporary.write_bytes(content)
    return target


def midi_bytes(score: ScoreTick, *, text: str | None = None) -> bytes:
    """The score as a MIDI file, with `text` as a text event at its start."""
    content = score.dumps_midi()
    if text is None:
        return content
    event = midi_number(0) + text_event(0x01, text, most=1 << 20)
    at = content.index(b"MTrk")
    length = int.from_bytes(content[at + 4 : at + 8], "big") + len(event)
    return content[: at + 4] + length.to_bytes(4, "big") + event + content[at + 8 :]
