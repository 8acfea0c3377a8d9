"""The corpus: pieces in one parquet file, read lazily, with the split by tune."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, overload

from orchestrion.data.piece import Piece, Section
from orchestrion.errors import InputError, OptionError

COMPACT = Path(__file__).with_name("compact.parquet")
SPLITS = ("train", "validation", "test")
FULL_NAME = "full.parquet"


def corpus_path(name: str | Path = "compact") -> Path:
    """The file of a corpus: "compact" (ships with the package), "full" (built by `orchestrion data prepare`), or a
    path.

    Raises:
        InputError: it is not there.
    """
    if str(name) == "compact":
        path = COMPACT
    elif str(name) == "full":
        path = default_folder() / FULL_NAME
    else:
        path = Path(name)
        path = path / FULL_NAME if path.is_dir() else path
    if not path.is_file():
        advice = "build it with `orchestrion data prepare`" if str(name) != "compact" else "install the package again"
        raise InputError(f"The corpus {str(name)!r} is not at {path}; {advice}.")
    return path


def default_folder() -> Path:
    """Where the full corpus is built unless told otherwise: $ORCHESTRION_DATA, else a folder of the user's cache."""
    import os

    root = os.environ.get("ORCHESTRION_DATA")
    if root:
        return Path(root)
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "orchestrion" / "corpus"


class Corpus(Sequence[Piece]):
    """Pieces of a parquet file. Rows are decoded when they are asked for; a slice is a list of pieces."""

    def __init__(self, path: Path, *, split: str | None = None, limit: int | None = None) -> None:
        import pyarrow
        import pyarrow.parquet as pq

        self.path = path
        try:
            table = pq.read_table(path, filters=None if split is None else [("split", "==", split)])
        except (pyarrow.ArrowException, OSError) as error:
            raise InputError(f"{path} is not a corpus file: {str(error).rstrip('.')}.") from error
        if missing := {"id", "split", "score"} - set(table.column_names):
            raise InputError(f"{path} is not a corpus file: it has no column {', '.join(sorted(missing))}.")
        self.table = table if limit is None else table.slice(0, limit)

    def __len__(self) -> int:
        return self.table.num_rows

    @overload
    def __getitem__(self, index: int) -> Piece: ...
    @overload
    def __getitem__(self, index: slice) -> list[Piece]: ...
    def __getitem__(self, index: int | slice) -> Piece | list[Piece]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        index = index + len(self) if index < 0 else index
        if not 0 <= index < len(self):
            raise IndexError(f"the corpus has {len(self)} pieces")
        return decode_row(self.table.slice(index, 1).to_pylist()[0])

    def __iter__(self) -> Iterator[Piece]:
        for batch in self.table.to_batches(max_chunksize=256):
            for row in batch.to_pylist():
                yield decode_row(row)

    def column(self, name: str) -> list[Any]:
        """One column of the table without decoding any score, for instance "genre" or "programs"."""
        return self.table[name].to_pylist()


def load_corpus(name: str | Path = "compact", *, split: str | None = None, limit: int | None = None) -> Corpus:
    """The pieces of a corpus.

    Args:
        name: "compact", "full", or the path of a corpus file or of the folder it was built in.
        split: "train", "validation" or "test"; all by default.
        limit: at most so many pieces, from the first.

    Raises:
        OptionError: the split is unknown.
        InputError: there is no such corpus, or the file is none.
    """
    if split is not None and split not in SPLITS:
        raise OptionError(f"Split {split!r} is unknown; choose one of {', '.join(SPLITS)}.")
    return Corpus(corpus_path(name), split=split, limit=limit)


def one_of_each_tune(pieces: Sequence[Piece]) -> list[Piece]:
    """The first arrangement of each tune; of a corpus only these are decoded."""
    ids = pieces.column("id") if isinstance(pieces, Corpus) else [piece.id for piece in pieces]
    firsts = {name.partition("#")[0]: number for number, name in reversed(list(enumerate(ids)))}
    return [pieces[number] for number in sorted(firsts.values())]


def corpus_hash(name: str | Path = "compact") -> str:
    """SHA-256 of a corpus file, in hexadecimal."""
    digest = hashlib.sha256()
    with corpus_path(name).open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def encode_row(piece: Piece) -> dict[str, Any]:
    """The table row of a piece that has a score; audio, stems, video and sheet are not kept."""
    from orchestrion.data.packing import pack

    assert piece.score is not None
    return {
        "id": piece.id,
        "title": piece.title,
        "split": piece.split,
        "key": str(piece.key) if piece.key else None,
        "metre": "{}/{}".format(*piece.metre) if piece.metre else None,
        "tempo": piece.tempo,
        "melody": piece.melody,
        "genre": piece.genre,
        "tags": json.dumps({k: v for k, v in piece.tags.items() if v}, ensure_ascii=False),
        "sections": " ".join(f"{s.label}:{s.start}-{s.end}" for s in piece.sections or []),
        "chords": " ".join(f"{s.start:g}:{s.chord.harte()}" for s in piece.chords or [])
        + (f" {piece.chords[-1].end:g}" if piece.chords else ""),
        "programs": sorted({128 if t.is_drum else t.program for t in piece.score.tracks}),
        "caption": piece.caption,
        "lyrics": piece.lyrics,
        "source": piece.source,
        "licence": piece.licence,
        "score": pack(piece.score),
    }


def decode_row(row: dict[str, Any]) -> Piece:
    """The piece of a table row."""
    from orchestrion.data.packing import unpack
    from orchestrion.theory.chords import ChordSpan
    from orchestrion.theory.keys import Key

    metre = tuple(int(x) for x in row["metre"].split("/")) if row["metre"] else None
    sections = []
    for text in row["sections"].split():
        label, _, bars = text.rpartition(":")
        start, _, end = bars.partition("-")
        sections.append(Section(label, int(start), int(end)))
    words = row["chords"].split()
    marks = [word.partition(":") for word in words[:-1]]
    starts = [float(m[0]) for m in marks] + ([float(words[-1])] if words else [])
    chords = [ChordSpan(starts[i], starts[i + 1], _parse_harte(symbol)) for i, (_, _, symbol) in enumerate(marks)]
    return Piece(
        id=row["id"],
        title=row["title"],
        score=unpack(row["score"]),
        chords=chords or None,
        key=Key.parse(row["key"]) if row["key"] else None,
        metre=metre,  # type: ignore[arg-type]
        tempo=row["tempo"],
        sections=sections or None,
        melody=row["melody"],
        caption=row["caption"],
        lyrics=row["lyrics"],
        tags=json.loads(row["tags"]),
        source=row["source"],
        licence=row["licence"],
        split=row["split"],
    )


def _parse_harte(symbol: str):
    from orchestrion.theory.chords import Chord

    found = _CHORDS.get(symbol)
    if found is None:
        found = _CHORDS[symbol] = Chord.parse(symbol)
    return found


_CHORDS: dict[str, Any] = {}


def write_corpus(pieces: list[dict[str, Any]], path: Path, *, level: int = 19) -> None:
    """Writes rows of `encode_row` as one corpus file, through a temporary name."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    text = pa.string()
    schema = pa.schema(
        [("id", text), ("title", text), ("split", text), ("key", text), ("metre", text), ("tempo", pa.float32()),
         ("melody", pa.int16()), ("genre", text), ("tags", text), ("sections", text), ("chords", text),
         ("programs", pa.list_(pa.uint8())), ("caption", text), ("lyrics", text), ("source", text), ("licence", text),
         ("score", pa.binary())]
    )  # fmt: skip
    table = pa.Table.from_pylist(pieces, schema=schema)
    temporary = path.with_name(path.name + ".part")
    pq.write_table(
        table, temporary, compression="zstd", compression_level=level, row_group_size=1 << 20,
        data_page_size=8 << 20, use_dictionary=["split", "key", "metre", "genre", "source", "licence", "sections"],  # type: ignore[arg-type]
    )  # fmt: skip
    temporary.replace(path)
