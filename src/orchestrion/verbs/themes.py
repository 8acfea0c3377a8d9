"""The themes of a piece: which two bars return, varied or not, and where."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrion.verbs import options
from orchestrion.verbs.result import Result


@dataclass(frozen=True, slots=True)
class FoundThemes(Result):
    """The themes of a file.

    Attributes:
        file: that was read.
        track, metre, bars: of the piece; the track carries the melody.
        themes: the commonest first: its `name`, the `bars` in which it occurs ([first, last], counted from 1, both
            included), the names of the first occurrence's `notes`, and how `alike` the others are to it (the cosine of
            their vectors, 1 for the same up to transposition).
        share: of the bars that belong to the commonest theme.
        picture: if one was drawn.
    """

    file: Path
    track: str
    metre: str
    bars: int
    themes: tuple[dict[str, Any], ...]
    share: float
    picture: Path | None = None

    def to_dict(self) -> dict[str, Any]:
        """One flat object."""
        return {"verb": "themes", **super(FoundThemes, self).to_dict()}


def themes(
    source: str | Path,
    output: str | Path | None = None,
    *,
    bars: int = 2,
    eps: float | None = None,
) -> FoundThemes:
    """Finds the phrases of a MIDI, MusicXML, ABC or kern file that return: contrastive retrieval and clustering.

    Args:
        output: .png, .svg or .pdf: a picture of the melody and of where its themes are.
        bars: length of a theme.
        eps: how unlike its variants may be, as a cosine distance: 0.13 by default, 0.3 for freer ones.

    Raises:
        InputError: the file cannot be read, or has no notes but drums.
        OptionError: an option is out of range, or the picture's suffix is of no known format.
        OutputError: the picture cannot be written.
    """
    options.within("--bars", bars, 1, 16, "bars")
    options.within("--eps", eps, 0.001, 1)
    if output is not None:
        from orchestrion.media.canvas import check_suffix

        check_suffix(output)
    from orchestrion.errors import InputError
    from orchestrion.verbs.serving import read_music

    path = Path(source)
    score = read_music(path)

    import numpy as np

    from orchestrion.analysis.skyline import find_melody_track
    from orchestrion.media.theme_map import draw_theme_map, theme_name
    from orchestrion.media.timeline import Timeline
    from orchestrion.representations.theme_remi import MELODY
    from orchestrion.representations.theme_song import Ruler, song_of_score
    from orchestrion.systems.theme_finder import ThemeFinder
    from orchestrion.theory.pitch import USUAL

    track = find_melody_track(score)
    if track is None:
        raise InputError(f"The file {source} has no notes but drums, so there are no themes; give another.")
    ruler = Ruler.of(score)
    song = song_of_score(score, melody=track, chords=())
    found = ThemeFinder.load().find(song, length=bars * int(ruler.parts.max()), eps=eps)

    def span(first: int, last: int) -> tuple[int, int]:
        return ruler.bar_of_part(first), ruler.bar_of_part(last - 1) + 1

    told, regions = [], []
    for number in range(found.count):
        phrases = found.occurrences(number)
        places = [span(phrase.first, phrase.last) for phrase in phrases]
        vectors = found.vectors[found.labels == number]
        regions += [(begin, end, number) for begin, end in places]
        told.append(
            {
                "name": theme_name(number),
                "bars": [[begin + 1, end] for begin, end in places],
                "notes": [f"{USUAL[pitch % 12]}{pitch // 12 - 1}" for pitch in phrases[0].notes[:, 2].tolist()],
                "alike": round(float((vectors[1:] @ vectors[0]).mean()), 4),
            }
        )
    timeline = Timeline.from_score(score)
    count = len(ruler.parts)
    drawn = None
    if output is not None:
        line = song.notes[song.notes[:, 4] == MELODY]
        borders = np.arange(count + 1, dtype=float)
        begin, end = (np.interp(times, ruler.steps, borders) for times in (line[:, 0], line[:, 0] + line[:, 1]))
        rows = np.stack([begin, end, line[:, 2].astype(float)], 1)
        drawn = draw_theme_map(rows, regions, output, n_bars=count, title=path.name)
    main = [end - begin for begin, end, number in regions if number == 0]
    metre = "{}/{}".format(*timeline.metre_at(float(ruler.ticks[min(1, count - 1)])))
    name = str(score.tracks[track].name)
    return FoundThemes(path, name, metre, count, tuple(told), round(sum(main) / count, 4), drawn)
