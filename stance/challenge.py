"""A challenge set: does a model follow a small change that matters, and ignore one that does not?

Items come in sets (``pair``) about one ``phenomenon``. An item's ``relation`` says what it is to
its set's ``base``: ``flip`` (a label changes), ``same`` (none may), ``more`` or ``less`` (belief in
``toward``, written ``task=label``, must rise or fall), ``surface`` (another spelling: nothing may
change). After Ribeiro et al. (2020) and Gardner et al. (2020).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from stance import evaluation
from stance.corpus import Passage
from stance.text import InputError

#: What an item can be to its set's base.
RELATIONS = ("base", "flip", "same", "more", "less", "surface")


def is_challenge(passages: Sequence[Passage]) -> bool:
    """Whether the passages are items of a challenge set."""
    return all({"phenomenon", "relation", "pair"} <= p.meta.keys() for p in passages)


def by_phenomenon(
    passages: Sequence[Passage], records: Sequence[Mapping[str, Any]], seed: int = 0
) -> dict[str, dict[str, Any]]:
    """Phenomenon → figures ``[value, low, high]``, intervals by bootstrap over sets.

    For each task and for ``all`` tasks at once the share of items decided right; ``sets``: the
    share of sets in which every item is right in every task; ``same`` and ``surface``: the share of
    such items decided as their base is; ``direction``: the share of ``more`` and ``less`` items
    whose probability moved as it must. ``n``: items. A figure that a phenomenon has no item for
    is left out. Under ``all`` stand all items but those of other spellings.

    Raises :class:`~stance.text.InputError` for an unknown relation, a set without a base or a
    ``more`` without ``toward``.
    """
    tasks = list(passages[0].labels)
    base = {p.meta["pair"]: i for i, p in enumerate(passages) if p.meta["relation"] == "base"}
    for p in passages:
        if p.meta["relation"] not in RELATIONS:
            raise InputError(
                f"{p.id}: relation {p.meta['relation']!r}; expected one of {', '.join(RELATIONS)}"
            )
        if p.meta["pair"] not in base:
            raise InputError(f"{p.id}: its set {p.meta['pair']!r} has no item of relation 'base'")
    right = {
        t: np.array([r[t] == p.labels[t] for p, r in zip(passages, records, strict=True)])
        for t in tasks
    }
    right["all"] = np.all([right[t] for t in tasks], axis=0)
    kept = np.array(
        [
            all(r[t] == records[base[p.meta["pair"]]][t] for t in tasks)
            for p, r in zip(passages, records, strict=True)
        ]
    )
    moved = np.array(
        [
            _moved(p, r, records[base[p.meta["pair"]]])
            for p, r in zip(passages, records, strict=True)
        ]
    )
    relation = np.array([p.meta["relation"] for p in passages])
    spelled = relation == "surface"
    kinds = {
        name: np.array([p.meta["phenomenon"] == name for p in passages])
        for name in dict.fromkeys(p.meta["phenomenon"] for p in passages)
    }
    sets = np.array([p.meta["pair"] for p in passages])
    whole = np.zeros(len(passages))
    for name, i in base.items():
        whole[i] = right["all"][(sets == name) & ~spelled].all()
    weights = evaluation.bootstrap_weights(np.unique(sets, return_inverse=True)[1], seed)
    found = {}
    for name, inside in {**kinds, "all": ~spelled}.items():
        figures = {
            **{t: (right[t], inside) for t in right},
            "sets": (whole, inside & (relation == "base")),
            "same": (kept, inside & (relation == "same")),
            "direction": (moved, inside & np.isin(relation, ("more", "less"))),
            "surface": (kept, inside & spelled),
        }
        found[name] = {"n": int(inside.sum())} | {
            key: evaluation.mean(weights, value.astype(float), mass.astype(float))
            for key, (value, mass) in figures.items()
            if mass.any()
        }
    return found


def _moved(item: Passage, record: Mapping[str, Any], base: Mapping[str, Any]) -> bool:
    """Whether belief in the item's ``toward`` rose (``more``) or fell (``less``) from the base."""
    if item.meta["relation"] not in ("more", "less"):
        return False
    task, _, label = str(item.meta.get("toward")).partition("=")
    if label not in record.get(f"{task}_p", {}):
        raise InputError(
            f"{item.id}: toward {item.meta.get('toward')!r}; expected task=label of the model's"
        )
    change = record[f"{task}_p"][label] - base[f"{task}_p"][label]
    return bool(change > 0 if item.meta["relation"] == "more" else change < 0)
