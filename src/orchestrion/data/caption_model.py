"""Captions by a language model behind an OpenAI-compatible endpoint, with the in-context prompt of MidiCaps.

The prompt follows the published one part by part (task, 17 worked examples, rules, tag block); its words and its
examples are our own.
"""

from __future__ import annotations

import json
import random
import time
import urllib.error
import urllib.request
from collections.abc import Sequence

from orchestrion.analysis.instruments import instrument_name
from orchestrion.analysis.wordings import duration_word, tempo_word
from orchestrion.data.caption_examples import EXAMPLES
from orchestrion.data.caption_facts import MOST_INSTRUMENTS, Facts
from orchestrion.errors import OptionError, OrchestrionError

TASK = "You describe pieces of music. From the tags of a piece you write the caption that a good listener would write."
RULES = """Now write the caption of the next piece.
- Give the caption only: one paragraph of three to seven sentences, without a title or quotation marks.
- The genres carry probabilities: name the likelier one, or both where they are close.
- Say nothing about a tag that is empty, and name no instrument that is not listed.
- The chords come with the number of times the sequence occurs: do not call it repeating below 10.
- Keep key, time signature and tempo as they are given."""


class WriterError(OrchestrionError):
    """The language model could not be reached or gave no caption."""

    exit_code = 2


def tag_block(facts: Facts, rng: random.Random, *, probabilities: Sequence[float] = ()) -> str:
    """The tags of a piece in the published order: genre, mood, instruments, metre, tempo, key, chords, duration."""
    genres = [f"{g}: {p:.2f}" for g, p in zip(facts.genres, [*probabilities, *[1.0] * len(facts.genres)], strict=False)]
    names = list(dict.fromkeys(instrument_name(p) for p in facts.instruments))[:MOST_INSTRUMENTS]
    metre = f"{facts.metre[0]}/{facts.metre[1]}" if facts.metre else ""
    tempo = [round(facts.tempo), tempo_word(facts.tempo, italian=rng.random() < 0.5)] if facts.tempo else []
    seconds = [round(facts.seconds), duration_word(facts.seconds)] if facts.seconds else []
    return "\n".join(
        f"{name}: {json.dumps(value)}"
        for name, value in (
            ("genre", genres),
            ("mood", list(facts.moods)),
            ("instruments", names),
            ("time signature", metre),
            ("tempo", tempo),
            ("key", str(facts.key) if facts.key else ""),
            ("chords", [list(facts.chords), facts.chord_count] if facts.chords else []),
            ("duration", seconds),
        )
    )


def build_prompt(facts: Facts, rng: random.Random, *, probabilities: Sequence[float] = ()) -> str:
    """The one user message: task, examples, rules, and the tags of this piece."""
    examples = "\n\n".join(f"Tags:\n{tags}\nCaption: {caption}" for tags, caption in EXAMPLES)
    return f"{TASK}\n\n{examples}\n\n{RULES}\n\nTags:\n{tag_block(facts, rng, probabilities=probabilities)}\nCaption:"


class LanguageModelWriter:
    """Writes through `POST {url}/chat/completions`.

    Args:
        url: base address of the endpoint, for instance "http://localhost:8000/v1".
        model: name of the model there.
        api_key: sent as a bearer token where given.
        timeout: seconds to wait for one answer.
        retries: further attempts after a failure that may pass (no connection, status 408, 429 or 5xx).
        pause: seconds before the first of them, doubled each time.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        api_key: str | None = None,
        timeout: float = 120.0,
        retries: int = 3,
        pause: float = 1.0,
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise OptionError(f"The address {url!r} of the language model must begin with http:// or https://.")
        self.url = url.rstrip("/") + "/chat/completions"
        self.model = model
        self.api_key = api_key
        self.timeout = timeout
        self.retries = retries
        self.pause = pause

    def write(self, facts: Facts, rng: random.Random) -> str:
        """The model's caption, as one paragraph.

        Raises:
            WriterError: the endpoint refuses, stays silent, or answers without a caption.
        """
        body = {
            "model": self.model,
            "temperature": 0,
            "max_tokens": 400,
            "messages": [{"role": "user", "content": build_prompt(facts, rng)}],
        }
        trouble = ""
        for attempt in range(self.retries + 1):
            if attempt:
                time.sleep(self.pause * 2 ** (attempt - 1))
            try:
                return _caption_in(self._post(body))
            except urllib.error.HTTPError as error:
                trouble = f"status {error.code}"
                if error.code not in (408, 429) and error.code < 500:
                    break
            except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
                trouble = str(getattr(error, "reason", error))
            except ValueError as error:
                trouble = str(error)
        raise WriterError(
            f"The language model at {self.url} gave no caption ({trouble}): check address, model and key."
        )

    def _post(self, body: dict) -> bytes:
        headers = {"Content-Type": "application/json"} | (
            {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}
        )
        request = urllib.request.Request(self.url, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=self.timeout) as answer:
            return answer.read(1 << 20)


def _caption_in(answer: bytes) -> str:
    try:
        text = json.loads(answer)["choices"][0]["message"]["content"]
    except (json.JSONDecodeError, KeyError, IndexError, TypeError) as error:
        raise ValueError("the answer is not a chat completion") from error
    caption = " ".join(str(text or "").split()).removeprefix("Caption:").strip("\"'“” ")
    if not caption:
        raise ValueError("the answer is empty")
    return caption
