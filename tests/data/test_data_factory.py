"""How pieces are made: ABC and MusicXML reading, metres, textures, grooves, plan, splits, build."""

import json
import shutil
from collections import Counter
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from orchestrion.data.corpus import load_corpus
from orchestrion.data.factory import build
from orchestrion.data.factory.abc import Note, Strain, parse_key, parse_tune, split_tunes
from orchestrion.data.factory.accompany import STEPS, accompany, chart, chord_at, mma_program, spell, swing, variants
from orchestrion.data.factory.arranger import arrange
from orchestrion.data.factory.grooves import GROOVES, SWUNG
from orchestrion.data.factory.harmony_labels import label_chords
from orchestrion.data.factory.metres import FITS, fits, fitted_bars, refit
from orchestrion.data.factory.moods import felt_tempo, moods
from orchestrion.data.factory.musicxml import read_musicxml
from orchestrion.data.factory.plan import make_orders, styles_for
from orchestrion.data.factory.scores import chorale_pieces
from orchestrion.data.factory.sources import COLLECTIONS, minorise, music21_corpus, read_tunes
from orchestrion.data.factory.splits import assign_splits, interval_runs
from orchestrion.data.factory.texture_table import TEXTURES
from orchestrion.data.factory.textures import near, play, voicing
from orchestrion.errors import MissingDependencyError
from orchestrion.theory.chords import Chord, ChordSpan
from orchestrion.theory.keys import Key

needs_mma = pytest.mark.skipif(shutil.which("mma") is None, reason="MMA is a build-time program")
NAMES = ("C", "Am7", "Dm7b5", "G7", "C", "F", "G7", "C")
CADENCE = [ChordSpan(i * 4.0, i * 4.0 + 4, Chord.parse(c)) for i, c in enumerate(NAMES)]


@pytest.fixture(scope="module")
def tunes():
    return list(read_tunes(redistributable_only=True, folders=("miscFolk",)))


def tune(body, key="G", metre="4/4", unit="1/8"):
    return parse_tune(f"X:1\nT:Test\nM:{metre}\nL:{unit}\nK:{key}\n{body}\n")


def pitches(strain):
    return [n.pitch for n in strain.notes]


def test_abc_notes_accidentals_and_lengths():
    strain = tune("G2 f>g ^c c =f2 | f2 F, g' z4- | (3abc d4 [Gd]2|").strains[0]
    assert pitches(strain) == [67, 78, 79, 73, 73, 77, 78, 54, 91, 81, 83, 72, 74, 74]
    assert strain.notes[1].duration == Fraction(3, 4)
    assert strain.notes[10].duration == Fraction(1, 3)


def test_abc_repeats_endings_and_pick_ups():
    parsed = tune("D|G2A2B2c2|d8|G8|1 G6 A2:|2 G6||\nc2|B8|A8|G8|G6:|")
    first, second = parsed.strains
    assert (first.bars, first.pickup, first.repeated) == (4, Fraction(1, 2), True)
    assert first.notes[-1] == Note(Fraction(12), Fraction(3), 67)  # the second ending, without the first
    assert (second.bars, second.pickup) == (4, 1)
    assert second.notes[0].onset == -1


def test_abc_ties_chord_symbols_and_lines():
    strain = tune('"G"G4-G4|"D7"A8|\n"C"c8|"G"G8|').strains[0]
    assert strain.notes[0].duration == 4
    assert [(float(t), str(c)) for t, c in strain.chords] == [(0, "G"), (4, "D7"), (8, "C"), (12, "G")]
    assert strain.lines == (0, 2)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("G", (7, "")),
        ("F#m", (6, "m")),
        ("Ador", (9, "dor")),
        ("D mix", (2, "mix")),
        ("Bb Major", (10, "")),
        ("E Minor", (4, "m")),
        ("HP", None),
    ],
)
def test_abc_keys(text, want):
    assert parse_key(text) == want


def test_abc_modes_set_the_signature():
    assert pitches(tune("F2G2A2B2|", "Dmix").strains[0])[0] == 66  # one sharp fewer than D: F# stays, C# goes
    assert pitches(tune("c8|", "Dmix").strains[0]) == [72]
    assert pitches(tune("F8|", "Ador").strains[0]) == [66]


@pytest.mark.parametrize("body", ["G2|G8|G8|G4|G8|", "V:1\nG8|\nV:2\nG8|", "G8|[M:3/4]G6|", "z8|"])
def test_abc_that_does_not_add_up_is_refused(body):
    with pytest.raises(ValueError, match=r"tune|bar"):
        tune(body)


def test_every_collection_gives_tunes_with_a_key(tunes):
    assert len(tunes) > 100
    assert all(any(t.closed) and 4 <= s.bars <= 16 for t in tunes for s in t.strains)
    assert {c.folder for c in COLLECTIONS if not c.redistributable} == {"essenFolksong"}
    text = (music21_corpus() / "oneills1850" / "0101-0200.abc").read_text(encoding="latin-1")
    assert len(list(split_tunes(text))) >= 99


def test_minorising_lowers_third_and_sixth_and_keeps_the_leading_note():
    scale = [60, 62, 64, 65, 67, 69, 71, 72, 71, 69, 67, 65, 64, 62, 60]
    strain = Strain(4, [Note(Fraction(i), Fraction(1), p) for i, p in enumerate(scale)])
    assert pitches(minorise(strain, Key(0, "major"))) == [60, 62, 63, 65, 67, 69, 71, 72, 70, 68, 67, 65, 63, 62, 60]


def test_musicxml_reads_a_chorale_as_it_is_printed():
    score = read_musicxml(music21_corpus() / "bach" / "bwv66.6.mxl")
    assert [p.name for p in score.parts] == ["Soprano", "Alto", "Tenor", "Bass"]
    assert score.metres == [(0, 4, 4)]
    assert score.parts[0].notes[:3] == [(3, Fraction(1, 2), 73), (Fraction(7, 2), Fraction(1, 2), 71), (4, 1, 69)]
    assert sum(len(p.notes) for p in score.parts) > 150


def test_musicxml_and_music21_read_the_same_notes():
    from music21 import converter

    path = music21_corpus() / "bach" / "bwv269.mxl"
    ours = read_musicxml(path)
    theirs = converter.parse(path).stripTies()
    for part, other in zip(ours.parts, theirs.parts, strict=True):
        chords = [(Fraction(n.offset), Fraction(n.quarterLength), n.pitches) for n in other.flatten().notes]
        want = sorted((onset, duration, p.midi) for onset, duration, found in chords for p in found)
        shift = part.notes[0][0] - want[0][0]
        assert part.notes == [(o + shift, d, p) for o, d, p in want]


def test_chorales_become_pieces_with_chords():
    pieces = chorale_pieces(music21_corpus() / "bach" / "bwv269.mxl")
    assert [p.key.mode for p in pieces] == ["major", "major"]
    assert pieces[0].key == Key(7, "major")
    assert pieces[0].chords[-1].chord == Chord(7, "maj")
    assert len({p.tags["groove"][0] for p in pieces}) == 2
    with pytest.raises(ValueError, match="1 parts"):
        chorale_pieces(music21_corpus() / "joplin" / "maple_leaf_rag.mxl")


def test_labels_name_plain_cadences():
    roots = [(48, 64, 67, 72), (53, 60, 69, 77), (55, 62, 65, 71), (48, 64, 67, 72)]
    voices = [[(Fraction(i), Fraction(1), chord[v]) for i, chord in enumerate(roots)] for v in (3, 2, 1, 0)]
    assert [s.chord.harte() for s in label_chords(voices, (4, 4), 1)] == ["C:maj", "F:maj", "G:7", "C:maj"]


@pytest.mark.parametrize("fit", FITS, ids=lambda f: f"{f.source}->{f.target}")
def test_refitting_keeps_order_and_bar_lines(fit):
    bar = STEPS * 4 * fit.source[0] // fit.source[1]
    target = STEPS * 4 * fit.target[0] // fit.target[1]
    half = bar // 2
    notes = [(i * half, half, 60 + i % 5) for i in range(16)]
    moved = refit(notes, fit)
    assert [n[2] for n in moved] == [n[2] for n in notes]
    assert all(b[0] >= a[0] + a[1] for a, b in pairwise(moved))
    lines = [moved[2 * i][0] for i in range(8)]
    assert lines == [round(i * target / fit.bars) for i in range(8)]
    assert fitted_bars(8, fit) * target >= moved[-1][0] + moved[-1][1] - target


def test_swing_moves_the_second_eighth_to_the_last_triplet():
    assert [swing(s) for s in (0, 6, 12, 18, 24)] == [0, 8, 12, 20, 24]
    assert len(fits((6, 8))) == 4


@pytest.mark.parametrize("texture", TEXTURES, ids=lambda t: t.label)
def test_every_texture_plays_its_chords_in_every_metre(texture):
    for metre, (low, high) in texture.tempo.items():
        assert 48 <= low < high <= 200
        if texture not in styles_for(metre):
            continue  # its first part has no pattern in this metre
        bar = STEPS * 4 * metre[0] // metre[1]
        chords = [ChordSpan(i * bar / STEPS, (i + 1) * bar / STEPS, s.chord) for i, s in enumerate(CADENCE)]
        lines = play(texture, chords, 8, metre, np.random.default_rng(3))
        assert lines
        drones = {p.name for p in texture.parts if p.kind in ("drone", "power")}
        for line in lines:
            assert line.notes, (texture.label, metre, line.name)
            assert all(0 <= o < 8 * bar and d >= 1 for o, d, _, _ in line.notes)
            if line.drums or line.name in drones or "continuo" in line.name:
                continue
            inside = [p % 12 in chord_at(chords, o / STEPS + 1e-3).pitch_classes for o, _, p, _ in line.notes]
            assert np.mean(inside) > 0.85, (texture.label, line.name)


def test_every_texture_and_groove_names_a_known_genre():
    from orchestrion.theory.vocabulary import GENRES

    known = set(GENRES.values())
    assert {t.genre for t in TEXTURES} | {g.genre for g in GROOVES} <= known
    assert len({g.label for g in GROOVES}) >= 60
    assert {g.name for g in GROOVES} >= SWUNG


def test_voicings_are_close_and_move_little():
    first = voicing(Chord(0, "maj"), 60, [])
    second = voicing(Chord(5, "maj"), 60, first)
    assert max(first) - min(first) <= 12
    assert sum(min(abs(a - b) for b in first) for a in second) <= 4
    assert near(11, 60) == 59


@needs_mma
def test_mma_plays_what_the_chart_says():
    groove = next(g for g in GROOVES if g.name == "BossaNova")
    lines = accompany(groove, CADENCE, 8)
    assert lines[0].name == "bass"
    assert lines[-1].drums
    for line in lines[:-1]:
        inside = [p % 12 in chord_at(CADENCE, o / STEPS + 1e-3).pitch_classes for o, _, p, _ in line.notes]
        assert np.mean(inside) > 0.8
    assert max(o for line in lines for o, *_ in line.notes) < 8 * 48
    assert lines[1].notes == accompany(groove, CADENCE, 8)[1].notes  # the same chart, the same notes
    assert "BossaNovaFill" in variants(groove)


@needs_mma
def test_a_groove_in_six_eight_is_scaled_to_its_bars():
    groove = next(g for g in GROOVES if g.name == "68March")
    spans = [ChordSpan(i * 3.0, i * 3.0 + 3, s.chord) for i, s in enumerate(CADENCE)]
    lines = accompany(groove, spans, 8)
    last = max(o for line in lines for o, *_ in line.notes)
    assert 7 * 36 <= last < 8 * 36


def test_charts_spell_chords_for_mma():
    groove = GROOVES[0]
    text = chart(groove, CADENCE, 4, changes={0: groove.name}, seed=5)
    assert text.splitlines()[0] == "RndSeed 5"
    assert "3 Dm7b5 / / /" in text
    assert spell(Chord.parse("Bb:maj7")) == "BbM7"
    assert spell(Chord.parse("N")) == "z"


def test_without_mma_the_sentence_says_what_to_do(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(MissingDependencyError, match="apt install mma"):
        mma_program()


def test_orders_are_balanced_and_repeatable(tunes):
    orders = make_orders(tunes, 400, seed=1)
    assert orders == make_orders(tunes, 400, seed=1)
    genres = Counter(o.style.genre for o in orders)
    assert len(genres) >= 28
    assert max(genres.values()) < 60
    minor = sum(o.minorised or next(t for t in tunes if t.id == o.tune).key.mode == "minor" for o in orders)
    assert 0.35 <= minor / 400 <= 0.5
    assert max(Counter(o.tonic for o in orders).values()) < 50
    assert all(o.style in styles_for(o.fit.target) for o in orders)
    assert len(styles_for((6, 8))) >= 20


def test_near_duplicates_stay_in_one_split():
    rng = np.random.default_rng(0)
    melodies = {f"t{i}": [rng.integers(55, 80, 40).tolist()] for i in range(300)}
    copies = {f"copy{i}": [[p + 5 for p in melodies[f"t{i}"][0][8:32]]] for i in range(300)}
    splits = assign_splits({**melodies, **copies})
    assert all(splits[f"t{i}"] == splits[f"copy{i}"] for i in range(300))
    assert set(splits.values()) == {"train", "validation", "test"}
    assert splits == assign_splits(dict(reversed({**melodies, **copies}.items())))
    fixed = dict.fromkeys(melodies, "test")
    assert set(assign_splits(copies, fixed=fixed, fixed_melodies=melodies).values()) == {"test"}
    torn = {**dict.fromkeys(melodies, "train"), "t0": "test"}
    joined = {"both": [melodies["t0"][0], melodies["t1"][0]]}
    assert assign_splits(joined, fixed=torn, fixed_melodies=melodies) == {}
    assert interval_runs([60, 62] * 20) == set()


def test_moods_follow_mode_tempo_and_style():
    assert moods("major", 140, (4, 4), "pop", "") == ["happy", "energetic"]
    assert moods("minor", 60, (4, 4), "classical", "") == ["sad", "melancholic"]
    assert moods("major", 60, (3, 4), "lullaby", "")[:2] == ["calm", "soft"]
    assert "party" not in moods("minor", 120, (4, 4), "latin", "mambo")
    assert felt_tempo(120, (6, 8)) == 80


@needs_mma
def test_arrangements_keep_tune_and_tempo(tunes):
    by_id = {t.id: t for t in tunes}
    made = 0
    for order in make_orders(tunes, 12, seed=4):
        try:
            piece = arrange(by_id[order.tune], order, "train")
        except ValueError:
            continue
        made += 1
        assert piece.tempo == order.tempo == pytest.approx(piece.score.tempos[0].qpm, abs=1e-3)
        assert piece.metre == order.fit.target
        assert piece.key.tonic == order.tonic
        assert piece.sections[-1].end == piece.bars
        if made <= 4:
            again = arrange(by_id[order.tune], order, "train")
            assert again.score.dumps_midi() == piece.score.dumps_midi()
    assert made >= 9


@needs_mma
@pytest.mark.slow
def test_a_build_resumes_and_lists_failures(tmp_path, monkeypatch):
    calls = []
    report = build.build_corpus(tmp_path, workers=1, limit=12, progress=lambda done, total: calls.append((done, total)))
    assert report.pieces + len(report.skipped) >= 40
    assert calls[0] == (0, calls[-1][1])
    assert calls[-1][0] == calls[-1][1]
    first = report.path.read_bytes()
    shard = sorted((tmp_path / "shards").glob("*.jsonl"))[0]
    assert all(len(json.loads(line)) == 2 for line in shard.read_text().splitlines())
    shard.unlink()  # as if it had been killed while it wrote this shard
    calls.clear()
    again = build.build_corpus(tmp_path, workers=1, limit=12, progress=lambda done, total: calls.append((done, total)))
    assert calls[-1][1] <= 12
    assert again.path.read_bytes() == first
    pieces = load_corpus(tmp_path)
    assert {p.split for p in pieces} <= {"train", "validation", "test"}
    count = build.write_compact(report.path, tmp_path / "compact.parquet")
    assert count == sum(p.licence == "public domain" for p in pieces)
