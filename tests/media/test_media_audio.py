"""Sound files: what is written comes back, the same bytes each time, and damaged files get a sentence."""

from __future__ import annotations

import errno
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrion.errors import InputError, OptionError, OutputError
from orchestrion.media.audio import FORMATS, Audio, read_audio, read_metadata, write_audio
from orchestrion.media.provenance import Provenance
from orchestrion.media.tags import ogg_checksum

RATE = 22050
RECORD = Provenance("getmusic", "ab" * 32, "a slow wältz " * 300, 7, "CC0-1.0", "0.1.0", {"n": 1})


def tone(hertz: float = 440.0, seconds: float = 0.3, rate: int = RATE) -> Audio:
    left = 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)
    return Audio(np.stack([left, -0.5 * left]).astype(np.float32), rate)


@pytest.mark.parametrize(("suffix", "tolerance"), [(".wav", 2e-5), (".flac", 2e-5), (".ogg", 0.05), (".mp3", 0.05)])
def test_sound_comes_back(tmp_path, suffix, tolerance):
    sound = tone()
    path = write_audio(sound, tmp_path / f"tone{suffix}", metadata=RECORD)
    again = read_audio(path)
    assert again.rate == RATE
    assert again.n_channels == 2
    n_samples = sound.samples.shape[1]
    middle = slice(1000, n_samples - 1000)
    assert np.abs(again.samples[:, :n_samples] - sound.samples)[:, middle].max() < tolerance


@pytest.mark.parametrize("suffix", FORMATS)
def test_metadata_come_back_and_bytes_repeat(tmp_path, suffix):
    paths = [write_audio(tone(), tmp_path / f"{name}{suffix}", metadata=RECORD) for name in "ab"]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    found = read_metadata(paths[0])["provenance"]
    assert found == {name: value for name, value in RECORD.to_dict().items() if name != "extra"}
    other = write_audio(tone(), tmp_path / f"c{suffix}", metadata={"comment": "{not json", "title": "Air"})
    assert read_metadata(other)["title"] == "Air"
    assert "provenance" not in read_metadata(other)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(-32768, 32767), min_size=1, max_size=300), st.sampled_from([".wav", ".flac"]))
def test_sixteen_bits_survive_exactly(tmp_path_factory, values, suffix):
    samples = (np.array([values]) / 32768).astype(np.float32)
    path = write_audio(Audio(samples, 8000), tmp_path_factory.mktemp("bits") / f"x{suffix}")
    assert np.array_equal(read_audio(path).samples, samples)


def test_samples_beyond_one_are_cut_not_wrapped(tmp_path):
    path = write_audio(Audio(np.array([[1.5, -1.5, 0.0]], np.float32), 8000), tmp_path / "x.wav")
    assert read_audio(path).samples[0] == pytest.approx([1.0, -1.0, 0.0], abs=1e-4)


def test_resampling_keeps_the_pitch(tmp_path):
    path = write_audio(tone(440.0, 1.0), tmp_path / "x.wav")
    sound = read_audio(path, rate=16000, mono=True)
    assert (sound.rate, sound.n_channels) == (16000, 1)
    assert sound.seconds == pytest.approx(1.0, abs=1e-3)
    assert np.abs(np.fft.rfft(sound.samples[0])).argmax() / sound.seconds == pytest.approx(440, abs=1)
    assert np.abs(sound.samples[0]).max() == pytest.approx(0.125, abs=0.005)  # half of 0.5 - 0.25


def test_a_rate_that_mp3_lacks_is_resampled(tmp_path):
    assert read_audio(write_audio(tone(rate=30000), tmp_path / "x.mp3")).rate == 44100


def test_the_sum_of_an_ogg_page():
    assert ogg_checksum(b"") == 0
    # Bit by bit, as RFC 3533 writes it.
    page, expected = b"OggS and something", 0
    for byte in page:
        expected ^= byte << 24
        for _ in range(8):
            expected = (expected << 1 ^ (0x04C11DB7 if expected & 0x80000000 else 0)) & 0xFFFFFFFF
    assert ogg_checksum(page) == expected


def hostile() -> dict[str, bytes]:
    header = b"RIFF\xff\xff\xff\x7fWAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16)
    nan = struct.pack("<IHHIIHH", 16, 3, 1, 8000, 32000, 4, 32)
    return {
        "empty.wav": b"",
        "noise.wav": bytes(range(256)) * 40,
        "text.mp3": b"this is no sound at all\n" * 50,
        "nothing.wav": header + b"data" + struct.pack("<I", 0),
        "fields.flac": b"fLaC" + b"\x80\x00\x00\x22" + b"\xff" * 34,
        "nan.wav": b"RIFF\x2c\0\0\0WAVEfmt " + nan + b"data" + struct.pack("<If", 8, float("nan")) + b"\0\0\xc0\x7f",
    }


@pytest.mark.parametrize("name", hostile())
def test_hostile_files_get_a_sentence(tmp_path, name):
    (tmp_path / name).write_bytes(hostile()[name])
    with pytest.raises(InputError) as caught:
        read_audio(tmp_path / name)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_too_long_and_unknown(tmp_path):
    with pytest.raises(InputError, match="no file"):
        read_audio(tmp_path / "nowhere.wav")
    with pytest.raises(InputError, match="folder"):
        read_metadata(tmp_path)
    path = write_audio(tone(seconds=2.0), tmp_path / "x.wav")
    with pytest.raises(InputError, match="longer"):
        read_audio(path, most_seconds=1.0)
    with pytest.raises(OptionError, match=r"\.xyz"):
        write_audio(tone(), tmp_path / "x.xyz")
    with pytest.raises(OptionError, match="mood"):
        write_audio(tone(), tmp_path / "x.wav", metadata={"mood": "sad"})
    with pytest.raises(OutputError, match="folder"):
        write_audio(tone(), tmp_path / "missing" / "x.wav")


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = write_audio(tone(), tmp_path / "x.wav")
    before = path.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("orchestrion.media.audio.append_wav_tags", full)
    with pytest.raises(OutputError, match="disk is full"):
        write_audio(tone(880), path, metadata=RECORD)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_samples_of_another_kind_are_refused():
    with pytest.raises((ValueError, TypeError)):
        Audio(np.zeros((2, 10), np.float64), 44100)
    with pytest.raises(ValueError, match="rate"):
        Audio(np.zeros((2, 10), np.float32), 0)
