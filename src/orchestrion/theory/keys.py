"""Keys: what they are called, what belongs to them, and which one a piece is in."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from orchestrion.theory.pitch import pitch_class

MAJOR_NAMES = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
MINOR_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B")
SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
PROFILES = {
    # Krumhansl & Kessler 1982, as printed in Krumhansl 1990, p. 30
    "krumhansl": (
        (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
        (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
    ),
    # Temperley 1999, table 4
    "temperley": (
        (5.0, 2.0, 3.5, 2.0, 4.5, 4.0, 2.0, 4.5, 2.0, 3.5, 1.5, 4.0),
        (5.0, 2.0, 3.5, 4.5, 2.0, 4.0, 2.0, 4.5, 3.5, 2.0, 1.5, 4.0),
    ),
    # Aarden 2003, from the folk songs of the Essen collection
    "aarden_essen": (
        (
            17.7661,
            0.145624,
            14.9265,
            0.160186,
            19.8049,
            11.3587,
            0.291248,
            22.062,
            0.145624,
            8.15494,
            0.232998,
            4.95122,
        ),
        (18.2648, 0.737619, 14.0499, 16.8599, 0.702494, 14.4362, 0.702494, 18.6161, 4.56621, 1.93186, 7.37619, 1.75623),
    ),
}
_TEXT = re.compile(
    r"\s*([A-Ga-g](?:[- ]?(?:sharp|flat)\b|[#♯b♭]+)?)[\s_:-]*(major|minor|maj|min|dur|moll|M|m)?\s*", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """A tonic (pitch class 0–11) and a mode, "major" or "minor"."""

    tonic: int
    mode: str

    def __post_init__(self) -> None:
        if self.mode not in SCALES or not 0 <= self.tonic < 12:
            raise ValueError(f"no key has tonic {self.tonic} and mode {self.mode!r}")

    @classmethod
    def parse(cls, text: str) -> Key:
        """Reads "Bb minor", "B-flat minor", "c#m", "F# maj", "Ab". Without a mode, a lower-case letter means minor.

        Raises:
            ValueError: it is no key.
        """
        match = _TEXT.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not a key such as C major, F# minor or B-flat minor")
        name, mode = match.groups()
        minor = name[0].islower() if mode is None else mode == "m" or mode.lower() in ("minor", "min", "moll")
        return cls(pitch_class(name), "minor" if minor else "major")

    def __str__(self) -> str:
        return f"{(MAJOR_NAMES if self.mode == 'major' else MINOR_NAMES)[self.tonic]} {self.mode}"

    @property
    def scale(self) -> frozenset[int]:
        """Pitch classes of the major or natural minor scale."""
        return frozenset((self.tonic + step) % 12 for step in SCALES[self.mode])

    @property
    def relative(self) -> Key:
        """The key of the other mode with the same scale."""
        if self.mode == "major":
            return Key((self.tonic + 9) % 12, "minor")
        return Key((self.tonic + 3) % 12, "major")

    @property
    def fifths(self) -> int:
        """Sharps (positive) or flats (negative) of the key signature, −5 to 6."""
        major = self.tonic if self.mode == "major" else self.relative.tonic
        return (major * 7 + 5) % 12 - 5

    def transpose(self, semitones: int) -> Key:
        """The same mode on another tonic."""
        return Key((self.tonic + semitones) % 12, self.mode)


ALL_KEYS = tuple(Key(tonic, mode) for mode in ("major", "minor") for tonic in range(12))


def pitch_class_histogram(score, *, weight: str = "duration") -> np.ndarray:
    """[12] weights of the pitch classes of all tracks that are not drums.

    Args:
        weight: "count", "duration" or "duration_velocity".
    """
    histogram = np.zeros(12)
    for track in score.tracks:
        if track.is_drum or not len(track.notes):
            continue
        notes = track.notes.numpy()
        weights = {
            "count": np.ones(len(notes["pitch"])),
            "duration": notes["duration"].astype(float),
            "duration_velocity": notes["duration"].astype(float) * notes["velocity"],
        }[weight]
        histogram += np.bincount(notes["pitch"] % 12, weights=weights, minlength=12)[:12]
    return histogram


def key_scores(histogram: np.ndarray, *, profile: str = "krumhansl") -> np.ndarray:
    """[24] Pearson correlations of a pitch-class histogram with the rotated profiles, in the order of `ALL_KEYS`.

    A histogram that is empty or flat gives zeros (Krumhansl & Schmuckler's method; Krumhansl 1990, chapter 4).
    """
    if profile not in PROFILES:
        raise ValueError(f"key profile {profile!r} is unknown; known are {', '.join(PROFILES)}")
    centred = histogram - histogram.mean()
    norm = np.linalg.norm(centred)
    if norm == 0:
        return np.zeros(24)
    scores = []
    for shape in PROFILES[profile]:
        template = np.asarray(shape) - np.mean(shape)
        for tonic in range(12):
            rotated = np.roll(template, tonic)
            scores.append(float(centred @ rotated / (norm * np.linalg.norm(template))))
    return np.array(scores)


def find_key(score, *, profile: str = "krumhansl") -> Key | None:
    """The key whose profile correlates best with the duration-weighted pitch classes; None without pitches."""
    histogram = pitch_class_histogram(score)
    if not histogram.any():
        return None
    return ALL_KEYS[int(np.argmax(key_scores(histogram, profile=profile)))]


def find_relative_pair(histogram: np.ndarray) -> Key | None:
    """The key by membership alone, as GETMusic and its relatives normalise to C major or A minor; None without pitches.

    Of the twelve scales (+1 for their pitch classes, −1 for the others) the one that weighs most; its major key where
    the major tonic weighs no less than the minor one.

    Args:
        histogram: [12] weights, by duration and velocity in the published code (`pitch_class_histogram`).
    """
    if not histogram.any():
        return None
    members = np.array([[1 if c in Key(tonic, "major").scale else -1 for c in range(12)] for tonic in range(12)])
    major = Key(int(np.argmax(members @ histogram)), "major")
    return major if histogram[major.tonic] >= histogram[major.relative.tonic] else major.relative
