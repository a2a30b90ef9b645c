#!/usr/bin/env python3
"""Fits the trees that give the probability that an announced beat is right.

Needs what observation.py needs, and the output of the same command for each corpus:

  cargo xtask ear --corpus CORPUS --events EVENTS         writes EVENTS/ID.confidence and EVENTS/ID.jsonl
  confidence.py CORPUS EVENTS [CORPUS EVENTS]...          prints, for music that was held out, the share of right beats by confidence
  confidence.py CORPUS EVENTS [CORPUS EVENTS]... --write  writes crates/k1-engine/src/audio/confidence_trees.rs

A beat is right if a true beat is within 70 ms and its tempo equals that of the true beats there: every second beat at double
tempo falls on a true beat, but is wrong. Each excerpt has the same weight.
"""
import json
import sys
from pathlib import Path

import lightgbm
import numpy as np
from observation import is_annotated, piece_of, write_sum

NEAR_S, FIRST_S = 0.07, 3.0
# Number and scale of the features, and the index of the beat's length, which is in units of 16 hops.
FEATURES, SCALE, LENGTH = 16, 1024, 2
HOP_S, SAME = 0.008, 1.15
PARTS, ROUNDS, LEAVES = 5, 40, 6
SETTINGS = dict(
    objective="binary", num_leaves=LEAVES, learning_rate=0.1, min_data_in_leaf=400, lambda_l2=20, feature_fraction=0.6,
    bagging_fraction=0.5, bagging_freq=1, max_bin=63, num_threads=1, seed=1, verbose=-1,
)
TEMPI = ((0, 70), (70, 90), (90, 110), (110, 130), (130, 160), (160, 999))
BANDS = ((0, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 0.85), (0.85, 1.01))


def excerpts(corpus, events):
    """For each excerpt with known beats: piece, features, whether each announced beat is right, and the true tempo there."""
    for path in sorted((corpus / "gt").glob("*.json")):
        beats = np.array([float(line.split()[0]) for line in path.with_suffix(".beats").read_text().splitlines() if line.strip()])
        told = events / f"{path.stem}.confidence"
        if not is_annotated(json.loads(path.read_text()), beats) or not told.exists():
            continue
        lines = [json.loads(line) for line in (events / f"{path.stem}.jsonl").read_text().splitlines()]
        t = np.array([line["t"] for line in lines if line["kind"] == "beat"])
        features = np.fromfile(told, dtype="<i2").reshape(-1, FEATURES)
        use = (t > max(FIRST_S, beats[0] - NEAR_S)) & (t < beats[-1] + NEAR_S)
        t, features = t[use], features[use]
        if len(t) == 0:
            continue
        nearest = np.abs(beats[:, None] - t).argmin(0)
        length = np.diff(beats)[np.clip(nearest - 1, 0, len(beats) - 2)]
        ratio = features[:, LENGTH] / SCALE * 16 * HOP_S / length
        right = (np.abs(beats[nearest] - t) <= NEAR_S) & (ratio < SAME) & (ratio > 1 / SAME)
        yield piece_of(path.stem), features, right, 60 / length


def fit(data):
    features = np.vstack([x for _, x, _, _ in data])
    right = np.concatenate([y for _, _, y, _ in data])
    weight = np.concatenate([np.full(len(y), 1 / len(y)) for _, _, y, _ in data])
    return lightgbm.train(SETTINGS, lightgbm.Dataset(features, right.astype(int), weight=weight / weight.mean()), ROUNDS)


def table(name, announced, right, bpm):
    print(f"{name}: right for announced (of how many)")
    for low, high in TEMPI:
        cells = []
        for least, most in BANDS:
            among = (bpm >= low) & (bpm < high) & (announced >= least) & (announced < most)
            cells.append(f"{right[among].mean():.2f} for {announced[among].mean():.2f} ({among.sum()})" if among.any() else "-")
        print(f"  {low:3} to {high:3} BPM" + "".join(f"{cell:>24}" for cell in cells))


def main():
    folders = [Path(a) for a in sys.argv[1:] if not a.startswith("--")]
    corpora = [list(excerpts(c, e)) for c, e in zip(folders[::2], folders[1::2])]
    data = [x for corpus in corpora for x in corpus]
    if "--write" in sys.argv:
        return write_sum(fit(data), "confidence_trees", "Trees that judge whether an announced beat is right", "confidence.py", LEAVES, len(data))
    part = {piece: n % PARTS for n, piece in enumerate(sorted({x[0] for x in data}))}
    told = {}
    for n in range(PARTS):
        model = fit([x for x in data if part[x[0]] != n])
        told |= {id(x): model.predict(x[1]) for x in data if part[x[0]] == n}
    for folder, corpus in zip(folders[::2], corpora):
        table(folder.name, *(np.concatenate(c) for c in zip(*[(told[id(x)], x[2], x[3]) for x in corpus])))


if __name__ == "__main__":
    main()
