"""ImprovNet's tasks: what is kept, what conditions change, and that nothing leaks from one call into the next."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from symusic import Note, Score, Tempo, TimeSignature, Track

from orchestrion.errors import InputError, OptionError
from orchestrion.representations.corruptions import corrupt, encoder_tokens
from orchestrion.representations.performance_score import PerformedScore
from orchestrion.systems.improvnet import ImprovNet

SETTINGS = (0.0, 0.15, 0.3, 0.45, 0.6, 0.8, 1.0)


@pytest.fixture(scope="module")
def model():
    """Untrained, with a decoder that writes few notes, so that it is quick."""
    torch.manual_seed(0)
    return ImprovNet.from_preset("mini", decoder_length=20, width=32, num_heads=2, feed_forward=64).eval()


def tune(seed=0, seconds=40, drums=True):
    """A line of eighths with drums, at a tempo that changes."""
    rng = np.random.default_rng(seed)
    score = Score(480)
    score.tempos.append(Tempo(0, 120))
    score.tempos.append(Tempo(480 * 16, 100))
    score.time_signatures.append(TimeSignature(0, 3, 4))
    line, kit = Track(name="melody", program=40), Track(name="kit", program=0, is_drum=True)
    for number in range(seconds * 3):
        line.notes.append(Note(240 * number, 200, int(rng.integers(55, 80)), 80))
        kit.notes.append(Note(240 * number, 60, 42, 70))
    score.tracks.append(line)
    if drums:
        score.tracks.append(kit)
    return score


def notes(score, track=0):
    return {(note.time, note.duration, note.pitch, note.velocity) for note in score.tracks[track].notes}


def change(before, after):
    """Share of the notes of the first track that are gone."""
    return 1 - len(notes(before) & notes(after)) / len(notes(before))


def test_restyling_keeps_what_is_not_written_anew(model):
    score = tune()
    (made,) = model.restyle(score, genre="jazz", strength=0.5, passes=2, seed=3)
    rewritten = set(made.report["rewritten"])
    assert rewritten and not rewritten & set(made.report["protected"])
    assert rewritten <= set(range(2, made.report["segments"] - 1))
    assert notes(made.score, 1) == notes(score, 1)
    assert [(t.time, t.qpm) for t in made.score.tempos] == [(t.time, t.qpm) for t in score.tempos]
    assert made.score.time_signatures[0].numerator == 3
    first = {note for note in notes(score) if note[0] < 480 * 8}  # the first four seconds
    assert first <= notes(made.score)
    assert 0 < change(score, made.score) < 1


def test_strength_is_a_slider(model):
    means = [
        np.mean(
            [
                change(tune(n), model.restyle(tune(n), genre="jazz", strength=s, passes=1, seed=n)[0].score)
                for n in range(3)
            ]
        )
        for s in SETTINGS
    ]
    assert means[0] == 0 and spearmanr(SETTINGS, means)[0] >= 0.9


def test_passes_add_up_and_are_all_given_on_request(model):
    score = tune()
    made = model.restyle(score, genre="jazz", strength=0.4, passes=4, keep_passes=True, seed=1)
    assert [one.report["pass"] for one in made] == [1, 2, 3, 4]
    counts = [len(one.report["rewritten"]) for one in made]
    assert counts == sorted(counts) and counts[0] < counts[-1]
    (last,) = model.restyle(score, genre="jazz", strength=0.4, passes=4, seed=1)
    assert notes(last.score) == notes(made[-1].score)


def test_rows_side_by_side_are_the_rows_alone(model):
    chance = random.Random(0)
    segments = PerformedScore(tune(), model.vocabulary).segments[:4]
    rows = [
        encoder_tokens(segments, place, corrupt("skyline", segments[place], chance, genre="pop"), before=1, after=place)
        for place in range(4)
    ]
    assert len({len(row) for row in rows}) > 1  # some are padded

    def generators(places):
        return [torch.Generator().manual_seed(place) for place in places]

    together = model.write(rows, generators=generators(range(4)))
    alone = [model.write([rows[place]], generators=generators([place]))[0] for place in range(4)]
    assert together == alone and any(together)


def test_genre_changes_the_result_and_calls_do_not_leak(model):
    score = tune()

    def made(genre, seed=5):
        return notes(model.restyle(score, genre=genre, strength=0.8, passes=1, seed=seed)[0].score)

    jazz = made("jazz")
    assert jazz != made("classical") and jazz != made("jazz", 6)
    assert jazz == made("jazz")


def test_harmony_is_a_new_track(model):
    score = tune()
    made = model.harmonize(score, passes=1)
    assert notes(made.score) == notes(score) and notes(made.score, 1) == notes(score, 1)
    assert made.score.tracks[2].name == "harmony" and len(made.score.tracks[2].notes)
    with pytest.raises(OptionError, match="no track 'flute'"):
        model.harmonize(score, melody="flute")


def test_the_constraint_holds_in_the_first_pass_alone(model):
    score = tune()

    def made(passes, constrained):
        return notes(model.harmonize(score, passes=passes, constrained=constrained).score, 2)

    assert made(1, True) != made(1, False) and made(1, True) == made(1, True)
    held = []
    original = model.write
    model.write = lambda rows, **how: held.append([c.notes for c in how["constraints"]]) or original(rows, **how)
    try:
        model.harmonize(score, passes=2)
    finally:
        del model.write
    counts = [count for wave in held for count in wave]
    assert counts.count(3) == counts.count(0) > 1


def test_silence_gets_no_harmony_and_what_cannot_be_written_stays(model, monkeypatch):
    score = tune(seconds=40)
    line = score.tracks[0]
    line.notes = [note for note in line.notes if not 480 * 16 <= note.time < 480 * 40]  # more than three segments
    shown = []
    monkeypatch.setattr(model, "write", lambda rows, **how: shown.append(rows) or [[] for _ in rows])
    made = model.harmonize(score, passes=1)
    assert shown and not any("skyline" not in row for rows in shown for row in rows)
    filled = sum(bool(segment) for segment in PerformedScore(score, model.vocabulary, tracks=[0]).segments)
    assert sum(map(len, shown)) == filled < len(PerformedScore(score, model.vocabulary, tracks=[0]).segments)
    assert len(made.score.tracks) == 2 or not len(made.score.tracks[2].notes)  # the melody doubles itself, and is left
    (same,) = model.restyle(score, genre="jazz", strength=1.0, passes=2)
    assert same.report["rewritten"] == [] and notes(same.score) == notes(score)


def test_continuation_keeps_the_score_and_begins_behind_it(model):
    score = tune()
    made = model.continue_(score, bars=2)
    new = notes(made.score) - notes(score)
    assert notes(score) <= notes(made.score) and new
    bar = 3 * 480
    end = -(-score.end() // bar) * bar
    assert all(end - 10 <= note[0] < end + 2 * bar + 10 for note in new)


def test_infilling_stays_in_its_bars(model):
    score, bar = tune(), 3 * 480
    made = model.infill(score, bars=(4, 6))
    inside = {note for note in notes(score) if 4 * bar <= note[0] < 6 * bar}
    assert notes(score) - inside <= notes(made.score) and not inside & notes(made.score)
    assert all(4 * bar - 10 <= note[0] < 6 * bar + 10 for note in notes(made.score) - notes(score))
    with pytest.raises(OptionError, match="no bars 90 to 95"):
        model.infill(score, bars=(89, 95))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"genre": "polka"}, "no genre 'polka'; choose one of classical, pop, jazz"),
        ({"genre": "jazz", "strength": 1.5}, "strength is 1.5"),
        ({"genre": "jazz", "passes": 0}, "passes is 0"),
    ],
)
def test_bad_options(model, options, said):
    with pytest.raises(OptionError, match=said):
        model.restyle(tune(seconds=4), **options)


def test_scores_without_pitched_notes(model):
    empty = tune(seconds=2)
    empty.tracks.pop(0)
    with pytest.raises(InputError, match="no pitched notes"):
        model.restyle(empty, genre="jazz")
    with pytest.raises(OptionError, match="quirks is 'some'"):
        ImprovNet.from_preset("mini", quirks="some")
