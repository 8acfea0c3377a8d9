"""Which tune is arranged how: styles spread over genres, keys over the circle, minor pieces made common enough."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

import numpy as np

from orchestrion.data.factory.arranger import Order
from orchestrion.data.factory.grooves import GROOVES, SWUNG, Groove
from orchestrion.data.factory.metres import Fit, fits, fitted_bars
from orchestrion.data.factory.sources import Tune
from orchestrion.data.factory.texture_table import TEXTURES
from orchestrion.data.factory.textures import Texture

Style = Groove | Texture
WEIGHTS = {  # how much more than once a genre is wanted
    "classical": 3.0, "folk": 2.2, "jazz": 2.0, "waltz": 2.0, "rock": 2.0, "ballad": 1.8, "pop": 1.8, "latin": 1.8,
    "swing": 1.5, "blues": 1.5, "country": 1.5, "soundtrack": 1.6, "electronic": 1.5, "lullaby": 1.3, "soul": 1.2,
    "march": 1.2, "hip hop": 1.1,
}  # fmt: skip
MINOR_SHARE = 0.42  # aimed at among orders; some are refused later
LENGTHS = {8: 0.2, 12: 0.06, 16: 0.46, 24: 0.1, 32: 0.14, 20: 0.04}


def tempo_range(style: Style, metre: tuple[int, int]) -> tuple[int, int]:
    """Quarter notes a minute of a style in a metre."""
    return style.tempo if isinstance(style, Groove) else style.tempo[metre]


def styles_for(metre: tuple[int, int]) -> list[Style]:
    """Styles that can be played in a metre."""
    return [g for g in GROOVES if g.metre == metre] + [
        t for t in TEXTURES if metre in t.tempo and t.parts[0].patterns.get(metre)
    ]


def make_orders(tunes: Sequence[Tune], count: int, *, seed: int = 0) -> list[Order]:
    """`count` orders over the tunes, balanced as the pieces are dealt out; the same arguments give the same orders."""
    rng = np.random.default_rng(seed)
    by_metre: dict[tuple[int, int], list[Style]] = {}
    genres: Counter[str] = Counter()
    styles: Counter[str] = Counter()
    labels: Counter[str] = Counter()
    tonics: Counter[tuple[int, str]] = Counter()
    versions: Counter[str] = Counter()
    minor = [t for t in tunes if t.key.mode == "minor"]
    deck: list[Tune] = []
    orders: list[Order] = []
    n_minor = 0
    pool_minor: list[Tune] = []
    while len(orders) < count:
        wants_minor = n_minor < MINOR_SHARE * (len(orders) + 1)
        minorised = False
        if wants_minor and minor and rng.random() < 0.6:
            if not pool_minor:
                pool_minor = [minor[i] for i in rng.permutation(len(minor))]
            tune = pool_minor.pop()
        else:
            if not deck:
                twice = [t for t in tunes if t.metre in ((3, 4), (9, 8))]  # rare metres are dealt twice
                deck = [*tunes, *twice]
                deck = [deck[i] for i in rng.permutation(len(deck))]
            tune = deck.pop()
            minorised = wants_minor and tune.key.mode == "major"
        options: list[tuple[float, Style, Fit]] = []
        ways = fits(tune.metre)
        shares = np.array([way.share for way in ways])
        for fit in ways and [ways[int(rng.choice(len(ways), p=shares / shares.sum()))]]:
            for style in by_metre.setdefault(fit.target, styles_for(fit.target)):
                if fit.swung_only and name_of(style) not in SWUNG:
                    continue
                if minorised and style.genre in ("children", "christmas", "polka", "ragtime", "country"):
                    continue
                score = (
                    (genres[style.genre] + 1) / WEIGHTS.get(style.genre, 1.0)
                    + 0.5 * labels[style.label]
                    + 2.0 * styles[name_of(style)]
                )
                options.append((score * float(rng.uniform(0.8, 1.25)), style, fit))
        if not options:
            continue
        _, style, fit = min(options, key=lambda o: o[0])
        form = choose_form(tune, fit, rng)
        if form is None:
            continue
        mode = "minor" if minorised else tune.key.mode
        least = min(tonics[t, mode] for t in range(12))
        tonic = int(rng.choice([t for t in range(12) if tonics[t, mode] == least]))
        low, high = tempo_range(style, fit.target)
        tempo = round(float(np.exp(rng.uniform(np.log(low), np.log(high)))))
        version = versions[tune.id]
        digest = hashlib.sha256(f"{seed}/{tune.id}#{version}".encode()).digest()
        orders.append(
            Order(
                tune.id,
                version,
                style,
                fit,
                form,
                tonic,
                tempo,
                minorised,
                bool(rng.random() < 0.2 and tune.strains[form[0]].pickup > 0),
                int.from_bytes(digest[:4], "big"),
            )
        )
        n_minor += mode == "minor"
        versions[tune.id] += 1
        genres[style.genre] += 1
        labels[style.label] += 1
        styles[name_of(style)] += 1
        tonics[tonic, mode] += 1
    return orders


def name_of(style: Style) -> str:
    """A style's own name."""
    return style.name if isinstance(style, Groove) else style.label


def choose_form(tune: Tune, fit: Fit, rng: np.random.Generator) -> tuple[int, ...] | None:
    """Strains in playing order: 8 to 32 bars that end on the tonic; None if no order of them does."""
    lengths = [fitted_bars(s.bars, fit) for s in tune.strains]
    closing = [i for i, closed in enumerate(tune.closed) if closed]
    shapes: set[tuple[int, ...]] = set()
    for last in closing:
        shapes |= {(last,), (last, last)}
        for other in range(len(tune.strains)):
            if other != last:
                first, second = min(other, last), max(other, last)
                shapes |= {
                    (other, last),
                    (other, other, last, last),
                    (first, first, second, last),
                    (last, other, last),
                    (last, last, other, last),
                }
    weighted = []
    for shape in sorted(shapes):
        total = sum(lengths[i] for i in shape)
        if 8 <= total <= 32 and shape[-1] in closing:
            repeats = len(set(shape)) < len(shape)
            weighted.append((LENGTHS.get(total, 0.03) * (1.5 if repeats or total <= 8 else 0.8), shape))
    if not weighted:
        return None
    weights = np.array([w for w, _ in weighted])
    by_total = Counter(sum(lengths[i] for i in shape) for _, shape in weighted)
    weights = weights / np.array([by_total[sum(lengths[i] for i in shape)] for _, shape in weighted])
    return weighted[int(rng.choice(len(weighted), p=weights / weights.sum()))][1]
