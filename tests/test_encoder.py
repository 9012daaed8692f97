"""The optional encoder, on a tiny random one made here; and what is said where it is missing."""

import importlib.util

import numpy as np
import pytest

from stance import storage
from stance.encoder import Encoder
from stance.learner import Sample, fit
from stance.model import Settings
from stance.text import InputError, default_table

TEXTS = ["محور دائم بينهما", "صفقة عابرة", "وصل الوفد أمس", "محور جديد"] * 4
installed = importlib.util.find_spec("torch") and importlib.util.find_spec("transformers")


@pytest.mark.skipif(bool(installed), reason="transformers is installed")
def test_what_is_missing_is_named_with_the_remedy():
    with pytest.raises(InputError, match=r"needs \w+: pip install stance\[transformer\]"):
        Encoder("somewhere").fit(TEXTS)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A random BERT of 8 dimensions that knows the characters of the texts."""
    if not installed:
        pytest.skip("needs stance[transformer]")
    import torch
    import transformers

    folder = tmp_path_factory.mktemp("tiny")
    characters = sorted({c for text in TEXTS for c in text if c.strip()})
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *characters]
    pieces += [f"##{c}" for c in characters]
    (folder / "vocab.txt").write_text("\n".join(pieces), encoding="utf-8")
    transformers.BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(pieces),
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=32,
    )
    transformers.BertModel(config).save_pretrained(folder)
    return str(folder)


def test_rows_are_of_unit_length_and_depend_on_their_passage_alone(tiny):
    family = Encoder(tiny).fit(TEXTS)
    together = family.transform(TEXTS).toarray()
    assert together.shape == (16, 8) == (16, len(family.get_feature_names_out()))
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1.0)
    np.testing.assert_array_equal(family.transform(TEXTS[1:2]).toarray(), together[1:2])
    assert not np.allclose(together[0], together[1])


def test_words_beyond_the_encoders_length_are_not_seen(tiny):
    family = Encoder(tiny).fit(TEXTS)
    long = "محور " * 40
    assert (family.transform([long]) != family.transform([long + "صفقة"])).nnz == 0


def test_a_model_with_an_encoder_is_written_and_read(tiny, tmp_path):
    settings = Settings.from_json(
        {"features": {"encoder": {"name": tiny, "weight": 1.0}}, "C": [10.0], "inner_folds": 2}
    )
    y = np.array(["axis", "convenience", "none", "axis"] * 4)
    sample = Sample(TEXTS, {"framing": y}, {"framing": np.ones(16)})
    inner = [(np.arange(8), np.arange(8, 16)), (np.arange(8, 16), np.arange(8))]
    model = fit(
        sample, {"framing": ("axis", "convenience", "none")}, settings, None, default_table(), inner
    )
    storage.write(model, tmp_path / "m.safetensors")
    again = storage.read(tmp_path / "m.safetensors")
    np.testing.assert_allclose(
        again.predict_proba(TEXTS)["framing"], model.predict_proba(TEXTS)["framing"], atol=1e-6
    )
    words = again.explain(TEXTS[0], {"framing": "axis"})
    assert len(words) == 4  # the base and three words, which share the dimensions equally


def test_an_encoder_that_is_not_there_is_named(tiny):
    with pytest.raises(InputError, match="encoder '/no/such/folder'"):
        Encoder("/no/such/folder").fit(TEXTS)
