"""What is in a score: facts and a sentence."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrion.verbs.result import Result


@dataclass(frozen=True, slots=True)
class Description(Result):
    """A file, its caption, and all features under the names of the released MidiCaps data set."""

    file: Path
    caption: str
    features: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """One flat object."""
        return {"verb": "describe", "file": str(self.file), "caption": self.caption, **self.features}


def describe(source: str | Path, *, seed: int = 0, url: str | None = None, model: str | None = None) -> Description:
    """Describes a MIDI, MusicXML, ABC or kern file.

    Args:
        seed: of the wording.
        url, model: a language model behind an OpenAI-compatible endpoint that writes the sentence; by default a
            grammar does, offline.

    Raises:
        InputError: the file cannot be read or has no notes.
    """
    from orchestrion.verbs.serving import read_music

    path = Path(source)
    score = read_music(path)  # before torch is imported: a mistake is told at once

    from orchestrion.data.captioning import describe_score
    from orchestrion.representations.prompt import parse_prompt
    from orchestrion.systems.symbolic_tagger import SymbolicTagger

    row = describe_score(
        score,
        tag_genres=SymbolicTagger.load().tag,
        writer=caption_writer(url, model),
        read=parse_prompt,
        rng=random.Random(seed),
    )
    return Description(path, row.pop("caption"), row)


def caption_writer(url: str | None, model: str | None) -> Any:
    """The writer for the endpoint at `url`, or None for the offline one."""
    from orchestrion.errors import OptionError

    if (url is None) != (model is None):
        raise OptionError("A language model needs both --url and --model; leave both out for the offline writer.")
    if url is None or model is None:
        return None
    import os

    from orchestrion.data.caption_model import LanguageModelWriter

    return LanguageModelWriter(url, model, api_key=os.environ.get("OPENAI_API_KEY"))
