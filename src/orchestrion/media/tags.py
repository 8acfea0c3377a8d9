"""Tags inside sound files, the same bytes each time: title, comment, software and the like.

The library that writes sound files drops long tags of WAV files and gives each Ogg file a random number. So the tags of
WAV are written here (RIFF 1.0, chunk LIST/INFO), and the number of Ogg (RFC 3533, section 6) is made from the content.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

# Names of tags and their RIFF codes.
INFO = {
    "title": b"INAM",
    "artist": b"IART",
    "album": b"IPRD",
    "comment": b"ICMT",
    "copyright": b"ICOP",
    "software": b"ISFT",
    "date": b"ICRD",
    "genre": b"IGNR",
}
TAGS = tuple(INFO)
LARGEST_CHUNK = 1 << 20  # bytes


def append_wav_tags(path: Path, tags: Mapping[str, str]) -> None:
    """Appends a chunk of tags to a WAV file."""
    body = b"INFO"
    for name, value in tags.items():
        text = value.encode("utf-8") + b"\0"
        body += INFO[name] + len(text).to_bytes(4, "little") + text + b"\0" * (len(text) % 2)
    with path.open("r+b") as file:
        end = file.seek(0, 2)
        file.write(b"\0" * (end % 2) + b"LIST" + len(body).to_bytes(4, "little") + body)
        length = file.tell() - 8
        file.seek(4)
        file.write(length.to_bytes(4, "little"))


def read_wav_tags(path: Path) -> dict[str, str]:
    """The tags of a WAV file; none where it is not one."""
    names = {code: name for name, code in INFO.items()}
    with path.open("rb") as file:
        if file.read(4) != b"RIFF" or file.read(8)[4:] != b"WAVE":
            return {}
        for kind, size in _chunks(file):
            if kind == b"LIST" and size <= LARGEST_CHUNK and (body := file.read(size))[:4] == b"INFO":
                return {names[code]: text for code, text in _texts(body[4:]) if code in names}
    return {}


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    end = file.seek(0, 2)
    at = 12
    while at + 8 <= end:
        file.seek(at)
        kind, size = file.read(4), int.from_bytes(file.read(4), "little")
        yield kind, size
        at += 8 + size + size % 2


def _texts(body: bytes) -> Iterator[tuple[bytes, str]]:
    at = 0
    while at + 8 <= len(body):
        size = int.from_bytes(body[at + 4 : at + 8], "little")
        yield body[at : at + 4], body[at + 8 : at + 8 + size].rstrip(b"\0").decode("utf-8", "replace")
        at += 8 + size + size % 2


def settle_ogg_serial(path: Path) -> None:
    """Replaces the random serial number of a single Ogg stream by one made from its content, and mends the sums."""
    data = bytearray(path.read_bytes())
    pages = list(_pages(data))
    for start, _ in pages:
        data[start + 14 : start + 18] = b"\0" * 4
        data[start + 22 : start + 26] = b"\0" * 4
    serial = zlib.crc32(data).to_bytes(4, "little")
    for start, end in pages:
        data[start + 14 : start + 18] = serial
        data[start + 22 : start + 26] = ogg_checksum(data[start:end]).to_bytes(4, "little")
    path.write_bytes(data)


def _pages(data: bytearray) -> Iterator[tuple[int, int]]:
    at = 0
    while data[at : at + 4] == b"OggS":
        segments = data[at + 26]
        end = at + 27 + segments + sum(data[at + 27 : at + 27 + segments])
        yield at, end
        at = end


# Ogg's sum has the polynomial of zlib's CRC-32 but takes the bits of each byte from the other side, begins with 0 and
# is not inverted at the end. Both are linear, so it is zlib's, with the bits of all bytes turned round.
_TURNED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def ogg_checksum(page: bytes | bytearray) -> int:
    """The checksum of an Ogg page whose own field of it is zero."""
    turned = zlib.crc32(bytes(page).translate(_TURNED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{turned:032b}"[::-1], 2)
