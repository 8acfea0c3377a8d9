"""The base of all systems: a torch module that knows the arguments it was made with, its presets and its card."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
from torch import nn

from orchestrion.errors import OptionError, WeightsError
from orchestrion.hub.weights import read_weights, write_weights
from orchestrion.systems.card import Card

if TYPE_CHECKING:
    from orchestrion.data.piece import Piece
    from orchestrion.training.stage import Stage

UNTRAINED = "untrained"


class System(nn.Module):
    """A published system.

    Subclasses take every size as a keyword argument, set `card` and `presets` (name → arguments, with `mini` and
    `paper` among them), and have the methods of `systems.tasks` that their card names. Arguments must be plain
    values (numbers, text, sequences of them): they are written into weights files, so that loading needs nothing else.
    """

    card: ClassVar[Card]
    presets: ClassVar[dict[str, dict[str, Any]]]
    arguments: dict[str, Any]
    weights_hash: str = UNTRAINED

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__init__" not in vars(cls):
            return
        construct = cls.__init__

        @functools.wraps(construct)
        def recording(self: Any, **arguments: Any) -> None:
            construct(self, **arguments)
            self.arguments = arguments

        cls.__init__ = recording  # type: ignore[method-assign]

    @classmethod
    def from_preset(cls, preset: str, **changes: Any) -> Self:
        """An untrained system of a named size; `changes` replace single arguments.

        Raises:
            OptionError: there is no such preset or argument.
        """
        if preset not in cls.presets:
            raise OptionError(f"{cls.card.name} has no preset {preset!r}; choose one of {', '.join(cls.presets)}.")
        known = inspect.signature(cls.__init__).parameters
        if unknown := [name for name in changes if name not in known]:
            raise OptionError(f"{cls.card.name} has no argument {unknown[0]!r}.")
        return cls(**{**cls.presets[preset], **changes})

    def stages(self, train: Sequence[Piece], validation: Sequence[Piece]) -> list[Stage]:
        """How it is trained on pieces.

        Raises:
            OptionError: it has no training of its own.
        """
        raise OptionError(f"{self.card.name} has no training stages.")

    @property
    def shortest_seconds(self) -> float:
        """Length that a recording must have to be trained on; 0 where the system trains on scores or any length."""
        return 0.0

    def spelled_out(self) -> dict[str, Any]:
        """What arguments that were given by a name stand for, so that a file does not depend on what it means later."""
        return {}

    @property
    def parameter_count(self) -> int:
        """Learned numbers."""
        return sum(parameter.numel() for parameter in self.parameters())

    def save(self, path: str | Path, metadata: dict[str, Any] | None = None, *, half: bool = True) -> str:
        """Writes weights, arguments and `metadata` as one safetensors file; returns the SHA-256 of the weights.

        Args:
            half: floating-point weights in half precision.
        """
        header = {
            "system": self.card.name,
            "arguments": json.dumps({**self.arguments, **self.spelled_out()}),
            "licence": self.card.licence,
            **{key: value if isinstance(value, str) else json.dumps(value) for key, value in (metadata or {}).items()},
        }
        self.weights_hash = write_weights(Path(path), self.state_dict(), header, half=half)
        return self.weights_hash

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """A system as it was saved, in evaluation mode.

        Raises:
            WeightsError: the file is missing, damaged, of another system or of other shapes.
        """
        held = read_weights(Path(path))
        if held.header.get("system") != cls.card.name:
            found = held.header.get("system", "no system")
            raise WeightsError(f"The weights at {path} are of {found}, not of {cls.card.name}.")
        try:
            system = cls(**json.loads(held.header["arguments"]))
        except (KeyError, ValueError, TypeError, OptionError) as error:
            raise WeightsError(f"The weights at {path} do not say rightly how their network was made.") from error
        try:
            system.load_state_dict(held.tensors)
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:200]
            raise WeightsError(f"The weights at {path} do not fit their network: {reason}") from error
        system.weights_hash = held.hash
        return system.eval()

    @property
    def identity(self) -> str:
        """Names the system and its weights, in what only they can read or compare."""
        return f"{self.card.name}:{self.weights_hash[:16]}"

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return next(self.parameters()).device
