"""``python -m experiments.bench.evaluate PATH SHARE``: seconds that a cross-validation takes.

PATH: ``package``, or ``scikit-learn``, where scikit-learn's vectorizers do what the package's
features do. SHARE: of the articles of the corpus. Prints seconds by the clock and of the processor
(of this one process), the passages, and the macro-F1 of both tasks.
"""

import json
import sys
from collections.abc import Iterable
from functools import partial
from typing import Any, Self

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import FeatureUnion

from experiments.bench import measure, reference
from stance import corpus, evaluation, learner, lexicon
from stance.features import Features, Ngrams
from stance.model import Settings, build_features
from stance.text import default_table


class Plain(Features):
    """The features by scikit-learn's vectorizers."""

    def fit(self, X: Iterable[Any]) -> Self:
        """Learn the columns."""
        steps = []
        for name, family, _ in self.families:
            if isinstance(family, Ngrams):
                cut = partial(
                    reference.ANALYZERS[name], smallest=family.smallest, largest=family.largest
                )
                analyzer = partial(reference.analyze, cut)
                steps.append(
                    (
                        name,
                        TfidfVectorizer(analyzer=analyzer, min_df=family.min_df, sublinear_tf=True),
                    )
                )
            else:
                steps.append((name, reference.LogCounts(family)))
        weights = {name: weight for name, _, weight in self.families}
        self.union = FeatureUnion(steps, transformer_weights=weights)
        self.union.fit(reference.read(X, self.table))
        return self

    def transform(self, X: Iterable[Any]) -> csr_matrix:
        """The matrix."""
        return csr_matrix(self.union.transform(reference.read(X, self.table)))

    def scores(self, X: Iterable[Any], weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The matrix times the weights; every passage has words enough."""
        found = self.transform(X) @ weights.astype(float)
        return found, np.full(len(found), 99)

    def columns(self) -> list[str]:
        """The names of the columns."""
        return [
            f"{name}: {column}"
            for name, step in self.union.transformer_list
            for column in (
                step.get_feature_names_out()
                if isinstance(step, TfidfVectorizer)
                else step.family.columns()
            )
        ]


def main(path: str, share: float) -> None:
    """Cross-validate on a share of the articles and print what it took."""
    data = measure.ROOT / "data"
    settings = json.loads((measure.ROOT / "stance" / "default.json").read_text(encoding="utf-8"))
    every = corpus.learnable(corpus.read([data / "passages", data / "sentences"]))
    docs = sorted({p.doc for p in every})
    kept = set(np.random.default_rng(0).permutation(docs)[: int(share * len(docs))])
    cues = lexicon.read(sorted((data / "lexicons").glob("*.json")))
    if path == "scikit-learn":

        def plain(*arguments: Any) -> Plain:
            made = build_features(*arguments)
            return Plain(made.families, made.table)

        learner.build_features = evaluation.build_features = plain
    found: list[Any] = []
    spent = measure.spent(
        lambda: found.append(
            evaluation.cross_validate(
                [p for p in every if p.doc in kept],
                Settings.from_json(settings),
                cues,
                default_table(),
                repeats=1,
                jobs=1,
            )
        )
    )
    tasks = found[0].tasks
    print(spent.wall, spent.cpu, sum(p.doc in kept for p in every))
    print(*(tasks[task]["macro_f1"][0] for task in ("stance", "framing")))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
