"""Finds music in an index: by a sentence, or by a recording or score that it should be like."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrion.errors import InputError, OptionError, PromptError
from orchestrion.verbs.data_render import SCORE_SUFFIXES
from orchestrion.verbs.hearing import SOUND_SUFFIXES, load_ear, one_vector
from orchestrion.verbs.index import PLACE
from orchestrion.verbs.options import within
from orchestrion.verbs.result import Result

if TYPE_CHECKING:
    from orchestrion.data.vector_index import Hit, VectorIndex

MOST = 1000
LONGEST_TEXT = 2000  # characters


@dataclass(frozen=True, slots=True)
class Found(Result):
    """What was asked, in which index, by which embedder, and what was found, nearest first."""

    query: str
    folder: Path
    system: str
    space: str
    hits: tuple[Hit, ...]


def search(
    query: str | Path, index: str | Path = ".", *, system: str | None = None, n: int = 10, device: str = "cpu"
) -> Found:
    """The files of an index that are nearest to a text, or to a file.

    Args:
        query: a sentence, or the path of a recording or score; a path if there is such a file.
        index: folder of the index, or the folder that was indexed.
        system: which of the embedders in the index; by default the first that can embed the query.
        n: how many files.

    Raises:
        PromptError: the text is empty or too long.
        InputError: the file cannot be read or is silent, or there is no index.
        OptionError: no embedder in the index reads texts, or its weights are others now.
    """
    from orchestrion.data.vector_index import VectorIndex

    within("--n", n, 1, MOST, "files")
    text = str(query)
    path = _path_in(text)
    if path is None and not text.strip():
        raise PromptError("The query is empty; write what the music should be like, or name a file.")
    if path is None and len(text) > LONGEST_TEXT:
        raise PromptError(f"The query has {len(text)} characters; {LONGEST_TEXT} are the most.")
    folder = Path(index)
    held = VectorIndex(folder / PLACE if (folder / PLACE).is_dir() else folder)
    name = _choose(held, system, text=path is None)
    ear = load_ear(name, device)
    held.check(name, ear.space)
    vector = ear.read(text) if path is None else one_vector(ear.hear(path), path)
    return Found(text, held.folder, name, ear.space, tuple(held.search(name, vector, n=n)))


def _path_in(text: str) -> Path | None:
    """The file that a query names, if it names one."""
    path = Path(text)
    try:
        if path.is_file():
            return path
    except (OSError, ValueError):  # too long or no name at all
        return None
    if path.suffix.lower() in SOUND_SUFFIXES + SCORE_SUFFIXES and " " not in text.strip():
        raise InputError(f"There is no file {path}; check the name.")
    return None


def _choose(held: VectorIndex, system: str | None, *, text: bool) -> str:
    """The table to search in."""
    if not held.spaces:
        raise InputError(f"The index {held.folder} is empty; make it with `orchestrion index DIR`.")
    if system is not None:
        if text and not held.space(system).text:
            raise OptionError(f"The embedder {system} reads no text; search by a file, or in the space of another one.")
        return system
    able = [name for name, space in held.spaces.items() if space.text or not text]
    if not able:
        names = ", ".join(held.spaces)
        raise OptionError(
            f"The index {held.folder} was made with {names}, which reads no text; index again with --system musicldm."
        )
    return able[0]
