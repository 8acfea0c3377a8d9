"""Makes a tagger of one's own from a folder of recordings and a table of labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrion.errors import InputError
from orchestrion.verbs import options
from orchestrion.verbs.result import Progress, Result

if TYPE_CHECKING:
    import numpy as np

FEWEST = 3  # groups: one each to learn from, to stop by, and to be tested on


@dataclass(frozen=True, slots=True)
class Probed(Result):
    """What was made, and how good it is on recordings that it did not learn from.

    Attributes:
        file: of the probe.
        task: "tags" (several at once) or "classes" (exactly one).
        labels: name → {"files", "test_files", "roc_auc", "pr_auc"}; null where there is nothing to measure.
        roc_auc, pr_auc: means over labels, from 0 to 1; chance is 0.5, and `chance`.
        accuracy: share of right classes; null for tags.
        pieces: recordings to learn from, to stop by, and tested.
        windows: in all.
        epochs: of training.
        space: of the embedding.
        unmatched: entries of the table without a file.
        failures: files that could not be read, with the reasons.
    """

    file: Path
    task: str
    labels: dict[str, dict[str, Any]]
    roc_auc: float
    pr_auc: float
    chance: float
    accuracy: float | None
    pieces: tuple[int, int, int]
    windows: int
    epochs: int
    space: str
    unmatched: tuple[str, ...]
    failures: tuple[tuple[str, str], ...]


def probe(
    source: str | Path,
    labels: str | Path,
    output: str | Path,
    *,
    hidden: int | None = None,
    epochs: int = 200,
    seed: int = 0,
    system: str = "clmr",
    device: str = "cpu",
    progress: Progress | None = None,
) -> Probed:
    """Embeds the labelled recordings of a folder, splits them 70 : 10 : 20 by song or group, trains a head, tests it.

    Args:
        labels: a CSV file; see `data.label_table.read_label_table`.
        output: .safetensors.
        hidden: units of a hidden layer; a linear head by default.
        seed: of the split and the training.

    Raises:
        InputError: the folder or table does not serve, or fewer than three songs are labelled.
        OptionError: an option is out of range.
    """
    from orchestrion.data.label_table import read_label_table

    target = options.check_output(Path(output), (".safetensors",))
    options.within("--hidden", hidden, 1, 65536)
    options.within("--epochs", epochs, 1, 100_000)
    root = Path(source)
    table = read_label_table(labels, sound_files(root), root=root)

    import numpy as np

    from orchestrion.evaluation.probes import probe_pieces, split_by_group
    from orchestrion.verbs.embed import hear_file
    from orchestrion.verbs.serving import load_for

    model = load_for("embed", system, device)
    vectors: list[np.ndarray] = []
    kept: list[int] = []
    failures: list[tuple[str, str]] = []
    space = ""
    for number, path in enumerate(table.files):
        if progress is not None:
            progress(number, len(table.files))
        try:
            found = hear_file(path, model, hop=None, pooling="none").embeddings
        except InputError as error:
            failures.append((str(path), str(error)))
            continue
        space = found.space
        vectors.append(found.vectors)
        kept.append(number)
    groups = [table.groups[number] for number in kept]
    if len(set(groups)) < FEWEST:
        raise InputError(
            f"Only {len(set(groups))} songs or groups of {root} are labelled and can be read; at least {FEWEST} are "
            "needed to learn from, to stop by and to be tested on."
        )
    truth = table.labels[kept]
    pieces = np.repeat(np.arange(len(kept)), [len(one) for one in vectors])
    made = probe_pieces(
        np.concatenate(vectors), pieces, truth, table.names, split_by_group(groups, seed=seed),
        task=table.task, hidden=hidden, epochs=epochs, seed=seed, space=space,
    )  # fmt: skip
    scores = made.scores
    figures = {"roc_auc": scores.roc_auc, "pr_auc": scores.pr_auc, "accuracy": made.accuracy, "chance": made.chance}
    made.probe.save(target, {"figures": figures, "seed": seed, "pieces": made.pieces, "epochs": made.epochs})
    return Probed(
        file=target,
        task=table.task,
        labels={
            name: {
                "files": int(truth[:, number].sum()),
                "test_files": scores.positives[number],
                "roc_auc": scores.roc_aucs[number],
                "pr_auc": scores.pr_aucs[number],
            }
            for number, name in enumerate(table.names)
        },
        roc_auc=scores.roc_auc,
        pr_auc=scores.pr_auc,
        chance=made.chance,
        accuracy=made.accuracy,
        pieces=made.pieces,
        windows=len(pieces),
        epochs=made.epochs,
        space=space,
        unmatched=table.unmatched,
        failures=tuple(failures),
    )


def sound_files(root: Path) -> list[Path]:
    """All recordings in a folder and the folders in it.

    Raises:
        InputError: there is no such folder, or no recording in it.
    """
    from orchestrion.verbs.hearing import SOUND_SUFFIXES

    if not root.is_dir():
        raise InputError(f"There is no folder {root}; give the folder that holds the recordings.")
    files = sorted(path for path in root.rglob("*") if path.suffix.lower() in SOUND_SUFFIXES and path.is_file())
    if not files:
        raise InputError(f"The folder {root} holds no recordings (WAV, FLAC, OGG, MP3 …).")
    return files
