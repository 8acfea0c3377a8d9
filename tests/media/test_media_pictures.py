"""Pictures show what is in the music, are the same each time, and bear odd scores and titles."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.image import imread
from symusic import Note, Score, TimeSignature, Track

from orchestrion.errors import OptionError
from orchestrion.media.audio import Audio
from orchestrion.media.piano_roll import COLOURS, draw_before_after
from orchestrion.media.pictures import draw_piano_roll, draw_spectrogram
from orchestrion.media.spectrogram import mel_decibels


def two_tracks(*, drums: bool = True) -> Score:
    score = Score(480)
    flute, bass = Track(program=73, name="Flute & <co>"), Track(program=33)
    for step in range(8):
        flute.notes.append(Note(step * 480, 400, 72 + step, 110))
        bass.notes.append(Note(step * 480, 400, 36, 110))
    score.tracks.append(flute)
    score.tracks.append(bass)
    if drums:
        kit = Track(is_drum=True)
        kit.notes.append(Note(0, 60, 38, 100))
        score.tracks.append(kit)
    return score


def has_colour(path, colour: str) -> bool:
    pixels = imread(path)[..., :3]
    return bool((np.abs(pixels - np.array(to_rgb(colour))).max(axis=-1) < 0.03).any())


def test_each_track_has_its_colour(tmp_path):
    path = draw_piano_roll(two_tracks(), tmp_path / "roll.png")
    assert has_colour(path, COLOURS[0])
    assert has_colour(path, COLOURS[1])
    assert not has_colour(path, COLOURS[3])


def test_names_bars_chords_and_title_are_written(tmp_path):
    chords = [(0, 4, "Dm7"), (4, 8, "G7")]
    path = draw_piano_roll(two_tracks(), tmp_path / "roll.svg", title="costs $5 and $6", chords=chords)
    text = path.read_text(encoding="utf-8")
    for written in ("Flute &amp; &lt;co&gt;", "Electric Bass (finger)", "Snare", "Dm7", "G7", "costs", "Bar"):
        assert f"<!-- {written}" in text
    assert "Dm7" not in draw_piano_roll(two_tracks(), tmp_path / "bare.svg").read_text(encoding="utf-8")


def test_the_same_picture_is_the_same_file(tmp_path):
    for suffix in (".png", ".svg"):
        first, second = (draw_piano_roll(two_tracks(), tmp_path / f"{name}{suffix}") for name in "ab")
        assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("title", ["", "$\\frac{", "🎵" * 50, "line\nbreak\0", "x" * 5000])
def test_odd_titles(tmp_path, title):
    assert draw_piano_roll(two_tracks(drums=False), tmp_path / "roll.png", title=title, dpi=40).stat().st_size > 1000


def test_odd_scores(tmp_path):
    empty = draw_piano_roll(Score(480), tmp_path / "empty.png", dpi=40)
    assert not has_colour(empty, COLOURS[0])
    crowded = Score(480)
    crowded.time_signatures.append(TimeSignature(0, 1, 64))  # thousands of bars
    for number in range(40):
        track = Track(program=number, name=f"Part {number}")
        track.notes.append(Note(number * 4800, 0, number * 3, 1))
        crowded.tracks.append(track)
    assert draw_piano_roll(crowded, tmp_path / "crowded.png", dpi=40).stat().st_size > 1000


def test_a_tone_lies_in_its_band(tmp_path):
    rate = 16000
    sound = Audio(np.sin(2 * np.pi * 1000 * np.arange(rate) / rate).astype(np.float32)[None], rate)
    decibels, edges = mel_decibels(sound, n_mels=64)
    band = int(decibels[:, decibels.shape[1] // 2].argmax())
    assert edges[band] < 1000 < edges[band + 2]
    assert decibels.max() == 0
    assert decibels[-1].max() < -60
    assert draw_spectrogram(sound, tmp_path / "tone.png", title="A tone").stat().st_size > 1000


def test_silence_and_the_shortest_sound(tmp_path):
    for n_samples in (0, 1, 3000):
        sound = Audio(np.zeros((2, n_samples), np.float32), 44100)
        assert (mel_decibels(sound)[0] == -80).all()
        draw_spectrogram(sound, tmp_path / "silence.png", dpi=40)


def test_unknown_suffixes_are_refused(tmp_path):
    with pytest.raises(OptionError, match=r"\.bmp"):
        draw_piano_roll(two_tracks(), tmp_path / "x.bmp")
    with pytest.raises(OptionError, match="''"):
        draw_spectrogram(Audio(np.zeros((1, 10), np.float32), 8000), tmp_path / "x")


def test_a_track_has_one_colour_before_and_after(tmp_path):
    def score(*names):
        made = Score(480)
        for name in names:
            track = Track(name, 0, False)
            track.notes.append(Note(0, 480, 60, 60))
            made.tracks.append(track)
        return made

    path = draw_before_after(score("flute", "viola"), score("viola", "new"), tmp_path / "both.svg")
    patches = [path.read_text().count(f"fill: {colour}") for colour in COLOURS[:4]]
    assert patches == [1, 2, 1, 0]  # in the legends: the flute before, the viola in both, the new one after
