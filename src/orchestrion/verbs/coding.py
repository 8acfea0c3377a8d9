"""What the verbs share that turn sound into latents and back: systems, the sound of a file, and its length."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrion.errors import OptionError
from orchestrion.verbs.result import Progress

if TYPE_CHECKING:
    from orchestrion.media.audio import Audio

BLOCK_SECONDS = 10.0


def load_codec(task: str, name: str, device: str) -> Any:
    """A system that has the method `task` and works block by block.

    Raises:
        OptionError: as `serving.load_for`, or it cannot work block by block.
        WeightsError: its weights cannot be read.
    """
    from orchestrion.verbs.serving import load_for

    model = load_for(task, name, device)
    if not callable(getattr(model, "encoding", None)):
        raise OptionError(
            f"The system {name!r} cannot code sound block by block; `orchestrion systems` shows which can."
        )
    return model


def check_source(path: Path) -> None:
    """Refuses early, before torch is imported, what is neither sound nor notes.

    Raises:
        InputError: the file is missing, empty, or neither.
    """
    from orchestrion.verbs.embed import check_sound

    check_sound(path)


def sound_blocks(path: Path, progress: Progress | None = None) -> Iterator[Audio]:
    """The sound of a file with all its channels, block by block; scores are rendered.

    Raises:
        InputError: the file cannot be read.
    """
    from orchestrion.verbs.data_render import SCORE_SUFFIXES

    if path.suffix.lower() in SCORE_SUFFIXES:
        from orchestrion.media.render import render
        from orchestrion.verbs.serving import read_music

        yield render(read_music(path))
        return
    from orchestrion.media.audio_blocks import audio_blocks

    done, length = 0.0, seconds_of(path)
    for block in audio_blocks(path, seconds=BLOCK_SECONDS, rest=0.0, mono=False):
        yield block
        done += block.seconds
        if progress is not None:
            progress(min(int(done), int(length)), max(int(length), 1))


def seconds_of(path: Path) -> float:
    """What the header of a sound file says; 0 where it says nothing."""
    import soundfile

    try:
        found = soundfile.info(str(path))
    except (soundfile.SoundFileError, RuntimeError, OSError):
        return 0.0
    return found.frames / found.samplerate if found.samplerate else 0.0
