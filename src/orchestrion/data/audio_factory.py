"""Any number of hours of rendered music with perfect labels: mixes, aligned stems, captions, chords, beats, tags.

A clip is an excerpt of a piece, played with programs, tempo, key, dynamics, room and level drawn by its index: nothing
is stored, and a clip is the same whoever asks for it, and in whatever order.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Float

from orchestrion.data.audio_tags import clip_moods, clip_tags
from orchestrion.data.caption_facts import Facts
from orchestrion.data.captions import GrammarWriter, Style
from orchestrion.data.excerpt import Excerpt, Form, Part, take_excerpt
from orchestrion.errors import InputError, OptionError
from orchestrion.media.audio import Audio
from orchestrion.media.room import room_answer, room_send
from orchestrion.media.soundfont import SoundFont, find_soundfont, read_soundfont
from orchestrion.media.stage import balance_gain, stage_positions
from orchestrion.media.synth import NoteMemory, Notes, play_notes

if TYPE_CHECKING:
    from orchestrion.data.held_clips import HeldClips
    from orchestrion.data.piece import Piece
    from orchestrion.theory.chords import ChordSpan
    from orchestrion.theory.keys import Key

Programs = Literal["written", "family", "any"]
WRITTEN: Programs = "written"
MUSICAL = tuple(range(112))  # programs of General MIDI before its percussion and its noises
DECAYS = (0.5, 0.8, 1.3, 2.0)  # seconds of the rooms that are drawn from
SHORTEST_NOTE = 0.01  # seconds
FIXED = (1.0, 1.0)
NEXT_DRAW = 1 << 20  # of the generator that words captions, so that it is apart from the one that draws clips


@dataclass(frozen=True, slots=True)
class ClipLabels:
    """What is known of a clip. Times are in seconds from its beginning.

    Attributes:
        index, seed: of the draw that made it.
        piece: id of the piece that is played; versions of one tune share the part before "#".
        split: of the piece.
        caption: one to seven sentences, or a phrase, of true facts.
        chords: spans in seconds.
        beats, downbeats: where they begin.
        key, metre: as played.
        tempo: quarter notes a minute as played; None where the piece states none.
        programs: General MIDI programs of the parts, 128 for drums, melody first.
        tags: words by kind: "family", "instrument", "texture", "register", "tempo", "mode", "mood", and what the piece
            has ("genre" only where the programs are those of its style).
        parts: the notes, by stem.
        melody: name of the stem that carries the tune, if it plays.
    """

    index: int
    seed: int
    piece: str
    split: str | None
    caption: str
    chords: tuple[ChordSpan, ...]
    beats: Float[np.ndarray, " beats"]
    downbeats: Float[np.ndarray, " bars"]
    key: Key | None
    metre: tuple[int, int] | None
    tempo: float | None
    programs: tuple[int, ...]
    tags: Mapping[str, tuple[str, ...]]
    parts: tuple[Part, ...]
    melody: str | None


@dataclass(frozen=True, slots=True)
class RenderedClip(ClipLabels):
    """A clip: its sound, and the sound of each part, which sum to it (empty unless stems are asked for)."""

    audio: Audio
    stems: Mapping[str, Audio]

    @property
    def labels(self) -> ClipLabels:
        """All but the sound."""
        return ClipLabels(*(getattr(self, field.name) for field in fields(ClipLabels)))


class AudioFactory:
    """Clips by index, without end; `factory.clip(7)` is the same for ever for the same arguments.

    Every piece comes once before any comes again, in an order that the seed draws.

    Args:
        pieces: with scores; a `Corpus` or a list. `choose_pieces` picks them.
        rate: Hz.
        seconds: length of every clip.
        channels: 1 or 2; mono is rendered as such, at half the cost. It is the mean of both sides, but for stereo
            samples of players who do not stand in the middle.
        seed: of all draws.
        programs: "written"; "family" for another program of the same family of eight; "any" for any musical program;
            or a list of programs to draw from, each part another one while they last.
        parts: fewest and most parts that play. The melody always does, drums only where `drums`.
        melody_only: nothing but the tune.
        drums: whether drum parts may play.
        tempi: tempos to draw from, in quarter notes a minute, instead of the written one.
        speed: range of the factor by which tempos vary (uniform in its logarithm).
        transpose: range in semitones.
        velocity: range of the factor of all velocities of a clip; each part varies by ±`balance_db` besides.
        velocity_noise: standard deviation of the velocity of single notes.
        room: range of the amount of reverberation, 0 to 1. The room is one of four.
        level_db: range of the peak of the mix, in dB below full scale.
        start: "bar" begins with a downbeat, "any" anywhere.
        repeat: short pieces begin again; otherwise silence follows.
        stems: whether the sound of each part is kept. Mixes differ by less than 1e-5 with and without.
        caption_style: as `GrammarWriter`.
        soundfont: as `render`.
        memory_bytes: of notes kept between clips, for speed.

    Raises:
        OptionError: an argument is out of range.
        InputError: there are no pieces, or the SoundFont is missing.
    """

    def __init__(
        self,
        pieces: Sequence[Piece],
        *,
        rate: int = 22050,
        seconds: float = 30.0,
        channels: int = 1,
        seed: int = 0,
        programs: Programs | Sequence[int] = WRITTEN,
        parts: tuple[int, int] = (1, 16),
        melody_only: bool = False,
        drums: bool = True,
        tempi: Sequence[float] | None = None,
        speed: tuple[float, float] = FIXED,
        transpose: tuple[int, int] = (0, 0),
        velocity: tuple[float, float] = FIXED,
        velocity_noise: float = 0.0,
        balance_db: float = 0.0,
        room: tuple[float, float] = (0.12, 0.12),
        level_db: tuple[float, float] = (-1.0, -1.0),
        start: Literal["bar", "any"] = "bar",
        repeat: bool = True,
        stems: bool = False,
        caption_style: Style = "any",
        soundfont: str | Path | None = None,
        memory_bytes: int = 256 << 20,
    ) -> None:
        if not len(pieces):
            raise InputError("There are no pieces to render; choose others with fewer conditions.")
        _check_numbers(rate, seconds, channels)
        for name, (low, high), least, most in (
            ("speed", speed, 0.2, 5.0), ("velocity", velocity, 0.05, 5.0), ("room", room, 0.0, 1.0),
            ("level_db", level_db, -90.0, 0.0), ("parts", parts, 1, 256), ("transpose", transpose, -48, 48),
        ):  # fmt: skip
            if not least <= low <= high <= most:
                raise OptionError(f"The range {name} is ({low:g}, {high:g}); it must rise from {least:g} to {most:g}.")
        if isinstance(programs, str) and programs not in ("written", "family", "any"):
            raise OptionError(f"There is no choice of programs {programs!r}; choose written, family, any, or a list.")
        if not isinstance(programs, str) and not (programs and all(0 <= program <= 127 for program in programs)):
            raise OptionError(f"The programs {list(programs)} are not all from 0 to 127; give some that are.")
        if tempi is not None and not (tempi and all(10 <= tempo <= 500 for tempo in tempi)):
            raise OptionError(f"The tempos {list(tempi)} are not all from 10 to 500 quarter notes a minute.")
        if start not in ("bar", "any"):
            raise OptionError(f"A clip cannot start at {start!r}; choose bar or any.")
        self.pieces, self.rate, self.seconds, self.channels, self.seed = pieces, rate, seconds, channels, seed
        self.programs, self.parts, self.melody_only, self.drums = programs, parts, melody_only, drums
        self.tempi, self.speed, self.transpose = tempi, speed, transpose
        self.velocity, self.velocity_noise, self.balance_db = velocity, velocity_noise, balance_db
        self.room, self.level_db, self.start, self.repeat, self.stems = room, level_db, start, repeat, stems
        self.writer = GrammarWriter(style=caption_style)
        self.soundfont = find_soundfont(soundfont)
        self.memory_bytes = memory_bytes
        self._memory = NoteMemory(memory_bytes)
        self._order = lru_cache(maxsize=4)(self._make_order)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_memory", "_order")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._memory = NoteMemory(self.memory_bytes)
        self._order = lru_cache(maxsize=4)(self._make_order)

    @property
    def n_samples(self) -> int:
        """Of every clip."""
        return round(self.seconds * self.rate)

    def clip(self, index: int) -> RenderedClip:
        """The clip of an index, from 0 on."""
        excerpt, labels, rng = self._draw(index)
        audio, stems = self._render(excerpt, rng, labels["shift"])
        return RenderedClip(
            **{field.name: labels[field.name] for field in fields(ClipLabels)}, audio=audio, stems=stems
        )

    def clips(self, indices: Iterable[int]) -> Iterator[RenderedClip]:
        """The clips of some indices, one after the other."""
        return (self.clip(index) for index in indices)

    def labels(self, index: int) -> ClipLabels:
        """What is known of a clip, without rendering it."""
        labels = self._draw(index)[1]
        return ClipLabels(**{field.name: labels[field.name] for field in fields(ClipLabels)})

    def held(self, indices: Iterable[int], *, workers: int = 1) -> HeldClips:
        """Clips kept in memory as 16-bit integers, rendered by so many processes."""
        from orchestrion.data.held_clips import hold

        return hold(self, list(indices), workers=workers)

    def _make_order(self, epoch: int) -> np.ndarray:
        return np.random.default_rng((self.seed, epoch)).permutation(len(self.pieces))

    def _draw(self, index: int) -> tuple[Excerpt, dict[str, Any], np.random.Generator]:
        """Which notes are played, what is known of them, and the generator that goes on drawing."""
        if index < 0:
            raise OptionError(f"There is no clip {index}; clips are counted from 0.")
        epoch, place = divmod(index, len(self.pieces))
        piece = self.pieces[int(self._order(epoch)[place])]
        rng = np.random.default_rng((self.seed, index, 1))
        form = Form(piece)
        written = piece.tempo or form.timeline.tempo_at(0)
        known = piece.tempo is not None or self.tempi is not None
        speed = math.exp(rng.uniform(*np.log(self.speed)))
        if self.tempi is not None:
            speed *= float(rng.choice(self.tempi)) / written
        semitones = int(rng.integers(self.transpose[0], self.transpose[1] + 1))
        tracks = self._choose_tracks(piece, rng)
        bar, shift = self._choose_start(form, speed, rng)
        excerpt = take_excerpt(
            piece, form, bar=bar, seconds=self.seconds + shift, tracks=tracks, speed=speed, transpose=semitones,
            repeat=self.repeat,
        )  # fmt: skip
        excerpt = Excerpt(self._recast(excerpt.parts, rng), excerpt.beats, excerpt.downbeats, excerpt.chords)
        seen = _shifted(excerpt, shift)
        tempo = round(written * speed, 6) if known else None
        return excerpt, {"shift": shift, **self._label(piece, seen, tempo, semitones, index)}, rng

    def _choose_tracks(self, piece: Piece, rng: np.random.Generator) -> list[int]:
        """Indices of the tracks that play, melody first."""
        assert piece.score is not None
        tracks = piece.score.tracks
        free = [i for i in range(len(tracks)) if len(tracks[i].notes) and (self.drums or not tracks[i].is_drum)]
        lead = piece.melody if piece.melody in free else next((i for i in free if not tracks[i].is_drum), None)
        if lead is None:
            return free[:1]
        others = [i for i in free if i != lead]
        if self.melody_only:
            return [lead]
        low, high = min(self.parts[0], len(free)), min(self.parts[1], len(free))
        count = int(rng.integers(low, high + 1)) if high < len(free) or low < high else high
        if count >= len(free):
            return [lead, *others]
        return [lead, *sorted(int(i) for i in rng.choice(others, count - 1, replace=False))]

    def _choose_start(self, form: Form, speed: float, rng: np.random.Generator) -> tuple[int, float]:
        """The bar with which rendering begins, and how many seconds of it are cut off."""
        last = form.seconds - self.seconds * speed
        fitting = int(np.searchsorted(form.bars, last + 1e-6, side="right")) if last >= 0 else 0
        n_bars = fitting if fitting else (form.n_bars if self.repeat else 1)
        bar = int(rng.integers(n_bars))
        length = float(form.bars[bar + 1] - form.bars[bar]) / speed
        return bar, rng.uniform(0, length) if self.start == "any" else 0.0

    def _recast(self, parts: tuple[Part, ...], rng: np.random.Generator) -> tuple[Part, ...]:
        """Other programs and other dynamics."""
        pool: list[int] = []
        recast = []
        loudness = rng.uniform(*self.velocity)
        for part in parts:
            program = part.program
            if not part.is_drum and self.programs == "family":
                program = program // 8 * 8 + int(rng.integers(8))
            elif not part.is_drum and self.programs != "written":
                choice = MUSICAL if isinstance(self.programs, str) else tuple(self.programs)
                pool = pool or [choice[i] for i in rng.permutation(len(choice))]
                program = pool.pop()
            velocities = part.velocities * loudness
            if self.velocity_noise:
                velocities = velocities + rng.normal(0, self.velocity_noise, len(velocities))
            recast.append(
                Part(
                    part.name, program, part.is_drum, part.is_melody, part.starts, part.ends, part.keys,
                    np.clip(np.round(velocities), 1, 127).astype(np.int64),
                )
            )  # fmt: skip
        return tuple(recast)

    def _label(self, piece: Piece, seen: Excerpt, tempo: float | None, semitones: int, index: int) -> dict[str, Any]:
        key = piece.key.transpose(semitones) if piece.key else None
        heard = [part for part in seen.parts if len(part.keys)]
        programs = tuple(dict.fromkeys(128 if part.is_drum else part.program for part in heard))
        in_style = self.programs in ("written", "family")
        genres = tuple(piece.tags.get("genre", ())) if in_style else ()
        groove = next(iter(piece.tags.get("groove", ())), None) if in_style else None
        found = clip_moods(key, tempo, piece.metre, genres[0] if genres else None, groove)
        facts = Facts(programs, key, piece.metre, tempo, genres, found)
        tags = {**clip_tags(seen.parts, key=key, tempo=tempo, metre=piece.metre), "mood": found}
        tags |= {kind: tuple(words) for kind, words in piece.tags.items() if kind not in ("genre", "groove", "mood")}
        tags |= {"genre": genres, "groove": (groove,) if groove else (), "collection": (piece.id.partition("/")[0],)}
        return {
            "index": index, "seed": self.seed, "piece": piece.id, "split": piece.split,
            "caption": self.writer.write(facts, random.Random(self.seed * NEXT_DRAW + index)) if programs else "",
            "chords": seen.chords, "beats": seen.beats, "downbeats": seen.downbeats, "key": key, "metre": piece.metre,
            "tempo": tempo, "programs": programs, "tags": {kind: words for kind, words in tags.items() if words},
            "parts": seen.parts, "melody": next((part.name for part in heard if part.is_melody), None),
        }  # fmt: skip

    def _render(self, excerpt: Excerpt, rng: np.random.Generator, shift: float) -> tuple[Audio, dict[str, Audio]]:
        font = read_soundfont(self.soundfont)
        cut = round(shift * self.rate)
        n_samples = cut + self.n_samples
        room, decay = rng.uniform(*self.room), DECAYS[int(rng.integers(len(DECAYS)))]
        level = 10 ** (rng.uniform(*self.level_db) / 20)
        mix, sent = np.zeros((self.channels, n_samples), np.float32), np.zeros(n_samples, np.float32)
        stems: dict[str, np.ndarray] = {}
        for part, position in zip(excerpt.parts, stage_positions(excerpt.parts), strict=True):
            sound = self._play(part, position, font, n_samples)
            sound *= np.float32(10 ** (rng.uniform(-self.balance_db, self.balance_db) / 20))
            both = sound if self.channels == 2 else np.concatenate([sound, sound])
            sends = room_send(both, room, is_drum=part.is_drum)
            if self.stems:
                sound = sound + self._answer(sends, decay)
                stems[part.name] = sound
            else:
                sent += sends
            mix += sound
        if not self.stems:
            mix += self._answer(sent, decay)
        loudest = float(np.abs(mix[:, cut:]).max(initial=0.0))
        gain = np.float32(level / loudest) if loudest > 0 else np.float32(1)
        finish = lambda sound: Audio(np.ascontiguousarray(sound[:, cut:] * gain), self.rate)  # noqa: E731
        return finish(mix), {name: finish(stem) for name, stem in stems.items()}

    def _play(self, part: Part, position: np.ndarray, font: SoundFont, n_samples: int) -> np.ndarray:
        zones = font.zones(part.program, is_drum=part.is_drum)
        starts = np.round(part.starts * self.rate).astype(np.int64)
        ends = np.round(np.maximum(part.ends, part.starts + SHORTEST_NOTE) * self.rate).astype(np.int64)
        sound = play_notes(
            Notes(starts, ends, part.keys, part.velocities), zones, font, is_drum=part.is_drum, rate=self.rate,
            n_samples=n_samples, n_channels=self.channels, memory=self._memory,
        )  # fmt: skip
        if len(part.keys):
            key = int(np.median(part.keys))
            sound *= np.float32(balance_gain(part.program, key, font, is_drum=part.is_drum, rate=self.rate))
        sound *= position[:, None] if self.channels == 2 else np.float32(position.mean())
        return sound

    def _answer(self, sent: np.ndarray, decay: float) -> np.ndarray:
        answer = room_answer(sent, self.rate, decay=decay)
        return answer if self.channels == 2 else answer.mean(axis=0, keepdims=True)


def _shifted(excerpt: Excerpt, shift: float) -> Excerpt:
    """The labels seen from `shift` seconds on."""
    if not shift:
        return excerpt
    parts = []
    for part in excerpt.parts:
        kept = part.ends > shift
        parts.append(
            Part(
                part.name, part.program, part.is_drum, part.is_melody, np.maximum(part.starts[kept] - shift, 0),
                part.ends[kept] - shift, part.keys[kept], part.velocities[kept],
            )
        )  # fmt: skip
    chords = tuple(
        type(span)(max(span.start - shift, 0.0), span.end - shift, span.chord)
        for span in excerpt.chords
        if span.end > shift
    )
    beats, downbeats = excerpt.beats - shift, excerpt.downbeats - shift
    return Excerpt(tuple(parts), beats[beats >= 0], downbeats[downbeats >= 0], chords)


def _check_numbers(rate: int, seconds: float, channels: int) -> None:
    if not 8000 <= rate <= 192_000:
        raise OptionError(f"Sound cannot be rendered at {rate} Hz; choose a rate from 8000 to 192000.")
    if not 0.05 <= seconds <= 1800:
        raise OptionError(f"A clip of {seconds:g} seconds cannot be rendered; choose from 0.05 to 1800.")
    if channels not in (1, 2):
        raise OptionError(f"Clips have 1 or 2 channels, not {channels}.")


def choose_pieces(
    pieces: Sequence[Piece],
    *,
    count: int | None = None,
    seed: int = 0,
    one_version: bool = True,
    metres: Sequence[tuple[int, int]] | None = None,
    genres: Sequence[str] | None = None,
    collections: Sequence[str] | None = None,
) -> list[Piece]:
    """Pieces drawn without replacement, in a random order.

    Args:
        count: so many; all that fit by default.
        one_version: at most one version of a tune (the part of the id before "#").
        metres, genres, collections: only pieces with one of these; a collection is the part of the id before "/".

    Raises:
        InputError: there are not as many.
    """
    chosen: list[Piece] = []
    seen: set[str] = set()
    for number in np.random.default_rng(seed).permutation(len(pieces)).tolist():
        if count is not None and len(chosen) == count:
            break
        piece = pieces[number]
        tune = piece.id.partition("#")[0] if one_version else piece.id
        if (
            tune in seen
            or (metres is not None and piece.metre not in metres)
            or (genres is not None and piece.genre not in genres)
            or (collections is not None and piece.id.partition("/")[0] not in collections)
        ):
            continue
        seen.add(tune)
        chosen.append(piece)
    if not chosen or (count is not None and len(chosen) < count):
        raise InputError(f"Only {len(chosen)} pieces fit of {count or 'any number'} asked for; ask for less.")
    return chosen
