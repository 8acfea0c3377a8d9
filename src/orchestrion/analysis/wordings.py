"""Words for tempo and duration, with the borders of the MidiCaps pipeline (arXiv 2406.02255)."""

from __future__ import annotations

TEMPO_ITALIAN_MARKS = (40, 60, 70, 90, 110, 140, 160, 210)  # bpm
TEMPO_ITALIAN = ("Grave", "Largo", "Adagio", "Andante", "Moderato", "Allegro", "Vivace", "Presto", "Prestissimo")
TEMPO_PLAIN_MARKS = (80, 120, 160)  # bpm
TEMPO_PLAIN = ("Slow", "Moderate tempo", "Fast", "Very fast")
DURATION_MARKS = (30, 120, 300)  # seconds
DURATION = ("Short fragment", "Short song", "Song", "Long piece")


def _word(value: float, marks: tuple[int, ...], words: tuple[str, ...]) -> str:
    return words[sum(mark < value for mark in marks)]


def tempo_word(bpm: float, *, italian: bool) -> str:
    """The word for a tempo in quarter notes a minute; MidiCaps tosses a coin between the two lists.

    >>> tempo_word(120, italian=True), tempo_word(120, italian=False)
    ('Allegro', 'Moderate tempo')
    """
    return _word(bpm, TEMPO_ITALIAN_MARKS, TEMPO_ITALIAN) if italian else _word(bpm, TEMPO_PLAIN_MARKS, TEMPO_PLAIN)


def duration_word(seconds: float) -> str:
    """The word for a duration: "Short fragment" up to 30 s, "Short song" up to 120 s, "Song" up to 300 s."""
    return _word(seconds, DURATION_MARKS, DURATION)
