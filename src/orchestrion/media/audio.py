"""Sound as an array: reading, writing and resampling WAV, FLAC, OGG and MP3."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from orchestrion.errors import InputError, OptionError, OutputError
from orchestrion.media.files import atomic_write, check_input
from orchestrion.media.kinds import kind_of_file
from orchestrion.media.provenance import Provenance
from orchestrion.media.tags import TAGS, append_wav_tags, read_wav_tags, settle_ogg_serial

# Suffix → format and encoding. WAV holds 16-bit integers: its float form carries the time of writing, so that no two
# files were equal.
FORMATS = {
    ".wav": ("WAV", "PCM_16"),
    ".flac": ("FLAC", "PCM_16"),
    ".ogg": ("OGG", "VORBIS"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
}
MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
FLAC_CHANNELS, FLAC_RATE = 8, 655_350
MOST_CHANNELS = 32
MOST_SECONDS = 3 * 3600.0
BLOCK = 1 << 16  # samples, as much as is read or written at once


@dataclass(frozen=True, slots=True)
class Audio:
    """Sound: `samples` in [-1, 1], one row a channel, and the `rate` in Hz."""

    samples: Float[np.ndarray, "channels samples"]
    rate: int

    def __post_init__(self) -> None:
        if self.samples.ndim != 2 or self.samples.dtype != np.float32:
            raise ValueError(f"Samples must be float32 [channels, samples], not {self.samples.dtype} "
                             f"{list(self.samples.shape)}; convert them first.")  # fmt: skip
        if self.rate <= 0:
            raise ValueError(f"The rate must be positive, not {self.rate} Hz.")

    @property
    def seconds(self) -> float:
        """The duration."""
        return self.samples.shape[1] / self.rate

    @property
    def n_channels(self) -> int:
        return self.samples.shape[0]

    def mono(self) -> Audio:
        """The mean of all channels, one row."""
        return Audio(self.samples.mean(axis=0, keepdims=True, dtype=np.float32), self.rate)

    def resample(self, rate: int) -> Audio:
        """The same sound at another rate, in Hz (soxr, its high quality)."""
        if rate == self.rate:
            return self
        import soxr

        changed = soxr.resample(self.samples.T, self.rate, rate, quality="HQ")
        return Audio(np.ascontiguousarray(changed.T, dtype=np.float32), rate)


def read_audio(
    path: str | Path, *, rate: int | None = None, mono: bool = False, most_seconds: float = MOST_SECONDS
) -> Audio:
    """Reads WAV, FLAC, OGG, MP3, and what else libsndfile knows.

    Args:
        rate: Hz to resample to; as in the file by default.
        mono: mixes the channels to one.
        most_seconds: longer files are refused.

    Raises:
        InputError: the file is missing, empty, damaged, too long, or no sound.
    """
    import soundfile

    found = check_input(path)
    try:
        with soundfile.SoundFile(found) as file:
            check_header(found, file)
            samples = _read_blocks(file, found, most_seconds, mono=mono)
            audio = Audio(samples, file.samplerate)
    except (soundfile.SoundFileError, RuntimeError, OSError) as error:
        raise no_sound(found) from error
    return audio if rate is None else audio.resample(rate)


def no_sound(path: Path) -> InputError:
    """Why a file cannot be read as sound, told by what it holds instead."""
    holds = {
        "video": "is a video; save its sound as WAV, FLAC, OGG or MP3 first",
        "coded sound": "is coded as AAC or WMA, which is not read here; convert it to WAV, FLAC, OGG or MP3",
        "score": "holds notes (MIDI) and no sound; render it first",
        "picture": "is a picture, not sound",
        "archive": "is an archive; unpack it first",
        "text": "holds text, not sound; give a WAV, FLAC, OGG or MP3 file",
    }
    otherwise = "cannot be read as sound; give a WAV, FLAC, OGG or MP3 file that plays elsewhere"
    return InputError(f"The file {path} {holds.get(kind_of_file(path), otherwise)}.")


def check_header(path: Path, file: Any) -> None:
    """Refuses an open sound file whose header says what no sound has.

    Raises:
        InputError: too many channels, or an impossible rate.
    """
    if file.channels > MOST_CHANNELS:
        raise InputError(f"The file {path} has {file.channels} channels; {MOST_CHANNELS} are the most.")
    if not 1000 <= file.samplerate <= 768_000:
        raise InputError(f"The file {path} says that its rate is {file.samplerate} Hz, which no sound has.")


def _read_blocks(file: Any, path: Path, most_seconds: float, *, mono: bool) -> Float[np.ndarray, "channels samples"]:
    """Reads block by block, since the length that a damaged header claims must not be believed."""
    blocks: list[np.ndarray] = []
    n_samples = 0
    while len(block := file.read(BLOCK, dtype="float32", always_2d=True)):
        if not np.isfinite(block).all():
            raise InputError(f"The file {path} holds samples that are no numbers; export it again.")
        blocks.append(block.mean(axis=1, dtype=np.float32)[None] if mono else block.T)
        n_samples += len(block)
        if n_samples > most_seconds * file.samplerate:
            raise InputError(f"The file {path} is longer than {most_seconds / 60:g} minutes; cut it first.")
    if not blocks:
        raise InputError(f"The file {path} holds no sound at all.")
    return np.ascontiguousarray(np.concatenate(blocks, axis=1))


def write_audio(audio: Audio, path: str | Path, *, metadata: Provenance | Mapping[str, str] | None = None) -> Path:
    """Writes sound in the format that the suffix names; the same sound and metadata give the same bytes.

    Samples beyond ±1 are cut. WAV and FLAC hold 16 bits a sample. A rate that MP3 lacks is resampled to 44100 Hz.

    Args:
        metadata: how the piece was made, or tags by name (title, artist, album, comment, copyright, software, date,
            genre); `read_metadata` returns them.

    Raises:
        OptionError: the suffix is of no known format, or a tag has another name.
        OutputError: the file cannot be written.
    """
    if _format_of(Path(path))[0] == "MP3":
        audio = audio if audio.rate in MP3_RATES else audio.resample(44100)
        audio = audio if audio.n_channels <= 2 else audio.mono()
    blocks = (audio.samples[:, start : start + BLOCK] for start in range(0, audio.samples.shape[1], BLOCK))
    return write_blocks(blocks, path, rate=audio.rate, channels=audio.n_channels, metadata=metadata)


def write_blocks(
    blocks: Iterable[Float[np.ndarray, "channels samples"]],
    path: str | Path,
    *,
    rate: int,
    channels: int,
    metadata: Provenance | Mapping[str, str] | None = None,
) -> Path:
    """Writes sound that comes in blocks, as `write_audio` does, in constant memory; whole or not at all.

    Raises:
        OptionError: as `write_audio`, or the format does not hold this rate or so many channels.
        OutputError: the file cannot be written.
    """
    import soundfile

    target = Path(path)
    form, encoding = check_format(target, rate=rate, channels=channels)
    tags = _tags_of(metadata)
    with atomic_write(target) as temporary:
        try:
            with soundfile.SoundFile(temporary, "w", rate, channels, format=form, subtype=encoding) as file:
                if form != "WAV":
                    for name, text in tags.items():
                        setattr(file, name, text)
                for block in blocks:
                    file.write(_encoded(block, encoding))
        except soundfile.LibsndfileError as error:
            if error.code != SYSTEM_ERROR:
                raise
            raise OutputError(
                f"{target} cannot be written: the disk is full, or the file would be larger than is allowed here."
            ) from error
        if form == "WAV" and tags:
            append_wav_tags(temporary, tags)
        if form == "OGG":
            settle_ogg_serial(temporary)
    return target


def check_format(path: Path, *, rate: int, channels: int) -> tuple[str, str]:
    """Format and encoding that the suffix names, if they hold such sound.

    Raises:
        OptionError: the suffix is of no known format, or the format does not hold this rate or so many channels.
    """
    form, encoding = _format_of(path)
    if form == "MP3" and (rate not in MP3_RATES or channels > 2):
        raise OptionError(f"An MP3 file cannot hold {channels} channels at {rate} Hz; write .wav or .flac.")
    if form == "FLAC" and (channels > FLAC_CHANNELS or rate > FLAC_RATE):
        raise OptionError(f"A FLAC file cannot hold {channels} channels at {rate} Hz; write .wav.")
    return form, encoding


SYSTEM_ERROR = 2  # libsndfile's word for whatever the system said, which it does not pass on


def _format_of(path: Path) -> tuple[str, str]:
    if path.suffix.lower() not in FORMATS:
        raise OptionError(f"Sound cannot be written as {path.suffix!r}; choose {', '.join(FORMATS)}.")
    return FORMATS[path.suffix.lower()]


def _tags_of(metadata: Provenance | Mapping[str, str] | None) -> dict[str, str]:
    tags = metadata.tags() if isinstance(metadata, Provenance) else dict(metadata or {})
    if unknown := sorted(set(tags) - set(TAGS)):
        raise OptionError(f"There is no tag {unknown[0]!r}; known are {', '.join(TAGS)}.")
    return {name: text for name, text in tags.items() if text}


def _encoded(samples: Float[np.ndarray, "channels samples"], encoding: str) -> np.ndarray:
    if encoding == "PCM_16":
        return np.clip(np.round(samples.T * 32768), -32768, 32767).astype(np.int16)
    return np.ascontiguousarray(np.clip(samples.T, -1.0, 1.0))


def read_metadata(path: str | Path) -> dict[str, Any]:
    """The tags of a sound file; the fields of a comment that is a JSON object, as `write_audio` makes it, go beside
    them under `provenance`.

    Raises:
        InputError: the file is missing or no sound.
    """
    import soundfile

    found = check_input(path)
    try:
        with soundfile.SoundFile(found) as file:
            tags = {name: text for name, text in file.copy_metadata().items() if name in TAGS and text}
    except (soundfile.SoundFileError, RuntimeError) as error:
        raise no_sound(found) from error
    result: dict[str, Any] = {**tags, **read_wav_tags(found)}
    if result.get("comment", "").startswith("{"):
        try:
            result["provenance"] = json.loads(result["comment"])
        except ValueError:  # a comment may begin with a brace and be no JSON
            return result
    return result
