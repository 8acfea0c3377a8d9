"""Engraves a score as sheet music, as SVG or PNG."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrion.errors import InputError, OptionError
from orchestrion.media.drum_staff import place_drums, ring_on
from orchestrion.media.files import atomic_write
from orchestrion.media.isolation import ParserFailed, ask
from orchestrion.media.musicxml import musicxml_bytes
from orchestrion.media.stage import track_names

if TYPE_CHECKING:
    from symusic.core import ScoreTick

SUFFIXES = (".svg", ".png")
PAGE_WIDTH, PAGE_HEIGHT = 2400, 3394  # tenths of a millimetre at full scale; the proportions of A4
SCALE = 40  # percent
MOST_NOTES = 60_000
LARGEST_PNG = 32_000  # pixels high
FONTS = ("STIXGeneral.ttf", "STIXGeneralBol.ttf", "STIXGeneralItalic.ttf", "DejaVuSerif.ttf", "DejaVuSerif-Bold.ttf")
# Metronome notes of the music font (SMuFL) → of any font, and how they are written in the drawing.
METRONOME_NOTES = {"\ueca3": "𝅗𝅥", "\ueca5": "♩", "\ueca7": "♪", "\uecb7": "."}
METRONOME = re.compile(r'<tspan font-family="\w+" font-size="\d+px">([\ueca3-\uecb7])</tspan>')
PAGE = re.compile(r'<svg viewBox="0 0 (\d+) (\d+)"')


def engrave(score: ScoreTick, path: str | Path, *, title: str | None = None, width: int = 1600) -> Path:
    """Engraves the tracks of a score that have notes, one staff each; all pages in one picture, one below the other.

    Args:
        path: .svg or .png.
        title: printed on top of the first page.
        width: of a PNG, in pixels.

    Raises:
        OptionError: the suffix is another, or the width is out of range.
        InputError: the score has no notes, or too many to be engraved.
        OutputError: the file cannot be written.
    """
    target = Path(path)
    if target.suffix.lower() not in SUFFIXES:
        raise OptionError(f"A sheet cannot be written as {target.suffix!r}; choose {' or '.join(SUFFIXES)}.")
    if not 200 <= width <= 8000:
        raise OptionError(f"A sheet cannot be {width} pixels wide; choose a width from 200 to 8000.")
    drawing = engraved_svg(score, title=title)
    content = drawing.encode() if target.suffix.lower() == ".svg" else _pixels(drawing, width)
    with atomic_write(target) as temporary:
        temporary.write_bytes(content)
    return target


def engraved_svg(score: ScoreTick, *, title: str | None = None) -> str:
    """The sheet as an SVG document. The same score gives the same text.

    Raises:
        InputError: the score has no notes, or too many to be engraved.
    """
    n_notes = sum(len(track.notes) for track in score.tracks)
    if not n_notes:
        raise InputError("The score has no notes, so there is nothing to engrave.")
    if n_notes > MOST_NOTES:
        raise InputError(f"The score has {n_notes} notes; {MOST_NOTES} are the most that is engraved, so cut it.")
    try:
        pages = ask("sheet", _styled(musicxml_bytes(_readable(score), title=title)))["pages"]
    except ParserFailed as error:
        raise InputError(f"The score cannot be engraved: {error}; engrave a part of it.") from error
    return _stacked(pages)


def _readable(score: ScoreTick) -> ScoreTick:
    """A copy with a name for each track and drum notes of readable length."""
    copy: Any = score.copy()
    tracks = [track for track in copy.tracks if len(track.notes)]
    for track, name in zip(tracks, track_names(tracks), strict=True):
        track.name = name
    ring_on(tracks, copy.ticks_per_quarter)
    return copy


def _styled(xml: bytes) -> str:
    """MusicXML with drum staves and a final bar line."""
    root = ET.fromstring(xml)
    place_drums(root)
    for part in root.iter("part"):
        bar_line = ET.SubElement(part.findall("measure")[-1], "barline", location="right")
        ET.SubElement(bar_line, "bar-style").text = "light-heavy"
    return ET.tostring(root, encoding="unicode")


def engraved_pages(text: str) -> dict[str, Any]:
    """Engraves a MusicXML text; runs in the process of the parsers.

    Returns:
        `pages`, one SVG document each.

    Raises:
        ValueError: verovio cannot read it.
    """
    import verovio

    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    toolkit.setOptions(
        {
            "pageWidth": PAGE_WIDTH,
            "pageHeight": PAGE_HEIGHT,
            "scale": SCALE,
            "adjustPageHeight": True,
            "breaks": "auto",
            "condense": "none",
            "footer": "none",
            "header": "auto",
            "svgFormatRaw": True,
            "svgViewBox": True,
            "smuflTextFont": "none",
            "xmlIdSeed": 1,
            "spacingSystem": 8,
        }
    )
    if not toolkit.loadData(text):
        raise ValueError("the engraver does not understand it")
    return {"pages": [toolkit.renderToSVG(number) for number in range(1, toolkit.getPageCount() + 1)]}


def _stacked(pages: list[str]) -> str:
    """One document on white paper with the pages below each other."""
    width = total = 0
    parts = []
    for page in pages:
        found = PAGE.match(page)
        if found is None:
            raise InputError("The score cannot be engraved: the engraver returned no picture; engrave a part of it.")
        wide, high = int(found[1]), int(found[2])
        placed = f'<svg y="{total}" width="{wide}" height="{high}" viewBox="0 0 {wide} {high}"{page[found.end() :]}'
        parts.append(METRONOME.sub(_metronome, placed))
        width, total = max(width, wide), total + high
    head = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" version="1.1" '
        f'width="{width}" height="{total}" viewBox="0 0 {width} {total}" color="black" font-family="Times, serif">'
    )
    return f'{head}<rect width="{width}" height="{total}" fill="white"/>{"".join(parts)}</svg>\n'


def _metronome(found: re.Match[str]) -> str:
    return (
        f'<tspan font-family="DejaVu Serif, serif" font-size="480px">{METRONOME_NOTES.get(found[1], found[1])}</tspan>'
    )


def _pixels(drawing: str, width: int) -> bytes:
    import matplotlib
    import resvg_py

    size = re.search(r'width="(\d+)" height="(\d+)"', drawing)
    if size and int(size[2]) * width / int(size[1]) > LARGEST_PNG:
        raise InputError("The sheet is too long for one PNG; choose .svg, a smaller width, or a part of the score.")
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    picture = resvg_py.svg_to_bytes(
        svg_string=drawing,
        width=width,
        background="white",
        skip_system_fonts=True,
        font_files=[str(folder / name) for name in FONTS],
        font_family="STIXGeneral",
        serif_family="STIXGeneral",
    )
    return bytes(picture)
