"""From wishes to pieces: roles, forms, the grammar, sections, and what each wish changes."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrion.data.corpus import load_corpus
from orchestrion.representations.arrangement import METRES, REPEATS, ArrangementVocabulary, decode, encode
from orchestrion.representations.arrangement_check import craft
from orchestrion.representations.arrangement_choice import Wishes, choose_form, read_wishes
from orchestrion.representations.arrangement_grammar import ArrangementGrammar, Plan
from orchestrion.representations.arrangement_score import from_score, to_score
from orchestrion.representations.composition import Commission, compose
from orchestrion.representations.orchestration import assign_roles
from orchestrion.representations.prompt import parse_prompt
from orchestrion.theory.keys import Key

VOCABULARY = ArrangementVocabulary(("folk", "jazz", "pop", "waltz"))


def draw(grammar, generator, most=20_000):
    """A sequence drawn uniformly from what the grammar allows."""
    rng = np.random.default_rng(generator)
    tokens = []
    while not grammar.done:
        token = int(rng.choice(np.flatnonzero(grammar.allowed())))
        grammar.advance(token)
        tokens.append(token)
        assert len(tokens) < most
    return tokens[:-1] if tokens[-1] == VOCABULARY.eos else tokens


def write(texts, *, generators, grammars, temperature, top_p, progress=None):
    """Stands in for a network: draws uniformly, by the text and the generator."""
    pairs = zip(texts, generators, strict=True)
    seeds = [(generator.initial_seed() + sum(map(ord, text))) % 2**63 for text, generator in pairs]
    return [draw(grammar, seed) for grammar, seed in zip(grammars, seeds, strict=True)]


def commission(text, seed="0", **options):
    return Commission(text, read_wishes(parse_prompt(text), options, VOCABULARY), seed)


def piece(text, seed="0", **options):
    return compose(write, VOCABULARY, [commission(text, seed, **options)], temperature=1.0, top_p=1.0, candidates=1)[0]


@pytest.mark.parametrize(
    ("programs", "roles"),
    [
        ([73, 48], {"melody": 73, "pad": 48, "bass": 48}),
        ([0], {"melody": 0, "chords": 0, "bass": 0}),
        ([65], {"melody": 65}),
        ([128], {"drums": 128}),
        ([32], {"melody": 32}),
        ([0, 32, 128, 65], {"melody": 65, "chords": 0, "bass": 32, "drums": 128}),
        ([40, 41, 42], {"melody": 40, "counter": 41, "bass": 42}),
        ([24], {"melody": 24, "chords": 24}),
    ],
)
def test_roles(programs, roles):
    assert assign_roles(programs) == roles


@given(st.lists(st.integers(0, 128), max_size=9, unique=True))
def test_up_to_five_instruments_all_find_a_role(programs):
    roles = assign_roles(programs)
    assert set(roles.values()) <= set(programs)
    pitched = [p for p in programs if p != 128]
    if pitched:
        assert "melody" in roles
    if len(pitched) <= 4 and len([p for p in pitched if p in range(32, 40)]) <= 1:
        assert set(roles.values()) == set(programs)


@settings(deadline=None)
@given(st.integers(1, 35), st.integers(0, 99))
def test_forms_return_to_something(bars, seed):
    form, repeats = choose_form(bars, random.Random(seed))
    assert all(back in REPEATS and bar - back >= 0 and bar < bars - 1 for bar, back in repeats.items())
    assert bool(repeats) == (bars >= 4)
    if bars >= 16:
        assert len(set(form)) < len(form)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6), st.sampled_from(METRES), st.integers(1, 9), st.booleans())
def test_whatever_is_drawn_is_a_whole_piece(seed, metre, bars, minor):
    key = Key(5, "minor" if minor else "major")
    plan = Plan(
        metre=(VOCABULARY.token("Metre", METRES.index(metre)),),
        key=(VOCABULARY.ids[f"Key_{key}"],),
        bars=bars,
        repeats=choose_form(bars, random.Random(seed))[1],
    )
    tokens = draw(ArrangementGrammar(VOCABULARY, plan), seed)
    made = decode(tokens, VOCABULARY)
    assert (made.metre, made.key, len(made.bars)) == (metre, key, bars)
    assert all(any(bar.events.values()) for bar in made.bars)
    assert [chord.root for _, chord in made.bars[-1].chords] == [9 if minor else 0]
    score = to_score(made)
    assert score.end() <= bars * made.bar_length * score.tpq // 12
    for bar, back in plan.repeats.items():
        assert made.bars[bar].chords == made.bars[bar - back].chords
        assert (
            made.bars[bar].events["melody"] == made.bars[bar - back].events["melody"]
            or not made.bars[bar - back].events["melody"]
        )
    triad = {9, 0, 4} if minor else {0, 4, 7}
    assert all(p % 12 in triad for event in made.bars[-1].events["melody"] for p in event.pitches)


def test_tokens_of_the_corpus_come_back():
    corpus = load_corpus("compact", split="validation")
    genres = tuple(sorted(set(corpus.column("genre"))))
    vocabulary = ArrangementVocabulary(genres)
    for index in range(0, len(corpus), len(corpus) // 40):
        one = corpus[index]
        made = from_score(one.score, key=one.key, metre=one.metre, tempo=one.tempo, chords=one.chords or [],
                          melody=one.melody, genre=one.genre)  # fmt: skip
        tokens = encode(made, vocabulary)
        back = decode(tokens, vocabulary)
        assert encode(back, vocabulary) == tokens
        assert back.bars == made.bars
        grammar = ArrangementGrammar(vocabulary, Plan(cadence=False))
        for token in tokens[1:]:
            grammar.advance(token)  # raises where the grammar forbids what the corpus has
        assert grammar.done


def test_a_repeat_before_the_first_bar_is_refused():
    v = VOCABULARY
    head = [v.first["Genre"], v.first["Metre"], v.first["Tempo"], v.first["Key"]]
    with pytest.raises(ValueError, match="before the first"):
        decode([*head, v.token("Left", 3), v.token("Repeat", 0)], v)


WISHES = {
    "key": ({"key": Key(3, "minor")}, lambda made: made.arrangement.key == Key(3, "minor")),
    "metre": ({"metre": (6, 8)}, lambda made: made.arrangement.metre == (6, 8)),
    "tempo": ({"tempo": 97.5}, lambda made: made.score.tempos[0].qpm == pytest.approx(97.5, abs=0.01)),
    "bars": ({"bars": 7}, lambda made: len(made.arrangement.bars) == 7),
    "instruments": ({"instruments": (73, 128)}, lambda made: {p.program for p in made.arrangement.parts} == {73, 128}),
}


@pytest.mark.parametrize("name", WISHES)
def test_options_have_their_effect_and_go_before_the_text(name):
    options, holds = WISHES[name]
    text = "pop in G major, 4/4, 140 bpm, 8 bars, for piano"
    assert holds(piece(text, **options))
    assert not holds(piece(text))
    assert piece(text).score.tracks == piece(text).score.tracks


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("in Bb minor", lambda a: a.key == Key(10, "minor")),
        ("a waltz in minor", lambda a: a.key.mode == "minor" and a.metre == (3, 4) and a.genre == "waltz"),
        ("6/8", lambda a: a.metre == (6, 8)),
        ("slow", lambda a: a.tempo <= 80),
        ("12 bars", lambda a: len(a.bars) == 12),
        ("40 bars", lambda a: len(a.bars) == 40),
        ("100 bars of piano", lambda a: len(a.bars) == 100),
        ("solo violin", lambda a: [p.program for p in a.parts] == [40]),
        ("no drums", lambda a: all(p.program != 128 for p in a.parts)),
        ("with drums", lambda a: any(p.program == 128 for p in a.parts)),
    ],
)
def test_texts_have_their_effect(text, holds):
    for seed in range(3):
        assert holds(piece(text, str(seed)).arrangement), seed


@pytest.mark.parametrize("seconds", [5.0, 20.0, 61.0])
def test_seconds_are_met_within_a_bar(seconds):
    for seed in range(3):
        made = piece("a tune for flute", str(seed), seconds=seconds)
        bar = made.arrangement.bar_length / 12 * 60 / made.score.tempos[0].qpm
        assert abs(len(made.arrangement.bars) * bar - seconds) <= bar


def test_sections_of_a_long_piece_come_again():
    made = piece("64 bars for piano").arrangement
    assert made.bars[:16] == made.bars[16:32]
    assert made.bars[48:] != made.bars[:16]


def test_what_cannot_be_served_is_said():
    wishes = read_wishes(parse_prompt("a song with vocals in 11/8"), {"metre": (11, 8)}, VOCABULARY)
    assert any("ocals" in one for one in wishes.unserved)
    assert any("11/8" in one for one in wishes.unserved)
    assert wishes.plan.metre is not None
    nothing = read_wishes(parse_prompt("a tune"), {}, VOCABULARY)
    assert nothing.unserved == ()
    assert nothing == Wishes(Plan(drums=None))


def test_a_lone_singer_gets_a_band_only_where_the_genre_has_one():
    assert read_wishes(parse_prompt("jazz with saxophone"), {}, VOCABULARY).plan.more
    assert not read_wishes(parse_prompt("a folk tune for flute"), {}, VOCABULARY).plan.more
    assert not read_wishes(parse_prompt("solo saxophone jazz"), {}, VOCABULARY).plan.more


def test_the_report_says_what_was_chosen():
    made = piece("in D major, 8 bars")
    assert made.report["played"]["key"] == "D major"
    assert {"metre", "tempo", "instruments", "form"} <= set(made.report["chosen"])
    assert not {"key", "bars"} & set(made.report["chosen"])


def test_pieces_do_not_depend_on_their_neighbours():
    texts = ["a tune in G major", "a waltz for flute"]
    together = compose(write, VOCABULARY, [commission(t, "1") for t in texts], temperature=1.0, top_p=1.0)
    alone = [compose(write, VOCABULARY, [commission(t, "1")], temperature=1.0, top_p=1.0)[0] for t in reversed(texts)][
        ::-1
    ]
    assert [one.arrangement for one in together] == [one.arrangement for one in alone]


def test_the_best_candidate_is_kept():
    commissions = [commission("8 bars in C major for piano", str(seed)) for seed in range(12)]
    first, best = (
        np.mean([
            craft(one.arrangement, one.score)
            for one in compose(write, VOCABULARY, commissions, temperature=1.0, top_p=1.0, candidates=candidates)
        ])
        for candidates in (1, 6)
    )  # fmt: skip
    assert best > first + 0.1


def test_a_length_that_nobody_gave_is_drawn():
    lengths = {len(piece("a tune for flute", str(seed)).arrangement.bars) for seed in range(8)}
    assert len(lengths) > 2
    assert all(8 <= bars <= 32 for bars in lengths)
