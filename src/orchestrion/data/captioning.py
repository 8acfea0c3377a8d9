"""From MIDI files to rows of captions, in the schema of the released MidiCaps data set (arXiv 2406.02255).

What is learned or lies on this floor's other rooms is handed in: the genre tagger, the reader of prompts that checks
a caption.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrion.analysis.instruments import instrument_name
from orchestrion.analysis.symbolic import SymbolicFeatures, features
from orchestrion.analysis.wordings import tempo_word
from orchestrion.data.caption_check import Read, write_truthfully
from orchestrion.data.caption_facts import MOST_INSTRUMENTS, Facts
from orchestrion.data.captions import CaptionWriter, GrammarWriter
from orchestrion.data.factory.moods import moods as moods_by_rule
from orchestrion.data.pipeline import map_files
from orchestrion.errors import InputError

if TYPE_CHECKING:
    from symusic.core import ScoreTick

TagGenres = Callable[["ScoreTick", SymbolicFeatures], tuple[Sequence[str], Sequence[float]]]
SUFFIXES = (".mid", ".midi")
TEST_SHARE = 10  # one file in ten belongs to the test set, by its content
REWRITES = 8  # attempts of the writer at a wording that the run has not had yet
MOST_REWRITES = 64  # and of the grammar after it
SECONDS_A_FILE = 600.0


@dataclass(frozen=True, slots=True)
class CaptionRun:
    """What `caption_folder` did: the file it wrote, its rows, and the files it left out with the reasons."""

    output: Path
    rows: int
    failures: tuple[tuple[str, str], ...]


def facts_of_features(found: SymbolicFeatures, genres: Sequence[str] = (), moods: Sequence[str] = ()) -> Facts:
    """What a caption may say about a score: instruments under at most five names, tempo and length rounded."""
    by_name: dict[str, int] = {}
    for program in found.instruments:
        by_name.setdefault(instrument_name(program), program)
    return Facts(
        instruments=tuple(by_name.values())[:MOST_INSTRUMENTS],
        key=found.key,
        metre=found.metre,
        tempo=float(round(found.tempo)),
        genres=tuple(genres),
        moods=tuple(moods),
        bars=found.bars or None,
        seconds=float(round(found.seconds)) or None,
        chords=found.chord_sequence,
        chord_count=found.chord_count,
    )


def describe_score(
    score: ScoreTick,
    *,
    tag_genres: TagGenres | None = None,
    writer: CaptionWriter | None = None,
    read: Read,
    rng: random.Random,
) -> dict[str, Any]:
    """One row of the data set, without location and split.

    Args:
        tag_genres: names and probabilities of genres, best first (`systems.symbolic_tagger`); none by default.
        writer: puts the facts into words; the thorough offline grammar by default.
        read: the prompt reader, which checks the caption.

    Raises:
        InputError: the score has no notes.
    """
    found = features(score)
    if found.notes == 0:
        raise InputError("The score has no notes, so there is nothing to describe.")
    genres, genre_prob = tag_genres(score, found) if tag_genres is not None else ((), ())
    moods: list[str] = []
    if found.key is not None:
        moods = moods_by_rule(found.key.mode, found.tempo, found.metre, genres[0] if genres else "", "")
    facts = facts_of_features(found, genres, moods)
    caption, _ = write_truthfully(writer or GrammarWriter(thorough=True), facts, rng, read)
    return {
        "caption": caption,
        "genre": list(genres),
        "genre_prob": [float(p) for p in genre_prob],
        "mood": moods,
        "mood_prob": [1.0] * len(moods),  # a rule either holds or not
        "key": str(found.key) if found.key is not None else "",
        "time_signature": f"{found.metre[0]}/{found.metre[1]}",
        "tempo": round(found.tempo),
        "tempo_word": tempo_word(round(found.tempo), italian=rng.random() < 0.5),
        "duration": round(found.seconds),
        "duration_word": found.duration_word,
        "chord_summary": list(found.chord_sequence),
        "chord_summary_occurence": found.chord_count,  # spelt as in the released rows
        "instrument_summary": list(found.instrument_summary),
        "instrument_numbers_sorted": list(found.instruments),
        "all_chords": list(found.chord_labels),
        "all_chords_timestamps": [round(time, 3) for time in found.chord_times],
    }


def caption_file(path: Path, *, root: Path, seed: int = 0, **options: Any) -> dict[str, Any]:
    """The row of one MIDI file; its random choices depend on `seed` and the file's place alone.

    Args:
        root: folder that `location` is relative to.
        options: as for `describe_score`.

    Raises:
        InputError: the file cannot be read or has no notes.
    """
    from orchestrion.media.score import read_score

    location = path.relative_to(root).as_posix()
    rng = random.Random(f"{seed}/{location}")
    row = describe_score(read_score(path), rng=rng, **options)
    content = hashlib.sha256(path.read_bytes()).digest()
    return {"location": location, **row, "test_set": int.from_bytes(content[:8], "big") % TEST_SHARE == 0}


def midi_files(folder: Path) -> list[Path]:
    """All MIDI files under a folder, in the order of their paths.

    Raises:
        InputError: the folder is missing or holds no MIDI file.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}; give one with MIDI files.")
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not files:
        raise InputError(f"The folder {folder} holds no file that ends in .mid or .midi.")
    return files


def caption_folder(
    folder: Path,
    output: Path,
    *,
    read: Read,
    tag_genres: TagGenres | None = None,
    writer: CaptionWriter | None = None,
    seed: int = 0,
    workers: int | None = None,
    cluster: bool = False,
    timeout: float | None = SECONDS_A_FILE,
    progress: Callable[[int, int], None] | None = None,
) -> CaptionRun:
    """Captions all MIDI files under `folder` into a parquet file in the released schema; files that fail are listed.

    No two captions are alike: a wording that has been used is written anew. A killed run goes on where it was.

    Args:
        workers, cluster, timeout, progress: as for `pipeline.map_files`; `read`, `tag_genres` and `writer` must be
            things that can be pickled.

    Raises:
        InputError: no MIDI files, or none that can be described.
        OutputError: the table cannot be written.
    """
    files = midi_files(folder)
    work = partial(caption_file, root=folder, seed=seed, read=read, tag_genres=tag_genres, writer=writer)
    journal = output.with_name(f".{output.name}.progress")
    run = map_files(work, files, workers=workers, cluster=cluster, resume=journal, timeout=timeout, progress=progress)
    failures = [(path.relative_to(folder).as_posix(), why) for path, why in run.failures]
    if not len(run):
        run.forget()
        raise InputError(
            f"None of the {len(files)} MIDI files in {folder} can be described; the first says: {failures[0][1]}"
        )

    def again(path: Path, attempt: int) -> dict[str, Any]:
        other = writer if attempt < REWRITES else None  # what a language model cannot say anew, the grammar can
        return caption_file(path, root=folder, seed=seed + attempt, read=read, tag_genres=tag_genres, writer=other)

    rows = write_rows(_unlike(run.results(), again, failures), output)
    run.forget()
    return CaptionRun(output, rows, tuple(sorted(failures)))


def _unlike(
    results: Iterable[tuple[Path, dict[str, Any]]],
    again: Callable[[Path, int], dict[str, Any]],
    failures: list[tuple[str, str]],
) -> Iterator[dict[str, Any]]:
    """Rows whose captions are all different, in order; `again` writes one anew."""
    used: set[bytes] = set()
    for path, row in results:
        for attempt in range(1, MOST_REWRITES + 1):
            mark = hashlib.blake2b(row["caption"].encode(), digest_size=12).digest()
            if mark not in used:
                used.add(mark)
                yield row
                break
            row = again(path, attempt)
        else:
            failures.append((row["location"], f"No wording was found that {MOST_REWRITES} attempts had not used."))


def write_rows(rows: Iterable[dict[str, Any]], output: Path) -> int:
    """Rows to a parquet file with the released column types, some at a time; whole or not at all. Returns how many.

    Raises:
        OutputError: the file cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from orchestrion.media.files import atomic_write

    text, number, numbers, texts = pa.string(), pa.int64(), pa.list_(pa.float64()), pa.list_(pa.string())
    schema = pa.schema(
        [
            ("location", text),
            ("caption", text),
            ("genre", texts),
            ("genre_prob", numbers),
            ("mood", texts),
            ("mood_prob", numbers),
            ("key", text),
            ("time_signature", text),
            ("tempo", number),
            ("tempo_word", text),
            ("duration", number),
            ("duration_word", text),
            ("chord_summary", texts),
            ("chord_summary_occurence", number),
            ("instrument_summary", texts),
            ("instrument_numbers_sorted", pa.list_(number)),
            ("all_chords", texts),
            ("all_chords_timestamps", numbers),
            ("test_set", pa.bool_()),
        ]
    )
    count, rows = 0, iter(rows)
    with atomic_write(output) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        while block := list(islice(rows, 10_000)):
            writer.write_table(pa.Table.from_pylist(block, schema=schema))
            count += len(block)
    return count
