"""Text to MIDI: what the network must know and must not, conditions that have an effect, the same seed again."""

import copy

import pytest
import torch

from orchestrion.data.corpus import load_corpus
from orchestrion.errors import OptionError, PromptError
from orchestrion.nn.text2midi_network import Text2MidiNetwork
from orchestrion.systems.midicaps import MidiCaps
from orchestrion.theory.keys import Key
from orchestrion.training.captioned_pieces import CaptionedPieces

SIZES = {"width": 32, "num_layers": 2, "num_heads": 2, "feed_forward": 64, "max_length": 96}


@pytest.fixture(scope="module")
def tiny():
    torch.manual_seed(0)
    arguments = {**MidiCaps.presets["mini"], "width": 32, "num_layers": 2, "num_heads": 2, "feed_forward": 64}
    return MidiCaps(**arguments).eval()


def network(positions):
    torch.manual_seed(1)
    return Text2MidiNetwork(
        vocabulary_size=50, norm_first=True, bias=True, dropout=0.0, positions=positions, **SIZES
    ).eval()


@pytest.mark.parametrize("positions", ["rotary", "sinusoidal"])
def test_cached_steps_equal_the_whole_sequence(positions):
    net = network(positions)
    tokens, memory = torch.randint(3, 50, (2, 20)), torch.randn(2, 7, 32)
    mask = torch.ones(2, 7, dtype=torch.bool)
    mask[1, 4:] = False
    with torch.inference_mode():
        whole = net(tokens, memory, mask)
        caches = net.decoder.start(memory, capacity=20)
        steps = [net.step(tokens[:, :3], caches, mask)]
        steps += [net.step(tokens[:, i : i + 1], caches, mask) for i in range(3, 20)]
    torch.testing.assert_close(torch.stack(steps, 1), whole[:, 2:], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("positions", ["rotary", "sinusoidal"])
def test_the_past_matters_the_future_and_padding_do_not(positions):
    net = network(positions)
    tokens, memory = torch.randint(3, 50, (1, 20)), torch.randn(1, 7, 32)
    mask = torch.ones(1, 7, dtype=torch.bool)
    mask[0, 5:] = False
    with torch.inference_mode():
        before = net(tokens, memory, mask)
        changed = tokens.clone()
        changed[0, 12] = (tokens[0, 12] - 3 + 1) % 47 + 3
        after = net(changed, memory, mask)
        torch.testing.assert_close(after[:, :12], before[:, :12])
        assert (after[:, 12:] - before[:, 12:]).abs().amax(-1).min() > 1e-4
        swapped = tokens.clone()
        swapped[0, 3], swapped[0, 7] = tokens[0, 7], tokens[0, 3]
        if tokens[0, 3] != tokens[0, 7]:
            assert (net(swapped, memory, mask)[:, -1] - before[:, -1]).abs().max() > 1e-5  # order is known
        padding = memory.clone()
        padding[0, 5:] += 9
        torch.testing.assert_close(net(tokens, padding, mask), before)
        text = memory.clone()
        text[0, 2] += 1
        assert (net(tokens, text, mask) - before).abs().max() > 1e-3


def test_plain_products_equal_the_fused_kernel():
    from orchestrion.nn.attention import attend

    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 3, 300, 16, dtype=torch.bfloat16, requires_grad=True) for _ in range(3))
    mask = torch.rand(2, 1, 1, 300) > 0.3
    for options in ({"causal": True}, {"mask": mask}, {}):
        plain = attend(q, k, v, **options).float()
        fused = attend(q.detach().float(), k.detach().float(), v.detach().float(), **options)
        torch.testing.assert_close(plain, fused, atol=0.03, rtol=0.03)


def test_captions_and_tokens_tell_the_same_key(tiny):
    pieces = CaptionedPieces(load_corpus("compact", split="validation", limit=12), tiny.arrangement, longest=2304)
    tokens, texts = pieces.batch(range(6), seed=5)
    again, same = pieces.batch([2], seed=5)
    assert same == [texts[2]]
    assert torch.equal(again[0], tokens[2, : again.shape[1]])
    other, reworded = pieces.batch([2], seed=6)
    assert reworded != same
    assert torch.equal(other[0, 5:], again[0, 5:])  # the notes stay; genre, metre and tempo too
    plans, _ = pieces.batch(range(6), seed=5, whole=False)
    assert torch.equal(plans[:, :5], tokens[:, :5])
    assert plans.shape[1] < 40
    from orchestrion.representations.prompt import parse_prompt

    told = 0
    for row, text in zip(tokens, texts, strict=True):
        key = parse_prompt(text).key
        if key is not None:
            told += 1
            assert tiny.arrangement.names[row[4]] == f"Key_{key}"
    assert told


def test_the_loss_leaves_padding_out_and_falls(tiny):
    model = copy.deepcopy(tiny).train()
    pieces = CaptionedPieces(load_corpus("compact", split="validation", limit=6), model.arrangement, longest=2304)
    tokens, texts = pieces.batch([0, 1], seed=0)
    tokens = tokens[:, :80]
    padded = torch.cat([tokens, torch.zeros(2, 30, dtype=torch.long)], 1)
    model.eval()
    torch.testing.assert_close(model.loss(padded, texts).value, model.loss(tokens, texts).value)
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    first = model.loss(tokens, texts).value.item()
    for _ in range(15):
        optimiser.zero_grad()
        model.loss(tokens, texts).value.backward()
        optimiser.step()
    assert model.loss(tokens, texts).value.item() < first - 1


def test_the_tenth_call_equals_the_first(tiny):
    ask = {"seed": 3, "bars": 4}
    first = tiny.generate("a waltz for flute and piano", **ask)[0]
    for number in range(8):
        tiny.generate("a tune for flute", seed=number, bars=1)
    tenth = tiny.generate("a waltz for flute and piano", **ask)[0]
    assert tenth.score.tracks == first.score.tracks
    assert tenth.report == first.report
    assert tiny.generate("a waltz for flute and piano", seed=4, bars=4)[0].score.tracks != first.score.tracks


def test_the_text_itself_reaches_the_network(tiny):
    """Words that fix nothing still change the music; the same words again do not."""
    one, two, three = (
        tiny.generate(text, seed=1, bars=4, key=Key(0, "major"), metre=(4, 4), tempo=100.0, instruments=(0,))[0]
        for text in ("dreamy gentle music", "stormy wild music", "dreamy gentle music")
    )
    assert one.score.tracks == three.score.tracks
    assert one.score.tracks != two.score.tracks


@pytest.mark.parametrize("option", [{"temperature": 0.3}, {"top_p": 0.3}])
def test_sampling_options_have_an_effect(tiny, option):
    plain = tiny.generate("a tune", seed=1, bars=4)[0]
    assert tiny.generate("a tune", seed=1, bars=4, **option)[0].score.tracks != plain.score.tracks


def test_several_at_once(tiny):
    made = tiny.generate("a tune for piano", n=3, seed=0, bars=4)
    assert len(made) == 3
    assert made[0].score.tracks != made[1].score.tracks


def test_mistakes(tiny):
    with pytest.raises(PromptError):
        tiny.generate("")
    with pytest.raises(OptionError, match="bars"):
        tiny.generate("a tune", bars=5000)
    with pytest.raises(OptionError, match="nonsense"):
        tiny.generate_batch(["a tune"], ["0"], nonsense=1)
    with pytest.raises(OptionError, match="quirks"):
        MidiCaps(text="none", quirks="some")
    with pytest.raises(OptionError, match="text encoder"):
        MidiCaps(text="none", **SIZES).write(["a"], generators=[torch.Generator()])
    with pytest.raises(OptionError, match="mini"):
        MidiCaps(text="none", **SIZES).stages([], [])


def test_the_published_size_writes_published_tokens():
    """Encoded text is given from outside here: the tokenizer of T5 does not ship."""
    torch.manual_seed(0)
    for quirks in ("none", "official"):
        model = MidiCaps(text="none", quirks=quirks, **SIZES).eval()
        model.text = lambda texts: (torch.ones(len(texts), 4, 32), torch.ones(len(texts), 4, dtype=torch.bool))
        made = model.generate("a tune", n=2, seed=1, bars=4)
        assert len(made) == 2
        assert any("bars" in one for one in made[0].report["unserved"])
        assert model.generate("a tune", n=2, seed=1)[1].score.tracks == made[1].score.tracks


def test_the_bundled_weights_make_music():
    from orchestrion.evaluation.text_control import measure_control
    from orchestrion.systems.registry import load

    model = load("midicaps")
    assert model.parameter_count <= 12_000_000
    made = model.generate("a slow waltz in D minor for flute and strings, 8 bars", seed=1)[0]
    found = measure_control(made.score, programs=[73, 48], metre=(3, 4), tempo=(50.0, 80.0), bars=8)
    assert found.instruments.f1 == 1
    assert found.metre and found.tempo and found.bars and found.cadence
    assert found.empty_bars == 0


@pytest.mark.parametrize("rows", [[0, 2, 3], [3], [2, 0], [1, 1, 2], []])
def test_rows_that_are_kept_keep_their_past(rows):
    from orchestrion.nn.cache import KeyValueCache

    torch.manual_seed(0)
    cache = KeyValueCache.empty(4, 2, 9, 3, like=torch.zeros(1))
    cache.append(torch.randn(4, 2, 5, 3), torch.randn(4, 2, 5, 3))
    before = cache.held[:, :, :, :5].clone()
    cache.keep(torch.tensor(rows, dtype=torch.long))
    assert torch.equal(cache.held[:, :, :, :5], before[rows])
