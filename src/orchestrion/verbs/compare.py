"""Several systems at the same task on the same held-out pieces: one table, one plot, and which differences are sure."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrion.errors import InputError, OptionError
from orchestrion.verbs import options
from orchestrion.verbs.result import Progress, Result

if TYPE_CHECKING:
    from orchestrion.reproductions.contests import ContinuationContest, MelodyContest, Standings

TASKS: dict[str, tuple[str, ...]] = {"continue": ("continue_",), "melody": ("melodize", "elaborate", "generate")}
"""Task → methods, any of which a system needs."""
SURE = 0.05


@dataclass(frozen=True, slots=True)
class Comparison(Result):
    """The systems from best to worst, the mean loss of each and of the controls, the files, and all figures."""

    task: str
    pieces: int
    ranking: tuple[str, ...]
    loss: dict[str, float]
    figures: dict[str, dict[str, float]]
    differences: tuple[dict[str, Any], ...]
    files: tuple[Path, ...]


def compare(
    systems: Sequence[str],
    *,
    task: str = "continue",
    pieces: str | Path | None = None,
    n: int = 20,
    known: int = 8,
    bars: int = 8,
    seed: int = 0,
    output: str | Path | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Comparison:
    """Compares systems at a task.

    Args:
        systems: names, as of `load`.
        task: "continue": pieces are cut after `known` bars, and `bars` more are written. "melody": a melody for the
            chords of the first `bars` bars.
        pieces: a folder of scores to continue; by default the test split of the corpus that ships.
        n: at most so many pieces.
        output: folder for compare.md, compare.json and compare.png.

    Raises:
        OptionError: the task is unknown, a system cannot do it, or a number is out of range.
        InputError: no piece is long enough.
        OutputError: the folder cannot be written to.
    """
    from orchestrion.reproductions.contests import hold
    from orchestrion.verbs.serving import load_for
    from orchestrion.verbs.staging import check_folder

    if task not in TASKS:
        raise OptionError(f"Systems cannot be compared at {task!r}; choose {', '.join(TASKS)}.")
    if len(set(systems)) != len(systems) or not systems:
        raise OptionError("Name at least one system, and each only once.")
    options.within("--n", n, 1, 1000, "pieces")
    options.within("--known", known, 1, options.MOST_BARS, "bars")
    options.within("--bars", bars, 1, options.MOST_BARS, "bars")
    folder = None if output is None else Path(output)
    if folder is not None:
        check_folder(folder.parent)
    contest = _contest(task, pieces, n, known, bars)
    if not len(contest):
        raise InputError("No piece is long enough; give other pieces, or fewer bars with --known and --bars.")
    loaded = {name: load_for(TASKS[task][0], name, device, *TASKS[task][1:]) for name in systems}
    found = hold(contest, loaded, seed=seed, progress=progress)
    files = () if folder is None else _write(found, tuple(systems), contest.figures, folder)
    return Comparison(
        found.task,
        found.pieces,
        tuple(name for name in found.ranking if name in loaded),
        {name: _mean(values) for name, values in found.loss.items()},
        {name: {figure: value[0] for figure, value in means.items()} for name, means in found.means.items()},
        tuple(
            {"first": first, "second": second, "difference": d.mean, "low": d.low, "high": d.high, "p": d.p}
            for (first, second), d in found.differences.items()
        ),
        files,
    )


def _contest(task: str, place: str | Path | None, n: int, known: int, bars: int) -> ContinuationContest | MelodyContest:
    """The first `n` pieces that can serve."""
    from orchestrion.data.corpus import load_corpus
    from orchestrion.media.timeline import Timeline
    from orchestrion.reproductions.contests import ContinuationContest, MelodyContest
    from orchestrion.verbs.evaluate import read_scores

    if task == "melody":
        if place is not None:
            raise OptionError("Melodies are compared on pieces whose chords are known; leave --pieces out.")
        contest = MelodyContest(load_corpus("compact", split="test")[: 20 * n], bars=bars)
        contest.pieces, contest.chords = contest.pieces[:n], contest.chords[:n]
        return contest
    scores = (
        (piece.score for piece in load_corpus("compact", split="test"))
        if place is None
        else iter(read_scores(Path(place), None)[0])
    )
    long_enough = (s for s in scores if s is not None and Timeline.from_score(s).n_bars >= known + bars)
    return ContinuationContest(list(islice(long_enough, n)), known=known, bars=bars)


def _write(found: Standings, systems: Sequence[str], figures: Sequence[Any], folder: Path) -> tuple[Path, ...]:
    """The table, the figures of every piece, and the plot."""
    from orchestrion.reproductions.report import Plot
    from orchestrion.verbs.result import plain
    from orchestrion.verbs.staging import staged

    plot = Plot(
        name="compare",
        title=f"{found.task}: distance from the pieces themselves, least is best",
        series={"loss": [_mean(found.loss[name]) for name in found.ranking]},
        x=found.ranking,
        y_label="mean loss",
    )
    folder.mkdir(exist_ok=True)
    record = {
        "task": found.task,
        "pieces": found.pieces,
        "values": found.values,
        "loss": found.loss,
        "differences": [[*pair, plain(d)] for pair, d in found.differences.items()],
    }
    with staged(folder) as hidden:
        (hidden / "compare.md").write_text(_markdown(found, systems, figures), encoding="utf-8")
        (hidden / "compare.json").write_text(json.dumps(plain(record), indent=1) + "\n", encoding="utf-8")
        (hidden / "compare.png").write_bytes(plot.png())
    return tuple(folder / f"compare.{suffix}" for suffix in ("md", "json", "png"))


def _markdown(found: Standings, systems: Sequence[str], figures: Sequence[Any]) -> str:
    from orchestrion.reproductions.report import markdown_table

    names = [name for name in found.values if name not in found.loss] + list(found.ranking)
    rows = [
        [
            f"**{name}**" if name in systems else name,
            "–" if name not in found.loss else f"{_mean(found.loss[name]):.3f}",
            *(f"{found.means[name][figure.name][0]:.3f}" for figure in figures),
        ]
        for name in names
    ]
    pairs = [
        [first, second, f"{d.mean:+.3f}", f"{d.low:+.3f} to {d.high:+.3f}", f"{d.p:.2g}", "yes" if d.p < SURE else "no"]
        for (first, second), d in found.differences.items()
    ]
    lines = [f"# {found.task}: {found.pieces} pieces", ""]
    lines += markdown_table(["", "loss", *(figure.name for figure in figures)], rows)
    lines += [
        "",
        "Loss: mean distance from the piece's own values, in units of their spread; the least is the best.",
        "",
    ]
    lines += [f"- {figure.name}: {figure.meaning}" for figure in figures]
    lines += ["", "## Differences of loss", ""]
    lines += markdown_table(["first", "second", "difference", "95 %", "p", "sure"], pairs)
    lines += ["", "Paired bootstrap over the pieces; below zero the first is better.", "", "![loss](compare.png)"]
    return "\n".join(lines) + "\n"


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan
