"""Options as people type them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrion.errors import OptionError, OutputError, PromptError
from orchestrion.verbs import options
from orchestrion.verbs.generate import generate


@pytest.mark.parametrize(
    ("text", "metre"), [("3/4", (3, 4)), (" 6 / 8 ", (6, 8)), ("12/8", (12, 8)), ("7/16", (7, 16))]
)
def test_metre(text, metre):
    assert options.read_metre(text) == metre


@pytest.mark.parametrize("text", ["", "3", "0/4", "4/0", "4/3", "33/4", "a/b", "4/4/4", "-3/4", "3/4; rm -rf /"])
def test_no_metre(text):
    with pytest.raises(OptionError, match="metre"):
        options.read_metre(text)


def test_key():
    key = options.read_key("Bb minor")
    assert (key.tonic, key.mode) == (10, "minor")
    with pytest.raises(OptionError, match="'H sharp'"):
        options.read_key("H sharp")


@pytest.mark.parametrize(
    ("text", "programs"),
    [("flute", (73,)), ("73, 48", (73, 48)), ("flute, drums", (73, 128)), ("flute,flute", (73,))],
)
def test_instruments(text, programs):
    assert options.read_instruments(text) == programs


@pytest.mark.parametrize("text", ["flute,", "xylorimba of doom 9", "128", "-1"])
def test_no_instrument(text):
    with pytest.raises(OptionError, match="instrument"):
        options.read_instruments(text)


@given(st.integers(1, 9999), st.integers(0, 500))
def test_bar_range_counts_from_one_with_both_ends(first, more):
    last = min(first + more, 9999)
    assert options.read_bar_range(f"{first}-{last}") == (first - 1, last)
    assert options.read_bar_range(str(first)) == (first - 1, first)


@pytest.mark.parametrize("text", ["", "0-3", "4-3", "a-b", "1-2-3", "-3", "99999"])
def test_no_bar_range(text):
    with pytest.raises(OptionError, match="range"):
        options.read_bar_range(text)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"bars": 0}, "--bars"),
        ({"bars": 8, "seconds": 20.0}, "one of them"),
        ({"seconds": float("nan")}, "--seconds"),
        ({"tempo": 0}, "--tempo"),
        ({"temperature": -1.0}, "--temperature"),
        ({"top_p": 1.5}, "--top-p"),
        ({"n": 0}, "--n"),
        ({"seed": -1}, "seed"),
    ],
)
def test_generate_refuses_options_before_any_work(asked, said, tmp_path):
    with pytest.raises(OptionError, match=said):
        generate("a waltz", tmp_path / "x.wav", **asked)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("prompt", ["", "  \n\t", "a waltz " * 6250])
def test_generate_refuses_texts(prompt, tmp_path):
    with pytest.raises(PromptError):
        generate(prompt, tmp_path / "x.wav")


def test_generate_refuses_places(tmp_path):
    (tmp_path / "file").write_text("x")
    for place in (tmp_path / "missing" / "x.wav", tmp_path / "file" / "x.wav", "/proc/x.wav"):
        with pytest.raises(OutputError):
            generate("a waltz", place)
    for place in (tmp_path / "x", tmp_path / "x.exe", tmp_path):
        with pytest.raises(OptionError):
            generate("a waltz", place)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
