"""What kind of score a file holds, and its text, made safe before any parser reads it."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from fractions import Fraction
from io import BytesIO
from pathlib import PurePosixPath
from xml.parsers import expat

from orchestrion.errors import InputError

MOST_TEXT = 64 << 20  # bytes of an unpacked sheet
MOST_MEMBERS = 1000  # files in a compressed sheet
KNOWN = ".mid, .midi, .musicxml, .xml, .mxl, .abc, .krn"
_CODINGS = {"utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin-1", "latin1", "windows-1252", "cp1252", "utf-16"}
_SUFFIXES = {".mid": "MIDI", ".midi": "MIDI", ".musicxml": "MusicXML", ".mxl": "MusicXML", ".xml": "MusicXML",
             ".abc": "ABC", ".krn": "kern"}  # fmt: skip


def kind_of(data: bytes, name: str) -> str:
    """ "midi", "mxl", "musicxml", "kern" or "abc", by the content; the suffix only words the error.

    Raises:
        InputError: it is none of them.
    """
    if data.startswith(b"MThd") or (data.startswith(b"RIFF") and data[8:12] == b"RMID"):
        return "midi"
    if data.startswith(b"PK\3\4"):
        return "mxl"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        start = data[:4096].decode("utf-16", "replace").lstrip()
    else:
        start = data[:65536].decode("latin-1").removeprefix("\xef\xbb\xbf").lstrip()
    if start.startswith("<"):
        return "musicxml"
    if re.search(r"^\*\*kern\b|\t\*\*kern\b", start, re.MULTILINE):
        return "kern"
    if re.search(r"^X:\s*\d", start, re.MULTILINE):
        return "abc"
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in _SUFFIXES:
        raise InputError(f"The file {name} holds no {_SUFFIXES[suffix]}, though its name says so; get it again.")
    raise InputError(f"The file {name} is no score that can be read; known are {KNOWN}.")


def xml_text(data: bytes, name: str) -> str:
    """A MusicXML file as text without document type, which no parser needs.

    Raises:
        InputError: it declares entities, is cut off or otherwise not well formed, is in an unknown coding, or is no
            MusicXML.
    """
    text = _decode_xml(data, name)
    if re.search(r"<!ENTITY", text, re.IGNORECASE) or re.search(r"<!DOCTYPE[^>]*\[", text, re.IGNORECASE):
        raise InputError(f"The file {name} declares XML entities, which can be harmful; save it again without them.")
    text = re.sub(r"<!DOCTYPE[^>]*>", "", text, count=1, flags=re.IGNORECASE)
    try:
        expat.ParserCreate("utf-8").Parse(text.encode(), True)
    except (expat.ExpatError, UnicodeEncodeError) as error:
        raise InputError(f"The file {name} is damaged XML ({error}); get it again.") from error
    root = re.search(r"<([A-Za-z][\w.-]*)", re.sub(r"<!--.*?-->", "", text[:65536], flags=re.DOTALL))
    found = root[1] if root else "nothing"
    if found == "score-timewise":
        raise InputError(f"The file {name} is MusicXML ordered by time; save it ordered by parts (score-partwise).")
    if found != "score-partwise":
        raise InputError(f"The file {name} is no MusicXML score: its root is {found[:40]}, not score-partwise.")
    return text


def _decode_xml(data: bytes, name: str) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        coding = "utf-16"
    else:
        declared = re.match(rb"\s*<\?xml[^>]*?encoding\s*=\s*[\"']([\w.:-]+)", data.removeprefix(b"\xef\xbb\xbf"))
        coding = declared[1].decode("ascii").lower() if declared else "utf-8"
        if coding not in _CODINGS:
            raise InputError(f"The file {name} is in the coding {coding}, which is not read; save it in UTF-8.")
    try:
        text = data.decode("utf-8-sig" if coding in ("utf-8", "utf8") else coding)
    except UnicodeError as error:
        raise InputError(f"The file {name} is not in the coding {coding} that it names; save it in UTF-8.") from error
    return re.sub(r"^\s*<\?xml.*?\?>", '<?xml version="1.0" encoding="UTF-8"?>', text, count=1, flags=re.DOTALL)


def unpack_mxl(data: bytes, name: str) -> bytes:
    """The score inside a compressed MusicXML file; nothing is unpacked to disk, and no more than is allowed.

    Raises:
        InputError: it is damaged, holds no score, or unpacks to too much.
    """
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            if len(members) > MOST_MEMBERS:
                raise InputError(f"The file {name} packs {len(members)} files, too many for a score; get it again.")
            by_name = {member.filename: member for member in members}
            chosen = None
            if "META-INF/container.xml" in by_name:
                container = _member(archive, by_name["META-INF/container.xml"], name).decode("utf-8", "replace")
                path = re.search(r"<rootfile\b[^>]*\bfull-path\s*=\s*[\"']([^\"']+)", container)
                chosen = by_name.get(path[1]) if path else None
            scores = [
                m
                for m in members
                if m.filename.lower().endswith((".xml", ".musicxml")) and "META-INF" not in m.filename
            ]
            chosen = chosen or next(iter(scores), None)
            if chosen is None:
                raise InputError(
                    f"The file {name} is a packed file without a score; give a .mxl, .musicxml or .mid file."
                )
            return _member(archive, chosen, name)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise InputError(
            f"The file {name} is a damaged packed score ({str(error).rstrip('.')}); get it again."
        ) from error


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> bytes:
    with archive.open(member) as file:
        content = file.read(MOST_TEXT + 1)
    if len(content) > MOST_TEXT:
        raise InputError(f"The file {name} unpacks to more than {MOST_TEXT >> 20} MiB; give a smaller score.")
    return content


def plain_text(data: bytes) -> str:
    """Text in UTF-8, UTF-16 with its mark, or else Latin-1, with plain line ends and without zero characters."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = data.decode("utf-16", "replace")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", " ")


def split_tunes(text: str) -> Iterator[str]:
    """The tunes of an ABC file, each with the head of the file before it; instructions to read other files are left
    out."""
    text = re.sub(r"^(?:%%|I:)\s*abc-include.*$", "%", text, flags=re.MULTILINE | re.IGNORECASE)
    starts = [match.start() for match in re.finditer(r"^X:", text, re.MULTILINE)]
    head = "".join(line + "\n" for line in text[: starts[0]].split("\n") if re.match(r"[A-Za-z]:|%%", line))
    for start, stop in zip(starts, [*starts[1:], len(text)], strict=True):
        number, _, rest = text[start:stop].rstrip("\n").partition("\n")
        yield f"{number}\n{head}{rest}\n"


_ABC = re.compile(
    r"""\[[A-Za-z]:[^\]]*\]|\{[^}]*\}|"[^"]*"|![^!]*!|\+[^+\s]*\+   # inline fields, grace notes, words, decorations
    |\((?P<p>[2-9])(?::(?P<q>\d?))?(?::(?P<r>\d?))?
    |(?:\[[^\]|:]+\]|[=_^]*[A-Ga-gzx][,']*)(?P<length>\d*/*\d*)(?P<broken>[<>]*)
    |(?P<bar>[|:\]]+)""",
    re.VERBOSE,
)


def abc_pickup(tune: str) -> Fraction:
    """Quarters before the first bar line of a tune; 0 where the first bar is full or the metre is free."""
    fields: dict[str, str] = dict(re.findall(r"^([MLK]):[ \t]*(.*?)[ \t]*(?:%.*)?$", tune, re.MULTILINE)[::-1])
    written = fields.get("M", "C")
    parts = re.fullmatch(r"\(?([\d+]+)\)?/(\d+)", {"C": "4/4", "C|": "2/2"}.get(written, written))
    if not parts or not int(parts[2]):
        return Fraction(0)
    bar = Fraction(sum(int(n) for n in parts[1].split("+") if n), int(parts[2]))
    unit = re.fullmatch(r"(\d+)/(\d+)", fields.get("L", ""))
    length = (
        Fraction(int(unit[1]), int(unit[2]))
        if unit and int(unit[2])
        else Fraction(1, 8 if bar >= Fraction(3, 4) else 16)
    )
    key = re.search(r"^K:.*$", tune, re.MULTILINE)
    body = tune[key.end() :] if key else ""
    body = re.sub(r"^[A-Za-z]:.*$|%.*$", "", body, flags=re.MULTILINE)
    total = Fraction(0)
    scale, left, following = Fraction(1), 0, Fraction(1)
    for token in _ABC.finditer(body):
        if token["p"]:
            p = int(token["p"])
            scale = Fraction(int(token["q"] or {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}.get(p, 2)), p)
            left = int(token["r"] or p)
        elif token["length"] is not None:
            if total * length >= bar:
                return Fraction(0)
            share = following
            following = Fraction(1)
            if token["broken"]:
                shorter = Fraction(1, 2 ** len(token["broken"]))
                own = 2 - shorter if token["broken"][0] == ">" else shorter
                share, following = share * own, 2 - own
            total += _length(token["length"]) * share * (scale if left else 1)
            left = max(left - 1, 0)
        elif token["bar"] and total:
            return 4 * total * length if total * length < bar else Fraction(0)
    return Fraction(0)


def _length(text: str) -> Fraction:
    """A length of ABC: "3", "/", "//", "3/2"."""
    above, _, below = text.partition("/")
    value = Fraction(int(above or 1))
    if "/" not in text:
        return value
    digits = below.lstrip("/")
    divisor = int(digits) if digits else 2 ** (len(below) + 1)
    return value / divisor if divisor else value
