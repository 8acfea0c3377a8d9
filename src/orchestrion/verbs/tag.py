"""Says which tags a sound has, as a whole and over time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrion.errors import OptionError, WeightsError
from orchestrion.verbs import options
from orchestrion.verbs.result import Progress, Result

if TYPE_CHECKING:
    import numpy as np

BUNDLED = "clmr_tags"
SUFFIXES = (".png", ".svg", ".pdf", ".csv")


@dataclass(frozen=True, slots=True)
class Tagged(Result):
    """What was heard.

    Attributes:
        file: that was listened to.
        tags: name → probability, the mean over windows; the likeliest first.
        seconds: length of the sound.
        window, hop: of the windows, in seconds.
        padded: whether it is shorter than a window.
        probe: name or path of the head.
        output: picture or table of the tags over time, where one was asked for.
    """

    file: Path
    tags: dict[str, float]
    seconds: float
    window: float
    hop: float
    padded: bool
    probe: str
    output: Path | None


def tag(
    source: str | Path,
    output: str | Path | None = None,
    *,
    probe: str | Path | None = None,
    hop: float | None = None,
    top: int | None = None,
    system: str = "clmr",
    device: str = "cpu",
    progress: Progress | None = None,
) -> Tagged:
    """Tags a recording, or a score as it is rendered.

    Args:
        output: .png, .svg or .pdf for a picture of the tags over time, .csv for a table.
        probe: what `orchestrion probe` made; the one that ships by default (instruments, tempo, register, mode; it was
            trained on rendered music).
        hop: seconds between windows.
        top: at most so many tags.

    Raises:
        InputError: the file cannot be read.
        OptionError: the probe was made for other embeddings, or an option is out of range.
        WeightsError: the probe cannot be read.
    """
    from orchestrion.verbs.embed import check_sound, hear_file

    options.within("--hop", hop, 0.001, 3600, "seconds")
    options.within("--top", top, 1, 10_000)
    target = options.check_output(Path(output), SUFFIXES) if output is not None else None
    path = Path(source)
    check_sound(path)

    from orchestrion.evaluation.probes import Probe
    from orchestrion.hub.weights import bundled_path
    from orchestrion.verbs.serving import load_for

    place = Path(probe) if probe is not None else bundled_path(BUNDLED)
    if place is None:
        raise WeightsError("No probe ships with this package; give one with --probe, made by `orchestrion probe`.")
    head = Probe.load(place)
    model = load_for("embed", system, device)
    heard = hear_file(path, model, hop=hop, pooling="none", progress=progress)
    found = heard.embeddings
    if head.space != found.space:
        raise OptionError(
            f"The probe {place} was made for the embedding {head.space!r}, not for {found.space!r}; give the system "
            "that it was made with."
        )
    scores = head.scores(found.vectors)
    step = found.window if hop is None else hop
    if target is not None:
        _write(target, scores, head, found.starts, step, path)
    means = scores.mean(0)
    order = (-means).argsort(kind="stable")[:top]
    return Tagged(
        file=path,
        tags={head.labels[number]: round(float(means[number]), 4) for number in order},
        seconds=round(heard.seconds, 3),
        window=found.window,
        hop=step,
        padded=heard.padded,
        probe=str(probe) if probe is not None else BUNDLED,
        output=target,
    )


def _write(target: Path, scores: np.ndarray, head: Any, starts: tuple[float, ...], step: float, path: Path) -> None:
    if target.suffix.lower() != ".csv":
        from orchestrion.media.taggram import draw_taggram

        draw_taggram(scores, head.labels, target, hop=step, title=path.name)
        return
    import csv

    from orchestrion.media.files import atomic_write

    with atomic_write(target) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["start", *head.labels])
        for start, row in zip(starts, scores.tolist(), strict=True):
            writer.writerow([f"{start:.4f}", *(f"{value:.4f}" for value in row)])
