"""One door for heavy work: a function over a million files, on the cores of this machine or on a cluster, same call."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from orchestrion.data.guard import Guard, Outcome, pickled
from orchestrion.data.journal import Journal
from orchestrion.errors import OptionError

Item = TypeVar("Item")
Progress = Callable[[int, int], None]


class MapRun:
    """What a map over files did.

    Attributes:
        failures: (item, why) of those that gave no result, in the order of the items.
    """

    def __init__(self, items: Sequence[Any], journal: Journal, failures: dict[int, str]) -> None:
        self._items = items
        self._journal = journal
        self.failures: tuple[tuple[Any, str], ...] = tuple((items[i], failures[i]) for i in sorted(failures))

    def __len__(self) -> int:
        """How many items have a result."""
        return self._journal.finished

    def results(self) -> Iterator[tuple[Any, Any]]:
        """(item, result) in the order of the items, read from the journal one by one."""
        for number, item in enumerate(self._items):
            if number in self._journal:
                yield item, self._journal.result(number)

    def forget(self) -> None:
        """Deletes the journal: a later run begins anew. Call it when the results are in their place."""
        self._journal.remove()


def map_files(
    work: Callable[[Item], Any],
    paths: Sequence[Item],
    *,
    workers: int | None = None,
    cluster: bool = False,
    resume: Path | None = None,
    timeout: float | None = None,
    progress: Progress | None = None,
    name: Callable[[Item], str] = str,
) -> MapRun:
    """Calls `work` on every file in processes of their own; a file that fails is listed and the run goes on.

    A file fails if `work` raises, if it kills the process that works on it, or if it takes too long. Results must be
    what JSON can hold (None, numbers, text, lists, dictionaries; tuples come back as lists): large results belong into
    files whose names are returned. Memory does not grow with the results.

    Args:
        work: a function that can be pickled: of a module, with `functools.partial` for its options.
        paths: files; other items that can be pickled are allowed if `name` tells them apart.
        workers: processes; by default one for each core, of the cluster if there is one.
        cluster: run on a Ray cluster (Ray Data; extra `cluster`): the one that RAY_ADDRESS names or that this machine
            belongs to, else one of this machine alone. Files must be seen under the same paths by all machines.
        resume: journal of what is finished. A run that was killed goes on from it, unless the work has changed; files
            that have changed since, and those that failed, are done again. Without it nothing is kept.
        timeout: seconds that one file may take; no limit by default.
        progress: called with files done and files in all, at the start and after each file.

    Raises:
        OptionError: the work cannot be pickled, or a number is out of range.
        MissingDependencyError: `cluster` without Ray.
        OutputError: the journal cannot be written.
    """
    if workers is not None and workers < 1:
        raise OptionError(f"The number of workers is {workers}; give 1 or more.")
    if timeout is not None and not timeout > 0:
        raise OptionError(f"The time limit is {timeout:g} seconds; give more than 0.")
    packed = pickled(work)
    journal = Journal(resume, hashlib.sha256(packed).hexdigest(), [_key(item, name) for item in paths])
    todo = ((number, item) for number, item in enumerate(paths) if number not in journal)
    done = journal.finished
    failures: dict[int, str] = {}
    if progress is not None:
        progress(done, len(paths))
    if done < len(paths):
        run = _local
        if cluster:
            from orchestrion.data.cluster import run_on_cluster as run
        for number, (fine, text) in run(packed, todo, workers, len(paths) - done, timeout):
            journal.add(number, fine, text)
            if not fine:
                failures[number] = text
            done += 1
            if progress is not None:
                progress(done, len(paths))
    return MapRun(paths, journal, failures)


def _key(item: Any, name: Callable[[Any], str]) -> str:
    """The name of an item; of a file also its size and time of change, so that a changed file is another item."""
    if not isinstance(item, Path):
        return name(item)
    try:
        state = item.stat()
    except OSError:
        return name(item)
    return f"{name(item)} {state.st_size} {state.st_mtime_ns}"


def _local(
    work: bytes, items: Iterator[tuple[int, Any]], workers: int | None, count: int, timeout: float | None
) -> Iterator[tuple[int, Outcome]]:
    """Outcomes as they come, from as many processes as there are workers, each watched by a thread."""
    workers = min(workers or os.cpu_count() or 1, count)
    guards = [Guard(work, timeout=timeout) for _ in range(workers)]
    free: SimpleQueue[Guard] = SimpleQueue()
    for guard in guards:
        free.put(guard)

    def one(number: int, item: Any) -> tuple[int, Outcome]:
        guard = free.get()
        try:
            return number, guard(item)
        finally:
            free.put(guard)

    with ThreadPoolExecutor(workers) as threads:
        try:
            pending: set[Future] = {threads.submit(one, *entry) for entry in islice(items, 2 * workers)}
            while pending:
                finished, pending = wait(pending, return_when=FIRST_COMPLETED)
                pending |= {threads.submit(one, *entry) for entry in islice(items, len(finished))}
                for future in finished:
                    yield future.result()
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
            for guard in guards:
                guard.close()
