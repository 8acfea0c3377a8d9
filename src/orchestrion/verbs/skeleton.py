"""Phrases and skeleton of a tune: shown, drawn, written down."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrion.errors import OptionError
from orchestrion.verbs.result import Result

SCORES = (".mid", ".musicxml")
PICTURES = (".png", ".svg", ".pdf")


@dataclass(frozen=True, slots=True)
class FoundSkeleton(Result):
    """What was found in a tune.

    Attributes:
        file: that was read.
        track, metre: of the tune.
        notes: how many it has, and `skeleton` how many of them carry it.
        phrases: of each its number from 1, bars (from 1, fractions of bars after the point) and notes, and the names of
            its skeleton notes with the quarter each begins at.
        files: that were written.
    """

    file: Path
    track: str
    metre: str
    notes: int
    skeleton: int
    phrases: tuple[dict[str, Any], ...]
    files: tuple[Path, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """With the share of notes kept."""
        told = super(FoundSkeleton, self).to_dict()
        return {"verb": "skeleton", **told, "share": round(self.skeleton / max(self.notes, 1), 4)}


def skeleton(
    source: str | Path,
    output: str | Path | None = None,
    *,
    phrases: str = "rule",
    notes: str = "phrase",
) -> FoundSkeleton:
    """Finds phrases and skeleton of the tune of a MIDI, MusicXML, ABC or kern file.

    Args:
        output: .mid or .musicxml: the skeleton as a score with the phrases marked, which `melody --skeleton` reads, and
            a picture beside it; .png, .svg or .pdf: the picture alone.
        phrases: "rule" (after long notes) or "lbdm" (where intervals change).
        notes: "phrase" (first and long notes of bars, last notes of phrases) or "rhythm" (WuYun's rhythmic skeleton).

    Raises:
        InputError: the file cannot be read, or has no notes but drums.
        OptionError: a method is unknown, or the output's suffix.
        OutputError: a file cannot be written.
    """
    from orchestrion.analysis.skeleton import find_phrases, find_skeleton
    from orchestrion.analysis.skyline import find_melody_track, melody_line
    from orchestrion.errors import InputError
    from orchestrion.representations.phrase_notes import line_score, mark_phrases, marked_phrases
    from orchestrion.theory.pitch import USUAL
    from orchestrion.verbs.serving import read_music

    target = None if output is None else Path(output)
    if target is not None and target.suffix.lower() not in (*SCORES, *PICTURES):
        raise OptionError(
            f"The name {target.name!r} ends in no known format; end it in {', '.join(SCORES + PICTURES)}."
        )
    score = read_music(Path(source))
    track = find_melody_track(score)
    line = melody_line(score)
    if track is None or not len(line):
        raise InputError(f"The file {source} has no notes but drums, so there is no tune; give another.")
    found = marked_phrases(score, line) if phrases == "rule" else None
    found = found or find_phrases(line, method=phrases)
    kept = find_skeleton(line, found, method=notes)
    rows = []
    for number, (first, last) in enumerate(found.spans, 1):
        names = [
            {
                "quarter": (int(line.start[note]) - line.shift) / 4,
                "note": f"{USUAL[line.pitch[note] % 12]}{line.pitch[note] // 12 - 1}",
            }
            for note in range(first, last)
            if kept[note]
        ]
        bars = [round((int(time) - line.shift) / line.bar + 1, 3) for time in (line.start[first], line.stop[last - 1])]
        rows.append({"phrase": number, "bars": bars, "notes": last - first, "skeleton": names})
    files: list[Path] = []
    if target is not None:
        from orchestrion.media.score import write_score

        tempo = float(score.tempos[0].qpm) if len(score.tempos) else 100.0
        bones = line_score(line.select(kept), tempo=tempo, name="skeleton")
        mark_phrases(bones, [int(line.start[start]) - line.shift for start in found.starts])
        picture = target if target.suffix.lower() in PICTURES else target.with_suffix(".png")
        if target != picture:
            files.append(write_score(bones, target))
        files.append(_draw(line_score(line, tempo=tempo), bones, rows, picture))
    return FoundSkeleton(
        file=Path(source),
        track=score.tracks[track].name,
        metre="{}/{}".format(*line.metre),
        notes=len(line),
        skeleton=int(kept.sum()),
        phrases=tuple(rows),
        files=tuple(files),
    )


def _draw(tune: Any, bones: Any, rows: list[dict[str, Any]], path: Path) -> Path:
    """The tune with its skeleton in another colour and the phrases named above."""
    from orchestrion.media.piano_roll import draw_piano_roll

    chosen = {(note.time, note.pitch) for note in bones.tracks[0].notes}
    rest = [note for note in tune.tracks[0].notes if (note.time, note.pitch) not in chosen]
    drawn = tune.copy()
    drawn.tracks[0].notes = type(tune.tracks[0].notes)(rest)
    drawn.tracks[0].name = "ornaments"
    drawn.tracks.append(bones.tracks[0])
    quarters = 4.0 * tune.time_signatures[0].numerator / tune.time_signatures[0].denominator
    names = [
        ((row["bars"][0] - 1) * quarters, (row["bars"][1] - 1) * quarters, f"phrase {row['phrase']}") for row in rows
    ]
    return draw_piano_roll(drawn, path, title="Phrases and skeleton", chords=names)
