"""Theme Transformer's tokens: round trips, labels, windows, shifts, bars of any metre, what the grammar takes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrion.data.corpus import load_corpus
from orchestrion.errors import InputError, OptionError
from orchestrion.representations.theme_grammar import ThemeGrammar
from orchestrion.representations.theme_remi import (
    ThemeSong,
    ThemeVocabulary,
    decode,
    encode,
    first_theme,
    shift_pitches,
    shift_range,
    theme_labels,
    windows,
)
from orchestrion.representations.theme_remi_official import TicksSong, midi_to_tokens, tokens_to_midi
from orchestrion.representations.theme_song import Ruler, score_of_song, song_of_score

WORDS = ThemeVocabulary()


@st.composite
def songs(draw):
    length, count = draw(st.integers(4, 16)), draw(st.integers(1, 6))
    rows = draw(
        st.sets(
            st.tuples(st.integers(0, length * count - 1), st.integers(1, 127), st.sampled_from([0, 2])), max_size=25
        )
    )
    notes = [(step, draw(st.integers(1, 64)), pitch, draw(st.integers(1, 126)), track) for step, pitch, track in rows]
    notes.sort(key=lambda note: (note[0], note[4], note[2]))
    themes = [(bar, bar + 1) for bar in range(count) if draw(st.booleans())]
    array = np.array(notes, np.int64).reshape(-1, 5)
    return ThemeSong(array, np.arange(count + 1) * length, ((0, 89.0),), tuple(themes)), length


@settings(max_examples=30, deadline=None)
@given(songs())
def test_round_trip_and_the_grammar_takes_all_of_it(made):
    song, length = made
    tokens = encode(song, WORDS)
    back = decode(tokens, WORDS, bar_lengths=[length])
    assert np.array_equal(back.notes, song.notes) and np.array_equal(back.bars, song.bars)
    assert back.themes == song.themes and back.tempos == song.tempos
    untimed = encode(ThemeSong(song.notes, song.bars, (), song.themes), WORDS)
    grammar = ThemeGrammar(WORDS, untimed[:2], bars=len(song.bars), bar_lengths=[length])
    for token in untimed[2:]:
        assert grammar.allowed()[token], WORDS.names[token]
        grammar.advance(token)
    assert grammar.labels == theme_labels(untimed, WORDS)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4), st.sampled_from([[16], [12], [8, 7]]))
def test_whatever_the_grammar_allows_is_a_whole_piece(seed, bars, lengths):
    rng = np.random.default_rng(seed)
    grammar, tokens = ThemeGrammar(WORDS, bars=bars, bar_lengths=lengths, theme_bars=2), []
    while not grammar.done:
        allowed = grammar.allowed()
        assert allowed.any()
        ends = [token for token in (WORDS.bar, WORDS.start, WORDS.end) if allowed[token]]
        choice = rng.choice(ends if ends and rng.random() < 0.2 else np.flatnonzero(allowed))
        tokens.append(int(choice))
        grammar.advance(int(choice))
    song = decode(tokens[:-1], WORDS, bar_lengths=lengths * 8)
    assert len(song.bars) == bars + 1
    assert len(song.notes) == sum(name.startswith("Note-On") for name in map(WORDS.names.__getitem__, tokens))
    assert all(last - first == 2 for first, last in song.themes)
    assert len(song.themes) == tokens[:-1].count(WORDS.start)
    assert encode(song, WORDS) == [t for t in encode(song, WORDS) if WORDS.kind[t] > 0]


def test_labels_count_from_the_start_mark():
    tokens = [WORDS.bar, WORDS.start, WORDS.bar, WORDS.position(0), WORDS.end, WORDS.bar]
    assert theme_labels(tokens, WORDS) == [0, 1, 2, 3, 0, 0]
    assert first_theme(tokens, WORDS).tokens == tuple(tokens[1:5])
    with pytest.raises(ValueError, match="no theme"):
        first_theme([WORDS.bar], WORDS)
    found = windows(tokens, WORDS, length=2, at="regular")
    assert [one.labels for one in found] == [(0, 1, 2), (2, 3, 0), (0, 0)][: len(found)]
    with pytest.raises(OptionError, match="'themes' or 'regular'"):
        windows(tokens, WORDS, length=2, at="x")


def test_shifts_stay_in_their_family_and_move_no_other_token():
    tokens = [WORDS.on(0, 1), WORDS.duration(0, 4), WORDS.velocity(0, 9), WORDS.on(2, 120)]
    assert shift_range(tokens, WORDS) == (0, 6)
    assert shift_pitches(tokens, WORDS, 6) == [WORDS.on(0, 7), *tokens[1:3], WORDS.on(2, 126)]
    with pytest.raises(ValueError, match="leads out"):
        shift_pitches(tokens, WORDS, -1)
    assert shift_range([WORDS.bar], WORDS) == (0, 0)


def test_extremes_are_clamped_within_their_own_tokens():
    notes = np.array([[0, 100, 0, 127, 0], [1, 0, 127, 0, 2]])
    back = decode(encode(ThemeSong(notes, np.array([0, 16])), WORDS), WORDS)
    assert back.notes.tolist() == [[0, 64, 1, 126, 0], [1, 1, 127, 1, 2]]
    with pytest.raises(OptionError, match="longer than 16"):
        encode(ThemeSong(notes, np.array([0, 17])), WORDS)


@pytest.mark.parametrize("metre", [(4, 4), (3, 4), (6, 8), (9, 8), (12, 8), (5, 4)])
def test_scores_of_all_metres_come_back_on_the_grid(metre):
    piece = next(piece for piece in load_corpus("compact", split="train") if piece.metre == metre)
    song = song_of_score(piece.score, melody=piece.melody, chords=piece.chords)
    ruler = Ruler.of(piece.score)
    assert int(np.diff(song.bars).max()) <= 16 and song.bars[-1] == ruler.steps[-1]
    assert [ruler.bar_of_part(ruler.first_part(bar)) for bar in range(len(ruler.parts))] == list(
        range(len(ruler.parts))
    )
    lengths = np.diff(song.bars).tolist()
    again = decode(encode(song, WORDS), WORDS, bar_lengths=lengths)
    assert np.array_equal(again.notes, song.notes)
    score = score_of_song(again, metre=metre, tempo=100)
    melody = score.tracks[0].notes.numpy()
    assert melody["pitch"].tolist() == song.notes[song.notes[:, 4] == 0][:, 2].tolist()
    assert score.end() <= song.bars[-1] * score.ticks_per_quarter // 4


def test_the_published_reader_takes_the_theme_track_for_a_third_one():
    tracks = {"MELODY": [(1920, 7680, 60, 90)], "PIANO": [(2400, 2880, 50, 90)]}
    themes = [(0, 3840, 1, 1), (5760, 7680, 1, 1)]
    for more, bars in (({}, 3), ({"BRIDGE": []}, 2)):
        tokens = midi_to_tokens(TicksSong(480, {**tracks, **more}, (), themes), WORDS)
        assert tokens.count(WORDS.ids["Bar"]) == bars, more


def test_published_files_need_a_melody_and_whole_notes():
    with pytest.raises(InputError, match="must be the melody"):
        midi_to_tokens(TicksSong(480, {"MELODY": []}), WORDS)
    with pytest.raises(InputError, match="no theme track"):
        midi_to_tokens(TicksSong(480, {"MELODY": [(0, 480, 60, 90)]}), WORDS)
    with pytest.raises(InputError, match="no duration"):
        tokens_to_midi([WORDS.bar, WORDS.position(0), WORDS.on(0, 60), WORDS.bar], WORDS)
    with pytest.raises(InputError, match="open or closed already"):
        tokens_to_midi([WORDS.end], WORDS)


def words(text: str) -> list[int]:
    """Ids of a text in which "60:4" is a note of the melody with its steps."""
    found = []
    for word in text.split():
        pitch, _, steps = word.partition(":")
        note = [f"Note-On-MELODY_{pitch}", f"Note-Duration-MELODY_{steps}", "Note-Velocity-MELODY_90"]
        found += [WORDS.ids[name] for name in (note if steps else [word])]
    return found


@pytest.mark.parametrize(
    ("text", "tempos", "themes"),
    [
        ("Bar Position_0 Tempo_101 60:4 Position_4 Tempo_101", [(101, 0)], []),
        ("Bar Position_0 60:4 Position_4 Tempo_122 Position_8 Tempo_122", [(120, 0), (122, 120)], []),
        ("Tempo_20 Bar Position_0 Tempo_101 Position_0 Tempo_122 62:4", [(122, 0)], []),
        # a theme of one position ends where the next one does, or is lost
        ("Theme_Start Bar Position_0 60:4 Theme_End", [(120, 0)], []),
        (
            "Bar Position_0 60:4 Position_4 Theme_Start Theme_End Theme_Start Position_8 62:4 Theme_End",
            [(120, 0)],
            [(120, 240, 1, 1)],
        ),
        (
            "Theme_Start Bar Position_0 60:4 Theme_End Bar Position_4 Theme_Start Position_8 62:4 Theme_End",
            [(120, 0)],
            [(0, 720, 1, 1)],
        ),
    ],
)
def test_the_published_file_is_read_again(text, tempos, themes):
    """The values that `REMIID2midi` and its reader give."""
    song = tokens_to_midi(words(text), WORDS)
    assert song.tempos == tempos and song.themes == themes


def test_a_note_off_ends_the_note_that_has_sounded_longest():
    song = tokens_to_midi(words("Bar Position_0 60:8 Position_2 60:2 Position_4 60:4"), WORDS)
    assert song.tracks["MELODY"] == [(0, 120, 60, 90), (60, 240, 60, 90), (120, 240, 60, 90)]
