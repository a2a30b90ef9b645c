#!/usr/bin/env python3
"""Fits the trees of the ear's observation model: how likely each metrical position of a beat is, given what is heard.

Needs Python 3 with numpy and lightgbm (pip install lightgbm; K1 itself does not depend on it), and:

  cargo xtask ear --corpus CORPUS --events EVENTS     writes EVENTS/ID.features
  observation.py CORPUS EVENTS                        prints the likelihood on kinds of music that were held out
  observation.py CORPUS EVENTS --write                writes crates/k1-engine/src/audio/observation_trees.rs

Each excerpt has the same weight, and so has each position. The difference of two sums is therefore the logarithm of a
likelihood ratio. The moments are those near a position, and those near no position.
"""
import json
import sys
from pathlib import Path

import lightgbm
import numpy as np

HOP_S = 0.008
# A row of features is written at the end of its hop; it describes the moment this many seconds earlier.
JUDGED_AFTER_S = 0.044
NEAR_S = 0.013
FAR_S = (0.04, 0.035, 0.03, 0.03)
# In the first seconds the followers are still settling.
FIRST_S = 2.0
SCALE = 8192
ROUNDS, LEAVES = 60, 8
CLASSES = 5
# Column of the total rise at the described moment.
RISE = 3
# The kind of music without a beat, and the weight of such an excerpt, because there are few of them.
BEATLESS, BEATLESS_WEIGHT = "nobeat", 2
SETTINGS = dict(
    objective="multiclass", num_class=CLASSES, num_leaves=LEAVES, learning_rate=0.1, min_data_in_leaf=400, lambda_l2=20,
    feature_fraction=0.7, bagging_fraction=0.5, bagging_freq=1, max_bin=63, num_threads=1, seed=1, verbose=-1,
)


def known(corpus, events):
    """Name, entry, beats in seconds and rows of features of each file of the corpus."""
    for path in sorted((corpus / "gt").glob("*.json")):
        lines = path.with_suffix(".beats").read_text().splitlines()
        beats = np.array([float(line.split()[0]) for line in lines if line.strip()])
        rows = np.fromfile(events / f"{path.stem}.features", dtype="<i2").reshape(-1, 35)
        yield path.stem, json.loads(path.read_text()), beats, rows


def is_annotated(about, beats):
    return about["cls"] in ("gold", "silver") and len(beats) >= 8


def piece_of(name):
    """The piece of a file: other versions of it, such as through a microphone, are held out together."""
    return name.split("_", 1)[1]


def excerpts(corpus, events):
    """(name, kind, features, class) of each excerpt with known beats or without beats."""
    for name, about, beats, rows in known(corpus, events):
        if about["group"] == BEATLESS:
            # Without a beat, every moment lies between the positions.
            features = rows[rows[:, -1] == 0, :-1]
            yield (name, BEATLESS, features, np.zeros(len(features), int))
        elif is_annotated(about, beats):
            yield (name, about["group"], *classes(rows, beats))


def classes(rows, beats):
    """Features and class of each moment that has one: 0 between the positions, then beat, half, quarters, thirds."""
    t = (np.arange(len(rows)) + 1) * HOP_S - JUDGED_AFTER_S
    beat = np.searchsorted(beats, t) - 1
    use = (beat >= 0) & (beat < len(beats) - 1) & (rows[:, -1] == 0) & (t > FIRST_S)
    t, beat, features = t[use], beat[use], rows[use, :-1]
    length = beats[beat + 1] - beats[beat]
    phase = (t - beats[beat]) / length

    def away(position):
        return np.abs((phase - position + 0.5) % 1 - 0.5) * length

    first, second = away(1 / 3), away(2 / 3)
    positions = [away(0), away(0.5), np.minimum(away(0.25), away(0.75)), np.minimum(first, second)]
    rise = features[:, RISE].astype(float)

    def accent(distance):
        near = distance < 0.02
        return rise[near].mean() / max(rise.mean(), 1e-9) if near.any() else 0.0

    quarters, thirds = max(accent(away(0.25)), accent(away(0.75))), max(accent(first), accent(second))
    is_ternary = thirds > max(1.2 * quarters, 0.6) and accent(second) > accent(positions[1])
    for absent in (1, 2) if is_ternary else (3,):
        positions[absent] = positions[absent] + 9
    which = np.full(len(t), -1)
    which[np.all([d > far for d, far in zip(positions, FAR_S)], axis=0)] = 0
    for position in (3, 2, 1, 0):
        which[positions[position] < NEAR_S] = position + 1
    usual = (length > 0.25) & (length < 1.3) & (which >= 0)
    return features[usual], which[usual]


def fit(data):
    features, which = np.concatenate([x for *_, x, _ in data]), np.concatenate([y for *_, y in data])
    weight = np.concatenate([
        np.full(len(y), (BEATLESS_WEIGHT if kind == BEATLESS else 1) / max(len(y), 1)) for _, kind, _, y in data
    ])
    weight *= len(which) / CLASSES / np.bincount(which, weight, CLASSES)[which]
    return lightgbm.train(SETTINGS, lightgbm.Dataset(features, which, weight=weight), ROUNDS)


def likelihood(model, data):
    """Mean log-likelihood of the right class; chance is -1.609."""
    def of(features, which):
        score = model.predict(features, raw_score=True)
        score -= np.log(np.exp(score).sum(1, keepdims=True))
        return np.mean([score[which == c, c].mean() for c in range(CLASSES) if (which == c).any()])

    return np.mean([of(x, y) for _, kind, x, y in data if kind != BEATLESS])


def tree(structure, leaves_most=LEAVES):
    """(splits, leaves): a split is (feature, limit, child at or below it, child above it); a negative child is the leaf !child."""
    splits, leaves = [], []

    def add(node):
        if "leaf_value" in node:
            leaves.append(round(node["leaf_value"] * SCALE))
            return -len(leaves)
        at = len(splits)
        splits.append(None)
        below, above = add(node["left_child"]), add(node["right_child"])
        splits[at] = (node["split_feature"], int(np.floor(node["threshold"])), below, above)
        return at

    if add(structure) < 0:
        splits.append((0, 0, -1, -1))
    splits += [(0, 0, -1, -1)] * (leaves_most - 1 - len(splits))
    leaves += [0] * (leaves_most - len(leaves))
    return splits, leaves


def write_sum(model, table, about, script, leaves, excerpts):
    """Writes the trees of a model with one output as `crates/k1-engine/src/audio/TABLE.rs`."""
    trees = [tree(t["tree_structure"], leaves) for t in model.dump_model()["tree_info"]]
    lines = [
        f"//! {about}. Generated by xtask/fit/{script}; do not edit.\n",
        "use super::tree::Split;\n",
        f"/// The splits and leaves (in 1/{SCALE}) of each tree, fitted on {excerpts} excerpts.",
        "#[rustfmt::skip]",
        f"pub(super) static {table.upper()}: [([Split; {leaves - 1}], [i16; {leaves}]); {len(trees)}] = [",
    ]
    lines += ["    ([" + ", ".join(str(s) for s in splits) + "], " + str(ends) + ")," for splits, ends in trees]
    path = Path(__file__).parents[2] / f"crates/k1-engine/src/audio/{table}.rs"
    path.write_text("\n".join(lines) + "\n];\n")
    print(f"{path.name}: {len(trees)} trees")


def write(model, excerpts):
    trees = [tree(t["tree_structure"]) for t in model.dump_model()["tree_info"]]
    lines = [
        "//! The trees of the observation model. Generated by xtask/fit/observation.py; do not edit.\n",
        "/// Splits (feature, limit, child at or below the limit, child above it; a negative child `n` is the leaf `!n`), and",
        "/// leaves in 1/8192.",
        f"pub(super) type Tree = ([(u8, i16, i8, i8); {LEAVES - 1}], [i16; {LEAVES}]);\n",
        f"/// Rounds of one tree per class, fitted on {excerpts} excerpts. Classes: between the paths, beat, half, quarters, thirds.",
        "#[rustfmt::skip]",
        f"pub(super) static TREES: [[Tree; {CLASSES}]; {ROUNDS}] = [",
    ]
    for i in range(0, len(trees), CLASSES):
        lines.append("    [")
        for splits, leaves in trees[i:i + CLASSES]:
            lines.append("        ([" + ", ".join(str(s) for s in splits) + "], " + str(leaves) + "),")
        lines.append("    ],")
    path = Path(__file__).parents[2] / "crates/k1-engine/src/audio/observation_trees.rs"
    path.write_text("\n".join(lines) + "\n];\n")
    print(f"{path.name}: {len(trees)} trees")


def main():
    corpus, events = Path(sys.argv[1]), Path(sys.argv[2])
    data = list(excerpts(corpus, events))
    if "--write" in sys.argv:
        model = fit(data)
        print(f"{len(data)} excerpts, {likelihood(model, data):.4f} on themselves")
        return write(model, len(data))
    held_out = []
    for kind in sorted({d[1] for d in data} - {BEATLESS}):
        test = [d for d in data if d[1] == kind]
        names = {piece_of(d[0]) for d in test}
        told = likelihood(fit([d for d in data if d[1] != kind and piece_of(d[0]) not in names]), test)
        held_out += [told] * len(test)
        print(f"{kind:8} {told:.4f}")
    print(f"together {np.mean(held_out):.4f}, chance {-np.log(CLASSES):.4f}")


if __name__ == "__main__":
    main()
