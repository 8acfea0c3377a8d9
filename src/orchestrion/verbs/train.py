"""Trains a system through its stages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrion.errors import OutputError
from orchestrion.verbs import options
from orchestrion.verbs.result import Progress, Result


@dataclass(frozen=True, slots=True)
class Trained(Result):
    """The folder of the run, the weights it made, and the last figures of each stage."""

    system: str
    folder: Path
    weights: Path
    figures: dict[str, Any]


def train(
    system: str,
    *,
    preset: str = "mini",
    folder: str | Path | None = None,
    data: str = "compact",
    steps: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Trained:
    """Trains `system` from the start, or goes on where a killed run in the same folder was.

    Args:
        folder: of checkpoints and logs; runs/<system>-<preset> by default.
        data: "compact", "full" or the path of a corpus.
        steps: at most so many steps of each stage, for a trial.

    Raises:
        OptionError: there is no such system, preset or device.
        InputError: there is no such corpus.
        OutputError: the folder cannot be made.
    """
    import torch

    from orchestrion.data.corpus import corpus_hash, load_corpus
    from orchestrion.systems.registry import load
    from orchestrion.training.trainer import Trainer
    from orchestrion.verbs.serving import check_device

    options.within("--steps", steps, 1, 10**9)
    check_device(device)
    torch.manual_seed(seed)  # the first weights belong to the run
    model = load(system, preset=preset, device=device)
    target = Path(folder) if folder is not None else Path("runs") / f"{system}-{preset}"
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The folder {target} cannot be made ({error.strerror}); choose another.") from error
    stages = model.stages(load_corpus(data, split="train"), load_corpus(data, split="validation"))
    trainer = Trainer(model, stages, folder=target, seed=seed, max_steps=steps, progress=progress)
    figures = trainer.run()
    weights = target / f"{system}.safetensors"
    if trainer.first:
        command = f"orchestrion train {system} --preset {preset} --data {data} --seed {seed}"
        command += "" if steps is None else f" --steps {steps}"
        model.save(weights, {"command": command, "seed": seed, "corpus": corpus_hash(data), "figures": figures})
    return Trained(system, target, weights, dict(figures))
