"""Instruments, genre and mood: the listener beside logistic regression on spectral statistics of the same clips.

    python benchmarks/listening_tags.py                                   # prints the table for rendered clips
    python benchmarks/listening_tags.py --sounds FOLDER [FOLDER …]        # and for recordings, by the names of files

Both learn from the same rendered clips and have thresholds with the best F1 on the same clips of other tunes; the test
clips are of a third set of tunes. The regression sees the mean and the deviation over time of 81 mel bands (logarithms,
whatever the level) and the mean of 144 quarter tones.

Recordings are the sounds, a second and longer, in Debian's packages lmms-common and sonic-pi-samples, whose file names
say what plays, and ten-second stretches of the songs in fretsonfire-songs-sectoid and fretsonfire-songs-muldjord
(guitars in a file of their own, drums and bass in the other). Only instrument families can be measured there.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from orchestrion.data.audio_tags import multi_hot
from orchestrion.data.corpus import load_corpus
from orchestrion.errors import InputError
from orchestrion.evaluation.tagging import tagging_scores
from orchestrion.media.audio import Audio, read_audio
from orchestrion.media.soundfont import shipped_soundfont
from orchestrion.systems.listeners.clips import HeardClips, hear_in_turn
from orchestrion.systems.listeners.front_ends import RATE, MelFrontEnd, PitchFrontEnd, levelled
from orchestrion.systems.listeners.tags import CLIP, KINDS, TagListener, best_threshold
from orchestrion.systems.listeners.train import tag_probabilities

TEST_SEED, HELD_SEED = 1000, 1
SHORTEST = 1.0  # seconds
FAMILIES = (
    (r"/beats/|/drums/|drum_|/bd_|/sn_|loop_amen|loop_breakbeat", ("drums",)),
    (r"/basses/bass|bassslap|/bass_|tb303|techno_bass", ("bass",)),
    (r"guit_|guitar", ("guitar",)),
    (r"piano|harpsichord", ("piano",)),
    (r"organ", ("organ",)),
    (r"cello|violin", ("strings",)),
    (r"strings|choir|chorus", ("ensemble",)),
    (r"trumpet|brass", ("brass",)),
    (r"flute", ("pipe",)),
    (r"pad01|ambient|drone", ("synth pad",)),
    (r"/song\.ogg$", ("drums", "bass")),
)


def statistics(clips: HeardClips) -> np.ndarray:
    """[clips, features] means and deviations over time."""
    rows = []
    for mel, pitch in zip(clips.mel.split(50), clips.pitch.split(50), strict=True):
        mel, pitch = mel.float(), pitch.float()
        rows.append(torch.cat([mel.mean(-1), mel.std(-1), pitch.mean(-1)], 1))
    return torch.cat(rows).numpy()


class Regression:
    """One logistic regression a tag on standardised statistics."""

    def __init__(self, clips: HeardClips, names: Sequence[str], *, strength: float = 0.03) -> None:
        from sklearn.linear_model import LogisticRegression

        found = statistics(clips)
        self.mean, self.spread = found.mean(0), found.std(0) + 1e-6
        labels, seen = multi_hot(clips.tags, names), (found - self.mean) / self.spread
        self.models = [LogisticRegression(C=strength, max_iter=300).fit(seen, column) for column in labels.T]

    def probabilities(self, clips: HeardClips) -> np.ndarray:
        """[clips, tags]."""
        seen = (statistics(clips) - self.mean) / self.spread
        return np.stack([model.predict_proba(seen)[:, 1] for model in self.models], 1)


def scores(found: np.ndarray, labels: np.ndarray, names: Sequence[str], thresholds: np.ndarray) -> dict[str, str]:
    """ROC-AUC, PR-AUC and macro F1 by kind of tag, and how often the likeliest genre is right."""
    row = {}
    for kind in KINDS:
        columns = [place for place, name in enumerate(names) if name.startswith(kind) and labels[:, place].sum() > 0]
        if not columns:
            continue
        areas = tagging_scores(labels[:, columns], found[:, columns])
        said = found[:, columns] >= thresholds[columns]
        hits, count = (said * labels[:, columns]).sum(0), said.sum(0) + labels[:, columns].sum(0)
        row[kind] = f"{areas.roc_auc:.3f} / {areas.pr_auc:.3f} / {(2 * hits / count).mean():.3f}"
        if kind == "genre":
            known = labels[:, columns].any(1)
            right = labels[np.arange(len(labels)), np.array(columns)[found[:, columns].argmax(1)]]
            row["first genre right"] = f"{right[known].mean():.3f}"
    return row


def compare(
    train: HeardClips, held: HeardClips, sets: Mapping[str, HeardClips], listener: TagListener
) -> dict[str, dict[str, dict[str, str]]]:
    """Scores on each set, of the regression and of the listener; the areas of each family too."""
    names = listener.names
    regression = Regression(train, names)
    tuned = regression.probabilities(held)
    known = multi_hot(held.tags, names)
    own = np.array([best_threshold(tuned[:, n], known[:, n]) if known[:, n].any() else 0.5 for n in range(len(names))])
    result: dict[str, dict[str, dict[str, str]]] = {}
    for name, clips in sets.items():
        labels = multi_hot(clips.tags, names)
        made = {
            "spectral statistics, logistic regression": (regression.probabilities(clips), own),
            "listener": (tag_probabilities(listener, clips), listener.thresholds.numpy()),
        }
        result[name] = {}
        for who, (found, thresholds) in made.items():
            row = scores(found, labels, names, thresholds)
            areas = tagging_scores(labels, found)
            row["by family"] = ", ".join(
                f"{tag.partition(': ')[2]} {area:.2f} ({positives})"
                for tag, area, positives in zip(names, areas.roc_aucs, areas.positives, strict=True)
                if tag.startswith("family") and positives >= 3
            )
            result[name][who] = row
    return result


def recordings(folders: Sequence[Path]) -> HeardClips:
    """Sounds of ten seconds and less in folders, with the families that their names say."""
    mel_of, pitch_of = MelFrontEnd(), PitchFrontEnd()
    mels, pitches, labels = [], [], []
    paths = [
        path for folder in folders for path in sorted(folder.rglob("*")) if path.suffix in (".ogg", ".flac", ".wav")
    ]
    for path in paths:
        families = next((families for pattern, families in FAMILIES if re.search(pattern, str(path))), None)
        if families is None:
            continue
        try:
            audio = read_audio(path, mono=True, rate=RATE)
        except InputError:  # one of the sounds is damaged
            continue
        if audio.seconds < SHORTEST:
            continue
        starts = (0.3, 0.5, 0.7) if audio.seconds > 60 else (0.0,)
        for start in starts:
            wave = _stretch(audio, start)
            with torch.inference_mode():
                mels.append(mel_of(wave).half())
                pitches.append(pitch_of(wave).half())
            labels.append(Known({"family": families}))
    return HeardClips(torch.cat(mels), torch.cat(pitches), labels)  # pyright: ignore[reportArgumentType]


class Known:
    """What is known of a recording."""

    def __init__(self, tags: Mapping[str, tuple[str, ...]]) -> None:
        self.tags = tags


def _stretch(audio: Audio, share: float) -> torch.Tensor:
    """[1, samples] ten seconds from a share of the whole on; shorter sounds are played again and again."""
    samples, length = audio.samples[0], round(CLIP * RATE)
    start = round(share * len(samples))
    piece = samples[start : start + length]
    return torch.from_numpy(levelled(np.resize(piece, length)))[None]


def heard(split: str, count: int, seed: int, soundfonts: Sequence[str | Path]) -> HeardClips:
    """Rendered clips of a part of the corpus, played by several SoundFonts in turn."""
    return hear_in_turn(load_corpus("compact", split=split), count, soundfonts=soundfonts, seed=seed, seconds=CLIP)


def report(result: Mapping[str, Mapping[str, Mapping[str, str]]]) -> str:
    """A table for each set."""
    lines = []
    for name, rows in result.items():
        columns = [column for column in next(iter(rows.values())) if column != "by family"]
        lines += [f"{name}:", "", "| heard by | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
        lines += [f"| {who} | " + " | ".join(row[column] for column in columns) + " |" for who, row in rows.items()]
        lines += ["", *(f"Areas of families, {who}: {row['by family']}.\n" for who, row in rows.items())]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=int, default=1000, help="clips that the regression learns from")
    parser.add_argument("--held", type=int, default=200, help="clips that its thresholds are set on")
    parser.add_argument("--test", type=int, default=200)
    parser.add_argument("--weights", type=Path, help="of the listener; those that ship by default")
    parser.add_argument("--soundfonts", nargs="+", default=["shipped"], help='files, or "shipped"')
    parser.add_argument("--sounds", type=Path, nargs="*", default=(), help="folders of recordings")
    options = parser.parse_args()
    fonts = [shipped_soundfont() if name == "shipped" else Path(name) for name in options.soundfonts]
    sets = {f"rendered, {font.name}": heard("test", options.test, TEST_SEED, [font]) for font in fonts}
    if options.sounds:
        sets["recordings"] = recordings(options.sounds)
    listener = TagListener.load(options.weights)
    train, held = heard("train", options.train, 0, fonts), heard("validation", options.held, HELD_SEED, fonts)
    print(report(compare(train, held, sets, listener)))


if __name__ == "__main__":
    main()
