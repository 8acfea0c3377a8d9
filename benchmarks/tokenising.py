"""REMI+ tokens of MIDI files: ours against miditok with the same settings.

    python benchmarks/tokenising.py [--files 200] [--rounds 5] [--clock wall]

Both read the same files from disk, write the ids of Text2midi's vocabulary, and make scores of these ids again. Runs
are interleaved and the median of the rounds counts. Needs the extra `bench`.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import warnings
from pathlib import Path


def miditok_remi():
    """miditok's tokenizer with the settings of Text2midi."""
    import miditok

    warnings.simplefilter("ignore")
    config = miditok.TokenizerConfig(
        pitch_range=(21, 109),
        beat_res={(0, 1): 12, (1, 2): 4, (2, 4): 2, (4, 8): 1},
        num_velocities=32,
        special_tokens=["PAD", "BOS", "EOS", "MASK"],
        use_tempos=True,
        use_time_signatures=True,
        use_programs=True,
        num_tempos=32,
        tempo_range=(40, 250),
    )
    return miditok.REMI(config)


def main() -> None:
    """Prints the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--files", type=int, default=200)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="cpu: where other programs run too")
    given = options.parse_args()
    clock = time.perf_counter if given.clock == "wall" else time.process_time

    import symusic

    from orchestrion.data.corpus import load_corpus
    from orchestrion.representations.remi import RemiVocabulary

    ours, theirs = RemiVocabulary(quirks="official"), miditok_remi()
    pieces = load_corpus("compact", split="test")
    times: dict[str, list[float]] = {}
    answers = {}
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for i in range(given.files):
            paths.append(Path(folder) / f"{i}.mid")
            pieces[i * 7 % len(pieces)].score.dump_midi(paths[-1])
        for _ in range(given.rounds):
            for name, encode in (
                ("orchestrion", lambda path: ours.encode(symusic.Score(path))),
                ("miditok", lambda path: theirs.encode(path).ids),
            ):
                start = clock()
                answers[name] = [encode(path) for path in paths]
                times.setdefault(f"{name}, encoding", []).append(clock() - start)
            ids = answers["orchestrion"]
            for name, decode in (("orchestrion", ours.decode), ("miditok", theirs.decode)):
                start = clock()
                for row in ids:
                    decode(row)
                times.setdefault(f"{name}, decoding", []).append(clock() - start)
    same = sum(a == b for a, b in zip(answers["orchestrion"], answers["miditok"], strict=True))
    tokens = sum(map(len, ids))
    print("| tokenizer | ms a file (median) | tokens/s | ratio |\n|---|---|---|---|")
    for work in ("encoding", "decoding"):
        base = statistics.median(times[f"miditok, {work}"])
        for name in ("miditok", "orchestrion"):
            seconds = statistics.median(times[f"{name}, {work}"])
            ratio = base / seconds
            print(f"| {name}, {work} | {1000 * seconds / len(paths):.2f} | {tokens / seconds:,.0f} | {ratio:.1f} |")
    print(f"\nSame ids: {same} of {len(paths)} files, {tokens / len(paths):.0f} tokens a file.")


if __name__ == "__main__":
    main()
