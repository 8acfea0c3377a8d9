"""Measures recordings against reference recordings, by embeddings and, where they pair up, by waveform."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrion.errors import InputError, OptionError
from orchestrion.verbs.hearing import SOUND_SUFFIXES, Ear, load_ear
from orchestrion.verbs.options import within
from orchestrion.verbs.result import Progress, Result

if TYPE_CHECKING:
    from orchestrion.evaluation.embed_files import Heard
    from orchestrion.evaluation.sound_report import SoundReport

SYSTEM = "clmr"  # ships with the package and was trained on nothing but sound


@dataclass(frozen=True, slots=True)
class SoundEvaluation(Result):
    """The report, the files it was written to, the sounds that are silent, and those that cannot be read."""

    system: str
    report: SoundReport
    files: tuple[Path, ...]
    silent: tuple[str, ...]
    failures: tuple[tuple[str, str], ...]


def evaluate_sound(
    source: str | Path,
    *,
    reference: str | Path,
    system: str = SYSTEM,
    rate: int | None = None,
    hop: float | None = None,
    paired: bool = False,
    output: str | Path | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> SoundEvaluation:
    """Recordings in a folder against those in another.

    Silent recordings count, as a system that makes them should be seen to. Prompts that lie beside the sounds (as
    `generate` writes them) are compared with them where the embedder reads texts.

    Args:
        system: what embeds: a system, or a public network such as "vggish:official".
        rate: Hz that all sounds are brought to first; by default they must have one rate.
        hop: seconds between windows.
        paired: also compare files of equal names in both folders by their waveforms, and by what classes they are
            heard as.
        output: folder for report.json and report.md.

    Raises:
        InputError: a folder is missing or holds no sound that can be read, or the rates differ.
        OptionError: a number is out of range, or the system cannot embed.
        OutputError: the report cannot be written.
    """
    from orchestrion.evaluation.embed_files import embedding_set, hear_files
    from orchestrion.evaluation.embedding_sets import check_alike
    from orchestrion.evaluation.sound_report import sound_report, to_markdown, with_waveforms
    from orchestrion.verbs.staging import check_folder, staged

    within("--rate", rate, 1000, 192_000, "Hz")
    within("--hop", hop, 0.01, 600, "seconds")
    folder = None if output is None else Path(output)
    if folder is not None:
        check_folder(folder.parent if not folder.exists() else folder)
    made, known = Path(source), Path(reference)
    paths, others = sounds_in(made), sounds_in(known)
    ear = load_ear(system, device)
    total = len(paths) + len(others)
    steps = None if progress is None else lambda done, _: progress(done, total)
    more = None if progress is None else lambda done, _: progress(len(paths) + done, total)
    heard, sounds, failures = hear_files(paths, lambda path: ear.hear(path, hop=hop, rate=rate), progress=steps)
    against, references, more_failures = hear_files(
        others, lambda path: ear.hear(path, hop=hop, rate=rate), progress=more
    )
    for place, found, reasons in ((made, sounds, failures), (known, references, more_failures)):
        if not found:
            raise InputError(reasons[0][1])
        if all(sound.silent for sound in found):
            raise InputError(f"All sounds in {place} are silent, so there is nothing to measure.")
    names = [_name(path, made) for path in heard]
    first = embedding_set(sounds, names, embedder_rate=ear.rate, hop=hop)
    second = embedding_set(references, [_name(p, known) for p in against], embedder_rate=ear.rate, hop=hop)
    if first.settings.sample_rate != second.settings.sample_rate:
        raise InputError(
            f"The sounds in {made} have {first.settings.sample_rate} Hz and those in {known} "
            f"{second.settings.sample_rate} Hz, which distances would measure; bring both to one rate with --rate."
        )
    check_alike(first.settings, second.settings)
    report = sound_report(first, second)
    report = _texts(report, ear, heard, sounds)
    pairs = list(_pairs(heard, made, against, known)) if paired else []
    if paired and not pairs:
        raise InputError(f"No sound in {made} has the name of one in {known}; --paired needs equal names.")
    report = _classes(report, ear, heard, pairs)
    if pairs:
        report = with_waveforms(report, [_waveforms(one, other) for one, other in pairs])
    result = SoundEvaluation(
        system=system,
        report=report,
        files=() if folder is None else (folder / "report.json", folder / "report.md"),
        silent=tuple(name for name, sound in zip(names, sounds, strict=True) if sound.silent),
        failures=tuple(failures + more_failures),
    )
    if folder is not None:
        folder.mkdir(exist_ok=True)
        with staged(folder) as hidden:
            (hidden / "report.json").write_text(result.to_json() + "\n", encoding="utf-8")
            (hidden / "report.md").write_text(to_markdown(report), encoding="utf-8")
    return result


def sounds_in(place: Path) -> list[Path]:
    """The recordings at a path, by name.

    Raises:
        InputError: there is none.
    """
    if not place.exists():
        raise InputError(f"There is no file or folder {place}.")
    if not place.is_dir():
        return [place]
    found = sorted(path for path in place.rglob("*") if path.suffix.lower() in SOUND_SUFFIXES and path.is_file())
    if not found:
        raise InputError(f"The folder {place} holds no sound; known are {', '.join(SOUND_SUFFIXES)}.")
    return found


def _name(path: Path, place: Path) -> str:
    return path.name if path == place else path.relative_to(place).as_posix()


def prompt_of(path: Path) -> str | None:
    """The text that a sound was made from: `prompt` in the .json beside it, or the .txt beside it."""
    try:
        beside = path.with_suffix(".json")
        if beside.is_file():
            held = json.loads(beside.read_text(encoding="utf-8"))
            if isinstance(held, dict) and isinstance(held.get("prompt"), str):
                return held["prompt"].strip() or None
        beside = path.with_suffix(".txt")
        return beside.read_text(encoding="utf-8").strip() or None if beside.is_file() else None
    except (OSError, ValueError):  # it may be another program's
        return None


def _texts(report: SoundReport, ear: Ear, paths: Sequence[Path], sounds: Sequence[Heard]) -> SoundReport:
    if not ear.reads_text:
        return report
    import numpy as np

    from orchestrion.evaluation.sound_report import with_texts

    known = [(text, sound) for path, sound in zip(paths, sounds, strict=True) if (text := prompt_of(path)) is not None]
    if not known:
        return report
    read = {text: ear.read(text) for text, _ in known}
    texts = np.stack([read[text] for text, _ in known])
    return with_texts(report, texts, np.stack([sound.embeddings.vectors.mean(0) for _, sound in known]))


def _classes(report: SoundReport, ear: Ear, paths: Sequence[Path], pairs: Sequence[tuple[Path, Path]]) -> SoundReport:
    if not ear.classifies:
        return report
    import numpy as np

    from orchestrion.evaluation.sound_report import with_classes
    from orchestrion.media.audio import read_audio

    def logits(path: Path) -> Any:
        return ear.model.classify(read_audio(path, mono=True))

    heard = {path: logits(path) for path in paths}
    report = with_classes(report, np.stack(list(heard.values())), None)
    if not pairs:
        return report
    from dataclasses import replace

    from orchestrion.evaluation.divergence import paired_divergence

    target = np.stack([logits(other) for _, other in pairs])
    return replace(report, divergence=paired_divergence(np.stack([heard[one] for one, _ in pairs]), target))


def _pairs(paths: Sequence[Path], place: Path, others: Sequence[Path], other: Path) -> Iterator[tuple[Path, Path]]:
    """Files of equal names, whatever their format."""
    known = {Path(_name(path, other)).with_suffix(""): path for path in others}
    for path in paths:
        found = known.get(Path(_name(path, place)).with_suffix(""))
        if found is None and path == place and other in others:  # one file against one file
            found = other
        if found is not None:
            yield path, found


def _waveforms(one: Path, other: Path) -> dict[str, float]:
    from orchestrion.evaluation.sound_report import waveform_measures
    from orchestrion.media.audio import read_audio

    try:
        return waveform_measures(read_audio(one), read_audio(other))
    except OptionError as error:
        raise InputError(f"The waveforms of {one} and {other} cannot be compared: {error}") from error
