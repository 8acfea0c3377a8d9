"""What all pictures share: the blank figure, colours, plain text, and files without a date. Drawn without a display."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrion.errors import OptionError
from orchestrion.media.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg", ".pdf")
INK, FAINT, PAPER, BAND = "#22262b", "#c9ced6", "#ffffff", "#f3f4f6"
FONT_SIZE = 9


def blank(width: float, height: float, dpi: int) -> Figure:
    """An empty figure; `width` and `height` in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=dpi, facecolor=PAPER)
    FigureCanvasAgg(figure)
    return figure


def place(figure: Figure, left: float, bottom: float, right: float, top: float) -> Axes:
    """Axes at distances from the four sides of the figure, in inches."""
    width, height = figure.get_size_inches()
    box = (left / width, bottom / height, 1 - (left + right) / width, 1 - (bottom + top) / height)
    axes = figure.add_axes(box)
    axes.tick_params(length=0, colors=INK, labelsize=FONT_SIZE - 1)
    for side in axes.spines.values():
        side.set_color(FAINT)
    return axes


def write_title(figure: Figure, title: str, left: float) -> None:
    """The title at the top, `left` inches from the side."""
    width, height = figure.get_size_inches()
    most = int((width - left) * 72 / (0.62 * (FONT_SIZE + 3)))
    figure.text(left / width, 1 - 0.12 / height, one_line(title, most), va="top", fontsize=FONT_SIZE + 3, color=INK)


def one_line(text: str, most: int) -> str:
    """Text as it can be printed: no line breaks, no mathematics, `most` characters, only those that the font has."""
    known = _known_characters()
    line = " ".join("".join(c if c.isspace() else c * (ord(c) in known) for c in text).split())
    return (line if len(line) <= most else line[: most - 1] + "…").replace("$", r"\$")


@lru_cache(maxsize=1)
def _known_characters() -> frozenset[int]:
    from matplotlib import font_manager
    from matplotlib.ft2font import FT2Font

    return frozenset(FT2Font(font_manager.findfont("DejaVu Sans")).get_charmap())


def check_suffix(path: str | Path) -> None:
    """Refuses a file name whose suffix is of no format for pictures."""
    if Path(path).suffix.lower() not in SUFFIXES:
        raise OptionError(f"A picture cannot be written as {Path(path).suffix!r}; choose {', '.join(SUFFIXES)}.")


def save(figure: Figure, path: str | Path) -> Path:
    """Writes the picture without a date, so that the same picture is the same file.

    Raises:
        OptionError: the suffix is of no known format.
        OutputError: the file cannot be written.
    """
    from matplotlib import rc_context

    check_suffix(path)
    target = Path(path)
    form = target.suffix.lower().lstrip(".")
    undated: dict[str, dict[str, str | None]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}
    with atomic_write(target) as temporary, rc_context({"svg.hashsalt": "orchestrion"}):
        figure.savefig(temporary, format=form, metadata=undated[form])
    return target
