"""One tier of a hierarchy of recurrent networks that work at slower and slower rates (SampleRNN, Mehri et al. 2017)."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from orchestrion.nn.recurrent import RecurrentStack, State


@dataclass(frozen=True, slots=True)
class TierOutput:
    """Vectors for the tier below, `spread` for each frame, and the state of the layers."""

    vectors: Float[Tensor, "batch steps width"]
    state: tuple[State, ...]


class FrameTier(nn.Module):
    """Reads `frame` steps at once and gives `spread` vectors for what follows them.

    Args:
        inputs: channels of a step.
        width: of the layers and vectors.
        frame: steps read at once.
        spread: vectors given for each frame.
        kind, num_layers, dropout: of the recurrent layers.
        embed: whether a frame is projected to `width` first; needed where the tier above adds its vectors.
        residual: whether the vectors of the tier above are added to the layers' output as well.
    """

    def __init__(
        self,
        *,
        inputs: int,
        width: int,
        frame: int,
        spread: int,
        kind: str = "lstm",
        num_layers: int = 2,
        dropout: float = 0.0,
        embed: bool = False,
        residual: bool = False,
    ) -> None:
        super().__init__()
        self.frame, self.spread, self.residual = frame, spread, residual
        self.embed = nn.Linear(frame * inputs, width) if embed else None
        self.layers = RecurrentStack.of(
            kind, inputs=width if embed else frame * inputs, width=width, num_layers=num_layers, dropout=dropout
        )
        self.upsample = nn.Linear(width, spread * width)

    def forward(
        self,
        x: Float[Tensor, "batch steps inputs"],
        above: Float[Tensor, "batch frames width"] | None = None,
        state: tuple[State, ...] | None = None,
    ) -> TierOutput:
        """Runs over whole frames, adding one vector of the tier above to each.

        Raises:
            ValueError: the steps do not fill frames, or vectors come from above where frames are not projected.
        """
        if x.shape[1] % self.frame:
            raise ValueError(f"{x.shape[1]} steps do not fill frames of {self.frame}")
        if above is not None and self.embed is None:
            raise ValueError("frames that are not projected cannot take vectors from above")
        frames = x.unflatten(1, (-1, self.frame)).flatten(2)
        if self.embed is not None:
            frames = self.embed(frames)
        if above is not None:
            frames = frames + above
        run = self.layers(frames, state)
        outputs = run.outputs + above if above is not None and self.residual else run.outputs
        return TierOutput(self.upsample(outputs).unflatten(-1, (self.spread, -1)).flatten(1, 2), run.state)
