"""Folders of recordings: captions, tags and splits from what lies beside them; broken files are listed."""

import json

import numpy as np
import pytest
import soundfile

from orchestrion.data.audio_folder import AudioFolder
from orchestrion.errors import InputError, OptionError
from orchestrion.theory.keys import Key


def write_sound(path, seconds=0.1, rate=8000, channels=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    wave = 0.3 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate)
    soundfile.write(path, np.repeat(wave[:, None], channels, axis=1).astype(np.float32), rate)


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "music"
    for name in ("a.wav", "deep/b.flac", "deep/er/c.ogg", "test/d.mp3"):
        write_sound(root / name, rate=16000)
    (root / "a.txt").write_text("A slow air.\n", encoding="utf-8")
    (root / "deep" / "b.json").write_text(
        json.dumps({"caption": "Jig", "tags": ["fast", "fiddle"], "genre": "folk; irish", "key": "D major",
                    "tempo": 120, "title": "The Jig", "split": "validation", "licence": "CC0"})
    )  # fmt: skip
    write_sound(root / ".hidden.wav")
    (root / "notes.md").write_text("no sound")
    return root


def test_what_lies_beside_a_recording(folder):
    data = AudioFolder(folder)
    a, b, c, d = list(data)
    assert [piece.id for piece in data] == ["a.wav", "deep/b.flac", "deep/er/c.ogg", "test/d.mp3"]
    assert (a.caption, a.audio, a.title) == ("A slow air.", folder / "a.wav", "a")
    assert (b.caption, b.title, b.tempo, b.key, b.licence) == ("Jig", "The Jig", 120.0, Key(2, "major"), "CC0")
    assert b.tags == {"tag": ["fast", "fiddle"], "genre": ["folk", "irish"]} and b.split == "validation"
    assert c.caption is None and c.tags == {}
    assert d.split == "test" and {a.split, c.split} <= {"train", "validation", "test"}
    assert len(data) == 4 and data[1].id == b.id and [p.id for p in data[2:]] == [c.id, d.id]
    assert data.failures == []


def test_splits(folder):
    parts = {split: [p.id for p in AudioFolder(folder, split=split)] for split in ("train", "validation", "test")}
    assert sorted(id for part in parts.values() for id in part) == [p.id for p in AudioFolder(folder)]
    assert "deep/b.flac" in parts["validation"] and "test/d.mp3" in parts["test"]
    for name in ("x-song-1-0-29.wav", "x-song-1-29-58.wav", "x-song-1-58-87.wav"):
        write_sound(folder / name)
    assert len({p.split for p in AudioFolder(folder) if p.id.startswith("x-song")}) == 1


@pytest.mark.parametrize("text", [
    "file,caption,tags\na.wav,From the table,slow;sad\n./deep/b,Other,x\nc,Third,y|z\ngone.wav,,\n",
    "tags\tfile\tcaption\nslow;sad\ta\tFrom the table\nx\tdeep/b.flac\tOther\ny|z\tdeep/er/c.ogg\tThird\n",
])  # fmt: skip
def test_tables_of_captions_and_tags(folder, text, tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text("\ufeff" + text, encoding="utf-8")
    a, b, c, d = list(AudioFolder(folder, table=table))
    assert a.caption == "A slow air."  # the text beside it goes first
    assert a.tags == {"tag": ["slow", "sad"]} and c.tags == {"tag": ["y", "z"]} and c.caption == "Third"
    assert b.caption == "Jig" and b.tags["tag"] == ["fast", "fiddle"] and d.caption is None


def test_tables_with_a_column_for_each_tag(folder, tmp_path):
    table = tmp_path / "hot.csv"
    table.write_text("name,Guitar,Loud,split\na.wav,1,0,test\nd.mp3,1,1,train\n")
    a, _, _, d = list(AudioFolder(folder, table=table))
    assert a.tags == {"tag": ["Guitar"]} and d.tags == {"tag": ["Guitar", "Loud"]}
    assert (a.split, d.split) == ("test", "train")


def test_broken_files_are_listed_and_passed_over(folder):
    (folder / "broken.wav").write_bytes(b"RIFF and no more")
    (folder / "empty.flac").write_bytes(b"")
    (folder / "text.mp3").write_text("words")
    (folder / "deep" / "er" / "c.json").write_text("[1, 2")
    data = AudioFolder(folder)
    assert [piece.id for piece in data] == ["a.wav", "deep/b.flac", "test/d.mp3"]
    assert [name for name, _ in data.failures] == ["broken.wav", "deep/er/c.ogg", "empty.flac", "text.mp3"]
    assert all(reason.endswith(".") for _, reason in data.failures)
    assert len(list(data)) == 3 and len(data.failures) == 4  # not twice
    with pytest.raises(InputError, match=r"broken\.wav"):
        data[[path.name for path in data.paths].index("broken.wav")]


def test_sounds_are_decoded_one_by_one_and_resampled(folder):
    truncated = folder / "cut.flac"
    write_sound(truncated, seconds=2.0)
    truncated.write_bytes(truncated.read_bytes()[:3000])
    data = AudioFolder(folder)
    heard = {piece.id: audio for piece, audio in data.sounds(rate=8000, mono=True)}
    assert {"a.wav", "deep/b.flac", "test/d.mp3"} <= heard.keys()
    assert all(audio.rate == 8000 and audio.n_channels == 1 for audio in heard.values())
    assert heard["a.wav"].seconds == pytest.approx(0.1, abs=0.01)
    assert set(heard) | {name for name, _ in data.failures} == {piece.id for piece in data} | {"cut.flac"}


def test_wrong_folders_and_tables_are_told(folder, tmp_path):
    (tmp_path / "none").mkdir()
    (tmp_path / "bad.csv").write_bytes(b"\xff\xfe\x00\x01\nfile")
    (tmp_path / "other.csv").write_text("file,caption\nx.wav,y\n")
    (tmp_path / "short.csv").write_text("file,caption\n")
    for make in (
        lambda: AudioFolder(tmp_path / "nowhere"),
        lambda: AudioFolder(tmp_path / "none"),
        lambda: AudioFolder(folder, table=tmp_path / "bad.csv"),
        lambda: AudioFolder(folder, table=tmp_path / "other.csv"),
        lambda: AudioFolder(folder, table=tmp_path / "short.csv"),
        lambda: AudioFolder(folder, table=tmp_path / "missing.csv"),
    ):
        with pytest.raises(InputError) as error:
            make()
        assert str(error.value).endswith(".")
    with pytest.raises(OptionError):
        AudioFolder(folder, split="all")
