"""The map over files on a Ray cluster (extra `cluster`), with the same guard against files that crash."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any

from orchestrion.data.guard import Guard, Outcome
from orchestrion.errors import MissingDependencyError, OptionError, OrchestrionError

BATCH = 8  # items handed to a worker at once: few, as one may take minutes
STOP = -1  # in place of a number: the run cannot go on


class RemoteGuard:
    """An actor of the cluster: batches of numbered, pickled items in, their outcomes out."""

    def __init__(self, work: bytes, timeout: float | None) -> None:
        self.guard = Guard(work, timeout=timeout)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        numbers = [int(number) for number in batch["number"]]
        try:
            outcomes = [self.guard(pickle.loads(item)) for item in batch["item"]]
        except OrchestrionError as error:  # not the item's fault: no item would do better
            numbers, outcomes = [STOP], [(False, str(error))]
        return {"number": numbers, "fine": [fine for fine, _ in outcomes], "text": [text for _, text in outcomes]}


def run_on_cluster(
    work: bytes, items: Iterator[tuple[int, Any]], workers: int | None, count: int, timeout: float | None
) -> Iterator[tuple[int, Outcome]]:
    """Outcomes as they come from Ray Data.

    Raises:
        MissingDependencyError: Ray is not installed.
        OptionError: the work cannot be loaded on the cluster.
    """
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingDependencyError(
            "Work on a cluster needs Ray; install it with: pip install 'orchestrion[cluster]'."
        ) from error
    if not ray.is_initialized():
        ray.init(log_to_driver=False, logging_level="warning")
    ray.data.DataContext.get_current().enable_progress_bars = False  # the caller has its own
    workers = min(workers or int(ray.cluster_resources().get("CPU", 1)), count)
    rows = [{"number": number, "item": pickle.dumps(item)} for number, item in items]
    data = ray.data.from_items(rows, override_num_blocks=min(count, max(4 * workers, count // 1000)))
    outcomes = data.map_batches(
        RemoteGuard,
        fn_constructor_args=(work, timeout),
        batch_size=BATCH,
        compute=ray.data.ActorPoolStrategy(size=workers),
    )
    for row in outcomes.iter_rows():
        if row["number"] == STOP:
            raise OptionError(str(row["text"]))
        yield int(row["number"]), (bool(row["fine"]), str(row["text"]))
