"""Sheets hold every note, are the same each time, and refuse what cannot be engraved."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from matplotlib.image import imread
from symusic import Note, Score, Tempo, TimeSignature, Track

from orchestrion.errors import InputError, OptionError
from orchestrion.media.drum_staff import place_drums, ring_on
from orchestrion.media.sheet import engrave


def waltz(n_bars: int = 4, *, drums: bool = False) -> Score:
    score = Score(480)
    score.tempos.append(Tempo(0, 90))
    score.time_signatures.append(TimeSignature(0, 3, 4))
    flute = Track(program=73)
    for beat in range(3 * n_bars):
        flute.notes.append(Note(beat * 480, 480, 72 + beat % 5, 90))
    score.tracks.append(flute)
    if drums:
        kit = Track(is_drum=True)
        for beat in range(3 * n_bars):
            kit.notes.append(Note(beat * 480, 30, 42 if beat % 3 else 36, 90))
        score.tracks.append(kit)
    return score


def heads(path) -> int:
    return sum(element.get("class") == "notehead" for element in ET.parse(path).iter())


def test_every_note_is_on_the_sheet(tmp_path):
    path = engrave(waltz(), tmp_path / "sheet.svg", title="A waltz & <more>")
    assert heads(path) == 12
    text = path.read_text(encoding="utf-8")
    assert "A waltz &amp; &lt;more&gt;" in text
    assert "Flute" in text
    assert "♩" in text
    assert "\ueca5" not in text  # of a font that readers do not have


def test_drums_stand_on_their_staff(tmp_path):
    assert heads(engrave(waltz(drums=True), tmp_path / "sheet.svg")) == 24
    root = ET.fromstring(
        "<s><part><measure><attributes><clef><sign>percussion</sign></clef></attributes><note><pitch><step>F</step>"
        "<alter>1</alter><octave>2</octave></pitch><type>eighth</type><accidental>sharp</accidental></note>"
        "</measure></part></s>"
    )
    place_drums(root)
    assert root.findtext(".//display-step") == "G"
    assert root.findtext(".//display-octave") == "5"
    assert root.findtext(".//notehead") == "x"
    assert root.find(".//accidental") is None
    assert root.find(".//pitch") is None


def test_drums_ring_until_the_next_stroke_or_quarter():
    kit, flute = Track(is_drum=True), Track()
    for time in (0, 240, 1000):
        kit.notes.append(Note(time, 10, 42, 90))
        flute.notes.append(Note(time, 10, 72, 90))
    ring_on([kit, flute], 480)
    assert [note.duration for note in kit.notes] == [240, 240, 440]
    assert [note.duration for note in flute.notes] == [10, 10, 10]


def test_the_same_score_is_the_same_file(tmp_path):
    first = engrave(waltz(), tmp_path / "a.svg").read_bytes()
    engrave(waltz(8), tmp_path / "between.svg")
    assert engrave(waltz(), tmp_path / "b.svg").read_bytes() == first


def test_a_score_of_many_pages_is_one_picture(tmp_path):
    root = ET.parse(engrave(waltz(200), tmp_path / "long.svg")).getroot()
    pages = [child for child in root if child.tag.endswith("svg")]
    assert len(pages) > 1
    assert sum(int(page.get("height", "0")) for page in pages) == int(root.get("height", "0"))


def test_png(tmp_path):
    pixels = imread(engrave(waltz(), tmp_path / "sheet.png", width=800))
    assert pixels.shape[1] == 800
    dark = (pixels[..., :3].max(axis=-1) < 0.4).mean()
    assert 0.002 < dark < 0.3
    assert np.all(pixels[0, 0, :3] == 1)  # white paper


def test_what_cannot_be_engraved(tmp_path):
    with pytest.raises(InputError, match="no notes"):
        engrave(Score(480), tmp_path / "x.svg")
    with pytest.raises(OptionError, match=r"\.pdf"):
        engrave(waltz(), tmp_path / "x.pdf")
    with pytest.raises(OptionError, match="pixels"):
        engrave(waltz(), tmp_path / "x.png", width=20)
    crowd = Score(480)
    crowd.tracks.append(Track())
    for number in range(60_001):
        crowd.tracks[0].notes.append(Note(number, 1, 60, 90))
    with pytest.raises(InputError, match="60001"):
        engrave(crowd, tmp_path / "x.svg")
    assert not list(tmp_path.iterdir())
