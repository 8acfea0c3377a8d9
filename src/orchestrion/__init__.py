"""Orchestrion: generate, arrange, edit, describe and find music.

    import orchestrion as orc

    orc.generate("a slow waltz in D minor for flute and strings", "waltz.wav", seed=1)
    model = orc.load("getmusic")

Names are looked up on first use, so that the import itself is quick.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "load": "systems.registry:load",
    "available": "systems.registry:available",
    "read": "media.score:read_score",
    "write": "media.score:write_score",
    "read_audio": "media.audio:read_audio",
    "write_audio": "media.audio:write_audio",
    "render": "media.render:render",
    "load_corpus": "data.corpus:load_corpus",
    "parse_prompt": "representations.prompt:parse_prompt",
    **{
        verb: f"verbs.{verb}:{verb}"
        for verb in (
            "generate",
            "continue_",
            "infill",
            "arrange",
            "harmonize",
            "fade",
            "restyle",
            "slices",
            "explore",
            "describe",
            "data_prepare",
            "data_render",
            "data_caption",
            "train",
            "evaluate",
            "compare",
            "encode",
            "decode",
            "transfer",
            "export",
            "index",
            "search",
            "embed",
            "tag",
            "probe",
            "reproduce",
            "doctor",
        )
    },
}
__all__ = sorted(_HOMES)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'orchestrion' has no attribute {name!r}")
    module, _, attribute = _HOMES[name].partition(":")
    value = getattr(import_module(f"orchestrion.{module}"), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
