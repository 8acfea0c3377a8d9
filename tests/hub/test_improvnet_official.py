"""Constructor arguments of ImprovNet from the names of its configuration files."""

from __future__ import annotations

import pytest

from orchestrion.errors import WeightsError
from orchestrion.hub.official import improvnet as official

MODEL = {
    "encoder_max_sequence_length": 64,
    "decoder_max_sequence_length": 32,
    "encoder_num_layers": 3,
    "encoder_num_heads": 4,
    "encoder_hidden_size": 24,
    "encoder_intermediate_size": 48,
    "decoder_num_layers": 2,
    "decoder_num_heads": 4,
    "decoder_hidden_size": 24,
    "decoder_intermediate_size": 48,
}


def test_the_names_of_the_configuration_are_read():
    assert official.arguments({"vocab_size": 40, **MODEL}) == {
        "vocabulary_size": 40,
        "encoder_length": 64,
        "decoder_length": 32,
        "encoder_layers": 3,
        "decoder_layers": 2,
        "num_heads": 4,
        "width": 24,
        "feed_forward": 48,
        "quirks": "official",
    }
    encoder = {name: value for name, value in MODEL.items() if name.startswith("encoder")}
    given = {"vocab_size": 40, "labels": ["pop", "jazz"], "encoder_dropout": 0.2, **encoder}
    assert official.classifier_arguments(given) == {
        "classes": 2,
        "vocabulary_size": 40,
        "max_length": 64,
        "num_layers": 3,
        "num_heads": 4,
        "width": 24,
        "feed_forward": 48,
        "dropout": 0.2,
    }


def test_what_is_unknown_or_contradicts_itself_is_refused():
    with pytest.raises(WeightsError, match="'hidden_width' belongs to no published ImprovNet"):
        official.arguments({"vocab_size": 40, "hidden_width": 24})
    with pytest.raises(WeightsError, match="'decoder_num_layers' belongs to no published"):
        official.classifier_arguments({"vocab_size": 40, "labels": ["pop"], "decoder_num_layers": 2})
    with pytest.raises(WeightsError, match="one width in ours"):
        official.arguments({"vocab_size": 40, **MODEL, "decoder_hidden_size": 32})
