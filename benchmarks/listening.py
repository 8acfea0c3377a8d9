"""Beats, downbeats, chords and tags: the listeners that were trained on rendered music beside librosa and templates.

    python benchmarks/listening.py --clips 100            # prints the table
    python benchmarks/listening.py --clips 100 --write    # and puts it into docs/benchmarks/listening.md
    python benchmarks/listening.py --recordings FOLDER    # beats of recordings beside charts of their beats

A folder of recordings has a folder a song: sound files that are mixed, and `notes.mid` whose tempo map follows them, as
the songs of Debian's packages fretsonfire-songs-sectoid and fretsonfire-songs-muldjord have. Only beats between the
first and the last note of the chart are compared; its metre is not known.

Clips are rendered from the corpus' test tunes, with programs, tempo, level and room drawn anew. Scores are mir_eval's:
F-measure of beats and downbeats within 70 ms (the first five seconds count too, since clips are short), and the
weighted accuracy of chords as major or minor triads.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from orchestrion.analysis.audio_chords import find_audio_chords
from orchestrion.analysis.bar_tracking import BeatPath
from orchestrion.analysis.beats import track_beats
from orchestrion.data.audio_factory import RenderedClip
from orchestrion.data.audio_tags import multi_hot
from orchestrion.data.corpus import load_corpus
from orchestrion.media.audio import Audio, read_audio
from orchestrion.media.score import read_score
from orchestrion.media.soundfont import shipped_soundfont
from orchestrion.media.timeline import Timeline
from orchestrion.systems.listeners.beats import BeatListener
from orchestrion.systems.listeners.chords import ChordListener
from orchestrion.systems.listeners.clips import clip_factory
from orchestrion.systems.listeners.listener import WEIGHTS
from orchestrion.systems.listeners.tags import KINDS, TagListener
from orchestrion.theory.chords import ChordSpan
from orchestrion.theory.metre import Metre

REPORT = Path(__file__).parents[1] / "docs" / "benchmarks" / "listening.md"
SEED = 1000  # of the clips, unlike that of training


def beat_scores(clip: RenderedClip, found: BeatPath) -> tuple[float, float]:
    """F-measures of beats and downbeats."""
    import mir_eval

    return (
        float(mir_eval.beat.f_measure(clip.beats, found.times)),
        float(mir_eval.beat.f_measure(clip.downbeats, found.downbeats)),
    )


def division_score(clip: RenderedClip, found: BeatPath) -> float:
    """Whether it is heard that beats divide into two, or into three; NaN where the metre is not known."""
    return float("nan") if clip.metre is None else float(Metre(*clip.metre).compound == found.triple)


def chord_score(clip: RenderedClip, found: Sequence[ChordSpan]) -> float:
    """Weighted accuracy as major or minor triads; NaN where the clip has none."""
    import mir_eval

    known = [span for span in clip.chords if span.end > span.start]
    if not known:
        return float("nan")
    intervals, names = _as_mir_eval(known)
    heard, heard_names = _as_mir_eval(found)
    heard, heard_names = mir_eval.util.adjust_intervals(
        heard, heard_names, float(intervals.min()), float(intervals.max()), mir_eval.chord.NO_CHORD,
        mir_eval.chord.NO_CHORD,
    )  # fmt: skip
    both, left, right = mir_eval.util.merge_labeled_intervals(intervals, names, heard, heard_names)
    right_or_not = mir_eval.chord.majmin(left, right)
    return float(mir_eval.chord.weighted_accuracy(right_or_not, mir_eval.util.intervals_to_durations(both)))


def _as_mir_eval(spans: Sequence[ChordSpan]) -> tuple[np.ndarray, list[str]]:
    return np.array([[span.start, span.end] for span in spans]), [span.chord.harte() for span in spans]


def measure(count: int, folder: Path, soundfont: Path) -> dict[str, dict[str, float]]:
    """Mean scores by listener."""
    factory = clip_factory(load_corpus("compact", split="test"), seed=SEED, soundfont=soundfont)
    clips = [factory.clip(index) for index in range(count)]
    beats, chords, tags = (
        kind.load(path) if (path := folder / kind.bundled().name).is_file() else None
        for kind in (BeatListener, ChordListener, TagListener)
    )
    scores: dict[str, dict[str, list[float]]] = {}

    def note(name: str, **values: float) -> None:
        for kind, value in values.items():
            scores.setdefault(name, {}).setdefault(kind, []).append(value)

    for clip in clips:
        path = track_beats(clip.audio)
        beat, downbeat = beat_scores(clip, path)
        note("librosa, templates", beat=beat, downbeat=downbeat, division=division_score(clip, path))
        note("librosa, templates", chord=chord_score(clip, find_audio_chords(clip.audio)))
        if isinstance(beats, BeatListener):
            path = beats.beats(clip.audio)
            beat, downbeat = beat_scores(clip, path)
            note("listeners", beat=beat, downbeat=downbeat, division=division_score(clip, path))
        if isinstance(chords, ChordListener):
            note("listeners", chord=chord_score(clip, chords.chords(clip.audio)))
    result = {name: {kind: float(np.nanmean(values)) for kind, values in row.items()} for name, row in scores.items()}
    if isinstance(tags, TagListener):
        result.setdefault("listeners", {}).update(tag_scores(clips, tags))
    return result


def tag_scores(clips: Sequence[RenderedClip], listener: TagListener) -> dict[str, float]:
    """Mean area under the ROC curve of the tags of each kind; tags that all or no clips have are left out."""
    from sklearn.metrics import roc_auc_score

    found = np.stack([listener.probabilities(clip.audio) for clip in clips])
    known = multi_hot([clip.tags for clip in clips], listener.names)
    areas: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for column, name in enumerate(listener.names):
        if 0 < known[:, column].sum() < len(clips):
            areas[name.partition(": ")[0]].append(float(roc_auc_score(known[:, column], found[:, column])))
    return {f"{kind} AUC": float(np.mean(values)) for kind, values in areas.items() if values}


def measure_recordings(folder: Path, weights: Path) -> str:
    """A table of F-measures of beats, song by song."""
    listener = BeatListener.load(weights / BeatListener.bundled().name)
    lines = ["| recording | minutes | librosa | listener |", "|---|---|---|---|"]
    sums: list[tuple[float, float]] = []
    for chart in sorted(folder.glob("**/notes.mid")):
        audio = _mixed(sorted(path for path in chart.parent.iterdir() if path.suffix in (".ogg", ".wav", ".flac")))
        known = charted_beats(chart)
        scores = (
            _f_measure_within(known, track_beats(audio).times),
            _f_measure_within(known, listener.beats(audio).times),
        )
        sums.append(scores)
        lines.append(f"| {chart.parent.name} | {audio.seconds / 60:.1f} | {scores[0]:.3f} | {scores[1]:.3f} |")
    means = np.mean(sums, axis=0)
    return "\n".join([*lines, f"| mean | | {means[0]:.3f} | {means[1]:.3f} |"])


def _mixed(paths: Sequence[Path]) -> Audio:
    parts = [read_audio(path, mono=True, rate=22050).samples[0] for path in paths]
    length = max(len(part) for part in parts)
    return Audio(np.sum([np.pad(part, (0, length - len(part))) for part in parts], axis=0)[None], 22050)


def charted_beats(path: Path) -> np.ndarray:
    """Seconds of the quarter notes between the first and the last note of a chart."""
    score = read_score(path)
    timeline = Timeline.from_score(score)
    times = np.concatenate([track.notes.numpy()["time"] for track in score.tracks])
    quarters = np.arange(-(-int(times.min()) // timeline.tpq), int(times.max()) // timeline.tpq + 1)
    return np.array([float(timeline.tick_to_second(int(quarter) * timeline.tpq)) for quarter in quarters])


def _f_measure_within(known: np.ndarray, found: np.ndarray) -> float:
    import mir_eval

    found = found[(found > known[0] - 0.07) & (found < known[-1] + 0.07)]
    return float(mir_eval.beat.f_measure(known, found))


COLUMNS = {
    "beat": "beats F", "downbeat": "downbeats F", "division": "two or three", "chord": "chords, maj/min",
    "family AUC": "instruments AUC", "genre AUC": "genre AUC", "mood AUC": "mood AUC",
}  # fmt: skip


def table(result: dict[str, dict[str, float]]) -> str:
    """Rows of listeners, columns of scores."""
    lines = ["| heard by | " + " | ".join(COLUMNS.values()) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    for name, row in result.items():
        lines.append(f"| {name} | " + " | ".join(f"{row[k]:.3f}" if k in row else "–" for k in COLUMNS) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=100)
    parser.add_argument("--folder", type=Path, default=WEIGHTS, help="weights of the listeners")
    parser.add_argument("--recordings", type=Path, help="songs with charts of their beats, instead of clips")
    parser.add_argument("--soundfont", type=Path, default=shipped_soundfont(), help="that plays the clips")
    parser.add_argument("--write", action="store_true", help="put the table into the report")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.recordings is not None:
        print(measure_recordings(options.recordings, options.folder))
        return
    found = table(measure(options.clips, options.folder, options.soundfont))
    print(found)
    if options.write:
        text = REPORT.read_text()
        start, end = text.index("<!-- table -->"), text.index("<!-- end -->")
        REPORT.write_text(f"{text[:start]}<!-- table -->\n{found}\n{text[end:]}")


if __name__ == "__main__":
    main()
