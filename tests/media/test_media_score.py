"""Scores are read as they are written: MIDI round trips, sheets in every format against `music21`, MusicXML."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import symusic
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrion.errors import OptionError, OutputError
from orchestrion.media.files import atomic_write
from orchestrion.media.measures import spell
from orchestrion.media.notation import abc_pickup
from orchestrion.media.note_values import VALUES, to_units, voices, written_values
from orchestrion.media.score import named_tracks, read_score, read_scores, write_score
from orchestrion.media.timeline import Timeline

TPQ = 480
UNIT = TPQ // 12
note = st.tuples(st.integers(0, 5000), st.integers(0, 700), st.integers(0, 127), st.integers(1, 127))
part = st.tuples(st.integers(0, 127), st.booleans(), st.lists(note, min_size=1, max_size=25))
written_note = st.tuples(st.integers(0, 150), st.integers(1, 60), st.integers(36, 84))
relaxed = settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Record:
    def to_json(self):
        return json.dumps({"system": "test", "prompt": "ein Walzer für Élise ♪"}, ensure_ascii=False)


def score_of(*parts, metres=((0, 4, 4),), tempos=((0, 500_000),), keys=((0, 0, 0),)):
    made = symusic.Score(TPQ)
    for tick, mspq in tempos:
        made.tempos.append(symusic.Tempo(tick, mspq=mspq))
    for event in metres:
        made.time_signatures.append(symusic.TimeSignature(*event))
    for event in keys:
        made.key_signatures.append(symusic.KeySignature(*event))
    for number, (program, drums, notes) in enumerate(parts):
        made.tracks.append(symusic.Track(f"part {number}", program, drums))
        for start, length, pitch, velocity in notes:
            made.tracks[-1].notes.append(symusic.Note(start, length, pitch, velocity))
    return made


def content(score):
    """All that must survive, in plain values."""
    return {
        "tpq": score.tpq,
        "tempos": [(e.time, e.mspq) for e in score.tempos],
        "metres": [(e.time, e.numerator, e.denominator) for e in score.time_signatures],
        "keys": [(e.time, e.key, e.tonality) for e in score.key_signatures],
        "tracks": [
            (
                track.name,
                track.program,
                track.is_drum,
                sorted((n.time, n.duration, n.pitch, n.velocity) for n in track.notes),
                sorted((c.time, c.number, c.value) for c in track.controls),
                sorted((b.time, b.value) for b in track.pitch_bends),
                sorted((p.time, p.duration) for p in track.pedals),
            )
            for track in score.tracks
        ],
    }


def units(score):
    """Notes of each track as (start, length, pitch) in twelfths of a quarter."""
    scale = Fraction(12, score.tpq)
    return [Counter((n.time * scale, n.duration * scale, n.pitch) for n in track.notes) for track in score.tracks]


@relaxed
@given(st.lists(part, min_size=1, max_size=4), st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 2_000_000))))
def test_midi_round_trip(tmp_path, parts, tempos):
    made = score_of(*parts, tempos=dict(sorted(tempos)).items(), metres=((0, 3, 4), (1440, 6, 8)), keys=((0, -3, 1),))
    for control in ((0, 64, 127), (900, 64, 0), (30, 7, 99)):
        made.tracks[0].controls.append(symusic.ControlChange(*control))
    made.tracks[0].pitch_bends.append(symusic.PitchBend(77, -1234))
    made.tracks[0].pedals.append(symusic.Pedal(0, 900))
    write_score(made, tmp_path / "a.mid")
    first = read_score(tmp_path / "a.mid")
    write_score(first, tmp_path / "b.mid")
    second = read_score(tmp_path / "b.mid")
    assert content(second) == content(first)
    assert content(first)["tempos"] == content(made)["tempos"]
    assert Counter(n for t in content(first)["tracks"] for n in ((x[0], *x[2:]) for x in t[3])) == Counter(
        (n.time, n.pitch, n.velocity) for track in made.tracks for n in track.notes
    )
    assert content(first)["tracks"][0][4:] == content(made)["tracks"][0][4:]


def test_more_tracks_than_channels(tmp_path):
    made = score_of(*[(number, number % 5 == 0, [(number, 960, 60, 80), (480, 960, 60, 80)]) for number in range(40)])
    write_score(made, tmp_path / "a.mid")
    assert content(read_score(tmp_path / "a.mid")) == content(made)


def test_overlapping_and_repeated_notes_survive(tmp_path):
    notes = [(0, 960, 60, 80), (480, 960, 60, 90), (480, 960, 60, 70), (1440, 480, 60, 60)]
    write_score(score_of((0, False, notes)), tmp_path / "a.mid")
    assert content(read_score(tmp_path / "a.mid"))["tracks"][0][3] == sorted(notes)


def test_provenance_is_in_the_midi_and_musicxml_file(tmp_path):
    made = score_of((0, False, [(0, 480, 60, 80)]))
    write_score(made, tmp_path / "plain.mid")
    write_score(made, tmp_path / "a.mid", provenance=Record())
    write_score(made, tmp_path / "a.musicxml", provenance=Record())
    assert Record().to_json().encode() in (tmp_path / "a.mid").read_bytes()
    assert "für Élise ♪" in (tmp_path / "a.musicxml").read_text(encoding="utf-8")
    assert content(read_score(tmp_path / "a.mid")) == content(read_score(tmp_path / "plain.mid"))
    first = (tmp_path / "a.mid").read_bytes()
    write_score(made, tmp_path / "a.mid", provenance=Record())
    assert (tmp_path / "a.mid").read_bytes() == first


def test_a_failed_write_leaves_what_was_there(tmp_path):
    target = tmp_path / "a.mid"
    target.write_bytes(b"old")
    with pytest.raises(RuntimeError), atomic_write(target) as temporary:
        temporary.write_bytes(b"half")
        raise RuntimeError
    with pytest.raises(OutputError, match="disk is full"), atomic_write(target):
        Path("/dev/full").write_bytes(b"x")
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.mid"]
    made = score_of((0, False, [(0, 480, 60, 80)]))
    with pytest.raises(OutputError, match="folder does not exist"):
        write_score(made, tmp_path / "none" / "a.mid")
    with pytest.raises(OutputError, match="there is a folder"):
        write_score(made, _folder(tmp_path / "b.mid"))
    with pytest.raises(OutputError, match=r"choose \.mid"):
        write_score(made, tmp_path / "a.pdf")


def _folder(path):
    path.mkdir()
    return path


# Sheets


def corpus(name):
    music21 = pytest.importorskip("music21")
    return Path(music21.__file__).parent / "corpus" / name


def by_music21(path):
    """Notes of each part and the starts of the bars. Ties are joined here: `stripTies` mixes up voices."""
    from music21 import converter

    parsed = converter.parse(path, forceSource=True)
    parts = []
    for one in parsed.parts:
        counted, held = Counter(), {}
        for element in one.flatten().notes:
            if "ChordSymbol" in element.classes:
                continue
            start, length = (Fraction(x).limit_denominator(96) * 12 for x in (element.offset, element.quarterLength))
            for single in getattr(element, "notes", [element]):
                pitch, tie = single.pitch.midi, single.tie.type if single.tie else ""
                begin = held.pop((pitch, start), start) if tie in ("stop", "continue") else start
                if tie in ("start", "continue"):
                    held[pitch, start + length] = begin
                else:
                    counted[begin, start + length - begin, pitch] += 1
        parts.append(counted)
    return parts, [float(bar.offset) for bar in parsed.parts[0].getElementsByClass("Measure")]


def test_compressed_musicxml_with_a_pickup(tmp_path):
    path = corpus("bach/bwv253.mxl")
    found = read_score(path)
    parts, bars = by_music21(path)
    assert units(found) == parts
    timeline = Timeline.from_score(found)
    assert timeline.pickup == TPQ
    starts = (timeline.bar_starts / TPQ).tolist()
    assert starts == [bar for bar in bars if bar != 20]  # 17–20–21: a bar in two halves around a fermata
    assert [track.name for track in found.tracks] == ["Soprano", "Alto", "Tenor", "Bass"]
    assert [(e.key, e.tonality) for e in found.key_signatures] == [(3, 0)]


def test_kern():
    path = corpus("palestrina/Agnus_II_47.krn")
    found = read_score(path)
    parts, bars = by_music21(path)
    assert units(found) == parts
    assert (Timeline.from_score(found).bar_starts / TPQ).tolist() == bars
    assert [(e.numerator, e.denominator) for e in found.time_signatures] == [(4, 2)]


def test_repeats_are_played_and_chord_symbols_are_not():
    found = read_score(corpus("leadSheet/fosterBrownHair.mxl"))
    parts, _ = by_music21(corpus("leadSheet/fosterBrownHair.mxl"))
    assert len(found.tracks) == 1
    assert {pitch for _, _, pitch in units(found)[0]} == {pitch for _, _, pitch in parts[0]}
    assert found.note_num() > parts[0].total()


def test_isolation_changes_nothing():
    path = corpus("bach/bwv66.6.mxl")
    assert content(read_score(path)) == content(read_score(path, isolate=False))


def test_abc_tunes(tmp_path):
    path = tmp_path / "tunes.abc"
    path.write_text(
        'X:1\nT:One\nM:4/4\nL:1/4\nQ:1/4=90\nK:D\n"D"A|d2 "G"f>g|(3abc d2 z|]\nw:la la la\n\n'
        "X:7\nT:Two\nM:6/8\nL:1/8\nK:Em\n|:e2f g3:|\n"
    )
    one, two = read_scores(path)
    assert content(one) == content(read_score(path))
    assert sorted((n.time, n.duration, n.pitch) for n in one.tracks[0].notes) == [
        (0, 480, 69), (480, 960, 74), (1440, 720, 78), (2160, 240, 79),
        (2400, 320, 81), (2720, 320, 83), (3040, 320, 73), (3360, 960, 74),
    ]  # fmt: skip
    assert len(one.tracks) == 1
    assert Timeline.from_score(one).bar_starts.tolist() == [0, 480, 2400]
    assert Timeline.from_score(one).tempo_at(0) == pytest.approx(90, abs=0.01)
    assert [(n.time, n.duration, n.pitch) for n in two.tracks[0].notes] == [
        (0, 480, 76), (480, 240, 78), (720, 720, 79), (1440, 480, 76), (1920, 240, 78), (2160, 720, 79),
    ]  # fmt: skip
    assert [(e.numerator, e.denominator) for e in two.time_signatures] == [(6, 8)]


@pytest.mark.parametrize(
    "tune, quarters",
    [
        ("X:1\nM:4/4\nL:1/8\nK:C\nAB|c8|", 1),
        ("X:1\nM:3/4\nK:C\n(3ABc|d6|", 1),
        ('X:1\nM:6/8\nL:1/8\nK:C\n{g}"Am"A>B [CE]/2|', 1.25),
        ("X:1\nM:4/4\nL:1/8\nK:C\nABcd efga|c8|", 0),
        ("X:1\nM:none\nL:1/8\nK:C\nAB|c8|", 0),
        ("X:1\nM:C|\nL:1/8\nK:C\n|:A2|c8|", 1),
    ],
)
def test_pickups_of_abc(tune, quarters):
    assert abc_pickup(tune) == quarters


# Writing MusicXML


def test_written_values():
    assert [(v.type, v.dots) for v in written_values(0, 48)] == [("whole", 0)]
    assert [(v.type, v.dots) for v in written_values(0, 18)] == [("quarter", 1)]
    assert [(v.type, v.dots) for v in written_values(0, 30)] == [("half", 0), ("eighth", 0)]
    assert [(v.type, v.triplet) for v in written_values(4, 4)] == [("eighth", True)]
    for start in range(48):
        for length in range(1, 100):
            assert sum(value.units for value in written_values(start, length)) == length
    assert len({value.units for value in VALUES}) == len(VALUES)


def test_spelling():
    names = {0: "C C# D Eb E F F# G G# A Bb B", -3: "C Db D Eb E F Gb G Ab A Bb B", 4: "B# C# D D# E E# F# G G# A A# B"}
    for fifths, expected in names.items():
        found = [spell(pitch, fifths) for pitch in range(60, 72)]
        assert [letter + {-1: "b", 0: "", 1: "#"}[alter] for letter, alter, _ in found] == expected.split()
    assert spell(60, 7) == ("B", 1, 3)
    assert spell(59, -7) == ("C", -1, 4)


def test_played_music_is_drawn_to_sixteenths_or_triplets():
    played = score_of(
        (0, False, [(7, 230, 60, 80), (238, 250, 62, 80), (483, 150, 64, 80), (645, 150, 65, 80), (795, 170, 67, 80)])
    )
    ((starts, stops),) = to_units(played.tracks, TPQ)
    assert starts.tolist() == [0, 6, 12, 16, 20]
    assert stops.tolist() == [6, 12, 16, 20, 24]


def test_voices_do_not_overlap():
    rng = np.random.default_rng(1)
    starts = rng.integers(0, 200, 80)
    stops, pitches = starts + rng.integers(1, 40, 80), rng.integers(40, 80, 80)
    lines = voices(starts, stops, pitches)
    for line in lines:
        assert all(a.stop <= b.start for a, b in itertools.pairwise(line))
    assert {(c.start, c.stop, p) for line in lines for c in line for p in c.pitches} == set(
        zip(starts.tolist(), stops.tolist(), pitches.tolist(), strict=True)
    )


def distinct(notes):
    """Notes of which no two with one pitch overlap: such pairs cannot be told apart in MIDI."""
    kept, ends = [], {}
    for start, length, pitch in sorted(notes):
        if ends.get(pitch, 0) <= start:
            kept.append((start * UNIT, length * UNIT, pitch, 80))
            ends[pitch] = start + length
    return kept


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(written_note, min_size=1, max_size=20), st.integers(-6, 6), st.sampled_from([(4, 4), (3, 4), (6, 8)]))
def test_musicxml_round_trip(tmp_path, notes, fifths, metre):
    made = score_of(
        (40, False, distinct(notes)), (0, True, [(0, 480, 36, 80)]), metres=((0, *metre),), keys=((0, fifths, 0),)
    )
    write_score(made, tmp_path / "a.musicxml")
    found = read_score(tmp_path / "a.musicxml")
    assert units(found) == units(made)
    assert [(track.name, track.program, track.is_drum) for track in found.tracks] == [
        ("part 0", 40, False),
        ("part 1", 0, True),
    ]
    assert content(found)["metres"] == content(made)["metres"]
    assert content(found)["keys"] == content(made)["keys"]


def test_musicxml_of_the_corpus_is_read_back_and_read_alike_by_music21(tmp_path):
    from orchestrion.data.corpus import load_corpus

    pieces = load_corpus("compact", limit=1200)
    for index in (0, 1199):
        made = pieces[index].score
        write_score(made, tmp_path / "a.musicxml")
        expected = [dict.fromkeys(counted, 1) for counted in units(made)]
        assert [dict.fromkeys(counted, 1) for counted in units(read_score(tmp_path / "a.musicxml"))] == expected
        assert [dict.fromkeys(counted, 1) for counted in by_music21(tmp_path / "a.musicxml")[0]] == expected


def test_musicxml_keeps_pickups_metres_keys_and_tempos(tmp_path):
    made = score_of(
        (0, False, [(0, 480, 67, 80), (480, 1920, 72, 80), (2400, 1440, 74, 80), (3840, 1440, 76, 80)]),
        metres=((0, 4, 4), (480, 4, 4), (2400, 3, 4)),
        tempos=((0, 600_000), (480 + 960, 400_000), (3840, 500_000)),
        keys=((0, 2, 0), (2400, -1, 1)),
    )
    write_score(made, tmp_path / "a.musicxml")
    found = read_score(tmp_path / "a.musicxml")
    assert units(found) == units(made)
    before, after = content(made), content(found)
    assert after["metres"] == before["metres"]
    assert after["keys"] == before["keys"]
    assert [tick for tick, _ in after["tempos"]] == [0, 480, 3840]  # read at the bar line
    assert [(mark.offset, mark.number) for mark in _marks(tmp_path / "a.musicxml")] == [(0, 100), (3, 150), (8, 120)]
    assert [mspq for _, mspq in after["tempos"]] == pytest.approx([mspq for _, mspq in before["tempos"]], rel=1e-4)
    assert Timeline.from_score(found).pickup == 480


def _marks(path):
    from music21 import converter, tempo

    return converter.parse(path, forceSource=True).parts[0].flatten().getElementsByClass(tempo.MetronomeMark)


def test_an_empty_score_is_a_sheet_of_rests(tmp_path):
    write_score(symusic.Score(TPQ), tmp_path / "a.musicxml")
    assert read_score(tmp_path / "a.musicxml").note_num() == 0
    assert by_music21(tmp_path / "a.musicxml")[0] == [Counter()]


def test_tracks_are_named_as_people_write_them():
    score = score_of(*3 * [(0, False, [])])
    for track, name in zip(score.tracks, ("Lead", "Bass", "lead "), strict=True):
        track.name = name
    assert named_tracks(score, ["LEAD"]) == [0, 2] and named_tracks(score, []) == []
    with pytest.raises(OptionError, match="no track 'flute'; it has Lead, Bass"):
        named_tracks(score, ["bass", "Flute"])
