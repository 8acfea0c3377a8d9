"""Public embedding networks, for metrics that others can be compared by: loaded only when asked for by name.

VGGish and PANNs' CNN14 are networks of ours with the published weights; CLAP, MERT and EnCodec are those of
transformers. Each becomes an `OfficialEmbedder`, which cuts any sound into windows and has the methods of
`systems.tasks.Embeds`.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from orchestrion.data.embeddings import Embeddings
from orchestrion.errors import OptionError, WeightsError
from orchestrion.hub.weights import cache_folder, file_hash, read_foreign
from orchestrion.media.audio import Audio

if TYPE_CHECKING:
    from torch import device as Device

BATCH = 16  # windows at a time


@dataclass(frozen=True, slots=True)
class Source:
    """Where the weights of a network are: a file at an address, or a repository on the hub; and their licence."""

    licence: str
    address: str | None = None
    repository: str | None = None
    sha256_start: str = ""


EMBEDDERS: dict[str, Source] = {
    "vggish": Source(
        "Apache-2.0",
        address="https://github.com/harritaylor/torchvggish/releases/download/v0.1/vggish-10086976.pth",
        sha256_start="10086976",
    ),
    "panns": Source("CC-BY-4.0", address="https://zenodo.org/record/3987831/files/Cnn14_mAP%3D0.431.pth"),
    "panns_16k": Source("CC-BY-4.0", address="https://zenodo.org/record/3987831/files/Cnn14_16k_mAP%3D0.438.pth"),
    "clap": Source("Apache-2.0", repository="laion/larger_clap_music"),
    "mert": Source("CC-BY-NC-4.0", repository="m-a-p/MERT-v1-95M"),
    "encodec": Source("CC-BY-NC-4.0", repository="facebook/encodec_24khz"),
}
"""Name → where it is. The folder or file of one's own is named in ORCHESTRION_OFFICIAL_<NAME>."""


class OfficialEmbedder:
    """A public network as an embedder.

    Args:
        space: names the network and its weights.
        sample_rate: Hz that it listens at.
        window: samples of one embedding.
        embed_windows: [n, window] waveforms → [n, dim] vectors.
        classify_windows: the same → [n, classes] logits, where the network has them.
        embed_words: text → [dim], where it has them.
        hop: samples between windows; the window by default.
        repeat: fills a sound that is shorter than a window by repeating it, in place of zeros.
        device: where the network is.
    """

    def __init__(
        self,
        *,
        space: str,
        sample_rate: int,
        window: int,
        embed_windows: Callable[[Tensor], Tensor],
        classify_windows: Callable[[Tensor], Tensor] | None = None,
        embed_words: Callable[[str], Tensor] | None = None,
        hop: int | None = None,
        repeat: bool = False,
        device: str | Device = "cpu",
    ) -> None:
        self.space, self.sample_rate, self.window = space, sample_rate, window
        self.hop = window if hop is None else hop
        self.repeat = repeat
        self.device = torch.device(device)
        self._embed = embed_windows
        if classify_windows is not None:
            self._classify = classify_windows
            self.classify = self._logits
        if embed_words is not None:
            self._words = embed_words
            self.embed_text = self._text

    def embed(
        self, audio: Audio, *, hop: float | None = None, pooling: str = "mean", progress: Any = None
    ) -> Embeddings:
        """One vector a window every `hop` seconds, or their mean.

        Raises:
            OptionError: the pooling is unknown or the hop is not positive.
        """
        if pooling not in ("mean", "none"):
            raise OptionError(f"There is no pooling {pooling!r}; choose mean or none.")
        vectors, starts = self._run(self._embed, audio, hop, progress)
        if pooling == "mean":
            vectors, starts = vectors.mean(0, keepdims=True), starts[:1]
        return Embeddings(vectors, starts, self.window / self.sample_rate, self.space)

    def _logits(self, audio: Audio) -> np.ndarray:
        """[classes] mean logits of the windows of a sound."""
        return self._run(self._classify, audio, None, None)[0].mean(0)

    def _text(self, text: str) -> Embeddings:
        """The vector of a sentence."""
        with torch.inference_mode():
            vector = self._words(text).float().cpu().numpy()
        return Embeddings(vector[None], (0.0,), 0.0, self.space)

    @torch.inference_mode()
    def _run(
        self, work: Callable[[Tensor], Tensor], audio: Audio, hop: float | None, progress: Any
    ) -> tuple[np.ndarray, tuple[float, ...]]:
        step = self.hop if hop is None else round(hop * self.sample_rate)
        if step < 1:
            raise OptionError(f"The hop of {hop} seconds must be positive.")
        sound = torch.from_numpy(audio.mono().resample(self.sample_rate).samples[0])
        if self.repeat:
            sound = sound.repeat(max(self.window // len(sound), 1))
        lacking = max(self.window - len(sound), 0)
        windows = nn.functional.pad(sound, (0, lacking)).unfold(0, self.window, step)  # a part at the end is left out
        found = []
        for start in range(0, len(windows), BATCH):
            found.append(work(windows[start : start + BATCH].to(self.device)).float().cpu())
            if progress is not None:
                progress(min(start + BATCH, len(windows)), len(windows))
        starts = tuple(float(i * step / self.sample_rate) for i in range(len(windows)))
        return torch.cat(found).numpy(), starts


def load_embedder(name: str, *, device: str = "cpu") -> OfficialEmbedder:
    """A public embedding network, as "vggish:official"; its weights are fetched the first time.

    Raises:
        OptionError: there is none of this name, or ":official" is missing.
        WeightsError: the weights cannot be fetched or are of another network.
    """
    base, _, source = name.partition(":")
    if base not in EMBEDDERS:
        raise OptionError(f"There is no embedding network {base!r}; there are {', '.join(EMBEDDERS)}.")
    if source != "official":
        raise OptionError(f"The weights of {base} do not ship; write '{base}:official' to fetch the published ones.")
    place = find_official(base)
    return _BUILDERS[base](base, place, device)


def find_official(name: str) -> Path:
    """The file or folder of a network's published weights, fetched if need be.

    Raises:
        WeightsError: it cannot be fetched, or is another file than was published.
    """
    source, variable = EMBEDDERS[name], f"ORCHESTRION_OFFICIAL_{name.upper()}"
    own = os.environ.get(variable)
    if own is not None:
        if not Path(own).exists():
            raise WeightsError(f"There is no file or folder {own}; give the published weights of {name}.")
        return Path(own)
    try:
        if source.repository is not None:
            from huggingface_hub import snapshot_download

            kinds = ["*.json", "*.txt", "*.safetensors", "*.bin"]
            return Path(snapshot_download(source.repository, allow_patterns=kinds))
        target = cache_folder() / f"{name}.pth"
        if not target.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(
                str(source.address), str(target), hash_prefix=source.sha256_start or None, progress=False
            )
        return target
    except Exception as error:  # each library has its own kinds, for no network, no file, no right, another hash
        raise WeightsError(
            f"The weights of {name} cannot be fetched ({type(error).__name__}); connect to the network, or fetch them "
            f"elsewhere and name the place in the environment variable {variable}."
        ) from error


def convert_vggish(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Entries of the published VGGish in our names; those of the PCA, which FAD leaves out, are dropped.

    Raises:
        WeightsError: an entry is unknown.
    """
    ours = {}
    for key, value in state.items():
        if found := re.fullmatch(r"(features|embeddings)\.(\d+)\.(weight|bias)", key):
            ours[("convolutions" if found[1] == "features" else "head") + f".{found[2]}.{found[3]}"] = value
        elif not key.startswith("pproc."):
            raise WeightsError(f"The entry {key!r} belongs to no published VGGish.")
    return ours


_PANNS = {"fc1": "hidden", "fc_audioset": "tags", "bn0": "norm"}
_COMPUTED = ("spectrogram_extractor.", "logmel_extractor.")


def convert_panns(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Entries of the published CNN14 in our names; the tables of its spectrogram are computed by ours.

    Raises:
        WeightsError: an entry is unknown.
    """
    ours = {}
    for key, value in state.items():
        stem, _, rest = key.partition(".")
        if key.startswith(_COMPUTED):
            continue
        if found := re.fullmatch(r"conv_block([1-6])\.(conv|bn)([12])\.(\w+)", key):
            kind = "conv" if found[2] == "conv" else "norm"
            ours[f"blocks.{int(found[1]) - 1}.{kind}{found[3]}.{found[4]}"] = value
        elif stem in _PANNS:
            ours[f"{_PANNS[stem]}.{rest}"] = value
        else:
            raise WeightsError(f"The entry {key!r} belongs to no published CNN14.")
    return ours


def _state(path: Path) -> Mapping[str, Tensor]:
    """The entries in a file."""
    held = read_foreign(path)
    return held.get("model", held)


def _filled(network: nn.Module, state: Mapping[str, Tensor], path: Path, device: str) -> Any:
    try:
        network.load_state_dict(dict(state))
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise WeightsError(f"The weights at {path} do not fit their network: {reason}") from error
    return network.eval().requires_grad_(False).to(device)


def _vggish(name: str, path: Path, device: str) -> OfficialEmbedder:
    from orchestrion.nn.vggish import FRAMES, HOP, RATE, Vggish

    network = _filled(Vggish(), convert_vggish(_state(path)), path, device)
    return OfficialEmbedder(
        space=_space(name, path),
        sample_rate=RATE,
        window=network.mel.samples,
        hop=FRAMES * HOP,
        embed_windows=lambda windows: network(windows)[:, 0],
        device=device,
    )


def _panns(name: str, path: Path, device: str) -> OfficialEmbedder:
    from orchestrion.nn.cnn14 import cnn14, cnn14_16k

    network = _filled(cnn14_16k() if name.endswith("16k") else cnn14(), convert_panns(_state(path)), path, device)
    return OfficialEmbedder(
        space=_space(name, path),
        sample_rate=network.sample_rate,
        window=10 * network.sample_rate,  # the clips of AudioSet, which it was trained on
        embed_windows=lambda windows: network(windows).embedding,
        classify_windows=lambda windows: network(windows).logits,
        device=device,
    )


def _clap(name: str, path: Path, device: str) -> OfficialEmbedder:
    from transformers import ClapModel, ClapProcessor

    network, processor = _pretrained(ClapModel, path, device), _pretrained(ClapProcessor, path, None)
    rate = processor.feature_extractor.sampling_rate

    def sounds(windows: Tensor) -> Tensor:
        inputs = processor.feature_extractor(list(windows.cpu().numpy()), sampling_rate=rate, return_tensors="pt")
        pooled = network.audio_model(**inputs.to(windows.device)).pooler_output
        return nn.functional.normalize(network.audio_projection(pooled), dim=-1)

    def words(text: str) -> Tensor:
        inputs = processor.tokenizer([text], return_tensors="pt", truncation=True, max_length=77)
        pooled = network.text_model(**inputs.to(device)).pooler_output
        return nn.functional.normalize(network.text_projection(pooled), dim=-1)[0]

    return OfficialEmbedder(
        space=_space(name, path),
        sample_rate=rate,
        window=10 * rate,
        embed_windows=sounds,
        embed_words=words,
        repeat=True,
        device=device,
    )


def _mert(name: str, path: Path, device: str) -> OfficialEmbedder:
    from transformers import HubertModel

    network = _pretrained(HubertModel, path, device)  # MERT without its teacher heads is a HuBERT at 24 kHz
    rate = 24000

    def sounds(windows: Tensor) -> Tensor:
        centred = windows - windows.mean(-1, keepdim=True)
        scaled = centred / (centred.var(-1, unbiased=False, keepdim=True) + 1e-7).sqrt()
        return network(scaled).last_hidden_state.mean(1)

    return OfficialEmbedder(
        space=_space(name, path), sample_rate=rate, window=5 * rate, embed_windows=sounds, device=device
    )


def _encodec(name: str, path: Path, device: str) -> OfficialEmbedder:
    from transformers import EncodecModel

    network = _pretrained(EncodecModel, path, device)
    rate = network.config.sampling_rate

    def sounds(windows: Tensor) -> Tensor:
        return network.encoder(windows[:, None].repeat(1, network.config.audio_channels, 1)).mean(-1)

    return OfficialEmbedder(
        space=_space(name, path), sample_rate=rate, window=rate, embed_windows=sounds, device=device
    )


def _pretrained(kind: Any, path: Path, device: str | None) -> Any:
    """A network of transformers from a folder, all its entries filled; or a processor."""
    try:
        if device is None:
            return kind.from_pretrained(path)
        network, told = kind.from_pretrained(path, output_loading_info=True)
    except Exception as error:  # each version of the library has its own kinds
        raise WeightsError(f"The folder {path} holds no {kind.__name__} ({type(error).__name__}).") from error
    if told["missing_keys"] or told["mismatched_keys"]:
        missing = sorted(map(str, [*told["missing_keys"], *told["mismatched_keys"]]))[0]
        raise WeightsError(f"The folder {path} lacks the entry {missing!r} of {kind.__name__}.")
    return network.eval().requires_grad_(False).to(device)


def _space(name: str, path: Path) -> str:
    """The network and the hash of its weights."""
    if path.is_file():
        return f"{name}:{file_hash(path)[:16]}"
    digest = hashlib.sha256()
    for file in sorted([*path.glob("*.safetensors"), *path.glob("*.bin")]):
        digest.update(file_hash(file).encode())
    return f"{name}:{digest.hexdigest()[:16]}"


_BUILDERS: dict[str, Callable[[str, Path, str], OfficialEmbedder]] = {
    "vggish": _vggish,
    "panns": _panns,
    "panns_16k": _panns,
    "clap": _clap,
    "mert": _mert,
    "encodec": _encodec,
}
