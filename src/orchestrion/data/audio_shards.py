"""Recordings in tar shards, as webdataset reads them: written once, then streamed in any order without random access.

A sample is the files of one name: `000000012.flac` and `000000012.json` with what is known of the piece. `index.json`
counts the samples of each shard; it is not needed to read, only to know where a stream stands.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np

from orchestrion.data.held_clips import to_int16
from orchestrion.data.piece import Piece
from orchestrion.errors import InputError, OptionError, OutputError
from orchestrion.media.audio import Audio, read_audio
from orchestrion.media.files import atomic_write

INDEX = "index.json"
SOUNDS = (".flac", ".wav", ".ogg", ".mp3")
LARGEST_MEMBER = 1 << 30  # bytes; a shard that claims more is refused


@dataclass(frozen=True, slots=True)
class Sample:
    """A recording of a shard and what is known of it: "id", "caption", "tags" and so on."""

    key: str
    audio: Audio
    facts: dict[str, Any]


def facts_of(piece: Piece) -> dict[str, Any]:
    """What a shard keeps of a piece, as JSON can hold it."""
    facts = {
        "id": piece.id, "title": piece.title, "caption": piece.caption, "lyrics": piece.lyrics, "tags": piece.tags,
        "key": str(piece.key) if piece.key else None, "tempo": piece.tempo, "metre": piece.metre, "beats": piece.beats,
        "source": piece.source, "licence": piece.licence, "split": piece.split,
    }  # fmt: skip
    return {name: value for name, value in facts.items() if value not in (None, "", {}, [])}


def encoded(audio: Audio) -> bytes:
    """A FLAC file of 16 bits, the same for the same sound."""
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, to_int16(audio.samples).T, audio.rate, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


def write_shard(samples: Iterator[tuple[Audio, dict[str, Any]]], path: Path, *, first: int = 0) -> int:
    """Writes samples as one tar file, through a temporary name; returns how many there were. The same samples give the
    same bytes.

    Args:
        first: number of the first sample, from which keys are made.

    Raises:
        OutputError: the file cannot be written.
    """
    count = 0
    try:
        with atomic_write(path) as temporary, tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as tar:
            for number, (audio, facts) in enumerate(samples, first):
                text = json.dumps(facts, ensure_ascii=False, sort_keys=True).encode()
                for suffix, content in (("flac", encoded(audio)), ("json", text)):
                    member = tarfile.TarInfo(f"{number:09d}.{suffix}")
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))
                count += 1
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error.strerror}); make room or choose another place.") from error
    return count


@dataclass(frozen=True, slots=True)
class Group:
    """The pieces of one shard, as `map_files` hands them out."""

    number: int
    first: int
    items: Sequence[Any]

    @property
    def name(self) -> str:
        """Of the shard."""
        return f"shard-{self.number:06d}"

    @property
    def key(self) -> str:
        """Tells it from a shard of the same number with other samples."""
        items = "\n".join(str(getattr(item, "id", item)) for item in self.items)
        return f"{self.name} {hashlib.sha256(items.encode()).hexdigest()[:16]}"


def _write_group(group: Group, *, folder: Path, rate: int | None, mono: bool) -> dict[str, Any]:
    failures: list[tuple[str, str]] = []

    def sounds() -> Iterator[tuple[Audio, dict[str, Any]]]:
        for piece in group.items:
            try:
                audio = piece.audio if isinstance(piece.audio, Audio) else read_audio(piece.audio)
            except InputError as error:
                failures.append((piece.id, str(error)))
                continue
            audio = audio.mono() if mono else audio
            yield audio if rate is None else audio.resample(rate), facts_of(piece)

    count = write_shard(sounds(), folder / f"{group.name}.tar", first=group.first)
    return {"name": f"{group.name}.tar", "samples": count, "failures": failures}


def _render_group(group: Group, *, folder: Path, factory: Any) -> dict[str, Any]:
    def sounds() -> Iterator[tuple[Audio, dict[str, Any]]]:
        for clip in factory.clips(group.items):
            yield (
                clip.audio,
                {
                    "id": f"{clip.piece}@{clip.seed}-{clip.index}", "piece": clip.piece, "caption": clip.caption,
                    "tags": {kind: list(words) for kind, words in clip.tags.items()},
                    "key": str(clip.key) if clip.key else None, "metre": clip.metre, "tempo": clip.tempo,
                    "beats": np.round(clip.beats, 6).tolist(), "downbeats": np.round(clip.downbeats, 6).tolist(),
                    "chords": [(round(s.start, 6), round(s.end, 6), s.chord.harte()) for s in clip.chords],
                    "programs": list(clip.programs), "split": clip.split,
                },
            )  # fmt: skip

    count = write_shard(sounds(), folder / f"{group.name}.tar", first=group.first)
    return {"name": f"{group.name}.tar", "samples": count, "failures": []}


@dataclass(frozen=True, slots=True)
class Written:
    """How many samples went into how many shards, and what failed: (piece or shard, why)."""

    shards: int
    samples: int
    failures: tuple[tuple[str, str], ...]


def write_shards(
    pieces: Sequence[Piece],
    folder: str | Path,
    *,
    per_shard: int = 256,
    rate: int | None = None,
    mono: bool = False,
    workers: int | None = None,
    cluster: bool = False,
) -> Written:
    """Writes recordings as shards, one process a shard at a time; a run that was killed goes on where it was.

    Args:
        pieces: with `audio`, a path or a sound.
        rate: Hz to resample to; as they are by default.
        mono: mixes the channels to one.
        workers, cluster: as `pipeline.map_files`.

    Raises:
        OptionError: a number is out of range.
        InputError: there are no pieces with sound.
        OutputError: the folder cannot be written.
    """
    heard = [piece for piece in pieces if piece.audio is not None]
    if not heard:
        raise InputError("There are no recordings to write; give pieces that have sound.")
    return _write_all(heard, Path(folder), per_shard, workers, cluster, partial(_write_group, rate=rate, mono=mono))


def render_shards(
    factory: Any,
    count: int,
    folder: str | Path,
    *,
    per_shard: int = 256,
    workers: int | None = None,
    cluster: bool = False,
) -> Written:
    """Writes the first `count` clips of an `AudioFactory` with their labels; arguments and errors as `write_shards`."""
    if count < 1:
        raise OptionError(f"There are no {count} clips to render; ask for 1 or more.")
    return _write_all(range(count), Path(folder), per_shard, workers, cluster, partial(_render_group, factory=factory))


def _write_all(
    items: Sequence[Any], folder: Path, per_shard: int, workers: int | None, cluster: bool, work: Any
) -> Written:
    from orchestrion.data.pipeline import map_files

    if per_shard < 1:
        raise OptionError(f"A shard cannot hold {per_shard} samples; give 1 or more.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The folder {folder} cannot be made ({error.strerror}); choose another.") from error
    groups = [
        Group(number, first, list(items[first : first + per_shard]))
        for number, first in enumerate(range(0, len(items), per_shard))
    ]
    run = map_files(
        partial(work, folder=folder.resolve()),
        groups,
        workers=workers,
        cluster=cluster,
        resume=folder / ".progress",
        name=lambda group: group.key,
    )
    written = [result for _, result in run.results()]
    index = {"shards": [{"name": one["name"], "samples": one["samples"]} for one in written]}
    with atomic_write(folder / INDEX) as temporary:
        temporary.write_text(json.dumps(index, indent=1), encoding="utf-8")
    failures = [(str(id), str(why)) for one in written for id, why in one["failures"]]
    failures += [(group.name, str(why)) for group, why in run.failures]
    if not run.failures:
        run.forget()
    return Written(len(written), sum(one["samples"] for one in written), tuple(failures))


@dataclass(slots=True)
class ShardStream:
    """Samples of shards, without end: shards in a random order, samples mixed in a buffer, all by the seed.

    `state` after any sample, given to a new stream of the same arguments, makes it go on with the next one. Damaged
    samples and shards are passed over and listed in `failures`.

    Args:
        folder: with `*.tar`, of ours or of others in webdataset's layout.
        seed: of the order.
        buffer: samples that are mixed; 1 keeps the order within shards. As many encoded samples are in memory.
        part, parts: only every `parts`-th shard from `part` on, for processes that share the work.
        epochs: rounds; None for no end.

    Raises:
        InputError: there are no shards, or fewer than parts.
    """

    folder: Path
    seed: int = 0
    buffer: int = 256
    part: int = 0
    parts: int = 1
    epochs: int | None = None
    state: int = 0
    """Samples given since the beginning."""
    failures: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder = Path(self.folder)
        if not 0 <= self.part < self.parts or self.buffer < 1:
            raise OptionError(f"There is no part {self.part} of {self.parts} with a buffer of {self.buffer} samples.")
        if len(self._shards()) < 1:
            raise InputError(f"The folder {self.folder} holds no shards for part {self.part} of {self.parts}.")

    def _shards(self) -> list[Path]:
        return sorted(self.folder.glob("*.tar"))[self.part :: self.parts]

    def __iter__(self) -> Iterator[Sample]:
        skip = self.state
        for key, sound, notes, shard in self._mixed():
            if skip:
                skip -= 1
                continue
            self.state += 1
            try:
                yield Sample(key, _decoded(sound), json.loads(notes) if notes else {})
            except (ValueError, InputError) as error:
                self.failures.append((f"{shard}:{key}", str(error)))

    def _mixed(self) -> Iterator[tuple[str, bytes, bytes | None, str]]:
        """Encoded samples in the order of the stream; nothing is decoded that is skipped."""
        shards, epoch = self._shards(), 0
        while self.epochs is None or epoch < self.epochs:
            rng = np.random.default_rng((self.seed, epoch, self.part))
            held: list[tuple[str, bytes, bytes | None, str]] = []
            found = 0
            for number in rng.permutation(len(shards)):
                for sample in self._read(shards[number]):
                    found += 1
                    held.append(sample)
                    if len(held) >= self.buffer:
                        at = int(rng.integers(len(held)))
                        held[at], held[-1] = held[-1], held[at]
                        yield held.pop()
            for at in rng.permutation(len(held)):
                yield held[int(at)]
            if not found:
                raise InputError(f"The shards in {self.folder} hold no recordings that can be read; write them again.")
            epoch += 1

    def _read(self, path: Path) -> Iterator[tuple[str, bytes, bytes | None, str]]:
        try:
            with path.open("rb") as file:
                whole = _is_whole(file)
                if not whole:
                    self.failures.append((path.name, f"The shard {path} is cut off; write it again."))
                yield from _samples(file, path.name, whole=whole)
        except (tarfile.TarError, OSError, EOFError) as error:
            self.failures.append((path.name, f"The shard {path} cannot be read to its end: {error}."))


def _is_whole(file: IO[bytes]) -> bool:
    """Whether a tar file ends as one does, with two blocks of zeros."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(size - 1024, 0))
    end = file.read()
    file.seek(0)
    return len(end) == 1024 and not any(end)


def _samples(file: IO[bytes], shard: str, *, whole: bool) -> Iterator[tuple[str, bytes, bytes | None, str]]:
    """Neighbouring files of one name, read straight through; the last of a shard that is cut off may lack a file and is
    left out."""
    key, sound, notes = "", None, None
    with tarfile.open(fileobj=file, mode="r|") as tar:
        for member in tar:
            if not member.isfile() or member.size > LARGEST_MEMBER:
                continue
            stem, _, suffix = member.name.partition(".")
            if stem != key:
                if sound is not None:
                    yield key, sound, notes, shard
                key, sound, notes = stem, None, None
            reader = tar.extractfile(member)
            content = reader.read() if reader is not None else b""
            if f".{suffix.lower()}" in SOUNDS:
                sound = content
            elif suffix.lower() == "json":
                notes = content
    if sound is not None and whole:
        yield key, sound, notes, shard


def _decoded(content: bytes) -> Audio:
    import soundfile

    try:
        samples, rate = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, RuntimeError) as error:
        raise InputError("a recording of the shard is damaged") from error
    return Audio(np.ascontiguousarray(samples.T), rate)
