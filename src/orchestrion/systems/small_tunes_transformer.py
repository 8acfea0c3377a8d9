"""Small Tunes Transformer: a folk melody from its skeleton notes and phrases, after the idea of Lv et al. 2024
(arXiv 2410.08626).

Of the paper only the abstract states what it does: phrases are found, skeleton notes are taken out of each, and a
Transformer writes the melody with attention of every phrase to the skeleton of that phrase. Sizes, tokens and rules
here are our reconstruction, none of them the paper's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor, nn
from torch.nn import functional

from orchestrion.analysis.skyline import Line, melody_line
from orchestrion.errors import InputError, OptionError
from orchestrion.nn.cache import KeyValueCache
from orchestrion.nn.encoder import Encoder
from orchestrion.nn.phrase_attention import PhraseDecoderLayer
from orchestrion.nn.positions import rotary_table
from orchestrion.paradigms.autoregressive import choose
from orchestrion.representations.phrase_notes import (
    BARS_LEFT,
    HIGHEST,
    LONGEST,
    LOWEST,
    PHRASES,
    PITCHES,
    POSITIONS,
    REST,
    PhraseNotes,
    line_of,
    line_score,
    mark_phrases,
    marked_phrases,
    read_tokens,
)
from orchestrion.systems.card import Card
from orchestrion.systems.registry import register
from orchestrion.systems.system import System
from orchestrion.systems.tasks import Music, Progress
from orchestrion.theory.keys import Key, find_key
from orchestrion.theory.spiral_array import shift_to_c
from orchestrion.training.schedules import warmup_linear
from orchestrion.training.stage import Loss, Objective, Stage

if TYPE_CHECKING:
    from symusic.core import ScoreTick

    from orchestrion.data.piece import Piece

MEAN_PITCH = 71
MOST_TUNES, HELD_OUT = 6000, 64
SHORTEST, LONGEST_TUNE = 8, 160  # tokens of a tune to learn from
MOST_BARS = 512
DEFAULT_PHRASE = 4  # bars of a phrase where nothing says how long it is
METRES = ((2, 4), (3, 4), (4, 4), (6, 8), (9, 8), (12, 8), (3, 8), (2, 2), (6, 4))


# Network (the paper's phrase-level cross-attention; all else reconstructed) -------------------------------------------


@dataclass(frozen=True, slots=True)
class Skeleton:
    """Skeleton notes of a batch: fields (pitch, length − 1, position, bar in the phrase), phrase, which are real."""

    fields: Int[Tensor, "batch entries 4"]
    phrase: Int[Tensor, "batch entries"]
    mask: Bool[Tensor, "batch entries"]


@dataclass(frozen=True, slots=True)
class Steps:
    """What the decoder is told at each step.

    Attributes:
        last: pitch and length − 1 of the token before; −1 before the first.
        place: position in the bar, bar in the phrase, bars left of the phrase (−1: not told).
        phrase: number of the phrase.
        bar: sixteenths of a bar.
    """

    last: Int[Tensor, "batch time 2"]
    place: Int[Tensor, "batch time 3"]
    phrase: Int[Tensor, "batch time"]
    bar: Int[Tensor, "batch time"]


class PhraseTransformer(nn.Module):
    """An encoder of skeleton notes and a decoder of tokens with attention by phrases.

    Args:
        width, num_heads, encoder_layers, decoder_layers, feed_forward, dropout: sizes.
        cross: kind of attention, see `PhraseCrossAttention`.
        max_length: most tokens and skeleton notes.
    """

    rotary: Tensor

    def __init__(
        self,
        *,
        width: int,
        num_heads: int,
        encoder_layers: int,
        decoder_layers: int,
        feed_forward: int,
        dropout: float,
        cross: str,
        max_length: int,
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.pitch = nn.Embedding(PITCHES + 1, width)
        self.length = nn.Embedding(LONGEST + 1, width)
        self.position = nn.Embedding(POSITIONS, width)
        self.bar_in_phrase = nn.Embedding(BARS_LEFT, width)
        self.bars_left = nn.Embedding(BARS_LEFT + 1, width)
        self.phrase = nn.Embedding(PHRASES, width)
        self.metre = nn.Embedding(POSITIONS + 1, width)
        self.dropout = nn.Dropout(dropout)
        self.encoder = Encoder(
            width=width,
            num_layers=encoder_layers,
            num_heads=num_heads,
            feed_forward=feed_forward,
            max_length=max_length,
            dropout=dropout,
        )
        self.layers = nn.ModuleList(
            PhraseDecoderLayer(
                width=width,
                num_heads=num_heads,
                feed_forward=feed_forward,
                kind=cross,
                dropout=dropout,
                most_phrases=PHRASES,
            )
            for _ in range(decoder_layers)
        )
        self.norm = nn.LayerNorm(width)
        self.heads = nn.ModuleDict(
            {"pitch": nn.Linear(width, PITCHES), "length": nn.Linear(width, LONGEST), "end": nn.Linear(width, 2)}
        )
        self.register_buffer("rotary", rotary_table(max_length, width // num_heads), persistent=False)
        for module in self.modules():
            if isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=0.3)

    def encode(self, skeleton: Skeleton) -> Tensor:
        """Memory [batch, entries, width]."""
        pitch, length, position, bar = skeleton.fields.unbind(-1)
        x = self.pitch(pitch + 1) + self.length(length + 1) + self.position(position)
        x = x + self.bar_in_phrase(bar) + self.phrase(skeleton.phrase)
        own = torch.eye(skeleton.mask.shape[1], dtype=torch.bool, device=x.device)
        return self.encoder(self.dropout(x), skeleton.mask[:, None] | own)

    def decode(
        self, steps: Steps, memory: Tensor, skeleton: Skeleton, caches: list[KeyValueCache] | None = None
    ) -> dict[str, Tensor]:
        """Logits of pitch, length and phrase end at each step; with `caches`, of the steps after those in them."""
        position, bar, left = steps.place.unbind(-1)
        x = self.pitch(steps.last[..., 0] + 1) + self.length(steps.last[..., 1] + 1) + self.position(position)
        x = x + self.bar_in_phrase(bar) + self.bars_left(left + 1) + self.phrase(steps.phrase)
        x = self.dropout(x + self.metre(steps.bar.clamp(max=POSITIONS)))
        start = caches[0].length if caches else 0
        rotary = self.rotary[:, start : start + x.shape[1]]
        for number, layer in enumerate(self.layers):
            cache = caches[number] if caches else None
            x = layer(x, memory, steps.phrase, skeleton.phrase, skeleton.mask, rotary, cache)
        x = self.norm(x)
        return {name: head(x) for name, head in self.heads.items()}

    def empty_caches(self, capacity: int) -> list[KeyValueCache]:
        """Caches for one tune of `capacity` tokens."""
        like, width = self.norm.weight, self.norm.weight.shape[0] // self.num_heads
        return [KeyValueCache.empty(1, self.num_heads, capacity, width, like=like) for _ in self.layers]


# System ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TuneBatch:
    """Tunes side by side: skeletons, what the decoder is told, what it should write, and which tokens are real."""

    skeleton: Skeleton
    steps: Steps
    targets: dict[str, Int[Tensor, "batch time"]]
    mask: Bool[Tensor, "batch time"]


@register("small_tunes_transformer")
class SmallTunesTransformer(System):
    """The reconstruction with its tokens, network and sampling.

    Args:
        width, num_heads, encoder_layers, decoder_layers, feed_forward, dropout, cross, max_length: of the network.
        plan_known: whether the decoder is told how many bars of the phrase are left.
        transposition: semitones by which tunes are moved at most, up or down, in training.
        skeleton_dropout: share of skeleton notes left out in training, so that imperfect skeletons do.
        bare_share: share of training tunes without any skeleton, so that a plan of phrases alone does.
        batch_size, training_steps, learning_rate, warmup, weight_decay: of the training.
    """

    card: ClassVar[Card] = Card(
        name="small_tunes_transformer",
        title=(
            "Small Tunes Transformer: Exploring Macro & Micro-Level Hierarchies for Skeleton-Conditioned Melody "
            "Generation (a reconstruction of the idea)"
        ),
        arxiv="2410.08626",
        tasks=("elaborate",),
        modalities=("score",),
        licence="Apache-2.0",
        claims=(
            "Attention to the skeleton of the own phrase predicts notes better than to all of the skeleton.",
            "Attention to all of the skeleton predicts notes better than none.",
            "Phrases of folk songs are found by rule with an F of at least 0.55.",
        ),
    )
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "mini": {
            "width": 96,
            "num_heads": 4,
            "encoder_layers": 2,
            "decoder_layers": 3,
            "feed_forward": 384,
            "dropout": 0.0,  # few tunes are seen twice
            "plan_known": True,
            "transposition": 0,  # a plan alone says no key, so all is learned in one
            "bare_share": 0.25,
            "batch_size": 12,
            "training_steps": 340,
            "learning_rate": 1.5e-3,
            "warmup": 60,
        },
        "paper": {},
    }

    def __init__(
        self,
        *,
        width: int = 512,
        num_heads: int = 8,
        encoder_layers: int = 6,
        decoder_layers: int = 6,
        feed_forward: int = 2048,
        dropout: float = 0.1,
        cross: str = "phrase",
        max_length: int = 1024,
        plan_known: bool = False,
        transposition: int = 5,
        skeleton_dropout: float = 0.1,
        bare_share: float = 0.0,
        batch_size: int = 32,
        training_steps: int = 100_000,
        learning_rate: float = 3e-4,
        warmup: int = 4000,
        weight_decay: float = 0.05,
    ) -> None:
        super().__init__()
        self.plan_known, self.max_length = plan_known, max_length
        self.transposition, self.skeleton_dropout, self.bare_share = transposition, skeleton_dropout, bare_share
        self.batch_size, self.training_steps = batch_size, training_steps
        self.learning_rate, self.warmup, self.weight_decay = learning_rate, warmup, weight_decay
        self.network = PhraseTransformer(
            width=width,
            num_heads=num_heads,
            encoder_layers=encoder_layers,
            decoder_layers=decoder_layers,
            feed_forward=feed_forward,
            dropout=dropout,
            cross=cross,
            max_length=max_length,
        )

    # Representation ---------------------------------------------------------------------------------------------------

    def batch(self, tunes: Sequence[PhraseNotes], rng: np.random.Generator | None = None) -> TuneBatch:
        """Tunes as tensors; with `rng` moved, and with skeleton notes left out, as in training."""
        rows = []
        for tune in tunes:
            move = int(rng.integers(-self.transposition, self.transposition + 1)) if rng is not None else 0
            pitch = tune.pitch + move * (tune.pitch != REST)
            pitch = np.where(tune.pitch == REST, REST, pitch.clip(1, PITCHES - 1))
            kept = tune.kept.copy()
            if rng is not None:
                kept &= (rng.random(len(tune)) >= self.skeleton_dropout) & (rng.random() >= self.bare_share)
            rows.append((tune, pitch, kept))
        longest = max(len(tune) for tune in tunes)
        entries = max(1, max(int(kept.sum()) for _, _, kept in rows))
        steps = {name: np.zeros((len(rows), longest, n), np.int64) for name, n in (("last", 2), ("place", 3))}
        phrase, bars, mask = (np.zeros((len(rows), longest), np.int64) for _ in range(3))
        targets = {name: np.zeros((len(rows), longest), np.int64) for name in ("pitch", "length", "end")}
        fields, of = np.zeros((len(rows), entries, 4), np.int64), np.zeros((len(rows), entries), np.int64)
        real = np.zeros((len(rows), entries), bool)
        for row, (tune, pitch, kept) in enumerate(rows):
            size = slice(len(tune))
            place = self._places(tune)
            last = np.stack([pitch, tune.length - 1], 1)
            steps["last"][row, size] = np.concatenate([np.full((1, 2), -1), last[:-1]])
            steps["place"][row, size] = place
            phrase[row, size], bars[row, size], mask[row, size] = tune.phrase % PHRASES, tune.bar, 1
            targets["pitch"][row, size], targets["length"][row, size] = pitch, tune.length - 1
            targets["end"][row, size] = tune.ends
            count = int(kept.sum())
            fields[row, :count] = np.concatenate([last, place[:, :2]], 1)[kept]
            of[row, :count], real[row, :count] = (tune.phrase % PHRASES)[kept], True

        def put(array: np.ndarray) -> Tensor:
            return torch.from_numpy(array).to(self.device)

        told = Steps(put(steps["last"]), put(steps["place"]), put(phrase), put(bars))
        wanted = {name: put(value) for name, value in targets.items()}
        return TuneBatch(Skeleton(put(fields), put(of), put(real)), told, wanted, put(mask > 0))

    def _places(self, tune: PhraseNotes) -> Int[np.ndarray, "tokens 3"]:
        """Position in the bar, bar in the phrase, and bars left of the phrase, or −1 where that is not told."""
        first = np.array([int(np.argmax(tune.phrase == number)) for number in tune.phrase], np.int64)
        begun = tune.start[first] // tune.bar
        left = np.full(len(tune), -1, np.int64)
        if self.plan_known:
            stops = dict(zip(tune.phrase[tune.ends].tolist(), tune.phrase_stop.tolist(), strict=True))
            stop = np.array([stops[number] for number in tune.phrase.tolist()], np.int64)
            left = np.minimum((stop - tune.start - 1) // tune.bar, BARS_LEFT - 1)
        position = tune.start % tune.bar % POSITIONS
        return np.stack([position, np.minimum(tune.start // tune.bar - begun, BARS_LEFT - 1), left], 1)

    # Objective --------------------------------------------------------------------------------------------------------

    def loss(self, batch: TuneBatch) -> Loss:
        """Sum of the cross-entropies of pitch, length and phrase end, in nats a token."""
        logits = self.network.decode(batch.steps, self.network.encode(batch.skeleton), batch.skeleton)
        parts = {
            name: functional.cross_entropy(value[batch.mask], batch.targets[name][batch.mask])
            for name, value in logits.items()
        }
        total = torch.stack(list(parts.values())).sum()
        return Loss(total, int(batch.mask.sum()), {name: float(value.detach()) for name, value in parts.items()})

    def stages(self, train: Sequence[Piece], validation: Sequence[Piece]) -> list[Stage]:
        """One stage on the tunes of pieces, with phrases and skeletons that are found in them."""
        tunes, held = tunes_of(train, MOST_TUNES), tunes_of(validation, HELD_OUT)
        if not tunes:
            raise InputError("None of the pieces has a tune that can be trained on; give others.")
        return [self.stage(tunes, held or tunes[:HELD_OUT])]

    def stage(self, tunes: Sequence[PhraseNotes], held: Sequence[PhraseNotes]) -> Stage:
        """The training on tokens."""
        order = np.argsort([len(tune) for tune in tunes], kind="stable")
        fixed = self.batch(held[:HELD_OUT])

        def data(step: int, share: Any) -> TuneBatch:
            rng = np.random.default_rng(step)
            middle = int(rng.integers(len(tunes)))  # tunes of like length, so that little is padding
            near = order[np.clip(middle + rng.integers(-64, 65, self.batch_size), 0, len(tunes) - 1)]
            return self.batch([tunes[index] for index in share.of(near.tolist())], rng)

        objective = Objective(
            name="tokens",
            loss=self.loss,
            parameters=self.parameters(),
            optimiser=lambda parameters: torch.optim.AdamW(
                parameters, lr=self.learning_rate, weight_decay=self.weight_decay
            ),
            schedule=warmup_linear(self.warmup, self.training_steps, start=0.0, floor=0.01),
        )
        return Stage(
            name="tunes",
            steps=self.training_steps,
            data=data,
            objectives=[objective],
            validate=lambda: {"validation_loss": float(self.loss(fixed).value)},
            validate_every=200,
        )

    # Sampling ---------------------------------------------------------------------------------------------------------

    @torch.inference_mode()
    def write(
        self,
        skeleton: PhraseNotes,
        stops: Sequence[int],
        *,
        begin: int = 0,
        generator: torch.Generator,
        temperature: float = 1.0,
        top_p: float = 0.9,
        hard: bool = True,
        progress: Progress | None = None,
    ) -> PhraseNotes:
        """A tune in the phrases that end at `stops` (sixteenths), through the notes of `skeleton`.

        Args:
            skeleton: tokens of which those `kept` are to be passed through.
            begin: sixteenth at which the first phrase begins.
            hard: reach every skeleton note at its time and take it as it is; else it is only heeded.
        """
        bar = skeleton.bar
        kept = np.flatnonzero(skeleton.kept)
        own = self._skeleton(skeleton, begin, stops)
        memory = self.network.encode(own)
        forced = {int(skeleton.start[index]): index for index in kept} if hard else {}
        onsets = sorted(forced)
        caches = self.network.empty_caches(self.max_length)
        rows: list[tuple[int, int, int, int, bool]] = []
        now, last, phrase_start = begin, (-1, -1), begin
        for phrase, stop in enumerate(stops):
            phrase_start = now
            while now < stop:
                if len(rows) >= self.max_length:
                    raise InputError(f"The tune is longer than {self.max_length} notes; ask for fewer bars.")
                left = min((stop - now - 1) // bar, BARS_LEFT - 1) if self.plan_known else -1
                place = [now % bar % POSITIONS, min(now // bar - phrase_start // bar, BARS_LEFT - 1), left]
                steps = Steps(
                    *(
                        torch.tensor([[value]], device=self.device)
                        for value in (list(last), place, phrase % PHRASES, bar)
                    )
                )
                logits = {name: value[:, -1] for name, value in self._decode(steps, memory, own, caches).items()}
                border = next((onset for onset in onsets if onset > now), stop)
                room = min(border, stop) - now
                draws = torch.rand(2, 1, generator=generator).to(self.device)
                if now in forced:
                    index = forced[now]
                    pitch, length = int(skeleton.pitch[index]), min(int(skeleton.length[index]), room)
                else:
                    fits = (torch.arange(LONGEST, device=self.device) < room)[None]
                    length = 1 + int(
                        choose(logits["length"], draws[0], temperature=temperature, top_p=top_p, allowed=fits)
                    )
                    sounds = torch.ones(1, PITCHES, dtype=torch.bool, device=self.device)
                    sounds[:, REST] = bool(rows)
                    pitch = int(choose(logits["pitch"], draws[1], temperature=temperature, top_p=top_p, allowed=sounds))
                rows.append((now, length, pitch, phrase, now in forced))
                last, now = (pitch, length - 1), now + length
                if progress is not None:
                    progress(now - begin, stops[-1] - begin)
        table = np.array(rows, np.int64).reshape(-1, 5)
        ends = np.append(np.diff(table[:, 3]) != 0, True)[: len(table)]
        return PhraseNotes(table[:, 0], table[:, 1], table[:, 2], table[:, 3], ends, table[:, 4] > 0, bar)

    def _decode(self, steps: Steps, memory: Tensor, own: Skeleton, caches: list[KeyValueCache]) -> dict[str, Tensor]:
        return self.network.decode(steps, memory, own, caches)

    def _skeleton(self, tokens: PhraseNotes, begin: int, stops: Sequence[int]) -> Skeleton:
        """The notes kept, with the phrases that `stops` make."""
        kept, bar = np.flatnonzero(tokens.kept), tokens.bar
        starts = np.array([begin, *stops[:-1]], np.int64)
        start = tokens.start[kept]
        phrase = np.searchsorted(np.asarray(stops), start, side="right").clip(max=len(stops) - 1)
        inside = np.minimum(start // bar - starts[phrase] // bar, BARS_LEFT - 1).clip(0)
        fields = np.stack([tokens.pitch[kept], tokens.length[kept] - 1, start % bar % POSITIONS, inside], 1)
        real = np.ones((1, len(kept)), bool)
        if not len(kept):
            fields, phrase, real = np.zeros((1, 4), np.int64), np.zeros(1, np.int64), np.zeros((1, 1), bool)
        put = [torch.from_numpy(array).to(self.device) for array in (fields[None], (phrase % PHRASES)[None], real)]
        return Skeleton(*put)

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
        """A tune through the notes of a skeleton, or in the phrases of a plan; see `tasks.Elaborates`.

        Raises:
            OptionError: there is neither a skeleton nor a plan, or the metre is one that tunes are not written in.
            InputError: the skeleton has no notes, or it or the plan is longer than 512 bars.
        """
        if skeleton is None and not plan:
            raise OptionError("There is neither a skeleton nor a plan of phrases; give one of them.")
        if skeleton is not None:
            line = melody_line(skeleton)
            if not len(line):
                raise InputError("The skeleton has no notes; give a file with at least one.")
            metre = line.metre
            key = key or find_key(skeleton) or Key(0, "major")
            tempo = float(skeleton.tempos[0].qpm) if len(skeleton.tempos) else tempo
        else:
            nothing = np.zeros(0, np.int64)
            line, key = Line(nothing, nothing, nothing, metre), key or Key(0, "major")
        if tuple(metre) not in METRES:
            told = ", ".join(f"{above}/{below}" for above, below in METRES)
            raise OptionError(f"Tunes are written in {told}, not in {metre[0]}/{metre[1]}.")
        begin, stops = phrase_plan(skeleton, line, plan)
        if stops[-1] > MOST_BARS * line.bar:
            raise InputError(f"The tune would have more than {MOST_BARS} bars; ask for fewer.")
        shift = shift_to_c(key)
        mean = float(line.pitch.mean()) if len(line) else float(MEAN_PITCH)
        shift += 12 * round((MEAN_PITCH - mean - shift) / 12) if len(line) else 0
        pitch = (line.pitch + shift).clip(LOWEST, HIGHEST) - LOWEST + 1
        every = np.ones(len(line), bool)
        length = np.minimum(line.stop - line.start, LONGEST)
        tokens = PhraseNotes(line.start, length, pitch, np.zeros(len(line), np.int64), ~every, every, line.bar)
        made = self.write(
            tokens,
            stops,
            begin=begin,
            generator=torch.Generator().manual_seed(seed),
            temperature=temperature,
            progress=progress,
        )
        tune = line_of(made, metre=metre, shift=line.shift)
        moved = shift if len(line) else (shift + 6) % 12 - 6
        score = line_score(Line(tune.start, tune.stop, tune.pitch - moved, metre, line.shift), tempo=tempo)
        mark_phrases(score, [start - line.shift for start in (begin, *stops[:-1])])
        report = {
            "key": str(key),
            "metre": "{}/{}".format(*metre),
            "phrases": len(stops),
            "notes": len(tune),
            "skeleton_notes": len(line),
            "skeleton_kept": int(made.kept.sum()),
        }
        return Music(score, report)


def phrase_plan(score: ScoreTick | None, line: Line, plan: Sequence[int]) -> tuple[int, list[int]]:
    """Where the first phrase begins and where each ends, in sixteenths: from a plan of bars, else from markers of
    phrases, else in phrases of four bars.

    Raises:
        OptionError: a phrase of the plan has no bar, or the skeleton goes on after the plan.
    """
    bar = line.bar
    first = int(line.start[0]) if len(line) else 0
    begin = first if line.shift else first // bar * bar
    end = -(-int(line.stop[-1]) // bar) * bar if len(line) else 0
    if plan:
        if min(plan) < 1:
            raise OptionError("Each phrase of the plan needs at least one bar; write it like 4,4,4,4.")
        origin = -(-begin // bar) * bar if line.shift else begin
        stops = [origin + int(total) * bar for total in np.cumsum(plan)]
        if end > stops[-1]:
            have, need = sum(plan), (end - origin) // bar
            raise OptionError(f"The plan has {have} bars, but the skeleton goes on for {need}; lengthen the plan.")
        return begin, stops
    marked = None if score is None else marked_phrases(score, line)
    if marked is not None:
        starts = [int(line.start[note]) for note in marked.starts[1:]]
        return begin, [*starts, max(end, begin + bar)]
    stops = list(range(begin // bar * bar + DEFAULT_PHRASE * bar, end, DEFAULT_PHRASE * bar))
    return begin, [*stops, max(end, begin + bar)]


def tunes_of(pieces: Sequence[Piece], most: int) -> list[PhraseNotes]:
    """The tunes of pieces in the metres known, in C major or A minor, equal ones once."""
    found: list[PhraseNotes] = []
    seen: set[bytes] = set()
    for piece in pieces:
        if piece.score is None or piece.melody is None or piece.metre not in METRES or len(found) >= most:
            continue
        tokens = read_tokens(piece.score, track=piece.melody)
        if not SHORTEST <= len(tokens) <= LONGEST_TUNE:
            continue
        tokens = in_plain_key(tokens, piece.key or find_key(piece.score) or Key(0, "major"))
        signature = np.stack([tokens.start, tokens.length, tokens.pitch]).tobytes()
        if signature not in seen:
            seen.add(signature)
            found.append(tokens)
    return found


def in_plain_key(tokens: PhraseNotes, key: Key) -> PhraseNotes:
    """Moved to C major or A minor, and by octaves so that the mean lies around B above middle C."""
    sounding = tokens.pitch != REST
    shift = shift_to_c(key)
    mean = float((tokens.pitch[sounding] + LOWEST - 1).mean()) if sounding.any() else float(MEAN_PITCH)
    shift += 12 * round((MEAN_PITCH - mean - shift) / 12)
    pitch = np.where(sounding, (tokens.pitch + shift).clip(1, PITCHES - 1), REST)
    return PhraseNotes(tokens.start, tokens.length, pitch, tokens.phrase, tokens.ends, tokens.kept, tokens.bar)
