"""Builds the corpus: pieces in shards, then one file. Killed and started again, it goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from orchestrion.data.corpus import FULL_NAME, encode_row, write_corpus
from orchestrion.data.factory.accompany import mma_program
from orchestrion.data.factory.arranger import arrange
from orchestrion.data.factory.plan import make_orders, name_of
from orchestrion.data.factory.scores import CHORALE_SOURCE, chorale_files, chorale_pieces, work_files, work_piece
from orchestrion.data.factory.sources import PUBLIC_DOMAIN, Tune, read_tunes
from orchestrion.data.factory.splits import assign_splits, interval_runs
from orchestrion.data.piece import Piece
from orchestrion.data.pipeline import map_files

SHARD = 100
SECONDS_A_SHARD = 7200.0
SHIPPED_ORDERS = 12_000  # of tunes whose arrangements may be passed on; about one in twelve is refused
OTHER_ORDERS = 3_000

SPLITS = ("train", "test", "validation")  # in the order of precedence

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What was built: the file, how many pieces, and (what, why) of every one that was left out."""

    path: Path
    pieces: int
    skipped: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Job:
    """A shard to be made: its name and the work in it, tunes to arrange or files to read."""

    path: Path
    kind: str  # "arrangements", "chorales" or "works"
    work: Sequence[Any]


def build_corpus(
    out_folder: str | Path,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
    limit: int | None = None,
    resume: bool = True,
    seed: int = 0,
) -> BuildReport:
    """Builds the full corpus in a folder: arrangements, chorales, and other works as they are.

    Args:
        workers: processes; by default one for each core.
        progress: called with pieces done and pieces in all.
        limit: at most so many arrangements of each kind, chorales and works.
        resume: keep the shards that an earlier run with the same arguments finished.
        seed: of the choice of styles, keys and tempos.

    Raises:
        MissingDependencyError: MMA or music21's corpus is not installed.
    """
    mma_program()
    folder = Path(out_folder)
    shards = folder / "shards"
    shards.mkdir(parents=True, exist_ok=True)
    _check_stamp(shards, {"seed": seed, "limit": limit, "orders": [SHIPPED_ORDERS, OTHER_ORDERS]}, resume)
    jobs = [job for job in plan_jobs(shards, limit=limit, seed=seed) if not _finished(job.path)]
    sizes = [0, *accumulate(len(job.work) for job in jobs)]

    def count(done: int, _: int) -> None:
        if progress:
            progress(sizes[done], sizes[-1])  # shards end almost in their order

    run = map_files(_build_shard, jobs, workers=workers, timeout=SECONDS_A_SHARD, progress=count, name=_name_of_job)
    run.forget()
    lost = [(f"shard {job.path.stem}", why) for job, why in run.failures]
    return _join(folder, shards, lost)


def plan_jobs(shards: Path, *, limit: int | None, seed: int) -> list[Job]:
    """All shards of the corpus in their order."""
    tunes = list(read_tunes())
    shipped = [t for t in tunes if t.collection.redistributable]
    others = [t for t in tunes if not t.collection.redistributable]
    splits = assign_splits({t.id: melodies_of(t) for t in shipped})
    settled = {t.id: melodies_of(t) for t in shipped}
    splits |= assign_splits({t.id: melodies_of(t) for t in others}, fixed=splits, fixed_melodies=settled)
    others = [t for t in others if t.id in splits]
    by_id = {t.id: t for t in tunes}
    jobs = []
    for name, pool, count, offset in (("shipped", shipped, SHIPPED_ORDERS, 0), ("other", others, OTHER_ORDERS, 1)):
        orders = make_orders(pool, min(count, limit) if limit is not None else count, seed=seed + offset)
        work = [(by_id[o.tune], o, splits[o.tune]) for o in orders]
        jobs += _cut(shards, f"arrangements-{name}", "arrangements", work)
    jobs += _cut(shards, "chorales", "chorales", chorale_files()[:limit])
    jobs += _cut(shards, "works", "works", list(work_files())[:limit])
    return jobs


def melodies_of(tune: Tune) -> list[list[int]]:
    """Pitches of every strain."""
    return [[note.pitch for note in strain.notes] for strain in tune.strains]


def _cut(shards: Path, name: str, kind: str, work: Sequence[Any]) -> list[Job]:
    size = SHARD if kind == "arrangements" else SHARD // 5
    return [
        Job(shards / f"{name}-{start:06d}.parquet", kind, work[start : start + size])
        for start in range(0, len(work), size)
    ]


def _check_stamp(shards: Path, stamp: dict, resume: bool) -> None:
    path = shards / "stamp.json"
    if not resume or not path.is_file() or json.loads(path.read_text()) != stamp:
        for old in (*shards.glob("*.jsonl"), *shards.glob("*.parquet")):
            old.unlink()
    path.write_text(json.dumps(stamp))


def _name_of_job(job: Job) -> str:
    return job.path.name


def _finished(path: Path) -> bool:
    return path.is_file() and path.with_suffix(".jsonl").is_file()  # the list of failures is written last


def _build_shard(job: Job) -> int:
    rows, skipped = [], []
    for item in job.work:
        name = str(item)
        try:
            if job.kind == "arrangements":
                tune, order, split = item
                name = f"{tune.id}#{order.version} as {name_of(order.style)}"
                pieces = [arrange(tune, order, split)]
            else:
                name = f"{item.parent.name}/{item.name}"
                pieces = chorale_pieces(item) if job.kind == "chorales" else [work_piece(item)]
            rows += [encode_row(piece) for piece in pieces]
        except Exception as error:  # one bad file must not end a build of thousands; the report lists it
            skipped.append(
                (name, f"{type(error).__name__}: {error}" if not isinstance(error, ValueError) else str(error))
            )
    write_corpus(rows, job.path, level=3)
    job.path.with_suffix(".jsonl").write_text("".join(json.dumps(s) + "\n" for s in skipped))
    return len(job.work)


def _join(folder: Path, shards: Path, lost: list[tuple[str, str]]) -> BuildReport:
    import pyarrow.parquet as pq

    rows, skipped = [], list(lost)
    for path in filter(_finished, sorted(shards.glob("*.parquet"))):
        rows += pq.read_table(path).to_pylist()
        skipped += [tuple(json.loads(line)) for line in path.with_suffix(".jsonl").read_text().splitlines()]
    _split_scores(rows)
    rows, crossing = _without_crossings(rows)
    skipped += [(name, "its melody shares a run of notes with another split") for name in crossing]
    target = folder / FULL_NAME
    write_corpus(rows, target, level=12)
    return BuildReport(target, len(rows), skipped)


def _split_scores(rows: list[dict[str, Any]]) -> None:
    """Gives chorales, then works, their split, by their top voices."""
    from orchestrion.data.corpus import decode_row

    melodies: dict[str, dict[str, list[list[int]]]] = {"chorales": {}, "works": {}}
    for row in rows:
        if row["split"] is None:
            piece: Piece = decode_row(row)
            assert piece.score is not None
            notes = piece.score.tracks[0].notes.numpy()
            kind = "chorales" if piece.source == CHORALE_SOURCE else "works"
            melodies[kind].setdefault(piece.id.partition("#")[0], []).append([int(p) for p in notes["pitch"]])
    splits = assign_splits(melodies["chorales"])
    splits |= assign_splits(melodies["works"], fixed=splits, fixed_melodies=melodies["chorales"])
    for row in rows:
        if row["split"] is None:
            row["split"] = splits.get(row["id"].partition("#")[0], "train")


def _without_crossings(rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
    """Rows without the pieces whose melody shares a run of notes with pieces of another split, and the names of those
    left out.

    The split is by tune, but arrangements set tunes in other modes and join their sections, which can make new runs
    alike. What may be shipped is settled first, so that it does not depend on the rest; there, training pieces stay.
    """
    from orchestrion.data.corpus import decode_row

    owner: dict[tuple[int, ...], str] = {}
    crossing: list[str] = []
    for shipped in (True, False):
        for split in SPLITS:
            for row in rows:
                if row["split"] != split or (row["licence"] == PUBLIC_DOMAIN) != shipped:
                    continue
                piece = decode_row(row)
                assert piece.score is not None
                runs = interval_runs(piece.score.tracks[piece.melody or 0].notes.numpy()["pitch"].tolist())
                if any(owner.get(run, split) != split for run in runs):
                    crossing.append(row["id"])
                else:
                    owner.update(dict.fromkeys(runs, split))
    left_out = set(crossing)
    return [row for row in rows if row["id"] not in left_out], crossing


def write_compact(full: str | Path, target: str | Path) -> int:
    """Writes the part of a full corpus that may be shipped and is made of short pieces: arrangements of public-domain
    tunes, and chorales. Returns the number of pieces."""
    import pyarrow.parquet as pq

    rows = [r for r in pq.read_table(full).to_pylist() if r["licence"] == PUBLIC_DOMAIN]
    write_corpus(rows, Path(target), level=19)
    return len(rows)
