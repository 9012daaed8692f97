"""An optional feature family: the passage as a Hugging Face encoder sees it.

Never part of the default: it needs ``pip install stance[transformer]`` and an encoder on disk or
on the hub, and its dimensions name nothing that a reader could check.
"""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, Self

import numpy as np

from stance.features import Family, Occurrence, Reading
from stance.text import InputError


class Encoder(Family):
    """Mean-pooled last hidden states of an encoder, rows scaled to unit length.

    ``name``: a folder or a hub name, such as ``CAMeL-Lab/bert-base-arabic-camelbert-mix`` (Inoue
    et al. 2021) or ``aubmindlab/bert-base-arabertv2`` (Antoun, Baly & Hajj 2020). Its weights stay
    as they are. Passages are encoded one by one, so that a row depends on its passage alone; words
    beyond the encoder's length are not seen.

    Raises :class:`~stance.text.InputError` where the libraries or the encoder are missing.
    """

    def __init__(self, name: str = ""):
        self.name = name

    @cached_property
    def _parts(self) -> tuple[Any, Any]:
        try:
            import transformers
        except ImportError as error:
            raise InputError(
                f"the feature family 'encoder' needs {error.name}: pip install stance[transformer]"
            ) from error
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(self.name)
            network = transformers.AutoModel.from_pretrained(self.name).eval()
        except (OSError, ValueError) as error:
            first = str(error).splitlines()[0]
            raise InputError(f"encoder {self.name!r}: {first}") from error
        return tokenizer, network

    def __getstate__(self) -> dict[str, Any]:
        return {"name": self.name}  # the network is loaded anew in another process

    def fit(self, X: Iterable[str | Reading]) -> Self:
        """Nothing is learned: the encoder is loaded, and its width noted."""
        self.width_ = int(self._parts[1].config.hidden_size)
        return self

    def row(self, reading: Reading) -> tuple[np.ndarray, np.ndarray]:
        """``width_`` numbers, a vector of unit length."""
        import torch

        tokenizer, network = self._parts
        longest = network.config.max_position_embeddings
        pieces = tokenizer(
            reading.text.text, return_tensors="pt", truncation=True, max_length=longest
        )
        with torch.inference_mode():
            hidden = network(**pieces).last_hidden_state[0]
        row = hidden.mean(dim=0).numpy().astype(float)
        columns = np.arange(len(row), dtype=np.int32)
        return columns, row / max(float(np.linalg.norm(row)), 1e-12)

    def get_feature_names_out(self) -> np.ndarray:
        """``dimension 0``, ``dimension 1`` …"""
        width = int(self._parts[1].config.hidden_size)
        return np.array([f"dimension {k}" for k in range(width)], dtype=object)

    def occurrences(self, reading: Reading) -> Iterator[Occurrence]:
        """Every dimension belongs to the whole passage."""
        if reading.tokens:
            for name in self.get_feature_names_out():
                yield Occurrence(str(name), 0, len(reading.tokens))
