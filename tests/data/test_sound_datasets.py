"""Readers of public data sets of sound, on tiny folders in the published layouts."""

import json

import numpy as np
import pytest
import soundfile

from orchestrion.data.datasets import dataset_names, load_dataset
from orchestrion.data.datasets.dataset import RECORDINGS
from orchestrion.errors import InputError, OptionError


def write_sound(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    form = {"format": "AU"} if path.suffix == ".au" else {}
    soundfile.write(path, np.zeros((400, 1), dtype=np.float32), 16000, **form)


CLIPS = ["f/artist-album-03-song_one-0-29.mp3", "f/artist-album-03-song_one-29-58.mp3", "0/other-x-01-y-88-117.mp3"]


def magnatagatune(root):
    for clip in CLIPS:
        write_sound(root / clip)
    (root / "index_mtt.tsv").write_text("".join(f"{i + 2}\t{clip}\n" for i, clip in enumerate(CLIPS)))
    (root / "output_labels_mtt.txt").write_text("['guitar', 'no vocals', 'slow']")
    (root / "train_gt_mtt.tsv").write_text("4\t[1, 0, 1]\n")
    (root / "val_gt_mtt.tsv").write_text("2\t[0, 1, 0]\n")
    (root / "test_gt_mtt.tsv").write_text("3\t[1.0, 1.0, 0.0]\n")


def mtg_jamendo(subset):
    def make(root):
        tables = root / "data" / "splits" / "split-0"
        tables.mkdir(parents=True)
        head = "TRACK_ID\tARTIST_ID\tALBUM_ID\tPATH\tDURATION\tTAGS\n"
        rows = {
            "train": "track_0000948\tartist_000087\talbum_000149\t48/948.mp3\t212\tgenre---rock\tmood/theme---happy\n",
            "validation": "track_0000949\tartist_000088\talbum_000150\t49/949.mp3\t100\tinstrument---piano\n",
            "test": "track_0000950\tartist_000089\talbum_000151\t50/950.mp3\t100\tgenre---pop\tgenre---rock\n",
        }
        for part, row in rows.items():
            (tables / f"{subset}-{part}.tsv").write_text(head + row)
        write_sound(root / "audio" / "48" / "948.mp3")
        write_sound(root / "49" / "949.low.mp3")
        write_sound(root / "audio" / "50" / "950.low.mp3")

    return make


def gtzan(root):
    for name in ("blues/blues.00000.wav", "jazz/jazz.00001.wav", "rock/rock.00002.au", "rock/rock.00003.au"):
        write_sound(root / "genres_original" / name)
    (root / "train_filtered.txt").write_text("blues/blues.00000.wav\n")
    (root / "valid_filtered.txt").write_text("jazz/jazz.00001.wav\n")
    (root / "test_filtered.txt").write_text("rock/rock.00002.wav\n")


IDS = ("-0Gj8-vB1q4", "-0SdAVK79lg", "zzzzzzzzzz_")


def musiccaps(root):
    head = "ytid,start_s,end_s,audioset_positive_labels,aspect_list,caption,author_id,is_balanced_subset,"
    head += "is_audioset_eval\n"
    rows = [f"{id},30,40,/m/x,\"['low quality', \"\"60's\"\"]\",\"Song, number {i}. \",4,False,{i == 1}\n"
            for i, id in enumerate(IDS)]  # fmt: skip
    (root / "musiccaps-public.csv").write_text(head + "".join(rows).replace('""60\'s""', "'sixties'"))
    write_sound(root / "audio" / f"[{IDS[0]}]-[30-40].wav")
    write_sound(root / f"{IDS[1]}_30.flac")
    write_sound(root / f"{IDS[2]}.wav")


def fma(size):
    def make(root):
        (root / "fma_metadata").mkdir()
        (root / "fma_metadata" / "tracks.csv").write_text(
            ",set,set,track,track,track,artist\n"
            ",split,subset,title,genre_top,license,name\n"
            "track_id,,,,,,\n"
            '2,training,small,"Food, and more",Hip-Hop,CC BY,AWOL\n'
            "3,validation,small,Electric Ave,,,AWOL\n"
            "1005,test,large,Third,Rock,CC0,Band\n"
            "9,training,small,Missing,Rock,CC0,Band\n",
            encoding="utf-8",
        )
        for name in ("000/000002", "000/000003", "001/001005"):
            write_sound(root / f"fma_{size}" / f"{name}.mp3")

    return make


def nsynth(root):
    for number, part in enumerate(("train", "valid", "test")):
        name = f"bass_synthetic_{number:03d}-100-127"
        note = {"note": number, "note_str": name, "instrument": 5, "instrument_str": name[:18], "pitch": 100,
                "velocity": 127, "sample_rate": 16000, "instrument_family": 0, "instrument_family_str": "bass",
                "instrument_source": 2, "instrument_source_str": "synthetic", "qualities": [0, 1],
                "qualities_str": ["dark"]}  # fmt: skip
        write_sound(root / f"nsynth-{part}" / "audio" / f"{name}.wav")
        (root / f"nsynth-{part}" / "examples.json").write_text(json.dumps({name: note}))


def musdb18(root):
    for part, song in (("train", "A Band - Its Song"), ("train", "Actions - One Minute Smile"), ("test", "B - C")):
        for name in ("mixture", "vocals", "drums", "bass", "other"):
            write_sound(root / part / song / f"{name}.wav")


MAKERS = {
    "magnatagatune": magnatagatune, "gtzan": gtzan, "musiccaps": musiccaps, "nsynth": nsynth, "musdb18": musdb18,
    "mtg_jamendo": mtg_jamendo("autotagging"), "mtg_jamendo_top50": mtg_jamendo("autotagging_top50tags"),
    "mtg_jamendo_genre": mtg_jamendo("autotagging_genre"),
    "mtg_jamendo_instrument": mtg_jamendo("autotagging_instrument"),
    "mtg_jamendo_moodtheme": mtg_jamendo("autotagging_moodtheme"),
    **{f"fma_{size}": fma(size) for size in ("small", "medium", "large", "full")},
}  # fmt: skip


@pytest.fixture(params=sorted(MAKERS))
def made(request, tmp_path):
    MAKERS[request.param](tmp_path)
    return request.param, tmp_path


def test_every_reader_is_tried():
    assert set(MAKERS) == set(RECORDINGS) <= set(dataset_names())


def test_pieces_have_what_every_data_set_owes(made):
    name, folder = made
    data = load_dataset(name, folder)
    pieces = list(data)
    assert len(data) == len(pieces) == 3 and data.failures == []
    assert len({piece.id for piece in pieces}) == 3
    for piece, entry in zip(pieces, data.entries, strict=True):
        assert piece.id == entry.id and piece.split == entry.split
        assert piece.audio.is_file() and piece.source and piece.licence and piece.score is None
    parts = [load_dataset(name, folder, split) for split in data.reader.splits]
    assert sorted(entry.id for part in parts for entry in part.entries) == sorted(entry.id for entry in data.entries)


def test_a_broken_file_is_listed_and_passed_over(made):
    name, folder = made
    first = load_dataset(name, folder)[0]
    first.audio.write_bytes(b"no sound")
    data = load_dataset(name, folder)
    assert len(list(data)) == 2 and [id for id, _ in data.failures] == [first.id]
    with pytest.raises(InputError, match=r"\.$"):
        data[0]


def test_another_folder_is_refused(made, tmp_path_factory):
    name, _ = made
    with pytest.raises(InputError, match="does not look like"):
        load_dataset(name, tmp_path_factory.mktemp("other"))
    with pytest.raises(OptionError):
        load_dataset(name, tmp_path_factory.mktemp("other"), "half")


def by_id(name, folder):
    return {piece.id: piece for piece in load_dataset(name, folder)}


def test_magnatagatune(tmp_path):
    magnatagatune(tmp_path)
    found = by_id("magnatagatune", tmp_path)
    assert found["4"].tags["tag"] == ["guitar", "slow"] and found["4"].split == "train"
    assert found["3"].tags["tag"] == ["guitar", "no vocals"] and found["3"].split == "test"
    assert found["2"].tags["song"] == found["3"].tags["song"] != found["4"].tags["song"]
    (tmp_path / "val_gt_mtt.tsv").write_text("2\t[0, 1]\n")
    with pytest.raises(InputError, match="belong together"):
        load_dataset("magnatagatune", tmp_path)


def test_magnatagatune_by_folder(tmp_path):
    for clip in CLIPS:
        write_sound(tmp_path / clip)
    rows = ["clip_id\tguitar\tslow\tnever\tmp3_path"]
    rows += [
        f"{i}\t{a}\t{b}\t0\t{clip}" for i, (a, b, clip) in enumerate(zip((1, 0, 1), (1, 0, 0), CLIPS, strict=True))
    ]
    (tmp_path / "annotations_final.csv").write_text("\n".join(rows))
    found = by_id("magnatagatune", tmp_path)
    assert {id: (piece.split, piece.tags["tag"]) for id, piece in found.items()} == {
        "0": ("test", ["guitar", "slow"]), "2": ("train", ["guitar"]),
    }  # fmt: skip
    (tmp_path / "annotations_final.csv").write_text("clip_id\tguitar\tmp3_path\n1\t1\t../../secret.mp3\n2\t1\tf/x\n")
    (tmp_path / "annotations_final.csv").write_text("clip_id\tguitar\tmp3_path\n1\t1\tf/../../secret.mp3\n")
    with pytest.raises(InputError, match="outside"):
        load_dataset("magnatagatune", tmp_path)


def test_mtg_jamendo(tmp_path):
    mtg_jamendo("autotagging")(tmp_path)
    first = by_id("mtg_jamendo", tmp_path)["track_0000948"]
    assert first.tags == {"genre": ["rock"], "mood": ["happy"], "artist": ["artist_000087"], "album": ["album_000149"]}


def test_gtzan_with_and_without_its_lists(tmp_path):
    gtzan(tmp_path)
    found = by_id("gtzan", tmp_path)
    assert {id: (p.split, p.genre) for id, p in found.items()} == {
        "blues.00000": ("train", "blues"), "jazz.00001": ("validation", "jazz"), "rock.00002": ("test", "rock"),
    }  # fmt: skip
    (tmp_path / "test_filtered.txt").unlink()
    assert len(load_dataset("gtzan", tmp_path)) == 4


def test_musiccaps(tmp_path):
    musiccaps(tmp_path)
    found = by_id("musiccaps", tmp_path)
    assert [found[id].split for id in IDS] == ["train", "test", "train"]
    assert found[IDS[0]].caption == "Song, number 0." and found[IDS[0]].tags["aspect"] == ["low quality", "sixties"]
    (tmp_path / f"{IDS[2]}.wav").unlink()
    silent = by_id("musiccaps", tmp_path)[IDS[2]]
    assert silent.audio is None and silent.caption


def test_fma_nsynth_and_musdb(tmp_path):
    for make in (fma("small"), nsynth, musdb18):
        make(tmp_path)
    tracks = by_id("fma_small", tmp_path)
    assert tracks["000002"].title == "Food, and more" and tracks["000002"].tags == {
        "genre": ["Hip-Hop"],
        "artist": ["AWOL"],
    }
    assert [tracks[id].split for id in ("000002", "000003", "001005")] == ["train", "validation", "test"]
    assert tracks["000002"].licence == "CC BY" and tracks["000003"].genre is None
    notes = load_dataset("nsynth", tmp_path)
    assert [piece.split for piece in notes] == ["train", "validation", "test"]
    assert notes[0].tags["pitch"] == ["100"] and notes[0].tags["quality"] == ["dark"]
    songs = by_id("musdb18", tmp_path)
    assert [songs[id].split for id in ("A Band - Its Song", "Actions - One Minute Smile", "B - C")] == [
        "train", "validation", "test"]  # fmt: skip
    song = songs["A Band - Its Song"]
    assert list(song.stems) == ["vocals", "drums", "bass", "other"] and (song.title, song.tags["artist"]) == (
        "Its Song", ["A Band"])  # fmt: skip
    song.stems["bass"].unlink()
    data = load_dataset("musdb18", tmp_path)
    assert len(list(data)) == 2 and "bass" in data.failures[0][1]
