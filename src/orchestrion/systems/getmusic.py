"""GETMusic: any tracks of a piece from any others (Lv et al. 2023, arXiv 2305.10841).

A piece is a picture of 14 rows (pitch and duration of six tracks, root and kind of the chord) and a column a sixteenth
note. A discrete diffusion fills in the cells that are masked, given those that are not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from orchestrion.errors import InputError, OptionError, check_choice
from orchestrion.nn.column_transformer import ColumnTransformer
from orchestrion.paradigms.discrete_diffusion import DiffusionLoss, DiscreteDiffusion, TimeSample
from orchestrion.paradigms.grid_reveal import GridReveal
from orchestrion.paradigms.masked_grids import cell_cross_entropy, draw_masks
from orchestrion.paradigms.scheduled_reveal import ExactStep, draw, reveal_exactly, reveal_schedule
from orchestrion.representations.getscore import CHORD_ROW, ROWS, TRACKS, GetVocabulary
from orchestrion.representations.getscore_batches import Batch
from orchestrion.representations.getscore_draft import Draft
from orchestrion.representations.getscore_edits import Edit, arrangement, continuation, harmonisation, infilling
from orchestrion.representations.getscore_features import musical_features
from orchestrion.representations.getscore_plan import plan_piece
from orchestrion.representations.getscore_ruler import LONGEST_BAR
from orchestrion.representations.getscore_windows import Window
from orchestrion.representations.prompt import parse_prompt
from orchestrion.systems.card import Card
from orchestrion.systems.registry import register
from orchestrion.systems.system import System
from orchestrion.systems.tasks import Music, Progress, part_of
from orchestrion.training.schedules import warmup_linear
from orchestrion.training.score_grids import ScoreGrids
from orchestrion.training.stage import Loss, Objective, Stage

if TYPE_CHECKING:
    from symusic.core import ScoreTick

    from orchestrion.data.piece import Piece
    from orchestrion.theory.keys import Key

CHORD_ROUNDS = 8  # calls of the network for the roots of chords, and for their kinds
HELD_OUT = 60  # pieces that the training is validated on


@register("getmusic")
class GETMusic(System):
    """GETMusic with its vocabulary, network, diffusion, sampling and tasks.

    Args:
        track_sizes: number of pitch tokens of lead, bass, drums, guitar, piano, strings; found from `tokens` where
            these are given.
        tokens: the dictionary, or "shipped" for the one that comes with the package; None: sizes only, for a network
            whose dictionary comes later.
        embedding, width, num_layers, num_heads, feed_forward, max_columns, dropout, condition_flags, bar_places,
            norm_eps, activation, rotary_values: of the network.
        musical_start: whether the embeddings of tokens begin as `musical_features`, and those of flags and time small
            (not in the paper).
        steps: T of the diffusion.
        source_weight: weight of source cells in the loss.
        auxiliary_weight, adaptive_auxiliary: of the auxiliary loss, and whether it counts twice at t = 0 and falls to
            once at T.
        window: columns of a training item, and of what is sampled at once.
        chord_share, single_share: shares of training items that show the chords; that keep one track only.
        chord_target_share, span_share: shares of training items whose target is the chords; whose targets are a span of
            bars only. Not in the paper: they train harmonising, infilling and continuing.
        batch_size, training_steps, learning_rate, warmup, average_decay, average_every, precision: of the training.
        quirks: "none", or "official" for what the published code does otherwise than the paper.
    """

    legal: Tensor

    card: ClassVar[Card] = Card(
        name="getmusic",
        title="GETMusic: Generating Any Music Tracks with a Unified Representation and Diffusion Framework",
        arxiv="2305.10841",
        tasks=("arrange", "continue_", "generate", "harmonize", "infill"),
        modalities=("text", "score"),
        licence="Apache-2.0",
        code="https://github.com/microsoft/muzic",
        code_licence="MIT",
        claims=(
            "An accompaniment to a given lead keeps the chords better, by 20 points, than one written to nothing.",
            "It keeps them no worse where the chords are given as well.",
            "A network that is not told which cells are given is not better.",
            "At least nine tenths of the written cells are legal: a pitch has a duration and a duration a pitch.",
        ),
    )
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "mini": {
            "tokens": "shipped",
            "embedding": 32,
            "width": 192,
            "num_layers": 4,
            "num_heads": 6,
            "feed_forward": 576,
            "max_columns": 512,
            "dropout": 0.0,
            "bar_places": True,
            "steps": 50,
            "window": 128,
            "chord_share": 0.6,
            "chord_target_share": 0.15,
            "span_share": 0.3,
            "musical_start": True,
            "batch_size": 16,
            "training_steps": 9600,
            "learning_rate": 1.5e-3,
            "warmup": 200,
            "average_decay": 0.998,
            "average_every": 1,
            "precision": "bfloat16",
        },
        "paper": {"track_sizes": (128, 853, 4369, 1555, 3568, 1370)},
    }

    def __init__(
        self,
        *,
        track_sizes: Sequence[int] | None = None,
        tokens: Sequence[str] | str | None = None,
        embedding: int = 96,
        width: int = 768,
        num_layers: int = 12,
        num_heads: int = 12,
        feed_forward: int = 3072,
        max_columns: int = 1536,
        dropout: float = 0.1,
        condition_flags: bool = True,
        bar_places: bool = False,
        norm_eps: float = 1e-12,
        activation: str = "gelu",
        rotary_values: bool = False,
        musical_start: bool = False,
        steps: int = 100,
        source_weight: float = 0.5,
        auxiliary_weight: float = 0.001,
        adaptive_auxiliary: bool = True,
        window: int = 512,
        chord_share: float = 0.25,
        single_share: float = 0.1,
        chord_target_share: float = 0.0,
        span_share: float = 0.0,
        batch_size: int = 24,
        training_steps: int = 300_000,
        learning_rate: float = 1e-4,
        warmup: int = 1000,
        average_decay: float = 0.9,
        average_every: int = 100,
        precision: str = "float32",
        quirks: str = "none",
    ) -> None:
        super().__init__()
        check_choice("quirks", quirks, "none", "official")
        self.vocabulary = GetVocabulary.named(tokens, track_sizes)
        self.quirks = quirks
        self.window, self.source_weight = window, source_weight
        self.chord_share, self.single_share = chord_share, single_share
        self.chord_target_share, self.span_share = chord_target_share, span_share
        self.batch_size, self.training_steps, self.precision = batch_size, training_steps, precision
        self.learning_rate, self.warmup = learning_rate, warmup
        self.average_decay, self.average_every = average_decay, average_every
        classes = self.vocabulary.classes
        self.network = ColumnTransformer(
            rows=ROWS,
            classes=classes,
            embedding=embedding,
            width=width,
            num_layers=num_layers,
            num_heads=num_heads,
            feed_forward=feed_forward,
            max_columns=max_columns,
            longest_bar=LONGEST_BAR,
            dropout=dropout,
            condition_flags=condition_flags,
            bar_places=bar_places,
            quiet_start=musical_start,
            norm_eps=norm_eps,
            activation=activation,
            rotary_values=rotary_values,
        )
        if musical_start and self.vocabulary.tokens is not None:
            rng = np.random.default_rng(int(torch.randint(2**31, (), device="cpu")))
            start = 0.8 * musical_features(self.vocabulary, embedding, rng)
            self.network.tokens.weight.data.copy_(torch.from_numpy(start))
        self.diffusion = DiscreteDiffusion(
            classes=classes,
            steps=steps,
            unpredicted=2,
            auxiliary_weight=auxiliary_weight,
            adaptive=adaptive_auxiliary,
        )
        legal = self.vocabulary.legal()
        self.register_buffer("legal", torch.from_numpy(legal), persistent=False)
        for row in range(ROWS):
            self.register_buffer(f"classes_{row}", torch.from_numpy(legal[row].nonzero()[0]), persistent=False)

    def save(self, path: str | Path, metadata: dict[str, Any] | None = None, *, half: bool = True) -> str:
        """As `System.save`; the dictionary itself is among the arguments, so that the file needs no other."""
        if self.vocabulary.tokens is not None:
            self.arguments = {**self.arguments, "tokens": list(self.vocabulary.tokens)}
        return super().save(path, metadata, half=half)

    # Objective --------------------------------------------------------------------------------------------------------

    def cell_weight(
        self, source: Bool[Tensor, "batch rows columns"], present: Bool[Tensor, "batch rows columns"]
    ) -> Float[Tensor, "batch rows columns"]:
        """1 for targets, `source_weight` for sources, 0 where a track is absent (section 3.3)."""
        return present * torch.where(source, self.source_weight, 1.0)

    def exact_loss(
        self,
        x0: Int[Tensor, "batch rows columns"],
        source: Bool[Tensor, "batch rows columns"],
        present: Bool[Tensor, "batch rows columns"],
        time: TimeSample,
        uniform: Float[Tensor, "batch cells classes"],
    ) -> DiffusionLoss:
        """The published loss: every cell is noised, sources are put back, absent cells are EMPTY, all are predicted."""
        noised = self.diffusion.add_noise(x0.flatten(1), time.t, uniform).view_as(x0)
        xt = torch.where(source, x0, noised)
        xt = torch.where(present, xt, self.vocabulary.empty)

        def predict(tokens: Tensor, t: Tensor) -> Tensor:
            return self.network(tokens.view_as(x0), t, source).flatten(1, 2)

        weight = self.cell_weight(source, present).flatten(1)
        return self.diffusion.loss(predict, x0.flatten(1), xt.flatten(1), time, weight)

    def loss(self, batch: Batch) -> Loss:
        """The same in the limit β̄ → 0, where no cell changes but to MASK, and with probabilities over the classes that
        a row can hold: only masked cells and their classes are computed. Chords are masked by bars."""
        x0, source = batch.tokens, batch.source
        present = x0 != self.vocabulary.empty
        present[:, CHORD_ROW:] &= x0[:, CHORD_ROW:] != self.vocabulary.pad
        time = self.diffusion.sample_time(len(x0))
        chance = self.diffusion.log_mask_total[time.t].exp()
        masked = draw_masks(chance, batch.places[..., 0] == 0, rows=ROWS, held=slice(CHORD_ROW, None))
        masked &= present & ~source
        xt = x0.masked_fill(masked, self.vocabulary.mask)
        with sdpa_kernel(SDPBackend.MATH):  # on CPUs the fused kernel takes several times as long to go back
            hidden = self.network.hidden(xt, time.t, source & (x0 != self.vocabulary.empty), batch.places)
        classes = [self.get_buffer(f"classes_{row}") for row in range(ROWS)]
        cross_entropy = cell_cross_entropy(hidden, x0, masked, head=self.network.head, classes=classes)
        weight = self.cell_weight(source, present).flatten(1)
        found = self.diffusion.absorbing_loss(cross_entropy.flatten(1), masked.flatten(1), time, weight)
        if self.training:
            self.diffusion.remember(time.t, found.divergence)
        nats = float(cross_entropy.detach().sum() / masked.sum().clamp(min=1))
        return Loss(found.loss.mean(), len(x0), {"nats a masked cell": nats})

    # Training ---------------------------------------------------------------------------------------------------------

    def grids(self, pieces: Sequence[Piece]) -> ScoreGrids:
        """Training windows of all pieces whose metre can be served, with sources and targets."""
        return ScoreGrids(
            pieces,
            self.vocabulary,
            columns=self.window,
            batch_size=self.batch_size,
            single_share=self.single_share,
            chord_share=self.chord_share,
            chord_target_share=self.chord_target_share,
            span_share=self.span_share,
        )

    def windows(self, pieces: Sequence[Piece]) -> list[Window]:
        """The same without sources and targets."""
        return self.grids(pieces).windows

    def stages(self, train: Sequence[Piece], validation: Sequence[Piece]) -> list[Stage]:
        """One stage, as published: AdamW, a linear rise and fall of the learning rate, gradients clipped at 0.5.

        Raises:
            InputError: no piece can be served.
        """
        grids, held_out = self.grids(train), self.grids(validation[:HELD_OUT])
        if not len(grids):
            raise InputError("No piece of the corpus is in a metre that GETMusic serves; give another corpus.")

        def validate() -> dict[str, float]:
            found = [self.loss(batch.to(self.device)) for batch in held_out.all()]
            count = sum(loss.weight for loss in found)
            return {"loss": sum(float(loss.value.detach()) * loss.weight for loss in found) / count} if count else {}

        objective = Objective(
            name="diffusion",
            loss=self.loss,
            parameters=self.network.parameters(),
            optimiser=lambda parameters: torch.optim.AdamW(
                parameters, lr=self.learning_rate, betas=(0.9, 0.999), weight_decay=0.01
            ),
            schedule=warmup_linear(self.warmup, self.training_steps, start=0.03, floor=0.01),
            clip=0.5,
        )
        return [
            Stage(
                name="diffusion",
                steps=self.training_steps,
                data=lambda step, share: grids.batch(step, share).to(self.device),
                objectives=[objective],
                validate=validate,
                validate_every=500,
                ema=self.average_decay,
                ema_every=self.average_every,
                precision=self.precision,
            )
        ]

    # Sampling ---------------------------------------------------------------------------------------------------------

    @torch.inference_mode()
    def sample_exactly(
        self,
        grid: Int[Tensor, "rows columns"],
        source: Bool[Tensor, "rows columns"],
        present: Bool[Tensor, "rows columns"],
        *,
        uniform: Callable[[tuple[int, int]], Tensor],
        exponential: Callable[[int], Tensor],
        watch: Callable[[ExactStep], None] | None = None,
    ) -> Int[Tensor, "rows columns"]:
        """The published sampler, draw by draw, on a grid with MASK in its targets. EMPTY cells come out as `<pad>`.

        It does not reveal chords: the few that may be masked are drawn at the last step.

        Raises:
            OptionError: T − 1 chord cells or more are masked, with which the published sampler never ends.
        """
        columns = grid.shape[1]
        tracks = [slice(2 * n * columns, (2 * n + 2) * columns) for n in range(len(TRACKS))]
        *masked, chords = (grid == self.vocabulary.mask).view(-1, 2, columns).sum((1, 2)).tolist()
        if chords >= self.diffusion.steps - 1:
            raise OptionError(f"{chords} chord cells are masked; the published sampler can write fewer than T − 1.")
        table = functional.pad(reveal_schedule(masked, self.diffusion.steps), (0, 1))  # no steps for the chords
        fixed = torch.where(present, grid, self.vocabulary.empty)
        legal = self.legal.clone()
        legal[:12, self.vocabulary.mask] = True  # never restricted in the published code
        legal[12:] = True

        def predict(tokens: Tensor, t: Tensor) -> Tensor:
            return self.network(tokens.view(1, *grid.shape), t, source[None]).flatten(1, 2)

        tokens = fixed.flatten()
        for step in reveal_exactly(
            self.diffusion,
            predict,
            tokens,
            targets=(~source & present).flatten(),
            groups=tracks,
            legal=legal.repeat_interleave(columns, 0),
            table=table,
            uniform=uniform,
            exponential=exponential,
        ):
            tokens = step.after
            if watch is not None:
                watch(step)
        tokens = torch.where((~source & present).flatten(), tokens, fixed.flatten())
        return torch.where(present, tokens.view_as(grid), self.vocabulary.pad)

    @torch.inference_mode()
    def sample(
        self,
        grid: Int[Tensor, "batch rows columns"],
        *,
        places: Int[Tensor, "batch columns 2"] | None = None,
        steps: int | None = None,
        temperature: float = 1.0,
        top_p: float = 1.0,
        joint: bool = True,
        generator: torch.Generator | None = None,
        progress: Progress | None = None,
    ) -> Int[Tensor, "batch rows columns"]:
        """Fills the MASK cells of grids; all others are sources, or EMPTY where a track is absent.

        Every step reveals the scheduled number of cells of each track, drawn with weights exp(largest class
        probability), as published; the network's head is evaluated only for cells that can win this draw, so the result
        has the published distribution at a fraction of its cost. Classes that a row cannot hold are left out before
        anything is drawn. Where chords are masked they are written first, bar by bar; the published sampler cannot
        write them.

        Args:
            places: `Ruler.places` of each grid; needed for chords, and by networks with `bar_places`.
            steps: calls of the network; T by default. Fewer reveal more cells a step.
            temperature: below 1 prefers likely notes; 0 takes the likeliest.
            top_p: notes are drawn from the likeliest that together have this probability.
            joint: reveals pitch and duration of a note together: whether a note begins is drawn from the pitch row, and
                the duration among those longer than none exactly if one does. Without, cells are drawn one by one, as
                published, and a pitch may lack its duration.
            progress: called with steps done and steps in all.

        Raises:
            OptionError: `steps` is below 2 or above T, or the temperature is negative.
        """
        count = self.diffusion.steps if steps is None else steps
        if not 2 <= count <= self.diffusion.steps:
            raise OptionError(f"steps is {count}; it must lie between 2 and {self.diffusion.steps}.")
        if temperature < 0:
            raise OptionError(f"The temperature is {temperature}; it must not be negative.")
        if not 0 < top_p <= 1:
            raise OptionError(f"top_p is {top_p}; it must lie above 0 and not above 1.")
        asked = bool((grid[:, CHORD_ROW:] == self.vocabulary.mask).any())
        if asked and places is None:
            raise OptionError(
                "Chords are to be written but the places of columns in bars are not given; give `places`."
            )
        reveal = GridReveal(
            lambda tokens, t, source: self.network.hidden(tokens, t, source, places),
            self.network.head,
            self.legal[:, : self.network.predicted],
            paired=CHORD_ROW,
            steps=self.diffusion.steps,
            mask=self.vocabulary.mask,
            empty=self.vocabulary.empty,
            pad=self.vocabulary.pad,
            generator=generator,
        )
        drawn = partial(draw, temperature=temperature, top_p=top_p, generator=generator)
        if asked and places is not None:
            bars = (places[..., 0] == 0).cumsum(1) - 1
            grid = reveal.fill_spans(grid, bars, rounds=max(min(count // 2, CHORD_ROUNDS), 1), draw=drawn)
        return reveal.fill_pairs(grid, calls=count, joint=joint, draw=drawn, progress=progress)

    # Tasks ------------------------------------------------------------------------------------------------------------

    def arrange(
        self,
        score: ScoreTick,
        *,
        add: Sequence[str],
        keep: Sequence[str] = (),
        seed: int = 0,
        temperature: float = 1.0,
        steps: int | None = None,
        progress: Progress | None = None,
    ) -> Music:
        """Keeps tracks, note for note, and writes others of the six to go with them.

        Args:
            add: of lead, bass, drums, guitar, piano, strings.
            keep: names of the six, "melody", or names that tracks have in the score; all by default.
            steps: calls of the network a window.

        Raises:
            OptionError, InputError: as `getscore_edits.arrangement`.
        """
        return self._edit(arrangement(score, self.vocabulary, add=add, keep=keep), seed, temperature, steps, progress)

    def continue_(
        self,
        score: ScoreTick,
        *,
        bars: int,
        seed: int = 0,
        temperature: float = 1.0,
        steps: int | None = None,
        progress: Progress | None = None,
    ) -> Music:
        """The score, note for note, and `bars` more in the tracks that it has.

        Raises:
            OptionError, InputError: as `getscore_edits.continuation`.
        """
        return self._edit(continuation(score, self.vocabulary, bars=bars), seed, temperature, steps, progress)

    def infill(
        self,
        score: ScoreTick,
        *,
        bars: tuple[int, int],
        tracks: Sequence[str] = (),
        seed: int = 0,
        temperature: float = 1.0,
        steps: int | None = None,
        progress: Progress | None = None,
    ) -> Music:
        """The score with the notes that begin in bars [first, last), counted from 0, written anew.

        Args:
            tracks: as `keep` of `arrange`: those to be written; all by default.

        Raises:
            OptionError, InputError: as `getscore_edits.infilling`.
        """
        return self._edit(
            infilling(score, self.vocabulary, bars=bars, tracks=tracks), seed, temperature, steps, progress
        )

    def harmonize(
        self,
        score: ScoreTick,
        *,
        melody: str | None = None,
        seed: int = 0,
        temperature: float = 1.0,
        steps: int | None = None,
        progress: Progress | None = None,
    ) -> Music:
        """The score and a track of chords for its melody: first the chord of each bar is written, then a piano part
        that has both.

        Args:
            melody: name of the track that carries it; found by default.

        Raises:
            OptionError, InputError: as `getscore_edits.harmonisation`.
        """
        return self._edit(harmonisation(score, self.vocabulary, melody=melody), seed, temperature, steps, progress)

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
        steps: int | None = None,
        progress: Progress | None = None,
    ) -> list[Music]:
        """Pieces from nothing. Of a sentence, GETMusic can serve instruments, key, mode, tempo, metre, length and
        chords; what else it asks for is reported as not served. Piece k is made with `seed` + k.

        Raises:
            PromptError: as `representations.prompt.parse_prompt`.
            OptionError, InputError: as `getscore_plan.plan_piece`.
        """
        request = parse_prompt(prompt)
        said = {
            "bars": bars,
            "seconds": seconds,
            "tempo": tempo,
            "key": key,
            "metre": metre,
            "instruments": instruments,
        }
        made = []
        for number in range(n):
            plan = plan_piece(request, seed=seed + number, **said)
            draft = plan.draft(self.vocabulary, chords=self.writes_chords)
            self._write(draft, seed + number, temperature, steps, part_of(progress, number, n), top_p=top_p)
            made.append(Music(plan.score(draft), {**request.report(), **draft.report(), **plan.report()}))
        return made

    @property
    def writes_chords(self) -> bool:
        """Whether chords were targets in training."""
        return self.chord_target_share > 0

    def _edit(self, edit: Edit, seed: int, temperature: float, steps: int | None, progress: Progress | None) -> Music:
        """Writes a draft, its chords first where they cannot be heard or found."""
        edit.find_chords(can_write=self.writes_chords)
        self._write(edit.draft, seed, temperature, steps, progress)
        return Music(edit.finish(), {**edit.draft.report(), **edit.report})

    @torch.inference_mode()
    def _write(
        self,
        draft: Draft,
        seed: int,
        temperature: float,
        steps: int | None,
        progress: Progress | None,
        *,
        top_p: float = 1.0,
    ) -> None:
        """Fills what is masked, window by window."""
        generator = torch.Generator(self.device).manual_seed(seed)

        def fill(grid: np.ndarray, places: np.ndarray, number: int, windows: int) -> np.ndarray:
            filled = self.sample(
                torch.from_numpy(grid)[None].to(self.device),
                places=torch.from_numpy(places)[None].to(self.device),
                steps=steps,
                temperature=temperature,
                top_p=top_p,
                generator=generator,
                progress=part_of(progress, number, windows),
            )
            return filled[0].cpu().numpy()

        draft.fill(self.window, fill)
