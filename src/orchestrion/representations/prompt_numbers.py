"""Number words as digits: "a hundred and twenty" → "120", "three-four" → "3-4"."""

from __future__ import annotations

import re

from orchestrion.theory.vocabulary import NUMBERS

_VALUES = {word: i for i, word in enumerate(NUMBERS)} | {
    word: 10 * (i + 2)
    for i, word in enumerate(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"])
}
_WORD = "(?:" + "|".join(sorted([*_VALUES, "hundred"], key=len, reverse=True)) + ")"
_RUN = re.compile(
    rf"\b(?:a\s+(?=hundred\b))?{_WORD}(?:(?:\s+and\s+|[\s-]+){_WORD})*\b(?!'|-?of-|\s+of\s+(?:the|those)\b)",
    re.IGNORECASE,
)
_PIECE = re.compile(rf"(\s+and\s+|[\s-]+)?({_WORD})", re.IGNORECASE)


def digits_for_words(text: str) -> str:
    """Replaces English number words below 1,000 by digits.

    >>> digits_for_words("sixteen bars in three-four at a hundred and twenty")
    '16 bars in 3-4 at 120'
    """
    return _RUN.sub(lambda match: _convert(match.group()), text)


def _convert(run: str) -> str:
    if run[:1] in "aA" and run[1:2].isspace():
        run = run[1:].lstrip()
    parts: list[str] = []
    value: int | None = None
    for gap, word in _PIECE.findall(run):
        word = word.lower()
        if word == "hundred":
            value = 100 * (value if value and value < 10 else 1)
            continue
        number = _VALUES[word]
        fits = value is not None and (
            (value % 100 == 0 and value > 0) or (value % 10 == 0 and value % 100 >= 20 and 0 < number < 10)
        )
        if fits:
            value = (value or 0) + number
        elif value is not None and 0 < value < 10 and number >= 20 and "and" not in gap:
            value = 100 * value + number  # "one twenty"
        else:
            if value is not None:
                parts += [str(value), gap or " "]
            value = number
    parts.append(str(value))
    return "".join(parts)
