"""Turns sounds into vectors that can be compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrion.errors import InputError, OptionError
from orchestrion.verbs import options
from orchestrion.verbs.result import Progress, Result

if TYPE_CHECKING:
    from orchestrion.data.embeddings import Embeddings
    from orchestrion.media.audio import Audio

SUFFIXES = (".npz", ".parquet")
POOLINGS = ("mean", "none")


@dataclass(frozen=True, slots=True)
class Embedded(Result):
    """What was written.

    Attributes:
        file: with all vectors; a record of how they were made lies beside it.
        space: names the embedding; only vectors of one space can be compared.
        vectors, dimension: how many, and their size.
        window, hop: seconds.
        sounds: files that were embedded.
        padded: those of them that are shorter than a window and were filled up with silence.
        failures: files that could not be read, with the reasons.
    """

    file: Path
    system: str
    space: str
    vectors: int
    dimension: int
    window: float
    hop: float
    sounds: tuple[Path, ...]
    padded: tuple[Path, ...]
    failures: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class HeardFile:
    """A file's embeddings and its length in seconds."""

    embeddings: Embeddings
    seconds: float

    @property
    def padded(self) -> bool:
        """Whether it is shorter than a window."""
        return self.seconds < self.embeddings.window - 1e-3


def embed(
    sources: Sequence[str | Path],
    output: str | Path,
    *,
    hop: float | None = None,
    pooling: str = "mean",
    system: str = "clmr",
    device: str = "cpu",
    progress: Progress | None = None,
) -> Embedded:
    """Embeds recordings of any length (and scores, as they are rendered), in memory that does not grow with it.

    Args:
        output: .npz with `vectors` [rows, dim], `starts` (seconds), `sound` (number in `files`), `files`, `space` and
            `window`; or .parquet with a row a vector.
        hop: seconds between windows; the window's length by default.
        pooling: "mean" for a vector a file, "none" for one a window.

    Raises:
        InputError: none of the files can be read.
        OptionError: an option is unknown or out of range, or the system cannot embed.
        OutputError: the result cannot be written.
    """
    target = options.check_output(Path(output), SUFFIXES)
    if pooling not in POOLINGS:
        raise OptionError(f"--pooling is {pooling!r}; choose {' or '.join(POOLINGS)}.")
    options.within("--hop", hop, 0.001, 3600, "seconds")
    paths = [Path(source) for source in sources]
    if len(paths) == 1:
        check_sound(paths[0])  # before torch is imported: a mistake is told at once

    from orchestrion.verbs.serving import load_for

    model = load_for("embed", system, device)
    heard: dict[Path, HeardFile] = {}
    failures: list[tuple[str, str]] = []
    for done, path in enumerate(paths):
        try:
            told = _part(progress, done, len(paths))
            heard[path] = hear_file(path, model, hop=hop, pooling=pooling, progress=told)
        except InputError as error:
            failures.append((str(path), str(error)))
    if not heard:
        raise InputError(failures[0][1] if failures else "No files are given; give at least one.")
    first = next(iter(heard.values())).embeddings
    _write(target, heard, first)
    record = {"hop": hop, "pooling": pooling, "files": [str(path) for path in heard]}
    _write_record(target, model, record)
    return Embedded(
        file=target,
        system=model.card.name,
        space=first.space,
        vectors=sum(len(one.embeddings.vectors) for one in heard.values()),
        dimension=first.vectors.shape[1],
        window=first.window,
        hop=first.window if hop is None else hop,
        sounds=tuple(heard),
        padded=tuple(path for path, one in heard.items() if one.padded),
        failures=tuple(failures),
    )


def check_sound(path: Path) -> None:
    """Refuses early what is no file of sound or notes.

    Raises:
        InputError: the file is missing, empty, or no sound.
    """
    from orchestrion.media.files import check_input
    from orchestrion.verbs.data_render import SCORE_SUFFIXES

    found = check_input(path)
    if found.suffix.lower() in SCORE_SUFFIXES:
        return
    from orchestrion.media.audio_blocks import audio_blocks

    next(audio_blocks(found, seconds=0.1))


def hear_file(
    path: Path, model: Any, *, hop: float | None, pooling: str, progress: Progress | None = None
) -> HeardFile:
    """Embeddings of a file, block by block.

    Raises:
        InputError: the file cannot be read, or is damaged.
    """
    from orchestrion.data.embeddings import Embeddings
    from orchestrion.verbs.hearing import sound_of

    seconds = 0.0

    def counted() -> Iterator[Audio]:
        nonlocal seconds
        for block in sound_of(path):
            seconds += block.seconds
            yield block

    if callable(getattr(model, "embed_blocks", None)):
        found = model.embed_blocks(counted(), hop=hop, pooling=pooling, progress=progress)
        return HeardFile(found, seconds)
    from orchestrion.evaluation.embed_files import embed_sound

    found = embed_sound(counted(), model, name=str(path), hop=hop).embeddings
    if pooling == "mean":
        mean = found.vectors.mean(0, keepdims=True)
        found = Embeddings(mean, (0.0,), found.window, found.space)
    return HeardFile(found, seconds)


def _part(progress: Progress | None, done: int, total: int) -> Progress | None:
    """Progress inside one of several files, in thousandths of a file; within one file, in seconds."""
    if progress is None or total == 1:
        return progress
    return lambda seconds, length: progress(1000 * done + min(1000 * seconds // max(length, 1), 999), 1000 * total)


def _write(target: Path, heard: dict[Path, HeardFile], first: Embeddings) -> None:
    import numpy as np

    from orchestrion.media.files import atomic_write

    counts = [len(one.embeddings.vectors) for one in heard.values()]
    vectors = np.concatenate([one.embeddings.vectors for one in heard.values()]).astype(np.float32)
    starts = np.concatenate([np.asarray(one.embeddings.starts, np.float64) for one in heard.values()])
    sound = np.repeat(np.arange(len(heard)), counts)
    names = [str(path) for path in heard]
    with atomic_write(target) as temporary:
        if target.suffix.lower() == ".npz":
            np.savez(
                temporary,
                vectors=vectors,
                starts=starts,
                sound=sound,
                files=np.array(names),
                space=np.array(first.space),
                window=np.array(first.window),
            )
            return
        import pyarrow as pa
        import pyarrow.parquet as pq

        rows = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])
        columns = {"file": pa.array([names[number] for number in sound]), "start": pa.array(starts), "vector": rows}
        table = pa.table(columns).replace_schema_metadata({"space": first.space, "window": str(first.window)})
        pq.write_table(table, temporary)


def _write_record(target: Path, model: Any, chosen: dict[str, Any]) -> None:
    from orchestrion.media.provenance import write_sidecar
    from orchestrion.verbs.serving import provenance_of

    files = ", ".join(chosen["files"])
    write_sidecar(target, provenance_of(model, prompt=files, seed=0, verb="embed", options=chosen))
