"""Text as a short list of known words, for the small text encoders that ship in the package."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from rapidfuzz import process
from rapidfuzz.distance import DamerauLevenshtein

PAD, UNKNOWN = 0, 1
NUMBER_RATIO = 1.06  # numbers above 32 fall into classes 6 % wide: 117 and 120 bpm are the same tempo to a listener
SIMILARITY = 0.75  # share of letters that must agree for a misspelt word to be read as a known one
_PATTERN = re.compile(
    r"[A-G](?:[#♯♭]|b(?![a-z]))?(?![A-Za-z'])|\d+/\d+|\d+|[a-z]+(?:'[a-z]+)?", re.ASCII | re.IGNORECASE
)

_MODE = re.compile(r"[ -]*m", re.IGNORECASE)  # "A minor", but "A slow waltz"


def split_words(text: str) -> list[str]:
    """Lower-case words, metres ("6/8"), note names ("F#", "Bb", which keep their capital) and numbers.

    >>> split_words("A slow waltz in Bb minor, 3/4 at 117 bpm")
    ['a', 'slow', 'waltz', 'in', 'Bb', 'minor', '3/4', 'at', '<18>', 'bpm']
    """
    words = []
    for match in _PATTERN.finditer(
        text.replace("-flat", "b").replace("-sharp", "#").replace(" flat", "b").replace(" sharp", "#")
    ):
        word = match.group()
        note = len(word) == 1 or (len(word) == 2 and word[1] in "#♯♭b")
        if word.isdigit():
            words.append(_number(int(word)))
        elif note and (word[0] in "BCDEFG" or (word[0] == "A" and (word[1:] or _MODE.match(text, match.end())))):
            words.append(word.replace("♯", "#").replace("♭", "b"))
        else:
            words.append(word.capitalize() if word[-1] in "#♯♭" else word.lower())
    return words


def _number(value: int) -> str:
    if value <= 32:
        return str(value)
    step, edge = 0, 40.0
    while edge < min(value, 10**6):
        step, edge = step + 1, edge * NUMBER_RATIO
    return f"<{step}>"


class WordVocabulary:
    """Words and their ids: 0 is padding, 1 an unknown word. A misspelt word takes the id of the nearest known one."""

    def __init__(self, words: Iterable[str]) -> None:
        self.words = ["<pad>", "<unknown>", *words]
        self.ids = {word: i for i, word in enumerate(self.words)}
        self._long = [word for word in self.words[2:] if word.isalpha() and len(word) > 3]

    @classmethod
    def build(cls, texts: Iterable[str], *, at_least: int = 2, at_most: int = 4000) -> WordVocabulary:
        """The commonest words of `texts`, seen `at_least` times, in alphabetical order."""
        counts = Counter(word for text in texts for word in split_words(text))
        common = [word for word, n in counts.most_common(at_most) if n >= at_least]
        return cls(sorted(common))

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, text: str, *, at_most: int = 160) -> list[int]:
        """Ids of the first `at_most` words; a text without words gives one unknown word, to attend to."""
        return [self._id(word) for word in split_words(text)[:at_most]] or [UNKNOWN]

    def _id(self, word: str) -> int:
        if word in self.ids:
            return self.ids[word]
        if len(word) > 3 and word.isalpha():
            near = process.extractOne(
                word, self._long, scorer=DamerauLevenshtein.normalized_similarity, score_cutoff=SIMILARITY
            )
            if near is not None:
                return self.ids[near[0]]
        return UNKNOWN
