"""The model file: arrays in safetensors, everything else as JSON in its metadata; no code."""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from stance.features import Ngrams
from stance.lexicon import Lexicon
from stance.model import Head, Model, Settings, build_features
from stance.text import InputError

#: The model that ships with the package.
SHIPPED = Path(__file__).with_name("model.safetensors")

_FORMAT = "stance-model-1"
_KEY = "stance"
_HEAD_ARRAYS = ("coef", "intercept", "log_prior", "thresholds")


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A binary file that appears at ``path`` whole when the block ends, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            yield cast(BinaryIO, file)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write(model: Model, path: Path) -> None:
    """Write ``model`` to ``path``; the same model gives the same bytes."""
    arrays: dict[str, np.ndarray] = {}
    for name, family, _ in model.families:
        if isinstance(family, Ngrams):
            names = "\n".join(family.get_feature_names_out())
            arrays[f"features.{name}.names"] = np.frombuffer(names.encode(), dtype=np.uint8)
            arrays[f"features.{name}.idf"] = family.vectorizer_.idf_
    heads = {}
    for task, head in model.heads.items():
        for key in _HEAD_ARRAYS:
            arrays[f"{task}.{key}"] = np.ascontiguousarray(getattr(head, key))
        heads[task] = {"labels": head.labels, "C": head.C, "temperature": head.temperature}
    body = {
        "heads": heads,
        "info": model.info,
        "lexicon": model.lexicon.to_json() if model.lexicon else None,
        "table": model.table,
    }
    text = json.dumps(body, ensure_ascii=False)
    # One key: safetensors writes several in no fixed order.
    header = {"format": _FORMAT, "sha256": _digest(text, arrays), "body": text}
    metadata = {_KEY: json.dumps(header, ensure_ascii=False)}
    with whole_file(path) as file:
        file.write(save(arrays, metadata=metadata))


def read(path: Path | None = None) -> Model:
    """The model in the file ``path`` (default: the shipped one), ready to classify.

    Raises :class:`~stance.text.InputError` for a file that is missing, truncated, altered, or not
    a model of this format.
    """
    path = SHIPPED if path is None else Path(path)
    body, arrays = _verified(path)
    info = body["info"]
    settings = Settings.from_json(info["settings"], str(path))
    table = body["table"]
    lexicon = Lexicon.from_json(body["lexicon"], str(path), table) if body["lexicon"] else None
    features = build_features(settings, lexicon, table)
    for name, family in features["families"].transformer_list:
        if isinstance(family, Ngrams):
            names = arrays[f"features.{name}.names"].tobytes().decode().split("\n")
            family.restore(names, arrays[f"features.{name}.idf"])
        else:
            family.fit([])
    heads = {
        task: Head(
            labels=tuple(head["labels"]),
            C=head["C"],
            temperature=head["temperature"],
            **{key: arrays[f"{task}.{key}"] for key in _HEAD_ARRAYS},
        )
        for task, head in body["heads"].items()
    }
    return Model(features, heads, info)


def verify(path: Path | None = None) -> dict[str, Any]:
    """Check a model file's digest and return its size in bytes, digest and info.

    Raises like :func:`read`.
    """
    path = SHIPPED if path is None else Path(path)
    body, arrays = _verified(path)
    text = json.dumps(body, ensure_ascii=False)
    return {
        "file": path.name,
        "bytes": path.stat().st_size,
        "sha256": _digest(text, arrays),
        "info": body["info"],
    }


def _verified(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    if not path.is_file():
        raise InputError(f"{path}: no such model file; make one with: stance train DATA -o {path}")
    try:
        with safe_open(path, framework="np") as file:
            header = json.loads((file.metadata() or {}).get(_KEY, "{}"))
            arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, json.JSONDecodeError) as error:
        raise InputError(
            f"{path}: not a model file, or cut off ({error}); expected one made by stance train"
        ) from error
    if header.get("format") != _FORMAT:
        raise InputError(
            f"{path}: format {header.get('format')!r}, expected {_FORMAT!r}; "
            "train it again with this version of stance"
        )
    if _digest(header.get("body", ""), arrays) != header.get("sha256"):
        raise InputError(
            f"{path}: the content does not match its own digest: the file was altered; "
            "get it again or train it again"
        )
    return json.loads(header["body"]), arrays


def _digest(body: str, arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256(body.encode())
    for key in sorted(arrays):
        array = arrays[key]
        digest.update(f"\n{key} {array.dtype} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
