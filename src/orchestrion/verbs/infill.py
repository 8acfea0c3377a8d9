"""New music in the middle of a piece."""

from __future__ import annotations

from pathlib import Path

from orchestrion.errors import OptionError
from orchestrion.verbs import options
from orchestrion.verbs.editing import edit
from orchestrion.verbs.result import MusicResult, Progress


def infill(
    source: str | Path,
    output: str | Path,
    *,
    bars: str | None = None,
    tracks: str | None = None,
    temperature: float | None = None,
    start: float | None = None,
    end: float | None = None,
    above: float | None = None,
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
    """Writes some bars of a piece anew, or makes a span of a recording anew, to fit what stands around them. All
    samples of the recording outside of the span stay as they are.

    Args:
        bars: of a score: the first and the last to be written, counted from 1, as "9-12".
        tracks: of a score: names of the tracks to be written, with commas; all by default.
        temperature, soundfont, stems, sheet: of scores.
        start, end: of a recording, in seconds; its beginning and its end where left out.
        above: of a recording, Hz: only the spectrum above is made anew.
        prompt, negative: of recordings: what the span shall be, or not be; by default like what lies around.
        steps, guidance: of recordings: steps of the sampler, strength of the text.
        system: by default "getmusic" for scores and "musicldm" for recordings.

    Raises:
        InputError, OptionError, OutputError: as `editing.edit` and `sound_editing.edit_sound`.
    """
    from orchestrion.verbs.describe import is_sound
    from orchestrion.verbs.sound_editing import edit_sound, refuse, surroundings

    path, target = Path(source), Path(output)
    spans = {"from": start, "to": end, "above": above}
    if is_sound(path):
        notes = {
            "bars": bars, "tracks": tracks, "temperature": temperature, "soundfont": soundfont, "stems": stems,
            "sheet": sheet,
        }  # fmt: skip
        refuse("recordings", **notes)
        if all(value is None for value in spans.values()):
            raise OptionError("It is not said what to make anew; give --from and --to in seconds, or --above in Hz.")
        for name, value in (("--from", start), ("--to", end)):
            options.within(name, value, 0.0, 3 * 3600.0, "seconds")
        options.within("--above", above, 100.0, 96_000.0, "Hz")
        place = surroundings(path, start, end)
        rate, offset = place.audio.rate, place.offset
        asked = {
            "start": (place.first - offset) / rate, "end": (place.last - offset) / rate, "above": above,
            "negative": negative, "steps": steps, "guidance": guidance,
        }  # fmt: skip
        return edit_sound(
            "infill", "infill_sound", path, target, place, asked, prompt=prompt, seed=seed, n=n,
            system=system or "musicldm", device=device, progress=progress,
        )  # fmt: skip
    refuse("scores", **spans, prompt=prompt, negative=negative, steps=steps, guidance=guidance)
    if bars is None:
        raise OptionError("It is not said which bars to write anew; give --bars, like 9-12.")
    return edit(
        "infill",
        "infill",
        source,
        output,
        {"bars": options.read_bar_range(bars), "tracks": options.read_names(tracks)},
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
