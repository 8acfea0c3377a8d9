"""Every verb for scores on files that nobody made for us: does it end well, and is kept what was to be kept?

    python benchmarks/real_files.py FOLDER [--verbs continue,infill] [--output real-files.md]

For each file and verb: the files are written; what the verb keeps is there note for note (tick, pitch, length,
velocity, program); metres and tempo map of the kept bars are the same; the result plays (its first 20 s are rendered
and not silent). FOLDER holds MIDI files; a table and every failure are printed.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from orchestrion.errors import UserError
from orchestrion.media.render import render
from orchestrion.media.score import read_score
from orchestrion.media.timeline import Timeline

HEARD_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Trial:
    """A verb with its options, and which notes of the source its result must hold.

    Attributes:
        run: source, output → result with `files`.
        keeps: timeline of the source, bar of a note → whether it must be kept; None: nothing must.
        suffix: of the result; "" for verbs that only tell something.
        drums: whether only notes of drums must be kept.
    """

    name: str
    run: Callable[[Path, Path], Any]
    keeps: Callable[[Timeline, int], bool] | None
    suffix: str = ".mid"
    drums: bool = False


def trials() -> list[Trial]:
    """All verbs that take a score."""
    from orchestrion.verbs.continue_ import continue_
    from orchestrion.verbs.describe import describe
    from orchestrion.verbs.fade import fade
    from orchestrion.verbs.generate import generate
    from orchestrion.verbs.harmonize import harmonize
    from orchestrion.verbs.infill import infill
    from orchestrion.verbs.paint import paint
    from orchestrion.verbs.restyle import restyle
    from orchestrion.verbs.skeleton import skeleton
    from orchestrion.verbs.slices import slices
    from orchestrion.verbs.themes import themes

    return [
        Trial("describe", lambda source, output: describe(source), None, ""),
        Trial("themes", lambda source, output: themes(source), None, ""),
        Trial("skeleton", lambda source, output: skeleton(source), None, ""),
        Trial("theme", lambda s, o: generate("", o, theme=s, bars=8, seed=0), None),
        Trial("fade", lambda s, o: fade(s, o, density=0.5, seed=0), None),
        Trial("slices", lambda s, o: slices(s, o, seed=0), None),
        Trial("paint", lambda s, o: paint(s, o, mask="rising", bars="1-4", seed=0), lambda timeline, bar: bar > 4),
        Trial("continue", lambda s, o: continue_(s, o, bars=4, seed=0), lambda timeline, bar: True),
        Trial("infill", lambda s, o: infill(s, o, bars="2-3", seed=0), lambda timeline, bar: bar not in (1, 2)),
        Trial("harmonize", lambda s, o: harmonize(s, o, seed=0), lambda timeline, bar: True),
        Trial("restyle", lambda s, o: restyle(s, o, passes=2, seed=0), lambda timeline, bar: True, drums=True),
        Trial("arrange", add_something, lambda timeline, bar: True),
    ]


def add_something(source: Path, output: Path) -> Any:
    """The first part that the piece lacks."""
    from orchestrion.verbs.arrange import arrange

    for part in ("strings", "piano", "guitar", "bass"):
        try:
            return arrange(source, output, add=part, seed=0)
        except UserError as error:
            if "already" not in str(error):
                raise
    return arrange(source, output, add="drum", seed=0)


def notes(score: Any) -> Counter[tuple[int, ...]]:
    """Every note as tick, length, pitch, velocity, program."""
    return Counter(
        (note.time, note.duration, note.pitch, note.velocity, 128 if track.is_drum else track.program)
        for track in score.tracks
        for note in track.notes
    )


def judge(trial: Trial, source: Path, folder: Path) -> str:
    """ "kept", "made" where nothing must be kept, or what is wrong."""
    output = folder / f"{source.stem}-{trial.name}{trial.suffix}"
    try:
        trial.run(source, output)
    except UserError as error:
        return f"refused: {error}"
    if not trial.suffix:
        return "made"
    before, after = read_score(source), read_score(output)
    timeline = Timeline.from_score(before)
    audio = render(after.clip(0, round(float(Timeline.from_score(after).second_to_tick(HEARD_SECONDS)))))
    if not np.abs(audio.samples).max() > 1e-3:
        return "silent"
    if trial.keeps is None:
        return "made"
    if before.tpq != after.tpq:
        after = after.resample(before.tpq, min_dur=0)
    edges = timeline.bar_to_tick(np.arange(timeline.n_bars + 1, dtype=np.float64))
    wanted = Counter(
        {
            note: count
            for note, count in notes(before).items()
            if trial.keeps(timeline, int(np.searchsorted(edges, note[0], side="right")) - 1)
            and (not trial.drums or note[-1] == 128)
        }
    )
    lost = wanted - notes(after)
    if lost:
        return f"{sum(lost.values())} of {sum(wanted.values())} notes lost"
    at = np.linspace(0, float(edges[-1]), 200)
    if not np.allclose(timeline.tick_to_second(at), Timeline.from_score(after).tick_to_second(at), atol=2e-3):
        return "another tempo map"
    metres = [[(m.time, m.numerator, m.denominator) for m in one.time_signatures] for one in (before, after)]
    if metres[0] and metres[0] != metres[1][: len(metres[0])]:
        return "other metres"
    return "kept"


def main() -> None:
    """Prints the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path)
    options.add_argument("--verbs", help="names with commas; all by default")
    options.add_argument("--most-bars", type=int, default=10_000, help="leave longer files out")
    options.add_argument("--output", type=Path, help="the table as a file too")
    given = options.parse_args()
    chosen = [t for t in trials() if given.verbs is None or t.name in given.verbs.split(",")]
    files = sorted(given.folder.glob("*.mid"))
    files = [file for file in files if Timeline.from_score(read_score(file)).n_bars <= given.most_bars]
    found: dict[str, dict[str, str]] = {}
    seconds: dict[str, list[float]] = {trial.name: [] for trial in chosen}
    with tempfile.TemporaryDirectory() as folder:
        for source in files:
            found[source.name] = {}
            for trial in chosen:
                start = time.perf_counter()
                verdict = judge(trial, source, Path(folder))
                seconds[trial.name].append(time.perf_counter() - start)
                found[source.name][trial.name] = verdict
                print(json.dumps([source.name, trial.name, verdict, round(seconds[trial.name][-1], 1)]), flush=True)
    lines = ["| verb | files | ended well | seconds, median | what did not |", "|---|---|---|---|---|"]
    for trial in chosen:
        verdicts = {name: row[trial.name] for name, row in found.items()}
        bad = [f"{name}: {verdict}" for name, verdict in verdicts.items() if verdict not in ("kept", "made")]
        lines.append(
            f"| {trial.name} | {len(files)} | {len(files) - len(bad)} | {np.median(seconds[trial.name]):.1f} | "
            f"{'; '.join(bad) or '–'} |"
        )
    print("\n".join(lines))
    if given.output is not None:
        given.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
