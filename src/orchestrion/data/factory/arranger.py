"""A tune becomes a piece: form, metre, key and tempo chosen, harmonised, accompanied, ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import symusic
from symusic.core import ScoreTick

from orchestrion.data.factory.abc import Strain
from orchestrion.data.factory.accompany import STEPS, Line, accompany, swing, variants
from orchestrion.data.factory.grooves import SWUNG, Groove
from orchestrion.data.factory.instruments import LEADS, RANGES, STAND_INS
from orchestrion.data.factory.metres import Fit, StepNote, fitted_bars, refit
from orchestrion.data.factory.moods import moods
from orchestrion.data.factory.sources import Tune, minorise
from orchestrion.data.factory.textures import Texture, near, play, voicing
from orchestrion.data.piece import Piece, Section
from orchestrion.theory.chords import Chord, ChordSpan
from orchestrion.theory.harmony import MelodyNote, harmonise
from orchestrion.theory.keys import Key, find_key

TPQ = 480
STEP = TPQ // STEPS


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be made of a tune. `form` lists strain numbers in playing order."""

    tune: str
    version: int
    style: Groove | Texture
    fit: Fit
    form: tuple[int, ...]
    tonic: int
    tempo: int
    minorised: bool
    pickup: bool
    seed: int


def arrange(tune: Tune, order: Order, split: str) -> Piece:
    """The piece. Where its key is not heard in the result, it is tried again with harmonies that dwell more on the
    tonic.

    Raises:
        ValueError: the order cannot be carried out musically: the tune leaves its instrument's range, its key is not
            heard in the result, or the groove cannot play the chart.
    """
    for attempt in range(3):
        piece = _arrange(tune, order, split, attempt)
        if piece is not None:
            return piece
    raise ValueError("the key of the tune is not heard in the arrangement")


def _arrange(tune: Tune, order: Order, split: str, attempt: int) -> Piece | None:
    rng = np.random.default_rng([order.seed, attempt])
    style, metre = order.style, order.fit.target
    bar = STEPS * 4 * metre[0] // metre[1]
    key = Key(order.tonic, "minor" if order.minorised else tune.key.mode)
    shift = order.tonic - tune.key.tonic
    strains = [minorise(s, tune.key) if order.minorised else s for s in tune.strains]
    melody, sections, chords = _lay_out(tune, strains, order, shift, key, rng, bar, 0.4 * attempt)
    bars = sections[-1].end
    lines = _accompaniment(style, chords, bars, sections, metre, rng)
    swung = (isinstance(style, Texture) and style.swing) or (isinstance(style, Groove) and style.name in SWUNG)
    straight = metre[1] == 4 and order.fit.time(STEPS / 2) in (STEPS / 2, STEPS, STEPS / 4)
    if swung and straight:
        melody = _swing(melody)
    if isinstance(style, Texture) and style.swing:
        for line in lines:
            line.notes = [
                (round(swing(o)), max(round(swing(o + d)) - round(swing(o)), 1), p, v) for o, d, p, v in line.notes
            ]
    program = _lead(style, max(n[2] for n in melody) - min(n[2] for n in melody), rng)
    melody = _into_range(melody, program)
    lines = [_end(line, chords, bars, bar, rng) for line in lines]
    _recast(lines, program, rng, isinstance(style, Groove))
    score = _write(melody, program, lines, order.tempo, metre, key, bars, bar)
    if find_key(score) != key:
        return None
    _check_melody(melody, bars, bar)
    label = style.label
    tags = {
        "genre": [style.genre],
        "groove": [label],
        "mood": moods(key.mode, order.tempo, metre, style.genre, label),
        "form": ["".join(s.label for s in sections if s.label != "intro")],
    }
    return Piece(
        id=f"{tune.id}#{order.version}",
        title=tune.title,
        score=score,
        chords=list(chords),
        key=key,
        metre=metre,
        tempo=float(order.tempo),
        sections=sections,
        melody=0,
        tags=tags,
        source=f"{tune.collection.source}; arranged",
        licence=tune.collection.licence,
        split=split,  # type: ignore[arg-type]
    )


def _lay_out(
    tune: Tune,
    strains: Sequence[Strain],
    order: Order,
    shift: int,
    key: Key,
    rng: np.random.Generator,
    bar: int,
    pull: float,
) -> tuple[list[StepNote], list[Section], list[ChordSpan]]:
    """Melody in grid steps from bar 0, the form, and the chords of all bars."""
    metre = order.fit.target
    taste = {
        name: float(rng.normal(0.1, 0.22))
        for name in (
            "ii",
            "iii",
            "IV",
            "V",
            "V7",
            "vi",
            "V7/V",
            "V7/vi",
            "V7/ii",
            "V7/IV",
            "iv",
            "VI",
            "III",
            "VII",
            "v",
            "iidim",
            "V7/III",
            "V7/iv",
        )
    }
    taste |= {"I": float(rng.uniform(0.0, 0.3)) - pull, "i": float(rng.uniform(0.0, 0.3)) - pull}
    movement = float(
        rng.uniform(*(0.0, 0.5) if order.style.genre in ("folk", "polka", "march", "blues", "country") else (0.2, 0.9))
    )
    offset = 1 if order.pickup else 0
    melody: list[StepNote] = []
    sections = [Section("intro", 0, 1)] if offset else []
    chords: list[ChordSpan] = []
    quarters = bar / STEPS
    at = offset
    cache: dict[int, tuple[list[StepNote], list[ChordSpan], int]] = {}
    for place, number in enumerate(order.form):
        if number not in cache:
            notes = refit([_steps(n.onset, n.duration, n.pitch + shift) for n in strains[number].notes], order.fit)
            count = fitted_bars(strains[number].bars, order.fit)
            spans = harmonise(
                [MelodyNote(o / STEPS, d / STEPS, p) for o, d, p in notes],
                key,
                metre,
                bars=count,
                final=tune.closed[number],
                colour=order.style.colour * float(rng.uniform(0.8, 1.05)),
                taste=taste,
                movement=movement,
            )
            cache[number] = notes, spans, count
        notes, spans, count = cache[number]
        start = at * bar
        led = [n for n in notes if n[0] >= 0 or (place or order.pickup)]
        if led and led[0][0] < 0:
            begin = start + led[0][0]
            melody = [(o, min(d, begin - o), p) for o, d, p in melody if o < begin]
        if melody:  # the last note of a section lasts up to the next one, a whole bar at most
            o, d, p = melody[-1]
            limit = min(start + (led[0][0] if led else 0), (o // bar + 1) * bar)
            melody[-1] = (o, max(min(limit - o, max(d, limit - o if limit - o <= bar else d)), 1), p)
        melody += [(start + o, d, p) for o, d, p in led]
        sections.append(Section("ABCDEFGH"[min(number, 7)], at, at + count))
        chords += [ChordSpan(at * quarters + s.start, at * quarters + s.end, s.chord) for s in spans]
        at += count
    if offset:
        chords.insert(0, ChordSpan(0.0, quarters, _intro_chord(chords[0].chord, key)))
    end = at * bar
    melody = [(o, min(d, end - o), p) for o, d, p in melody if 0 <= o < end]
    last = melody[-1]
    melody[-1] = (last[0], end - last[0], last[2])
    return melody, sections, _joined(chords)


def _intro_chord(first: Chord, key: Key) -> Chord:
    return first if first.root == key.tonic else Chord(key.tonic, "min" if key.mode == "minor" else "maj")


def _joined(chords: list[ChordSpan]) -> list[ChordSpan]:
    found: list[ChordSpan] = []
    for span in chords:
        if found and found[-1].chord == span.chord:
            found[-1] = ChordSpan(found[-1].start, span.end, span.chord)
        else:
            found.append(span)
    return found


def _steps(onset: Fraction, duration: Fraction, pitch: int) -> StepNote:
    start = round(onset * STEPS)
    return start, max(round((onset + duration) * STEPS) - start, 1), pitch


def _swing(melody: list[StepNote]) -> list[StepNote]:
    return [(round(swing(o)), max(round(swing(o + d)) - round(swing(o)), 1), p) for o, d, p in melody]


def _accompaniment(
    style: Groove | Texture,
    chords: Sequence[ChordSpan],
    bars: int,
    sections: Sequence[Section],
    metre: tuple[int, int],
    rng: np.random.Generator,
) -> list[Line]:
    if isinstance(style, Texture):
        return play(style, chords, bars, metre, rng)
    known = variants(style)
    changes: dict[int, str] = {}
    fuller = [name for name in (style.name + "Sus", style.name + "Plus") if name in known]
    other = fuller[int(rng.integers(len(fuller)))] if fuller and rng.random() < 0.4 else style.name
    fill = style.name + "Fill"
    for section in sections:
        current = other if section.label == "B" else style.name
        changes[section.start] = current
        if fill in known and section.end - section.start >= 8 and rng.random() < 0.5:
            changes[section.end - 1] = fill
    changes[0] = style.name
    return accompany(style, chords, bars, changes=changes, seed=int(rng.integers(1, 1 << 30)))


def _lead(style: Groove | Texture, span: int, rng: np.random.Generator) -> int:
    """A program that carries tunes in this style and has the range for this one."""
    if isinstance(style, Texture):
        choices = style.leads
    else:
        choices = sorted(RANGES) if rng.random() < 0.22 else LEADS[style.genre]
    fitting = [p for p in choices if _range(p)[1] - _range(p)[0] >= span + 4]
    if not fitting:
        raise ValueError(f"the tune is too wide for the instruments of {style.label}")
    return int(fitting[int(rng.integers(len(fitting)))])


def _range(program: int) -> tuple[int, int]:
    return RANGES.get(program, (55, 86))


def _into_range(melody: list[StepNote], program: int) -> list[StepNote]:
    """The melody in the octave that lies best on the instrument.

    Raises:
        ValueError: it is wider than the instrument's range.
    """
    low, high = _range(program)
    bottom, top = min(n[2] for n in melody), max(n[2] for n in melody)
    middle = (low + high) / 2 + (1 if program in (0, 1, 2, 4) else 0)
    octaves = [o for o in range(-4, 5) if bottom + 12 * o >= low - 1 and top + 12 * o <= high + 1]
    if not octaves:
        raise ValueError(f"the tune does not fit the range of program {program}")
    best = min(octaves, key=lambda o: abs((bottom + top) / 2 + 12 * o - middle))
    return [(o, d, p + 12 * best) for o, d, p in melody]


def _end(line: Line, chords: Sequence[ChordSpan], bars: int, bar: int, rng: np.random.Generator) -> Line:
    """The line with a last bar that ends the piece: chords held, the bass on its roots, one stroke on the drums."""
    start, end = (bars - 1) * bar, bars * bar
    kept = [(o, min(d, start - o), p, v) for o, d, p, v in line.notes if o < start]
    recent = [n for n in kept if n[0] >= start - 2 * bar] or kept
    if not kept:
        line.notes = []
        return line
    level = int(np.mean([n[3] for n in recent]))
    if line.drums:
        keys = {n[2] for n in kept}
        crash = [k for k in (49, 57) if keys & {42, 44, 46, 51, 38, 40, 49}][:1]
        kick = [k for k in (36, 35, 41, 64) if k in keys][:1]
        strokes = kick + crash or [min(keys)]
        line.notes = kept + [(start, 1, k, min(level + 8, 120)) for k in sorted(strokes)]
        return line
    centre = float(np.mean([n[2] for n in recent]))
    by_onset: dict[int, int] = {}
    for n in recent:
        by_onset[n[0]] = by_onset.get(n[0], 0) + 1
    several = np.mean(list(by_onset.values())) > 1.4
    ending = []
    for span in chords:
        begin, stop = max(start, round(span.start * STEPS)), min(end, round(span.end * STEPS))
        if begin >= stop or span.chord.root is None:
            continue
        if line.name == "bass" or (not several and centre < 55):
            pitches = [near(span.chord.root, centre)]
        elif several:
            pitches = voicing(span.chord, centre, [p for o, _, p, _ in recent if o == max(by_onset)], 3)
        else:
            tones = sorted(near(p, centre) for p in span.chord.pitch_classes)
            pitches = [min(tones, key=lambda p: abs(p - centre))]
        ending += [(begin, stop - begin, p, level) for p in pitches]
    line.notes = kept + ending
    return line


def _recast(lines: list[Line], lead: int, rng: np.random.Generator, freely: bool) -> None:
    """Gives accompaniments of grooves related instruments, so that instrument and groove do not always go together."""
    for line in lines:
        if line.drums or not freely:
            continue
        options = STAND_INS.get(line.program)
        if options:
            line.program = options[int(rng.integers(len(options)))]
        if line.name == "bass" and line.program in (66, 65):
            line.program = 33


def _write(
    melody: Sequence[StepNote],
    program: int,
    lines: Sequence[Line],
    tempo: int,
    metre: tuple[int, int],
    key: Key,
    bars: int,
    bar: int,
) -> ScoreTick:
    score: Any = symusic.Score(TPQ)
    score.tempos.append(symusic.Tempo(0, float(tempo)))
    score.time_signatures.append(symusic.TimeSignature(0, *metre))
    score.key_signatures.append(symusic.KeySignature(0, key.fifths, 0 if key.mode == "major" else 1))
    lead: Any = symusic.Track("melody", program, False)
    beat = STEPS * 12 // metre[1] if metre[1] == 8 and metre[0] % 3 == 0 else STEPS * 4 // metre[1]
    for onset, duration, pitch in melody:
        velocity = 98 if onset % bar == 0 else 92 if onset % beat == 0 else 86
        lead.notes.append(symusic.Note(onset * STEP, duration * STEP, pitch, velocity))
    score.tracks.append(lead)
    end = bars * bar
    for line in lines:
        if not line.notes:
            continue
        track: Any = symusic.Track(line.name, 0 if line.drums else line.program, line.drums)
        for onset, duration, pitch, velocity in sorted(line.notes):
            if onset < end and 0 <= pitch < 128:
                track.notes.append(
                    symusic.Note(
                        onset * STEP, min(duration, end - onset) * STEP, pitch, int(np.clip(velocity, 30, 112))
                    )
                )
        score.tracks.append(track)
    return score


def _check_melody(melody: Sequence[StepNote], bars: int, bar: int) -> None:
    sounding = {o // bar for o, _, _ in melody} | {(o + d - 1) // bar for o, d, _ in melody}
    if len(sounding) < bars - 2:
        raise ValueError("the tune rests for several bars")
    if sum(d == 1 for _, d, _ in melody) > 0.1 * len(melody):
        raise ValueError("the tune has too many notes shorter than the grid")
