"""Readers of public data sets, on tiny folders in the published layouts."""

import csv
import json
import pickle
import shutil

import numpy as np
import pytest
import soundfile
import symusic

from orchestrion.data.datasets import dataset_names, load_dataset
from orchestrion.data.datasets.dataset import RECORDINGS
from orchestrion.data.datasets.layout import split_by_hash
from orchestrion.errors import InputError, OptionError
from orchestrion.theory.chords import Chord
from orchestrion.theory.keys import Key

A, B, C = "0a" * 16, "0b" * 16, "1c" * 16
FIRST, SECOND = "TRAAAGR128F425B14B", "TRAAAZF12903CCCF6B"


def write_midi(path, *, names=("",), tempo=120.0, metre=(3, 4), pitch=60, bars=4):
    score = symusic.Score(480)
    score.tempos.append(symusic.Tempo(0, tempo))
    score.time_signatures.append(symusic.TimeSignature(0, *metre))
    for number, name in enumerate(names):
        track = symusic.Track(name, number)
        for quarter in range(bars * metre[0]):
            track.notes.append(symusic.Note(480 * quarter, 480, pitch + number, 90))
        score.tracks.append(track)
    path.parent.mkdir(parents=True, exist_ok=True)
    score.dump_midi(path)


def write_sound(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros((100, 1), dtype=np.float32), 8000)


def lmd_full(root):
    for name, pitch in ((A, 60), (B, 62)):
        write_midi(root / "lmd_full" / "0" / f"{name}.mid", pitch=pitch)
    write_midi(root / "lmd_full" / "1" / f"{C}.mid", pitch=64)


def lmd_linked(root, part):
    for track, name in ((FIRST, A), (FIRST, B), (SECOND, C)):
        write_midi(root / part / track[2] / track[3] / track[4] / track / f"{name}.mid", tempo=90)


ROW = {
    "location": f"lmd_full/0/{A}.mid",
    "caption": "A short waltz in Bb minor.",
    "genre": ["classical", "folk"],
    "genre_prob": [0.5, 0.25],
    "mood": ["film"],
    "mood_prob": [0.1],
    "key": "Bb minor",
    "time_signature": "3/4",
    "tempo": 120,
    "tempo_word": "Allegro",
    "duration": 6,
    "duration_word": "Short fragment",
    "chord_summary": ["Bbm", "F7"],
    "chord_summary_occurence": 2,
    "instrument_summary": ["Piano"],
    "instrument_numbers_sorted": [0],
    "all_chords": ["Bbm", "F7/A", "Bbm"],
    "all_chords_timestamps": [0.5, 1.0, 4.0],
    "test_set": False,
}


def midicaps(root):
    lmd_full(root)
    rows = [
        ROW,
        ROW | {"location": f"lmd_full/0/{B}.mid", "caption": "Another.", "test_set": True, "all_chords": []},
        ROW | {"location": f"lmd_full/1/{C}.mid", "caption": "A third – ♭.", "key": "", "time_signature": ""},
    ]
    (root / "train.json").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def pop909(root):
    for number in (1, 10, 874):
        song = root / "POP909" / f"{number:03d}"
        write_midi(song / f"{number:03d}.mid", names=("MELODY", "BRIDGE", "PIANO"), metre=(4, 4), tempo=60)
        write_midi(song / "versions" / f"{number:03d}-v1.mid")
        beats = [f"{0.5 + second} {float(second % 2 == 0)} {float(second % 3 == 0)}" for second in range(12)]
        (song / "beat_midi.txt").write_text("\n".join(beats))
        (song / "chord_midi.txt").write_text(
            "0.0\t1.0\tN\n1.0\t3.0\tF#:maj7/5\n3.0\t4.0\tA:sus4(b7)\n4.0\t5.0\tBb:min7(4)\n5.0\t6.5\tBb:min7\n"
        )
        (song / "key_audio.txt").write_text("0.1\t2.0\tB:maj\n2.0\t9.0\tG#:min\n")


ROWS = [
    ("Alban Berg", "Sonata Op. 1", "train", "2018", "2018/One.midi", "2018/One.wav", "698.66"),
    ("Franz Liszt", 'Étude "La Campanella", S. 141', "validation", "2008", "2008/Two.midi", "2008/Two.wav", "9.5"),
    ("Franz Liszt", "Ballade", "test", "2008", "2008/Three.midi", "2008/Three.wav", "10"),
]
COLUMNS = ("canonical_composer", "canonical_title", "split", "year", "midi_filename", "audio_filename", "duration")


def maestro(root, *, table="json"):
    folder = root / "maestro-v3.0.0"
    for row in ROWS:
        write_midi(folder / row[4], names=("Piano",), metre=(4, 4))
    write_sound(folder / "2018" / "One.wav")
    if table == "csv":
        with (folder / "maestro-v3.0.0.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([COLUMNS, *ROWS])
    elif table == "json":
        columns = {name: {str(i): row[c] for i, row in enumerate(ROWS)} for c, name in enumerate(COLUMNS)}
        (folder / "maestro-v3.0.0.json").write_text(json.dumps(columns))
    else:
        rows = [dict(zip(COLUMNS, row, strict=True)) for row in ROWS]
        (folder / "maestro-v2.0.0.json").write_text(json.dumps(rows))


METADATA = """UUID: 1a81ae092884234f3264e2f45927f00a
audio_dir: stems
midi_dir: MIDI
normalized: true
stems:
  S01: {audio_rendered: false, inst_class: Bass, is_drum: false, program_num: 33}
  S00:
    audio_rendered: true
    inst_class: Guitar
    is_drum: false
    program_num: 30
target_peak: -1.0
"""


def write_track(track, suffix="flac"):
    write_midi(track / "all_src.mid", names=("Guitar", "Bass"))
    (track / "metadata.yaml").write_text(METADATA)
    write_sound(track / f"mix.{suffix}")
    write_sound(track / "stems" / f"S00.{suffix}")


def slakh2100(root):
    for part, number in (("train", 1), ("validation", 1501), ("test", 1876), ("omitted", 14)):
        write_track(root / "slakh2100_flac_redux" / part / f"Track{number:05d}")


TUNE = """X:1
T: {title} {number}
O: China, Shaanxi
R: Xiaodiao, Qingge]
M: 2/4
L: 1/16
K: {key}
d4A2c2 | d4d4 |
A3cd2g2 | ^c2c2=c4 | "Dm"d4 "G7"g4 |
"""


def essen(root):
    for number in range(3):
        path = root / "essenFolksong" / f"han{number + 1}.abc"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(TUNE.format(title=("Qing Shui", "Qing Shui", "Lan Hua")[number], number=number, key="F"))
    (root / "essenFolksong" / "test0.abc").write_text(TUNE)


def nottingham(root):
    for number in range(3):
        path = root / "ABC_cleaned" / f"jigs{number}.abc"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(TUNE.format(title="Jig", number=number, key="Dm"))


def vgmidi(root):
    for number in range(2):
        write_midi(root / "labelled" / "midi" / f"A_{number}.mid")
    write_midi(root / "unlabelled" / "B.mid")
    rows = [f"{n},S,NES,Game,A,midi/A_{n}.mid,1,{n}" for n in range(2)]
    table = "\n".join(["id,series,console,game,piece,midi,valence,arousal", *rows])
    (root / "labelled" / "vgmidi.csv").write_text(table)


def vgmidi_curves(root):
    for number in range(3):
        write_midi(root / "labelled" / "midi" / f"S_NES_Game_{number}.mid")
    drawn = {
        f"piece{n}_{k}": {"musicianship": 3, "arousal": [n - 1] * 2, "valence": [0] * 2}
        for n in range(3)
        for k in range(4)
    }
    pieces = {f"piece{n}": {"name": "A", "midi": f"S_NES_Game_{n}.mid", "measures": 2, "duration": 9} for n in range(3)}
    (root / "labelled" / "annotations").mkdir()
    (root / "labelled" / "annotations" / "raw.json").write_text(json.dumps({"annotations": drawn, "pieces": pieces}))


def yamaha_epiano(root):
    for name in ("2002/chan01.MID", "2002/chan02.MID", "2004/LeeA03.mid"):
        write_midi(root / name)


def atepp(root):
    rows = []
    for number in range(3):
        place = f"A_Composer/Op._{number // 2}/0000{number}.mid"
        write_midi(root / "ATEPP-1.2" / place)
        rows.append(f"A Pianist,1,Op. {number // 2},9.0,A Composer,{number // 2},,{place},-,")
    head = "artist,artist_id,track,track_duration,composer,composition_id,score_path,midi_path,youtube_links,quality"
    (root / "ATEPP-metadata-1.2.csv").write_text("\n".join([head, *rows]))


MAKERS = {
    "atepp": atepp,
    "essen": essen,
    "nottingham": nottingham,
    "lmd_full": lmd_full,
    "lmd_matched": lambda root: lmd_linked(root, "lmd_matched"),
    "lmd_aligned": lambda root: lmd_linked(root, "lmd_aligned"),
    "midicaps": midicaps,
    "pop909": pop909,
    "maestro": maestro,
    "slakh2100": slakh2100,
    "vgmidi": vgmidi,
    "vgmidi_curves": vgmidi_curves,
    "yamaha_epiano": yamaha_epiano,
}


@pytest.fixture(params=sorted(MAKERS))
def made(request, tmp_path):
    MAKERS[request.param](tmp_path)
    return request.param, tmp_path


def test_every_reader_is_tried():
    assert set(dataset_names()) - set(RECORDINGS) == set(MAKERS)


def test_pieces_have_what_every_data_set_owes(made):
    name, folder = made
    data = load_dataset(name, folder)
    pieces = list(data)
    assert len(data) == len(pieces) == 3
    assert data.failures == []
    assert len({piece.id for piece in pieces}) == 3
    for piece, entry in zip(pieces, data.entries, strict=True):
        assert piece.id == entry.id
        assert piece.score is not None and sum(len(track.notes) for track in piece.score.tracks) >= 12
        assert piece.split == entry.split in ("train", "validation", "test")
        assert piece.source and piece.licence.startswith(("CC BY", "MIT", "GPL", "non-commercial"))
    assert data[1].id == pieces[1].id
    assert [piece.id for piece in data[1:]] == [piece.id for piece in pieces[1:]]
    assert [entry.id for entry in pickle.loads(pickle.dumps(data.entries))] == [piece.id for piece in pieces]


def test_splits_part_the_whole(made):
    name, folder = made
    whole = load_dataset(name, folder)
    parts = [load_dataset(name, folder, split) for split in whole.reader.splits]
    assert sorted(entry.id for part in parts for entry in part.entries) == sorted(entry.id for entry in whole.entries)
    for part, split in zip(parts, whole.reader.splits, strict=True):
        assert {entry.split for entry in part.entries} <= {split}


def test_a_broken_file_is_listed_and_passed_over(made):
    name, folder = made
    first = load_dataset(name, folder).entries[0]
    path = first.path / "all_src.mid" if first.path.is_dir() else first.path
    path.write_bytes(b"MThd\x00\x00")
    data = load_dataset(name, folder)
    assert len(list(data)) == 2
    assert [failed for failed, _ in data.failures] == [first.id]
    assert str(path) in data.failures[0][1]
    with pytest.raises(InputError):
        data[0]
    path.unlink()
    if len(data := load_dataset(name, folder)) == 3:  # the table still lists it
        assert len(list(data)) == 2


def test_other_folders_are_refused(made, tmp_path):
    name, folder = made
    other = tmp_path / "other"
    write_midi(other / "some" / "song.mid")
    with pytest.raises(InputError, match="does not look like"):
        load_dataset(name, other)
    with pytest.raises(InputError, match="no folder"):
        load_dataset(name, folder / "missing")


def test_unknown_names_and_splits_are_refused(tmp_path):
    with pytest.raises(OptionError, match="lmd_full, lmd_matched"):
        load_dataset("lakh", tmp_path)
    with pytest.raises(OptionError, match="train, test"):
        load_dataset("midicaps", tmp_path, "validation")


def test_lines_of_essen_are_phrases(tmp_path):
    essen(tmp_path)
    data = load_dataset("essen", tmp_path)
    piece = data[0]
    notes = piece.score.tracks[0].notes
    pitches = [74, 69, 72, 74, 74, 69, 72, 74, 79, 73, 73, 72, 74, 79]  # the accidental holds until the bar line
    assert [note.pitch for note in notes] == pitches
    assert [mark.time for mark in piece.score.markers if mark.text == "phrase"] == [0, 1920]
    assert (piece.metre, str(piece.key), notes[0].duration) == ((2, 4), "F major", 480)
    assert piece.tags == {"genre": ["xiaodiao", "qingge"], "region": ["China", "Shaanxi"]}
    assert data.entries[0].split == data.entries[1].split  # variants of one tune


def test_nottingham_has_chords(tmp_path):
    nottingham(tmp_path)
    piece = load_dataset("nottingham", tmp_path)[0]
    assert [(span.start, span.end, span.chord.jazz()) for span in piece.chords] == [(8, 9, "Dm"), (9, 10, "G7")]
    assert (str(piece.key), piece.melody, [part.end for part in piece.sections]) == ("D minor", 0, [5])


def test_lakh_keeps_versions_of_a_track_together(tmp_path):
    lmd_linked(tmp_path, "lmd_matched")
    pieces = list(load_dataset("lmd_matched", tmp_path / "lmd_matched"))
    assert [piece.id for piece in pieces] == [f"A/A/A/{FIRST}/{A}", f"A/A/A/{FIRST}/{B}", f"A/A/A/{SECOND}/{C}"]
    assert [piece.tags["msd_track"] for piece in pieces] == [[FIRST], [FIRST], [SECOND]]
    assert pieces[0].split == pieces[1].split == split_by_hash(FIRST)
    assert pieces[2].split == split_by_hash(SECOND)
    assert (pieces[0].metre, pieces[0].tempo) == ((3, 4), pytest.approx(90))


def test_splits_by_hash_are_eight_one_one():
    splits = [split_by_hash(f"{number:032x}") for number in range(5000)]
    assert splits.count("train") / 5000 == pytest.approx(0.8, abs=0.02)
    assert splits.count("validation") / 5000 == pytest.approx(0.1, abs=0.02)


def test_midicaps_rows_become_pieces(tmp_path):
    midicaps(tmp_path)
    first, second, third = load_dataset("midicaps", tmp_path)
    assert first.caption == "A short waltz in Bb minor."
    assert first.key == Key.parse("Bb minor")
    assert (first.metre, first.tempo) == ((3, 4), 120.0)
    assert first.tags == {"genre": ["classical", "folk"], "mood": ["film"]}
    assert [(s.start, s.end, s.chord) for s in first.chords] == [  # 120 a minute: two quarters a second
        (pytest.approx(1.0), pytest.approx(2.0), Chord.parse("Bbm")),
        (pytest.approx(2.0), pytest.approx(8.0), Chord.parse("F7/A")),
        (pytest.approx(8.0), pytest.approx(12.0), Chord.parse("Bbm")),
    ]
    assert (second.caption, second.split, second.chords) == ("Another.", "test", None)
    assert (third.caption, third.key, third.metre) == ("A third – ♭.", None, (3, 4))


@pytest.mark.parametrize(
    ("row", "word"),
    [
        ('{"location": "lmd_full/0/x.mid"', "no JSON"),
        ('{"location": "lmd_full/0/x.mid"}', "no location and caption"),
        ('{"location": "../../secret.mid", "caption": ""}', "outside"),
        ('{"location": "/etc/passwd", "caption": ""}', "outside"),
    ],
)
def test_damaged_or_hostile_tables_of_midicaps_are_refused(tmp_path, row, word):
    midicaps(tmp_path)
    (tmp_path / "train.json").write_text(row + "\n")
    with pytest.raises(InputError, match=word):
        load_dataset("midicaps", tmp_path)


def test_midicaps_not_unpacked_is_said(tmp_path):
    midicaps(tmp_path)
    shutil.rmtree(tmp_path / "lmd_full")
    with pytest.raises(InputError, match=r"midicaps\.tar\.gz unpacks"):
        load_dataset("midicaps", tmp_path)


def test_pop909_labels_are_read(tmp_path):
    pop909(tmp_path)
    songs = {song.id: song for song in load_dataset("pop909", tmp_path)}
    assert {number: song.split for number, song in songs.items()} == {
        "001": "train", "010": "validation", "874": "test"
    }  # fmt: skip
    song = songs["001"]
    assert song.melody == 0
    assert song.beats == [0.5 + second for second in range(12)]
    assert song.metre == (3, 4)  # as the first beats say, against the time signature of the file
    assert song.key == Key.parse("G# minor")
    assert [(round(s.start, 6), round(s.end, 6), s.chord) for s in song.chords] == [  # one quarter a second
        (0, 1, Chord.parse("N")),
        (1, 3, Chord.parse("F#:maj7/5")),
        (3, 4, Chord.parse("A:7sus4")),
        (4, 6.5, Chord.parse("Bb:min7")),
    ]


def test_pop909_labels_may_be_missing_but_not_damaged(tmp_path):
    pop909(tmp_path)
    song = tmp_path / "POP909" / "001"
    (song / "chord_midi.txt").unlink()
    (song / "key_audio.txt").unlink()
    (song / "beat_midi.txt").unlink()
    piece = load_dataset("pop909", tmp_path)[0]
    assert (piece.chords, piece.key, piece.beats, piece.metre) == (None, None, None, (4, 4))
    (song / "chord_midi.txt").write_text("0.0\t1.0\tH:nonsense\n")
    with pytest.raises(InputError, match="song 001"):
        load_dataset("pop909", tmp_path)[0]
    (song / "chord_midi.txt").write_text("0.0\t1.0\n")
    with pytest.raises(InputError, match="3 columns"):
        load_dataset("pop909", tmp_path)[0]


@pytest.mark.parametrize("table", ["json", "csv", "old"])
def test_maestro_tables_of_all_kinds_say_the_same(tmp_path, table):
    maestro(tmp_path, table=table)
    for folder in (tmp_path, tmp_path / "maestro-v3.0.0"):
        pieces = list(load_dataset("maestro", folder))
        assert [piece.id for piece in pieces] == ["2018/One", "2008/Two", "2008/Three"]
        assert [piece.split for piece in pieces] == ["train", "validation", "test"]
        assert pieces[1].title == 'Franz Liszt: Étude "La Campanella", S. 141'
        assert pieces[1].tags["composer"] == ["Franz Liszt"]
        assert pieces[0].audio == tmp_path / "maestro-v3.0.0" / "2018" / "One.wav"
        assert pieces[1].audio is None
        assert (pieces[0].metre, pieces[0].tempo) == (None, None)


@pytest.mark.parametrize(
    "text", ["[]", "nothing", '[{"split": "train"}]', '{"midi_filename": {"0": "a"}, "split": {}}']
)
def test_damaged_tables_of_maestro_are_refused(tmp_path, text):
    maestro(tmp_path)
    (tmp_path / "maestro-v3.0.0" / "maestro-v3.0.0.json").write_text(text)
    with pytest.raises(InputError, match="table of MAESTRO"):
        load_dataset("maestro", tmp_path)


def test_slakh_tracks_have_their_sounds(tmp_path):
    slakh2100(tmp_path)
    for folder in (tmp_path, tmp_path / "slakh2100_flac_redux"):
        tracks = list(load_dataset("slakh2100", folder))
        assert [(t.id, t.split) for t in tracks] == [
            ("Track00001", "train"),
            ("Track01501", "validation"),
            ("Track01876", "test"),
        ]
    place = tmp_path / "slakh2100_flac_redux" / "train" / "Track00001"
    assert tracks[0].audio == place / "mix.flac"
    assert tracks[0].stems == {"S00": place / "stems" / "S00.flac"}
    assert tracks[0].tags == {"instrument": ["Guitar", "Bass"]}


def test_babyslakh_lies_in_one_folder_with_wav(tmp_path):
    for number in (2, 1600, 2000):
        write_track(tmp_path / f"Track{number:05d}", suffix="wav")
    tracks = list(load_dataset("slakh2100", tmp_path))
    assert [track.split for track in tracks] == ["train", "validation", "test"]
    assert tracks[0].audio == tmp_path / "Track00002" / "mix.wav"


@pytest.mark.parametrize("text", ["stems: [a", "stems: 3", "!!python/object/apply:os.getcwd []"])
def test_damaged_or_hostile_metadata_of_slakh_is_refused(tmp_path, text):
    slakh2100(tmp_path)
    path = tmp_path / "slakh2100_flac_redux" / "train" / "Track00001" / "metadata.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"metadata\.yaml"):
        load_dataset("slakh2100", tmp_path)[0]
