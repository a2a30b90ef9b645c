#!/usr/bin/env python3
"""Fits the trees that distinguish the tempo of the beat from related tempi (half, double, two thirds ...) by how the music repeats.

Needs what observation.py needs, and the features that the same command writes:

  cargo xtask ear --corpus CORPUS --events EVENTS     writes EVENTS/ID.features
  metrical_level.py CORPUS EVENTS                     prints how often the right tempo wins in excerpts that were held out
  metrical_level.py CORPUS EVENTS [MORE EVENTS]... --write
                                                      writes crates/k1-engine/src/audio/metrical_level_trees.rs

Each further corpus, as made by eighths.py, has half the weight of the first.

The features are computed as in crates/k1-engine/src/audio/metrical_level.rs, once a second for the tempo of the beat and
its relatives. Each excerpt has the same weight. The tempo itself is not a feature: the listener's expectation is in the
prior of the state space.
"""
import sys
from pathlib import Path

import lightgbm
import numpy as np
from observation import BEATLESS, HOP_S, SCALE, is_annotated, known, piece_of, write_sum

STEP_S = 2 * HOP_S
MEMORY_S, MEAN_S = 6.0, 1.5
HALF_BEATS = (1, 2, 4, 6, 8)
LAGS = 312
# Columns of the total rise two hops ago, and of new notes.
CURVES = (2, 21)
RELATIVES = (1 / 3, 1 / 2, 2 / 3, 3 / 4, 1, 4 / 3, 3 / 2, 2, 3)
# Shortest and longest beat of the state space, in hops.
SHORTEST, LONGEST = 34, 155
# First second that is used, and the largest relative change of the beat's length for an unambiguous tempo.
FIRST_S, STEADY = 3.0, 0.06
PARTS = 5
OTHERS = 0.5
ROUNDS, LEAVES = 100, 4
SETTINGS = dict(
    objective="binary", num_leaves=LEAVES, learning_rate=0.1, min_data_in_leaf=300, lambda_l2=20, feature_fraction=0.5,
    bagging_fraction=0.5, bagging_freq=1, max_bin=63, num_threads=1, seed=1, verbose=-1,
)


def likenesses(rows):
    """The autocorrelations of the curves, once a second: (second, array of lag and curve)."""
    curves = rows[:, CURVES].astype(float) / SCALE
    curves[rows[:, -1] != 0] = 0
    steps = curves[: len(curves) // 2 * 2].reshape(-1, 2, len(CURVES)).mean(1)
    keep, mean, heard = np.exp(-STEP_S / MEAN_S), np.zeros(len(CURVES)), []
    for x in steps:
        mean = x + (mean - x) * keep
        heard.append(x - mean)
    past = np.concatenate([np.zeros((LAGS, len(CURVES))), heard])
    keep, sums, out = np.exp(-STEP_S / MEMORY_S), np.zeros((LAGS, len(CURVES))), []
    every = round(1 / STEP_S)
    for t in range(len(heard)):
        sums = sums * keep + past[t + LAGS] * past[t + LAGS : t : -1]
        if (t + 1) % every == 0:
            out.append(((t + 1) * STEP_S, sums))
    return out


def features(sums, period):
    """The features of metrical_level.rs for a beat of `period` hops."""
    out = []
    for halves in HALF_BEATS:
        quarters = halves * period
        lag, around = int(quarters / 4), max(1, int(3 * quarters / 1000))
        near = sums[max(1, lag - around) : min(LAGS, lag + around + 2)]
        out += list(near.max(0) / np.maximum(sums[0], 1e-6))
    return (np.clip(out, -2, 2) * SCALE).astype(int)


def questions(corpus, events):
    """For each tempo: features, whether it is that of the beat, and the numbers of the excerpt, its piece and the moment."""
    asked, pieces, moment = [], {}, 0
    for number, (name, about, beats, rows) in enumerate(known(corpus, events)):
        if about["group"] == BEATLESS or not is_annotated(about, beats):
            continue
        piece = pieces.setdefault(piece_of(name), len(pieces))
        for t, sums in likenesses(rows):
            at = np.searchsorted(beats, t)
            if t < FIRST_S or not 3 <= at < len(beats):
                continue
            length, before = (beats[at] - beats[at - 2]) / 2, (beats[at - 1] - beats[at - 3]) / 2
            if abs(before / length - 1) > STEADY:
                continue
            moment += 1
            for ratio in RELATIVES:
                period = ratio * length / HOP_S
                if SHORTEST <= period <= LONGEST:
                    asked.append((features(sums, period), ratio == 1, number, piece, moment))
    return [np.array(column) for column in zip(*asked)]


def weights(excerpt):
    """Equal weights for all excerpts; they add up to 1."""
    _, which, count = np.unique(excerpt, return_inverse=True, return_counts=True)
    return 1 / count[which] / len(count)


def fit(features, right, weight):
    return lightgbm.train(SETTINGS, lightgbm.Dataset(features, right, weight=weight * len(weight)), ROUNDS)


def main():
    folders = [Path(a) for a in sys.argv[1:] if not a.startswith("--")]
    asked = [questions(corpus, events) for corpus, events in zip(folders[::2], folders[1::2])]
    if "--write" in sys.argv:
        weight = np.concatenate([weights(a[2]) * (OTHERS if n else 1) for n, a in enumerate(asked)])
        model = fit(np.vstack([a[0] for a in asked]), np.concatenate([a[1] for a in asked]), weight)
        excerpts = sum(len(np.unique(a[2])) for a in asked)
        return write_sum(model, "metrical_level_trees", "Trees that judge whether a tempo is the tempo of the beat", "metrical_level.py", LEAVES, excerpts)
    features, right, excerpt, piece, moment = asked[0]
    odds = np.zeros(len(right))
    for part in range(PARTS):
        out = piece % PARTS == part
        odds[out] = fit(features[~out], right[~out], weights(excerpt[~out])).predict(features[out], raw_score=True)
    told, by_chance = {}, {}
    for m in np.unique(moment):
        asked = np.flatnonzero(moment == m)
        told.setdefault(excerpt[asked[0]], []).append(right[asked[odds[asked].argmax()]])
        by_chance.setdefault(excerpt[asked[0]], []).append(1 / len(asked))
    each = [np.mean(moments) for moments in told.values()]
    chance = np.mean([np.mean(moments) for moments in by_chance.values()])
    print(f"the right tempo is told in {np.mean(each):.3f} of the seconds of {len(each)} excerpts, by chance in {chance:.3f}")


if __name__ == "__main__":
    main()
