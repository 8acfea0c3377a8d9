"""CLMR: contrastive learning of musical representations (Spijkervet & Burgoyne, ISMIR 2021, arXiv 2103.09410).

Two windows of one song, each changed by a chain of augmentations, go through a SampleCNN and a projector; NT-Xent pulls
them together and pushes other songs away. What serves afterwards is the output of the encoder, not of the projector.

Preset `paper` is the recipe of the paper's own code ("v1"): all clips of a song are one item, so that they are never
negatives of each other, and views may be minutes apart. `v2` is the authors' later rewrite, which made the checkpoints
of its release: every clip is an item, and the projection has 64 numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from orchestrion.data.audio_factory import AudioFactory, choose_pieces
from orchestrion.data.augment.chain import Chain
from orchestrion.data.augment.clmr import clmr_chain
from orchestrion.data.embeddings import Embeddings
from orchestrion.data.piece import Piece
from orchestrion.data.song_crops import Clip, HeldClip, SongCrops, grouped, recorded
from orchestrion.errors import InputError, OptionError, check_choice
from orchestrion.evaluation.views import view_figures
from orchestrion.media.audio import Audio
from orchestrion.media.audio_windows import audio_windows
from orchestrion.nn.sample_cnn import Projector, SampleCnn
from orchestrion.nn.sample_cnn_inference import FoldedSampleCnn
from orchestrion.paradigms.contrastive import nt_xent
from orchestrion.systems.card import Card
from orchestrion.systems.registry import register
from orchestrion.systems.system import System
from orchestrion.systems.tasks import Progress
from orchestrion.training.lars import Lars
from orchestrion.training.processes import gather_with_gradient
from orchestrion.training.schedules import warmup_constant, warmup_cosine
from orchestrion.training.stage import Loss, Objective, Share, Stage

STRIDES = (3,) * 9
CHANNELS = (128, 128, 128, 256, 256, 256, 256, 256, 256, 512, 512)
PROGRAMS = (0, 4, 6, 11, 13, 16, 19, 21, 24, 27, 29, 40, 42, 48, 45, 56, 58, 60, 65, 68, 71, 73, 75, 79)
"""Three of each of eight families: what pieces without a recording are played with."""
PIECES = 400  # of those, at most
VALIDATION_SONGS = 96
VALIDATION_EVERY = 100


def factory(pieces: Sequence[Piece], *, rate: int, seconds: float, seed: int = 0) -> AudioFactory:
    """Pieces played by one to four of 24 instruments, at varying levels and in varying rooms."""
    return AudioFactory(
        pieces, rate=rate, seconds=seconds, channels=1, seed=seed, programs=PROGRAMS, parts=(1, 4), drums=False,
        velocity=(0.7, 1.2), balance_db=3.0, room=(0.0, 0.25), level_db=(-12.0, -1.0),
    )  # fmt: skip


@register("clmr")
class CLMR(System):
    """SampleCNN, projector, and how both learn.

    Args:
        rate: Hz of the waveforms.
        strides, channels: of the encoder; see `SampleCnn`. 3 × the product of the strides is the length of a window,
            where that leaves one frame.
        projection: size of what the loss compares; None: no projector, for the supervised baseline.
        projector_layers: linear layers of the projector.
        normalise: projections have length 1, as the paper's code makes them; the loss is the same either way.
        tags: size of a linear head on the encoder, for the supervised baseline; None: no head.
        dropout: before that head.
        channels_last: of the encoder; see there.
        kaiming: first weights of the convolutions as the paper's code draws them.
        temperature: τ of NT-Xent.
        version: "v1" or "v2": whose augmentations, learning rate of LARS, and optimiser of the supervised baseline.
        by_song: whether an item is a song (all clips whose names say so), or a clip.
        batch_size: items in a batch.
        epochs: visits of each item, where `training_steps` does not say how long to train.
        training_steps: steps, whatever the number of items.
        optimiser: "adam" or "lars".
        learning_rate: of Adam, constant; LARS has its own rule.
        weight_decay: of LARS.
        clip_seconds: length of clips that are rendered of pieces without a recording.
        clip_parts: into so many clips each of these is cut.
        precision: of the training, "float32" or "bfloat16".
        quirks: "none", or "official" for LARS as the published code has it.
    """

    card: ClassVar[Card] = Card(
        name="clmr",
        title="Contrastive Learning of Musical Representations",
        arxiv="2103.09410",
        tasks=("embed",),
        modalities=("audio", "vectors"),
        licence="Apache-2.0",
        code="https://github.com/Spijkervet/CLMR",
        code_licence="Apache-2.0",
        claims=(
            "A linear probe on the contrastive encoder beats one on a random encoder by 10 points of PR-AUC or more.",
            "With labels of 5 % of the pieces it beats training the same network from scratch by 3 points or more.",
            "With all labels it is within 6 points of training from scratch, or above.",
            "Cropping and filtering make better views than cropping alone.",
            "Views that are drawn from the whole piece are no worse than views from one clip of it.",
        ),
    )
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "mini": {
            "rate": 16000,
            "strides": (3,) * 8,
            "channels": (24, 32, 48, 64, 96, 128, 192, 256, 256, 256),
            "projection": 64,
            "training_steps": 1100,
            "learning_rate": 1e-3,
            "channels_last": True,
            "precision": "bfloat16",
        },
        "paper": {"kaiming": True, "normalise": True},
        "paper_16khz": {"kaiming": True, "normalise": True, "rate": 16000, "strides": (3, 3, 3, 3, 3, 3, 5, 2, 2)},
        "paper_8khz": {"kaiming": True, "normalise": True, "rate": 8000, "strides": (3, 3, 3, 2, 2, 4, 4, 2, 2)},
        "v2": {"version": "v2", "by_song": False, "projection": 64},
    }

    def __init__(
        self,
        *,
        rate: int = 22050,
        strides: Sequence[int] = STRIDES,
        channels: Sequence[int] = CHANNELS,
        projection: int | None = 128,
        projector_layers: int = 2,
        normalise: bool = False,
        tags: int | None = None,
        dropout: float = 0.0,
        channels_last: bool = False,
        kaiming: bool = False,
        temperature: float = 0.5,
        version: str = "v1",
        by_song: bool = True,
        batch_size: int = 48,
        epochs: int = 10_000,
        training_steps: int | None = None,
        optimiser: str = "adam",
        learning_rate: float = 3e-4,
        weight_decay: float = 1e-6,
        clip_seconds: float = 30.0,
        clip_parts: int = 1,
        precision: str = "float32",
        quirks: str = "none",
    ) -> None:
        super().__init__()
        check_choice("quirks", quirks, "none", "official")
        check_choice("version", version, "v1", "v2")
        check_choice("optimiser", optimiser, "adam", "lars")
        self.rate, self.temperature, self.version, self.by_song = rate, temperature, version, by_song
        self.normalise = normalise
        self.batch_size, self.epochs, self.training_steps = batch_size, epochs, training_steps
        self.optimiser, self.learning_rate, self.weight_decay = optimiser, learning_rate, weight_decay
        self.clip_seconds, self.clip_parts, self.precision, self.quirks = clip_seconds, clip_parts, precision, quirks
        try:
            self.encoder = SampleCnn(
                channels=channels,
                strides=strides,
                outputs=tags,
                dropout=dropout,
                channels_last=channels_last,
                kaiming=kaiming,
            )
        except ValueError as error:
            raise OptionError(f"There is no such encoder: {error}.") from error
        self.projector = None
        if projection is not None:
            self.projector = Projector(features=self.encoder.features, outputs=projection, num_layers=projector_layers)
        self._folded: tuple[tuple[int, ...], FoldedSampleCnn] | None = None

    @property
    def window(self) -> int:
        """Samples of a window."""
        return self.encoder.window

    @property
    def shortest_seconds(self) -> float:
        """A recording must last as long as a window to be trained on."""
        return self.window / self.rate

    # Objective (section 3) --------------------------------------------------------------------------------------------

    def project(self, x: Float[Tensor, "batch 1 samples"]) -> Float[Tensor, "batch projection"]:
        """z of one view: the projection of its representation, of length 1 where `normalise` says so.

        Raises:
            OptionError: there is no projector.
            ValueError: another number of frames than one is left of windows of this length.
        """
        if self.projector is None:
            raise OptionError("This network has no projector; make it with projection=64 to learn by contrast.")
        z = self.projector(self.encoder.represent_one(x))
        return functional.normalize(z, dim=1) if self.normalise else z

    def loss(self, first: Float[Tensor, "batch 1 samples"], second: Float[Tensor, "batch 1 samples"]) -> Loss:
        """NT-Xent of two views of each item (equation 1). The views go through the encoder one after the other, so
        that batch normalisation sees the first ones, then the second. Several processes compare all their items."""
        one, two = self.project(first), self.project(second)
        value = nt_xent(
            gather_with_gradient(one.float()), gather_with_gradient(two.float()), temperature=self.temperature
        )
        return Loss(value, len(first))

    # Training (section 4) ---------------------------------------------------------------------------------------------

    def chain(self) -> Chain:
        """The augmentations of this version, after the crop."""
        return clmr_chain("paper" if self.version == "v1" else "v2", rate=self.rate, samples=None)

    def songs(self, pieces: Sequence[Piece]) -> SongCrops:
        """Items to draw views from: recordings where pieces have them, else what the data factory plays of them.

        Raises:
            InputError: a file cannot be read, or none is as long as a window.
        """
        named = recorded(pieces, self.rate)
        if not named:
            many = len(pieces) > 8 * PIECES  # a corpus holds several versions of a tune, of which one is played
            chosen = choose_pieces(pieces, count=PIECES if many else None)[:PIECES]
            held = factory(chosen, rate=self.rate, seconds=self.clip_seconds).held(range(len(chosen)))
            for samples, label in zip(held.samples, held.labels, strict=True):
                named += [(label.piece, HeldClip(part)) for part in np.array_split(samples[0], self.clip_parts)]
        clips: list[Clip] = [clip for _, clip in named]
        return SongCrops(grouped(clips, [name for name, _ in named], by_song=self.by_song), window=self.window)

    def stages(self, train: Sequence[Piece], validation: Sequence[Piece]) -> list[Stage]:
        """One stage of contrastive learning, with the constant rate of the paper or the schedule of LARS.

        Raises:
            InputError: fewer than two recordings are as long as a window.
        """
        held_out = self.songs(validation[: 4 * VALIDATION_SONGS]) if len(validation) else None
        return [self.contrastive_stage(self.songs(train), held_out)]

    def contrastive_stage(
        self, songs: SongCrops, held_out: SongCrops | None = None, *, chain: Chain | None = None, seed: int = 0
    ) -> Stage:
        """The stage for songs that are held.

        Args:
            held_out: songs whose views are aligned and told apart, for the log.
            chain: augmentations instead of the version's own.
            seed: of the order of songs.

        Raises:
            InputError: there are fewer than two songs.
        """
        if len(songs) < 2:
            raise InputError("Learning by contrast needs at least two recordings as long as a window; give more.")
        chain = self.chain() if chain is None else chain
        size = min(self.batch_size, len(songs))
        batches = len(songs) // size  # of an epoch; what is left over is dropped

        def data(step: int, share: Share) -> tuple[Tensor, Tensor]:
            epoch, place = divmod(step, batches)
            order = np.random.default_rng((seed, epoch)).permutation(len(songs))
            return self.views(songs, share.of(order[place * size : (place + 1) * size].tolist()), chain)

        def validate() -> dict[str, float]:
            if held_out is None or len(held_out) < 2:
                return {}
            pairs = self.views(held_out, list(range(min(len(held_out), VALIDATION_SONGS))), chain)
            found = view_figures(*(self.project(view) for view in pairs))
            return {"alignment": found.alignment, "uniformity": found.uniformity, "found": found.found}

        steps = self.training_steps or self.epochs * batches
        objective = Objective(
            "nt_xent",
            lambda batch: self.loss(*batch),
            self.parameters(),
            *self._optimiser(batches, steps),
            clip=None,
        )
        return Stage(
            "contrastive",
            steps,
            data,
            [objective],
            validate=validate,
            validate_every=VALIDATION_EVERY,
            precision=self.precision,
        )

    def views(self, songs: SongCrops, chosen: Sequence[int], chain: Chain) -> tuple[Tensor, Tensor]:
        """Two augmented windows [batch, 1, samples] of each song; the draws are from torch's global generator."""
        number = int(torch.randint(2**62, ()))
        rng, generator = np.random.default_rng(number), torch.Generator().manual_seed(number)
        crops = np.stack([songs.crop(song, rng) for _ in range(2) for song in chosen])
        both = chain(torch.from_numpy(crops)[:, None], generator).to(self.device)
        first, second = both.chunk(2)
        return first, second

    def supervised_stage(
        self,
        songs: SongCrops,
        labels: Float[np.ndarray, "songs tags"],
        *,
        validate: Any = None,
        validate_every: int = VALIDATION_EVERY,
        seed: int = 0,
    ) -> Stage:
        """The baseline: the same encoder with its head, random windows alone, binary cross-entropy. v1 learns with
        Adam, v2 with SGD and Nesterov momentum.

        Args:
            labels: a row for each song that was given to `songs`.

        Raises:
            OptionError: the encoder has no head, or one of another size.
        """
        head = self.encoder.head
        if head is None or head.out_features != labels.shape[1]:
            raise OptionError(f"The encoder needs a head of {labels.shape[1]} tags; make it with that argument.")
        size = min(self.batch_size, len(songs))
        batches = len(songs) // size
        targets = torch.from_numpy(np.asarray(labels, np.float32)[list(songs.numbers)])

        def data(step: int, share: Share) -> tuple[Tensor, Tensor]:
            epoch, place = divmod(step, batches)
            order = np.random.default_rng((seed, epoch)).permutation(len(songs))
            chosen = list(share.of(order[place * size : (place + 1) * size].tolist()))
            rng = np.random.default_rng(int(torch.randint(2**62, ())))
            crops = torch.from_numpy(np.stack([songs.crop(song, rng) for song in chosen]))
            return crops[:, None].to(self.device), targets[chosen].to(self.device)

        def loss(batch: tuple[Tensor, Tensor]) -> Loss:
            logits = self.encoder(batch[0]).float()
            return Loss(torch.nn.functional.binary_cross_entropy_with_logits(logits, batch[1]), len(logits))

        def optimiser(parameters: list[Any]) -> torch.optim.Optimizer:
            if self.version == "v1":
                return torch.optim.Adam(parameters, lr=self.learning_rate)
            return torch.optim.SGD(parameters, lr=self.learning_rate, momentum=0.9, weight_decay=1e-6, nesterov=True)

        steps = self.training_steps or self.epochs * batches
        objective = Objective("tags", loss, self.encoder.parameters(), optimiser, clip=None)
        return Stage(
            "supervised",
            steps,
            data,
            [objective],
            validate=validate,
            validate_every=validate_every,
            precision=self.precision,
        )

    def _optimiser(self, batches: int, steps: int) -> tuple[Any, Any]:
        """Optimiser and schedule. LARS: 0.075 √N, 30 epochs of warm-up and half a cosine to 0 (v1), or 0.3 N / 256 and
        half a cosine (v2)."""
        if self.optimiser == "adam":
            return (lambda parameters: torch.optim.Adam(parameters, lr=self.learning_rate)), warmup_constant(0)
        size = self.batch_size
        rate, warmup = (0.075 * size**0.5, 30 * batches) if self.version == "v1" else (0.3 * size / 256, 0)
        return (
            lambda parameters: Lars(parameters, rate, weight_decay=self.weight_decay, quirks=self.quirks)
        ), warmup_cosine(min(warmup, steps // 2), steps, floor=0.0)

    # Tasks ------------------------------------------------------------------------------------------------------------

    @torch.inference_mode()
    def represent(self, windows: Float[np.ndarray, "windows samples"]) -> Float[np.ndarray, "windows numbers"]:
        """h of mono windows at the network's rate, in evaluation mode. Windows of another length than `window` are
        served too, only slower: as many numbers come out as `SampleCnn.represent` says.

        Raises:
            InputError: the windows are so short that the encoder leaves nothing of them.
        """
        x = torch.from_numpy(np.require(windows, np.float32, ["C", "W"]))
        if self.encoder.frames(x.shape[1]) < 1:
            raise InputError(f"The encoder leaves nothing of {x.shape[1]} samples; give windows of {self.window}.")
        if self.device.type == "cpu" and x.shape[1] == self.window:
            return self._network()(x).numpy()
        training = self.encoder.training
        self.encoder.eval()
        found = torch.cat([self.encoder.represent(part[:, None].to(self.device)) for part in x.split(64)])
        self.encoder.train(training)
        return found.float().cpu().numpy()

    def _network(self) -> FoldedSampleCnn:
        """The encoder made quick; folded anew when a weight has changed."""
        state = [*self.encoder.parameters(), *self.encoder.buffers()]
        now = tuple(-1 if value.is_inference() else value._version for value in state)
        now += tuple(value.data_ptr() for value in state)
        if self._folded is None or self._folded[0] != now:
            self._folded = (now, FoldedSampleCnn(self.encoder))
        return self._folded[1]

    @property
    def space(self) -> str:
        """Names the embedding and its weights."""
        return self.identity

    def embed(
        self,
        audio: Audio,
        *,
        hop: float | None = None,
        pooling: str = "mean",
        progress: Progress | None = None,
    ) -> Embeddings:
        """h of the windows of a sound of any length, rate and number of channels; only a partial last window is
        dropped. A sound shorter than a window is padded with zeros to one.

        Args:
            hop: seconds between the starts of windows; the length of a window by default.
            pooling: "mean", or "none" for a vector a window.
            progress: in seconds.

        Raises:
            OptionError: `hop` or `pooling` is out of range.
            InputError: the sound is empty or holds what is no number.
        """
        return self.embed_blocks([audio], hop=hop, pooling=pooling, seconds=audio.seconds, progress=progress)

    def embed_blocks(
        self,
        blocks: Iterable[Audio],
        *,
        hop: float | None = None,
        pooling: str = "mean",
        seconds: float | None = None,
        progress: Progress | None = None,
    ) -> Embeddings:
        """The same of a sound that comes in blocks, at constant memory.

        Args:
            seconds: the length, where it is known, for `progress`.
        """
        if pooling not in ("mean", "none"):
            raise OptionError(f"pooling is {pooling!r}; it must be 'mean' or 'none'.")
        if hop is not None and not 1 / self.rate <= hop <= 3600:
            raise OptionError(f"The hop is {hop:g} seconds; give one between a sample and an hour.")
        step = self.window if hop is None else max(round(hop * self.rate), 1)
        vectors: list[np.ndarray] = []
        total, count = np.zeros(self.encoder.features), 0
        for part in audio_windows(blocks, rate=self.rate, window=self.window, hop=step):
            if not np.isfinite(part.samples).all():
                raise InputError("The sound holds samples that are no numbers; export it again.")
            found = self.represent(part.samples)
            count += len(found)
            if pooling == "none":
                vectors.append(found)
            else:
                total += found.sum(0, dtype=np.float64)
            if progress is not None:
                progress(round(part.done), round(seconds or part.done))
        length = self.window / self.rate
        if pooling == "mean":
            return Embeddings((total / count).astype(np.float32)[None], (0.0,), length, self.space)
        starts = tuple(number * step / self.rate for number in range(count))
        return Embeddings(np.concatenate(vectors), starts, length, self.space)
