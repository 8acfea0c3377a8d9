"""Standard MIDI Files, checked and put in order before a native parser sees them.

The native parser is quick but ends the whole process on some damaged files, and loses notes that are never released.
So the bytes are walked once here: everything that cannot be heard or is illegal is left out, all else is written anew
in a plain form (format 1.0 of the MIDI Manufacturers Association), which the native parser is then given.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict, deque
from dataclasses import dataclass

from orchestrion.errors import InputError

TEXTS = range(0x01, 0x0A)  # meta events that hold text
TEMPO, METRE, KEY, END = 0x51, 0x58, 0x59, 0x2F
LARGEST_METRE_POWER = 7  # beats of 1/128
LONGEST_TEXT = 4096
MOST_TRACKS = 1000
LAST_TICK = (1 << 31) - 1  # ticks are 32-bit numbers in the native parser
_DATA_BYTES = (2, 2, 2, 2, 1, 1, 2)  # of the channel messages 0x8n to 0xEn
_SYSTEM_BYTES = {0xF1: 1, 0xF2: 2, 0xF3: 1}  # not legal in files, harmless in those that have them
_SMALL = [bytes([n]) for n in range(128)]

Event = tuple[int, bytes]  # tick and message


@dataclass(frozen=True, slots=True)
class _Header:
    format: int
    tracks: int
    tpq: int
    mspq: int | None  # where the file counts in seconds: microseconds of the quarter that stands for them


class _Damaged(Exception):
    """The rest of the sentence "The file x …"."""


def plain_midi(data: bytes, name: str) -> bytes:
    """The same music as a type 1 file without running status, system messages and illegal events.

    Notes that are never released end where the same key is struck next, else at the end of their track. Files that
    count in frames a second (SMPTE) are counted in quarters of half a second, so that every event keeps its time.

    Args:
        name: of the file, for the sentence of an error.

    Raises:
        InputError: it is no MIDI file, is cut off or damaged, or is of type 2 with several songs.
    """
    try:
        header, chunks = _chunks(data)
        tracks = []
        for number, (chunk, whole) in enumerate(chunks, 1):
            tracks.append(_release(*_events(chunk, number, whole=whole), header.tpq))
    except _Damaged as damage:
        raise InputError(f"The file {name} {damage}.") from None
    if header.mspq is not None:
        tempo = (0, b"\xff\x51\x03" + header.mspq.to_bytes(3, "big"))
        tracks = [[event for event in track if not event[1].startswith(b"\xff\x51")] for track in tracks]
        tracks[0].insert(0, tempo)
    written = [_write_track(track) for track in tracks]
    start = b"MThd\0\0\0\6\0\1" + len(written).to_bytes(2, "big") + header.tpq.to_bytes(2, "big")
    return b"".join([start, *written])


def _chunks(data: bytes) -> tuple[_Header, list[tuple[bytes, bool]]]:
    """The header, and each track with whether all of it is there."""
    if data.startswith(b"RIFF") and data[8:12] == b"RMID":
        data = data[max(data.find(b"MThd"), 0) :]
    if not data.startswith(b"MThd"):
        raise _Damaged("is no MIDI file: it does not begin as one; give a .mid file or name it by what it is")
    if len(data) < 14:
        raise _Damaged("is cut off in its header; get it again")
    length = int.from_bytes(data[4:8], "big")
    kind, count, division = (int.from_bytes(data[at : at + 2], "big") for at in (8, 10, 12))
    header = _Header(kind, count, *_division(division))
    chunks, position = [], 8 + max(length, 6)
    while position + 8 <= len(data):
        size = int.from_bytes(data[position + 4 : position + 8], "big")
        if data[position : position + 4] == b"MTrk":
            chunks.append((data[position + 8 : position + 8 + size], position + 8 + size <= len(data)))
        position += 8 + size
    if not chunks:
        raise _Damaged("is a MIDI file without any track; get it again")
    if len(chunks) < count:
        raise _Damaged(f"is cut off: it should hold {count} tracks and ends after {len(chunks)}; get it again")
    if len(chunks) > MOST_TRACKS:
        raise _Damaged(f"has {len(chunks)} tracks, more than the {MOST_TRACKS} that are read; split it")
    if kind == 2 and len(chunks) > 1:
        raise _Damaged("is a MIDI file of type 2, a set of separate songs; save each song as a file of type 1")
    return header, chunks


def _division(division: int) -> tuple[int, int | None]:
    if division == 0:
        raise _Damaged("is a MIDI file with no ticks in a quarter note; save it again with another program")
    if division < 0x8000:
        return division, None
    frames, ticks = 256 - (division >> 8), division & 0xFF
    if frames not in (24, 25, 29, 30) or ticks == 0:
        raise _Damaged(f"counts {frames} frames of {ticks} ticks a second, which MIDI does not know; save it anew")
    slower = 1001 if frames == 29 else 1000  # "29" stands for 30000/1001 frames a second
    rate = (30 if frames == 29 else frames) * ticks
    return (rate // 2, 500 * slower) if rate % 2 == 0 else (rate, 1000 * slower)


def _events(chunk: bytes, number: int, *, whole: bool) -> tuple[list[Event], int, dict[int, deque[int]]]:
    """The events of a track, the tick of its end, and the onsets of the notes that are never released by key."""
    events: list[Event] = []
    held: dict[int, deque[int]] = defaultdict(deque)
    position = now = status = 0
    size = len(chunk)
    try:
        while position < size:
            byte = chunk[position]
            position += 1
            delta = byte & 0x7F
            while byte >= 0x80:
                byte = chunk[position]
                position += 1
                delta = delta << 7 | byte & 0x7F
            now += delta
            if now > LAST_TICK:
                raise _Damaged(f"is damaged: its track {number} goes on for more than {LAST_TICK} ticks; get it again")
            byte = chunk[position]
            if byte < 0xF0:
                if byte >= 0x80:
                    status = byte
                    position += 1
                elif not status:
                    raise _Damaged(f"is damaged: its track {number} begins with data of no event; get it again")
                first = chunk[position]
                position += 1
                if status & 0xE0 == 0xC0:  # program and channel pressure: one data byte
                    message = bytes((status, first))
                    second = 0
                else:
                    second = chunk[position]
                    position += 1
                    message = bytes((status, first, second))
                if (first | second) & 0x80:
                    raise _Damaged(f"is damaged: its track {number} breaks off within an event; get it again")
                if status < 0xA0:
                    key = (status & 0x0F) << 7 | first
                    if status >= 0x90 and second:
                        held[key].append(now)
                    elif held[key]:
                        held[key].popleft()
                    else:
                        continue  # a release without a note
                events.append((now, message))
            elif byte == 0xFF:
                kind = chunk[position + 1]
                length, position = _length(chunk, position + 2)
                content = chunk[position : position + length]
                if kind == END:
                    break
                if len(content) < length:
                    raise IndexError
                position += length
                if message := _meta(kind, content):
                    events.append((now, message))
            elif byte in (0xF0, 0xF7):
                length, position = _length(chunk, position + 1)
                position += length
                if position > size:
                    raise IndexError
            else:
                position += 1 + _SYSTEM_BYTES.get(byte, 0)
        else:
            if not whole:  # the end was neither reached nor said
                raise IndexError
    except IndexError:
        raise _Damaged(f"is cut off in the middle of its track {number}; get it again") from None
    return events, now, {key: onsets for key, onsets in held.items() if onsets}


def _length(chunk: bytes, position: int) -> tuple[int, int]:
    """A number of variable length and the position after it."""
    value = 0
    while True:
        byte = chunk[position]
        position += 1
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, position


def _meta(kind: int, content: bytes) -> bytes | None:
    """A meta event that is legal and of use, in full; else None."""
    if kind in TEXTS:
        return text_event(kind, decode(content))
    if kind == TEMPO and len(content) == 3 and any(content):
        return b"\xff\x51\x03" + content
    if kind == METRE and len(content) >= 2 and content[0] and content[1] <= LARGEST_METRE_POWER:
        return b"\xff\x58\x04" + (content + b"\x18\x08")[:4]
    if kind == KEY and len(content) == 2 and (content[0] <= 7 or content[0] >= 249) and content[1] <= 1:
        return b"\xff\x59\x02" + content
    return None


def decode(content: bytes) -> str:
    """Text of unknown coding: UTF-8 where it is that, else Latin-1."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def text_event(kind: int, text: str, *, most: int = LONGEST_TEXT) -> bytes:
    """A meta event with text in UTF-8, cut to `most` bytes."""
    content = text.replace("\0", " ").encode("utf-8", "replace")[:most].decode("utf-8", "ignore").encode()
    return bytes((0xFF, kind)) + number(len(content)) + content


def number(value: int) -> bytes:
    """A number of variable length."""
    if value < 128:
        return _SMALL[value]
    parts = [value & 0x7F]
    while value := value >> 7:
        parts.append(value & 0x7F | 0x80)
    return bytes(reversed(parts))


def _release(events: list[Event], end: int, held: dict[int, deque[int]], tpq: int) -> list[Event]:
    """The events with a release for every note that has none."""
    if not held:
        return events
    strikes: dict[int, list[int]] = {key: [] for key in held}
    for tick, message in events:
        if message[0] & 0xF0 == 0x90 and message[2] and (key := (message[0] & 0x0F) << 7 | message[1]) in strikes:
            strikes[key].append(tick)
    releases = []
    for key, onsets in held.items():
        for onset in onsets:
            following = bisect_right(strikes[key], onset)
            stop = strikes[key][following] if following < len(strikes[key]) else end if end > onset else onset + tpq
            releases.append((stop, bytes((0x80 | key >> 7, key & 0x7F, 64))))
    ordered = [(tick, 1, index, message) for index, (tick, message) in enumerate(events)]
    ordered += [(tick, 0, index, message) for index, (tick, message) in enumerate(releases)]
    return [(tick, message) for tick, _, _, message in sorted(ordered)]


def _write_track(events: list[Event]) -> bytes:
    parts = []
    before = 0
    for tick, message in events:
        parts.append(number(tick - before))
        parts.append(message)
        before = tick
    parts.append(b"\0\xff\x2f\0")
    body = b"".join(parts)
    return b"MTrk" + len(body).to_bytes(4, "big") + body
