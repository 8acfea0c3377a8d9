"""Small Tunes Transformer: a folk melody from its skeleton notes and phrases, after the idea of Lv et al. 2024
(arXiv 2410.08626).

Of the paper only the abstract states what it does: phrases are found, skeleton notes are taken out of each, and a
Transformer writes the melody with attention of every phrase to the skeleton of that phrase. Sizes, tokens and rules
here are our reconstruction, none of them the paper's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch.nn import functional

from orchestrion.analysis.skyline import Line, melody_line
from orchestrion.errors import InputError, OptionError
from orchestrion.nn.phrase_transformer import PhraseTransformer
from orchestrion.paradigms.autoregressive import choose
from orchestrion.representations.phrase_batches import Steps, TuneBatch, make_batch, make_skeleton
from orchestrion.representations.phrase_notes import (
    BARS_LEFT,
    LONGEST,
    METRES,
    PHRASES,
    PITCHES,
    POSITIONS,
    REST,
    PhraseNotes,
    line_of,
    line_score,
    mark_phrases,
    skeleton_tokens,
)
from orchestrion.representations.phrase_plan import phrase_plan
from orchestrion.systems.card import Card
from orchestrion.systems.registry import register
from orchestrion.systems.system import System
from orchestrion.systems.tasks import Music, Progress
from orchestrion.theory.keys import Key, find_key
from orchestrion.theory.plain_key import shift_to_register
from orchestrion.training.plain_melodies import tunes_of
from orchestrion.training.schedules import warmup_linear
from orchestrion.training.stage import Loss, Objective, Stage

if TYPE_CHECKING:
    from symusic.core import ScoreTick

    from orchestrion.data.piece import Piece

MOST_TUNES, HELD_OUT = 6000, 64
MOST_BARS = 512
WHOLE = 16  # sixteenths


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
            "dropout": 0.0,  # ten visits of each tune: the validation loss falls to the end
            "plan_known": True,
            "transposition": 0,  # a plan alone says no key, so all is learned in one
            "bare_share": 0.25,
            "batch_size": 12,
            "training_steps": 5000,
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
        batch = make_batch(
            tunes,
            rng,
            plan_known=self.plan_known,
            transposition=self.transposition,
            skeleton_dropout=self.skeleton_dropout,
            bare_share=self.bare_share,
        )
        return batch.to(self.device)

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

    # Training ---------------------------------------------------------------------------------------------------------

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
            hard: reach every skeleton note at its time and take it as it is, and breathe after the last of a phrase
                where less than a whole note is left; else it is only heeded.
        """
        bar = skeleton.bar
        kept = np.flatnonzero(skeleton.kept)
        own = make_skeleton(skeleton, begin=begin, stops=stops).to(self.device)
        memory = self.network.encode(own)
        forced = {int(skeleton.start[index]): index for index in kept} if hard else {}
        onsets = sorted(forced)
        caches = self.network.empty_caches(self.max_length)
        rows: list[tuple[int, int, int, int, bool]] = []
        now, last, phrase_start = begin, (-1, -1), begin
        for phrase, stop in enumerate(stops):
            phrase_start = now
            final = max((onset for onset in onsets if now <= onset < stop), default=stop)
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
                logits = {name: value[:, -1] for name, value in self.network.decode(steps, memory, own, caches).items()}
                border = next((onset for onset in onsets if onset > now), stop)
                room = min(border, stop) - now
                draws = torch.rand(2, 1, generator=generator).to(self.device)
                if now > final and stop - now < WHOLE:
                    pitch, length = REST, stop - now
                elif now in forced:
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

    # Tasks ------------------------------------------------------------------------------------------------------------

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
        shift = shift_to_register(key, line.pitch)
        made = self.write(
            skeleton_tokens(line, shift),
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
