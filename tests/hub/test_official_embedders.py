"""Public embedding networks: our VGGish and CNN14 against naive versions, key maps, and tiny ones of
transformers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_clap import write_tiny_clap

from orchestrion.analysis.mel_filters import mel_filters
from orchestrion.errors import OptionError, WeightsError
from orchestrion.hub.official import embedders
from orchestrion.hub.official.embedders import OfficialEmbedder, convert_panns, convert_vggish, load_embedder
from orchestrion.media.audio import Audio
from orchestrion.nn.cnn14 import Cnn14
from orchestrion.nn.vggish import Vggish, VggishMel


def sound(seconds=2.0, rate=16000, channels=1, seed=0):
    rng = np.random.default_rng(seed)
    return Audio(rng.normal(0, 0.1, (channels, int(seconds * rate))).astype(np.float32), rate)


def test_vggish_front_end_is_the_naive_one():
    """Frame by frame as the published description has it."""
    wave = sound(1.2).samples[0].astype(float)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    mel = lambda hertz: 1127 * np.log(1 + hertz / 700)  # noqa: E731
    edges, bins = np.linspace(mel(125), mel(7500), 66), mel(np.arange(257) * 16000 / 512)
    rows = []
    for start in range(0, 96 * 160, 160):
        spectrum = np.abs(np.fft.rfft(wave[start : start + 400] * window, 512))
        spectrum[0] = 0
        bands = []
        for low, middle, high in zip(edges[:-2], edges[1:-1], edges[2:], strict=True):
            slope = np.minimum((bins - low) / (middle - low), (high - bins) / (high - middle))
            bands.append(np.maximum(slope, 0) @ spectrum)
        rows.append(np.log(np.array(bands) + 0.01))
    front = VggishMel()
    found = front(torch.from_numpy(wave).float()[None])[0, 0]
    np.testing.assert_allclose(found, np.array(rows), atol=1e-4)
    assert front(torch.zeros(1, 15600)).shape == (1, 1, 96, 64)
    with pytest.raises(ValueError, match="15600"):
        front(torch.zeros(1, 15599))


def test_vggish_keys_and_layout():
    sizes = {"channels": (2, 3, 4, 4, 5, 5), "hidden": 7, "width": 6}
    network = Vggish(**sizes).eval()
    official = {
        key.replace("convolutions.", "features.").replace("head.", "embeddings."): value
        for key, value in network.state_dict().items()
    }
    assert {int(key.split(".")[1]) for key in official if "features" in key} == {0, 3, 6, 8, 11, 13}
    again = Vggish(**sizes)
    again.load_state_dict(convert_vggish({**official, "pproc.pca_means": torch.zeros(1)}))
    wave = torch.from_numpy(sound(2.0).samples)
    assert again.eval()(wave).shape == (1, 2, 6)
    assert torch.equal(again(wave), network(wave))
    assert (network(wave) < 0).any() and not (Vggish(**sizes, last_relu=True).eval()(wave) < 0).any()
    with pytest.raises(WeightsError, match="odd"):
        convert_vggish({"odd": torch.zeros(1)})


@pytest.mark.slow  # 150 M numbers
def test_sizes_of_the_published_networks():
    with torch.device("meta"):
        counts = {"vggish": sum(p.numel() for p in Vggish().parameters())}
    from orchestrion.nn.cnn14 import cnn14, cnn14_16k

    for name, build in (("panns", cnn14), ("panns_16k", cnn14_16k)):
        with torch.device("meta"):
            counts[name] = sum(p.numel() for p in build().parameters())
    assert counts == {"vggish": 72_141_184, "panns": 80_753_615, "panns_16k": 80_753_615}


def small_cnn14():
    torch.manual_seed(0)
    return Cnn14(
        sample_rate=16000, n_fft=512, hop_length=160, n_mels=64, f_min=50.0, f_max=8000.0, channels=(2, 3, 4, 4, 5, 6),
        classes=9,
    )  # fmt: skip


def test_cnn14_keys_and_naive_forward():
    network = small_cnn14().eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    names = {"hidden": "fc1", "tags": "fc_audioset", "norm": "bn0"}
    official = {}
    for key, value in network.state_dict().items():
        head, _, rest = key.partition(".")
        if head == "blocks":
            number, kind, entry = rest.split(".")
            official[f"conv_block{int(number) + 1}.{kind.replace('norm', 'bn')}.{entry}"] = value
        else:
            official[f"{names[head]}.{rest}"] = value
    official["spectrogram_extractor.stft.conv_real.weight"] = torch.zeros(1)
    official["logmel_extractor.melW"] = torch.zeros(1)
    again = small_cnn14()
    again.load_state_dict(convert_panns(official))
    wave = torch.from_numpy(sound(1.5).samples)
    found, known = again.eval()(wave), network(wave)
    assert torch.equal(found.logits, known.logits)

    padded, window = np.pad(wave[0].numpy(), 256, mode="reflect"), 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(512) / 512)
    frames = np.stack([padded[start : start + 512] for start in range(0, len(padded) - 511, 160)])
    power = np.abs(np.fft.rfft(frames * window)).T ** 2
    mel = mel_filters(sample_rate=16000, n_fft=512, n_mels=64, f_min=50.0, f_max=8000.0) @ power
    x = torch.from_numpy(10 * np.log10(np.maximum(mel, 1e-10))).float().T[None, None]
    x = network.norm(x.transpose(1, 3)).transpose(1, 3)
    for number, block in enumerate(network.blocks):
        x = torch.relu(block.norm1(block.conv1(x)))
        x = torch.relu(block.norm2(block.conv2(x)))
        x = torch.nn.functional.avg_pool2d(x, 2) if number < 5 else x
    x = x.mean(3)
    hidden = torch.relu(network.hidden(x.max(2).values + x.mean(2)))
    torch.testing.assert_close(found.embedding, hidden, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found.logits, network.tags(hidden), atol=1e-4, rtol=1e-4)
    with pytest.raises(ValueError, match="samples"):
        network(torch.zeros(1, 100))
    assert torch.isfinite(network(torch.zeros(1, network.samples)).embedding).all()
    with pytest.raises(WeightsError, match="odd"):
        convert_panns({"odd": torch.zeros(1)})


def test_windows():
    """Vectors that say where a window begins."""
    ear = OfficialEmbedder(
        space="x", sample_rate=100, window=50, embed_windows=lambda w: torch.stack([w[:, 0], w[:, -1]], 1)
    )
    ramp = Audio(np.arange(220, dtype=np.float32)[None], 100)
    found = ear.embed(ramp, pooling="none")
    assert found.vectors.tolist() == [[0, 49], [50, 99], [100, 149], [150, 199]]
    assert found.starts == (0.0, 0.5, 1.0, 1.5) and found.window == 0.5
    assert ear.embed(ramp).vectors.tolist() == [[75, 124]]
    assert ear.embed(ramp, hop=1.0, pooling="none").vectors[:, 0].tolist() == [0, 100]
    short = Audio(np.ones((1, 20), np.float32), 100)
    assert ear.embed(short).vectors.tolist() == [[1, 0]]
    ear.repeat = True
    assert ear.embed(Audio(np.ones((1, 25), np.float32), 100)).vectors.tolist() == [[1, 1]]
    for options in ({"pooling": "max"}, {"hop": 0.0}):
        with pytest.raises(OptionError):
            ear.embed(ramp, **options)
    assert not hasattr(ear, "classify") and not hasattr(ear, "embed_text")


def test_names_and_places(tmp_path, monkeypatch):
    with pytest.raises(OptionError, match="vggish:official"):
        load_embedder("vggish")
    with pytest.raises(OptionError, match="there are vggish"):
        load_embedder("ear:official")
    monkeypatch.setenv("ORCHESTRION_OFFICIAL_VGGISH", str(tmp_path / "no.pth"))
    with pytest.raises(WeightsError, match=r"no\.pth"):
        load_embedder("vggish:official")
    (tmp_path / "no.pth").write_bytes(b"cos\nsystem\n(S'true'\ntR.")  # a pickle that would run a command
    with pytest.raises(WeightsError, match="safely"):
        load_embedder("vggish:official")
    monkeypatch.setattr("orchestrion.nn.vggish.Vggish", lambda: torch.nn.Linear(1, 1))  # the true one is large
    torch.save({"features.0.weight": torch.zeros(2)}, tmp_path / "no.pth")
    with pytest.raises(WeightsError, match="do not fit"):
        load_embedder("vggish:official")
    monkeypatch.delenv("ORCHESTRION_OFFICIAL_VGGISH")
    monkeypatch.setenv("ORCHESTRION_CACHE", str(tmp_path))

    def offline(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    with pytest.raises(WeightsError, match="ORCHESTRION_OFFICIAL_VGGISH"):
        load_embedder("vggish:official")


def test_published_file_is_read(tmp_path, monkeypatch):
    """With small networks in place of the published sizes."""
    monkeypatch.setattr("orchestrion.nn.cnn14.cnn14_16k", small_cnn14)
    network = small_cnn14()
    state = {}
    for key, value in network.state_dict().items():
        key = key.replace("hidden.", "fc1.").replace("tags.", "fc_audioset.")
        key = key if key.startswith("blocks") else key.replace("norm.", "bn0.")
        if key.startswith("blocks."):
            _, number, kind, entry = key.split(".")
            key = f"conv_block{int(number) + 1}.{kind.replace('norm', 'bn')}.{entry}"
        state[key] = value
    torch.save({"iteration": 1, "model": state}, tmp_path / "cnn14.pth")
    monkeypatch.setenv("ORCHESTRION_OFFICIAL_PANNS_16K", str(tmp_path / "cnn14.pth"))
    ear = load_embedder("panns_16k:official")
    heard = sound(12.0, rate=22050, channels=2)
    found = ear.embed(heard, pooling="none")
    assert found.vectors.shape == (1, 6) and found.space.startswith("panns_16k:")
    resampled = torch.from_numpy(heard.mono().resample(16000).samples[:, :160000])
    with torch.no_grad():
        wanted = network.eval()(resampled)
    np.testing.assert_allclose(found.vectors, wanted.embedding, atol=1e-5)
    np.testing.assert_allclose(ear.classify(heard), wanted.logits[0], atol=1e-5)


def test_clap_embeds_sounds_and_texts(tmp_path, monkeypatch):
    monkeypatch.setenv("ORCHESTRION_OFFICIAL_CLAP", str(write_tiny_clap(tmp_path / "clap")))
    ear = load_embedder("clap:official")
    one, other = ear.embed_text("calm piano").vectors[0], ear.embed_text("loud drums").vectors[0]
    assert np.linalg.norm(one) == pytest.approx(1, abs=1e-5) and not np.allclose(one, other, atol=1e-3)
    vectors = ear.embed(sound(21.0, rate=48000), pooling="none").vectors
    assert vectors.shape == (2, 16)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1], abs=1e-5)
    again = ear.embed(sound(21.0, rate=48000), pooling="none").vectors
    np.testing.assert_array_equal(vectors, again)
    from transformers import ClapModel, ClapProcessor

    model, processor = ClapModel.from_pretrained(tmp_path / "clap"), ClapProcessor.from_pretrained(tmp_path / "clap")
    with torch.no_grad():
        whole = model(**processor(text=["calm piano"], return_tensors="pt"), **processor.feature_extractor(
            sound(10.0, rate=48000).samples[0], sampling_rate=48000, return_tensors="pt"))  # fmt: skip
    np.testing.assert_allclose(whole.text_embeds[0], one, atol=1e-5)
    np.testing.assert_allclose(whole.audio_embeds[0], ear.embed(sound(10.0, rate=48000)).vectors[0], atol=1e-5)


@pytest.mark.slow  # transformers takes its time to be imported
def test_mert_and_encodec(tmp_path, monkeypatch):
    from transformers import EncodecConfig, EncodecModel, HubertConfig, HubertModel

    hubert = HubertConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, conv_dim=(8, 8),
        conv_stride=(160, 2), conv_kernel=(160, 2), num_feat_extract_layers=2, num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
    )  # fmt: skip
    HubertModel(hubert).save_pretrained(tmp_path / "mert")
    monkeypatch.setenv("ORCHESTRION_OFFICIAL_MERT", str(tmp_path / "mert"))
    ear = load_embedder("mert:official")
    loud = sound(11.0, rate=24000)
    found = ear.embed(loud, pooling="none").vectors
    assert found.shape == (2, 16)
    softer = Audio(loud.samples * 0.3, 24000)
    np.testing.assert_allclose(ear.embed(softer, pooling="none").vectors, found, atol=1e-3)  # the level does not count
    codec = EncodecConfig(num_filters=2, hidden_size=8, codebook_dim=8, codebook_size=4, target_bandwidths=[1.5])
    EncodecModel(codec).save_pretrained(tmp_path / "encodec")
    monkeypatch.setenv("ORCHESTRION_OFFICIAL_ENCODEC", str(tmp_path / "encodec"))
    assert load_embedder("encodec:official").embed(sound(3.0), pooling="none").vectors.shape == (3, 8)
    monkeypatch.setenv("ORCHESTRION_OFFICIAL_CLAP", str(tmp_path / "mert"))
    with pytest.raises(WeightsError, match="Clap"):
        load_embedder("clap:official")
    assert embedders.EMBEDDERS["mert"].licence == "CC-BY-NC-4.0"
