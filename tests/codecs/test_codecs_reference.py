"""Parity of codecs with the published code: every case folder that is there, built from its official arguments."""

from __future__ import annotations

import importlib.util
import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from orchestrion.codecs import dac, encodec, oobleck, vocos, xcodec
from orchestrion.codecs.overlap import overlap_add
from orchestrion.codecs.seanet import SeanetDecoder, SeanetEncoder
from orchestrion.hub.official import codecs as official
from orchestrion.nn.quantize import MovingCodebook
from orchestrion.nn.streaming_transformer import StreamingState, StreamingTransformer
from orchestrion.paradigms.autoregressive import choose
from orchestrion.representations import code_patterns

HERE = Path(__file__).parents[1] / "reference"
ROOT = Path(os.environ.get("ORCHESTRION_REFERENCE", HERE)) / "codecs"
CLASSES = {
    "EncodecModel": "encodec",
    "SEANetEncoder": "seanet",
    "DAC": "dac",
    "SoundStream": "xcodec",
    "VocosBackbone": "vocos",
    "OobleckEncoder": "oobleck",
    "StreamingTransformer": "transformer",
}


def about(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "case.json").read_text())


def kind(folder: Path) -> str:
    return CLASSES[about(folder)["class"].split(",")[0].strip()]


FOLDERS = [folder for folder in sorted(ROOT.glob("*")) if (folder / "case.json").exists()]


def each(name: str):
    return pytest.mark.parametrize("folder", [f for f in FOLDERS if kind(f) == name], ids=lambda f: f.name)


def fill():
    path = ROOT.parent / "fill.py"
    spec = importlib.util.spec_from_file_location("codecs_fill", path if path.exists() else HERE / "fill.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Case:
    """A case with its arrays, and our network with its weights."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.about = folder, about(folder)
        self.arrays = np.load(folder / "data.npz")
        self.tolerance = float(re.findall(r"\d[\d.]*(?:e-?\d+)?", str(self.about["tolerance"]))[0])

    def __getitem__(self, name: str) -> torch.Tensor:
        value = torch.from_numpy(self.arrays[name])
        return value if value.is_floating_point() else value.long()

    def get(self, name: str) -> torch.Tensor | None:
        return self[name] if name in self.arrays else None

    def close(self, ours: torch.Tensor, name: str) -> None:
        torch.testing.assert_close(ours, self[name], rtol=0, atol=self.tolerance)

    def load(self, model: torch.nn.Module, convert) -> Any:
        state = {key: torch.from_numpy(value) for key, value in fill().state_dict(self.folder).items()}
        missing, unexpected = model.load_state_dict(convert(state), strict=False)
        assert not unexpected
        assert all(re.search(r"\.(sums|counts|started)$|masked_spec_embed$", key) for key in missing)  # not learned
        for part in model.modules():
            if isinstance(part, MovingCodebook):
                part.started.fill_(1.0)
        counted = sum(p.numel() for p in model.parameters())
        assert counted == self.about["parameters"]
        return model.eval()


def build_encodec(arguments: dict[str, Any]) -> encodec.Encodec:
    networks = arguments["encoder and decoder"]
    return encodec.Encodec(
        encoder=SeanetEncoder(**official.seanet_arguments(networks, decoder=False)),
        decoder=SeanetDecoder(**official.seanet_arguments(networks, decoder=True)),
        **official.encodec_arguments(arguments),
    )


class Seanet(torch.nn.Module):
    """Encoder and decoder side by side."""

    def __init__(self, arguments: dict[str, Any], package: str) -> None:
        super().__init__()
        shared = arguments["both"]
        encoder, decoder = shared | arguments.get("encoder", {}), shared | arguments.get("decoder", {})
        self.encoder = SeanetEncoder(**official.seanet_arguments(encoder, decoder=False, package=package))
        self.decoder = SeanetDecoder(**official.seanet_arguments(decoder, decoder=True, package=package))


def build_xcodec(folder: Path) -> xcodec.XCodec:
    """The speech model has the sizes that the keys tell; its heads are in the words."""
    from transformers import HubertConfig, HubertModel

    case, keys = about(folder), json.loads((folder / "keys.json").read_text())
    words = json.dumps(case.get("reduced_constants", ""))
    speech = {key.removeprefix("semantic_model."): shape for key, shape in keys.items() if "semantic_model." in key}
    width, dim = speech["feature_projection.projection.weight"]
    place = speech["encoder.pos_conv_embed.conv.parametrizations.weight.original1"]
    layers = len({key.split(".")[2] for key in speech if key.startswith("encoder.layers.")})
    convolutions = len({key.split(".")[2] for key in speech if key.startswith("feature_extractor.conv_layers.")})
    config = HubertConfig(
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=int(re.search(r"(\d+) heads", words)[1]) if "heads" in words else width // 64,
        intermediate_size=speech["encoder.layers.0.feed_forward.intermediate_dense.weight"][0],
        conv_dim=(dim,) * convolutions,
        num_conv_pos_embeddings=place[2],
        num_conv_pos_embedding_groups=width // place[1],
        attn_implementation="eager",
    )
    arguments = official.xcodec_arguments(
        case["arguments"],
        encoder_width=keys["encoder.block.0.bias"][0],
        decoder_width=keys["decoder_2.model.0.bias"][0],
        semantic_width=width,
    )
    return xcodec.XCodec(semantic=HubertModel(config), **arguments)


def build_oobleck(arguments: dict[str, Any]) -> oobleck.Oobleck:
    return oobleck.Oobleck(**official.oobleck_arguments(arguments["encoder"], arguments["decoder"]))


def build_vocos(arguments: dict[str, Any]) -> vocos.Vocos:
    return vocos.Vocos(**official.vocos_arguments(arguments["backbone"], arguments["head"]))


@each("encodec")
@torch.inference_mode()
def test_encodec(folder):
    case = Case(folder)
    model = case.load(build_encodec(case.about["arguments"]), official.convert_encodec)
    case.close(model.encoder(case["wave"]), "encoded")
    segments = model.segments(case["wave"])
    assert len(segments) == case.about["frames"]["number of segments"]
    assert torch.equal(segments[0][0], case["codes_0"])
    if case.get("codes_last") is not None:
        assert torch.equal(segments[-1][0], case["codes_last"])
    if case.get("scale_0") is not None:
        case.close(segments[0][1], "scale_0")
    case.close(model.join(segments), "decoded")
    given = model.quantizer.decode(case["given_codes"])
    case.close(given, "quantised_given")
    case.close(model.decoder(given), "decoded_given")
    model.bandwidth = min(model.bandwidths)
    fewer = case.about["frames"]["codes at the lower bandwidth have books"]
    assert torch.equal(model.segments(case["wave"])[0][0], case["codes_0"][:, :fewer])


@each("seanet")
@torch.inference_mode()
def test_seanet(folder):
    case = Case(folder)
    package = "audiocraft" if "audiocraft" in case.about["repository"] else "encodec"
    model = case.load(Seanet(case.about["arguments"], package), official.convert_encodec)
    encoded = model.encoder(case["wave"])
    case.close(encoded, "encoded")
    case.close(model.decoder(encoded), "decoded")


@each("dac")
def test_dac(folder):
    case = Case(folder)
    model = case.load(dac.Dac(**official.dac_arguments(case.about["arguments"])), official.convert_dac)
    losses = case.about["losses"]
    with torch.inference_mode():
        wave = case["wave"]
        padded = torch.nn.functional.pad(wave, (0, -wave.shape[-1] % model.hop_length))
        encoded = model.encoder(padded)
        case.close(encoded, "encoded")
        coded = model.quantizer(encoded)
        case.close(coded.values, "z")
        case.close(coded.latents, "latents")
        assert torch.equal(coded.codes, case["codes"])
        assert float(coded.commitment) == pytest.approx(losses["commitment"], abs=1e-4)
        assert float(coded.codebook) == pytest.approx(losses["codebook"], abs=1e-4)
        fewer = model.quantizer(encoded, 2)
        case.close(fewer.values, "z_two_books")
        assert float(fewer.commitment) == pytest.approx(losses["commitment, 2 books"], abs=1e-4)
        case.close(model(wave)[0], "audio")
        given = model.quantizer.decode(case["given_codes"])
        case.close(given, "z_given")
        case.close(model.decoder(given), "audio_given")
        case.close(model.quantizer.decode_latents(case["latents"]), "z_from_latents")
        model.train()
        drawn = torch.tensor(losses["drawn_number_of_books"])
        trained = model.quantizer(encoded, drawn=drawn)
        case.close(trained.values, "z_training_dropout")
        assert float(trained.commitment) == pytest.approx(losses["commitment, training with dropout"], abs=1e-4)


@each("xcodec")
@torch.inference_mode()
def test_xcodec(folder):
    case = Case(folder)
    model = case.load(build_xcodec(folder), official.convert_xcodec)
    wave = case["wave"]
    features = model.features(wave)
    case.close(features.mT, "semantic_target")
    case.close(model.feature_encoder(features), "semantic")
    case.close(model.encoder(wave), "acoustic")
    case.close(model.prior(wave, features), "prior")
    bandwidths = case.about["bandwidths"]
    for name in ("codes", "codes_low"):
        assert torch.equal(model.codes(wave, bandwidth=bandwidths[name]).transpose(0, 1), case[name])
    case.close(model.play(model.quantizer.decode(case["codes"].transpose(0, 1))), "decoded_codes")
    given = case["given_codes"].transpose(0, 1)
    total = model.quantizer.decode(given)
    case.close(total, "embedding_sum")
    case.close(model.play(total), "decoded_given")
    case.close(model.play(model.quantizer.decode(given[:, :1])), "decoded_first_book")
    again = model.codes(torch.cat([wave, wave.flip(-1)]), bandwidth=bandwidths["codes"])  # more than one at once
    assert torch.equal(again[:1].transpose(0, 1), case["codes"])


@each("vocos")
@torch.inference_mode()
def test_vocos(folder):
    case = Case(folder)
    model = case.load(build_vocos(case.about["arguments"]), official.convert_vocos)
    condition = case.about["bandwidth_id"]
    condition = None if condition is None else torch.tensor(condition)
    hidden = model.backbone(case["features"], condition)
    case.close(hidden, "hidden")
    case.close(model.head.out(hidden).mT, "head_linear")
    case.close(model(case["features"], condition), "audio")


@each("oobleck")
@torch.inference_mode()
def test_oobleck(folder):
    case = Case(folder)
    model = case.load(build_oobleck(case.about["arguments"]), official.convert_oobleck)
    case.close(model.encoder.net[:2](case["input"]), "encoder_after_stage_1")
    encoded = model.encoder(case["input"])
    case.close(encoded, "encoded")
    posterior = model.bottleneck(encoded)
    assert float(posterior.kl()) == pytest.approx(case.about["kl"], abs=1e-4)
    latent = posterior.mean + posterior.scale * case["noise"]
    case.close(latent, "latent")
    case.close(model.decoder.net[:2](latent), "decoder_after_stage_1")
    case.close(model.decoder(latent), "output")


@each("transformer")
@torch.inference_mode()
def test_streaming_transformer(folder):
    case = Case(folder)
    arguments = official.transformer_arguments(case.about["arguments"])
    model = case.load(StreamingTransformer(**arguments), official.convert_transformer)
    x, memory = case["x"], case.get("cross")
    case.close(model(x, memory), "output")
    if model.causal:
        state = StreamingState()
        steps = [model(x[:, step : step + 1], memory, state=state) for step in range(x.shape[1])]
        case.close(torch.cat(steps, 1), "output")


FULL = {
    "encodec_causal": (encodec.encodec_24k, official.convert_encodec),
    "encodec_stereo": (encodec.encodec_48k, official.convert_encodec),
    "seanet": (encodec.encodec_32k, official.convert_encodec),
    "dac": (dac.dac_44k, official.convert_dac),
    "xcodec": (xcodec.xcodec_general, official.convert_xcodec),
    "vocos": (vocos.mel_24k, official.convert_vocos),
    "vocos_adanorm": (vocos.encodec_24k, official.convert_vocos),
    "oobleck": (oobleck.stable_audio_2, official.convert_oobleck),
}


@pytest.mark.parametrize(
    "folder", [f for f in FOLDERS if f.name in FULL and (f / "paper_keys.json").exists()], ids=lambda f: f.name
)
def test_every_published_key_has_its_place_at_full_size(folder):
    make, convert = FULL[folder.name]
    keys = json.loads((folder / "paper_keys.json").read_text())
    with torch.device("meta"):
        model = make()
        state = {key: torch.empty(shape) for key, shape in keys.items() if not key.startswith("_")}
    ours = {key: tuple(value.shape) for key, value in convert(state).items()}
    expected = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    if kind(folder) == "seanet":  # networks without the quantiser
        expected = {key: shape for key, shape in expected.items() if not key.startswith("quantizer.")}
    assert ours == expected
    assert sum(p.numel() for p in model.parameters()) == keys["_parameters"]


# Functions ----------------------------------------------------------------------------------------------------------

FUNCTIONS = json.loads((ROOT / "functions.json").read_text()) if (ROOT / "functions.json").exists() else {}
PATTERNS = {
    "DelayedPatternProvider": (code_patterns.delayed, {"empty_initial": "empty_first"}),
    "ParallelPatternProvider": (code_patterns.parallel, {"empty_initial": "empty_first"}),
    "UnrolledPatternProvider": (code_patterns.flattened, {"flattening": "groups"}),
    "CoarseFirstPattern": (code_patterns.coarse_first, {}),
    "MusicLMPattern": (code_patterns.grouped, {"group_by": "group"}),
}


@pytest.mark.parametrize("case", FUNCTIONS.get("codebook_patterns", {}).get("cases", []), ids=lambda c: c["provider"])
def test_code_patterns(case):
    make, names = PATTERNS[case["provider"]]
    given = dict(case["arguments"])
    books = given.pop("n_q")
    pattern = make(books, case["timesteps"], **{names.get(name, name): value for name, value in given.items()})
    assert [[list(place) for place in step] for step in pattern.steps] == case["layout"]
    assert pattern.longest_delay == case["max_delay"]
    assert len(pattern.steps) - 1 == case["sequence_steps"]
    codes = np.array(case["codes"])
    lanes = pattern.apply(codes, special=1)
    np.testing.assert_array_equal(lanes.values, case["sequence"])
    np.testing.assert_array_equal(lanes.mask, np.array(case["mask"], bool))
    shorter = pattern.valid.apply(codes, special=1)
    np.testing.assert_array_equal(shorter.values, case["sequence_valid_steps"])
    assert bool((pattern.revert(lanes.values, special=-1).values == codes).all()) == case["reverted_equals_codes"]
    reverted = pattern.valid.revert(shorter.values, special=-1)
    np.testing.assert_array_equal(reverted.values, case["reverted_valid_steps"])
    said = pattern.revert_predictions(lanes.values, missing=-1)
    np.testing.assert_array_equal(said.positions, case["logit_positions_reverted"])
    said = pattern.valid.revert_predictions(shorter.values, missing=-1)
    np.testing.assert_array_equal(said.positions, case["logit_positions_reverted_valid_steps"])
    np.testing.assert_array_equal(said.mask, np.array(case["logit_mask_valid_steps"], bool))
    assert [pattern.first_step(time) for time in range(case["timesteps"])] == case["first_step_with_timestep"]


@pytest.mark.skipif(not FUNCTIONS, reason="no functions here")
def test_truncated_sampling():
    """Draws just inside the ends of each class's share give that class."""
    arrays = np.load(ROOT / "functions.npz")
    given = torch.from_numpy(arrays["probabilities"]).flatten(0, 1)
    for name, table in ((key, arrays[key]) for key in arrays.files if key.startswith("top_")):
        rule, number = name.split("_")[1:3]
        options = {"top_k": int(number)} if rule == "k" else {"top_p": float(number)}
        for row, shares in zip(given, torch.from_numpy(table).flatten(0, 1), strict=True):
            if rule == "p":  # stored from the likeliest down
                shares = torch.zeros_like(row).scatter(0, row.argsort(descending=True), shares)
            ends = shares.double().cumsum(0)
            for number, share in enumerate(shares.tolist()):
                if share > 1e-5:
                    inside = torch.tensor([ends[number] - share + 3e-6, ends[number] - 3e-6]).float()
                    chosen = choose(row.log().expand(2, -1), inside, **options)
                    assert chosen.tolist() == [number, number]


@pytest.mark.skipif(not FUNCTIONS, reason="no functions here")
@pytest.mark.parametrize(("order", "quirks"), [("encodec", "official"), ("xcodec", "xcodec")])
@pytest.mark.parametrize("threshold", [0, 2])
def test_codebook_step(order, quirks, threshold):
    arrays = {key: torch.from_numpy(value) for key, value in np.load(ROOT / "functions.npz").items()}
    size, dim = arrays["ema_embed"].shape
    book = MovingCodebook(size, dim, dead_below=float(threshold), quirks=quirks)
    book.table.copy_(arrays["ema_embed"])
    book.sums.copy_(arrays["ema_embed_avg"])
    book.counts.copy_(arrays["ema_cluster_size"])
    book.started.fill_(1.0)
    book.draw = lambda vectors, count: vectors[torch.arange(count) % len(vectors)]
    values, codes = book.train()(arrays["ema_input"].flatten(0, 1))
    prefix = f"ema_{order}_thr{threshold}_"
    assert torch.equal(codes, arrays[f"{prefix}codes"].flatten())
    for ours, name in ((values, "quantised"), (book.table, "embed"), (book.sums, "embed_avg")):
        torch.testing.assert_close(ours, arrays[prefix + name].flatten(0, -2), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(book.counts, arrays[f"{prefix}cluster_size"], rtol=1e-5, atol=1e-5)


@pytest.mark.skipif(not FUNCTIONS, reason="no functions here")
def test_overlap_add():
    arrays = np.load(ROOT / "functions.npz")
    names = sorted(key for key in arrays.files if key.startswith("ola_frame_"))
    made = overlap_add([torch.from_numpy(arrays[name]) for name in names], FUNCTIONS["overlap_add"]["stride"])
    torch.testing.assert_close(made, torch.from_numpy(arrays["ola_output"]), rtol=1e-5, atol=1e-5)
