"""Theme Transformer: Symbolic Music Generation with Theme-Conditioned Transformer (Shih, Wu, Zalkow, Müller & Yang
2023, arXiv 2111.04093).

A piece is written in which a given theme of two bars returns and varies. The encoder reads the theme; the decoder
writes marks where it means the theme to begin and end, and inside them attends to the theme through a gate. Themes for
training are found one module beside (`theme_finder`), tokens and grammar live one floor below
(`representations.theme_remi`, `representations.theme_grammar`), the network in `nn.theme_network`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from symusic.core import ScoreTick
from torch import Tensor

from orchestrion.data.loader import LengthBatches
from orchestrion.data.piece import Piece
from orchestrion.errors import InputError, OptionError, check_choice
from orchestrion.nn.sliding_context import SlidingContext
from orchestrion.nn.theme_network import ThemeNetwork
from orchestrion.paradigms.autoregressive import next_token_loss, released_nucleus, sample
from orchestrion.representations.theme_grammar import ThemeGrammar, finished
from orchestrion.representations.theme_plan import THEME_BARS, Plan
from orchestrion.representations.theme_remi import ThemeSong, ThemeVocabulary, decode, encode
from orchestrion.representations.theme_song import score_of_song
from orchestrion.systems.card import Card
from orchestrion.systems.registry import register
from orchestrion.systems.system import System
from orchestrion.systems.tasks import Music, Progress
from orchestrion.systems.theme_finder import find_regions
from orchestrion.training.stage import Loss, Objective, Stage, warmup_cosine
from orchestrion.training.themed_songs import ThemeBatch, ThemedSongs

VOCABULARY = ThemeVocabulary()
SLIDE = 4  # a full context drops a quarter at once, so that keys are computed anew only that often
VALIDATION_ITEMS = 48
MOST_TOKENS_A_BAR = 160


@register("theme_transformer")
class ThemeTransformer(System):
    """Theme Transformer and the variants that the paper compares it with.

    Args:
        vocabulary_size: classes.
        width, num_heads, dropout: of encoder and decoder.
        feed_forward: four times the width by default.
        num_encoder_layers: of the theme's encoder.
        gate_pattern: one entry a decoder layer: 1 closes self-attention where the theme is attended to.
        attention: "parallel" (published) or "sequential", the usual decoder.
        gated: the theme is attended to inside theme regions only.
        theme_positions: queries of the theme are told how far the theme has come.
        source: "encoder", or "prompt": a decoder alone that has the theme before the music.
        context: tokens that are attended to.
        accompaniment: "notes", or "chords": the accompaniment is written as blocks of its chords.
        encoder_offset: position of the theme's first token; the published code's dropout lands here.
        transpose: farthest shift in training, in semitones; None: as far as pitches allow, as published.
        learning_rate, training_steps, warmup, batch_tokens, lowest_rate: of the training; the last as a share.
        precision: "float32" or "bfloat16".
        quirks: "none", or "official" for the published grammar, nucleus and sliding context.
    """

    card: ClassVar[Card] = Card(
        name="theme_transformer",
        title="Theme Transformer: Symbolic Music Generation with Theme-Conditioned Transformer",
        arxiv="2111.04093",
        tasks=("develop", "continue_"),
        modalities=("score",),
        licence="Apache-2.0",
        code="https://github.com/atosystem/ThemeTransformer",
        code_licence="MIT",
        weights="https://github.com/atosystem/ThemeTransformer",
        weights_licence="MIT",
        claims=(
            "The given theme returns in what is written, more alike than where it is only a prompt.",
            "Without gate and theme-aligned positions it returns less alike.",
            "It returns in the second half of the piece, too, more alike than where it is only a prompt.",
            "Contrastive learning finds planted variants of a theme that exact repetition does not.",
        ),
    )
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "mini": {
            "width": 96,
            "feed_forward": 256,
            "num_encoder_layers": 2,
            "gate_pattern": [0, 0, 1],
            "dropout": 0.05,
            "context": 256,
            "accompaniment": "chords",
            "transpose": 6,
            "learning_rate": 1.5e-3,
            "lowest_rate": 0.03,
            "training_steps": 4000,
            "warmup": 60,
            "batch_tokens": 2570,
            "precision": "bfloat16",
        },
        "paper": {},
    }

    def __init__(
        self,
        *,
        vocabulary_size: int = len(VOCABULARY),
        width: int = 256,
        num_heads: int = 8,
        feed_forward: int | None = None,
        num_encoder_layers: int = 6,
        gate_pattern: Sequence[int] = (0, 0, 0, 1, 1, 1),
        dropout: float = 0.1,
        attention: str = "parallel",
        gated: bool = True,
        theme_positions: bool = True,
        source: str = "encoder",
        context: int = 512,
        accompaniment: str = "notes",
        encoder_offset: float = 0.0,
        transpose: int | None = None,
        learning_rate: float = 2e-4,
        lowest_rate: float = 0.05,
        training_steps: int = 3_200_000,
        warmup: int = 400,
        batch_tokens: int = 8 * 513,
        precision: str = "float32",
        quirks: str = "none",
    ) -> None:
        super().__init__()
        check_choice("quirks", quirks, "none", "official")
        check_choice("source", source, "encoder", "prompt")
        check_choice("attention", attention, "parallel", "sequential")
        check_choice("accompaniment", accompaniment, "notes", "chords")
        self.quirks, self.source, self.context, self.accompaniment = quirks, source, context, accompaniment
        self.transpose, self.learning_rate, self.lowest_rate = transpose, learning_rate, lowest_rate
        self.training_steps, self.warmup, self.batch_tokens = training_steps, warmup, batch_tokens
        self.precision = precision
        self.network = ThemeNetwork(
            vocabulary_size=vocabulary_size,
            width=width,
            num_heads=num_heads,
            feed_forward=feed_forward or 4 * width,
            num_encoder_layers=num_encoder_layers,
            gate_pattern=gate_pattern,
            attention=attention if source == "encoder" else "self",
            gated=gated,
            theme_positions=theme_positions,
            dropout=dropout,
            encoder_offset=encoder_offset,
        )

    # Objective --------------------------------------------------------------------------------------------------------

    def loss(self, batch: ThemeBatch) -> Loss:
        """Cross-entropy of the next token, padding left out; the gate follows the label of the input token."""
        tokens, labels, targets = batch.tokens[:, :-1], batch.labels[:, :-1], batch.tokens[:, 1:]
        if self.source == "prompt":
            tokens, labels, targets = batch.prompted()
        tokens, labels, targets = (part.to(self.device) for part in (tokens, labels, targets))
        theme, real = batch.theme.to(self.device), batch.theme_real.to(self.device)
        logits = self.network(tokens, labels, self.network.read(theme, real), real)
        counted = int((targets != VOCABULARY.pad).sum())
        return Loss(next_token_loss(logits.float(), targets, ignore=VOCABULARY.pad), counted, {"tokens": counted})

    # Training ---------------------------------------------------------------------------------------------------------

    def stages(self, train: Sequence[Piece], validation: Sequence[Piece]) -> list[Stage]:
        """One stage on windows of songs whose themes the bundled finder marks: windows that begin with a theme, as
        sampling does, and consecutive ones, as the published data are.

        Raises:
            InputError: no piece has a melody of at least two bars.
        """
        made = [
            ThemedSongs(pieces, VOCABULARY, find_regions, length=self.context, transpose=self.transpose)
            for pieces in (train, validation)
        ]
        songs, held_out = made
        if not songs.items:
            raise InputError("None of the pieces has a melody of more than two bars; give others to train on.")
        batches = LengthBatches([len(item.window.tokens) for item in songs.items], budget=self.batch_tokens)
        fixed = held_out.batch(range(min(len(held_out.items), VALIDATION_ITEMS)), seed=None) if held_out.items else None
        objective = Objective(
            name="next_token",
            loss=self.loss,
            parameters=self.parameters(),
            optimiser=lambda parameters: torch.optim.Adam(parameters, lr=self.learning_rate),
            schedule=warmup_cosine(self.warmup, self.training_steps, floor=self.lowest_rate),
            clip=3.0,
        )
        return [
            Stage(
                name="themes",
                steps=self.training_steps,
                data=lambda step, share: songs.batch(share.of(batches(step).tolist()), seed=step),
                objectives=[objective],
                validate=None if fixed is None else lambda: {"validation_loss": float(self.loss(fixed).value)},
                validate_every=100,
                precision=self.precision,
            )
        ]

    # Sampling ---------------------------------------------------------------------------------------------------------

    @torch.inference_mode()
    def write(
        self,
        theme: Sequence[int],
        grammars: Sequence[ThemeGrammar],
        *,
        start: Sequence[int],
        generators: Sequence[torch.Generator],
        max_tokens: int,
        temperature: float = 1.0,
        top_p: float = 0.9,
        progress: Progress | None = None,
    ) -> list[list[int]]:
        """Tokens after `start`, one list a grammar, until the grammar's end or `max_tokens`.

        The theme is encoded once and keys are cached. A context that is full drops its oldest quarter, or, with
        `quirks="official"`, its oldest token at every step. Labels keep their running values meanwhile.

        Args:
            theme: tokens with marks.
            grammars: have taken `start` already.
        """
        given, going = torch.tensor([list(theme)], device=self.device), list(grammars)
        memory = self.network.read(given)
        prefix = given if memory is None else given[:, :0]
        if memory is None:
            memory = self.network.tokens(given)[:, :1]  # only its shape is used
        context = SlidingContext(
            self.network.step,
            self.network.decoder.start,
            memory=memory.expand(len(grammars), -1, -1),
            prefix=prefix.expand(len(grammars), -1),
            size=self.context,
            kept=self.context if self.quirks == "official" else self.context - self.context // SLIDE,
        )

        def step(tokens: Tensor) -> Tensor:
            labels = [grammar.labels[-tokens.shape[1] :] for grammar in going]
            logits = context.step(tokens, torch.tensor(labels, device=self.device))
            if self.quirks != "official" or temperature == 0:
                return logits
            return released_nucleus(logits / temperature, top_p) * temperature

        def drop(rows: Tensor) -> None:
            going[:] = [going[row] for row in rows.tolist()]
            context.drop(rows)

        def bars_done(_: int) -> None:
            if progress is not None:
                progress(min(grammar.bar for grammar in grammars), int(max(grammar.most for grammar in going)))

        return sample(
            step,
            start=torch.tensor([list(start)] * len(grammars), device=self.device),
            generators=generators,
            max_steps=max_tokens,
            grammars=grammars,
            temperature=temperature,
            top_p=1.0 if self.quirks == "official" else top_p,
            drop=drop,
            progress=bars_done,
        )

    # Tasks ------------------------------------------------------------------------------------------------------------

    def develop(
        self,
        score: ScoreTick,
        *,
        bars: int = 32,
        n: int = 1,
        tempo: float | None = None,
        seed: int = 0,
        temperature: float = 1.0,
        top_p: float = 0.9,
        progress: Progress | None = None,
    ) -> list[Music]:
        """Pieces in which the theme of a score returns and varies, in its metre; piece k is made with `seed` + k.

        The theme is the first two bars with melody of a score of up to four bars, else what `theme_finder` finds to
        return most.

        Args:
            bars: length.
            tempo: quarter notes a minute; that of the score by default.

        Raises:
            InputError: the score has no melody, or one of fewer than three notes in two bars.
        """
        plan = Plan(score, VOCABULARY, self.accompaniment, find=find_regions)
        start = [VOCABULARY.tempo(tempo or plan.tempo)] if self.quirks == "official" else []
        start.append(VOCABULARY.start)
        rows = self._write_bars(plan, start, bars, n, seed, temperature, top_p, progress)
        made = []
        for row in rows:
            tokens = finished(start + row, VOCABULARY, quirks=self.quirks)
            song = decode(tokens, VOCABULARY, bar_lengths=plan.bar_lengths)
            written = ThemeSong(song.notes, song.bars, (), song.themes)
            made.append(
                Music(
                    score_of_song(written, metre=plan.metre, tempo=tempo or plan.tempo, programs=plan.programs),
                    {"theme": plan.report, "bars": bars, "theme_regions": plan.regions(song)},
                )
            )
        return made

    def continue_(
        self,
        score: ScoreTick,
        *,
        bars: int,
        seed: int = 0,
        temperature: float = 1.0,
        top_p: float = 0.9,
        progress: Progress | None = None,
    ) -> Music:
        """The score, note for note, and `bars` more as a melody and a piano part, in which its own theme can return.

        Raises:
            InputError: as `develop`.
        """
        plan = Plan(score, VOCABULARY, self.accompaniment, find=find_regions)
        start = encode(plan.marked, VOCABULARY)[-self.context // 2 :]
        (row,) = self._write_bars(plan, start, bars, 1, seed, temperature, top_p, progress, new_bar=True)
        song = decode(finished(row, VOCABULARY, quirks=self.quirks), VOCABULARY, bar_lengths=plan.bar_lengths)
        regions = plan.regions(song, after=len(plan.ruler.parts))
        return Music(plan.extended(song), {"theme": plan.report, "bars": bars, "theme_regions": regions})

    def _write_bars(
        self,
        plan: Plan,
        start: Sequence[int],
        bars: int,
        n: int,
        seed: int,
        temperature: float,
        top_p: float,
        progress: Progress | None,
        *,
        new_bar: bool = False,
    ) -> list[list[int]]:
        if bars < 1:
            raise OptionError(f"bars is {bars}; it must be at least 1.")
        parts = bars * plan.parts
        grammars = [
            ThemeGrammar(
                VOCABULARY,
                start,
                bars=parts,
                bar_lengths=plan.bar_lengths,
                theme_bars=None if self.quirks == "official" else THEME_BARS * plan.parts,
                new_bar=new_bar,
                quirks=self.quirks,
            )
            for _ in range(n)
        ]
        return self.write(
            plan.tokens,
            grammars,
            start=start,
            generators=[torch.Generator().manual_seed(seed + number) for number in range(n)],
            max_tokens=parts * MOST_TOKENS_A_BAR,
            temperature=temperature,
            top_p=top_p,
            progress=progress,
        )
