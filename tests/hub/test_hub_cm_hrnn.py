"""CM-HRNN's variables of other cells and depths than the reference cases have, and what is refused."""

import pytest
import torch

from orchestrion.errors import OptionError, WeightsError
from orchestrion.hub.official import cm_hrnn as official
from orchestrion.systems.cm_hrnn import CMHRNN

SIZES = {
    "dim": 6, "frame_size": 2, "big_frame_size": 4, "note_channel": 5, "rhythm_channel": 4, "chord_channel": 3,
    "bar_channel": 2, "piano_dim": 14, "seq_len": 8, "alpha1": 0.5, "alpha2": 0.25, "batch_size": 4, "drop_out": 0.7,
    "birnndim": 9,
}  # fmt: skip


def variables(model, kind, layers):
    """Our weights under official names, as the published code would have made them."""
    state = {key.removeprefix("network."): value for key, value in model.state_dict().items()}
    names = {ours.removeprefix("network."): theirs for theirs, ours in official.LINEAR.items()}
    found = {}
    for key, value in state.items():
        base, _, part = key.rpartition(".")
        if key == "events.weight":
            found["sample_filter"] = value.permute(2, 1, 0)
        elif base in names:
            found[f"{names[base]}_{'W' if part == 'weight' else 'b'}"] = value.T if part == "weight" else value
    for stack, ours in official.STACKS.items():
        ours = ours.removeprefix("network.") + ".layers."
        for number in range(layers):
            place = f"{stack}/rnn/" + (f"multi_rnn_cell/cell_{number}/" if layers > 1 else "")
            held = {
                key.removeprefix(f"{ours}{number}."): v
                for key, v in state.items()
                if key.startswith(ours + str(number))
            }
            if not held:
                continue
            inner = ""
            if "score" in held:
                place, inner = place + "attention_cell_wrapper/", "cell."
                for theirs, mine in official.ATTENTION.items():
                    found[f"{place}{theirs}kernel"] = held[f"{mine}.weight"].T
                    found[f"{place}{theirs}bias"] = held[f"{mine}.bias"]
                found[f"{place}attention/attn_w"] = held["key.weight"].T[None, None]
                found[f"{place}attention/attn_v"] = held["score"]
            if kind == "GRU":
                for part in ("gates", "candidate"):
                    found[f"{place}gru_cell/{part}/kernel"] = held[f"{inner}{part}.weight"].T
                    found[f"{place}gru_cell/{part}/bias"] = held[f"{inner}{part}.bias"]
            else:
                kernel = torch.cat([held[f"{inner}to_inner.weight"], held[f"{inner}recur.weight"]], 1).T
                found[f"{place}basic_lstm_cell/kernel"] = official._reordered(kernel)  # its own inverse
                found[f"{place}basic_lstm_cell/bias"] = official._reordered(held[f"{inner}to_inner.bias"])
    return found


@pytest.mark.parametrize("mode", sorted(official.MODES))
@pytest.mark.parametrize(("kind", "layers"), [("LSTM", 1), ("GRU", 2), ("GRU", 1)])
def test_every_mode_with_other_cells(mode, kind, layers):
    torch.manual_seed(0)
    given = {**SIZES, "mode_choice": mode, "rnn_type": kind, "n_rnn": layers, "if_cond": "cond"}
    model = CMHRNN(**official.arguments(given))
    converted = official.convert({f"{key}:0": value for key, value in variables(model, kind, layers).items()})
    assert converted.keys() == model.state_dict().keys()
    assert all(torch.equal(converted[key], value) for key, value in model.state_dict().items())
    assert model.network.lead == {1: 1, 2: 2, 3: 4}[model.network.tiers]
    x = torch.randn(2, 8, 2 + 3 + 3 + 4 + 5)
    passed = torch.zeros(2, 8 - model.network.lead, dtype=torch.long) if model.network.elapsed else None
    assert model.network(x, passed).note.shape == (2, 8 - (model.network.lead if model.network.tiers > 1 else 0), 5)


def test_arguments():
    ours = official.arguments({**SIZES, "mode_choice": "3t_fc", "if_cond": "no_cond", "if_train": True})
    assert ours["dropout"] == pytest.approx(0.3) and not ours["conditional"] and ours["quirks"] == "official"
    assert (ours["note_weight"], ours["duration_weight"], ours["window"]) == (0.5, 0.25, 8)
    assert CMHRNN(**ours).network.middle.residual
    assert CMHRNN(**ours).network.events.in_channels == 2 + 4 + 5
    with pytest.raises(WeightsError, match="no network 'ad_rm2t_birnn'"):
        official.arguments({"mode_choice": "ad_rm2t_birnn"})


def test_files(tmp_path):
    state = variables(CMHRNN(**official.arguments({**SIZES, "mode_choice": "2t_fc"})), "LSTM", 2)
    extra = {"beta1_power": torch.ones(()), "sample_filter/Adam": torch.ones(1), "global_step": torch.ones(())}
    torch.save({**state, **extra}, tmp_path / "x.pt")
    assert official.read(tmp_path / "x.pt").keys() == official.convert(state).keys()
    for bad in ("decoder/kernel", "FRAME_RNN/rnn/basic_lstm_cell/peephole"):
        with pytest.raises(WeightsError, match="belongs to no published"):
            official.convert({bad: torch.ones(2, 2)})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"tiers": 4}, "1, 2 or 3 tiers, not 4"),
        ({"tiers": 3, "frame": 5}, "does not divide"),
        ({"tiers": 1}, "set elapsed to false"),
        ({"quirks": "some"}, "choose one of none, official"),
    ],
)
def test_sizes_that_make_no_network(arguments, said):
    with pytest.raises(OptionError, match=said):
        CMHRNN(**arguments)
