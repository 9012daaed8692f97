"""How the package does on a public benchmark: ArabicStanceX, 17 topics of tweets.

Alkhathlan, Alahmadi, Kateb & Al-Khalifa (2025), Frontiers in Artificial Intelligence 8:1615800,
CC BY 4.0. The data are not in this repository; name the folder that holds ``train.jsonl`` and
``test.jsonl`` (one JSON object a line: id, text, label, target):

    make arabicstancex DATA=folder

Three ways: a model a topic, trained on the topic alone; the same with the other topics' tweets at
a low weight; and leave one topic out. For each the mean over the topics of F1 over favor and
against, and over all three labels, on the official test rows, with a 95% interval by bootstrap
over the tweets of each topic.
"""

import dataclasses
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed

from stance import evaluation
from stance.corpus import Passage, data_hash, read
from stance.model import Settings
from stance.storage import whole_file
from stance.text import default_table

HERE = Path(__file__).parent
LABELS = ("against", "favor", "none")
BOOTSTRAPS = 1000

Choose = Callable[[Sequence[Passage], str], list[Passage]]


def alone(train: Sequence[Passage], topic: str) -> list[Passage]:
    """The topic's own tweets."""
    return [p for p in train if p.meta["target"] == topic]


def helped(train: Sequence[Passage], topic: str) -> list[Passage]:
    """The topic's own tweets, and all others as an auxiliary source."""
    return [
        p if p.meta["target"] == topic else dataclasses.replace(p, source="sentences")
        for p in train
    ]


def left_out(train: Sequence[Passage], topic: str) -> list[Passage]:
    """Every other topic's tweets."""
    return [p for p in train if p.meta["target"] != topic]


WAYS: dict[str, Choose] = {
    "a model a topic": alone,
    "other topics at low weight": helped,
    "topic left out": left_out,
}


def decide(
    learn: Sequence[Passage], test: Sequence[Passage], settings: Settings
) -> tuple[str, list[str]]:
    """The topic of ``test`` and its decisions by a model trained on ``learn``."""
    model = evaluation.train(learn, settings, None, default_table(), jobs=1)
    records = model.classify([p.text for p in test])
    return str(test[0].meta["target"]), [str(r["label"]) for r in records]


def f1(truth: np.ndarray, decided: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Each label's F1 under each row of weights, shape (rows, labels)."""
    columns = []
    for label in LABELS:
        hit = weights @ ((truth == label) & (decided == label))
        all_ = weights @ ((truth == label).astype(float) + (decided == label))
        columns.append(np.divide(2 * hit, all_, out=np.zeros_like(hit), where=all_ > 0))
    return np.array(columns).T


def main(folder: Path) -> None:
    """Run the three ways and write ``experiments/arabicstancex-result.json``."""
    train, test = ([*read([folder / f"{part}.jsonl"], ["label"])] for part in ("train", "test"))
    settings = Settings.from_json(
        json.loads((HERE / "arabicstancex.json").read_text(encoding="utf-8")), "arabicstancex.json"
    )
    topics = sorted({p.meta["target"] for p in train})
    tests = {t: [p for p in test if p.meta["target"] == t] for t in topics}
    found = {}
    for way, choose in WAYS.items():
        decided = dict(
            Parallel(n_jobs=-1)(
                delayed(decide)(choose(train, t), tests[t], settings) for t in topics
            )
        )
        scores, per_topic = [], {}
        for t in topics:
            truth = np.array([p.labels["label"] for p in tests[t]])
            weights = evaluation.bootstrap_weights(np.arange(len(truth)), settings.seed)
            scores.append(f1(truth, np.array(decided[t]), weights))
            per_topic[t] = [round(float(v), 4) for v in scores[-1][0]]
        mean = np.mean(scores, axis=0)
        found[way] = {
            "favor and against": evaluation.summary(mean[:, :2].mean(axis=1)),
            "three labels": evaluation.summary(mean.mean(axis=1)),
            "by topic": per_topic,
        }
        print(
            way,
            *(
                f"{k} {v[0]:.4f} [{v[1]:.4f}, {v[2]:.4f}]"
                for k, v in found[way].items()
                if k != "by topic"
            ),
            sep="\t",
            flush=True,
        )
    result = {
        "signature": evaluation.signature(settings, train, "official split"),
        "test": data_hash(test),
        "labels": LABELS,
        "ways": found,
    }
    with whole_file(HERE / "arabicstancex-result.json") as file:
        file.write((json.dumps(result, indent=1) + "\n").encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
