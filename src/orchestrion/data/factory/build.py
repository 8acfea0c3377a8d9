"""Builds the corpus: pieces in shards, then one file. Killed and started again, it goes on where it was."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from orchestrion.data.corpus import FULL_NAME, encode_row, write_corpus
from orchestrion.data.factory.accompany import mma_program
from orchestrion.data.factory.arranger import Order, arrange
from orchestrion.data.factory.plan import make_orders, name_of
from orchestrion.data.factory.sources import Tune, read_tunes
from orchestrion.data.factory.splits import assign_splits

SHARD = 100
ARRANGEMENTS = 10_500  # orders; about one in eight is refused
COMPACT_ARRANGEMENTS = 8_000

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What was built: the file, how many pieces, and (what, why) of every one that was left out."""

    path: Path
    pieces: int
    skipped: list[tuple[str, str]]


def build_corpus(
    out_folder: str | Path,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
    limit: int | None = None,
    resume: bool = True,
    redistributable_only: bool = False,
    seed: int = 0,
) -> BuildReport:
    """Builds the full corpus in a folder.

    Args:
        workers: processes; by default one for each core.
        progress: called with pieces done and pieces in all.
        limit: at most so many arrangements.
        resume: keep the shards that an earlier run with the same arguments finished.
        redistributable_only: leave out collections whose terms do not let arrangements be passed on.
        seed: of the choice of styles, keys and tempos.

    Raises:
        MissingDependencyError: MMA or music21's corpus is not installed.
    """
    mma_program()
    folder = Path(out_folder)
    shards = folder / "shards"
    shards.mkdir(parents=True, exist_ok=True)
    tunes = list(read_tunes(redistributable_only=redistributable_only))
    splits = assign_splits(tunes)
    count = ARRANGEMENTS if limit is None else limit
    orders = make_orders(tunes, count, seed=seed)
    stamp = {"seed": seed, "count": count, "redistributable_only": redistributable_only, "tunes": len(tunes)}
    if not resume or _read_stamp(shards) != stamp:
        for old in shards.glob("*.jsonl"):
            old.unlink()
    (shards / "stamp.json").write_text(json.dumps(stamp))
    by_id = {tune.id: tune for tune in tunes}
    jobs = []
    for start in range(0, len(orders), SHARD):
        path = shards / f"arrangements-{start:06d}.parquet"
        if not path.is_file() or not path.with_suffix(".jsonl").is_file():
            part = orders[start : start + SHARD]
            jobs.append((path, [(by_id[o.tune], o, splits[o.tune]) for o in part]))
    done = len(orders) - sum(len(j[1]) for j in jobs)
    if progress:
        progress(done, len(orders))
    with ProcessPoolExecutor(workers or os.cpu_count() or 1) as pool:
        for made in pool.map(_build_shard, jobs):
            done += made
            if progress:
                progress(done, len(orders))
    return _join(folder, shards)


def _read_stamp(shards: Path) -> dict | None:
    path = shards / "stamp.json"
    return json.loads(path.read_text()) if path.is_file() else None


def _build_shard(job: tuple[Path, list[tuple[Tune, Order, str]]]) -> int:
    path, work = job
    rows, skipped = [], []
    for tune, order, split in work:
        try:
            rows.append(encode_row(arrange(tune, order, split)))
        except ValueError as error:
            skipped.append((f"{tune.id}#{order.version} as {name_of(order.style)}", str(error)))
    write_corpus(rows, path, level=3)
    path.with_suffix(".jsonl").write_text("".join(json.dumps(s) + "\n" for s in skipped))
    return len(work)


def _join(folder: Path, shards: Path) -> BuildReport:
    import pyarrow.parquet as pq

    rows, skipped = [], []
    for path in sorted(shards.glob("*.parquet")):
        rows += pq.read_table(path).to_pylist()
        skipped += [tuple(json.loads(line)) for line in path.with_suffix(".jsonl").read_text().splitlines()]
    target = folder / FULL_NAME
    write_corpus(rows, target, level=9)
    return BuildReport(target, len(rows), skipped)
