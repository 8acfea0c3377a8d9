"""Music that goes on where a file ends."""

from __future__ import annotations

from pathlib import Path

from orchestrion.verbs import options
from orchestrion.verbs.editing import edit
from orchestrion.verbs.result import MusicResult, Progress

BARS, SECONDS = 8, 10.0


def continue_(
    source: str | Path,
    output: str | Path,
    *,
    bars: int | None = None,
    temperature: float | None = None,
    seconds: float | None = None,
    prompt: str | None = None,
    negative: str | None = None,
    steps: int | None = None,
    guidance: float | None = None,
    seed: int | None = None,
    n: int = 1,
    soundfont: str | Path | None = None,
    stems: bool = False,
    sheet: bool = False,
    system: str | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> MusicResult:
    """Adds bars to the end of a MIDI, MusicXML, ABC or kern file, or seconds to the end of a recording (WAV, FLAC, OGG,
    MP3), whose own samples stay as they are.

    Args:
        bars: how many to add to a score; 8 by default.
        temperature, soundfont, stems, sheet: of scores.
        seconds: how many to add to a recording; 10 by default.
        prompt, negative: of recordings: what follows shall be, or not be; by default like what there is.
        steps, guidance: of recordings: steps of the sampler, strength of the text.
        system: by default "getmusic" for scores and "musicldm" for recordings.

    Raises:
        InputError, OptionError, OutputError: as `editing.edit` and `sound_editing.edit_sound`.
    """
    from orchestrion.verbs.describe import is_sound
    from orchestrion.verbs.sound_editing import MOST_SECONDS, edit_sound, ending, refuse

    path, target = Path(source), Path(output)
    if is_sound(path):
        notes = {"bars": bars, "temperature": temperature, "soundfont": soundfont, "stems": stems, "sheet": sheet}
        refuse("recordings", **notes)
        options.within("--seconds", seconds, 0.1, MOST_SECONDS, "seconds")
        asked = {"seconds": seconds or SECONDS, "negative": negative, "steps": steps, "guidance": guidance}
        return edit_sound(
            "continue", "continue_sound", path, target, ending(path), asked, prompt=prompt, seed=seed, n=n,
            system=system or "musicldm", device=device, progress=progress,
        )  # fmt: skip
    refuse("scores", seconds=seconds, prompt=prompt, negative=negative, steps=steps, guidance=guidance)
    options.within("--bars", bars, 1, options.MOST_BARS, "bars")
    return edit(
        "continue",
        "continue_",
        source,
        output,
        {"bars": bars or BARS},
        temperature=temperature,
        seed=seed,
        n=n,
        soundfont=soundfont,
        stems=stems,
        sheet=sheet,
        system=system or "getmusic",
        device=device,
        progress=progress,
    )
