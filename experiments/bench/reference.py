"""The same classifiers in plain scikit-learn, to compare with: in speed, and in every decision.

:func:`pipeline` has the shipped model's features and coefficients, :func:`general` is what one
would build for n-grams without this package. The n-grams are cut here in plain Python from the
normalised text; lexicons, discourse, target and form are found by the package's families, in
Python, and counted here. Nothing of the package's matrix code is used.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, Self

import numpy as np
import Stemmer
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer

from stance.features import Family, Reading
from stance.model import Model
from stance.text import Table, normalise

_WORD = re.compile(r"[^\W_]+")
_DIGIT = re.compile(r"\d")
_STEMMER = Stemmer.Stemmer("arabic")


# --- n-grams of normalised text -------------------------------------------------------------------


def characters(text: str, smallest: int, largest: int) -> Iterator[str]:
    """The character n-grams of each word with a blank at its edges; digits read as 0.

    >>> list(characters("محور", 5, 6))
    [' محور', 'محور ', ' محور ']
    """
    for word in _WORD.findall(_DIGIT.sub("0", text)):
        padded = f" {word} "
        for n in range(smallest, largest + 1):
            for i in range(len(padded) - n + 1):
                yield padded[i : i + n]


def words(text: str, smallest: int, largest: int) -> Iterator[str]:
    """The n-grams of words; digits read as 0.

    >>> list(words("زواج مصلحه", 1, 2))
    ['زواج', 'مصلحه', 'زواج مصلحه']
    """
    return _joined(_WORD.findall(_DIGIT.sub("0", text)), smallest, largest)


def stems(text: str, smallest: int, largest: int) -> Iterator[str]:
    """The n-grams of light stems.

    >>> list(stems("وتهدد المصالح", 1, 1))
    ['هدد', 'مصالح']
    """
    return _joined([_stem(word) for word in _WORD.findall(text)], smallest, largest)


def _joined(found: Sequence[str], smallest: int, largest: int) -> Iterator[str]:
    for n in range(smallest, largest + 1):
        for i in range(len(found) - n + 1):
            yield " ".join(found[i : i + n])


@lru_cache(maxsize=200_000)
def _stem(word: str) -> str:
    """Snowball's light stem; before it a conjunction falls, after it a person prefix."""
    word = _DIGIT.sub("0", word)
    if word[0] in "وف" and word[1:3] in ("ال", "لل") and len(word) >= 6:
        word = word[1:]
    if word.endswith("ه"):
        word = word[:-1] + "ة"
    stem = _STEMMER.stemWord(word)
    return stem[1:] if len(stem) > 3 and stem[0] in ("ي", "ت", "ن") else stem


ANALYZERS: Mapping[str, Callable[[str, int, int], Iterator[str]]] = {
    "characters": characters,
    "words": words,
    "stems": stems,
}


# --- the shipped model ----------------------------------------------------------------------------


class LogCounts(TransformerMixin, BaseEstimator):
    """A family's features as log(1 + count), by scikit-learn's DictVectorizer."""

    def __init__(self, family: Family):
        self.family = family

    def fit(self, X: Iterable[Reading], y: object = None) -> Self:
        """Fix the columns, in the family's order."""
        names = self.family.columns()
        self.vectorizer_ = DictVectorizer(sort=False).fit([dict.fromkeys(names, 1.0)])
        return self

    def transform(self, X: Iterable[Reading]) -> Any:
        """A sparse matrix of shape (passages, columns)."""
        return self.vectorizer_.transform(
            {
                name: np.log1p(count)
                for name, count in Counter(
                    o.feature for o in self.family.occurrences(reading)
                ).items()
            }
            for reading in X
        )


def read(texts: Iterable[str], table: Table | None = None) -> list[Reading]:
    """Each text normalised and cut into words, once for all families."""
    return [Reading.of(text, table) for text in texts]


def analyze(analyzer: Callable[[str, int, int], Iterator[str]], reading: Reading) -> list[str]:
    """What an analyzer finds in a reading's text."""
    return list(analyzer(reading.text.text))


def pipeline(model: Model) -> tuple[Pipeline, dict[str, LogisticRegression]]:
    """Features, and a logistic regression per task, with what ``model`` has learned."""
    families, weights = [], {}
    for name, family, weight in model.features.families:
        weights[name] = weight
        if name in ANALYZERS:
            cut = partial(ANALYZERS[name], smallest=family.smallest, largest=family.largest)
            learned = TfidfVectorizer(
                analyzer=partial(analyze, cut),
                vocabulary=list(family.get_feature_names_out()),
                sublinear_tf=True,
            )
            learned.idf_ = family.idf_
            families.append((name, learned))
        else:
            families.append((name, LogCounts(family).fit([])))
    union = FeatureUnion(families, transformer_weights=weights)
    reader = FunctionTransformer(partial(read, table=model.table))
    heads = {}
    for task, head in model.heads.items():
        machine = LogisticRegression()
        machine.classes_ = np.array(head.labels)
        machine.coef_ = head.coef.astype(float) / head.temperature
        machine.intercept_ = head.intercept / head.temperature + head.log_prior
        heads[task] = machine
    return Pipeline([("read", reader), ("families", union)]), heads


# --- n-grams only ---------------------------------------------------------------------------------


def normalised(text: str) -> str:
    """The words of the normalised text, a blank between them.

    >>> normalised("«محورٌ» جديدٌ؟")
    'محور جديد'
    """
    return " ".join(_WORD.findall(normalise(text).text))


def general(preprocessor: Callable[[str], str] = normalised) -> FeatureUnion:
    """Character 2- to 5-grams and word 1- to 2-grams, as scikit-learn's documentation has them."""
    shared = {"preprocessor": preprocessor, "sublinear_tf": True, "min_df": 3}
    return FeatureUnion(
        [
            ("characters", TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), **shared)),
            ("words", TfidfVectorizer(token_pattern=r"[^\W_]+", ngram_range=(1, 2), **shared)),
        ],
        transformer_weights={"characters": 0.5, "words": 1.0},
    )
