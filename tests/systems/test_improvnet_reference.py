"""Parity with the published ImprovNet: networks, tokens, corruptions, passes, sampling, structure, for every case."""

import importlib.util
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from orchestrion.analysis.self_similarity import agreement, find_borders, similarity_matrix, strongest
from orchestrion.hub.official import improvnet as official
from orchestrion.nn.bert import BertClassifier
from orchestrion.nn.ssm_network import KERNEL_SCALE, SsmNetwork, checkerboard
from orchestrion.paradigms.autoregressive import next_token_loss
from orchestrion.paradigms.corruption_refinement import CUT, RANDOM, refine
from orchestrion.representations.corruptions import (
    CORRUPTIONS,
    corrupt,
    cut_at_last_break,
    encoder_tokens,
    skyline,
)
from orchestrion.representations.onset_constraint import OnsetConstraint
from orchestrion.representations.performance_reading import published_notes
from orchestrion.representations.performance_tokens import (
    BREAK,
    END,
    START,
    PerformanceVocabulary,
    TimedNote,
    join_segments,
    note_tokens,
    read_notes,
    split_segments,
)
from orchestrion.systems.improvnet import ImprovNet

HERE = Path(__file__).parents[1] / "reference"
ROOT = Path(os.environ.get("ORCHESTRION_REFERENCE", HERE)) / "improvnet"
WORDS = PerformanceVocabulary()


def folders(kind, file):
    """Cases of a kind, by what their case.json says they are of."""
    found = [folder for folder in sorted(ROOT.glob("*")) if (folder / file).exists()]
    found = [folder for folder in found if kind is None or kind in about(folder).get("class", "")]
    return pytest.mark.parametrize("folder", found, ids=lambda folder: folder.name)


def about(folder):
    return json.loads((folder / "case.json").read_text())


def tolerance(case):
    return float(re.findall(r"\d[\d.]*(?:e-?\d+)?", str(case["tolerance"]))[0])


def filled(folder):
    path = ROOT.parent / "fill.py"
    spec = importlib.util.spec_from_file_location("improv_fill", path if path.exists() else HERE / "fill.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {key: torch.from_numpy(value) for key, value in module.state_dict(folder).items()}


def stored(folder):
    return {name: torch.from_numpy(value) for name, value in np.load(folder / "data.npz").items()}


def cases(folder):
    return json.loads((folder / "functions.json").read_text())


@folders("EncoderDecoderModel", "data.npz")
def test_generator(folder):
    case, data = about(folder), stored(folder)
    near = tolerance(case)
    model = ImprovNet(**official.arguments(case["arguments"])).eval()
    model.load_state_dict(official.convert(filled(folder)))
    real, labels = data["attention_mask"].bool(), data["labels"].long()
    written = data["decoder_input_ids"].long()
    with torch.inference_mode():
        memory = model.network.encoder(data["input_ids"].long(), real)
        logits = model.network.decoder(written, memory, real)
        caches = model.network.decoder.start(memory[:1], capacity=written.shape[1])
        steps = [model.network.decoder.step(written[:1, n : n + 1], caches) for n in range(written.shape[1])]
    torch.testing.assert_close(memory, data["memory"], rtol=near, atol=near)
    counted = written != 0
    torch.testing.assert_close(logits[counted], data["logits"][counted], rtol=near, atol=near)
    torch.testing.assert_close(torch.cat(steps), data["logits"][0], rtol=near, atol=near)
    loss = next_token_loss(logits, labels, ignore=0)
    assert loss.item() == pytest.approx(case["loss_with_padding_ignored"], abs=near)


@folders("BertForSequenceClassification", "data.npz")
def test_classifier(folder):
    case, data = about(folder), stored(folder)
    model = BertClassifier(**official.classifier_arguments(case["arguments"])).eval()
    model.load_state_dict(official.convert_classifier(filled(folder)))
    with torch.inference_mode():
        logits = model(data["input_ids"].long(), data["attention_mask"].bool())
        loss = torch.nn.functional.cross_entropy(logits, data["labels"].long())
    torch.testing.assert_close(logits, data["logits"], rtol=tolerance(case), atol=tolerance(case))
    assert loss.item() == pytest.approx(case["loss"], abs=tolerance(case))


@folders("SsmNet", "data.npz")
def test_boundary_network(folder):
    case, data = about(folder), stored(folder)
    near, arguments = tolerance(case), official.ssm_arguments(case["arguments"])
    model = SsmNetwork(**arguments).eval()
    torch.testing.assert_close(model.kernels.weight.detach(), data["checkerboard_kernel"], rtol=0, atol=1e-6)
    model.load_state_dict(official.convert_ssm(filled(folder)))
    with torch.inference_mode():
        matrix = model.similarity(data["features"])
        found = {
            "conv_out": model.patches(data["features"]),
            "embedding": model(data["features"]),
            "ssm": matrix,
            "novelty": model.novelty(matrix),
        }
    for name, ours in found.items():
        torch.testing.assert_close(ours, data[name], rtol=near, atol=near, msg=name)


@folders(None, "paper_keys.json")
def test_every_published_key_has_its_place_at_full_size(folder):
    keys = json.loads((folder / "paper_keys.json").read_text())
    kind = about(folder)["class"]
    with torch.device("meta"):
        state = {key: torch.empty(shape) for key, shape in keys.items() if not key.startswith("_")}
        if "EncoderDecoder" in kind:
            model, ours = ImprovNet.from_preset("paper"), official.convert(state)
            released = ImprovNet(**official.arguments(official.SOURCE["arguments"]))
            assert released.parameter_count == model.parameter_count
        elif "Classification" in kind:
            size = keys["bert.embeddings.word_embeddings.weight"][0]
            labels = keys["classifier.weight"][0] * ["genre"]
            model = BertClassifier(**official.classifier_arguments({"vocab_size": size, "labels": labels}))
            ours = official.convert_classifier(state)
        else:
            model = SsmNetwork(**official.ssm_arguments(about(folder)["arguments"]))
            ours = official.convert_ssm(state)
    assert sum(parameter.numel() for parameter in model.parameters()) == keys["_parameters"]
    assert {key: tuple(value.shape) for key, value in ours.items()} == {
        key: tuple(value.shape) for key, value in model.state_dict().items()
    }


# Functions ------------------------------------------------------------------------------------------------------------


class Scripted:
    """Gives the draws that a case lists, and checks that they are asked for with the same arguments."""

    def __init__(self, draws):
        self.draws = list(draws)

    def _next(self, name, given):
        drawn, arguments, value = self.draws.pop(0)
        assert drawn == name and (arguments is None or list(arguments) == list(given)), (drawn, arguments, name, given)
        return value

    def random(self):
        return self._next("random", [])

    def uniform(self, a, b):
        return self._next("uniform", [a, b])

    def randint(self, a, b):
        return self._next("randint", [a, b])

    def choice(self, seq):
        return self._next("choice", seq)

    def shuffle(self, x):
        x[:] = self._next("shuffle", x if self.draws[0][1] is not None else [])


def items(found):
    return [TimedNote(*one) if isinstance(one, list) else one for one in found]


def tokens(found):
    return [tuple(one) if isinstance(one, list) else one for one in found]


@folders(None, "functions.json")
def test_vocabulary(folder):
    case = cases(folder)["vocabulary"]
    assert len(WORDS) - 1 == case["size"]
    for token, number in case["ids"]:
        assert WORDS.ids[tuple(token) if isinstance(token, list) else token] == number


@folders(None, "functions.json")
def test_tokens_of_notes(folder):
    case = cases(folder)
    flat = case["flatten"]
    assert note_tokens(items(flat["flat"])) == tokens(flat["unflatten"])
    assert read_notes(tokens(flat["tokens"])[1:3] + tokens(flat["tokens"])[:1]) == items(flat["flat"][:1])
    parsed = case["parse_generation"]
    aria = [
        token
        for item in read_notes(tokens(parsed["tokens"]))
        for token in (
            [item]
            if isinstance(item, str)
            else [("piano", item.pitch, item.velocity), ("onset", item.onset), ("dur", item.duration)]
        )
    ]
    assert aria == tokens(parsed["result"])
    piece = items(case["piece"]["sequence"])
    assert join_segments(split_segments(piece)) == piece
    assert len(split_segments(piece)) == len(case["seperateitems"]["segment_indices"])


@folders(None, "functions.json")
def test_corruptions(folder):
    case = cases(folder)
    segments = split_segments(items(case["piece"]["sequence"]))
    assert {one["function"] for one in case["corruptions"]["cases"]} == set(CORRUPTIONS)
    for one in case["corruptions"]["cases"]:
        chance = Scripted(one["draws"])
        segment = segments[one["segment_index"] // 2]
        made = corrupt(one["function"], segment, chance, genre="jazz", quirks="official")
        assert made == tokens(one["tokens"]), one["function"]
        assert made[0] == one["name"] and not chance.draws
    for one in case["skyline_edge_cases"]["cases"]:
        made = skyline(items(one["segment"]), Scripted([]), quirks="official")
        assert made == note_tokens(items(one["result"][2:]))


@folders(None, "functions.json")
def test_what_the_encoder_reads(folder):
    case = cases(folder)
    segments = split_segments(items(case["piece"]["sequence"]))
    checked = 0
    for one in case["apply_random_corruption"]["cases"]:
        place = one["index"] // 2
        target = [START, *note_tokens(segments[place]), END]
        assert WORDS.encode(target) == one["decoder_ids"]
        if one["corruption_type_out"] is None:
            continue  # neither corrupted nor named: no caller of ours asks for it
        checked += 1
        chance = Scripted(one["draws"])
        name = one["corruption_type"] or chance.choice(list(CORRUPTIONS))
        if one["t_segment_ind"] is None:
            assert chance.choice([2 * number for number in range(len(segments))]) == one["index"]
        genre = next((token for token in one["corrupted_sequence"] if token in WORDS.genres), "jazz")
        if not one["run_corruption"] or one["inference"]:
            spoiled = [CORRUPTIONS[name][0], genre, *note_tokens(segments[place])]
        else:
            spoiled = corrupt(name, segments[place], chance, genre=genre, quirks="official")
        made = encoder_tokens(segments, place, spoiled, before=one["context_before"], after=one["context_after"])
        if chance.uniform(0, 1) < CUT and place > 0 and not one["inference"]:
            made = cut_at_last_break(made)
        assert WORDS.encode(made) == one["encoder_ids"], one
        assert made == note_tokens(items(one["corrupted_sequence"])) or "mask" in name
    assert checked > 10


@folders(None, "functions.json")
def test_a_pass(folder):
    whole = cases(folder)
    for one in whole["generate_one_pass"]["cases"]:
        given = items(whole["piece"]["sequence"] if one["input_sequence"] == "piece" else one["input_sequence"])
        marked = split_segments(given)
        protected = {place for place, segment in enumerate(marked) if "<N>" in segment}
        chance, read = Scripted(one["draws"]), []

        def write(requests, read=read):
            made = []
            for request in requests:
                read.append(request.tokens)
                n = len(read)
                made.append([TimedNote(60 + n, 75, 0, 500), TimedNote(64, 75, 10 * n, 400)])
            return made

        (made,) = refine(
            marked,
            write,
            corruptions=[RANDOM if one["corruption_type"] == "random" else one["corruption_type"]],
            rate=one["corruption_rate"],
            genre="jazz",
            chance=lambda number, place, chance=chance: chance,
            first=one["t_segment_start"],
            keep_last=one.get("end_original", True),
            protected=protected,
            before=2,
            after=1,
            quirks="official",
        )
        assert read == [tokens(seen) for seen in one["encoder_inputs"]]
        assert join_segments(made) == items(one["result"]) and not chance.draws


@folders(None, "functions.json")
def test_onset_constraint(folder):
    case = cases(folder)["onset_constraint"]
    constraint = OnsetConstraint(WORDS)
    numbers = np.arange(len(WORDS))
    for step in case["steps"]:
        logits = torch.from_numpy((3 * np.sin(0.37 * numbers + 0.11 * step["step"])).astype(np.float32))
        logits = logits.masked_fill(~torch.from_numpy(constraint.allowed()), -torch.inf)
        least = logits.topk(50).values[-1]
        probabilities = torch.softmax(logits.masked_fill(logits < least, -torch.inf) / 0.95, -1)
        kept = probabilities.nonzero()[:, 0]
        assert len(kept) == step["number_allowed"] and int(kept.sum()) == step["allowed_ids_sum"]
        assert probabilities.max().item() == pytest.approx(step["largest_probability"], abs=1e-5)
        if step["allowed"] is not None:
            assert WORDS.decode(kept.tolist()) == tokens(step["allowed"])
        chosen = step["chosen"]
        constraint.advance(WORDS.ids[tuple(chosen) if isinstance(chosen, list) else chosen])
    assert constraint.done


@folders(None, "functions.json")
def test_borders_and_similarity(folder):
    whole = cases(folder)
    case = whole["novelty_peaks"]
    curve = np.array(case["novelty"])
    peaks = find_borders(curve, case["step_sec"])
    assert peaks.tolist() == case["peaks"]
    centre = float(re.findall(r"[\d.]+", case["time_of_frame"])[0])  # of the first patch, in seconds
    for count, expected in case["strongest"].items():
        seconds = [centre + frame * case["step_sec"] for frame in strongest(peaks, curve, int(count))]
        assert seconds == pytest.approx(expected, abs=1e-5)
    np.testing.assert_allclose(checkerboard(3, 2.0), case["checkerboard_kernel_Ldemi3_sigma2"], atol=1e-6)
    assert 0 < KERNEL_SCALE < 1
    case = whole["ssm_similarity"]
    one, other = (similarity_matrix(np.array(case[name])) for name in ("chroma_a", "chroma_b"))
    for row, column, value in case["samples_a"]:
        assert one[row, column] == pytest.approx(value, abs=1e-5)
    assert (one.mean(), one.std()) == pytest.approx((case["mean_a"], case["std_a"]), abs=1e-5)
    alike = agreement(one, other)
    assert (alike.pearson, alike.mse, alike.cosine) == pytest.approx(
        (case["pearson"], case["mse"], case["cosine"]), abs=1e-5
    )
    assert alike.frobenius == pytest.approx(case["frobenius"], rel=1e-5)


@folders(None, "functions.json")
def test_notes_of_a_file(folder):
    case = cases(folder)["aria_tokens"]
    notes = published_notes(case["notes"], case["pedal"], case["tempos"], 480)
    found, place = [], 0
    for token in tokens(case["tokens"]):
        if token == BREAK:
            place += 1
        elif not isinstance(token, str) and token[0] == "piano":
            found.append([token[1], token[2], None, None])
        elif not isinstance(token, str) and token[0] in ("onset", "dur"):
            found[-1][2 if token[0] == "onset" else 3] = token[1] + (5000 * place if token[0] == "onset" else 0)
    assert [list(note) for note in notes] == found
