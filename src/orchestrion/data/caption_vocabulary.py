"""The words that our captions use, for the text encoders that are trained on them: one a line in
`caption_vocabulary.txt`.

`python -m orchestrion.data.caption_vocabulary` writes them again from captions of the compact corpus.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

FILE = Path(__file__).with_name("caption_vocabulary.txt")
CAPTIONS_EACH = 4  # worded anew: enough that hardly any word of the grammar is missed


@lru_cache(maxsize=1)
def caption_words() -> tuple[str, ...]:
    """The words, in the order of their ids."""
    return tuple(FILE.read_text(encoding="utf-8").splitlines())


def captions() -> Iterator[str]:
    """Captions of all training pieces of the compact corpus."""
    import random

    from orchestrion.data.captions import caption_piece
    from orchestrion.data.corpus import load_corpus

    rng = random.Random(0)
    for piece in load_corpus("compact", split="train"):
        for _ in range(CAPTIONS_EACH):
            yield caption_piece(piece, rng)


def write(build: Callable[[Iterator[str]], list[str]]) -> None:
    """Writes the file; `build` makes words of texts (`representations.words`, a room beside this one)."""
    FILE.write_text("\n".join(build(captions())) + "\n", encoding="utf-8")


if __name__ == "__main__":
    from importlib import import_module

    vocabulary = import_module("orchestrion.representations.words").WordVocabulary
    write(lambda texts: vocabulary.build(texts, at_least=3).words[2:])
