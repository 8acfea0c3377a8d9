"""How right are the chords of the corpus? Prints the figures of docs/data.md.

1. Share of strong-beat melody notes that belong to the harmoniser's chord, over all shipped tunes.
2. Roots and qualities of the beat-wise labels of chorales against the 20 Roman-numeral analyses that music21 ships.

    python benchmarks/corpus_chords.py
"""

from __future__ import annotations

import re
import warnings
from fractions import Fraction

import numpy as np

from orchestrion.data.factory.harmony_labels import label_chords
from orchestrion.data.factory.musicxml import read_musicxml
from orchestrion.data.factory.sources import music21_corpus, read_tunes
from orchestrion.theory.harmony import MelodyNote, chord_tone_share, harmonise

KINDS = {"major": ("maj", "7", "maj7"), "minor": ("min", "min7"), "diminished": ("dim", "hdim7", "dim7")}


def melodies() -> None:
    """Chord tones on strong beats, by mode."""
    shares: dict[str, list[float]] = {"major": [], "minor": []}
    for tune in read_tunes(redistributable_only=True):
        for strain, closed in zip(tune.strains, tune.closed, strict=True):
            notes = [MelodyNote(float(n.onset), float(n.duration), n.pitch) for n in strain.notes]
            spans = harmonise(notes, tune.key, tune.metre, bars=strain.bars, final=closed)
            shares[tune.key.mode].append(chord_tone_share(notes, spans, tune.metre))
    for mode, values in shares.items():
        print(f"{mode}: {len(values)} strains, {100 * np.mean(values):.1f} % of strong-beat notes are chord tones")


def chorales() -> None:
    """Labels against the analyses, at the onset of every Roman numeral."""
    from music21 import converter

    root = music21_corpus() / "bach"
    roots = qualities = total = 0
    for path in sorted((root / "choraleAnalyses").glob("*.rntxt")):
        found = re.search(r"^BWV:\s*(\S+)", path.read_text(errors="replace"), re.MULTILINE)
        file = root / f"bwv{found.group(1)}.mxl" if found else None
        if file is None or not file.is_file():
            print(f"{path.stem}: its score is not in the corpus")
            continue
        score = read_musicxml(file)
        if len(score.metres) != 1:
            continue
        metre = score.metres[0][1:]
        bar = Fraction(4 * metre[0], metre[1])
        labels = label_chords([p.notes for p in score.parts], metre, int(-(-score.end // bar)))
        lead_in = min(n[0] for p in score.parts for n in p.notes)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            measures = list(converter.parse(path).parts[0].getElementsByClass("Measure"))
        first = measures[0].number
        for measure in measures:
            start = (measure.number - first) * bar
            for numeral in measure.getElementsByClass("RomanNumeral"):
                onset = float(start + Fraction(numeral.offset))
                if measure.number == 0 and Fraction(numeral.offset) < lead_in:
                    onset = float(lead_in + Fraction(numeral.offset))
                span = next((s for s in labels if s.start - 1e-6 <= onset < s.end - 1e-6), None)
                if span is None:
                    continue
                total += 1
                same = span.chord.root == numeral.root().pitchClass
                roots += same
                qualities += same and span.chord.quality in KINDS.get(numeral.quality, ())
    print(
        f"chorales: {total} numerals, root {100 * roots / total:.1f} %, root and mode {100 * qualities / total:.1f} %"
    )


if __name__ == "__main__":
    melodies()
    chorales()
