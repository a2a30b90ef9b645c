#!/usr/bin/env python3
"""Scores librosa's onset detector as `cargo xtask ear --corpus CORPUS` scores K1's.

Needs Python 3 with numpy and librosa (pip install librosa; nothing of K1 depends on it):

  onsets.py CORPUS

It hears the same samples (CORPUS/audio16/ID.wav) in hops of the same 8 ms, all at once, with its own settings; K1 hears
them as they come. The rules are those of xtask/src/ear/onsets.rs: 50 ms, one to one, the first 5 s do not count.
"""
import sys
from pathlib import Path

import librosa
import numpy as np

RATE, HOP, NEAR_S, SKIP_S = 16_000, 128, 0.05, 5.0


def hits(truth, found):
    """Differences of pairs of two rising lists within NEAR_S; the first near entry is taken."""
    t = f = 0
    apart = []
    while t < len(truth) and f < len(found):
        d = found[f] - truth[t]
        if abs(d) <= NEAR_S:
            apart.append(d)
            t, f = t + 1, f + 1
        elif d < 0:
            f += 1
        else:
            t += 1
    return apart


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    corpus = Path(sys.argv[1])
    rows = []
    for path in sorted((corpus / "gt").glob("*.onsets")):
        truth = np.atleast_1d(np.loadtxt(path))
        sound, _ = librosa.load(corpus / "audio16" / f"{path.stem}.wav", sr=RATE)
        found = librosa.onset.onset_detect(y=sound, sr=RATE, hop_length=HOP, units="time")
        truth, found = truth[truth >= SKIP_S], found[found >= SKIP_S]
        if len(truth) < 4:
            continue
        apart = hits(truth, found)
        n, late = len(apart), 1e3 * np.median(apart or [np.nan])
        rows.append((2 * n / (len(truth) + len(found)), n / max(1, len(found)), n / len(truth), late))
    f, precision, recall, placed = np.array(rows).T
    print(
        f"{len(rows)} files: F {f.mean():.3f}, precision {precision.mean():.3f}, recall {recall.mean():.3f}, "
        f"placed {np.nanmedian(placed):.1f} ms after the onset"
    )


if __name__ == "__main__":
    main()
