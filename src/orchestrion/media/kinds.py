"""What a file holds, told by its first bytes and not by its name."""

from __future__ import annotations

from pathlib import Path

SOUND_SUFFIXES = (
    ".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf", ".w64",
    ".rf64", ".m4a", ".aac", ".wma",
)  # fmt: skip
HEAD = 4096  # bytes that are looked at


def kind_of_file(path: Path) -> str:
    """ "sound", "video", "coded sound" (of a kind that needs a codec which does not ship: AAC, WMA), "score" (MIDI),
    "picture", "archive", "text", or "unknown". A file that cannot be opened is unknown."""
    try:
        with path.open("rb") as file:
            return kind_of_bytes(file.read(HEAD))
    except OSError:
        return "unknown"


def kind_of_bytes(head: bytes) -> str:
    """As `kind_of_file`, of the first bytes of a file."""
    if head[:4] in (b"RIFF", b"RIFX") and head[8:12] == b"AVI ":
        return "video"
    if head[:4] in (b"RIFF", b"RIFX", b"RF64") and head[8:12] == b"WAVE":
        return "sound"
    if head[4:8] == b"ftyp":
        return "coded sound" if head[8:11] in (b"M4A", b"M4B") else "video"
    if head[:4] in (b"fLaC", b".snd", b"caff", b"riff") or (head[:4] == b"FORM" and head[8:11] == b"AIF"):
        return "sound"
    if head[:4] == b"OggS":
        return "video" if b"\x80theora" in head[:256] else "sound"
    if head[:3] == b"ID3":
        return "sound"
    if head[:2] in (b"\xff\xf1", b"\xff\xf9"):
        return "coded sound"
    if len(head) > 2 and head[0] == 0xFF and head[1] & 0xE6 in (0xE2, 0xE4, 0xE6) and head[2] & 0xF0 != 0xF0:
        return "sound"  # a frame of MPEG audio
    if head[:4] in (b"\x1aE\xdf\xa3", b"FLV\x01", b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3"):
        return "video"
    if head[:1] == b"G" and len(head) > 376 and head[188] == head[376] == ord("G"):
        return "video"  # an MPEG transport stream
    if head[:16] == bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"):
        return "coded sound"
    if head[:4] == b"MThd" or (head[:4] == b"RIFF" and head[8:12] == b"RMID"):
        return "score"
    if head[:8] == b"\x89PNG\r\n\x1a\n" or head[:3] == b"\xff\xd8\xff" or head[:4] in (b"GIF8", b"%PDF"):
        return "picture"
    if head[:4] in (b"PK\x03\x04", b"Rar!", b"7z\xbc\xaf") or head[:2] == b"\x1f\x8b":
        return "archive"
    return "text" if head and _is_text(head) else "unknown"


def _is_text(head: bytes) -> bool:
    """Whether the bytes can be read as UTF-8 without control characters; the last character may be cut off."""
    if any(byte < 9 or (13 < byte < 32 and byte != 27) for byte in head):
        return False
    for end in range(len(head), max(len(head) - 4, 0), -1):
        try:
            head[:end].decode()
        except UnicodeDecodeError:
            continue
        return True
    return False
