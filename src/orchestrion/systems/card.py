"""What is to be known about a system before it is used."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Card:
    """A system's card.

    Attributes:
        name: as in `load(name)`.
        title, arxiv: of the paper.
        tasks: names of the methods of `systems.tasks` that it has.
        modalities: what goes in and comes out: "text", "score", "audio", …
        licence: of the weights that ship with this package.
        code, code_licence: the authors' code.
        weights, weights_licence: the authors' checkpoint; None where none is public.
        claims: sentences that `orchestrion reproduce` measures.
    """

    name: str
    title: str
    arxiv: str
    tasks: tuple[str, ...]
    modalities: tuple[str, ...]
    licence: str
    code: str | None = None
    code_licence: str | None = None
    weights: str | None = None
    weights_licence: str | None = None
    claims: tuple[str, ...] = ()
