"""Makes a folder of music searchable, and keeps the index up to date."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrion.errors import InputError, OptionError
from orchestrion.verbs.data_render import SCORE_SUFFIXES
from orchestrion.verbs.hearing import SOUND_SUFFIXES, Ear, hear_one, load_ear, vector_of
from orchestrion.verbs.result import Progress, Result

if TYPE_CHECKING:
    from orchestrion.data.folder_changes import Found
    from orchestrion.data.vector_index import VectorIndex

PLACE = ".orchestrion-index"  # in the folder that is indexed
PART = 1000  # files that are written at once
FEW = 24  # files that are not worth processes of their own
SYSTEM = "musicldm"  # its joint embedding reads texts too


@dataclass(frozen=True, slots=True)
class Indexed(Result):
    """What was done.

    Attributes:
        folder: of the index.
        system, space: the embedder, and its weights.
        files: in the index now.
        added, changed, removed, unchanged: numbers of files; one whose bytes are as before counts as unchanged.
        failures: files that cannot be read, with the reasons.
    """

    folder: Path
    root: Path
    system: str
    space: str
    files: int
    added: int
    changed: int
    removed: int
    unchanged: int
    failures: tuple[tuple[str, str], ...]


def index(
    source: str | Path,
    output: str | Path | None = None,
    *,
    system: str = SYSTEM,
    scores: bool = True,
    workers: int | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Indexed:
    """Indexes all recordings, and scores as they sound, in a folder and the folders in it.

    Files whose time and size, or else whose bytes, are as before are not heard again; files that are gone drop out.
    What is finished is kept if the run is killed, and a file that cannot be read is listed and passed over.

    Args:
        output: folder of the index; by default `.orchestrion-index` in the source.
        system: what embeds; one index may hold several, each from a run of its own.
        scores: also index MIDI, MusicXML, ABC and kern files, rendered.
        workers: processes; one for each core by default.

    Raises:
        InputError: the source is no folder or holds no music, or the index is damaged.
        OptionError: the system cannot embed, or the index was made with other weights.
        OutputError: the index cannot be written.
        MissingDependencyError: LanceDB is not installed.
    """
    from orchestrion.data.folder_changes import FolderState
    from orchestrion.data.vector_index import FILE, Space, VectorIndex

    root = Path(source)
    if not root.is_dir():
        reason = "is a file; give the folder it lies in" if root.exists() else "does not exist; check the name"
        raise InputError(f"The folder {root} {reason}.")
    if workers is not None and workers < 1:
        raise OptionError(f"The number of workers is {workers}; give 1 or more.")
    folder = Path(output) if output is not None else root / PLACE
    suffixes = SOUND_SUFFIXES + (SCORE_SUFFIXES if scores else ())
    if not (folder / FILE).exists() and next(FolderState([]).changes(root, suffixes, leave_out=folder), None) is None:
        raise InputError(f"The folder {root} holds no music; known are {', '.join(suffixes)}.")
    ear = load_ear(system, device)  # before the folder is made
    held = VectorIndex(folder, root=root)
    held.begin(Space(system, ear.space, ear.dimension, ear.reads_text))

    state = FolderState(held.states(system))
    files = held.count(system)
    total = sum(1 for _ in state.changes(root, suffixes, leave_out=folder))
    gone = [path for path, _, _ in held.states(system) if state.is_gone(path)] if state.any_gone else []
    held.remove(system, gone)
    run = _Run(held, ear, root, workers, device, total, progress)
    for part in _parts(state.changes(root, suffixes, leave_out=folder)):
        run.work(part)
    if run.added or run.changed or gone:
        held.settle(system)
    now = held.count(system)
    if not now:
        reason = run.failures[0][1] if run.failures else f"The folder {root} holds no music."
        raise InputError(reason)
    return Indexed(
        folder=folder,
        root=root,
        system=system,
        space=ear.space,
        files=now,
        added=run.added,
        changed=run.changed,
        removed=len(gone) + run.dropped,
        unchanged=files - len(gone) - run.dropped - run.changed,
        failures=tuple(run.failures),
    )


def _parts(found: Iterator[Found]) -> Iterator[list[Found]]:
    part: list[Found] = []
    for one in found:
        part.append(one)
        if len(part) == PART:
            yield part
            part = []
    if part:
        yield part


class _Run:
    """Hears new and changed files part by part; each part is in the index before the next begins."""

    def __init__(
        self,
        held: VectorIndex,
        ear: Ear,
        root: Path,
        workers: int | None,
        device: str,
        total: int,
        progress: Progress | None,
    ) -> None:
        self.held, self.ear, self.root, self.workers, self.total, self.report = (
            held,
            ear,
            root,
            workers,
            total,
            progress,
        )
        self.hear = partial(hear_one, name=ear.name, device=device, space=ear.space)
        self.done = self.added = self.changed = self.dropped = 0
        self.failures: list[tuple[str, str]] = []
        self.tell(0)

    def tell(self, more: int) -> None:
        if self.report is not None:
            self.report(min(self.done + more, self.total), self.total)

    def work(self, part: list[Found]) -> None:
        """One part."""
        from orchestrion.data.vector_index import Row

        nameless = [one for one in part if not _is_text(one.path)]
        self.failures += [
            (str(self.root / one.path).encode(errors="replace").decode(), "Its name is no text; rename it.")
            for one in nameless
        ]
        part = [one for one in part if _is_text(one.path)]
        same = self._same_bytes(part)
        self.held.put(self.ear.name, same)
        alike = {row.path for row in same}
        todo = [one for one in part if one.path not in alike]
        entries, failures = self._heard([self.root / one.path for one in todo])
        by_path = {(self.root / one.path): one for one in todo}
        rows = []
        for path, entry in entries:
            one = by_path[path]
            rows.append(Row(one.path, one.changed, one.size, entry["hash"], entry["seconds"], vector_of(entry)))
            self.changed += one.known
            self.added += not one.known
        self.held.put(self.ear.name, rows)
        lost = [by_path[path].path for path, _ in failures if by_path[path].known]
        self.held.remove(self.ear.name, lost)
        self.dropped += len(lost)
        self.failures += [(str(path), why) for path, why in failures]
        self.done += len(part) + len(nameless)
        self.tell(0)

    def _same_bytes(self, part: Sequence[Found]) -> list[Any]:
        """Rows of files that were touched and hold what they held, with their new time."""
        from dataclasses import replace

        from orchestrion.hub.weights import file_hash

        touched = {one.path: one for one in part if one.known}
        rows = []
        for path, row in self.held.rows(self.ear.name, list(touched)).items():
            one = touched[path]
            try:
                if row.size == one.size and row.hash == file_hash(self.root / path):
                    rows.append(replace(row, changed=one.changed))
            except OSError:  # cannot be read: told when it is heard
                continue
        return rows

    def _heard(self, paths: list[Path]) -> tuple[list[tuple[Path, dict[str, Any]]], list[tuple[Path, str]]]:
        """Results and failures; many files in processes, a few here."""
        if len(paths) < FEW and self.workers is None:
            entries, failures = [], []
            for number, path in enumerate(paths):
                self.tell(number)
                try:
                    entries.append((path, self.hear(path)))
                except (InputError, OSError) as error:
                    failures.append((path, str(error)))
            return entries, failures
        from orchestrion.data.pipeline import map_files

        run = map_files(
            self.hear,
            paths,
            workers=self.workers,
            resume=self.held.folder / "heard.journal",
            progress=lambda done, _: self.tell(done),
        )
        entries = list(run.results())
        run.forget()
        return entries, list(run.failures)


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
