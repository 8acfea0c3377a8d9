"""What systems can do: one protocol a task. Verbs are written against these, so a new system needs no new command."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from orchestrion.data.embeddings import Embeddings

if TYPE_CHECKING:
    from symusic.core import ScoreTick

    from orchestrion.codecs.codec import Latents
    from orchestrion.media.audio import Audio
    from orchestrion.theory.chords import ChordSpan
    from orchestrion.theory.keys import Key

Progress = Callable[[int, int], None]
"""Called with the work done and the work in all, in any unit."""


def part_of(progress: Progress | None, number: int, parts: int) -> Progress | None:
    """Progress of one of several equal parts, in units of its own."""
    return None if progress is None else lambda done, total: progress(number * total + done, parts * total)


@dataclass(frozen=True, slots=True)
class Music:
    """A score that a system made, and what it reports about it: what was asked, chosen, mapped, left out."""

    score: ScoreTick
    report: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sound:
    """Audio that a system made, and what it reports about it."""

    audio: Audio
    report: dict[str, Any] = field(default_factory=dict)


@runtime_checkable
class Generates(Protocol):
    """Text to music."""

    def generate(
        self,
        prompt: str,
        *,
        n: int = 1,
        seed: int = 0,
        bars: int | None = None,
        seconds: float | None = None,
        tempo: float | None = None,
        key: Key | None = None,
        metre: tuple[int, int] | None = None,
        instruments: Sequence[int] | None = None,
        temperature: float = 1.0,
        top_p: float = 1.0,
        progress: Progress | None = None,
    ) -> list[Music]:
        """`n` pieces from a sentence; what the keywords say goes before what the sentence says."""
        ...


@runtime_checkable
class GeneratesSound(Protocol):
    """Text to sound, for systems that write no notes."""

    def generate(
        self,
        prompt: str,
        *,
        n: int = 1,
        seed: int = 0,
        seconds: float | None = None,
        progress: Progress | None = None,
    ) -> list[Sound]:
        """`n` recordings from a sentence."""
        ...


@runtime_checkable
class Continues(Protocol):
    """Music that goes on where a score ends."""

    def continue_(
        self, score: ScoreTick, *, bars: int, seed: int = 0, temperature: float = 1.0, progress: Progress | None = None
    ) -> Music:
        """The score with `bars` more."""
        ...


@runtime_checkable
class Infills(Protocol):
    """New music inside a score."""

    def infill(
        self,
        score: ScoreTick,
        *,
        bars: tuple[int, int],
        tracks: Sequence[str] = (),
        seed: int = 0,
        temperature: float = 1.0,
        progress: Progress | None = None,
    ) -> Music:
        """The score with the bars [first, last), counted from 0, written anew in the tracks named, or in all."""
        ...


@runtime_checkable
class Arranges(Protocol):
    """Other tracks for those that are kept."""

    def arrange(
        self,
        score: ScoreTick,
        *,
        add: Sequence[str],
        keep: Sequence[str] = (),
        seed: int = 0,
        temperature: float = 1.0,
        progress: Progress | None = None,
    ) -> Music:
        """The tracks kept, note for note, and those added."""
        ...


@runtime_checkable
class Harmonizes(Protocol):
    """Chords for a melody."""

    def harmonize(
        self,
        score: ScoreTick,
        *,
        melody: str | None = None,
        seed: int = 0,
        temperature: float = 1.0,
        progress: Progress | None = None,
    ) -> Music:
        """The score with a track of chords."""
        ...


@runtime_checkable
class Encodes(Protocol):
    """Sound to latents."""

    def encode(self, audio: Audio, *, seed: int = 0, progress: Progress | None = None) -> Latents:
        """Latents of a sound of any length, rate and number of channels."""
        ...


@runtime_checkable
class Decodes(Protocol):
    """Latents to sound."""

    def decode(self, latents: Latents, *, seed: int = 0, progress: Progress | None = None) -> Audio:
        """The sound that latents stand for."""
        ...


@runtime_checkable
class Transfers(Protocol):
    """A sound with another timbre."""

    def transfer(self, audio: Audio, *, seed: int = 0, progress: Progress | None = None) -> Sound:
        """The sound as if made by what the system was trained on."""
        ...


@runtime_checkable
class Embeds(Protocol):
    """Sound to vectors that can be compared."""

    def embed(
        self, audio: Audio, *, hop: float | None = None, pooling: str = "mean", progress: Progress | None = None
    ) -> Embeddings:
        """One vector a window every `hop` seconds (the window's length by default), or their mean.

        Args:
            pooling: "mean" or "none".
        """
        ...


@runtime_checkable
class EmbedsText(Protocol):
    """Text to vectors in the space of `Embeds`."""

    def embed_text(self, text: str) -> Embeddings:
        """The vector of a sentence."""
        ...


@runtime_checkable
class InfillsSound(Protocol):
    """New sound inside a recording."""

    def infill_sound(
        self,
        audio: Audio,
        prompt: str = "",
        *,
        start: float,
        end: float,
        above: float | None = None,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Sound:
        """The recording with the time from `start` to `end` (seconds) made anew, or only what lies above a frequency
        there (Hz); all other samples stay as they are."""
        ...


@runtime_checkable
class ContinuesSound(Protocol):
    """Sound that goes on where a recording ends."""

    def continue_sound(
        self, audio: Audio, prompt: str = "", *, seconds: float, seed: int = 0, progress: Progress | None = None
    ) -> Sound:
        """The recording, sample for sample, with so many seconds more."""
        ...


@runtime_checkable
class Melodizes(Protocol):
    """A melody for chords."""

    def melodize(
        self,
        chords: Sequence[ChordSpan],
        *,
        key: Key | None = None,
        tempo: float = 100.0,
        metre: tuple[int, int] = (4, 4),
        seed: int = 0,
        temperature: float = 1.0,
        progress: Progress | None = None,
    ) -> Music:
        """A melody over chords, whose times are quarters from a bar line on.

        Args:
            key: found from the chords by default.
        """
        ...


@runtime_checkable
class Elaborates(Protocol):
    """A melody from its skeleton."""

    def elaborate(
        self,
        skeleton: ScoreTick | None = None,
        *,
        plan: Sequence[int] = (),
        key: Key | None = None,
        tempo: float = 100.0,
        metre: tuple[int, int] = (4, 4),
        seed: int = 0,
        temperature: float = 1.0,
        progress: Progress | None = None,
    ) -> Music:
        """A melody that passes through the notes of a skeleton.

        Args:
            skeleton: its notes in one line; without, the plan alone is followed.
            plan: bars of each phrase; found in the skeleton by default.
            key, tempo, metre: where there is no skeleton.
        """
        ...


@runtime_checkable
class Fades(Protocol):
    """Sliders on a score."""

    def fade(
        self,
        score: ScoreTick,
        *,
        rhythm: float = 0.0,
        density: float = 0.0,
        arousal: float = 0.0,
        tracks: Sequence[str] = (),
        seed: int = 0,
        temperature: float = 0.0,
        progress: Progress | None = None,
    ) -> Music:
        """The score with sliders moved, each in [−1, 1]; tracks that are not named are kept note for note."""
        ...


@runtime_checkable
class ReplacesSlices(Protocol):
    """Slices of a score swapped for related ones."""

    def replace_slices(
        self,
        score: ScoreTick,
        *,
        share: float = 0.3,
        neighbours: int = 20,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Music:
        """The score with that share of its slices replaced."""
        ...


@runtime_checkable
class Paints(Protocol):
    """New music where a mask on the piano roll says."""

    def paint(
        self,
        score: ScoreTick,
        *,
        mask: Any,
        repaint: int | None = None,
        candidates: int = 1,
        busy: float = 100.0,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Music:
        """The score, note for note outside of the mask, with new notes where it is free.

        Args:
            mask: [pitches, columns] over the whole piece, the highest pitch on top; True where music shall appear.
            repaint: how often each step is done; more makes more notes.
            candidates, busy: of so many, the one is taken that has more notes than `busy` percent of them.
        """
        ...


@runtime_checkable
class Develops(Protocol):
    """Pieces made from a theme."""

    def develop(
        self,
        score: ScoreTick,
        *,
        bars: int = 32,
        n: int = 1,
        tempo: float | None = None,
        seed: int = 0,
        temperature: float = 1.0,
        progress: Progress | None = None,
    ) -> list[Music]:
        """`n` pieces of `bars` in which the theme of the score returns and varies."""
        ...


@runtime_checkable
class Restyles(Protocol):
    """A piece in the style of another genre."""

    def restyle(
        self,
        score: ScoreTick,
        *,
        genre: str,
        strength: float = 0.6,
        passes: int = 5,
        keep_passes: bool = False,
        seed: int = 0,
        temperature: float = 1.0,
        progress: Progress | None = None,
    ) -> list[Music]:
        """The score written anew in `passes`, or what each pass made of it.

        Args:
            strength: from 0 (nothing changes) to 1.
        """
        ...


TASKS: dict[str, type] = {
    "generate": Generates,
    "continue_": Continues,
    "infill": Infills,
    "arrange": Arranges,
    "harmonize": Harmonizes,
    "encode": Encodes,
    "decode": Decodes,
    "transfer": Transfers,
    "embed": Embeds,
    "embed_text": EmbedsText,
    "fade": Fades,
    "replace_slices": ReplacesSlices,
    "melodize": Melodizes,
    "elaborate": Elaborates,
    "infill_sound": InfillsSound,
    "continue_sound": ContinuesSound,
    "develop": Develops,
    "paint": Paints,
    "restyle": Restyles,
}
"""Method → protocol; a card may name only these."""
