"""Writes a score as MusicXML 4.0 in partwise form: measures, voices, ties, keys, metres, tempos, instruments.

Reading the file gives the notes back on the grid of `note_values`. Drums are pitched notes on MIDI channel 10 under a
percussion clef, which every reader plays.
"""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrion.media.measures import Measure, Written, accidentals, beams, measures, spell, tuplets, write_voice
from orchestrion.media.note_values import UNITS, to_units, voices

if TYPE_CHECKING:
    from symusic.core import ScoreTick

DOCTYPE = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 '
    'Partwise//EN" "http://www.musicxml.org/dtds/partwise.dtd">\n'
)
BASS_CLEF_BELOW = 57.0  # mean pitch
MELODIC_CHANNELS = (*range(1, 10), *range(11, 17))
DRUM_CHANNEL = 10
CLEFS = {"G": "2", "F": "4", "percussion": None}
SIGNS = {-2: "flat-flat", -1: "flat", 0: "natural", 1: "sharp", 2: "double-sharp"}


def musicxml_bytes(score: ScoreTick, *, title: str | None = None, record: str | None = None) -> bytes:
    """The score as a MusicXML file. Tracks without notes are left out; notes are quantised (`note_values.to_units`).

    Args:
        record: a text that is kept in the file, such as its provenance.
    """
    root = ET.Element("score-partwise", version="4.0")
    if title:
        _leaf(ET.SubElement(root, "work"), "work-title", _printable(title))
    identification = ET.SubElement(root, "identification")
    _leaf(ET.SubElement(identification, "encoding"), "software", "Orchestrion")
    if record is not None:
        miscellaneous = ET.SubElement(identification, "miscellaneous")
        _leaf(miscellaneous, "miscellaneous-field", record).set("name", "provenance")
    tracks: list[Any] = [track for track in score.tracks if len(track.notes)]
    units = to_units(tracks, score.ticks_per_quarter)
    bars = measures(score, max((int(stops.max()) for _, stops in units), default=0))
    declared = ET.SubElement(root, "part-list")
    channels = itertools.cycle(MELODIC_CHANNELS)
    for number, track in enumerate(tracks, 1):
        channel = DRUM_CHANNEL if track.is_drum else next(channels)
        _declare(declared, f"P{number}", track.name or f"Track {number}", channel, track.program)
    for number, (track, (starts, stops)) in enumerate(zip(tracks, units, strict=True), 1):
        pitches = track.notes.numpy()["pitch"]
        clef = "percussion" if track.is_drum else "F" if float(np.mean(pitches)) < BASS_CLEF_BELOW else "G"
        part = ET.SubElement(root, "part", id=f"P{number}")
        lines = [write_voice(line, bars) for line in voices(starts, stops, pitches)]
        _write_part(part, lines, bars, clef, first=number == 1)
    if not tracks:
        _declare(declared, "P1", "Silence", 1, 0)
        _write_part(ET.SubElement(root, "part", id="P1"), [write_voice([], bars)], bars, "G", first=True)
    ET.indent(root, " ")
    return (DOCTYPE + ET.tostring(root, encoding="unicode") + "\n").encode()


def _declare(declared: ET.Element, name: str, label: str, channel: int, program: int) -> None:
    label = _printable(label) or "Track"
    part = ET.SubElement(declared, "score-part", id=name)
    _leaf(part, "part-name", label)
    _leaf(ET.SubElement(part, "score-instrument", id=f"{name}-I1"), "instrument-name", label)
    midi = ET.SubElement(part, "midi-instrument", id=f"{name}-I1")
    _leaf(midi, "midi-channel", channel)
    _leaf(midi, "midi-program", program + 1)


def _printable(text: str) -> str:
    """The text without what XML cannot hold."""
    return "".join(c for c in text if c.isprintable())


def _write_part(
    part: ET.Element, lines: Sequence[list[list[Written]]], bars: Sequence[Measure], clef: str, *, first: bool
) -> None:
    fifths = 0
    offset = 0 if not bars[0].implicit else 1
    for index, bar in enumerate(bars):
        fifths = fifths if bar.key is None else bar.key[0]
        measure = ET.SubElement(part, "measure", number=str(index + 1 - offset))
        if bar.implicit:
            measure.set("implicit", "yes")
        _attributes(measure, bar, clef if index == 0 else None)
        if first:
            for position, tempo in bar.tempos:
                _tempo(measure, position, tempo)
        present = {  # a voice keeps its number from bar to bar, for its ties
            voice: line[index]
            for voice, line in enumerate(lines, 1)
            if voice == 1 or any(note.pitches for note in line[index])
        }
        signs = accidentals([note for line in present.values() for note in line], fifths)
        for voice, line in present.items():
            if voice > 1:
                backup = ET.SubElement(measure, "backup")
                _leaf(backup, "duration", bar.stop - bar.start)
            _write_line(measure, line, voice, bar, fifths, signs)


def _attributes(measure: ET.Element, bar: Measure, clef: str | None) -> None:
    if clef is None and bar.key is None and bar.metre is None:
        return
    attributes = ET.SubElement(measure, "attributes")
    if clef is not None:
        _leaf(attributes, "divisions", UNITS)
    if bar.key is not None:
        key = ET.SubElement(attributes, "key")
        _leaf(key, "fifths", bar.key[0])
        _leaf(key, "mode", "minor" if bar.key[1] else "major")
    if bar.metre is not None:
        time = ET.SubElement(attributes, "time")
        _leaf(time, "beats", bar.metre[0])
        _leaf(time, "beat-type", bar.metre[1])
    if clef is not None:
        sign = ET.SubElement(attributes, "clef")
        _leaf(sign, "sign", clef)
        if (line := CLEFS[clef]) is not None:
            _leaf(sign, "line", line)


def _tempo(measure: ET.Element, position: int, tempo: float) -> None:
    shown = f"{tempo:.6g}"
    direction = ET.SubElement(measure, "direction", placement="above")
    metronome = ET.SubElement(ET.SubElement(direction, "direction-type"), "metronome")
    _leaf(metronome, "beat-unit", "quarter")
    _leaf(metronome, "per-minute", f"{tempo:.4g}")
    if position:
        _leaf(direction, "offset", position).set("sound", "yes")
    ET.SubElement(direction, "sound", tempo=shown)


def _write_line(
    measure: ET.Element, line: list[Written], voice: int, bar: Measure, fifths: int, signs: set[tuple[int, int]]
) -> None:
    groups, beamed = tuplets(line), beams(line, bar)
    for index, written in enumerate(line):
        if voice > 1 and not written.pitches and not written.value.triplet:
            _leaf(ET.SubElement(measure, "forward"), "duration", written.value.units)
            continue
        for number, pitch in enumerate(written.pitches or (None,)):
            note = ET.SubElement(measure, "note")
            if number:
                ET.SubElement(note, "chord")
            if pitch is None:
                ET.SubElement(note, "rest")
            else:
                step, alter, octave = spell(pitch, fifths)
                place = ET.SubElement(note, "pitch")
                _leaf(place, "step", step)
                if alter:
                    _leaf(place, "alter", alter)
                _leaf(place, "octave", octave)
            _leaf(note, "duration", written.value.units)
            ties = [kind for kind, there in (("stop", written.tied_back), ("start", written.tied_on)) if there]
            for kind in ties:
                ET.SubElement(note, "tie", type=kind)
            _leaf(note, "voice", voice)
            _leaf(note, "type", written.value.type)
            for _ in range(written.value.dots):
                ET.SubElement(note, "dot")
            if pitch is not None and (written.start, pitch) in signs:
                _leaf(note, "accidental", SIGNS[spell(pitch, fifths)[1]])
            if written.value.triplet:
                modification = ET.SubElement(note, "time-modification")
                _leaf(modification, "actual-notes", 3)
                _leaf(modification, "normal-notes", 2)
            if not number and index in beamed:
                _leaf(note, "beam", beamed[index]).set("number", "1")
            marks = () if number else groups.get(index, ())
            if ties or marks:
                notations = ET.SubElement(note, "notations")
                for kind in ties:
                    ET.SubElement(notations, "tied", type=kind)
                for kind in marks:
                    ET.SubElement(notations, "tuplet", type=kind)


def _leaf(parent: ET.Element, tag: str, text: object) -> ET.Element:
    element = ET.SubElement(parent, tag)
    element.text = str(text)
    return element
