"""What is in a score or a sound: facts, a sentence and a picture."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrion.verbs.result import Progress, Result


@dataclass(frozen=True, slots=True)
class Description(Result):
    """A file, its caption, what was found in it, and the picture if one was drawn.

    `features` of a score are named as in the released MidiCaps data set; of a sound they are duration, loudness, tempo,
    metre, key, instruments, moods, sections, chords and beats, with times in seconds.
    """

    file: Path
    caption: str
    features: dict[str, Any]
    picture: Path | None = None

    def to_dict(self) -> dict[str, Any]:
        """One flat object."""
        drawn = {"picture": str(self.picture)} if self.picture else {}
        return {"verb": "describe", "file": str(self.file), "caption": self.caption, **self.features, **drawn}


def describe(
    source: str | Path,
    *,
    seed: int = 0,
    url: str | None = None,
    model: str | None = None,
    picture: str | Path | None = None,
    progress: Progress | None = None,
) -> Description:
    """Describes a MIDI, MusicXML, ABC or kern file, or a sound file (WAV, FLAC, OGG, MP3, up to three hours).

    Args:
        seed: of the wording.
        url, model: a language model behind an OpenAI-compatible endpoint that writes the sentence about a score; by
            default a grammar does, offline.
        picture: .png, .svg or .pdf to draw: the notes of a score, or waveform, beats, chords and sections of a sound.

    Raises:
        InputError: the file cannot be read, or is a score without notes.
        OptionError: the picture's suffix is of no known format.
    """
    path = Path(source)
    if picture is not None:
        from orchestrion.media.canvas import check_suffix

        check_suffix(picture)
    if is_sound(path):
        return _describe_sound(path, seed=seed, picture=picture, progress=progress)
    return _describe_score(path, seed=seed, url=url, model=model, picture=picture)


def is_sound(path: Path) -> bool:
    """Whether a file is to be read as sound: by its content, or by its name where the content says nothing."""
    from orchestrion.media.kinds import SOUND_SUFFIXES, kind_of_file

    kind = kind_of_file(path)
    if kind in ("sound", "coded sound", "video"):
        return True
    return kind != "score" and path.suffix.lower() in SOUND_SUFFIXES


def _describe_sound(path: Path, *, seed: int, picture: str | Path | None, progress: Progress | None) -> Description:
    from orchestrion.verbs.sound_facts import caption, facts_to_dict, hear

    facts = hear(path, progress=progress)
    drawn = None
    if picture is not None:
        from orchestrion.media.sound_map import draw_sound_map

        drawn = draw_sound_map(
            facts.audio,
            picture,
            beats=facts.beats.times.tolist() if facts.beats is not None else (),
            downbeats=facts.beats.downbeats.tolist() if facts.beats is not None else (),
            chords=[(span.start, span.end, span.chord.jazz()) for span in facts.chords],
            sections=[(part.start, part.end, part.label) for part in facts.sections],
            title=path.name,
        )
    return Description(path, caption(facts, seed=seed), facts_to_dict(facts), drawn)


def _describe_score(
    path: Path, *, seed: int, url: str | None, model: str | None, picture: str | Path | None
) -> Description:
    from orchestrion.verbs.serving import read_music

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
    drawn = None
    if picture is not None:
        from orchestrion.media.piano_roll import draw_piano_roll

        drawn = draw_piano_roll(score, picture, title=path.name)
    return Description(path, row.pop("caption"), row, drawn)


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
