"""The result of a reproduction: claims, figures, plots, and the report that shows them."""

from __future__ import annotations

import base64
import html
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence of the paper as a number.

    Attributes:
        name: what is claimed, as a sentence.
        threshold: the value that must be reached.
        values: the measured value of each seed.
        holds: whether every seed reaches it.
    """

    name: str
    threshold: float
    values: tuple[float, ...]
    holds: bool

    @classmethod
    def at_least(cls, name: str, threshold: float, values: Sequence[float]) -> Claim:
        """Holds if no value is below `threshold`; NaN (not measured) and no value at all fail it."""
        values = tuple(float(value) for value in values)
        return cls(name, float(threshold), values, bool(values) and all(value >= threshold for value in values))

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return sum(self.values) / len(self.values) if self.values else math.nan


MOST_LETTERS = 56  # side by side under the bars of a plot; more are written slanted


@dataclass(frozen=True, slots=True)
class Plot:
    """A picture of figures.

    Attributes:
        name: of its file, without suffix.
        series: label → values. Bars: one a category, drawn in groups. Lines: one for each of `x`.
        x: names of the categories (bars) or positions (lines).
    """

    name: str
    title: str
    series: Mapping[str, Sequence[float]]
    x: Sequence[Any]
    x_label: str = ""
    y_label: str = ""
    kind: Literal["bars", "lines"] = "bars"

    def png(self) -> bytes:
        """The picture."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7, 3.8), dpi=110, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        for number, (label, values) in enumerate(self.series.items()):
            if self.kind == "lines":
                axes.plot(list(self.x), list(values), label=label)
                continue
            width = 0.8 / len(self.series)
            places = [place + (number - (len(self.series) - 1) / 2) * width for place in range(len(values))]
            axes.bar(places, list(values), width, label=label)
        if self.kind == "bars":
            names = [str(name) for name in self.x]
            slanted = sum(map(len, names)) > MOST_LETTERS
            axes.set_xticks(range(len(names)), names, rotation=20 * slanted, ha="right" if slanted else "center")
        axes.set(title=self.title, xlabel=self.x_label, ylabel=self.y_label)
        axes.grid(axis="y", alpha=0.3)
        if len(self.series) > 1:
            figure.legend(loc="outside lower center", ncols=4, frameon=False)  # beside the bars, not over them
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", metadata={"Software": None})
        return buffer.getvalue()


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What the miniature experiment of a system found.

    Attributes:
        name: of the system.
        title: a line over the report.
        claims: as tested; one that does not hold is reported as such.
        figures: name → value of each seed.
        plots: pictures of them.
        method: paragraphs that say what was done: data, sizes, budget, measures.
        seconds: wall-clock time in all.
    """

    name: str
    title: str
    claims: tuple[Claim, ...]
    figures: Mapping[str, Sequence[float]]
    plots: tuple[Plot, ...] = ()
    method: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    seconds: float = math.nan
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def command(self) -> str:
        """Makes the report again."""
        return f"orchestrion reproduce {self.name} --seeds {','.join(map(str, self.seeds))}"

    @property
    def holds(self) -> bool:
        """Whether every claim holds."""
        return all(claim.holds for claim in self.claims)

    def markdown(self, plots: str = "") -> str:
        """The report as text; `plots` is the folder, as seen from the file, that holds the pictures."""
        names = [f"seed {seed}" for seed in self.seeds] or [
            str(n) for n in range(len(next(iter(self.figures.values()), ())))
        ]
        lines = [f"# {self.title}", ""]
        lines += [f"{sum(claim.holds for claim in self.claims)} of {len(self.claims)} claims hold.", ""]
        lines += markdown_table(
            ["claim", "at least", *names, "mean", "holds"],
            [
                [
                    claim.name,
                    _number(claim.threshold),
                    *map(_number, claim.values),
                    _number(claim.mean),
                    "yes" if claim.holds else "**no**",
                ]
                for claim in self.claims
            ],
        )
        lines += ["", "## Figures", ""]
        lines += markdown_table(
            ["figure", *names], [[name, *map(_number, values)] for name, values in self.figures.items()]
        )
        for plot in self.plots:
            lines += ["", f"![{plot.title}]({plots}{plot.name}.png)"]
        if self.method:
            lines += ["", "## Method", "", "\n\n".join(self.method)]
        if self.command:
            lines += [
                "",
                f"Made by `{self.command}`"
                + ("" if math.isnan(self.seconds) else f" in {self.seconds / 60:.1f} minutes."),
            ]
        return "\n".join(lines) + "\n"

    def html(self) -> str:
        """The report as one page with the pictures inside."""
        body = [f"<h1>{html.escape(self.title)}</h1>"]
        names = [f"seed {seed}" for seed in self.seeds]
        body.append(
            _html_table(
                ["claim", "at least", *names, "mean", "holds"],
                [
                    [
                        claim.name,
                        _number(claim.threshold),
                        *map(_number, claim.values),
                        _number(claim.mean),
                        "yes" if claim.holds else "no",
                    ]
                    for claim in self.claims
                ],
            )
        )
        body.append("<h2>Figures</h2>")
        body.append(
            _html_table(["figure", *names], [[name, *map(_number, values)] for name, values in self.figures.items()])
        )
        for plot in self.plots:
            data = base64.b64encode(plot.png()).decode()
            body.append(f'<p><img alt="{html.escape(plot.title)}" src="data:image/png;base64,{data}"></p>')
        body += [f"<p>{html.escape(paragraph)}</p>" for paragraph in self.method]
        if self.command:
            body.append(f"<p>Made by <code>{html.escape(self.command)}</code>.</p>")
        style = (
            "body{font:16px sans-serif;max-width:60em;margin:2em auto}"
            "td,th{padding:.2em .6em;border-bottom:1px solid #ccc;text-align:left}"
        )
        head = f"<meta charset='utf-8'><title>{html.escape(self.title)}</title><style>{style}</style>"
        return f"<!doctype html><html lang='en'><head>{head}</head><body>{''.join(body)}</body></html>\n"

    def write(self, folder: str | Path) -> tuple[Path, ...]:
        """Writes report.md, report.html, report.json and one PNG a plot; returns their paths.

        Raises:
            OSError: the folder cannot be written to.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        files = {
            "report.md": self.markdown().encode(),
            "report.html": self.html().encode(),
            "report.json": (json.dumps(_finite(asdict(self)), indent=1, ensure_ascii=False) + "\n").encode(),
            **{f"{plot.name}.png": plot.png() for plot in self.plots},
        }
        for name, content in files.items():
            (folder / name).write_bytes(content)
        return tuple(folder / name for name in files)


def _number(value: float) -> str:
    if isinstance(value, float) and math.isnan(value):
        return "–"
    return f"{value:.4g}"


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table in Markdown."""
    escaped = [[cell.replace("|", "\\|") for cell in row] for row in [list(head), *map(list, rows)]]
    lines = ["| " + " | ".join(row) + " |" for row in escaped]
    return [lines[0], "|" + "---|" * len(head), *lines[1:]]


def _html_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def row(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    return "<table>" + row(head, "th") + "".join(row(cells, "td") for cells in rows) + "</table>"


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
