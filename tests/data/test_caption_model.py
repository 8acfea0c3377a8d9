"""The language model's writer against a server of our own."""

import json
import random
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from orchestrion.data.caption_check import verify, write_truthfully
from orchestrion.data.caption_examples import EXAMPLES
from orchestrion.data.caption_facts import Facts
from orchestrion.data.caption_model import LanguageModelWriter, WriterError, build_prompt, tag_block
from orchestrion.errors import OptionError
from orchestrion.representations.prompt import parse_prompt
from orchestrion.theory.keys import Key

FACTS = Facts(
    instruments=(73, 48),
    key=Key.parse("D minor"),
    metre=(3, 4),
    tempo=72.0,
    genres=("waltz",),
    moods=("sad",),
    seconds=50.0,
    chords=("Dm", "Gm", "A7"),
    chord_count=4,
)
GOOD = "A sad waltz in D minor for flute and strings. It moves slowly in 3/4."


@pytest.fixture
def server():
    """Answers with the queued (status, body) pairs and keeps what it was sent."""
    answers, requests = [], []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            requests.append((self.path, dict(self.headers), body))
            status, content = answers.pop(0)
            data = (
                content
                if isinstance(content, bytes)
                else json.dumps({"choices": [{"message": {"content": content}}]}).encode()
            )
            self.send_response(status)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args):
            pass

    http = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{http.server_port}/v1", answers, requests
    http.shutdown()
    http.server_close()


def test_one_user_message_at_temperature_zero(server):
    url, answers, requests = server
    answers.append((200, f'Caption: "{GOOD}"\n'))
    caption = LanguageModelWriter(url, "some-model", api_key="k").write(FACTS, random.Random(0))
    assert caption == GOOD
    path, headers, body = requests[0]
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == "Bearer k"
    assert (body["model"], body["temperature"], len(body["messages"])) == ("some-model", 0, 1)
    assert body["messages"][0]["content"] == build_prompt(FACTS, random.Random(0))


def test_passing_failures_are_tried_again(server):
    url, answers, requests = server
    answers += [(503, b""), (429, b""), (200, b"not json"), (200, GOOD)]
    assert LanguageModelWriter(url, "m", pause=0.0).write(FACTS, random.Random(0)) == GOOD
    assert len(requests) == 4


def test_lasting_failures_are_told(server):
    url, answers, requests = server
    answers += [(401, b"")]
    with pytest.raises(WriterError, match="status 401"):
        LanguageModelWriter(url, "m", pause=0.0).write(FACTS, random.Random(0))
    assert len(requests) == 1
    answers += [(200, "")] * 2
    with pytest.raises(WriterError, match="empty"):
        LanguageModelWriter(url, "m", pause=0.0, retries=1).write(FACTS, random.Random(0))
    with pytest.raises(WriterError):
        LanguageModelWriter("http://127.0.0.1:9", "m", pause=0.0, retries=1, timeout=2).write(FACTS, random.Random(0))
    with pytest.raises(OptionError):
        LanguageModelWriter("ftp://x", "m")


def test_a_model_that_makes_things_up_is_corrected(server):
    url, answers, _ = server
    answers.append((200, GOOD + " A trumpet joins in. The chords repeat throughout."))
    caption, removed = write_truthfully(LanguageModelWriter(url, "m"), FACTS, random.Random(0), parse_prompt)
    assert caption == GOOD
    assert len(removed) == 2


def test_the_prompt_has_the_parts_of_the_published_one():
    prompt = build_prompt(FACTS, random.Random(0), probabilities=[0.81])
    assert len(EXAMPLES) == 17
    assert prompt.count("\nCaption: ") == 17
    assert prompt.rstrip().endswith("Caption:")
    assert "below 10" in prompt
    names = [line.split(":")[0] for line in tag_block(FACTS, random.Random(0)).splitlines()]
    assert names == ["genre", "mood", "instruments", "time signature", "tempo", "key", "chords", "duration"]
    assert 'genre: ["waltz: 0.81"]' in prompt
    assert tag_block(Facts(), random.Random(0)).splitlines()[2] == "instruments: []"


def _facts_of(tags: str) -> Facts:
    values = {line.split(": ", 1)[0]: json.loads(line.split(": ", 1)[1]) for line in tags.splitlines()}
    chords, count = values["chords"] or ([], 0)
    numerator, denominator = values["time signature"].split("/")
    return Facts(
        key=Key.parse(values["key"]),
        metre=(int(numerator), int(denominator)),
        tempo=float(values["tempo"][0]),
        genres=tuple(genre.split(":")[0] for genre in values["genre"]),
        chords=tuple(chords),
        chord_count=count,
    )


@pytest.mark.parametrize("tags, caption", EXAMPLES)
def test_the_examples_are_true_and_as_long_as_the_published_ones(tags, caption):
    assert 17 <= len(caption.split()) <= 79
    facts = _facts_of(tags)
    said = parse_prompt(caption)
    assert said.key == facts.key
    assert [line for line in verify(caption, facts, parse_prompt) if not line.startswith("The chords are")] == []
