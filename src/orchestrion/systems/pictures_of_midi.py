"""Pictures of MIDI (Hawley 2024, arXiv 2407.01499): diffusion paints notes on a piano roll where a mask is white.

A piano roll is a picture, time to the right, notes in green that begin in red. An hourglass transformer (Crowson et al.
2024, HDiT, arXiv 2401.11605) learns to take noise from such pictures, with no condition at all. What is known is put
back at every noise level while the rest is made, and each step is done several times (RePaint), which makes more notes.
`paper` is the released network; `mini` ships with its weights and paints eight bars of five octaves at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from orchestrion.data.piece import Piece
from orchestrion.errors import InputError, OptionError, check_choice
from orchestrion.media.score import named_tracks
from orchestrion.nn.hourglass_transformer import HourglassTransformer, PictureCondition
from orchestrion.paradigms import noise_levels
from orchestrion.paradigms.edm import Edm
from orchestrion.representations.paint_masks import PITCHES
from orchestrion.representations.painting import Canvas, Window, bar_mask, piece_columns
from orchestrion.representations.roll_picture import note_onsets, read_notes, stack, unstack
from orchestrion.systems.card import Card
from orchestrion.systems.registry import register
from orchestrion.systems.system import System
from orchestrion.systems.tasks import Music, Progress
from orchestrion.training.roll_crops import RollCrops, to_pictures, to_tensor
from orchestrion.training.stage import Loss, Objective, Share, Stage

if TYPE_CHECKING:
    from symusic.core import ScoreTick

DENSITIES = {
    name: getattr(noise_levels, name)
    for name in (
        "log_normal", "log_logistic", "log_uniform", "v_diffusion", "split_log_normal", "cosine_interpolated",
    )
}  # fmt: skip
MOST_REPEATS, MOST_CANDIDATES, MOST_STEPS = 20, 64, 1000
HELD_OUT = 128  # pieces
MOST_PIECES = 4096


@register("pictures_of_midi")
class PicturesOfMidi(System):
    """The network with its pictures, objective, sampling and tasks.

    Args:
        lowest, pitches, columns, columns_per_quarter: of the pictures.
        stacked: whether the right half of a picture lies below the left one, mirrored, so that the network sees a
            square.
        channels, patch_size, widths, depths, feed_forwards, attentions, head_dims, windows, dropouts, mapping_width,
            mapping_depth, mapping_feed_forward, mapping_dropout, num_classes, condition_width: of the network.
        sigma_data, weighting, loss_scales, density, density_options: of the objective; `density` names a function of
            `noise_levels` and `density_options` are its arguments, those for the size of the pictures by default.
        augment_share: of k-diffusion's configurations; only 0 can be trained.
        sigma_min, sigma_max, sampler, sampling_steps, repaint: of sampling, `repaint` being how often a step is done.
        transpose, tracks: of training crops; see `RollCrops`.
        batch_size, training_steps, learning_rate, weight_decay, ema, precision: of the training.
        quirks: "none"; "official" takes published configurations, whose pictures are made and read as their code does
            (see `roll_picture`).
    """

    card: ClassVar[Card] = Card(
        name="pictures_of_midi",
        title=(
            "Pictures Of MIDI: Controlled Music Generation via Graphical Prompts for Image-Based Diffusion Inpainting"
        ),
        arxiv="2407.01499",
        tasks=("continue_", "infill", "paint"),
        modalities=("score", "picture"),
        licence="Apache-2.0",
        code="https://github.com/crowsonkb/k-diffusion",
        code_licence="MIT",
        weights="spaces/drscotthawley/PicturesOfMIDI",
        weights_licence="MIT",
        claims=(
            "Doing each step four times makes the masked region denser, by a factor of 1.3 or more.",
            "What is painted shares its pitch classes with what is known around it, more than independent samples do, "
            "by 0.1 of overlap or more.",
            "In rising and falling masks the mean pitch of what is painted follows: Spearman's ρ is 0.5 or more, with "
            "the right sign.",
            "Of many candidates, the one at a higher percentile has more notes.",
        ),
    )
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "mini": {
            "lowest": 36,
            "pitches": 64,
            "columns": 128,
            "stacked": False,
            "widths": (64, 128),
            "depths": (1, 3),
            "feed_forwards": (192, 384),
            "attentions": ("shifted_window", "global"),
            "head_dims": (32, 32),
            "windows": (8, 0),
            "dropouts": (0.0, 0.0),
            "mapping_width": 64,
            "mapping_depth": 1,
            "mapping_feed_forward": 192,
            "sigma_max": 20.0,
            "sampler": "dpmpp_2m",
            "sampling_steps": 30,
            "transpose": 5,
            "tracks": "two",
            "batch_size": 16,
            "training_steps": 8000,
            "learning_rate": 1e-3,
            "ema": 0.999,
            "precision": "bfloat16",
        },
        "paper": {},
    }

    def __init__(
        self,
        *,
        lowest: int = 0,
        pitches: int = 128,
        columns: int = 512,
        columns_per_quarter: int = 4,
        stacked: bool = True,
        channels: int = 3,
        patch_size: Sequence[int] = (4, 4),
        widths: Sequence[int] = (128, 256, 512),
        depths: Sequence[int] = (2, 2, 4),
        feed_forwards: Sequence[int] = (384, 768, 1536),
        attentions: Sequence[str] = ("neighborhood", "neighborhood", "global"),
        head_dims: Sequence[int] = (64, 64, 64),
        windows: Sequence[int] = (7, 7, 0),
        dropouts: Sequence[float] = (0.0, 0.0, 0.1),
        mapping_width: int = 256,
        mapping_depth: int = 2,
        mapping_feed_forward: int = 768,
        mapping_dropout: float = 0.0,
        num_classes: int = 0,
        condition_width: int = 0,
        sigma_data: float = 0.5,
        weighting: str = "soft_min_snr",
        loss_scales: float = 1,
        density: str = "cosine_interpolated",
        density_options: Mapping[str, float] | None = None,
        augment_share: float = 0.0,
        sigma_min: float = 0.01,
        sigma_max: float = 160.0,
        sampler: str = "dpmpp_2m_sde",
        sampling_steps: int = 50,
        repaint: int = 2,
        transpose: int = 12,
        tracks: str = "two",
        batch_size: int = 32,
        training_steps: int = 130_000,
        learning_rate: float = 5e-4,
        weight_decay: float = 1e-3,
        ema: float = 0.9999,
        precision: str = "float32",
        quirks: str = "none",
    ) -> None:
        super().__init__()
        check_choice("quirks", quirks, "none", "official")
        check_choice("tracks", tracks, "all", "two")
        check_choice("density", density, *DENSITIES)
        if lowest < 0 or pitches < 1 or lowest + pitches > PITCHES:
            raise OptionError(f"Pitches {lowest} to {lowest + pitches - 1} are not all within 0 to {PITCHES - 1}.")
        self.lowest, self.pitches, self.columns, self.stacked = lowest, pitches, columns, stacked
        self.columns_per_quarter, self.channels, self.quirks = columns_per_quarter, channels, quirks
        self.sampler, self.sampling_steps, self.repaint = sampler, sampling_steps, repaint
        self.transpose, self.tracks, self.augment_share = transpose, tracks, augment_share
        self.batch_size, self.training_steps, self.precision = batch_size, training_steps, precision
        self.learning_rate, self.weight_decay, self.ema = learning_rate, weight_decay, ema
        try:
            self.network = HourglassTransformer(
                channels=channels,
                patch_size=patch_size,
                widths=widths,
                depths=depths,
                feed_forwards=feed_forwards,
                attentions=attentions,
                head_dims=head_dims,
                windows=windows,
                dropouts=dropouts,
                mapping_width=mapping_width,
                mapping_depth=mapping_depth,
                mapping_feed_forward=mapping_feed_forward,
                mapping_dropout=mapping_dropout,
                num_classes=num_classes,
                condition_width=condition_width,
            )
        except ValueError as error:
            raise OptionError(f"There is no such network: {error}.") from error
        if density_options is None and density == "cosine_interpolated":
            side = max(self.size)
            density_options = {"image_d": side, "noise_d_low": 32, "noise_d_high": side}
        sides = ("image_d", "noise_d_low", "noise_d_high")
        options = {name: value if name in sides else float(value) for name, value in (density_options or {}).items()}
        if density in ("cosine_interpolated", "v_diffusion"):
            options = {"sigma_data": float(sigma_data), **options}
        self.edm = Edm(
            sigma_data=float(sigma_data),
            levels=partial(DENSITIES[density], **options),
            stratified=True,
            weighting=weighting,
            loss_scales=float(loss_scales),
            sigma_min=float(sigma_min),
            sigma_max=float(sigma_max),
        )

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of what the network sees."""
        return (2 * self.pitches, self.columns // 2) if self.stacked else (self.pitches, self.columns)

    # Objective (section 3) --------------------------------------------------------------------------------------------

    def loss(self, x: Float[Tensor, "batch channels height width"], condition: PictureCondition | None = None) -> Loss:
        """The weighted error of the denoised picture at drawn noise levels, stratified over the batch."""
        return Loss(self.edm.loss(self.network, x, condition), len(x))

    # Training ---------------------------------------------------------------------------------------------------------

    def stages(self, train: Sequence[Piece], validation: Sequence[Piece]) -> list[Stage]:
        """One stage: AdamW at a constant rate, and an average of the weights.

        Raises:
            OptionError: the network is told something, or learns from changed pictures.
            InputError: no piece has notes.
        """
        if self.network.classes is not None or self.network.vector_in is not None or self.augment_share:
            raise OptionError("Training is for networks without conditions and augmentations; make one without.")
        crops, held_out = self.crops(train[:MOST_PIECES]), self.crops(validation[:HELD_OUT])
        if not len(crops):
            raise InputError("No piece of the corpus has notes; give another corpus.")

        def data(step: int, share: Share) -> Tensor:
            epoch, place = divmod(step * self.batch_size, len(crops))
            order = np.random.default_rng(epoch).permutation(len(crops))
            chosen = share.of([int(order[(place + n) % len(crops)]) for n in range(self.batch_size)])
            rng = np.random.default_rng(int(torch.randint(2**62, ())))
            return crops.batch(chosen, rng, stacked=self.stacked).to(self.device)

        def validate() -> dict[str, float]:
            if not len(held_out):
                return {}
            x = held_out.batch(range(len(held_out)), np.random.default_rng(0), stacked=self.stacked).to(self.device)
            generator = torch.Generator().manual_seed(0)
            losses = [self.edm.loss(self.network, part, generator=generator) * len(part) for part in x.split(32)]
            return {"loss": float(torch.stack(losses).sum().detach()) / len(x)}

        objective = Objective(
            "denoising",
            self.loss,
            self.network.parameters(),
            lambda parameters: torch.optim.AdamW(
                self.network.parameter_groups(learning_rate=self.learning_rate),
                betas=(0.9, 0.95),
                eps=1e-8,
                weight_decay=self.weight_decay,
            ),
            clip=None,
        )
        return [
            Stage(
                "denoising",
                self.training_steps,
                data,
                [objective],
                validate=validate,
                validate_every=250,
                ema=self.ema,
                precision=self.precision,
            )
        ]

    def crops(self, pieces: Sequence[Piece]) -> RollCrops:
        """Training pictures of pieces."""
        return RollCrops(
            pieces,
            columns=self.columns,
            columns_per_quarter=self.columns_per_quarter,
            lowest=self.lowest,
            pitches=self.pitches,
            transpose=self.transpose,
            tracks=self.tracks,
        )

    # Sampling (section 4) ---------------------------------------------------------------------------------------------

    @torch.no_grad()
    def sample(
        self,
        known: np.ndarray | None = None,
        mask: Float[np.ndarray, "rows columns"] | None = None,
        *,
        n: int = 1,
        steps: int | None = None,
        repaint: int | None = None,
        generator: torch.Generator | None = None,
        progress: Progress | None = None,
    ) -> np.ndarray:
        """Pictures, uint8 [n, pitches, columns, 3].

        Args:
            known: a picture, uint8 [pitches, columns, 3], or n of them.
            mask: soft, as of `paint_masks`: 0 free, above 1 kept.

        Raises:
            OptionError: `steps` or `repaint` is out of range, or the network is told something.
        """
        repaint = self.repaint if repaint is None else repaint
        steps = self.sampling_steps if steps is None else steps
        for name, value, most in (("repaint", repaint, MOST_REPEATS), ("steps", steps, MOST_STEPS)):
            if not 1 <= value <= most:
                raise OptionError(f"{name} is {value}; give a number from 1 to {most}.")
        if self.network.classes is not None or self.network.vector_in is not None or self.channels != 3:
            raise OptionError("Only networks of colour pictures that are told nothing can paint; load another.")
        shape = (n, self.channels, *self.size)
        held = soft = None
        if known is not None and mask is not None:
            pictures = known[None] if known.ndim == 3 else known
            if self.stacked:
                pictures, mask = np.stack([stack(one) for one in pictures]), stack(mask)
            held = to_tensor(pictures).to(self.device).expand(shape)
            soft = torch.from_numpy(np.ascontiguousarray(mask)).to(self.device, torch.float32)[None, None]
        made = self.edm.sample(
            self.network,
            shape,
            steps=steps,
            sampler=self.sampler,
            repaint=repaint,
            known=held,
            soft=soft,
            generator=generator,
            progress=progress,
            device=self.device,
        )
        pictures = to_pictures(made)
        return np.stack([unstack(one) for one in pictures]) if self.stacked else pictures

    def onsets(self, pictures: np.ndarray, mask: Float[np.ndarray, "rows columns"]) -> list[int]:
        """How many notes begin in the free part of each picture."""
        counts = []
        for picture in pictures:
            begun = note_onsets(
                read_notes(picture, lowest=self.lowest), self.columns, lowest=self.lowest, pitches=self.pitches
            )
            counts.append(int((begun & (mask <= 1)).sum()))
        return counts

    # Tasks ------------------------------------------------------------------------------------------------------------

    def paint(
        self,
        score: ScoreTick,
        *,
        mask: Any,
        repaint: int | None = None,
        candidates: int = 1,
        busy: float = 100.0,
        steps: int | None = None,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Music:
        """The score with a track of what was painted where the mask is free. All notes that begin elsewhere are kept.

        Args:
            mask: [pitches, columns] over the whole piece, of any size, the highest pitch on top: True where music shall
                appear, or from which share of the steps on a place is free (see `paint_masks`).
            repaint: how often each step is done; more makes more notes.
            candidates, busy: of so many pictures, the one is taken that has more notes than `busy` percent of them.

        Raises:
            OptionError: the mask or a number is out of range.
            InputError: the piece is too long.
        """
        canvas = self._canvas(score, mask)
        self._paint(canvas, repaint, candidates, busy, steps, seed, progress)
        return Music(canvas.finish(), self._report(canvas, repaint))

    def continue_(
        self,
        score: ScoreTick,
        *,
        bars: int,
        seed: int = 0,
        temperature: float = 1.0,
        repaint: int | None = None,
        progress: Progress | None = None,
    ) -> Music:
        """The score with `bars` more: the right part of the picture is painted, each note goes to the track whose mean
        pitch is nearest.

        Raises:
            OptionError, InputError: as `paint`, or another temperature than 1.
        """
        self._plain(temperature)
        if bars < 1:
            raise OptionError(f"bars is {bars}; at least 1 must be added.")
        before = piece_columns(score, self.columns_per_quarter)
        columns = piece_columns(score, self.columns_per_quarter, more_bars=bars)
        mask = np.zeros((PITCHES, columns), dtype=bool)
        mask[:, before:] = True
        canvas = self._canvas(score, mask, columns=columns)
        self._paint(canvas, repaint, 1, 100.0, None, seed, progress)
        return Music(canvas.finish(spread=True), self._report(canvas, repaint))

    def infill(
        self,
        score: ScoreTick,
        *,
        bars: tuple[int, int],
        tracks: Sequence[str] = (),
        seed: int = 0,
        temperature: float = 1.0,
        repaint: int | None = None,
        progress: Progress | None = None,
    ) -> Music:
        """The score with the bars [first, last), counted from 0, painted anew in the tracks named, or in all.

        Raises:
            OptionError, InputError: as `paint`, another temperature than 1, or no such bars or tracks.
        """
        self._plain(temperature)
        columns = piece_columns(score, self.columns_per_quarter)
        mask = bar_mask(score, bars, columns, self.columns_per_quarter)
        if not mask.any():
            raise OptionError(f"Bars {bars[0] + 1} to {bars[1]} are not in the piece; name bars that it has.")
        named = named_tracks(score, tracks)
        canvas = self._canvas(score, mask, tracks=named or None)
        self._paint(canvas, repaint, 1, 100.0, None, seed, progress)
        return Music(canvas.finish(spread=True, tracks=named or None), self._report(canvas, repaint))

    def _canvas(self, score: ScoreTick, mask: Any, **options: Any) -> Canvas:
        return Canvas.open(
            score,
            np.asarray(mask),
            lowest=self.lowest,
            pitches=self.pitches,
            columns_per_quarter=self.columns_per_quarter,
            **options,
        )

    def _paint(
        self,
        canvas: Canvas,
        repaint: int | None,
        candidates: int,
        busy: float,
        steps: int | None,
        seed: int,
        progress: Progress | None,
    ) -> None:
        """Window by window; each sees what was painted before."""
        if not 1 <= candidates <= MOST_CANDIDATES or not 0 <= busy <= 100:
            raise OptionError(
                f"{candidates} candidates at {busy:g} percent cannot be chosen from; give 1 to {MOST_CANDIDATES} and "
                "0 to 100."
            )
        generator = torch.Generator().manual_seed(seed)
        for window in canvas.windows(self.columns):
            pictures = self.sample(
                canvas.picture(window),
                window.mask,
                n=candidates,
                steps=steps,
                repaint=repaint,
                generator=generator,
                progress=progress,
            )
            canvas.add(canvas.new_notes(window, pictures[self._choose(pictures, window, busy)]))

    def _choose(self, pictures: np.ndarray, window: Window, busy: float) -> int:
        """The candidate whose number of notes is at a percentile."""
        order = np.argsort(self.onsets(pictures, window.mask), kind="stable")
        return int(order[round(busy / 100 * (len(order) - 1))])

    def _report(self, canvas: Canvas, repaint: int | None) -> dict[str, Any]:
        return {
            "painted": len(canvas.painted),
            "removed": canvas.removed,
            "repaint": self.repaint if repaint is None else repaint,
            "pitches": [self.lowest, self.lowest + self.pitches - 1],
        }

    @staticmethod
    def _plain(temperature: float) -> None:
        if temperature != 1.0:
            raise OptionError("This system has no temperature; leave it at 1, or say how often a step is repainted.")
