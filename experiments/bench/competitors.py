"""Those whose scoring is timed, each in a process of its own: ``python -m … NAME FOLDER``.

FOLDER holds ``rounds.json``, a list of texts for each round. The process says when it is ready and
then answers requests, one JSON line each:

- ``["round", MEASURE, N]``: seconds that the measure takes on the texts of round N;
- ``["probabilities", N, FILE]``: write those of round N to an .npz file;
- ``["accuracy"]``: task → share of the frozen split that is decided as labelled.
"""

import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import stance
from experiments.bench import measure
from stance import corpus
from stance.model import Model

# Heavy modules are imported where they are needed: every competitor carries its own only.

TASKS = ("stance", "framing")
_PASSAGES = measure.ROOT / "data" / "passages"
#: What fastText learns with, its own dimensions and buckets …
FASTTEXT = {
    "minn": 2,
    "maxn": 5,
    "wordNgrams": 2,
    "dim": 100,
    "bucket": 2_000_000,
    "epoch": 50,
    "lr": 0.25,
    "thread": 1,
    "seed": 2024,
}
#: … and what makes it fastest without a loss on the frozen split.
SMALL = {"dim": 16, "bucket": 200_000}
_LABEL = "__label__"

Probabilities = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Competitor:
    """``measures``: name → how texts are made ready outside of the clock, and what is clocked."""

    measures: Mapping[str, tuple[Callable[[list[str]], Any], Callable[[Any], object]]]
    decide: Callable[[list[str]], Mapping[str, Sequence[str]]]
    probabilities: Callable[[list[str]], Probabilities] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


def as_it_is(texts: list[str]) -> list[str]:
    """Nothing is done outside of the clock."""
    return texts


def of_model(model: Model) -> Competitor:
    """This package."""

    def decide(texts: list[str]) -> dict[str, list[str]]:
        found = model.predict_proba(texts)
        return {task: [model.labels[task][k] for k in p.argmax(1)] for task, p in found.items()}

    return Competitor(
        {
            "probabilities": (as_it_is, model.predict_proba),
            "records": (as_it_is, model.classify),
        },
        decide,
        model.predict_proba,
        {"columns": len(model.features.columns())},
    )


def shipped() -> Competitor:
    """This package with the model that it ships."""
    return of_model(stance.load())


def ngrams() -> Competitor:
    """This package with n-grams only, trained on what may be learned from."""
    from stance import evaluation
    from stance.model import Settings
    from stance.text import default_table

    file = Path(__file__).with_name("ngrams.json")
    settings = Settings.from_json(json.loads(file.read_text(encoding="utf-8")))
    learned, _ = parts()
    return of_model(evaluation.train(learned, settings, None, default_table(), jobs=1))


def reference() -> Competitor:
    """The shipped model in scikit-learn."""
    from experiments.bench import reference as plain

    return _of_pipeline(*plain.pipeline(stance.load()))


def general() -> Competitor:
    """scikit-learn with n-grams only, trained on the same passages."""
    from sklearn.linear_model import LogisticRegression

    from experiments.bench import reference as plain

    learned, _ = parts()
    features = plain.general()
    X = features.fit_transform([p.text for p in learned])
    heads = {
        task: LogisticRegression(C=1.0, max_iter=1000, class_weight="balanced").fit(
            X, [p.labels[task] for p in learned]
        )
        for task in TASKS
    }
    return _of_pipeline(features, heads)


def _of_pipeline(features: Any, heads: Mapping[str, Any]) -> Competitor:
    def probabilities(texts: list[str]) -> dict[str, np.ndarray]:
        X = features.transform(texts)
        return {task: head.predict_proba(X) for task, head in heads.items()}

    def decide(texts: list[str]) -> dict[str, list[str]]:
        X = features.transform(texts)
        return {task: list(map(str, head.predict(X))) for task, head in heads.items()}

    columns = int(next(iter(heads.values())).coef_.shape[1])
    return Competitor(
        {"probabilities": (as_it_is, probabilities)}, decide, probabilities, {"columns": columns}
    )


def fasttext(**changed: int) -> Competitor:
    """fastText with the same range of n-grams: a model a task, the likeliest label."""
    from experiments.bench.reference import normalised

    learned, _ = parts()
    settings = FASTTEXT | changed
    machines = {task: _train_fasttext(learned, task, normalised, settings) for task in TASKS}

    def lines(texts: list[str]) -> list[str]:
        return [normalised(text) + "\n" for text in texts]

    def predict(ready: list[str]) -> dict[str, Any]:
        # What predict(list) calls, without its own loop over the texts.
        return {
            task: machine.f.multilinePredict(ready, 1, 0.0, "strict")[0]
            for task, machine in machines.items()
        }

    def decide(texts: list[str]) -> dict[str, list[str]]:
        found = predict(lines(texts))
        return {task: [row[0].removeprefix(_LABEL) for row in rows] for task, rows in found.items()}

    return Competitor(
        {
            "normalised before": (lines, predict),
            "normalisation inside": (as_it_is, lambda texts: predict(lines(texts))),
        },
        decide,
        facts={"settings": settings},
    )


def _train_fasttext(
    learned: Sequence[corpus.Passage],
    task: str,
    normalised: Callable[[str], str],
    settings: Mapping[str, float],
) -> Any:
    import fasttext as library

    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".txt") as file:
        file.writelines(f"{_LABEL}{p.labels[task]} {normalised(p.text)}\n" for p in learned)
        file.flush()
        return library.train_supervised(file.name, verbose=0, **settings)


COMPETITORS: Mapping[str, Callable[[], Competitor]] = {
    "stance": shipped,
    "scikit-learn": reference,
    "stance, n-grams": ngrams,
    "scikit-learn, n-grams": general,
    "fastText": fasttext,
    "fastText, small": partial(fasttext, **SMALL),
}


def parts() -> tuple[list[corpus.Passage], list[corpus.Passage]]:
    """What may be learned from, and the frozen split."""
    found = corpus.read([_PASSAGES])
    tested = [p for p in found if p.meta.get("split") == "test" and not corpus.disputed(p)]
    return corpus.learnable(found), tested


def accuracy(competitor: Competitor) -> dict[str, float]:
    """Task → share of the frozen split that is decided as labelled."""
    _, tested = parts()
    decided = competitor.decide([p.text for p in tested])
    return {
        task: round(
            float(np.mean([p.labels[task] == y for p, y in zip(tested, rows, strict=True)])), 4
        )
        for task, rows in decided.items()
    }


def serve(name: str, folder: Path) -> None:
    """Answer requests until standard input ends."""
    # What a library prints is no answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    competitor = COMPETITORS[name]()
    rounds = json.loads((folder / "rounds.json").read_text(encoding="utf-8"))
    ready: dict[tuple[str, int], Any] = {}

    def answer(task: str, *arguments: Any) -> Any:
        if task == "round":
            measured, number = arguments
            prepare, work = competitor.measures[measured]
            key = (measured, number)
            if key not in ready:
                ready.clear()
                ready[key] = prepare(rounds[number])
            return vars(measure.spent(lambda: work(ready[key])))
        if task == "probabilities":
            number, file = arguments
            assert competitor.probabilities
            np.savez(file, **competitor.probabilities(rounds[number]))
            return None
        if task == "accuracy":
            return accuracy(competitor)
        raise ValueError(f"request {task!r}; expected round, probabilities or accuracy")

    def say(found: Any) -> None:
        answers.write(json.dumps(found) + "\n")
        answers.flush()

    say({"measures": list(competitor.measures), "facts": competitor.facts})
    for line in sys.stdin:
        say(answer(*json.loads(line)))


if __name__ == "__main__":
    serve(sys.argv[1], Path(sys.argv[2]))
