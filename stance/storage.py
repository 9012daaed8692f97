"""The model file: arrays in safetensors, everything else as JSON in its metadata; no code."""

import hashlib
import json
import mmap
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from stance.features import Ngrams
from stance.lexicon import Category, Cues, Lexicon
from stance.model import Head, Model, Settings, build_features
from stance.text import InputError, Table, default_table, kept_table

#: The model that ships with the package.
SHIPPED = Path(__file__).with_name("model.safetensors")

_FORMAT = "stance-model-2"
_KEY = "stance"
_HEAD_ARRAYS = ("intercept", "log_prior", "thresholds")
# The types that a model file has, by their names in safetensors.
_TYPES = {"F64": np.float64, "F32": np.float32, "I32": np.int32, "U8": np.uint8}


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A binary file that appears at ``path`` whole when the block ends, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            yield cast(BinaryIO, file)
            file.flush()
            os.fsync(file.fileno())  # its name must never come before its content
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write(model: Model, path: Path) -> None:
    """Write ``model`` to ``path``; the same model gives the same bytes."""
    from safetensors.numpy import save

    arrays: dict[str, np.ndarray] = {"coef": model.weights}
    for name, family, _ in model.features.families:
        if isinstance(family, Ngrams):
            arrays[f"features.{name}.names"] = np.frombuffer(family.lines_, dtype=np.uint8)
            arrays[f"features.{name}.idf"] = family.idf_
    table = default_table() if model.table is None else model.table
    arrays["table"] = _bytes(json.dumps(table, ensure_ascii=False, indent=0) + "\n")
    if model.lexicon:
        entries = [e for c in model.lexicon.categories.values() for e in c.entries]
        arrays["lexicon.entries"] = _bytes("\n".join(" ".join(e.split()) for e in entries))
        arrays["lexicon.cues"] = np.frombuffer(model.lexicon.cues.lines, dtype=np.uint8)
        arrays["lexicon.categories"] = np.array(model.lexicon.cues.categories, dtype=np.int32)
    heads = {}
    for task, head in model.heads.items():
        for key in _HEAD_ARRAYS:
            arrays[f"{task}.{key}"] = np.ascontiguousarray(getattr(head, key))
        heads[task] = {"labels": head.labels, "C": head.C, "temperature": head.temperature}
    body = {
        "heads": heads,
        "info": model.info,
        "lexicon": _categories(model.lexicon),
    }
    text = json.dumps(body, ensure_ascii=False)
    # One key: safetensors writes several in no fixed order.
    header = {"format": _FORMAT, "sha256": _digest(text, arrays), "body": text}
    metadata = {_KEY: json.dumps(header, ensure_ascii=False)}
    with whole_file(path) as file:
        file.write(save(arrays, metadata=metadata))


def read(path: Path | None = None) -> Model:
    """The model in the file ``path`` (default: the shipped one), ready to classify.

    The file is mapped into memory, so that processes share what they read of it. Raises
    :class:`~stance.text.InputError` for a file that is missing, truncated, altered, or not a model
    of this format.
    """
    path = SHIPPED if path is None else Path(path)
    body, arrays = _verified(path)
    info = body["info"]
    settings = Settings.from_json(info["settings"], str(path))
    kept = arrays["table"].tobytes()
    table = default_table() if kept == kept_table() else Table(json.loads(kept))
    features = build_features(settings, _lexicon(body["lexicon"], arrays, table), table)
    for name, family, _ in features.families:
        if isinstance(family, Ngrams):
            names = arrays[f"features.{name}.names"].tobytes()
            family.restore(names, arrays[f"features.{name}.idf"])
        else:
            family.fit([])
    heads = {}
    start = 0
    for task, head in body["heads"].items():
        end = start + len(head["labels"])
        heads[task] = Head(
            labels=tuple(head["labels"]),
            coef=arrays["coef"][:, start:end].T,
            C=head["C"],
            temperature=head["temperature"],
            **{key: arrays[f"{task}.{key}"] for key in _HEAD_ARRAYS},
        )
        start = end
    model = Model(features, heads, info)
    model.weights = arrays["coef"]  # as they lie in the file, not copied
    return model


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


def _bytes(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(), dtype=np.uint8)


def _categories(lexicon: Lexicon | None) -> Any:
    """The categories as plain data, each with the number of its entries."""
    if lexicon is None:
        return None
    return {
        name: {"pole": c.pole, "gloss": c.gloss, "entries": len(c.entries)}
        for name, c in lexicon.categories.items()
    }


def _lexicon(body: Any, arrays: Mapping[str, np.ndarray], table: Table) -> Lexicon | None:
    if not body:
        return None
    entries = iter(arrays["lexicon.entries"].tobytes().decode().split("\n"))
    categories = {
        name: Category(c["pole"], c["gloss"], tuple(islice(entries, c["entries"])))
        for name, c in body.items()
    }
    cues = Cues(arrays["lexicon.cues"].tobytes(), arrays["lexicon.categories"].tolist())
    return Lexicon(categories, table, cues)


def _verified(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    if not path.is_file():
        raise InputError(f"{path}: no such model file; make one with: stance train DATA -o {path}")
    try:
        metadata, arrays = _mapped(path)
        header = json.loads(metadata.get(_KEY, "{}"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
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


def _mapped(path: Path) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """The metadata of a safetensors file, and its arrays as views of the mapped file.

    Read by hand because safetensors' own reader copies every array. The format: eight bytes, the
    length of a JSON header; the header; the arrays, each where the header says.
    """
    with path.open("rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    start = 8 + int.from_bytes(data[:8], "little")
    if start > len(data):
        raise ValueError(f"a header of {start - 8} bytes in a file of {len(data)}")
    header = json.loads(data[8:start])
    metadata = header.pop("__metadata__", {})
    arrays = {}
    for name, entry in header.items():
        first, last = entry["data_offsets"]
        if not 0 <= first <= last <= len(data) - start:
            raise ValueError(f"array {name!r} ends at {start + last}, the file at {len(data)}")
        kind = np.dtype(_TYPES[entry["dtype"]])
        count, left = divmod(last - first, kind.itemsize)
        if left or count != np.prod(entry["shape"], dtype=int):
            raise ValueError(f"array {name!r} has {last - first} bytes for {entry['shape']}")
        flat = np.frombuffer(data, kind, count, start + first)
        arrays[name] = flat.reshape(entry["shape"])
    return metadata, arrays


def _digest(body: str, arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256(body.encode())
    for key in sorted(arrays):
        array = arrays[key]
        digest.update(f"\n{key} {array.dtype} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
