"""What a short piano roll is like: its rhythm, how many notes sound, how dense it is (Music FaderNets, section 3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

REST, ONSET, HOLD = 0, 1, 2
RHYTHM_BOUNDS, NOTE_BOUNDS = (0.3, 0.5), (2.0, 3.5)  # of the published three classes


@dataclass(frozen=True, slots=True)
class RollAttributes:
    """What is read from a roll of [steps, 128] velocities.

    Attributes:
        rhythm: [steps] 0 rest, 1 onset, 2 hold.
        note_counts: [steps] sounding pitches.
        velocity: [steps] mean of the sounding velocities, its integer part; 0 in rests.
        chroma: [steps, 12] velocities summed by pitch class.
    """

    rhythm: np.ndarray
    note_counts: np.ndarray
    velocity: np.ndarray
    chroma: np.ndarray

    @property
    def rhythm_density(self) -> float:
        """Share of steps with an onset."""
        return rhythm_density(self.rhythm)

    @property
    def note_density(self) -> float:
        """Mean number of sounding pitches."""
        return float(np.mean(self.note_counts))

    @property
    def classes(self) -> tuple[int, int]:
        """Low, middle or high (0, 1, 2) of rhythm and note density, at the published bounds."""
        rhythm = int(self.rhythm_density >= RHYTHM_BOUNDS[0]) + int(self.rhythm_density >= RHYTHM_BOUNDS[1])
        notes = int(self.note_density > NOTE_BOUNDS[0]) + int(self.note_density > NOTE_BOUNDS[1])
        return rhythm, notes


def rhythm_density(rhythm: np.ndarray) -> float:
    """Share of steps with an onset."""
    return float(np.mean(np.asarray(rhythm) == ONSET))


def roll_attributes(roll: np.ndarray) -> RollAttributes:
    """Attributes of a roll of [steps, 128] velocities; a step whose pitches are those before, or some of them, holds.

    A note that is struck again at the same pitch, alone, is not told from one that is held: the roll knows no onsets.
    """
    sounding = roll > 0
    counts = sounding.sum(1)
    new = sounding & ~np.vstack([np.zeros((1, roll.shape[1]), bool), sounding[:-1]])
    rhythm = np.where(counts == 0, REST, np.where(new.any(1), ONSET, HOLD))
    velocity = np.where(counts > 0, roll.sum(1) // np.maximum(counts, 1), 0)
    padded = np.zeros((len(roll), -(-roll.shape[1] // 12) * 12), roll.dtype)
    padded[:, : roll.shape[1]] = roll
    return RollAttributes(rhythm, counts, velocity.astype(int), padded.reshape(len(roll), -1, 12).sum(1))
