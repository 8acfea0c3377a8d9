# ruff: noqa: E501
"""Mood words by rule, from mode, tempo and style.

Mode and tempo place a piece on the two axes of Russell's circumplex (1980), valence and arousal, as listeners hear them
(Gabrielsson & Lindström 2010, table 14.2: fast and major happy, slow and minor sad, fast and minor agitated, slow and
major serene). A style adds its own word.
"""

from __future__ import annotations

FAST, SLOW = 120.0, 84.0  # beats a minute

_BY_GENRE = {
    "lullaby": ("calm", "soft"), "metal": ("heavy", "powerful"), "march": ("epic",), "waltz": ("romantic",), "latin": ("party",),
    "samba": ("party",), "funk": ("groovy",), "disco": ("groovy", "party"), "ambient": ("dream", "meditative"), "chorale": ("solemn",),
    "bossa nova": ("relaxing",), "reggae": ("relaxing",), "hip hop": ("groovy",), "electronic": ("energetic",), "ragtime": ("fun",),
    "polka": ("fun",), "children": ("fun",), "christmas": ("uplifting",), "soul": ("emotional",), "tango": ("dramatic",),
    "ballad": ("emotional",), "world": ("mysterious",), "blues": ("emotional",),
}  # fmt: skip
_BY_LABEL = {
    "epic battle": ("epic", "powerful"), "dark soundtrack": ("dark", "mysterious"), "orchestra": ("epic",), "romantic piano": ("romantic",),
    "night jazz": ("relaxing",), "slow jazz": ("relaxing",), "mellow jazz": ("relaxing",), "gospel": ("uplifting",), "lo-fi hip hop": ("relaxing",),
    "harp": ("dream",), "desert": ("mysterious",), "trap": ("dark",), "heavy rock": ("heavy",),
}  # fmt: skip


def felt_tempo(tempo: float, metre: tuple[int, int]) -> float:
    """Beats a minute of the metre's own beats, from quarter notes a minute."""
    compound = metre[1] == 8 and metre[0] % 3 == 0 and metre[0] > 3
    return tempo * (2 / 3 if compound else metre[1] / 4 if metre[1] == 2 else 1)


def moods(mode: str, tempo: float, metre: tuple[int, int], genre: str, label: str) -> list[str]:
    """Up to three words, the strongest first."""
    pace = felt_tempo(tempo, metre)
    if metre[1] == 8 and metre[0] % 3 == 0:
        pace *= 1.2  # three notes a beat sound busier than two
    words = [*_BY_LABEL.get(label, ()), *_BY_GENRE.get(genre, ())]
    if mode == "major":
        words += ["happy", "energetic"] if pace >= FAST else ["calm", "romantic"] if pace <= SLOW else ["happy"]
    else:
        words += ["tense", "dramatic"] if pace >= FAST else ["sad", "melancholic"] if pace <= SLOW else ["melancholic"]
    if mode == "minor":
        words = [w for w in words if w not in ("happy", "fun", "party", "uplifting")] or ["melancholic"]
    return list(dict.fromkeys(words))[:3]
