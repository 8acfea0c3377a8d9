"""The corpus file: packing, reading, splits, and what the shipped corpus must hold."""

from collections import Counter, defaultdict

import numpy as np
import pytest
import symusic
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrion.data.corpus import Corpus, corpus_hash, corpus_path, decode_row, encode_row, load_corpus, write_corpus
from orchestrion.data.factory.splits import interval_runs
from orchestrion.data.packing import pack, unpack
from orchestrion.data.piece import Piece, Section
from orchestrion.errors import InputError, OptionError
from orchestrion.theory.chords import Chord, ChordSpan
from orchestrion.theory.harmony import MelodyNote, chord_tone_share
from orchestrion.theory.keys import Key, find_key


@pytest.fixture(scope="module")
def compact() -> Corpus:
    return load_corpus()


@pytest.fixture(scope="module")
def sample(compact) -> list[Piece]:
    return [compact[i] for i in range(0, len(compact), 37)]


def notes_of(score):
    notes = [[(n.time, n.duration, n.pitch, n.velocity) for n in track.notes] for track in score.tracks]
    return [(t.name, t.program, t.is_drum, found) for t, found in zip(score.tracks, notes, strict=True)]


note = st.tuples(st.integers(0, 200_000), st.integers(0, 90_000), st.integers(0, 127), st.integers(1, 127))


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.lists(note, max_size=30), max_size=4),
    st.sampled_from([24, 120, 480, 960]),
    st.floats(20, 300),
    st.text(max_size=12),
)
def test_packing_keeps_every_note(tracks, tpq, tempo, name):
    score = symusic.Score(tpq)
    score.tempos.append(symusic.Tempo(0, tempo))
    score.time_signatures.append(symusic.TimeSignature(960, 7, 8))
    score.key_signatures.append(symusic.KeySignature(0, -3, 1))
    for number, notes in enumerate(tracks):
        track = symusic.Track(name, number * 31, number == 3)
        for time, duration, pitch, velocity in sorted(notes, key=lambda n: (n[0], n[2])):
            track.notes.append(symusic.Note(time, duration, pitch, velocity))
        score.tracks.append(track)
    back = unpack(pack(score))
    assert notes_of(back) == notes_of(score)
    assert back.tpq == tpq
    assert back.tempos[0].qpm == pytest.approx(tempo, abs=1e-3)
    assert (back.time_signatures[0].time, back.time_signatures[0].numerator) == (960, 7)
    assert (back.key_signatures[0].key, back.key_signatures[0].tonality) == (-3, 1)


def test_damaged_bytes_are_refused():
    score = symusic.Score(480)
    score.tracks.append(symusic.Track("melody", 0, False))
    score.tracks[0].notes.append(symusic.Note(0, 480, 60, 90))
    data = pack(score)
    with pytest.raises(ValueError, match="ends early"):
        unpack(data[:-6])
    with pytest.raises(ValueError, match="version 9"):
        unpack(b"\x09" + data[1:])


def test_a_row_keeps_the_piece(tmp_path):
    score = symusic.Score(480)
    score.tracks.append(symusic.Track("melody", 73, False))
    score.tracks[0].notes.append(symusic.Note(0, 480, 60, 90))
    piece = Piece(
        "x/1#0", "Air", score, chords=[ChordSpan(0, 1.5, Chord.parse("Bbm7b5")), ChordSpan(1.5, 4, Chord.parse("N"))],
        key=Key(10, "minor"), metre=(6, 8), tempo=92.5, sections=[Section("A", 0, 8), Section("B:2", 8, 16)], melody=0,
        caption="An air.", tags={"genre": ["folk"], "mood": []}, source="a book", licence="CC0", split="test",
    )  # fmt: skip
    write_corpus([encode_row(piece)], tmp_path / "one.parquet")
    back = load_corpus(tmp_path / "one.parquet")[0]
    assert back.chords == piece.chords
    assert back.sections == piece.sections
    assert (back.key, back.metre, back.tempo, back.melody) == (piece.key, piece.metre, piece.tempo, 0)
    assert (back.tags, back.caption, back.split, back.licence) == ({"genre": ["folk"]}, "An air.", "test", "CC0")
    assert notes_of(back.score) == notes_of(score)


def test_a_piece_of_nothing_but_a_score_is_kept():
    back = decode_row(encode_row(Piece("bare", score=symusic.Score(96))))
    assert (back.chords, back.key, back.metre, back.sections) == (None, None, None, None)


def test_wrong_requests(tmp_path):
    with pytest.raises(OptionError, match="holdout"):
        load_corpus(split="holdout")
    with pytest.raises(InputError, match="data prepare"):
        load_corpus(tmp_path / "none.parquet")
    (tmp_path / "text.parquet").write_text("no table")
    with pytest.raises(InputError, match="is not a corpus file"):
        load_corpus(tmp_path / "text.parquet")
    with pytest.raises(IndexError):
        load_corpus(limit=3)[3]


def test_reading_is_lazy_and_consistent(compact):
    few = load_corpus(split="validation", limit=5)
    assert len(few) == 5
    assert {p.split for p in few} == {"validation"}
    assert [p.id for p in few] == [few[i].id for i in range(5)] == [p.id for p in few[0:5]]
    assert len(compact) == sum(len(load_corpus(split=s)) for s in ("train", "validation", "test"))
    assert len(corpus_hash()) == 64


def test_the_shipped_corpus_is_small_wide_and_free(compact):
    assert corpus_path().stat().st_size < 15_000_000
    assert len(compact) >= 8000
    assert len(set(compact.column("id"))) == len(compact)
    assert set(compact.column("licence")) == {"public domain"}
    assert all(compact.column("source"))
    metres = Counter(compact.column("metre"))
    assert min(metres[m] for m in ("4/4", "3/4", "6/8", "2/4", "12/8", "9/8")) >= 300
    tempos = np.array(compact.column("tempo"))
    assert tempos.min() >= 50
    assert tempos.max() <= 200
    assert np.percentile(tempos, 10) < 75
    assert np.percentile(tempos, 90) > 150
    keys = Counter(compact.column("key"))
    assert len(keys) == 24
    assert min(keys.values()) >= 300
    minor = sum(n for key, n in keys.items() if key.endswith("minor")) / len(compact)
    assert 0.35 <= minor <= 0.5
    assert len(set(compact.column("genre"))) >= 30
    programs = Counter(p for row in compact.column("programs") for p in row)
    assert sum(n >= 20 for p, n in programs.items() if p < 128) >= 60
    assert programs[128] >= 0.5 * len(compact)


def test_no_melody_crosses_the_splits(compact):
    tunes: dict[str, set[str]] = defaultdict(set)
    for name, split in zip(compact.column("id"), compact.column("split"), strict=True):
        tunes[name.partition("#")[0]].add(split)
    assert all(len(splits) == 1 for splits in tunes.values())
    counts = Counter(compact.column("split"))
    assert 0.03 <= counts["validation"] / len(compact) <= 0.08
    assert 0.05 <= counts["test"] / len(compact) <= 0.12


@pytest.mark.slow
def test_no_run_of_sixteen_melody_notes_crosses_the_splits(compact):
    seen: dict[tuple[int, ...], str] = {}
    crossing = 0
    for piece in compact:
        pitches = piece.score.tracks[piece.melody].notes.numpy()["pitch"].tolist()
        runs = interval_runs(pitches)
        crossing += sum(seen.setdefault(run, piece.split) != piece.split for run in runs)
    assert crossing == 0


def test_pieces_begin_and_end_like_music(sample):
    for piece in sample:
        bar = piece.score.tpq * 4 * piece.metre[0] / piece.metre[1]
        end = round(piece.bars * bar)
        stops = [int((t.notes.numpy()["time"] + t.notes.numpy()["duration"]).max()) for t in piece.score.tracks]
        assert max(stops) == end, piece.id
        onsets = {int(time // bar) for t in piece.score.tracks for time in t.notes.numpy()["time"]}
        assert len(onsets) >= piece.bars - 1, piece.id
        assert 0 in onsets
        assert piece.chords[-1].end == pytest.approx(piece.bars * bar / piece.score.tpq)
        if not piece.id.startswith("bach/"):
            assert piece.chords[-1].chord.root == piece.key.tonic
            last = piece.score.tracks[piece.melody].notes[-1]
            assert last.time + last.duration == end
            assert last.pitch % 12 == piece.key.tonic


def test_pieces_are_clean(sample):
    for piece in sample:
        score = piece.score
        assert 2 <= len(score.tracks) <= 6
        assert (len(score.tempos), len(score.time_signatures)) == (1, 1)
        assert find_key(score) == piece.key
        for track in score.tracks:
            notes = track.notes.numpy()
            assert (notes["time"] % (score.tpq // 12) == 0).all()
            assert notes["duration"].min() > 0
            assert notes["velocity"].min() >= 20
            assert notes["velocity"].max() < 127
            pairs = set(zip(notes["time"].tolist(), notes["pitch"].tolist(), strict=True))
            assert len(pairs) == len(notes["time"])
        melody = score.tracks[piece.melody].notes.numpy()
        assert (np.diff(melody["time"]) > 0).all()
        assert (melody["time"][1:] >= melody["time"][:-1] + melody["duration"][:-1]).all()


def test_melodies_fit_their_chords(sample):
    shares = []
    for piece in sample:
        notes = piece.score.tracks[piece.melody].notes.numpy()
        tune = [
            MelodyNote(t / 480, d / 480, p)
            for t, d, p in zip(notes["time"].tolist(), notes["duration"].tolist(), notes["pitch"].tolist(), strict=True)
        ]
        shares.append(chord_tone_share(tune, piece.chords, piece.metre))
    assert np.mean(shares) >= 0.9


def test_most_of_what_sounds_is_in_the_key(sample):
    inside = [
        np.mean([n.pitch % 12 in p.key.scale for t in p.score.tracks if not t.is_drum for n in t.notes]) for p in sample
    ]
    assert np.mean(inside) >= 0.95
