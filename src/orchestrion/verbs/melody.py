"""A melody over chords, or from a skeleton or a plan of phrases."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from orchestrion.errors import InputError, OptionError
from orchestrion.verbs import options
from orchestrion.verbs.editing import Editing, make
from orchestrion.verbs.result import MusicResult

if TYPE_CHECKING:
    from orchestrion.theory.chords import ChordSpan

OVER_CHORDS, FROM_SKELETON = "cm_hrnn", "small_tunes_transformer"
MOST_TEXT = 1 << 16  # bytes of a file of chord symbols
MOST_REPEATS = 64
MOST_PHRASES = 64


def melody(
    progression: str | None,
    output: str | Path,
    *,
    chords: str | Path | None = None,
    skeleton: str | Path | None = None,
    plan: str | None = None,
    repeat: int = 1,
    key: str | None = None,
    tempo: float | None = None,
    metre: str | None = None,
    **how: Unpack[Editing],
) -> MusicResult:
    """Writes a melody.

    Args:
        progression: chord symbols, a bar between two strokes: "C | Am | F | G7"; several in a bar share it, "%" is the
            chord before, "N.C." none.
        chords: instead, a text file of chord symbols, or a score whose chords are heard.
        skeleton: instead, a score whose notes the melody shall pass through.
        plan: bars of each phrase, like "4,4,4,4"; with a skeleton or alone.
        repeat: how often the progression is played.
        key: found from the chords or the skeleton by default.
        tempo, metre: of the melody; those of the skeleton by default.
        how: as `Editing`; the system is CM-HRNN over chords, Small Tunes Transformer else, by default.

    Raises:
        OptionError: nothing is given to make a melody for, or too much; or an option is out of range.
        InputError: a file cannot be read, or there are no chords.
        OutputError: the files cannot be written; then none is.
    """
    from orchestrion.verbs.serving import given, read_music

    over = [one for one in (progression, chords) if one is not None]
    if len(over) > 1 or (over and (skeleton is not None or plan is not None)):
        raise OptionError("Give chords, or a file of chords, or a skeleton and a plan of phrases; not several of them.")
    if not over and skeleton is None and plan is None:
        raise OptionError('Give chords like "C | Am | F | G", or --chords FILE, --skeleton FILE or --plan 4,4,4,4.')
    options.check_sampling(how.get("temperature"), None, how.get("n", 1))
    options.within("--tempo", tempo, 10, 400, "quarters a minute")
    options.within("--repeat", repeat, 1, MOST_REPEATS, "times")
    options.check_output(Path(output))
    beats = options.read_metre(metre)
    asked: dict[str, Any] = given(key=options.read_key(key), tempo=tempo, metre=beats)
    if over:
        task = "melodize"
        spans = (
            read_progression(progression, beats or (4, 4))
            if progression is not None
            else read_chords(Path(over[0]), beats)
        )
        source: tuple[Any, ...] = (repeated(spans, repeat),)
        name = progression or Path(over[0]).name
    else:
        task = "elaborate"
        source = () if skeleton is None else (read_music(Path(skeleton)),)
        asked |= given(plan=read_plan(plan))
        name = Path(skeleton).name if skeleton is not None else f"phrases of {plan} bars"
    how.setdefault("system", OVER_CHORDS if over else FROM_SKELETON)
    return make("melody", task, source, output, asked, name=name, told={"key": key} if key else None, **how)


def read_progression(text: str, metre: tuple[int, int] = (4, 4)) -> list[ChordSpan]:
    """Chords as people type them, a bar between two strokes or line ends.

    Raises:
        OptionError: a symbol is none, or there is no chord.
    """
    from orchestrion.theory.chords import NO_CHORD, Chord, ChordSpan

    bars = [bar.split() for bar in re.split(r"\|+:|:\|+:?|\|+|\n", text.strip()) if bar.strip(" :")]
    if not bars:
        raise OptionError('There are no chords; write them like "C | Am | F | G7".')
    if len(bars) == 1 and "|" not in text and "\n" not in text and len(bars[0]) > 1:
        bars = [[symbol] for symbol in bars[0]]  # without strokes, a bar each
    length, spans, chord = 4.0 * metre[0] / metre[1], [], NO_CHORD
    for number, symbols in enumerate(bars):
        for place, symbol in enumerate(symbols):
            try:
                chord = chord if symbol == "%" else Chord.parse(symbol.strip(",-–"))
            except ValueError as error:
                raise OptionError(f"{symbol[:40]!r} is no chord; write them like C, F#m7, Bb7 or N.C.") from error
            start = number * length + place * length / len(symbols)
            spans.append(ChordSpan(_grid(start), _grid(start + length / len(symbols)), chord))
    if len(bars) > options.MOST_BARS:
        raise OptionError(f"There are {len(bars)} bars of chords; give at most {options.MOST_BARS}.")
    return [span for span in spans if span.end > span.start]


def _grid(quarters: float) -> float:
    """To eighths: chords change no faster."""
    return round(quarters * 2) / 2


def read_chords(path: Path, metre: tuple[int, int] | None = None) -> list[ChordSpan]:
    """Chords of a text file of symbols, or those that are heard in a score, half bar by half bar at the finest.

    Raises:
        InputError: the file cannot be read, or has no chords.
        OptionError: a symbol in it is none.
    """
    from orchestrion.media.files import read_input

    if path.suffix.lower() in (".txt", ".chords", ".chd"):
        data = read_input(path, most_bytes=MOST_TEXT)
        try:
            return read_progression(data.decode("utf-8-sig"), metre or (4, 4))
        except UnicodeDecodeError as error:
            raise InputError(f"The file {path} is no text; give a file of chord symbols or a score.") from error
    from orchestrion.theory.chord_inference import infer_chords
    from orchestrion.theory.chords import ChordSpan
    from orchestrion.verbs.serving import read_music

    score = read_music(path)
    spans = [ChordSpan(_grid(s.start), _grid(s.end), s.chord) for s in infer_chords(score, frame="bar")]
    spans = [span for span in spans if span.end > span.start]
    if all(span.chord.root is None for span in spans):
        raise InputError(f"No chords are heard in {path}; give a score with chords, or their symbols.")
    return spans


def repeated(spans: Sequence[ChordSpan], times: int) -> list[ChordSpan]:
    """The chords several times in a row."""
    from orchestrion.theory.chords import ChordSpan

    length = max((span.end for span in spans), default=0.0)
    return [
        ChordSpan(span.start + number * length, span.end + number * length, span.chord)
        for number in range(times)
        for span in spans
    ]


def read_plan(text: str | None) -> tuple[int, ...]:
    """Bars of each phrase, "4,4,8"; "4x4" is four phrases of four bars.

    Raises:
        OptionError: it is no plan.
    """
    if text is None:
        return ()
    plan: list[int] = []
    for part in text.replace("+", ",").replace(" ", ",").split(","):
        if not part:
            continue
        found = re.fullmatch(r"(?:(\d{1,3})[x×*])?(\d{1,3})", part)
        if found is None or int(found[2]) < 1:
            raise OptionError(f"{text[:40]!r} is no plan of phrases; write their bars like 4,4,4,4 or 4x4.")
        plan += [int(found[2])] * int(found[1] or 1)
    if not 1 <= len(plan) <= MOST_PHRASES or sum(plan) > options.MOST_BARS:
        raise OptionError(f"A plan has 1 to {MOST_PHRASES} phrases and {options.MOST_BARS} bars at most; shorten it.")
    return tuple(plan)
