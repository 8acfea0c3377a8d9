"""The published way between MIDI and Theme Transformer's tokens, with its oddities, for parity with its data.

Times are floored to the grid, what lies before the melody is dropped but for the bar in front of it, and a last event
on a bar line is lost. `theme_remi` is what our own training and sampling use.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from orchestrion.errors import InputError
from orchestrion.representations.theme_remi import TRACKS, ThemeVocabulary

TicksNote = tuple[int, int, int, int]
"""Start and end in ticks, pitch, velocity."""


@dataclass(frozen=True, slots=True)
class TicksSong:
    """A song as the published reader has it.

    Attributes:
        tpq: ticks a quarter note.
        tracks: notes by track name, in the order of the file; the first track is the melody.
        tempos: (quarter notes a minute, tick).
        themes: notes of the "theme info track"; those of the lowest pitch span the theme regions.
    """

    tpq: int
    tracks: Mapping[str, Sequence[TicksNote]]
    tempos: Sequence[tuple[float, int]] = ()
    themes: Sequence[TicksNote] = ()


def midi_to_tokens(
    song: TicksSong,
    vocabulary: ThemeVocabulary,
    *,
    trim_intro: bool = True,
    trim_outro: bool = True,
    bridge: bool = False,
    bar_first: bool = False,
    annotations: bool = True,
) -> list[int]:
    """Tokens as the published `midi2REMI` writes them.

    Args:
        trim_intro: drops notes before the melody and all bars that end before it begins.
        trim_outro: drops what begins after the melody has ended.
        bridge: writes the bridge track.
        bar_first: writes `Bar` before `Theme_Start`.
        annotations: marks the theme regions.

    Raises:
        InputError: the melody has no notes, or there is no theme to mark.
    """
    step = song.tpq / 4

    def floor(tick: float) -> int:
        return int(int(tick / step) * step)

    tracks = {
        name: [(floor(start), floor(end), pitch, loud) for start, end, pitch, loud in notes]
        for name, notes in song.tracks.items()
    }
    melody = sorted(next(iter(tracks.values()), []), key=lambda note: note[0])
    if not melody:
        raise InputError("The first track, which must be the melody, has no notes.")
    if melody:
        tracks[next(iter(tracks))] = melody
    begin, finish = melody[0][0], melody[-1][1]
    events: list[tuple[int, int, int, list[str]]] = []
    for number, (name, notes) in enumerate(list(tracks.items())[:3], 1):
        if name == "BRIDGE" and not bridge:
            continue
        for start, end, pitch, loud in notes:
            if (start >= begin or not trim_intro) and (start <= finish or not trim_outro):
                length = min(max(int((end - start) / song.tpq * 4), 1), vocabulary.durations)
                velocity = min(max(loud, 1), vocabulary.velocities)
                track = name.split("-")[0].upper()
                words = [f"Note-On-{track}_{pitch}", f"Note-Duration-{track}_{length}",
                         f"Note-Velocity-{track}_{velocity}"]  # fmt: skip
                events.append((start, number, -pitch, words))
    tempos = [(tick, bpm) for bpm, tick in song.tempos if tick <= finish or not trim_outro]
    if trim_intro and not any(tick == begin for _, tick in song.tempos):
        earlier = [(tick, bpm) for bpm, tick in song.tempos if tick < begin]
        if earlier:
            tempos.append((begin, sorted(earlier, key=lambda tempo: tempo[0])[-1][1]))
    events += [(tick, 0, 0, [vocabulary.names[vocabulary.tempo(bpm)]]) for tick, bpm in tempos]
    events.sort(key=lambda event: event[:3])
    regions: list[tuple[int, int]] = []
    if annotations:
        if not song.themes:
            raise InputError("The song has no theme track, so no theme can be marked.")
        lowest = min(note[2] for note in song.themes)
        regions = [(floor(start), floor(end)) for start, end, pitch, _ in song.themes if pitch == lowest]
    until = events[-1][0]
    if len(tracks) < 3:  # the published code takes the theme track for the third, whose notes make the song longer
        starts = [floor(note[0]) for note in song.themes]
        heard = [x for x in starts if (x >= begin or not trim_intro) and (x <= finish or not trim_outro)]
        until = max([until, *heard])
    words = _write_bars(events, regions, song.tpq, begin, until, trim_intro=trim_intro, bar_first=bar_first)
    return [vocabulary.ids[word] for word in words]


def _write_bars(
    events: list[tuple[int, int, int, list[str]]],
    regions: list[tuple[int, int]],
    tpq: int,
    begin: int,
    until: int,
    *,
    trim_intro: bool,
    bar_first: bool,
) -> list[str]:
    words: list[str] = []
    region, inside, length = 0, False, 4 * tpq
    for left in range(0, until, length):
        right = left + length
        starts = bool(regions) and not inside and regions[region][0] == left
        if starts and not bar_first:
            words.append("Theme_Start")
            inside, starts = True, False
        if not inside and trim_intro and right < begin:
            continue
        words.append("Bar")
        if starts:
            words.append("Theme_Start")
            inside = True
        last = -1
        for tick, _, _, told in events:
            if not left <= tick < right:
                continue
            if tick != last:
                place = (tick - left) / tpq * 4
                words.append(f"Position_{int(np.abs(place - np.arange(16)).argmin())}")
                last = tick
            words += told
        if inside and regions[region][1] == right:
            words.append("Theme_End")
            inside = False
            region = min(region + 1, len(regions) - 1)
    return words


def tokens_to_midi(tokens: Sequence[int], vocabulary: ThemeVocabulary) -> TicksSong:
    """A song at 120 ticks a quarter as it is read again from the file that the published `REMIID2midi` writes: theme
    regions reach from the last position before the region to the last position in it, and one of no length ends where
    the next does; the tempo is 120 at first, and one that repeats the one before is left out.

    Raises:
        InputError: a note is not whole, or a theme is opened or closed twice.
    """
    tpq, step = 120, 30
    tracks: dict[str, list[TicksNote]] = {name: [] for name in TRACKS}
    tempos: list[tuple[float, int]] = []
    themes: list[TicksNote] = []
    bar, last, opened, number = -1, 0, None, 0
    names = [vocabulary.names[token] for token in tokens]
    while number < len(names):
        kind, _, value = names[number].partition("_")
        if kind == "Bar":
            bar += 1
        elif kind == "Position":
            last = int(value) * step + max(bar, 0) * 4 * tpq
        elif kind == "Tempo":
            tempos.append((float(value), last))
        elif kind.startswith("Note-On"):
            track = kind.rpartition("-")[2]
            said = [name.partition("_") for name in names[number + 1 : number + 3]]
            if [one[0] for one in said] != [f"Note-Duration-{track}", f"Note-Velocity-{track}"]:
                raise InputError(f"Token {number} begins a note of {track} that has no duration and velocity.")
            tracks[track].append((last, last + int(said[0][2]) * step, int(value), int(said[1][2])))
            number += 2
        elif names[number] == "Theme_Start" and opened is None:
            opened = last
        elif names[number] == "Theme_End" and opened is not None:
            themes.append((opened, last, 1, 1))
            opened = None
        elif kind == "Theme":
            raise InputError(f"Token {number} opens or closes a theme that is open or closed already.")
        number += 1
    changes = [(120.0, 0)]
    for bpm, tick in sorted(tempos, key=lambda tempo: tempo[1]):
        if tick == 0:
            changes = [(bpm, tick)]
        elif bpm != changes[-1][0]:
            changes.append((bpm, tick))
    return TicksSong(tpq, {name: _read_again(notes) for name, notes in tracks.items()}, changes, _read_again(themes))


def _read_again(notes: Sequence[TicksNote]) -> list[TicksNote]:
    """Notes in the order of their ends: at one tick note-offs stand before note-ons, shorter notes before longer ones,
    and a note-off ends the note of its pitch that has sounded longest."""
    events = [(end, 0, 0, pitch, 0) for _, end, pitch, _ in notes]
    events += [(start, 1, end, pitch, velocity) for start, end, pitch, velocity in notes]
    sounding: dict[int, list[tuple[int, int]]] = {}
    found: list[TicksNote] = []
    for tick, begins, _, pitch, velocity in sorted(events, key=lambda event: event[:3]):
        held = sounding.setdefault(pitch, [])
        if begins:
            held.append((tick, velocity))
        elif held:
            start, loud = held.pop(0)
            found.append((start, tick, pitch, loud))
    return found
