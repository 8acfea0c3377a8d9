"""The map over files: values, order, failures of every kind, resuming, both back ends."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from orchestrion.data.journal import Journal
from orchestrion.data.pipeline import map_files
from orchestrion.errors import InputError, MissingDependencyError, OptionError, OutputError

HERE = Path(__file__).parent


def measure(path, *, log=None):
    """What the tests map: files say themselves what shall happen to them."""
    text = path.read_text()
    if log is not None:
        with log.open("a") as file:
            file.write(f"{path.name}\n")
    match text.split():
        case ["sentence"]:
            raise InputError("It is out of tune; tune it.")
        case ["raise"]:
            raise ZeroDivisionError("division by zero")
        case ["exit"]:
            os._exit(3)
        case ["quit"]:
            sys.exit(4)
        case ["segfault"]:
            os.kill(os.getpid(), signal.SIGSEGV)
        case ["hang"]:
            time.sleep(1000)
        case ["print"]:
            print("noise", flush=True)
        case ["object"]:
            return object()
        case ["sleep", seconds]:
            time.sleep(float(seconds))
    return {"name": path.name, "length": len(text), "pid": os.getpid(), "pair": (1, 2.5)}


def folder_of(tmp_path, texts):
    folder = tmp_path / "files"
    folder.mkdir(exist_ok=True)
    for number, text in enumerate(texts):
        (folder / f"{number:03d}").write_text(text)
    return sorted(folder.iterdir())


def calls(log):
    return sorted(log.read_text().split()) if log.exists() else []


def check_results(run, paths, failing):
    """Results of all files but the failing ones, in their order, with their values."""
    expected = [path for number, path in enumerate(paths) if number not in failing]
    assert len(run) == len(expected)
    assert [path for path, _ in run.results()] == expected
    for path, value in run.results():
        assert (value["name"], value["length"]) == (path.name, len(path.read_text()))
        assert value["pair"] == [1, 2.5]


def test_results_come_in_order_whatever_takes_longest(tmp_path):
    paths = folder_of(tmp_path, ["sleep 0.5", "a", "bb", "", "sleep 0.2", *"cdefgh"])
    seen = []
    run = map_files(measure, paths, workers=2, progress=lambda done, total: seen.append((done, total)))
    check_results(run, paths, ())
    assert run.failures == ()
    assert seen == [(done, 11) for done in range(12)]
    pids = {value["pid"] for _, value in run.results()}
    assert len(pids) == 2 and os.getpid() not in pids


def test_one_worker_is_one_process(tmp_path):
    run = map_files(measure, folder_of(tmp_path, "abcdef"), workers=1)
    assert len({value["pid"] for _, value in run.results()}) == 1


def test_no_files_are_no_work():
    run = map_files(measure, [], workers=2)
    assert (len(run), run.failures, list(run.results())) == (0, (), [])


FAILING = ["sentence", "fine", "raise", "exit", "fine", "segfault", "hang", "quit", "object", "fine", "exit", "fine"]
REASONS = {
    0: "It is out of tune; tune it.",
    2: "ZeroDivisionError: division by zero",
    3: "It crashed the process that worked on it (exit code 3).",
    5: "It crashed the process that worked on it (signal SIGSEGV).",
    6: "It took longer than 4 seconds and was stopped.",
    7: "It crashed the process that worked on it (exit code 4).",
    8: "Its result cannot be kept as JSON (Object of type object is not JSON serializable).",
    10: "It crashed the process that worked on it (exit code 3).",
}


@pytest.mark.parametrize("workers", [1, 3])
def test_files_that_fail_are_listed_and_the_rest_is_done(tmp_path, workers):
    paths = folder_of(tmp_path, FAILING)
    run = map_files(measure, paths, workers=workers, timeout=4)
    check_results(run, paths, REASONS)
    assert run.failures == tuple((paths[number], why) for number, why in sorted(REASONS.items()))


def test_the_cluster_gives_the_same_with_crashing_files(tmp_path, monkeypatch):
    ray = pytest.importorskip("ray")
    monkeypatch.setenv("PYTHONPATH", str(HERE))  # the workers import this module
    paths = folder_of(tmp_path, FAILING)
    try:
        run = map_files(measure, paths, workers=2, timeout=4, cluster=True, resume=tmp_path / "journal")
        check_results(run, paths, REASONS)
        assert run.failures == tuple((paths[number], why) for number, why in sorted(REASONS.items()))
        paths[3].write_text("mended")
        again = map_files(measure, paths[:6], workers=1, timeout=4, cluster=True, resume=tmp_path / "journal")
        check_results(again, paths[:6], (0, 2, 5))
        pids = {path: value["pid"] for path, value in run.results()}
        assert [value["pid"] == pids.get(path) for path, value in again.results()] == [True, False, True]
        with pytest.raises(OptionError, match="cannot be handed to another process"):
            map_files(unloadable, paths, cluster=True)
    finally:
        ray.shutdown()


def test_the_cluster_without_ray_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingDependencyError, match=r"orchestrion\[cluster\]"):
        map_files(measure, folder_of(tmp_path, "ab"), cluster=True)


def test_what_is_printed_by_the_work_stays_out_of_stdout(tmp_path, capfd):
    assert len(map_files(measure, folder_of(tmp_path, ["print"]), workers=1)) == 1
    shown = capfd.readouterr()
    assert shown.out == ""
    assert "noise" in shown.err


def test_a_finished_journal_needs_no_call(tmp_path):
    paths, log, journal = folder_of(tmp_path, "abc"), tmp_path / "log", tmp_path / "deep" / "journal"
    work = partial(measure, log=log)
    first = list(map_files(work, paths, workers=1, resume=journal).results())
    assert calls(log) == ["000", "001", "002"]
    seen = []
    again = map_files(work, paths, workers=1, resume=journal, progress=lambda *state: seen.append(state))
    assert list(again.results()) == first
    assert seen == [(3, 3)]
    assert len(calls(log)) == 3
    again.forget()
    assert not journal.exists()


def test_new_changed_and_failed_files_are_done_again_and_no_others(tmp_path):
    paths, log, journal = folder_of(tmp_path, ["a", "raise", "c", "d"]), tmp_path / "log", tmp_path / "journal"
    work = partial(measure, log=log)
    assert len(map_files(work, paths[:3], workers=1, resume=journal).failures) == 1
    log.unlink()
    paths[2].write_text("changed")
    run = map_files(work, paths, workers=1, resume=journal)
    assert calls(log) == ["001", "002", "003"]
    check_results(run, paths, (1,))
    assert run.failures == ((paths[1], "ZeroDivisionError: division by zero"),)


def test_other_work_begins_a_journal_anew(tmp_path):
    paths, journal = folder_of(tmp_path, "ab"), tmp_path / "journal"
    map_files(partial(measure, log=tmp_path / "one"), paths, workers=1, resume=journal)
    map_files(partial(measure, log=tmp_path / "two"), paths, workers=1, resume=journal)
    assert calls(tmp_path / "two") == ["000", "001"]


@pytest.mark.parametrize("cut", [1, 20])
def test_a_torn_last_line_costs_that_item_only(tmp_path, cut):
    paths, log, journal = folder_of(tmp_path, "abcd"), tmp_path / "log", tmp_path / "journal"
    work = partial(measure, log=log)
    map_files(work, paths, workers=1, resume=journal)
    log.unlink()
    last = json.loads(journal.read_bytes().splitlines()[-1])["result"]["name"]
    journal.write_bytes(journal.read_bytes()[:-cut])
    check_results(map_files(work, paths, workers=1, resume=journal), paths, ())
    assert calls(log) == [last]
    assert all(json.loads(line) for line in journal.read_text().splitlines())


KILLED = """
import sys
from functools import partial
from pathlib import Path
sys.path.insert(0, {here!r})
from test_data_pipeline import measure
from orchestrion.data.pipeline import map_files
folder = Path({folder!r})
work, files = partial(measure, log=folder / "log"), sorted((folder / "files").iterdir())
map_files(work, files, workers=2, resume=folder / "journal")
"""


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)


def test_a_run_killed_midway_goes_on_and_leaves_no_process(tmp_path):
    paths = folder_of(tmp_path, ["sleep 0.1"] * 30)
    log, journal = tmp_path / "log", tmp_path / "journal"
    run = subprocess.Popen([sys.executable, "-c", KILLED.format(here=str(HERE), folder=str(tmp_path))])
    wait_until(lambda: journal.exists() and journal.read_bytes().count(b"\n") > 8)
    run.kill()
    run.wait()
    entries = [json.loads(line) for line in journal.read_bytes().split(b"\n")[1:-1]]
    kept = {entry["item"].split()[0].rpartition("/")[2] for entry in entries}
    assert 8 <= len(kept) < 30
    for pid in {entry["result"]["pid"] for entry in entries}:
        wait_until(lambda pid=pid: not alive(pid))
    log.unlink()
    check_results(map_files(partial(measure, log=log), paths, workers=2, resume=journal), paths, ())
    assert not kept & set(calls(log))
    assert kept | set(calls(log)) == {path.name for path in paths}


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Unloadable:
    """Can be pickled but not loaded again."""

    def __call__(self, path):
        return str(path)

    def __reduce__(self):
        return (int, ("not a number",))


unloadable = Unloadable()


def test_work_that_cannot_travel_is_refused(tmp_path):
    paths = folder_of(tmp_path, "ab")
    with pytest.raises(OptionError, match="give a function of a module"):
        map_files(lambda path: 1, paths, workers=1)
    with pytest.raises(OptionError, match="cannot be handed to another process: ValueError"):
        map_files(unloadable, paths, workers=1)


def test_a_script_without_a_main_guard_is_told(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from pathlib import Path\nfrom orchestrion.data.pipeline import map_files\n"
        "def work(path):\n    return 1\n"
        "print(len(map_files(work, [Path(__file__)], workers=1)))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert done.stdout == ""
    assert 'call this under `if __name__ == "__main__":`' in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(("options", "word"), [({"workers": 0}, "workers"), ({"timeout": 0}, "time limit")])
def test_senseless_numbers_are_refused(tmp_path, options, word):
    with pytest.raises(OptionError, match=word):
        map_files(measure, folder_of(tmp_path, "a"), **options)


def test_a_journal_that_cannot_be_written_is_reported(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="choose another place"):
        map_files(measure, folder_of(tmp_path, "a"), resume=tmp_path / "file" / "journal")
    if Path("/dev/full").exists():
        with pytest.raises(OutputError, match="No space left"):
            Journal(Path("/dev/full"), "work", ["a"])


def test_items_need_not_be_files(tmp_path):
    journal = tmp_path / "journal"
    items = [("a", 1), ("b", 2)]
    run = map_files(len, items, workers=1, resume=journal, name=lambda item: item[0])
    assert list(run.results()) == [(("a", 1), 2), (("b", 2), 2)]
    assert {json.loads(line).get("item") for line in journal.read_text().splitlines()[1:]} == {"a", "b"}


def test_errors_in_progress_end_the_run_and_its_processes(tmp_path):
    def stop(done, total):
        if done:
            raise KeyboardInterrupt

    paths = folder_of(tmp_path, ["a", *["hang"] * 6])
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        map_files(measure, paths, workers=2, progress=stop)
    assert time.monotonic() - started < 60
