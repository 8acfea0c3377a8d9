"""Music FaderNets: sliders for rhythm, density and arousal (Tan & Herremans 2020, arXiv 2007.15474).

Four beats of piano music become two blocks of latents, one for rhythm and one for note density. The first number of
each block grows with its attribute: a fader. A mixture of two Gaussians, learned from labels of one segment in a
hundred, says what calm and excited music is like; moving from one mean to the other is the arousal slider.
The network (section 3.2) lives two floors below (`nn.fader_network`), segments and events in `representations.segments`
and `representations.performance_events`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from orchestrion.errors import InputError, OptionError, check_choice
from orchestrion.nn.fader_network import FaderNetwork
from orchestrion.nn.mixture_prior import Gaussian
from orchestrion.nn.segment_vae import Rollout
from orchestrion.paradigms import gaussian_mixture_vae as gm
from orchestrion.paradigms.attribute_regularisation import (
    decoded_slope_loss,
    ordering_loss,
    soft_note_density,
    soft_rhythm_density,
    towards_end,
)
from orchestrion.paradigms.autoregressive import next_token_loss
from orchestrion.representations.performance_events import EOS, FIRST, EventVocabulary
from orchestrion.representations.segment_edits import Faded, choose_tracks
from orchestrion.representations.segments import Segment
from orchestrion.systems.card import Card
from orchestrion.systems.registry import register
from orchestrion.systems.system import System
from orchestrion.systems.tasks import Music, Progress
from orchestrion.training.fader_measures import fader_ends, measured, settle_prior
from orchestrion.training.fader_segments import FaderBatch, FaderData, training_segments
from orchestrion.training.schedules import ramp
from orchestrion.training.stage import Loss, Objective, Stage

if TYPE_CHECKING:
    from symusic.core import ScoreTick

    from orchestrion.data.piece import Piece

RHYTHM, NOTES = 0, 1  # blocks, and faders
TOKEN_WEIGHT = 5.0  # of the events' cross-entropy beside those of rhythm and note counts
SLOPE = 0.01  # Δ of GLSR is one to two of these
SLOPE_AFTER = 20  # steps of training
ADVERSARY, ADVERSARY_RISE = 1e-4, 2000  # weight of the discriminators, and the steps it takes to get there


@register("music_fadernets")
class MusicFaderNets(System):
    """Music FaderNets and the baselines of its paper.

    Args:
        family: of the network; see `FaderNetwork`.
        grid: "performance" (steps of 10 ms, velocities; published) or "sixteenths" (no velocities: those of the source
            are kept).
        events: classes of events; those of the grid by default.
        rhythms, counts, keys: classes of rhythm symbols and note counts; length of the key vector.
        hidden, sub_hidden, latent: width of encoders and event decoder, of sub-decoders; dimensions of a block.
        components, prior_scale: of the mixture; the standard deviation of a component.
        spare, spare_keys: build the unused modules of the published class, and with which length of key vector.
        longest: events of a segment, EOS included; segments with more are kept as they are.
        full_share, top_notes: which segments are trained on; see `Segment.is_full`.
        ordered: whether the faders are trained (False: a control).
        beta, beta_offset, beta_rise: of the divergence; see `annealed_beta`.
        segments: most segments that are trained on; they are taken from pieces all over the corpus.
        labels: share of segments whose arousal is known.
        labelled_every: one batch in so many holds labelled segments only.
        batch_size, labelled_batch, training_steps, learning_rate, last_learning_rate: of the training.
        quirks: "none", or "official" for what the published code does otherwise than the paper.
    """

    fader_range: Tensor
    attribute_scale: Tensor

    card: ClassVar[Card] = Card(
        name="music_fadernets",
        title=(
            "Music FaderNets: Controllable Music Generation Based On High-Level Features via Low-Level "
            "Feature Modelling"
        ),
        arxiv="2007.15474",
        tasks=("fade",),
        modalities=("score",),
        licence="Apache-2.0",
        code="https://github.com/gudgud96/music-fader-nets",
        code_licence="none stated",
        weights="https://github.com/gudgud96/music-fader-nets (folder params)",
        weights_licence="none stated",
        claims=(
            "Rhythm and note density grow along a line with their faders, and do not without the regulariser.",
            "One setting of a fader has one outcome, whatever the segment.",
            "Arousal is learned from labels of one segment in a hundred, better than without low-level features.",
            "Moving the latents from low to high arousal raises rhythm density.",
        ),
    )  # fmt: skip
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "mini": {
            "grid": "sixteenths",
            "hidden": 96,
            "sub_hidden": 32,
            "latent": 16,
            "prior_scale": 0.35,
            "spare": False,
            "longest": 64,
            "full_share": 0.5,
            "top_notes": 0,
            "segments": 20_000,
            "beta": 0.02,
            "beta_offset": 100,
            "beta_rise": 200,
            "labelled_every": 26,
            "batch_size": 32,
            "labelled_batch": 32,
            "training_steps": 4000,
            "learning_rate": 4e-3,
            "last_learning_rate": 3e-4,
        },
        "paper": {},
        "vanilla": {"family": "vae"},
        "glsr": {"family": "glsr"},
        "single_vae": {"family": "single"},
        "single_gmvae": {"family": "single_gmvae", "prior_scale": math.exp(-1)},
        "cvae": {"family": "cvae"},
        "fader_networks": {"family": "fader"},
    }

    def __init__(
        self,
        *,
        family: str = "gmvae",
        grid: str = "performance",
        events: int | None = None,
        rhythms: int = 3,
        counts: int = 16,
        keys: int = 24,
        hidden: int = 512,
        sub_hidden: int | None = None,
        latent: int = 128,
        components: int = 2,
        prior_scale: float = math.exp(-2),
        spare: bool = True,
        spare_keys: int | None = None,
        longest: int = 100,
        full_share: float = 0.75,
        top_notes: int = 2,
        ordered: bool = True,
        beta: float = 0.2,
        beta_offset: int = 10_000,
        beta_rise: int = 10_000,
        segments: int = 200_000,
        labels: float = 0.01,
        labelled_every: int = 26,
        batch_size: int = 128,
        labelled_batch: int = 32,
        training_steps: int = 33_000,
        learning_rate: float = 1e-3,
        last_learning_rate: float = 1e-3,
        quirks: str = "none",
    ) -> None:
        super().__init__()
        check_choice("quirks", quirks, "none", "official")
        check_choice("grid", grid, "performance", "sixteenths")
        self.family, self.grid, self.quirks, self.longest = family, grid, quirks, longest
        self.vocabulary = EventVocabulary() if grid == "performance" else EventVocabulary(shifts=16, velocities=0)
        self.full_share, self.top_notes, self.ordered = full_share, top_notes, ordered
        self.beta, self.beta_offset, self.beta_rise = beta, beta_offset, beta_rise
        self.segments, self.labels, self.labelled_every = segments, labels, labelled_every
        self.batch_size, self.labelled_batch, self.training_steps = batch_size, labelled_batch, training_steps
        self.learning_rate, self.last_learning_rate = learning_rate, last_learning_rate
        self.network = FaderNetwork(
            family=family,
            events=events or len(self.vocabulary),
            rhythms=rhythms,
            counts=counts,
            keys=keys,
            hidden=hidden,
            sub_hidden=sub_hidden or hidden,
            latent=latent,
            components=components,
            prior_scale=prior_scale,
            spare=spare,
            spare_keys=spare_keys,
        )
        self.register_buffer("fader_range", torch.tensor([[-1.0, 1.0], [-1.0, 1.0]]))
        self.register_buffer("attribute_scale", torch.ones(2))

    # Objective (section 3.3) ------------------------------------------------------------------------------------------

    def loss(self, batch: FaderBatch, noise: Sequence[Tensor] | None = None) -> Loss:
        """Reconstruction, divergence from the prior, order of the faders, and labels where the batch has them.

        Args:
            noise: standard normal numbers for each block, [batch, dim]; drawn where there are none.
        """
        network = self.network
        latents = network.encode(batch.events, batch.densities)
        noise = [torch.randn_like(one.mean) for one in latents] if noise is None else noise
        z = [one.sample(drawn) for one, drawn in zip(latents, noise, strict=True)]
        given = network.gather(z, batch.key, batch.densities)
        logits = network.decoder(batch.events, given)
        events = next_token_loss(logits, batch.events)  # PAD counts, as published: it is what stands after EOS
        parts = {"events": float(events.detach())}
        total = events * (1.0 if self.family in ("cvae", "fader") else TOKEN_WEIGHT)
        if network.two_blocks:
            for name, one in zip(("rhythm", "notes"), self.symbol_losses(batch, z), strict=True):
                total, parts[name] = total + one, float(one.detach())
        beta = self.annealed(batch.step)
        divergence = self.divergence(latents, z, batch.labels)
        total, parts["divergence"] = total + beta * divergence, float(divergence.detach())
        for name, one in self.regularisers(batch, z, given).items():
            total, parts[name] = total + one, float(one.detach())
        return Loss(total, len(batch.events), parts)

    def symbol_losses(self, batch: FaderBatch, z: Sequence[Tensor]) -> list[Tensor]:
        """Cross-entropies of rhythm and note counts, told by the sub-decoders from their blocks.

        With `quirks="official"` a step is given the symbol that it must say, and the softmax goes over time.
        """
        found = []
        official = self.quirks == "official"
        for decoder, symbols, one in zip(self.network.sub_decoders, (batch.rhythm, batch.counts), z, strict=True):
            logits = decoder(symbols, one, shifted=not official)
            log_probs = logits.log_softmax(1 if official else -1)
            found.append(functional.nll_loss(log_probs.flatten(0, 1), symbols.flatten()))
        return found

    def annealed(self, step: int) -> float:
        """β at a step. The published code of "single" has it constant, which `quirks="official"` keeps."""
        if self.quirks == "official" and self.family == "single":
            return self.beta
        return gm.annealed_beta(step, beta=self.beta, offset=self.beta_offset, rise=self.beta_rise, quirks=self.quirks)

    def divergence(self, latents: Sequence[Gaussian], z: Sequence[Tensor], labels: Tensor | None) -> Tensor:
        """KL from the prior over all blocks; with a mixture, over components that labels choose or that z suggests."""
        if self.network.mixed:
            return gm.mixture_divergence(latents, z, self.network.mixtures, labels, quirks=self.quirks)
        return gm.normal_divergence(latents)

    def regularisers(self, batch: FaderBatch, z: Sequence[Tensor], given: Tensor) -> dict[str, Tensor]:
        """What orders the faders, keeps densities out of the latent, or learns from labels, by family."""
        found: dict[str, Tensor] = {}
        if self.family in ("gmvae", "vae", "single") and self.ordered:
            places = [z[0][:, 0], z[0][:, 1]] if self.family == "single" else [one[:, 0] for one in z]
            names = ("order, rhythm", "order, notes")
            for name, place, attribute in zip(names, places, batch.densities.T, strict=True):
                found[name] = ordering_loss(place, attribute)
        if self.family == "glsr" and self.ordered and batch.step > SLOPE_AFTER:
            found |= self.slope_losses(batch.events, given)
        if self.family == "fader":
            weight = min(batch.step / ADVERSARY_RISE * ADVERSARY, ADVERSARY)
            names = ("adversary, rhythm", "adversary, notes")
            for name, read, attribute in zip(names, self.network.discriminate(z[0]), batch.densities.T, strict=True):
                found[name] = weight * functional.mse_loss(read[:, 0], attribute)
        if self.network.mixed and batch.labels is not None:
            losses = [
                gm.label_loss(logits, batch.labels, quirks=self.quirks) for logits in self.network.component_logits(z)
            ]
            found["labels"] = torch.stack(losses).sum()
        return found

    def slope_losses(self, events: Int[Tensor, "batch time"], given: Float[Tensor, "batch total"]) -> dict[str, Tensor]:
        """GLSR: the slope of densities, estimated from what is decoded on both sides of a fader after true events."""
        ons = slice(FIRST, self.vocabulary.note_offs)
        separators = slice(self.vocabulary.first_shift + 2, self.vocabulary.first_velocity)

        def rhythm(moved: Tensor) -> Tensor:
            return soft_rhythm_density(self.network.decoder(events, moved), ons, separators, quirks=self.quirks)

        def notes(moved: Tensor) -> Tensor:
            return soft_note_density(self.network.decoder(events, moved), ons)

        found = {}
        for name, block, density in (("slope, rhythm", RHYTHM, rhythm), ("slope, notes", NOTES, notes)):
            delta = (1 + torch.rand(len(given), device=given.device)) * SLOPE
            found[name] = decoded_slope_loss(density, given, delta, place=block * self.network.latent)
        return found

    # Training (section 4.1) -------------------------------------------------------------------------------------------

    def stages(self, train: Sequence[Piece], validation: Sequence[Piece]) -> list[Stage]:
        """One stage: batches without labels, and one in `labelled_every` of labelled segments.

        Pieces whose tags say "arousal" ("high" or "low") give labels; where none does, a stand-in is read from the
        densities (see `training.fader_segments`), and revealed for a share of `labels` of the segments.

        Raises:
            InputError: no segment can be trained on.
        """
        data, held_out = self.data(train), self.data(validation, most=600)
        if not len(data):
            raise InputError("No piece has a segment of four beats that can be trained on; give other pieces.")

        def validate() -> dict[str, float]:
            return measured(self.network, held_out if len(held_out) else data)

        objective = Objective(
            name="vae",
            loss=self.loss,
            parameters=[value for name, value in self.named_parameters() if ".spare." not in name],
            optimiser=lambda parameters: torch.optim.Adam(parameters, lr=self.learning_rate),
            schedule=ramp(1.0, self.last_learning_rate / self.learning_rate, self.training_steps, logarithmic=True),
        )
        return [
            Stage(
                name="vae",
                steps=self.training_steps,
                data=data.batch,
                objectives=[objective],
                validate=validate,
                validate_every=500,
                start=lambda: self.measure_scale(data),
                end=lambda: self.finish(data),
            )
        ]

    def data(self, pieces: Sequence[Piece], *, most: int | None = None) -> FaderData:
        """Segments of pieces as arrays; at most so many."""
        segments = training_segments(
            pieces,
            share=self.full_share,
            top_notes=self.top_notes,
            most=most or self.segments,
            longest=self.longest,
            ids=self.ids,
            timed=self.grid == "performance",
        )
        return FaderData(
            segments,
            batch_size=self.batch_size,
            labelled_batch=self.labelled_batch,
            labelled_every=self.labelled_every if self.network.mixed else 0,
            labels=self.labels,
            longest=self.longest,
            device=lambda: self.device,
        )

    def ids(self, segment: Segment) -> list[int]:
        """Events of a segment, EOS at the end."""
        notes = segment.notes if self.grid == "sixteenths" else segment.timed
        return [*self.vocabulary.encode(notes), EOS]

    def measure_scale(self, data: FaderData) -> None:
        """Sets the deviations of the densities over the training segments, by which those of music are divided."""
        self.attribute_scale.copy_(data.scale)

    def finish(self, data: FaderData) -> None:
        """What is set from whole data when training ends: the prior's means and the ends of the faders."""
        if self.network.mixed and self.quirks != "official":
            settle_prior(self.network, data)
        self.fader_range.copy_(fader_ends(self.network, data))

    # Sampling: faders (section 4.2) and arousal (section 5) -----------------------------------------------------------

    def move(
        self, z: Sequence[Tensor], *, rhythm: float = 0.0, density: float = 0.0, arousal: float = 0.0
    ) -> list[Tensor]:
        """Latents with sliders moved; each slider lies in [−1, 1] and 0 leaves all as it is.

        Arousal adds that share of the way from the mean of low arousal to that of high arousal to both blocks. A fader
        goes that share of the way to the end of its range.

        Raises:
            OptionError: the family has no such slider.
        """
        if arousal and not self.network.mixed:
            raise OptionError(f"The family {self.family!r} has learned no arousal; use 'gmvae'.")
        if (rhythm or density) and self.family not in ("gmvae", "vae", "glsr", "single"):
            raise OptionError(f"The family {self.family!r} has no faders in its latents; use 'gmvae'.")
        moved = [one.clone() for one in z]
        if arousal:
            for one, prior in zip(moved, self.network.mixtures, strict=True):
                one += arousal * (prior.mean[1] - prior.mean[0])
        for block, value in ((RHYTHM, rhythm), (NOTES, density)):
            held, place = (moved[0], block) if not self.network.two_blocks else (moved[block], 0)
            held[:, place] = towards_end(held[:, place], value, self.fader_range[block])
        return moved

    @torch.inference_mode()
    def write(
        self,
        z: Sequence[Tensor],
        key: Tensor,
        *,
        generator: torch.Generator | None = None,
        temperature: float = 0.0,
    ) -> Rollout:
        """Events of segments from latents: the most probable ones, or drawn at a temperature."""

        def draw(logits: Tensor) -> Tensor:
            return torch.multinomial((logits / temperature).softmax(-1), 1, generator=generator)[:, 0]

        given = self.network.gather(list(z), key)
        return self.network.decoder.roll_out(
            given, steps=self.longest, end=EOS, choose=draw if temperature > 0 else None
        )

    # Tasks ------------------------------------------------------------------------------------------------------------

    @torch.inference_mode()
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
        """The score with some tracks written anew, segment by segment, with the sliders moved.

        Segments that are silent, or longer than the network reads, are kept note for note, and so are other tracks,
        metre and tempo. With all sliders at 0 the segments are what the network makes of them.

        Args:
            tracks: names or numbers (from 1); by default all keyboard tracks, or the pitched track with most notes.

        Raises:
            OptionError: there is no such track, or the family has no such slider.
        """
        chosen = choose_tracks(score, tracks)
        faded = Faded.from_score(score, chosen, self.vocabulary, self.grid)
        known = [segment for segment in faded.segments if len(self.ids(segment)) <= self.longest]
        generator = torch.Generator(device="cpu").manual_seed(seed)
        done = 0
        for start in range(0, len(known), 128):
            part = known[start : start + 128]
            batch = FaderBatch.from_segments(part, [self.ids(one) for one in part], device=self.device)
            latents = self.network.encode(batch.events, batch.densities)
            z = [one.sample(torch.randn(one.mean.shape, generator=generator).to(self.device)) for one in latents]
            z = self.move(z, rhythm=rhythm, density=density, arousal=arousal)
            ids = self.write(z, batch.key, generator=generator, temperature=temperature).ids
            for segment, row in zip(part, ids.tolist(), strict=True):
                faded.replace(segment, row)
            done += len(part)
            if progress is not None:
                progress(done, len(known))
        sliders = {"rhythm": rhythm, "density": density, "arousal": arousal}
        return Music(faded.score(), {**faded.report(), "sliders": sliders})
