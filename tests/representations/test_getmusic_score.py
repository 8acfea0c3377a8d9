"""Any score as GETMusic's grid, and back: tracks, metres, chords, what is lost, windows."""

from itertools import pairwise

import numpy as np
import pytest
import symusic
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrion.errors import InputError, OptionError
from orchestrion.representations.getscore import CHORD_ROW, DURATIONS, TRACKS, GetVocabulary, read_notes
from orchestrion.representations.getscore_draft import Draft
from orchestrion.representations.getscore_edits import infilling
from orchestrion.representations.getscore_features import musical_features
from orchestrion.representations.getscore_ruler import Ruler
from orchestrion.representations.getscore_score import (
    Losses,
    gather,
    home_shift,
    nearest_group,
    track_notes,
    write_groups,
)
from orchestrion.representations.getscore_tracks import assign_tracks, select_tracks, track_number
from orchestrion.representations.getscore_windows import plan_windows, read_groups, training_windows
from orchestrion.theory.chords import Chord

VOCABULARY = GetVocabulary.shipped()
LEAD, BASS, DRUMS, GUITAR, PIANO, STRINGS = range(6)


def make_score(*tracks, metre=(4, 4), tpq=480, tempo=120):
    """(name, program (128: drums), [(start, length, pitch) in quarters]) each."""
    score = symusic.Score(tpq)
    score.tempos.append(symusic.Tempo(0, tempo))
    score.time_signatures.append(symusic.TimeSignature(0, *metre))
    for name, program, notes in tracks:
        track = symusic.Track(name, program % 128, program == 128)
        for start, length, pitch in notes:
            track.notes.append(symusic.Note(round(start * tpq), round(length * tpq), pitch, 80))
        score.tracks.append(track)
    return score


TUNE = [(n, 1, 72 + (n * 5) % 7) for n in range(8)]
LOW = [(n, 1, 36 + n % 5) for n in range(8)]
BLOCK = [(n * 2, 2, p) for n in range(4) for p in (60, 64, 67)]
BEAT = [(n * 0.5, 0.25, 42) for n in range(16)]


def roles_of(*tracks):
    roles = assign_tracks(make_score(*tracks))
    return [None if role is None else TRACKS[role] for role in roles.of]


@pytest.mark.parametrize(
    ("name", "role"),
    [("Percussion", None), ("Snare", None), ("Bass drum", None), ("Steel drums", "guitar"), ("Conundrum", "guitar")],
)
def test_drums_on_a_channel_with_pitches_are_left_alone(name, role):
    assert roles_of((name, 26, [(n, 0.25, 60) for n in range(8)]), ("b", 73, TUNE))[0] == role


def test_tracks_are_shared_out_by_family_name_and_texture():
    band = ("a", 73, TUNE), ("b", 33, LOW), ("c", 26, BLOCK), ("d", 4, BLOCK), ("e", 49, BLOCK), ("f", 128, BEAT)
    assert roles_of(*band) == [
        "lead", "bass", "guitar", "piano", "strings", "drums",
    ]  # fmt: skip
    assert roles_of(("", 0, BLOCK), ("", 0, TUNE), ("", 42, LOW)) == ["piano", "lead", "bass"]
    assert roles_of(("Melody", 0, BLOCK), ("other", 73, TUNE)) == ["lead", "strings"]  # a name outweighs the texture
    assert roles_of(("", 0, BLOCK)) == ["piano"]  # nothing here leads
    assert roles_of(("", 34, LOW)) == ["bass"]
    assert roles_of(("bassoon", 70, TUNE), ("", 0, BLOCK)) == ["lead", "piano"]
    assert roles_of(("rain", 122, TUNE), ("", 0, TUNE), ("empty", 40, [])) == [None, "lead", None]


def test_tracks_are_found_by_their_names():
    score = make_score(("Violino I", 40, TUNE), ("x", 0, BLOCK), ("y", 4, BLOCK), ("kit", 128, BEAT))
    roles = assign_tracks(score)
    assert select_tracks(["melody"], score, roles) == select_tracks(["violino i"], score, roles) == [0]
    assert select_tracks(["piano", "drums"], score, roles) == [1, 2, 3]
    assert track_number("Drum") == DRUMS
    assert track_number("keys") == PIANO
    with pytest.raises(OptionError, match=r"no track 'bass'; it has lead, piano, drums\."):
        select_tracks(["bass"], score, roles)
    with pytest.raises(OptionError, match="kazoo"):
        track_number("kazoo")


@pytest.mark.parametrize(("metre", "columns"), [((4, 4), 16), ((3, 4), 12), ((2, 4), 8), ((6, 8), 12), ((12, 8), 24)])
def test_bars_have_the_columns_of_their_metre(metre, columns):
    ruler = Ruler.regular(metre, 3)
    assert ruler.bars.tolist() == [0, columns, 2 * columns, 3 * columns]
    assert ruler.places()[columns].tolist() == [0, columns]
    assert ruler.ticks[columns] == 480 * columns / 4
    assert ruler.bar_of(columns - 1) == 0
    assert ruler.bar_of(columns) == 1


def test_metres_change_and_pick_up_bars_are_short():
    score = make_score(("", 0, [(n, 1, 60) for n in range(12)]), metre=(1, 4))
    score.time_signatures.append(symusic.TimeSignature(480, 4, 4))
    score.time_signatures.append(symusic.TimeSignature(480 * 5, 3, 4))
    ruler = Ruler.from_score(score)
    assert np.diff(ruler.bars).tolist() == [4, 16, 12, 12, 12]
    assert [note.column for note in gather(score, assign_tracks(score), ruler, shift=0)] == list(range(0, 48, 4))


@pytest.mark.parametrize("metre", [(5, 32), (9, 4)])
def test_metres_that_cannot_be_served_are_refused(metre):
    with pytest.raises(InputError, match=f"in {metre[0]}/{metre[1]} at bar 1"):
        Ruler.regular(metre, 1)


def test_endless_pieces_are_refused():
    with pytest.raises(InputError, match="bars; 1024 are the most"):
        Ruler.from_score(make_score(("", 0, [(0, 1, 60), (4 * 1030, 1, 60)])))


pieces = st.lists(
    st.tuples(st.integers(0, 63), st.sampled_from(DURATIONS[1:9]), st.integers(40, 90)),
    min_size=1, max_size=25, unique_by=lambda note: note[0],
)  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(pieces, st.integers(-6, 5), st.sampled_from([(4, 4), (3, 4), (6, 8)]))
def test_notes_on_the_grid_come_back(notes, shift, metre):
    score = make_score(("", 0, [(c / 4, d / 4, p) for c, d, p in notes]), metre=metre)
    roles, ruler = assign_tracks(score, melody=0), Ruler.from_score(score)
    grid = np.full((14, ruler.columns), VOCABULARY.pad)
    losses = Losses()
    write_groups(grid, gather(score, roles, ruler, shift=shift, losses=losses), VOCABULARY, losses)
    table = track_notes(grid, LEAD, ruler, VOCABULARY, shift=shift, level=80)
    ordered = sorted(notes)
    ends = [
        min(c + d, after)
        for (c, d, _), after in zip(ordered, [n[0] for n in ordered[1:]] + [ruler.columns], strict=True)
    ]
    wanted = [[c * 120, (end - c) * 120, p] for (c, _, p), end in zip(ordered, ends, strict=True)]
    assert table[:, :3].tolist() == wanted
    assert losses.report() == {}


def test_the_last_event_is_not_lost():
    score = make_score(("", 40, TUNE), ("", 0, [(7.75, 0.25, 60)]))
    groups = read_groups(score).notes
    assert max(note.column for note in groups) == 31
    assert sum(note.column == 31 for note in groups) == 1


def test_the_chord_of_bar_k_stands_in_bar_k():
    triads = [(60, 64, 67), (55, 59, 62), (57, 60, 64), (53, 57, 60), (60, 64, 67)]
    notes = [(4 * bar, 4, pitch) for bar, triad in enumerate(triads) for pitch in triad]
    score = make_score(("", 0, notes))
    draft = Draft.open(score, assign_tracks(score), VOCABULARY, read=[0])
    draft.hear_chords()
    assert draft.report()["chords"] == ["C", "G", "Am", "F", "C"]
    assert (draft.grid[CHORD_ROW].reshape(5, 16) == draft.grid[CHORD_ROW, ::16][:, None]).all()


def test_keys_come_home():
    for tonic in range(12):
        scale = [(n, 1, 60 + tonic + s) for n, s in enumerate((0, 2, 4, 5, 7, 9, 11, 12))] + [(8, 8, 60 + tonic)]
        key, shift = home_shift(make_score(("", 0, scale)))
        assert str(key).endswith("major")
        assert key.tonic == tonic
        assert -6 <= shift <= 5
        assert (tonic + shift) % 12 == 0
    minor = [(n, 1, 62 + s) for n, s in enumerate((0, 2, 3, 5, 7, 8, 10, 12))] + [(8, 8, 62)]
    key, shift = home_shift(make_score(("", 0, minor)))
    assert (str(key), (2 + shift) % 12) == ("D minor", 9)
    assert home_shift(make_score(("", 128, BEAT))) == (None, 0)


def test_groups_that_are_no_token_are_reduced_not_dropped():
    known = {(60,): 1, (64,): 2, (67,): 3, (60, 67): 4, (60, 64): 5, (71,): 6}
    assert nearest_group((60, 67), known) == (60, 67)
    assert nearest_group((60, 64, 67), known) == (
        60,
        67,
    )  # both have two tones; this one keeps the lowest and the highest
    assert nearest_group((61, 71), known) == (71,)
    assert nearest_group((61, 62), known) is None
    cluster = [(0, 1, p) for p in range(60, 84, 2)]
    score = make_score(("", 40, TUNE), ("", 0, cluster))
    losses = Losses()
    roles, ruler = assign_tracks(score), Ruler.from_score(score)
    grid = np.full((14, ruler.columns), VOCABULARY.pad)
    write_groups(grid, gather(score, roles, ruler, shift=0, losses=losses), VOCABULARY, losses)
    (found,) = [note for note in read_notes(grid, VOCABULARY) if note.track == PIANO]
    assert set(found.pitches) <= set(range(60, 84, 2))
    assert losses.report() == {"reduced": {"piano": 1}}


def test_low_bass_is_folded_up_and_chords_in_the_lead_are_thinned():
    score = make_score(("lead", 80, [(0, 1, 60), (0, 1, 67)]), ("bass", 33, [(0, 1, 26), (1, 1, 28)]))
    losses = Losses()
    notes = gather(score, assign_tracks(score), Ruler.from_score(score), shift=-4, losses=losses)
    assert [n.pitches for n in notes] == [(63,), (34,), (24,)]
    assert losses.report() == {"thinned": {"lead": 1}, "folded": {"bass": 1}}


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.sampled_from([(4, 4), (3, 4), (12, 8)]), st.data())
def test_windows_write_every_masked_column_once_and_overlap(bars, metre, data):
    ruler = Ruler.regular(metre, bars)
    masked = np.zeros(ruler.columns, bool)
    start = data.draw(st.integers(0, bars - 1))
    stop = data.draw(st.integers(start + 1, bars))
    masked[ruler.bars[start] : ruler.bars[stop]] = True
    spans = list(plan_windows(ruler, masked, 128))
    written = np.zeros(ruler.columns, int)
    left = masked.copy()
    for first, last in spans:
        assert first in ruler.bars
        assert last in ruler.bars
        assert last - first <= 128
        written[first:last] += left[first:last]
        left[first:last] = False
    assert (written == masked).all()
    for (_, before), (first, _) in pairwise(spans):
        assert first < before  # sees the end of the last window


def test_training_windows_are_whole_bars_with_silent_tracks_empty():
    late = [(40 + n, 1, 48) for n in range(24)]
    score = make_score(("lead", 80, [(n, 1, 72) for n in range(64)]), ("bass", 33, late))
    windows = list(training_windows(read_groups(score), VOCABULARY, columns=128))
    assert [len(window.bars) - 1 for window in windows] == [8, 8, 8]
    silent = [(window.grid[2 * BASS] == VOCABULARY.empty).all() for window in windows]
    assert silent == [True, False, False]
    waltz = make_score(("lead", 80, [(n, 1, 72) for n in range(30)]), metre=(3, 4))
    (window,) = training_windows(read_groups(waltz), VOCABULARY, columns=128)
    assert window.bars.tolist() == list(range(0, 121, 12))
    assert (window.grid[:, 120:] == VOCABULARY.empty).all()
    assert window.places[12].tolist() == [0, 12]


def test_a_new_track_is_as_loud_as_the_others_and_accents_the_bar():
    score = make_score(("lead", 80, TUNE))
    for note in score.tracks[0].notes:
        note.velocity = 57
    draft = Draft.open(score, assign_tracks(score), VOCABULARY, read=[0])
    row = VOCABULARY.groups[BASS][(40,)]
    draft.grid[2 * BASS], draft.grid[2 * BASS + 1] = VOCABULARY.pad, VOCABULARY.pad
    draft.grid[2 * BASS, ::2], draft.grid[2 * BASS + 1, ::2] = row, 1
    notes = list(draft.new_track(BASS).notes)
    assert [note.velocity for note in notes[:3]] == [59, 49, 53]  # 98 · 57/114 = 49, then accents
    assert notes[8].velocity == 59
    assert {note.pitch for note in notes} == {40 - draft.shift}


def test_symbols_of_report_are_in_the_key_of_the_score():
    score = make_score(("", 0, [(4 * bar, 4, p + 2) for bar in range(2) for p in (60, 64, 67)]))
    draft = Draft.open(score, assign_tracks(score), VOCABULARY, read=[0])
    draft.hear_chords()
    report = draft.report()
    assert (report["key"], report["semitones_to_grid"], report["chords"]) == ("D major", -2, ["D", "D"])
    assert Chord.parse(report["chords"][0]).root == 2
    assert report["mapping"] == [{"track": "track 1", "as": "piano"}]


def test_a_melody_alone_gets_chords_that_suit_it():
    cadence = [(0, 2, 72), (2, 2, 76), (4, 2, 74), (6, 2, 79), (8, 4, 71), (12, 4, 72)]
    score = make_score(("", 73, [(start, length, pitch + 2) for start, length, pitch in cadence]))
    draft = Draft.open(score, assign_tracks(score), VOCABULARY, read=[0])
    draft.hear_chords()
    assert not draft.tells_harmony
    assert draft.harmonise_lead()
    chords = draft.report()["chords"]
    assert (chords[0], chords[-1]) == ("D", "D")
    assert Chord.parse(chords[2]).root == 9  # the dominant under the leading note
    changed = make_score(("", 73, cadence))
    changed.time_signatures.append(symusic.TimeSignature(480 * 8, 3, 4))
    draft = Draft.open(changed, assign_tracks(changed), VOCABULARY, read=[0])
    assert not draft.harmonise_lead()


def test_several_tracks_or_block_chords_tell_the_harmony():
    for tracks, told in (([("", 0, BLOCK)], True), ([("", 73, TUNE)], False), ([("", 73, TUNE), ("", 33, LOW)], True)):
        score = make_score(*tracks, ("", 128, BEAT))
        draft = Draft.open(score, assign_tracks(score), VOCABULARY, read=range(len(score.tracks)))
        assert draft.tells_harmony == told


def test_tokens_that_share_tones_begin_near_each_other():
    features = musical_features(VOCABULARY, 32, np.random.default_rng(0))
    near = features / np.linalg.norm(features, axis=1, keepdims=True)
    piano, bass = VOCABULARY.groups[PIANO], VOCABULARY.groups[BASS]
    triads = [group for group in piano if len({pitch % 12 for pitch in group}) == 3]
    one = triads[0]
    same = next(group for group in triads[1:] if {p % 12 for p in group} == {p % 12 for p in one})
    other = next(group for group in triads if not {p % 12 for p in group} & {p % 12 for p in one})
    assert near[piano[one]] @ near[piano[same]] > near[piano[one]] @ near[piano[other]] + 0.3
    assert near[bass[(36,)]] @ near[VOCABULARY.roots] > near[bass[(36,)]] @ near[VOCABULARY.roots + 6] + 0.3
    with pytest.raises(ValueError, match="17 channels"):
        musical_features(VOCABULARY, 17, np.random.default_rng(0))


@pytest.mark.parametrize("others", [[], [("a", 73, TUNE)]])
def test_a_track_that_plays_in_the_bars_to_be_written_alone(others):
    """Its notes give way, and a track without notes is left."""
    late = [(n, 1, 48) for n in range(4, 8)]
    score = make_score(*others, ("b", 33, late))
    edit = infilling(score, VOCABULARY, bars=(1, 2))
    edit.find_chords(can_write=True)
    assert (edit.draft.grid == VOCABULARY.mask).any()
    kept = edit.finish().tracks[-1].notes
    assert not any(4 * 480 <= note.time < 8 * 480 for note in kept)
