"""What sentences about music are read as."""

import json
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrion.errors import PromptError
from orchestrion.representations.prompt import MAX_CHARACTERS, MusicRequest, parse_prompt
from orchestrion.representations.prompt_numbers import digits_for_words
from orchestrion.theory.keys import Key
from orchestrion.theory.vocabulary import GENRES, INSTRUMENTS

PROMPTS = json.loads((Path(__file__).parents[1] / "prompts.json").read_text())


def _read(request: MusicRequest, name: str, wanted) -> bool:
    if name == "pace":
        return request.tempo_range is not None and wanted[0] <= sum(request.tempo_range) / 2 <= wanted[1]
    if name == "instruments":
        return set(wanted) == set(request.instruments)
    if name == "moods":
        return set(wanted) <= set(request.moods)
    if name == "genre":
        return wanted in request.genres
    if name == "metre":
        return request.metre == tuple(int(x) for x in wanted.split("/"))
    if name == "key":
        return request.key == Key.parse(wanted)
    if name == "unserved":
        return bool(request.unserved) == wanted
    return getattr(request, name) == wanted


def test_hand_written_prompts_are_read_right():
    right, asked = Counter(), Counter()
    for prompt in PROMPTS:
        request = parse_prompt(prompt["text"])
        for name, wanted in prompt.items():
            if name not in ("text", "free"):
                asked[name] += 1
                right[name] += _read(request, name, wanted)
    assert len(PROMPTS) == 100
    assert sum(prompt["free"] for prompt in PROMPTS) == 50
    assert {name: right[name] / asked[name] for name in asked if right[name] < 0.95 * asked[name]} == {}


def test_nothing_is_read_into_prompts_that_do_not_ask_for_it():
    wrong = []
    for prompt in PROMPTS:
        request = parse_prompt(prompt["text"])
        for name in ("key", "tempo", "bars", "seconds", "metre"):
            if name not in prompt and getattr(request, name) is not None and name not in request.implied:
                wrong.append((prompt["text"], name))
    assert len(wrong) <= 1, wrong


@pytest.mark.parametrize(
    "text, key",
    [
        ("a tune in Bb minor", "Bb minor"),
        ("a tune in B-flat minor", "Bb minor"),
        ("a tune in b flat min, soft", "Bb minor"),
        ("in the key of c sharp minor", "C# minor"),
        ("in C♯ minor", "C# minor"),
        ("F# maj", "F# major"),
        ("Key: Eb", "Eb major"),
        ("blues in A", "A major"),
        ("a song in Am", "A minor"),
        ("waltz, A minor", "A minor"),
        ("an A major waltz", "A major"),
        ("in the key of a minor", "A minor"),
        ("D minro, slow", "D minor"),
    ],
)
def test_keys(text, key):
    assert parse_prompt(text).key == Key.parse(key)


@pytest.mark.parametrize(
    "text",
    [
        "a major hit for guitar",
        "a minor change of mood",
        "write a minor key tune",
        "in a nice way",
        "a B-side for piano",
        "I am sad",
        "the key to my heart",
    ],
)
def test_what_is_no_key(text):
    assert parse_prompt(text).key is None


def test_mode_alone():
    assert parse_prompt("a tune in a minor key").mode == "minor"
    assert parse_prompt("something in a major key").mode == "major"
    assert parse_prompt("piano, not in a minor key").mode == "major"


@pytest.mark.parametrize(
    "text, bpm",
    [
        ("120 bpm", 120),
        ("tempo 120", 120),
        ("at 92 for piano", 92),
        ("tempo: 66", 66),
        ("a hundred and twenty bpm", 120),
        ("bpm=88", 88),
        ("96 beats per minute", 96),
        ("dotted quarter = 60", 90),
        ("half note = 60", 120),
        ("♩ = 72", 72),
        ("one twenty bpm", 120),
    ],
)
def test_tempi_in_numbers(text, bpm):
    assert parse_prompt(text).tempo == bpm


def test_tempo_words_and_their_negation():
    assert parse_prompt("a fast tune").tempo_range == (120, 160)
    assert parse_prompt("andante").tempo_range == (70, 90)
    assert parse_prompt("not too fast").tempo_range == (80, 120)
    assert parse_prompt("not slow").tempo_range == (90, 130)
    assert parse_prompt("between 80 and 100 bpm").tempo_range == (80, 100)
    assert parse_prompt("at 16 bars").tempo is None


@pytest.mark.parametrize(
    "text, metre",
    [
        ("in 6/8", (6, 8)),
        ("three-four time", (3, 4)),
        ("in 7/8", (7, 8)),
        ("a waltz", (3, 4)),
        ("a waltz in 4/4", (4, 4)),
        ("twelve-eight", (12, 8)),
        ("common time", (4, 4)),
        ("cut time", (2, 2)),
        ("counted in three", (3, 4)),
        ("5 4 time", (5, 4)),
    ],
)
def test_metres(text, metre):
    assert parse_prompt(text).metre == metre


@pytest.mark.parametrize(
    "text, bars, seconds",
    [
        ("16 bars", 16, None),
        ("a 12-measure tune", 12, None),
        ("sixteen bars", 16, None),
        ("30 seconds", None, 30),
        ("a minute long", None, 60),
        ("half a minute", None, 30),
        ("2 minutes", None, 120),
        ("1:30 long", None, 90),
        ("a minute and a half", None, 90),
        ("1 min 20 s", None, 80),
        ("90s of harp", None, None),
        ("30s long", None, 30),
        ("an eighties tune", None, None),
        ("beats per minute", None, None),
    ],
)
def test_lengths(text, bars, seconds):
    request = parse_prompt(text)
    assert (request.bars, request.seconds) == (bars, seconds)


def test_negation_reaches_lists_and_stops():
    request = parse_prompt("strings and flute without drums or piano, in D minor")
    assert request.instruments == (48, 73)
    assert request.drums is False
    assert {0, 128} <= set(request.excluded)
    assert request.key == Key.parse("D minor")
    assert parse_prompt("no drums, just piano").instruments == (0,)
    assert parse_prompt("a happy tune, no piano; with guitar").instruments == (25,)
    assert parse_prompt("not sad but calm").moods == ("calm",)
    assert parse_prompt("without bass and drums").excluded[-1] == 128


@pytest.mark.parametrize(
    "text",
    [
        "solo piano",
        "piano solo",
        "just a piano",
        "unaccompanied piano",
        "nothing but piano",
        "piano alone",
        "only piano",
    ],
)
def test_solo(text):
    request = parse_prompt(text)
    assert (request.instruments, request.only, request.drums) == ((0,), True, False)


def test_drums_are_unsaid_unless_said():
    assert parse_prompt("piano and flute").drums is None
    assert parse_prompt("piano and a drum kit").drums is True
    assert parse_prompt("rock band").drums is True


@pytest.mark.parametrize(
    "text, program",
    [
        ("saxaphone", 66),
        ("pianno", 0),
        ("violn", 40),
        ("celo", 42),
        ("accordian", 21),
        ("gutiar", 25),
        ("trumpett", 56),
        ("clarinette", 71),
        ("xylofone", 13),
    ],
)
def test_typing_errors(text, program):
    assert parse_prompt(f"a tune for {text}").instruments == (program,)


@pytest.mark.parametrize(
    "text",
    [
        "hello there",
        "a place for people",
        "the price of grass",
        "my heart will break",
        "I was there for hours",
        "please write something great",
        "brassy and loud",
    ],
)
def test_ordinary_words_are_not_corrected_into_music(text):
    request = parse_prompt(text)
    assert (request.instruments, request.genres, request.drums) == ((), (), None)


def test_scenes_imply_what_is_not_said():
    lullaby = parse_prompt("something like a lullaby")
    assert lullaby.metre == (3, 4)
    assert lullaby.instruments == (10, 0)
    assert {"metre", "instruments", "tempo_range", "moods"} <= lullaby.implied
    fast = parse_prompt("a fast lullaby for trumpet in 4/4")
    assert (fast.instruments, fast.metre, fast.tempo_range) == ((56,), (4, 4), (120, 160))
    assert "metre" not in fast.implied
    assert "instruments" not in fast.implied


def test_eras():
    eighties = parse_prompt("80s pop")
    assert (eighties.era, eighties.seconds) == ("1980s", None)
    assert parse_prompt("music of the roaring twenties").genre == "swing"
    assert parse_prompt("baroque").era == "baroque"


@pytest.mark.parametrize(
    "text",
    [
        "a song with female vocals",
        "lyrics about love",
        "sung by a child",
        "rain sounds and piano",
        "in the style of Radiohead",
        "a tune like Coldplay would",
        "with a key change",
    ],
)
def test_unserved_wishes_are_said(text):
    (sentence,) = parse_prompt(text).unserved
    assert sentence.endswith(".")


@pytest.mark.parametrize(
    "text",
    [
        "piano, no vocals",
        "without lyrics",
        "in the style of a waltz",
        "in the style of jazz",
        "like a lullaby",
        "a cappella-free: no singing",
    ],
)
def test_what_needs_no_excuse(text):
    sentences = parse_prompt(text).unserved
    assert not sentences or "a cappella" in text


def test_chords():
    assert parse_prompt("piano over Am F C G").chords == ("Am", "F", "C", "G")
    assert parse_prompt("ii-V-I in Bb").chords == ("ii", "V", "I")
    assert parse_prompt("for A and B").chords == ()


def test_readings_explain_everything_that_was_understood():
    request = parse_prompt("Slow waltz in D minor for flute")
    assert [phrase for phrase, _ in request.readings] == ["Slow", "waltz", "D minor", "flute"]
    assert dict(request.readings)["D minor"] == "key D minor"
    assert not request.is_empty
    assert parse_prompt("xyzzy plugh").is_empty


@pytest.mark.parametrize(
    "text", ["", "   \n\t", "🎹🎻🥁", "!!! ... ???", "a" * (MAX_CHARACTERS + 1), "piano " * 10_000]
)
def test_empty_and_endless_prompts_are_refused(text):
    with pytest.raises(PromptError) as caught:
        parse_prompt(text)
    assert caught.value.exit_code == 2
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "text",
    [
        "$(rm -rf /) piano",
        "../../etc/passwd; flute",
        "{piano!r} %s {0.__class__}",
        "`reboot` harp",
        "<script>organ</script>",
        "piano\x00\x1b[31m",
    ],
)
def test_hostile_text_is_only_text(text):
    assert len(parse_prompt(text).instruments) == 1


WORDS = st.sampled_from(
    sorted(
        [
            *INSTRUMENTS,
            *GENRES,
            "no",
            "without",
            "and",
            "or",
            ",",
            "in",
            "A",
            "minor",
            "6/8",
            "120 bpm",
            "solo",
            "a hundred",
            "Bb",
            "16 bars",
            "not too",
            "in the style of",
        ]
    )
)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=300) | st.lists(WORDS, max_size=25).map(" ".join))
def test_no_text_breaks_the_reader(text):
    try:
        request = parse_prompt(text)
    except PromptError:
        assert not any(c.isalnum() for c in text) or not text.isascii()
        return
    assert all(0 <= program < 128 for program in request.instruments)
    assert not set(request.instruments) & set(request.excluded)
    assert request == parse_prompt(text)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.sampled_from(sorted(p for p in INSTRUMENTS if p not in ("vibes",))), min_size=1, max_size=5, unique=True
    )
)
def test_every_instrument_is_found_wherever_it_stands(names):
    request = parse_prompt("A tune for " + ", ".join(names) + " in 4/4")
    wanted = {program for name in names for program in INSTRUMENTS[name]}
    found = set(request.instruments) | ({128} if request.drums else set())
    assert found == wanted


def test_the_report_is_json_and_keeps_asked_and_implied_apart():
    report = json.loads(json.dumps(parse_prompt("a waltz in D minor for flute, no drums, with vocals").report()))
    assert report["asked"] == {
        "instruments": ["Flute"],
        "drums": False,
        "without": ["Drums"],
        "key": "D minor",
        "mode": "minor",
        "genre": ["waltz"],
    }
    assert report["implied"] == {"metre": "3/4", "tempo_range": [90.0, 180.0]}
    assert {"phrase": "D minor", "meaning": "key D minor"} in report["readings"]
    assert len(report["unserved"]) == 1


@pytest.mark.parametrize(
    "text, programs",
    [
        ("anything but piano, flute please", (73,)),
        ("drumless track, walking bass", (32,)),
        ("orchestra without brass", (48, 73, 68, 71, 47)),
        ("lute-like guitar", (25,)),
        ("Chopin nocturne vibes", ()),
        ("flute and vibes", (73, 11)),
        ("a Daft Punk tune with synths", (80,)),
        ("pno + vln", (0, 40)),
    ],
)
def test_instruments_in_awkward_company(text, programs):
    assert parse_prompt(text).instruments == programs


def test_decades_are_not_seconds():
    assert parse_prompt("Era 1960s. Length 24 bars.").seconds is None
    assert parse_prompt("synth pop, 80s").seconds is None
    assert parse_prompt("harp for 80s").seconds == 80
    assert parse_prompt("harp, 30s").seconds == 30


def test_bare_letters_as_keys():
    assert parse_prompt("Bm, 90 bpm").key == Key.parse("B minor")
    assert parse_prompt("walking bass, Bb").key == Key.parse("Bb major")
    assert parse_prompt("in d-flat").key == Key.parse("Db major")
    assert parse_prompt("Am I late?").key is None


def test_nothing_else_means_only():
    assert parse_prompt("guitar and bass, nothing else").only


@pytest.mark.parametrize(
    "text", ["in the style of ", "1 ", "C F G Am ", "no , a ", "very short ", "one hundred and ", "i-v-", "zzzzqqq "]
)
def test_no_text_takes_long(text):
    start = time.perf_counter()
    parse_prompt((text * MAX_CHARACTERS)[:MAX_CHARACTERS])
    assert time.perf_counter() - start < 2


def test_numbers_in_words():
    assert digits_for_words("a hundred and twenty") == "120"
    assert digits_for_words("sixty-four bars of three-four") == "64 bars of 3-4"
    assert digits_for_words("one of the best") == "one of the best"
