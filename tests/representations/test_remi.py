"""REMI+ tokens: the published vocabulary and ids, known answers, round trips, and ids that make no sense."""

import json
import os
import random
from pathlib import Path

import pytest
import symusic
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrion.data.corpus import load_corpus
from orchestrion.errors import InputError, OptionError
from orchestrion.representations.remi import RemiVocabulary

ROOT = Path(os.environ.get("ORCHESTRION_REFERENCE", Path(__file__).parents[1] / "reference"))
CASES = [
    pytest.param(held, id=path.parent.name)
    for path in sorted((ROOT / "midicaps").glob("*/functions.json"))
    if "encode" in (held := json.loads(path.read_text()))
]
V = RemiVocabulary()
OFFICIAL = RemiVocabulary(quirks="official")


def score_of(notes, *, tpq=480, tempo=120.0, signatures=((0, 4, 4),)):
    """A score of (program, drum, start, duration, pitch, velocity)."""
    score = symusic.Score(tpq)
    for program, drum in dict.fromkeys(note[:2] for note in notes):
        track = symusic.Track(program=program, is_drum=drum)
        track.notes.extend([symusic.Note(*note[2:]) for note in notes if note[:2] == (program, drum)])
        score.tracks.append(track)
    score.tempos.append(symusic.Tempo(0, tempo))
    score.time_signatures.extend([symusic.TimeSignature(*s) for s in signatures])
    return score


def notes_of(score):
    return sorted(
        (t.program, t.is_drum, n.time, n.duration, n.pitch, n.velocity) for t in score.tracks for n in t.notes
    )


def contents(score):
    """All that tokens hold of a score."""
    return (
        notes_of(score),
        [(t.time, round(t.qpm, 1)) for t in score.tempos],
        [(s.time, s.numerator, s.denominator) for s in score.time_signatures],
    )


def names(score, vocabulary=V):
    return [vocabulary.names[i] for i in vocabulary.encode(score)]


@pytest.mark.parametrize("case", CASES)
def test_published_vocabulary(case):
    about = case["vocabulary"]
    assert len(V) == about["size"]
    for kind, (first, last, count) in about["ranges"].items():
        assert (V.first[kind], V.first[kind] + V.count[kind] - 1, V.count[kind]) == (first, last, count)
    for kind, name in (("TimeSig", "time_signatures"), ("Duration", "durations"), ("Tempo", "tempos")):
        first = V.first[kind]
        assert V.names[first : first + V.count[kind]] == [f"{kind}_{value}" for value in about[name]]
    assert V.velocities.tolist() == about["velocities"]
    assert [V.drum_pitches.start, V.drum_pitches.stop - 1] == about["drum_pitches"]
    assert [V.ids[f"{name}_None"] for name in ("PAD", "BOS", "EOS", "MASK")] == [V.pad, V.bos, V.eos, V.mask]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("vocabulary", [V, OFFICIAL], ids=["none", "official"])
def test_published_ids(case, vocabulary):
    about = case["encode"]
    given = [tuple(note) for note in about["notes"]]
    score = score_of(given, tempo=about["tempo"], signatures=((0, *about["time_signature"]),))
    ids = vocabulary.encode(score)
    assert ids == about["ids"]
    assert [vocabulary.names[i] for i in ids] == about["names"]
    decoded = vocabulary.read(ids)
    assert decoded.score.ticks_per_quarter == about["decoded_ticks_per_quarter"]
    assert notes_of(decoded.score) == sorted(tuple(note) for note in about["decoded"])
    assert (decoded.notes, decoded.skipped) == (len(given), 0)


def test_a_waltz_with_a_pause_of_two_bars():
    score = score_of([(0, False, 480, 240, 60, 64), (0, False, 4320, 1440, 64, 1)], signatures=((0, 3, 4),))
    assert names(score) == [
        "Bar_None", "TimeSig_3/4", "Position_0", "Tempo_121.29",
        "Position_12", "Program_0", "Pitch_60", "Velocity_63", "Duration_0.6.12",
        "Bar_None", "TimeSig_3/4", "Bar_None", "TimeSig_3/4", "Bar_None", "TimeSig_3/4",
        "Position_0", "Program_0", "Pitch_64", "Velocity_3", "Duration_3.0.2",
    ]  # fmt: skip


def test_eighths_are_the_beat_of_six_eight():
    score = score_of([(40, False, 240, 720, 69, 100)], signatures=((0, 6, 8),))
    assert names(score)[3:] == [
        "Tempo_121.29",
        "Position_12",
        "Program_40",
        "Pitch_69",
        "Velocity_99",
        "Duration_3.0.2",
    ]


def test_a_change_of_metre_waits_for_the_bar_line():
    notes = [(0, False, 0, 480, 60, 64), (0, False, 1920, 480, 62, 64)]
    found = names(score_of(notes, signatures=((0, 4, 4), (1000, 3, 4))))
    assert [name for name in found if name.startswith("TimeSig")] == ["TimeSig_4/4", "TimeSig_3/4"]
    assert found[-5:-3] == ["Position_0", "Program_0"]


def test_unknown_metres_pass_over():
    notes = [(0, False, 1920, 480, 60, 64)]
    assert names(score_of(notes, signatures=((0, 7, 8),))) == names(score_of(notes))
    assert names(score_of(notes, signatures=((0, 0, 4),))) == names(score_of(notes))


def test_drums_and_pitches_have_their_ranges():
    notes = [(0, False, 0, 480, p, 64) for p in (20, 21, 108, 109)] + [
        (0, True, 0, 480, p, 64) for p in (26, 27, 87, 88)
    ]
    found = [name for name in names(score_of(notes)) if "Pitch" in name]
    assert found == ["Pitch_21", "Pitch_108", "PitchDrum_27", "PitchDrum_87"]


def test_sizes_change_the_vocabulary():
    small = RemiVocabulary(pitches=range(48, 73), num_velocities=4, num_tempos=3, beat_resolution=((1, 4), (4, 2)))
    assert small.velocities.tolist() == [31, 63, 95, 127]
    assert small.count == V.count | {
        "Pitch": 25, "Velocity": 4, "Duration": 10, "Position": 48, "Tempo": 3
    }  # fmt: skip
    score = score_of([(0, False, 120, 120, 60, 64), (0, False, 360, 960, 40, 64)])
    assert names(score, small)[3:] == [
        "Tempo_145.0",
        "Position_1",
        "Program_0",
        "Pitch_60",
        "Velocity_63",
        "Duration_0.1.4",
    ]


def test_refusals():
    with pytest.raises(OptionError, match="quirks is 'some'"):
        RemiVocabulary(quirks="some")
    with pytest.raises(OptionError, match="4/4"):
        RemiVocabulary(time_signatures=((3, 4),))
    with pytest.raises(InputError, match="100000 bars"):
        V.encode(score_of([(0, False, 2_000_000_000, 10, 60, 64)]))


def test_empty_scores():
    assert names(symusic.Score(480)) == ["Bar_None", "TimeSig_4/4", "Position_0", "Tempo_121.29"]
    assert V.read([]).notes == 0
    assert V.decode([V.bos, V.eos]).note_num() == 0


def test_changes_of_denominator_are_kept_where_the_published_tokenizer_loses_them():
    signatures = ((0, 3, 8), (720, 4, 4))
    score = score_of(
        [(0, False, 20, 40, 60, 64), (1, False, 60, 40, 61, 64), (1, False, 760, 40, 62, 64)], signatures=signatures
    )
    exact, official = V.decode(V.encode(score)), OFFICIAL.decode(OFFICIAL.encode(score))
    assert [note[2] for note in notes_of(exact)] == [1, 3, 38]
    assert [note[2] for note in notes_of(official)] == [0, 3, 38]  # program 0 has no note after the change


def test_the_corpus_survives():
    pieces = load_corpus("compact", split="test")
    for index in range(0, len(pieces), max(1, len(pieces) // 25)):
        score = pieces[index].score
        once = V.read(V.encode(score))
        held = sum(
            (n.pitch in V.drum_pitches) if t.is_drum else (n.pitch in V.pitches) for t in score.tracks for n in t.notes
        )
        assert (once.notes, once.skipped) == (held, 0)
        assert contents(V.decode(V.encode(once.score))) == contents(once.score)


NOTES = st.lists(
    st.tuples(
        st.integers(0, 127), st.booleans(), st.integers(0, 9000), st.integers(0, 4000), st.integers(0, 127),
        st.integers(1, 127),
    ).map(lambda n: (0, *n[1:]) if n[1] else n),
    max_size=20,
)  # fmt: skip
METRES = st.lists(
    st.tuples(st.integers(0, 6000), st.sampled_from([(4, 4), (3, 4), (3, 8), (12, 8), (7, 8), (1, 4)])), max_size=4
)


@settings(max_examples=60, deadline=None)
@given(NOTES, METRES, st.sampled_from([480, 96, 24, 7, 1000]))
def test_what_is_written_is_read(notes, metres, tpq):
    signatures = [(0, 4, 4), *sorted((time, *metre) for time, metre in metres)]
    score = score_of(notes, tpq=tpq, signatures=signatures)
    once = V.read(V.encode(score))
    assert once.skipped == 0
    assert contents(V.decode(V.encode(once.score))) == contents(once.score)


SOUND = V.encode(load_corpus("compact", split="test")[3].score)[:200]


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_any_ids_are_a_score(data):
    ids = data.draw(st.lists(st.integers(-5, len(V) + 5), max_size=80))
    for place in data.draw(st.lists(st.integers(0, 199), max_size=40)):
        ids.insert(place, SOUND[place % len(SOUND)])
    decoded = V.read(ids)
    assert decoded.notes == sum(len(track.notes) for track in decoded.score.tracks)
    assert 3 * decoded.notes + decoded.skipped <= len(ids)
    assert OFFICIAL.decode(ids).ticks_per_quarter == 24
    again = V.decode(V.encode(decoded.score))
    assert notes_of(again) == notes_of(decoded.score)


def test_what_makes_no_sense_is_counted():
    def read(*tokens, vocabulary=V):
        return vocabulary.read([vocabulary.ids[token] for token in tokens])

    whole = ("Bar_None", "TimeSig_4/4", "Position_0", "Program_0", "Pitch_60", "Velocity_63", "Duration_1.0.4")
    assert read(*whole).skipped == 0
    assert read(*whole, "Pitch_62", "Velocity_63").skipped == 2  # not whole
    assert read(*whole, "PitchDrum_40", "Velocity_63", "Duration_1.0.4").skipped == 3  # a drum of a piano
    assert read(*whole, "TimeSig_3/4").skipped == 1
    assert V.read([999, -1]).skipped == 2
    far = ("Bar_None", "TimeSig_2/4", "Position_30", "Program_0", "Pitch_60", "Velocity_63", "Duration_1.0.4")
    assert (read(*far).skipped, notes_of(read(*far).score)[0][2]) == (1, 0)
    official = read(*far, vocabulary=OFFICIAL)
    assert (official.skipped, notes_of(official.score)[0][2]) == (0, 60)


def test_ids_of_the_usual_library():
    """The same ids as miditok, where it is installed, on pieces with other tempos and metres than they had."""
    miditok = pytest.importorskip("miditok")
    config = miditok.TokenizerConfig(
        pitch_range=(21, 109), beat_res={(0, 1): 12, (1, 2): 4, (2, 4): 2, (4, 8): 1}, num_velocities=32,
        special_tokens=["PAD", "BOS", "EOS", "MASK"], use_tempos=True, use_time_signatures=True, use_programs=True,
        num_tempos=32, tempo_range=(40, 250),
    )  # fmt: skip
    theirs = miditok.REMI(config)
    assert sorted(theirs.vocab, key=theirs.vocab.get) == V.names
    pieces, rng = load_corpus("compact", split="test"), random.Random(4)
    for index in range(0, len(pieces), max(1, len(pieces) // 5)):
        score = pieces[index].score
        assert V.encode(score) == theirs.encode(score.copy()).ids
        end = score.end()
        metres = sorted((rng.randrange(end), *rng.choice([(4, 4), (3, 4), (6, 8), (9, 8), (3, 8)])) for _ in range(4))
        score.time_signatures = [symusic.TimeSignature(*metre) for metre in metres]
        score.tempos = [symusic.Tempo(time, rng.uniform(20, 300)) for time in sorted(rng.sample(range(end), 4))]
        ids = OFFICIAL.encode(score)
        assert ids == theirs.encode(score.copy()).ids
        for place in rng.sample(range(len(ids)), len(ids) // 10):
            ids[place] = rng.randrange(len(V))
        assert contents(OFFICIAL.decode(ids))[0] == notes_of(theirs.decode(ids))
