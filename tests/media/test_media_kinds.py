"""Files that are offered as sound: told by what they hold, refused in one sentence, or read as far as they go."""

from __future__ import annotations

import numpy as np
import pytest

from orchestrion.errors import InputError
from orchestrion.media.audio import Audio, read_audio, write_audio
from orchestrion.media.audio_blocks import audio_blocks
from orchestrion.media.kinds import kind_of_bytes
from orchestrion.media.loudness import loudness
from orchestrion.media.loudness_meter import LoudnessMeter
from orchestrion.media.sound_map import draw_sound_map

MP4 = b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41" + bytes(200)
FILES = {
    "film.mp4": (MP4, "is a video"),
    "film.wav": (MP4, "is a video"),
    "film.mkv": (b"\x1aE\xdf\xa3" + bytes(100), "is a video"),
    "film.avi": (b"RIFF\x00\x01\x00\x00AVI LIST" + bytes(100), "is a video"),
    "film.ts": ((b"G" + bytes(187)) * 3, "is a video"),
    "song.m4a": (b"\x00\x00\x00\x20ftypM4A " + bytes(100), "AAC"),
    "song.aac": (b"\xff\xf1\x50\x80" + bytes(100), "AAC"),
    "text.wav": ("A tune, written down: ré mi.\n".encode() * 40, "holds text"),
    "notes.wav": (b"MThd\x00\x00\x00\x06\x00\x01\x00\x01\x01\xe0", "holds notes"),
    "picture.mp3": (b"\x89PNG\r\n\x1a\n" + bytes(64), "is a picture"),
    "packed.flac": (b"PK\x03\x04" + bytes(64), "is an archive"),
    "noise.ogg": (bytes((i * 197 + 31) % 256 for i in range(3000)), "cannot be read as sound"),
    "header.wav": (b"RIFF\xff\xff\xff\x7fWAVEfmt \x10\x00\x00\x00\x01\x00\x02\x00", "cannot be read as sound"),
    "empty.wav": (b"", "is empty"),
}


@pytest.mark.parametrize("name", FILES)
def test_what_is_no_sound_is_told_by_what_it_is(tmp_path, name: str) -> None:
    content, sentence = FILES[name]
    (tmp_path / name).write_bytes(content)
    for read in (read_audio, lambda path: list(audio_blocks(path))):
        with pytest.raises(InputError, match=sentence) as caught:
            read(tmp_path / name)
        assert str(caught.value).count("\n") == 0 and name in str(caught.value)


def test_sound_is_told_by_its_first_bytes(tmp_path) -> None:
    audio = Audio(np.zeros((1, 4000), np.float32) + 0.1, 16000)
    for suffix in (".wav", ".flac", ".ogg", ".mp3"):
        path = write_audio(audio, tmp_path / f"sound{suffix}")
        assert kind_of_bytes(path.read_bytes()[:4096]) == "sound"
    assert kind_of_bytes("only wörds".encode()[:7]) == "text"  # cut in the middle of a letter
    assert kind_of_bytes(b"") == "unknown"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers(tmp_path, value: float) -> None:
    import soundfile

    samples = np.zeros((1000, 2), np.float32)
    samples[500, 1] = value
    soundfile.write(tmp_path / "bad.wav", samples, 8000, subtype="FLOAT")
    for mono in (False, True):
        with pytest.raises(InputError, match="no numbers"):
            read_audio(tmp_path / "bad.wav", mono=mono)


def test_a_cut_off_mp3_gives_what_is_there(tmp_path) -> None:
    time = np.arange(3 * 44100) / 44100
    path = write_audio(Audio(np.sin(2 * np.pi * 440 * time, dtype=np.float32)[None], 44100), tmp_path / "song.mp3")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert 1.0 < read_audio(path).seconds < 2.5


def test_mono_is_mixed_while_reading(tmp_path) -> None:
    samples = np.random.default_rng(0).uniform(-1, 1, (3, 70_000)).astype(np.float32)
    import soundfile

    soundfile.write(tmp_path / "three.wav", samples.T, 8000, subtype="FLOAT")
    np.testing.assert_allclose(read_audio(tmp_path / "three.wav", mono=True).samples[0], samples.mean(0), atol=1e-6)


@pytest.mark.parametrize("rate", [8000, 44100])
@pytest.mark.parametrize("seconds", [0.1, 0.7, 6.3])
def test_the_meter_equals_the_whole(rate: int, seconds: float) -> None:
    rng = np.random.default_rng(1)
    samples = (0.1 * rng.normal(size=(2, round(seconds * rate)))).astype(np.float32)
    samples[:, : len(samples[0]) // 3] *= 0.01  # gated
    meter = LoudnessMeter(rate, 2)
    for part in np.array_split(samples, [1, 1700, 1701], axis=1):
        meter.add(part)
    assert meter.loudness == pytest.approx(loudness(samples, rate), abs=0.02)
    assert meter.peak == pytest.approx(np.abs(samples).max())


def test_the_meter_of_silence_and_of_many_channels() -> None:
    meter = LoudnessMeter(8000, 8)
    meter.add(np.zeros((8, 8000), np.float32))
    assert meter.loudness == -np.inf and meter.peak == 0
    empty = LoudnessMeter(8000, 1)
    assert empty.loudness == -np.inf


@pytest.mark.parametrize("seconds", [1 / 8000, 3.0, 700.0])
def test_a_map_of_any_length(tmp_path, seconds: float) -> None:
    wave = np.sin(np.arange(max(round(seconds * 8000), 1)), dtype=np.float32)[None]
    chords = [(0.0, seconds / 2, "C"), (seconds / 2, seconds, "A$m7")]
    beats = np.arange(0, seconds, 0.5).tolist()
    first = draw_sound_map(
        Audio(wave, 8000), tmp_path / "a.png", beats=beats, downbeats=beats[::4], chords=chords,
        sections=[(0.0, seconds / 2, "A"), (seconds / 2, seconds, "B")], title="A song_1",
    )  # fmt: skip
    plain = draw_sound_map(Audio(wave, 8000), tmp_path / "b.png")
    assert first.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    if seconds == 3.0:
        assert first.read_bytes() != plain.read_bytes()
        again = draw_sound_map(Audio(wave, 8000), tmp_path / "c.png")
        assert again.read_bytes() == plain.read_bytes()
