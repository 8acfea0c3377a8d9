"""Folders of MIDI files to a table in the released schema."""

import random
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import symusic

from orchestrion.analysis.symbolic import features
from orchestrion.data.caption_check import verify
from orchestrion.data.captioning import _unlike, caption_folder, describe_score, facts_of_features
from orchestrion.errors import InputError
from orchestrion.representations.prompt import parse_prompt

COLUMNS = [
    "location",
    "caption",
    "genre",
    "genre_prob",
    "mood",
    "mood_prob",
    "key",
    "time_signature",
    "tempo",
    "tempo_word",
    "duration",
    "duration_word",
    "chord_summary",
    "chord_summary_occurence",
    "instrument_summary",
    "instrument_numbers_sorted",
    "all_chords",
    "all_chords_timestamps",
    "test_set",
]


def tune(program=73, tonic=62, tempo=132.0, bars=8):
    score = symusic.Score(480)
    score.tempos.append(symusic.Tempo(0, tempo))
    score.time_signatures.append(symusic.TimeSignature(0, 3, 4))
    lead, chords = symusic.Track("", program), symusic.Track("", 48)
    for bar in range(bars):
        for beat, step in enumerate((0, 4, 7)):
            lead.notes.append(symusic.Note((3 * bar + beat) * 480, 480, tonic + step, 90))
        for step in (0, 4, 7) if bar % 4 != 2 else (7, 11, 14):
            chords.notes.append(symusic.Note(3 * bar * 480, 3 * 480, tonic - 12 + step, 70))
    score.tracks.extend([lead, chords])
    return score


def test_a_row_says_what_is_in_the_score():
    row = describe_score(
        tune(), read=parse_prompt, rng=random.Random(0), tag_genres=lambda score, found: (["waltz"], [0.8])
    )
    assert row["key"] == "D major"
    assert (row["time_signature"], row["tempo"], row["duration"]) == ("3/4", 132, 11)
    assert row["tempo_word"] in ("Allegro", "Fast")
    assert row["duration_word"] == "Short fragment"
    assert row["instrument_summary"] == ["String Ensemble", "Flute"]
    assert row["instrument_numbers_sorted"] == [48, 73]
    assert (row["genre"], row["genre_prob"]) == (["waltz"], [0.8])
    assert len(row["mood"]) == len(row["mood_prob"]) > 0
    assert len(row["all_chords"]) == len(row["all_chords_timestamps"])
    facts = facts_of_features(features(tune()), ["waltz"], row["mood"])
    assert verify(row["caption"], facts, parse_prompt) == []


def test_a_folder_becomes_a_table(tmp_path):
    folder = tmp_path / "midi"
    (folder / "sub").mkdir(parents=True)
    for i in range(12):
        tune(program=40 + i, tempo=80 + 5 * i).dump_midi(folder / ("sub" if i % 2 else "") / f"{i}.mid")
    (folder / "broken.mid").write_bytes(b"MThd\x00\x00")
    symusic.Score(480).dump_midi(folder / "silent.mid")
    (folder / "notes.txt").write_text("no music")
    run = caption_folder(folder, tmp_path / "captions.parquet", read=parse_prompt)
    assert run.rows == 12
    assert [name for name, _ in run.failures] == ["broken.mid", "silent.mid"]
    table = pq.read_table(run.output)
    assert table.column_names == COLUMNS
    rows = table.to_pylist()
    assert len({row["caption"] for row in rows}) == 12
    assert {row["location"] for row in rows} >= {"0.mid", "sub/1.mid"}
    assert all(isinstance(row["tempo"], int) and isinstance(row["test_set"], bool) for row in rows)
    seen = []
    again = caption_folder(
        folder, tmp_path / "again.parquet", read=parse_prompt, workers=1, progress=lambda *state: seen.append(state)
    )
    assert pq.read_table(again.output).to_pylist() == rows
    assert (seen[0], seen[-1]) == ((0, 14), (14, 14))
    assert not list(tmp_path.glob(".*"))  # the journals are gone
    other = caption_folder(folder, tmp_path / "other.parquet", read=parse_prompt, seed=1)
    assert [row["caption"] for row in pq.read_table(other.output).to_pylist()] != [row["caption"] for row in rows]


def test_equal_files_get_different_words(tmp_path):
    for i in range(40):
        tune(bars=2).dump_midi(tmp_path / f"{i}.mid")
    captions = pq.read_table(caption_folder(tmp_path, tmp_path / "c.parquet", read=parse_prompt).output)[
        "caption"
    ].to_pylist()
    assert len(set(captions)) == 40


def test_a_wording_that_is_used_is_written_anew_or_its_file_left_out():
    rows = [(Path(f"{name}.mid"), {"location": f"{name}.mid", "caption": "One."}) for name in "abcd"]
    failures = []

    def again(path, attempt):
        caption = {"b": "One.", "c": "Two." if attempt == 3 else "One.", "d": "Two." if attempt < 5 else "Three."}
        return {"location": path.name, "caption": caption[path.stem]}

    found = list(_unlike(iter(rows), again, failures))
    assert [(row["location"], row["caption"]) for row in found] == [
        ("a.mid", "One."),
        ("c.mid", "Two."),
        ("d.mid", "Three."),
    ]
    assert [location for location, _ in failures] == ["b.mid"]


def test_folders_without_music_are_refused(tmp_path):
    with pytest.raises(InputError, match="no folder"):
        caption_folder(tmp_path / "none", tmp_path / "c.parquet", read=parse_prompt)
    with pytest.raises(InputError, match="no file"):
        caption_folder(tmp_path, tmp_path / "c.parquet", read=parse_prompt)
    (tmp_path / "a.mid").write_bytes(b"nothing")
    with pytest.raises(InputError, match="None of the 1"):
        caption_folder(tmp_path, tmp_path / "c.parquet", read=parse_prompt)
    assert not (tmp_path / "c.parquet").exists()
    with pytest.raises(InputError, match="no notes"):
        describe_score(symusic.Score(480), read=parse_prompt, rng=random.Random(0))
