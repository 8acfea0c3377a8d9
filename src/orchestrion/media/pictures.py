"""Pictures of music: the piano roll of a score, the spectrogram of a sound."""

from __future__ import annotations

from orchestrion.media.piano_roll import draw_before_after, draw_piano_roll
from orchestrion.media.spectrogram import draw_spectrogram

__all__ = ["draw_before_after", "draw_piano_roll", "draw_spectrogram"]
