"""Text to MIDI: Text2midi (Bhandari et al. 2025, arXiv 2412.16526) on captions as in MidiCaps (Melechovsky et al.
2024, arXiv 2406.02255).

A text encoder reads the caption; an autoregressive decoder that attends to it writes a piece as tokens. `paper` is the
published network (FLAN-T5-base, REMI tokens); `mini` reads words and writes compact arrangement tokens under a
grammar, so that what a sentence asks for is what is played. The captions themselves are made one floor below
(`data.captioning`).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from jaxtyping import Int
from torch import Tensor, nn

from orchestrion.data.caption_vocabulary import caption_words
from orchestrion.data.corpus import load_corpus
from orchestrion.data.loader import LengthBatches
from orchestrion.data.piece import Piece
from orchestrion.errors import OptionError, check_choice
from orchestrion.nn.cache import keep_rows
from orchestrion.nn.text import T5Text, WordText
from orchestrion.nn.text2midi_network import Text2MidiNetwork
from orchestrion.paradigms.autoregressive import next_token_loss, sample
from orchestrion.representations.arrangement import ArrangementVocabulary
from orchestrion.representations.arrangement_choice import read_wishes
from orchestrion.representations.composition import Commission, compose
from orchestrion.representations.prompt import parse_prompt
from orchestrion.representations.remi import RemiVocabulary
from orchestrion.systems.card import Card
from orchestrion.systems.registry import register
from orchestrion.systems.system import System
from orchestrion.systems.tasks import Music, Progress
from orchestrion.theory.keys import Key
from orchestrion.training.captioned_pieces import CaptionedPieces
from orchestrion.training.stage import Loss, Objective, Stage, warmup_cosine

REMI_SIZE = 524  # of the published vocabulary
BATCH_TOKENS = 4608  # about nine pieces: small batches learn more from few tokens
PLAN_STEPS, PLAN_TOKENS = 160, 2400  # about a hundred captions a step: what words mean is learned in three minutes
PIECE_STEPS = 2200  # about 10 M tokens, two visits of each piece: an hour on one core
VALIDATION_PIECES = 48


@register("midicaps")
class MidiCaps(System):
    """Text2midi with its text encoder and tokens.

    Args:
        vocabulary: tokens that are written: "remi" (published) or "arrangement" (compact, under a grammar).
        vocabulary_size: classes of "remi", where it is not the published one.
        text: "t5" (FLAN-T5, frozen), "words" (a small encoder that is trained), "none" (encoded text is given from
            outside).
        words: known words of "words", or the number of them.
        text_layers: of "words".
        genres: names of genres of "arrangement".
        t5: name of the T5 checkpoint whose tokenizer and sizes are used.
        width, num_layers, num_heads, feed_forward, max_length, dropout, activation, norm_first, norm_eps: of the
            decoder.
        other_biases: whether the decoder has biases outside of self-attention.
        rotary: rotary positions instead of sinusoidal ones.
        quirks: "none", or "official" for the published attention and positions, which the public checkpoint needs.
    """

    card: ClassVar[Card] = Card(
        name="midicaps",
        title=(
            "MidiCaps: A Large-Scale MIDI Dataset With Text Captions; "
            "Text2midi: Generating Symbolic Music from Captions"
        ),
        arxiv="2406.02255",
        tasks=("generate",),
        modalities=("text", "score"),
        licence="Apache-2.0",
        code="https://github.com/AMAAI-Lab/Text2midi",
        code_licence="MIT",
        weights="amaai-lab/text2midi",
        weights_licence="Apache-2.0",
        claims=(
            "Captions agree with the true tempo, instruments, key, metre and chords of held-out pieces.",
            "Music made from its own caption fits tempo, key, metre and instruments better by 30 points or more "
            "than music made from another piece's caption.",
        ),
    )
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "mini": {
            "vocabulary": "arrangement",
            "text": "words",
            "words": "mini",
            "genres": "mini",
            "width": 192,
            "num_layers": 6,
            "num_heads": 3,
            "feed_forward": 768,
            "max_length": 2304,
            "dropout": 0.0,  # each piece is seen twice
            "activation": "gelu",
            "norm_first": True,
            "rotary": True,
        },
        "paper": {},
    }

    def __init__(
        self,
        *,
        vocabulary: str = "remi",
        vocabulary_size: int | None = None,
        text: str = "t5",
        words: Sequence[str] | str = (),
        text_layers: int = 2,
        genres: Sequence[str] | str = (),
        t5: str = "google/flan-t5-base",
        width: int = 768,
        num_layers: int = 18,
        num_heads: int = 8,
        feed_forward: int = 1024,
        max_length: int = 2048,
        dropout: float = 0.1,
        activation: str = "relu",
        norm_first: bool = False,
        norm_eps: float = 1e-5,
        other_biases: bool = True,
        rotary: bool = False,
        quirks: str = "none",
    ) -> None:
        super().__init__()
        check_choice("quirks", quirks, "none", "official")
        check_choice("vocabulary", vocabulary, "remi", "arrangement")
        self.quirks, self.vocabulary_name = quirks, vocabulary
        self.arrangement = ArrangementVocabulary(_listed(genres, "genres")) if vocabulary == "arrangement" else None
        size = len(self.arrangement) if self.arrangement is not None else vocabulary_size or REMI_SIZE
        if text == "t5":
            self.text: nn.Module | None = T5Text(t5, width=width)
        elif text == "words":
            self.text = WordText(_listed(words, "words"), width=width, num_layers=text_layers, dropout=dropout)
        elif text == "none":
            self.text = None
        else:
            raise OptionError(f"text is {text!r}; it must be 't5', 'words' or 'none'.")
        official = quirks == "official"
        self.network = Text2MidiNetwork(
            vocabulary_size=size,
            width=width,
            num_layers=num_layers,
            num_heads=num_heads,
            feed_forward=feed_forward,
            max_length=max_length,
            dropout=dropout,
            activation=activation,
            norm_first=norm_first,
            bias=norm_first and not official,
            other_biases=other_biases,
            norm_eps=norm_eps,
            positions="item" if official else "rotary" if rotary else "sinusoidal",
            blocks=official,
        )

    def spelled_out(self) -> dict[str, Any]:
        """The words and genres themselves."""
        words = {"words": self.text.vocabulary.words[2:]} if isinstance(self.text, WordText) else {}
        return {**words, **({"genres": self.arrangement.genres} if self.arrangement is not None else {})}

    # Objective --------------------------------------------------------------------------------------------------------

    def loss(self, tokens: Int[Tensor, "batch time"], texts: Sequence[str]) -> Loss:
        """Cross-entropy of all tokens but the first; PAD is left out, or counted with `quirks="official"`."""
        memory, mask = self._read(texts)
        logits = self.network(tokens[:, :-1], memory, mask)
        ignore = None if self.quirks == "official" else 0
        value = next_token_loss(logits.float(), tokens[:, 1:], ignore=ignore)
        counted = tokens[:, 1:].numel() if ignore is None else int((tokens[:, 1:] != ignore).sum())
        return Loss(value, counted, {"tokens": counted})

    # Training ---------------------------------------------------------------------------------------------------------

    def stages(self, train: Sequence[Piece], validation: Sequence[Piece]) -> list[Stage]:
        """Two stages on the compact tokens, with captions that are worded anew for each visit of a piece.

        First the plans alone (what stands before the first bar), many captions at a time, then whole pieces. The paper,
        too, begins with simpler captions (section "Training").

        Raises:
            OptionError: this size has the published tokens, whose training data and text encoder do not ship.
        """
        if self.arrangement is None or not isinstance(self.text, WordText):
            raise OptionError("Training here is for the preset 'mini'; the published size needs its authors' data.")
        pieces = CaptionedPieces(train, self.arrangement, longest=self.network.max_length)
        held_out = CaptionedPieces(validation[:VALIDATION_PIECES], self.arrangement, longest=self.network.max_length)
        fixed = held_out.batch(range(len(held_out.lengths)), seed=0)

        def validate() -> dict[str, float]:
            return {"validation_loss": float(self.loss(*fixed).value)}

        def stage(name: str, steps: int, lengths: Sequence[int], budget: int, ema: float | None) -> Stage:
            batches = LengthBatches(lengths, budget=budget)
            objective = Objective(
                name="next_token",
                loss=lambda batch: self.loss(*batch),
                parameters=self.parameters(),
                optimiser=lambda parameters: torch.optim.AdamW(
                    parameters, lr=2e-3, betas=(0.9, 0.98), weight_decay=0.01
                ),
                schedule=warmup_cosine(min(100, steps // 4 + 1), steps, floor=0.03),
            )
            whole = name == "pieces"
            return Stage(
                name=name,
                steps=steps,
                data=lambda step, share: pieces.batch(share.of(batches(step).tolist()), seed=step, whole=whole),
                objectives=[objective],
                validate=validate,
                validate_every=250,
                ema=ema,
                precision="bfloat16",
            )

        return [
            stage("plans", PLAN_STEPS, pieces.plan_lengths, PLAN_TOKENS, None),
            stage("pieces", PIECE_STEPS, pieces.lengths, BATCH_TOKENS, 0.995),
        ]

    # Sampling ---------------------------------------------------------------------------------------------------------

    def _read(self, texts: Sequence[str]) -> tuple[Tensor, Tensor | None]:
        if self.text is None:
            raise OptionError("This system has no text encoder; make it with text='words' or text='t5'.")
        memory, mask = self.text(list(texts))
        return memory, None if self.quirks == "official" else mask

    @torch.inference_mode()
    def write(
        self,
        texts: Sequence[str],
        *,
        generators: Sequence[torch.Generator],
        grammars: Sequence[Any] | None = None,
        max_steps: int | None = None,
        temperature: float = 1.0,
        top_p: float = 1.0,
        progress: Any = None,
    ) -> list[list[int]]:
        """Tokens after BOS, one list a text, until EOS or `max_steps`; the text is encoded once and keys are cached.

        With `quirks="official"` the whole sequence is computed anew for every token, since its attention allows no
        cache.
        """
        memory, mask = self._read(texts)
        most = min(max_steps or self.network.max_length, self.network.max_length) - 1
        start = torch.ones(len(texts), 1, dtype=torch.long, device=self.device)
        held = {"mask": mask, "memory": memory, "tokens": start[:, :0]}
        caches = None if self.quirks == "official" else self.network.decoder.start(memory, capacity=most + 1)

        def step(tokens: Tensor) -> Tensor:
            if caches is not None:
                return self.network.step(tokens, caches, held["mask"])
            held["tokens"] = torch.cat([held["tokens"], tokens], 1)
            return self.network(held["tokens"], held["memory"], held["mask"])[:, -1]

        def drop(rows: Tensor) -> None:
            for name, value in held.items():
                held[name] = None if value is None else value[rows]
            if caches is not None:
                keep_rows(caches, rows)

        return sample(
            step,
            start=start,
            generators=generators,
            max_steps=most,
            end=2,
            grammars=grammars,
            temperature=temperature,
            top_p=top_p,
            drop=drop,
            progress=progress,
        )

    # Tasks ------------------------------------------------------------------------------------------------------------

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
        top_p: float = 0.99,
        progress: Progress | None = None,
    ) -> list[Music]:
        """Pieces from a sentence. The reader of prompts fixes what is asked; the network writes the rest and the notes.

        Raises:
            PromptError: the text is empty or too long.
            OptionError: the length cannot be written in one piece.
        """
        return self.generate_batch(
            [prompt] * n,
            [f"{seed}/{number}" for number in range(n)],
            bars=bars,
            seconds=seconds,
            tempo=tempo,
            key=key,
            metre=metre,
            instruments=instruments,
            temperature=temperature,
            top_p=top_p,
            progress=progress,
        )

    def generate_batch(
        self,
        prompts: Sequence[str],
        seeds: Sequence[str],
        *,
        temperature: float = 1.0,
        top_p: float = 0.99,
        progress: Progress | None = None,
        **options: Any,
    ) -> list[Music]:
        """A piece for each prompt and its seed, written at once; `options` as for `generate`.

        Raises:
            PromptError, OptionError: as `generate`.
        """
        asked = {name: value for name, value in options.items() if value is not None}
        if unknown := set(asked) - {"bars", "seconds", "tempo", "key", "metre", "instruments"}:
            raise OptionError(f"There is no option {min(unknown)!r}.")
        requests = [parse_prompt(prompt) for prompt in prompts]
        if self.arrangement is None:
            return self._generate_remi(prompts, [one.report() for one in requests], asked, seeds, temperature, top_p)
        vocabulary = self.arrangement
        commissions = [
            Commission(prompt, read_wishes(request, asked, vocabulary), seed)
            for prompt, request, seed in zip(prompts, requests, seeds, strict=True)
        ]
        pieces = compose(self.write, vocabulary, commissions, temperature=temperature, top_p=top_p, progress=progress)
        given = {name: _plain(value) for name, value in asked.items()}
        return [
            Music(
                piece.score,
                {**request.report(), "options": given, "unserved": list(one.wishes.unserved), **piece.report},
            )
            for one, request, piece in zip(commissions, requests, pieces, strict=True)
        ]

    def _generate_remi(
        self,
        prompts: Sequence[str],
        reports: list[dict],
        asked: dict,
        seeds: Sequence[str],
        temperature: float,
        top_p: float,
    ) -> list[Music]:
        """As published: plain sampling, the text alone guides; options cannot be served and are reported."""
        generators = [torch.Generator().manual_seed(random.Random(seed).getrandbits(62)) for seed in seeds]
        rows = self.write(prompts, generators=generators, temperature=temperature, top_p=top_p)
        unserved = [f"The option {name} cannot be enforced by the published network." for name in asked]
        vocabulary = RemiVocabulary(quirks="official" if self.quirks == "official" else "none")
        return [
            Music(vocabulary.decode(row), {**report, "unserved": unserved})
            for row, report in zip(rows, reports, strict=True)
        ]


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Key) else list(value) if isinstance(value, tuple) else value


def _listed(names: Sequence[str] | str, what: str) -> tuple[str, ...]:
    """Names themselves, or "mini" for those of the corpus that ships."""
    if names == "mini":
        if what == "words":
            return caption_words()
        return tuple(sorted({genre for genre in load_corpus("compact").column("genre") if genre}))
    if isinstance(names, str):
        raise OptionError(f"There are no {what} {names!r}; give 'mini' or the names themselves.")
    return tuple(names)
