"""Hostile and odd files: read sensibly, or refused in one sentence; never a crash."""

from __future__ import annotations

import io
import os
import random
import signal
import zipfile
from collections import Counter

import pytest

from orchestrion.errors import InputError
from orchestrion.media import isolation
from orchestrion.media.files import check_input
from orchestrion.media.midi import number
from orchestrion.media.score import read_score, read_scores
from orchestrion.media.timeline import Timeline

END = (0, b"\xff\x2f\x00")
NOTE = "<note><pitch><step>C</step><octave>4</octave></pitch><duration>4</duration><type>whole</type></note>"


def midi(*tracks, kind=1, division=480):
    """A MIDI file of (delta, message) lists."""
    made = b"MThd\0\0\0\6" + b"".join(n.to_bytes(2, "big") for n in (kind, len(tracks), division))
    for track in tracks:
        body = b"".join(number(delta) + message for delta, message in track)
        made += b"MTrk" + len(body).to_bytes(4, "big") + body
    return made


def on(delta, pitch, velocity=80, channel=0):
    return delta, bytes((0x90 | channel, pitch, velocity))


def off(delta, pitch, channel=0):
    return delta, bytes((0x80 | channel, pitch, 64))


ONE = [on(0, 60), off(480, 60), END]


def sheet(body=NOTE, head='<?xml version="1.0"?>'):
    return (
        f'{head}<score-partwise><part-list><score-part id="P1"><part-name>a</part-name></score-part></part-list>'
        '<part id="P1"><measure number="1"><attributes><divisions>1</divisions><time><beats>4</beats>'
        f"<beat-type>4</beat-type></time></attributes>{body}</measure></part></score-partwise>"
    ).encode()


def packed(**members):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/"), content)
    return made.getvalue()


def container(path):
    return f'<container><rootfiles><rootfile full-path="{path}"/></rootfiles></container>'


REFUSED = {
    "empty.mid": (b"", "is empty"),
    "random.mid": (bytes((i * 197 + 31) % 256 for i in range(4096)), "holds no MIDI"),
    "header.mid": (b"MThd\0\0", "cut off in its header"),
    "truncated.mid": (midi(ONE)[:-9], "cut off in the middle of its track 1"),
    "at_event.mid": (midi([on(0, 60), off(100, 60)] * 20)[:-8], "cut off in the middle of its track 1"),
    "lost_tracks.mid": (midi(ONE, ONE)[: -len(midi(ONE)) + 14], "should hold 2 tracks"),
    "no_tracks.mid": (midi(), "without any track"),
    "many_tracks.mid": (midi(*[ONE] * 1500), "has 1500 tracks"),
    "type2.mid": (midi(ONE, ONE, kind=2), "type 2"),
    "division.mid": (midi(ONE, division=0), "no ticks in a quarter"),
    "frames.mid": (midi(ONE, division=0x9C28), "100 frames"),
    "data.mid": (midi([(0, b"\x90\xc8\x40"), END]), "breaks off within an event"),
    "status.mid": (midi([(0, b"\x40\x40"), END]), "data of no event"),
    "silence.mid": (midi([*ONE[:2], on(480 * 2 * 3600 * 5, 60), off(480, 60), END]), "5.0 hours"),
    "bomb.musicxml": (sheet(head='<!DOCTYPE s [<!ENTITY a "aaa"><!ENTITY b "&a;&a;">]>'), "entities"),
    "external.musicxml": (sheet(head='<!DOCTYPE s [<!ENTITY a SYSTEM "file:///etc/passwd">]>'), "entities"),
    "parameter.musicxml": (sheet(head="<!DOCTYPE s [ %p; ]>"), "entities"),
    "wide.musicxml": (sheet(head='<!DOCTYPE s [<!ENTITY a "a">]>').decode().encode("utf-16"), "entities"),
    "deep.musicxml": (sheet("<a>" * 100_000), "damaged XML"),
    "half.musicxml": (sheet()[:-60], "damaged XML"),
    "bytes.musicxml": (b"<score-partwise>" + bytes(range(256)), "coding"),
    "coding.musicxml": (sheet(head='<?xml version="1.0" encoding="utf-7"?>'), "coding utf-7"),
    "timewise.musicxml": (b"<score-timewise/>", "score-partwise"),
    "page.xml": (b"<html><body/></html>", "its root is html"),
    "bomb.mxl": (packed(META_INF="", **{"a.xml": b" " * (65 << 20)}), "more than 64 MiB"),
    "nothing.mxl": (packed(readme="x"), "without a score"),
    "damaged.mxl": (packed(**{"a.xml": sheet()})[:60], "damaged packed score"),
    "crash.krn": (b"**kern\t**kern\n*M4/4\nfoo\n1c\t2q\n*-\n", "kern"),
    "long.abc": (b"X:1\nK:C\n" + b"C" * 300_000, "characters"),
    "endless.abc": (b"X:1\nM:4/4\nL:1/8\nK:C\n" + b"|:C64:|" * 2000, "hours"),
    "picture.png": (b"\x89PNG\r\n\x1a\n", "no score"),
    "text.abc": (b"dear diary", "holds no ABC"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_one_sentence(name, tmp_path):
    content, words = REFUSED[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_score(tmp_path / name)
    sentence = str(caught.value)
    assert words in sentence
    assert name in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence


def test_paths_that_are_no_files(tmp_path):
    for path, words in (
        (tmp_path / "no.mid", "There is no file"),
        (tmp_path, "is a folder"),
        ("/dev/null", "device"),
        ("a\0b", "no file"),
        ("x" * 5000, "no file"),
    ):
        with pytest.raises(InputError, match=words):
            read_score(path)
    (tmp_path / "big.mid").write_bytes(bytes(2 << 20))
    with pytest.raises(InputError, match=r"2\.0 MiB"):
        check_input(tmp_path / "big.mid", most_bytes=1 << 20)


def read(tmp_path, content, name="x.mid"):
    (tmp_path / name).write_bytes(content)
    return read_score(tmp_path / name)


def times(score, track=0):
    return [(note.time, note.duration) for note in score.tracks[track].notes]


def test_many_notes_and_many_tracks(tmp_path):
    tracks = [[event for i in range(10_000) for event in (on(0, 40 + i % 40), off(12, 40 + i % 40))] for _ in range(6)]
    assert read(tmp_path, midi(*tracks)).note_num() == 60_000
    assert len(read(tmp_path, midi(*[ONE] * 200)).tracks) == 200


def test_a_silence_of_three_hours_is_music(tmp_path):
    found = read(tmp_path, midi([*ONE[:2], on(480 * 2 * 3600 * 3, 60), off(480, 60), END]))
    assert Timeline.from_score(found).tick_to_second(found.end()) == pytest.approx(3 * 3600 + 1)


def test_files_without_notes(tmp_path):
    assert read(tmp_path, midi([END])).note_num() == 0
    assert read(tmp_path, midi([(0, b"\xe0\x05\x05"), (9, b"\xb0\x40\x7f"), END])).note_num() == 0
    assert times(read(tmp_path, midi(ONE))) == [(0, 480)]


def test_notes_that_are_never_released(tmp_path):
    struck = [on(0, 60), on(480, 62), on(480, 60), (960, b"\xff\x2f\x00")]
    assert sorted(times(read(tmp_path, midi(struck)))) == [(0, 960), (480, 1440), (960, 960)]
    assert times(read(tmp_path, midi([on(0, 60), END]))) == [(0, 480)]
    drums = midi([on(120, 36 + i % 3, channel=9) for i in range(6000)])
    assert set(times(read(tmp_path, drums))[:-3]) == {(120 * (i + 1), 360) for i in range(5997)}


def test_illegal_tempo_and_metre_are_left_out(tmp_path):
    found = read(
        tmp_path,
        midi([
            (0, b"\xff\x51\x03\0\0\0"), (0, b"\xff\x58\x04\0\x02\x18\x08"), (0, b"\xff\x58\x04\x04\xff\x18\x08"),
            (0, b"\xff\x59\x02\x63\x09"), (0, b"\xff\x51\x01\x09"), *ONE,
        ]),
    )  # fmt: skip
    assert (len(found.tempos), len(found.time_signatures), len(found.key_signatures)) == (0, 0, 0)
    assert times(found) == [(0, 480)]


@pytest.mark.parametrize(
    "division, seconds",
    [(0xE728, 1.0), (0xE828, 25 / 24), (0xE250, 1000 / 2400), (0xE328, 1001 / 1200), (0xE701, 40.0)],
)
def test_time_in_frames_keeps_its_seconds(tmp_path, division, seconds):
    other_tempo = (0, b"\xff\x51\x03\x01\0\0")  # has no meaning where time is counted in frames
    found = read(tmp_path, midi([other_tempo, on(0, 60), off(1000, 60), END], division=division))
    assert Timeline.from_score(found).tick_to_second(found.end()) == pytest.approx(seconds, rel=1e-6)


def test_events_that_cannot_be_heard_do_not_hurt(tmp_path):
    odd = [
        (0, b"\xff\x03\x04caf\xe9"), (0, b"\xf0\x05\1\2\3\4\xf7"), (0, b"\xf8"), (0, b"\xf2\1\2"),
        (0, b"\xff\x7f\x02ab"),
        (0, b"\x90\x3c\x50"), (240, b"\x40\x50"), (0, b"\xff\x01\x01x"), (240, b"\x3c\x00"), (0, b"\x40\x00"),
        (0, b"\x80\x50\x40"), END, (0, b"\xff\xff\xff"),
    ]  # fmt: skip
    found = read(tmp_path, midi(odd))
    assert times(found) == [(0, 480), (240, 240)]
    assert found.tracks[0].name == "café"
    riff = b"RIFF\0\0\0\0RMIDdata\0\0\0\0" + midi(ONE)
    assert times(read(tmp_path, riff)) == [(0, 480)]
    assert times(read(tmp_path, midi(ONE, kind=2))) == [(0, 480)]


def test_mutilated_midi_is_read_or_refused(tmp_path):
    rng = random.Random(7)
    tracks = [[event for i in range(20) for event in (on(i, 40 + i, channel=c), off(60, 40 + i, c))] for c in range(3)]
    head = [(0, b"\xff\x51\x03\x07\xa1\x20"), (0, b"\xff\x58\x04\x03\x02\x18\x08"), (0, b"\xff\x03\x05piano")]
    sound = midi(*[[*head, *track, END] for track in tracks])
    outcomes = Counter()
    for _ in range(600):
        data = bytearray(sound)
        for _ in range(rng.choice((1, 2, 8))):
            at = rng.randrange(len(data))
            match rng.randrange(4):
                case 0:
                    data[at] = rng.choice((0, 0x7F, 0x80, 0xF0, 0xFF, rng.randrange(256)))
                case 1:
                    del data[at : at + rng.randrange(1, 9)]
                case 2:
                    data[at:at] = rng.randbytes(rng.randrange(1, 9))
                case _:
                    data[at : at + 4] = data[at // 2 : at // 2 + 4]
        try:
            score = read(tmp_path, bytes(data))
        except InputError:
            outcomes["refused"] += 1
        else:
            outcomes["read"] += all(note.duration >= 0 for track in score.tracks for note in track.notes)
    assert outcomes.total() == 600
    assert min(outcomes["read"], outcomes["refused"]) > 50


def test_the_content_tells_the_format_not_the_name(tmp_path):
    assert times(read(tmp_path, midi(ONE), "tune.abc")) == [(0, 480)]
    assert times(read(tmp_path, sheet(), "tune.mid")) == [(0, 1920)]
    assert times(read(tmp_path, b"X:1\nM:4/4\nL:1/4\nK:C\nCD|\n", "tune.musicxml")) == [(0, 480), (480, 480)]


def test_xml_in_other_codings_and_with_a_document_type(tmp_path):
    public = '<?xml version="1.0"?><!DOCTYPE score-partwise PUBLIC "-//Recordare" "http://example.org/partwise.dtd">'
    wide = sheet(head='<?xml version="1.0" encoding="UTF-16"?>').decode().encode("utf-16")
    latin = sheet(head='<?xml version="1.0" encoding="ISO-8859-1"?>').decode().replace(">a<", ">caf\xe9<")
    for content in (sheet(head=public), wide, latin.encode("latin-1")):
        found = read(tmp_path, content, "x.musicxml")
        assert times(found) == [(0, 1920)]
    assert found.tracks[0].name == "café"


def test_packed_sheets_are_never_unpacked_to_disk(tmp_path):
    good = {"META-INF__container.xml": container("sub/a.xml"), "sub__a.xml": sheet()}
    assert times(read(tmp_path, packed(**good), "x.mxl")) == [(0, 1920)]
    climbing = {"META-INF__container.xml": container("../../evil.xml"), "..__..__evil.xml": sheet()}
    assert times(read(tmp_path, packed(**climbing), "x.mxl")) == [(0, 1920)]
    assert [path.name for path in tmp_path.iterdir()] == ["x.mxl"]
    assert not (tmp_path.parent.parent / "evil.xml").exists()


def test_abc_in_latin_1_and_abc_that_wants_other_files(tmp_path):
    secret = tmp_path / "secret.abc"
    secret.write_text("GABc|")
    found = read(tmp_path, "X:1\nT:Café\nM:4/4\nL:1/4\nK:C\nCDEF|\n".encode("latin-1"), "x.abc")
    assert times(found) == [(0, 480), (480, 480), (960, 480), (1440, 480)]
    asking = f"X:1\nM:4/4\nL:1/4\nK:C\nCDEF|\n%%abc-include {secret}\nI:abc-include {secret}\n"
    assert read(tmp_path, asking.encode(), "x.abc").note_num() == 4


def test_broken_tunes_among_good_ones_are_left_out(tmp_path):
    path = tmp_path / "x.abc"
    path.write_text("M:3/4\nL:1/4\n\nX:1\nK:C\nCDE|\n\nX:2\nK:C\n" + "C" * 300_000 + "\n\nX:3\nL:1/8\nK:C\nCD|\n")
    assert [times(score) for score in read_scores(path)] == [[(0, 480), (480, 480), (960, 480)], [(0, 240), (240, 240)]]


def test_a_parser_that_dies_or_hangs_is_replaced(tmp_path):
    good = sheet()
    assert times(read(tmp_path, good, "x.musicxml")) == [(0, 1920)]
    worker = isolation._worker
    assert worker is not None
    os.kill(worker.process.pid, signal.SIGSTOP)
    with pytest.raises(isolation.ParserFailed, match="longer than 0 seconds"):
        isolation.ask("abc", "X:1\nK:C\nC|\n", seconds=0.2)
    assert worker.process.poll() is not None
    assert times(read(tmp_path, good, "x.musicxml")) == [(0, 1920)]
    assert isolation._worker is not worker
    isolation._worker.process.kill()
    isolation._worker.process.wait()
    assert times(read(tmp_path, good, "x.musicxml")) == [(0, 1920)]


def test_a_fork_uses_a_process_of_its_own(tmp_path):
    assert times(read(tmp_path, sheet(), "x.musicxml")) == [(0, 1920)]
    child = os.fork()
    if child == 0:
        fine = times(read_score(tmp_path / "x.musicxml")) == [(0, 1920)]
        isolation.close()
        os._exit(0 if fine else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert times(read(tmp_path, sheet(), "x.musicxml")) == [(0, 1920)]
