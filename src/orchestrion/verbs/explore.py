"""What a corpus thinks of chords and keys: distances between slices as plots."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrion.errors import InputError, OptionError
from orchestrion.verbs import options
from orchestrion.verbs.result import Progress, Result, plain

MOST_PIECES = 60  # whose keys are compared
FEWEST_SLICES = 200


@dataclass(frozen=True, slots=True)
class Exploration(Result):
    """Figures and the files that show them.

    Attributes:
        source: the folder, file or weights that the slices come from.
        pieces, slices, words: how many were read, and how many have vectors.
        triads: of the 24 major and minor ones, those with vectors.
        chords: mean distance of chords from the tonic triad, by function.
        keys: mean distance of keys one to six fifths apart.
        failures: files that could not be read, and why.
    """

    source: str
    pieces: int
    slices: int
    words: int
    triads: int
    chords: dict[str, float | None]
    keys: tuple[float | None, ...]
    files: tuple[Path, ...]
    failures: tuple[tuple[str, str], ...]


def explore(
    source: str | Path | None = None,
    *,
    output: str | Path = "explored",
    words: int = 500,
    seed: int = 0,
    system: str = "word2vec_music",
    device: str = "cpu",
    progress: Progress | None = None,
) -> Exploration:
    """Draws chord distances, key distances and the circle of fifths, from the vectors that ship or from any music.

    Args:
        source: a folder of scores, or a file; vectors are learned from it alone. Without one, the system's own
            vectors are shown, with held-out pieces of the compact corpus for the keys.
        output: folder of `chords.png`, `keys.png`, `fifths.png` and `figures.json`.
        words: vocabulary learned from `source`.

    Raises:
        InputError: there is no music to learn from, or too little.
        OptionError: an option is out of range.
        OutputError: the folder cannot be written to.
    """
    import numpy as np
    import torch

    from orchestrion.evaluation.slice_space import by_fifths, chord_distances, fifth_pairs, key_distances, known_triads
    from orchestrion.systems.word2vec_music import Word2VecMusic
    from orchestrion.verbs.serving import check_device, load_for
    from orchestrion.verbs.staging import check_folder, staged

    options.within("--words", words, 24, 4000)
    target = Path(output)
    check_folder(target.parent)
    if target.is_file():
        raise OptionError(f"{target} is a file; give the name of a folder.")
    failures: tuple[tuple[str, str], ...] = ()
    if source is None:
        model: Any = load_for("replace_slices", system, device)
        texts = model.texts(_held_out())
    else:
        check_device(device)
        texts, failures = _read(Path(source), progress)
        total = sum(map(len, texts))
        if total < FEWEST_SLICES:
            raise InputError(f"There are only {total} slices in {source}; at least {FEWEST_SLICES} are needed.")
        torch.manual_seed(seed)
        model = Word2VecMusic.from_preset("mini", words=Word2VecMusic.find_words(texts, words)).to(device)
        learn(model, texts, progress)
    space = model.space()
    chords = chord_distances(space)
    rng = np.random.default_rng(seed)
    chosen = [texts[int(n)] for n in rng.permutation(len(texts))[:MOST_PIECES]]
    keys = key_distances(space, chosen)
    with staged(target.parent) as folder:
        place = folder / target.name
        place.mkdir(exist_ok=True)
        files = _draw(place, chords, keys, fifth_pairs(space))
        figures = {"chords": chords, "keys by fifths": by_fifths(keys).tolist(), "key distances": keys.tolist()}
        (place / "figures.json").write_text(json.dumps(plain(figures), indent=1), encoding="utf-8")
    return Exploration(
        source=str(source) if source is not None else system,
        pieces=len(texts),
        slices=sum(map(len, texts)),
        words=len(space.words),
        triads=known_triads(space),
        chords=plain(chords),
        keys=tuple(plain(by_fifths(keys))),
        files=tuple(target / name for name in (*files, "figures.json")),
        failures=failures,
    )


def learn(model: Any, texts: list[list[int]], progress: Progress | None = None) -> None:
    """Trains vectors on words in place, by the "expected" way."""
    import torch

    from orchestrion.paradigms.skip_gram import context_counts, unigram

    counts = context_counts([model.ids(text) for text in texts], words=len(model.bias), window=model.window)
    held = torch.from_numpy(counts).float().to(model.device)
    noise = torch.from_numpy(unigram(counts.sum(1))).float().to(model.device)
    optimiser = torch.optim.Adam(model.parameters(), lr=model.learning_rate)
    for step in range(model.training_steps):
        for group in optimiser.param_groups:
            group["lr"] = model.learning_rate * (1 - 0.9 * step / model.training_steps)
        loss = model.expected_loss((held, noise)).value
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if progress is not None:
            progress(step + 1, model.training_steps)


def _held_out() -> list[Any]:
    from orchestrion.data.corpus import load_corpus

    return load_corpus("compact", split="test", limit=4 * MOST_PIECES)[:]


def _read(place: Path, progress: Progress | None) -> tuple[list[list[int]], tuple[tuple[str, str], ...]]:
    from orchestrion.representations.slices import drop_long_silences, score_slices
    from orchestrion.verbs.evaluate import read_scores

    scores, failures = read_scores(place, progress)
    texts = [drop_long_silences(score_slices(score)) for score in scores]
    return [text for text in texts if text], failures


def _draw(folder: Path, chords: dict[str, float], keys: Any, angles: Any) -> tuple[str, ...]:
    """The three pictures."""
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from orchestrion.theory.pitch import USUAL

    names = [USUAL[7 * fifth % 12] for fifth in range(12)]

    def figure(size: tuple[float, float]) -> Any:
        made = Figure(figsize=size, dpi=110, layout="constrained")
        FigureCanvasAgg(made)
        return made

    bars = figure((7, 3.8))
    axes = bars.subplots()
    order = sorted(chords, key=lambda name: (chords[name] != chords[name], chords[name]))
    axes.bar(order, [0.0 if chords[name] != chords[name] else chords[name] for name in order], color="#4477aa")
    axes.set(title="Distance of chords from the tonic triad", ylabel="1 − cosine")
    bars.savefig(folder / "chords.png")
    for name, matrix, title in (
        ("keys.png", keys, "Distance of keys, in the order of fifths"),
        ("fifths.png", angles, "Angles between the steps from I to V (degrees)"),
    ):
        picture = figure((5.6, 5))
        axes = picture.subplots()
        image = axes.imshow(np.ma.masked_invalid(matrix), cmap="viridis")
        axes.set(title=title, xticks=range(12), yticks=range(12), xticklabels=names, yticklabels=names)
        picture.colorbar(image, ax=axes, shrink=0.8)
        picture.savefig(folder / name)
    return "chords.png", "keys.png", "fifths.png"
