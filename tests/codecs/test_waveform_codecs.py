"""Codecs of waveforms as codecs: any length and channels, windows and streams that change nothing, files of others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from orchestrion.codecs.codec import Codec, Stream
from orchestrion.codecs.dac import Dac
from orchestrion.codecs.encodec import Encodec, encodec_32k
from orchestrion.codecs.oobleck import Oobleck
from orchestrion.codecs.overlap import overlap_add
from orchestrion.codecs.seanet import SeanetDecoder, SeanetEncoder
from orchestrion.codecs.vocos import Vocos
from orchestrion.codecs.waveform_codec import fold_weight_norm
from orchestrion.codecs.xcodec import XCodec
from orchestrion.errors import InputError, OptionError
from orchestrion.media.audio import Audio
from orchestrion.nn.padded_convolution import PaddedConv1d, PaddedConvTranspose1d, pad_signal

RATE = 8000


def small_dac(strides=(2, 4)):
    torch.manual_seed(0)
    made = Dac(
        encoder_width=4, strides=strides, decoder_width=16, rates=strides[::-1], books=3, size=16, code_dim=4,
        sample_rate=RATE, window=60,
    )  # fmt: skip
    return made.eval()


def small_oobleck():
    torch.manual_seed(1)
    return Oobleck(
        sound_channels=2, width=4, multipliers=(1, 2), strides=(2, 4), latent=3, sample_rate=RATE, window=50
    ).eval()


def small_encodec(*, channels=1, segment=None, normalize=False, causal=True):
    torch.manual_seed(2)
    shared = {
        "channels": channels, "dimension": 8, "filters": 4, "ratios": (4, 2), "causal": causal,
        "norm": "weight_norm" if causal else "time_group_norm",
    }  # fmt: skip
    made = Encodec(
        encoder=SeanetEncoder(**shared), decoder=SeanetDecoder(**shared), dimension=8, books=3, size=16,
        sound_channels=channels, sample_rate=RATE, ratios=(4, 2), bandwidths=(4.0, 12.0), normalize=normalize,
        segment_seconds=segment,
    )  # fmt: skip
    for book in made.quantizer.books:
        book.table.normal_(std=0.3)
        book.started.fill_(1.0)
    return made.eval()


def small_xcodec():
    from transformers import HubertConfig, HubertModel

    torch.manual_seed(4)
    speech = HubertConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, conv_dim=(4,) * 7,
        num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2,
    )  # fmt: skip
    made = XCodec(
        encoder_width=2, strides=(8, 5, 4, 2), latent=4, decoder_width=16, semantic=HubertModel(speech),
        semantic_width=8, books=2, size=16, bandwidths=(0.2, 0.4), window=8,
    )  # fmt: skip
    for book in made.quantizer.books:
        book.table.normal_(std=0.3)
        book.started.fill_(1.0)
    return made.eval()


def sound(samples, channels=1, rate=RATE, seed=0):
    rng = np.random.default_rng(seed)
    return Audio((0.3 * rng.standard_normal((channels, samples))).astype(np.float32), rate)


CODECS = {
    "xcodec": small_xcodec,
    "dac": small_dac,
    "oobleck": small_oobleck,
    "encodec": small_encodec,
    "encodec segments": lambda: small_encodec(channels=2, segment=0.05, normalize=True, causal=False),
}


@pytest.mark.parametrize("make", CODECS.values(), ids=CODECS.keys())
@pytest.mark.parametrize("samples", [1, 7, 801, 4000])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_sound_of_any_length_comes_back_as_long_as_it_was(make, samples, channels):
    codec = make()
    assert isinstance(codec, Codec)
    told = []
    latents = codec.encode(sound(samples, channels), codec="test", progress=lambda *done: told.append(done))
    assert told[-1][0] == told[-1][1]
    assert (latents.sample_rate, latents.samples, latents.codec) == (RATE, samples, "test")
    back = codec.decode(latents)
    assert back.rate == RATE
    assert back.samples.shape == (channels if codec.channels == 1 else 2 * -(-channels // 2), samples)
    assert np.isfinite(back.samples).all()


def test_other_rates_are_resampled_there_and_back():
    codec = small_dac()
    latents = codec.encode(sound(4410, rate=11025))
    assert latents.values.shape == (1, 3, 400)
    assert latents.rate == RATE / 8
    back = codec.decode(latents)
    assert (back.rate, back.samples.shape) == (11025, (1, 4410))


@pytest.mark.parametrize(
    "make",
    [small_dac, small_oobleck, lambda: small_dac((2, 5)), lambda: small_dac((1, 4))],
    ids=["dac", "oobleck", "odd", "one"],
)
def test_windows_change_nothing(make):
    codec, audio = make(), sound(2400, 2)
    whole = make()
    whole.window = 10**6
    latents, at_once = codec.encode(audio), whole.encode(audio)
    np.testing.assert_allclose(latents.values, at_once.values, atol=1e-5)
    np.testing.assert_allclose(codec.decode(at_once).samples, whole.decode(at_once).samples, atol=1e-5)


def test_a_stride_of_one_is_padded_as_published():
    """Two taps and one zero on each side: a frame more, which the decoder takes away again."""
    codec = small_dac((1, 4))
    level, x = codec.encoder.net[1][-1], torch.randn(1, 4, 9)
    weight, padded = level.weight, torch.nn.functional.pad(x, (1, 1))
    expected = torch.stack(
        [weight[..., 0] @ padded[0, :, n] + weight[..., 1] @ padded[0, :, n + 1] for n in range(10)], 1
    )
    torch.testing.assert_close(level(x)[0], expected + level.bias[:, None])
    assert codec.decoder(codec.encoder(torch.randn(1, 1, 80))).shape == (1, 1, 79)


def test_context_is_no_longer_than_needed():
    """One frame of context less than a third of what is taken still changes something: the bound is not idle."""
    codec, whole, audio = small_dac(), small_dac(), sound(2400)
    codec.context, whole.window = codec.context // 3, 10**6
    assert not np.allclose(
        codec.decode(whole.encode(audio)).samples, whole.decode(whole.encode(audio)).samples, atol=1e-5
    )


@pytest.mark.parametrize("make", [small_dac, small_oobleck], ids=["dac", "oobleck"])
def test_a_stream_gives_what_the_whole_gives(make):
    codec = make()
    audio = sound(1600, codec.channels)
    whole = make()
    whole.window = 10**6
    expected = whole.encode(audio)
    stream, block = codec.stream(), 40 * codec.hop_length
    silence = np.zeros((codec.channels, 6 * block), np.float32)
    padded = np.concatenate([audio.samples, silence], 1)
    coded, played = [], []
    for start in range(0, padded.shape[1], block):
        coded.append(stream.encode(padded[:, start : start + block]))
        played.append(stream.decode(coded[-1]))
    late = stream._encoder.network.after.late
    coded = np.concatenate(coded, -1)[..., late:]
    inner = expected.values.shape[-1] - codec.context  # the stream does not know that the sound ends there
    np.testing.assert_allclose(coded[..., :inner], expected.values[..., :inner], atol=1e-4)
    played = np.concatenate(played, -1)[:, stream.delay :]
    wanted = whole.decode(expected).samples
    inner = wanted.shape[1] - 2 * codec.context * codec.hop_length
    np.testing.assert_allclose(played[:, :inner].clip(-1, 1), wanted[:, :inner], atol=1e-4)


@pytest.mark.parametrize("blocks", [(7, 1, 1, 3, 88), (100,), (25, 25, 50)])
def test_a_causal_codec_streams_what_the_whole_gives_without_delay(blocks):
    codec, audio = small_encodec(), sound(800)
    expected = codec.encode(audio)
    stream, start, coded, played = codec.stream(), 0, [], []
    assert isinstance(stream, Stream) and stream.delay == 0
    for frames in blocks:
        end = start + frames * codec.hop_length
        coded.append(stream.encode(audio.samples[:, start:end]))
        played.append(stream.decode(coded[-1]))
        start = end
    np.testing.assert_array_equal(np.concatenate(coded, -1), expected.values)
    whole = codec.decode(expected).samples
    np.testing.assert_allclose(np.concatenate(played, -1).clip(-1, 1), whole, atol=1e-5)


def test_streams_of_one_codec_do_not_disturb_each_other():
    codec, audio = small_encodec(), sound(160)
    first, second = codec.stream(), codec.stream()
    one = [first.encode(audio.samples[:, :80]), first.encode(audio.samples[:, 80:])]
    second.encode(-audio.samples[:, :80])
    other = codec.stream()
    again = [other.encode(audio.samples[:, :80]), other.encode(audio.samples[:, 80:])]
    np.testing.assert_array_equal(np.concatenate(one, -1), np.concatenate(again, -1))


def test_what_cannot_stream_says_so():
    with pytest.raises(OptionError, match="segments"):
        small_encodec(channels=2, segment=0.05, normalize=True, causal=False).stream()
    with pytest.raises(OptionError, match="looks ahead"):
        encodec_32k().stream()
    stream = small_encodec().stream()
    with pytest.raises(OptionError, match="multiple of 8"):
        stream.encode(np.zeros((1, 81), np.float32))
    with pytest.raises(OptionError, match="1 channels"):
        stream.encode(np.zeros((2, 80), np.float32))


def test_fewer_books_give_a_coarser_sound_and_bit_rates_choose_them():
    codec = small_encodec()
    assert (codec.books_at(4.0), codec.books_at(12.0)) == (1, 3)
    with pytest.raises(OptionError, match="kbit/s"):
        codec.books_at(5.0)
    latents = codec.encode(sound(800))
    fewer = replace(latents, values=latents.values[:, :1])
    assert not np.allclose(codec.decode(latents).samples, codec.decode(fewer).samples)
    codec.bandwidth = 4.0
    np.testing.assert_array_equal(codec.encode(sound(800)).values, fewer.values)


def test_segments_keep_the_level_of_the_sound():
    codec = small_encodec(channels=2, segment=0.05, normalize=True, causal=False)
    audio = sound(2000, 2)
    latents = codec.encode(audio)
    quiet = codec.encode(Audio(audio.samples * np.float32(0.01), RATE))
    np.testing.assert_array_equal(latents.values[:, :-1], quiet.values[:, :-1])
    louder, softer = codec.decode(latents).samples, codec.decode(quiet).samples
    inside = np.abs(louder) < 0.99  # not clipped
    np.testing.assert_allclose(softer[inside], louder[inside] * 0.01, atol=1e-5)


def test_a_causal_encoder_does_not_look_ahead():
    codec, wave = small_encodec(), torch.randn(1, 1, 800)
    other = wave.clone()
    other[..., 400:] = 0
    with torch.no_grad():
        first, second = codec.encoder(wave), codec.encoder(other)
    assert torch.equal(first[..., :50], second[..., :50])
    assert not torch.equal(first[..., 50:], second[..., 50:])


def test_codes_of_others_are_refused():
    codec, latents = small_dac(), small_dac().encode(sound(800))
    for values, words in (
        (latents.values.astype(np.float32), "integer codes"),
        (np.concatenate([latents.values, latents.values], 1), "1 to 3 books"),
        (latents.values + 16, "from 0 to 15"),
        (latents.values - 20, "from 0 to 15"),
    ):
        with pytest.raises(InputError, match=words):
            codec.decode(replace(latents, values=values))
    with pytest.raises(InputError, match="real numbers"):
        small_oobleck().decode(latents)
    with pytest.raises(InputError, match="no samples"):
        codec.encode(sound(0))


def test_folded_weights_give_the_same_sound():
    codec, latents = small_dac(), small_dac().encode(sound(400))
    before = codec.decode(latents).samples
    count = sum(p.numel() for p in codec.parameters())
    fold_weight_norm(codec)
    assert sum(p.numel() for p in codec.parameters()) < count
    np.testing.assert_allclose(codec.decode(latents).samples, before, atol=1e-5)


def test_the_speech_model_of_xcodec_stays_as_it_is_while_the_rest_trains():
    codec = small_xcodec().train()
    assert not codec.semantic.training
    made = codec(torch.randn(2, 1, 1600))
    loss = made.wave.square().mean() + (made.restored - made.features).square().mean() + made.quantized.commitment
    loss.backward()
    assert all(p.grad is None for p in codec.semantic.parameters())
    for part in (codec.encoder, codec.feature_encoder, codec.feature_decoder, codec.join, codec.decoder):
        assert any(float(p.grad.abs().sum()) > 0 for p in part.parameters())


def test_dac_trains_encoder_codebooks_and_decoder():
    codec = small_dac().train()
    made, coded = codec(torch.randn(2, 1, 160))
    (made.square().mean() + 0.25 * coded.commitment + coded.codebook).backward()
    parts = (codec.encoder.net[0], codec.quantizer.stages[0], codec.decoder.net[0])
    assert all(any(float(p.grad.abs().sum()) > 0 for p in part.parameters()) for part in parts)
    assert float(codec.quantizer.stages[0].table.grad.abs().sum()) > 0


@pytest.mark.parametrize("time", [1, 3, 16, 33])
@pytest.mark.parametrize("causal", [True, False])
def test_padded_convolutions_lose_no_sample(time, causal):
    x = torch.randn(1, 2, time)
    down = PaddedConv1d(2, 3, 8, stride=4, causal=causal)(x)
    assert down.shape[-1] == -(-time // 4)
    up = PaddedConvTranspose1d(3, 2, 8, stride=4, causal=causal)(down)
    assert up.shape[-1] == 4 * down.shape[-1]
    assert PaddedConv1d(2, 3, 7, dilation=2, causal=causal)(x).shape[-1] == time
    with pytest.raises(OptionError, match="causal"):
        PaddedConv1d(2, 3, 7, causal=True, norm="time_group_norm")


def test_reflection_is_that_of_numpy_where_the_signal_is_long_enough():
    x = torch.randn(1, 1, 6)
    padded = pad_signal(x, 4, 5)
    np.testing.assert_array_equal(padded[0, 0], np.pad(x[0, 0].numpy(), (4, 5), mode="reflect"))
    assert pad_signal(x, 9, 2).shape[-1] == 17


def test_equal_stretches_overlap_to_themselves():
    line = torch.linspace(0, 1, 40)[None, None]
    parts = [line[..., start : start + 16] for start in range(0, 40, 12)]
    torch.testing.assert_close(overlap_add(parts, 12), line)


def test_vocos_lengths_and_conditions():
    torch.manual_seed(3)
    shared = {"in_channels": 5, "width": 8, "hidden": 16, "layers": 2, "n_fft": 16, "hop_length": 4}
    features = torch.randn(2, 5, 20)
    same, centre = Vocos(**shared, padding="same"), Vocos(**shared, padding="center")
    assert same(features).shape == (2, 80)
    assert centre(features).shape == (2, 76)
    told = Vocos(**shared, padding="same", conditions=3)
    with torch.no_grad():
        told.backbone.norm.gain.weight.normal_()
    zero, one = told(features, torch.tensor([0])), told(features, torch.tensor([1]))
    assert not torch.equal(zero, one)
    torch.testing.assert_close(told(features, torch.tensor([0, 1]))[1], one[1], atol=1e-5, rtol=1e-5)
    with pytest.raises(OptionError, match="condition"):
        told(features)
    with pytest.raises(OptionError, match="padding"):
        Vocos(**shared, padding="valid")
