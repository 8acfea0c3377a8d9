"""GETMusic: any tracks of a piece from any others (Lv et al. 2023, arXiv 2305.10841).

A piece is a picture of 14 rows (pitch and duration of six tracks, root and kind of the chord) and a column a sixteenth note.
A discrete diffusion fills in the cells that are masked, given those that are not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from orchestrion.errors import OptionError
from orchestrion.nn.encoder import Encoder, band_mask
from orchestrion.nn.positions import timestep_features
from orchestrion.paradigms.discrete_diffusion import DiffusionLoss, DiscreteDiffusion, TimeSample
from orchestrion.paradigms.scheduled_reveal import ExactStep, choose_units, draw, reveal_exactly, reveal_schedule
from orchestrion.representations.getscore import ROWS, TRACKS, GetVocabulary
from orchestrion.systems.card import Card
from orchestrion.systems.getmusic_tasks import GetMusicTasks
from orchestrion.systems.getmusic_training import GetMusicTraining, shipped_dictionary
from orchestrion.systems.registry import register
from orchestrion.systems.system import System

TIME_FEATURES = 128
Progress = Callable[[int, int], None]


class GetMusicNetwork(nn.Module):
    """RoFormer over columns: the 14 tokens of a column are fused into one vector, and taken apart again (section 3.2).

    Args:
        classes: tokens with EMPTY and MASK, the last two, which are never predicted.
        embedding: channels of a token.
        width, num_layers, num_heads, feed_forward: sizes of the encoder.
        max_columns: of a grid.
        dropout: in training.
        condition_flags: whether the network is told which cells are sources.
        band_from, band_reach: in grids with more columns than `band_from`, a column attends to `band_reach` columns on either side.
    """

    def __init__(
        self,
        *,
        classes: int,
        embedding: int,
        width: int,
        num_layers: int,
        num_heads: int,
        feed_forward: int,
        max_columns: int,
        dropout: float = 0.1,
        condition_flags: bool = True,
        band_from: int = 512,
        band_reach: int = 255,
    ) -> None:
        super().__init__()
        column = ROWS * embedding
        self.predicted = classes - 2
        self.band_from, self.band_reach = band_from, band_reach
        self.tokens = nn.Embedding(classes, embedding, padding_idx=classes - 2)
        self.flags = nn.Embedding(2, embedding) if condition_flags else None
        self.time = nn.Sequential(nn.Linear(TIME_FEATURES, embedding), nn.SiLU(), nn.Linear(embedding, embedding))
        self.norm = nn.LayerNorm(column, eps=1e-12)
        self.dropout = nn.Dropout(dropout)
        self.columns_in = nn.Sequential(nn.Linear(column, width), nn.SiLU(), nn.Linear(width, width))
        self.encoder = Encoder(
            width=width,
            num_layers=num_layers,
            num_heads=num_heads,
            feed_forward=feed_forward,
            max_length=max_columns,
            dropout=dropout,
        )
        self.columns_out = nn.Sequential(nn.Linear(width, column), nn.SiLU(), nn.Linear(column, column))
        self.head_bias = nn.Parameter(torch.zeros(classes))
        nn.init.normal_(self.tokens.weight, std=embedding**-0.5)

    def embed_columns(
        self,
        tokens: Int[Tensor, "batch rows columns"],
        t: Int[Tensor, " batch"],
        source: Bool[Tensor, "batch rows columns"],
    ) -> Float[Tensor, "batch columns width"]:
        """Token, flag and time embeddings, summed, fused by column."""
        cells = self.tokens(tokens) + self.time(timestep_features(t, TIME_FEATURES))[:, None, None]
        if self.flags is not None:
            cells = cells + self.flags(source.long())
        return self.columns_in(self.dropout(self.norm(cells.transpose(1, 2).flatten(2))))

    def hidden(
        self,
        tokens: Int[Tensor, "batch rows columns"],
        t: Int[Tensor, " batch"],
        source: Bool[Tensor, "batch rows columns"],
    ) -> Float[Tensor, "batch rows columns embedding"]:
        """What the head reads, cell by cell."""
        columns = tokens.shape[-1]
        banded = not self.training and columns > self.band_from
        mask = band_mask(columns, self.band_reach, tokens.device) if banded else None
        out = self.columns_out(self.encoder(self.embed_columns(tokens, t, source), mask))
        return out.unflatten(-1, (ROWS, -1)).transpose(1, 2)

    def head(self, hidden: Float[Tensor, "*cells embedding"]) -> Float[Tensor, "*cells predicted"]:
        """Logits of all classes but EMPTY and MASK, by the token embeddings."""
        return functional.linear(hidden, self.tokens.weight[: self.predicted], self.head_bias[: self.predicted])

    def forward(
        self,
        tokens: Int[Tensor, "batch rows columns"],
        t: Int[Tensor, " batch"],
        source: Bool[Tensor, "batch rows columns"],
    ) -> Float[Tensor, "batch rows columns predicted"]:
        """Logits of x_0 in every cell of x_t at step t; `source` marks the cells that are given."""
        return self.head(self.hidden(tokens, t, source))


@register("getmusic")
class GETMusic(GetMusicTasks, GetMusicTraining, System):
    """GETMusic with its vocabulary, network, diffusion, sampling and tasks.

    Args:
        track_sizes: number of pitch tokens of lead, bass, drums, guitar, piano, strings; found from `tokens` where these are given.
        tokens: the dictionary, or "mini" for the one that ships; None: sizes only, for a network whose dictionary comes later.
        embedding, width, num_layers, num_heads, feed_forward, max_columns, dropout, condition_flags: of the network.
        steps: T of the diffusion.
        source_weight: weight of source cells in the loss.
        auxiliary_weight, adaptive_auxiliary: of the auxiliary loss, and whether it counts twice at t = 0 and falls to once at T.
        window: columns of a training item, and of what is sampled at once.
        chord_share, single_share, span_share: shares of training items that show the chords; that keep one track only; in which parts
            of a target track are given, too (for infilling; not in the paper).
        quirks: "none", or "official" for what the published code does otherwise than the paper.
    """

    card: ClassVar[Card] = Card(
        name="getmusic",
        title="GETMusic: Generating Any Music Tracks with a Unified Representation and Diffusion Framework",
        arxiv="2305.10841",
        tasks=("arrange", "continue_", "generate", "harmonize", "infill"),
        modalities=("score",),
        licence="Apache-2.0",
    )
    presets: ClassVar[dict[str, dict]] = {
        "mini": {
            "tokens": "mini",
            "embedding": 32,
            "width": 192,
            "num_layers": 4,
            "num_heads": 6,
            "feed_forward": 576,
            "max_columns": 512,
            "steps": 50,
            "window": 128,
            "chord_share": 0.6,
            "span_share": 0.3,
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
        steps: int = 100,
        source_weight: float = 0.5,
        auxiliary_weight: float = 0.001,
        adaptive_auxiliary: bool = True,
        window: int = 512,
        chord_share: float = 0.25,
        single_share: float = 0.1,
        span_share: float = 0.0,
        quirks: str = "none",
    ) -> None:
        super().__init__()
        if quirks not in ("none", "official"):
            raise OptionError(f"quirks is {quirks!r}; it must be 'none' or 'official'.")
        if isinstance(tokens, str):
            if tokens != "mini":
                raise OptionError(f"There is no dictionary {tokens!r}; give 'mini' or the tokens themselves.")
            tokens = shipped_dictionary()
        if tokens is not None:
            self.vocabulary = GetVocabulary.from_tokens(tokens)
        elif track_sizes is not None:
            self.vocabulary = GetVocabulary(track_sizes)
        else:
            raise OptionError("GETMusic needs the tokens of its dictionary, or the number of tokens of each track.")
        self.quirks = quirks
        self.window, self.source_weight = window, source_weight
        self.chord_share, self.single_share, self.span_share = chord_share, single_share, span_share
        classes = self.vocabulary.classes
        self.network = GetMusicNetwork(
            classes=classes,
            embedding=embedding,
            width=width,
            num_layers=num_layers,
            num_heads=num_heads,
            feed_forward=feed_forward,
            max_columns=max_columns,
            dropout=dropout,
            condition_flags=condition_flags,
        )
        self.diffusion = DiscreteDiffusion(
            classes=classes,
            steps=steps,
            unpredicted=2,
            auxiliary_weight=auxiliary_weight,
            adaptive=adaptive_auxiliary,
        )
        self.register_buffer("legal", torch.from_numpy(self.vocabulary.legal()), persistent=False)

    # Objective ------------------------------------------------------------------------------------------------------

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

    # Sampling -------------------------------------------------------------------------------------------------------

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
        """The published sampler, draw by draw, on a grid with MASK in its targets. EMPTY cells come out as `<pad>`."""
        columns = grid.shape[1]
        tracks = [slice(2 * n * columns, (2 * n + 2) * columns) for n in range(len(TRACKS))]
        masked = (grid == self.vocabulary.mask).view(-1, 2, columns).sum((1, 2)).tolist()
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
            table=reveal_schedule(masked, self.diffusion.steps),
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
        steps: int | None = None,
        temperature: float = 1.0,
        joint: bool = True,
        generator: torch.Generator | None = None,
        progress: Progress | None = None,
    ) -> Int[Tensor, "batch rows columns"]:
        """Fills the MASK cells of grids; all others are sources, or EMPTY where a track is absent.

        Every step reveals the scheduled number of cells of each track, drawn with weights exp(largest class probability), as published;
        the network's head is evaluated only for cells that can win this draw, so the result has the published distribution at a fraction
        of its cost. Classes that a row cannot hold are left out before anything is drawn.

        Args:
            steps: calls of the network; T by default. Fewer reveal more cells a step.
            temperature: below 1 prefers likely notes; 0 takes the likeliest.
            joint: reveals pitch and duration of a note together: whether a note begins is drawn from the pitch row, and the duration
                among those longer than none exactly if one does. Without, cells are drawn one by one, as published, and a pitch may lack
                its duration.
            progress: called with steps done and steps in all.

        Raises:
            OptionError: `steps` is below 2 or above T, or the temperature is negative.
        """
        count = self.diffusion.steps if steps is None else steps
        if not 2 <= count <= self.diffusion.steps:
            raise OptionError(f"steps is {count}; it must lie between 2 and {self.diffusion.steps}.")
        if temperature < 0:
            raise OptionError(f"The temperature is {temperature}; it must not be negative.")
        x, source = grid.clone(), grid != self.vocabulary.mask
        table = self._units_per_step(x == self.vocabulary.mask, count, joint)
        for number in range(count):
            row = count - 1 - number
            if bool((table[:, row] > 0).any()):
                t = torch.full((len(x),), round(row * (self.diffusion.steps - 1) / (count - 1)), device=x.device)
                hidden = self.network.hidden(x, t, source)
                reveal = self._reveal_notes if joint else self._reveal_cells
                reveal(x, hidden, table[:, row], temperature, generator)
            if progress is not None:
                progress(number + 1, count)
        return x

    def _units_per_step(
        self, masked: Bool[Tensor, "batch rows columns"], steps: int, joint: bool
    ) -> Int[Tensor, "batch steps tracks"]:
        """The published schedule for the cells of each track or, if `joint`, for its notes (columns with a masked cell)."""
        pairs = masked[:, : 2 * len(TRACKS)].unflatten(1, (len(TRACKS), 2))
        counts = (pairs.any(2) if joint else pairs.flatten(2)).sum(-1)
        return torch.stack([reveal_schedule(row.tolist(), steps) for row in counts]).to(masked.device)

    def _reveal_cells(
        self, x: Tensor, hidden: Tensor, count: Tensor, temperature: float, generator: torch.Generator | None
    ) -> None:
        columns, rows = x.shape[-1], 2 * len(TRACKS)
        tokens = x[:, :rows]
        masked = (tokens == self.vocabulary.mask).reshape(len(x), len(TRACKS), 2 * columns)
        flat = hidden[:, :rows].reshape(-1, hidden.shape[-1])

        def confidence(index: Tensor) -> Tensor:
            return _confidence(self.network.head(flat[index]))

        index = choose_units(masked, count, confidence, generator)
        logits = self.network.head(flat[index])
        legal = self.legal[(index // columns) % rows, : logits.shape[-1]]
        drawn = draw(logits, legal, temperature=temperature, generator=generator)
        x[:, :rows] = tokens.flatten().scatter(0, index, drawn).view_as(tokens)

    def _reveal_notes(
        self, x: Tensor, hidden: Tensor, count: Tensor, temperature: float, generator: torch.Generator | None
    ) -> None:
        tracks = len(TRACKS)
        tokens = x[:, : 2 * tracks].unflatten(1, (tracks, 2)).transpose(2, 3)  # [batch, tracks, columns, 2]
        masked = tokens == self.vocabulary.mask
        cells = hidden[:, : 2 * tracks].unflatten(1, (tracks, 2)).transpose(2, 3).flatten(0, 2)
        columns = x.shape[-1]

        def confidence(index: Tensor) -> Tensor:
            return _confidence(self.network.head(cells[index])).mean(-1)

        index = choose_units(masked.any(-1), count, confidence, generator)
        track = (index // columns) % tracks
        logits = self.network.head(cells[index])
        known, chosen = masked.flatten(0, 2)[index], tokens.flatten(0, 2)[index]
        pitch_legal, duration_legal = (self.legal[2 * track + row, : logits.shape[-1]].clone() for row in (0, 1))
        pad = self.vocabulary.pad
        given = ~known[:, 1]  # a duration that is given says whether a note begins
        pitch_legal[given & (chosen[:, 1] == pad), pad + 1 :] = False
        pitch_legal[given & (chosen[:, 1] != pad), pad] = False
        pitch = draw(logits[:, 0], pitch_legal, temperature=temperature, generator=generator)
        pitch = torch.where(known[:, 0], pitch, chosen[:, 0])
        silent = pitch == pad
        duration_legal[:, :pad] &= ~silent[:, None]
        duration_legal[:, pad] = silent
        duration = draw(logits[:, 1], duration_legal, temperature=temperature, generator=generator)
        duration = torch.where(known[:, 1], duration, chosen[:, 1])
        flat = tokens.flatten(0, 2).clone()
        flat[index] = torch.stack([pitch, duration], -1)
        x[:, : 2 * tracks] = flat.view_as(tokens).transpose(2, 3).flatten(1, 2)


def _confidence(logits: Float[Tensor, "*cells classes"]) -> Float[Tensor, "*cells"]:
    """The largest class probability."""
    return (logits.amax(-1) - logits.logsumexp(-1)).exp()
