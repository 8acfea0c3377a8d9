"""RAVE: a variational autoencoder for fast and high-quality neural audio synthesis.

Caillon & Esling 2021 (arXiv 2111.05011); streaming by Caillon & Esling 2022 (arXiv 2204.07064). A waveform is split
into sub-bands, an encoder of strided convolutions draws a posterior over latents, a decoder makes the sub-bands again.
First both learn from spectral distances; then the encoder stands still and the decoder learns from discriminators. The
principal axes of the latents say how many of them carry sound.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from orchestrion.analysis.pqmf import Pqmf
from orchestrion.codecs.block_stream import StreamingNetwork
from orchestrion.codecs.codec import Latents
from orchestrion.codecs.streaming_codec import StreamingCodec
from orchestrion.errors import OptionError, check_choice
from orchestrion.media.audio import Audio
from orchestrion.nn.activations import activation
from orchestrion.nn.adain import adaptive_norms, collecting, forget_styles
from orchestrion.nn.discriminators import waveform_discriminator
from orchestrion.nn.filtered_noise import StreamedNoise
from orchestrion.nn.latent_maps import FromAngles, FromCoordinates, ToAngles, ToCoordinates
from orchestrion.nn.latent_prior import LatentPrior
from orchestrion.nn.latent_space import LatentSpace
from orchestrion.nn.mel_front import MelFront
from orchestrion.nn.receptive_field import receptive_field
from orchestrion.nn.residual_autoencoder import ResidualDecoder, ResidualEncoder
from orchestrion.nn.streamed_pqmf import StreamedAnalysis, StreamedMel, StreamedSynthesis
from orchestrion.nn.streaming import Place, Plan, StreamedSequence
from orchestrion.nn.strided_autoencoder import HeadedDecoder, StridedEncoder
from orchestrion.paradigms.bottlenecks import Bottled, Sphere
from orchestrion.paradigms.bottlenecks import bottleneck as _bottleneck
from orchestrion.paradigms.spectral import a_weighted_loudness, spectral_distance
from orchestrion.systems.card import Card
from orchestrion.systems.rave_presets import PRESETS
from orchestrion.systems.registry import register
from orchestrion.systems.system import System
from orchestrion.systems.tasks import Progress, Sound

if TYPE_CHECKING:
    from orchestrion.data.piece import Piece
    from orchestrion.training.stage import Stage


@register("rave")
class RAVE(StreamingCodec, System):
    """RAVE in all its published forms.

    Args:
        layout: "headed": `StridedEncoder` and `HeadedDecoder`, as in the paper; "residual": `ResidualEncoder` and
            `ResidualDecoder`, as since version 2.
        rate: Hz.
        channels: of a sound that is coded at once; sounds with more are coded in groups, each with noise of its own.
        bands, attenuation: of the filter bank.
        input: what the encoder reads: "bands", "mel" (log1p of a mel spectrogram) or "waveform".
        output: what the decoder writes: "bands" or "waveform".
        mel_bands, mel_size, mel_hop: of the mel spectrogram.
        capacity, ratios, dilations: of decoder and encoder.
        encoder_ratios, encoder_dilations, encoder_capacity, encoder_kernel_size, encoder_keep_dim, encoder_style,
            encoder_act: of the encoder, where they differ.
        latent: dimensions.
        bottleneck: "gaussian", "wasserstein", "spherical" or "discrete".
        codebooks, codes, code_dim: of the discrete bottleneck; dimensions of a code are `latent` by default.
        noise_channels: of noise beside the latents, as the decoder's input.
        kernel_size, keep_dim, style, modulated, recurrent_layers, noise_hidden: of the residual layout.
        norm, repeats, kernel_sizes, loudness_stride: of the headed layout.
        noise_ratios, noise_points: of the noise head; none: no such head.
        act, unit_act, bias, padding: of the convolutions: "leaky_relu" or "snake", inside residual units as well, where
            the published version 3 keeps the former; "centred", "causal" or "anticausal".
        up_bias: of the transposed convolutions; by default none in the headed layout, as `bias` in the residual one.
        stack_bias, noise_bias: as of `HeadedDecoder`.
        fidelity_of: "variance" (of the code) or "singular_values" (of the paper).
        latent_size: principal coordinates that are exported; found by `fidelity` where none is given.
        fidelity: share that the exported coordinates must exceed.
        discriminator, discriminator_capacity, discriminator_layers, discriminator_scales, discriminator_periods,
            discriminator_multiplier: "scales", "periods and scales", "melgan", "spectra and scales" or "dac"; channels
            after its first layer; layers, scales, periods; MelGAN's factor from layer to layer.
        adversary: loss of generator and discriminator: "hinge", "least_squares" or "nonsaturating".
        distance: "squared" or "frobenius", as of `spectral_distance`, the latter with normalised spectra.
        log_floor, overlap: of the same.
        distance_weight, loudness_weight, adversarial_weight, matching_weight: in the loss. The published code since its
            version 2.2.2 multiplies the weight of feature matching in twice (10 counts 100, 20 counts 400); here it
            counts once.
        matching_relative, matching_skip: of feature matching.
        beta: weight of the penalty at the start, at the end, and the steps in which it goes from one to the other
            along a logarithmic line.
        valid_crop: whether the distance of sub-bands leaves out frames that see the zeros beyond the ends.
        crop, batch_size, steps, learning_rate, discriminator_rate, discriminator_every: samples of a crop, crops, steps
            of both stages, rate at the start and at the end of the first stage (and in all of the second),
            that of the discriminator, and of how many steps of the second stage one is the discriminator's.
        freeze: whether the encoder stands still in the second stage.
        mean_gain: factor of the posterior's means before the training, so that they are not lost in its noise for long
            (not in the paper).
        programs, minutes: General MIDI programs that scores are played with for training, and how much of them; sound
            is taken as it is.
        prior_dims, prior_bins, prior_width, prior_skip, prior_layers, prior_steps: of the prior over so many principal
            coordinates, and steps of its training after the other two; 0 dimensions: no prior.
        precision, average_decay: "float32" or "bfloat16"; of the average of weights, None for none.
        quirks: "official" gives sound one sub-band frame late, pads the filter bank as the convolutions, reflects the
            ends of sound before mel spectrograms, and reckons delays as the published code does.
    """

    card: ClassVar[Card] = Card(
        name="rave",
        title="RAVE: A variational autoencoder for fast and high-quality neural audio synthesis",
        arxiv="2111.05011",
        tasks=("decode", "encode", "transfer"),
        modalities=("audio",),
        licence="Apache-2.0",
        code="https://github.com/acids-ircam/RAVE",
        code_licence="CC-BY-NC-4.0",
        claims=(
            "Half of the latent dimensions carry 95 % of the variance; fewer dimensions cost spectral distance.",
            "An encoder that learns through the second stage needs 1.3 times the dimensions, a frozen one no more.",
            "Decoding sub-bands is five times as fast as decoding samples.",
            "Block by block the same sound comes out as at once, later by a delay that is known.",
            "The filter bank gives a sound back with 60 dB.",
        ),
    )
    presets: ClassVar[dict[str, dict[str, Any]]] = PRESETS

    def __init__(
        self,
        *,
        layout: str = "residual",
        rate: int = 44100,
        channels: int = 1,
        bands: int = 16,
        attenuation: float = 100.0,
        input: str = "bands",
        output: str = "bands",
        mel_bands: int = 128,
        mel_size: int = 2048,
        mel_hop: int = 256,
        capacity: int = 96,
        ratios: Sequence[int] = (4, 4, 4, 2),
        dilations: Sequence[Any] = ((1, 3, 9), (1, 3, 9), (1, 3, 9), (1, 3)),
        encoder_ratios: Sequence[int] | None = None,
        encoder_dilations: Sequence[Any] | None = None,
        encoder_capacity: int | None = None,
        encoder_kernel_size: int | None = None,
        encoder_keep_dim: bool | None = None,
        encoder_style: bool | None = None,
        encoder_act: str | None = None,
        latent: int = 128,
        bottleneck: str = "gaussian",
        codebooks: int = 16,
        codes: int = 1024,
        code_dim: int | None = None,
        noise_channels: int = 0,
        kernel_size: int = 3,
        keep_dim: bool = False,
        style: bool = False,
        modulated: bool = True,
        recurrent_layers: int = 0,
        norm: str = "batch",
        repeats: int = 1,
        kernel_sizes: Sequence[int] = (3,),
        loudness_stride: int = 1,
        noise_ratios: Sequence[int] = (),
        noise_points: int = 5,
        noise_hidden: int = 128,
        act: str = "leaky_relu",
        unit_act: str = "leaky_relu",
        bias: bool = False,
        up_bias: bool | None = None,
        stack_bias: bool = False,
        noise_bias: bool | None = None,
        padding: str = "centred",
        fidelity_of: Any = "variance",
        latent_size: int | None = None,
        fidelity: float = 0.95,
        discriminator: str = "periods and scales",
        discriminator_capacity: int = 96,
        discriminator_layers: int = 4,
        discriminator_scales: int = 3,
        discriminator_periods: Sequence[int] = (2, 3, 5, 7, 11),
        discriminator_multiplier: int = 4,
        adversary: str = "hinge",
        distance: Any = "squared",
        log_floor: float = 1e-7,
        overlap: float = 0.75,
        distance_weight: float = 1.0,
        loudness_weight: float = 0.0,
        adversarial_weight: float = 1.0,
        matching_weight: float = 20.0,
        matching_relative: bool = True,
        matching_skip: int = 1,
        beta: Sequence[float] = (1e-6, 0.05, 20_000),
        valid_crop: bool = True,
        crop: int = 131_072,
        batch_size: int = 8,
        steps: Sequence[int] = (1_000_000, 5_000_000),
        learning_rate: Sequence[float] = (1e-3, 1e-4),
        discriminator_rate: float = 1e-4,
        discriminator_every: int = 4,
        freeze: bool = True,
        mean_gain: float = 1.0,
        programs: Sequence[int] = (48, 52),
        minutes: float = 30.0,
        prior_dims: int = 0,
        prior_bins: int = 32,
        prior_width: int = 512,
        prior_skip: int = 256,
        prior_layers: int = 10,
        prior_steps: int = 100_000,
        precision: str = "float32",
        average_decay: float | None = None,
        quirks: str = "none",
    ) -> None:
        super().__init__()
        check_choice("quirks", quirks, "none", "official")
        check_choice("layout", layout, "headed", "residual")
        check_choice("input", input, "bands", "mel", "waveform")
        check_choice("output", output, "bands", "waveform")
        check_choice("adversary", adversary, "hinge", "least_squares", "nonsaturating")
        self.rate, self.channels, self.quirks = rate, channels, quirks
        self.input, self.output, self.latent, self.noise_channels = input, output, latent, noise_channels
        # only the published code pads its filter bank as its networks: what comes back is then not in time
        self.pqmf = Pqmf(
            bands=bands, attenuation=attenuation, quirks=quirks, padding=padding if quirks == "official" else "centred"
        )
        self.mel = (
            MelFront(
                sample_rate=rate, bands=mel_bands, size=mel_size, hop=mel_hop,
                edges="reflect" if quirks == "official" else "constant",
            )
            if input == "mel"
            else None
        )  # fmt: skip
        self.bottleneck = _bottleneck(bottleneck, dim=latent, stages=codebooks, size=codes, code_dim=code_dim)
        encoder_ratios = tuple(encoder_ratios or ratios)
        wide_in = channels * {"bands": bands, "mel": mel_bands, "waveform": 1}[input]
        wide_out = channels * (bands if output == "bands" else 1)
        self.ratio = prod(encoder_ratios) * {"bands": bands, "mel": mel_hop, "waveform": 1}[input]
        if self.ratio != prod(ratios) * (bands if output == "bands" else 1):
            raise OptionError(
                "Encoder and decoder have different numbers of samples a latent frame; change the ratios."
            )
        shared: dict[str, Any] = {"capacity": capacity, "act": activation(act), "bias": bias, "padding": padding}
        own = {"capacity": encoder_capacity, "act": None if encoder_act is None else activation(encoder_act)}
        if layout == "residual":
            shared |= {"kernel_size": kernel_size, "keep_dim": keep_dim, "style": style}
            shared |= {"unit_act": activation(unit_act)}
            own |= {"kernel_size": encoder_kernel_size, "keep_dim": encoder_keep_dim, "style": encoder_style}
        of_encoder = shared | {name: value for name, value in own.items() if value is not None}
        widths = self.bottleneck.widths
        if layout == "headed":
            self.encoder: nn.Module = StridedEncoder(
                in_channels=wide_in, out_channels=widths * latent, ratios=encoder_ratios, groups=widths, norm=norm,
                repeats=repeats, **of_encoder,
            )  # fmt: skip
            self.decoder: HeadedDecoder | ResidualDecoder = HeadedDecoder(
                latent=latent + noise_channels, out_channels=wide_out, ratios=ratios, kernel_sizes=kernel_sizes,
                dilations=dilations, loudness_stride=loudness_stride, noise_ratios=noise_ratios,
                noise_points=noise_points, up_bias=bool(up_bias), stack_bias=stack_bias, noise_bias=noise_bias,
                **shared,
            )  # fmt: skip
        else:
            self.encoder = ResidualEncoder(
                in_channels=wide_in, out_channels=widths * latent, ratios=encoder_ratios,
                dilations=encoder_dilations or dilations, **of_encoder,
            )  # fmt: skip
            self.decoder = ResidualDecoder(
                latent=latent + noise_channels, out_channels=wide_out, ratios=tuple(ratios), dilations=dilations,
                modulated=modulated, recurrent_layers=recurrent_layers, noise_ratios=noise_ratios,
                noise_hidden=noise_hidden, noise_points=noise_points, up_bias=up_bias, **shared,
            )  # fmt: skip
        if mean_gain != 1 and widths == 2:
            last: Any = self.encoder.net[-1]
            weight = last.weight if layout == "headed" else last.parametrizations.weight.original0
            weight.data[:latent] *= mean_gain
        self.space = LatentSpace(latent, measure=fidelity_of)
        if not 0 <= prior_dims <= latent:
            raise OptionError(f"A prior over {prior_dims} of {latent} dimensions cannot be made.")
        self.prior = (
            LatentPrior(dims=prior_dims, bins=prior_bins, width=prior_width, skip=prior_skip, layers=prior_layers)
            if prior_dims
            else None
        )
        self.prior_steps = prior_steps
        self.register_buffer("second_stage", torch.zeros(()))
        self.latent_size, self.fidelity = latent_size, fidelity
        self.discriminator_options: dict[str, Any] = {
            "kind": discriminator,
            "capacity": discriminator_capacity,
            "layers": discriminator_layers,
            "scales": discriminator_scales,
            "periods": tuple(discriminator_periods),
            "multiplier": discriminator_multiplier,
        }
        self.adversary = adversary
        self.distance, self.log_floor, self.overlap, self.valid_crop = distance, log_floor, overlap, valid_crop
        self.weights = {
            "distance": distance_weight,
            "loudness": loudness_weight,
            "adversarial": adversarial_weight,
            "matching": matching_weight,
        }
        self.matching = {"relative": matching_relative, "skip": matching_skip}
        self.beta, self.crop, self.batch_size, self.steps = tuple(beta), crop, batch_size, tuple(steps)
        self.learning_rate, self.discriminator_rate = tuple(learning_rate), discriminator_rate
        self.discriminator_every, self.freeze = discriminator_every, freeze
        self.programs, self.minutes = tuple(programs), minutes
        self.precision, self.average_decay = precision, average_decay

    # Networks (section 3.2) -----------------------------------------------------------------------------------------

    @property
    def spherical(self) -> bool:
        """Whether latents have unit length, and go out as angles."""
        return isinstance(self.bottleneck, Sphere)

    def encoder_input(self, x: Float[Tensor, "batch channels samples"]) -> Float[Tensor, "batch wide frames"]:
        """What the encoder reads of waveforms, whose length must be a multiple of `ratio`."""
        if self.input == "bands":
            return self.pqmf.analyse(x)
        return x if self.mel is None else self.mel(x)

    def draw(self, x: Float[Tensor, "batch channels samples"], noise: Tensor | None = None) -> Bottled:
        """Latents drawn from the posterior, and the penalty."""
        return self.bottleneck(self.encoder(self.encoder_input(x)), noise)

    def point(self, x: Float[Tensor, "batch channels samples"]) -> Float[Tensor, "batch latent frames"]:
        """The means of the posterior, or the latents themselves where there is none."""
        return self.bottleneck.point(self.encoder(self.encoder_input(x)))

    def decoded(
        self, z: Float[Tensor, "batch latent frames"], uniform: Tensor | None = None
    ) -> Float[Tensor, "batch wide frames"]:
        """What the decoder makes of latents: sub-bands, or waveforms; `noise_channels` are drawn.

        Args:
            uniform: for the noise head, as of the decoder.
        """
        if self.noise_channels:
            z = torch.cat([z, torch.randn_like(z[:, :1].expand(-1, self.noise_channels, -1))], 1)
        if isinstance(self.decoder, HeadedDecoder):
            self.decoder.noisy = bool(self.get_buffer("second_stage"))
        return self.decoder(z, uniform)

    def waveform(self, made: Float[Tensor, "batch wide frames"]) -> Float[Tensor, "batch channels samples"]:
        """Waveforms of what the decoder made."""
        return self.pqmf.synthesise(made) if self.output == "bands" else made

    def forward(self, x: Float[Tensor, "batch channels samples"]) -> Float[Tensor, "batch channels samples"]:
        """Waveforms made again from latents that are drawn."""
        return self.waveform(self.decoded(self.draw(x).z))

    def discriminator(self) -> nn.Module:
        """What the second stage trains against; its weights are not among those of the system."""
        return waveform_discriminator(channels=self.channels, **self.discriminator_options)

    # Objective (section 3.1) ----------------------------------------------------------------------------------------

    def distances(
        self,
        x: Float[Tensor, "batch channels samples"],
        made: Float[Tensor, "batch wide frames"],
        valid: tuple[int, int] = (0, 0),
    ) -> dict[str, Tensor]:
        """Spectral distances of what the decoder made to what it should be: of sub-bands and of the whole, and where it
        has a weight, the squared difference of loudness.

        Args:
            valid: samples that an output depends on to its left and right, as `receptive_field` finds them.
        """
        y = self.waveform(made)[..., : x.shape[-1]]
        with torch.no_grad():
            bands = self.pqmf.analyse(x)
        made_bands = (made if self.output == "bands" else self.pqmf.analyse(y))[..., : bands.shape[-1]]
        wide = bands.shape[1] if self.quirks == "official" else self.pqmf.bands  # it counts the channels as bands
        left, right = valid[0] // wide, -(-valid[1] // wide)
        inside = slice(left, bands.shape[-1] - right)
        paper = self.distance == "frobenius"
        options = {"linear": self.distance, "log_floor": self.log_floor, "normalized": paper, "overlap": self.overlap}
        if paper:  # the first code compares with what the filter bank gives back
            x = self.pqmf.synthesise(bands)
        found = {
            "bands": spectral_distance(bands[..., inside], made_bands[..., inside], **options),
            "whole": spectral_distance(x, y, **options),
        }
        if paper and self.pqmf.bands == 1:  # both are the same, and the first code counts it once
            del found["bands"]
        if self.weights["loudness"]:
            loud = [a_weighted_loudness(one, self.rate) for one in (x, y)]
            found["loudness"] = (loud[0] - loud[1]).square().mean()
        return found

    def receptive_field(self) -> tuple[int, int]:
        """Samples on the left and right that one sample of the output depends on, measured by its gradient.

        The global generators, and which parts are in training mode, are as before.
        """
        modes = [(part, part.training) for part in self.modules()]
        self.eval()
        try:
            return receptive_field(self, self.channels, at_least=2 * self.ratio, device=self.device)
        finally:
            for part, mode in modes:
                part.training = mode

    @property
    def shortest_seconds(self) -> float:
        """Length of a crop."""
        return self.crop / self.rate

    # Training ---------------------------------------------------------------------------------------------------------

    def stages(self, train: Sequence[Piece], validation: Sequence[Piece]) -> list[Stage]:
        """Two stages (section 3.1): representation, then adversarial fine-tuning of the decoder.

        Raises:
            InputError: no piece has sound or notes.
        """
        from orchestrion.systems.rave_training import stages

        return stages(self, train, validation)

    # Tasks (section 3.3 and arXiv 2204.07064) -------------------------------------------------------------------------

    def exported(self, latent_size: int | None = None, fidelity: float | None = None) -> int:
        """How many principal coordinates `encode` gives.

        Args:
            latent_size, fidelity: take the place of the system's own; the former goes first.

        Raises:
            OptionError: there are not so many.
        """
        if self.spherical:
            if latent_size not in (None, self.latent - 1):
                raise OptionError(f"A latent on a sphere is always {self.latent - 1} angles; leave its size out.")
            return self.latent - 1
        if latent_size is None and fidelity is None:
            latent_size = self.latent_size
        if latent_size is None and self.bottleneck.widths == 2 and bool(self.space.fidelity.any()):
            return self.space.dims(self.fidelity if fidelity is None else fidelity)
        size = self.latent if latent_size is None else latent_size
        if not 1 <= size <= self.latent:
            raise OptionError(f"There are {self.latent} latent dimensions, so {size} cannot be exported.")
        return size

    def streaming_encoder(
        self, *, latent_size: int | None = None, fidelity: float | None = None, exact: bool | None = None
    ) -> StreamingNetwork:
        """Waveforms to principal coordinates of the posterior's means, block by block.

        Args:
            latent_size, fidelity: as of `exported`.
            exact: as of `nn.streaming.Plan`; None: unless `quirks` are official.
        """
        self.eval()
        plan, place = Plan(exact=self.quirks != "official" if exact is None else exact), Place(self.ratio)
        parts: list[nn.Module] = []
        if self.input == "bands" and self.pqmf.bands > 1:
            front = StreamedAnalysis(self.pqmf, plan, Place(self.ratio // self.pqmf.bands), channels=self.channels)
            parts.append(front)
            place = front.place
        elif self.mel is not None:
            front = StreamedMel(self.mel.inner(), self.mel.spectrum, plan, place, channels=self.channels)
            parts.append(front)
            place = front.place
        if not plan.exact:  # the published encoder does not know that the filter bank made its input late
            place = Place(place.rate)
        network, place = plan.build(self.encoder, place)
        size = self.exported(latent_size, fidelity)
        point = self.bottleneck.point
        map_ = ToAngles(point) if self.spherical else ToCoordinates(point, self.space, size)
        to, place = plan.build(map_, place)
        module = StreamedSequence([*parts, network, to]).eval().to(self.device)
        return StreamingNetwork(module, plan, Place(self.ratio), place)

    def streaming_decoder(
        self,
        *,
        latent_size: int | None = None,
        late: int = 0,
        seed: int | None = None,
        exact: bool | None = None,
    ) -> StreamingNetwork:
        """Principal coordinates to waveforms, block by block.

        Args:
            latent_size: coordinates that are given.
            late: frames by which they come late.
            seed: of the noise; None: torch's own generator draws it.
            exact: as of `streaming_encoder`.
        """
        self.eval()
        plan, place = Plan(exact=self.quirks != "official" if exact is None else exact), Place(1, late)
        size = self.exported(latent_size)
        source = FromAngles() if self.spherical else FromCoordinates(self.space, size, self.noise_channels)
        if isinstance(self.decoder, HeadedDecoder):
            self.decoder.noisy = bool(self.get_buffer("second_stage"))
        network, place = plan.build(self.decoder, place)
        parts: list[nn.Module] = [plan.build(source, place)[0], network]
        if self.output == "bands" and self.pqmf.bands > 1:
            back = StreamedSynthesis(self.pqmf, plan, place, channels=self.channels)
            parts.append(back)
            place = Place(back.place.rate * self.pqmf.bands, back.place.late * self.pqmf.bands)
        module = StreamedSequence(parts).eval().to(self.device)
        if seed is not None:
            generator = torch.Generator(self.device).manual_seed(seed)
            for part in module.modules():
                if isinstance(part, StreamedNoise | FromCoordinates):
                    part.generator = generator
        return StreamingNetwork(module, plan, Place(1, late), place)

    def transfer(
        self, audio: Audio, *, seed: int = 0, progress: Progress | None = None, target: Audio | None = None
    ) -> Sound:
        """The sound as if made by what the system was trained on: encoded and decoded.

        Args:
            target: a sound whose style is put on, by systems with adaptive normalisation ("v3").

        Raises:
            InputError: as `encode`.
            OptionError: a target is given to a system that knows no style.
        """
        with self.styled(audio, target):
            latents = self.encode(audio, progress=progress)
            made = self.decode(latents, seed=seed, progress=progress)
        return Sound(made, {"latent_size": latents.values.shape[1], "latent_rate": latents.rate})

    def improvise(self, *, seconds: float, seed: int = 0, temperature: float = 1.0) -> Sound:
        """Sound out of nothing, from the prior (section 5.3).

        Raises:
            OptionError: the system has no prior, or a number is out of range.
        """
        if self.prior is None:
            raise OptionError("This system has no prior; train one with `--set prior_dims=8`.")
        if not 0 < seconds <= 3600:
            raise OptionError(f"{seconds:g} seconds cannot be made; give more than 0 and at most an hour.")
        self.eval()
        frames = max(round(seconds * self.rate / self.ratio), 1)
        generator = torch.Generator(self.device).manual_seed(seed)
        drawn = self.prior.sample(frames, temperature=temperature, generator=generator)
        latents = Latents(drawn.cpu().numpy(), self.rate / self.ratio, self.rate, frames * self.ratio, self.identity)
        return Sound(self.decode(latents, seed=seed), {"dims": self.prior.dims, "temperature": temperature})

    @contextmanager
    def styled(self, source: Audio, target: Audio | None) -> Iterator[None]:
        """Inside the block the style of the first half minute of `source` is exchanged for that of `target`.

        Raises:
            OptionError: a target is given to a system that knows no style.
        """
        if target is not None and not adaptive_norms(self):
            raise OptionError("This system takes the style of its training alone; leave the target out, or use 'v3'.")
        try:
            if target is not None:
                self._collect("target", target)
                self._collect("source", source)
            yield
        finally:
            forget_styles(self)

    @torch.inference_mode()
    def _collect(self, whose: str, audio: Audio, *, seconds: float = 30.0) -> None:
        self.eval()
        samples = audio.resample(self.rate).samples[:, : int(seconds * self.rate)]
        rows = torch.from_numpy(samples[np.arange(self.channels) % len(samples)])
        x = nn.functional.pad(rows, (0, -rows.shape[1] % self.ratio))[None].to(self.device)
        with collecting(whose, self.encoder, self.decoder):
            self.decoded(self.point(x))
