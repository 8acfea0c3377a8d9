"""What the verbs that compare sounds share: an embedder by name, and the sound of a file, recorded or rendered."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrion.errors import InputError, OptionError
from orchestrion.verbs.data_render import SCORE_SUFFIXES

if TYPE_CHECKING:
    import numpy as np

    from orchestrion.evaluation.embed_files import Heard
    from orchestrion.media.audio import Audio

SOUND_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff", ".au", ".caf", ".opus", ".w64")
PROBE_RATE, PROBE_SECONDS, PROBE_HZ = 44100, 3.0, 220.0  # the tone that shows what an embedder makes


@dataclass(frozen=True, slots=True)
class Ear:
    """An embedder that is ready, and what its vectors are.

    Attributes:
        name: that it was asked for by.
        model: has `embed`, and `embed_text` or `classify` where it can.
        rate: Hz that it listens at.
        space, dimension, window: of its embeddings, see `Embeddings`.
    """

    name: str
    model: Any
    rate: int
    space: str
    dimension: int
    window: float

    @property
    def reads_text(self) -> bool:
        return callable(getattr(self.model, "embed_text", None))

    @property
    def classifies(self) -> bool:
        return callable(getattr(self.model, "classify", None))

    def hear(self, path: Path, *, hop: float | None = None, rate: int | None = None) -> Heard:
        """One vector a window of a recording, or of a score as it is rendered.

        Raises:
            InputError: the file cannot be read, or is too short.
        """
        from orchestrion.evaluation.embed_files import embed_sound

        return embed_sound(sound_of(path), self.model, name=str(path), hop=hop, rate=rate)

    def read(self, text: str) -> np.ndarray:
        """[dim] the vector of a text."""
        return self.model.embed_text(text).vectors[0]


@lru_cache(maxsize=4)
def load_ear(name: str, device: str = "cpu") -> Ear:
    """A system that embeds, or a public embedding network as "vggish:official".

    Raises:
        OptionError: there is none of this name, or it cannot embed.
        WeightsError: its weights cannot be read.
    """
    import numpy as np

    from orchestrion.media.audio import Audio

    model = load_model(name, device)
    time = np.arange(int(PROBE_RATE * PROBE_SECONDS), dtype=np.float32) / PROBE_RATE
    tone = Audio((0.1 * np.sin(2 * np.pi * PROBE_HZ * time, dtype=np.float32))[None], PROBE_RATE)
    found = model.embed(tone)
    rate = getattr(model, "sample_rate", None) or getattr(model, "rate", None)
    return Ear(name, model, int(rate or PROBE_RATE), found.space, found.vectors.shape[1], found.window)


def load_model(name: str, device: str) -> Any:
    """The system or public network of a name, see `load_ear`."""
    from orchestrion.hub.official.embedders import EMBEDDERS, load_embedder
    from orchestrion.verbs.serving import check_device, load_for

    if name.partition(":")[0] not in EMBEDDERS:
        return load_for("embed", name, device)
    check_device(device)
    return load_embedder(name, device=device)


def sound_of(path: Path) -> Iterator[Audio]:
    """The sound of a file in blocks; scores are rendered.

    Raises:
        InputError: the file cannot be read.
    """
    if path.suffix.lower() in SCORE_SUFFIXES:
        from orchestrion.media.render import render
        from orchestrion.verbs.serving import read_music

        yield render(read_music(path)).mono()
        return
    from orchestrion.media.audio_blocks import audio_blocks

    yield from audio_blocks(path)


def one_vector(heard: Heard, path: Path) -> np.ndarray:
    """The mean of a sound's embeddings, of length 1.

    Raises:
        InputError: the sound is silent.
    """
    import numpy as np

    mean = heard.embeddings.vectors.mean(0, dtype=np.float64)
    length = float(np.linalg.norm(mean))
    if heard.silent or not length:
        raise InputError(f"The file {path} is silent, so there is nothing to find it by.")
    return (mean / length).astype(np.float32)


def hear_one(path: Path, *, name: str, device: str, space: str) -> dict[str, Any]:
    """One file for `data.pipeline.map_files`: its vector (base64 of float32), seconds and SHA-256.

    Raises:
        InputError: the file cannot be read, is silent or too short.
        OptionError: the embedder is another one by now.
    """
    from orchestrion.hub.weights import file_hash

    ear = load_ear(name, device)
    if ear.space != space:
        raise OptionError(f"The weights of {name} have changed while files were being indexed; index again.")
    heard = ear.hear(path)
    vector = one_vector(heard, path)
    return {
        "hash": file_hash(path),
        "seconds": heard.seconds,
        "vector": base64.b64encode(vector.astype("<f4").tobytes()).decode(),
    }


def vector_of(entry: dict[str, Any]) -> np.ndarray:
    """The vector in a result of `hear_one`."""
    import numpy as np

    return np.frombuffer(base64.b64decode(entry["vector"]), "<f4")
