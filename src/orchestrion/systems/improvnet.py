"""ImprovNet: Generating Controllable Musical Improvisations with Iterative Corruption Refinement (Bhandari, Chang, Lu,
Enus, Bradshaw, Herremans & Colton 2025, arXiv 2502.04522).

A piano performance is cut into segments of five seconds. A network learns to restore a segment that was spoiled in one
of nine ways, from what is left of it, its genre and its neighbours. With the name of another genre, and in several
passes over a piece, restoring becomes improvising. Tokens, corruptions and passes live below
(`representations.performance_tokens`, `representations.corruptions`, `paradigms.corruption_refinement`).
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from orchestrion.analysis.self_similarity import strongest_borders
from orchestrion.analysis.skyline import find_melody_track
from orchestrion.errors import InputError, OptionError, check_choice
from orchestrion.media.score import named_tracks
from orchestrion.nn.bert import BertEncoderDecoder
from orchestrion.nn.cache import keep_rows
from orchestrion.paradigms.autoregressive import next_token_loss, sample
from orchestrion.paradigms.corruption_refinement import RECIPE, Request, Write, refine, write_gap
from orchestrion.representations.corruptions import skyline
from orchestrion.representations.onset_constraint import OnsetConstraint
from orchestrion.representations.performance_score import PerformedScore
from orchestrion.representations.performance_tokens import (
    END,
    START,
    Item,
    PerformanceVocabulary,
    TimedNote,
    Token,
    read_notes,
    without_doubles,
)
from orchestrion.systems.card import Card
from orchestrion.systems.registry import register
from orchestrion.systems.system import System
from orchestrion.systems.tasks import Music, Progress
from orchestrion.training.performance_segments import PerformanceSegments, RestoreBatch, nearest, pad_rows
from orchestrion.training.stage import Loss, Objective, Stage, warmup_cosine

if TYPE_CHECKING:
    from symusic.core import ScoreTick

    from orchestrion.data.piece import Piece

FIRST_KEPT = 2  # segments
PEAKS = 0.05  # protected borders a segment
LEFT, RIGHT_OF_MELODY, LEFT_OF_GAP = 5, 2, 4  # segments of context
TOP_K = 50
HARMONY_PASSES = 5
VALIDATION_ITEMS = 24


@register("improvnet")
class ImprovNet(System):
    """ImprovNet with its tokens, training and passes.

    Args:
        velocities, lowest, highest, step, segment, genres: of the tokens, see `PerformanceVocabulary`.
        vocabulary_size: classes; as many as there are tokens by default.
        width, num_heads, feed_forward, dropout: sizes of encoder and decoder.
        encoder_layers, decoder_layers, encoder_length, decoder_length: of each.
        context: most segments to either side, in training.
        transpose: farthest shift in training, in semitones.
        no_right_share: of training segments that are shown nothing of what follows, as when a piece is continued.
        most_pieces: that are trained on.
        batch_size, training_steps, learning_rate, warmup, weight_decay: of the training.
        precision: "float32" or "bfloat16".
        quirks: "none", or "official" for the slips of the published passes and a loss that counts padding.
    """

    card: ClassVar[Card] = Card(
        name="improvnet",
        title="ImprovNet: Generating Controllable Musical Improvisations with Iterative Corruption Refinement",
        arxiv="2502.04522",
        tasks=("restyle", "harmonize", "continue_", "infill"),
        modalities=("score",),
        licence="Apache-2.0",
        code="https://github.com/keshavbhandari/improvnet",
        code_licence="none stated",
        weights="https://github.com/keshavbhandari/improvnet",
        weights_licence="none stated",
        claims=(
            "The target genre becomes more probable with more passes and a higher rate.",
            "The structure of the original fades with passes and rate.",
            "Masking whole segments changes the genre more than permuting pitches, and keeps less structure.",
            "The constraint on onsets makes the first pass of a harmonisation more polyphonic.",
        ),
    )
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "mini": {
            "velocities": [45, 60, 75, 90, 105],
            "lowest": 24,
            "highest": 103,
            "step": 20,
            "segment": 2500,
            "width": 144,
            "num_heads": 6,
            "feed_forward": 432,
            "dropout": 0.0,
            "encoder_layers": 3,
            "decoder_layers": 3,
            "encoder_length": 384,
            "decoder_length": 112,
            "context": 2,
            "transpose": 6,
            "no_right_share": 0.3,
            "most_pieces": 3000,
            "batch_size": 8,
            "training_steps": 13000,
            "learning_rate": 1.2e-3,
            "warmup": 200,
            "precision": "bfloat16",
        },
        "paper": {},
    }

    def __init__(
        self,
        *,
        velocities: Sequence[int] = (0, 15, 30, 45, 60, 75, 90, 105, 120, 127),
        lowest: int = 0,
        highest: int = 127,
        step: int = 10,
        segment: int = 5000,
        genres: Sequence[str] = ("classical", "pop", "jazz"),
        vocabulary_size: int | None = None,
        width: int = 512,
        num_heads: int = 8,
        feed_forward: int = 2048,
        dropout: float = 0.1,
        encoder_layers: int = 12,
        decoder_layers: int = 12,
        encoder_length: int = 2048,
        decoder_length: int = 512,
        context: int = 5,
        transpose: int = 12,
        no_right_share: float = 0.1,
        most_pieces: int = 100_000,
        batch_size: int = 12,
        training_steps: int = 318_000,
        learning_rate: float = 5e-5,
        warmup: int = 31_800,
        weight_decay: float = 0.01,
        precision: str = "float32",
        quirks: str = "none",
    ) -> None:
        super().__init__()
        check_choice("quirks", quirks, "none", "official")
        self.vocabulary = PerformanceVocabulary(tuple(velocities), lowest, highest, step, segment, tuple(genres))
        self.encoder_length, self.decoder_length, self.context = encoder_length, decoder_length, context
        self.transpose, self.no_right_share = transpose, no_right_share
        self.most_pieces, self.batch_size = most_pieces, batch_size
        self.training_steps, self.learning_rate, self.warmup = training_steps, learning_rate, warmup
        self.weight_decay, self.precision, self.quirks = weight_decay, precision, quirks
        self.network = BertEncoderDecoder(
            vocabulary_size=vocabulary_size or len(self.vocabulary),
            width=width,
            num_heads=num_heads,
            feed_forward=feed_forward,
            encoder_layers=encoder_layers,
            decoder_layers=decoder_layers,
            encoder_length=encoder_length,
            decoder_length=decoder_length,
            dropout=dropout,
        )

    # Objective --------------------------------------------------------------------------------------------------------

    def loss(self, batch: RestoreBatch) -> Loss:
        """Cross-entropy of the segment's tokens; padding counts only with `quirks="official"`."""
        target = batch.target.to(self.device)
        written, target = target[:, :-1], target[:, 1:]
        logits = self.network(batch.tokens.to(self.device), written, batch.real.to(self.device)).float()
        ignore = None if self.quirks == "official" else 0
        counted = int((target != 0).sum()) if ignore == 0 else target.numel()
        return Loss(next_token_loss(logits, target, ignore=ignore), counted)

    # Training ---------------------------------------------------------------------------------------------------------

    def stages(self, train: Sequence[Piece], validation: Sequence[Piece]) -> list[Stage]:
        """One stage on segments of pieces whose genre is known.

        Raises:
            InputError: no piece has notes and one of the genres.
        """
        made, held = (self.segments(pieces) for pieces in (train, validation))
        if not len(made):
            genres = ", ".join(self.vocabulary.genres)
            raise InputError(f"None of the pieces has notes and a genre among {genres}; give others to train on.")
        fixed = held.batch(range(min(len(held), VALIDATION_ITEMS)), seed=0, augment=False) if len(held) else None

        def data(step: int, share: Any) -> RestoreBatch:
            chosen = np.random.default_rng(step).integers(len(made), size=self.batch_size)
            return made.batch(share.of(chosen.tolist()), seed=step)

        objective = Objective(
            name="restore",
            loss=self.loss,
            parameters=self.parameters(),
            optimiser=lambda parameters: torch.optim.AdamW(
                parameters, lr=self.learning_rate, weight_decay=self.weight_decay
            ),
            schedule=warmup_cosine(self.warmup, self.training_steps),
            clip=3.0,
        )
        return [
            Stage(
                name="restore",
                steps=self.training_steps,
                data=data,
                objectives=[objective],
                validate=None if fixed is None else lambda: {"validation_loss": float(self.loss(fixed).value)},
                validate_every=250,
                precision=self.precision,
            )
        ]

    def segments(self, pieces: Sequence[Piece]) -> PerformanceSegments:
        """Performances of the pieces whose genre is known, as this size reads them."""
        return PerformanceSegments(
            pieces,
            self.vocabulary,
            encoder_length=self.encoder_length,
            decoder_length=self.decoder_length,
            context=self.context,
            transpose=self.transpose,
            no_right_share=self.no_right_share,
            most=self.most_pieces,
        )

    # Sampling ---------------------------------------------------------------------------------------------------------

    @torch.inference_mode()
    def write(
        self,
        rows: Sequence[Sequence[Token]],
        *,
        generators: Sequence[torch.Generator],
        temperature: float = 1.0,
        top_k: int = TOP_K,
        constraints: Sequence[OnsetConstraint] | None = None,
    ) -> list[list[Item]]:
        """The segments that the network writes for what the encoder reads, side by side, each with its own chance;
        malformed notes are dropped."""
        words = self.vocabulary
        known = [[words.ids[token if token in words.ids else nearest(token, words)] for token in row] for row in rows]
        given = pad_rows([row[: self.encoder_length] for row in known]).to(self.device)
        held = {"real": given > 0}
        caches = self.network.decoder.start(self.network.encoder(given, held["real"]), capacity=self.decoder_length)

        def drop(kept: Tensor) -> None:
            held["real"] = held["real"][kept]
            keep_rows(caches, kept)

        written = sample(
            lambda new: self.network.decoder.step(new, caches, held["real"]),
            start=torch.full((len(rows), 1), words.ids[START], device=self.device),
            generators=generators,
            max_steps=self.decoder_length - 1,
            end=words.ids[END],
            grammars=constraints,
            temperature=temperature,
            top_k=top_k,
            drop=drop,
        )
        return [self._notes(words.decode(row)) for row in written]

    @staticmethod
    def _notes(tokens: Sequence[Token]) -> list[Item]:
        notes = [item for item in read_notes(tokens) if isinstance(item, TimedNote)]
        notes.sort(key=lambda note: (note.onset, note.pitch))
        return [*notes]

    def protect(self, held: PerformedScore, share: float = PEAKS) -> set[int]:
        """Segments in which a section begins, as chroma and Foote's novelty find it, `share` of all, rounded up."""
        notes, found = held.notes, set()
        for second in strongest_borders(
            [(note.onset - held.start) / 1000 for note in notes],
            [note.duration / 1000 for note in notes],
            [note.pitch for note in notes],
            [note.velocity for note in notes],
            count=math.ceil(share * held.count),
        ):
            after = next((note.onset for note in notes if note.onset >= held.start + 1000 * second), None)
            if after is not None:
                found.add(held.place_of(after))
        return found

    # Tasks ------------------------------------------------------------------------------------------------------------

    def restyle(
        self,
        score: ScoreTick,
        *,
        genre: str,
        strength: float = 0.6,
        passes: int = 5,
        keep_passes: bool = False,
        corruption: str | None = None,
        seed: int = 0,
        temperature: float = 1.0,
        progress: Progress | None = None,
    ) -> list[Music]:
        """The piece as an improvisation in a genre: its pitched tracks become one piano part wherever they are written
        anew. The beginning (two segments), the last segment and the strongest borders of sections stay as they are,
        and so do drums.

        Args:
            genre: one of the network's.
            strength: probability with which a segment is written anew in a pass; what is, at a lower strength, is at a
                higher one too.
            passes: how many; the published ten are gone through in turn.
            keep_passes: the result of every pass instead of the last one's alone.
            corruption: one for all passes instead.

        Raises:
            OptionError: the genre is unknown, strength is not in [0, 1], or there is no pass.
        """
        self._check(genre)
        if not 0 <= strength <= 1:
            raise OptionError(f"strength is {strength:g}; it must lie between 0 and 1.")
        if passes < 1:
            raise OptionError(f"passes is {passes}; it must be at least 1.")
        held = self._perform(score)
        protected = self.protect(held)
        recipe = [corruption or RECIPE[number % len(RECIPE)] for number in range(passes)]
        found = refine(
            held.segments,
            self._writer(seed, temperature),
            corruptions=recipe,
            rate=strength,
            genre=genre,
            chance=lambda number, place: random.Random(f"{(seed, number)}/{place}"),
            first=FIRST_KEPT,
            protected=protected,
            before=self.context,
            after=self.context,
            quirks=self.quirks,
            progress=progress,
        )
        made = []
        for number in range(0 if keep_passes else passes - 1, passes):
            changed = {place: new for place, new in enumerate(found[number]) if new != held.segments[place]}
            report = {
                "genre": genre,
                "strength": strength,
                "pass": number + 1,
                "segments": held.count,
                "rewritten": sorted(changed),
                "protected": sorted(protected),
            }
            made.append(Music(held.written(changed) if changed else score.copy(), report))
        return made

    def harmonize(
        self,
        score: ScoreTick,
        *,
        melody: str | None = None,
        genre: str | None = None,
        passes: int = HARMONY_PASSES,
        constrained: bool = True,
        seed: int = 0,
        temperature: float = 1.0,
        progress: Progress | None = None,
    ) -> Music:
        """The score and a new track: what the network writes around its melody, without notes that double it.

        Each segment of the melody is given as if it were what a skyline had left; in the first pass the onset
        constraint holds, later ones go on from the skyline of what was written.

        Args:
            melody: name of its track; found by default.
            constrained: whether the first pass is.

        Raises:
            OptionError: no track has that name, or the genre is unknown.
            InputError: there is no melody.
        """
        genre = self._check(genre or self.vocabulary.genres[0])
        track = find_melody_track(score) if melody is None else named_tracks(score, [melody])[0]
        if track is None:
            raise InputError("The score has no pitched notes, so there is no melody to harmonise.")
        held = self._perform(score, tracks=[track])
        chance = random.Random(seed)
        tune = [read_notes(skyline(segment, chance)) for segment in held.segments]
        segments = refine(
            tune,
            self._writer(seed, temperature, constrained_passes=1 if constrained else 0),
            corruptions=["skyline"] * passes,
            rate=1.0,
            genre=genre,
            chance=lambda number, place: chance,  # a skyline draws nothing
            first=0,
            keep_last=False,
            protected=[place for place, segment in enumerate(tune) if not segment],
            before=min(LEFT, self.context),
            after=min(RIGHT_OF_MELODY, self.context),
            progress=progress,
        )[-1]
        new = {place: without_doubles(segment, tune[place]) for place, segment in enumerate(segments)}
        made = held.written(new, keep=True, name="harmony")
        return Music(made, {"melody": score.tracks[track].name, "genre": genre, "passes": passes})

    def continue_(
        self,
        score: ScoreTick,
        *,
        bars: int,
        genre: str | None = None,
        seed: int = 0,
        temperature: float = 0.97,
        progress: Progress | None = None,
    ) -> Music:
        """The score, note for note, and `bars` more for piano, written segment by segment from what came before."""
        if bars < 1:
            raise OptionError(f"bars is {bars}; it must be at least 1.")
        genre = self._check(genre or self.vocabulary.genres[0])
        plain = self._perform(score)
        timeline = plain.timeline
        last = timeline.n_bars
        begin, end = (
            1000 * float(timeline.tick_to_second(timeline.bar_to_tick(float(bar)))) for bar in (last, last + bars)
        )
        held = PerformedScore(score, self.vocabulary, origin=begin, until=end)
        places = range(held.place_of(round(begin)), held.count)
        new = self._fill(held, places, (round(begin), end), genre, seed, temperature, 0, progress)
        made = held.written(new, span=(begin, end), keep=True, target=_only_track(score), name="continuation")
        return Music(made, {"bars": bars, "genre": genre})

    def infill(
        self,
        score: ScoreTick,
        *,
        bars: tuple[int, int],
        tracks: Sequence[str] = (),
        genre: str | None = None,
        seed: int = 0,
        temperature: float = 1.0,
        progress: Progress | None = None,
    ) -> Music:
        """The score with the bars [first, last) written anew, in the tracks named or in all pitched ones; the right
        context is shown for the last segment of the gap only, as published.

        Raises:
            OptionError: there are no such bars or tracks.
        """
        genre = self._check(genre or self.vocabulary.genres[0])
        plain = self._perform(score)
        first, last = bars
        count = plain.timeline.n_bars
        if not 0 <= first < last <= max(count, 1):
            raise OptionError(f"There are no bars {first + 1} to {last}; the score has {count}.")
        chosen = named_tracks(score, tracks) or None
        begin, end = (
            1000 * float(plain.timeline.tick_to_second(plain.timeline.bar_to_tick(float(bar)))) for bar in bars
        )
        held = PerformedScore(score, self.vocabulary, origin=begin, until=end)
        places = range(held.place_of(round(begin)), held.place_of(end - 1) + 1)
        new = self._fill(held, places, (round(begin), end), genre, seed, temperature, LEFT_OF_GAP, progress)
        target = chosen[0] if chosen else None
        made = held.written(new, span=(round(begin), end), tracks=chosen, target=target)
        return Music(made, {"bars": [first + 1, last], "genre": genre})

    def _check(self, genre: str) -> str:
        if genre not in self.vocabulary.genres:
            raise OptionError(f"There is no genre {genre!r}; choose one of {', '.join(self.vocabulary.genres)}.")
        return genre

    def _perform(self, score: ScoreTick, tracks: Sequence[int] | None = None) -> PerformedScore:
        held = PerformedScore(score, self.vocabulary, tracks=tracks)
        if not held.notes:
            raise InputError("The score has no pitched notes; give one that has.")
        return held

    def _writer(self, seed: int, temperature: float, *, constrained_passes: int = 0) -> Write:
        """Writes segments; where nothing comes, what was there stays."""

        def write(requests: Sequence[Request]) -> list[list[Item]]:
            constraints = [  # a chord of no notes is no constraint
                OnsetConstraint(self.vocabulary, notes=3 if one.number < constrained_passes else 0) for one in requests
            ]
            made = self.write(
                [one.tokens for one in requests],
                generators=[_generator(seed, one.number, one.place) for one in requests],
                temperature=temperature,
                constraints=constraints if constrained_passes else None,
            )
            return [new or one.old for one, new in zip(requests, made, strict=True)]

        return write

    def _fill(
        self,
        held: PerformedScore,
        places: range,
        span: tuple[float, float],
        genre: str,
        seed: int,
        temperature: float,
        right: int,
        progress: Progress | None,
    ) -> dict[int, list[Item]]:
        """Segments of a gap from left to right; `right` segments of context are shown to the last."""

        def write(requests: Sequence[Request]) -> list[list[Item]]:
            (one,) = requests
            number, left = one.place - places[0], span[1] - held.begin_of(one.place)
            generators = [_generator(seed, number, one.place)]
            (new,) = self.write([one.tokens], generators=generators, temperature=temperature)
            if progress is not None:
                progress(number + 1, len(places))
            return [[note for note in new if not isinstance(note, str) and note.onset < left]]

        before, after = min(LEFT_OF_GAP, self.context), min(right, self.context)
        return write_gap(held.segments, places, write, genre=genre, before=before, after=after)


def _generator(seed: int, number: int, place: int) -> torch.Generator:
    mixed = random.Random(f"{seed}/{number}/{place}").getrandbits(63)
    return torch.Generator().manual_seed(mixed)


def _only_track(score: ScoreTick) -> int | None:
    pitched = [number for number, track in enumerate(score.tracks) if not track.is_drum and len(track.notes)]
    return pitched[0] if len(pitched) == 1 else None
