"""What the published arguments and configurations of RAVE mean, checked against facts of the published code."""

from orchestrion.nn.streaming import Place, Plan
from orchestrion.nn.strided_autoencoder import HeadedDecoder


def test_the_published_stream_does_not_multiply_the_delay_of_loudness():
    for stride in (2, 4, 8):
        decoder = HeadedDecoder(
            latent=2, capacity=2, out_channels=4, ratios=(4, 4), loudness_stride=stride, noise_ratios=()
        )
        stream, after = Plan(exact=False).build(decoder, Place(1))
        _, trunk = Plan(exact=False).build(decoder.net, Place(1))
        assert after.late == trunk.late + 3  # that of the waveform, of 7 taps
        assert stream.heads[1].parts[0].frames == 3 - 1  # the convolution of loudness is late by one of its frames
