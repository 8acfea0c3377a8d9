"""Scores as compact bytes: a header and, per track, columns of onsets, durations, pitches and velocities.

Columns of like values compress far better than MIDI's interleaved events, and they are read back without a loop over
notes.
"""

from __future__ import annotations

import struct
from math import gcd
from typing import Any

import numpy as np
import symusic
from symusic.core import ScoreTick

VERSION = 1


def pack(score: ScoreTick) -> bytes:
    """Bytes of a score in ticks: tempos, metres, key signatures, and all notes with track names, programs and drum
    flags.

    Controllers, pedals, pitch bends, lyrics and markers are not kept.
    """
    tables = [t.notes.numpy() for t in score.tracks]
    unit = score.tpq
    for table in tables:
        for column in ("time", "duration"):
            if len(table[column]):
                unit = gcd(unit, int(np.gcd.reduce(table[column])))
    for event in (*score.tempos, *score.time_signatures, *score.key_signatures):
        unit = gcd(unit, event.time)
    unit = max(unit, 1)
    head = struct.pack("<BHH4B", VERSION, score.tpq, unit, len(score.tempos), len(score.time_signatures),
                       len(score.key_signatures), len(score.tracks))  # fmt: skip
    out = [head]
    out += [struct.pack("<If", t.time // unit, t.qpm) for t in score.tempos]
    out += [struct.pack("<IBB", t.time // unit, t.numerator, t.denominator) for t in score.time_signatures]
    out += [struct.pack("<Ibb", t.time // unit, t.key, t.tonality) for t in score.key_signatures]
    for track, table in zip(score.tracks, tables, strict=True):
        name = track.name.encode()[:255]
        count = len(table["time"])
        order = np.lexsort((table["pitch"], table["time"]))
        times = np.asarray(table["time"])[order] // unit
        deltas = np.diff(times, prepend=0)
        lengths = np.asarray(table["duration"])[order] // unit
        wide = 4 if count and max(deltas.max(), lengths.max()) > 65535 else 2
        out.append(struct.pack("<BBBBI", len(name), track.program, track.is_drum, wide, count) + name)
        for column in (deltas, lengths):
            out.append(column.astype(f"<u{wide}").tobytes())
        for column in ("pitch", "velocity"):
            out.append(np.asarray(table[column])[order].astype(np.uint8).tobytes())
    return b"".join(out)


def unpack(data: bytes) -> ScoreTick:
    """The score written by `pack`.

    Raises:
        ValueError: the bytes are of another version or end early.
    """
    try:
        version, tpq, unit, tempos, metres, keys, tracks = struct.unpack_from("<BHH4B", data)
        if version != VERSION:
            raise ValueError(f"packed score has version {version}; this program reads {VERSION}")
        at = struct.calcsize("<BHH4B")
        score: Any = symusic.Score(tpq)
        for _ in range(tempos):
            time, qpm = struct.unpack_from("<If", data, at)
            score.tempos.append(symusic.Tempo(time * unit, qpm))
            at += 8
        for _ in range(metres):
            time, numerator, denominator = struct.unpack_from("<IBB", data, at)
            score.time_signatures.append(symusic.TimeSignature(time * unit, numerator, denominator))
            at += 6
        for _ in range(keys):
            time, key, tonality = struct.unpack_from("<Ibb", data, at)
            score.key_signatures.append(symusic.KeySignature(time * unit, key, tonality))
            at += 6
        for _ in range(tracks):
            length, program, drums, wide, count = struct.unpack_from("<BBBBI", data, at)
            at += 8
            name = data[at : at + length].decode()
            at += length
            columns = []
            if at + count * (2 * wide + 2) > len(data):
                raise struct.error
            for dtype in (f"<u{wide}", f"<u{wide}", "u1", "u1"):
                column = np.frombuffer(data, dtype, count, at)
                columns.append(column.astype(np.int32 if dtype[0] == "<" else np.int8))
                at += column.nbytes
            track: Any = symusic.Track(name, program, bool(drums))
            track.notes = symusic.Note.from_numpy(
                (np.cumsum(columns[0]) * unit).astype(np.int32), columns[1] * np.int32(unit), columns[2], columns[3]
            )
            score.tracks.append(track)
    except struct.error as error:
        raise ValueError("packed score ends early") from error
    return score
