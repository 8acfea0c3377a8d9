"""Crops of songs in memory and in files, across the joints of their clips."""

import numpy as np
import pytest

from orchestrion.data.held_clips import to_float
from orchestrion.data.piece import Piece
from orchestrion.data.song_crops import FileClip, HeldClip, SongCrops, grouped, recorded, song_of
from orchestrion.errors import InputError
from orchestrion.media.audio import Audio, read_audio, write_audio


def held(start, stop):
    return HeldClip(np.arange(start, stop, dtype=np.int16))


def test_a_song_is_read_across_its_clips():
    crops = SongCrops([[held(0, 10), held(10, 13), held(13, 30)], [held(0, 3)]], window=8)
    assert len(crops) == 1 and crops.left_out == 1 and crops.numbers == (0,)
    for start in range(30 - 8 + 1):
        expected = to_float(np.arange(start, start + 8, dtype=np.int16))
        assert (crops.at(0, start) == expected).all()
    assert crops.windows(0).shape == (3, 8)


def test_every_place_is_drawn_and_the_generator_decides():
    crops = SongCrops([[held(0, 10)]], window=8)
    rng = np.random.default_rng(0)
    firsts = {round(float(crops.crop(0, rng)[0]) * 32767) for _ in range(60)}
    assert firsts == {0, 1, 2}
    one, two = (SongCrops([[held(0, 999)]], window=8).crop(0, np.random.default_rng(4)) for _ in range(2))
    assert (one == two).all()


def test_too_short_songs():
    with pytest.raises(InputError, match="None of 2 recordings"):
        SongCrops([[held(0, 3)], [held(0, 4)]], window=5)


@pytest.mark.parametrize("rate", [16000, 22050])
def test_files_are_read_where_asked(tmp_path, rate):
    time = np.arange(3 * 22050) / 22050
    sound = np.stack([np.sin(2 * np.pi * 300 * time), np.sin(2 * np.pi * 500 * time)]).astype(np.float32) * 0.4
    path = write_audio(Audio(sound, 22050), tmp_path / "a.wav")
    whole = read_audio(path, rate=rate, mono=True).samples[0]
    clip = FileClip(path, rate)
    assert abs(clip.length - len(whole)) <= 1
    for start in (0, 7001, clip.length - 4000):
        found = clip.read(start, 4000)  # to half a sample
        np.testing.assert_allclose(found, whole[start : start + 4000], atol=0.04)
    assert (clip.read(clip.length - 10, 50)[20:] == 0).all()
    with pytest.raises(InputError, match="cannot be read as sound"):
        bad = tmp_path / "b.wav"
        bad.write_text("no sound")
        FileClip(bad, rate)


def test_songs_by_name():
    assert song_of("x/tune#3") == "x/tune"
    assert song_of("american_bach-11-a-88-117.mp3") == "american_bach-11-a"
    assert song_of("plain.wav") == "plain.wav"
    clips = [held(0, n) for n in (1, 2, 3)]
    songs = grouped(clips, ["a#0", "b#0", "a#1"], by_song=True)
    assert [[clip.length for clip in song] for song in songs] == [[1, 3], [2]]
    assert [len(song) for song in grouped(clips, ["a#0", "b#0", "a#1"], by_song=False)] == [1, 1, 1]


def test_pieces_with_recordings(tmp_path):
    sound = Audio(np.full((2, 4000), 0.5, np.float32), 8000)
    path = write_audio(sound, tmp_path / "a.wav")
    found = recorded([Piece("a", audio=str(path)), Piece("b"), Piece("c", audio=sound)], 8000)
    assert [name for name, _ in found] == ["a", "c"]
    assert all(clip.length == 4000 and abs(clip.read(10, 5) - 0.5).max() < 1e-3 for _, clip in found)
