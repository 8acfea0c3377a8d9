"""An index of files by vectors, on disk (LanceDB, extra `search`): built piece by piece, searched without loading it.

A folder with `index.json`, which says what root the paths start from and which embedding each table holds, and tables.
Every write is one new version of a table that becomes valid as a whole; a killed writer leaves the version before it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from orchestrion.errors import InputError, MissingDependencyError, OptionError, OutputError
from orchestrion.media.files import atomic_write

FORMAT = 1
FILE = "index.json"
MANY = 20_000  # rows from which on vectors are grouped; below, all are compared
GROWTH = 4  # times as many rows as when the groups were made: they are made anew
LEAST_PROBES, PROBE_SHARE = 16, 0.05  # groups that are searched: at least so many, at least this share
KEPT = timedelta(minutes=10)  # old versions stay for readers that have them open


@dataclass(frozen=True, slots=True)
class Space:
    """What a table holds.

    Attributes:
        system: name of the embedder, and of the table.
        space: names the embedding and its weights.
        dimension: of its vectors.
        text: whether texts are embedded in it too.
        grouped: rows when the groups were made; 0 without groups.
    """

    system: str
    space: str
    dimension: int
    text: bool
    grouped: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """A file in the index: path below the root, time of change in ns, size, SHA-256, length in seconds, vector."""

    path: str
    changed: int
    size: int
    hash: str
    seconds: float
    vector: np.ndarray


@dataclass(frozen=True, slots=True)
class Hit:
    """A file that was found: its path, cosine similarity, and length in seconds."""

    path: Path
    similarity: float
    seconds: float


class VectorIndex:
    """The index in a folder.

    Args:
        folder: of the index.
        root: folder that paths are relative to, to begin an index; None opens one that is there.

    Raises:
        MissingDependencyError: LanceDB is not installed.
        InputError: there is no index, or it is damaged.
        OptionError: the index is of another root.
        OutputError: the folder cannot be written.
    """

    def __init__(self, folder: str | Path, *, root: Path | None = None) -> None:
        self.folder = Path(folder)
        self.spaces: dict[str, Space] = {}
        if (self.folder / FILE).exists():
            self._read()
            if root is not None and self.root != root.resolve():
                raise OptionError(
                    f"The index {self.folder} is of the folder {self.root}, not of {root}; use another with -o."
                )
        elif root is None:
            raise InputError(f"There is no index in {self.folder}; make one with `orchestrion index DIR`.")
        else:
            self.root = root.resolve()
            self._write()
        with self._told("read"):
            self._database = _lancedb().connect(self.folder / "tables")

    # -- what it holds ------------------------------------------------------------------------------------------------

    def space(self, system: str) -> Space:
        """What the table of a system holds.

        Raises:
            OptionError: there is none.
        """
        if system not in self.spaces:
            held = ", ".join(self.spaces) or "nothing"
            raise OptionError(
                f"The index {self.folder} holds {held}, not {system}; index again with --system {system}."
            )
        return self.spaces[system]

    def begin(self, space: Space) -> None:
        """Makes the table of a space, if it is not there.

        Raises:
            OptionError: it is there with other weights.
        """
        known = self.spaces.get(space.system)
        if known is not None:
            self.check(space.system, space.space)
            return
        with self._told("written"):
            self._database.create_table(_table_name(space.system), schema=_schema(space.dimension), exist_ok=True)
        self.spaces[space.system] = space
        self._write()

    def check(self, system: str, space: str) -> None:
        """Refuses vectors of another embedding than the table holds.

        Raises:
            OptionError: the spaces differ.
        """
        held = self.space(system).space
        if held != space:
            raise OptionError(
                f"The index {self.folder} was made with {held}, whose vectors cannot be compared with {space}'s; "
                "index into another folder with -o, or search with the same weights."
            )

    def count(self, system: str) -> int:
        """Number of files."""
        with self._told("read"):
            return self._table(system).count_rows()

    def states(self, system: str) -> Iterator[tuple[str, int, int]]:
        """(path, time of change, size) of every file, in no order."""
        with self._told("read"):
            reader = self._table(system).search().select(["path", "changed", "size"]).limit(None).to_batches(10_000)
            for batch in reader:
                columns = (batch.column(name).to_pylist() for name in ("path", "changed", "size"))
                yield from zip(*columns, strict=True)

    def rows(self, system: str, paths: Sequence[str]) -> dict[str, Row]:
        """Rows of some files by path."""
        if not paths:
            return {}
        with self._told("read"):
            found = self._table(system).search().where(_among(paths)).limit(None).to_arrow()
        return {
            row["path"]: Row(**{**row, "vector": np.asarray(row["vector"], np.float32)}) for row in found.to_pylist()
        }

    # -- writing ------------------------------------------------------------------------------------------------------

    def put(self, system: str, rows: Sequence[Row]) -> None:
        """Adds files, in place of rows of the same paths; all or none.

        Raises:
            OutputError: they cannot be written.
        """
        if not rows:
            return
        import pyarrow as pa

        dimension = self.space(system).dimension
        vectors = np.stack([row.vector for row in rows]).astype(np.float32)
        if vectors.shape[1] != dimension:
            raise OptionError(f"Vectors of {vectors.shape[1]} dimensions do not fit an index of {dimension}.")
        columns = [[getattr(row, name) for row in rows] for name in ("path", "changed", "size", "hash", "seconds")]
        schema = _schema(dimension)
        arrays = [pa.array(values, schema.field(i).type) for i, values in enumerate(columns)]
        arrays.append(pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), dimension))
        with self._told("written"):
            merge = self._table(system).merge_insert("path").when_matched_update_all().when_not_matched_insert_all()
            merge.execute(pa.Table.from_arrays(arrays, schema=schema))

    def remove(self, system: str, paths: Sequence[str]) -> None:
        """Takes files out."""
        with self._told("written"):
            for start in range(0, len(paths), 1000):
                self._table(system).delete(_among(paths[start : start + 1000]))

    def settle(self, system: str) -> None:
        """Joins small pieces and groups vectors (IVF), after a change; searches stay exact below `MANY` files."""
        import warnings

        table, count, space = self._table(system), self.count(system), self.space(system)
        with self._told("written"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if count >= MANY and count > GROWTH * space.grouped:
                from lancedb.index import IvfFlat

                groups = IvfFlat(distance_type="cosine", target_partition_size=_groups(count))
                table.create_index("vector", config=groups, replace=True)
                self.spaces[system] = Space(**{**asdict(space), "grouped": count})
                self._write()
            table.optimize(cleanup_older_than=KEPT)

    # -- searching ----------------------------------------------------------------------------------------------------

    def search(
        self, system: str, vector: Float[np.ndarray, " dim"], *, n: int = 10, probes: int | None = None
    ) -> list[Hit]:
        """The files nearest to a vector, nearest first.

        Args:
            probes: groups that are searched, in an index that has them; more find more of the nearest and take longer.

        Raises:
            OptionError: the vector is of another dimension or holds no direction.
        """
        space = self.space(system)
        vector = np.asarray(vector, np.float32)
        if vector.shape != (space.dimension,) or not np.isfinite(vector).all() or not vector.any():
            raise OptionError(f"The index needs a vector of {space.dimension} numbers that are not all 0.")
        with self._told("read"):
            query = self._table(system).search(vector, vector_column_name="vector").distance_type("cosine")
            if space.grouped:
                groups = _groups(space.grouped)
                query = query.nprobes(min(probes or max(LEAST_PROBES, int(PROBE_SHARE * groups)), groups))
            found = query.select(["path", "seconds", "_distance"]).limit(n).to_list()
        return [Hit(self.root / row["path"], 1 - float(row["_distance"]), float(row["seconds"])) for row in found]

    # -- files --------------------------------------------------------------------------------------------------------

    def _table(self, system: str) -> Any:
        self.space(system)
        return self._database.open_table(_table_name(system))

    def _read(self) -> None:
        try:
            held = json.loads((self.folder / FILE).read_text(encoding="utf-8"))
            if held["format"] != FORMAT:
                raise InputError(
                    f"The index {self.folder} has format {held['format']}, which is not read here; index again."
                )
            self.root = (self.folder / held["root"]).resolve()
            self.spaces = {one["system"]: Space(**one) for one in held["spaces"]}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise self._damaged() from error

    def _write(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"The index cannot be made in {self.folder} ({(error.strerror or str(error)).lower()}); choose another "
                "place with -o."
            ) from error
        inside = self.folder.resolve().is_relative_to(self.root)  # so that both can be moved together
        root = os.path.relpath(self.root, self.folder.resolve()) if inside else str(self.root)
        held = {"format": FORMAT, "root": root, "spaces": [asdict(space) for space in self.spaces.values()]}
        with atomic_write(self.folder / FILE) as temporary:
            temporary.write_text(json.dumps(held, indent=1) + "\n", encoding="utf-8")

    def _damaged(self) -> InputError:
        return InputError(f"The index {self.folder} is damaged; delete the folder and index again.")

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Errors of the database in one sentence."""
        try:
            yield
        except (RuntimeError, ValueError, OSError) as error:  # it has no kinds of its own
            if what == "written":
                reason = " ".join(str(error).split())[:120].rstrip(".")
                raise OutputError(
                    f"The index {self.folder} cannot be written ({reason}); what it held before is still there."
                ) from error
            raise self._damaged() from error


def _lancedb() -> Any:
    os.environ.setdefault("LANCE_LOG", "error")  # its warnings are about its own insides
    try:
        import lancedb
    except ImportError as error:
        raise MissingDependencyError(
            "Searching needs LanceDB; install it with: pip install 'orchestrion[search]'."
        ) from error
    return lancedb


def _groups(count: int) -> int:
    """Groups of so many vectors, and vectors of a group. The database is told the latter: it joins groups that it takes
    for too small, and without a size that is nearly all of them."""
    return max(int(np.sqrt(count)), 1)


def _schema(dimension: int) -> Any:
    import pyarrow as pa

    return pa.schema(
        [
            ("path", pa.string()),
            ("changed", pa.int64()),
            ("size", pa.int64()),
            ("hash", pa.string()),
            ("seconds", pa.float32()),
            ("vector", pa.list_(pa.float32(), dimension)),
        ]
    )


def _table_name(system: str) -> str:
    """A name that the database allows; of systems that are told apart by other signs, with a hash."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", system)
    return plain if plain == system else f"{plain[-40:]}-{hashlib.sha256(system.encode()).hexdigest()[:12]}"


def _among(paths: Sequence[str]) -> str:
    """A condition on the path."""
    quoted = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
    return f"path IN ({quoted})"
