"""Pictures of piano rolls: round trips, known pictures, masks, and what a canvas keeps."""

import numpy as np
import pytest
import symusic
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrion.errors import InputError, OptionError
from orchestrion.representations.paint_masks import KEPT, SHAPES, as_mask, read_mask, shape_mask
from orchestrion.representations.painting import Canvas, bar_mask, piece_columns
from orchestrion.representations.roll_picture import crop, draw_notes, read_notes, score_notes, stack, unstack

COLUMNS = 48


@st.composite
def rolls(draw):
    """Notes that do not overlap within a pitch; some follow on each other without a gap."""
    notes = []
    for pitch in draw(st.sets(st.integers(0, 127), max_size=6)):
        place = draw(st.integers(0, 5))
        while place < COLUMNS - 1:
            length = draw(st.integers(1, min(9, COLUMNS - place)))
            notes.append((place, length, pitch, draw(st.integers(11, 127))))
            place += length + draw(st.integers(0, 6))
    return np.array(sorted(notes, key=lambda note: (note[0], note[2])), dtype=np.int64).reshape(-1, 4)


@settings(max_examples=30, deadline=None)
@given(rolls())
def test_notes_come_back_from_their_picture(notes):
    assert np.array_equal(read_notes(draw_notes(notes, COLUMNS)), notes)


@settings(max_examples=15, deadline=None)
@given(rolls())
def test_stacking_and_its_inverse(notes):
    picture = draw_notes(notes, COLUMNS)
    square = stack(picture)
    assert square.shape == (256, COLUMNS // 2, 3) and np.array_equal(unstack(square), picture)
    assert np.array_equal(square[128:, -1], picture[:, COLUMNS // 2])  # time goes on where the row ends


def test_a_picture_that_is_known():
    notes = np.array([[0, 2, 61, 100], [2, 1, 61, 50], [1, 3, 60, 127], [-1, 3, 62, 40], [3, 9, 62, 40]])
    picture = draw_notes(notes, 5, lowest=60, pitches=3)
    red, green = picture[..., 0].tolist(), picture[..., 1].tolist()
    assert red == [[0, 0, 0, 80, 0], [200, 0, 100, 0, 0], [0, 254, 0, 0, 0]]
    assert green == [[80, 80, 0, 0, 80], [0, 200, 0, 0, 0], [0, 0, 254, 254, 0]]
    assert not picture[..., 2].any()
    assert read_notes(picture, lowest=60).tolist() == [[0, 2, 61, 100], [1, 3, 60, 127], [2, 1, 61, 50], [3, 2, 62, 40]]
    assert len(read_notes(picture, lowest=60, require_onsets=False)) == 5  # green without red at the left edge
    assert len(read_notes(picture, lowest=60, border=1)) == 2
    assert np.array_equal(draw_notes(notes[:3], 5, lowest=60, pitches=3, style="early")[1, 1], [0, 200, 0])


def test_what_the_published_code_loses_is_kept_here():
    notes = np.array([[0, 1, 60, 90], [1, 1, 60, 90], [47, 1, 60, 90]])
    assert np.array_equal(read_notes(draw_notes(notes, COLUMNS)), notes)
    official = read_notes(draw_notes(notes, COLUMNS, quirks="official"), quirks="official")
    assert official.tolist() == [[1, 1, 60, 90], [47, 1, 60, 90]]
    first = np.array([[47, 1, 60, 90], [0, 1, 60, 90]])  # an onset in column 0 makes the last pixel black
    assert len(read_notes(draw_notes(first, COLUMNS, quirks="official"), quirks="official")) == 1
    behind = np.array([[COLUMNS - 4, 4, 60, 90], [COLUMNS, 1, 60, 90]])
    for quirks, length in (("none", 4), ("official", 3)):
        found = read_notes(draw_notes(behind, COLUMNS, quirks=quirks), quirks="official")
        assert found.tolist() == [[COLUMNS - 4, length, 60, 90]]
    with pytest.raises(ValueError, match="unknown quirks"):
        draw_notes(notes, COLUMNS, quirks="mine")


def test_crops_are_padded_with_black():
    picture = draw_notes(np.array([[3, 2, 60, 90]]), 6)
    assert np.array_equal(crop(picture, 2, 4), picture[:, 2:]) and crop(picture, 4, 8).shape == (128, 8, 3)
    assert not crop(picture, 6, 4).any()


def piece(bars=8):
    """A tune off the grid, chords, and drums."""
    score = symusic.Score(480)
    score.time_signatures.append(symusic.TimeSignature(0, 3, 4))
    score.tempos.append(symusic.Tempo(0, 90.0))
    tune, chords, drums = symusic.Track("tune", 73), symusic.Track("chords", 0), symusic.Track("drums", 0, True)
    for beat in range(3 * bars):
        tune.notes.append(symusic.Note(480 * beat + 7, 431, 72 + beat % 5, 90))
        drums.notes.append(symusic.Note(480 * beat, 100, 38, 80))
    for bar in range(bars):
        for pitch in (48, 52, 55):
            chords.notes.append(symusic.Note(1440 * bar, 1440, pitch, 70))
    score.tracks.extend([tune, chords, drums])
    return score


def rows(track):
    return [(note.time, note.duration, note.pitch, note.velocity) for note in track.notes]


def test_notes_of_a_score_on_the_grid():
    notes = score_notes(piece())
    assert len(notes) == 24 + 24 and notes[:4].tolist()[3] == [0, 4, 72, 90]
    assert piece_columns(piece(), 4) == 96 and piece_columns(piece(), 4, more_bars=2) == 120
    assert bar_mask(piece(), (1, 3), 96, 4).any(0).nonzero()[0].tolist() == list(range(12, 36))


@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name):
    mask = shape_mask(name, 64, start=8, stop=56)
    assert mask.any() and not mask[:, :8].any() and not mask[:, 56:].any()
    pitch = np.arange(127, -1, -1)[:, None]
    means = np.array([float((pitch * mask)[:, [c]].sum() / mask[:, c].sum()) for c in range(32, 56)])
    trend = np.sign(round(float(np.diff(means).mean()), 3))
    assert trend == {"rising": 1, "falling": -1}.get(name, 0)
    if name == "diverging":
        assert np.ptp(pitch[mask[:, 55]]) > np.ptp(pitch[mask[:, 10]]) + 20
    if name == "continuation":
        assert not mask[:, :32].any() and mask[:, 32:56].all()


def test_masks_of_any_size():
    small = np.zeros((2, 3), dtype=bool)
    small[0, 2] = True
    mask = as_mask(small, 9)
    assert (
        mask.shape == (128, 9) and (mask[:64, 6:] == 0).all() and (mask[64:] == KEPT).all() and (mask <= 1).sum() == 192
    )
    with pytest.raises(OptionError, match="no shape 'spiral'"):
        shape_mask("spiral", 10)
    for bad, said in (
        (np.zeros((4, 4, 3)), "not the shape"), (np.zeros((0, 4)), "not the shape"),
        (np.zeros((4, 4), bool), "nothing free"),
        (np.full((4, 4), np.nan), "no number"), (np.array([["a"]]), "no number"),
    ):  # fmt: skip
        with pytest.raises(OptionError, match=said):
            as_mask(bad, 10)
    with pytest.raises(OptionError, match="cannot be drawn"):
        shape_mask("rising", 10, low=80, high=40)


def test_painted_pictures(tmp_path):
    from PIL import Image

    pixels = np.zeros((3, 3, 3), dtype=np.uint8)
    pixels[0] = ((255, 255, 255), (128, 128, 128), (0, 0, 0))
    pixels[1] = ((255, 0, 0), (0, 200, 0), (30, 30, 255))
    Image.fromarray(pixels).save(tmp_path / "mask.png")
    mask = read_mask(tmp_path / "mask.png")
    assert mask[0, 0] == 0 and abs(mask[0, 1] - 0.5) < 0.01 and mask[1, 2] == 0
    assert (mask[[0, 1, 1, 2], [2, 0, 1, 0]] == KEPT).all()
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nnot a picture")
    (tmp_path / "short.png").write_bytes((tmp_path / "mask.png").read_bytes()[:60])
    for name in ("bad.png", "short.png"):
        with pytest.raises(InputError, match="cannot be read as a picture"):
            read_mask(tmp_path / name)
    with pytest.raises(InputError):
        read_mask(tmp_path / "missing.png")


def opened(mask, score=None, **options):
    return Canvas.open(score or piece(), mask, lowest=36, pitches=64, columns_per_quarter=4, **options)


def test_a_canvas_keeps_what_begins_outside_of_the_mask():
    mask = bar_mask(piece(), (2, 4), 96, 4)
    canvas = opened(mask)
    assert canvas.removed == 6 + 6 and rows(canvas.score.tracks[2]) == rows(piece().tracks[2])
    windows = list(canvas.windows(32))
    assert all(window.start % 12 == 0 for window in windows)
    assert (windows[0].start, windows[0].stop) == (0, 32)
    for window in windows:  # a painter that fills everything with red
        full = np.zeros((64, 32, 3), dtype=np.uint8)
        full[..., 0] = 160
        canvas.add(canvas.new_notes(window, full))
    painted = np.array(canvas.painted)
    assert set(painted[:, 0]) == set(range(24, 48)) and len(painted) == 24 * 64
    done = canvas.finish()
    assert [track.name for track in done.tracks] == ["tune", "chords", "drums", "Painted"]
    for index in range(3):
        expected = [row for row in rows(piece().tracks[index]) if index == 2 or not 24 <= (row[0] + 60) // 120 < 48]
        assert rows(done.tracks[index]) == expected
    assert done.tempos[0].time == 0 and done.time_signatures[0].numerator == 3


def test_new_notes_go_to_the_nearest_track_and_never_onto_kept_ones():
    canvas = opened(bar_mask(piece(), (2, 4), 96, 4), tracks=[0])
    assert canvas.removed == 6
    assert (canvas.free[127 - 48, 24:48] > 1).all()  # kept chords sound there
    canvas.add(np.array([[24, 2, 74, 80], [26, 2, 50, 80]]))
    done = canvas.finish(spread=True)
    assert len(done.tracks) == 3
    assert (2880, 240, 74, 80) in rows(done.tracks[0]) and (3120, 240, 50, 80) in rows(done.tracks[1])


def test_windows_after_the_first_see_what_was_painted():
    canvas = opened(np.ones((1, 1), dtype=bool))
    count = 0
    for window in canvas.windows(32):
        count += 1
        if count > 1:
            assert canvas.picture(window)[..., 0].any()
        canvas.add(np.array([[window.stop - 4, 2, 60, 90]]))
    assert count >= 4
    with pytest.raises(OptionError, match="outside of the pitches 36 to 99"):
        opened(shape_mask("all", 96, low=0, high=30))
    with pytest.raises(InputError, match="more than the 16384"):
        opened(np.ones((1, 1), dtype=bool), columns=20_000)
