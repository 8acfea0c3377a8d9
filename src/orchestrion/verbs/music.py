"""Writes music with all that belongs to it: sound, notes, pictures, stems, sheet and provenance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from orchestrion.verbs.result import WrittenPiece, plain
from orchestrion.verbs.staging import staged

if TYPE_CHECKING:
    from symusic.core import ScoreTick

    from orchestrion.media.provenance import Provenance
    from orchestrion.systems.tasks import Sound

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")


class Made(Protocol):
    """What a system's task returns."""

    @property
    def score(self) -> ScoreTick: ...
    @property
    def report(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Extras:
    """What is written beside the main file: one audio file a track, an engraved sheet; and with which SoundFont.

    Attributes:
        before: what the music was made of: a picture of both is written, name-before-after.png.
        shade: what is marked in it, as of `pictures.draw_before_after`.
    """

    soundfont: Path | None = None
    stems: bool = False
    sheet: bool = False
    before: ScoreTick | None = None
    shade: Any = None


def write_pieces(
    made: Sequence[Made], output: Path, provenance: Provenance, extras: Extras, *, title: str | None = None
) -> tuple[WrittenPiece, ...]:
    """Writes all pieces, or nothing.

    One piece goes to `output`, several to name-1, name-2 … A sound file brings `.mid` and a piano roll `.png`; every
    piece brings `.json` with provenance and report.

    Raises:
        OutputError: something cannot be written.
    """
    from orchestrion.media.timeline import Timeline

    pieces = []
    with staged(output.parent) as folder:
        for number, one in enumerate(made, 1):
            stem = output.stem if len(made) == 1 else f"{output.stem}-{number}"
            files = _write_piece(one, folder / f"{stem}{output.suffix}", provenance, extras, title)
            timeline = Timeline.from_score(one.score)
            end = one.score.end()
            final = tuple(output.parent / path.relative_to(folder) for path in files)
            seconds = round(float(timeline.tick_to_second(end)), 3)
            pieces.append(WrittenPiece(final, timeline.n_bars, seconds, plain(one.report)))
    return tuple(pieces)


def write_sounds(
    made: Sequence[Sound], output: Path, provenance: Provenance, *, title: str | None = None
) -> tuple[WrittenPiece, ...]:
    """Writes all sounds, or nothing: each with a spectrogram `.png` and a `.json` of provenance and report.

    One goes to `output`, several to name-1, name-2 …

    Raises:
        OutputError: something cannot be written.
    """
    from orchestrion.media.audio import write_audio
    from orchestrion.media.pictures import draw_spectrogram
    from orchestrion.media.provenance import write_sidecar

    pieces = []
    with staged(output.parent) as folder:
        for number, one in enumerate(made, 1):
            stem = output.stem if len(made) == 1 else f"{output.stem}-{number}"
            path, picture = folder / f"{stem}{output.suffix}", folder / f"{stem}.png"
            record = replace(provenance, extra={**provenance.extra, "report": plain(one.report)})
            write_audio(one.audio, path, metadata=record)
            draw_spectrogram(one.audio, picture, title=title)
            files = (path, picture, write_sidecar(path, record))
            final = tuple(output.parent / file.relative_to(folder) for file in files)
            pieces.append(WrittenPiece(final, None, round(one.audio.seconds, 3), plain(one.report)))
    return tuple(pieces)


def _write_piece(made: Made, path: Path, provenance: Provenance, extras: Extras, title: str | None) -> list[Path]:
    from orchestrion.media.provenance import write_sidecar
    from orchestrion.media.score import write_score

    provenance = replace(provenance, extra={**provenance.extra, "report": plain(made.report)})
    files = [path]
    if path.suffix.lower() in AUDIO_SUFFIXES:
        files += _write_sound(made.score, path, provenance, extras, title)
    else:
        write_score(made.score, path, provenance=provenance)
        if extras.stems:
            files += _write_stems(made.score, path, extras, ".wav")
    if extras.sheet:
        from orchestrion.media.sheet import engrave

        engrave(made.score, path.with_suffix(".svg"), title=title)
        files.append(path.with_suffix(".svg"))
    if extras.before is not None:
        from orchestrion.media.pictures import draw_before_after

        picture = path.with_name(f"{path.stem}-before-after.png")
        files.append(draw_before_after(extras.before, made.score, picture, shade=extras.shade))
    files.append(write_sidecar(path, provenance))
    return files


def _write_sound(score: ScoreTick, path: Path, provenance: Provenance, extras: Extras, title: str | None) -> list[Path]:
    from orchestrion.media.audio import write_audio
    from orchestrion.media.pictures import draw_piano_roll
    from orchestrion.media.render import render
    from orchestrion.media.score import write_score

    write_audio(render(score, soundfont=extras.soundfont), path, metadata=provenance)
    write_score(score, path.with_suffix(".mid"), provenance=provenance)
    draw_piano_roll(score, path.with_suffix(".png"), title=title, chords=_chords(score))
    files = [path.with_suffix(".mid"), path.with_suffix(".png")]
    return files + (_write_stems(score, path, extras, path.suffix) if extras.stems else [])


def _chords(score: ScoreTick) -> list[tuple[float, float, str]]:
    """Chord names for the picture, one a bar; equal neighbours are joined."""
    from orchestrion.theory.chord_inference import infer_chords

    joined: list[tuple[float, float, str]] = []
    for span in infer_chords(score, frame="bar"):
        name = span.chord.jazz() if span.chord.root is not None else ""
        if joined and joined[-1][2] == name:
            joined[-1] = (joined[-1][0], span.end, name)
        else:
            joined.append((span.start, span.end, name))
    return [one for one in joined if one[2]]


def _write_stems(score: ScoreTick, path: Path, extras: Extras, suffix: str) -> list[Path]:
    from orchestrion.media.audio import write_audio
    from orchestrion.media.render import render_stems

    folder = path.parent / f"{path.stem}-stems"
    folder.mkdir()
    files = []
    for name, audio in render_stems(score, soundfont=extras.soundfont).items():
        safe = "".join(c if c.isalnum() or c in " -_" else "_" for c in name).strip() or "track"
        files.append(folder / f"{len(files) + 1:02d}-{safe}{suffix}")
        write_audio(audio, files[-1])
    return files
