"""CM-HRNN: a melody over chords, with structure over long times (Guo, Makris & Herremans 2021, arXiv 2102.09794).

A melody is a sequence of events (bar flag, duration, pitch), each with the chord of its own and that of the next event.
One or two tiers of recurrent networks read it in frames of several events, slowly; the lowest tier reads the last few
events and writes the next, told how much of the bar has passed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from orchestrion.errors import InputError, OptionError, check_choice
from orchestrion.nn.event_network import EventNetwork
from orchestrion.nn.hierarchical_rnn import TierStepper
from orchestrion.paradigms.autoregressive import choose
from orchestrion.representations.leads import from_plain_key, key_of_chords, lead_score, to_plain_key
from orchestrion.representations.melody_events import (
    FOREIGN,
    LONGEST,
    STEPS,
    SUSTAIN,
    Lead,
    chord_steps,
    elapsed_classes,
    from_classes,
    join_events,
)
from orchestrion.systems.card import Card
from orchestrion.systems.registry import register
from orchestrion.systems.system import System
from orchestrion.systems.tasks import Music, Progress
from orchestrion.theory.chords import ChordSpan
from orchestrion.theory.keys import Key
from orchestrion.training.event_windows import EventBatch, make_windows, melody_classes, metres_to_learn
from orchestrion.training.stage import Loss, Objective, Stage, warmup_cosine

if TYPE_CHECKING:
    from orchestrion.data.piece import Piece

METRE = (4, 4)
MOST_QUARTERS = 4 * 512.0
MOST_LEADS = 6000  # of the corpus; several versions of a tune have the same melody


@register("cm_hrnn")
class CMHRNN(System):
    """CM-HRNN with its events, tiers and sampling.

    Args:
        tiers, frame, big_frame, width, num_layers, kind, dropout: of the network; see `nn.hierarchical_rnn`.
        residual, attention, embed_frames: of the network, too.
        elapsed: whether the network is told how much of the bar has passed.
        conditional: whether rows hold chords.
        bars, chords, durations, notes: classes of the fields.
        padded_start: whether pieces begin after empty events, so that a melody needs no given beginning (not in the
            paper, whose melodies go on from 16 given events).
        note_weight, duration_weight: of the cross-entropies; the bar flag has the rest.
        window: events of a training item.
        batch_size, training_steps, learning_rate, epsilon: of the training.
        quirks: "none", or "official" for what the published generation does otherwise: chords are those of the event's
            number in the condition, and the flat networks get them one event late.
    """

    card: ClassVar[Card] = Card(
        name="cm_hrnn",
        title="Hierarchical Recurrent Neural Networks for Conditional Melody Generation with Long-term Structure",
        arxiv="2102.09794",
        tasks=("melodize",),
        modalities=("chords", "score"),
        licence="Apache-2.0",
        code="https://github.com/guozixunnicolas/CM-HRNN",
        code_licence="none stated",
        claims=(
            "Told how much of the bar has passed, the network fills more bars exactly, by 8 points.",
            "Two tiers repeat more than a flat network of as many parameters.",
            "Melodies suit their own chords better, by 10 points, than those of another piece.",
        ),
    )
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "mini": {
            "frame": 8,
            "width": 96,
            "embed_frames": True,
            "padded_start": True,
            "dropout": 0.2,
            "window": 80,
            "batch_size": 32,
            "training_steps": 1600,
            "learning_rate": 2e-3,
            "epsilon": 1e-8,
        },
        "paper": {},
        "2t": {"elapsed": False},
        "3t": {"tiers": 3, "frame": 2, "elapsed": False, "residual": True},
        "3t_elapsed": {"tiers": 3, "frame": 8},
        "3t_elapsed_residual": {"tiers": 3, "frame": 8, "residual": True},
        "attention": {"tiers": 1, "elapsed": False, "attention": True},
        "flat": {"tiers": 1, "elapsed": False, "num_layers": 3},
    }

    def __init__(
        self,
        *,
        tiers: int = 2,
        frame: int = 16,
        big_frame: int = 16,
        width: int = 256,
        num_layers: int = 2,
        kind: str = "lstm",
        dropout: float = 0.5,
        elapsed: bool = True,
        residual: bool = False,
        attention: bool = False,
        embed_frames: bool = False,
        conditional: bool = True,
        bars: int = 2,
        chords: int = 49,
        durations: int = 16,
        notes: int = 130,
        padded_start: bool = False,
        note_weight: float = 0.4,
        duration_weight: float = 0.3,
        window: int = 128,
        batch_size: int = 512,
        training_steps: int = 120_001,
        learning_rate: float = 1.2e-4,
        epsilon: float = 1e-2,
        quirks: str = "none",
    ) -> None:
        super().__init__()
        check_choice("quirks", quirks, "none", "official")
        if tiers not in (1, 2, 3):
            raise OptionError(f"CM-HRNN has 1, 2 or 3 tiers, not {tiers}.")
        if tiers == 3 and (big_frame % frame or big_frame < frame):
            raise OptionError(f"A frame of {frame} events does not divide one of {big_frame}; choose other sizes.")
        if tiers == 1 and elapsed:
            raise OptionError("The flat network is not told how much of the bar has passed; set elapsed to false.")
        self.quirks, self.conditional, self.padded_start = quirks, conditional, padded_start
        self.sizes = (bars, chords, durations, notes)
        self.weights = (1 - note_weight - duration_weight, duration_weight, note_weight)
        self.window, self.batch_size, self.training_steps = window, batch_size, training_steps
        self.learning_rate, self.epsilon = learning_rate, epsilon
        self.network = EventNetwork(
            inputs=bars + durations + notes + (2 * chords if conditional else 0),
            tiers=tiers,
            frame=frame,
            big_frame=big_frame,
            width=width,
            num_layers=num_layers,
            kind=kind,
            dropout=dropout,
            elapsed=durations if elapsed else 0,
            residual=residual,
            embed_frames=embed_frames,
            attention=attention,
            bars=bars,
            durations=durations,
            notes=notes,
        )

    # Representation (section III) -------------------------------------------------------------------------------------

    def rows(
        self, classes: Int[Tensor, "*batch events 4"], following: Int[Tensor, "*batch events"]
    ) -> Float[Tensor, "*batch events inputs"]:
        """One-hot rows: bar | chord of the next event | chord | duration | note.

        Args:
            classes: of bar, chord, duration, note; −1 in all of them for an empty event.
            following: class of the next event's chord; −1 for none known.
        """
        bars, chords, durations, notes = self.sizes
        bar, chord, duration, note = classes.unbind(-1)
        fields = [(bar, bars), (following, chords), (chord, chords), (duration, durations), (note, notes)]
        if not self.conditional:
            fields = [fields[0], *fields[3:]]
        return torch.cat([functional.one_hot(value + 1, size + 1)[..., 1:] for value, size in fields], -1).float()

    # Objective (section V) --------------------------------------------------------------------------------------------

    def loss(self, batch: EventBatch) -> Loss:
        """0.4 of the cross-entropy of notes, 0.3 of durations, 0.3 of bar flags, mean over the events that count."""
        logits = self.network(batch.rows, batch.elapsed if self.network.elapsed else None)
        fields = (logits.bar, logits.duration, logits.note)
        total, parts = torch.zeros((), device=batch.rows.device), {}
        for number, (name, field) in enumerate(zip(("bar", "duration", "note"), fields, strict=True)):
            value = functional.cross_entropy(field[batch.counted], batch.targets[..., number][batch.counted])
            total = total + self.weights[number] * value
            parts[name] = float(value.detach())
        return Loss(total, int(batch.counted.sum()), parts)

    # Training ---------------------------------------------------------------------------------------------------------

    def stages(self, train: Sequence[Piece], validation: Sequence[Piece]) -> list[Stage]:
        """One stage on the melodies and chords of pieces in 4/4, moved to C major or A minor.

        Where there is no piece in 4/4, those of a shorter metre are taken, for experiments: `melodize` writes in 4/4.
        """
        pieces, held = [], []
        for metre in metres_to_learn(train):
            pieces, held = (
                melody_classes(part, most, metre=metre) for part, most in ((train, MOST_LEADS), (validation, 100))
            )
            if pieces:
                break
        if not pieces:
            raise InputError(
                "None of the pieces has a melody in 4/4 on the grid of sixteenths with chords; give others."
            )
        fixed = self.batch((held or pieces)[:64], np.random.default_rng(0))

        def data(step: int, share: Any) -> EventBatch:
            rng = np.random.default_rng(step)
            chosen = rng.integers(len(pieces), size=self.batch_size)
            return self.batch([pieces[index] for index in share.of(chosen.tolist())], rng)

        objective = Objective(
            name="events",
            loss=self.loss,
            parameters=self.parameters(),
            optimiser=lambda parameters: torch.optim.Adam(parameters, lr=self.learning_rate, eps=self.epsilon),
            schedule=warmup_cosine(50, self.training_steps) if self.padded_start else lambda step: 1.0,
            clip=5.0,
        )
        return [
            Stage(
                name="melodies",
                steps=self.training_steps,
                data=data,
                objectives=[objective],
                validate=lambda: {"validation_loss": float(self.loss(fixed).value)},
                validate_every=500,
            )
        ]

    def batch(self, pieces: Sequence[Int[np.ndarray, "events 4"]], rng: np.random.Generator) -> EventBatch:
        """A window of each piece, from its beginning or from a place drawn at random."""
        batch = make_windows(
            pieces,
            rng,
            rows=self.rows,
            events=self.window,
            lead=self.network.lead,
            flat=self.network.tiers == 1,
            padded=self.padded_start,
        )
        return batch.to(self.device)

    # Sampling (section IV-D) ------------------------------------------------------------------------------------------

    @torch.inference_mode()
    def go_on(
        self,
        condition: Int[Tensor, "events 4"],
        uniform: Float[Tensor, "written 3"],
        *,
        note_temperature: float = 0.7,
        duration_temperature: float = 0.2,
        bar_temperature: float = 0.1,
    ) -> Int[Tensor, "events 4"]:
        """The published generation: the first events of `condition` are kept, the others written, each under the chord
        that the event of the same number has there. Chord changes move where durations differ; `write` binds by time.

        Args:
            condition: classes of a melody over chords; what it ends with under no chord is left out.
            uniform: draws for note, duration and bar flag of each event written. What is left of the condition beside
                them is kept.
        """
        chords = condition[:, 1]
        real = chords.nonzero().flatten()
        last = int(real[-1]) + 1 if len(real) and int(real[-1]) else len(condition)
        kept = last - len(uniform)
        made = condition[:last].clone()
        following = torch.cat([made[1:, 1], made.new_zeros(1)])
        rows = self.rows(made, following)[None]
        late = self.quirks == "official" and self.network.tiers == 1
        stepper = TierStepper(self.network)
        if self.network.tiers > 1 and kept > self.network.lead:
            for now in range(self.network.lead, kept):
                stepper(rows[:, :now], 0)
        for place, draws in enumerate(uniform, kept):
            passed = elapsed_classes(made[:place, 0].cpu().numpy(), made[:place, 2].cpu().numpy())[-1]
            logits = self.network.heads(stepper(rows[:, :place], int(passed)))
            note = choose(logits.note[:, 0], draws[:1], temperature=note_temperature)
            duration = choose(logits.duration[:, 0], draws[1:2], temperature=duration_temperature)
            bar = choose(logits.bar[:, 0], draws[2:], temperature=bar_temperature)
            heard = place - 1 if late else place
            made[place] = torch.stack([bar[0], chords[place], duration[0], note[0]])
            given = torch.stack([bar[0], chords[heard], duration[0], note[0]])
            rows[:, place] = self.rows(given[None], following[heard][None])[None, 0]
        return made

    @torch.inference_mode()
    def write(
        self,
        chords: Int[np.ndarray, " sixteenths"],
        *,
        generator: torch.Generator,
        note_temperature: float = 0.7,
        duration_temperature: float = 0.4,
        bar_temperature: float = 0.1,
        whole_bars: bool = True,
        progress: Progress | None = None,
    ) -> Int[np.ndarray, "events 4"]:
        """A melody from nothing, each event under the chord that sounds when it begins.

        Args:
            chords: class of the chord at each sixteenth, from a bar line on.
            whole_bars: allow only durations that end at or before the next bar line and change of chord, and set bar
                flags by time. Without, the network's own bars are kept, and what crosses a change of chord is cut there
                and sustained.
        """
        total = len(chords)
        changes = [0, *(np.flatnonzero(np.diff(chords)) + 1).tolist(), total]
        lead = self.network.lead
        first = torch.full((lead,), -1)
        first[-1] = int(chords[0])
        rows = self.rows(torch.full((lead, 4), -1), first)[None].to(self.device)
        stepper, made, time, passed, tail = TierStepper(self.network), [], 0, LONGEST, 0
        allowed_notes = torch.ones(1, self.sizes[3], dtype=torch.bool, device=self.device)
        allowed_notes[:, list(FOREIGN)] = False
        while time < total:
            logits = self.network.heads(stepper(rows, min(passed, LONGEST) - 1))
            draws = torch.rand(3, 1, generator=generator).to(self.device)
            change = next(place for place in changes if place > time)
            limit = min(change, (time // LONGEST + 1) * LONGEST if whole_bars else change) - time
            allowed_notes[:, SUSTAIN] = bool(made)
            note = choose(logits.note[:, 0], draws[0], temperature=note_temperature, allowed=allowed_notes)
            lengths = (torch.arange(self.sizes[2]) < limit).to(self.device)[None] if whole_bars else None
            duration = choose(logits.duration[:, 0], draws[1], temperature=duration_temperature, allowed=lengths)
            bar = choose(logits.bar[:, 0], draws[2], temperature=bar_temperature)
            length, kind, flag = int(duration) + 1, int(note), int(bar)
            if whole_bars:
                flag = int(time % LONGEST == 0)
            elif not made:
                flag = 1
            elif tail:
                length, kind, flag = tail, SUSTAIN, 0
            tail = max(length - limit, 0) if change < total else 0
            length = min(length, limit)
            made.append((flag, int(chords[time]), length - 1, kind))
            passed = (0 if flag else passed) + length
            time += length
            following = int(chords[time]) if time < total else 0
            new = self.rows(torch.tensor([made[-1]]), torch.tensor([following]))[None].to(self.device)
            rows = torch.cat([rows, new], 1)
            if progress is not None:
                progress(time, total)
        return np.array(made, np.int64)

    # Tasks ------------------------------------------------------------------------------------------------------------

    def melodize(
        self,
        chords: Sequence[ChordSpan],
        *,
        key: Key | None = None,
        tempo: float = 100.0,
        metre: tuple[int, int] = METRE,
        seed: int = 0,
        temperature: float = 1.0,
        progress: Progress | None = None,
    ) -> Music:
        """A melody over chords, whose times are quarters from a bar line on; see `tasks.Melodizes`.

        Raises:
            OptionError: the metre is not 4/4, or this size cannot begin from nothing.
            InputError: there are no chords, or more than 512 bars of them.
        """
        if tuple(metre) != METRE:
            raise OptionError(f"CM-HRNN writes in 4/4 only, not in {metre[0]}/{metre[1]}.")
        if not self.padded_start or not self.conditional:
            raise OptionError("This size goes on from given events; make it with padded_start=true, or use 'mini'.")
        quarters = max((span.end for span in chords), default=0.0)
        if not 0 < quarters <= MOST_QUARTERS or all(span.chord.root is None for span in chords):
            raise InputError("There must be at least one chord, and at most 512 bars of them.")
        key = key or key_of_chords(chords)
        plain = to_plain_key(Lead((), tuple(chords), quarters), key)
        made = self.write(
            chord_steps(plain.chords, round(quarters * STEPS)),
            generator=torch.Generator().manual_seed(seed),
            note_temperature=0.8 * temperature,
            duration_temperature=0.5 * temperature,
            progress=progress,
        )
        melody = from_plain_key(join_events(from_classes(made)), key)
        report = {"key": str(key), "metre": "4/4", "tempo": tempo, "events": len(made), "notes": len(melody.melody)}
        return Music(lead_score(melody, tempo=tempo, metre=METRE, shown=chords), report)
