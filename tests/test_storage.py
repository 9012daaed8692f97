"""The model file: what was written is what is read, and a damaged file is refused."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from stance import storage
from stance.text import InputError

TEXTS = ["وقع الجانبان معاهدة في بيونغ يانغ", "تحالف يعيد رسم خارطة القوى", "صفقة قذائف مقابل نفط"]


def test_round_trip_gives_identical_probabilities_and_bytes(model, tmp_path):
    first, second = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    storage.write(model, first)
    again = storage.read(first)
    for task, p in model.predict_proba(TEXTS).items():
        assert np.array_equal(p, again.predict_proba(TEXTS)[task])
    assert again.info == model.info
    storage.write(again, second)
    assert first.read_bytes() == second.read_bytes()


def test_the_shipped_file_verifies():
    found = storage.verify()
    assert len(found["sha256"]) == 64
    assert found["bytes"] > 100_000


def test_a_truncated_file_is_refused(tmp_path):
    path = tmp_path / "m.safetensors"
    path.write_bytes(storage.SHIPPED.read_bytes()[:-1000])
    with pytest.raises(InputError, match="not a model file, or cut off"):
        storage.read(path)


@pytest.mark.parametrize("place", [0.5, 0.999])
def test_an_altered_file_is_refused(tmp_path, place):
    data = bytearray(storage.SHIPPED.read_bytes())
    data[int(len(data) * place)] ^= 1
    path = tmp_path / "m.safetensors"
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"m\.safetensors"):
        storage.read(path)


def test_a_foreign_file_is_refused(tmp_path):
    path = tmp_path / "m.safetensors"
    save_file({"x": np.zeros(3)}, path)
    with pytest.raises(InputError, match="format None, expected 'stance-model-2'"):
        storage.read(path)
    path.write_text("hello")
    with pytest.raises(InputError, match="not a model file"):
        storage.read(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such model file"):
        storage.read(tmp_path / "m.safetensors")


def test_the_file_holds_no_code():
    header = storage.SHIPPED.read_bytes()
    size = int.from_bytes(header[:8], "little")
    metadata = json.loads(header[8 : 8 + size])["__metadata__"]
    content = json.loads(metadata.pop("stance"))
    assert not metadata
    assert set(content) == {"format", "body", "sha256"}
    assert set(json.loads(content["body"])) == {"heads", "info", "lexicon"}


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "deep" / "a.txt"

    def half() -> None:
        with storage.whole_file(path) as file:
            file.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    assert list(path.parent.iterdir()) == []
    with storage.whole_file(path) as file:
        file.write(b"whole")
    assert path.read_bytes() == b"whole"
