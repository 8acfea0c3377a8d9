"""Builds the pieces of the reference cases of metrics."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import symusic

from orchestrion.evaluation.notes import Notes

HERE = Path(__file__).parent.parent / "reference"
ROOT = Path(os.environ.get("ORCHESTRION_REFERENCE", HERE)) / "metrics"
TPQ = 480


def cases(mark: str) -> list[Path]:
    """Folders whose functions.json has an entry of the kind: "pieces" (symbolic metrics) or "chord" (mir_eval)."""
    found = []
    for folder in sorted(ROOT.glob("*")):
        if (folder / "functions.json").exists():
            entries = functions(folder)
            kinds = {"pieces" if "muspy" in e else name for name, e in entries.items() if isinstance(e, dict)}
            if mark in kinds:
                found.append(folder)
    return found


def functions(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "functions.json").read_text())


def tolerance(folder: Path) -> float:
    about = json.loads((folder / "case.json").read_text())
    return float(re.findall(r"\d[\d.]*(?:e-?\d+)?", str(about["tolerance"]))[0])


def pieces(folder: Path) -> dict[str, dict[str, Any]]:
    """Name → entry of every piece."""
    return {name: entry for name, entry in functions(folder).items() if isinstance(entry, dict) and "muspy" in entry}


def score(entry: dict[str, Any]) -> symusic.Score:
    made = symusic.Score(TPQ)
    made.tempos.append(symusic.Tempo(0, entry["tempo"]))
    made.time_signatures.append(symusic.TimeSignature(0, *entry["time_signature"]))
    unit = TPQ // 4
    for name, program, drums, notes in entry["tracks_name_program_drum_notes_start_end_pitch_velocity"]:
        track = symusic.Track(name, program, drums)
        for start, end, pitch, velocity in notes:
            track.notes.append(symusic.Note(start * unit, (end - start) * unit, pitch, velocity))
        made.tracks.append(track)
    return made


def notes(entry: dict[str, Any], *, resolution: int | None = None, first_track: bool = False) -> Notes:
    found = Notes.from_score(score(entry), resolution=resolution)
    return found.select(found.track == 0) if first_track else found


def as_pretty_midi_reads(found: Notes) -> Notes:
    """A note that sounds while its pitch is struck again ends with it: the first end of a pitch ends all."""
    stop, second = found.stop.copy(), found.stop_second.copy()
    for i in range(len(found)):
        same = (found.pitch == found.pitch[i]) & (found.track == found.track[i]) & (found.stop > found.start[i])
        first = np.flatnonzero(same)[np.argmin(found.stop[same])]
        stop[i], second[i] = found.stop[first], found.stop_second[first]
    return replace(found, stop=stop, stop_second=second)


def as_midi_miner_hears(found: Notes, metre: tuple[int, int]) -> Notes:
    """Pitched notes at 4 steps a beat as in a piano roll of 100 frames a second whose steps are rounded to frames while
    notes are cut down to them: notes leak into neighbouring steps. The last beat is not heard, and a bar that is not
    whole ends with the beat before it. The beat is that of the metre, three of them in compound metres."""
    found = as_pretty_midi_reads(found).pitched
    compound = 3 if metre[0] % 3 == 0 and metre[0] != 3 else 1
    quarter = (found.stop_second - found.start_second).sum() / (found.stop - found.start).sum() * found.resolution
    # in these steps, as the rounding of floats decides whether a piece ends with a beat or after it
    tick = 60 / (6e7 / round(quarter * 1e6) * found.resolution)
    beat, beats = 60 / (60 / (tick * found.resolution) * metre[1] / 4 / compound), [0.0]
    while beats[-1] < found.stop.max() * tick:
        beats.append(beats[-1] + beat)
    end, bar = 4 * (len(beats) - 2), 4 * metre[0] // compound
    times = (np.array(beats[:-2])[:, None] + np.diff(beats[:-1])[:, None] / 4 * np.arange(4)).reshape(-1)
    borders = np.round(np.append(times, beats[-2]) * 100).astype(int)
    first, last = ((t * tick * 100).astype(int) for t in (found.start, found.stop))
    start = np.maximum(np.searchsorted(borders, first, side="right") - 1, 0)
    stop = np.minimum(np.searchsorted(borders, last, side="left"), end)
    bars = np.union1d(np.arange(0, end + 1, bar), [end])
    return replace(found, start=start, stop=stop, bars=bars, resolution=4).select(start < stop)
