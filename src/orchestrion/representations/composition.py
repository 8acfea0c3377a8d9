"""Pieces from wishes: a plan is drawn, its sections are written under the grammar, the best candidates are kept."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from symusic.core import ScoreTick

from orchestrion.errors import OptionError
from orchestrion.representations.arrangement import Arrangement, ArrangementVocabulary, decode
from orchestrion.representations.arrangement_check import craft
from orchestrion.representations.arrangement_choice import Wishes, choose_form, describe_choice
from orchestrion.representations.arrangement_grammar import ArrangementGrammar, Plan
from orchestrion.representations.arrangement_score import to_score

WHOLE = 32  # bars that are written in one go: as long as the longest pieces that are learned from
SECTION = 16  # bars of a section of a longer piece
SECTIONS = "AABACABD"  # how sections follow each other; the last is always one of its own, for the ending
MOST_BARS = 1024
CANDIDATES = 2  # of which the better is kept; with more the music gets plainer than the corpus
ROWS = 24  # sequences written at once, which bounds memory


class Write(Protocol):
    """Writes token sequences for texts, each under its own grammar and with its own generator of random numbers."""

    def __call__(
        self,
        texts: Sequence[str],
        *,
        generators: Sequence[torch.Generator],
        grammars: Sequence[ArrangementGrammar],
        temperature: float,
        top_p: float,
        progress: Callable[[int], None] | None = None,
    ) -> list[list[int]]: ...


@dataclass(frozen=True, slots=True)
class Composed:
    """A piece: its arrangement, its score, and what is to be reported about it."""

    arrangement: Arrangement
    score: ScoreTick
    report: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Commission:
    """One piece that is wanted: the text that the network reads, what is fixed, and the seed of all that is drawn."""

    text: str
    wishes: Wishes
    seed: str


@dataclass(frozen=True, slots=True)
class _Job:
    """One section to be written: its text and plan, and the seed of each candidate."""

    text: str
    plan: Plan
    seeds: tuple[int, ...]


def compose(
    write: Write,
    vocabulary: ArrangementVocabulary,
    commissions: Sequence[Commission],
    *,
    temperature: float,
    top_p: float,
    candidates: int = CANDIDATES,
    progress: Callable[[int, int], None] | None = None,
) -> list[Composed]:
    """A piece for each commission, all written at once.

    Raises:
        OptionError: a length that is asked for is out of range.
    """
    rngs = [random.Random(one.seed) for one in commissions]
    heads = write(
        [one.text for one in commissions],
        generators=[torch.Generator().manual_seed(rng.getrandbits(62)) for rng in rngs],
        grammars=[ArrangementGrammar(vocabulary, replace(one.wishes.plan, head_only=True)) for one in commissions],
        temperature=temperature,
        top_p=top_p,
    )
    outlines = [
        _outline(head, one.wishes, vocabulary, rng) for head, one, rng in zip(heads, commissions, rngs, strict=True)
    ]
    jobs = [
        _Job(one.text, plan, tuple(rng.getrandbits(62) for _ in range(candidates)))
        for one, outline, rng in zip(commissions, outlines, rngs, strict=True)
        for plan in outline.sections.values()
    ]
    written = iter(_write(write, vocabulary, jobs, temperature=temperature, top_p=top_p, progress=progress))
    pieces = []
    for one, outline in zip(commissions, outlines, strict=True):
        tempo = one.wishes.tempo
        best = {name: _best(next(written), tempo) for name in outline.sections}
        whole = replace(best[outline.order[0]], bars=[bar for name in outline.order for bar in best[name].bars])
        report = {**describe_choice(whole, one.wishes, outline.form), "candidates": candidates}
        pieces.append(Composed(whole, to_score(whole, tempo=tempo), report))
    return pieces


@dataclass(frozen=True, slots=True)
class _Outline:
    """The plans of the different sections, their order, and the form as letters."""

    sections: dict[str, Plan]
    order: str
    form: str


def _outline(tokens: list[int], wishes: Wishes, v: ArrangementVocabulary, rng: random.Random) -> _Outline:
    """Fixes what was drawn, and lays out the length that is asked for, or drawn where none is."""
    head = decode(tokens, v)
    fixed = Plan(
        genre=(v.genre(head.genre),),
        metre=(v.ids[f"Metre_{head.metre[0]}/{head.metre[1]}"],),
        tempo=(v.ids[f"Tempo_{round(head.tempo)}"],),
        key=(v.ids[f"Key_{head.key}"],),
        parts=tuple((part.role, (part.program,)) for part in head.parts),
    )
    bars = wishes.bars or v.value(tokens[-1]) + 1
    if wishes.seconds is not None:
        quarters = wishes.seconds * (wishes.tempo or head.tempo) / 60
        bars = max(round(quarters * head.metre[1] / (4 * head.metre[0])), 1)
    if not 1 <= bars <= MOST_BARS:
        raise OptionError(f"The piece would have {bars} bars; {MOST_BARS} are the most.")
    if bars <= WHOLE:
        form, repeats = choose_form(bars, rng)
        return _Outline({"A": replace(fixed, bars=bars, repeats=repeats)}, "A", form)
    count = bars // SECTION
    order = "".join(SECTIONS[i % len(SECTIONS)] for i in range(count - 1)) + "Z"
    sections = {}
    for name in dict.fromkeys(order):
        length = SECTION + (bars % SECTION if name == "Z" else 0)
        sections[name] = replace(fixed, bars=length, repeats=choose_form(length, rng)[1], cadence=True)
    return _Outline(sections, order, order)


def _write(
    write: Write,
    vocabulary: ArrangementVocabulary,
    jobs: Sequence[_Job],
    *,
    temperature: float,
    top_p: float,
    progress: Callable[[int, int], None] | None = None,
) -> list[list[Arrangement]]:
    """The candidates of each job."""
    rows = [(job, seed) for job in jobs for seed in job.seeds]
    bars = [job.plan.bars or 0 for job, _ in rows]
    arrangements: list[Arrangement] = []
    for start in range(0, len(rows), ROWS):
        part = rows[start : start + ROWS]
        grammars = [ArrangementGrammar(vocabulary, job.plan) for job, _ in part]

        def tell(_: int, before: int = sum(bars[:start]), grammars: Sequence[ArrangementGrammar] = grammars) -> None:
            if progress is not None:
                progress(before + sum(one.bars_begun for one in grammars), sum(bars))

        tokens = write(
            [job.text for job, _ in part],
            generators=[torch.Generator().manual_seed(seed) for _, seed in part],
            grammars=grammars,
            temperature=temperature,
            top_p=top_p,
            progress=tell,
        )
        arrangements += [decode(row, vocabulary) for row in tokens]
    groups, at = [], 0
    for job in jobs:
        groups.append(arrangements[at : at + len(job.seeds)])
        at += len(job.seeds)
    return groups


def _best(candidates: Sequence[Arrangement], tempo: float | None) -> Arrangement:
    return max(candidates, key=lambda one: craft(one, to_score(one, tempo=tempo)))
