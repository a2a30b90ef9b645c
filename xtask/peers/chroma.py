#!/usr/bin/env python3
"""Compares K1's twelve pitch classes with librosa's, moment by moment.

Needs Python 3 with numpy and librosa (pip install librosa; nothing of K1 depends on it), and:

  cargo xtask ear --corpus CORPUS --events EVENTS     writes EVENTS/ID.chroma
  chroma.py CORPUS EVENTS

librosa hears the same samples (CORPUS/audio16/ID.wav) with its own settings: chroma_cqt of seven octaves from C1, and
of K1's five from A2, chroma_stft. It looks ahead and K1 cannot, so K1 is compared as it is and with the one delay that
suits it best over all files. Moments in which either is silent are left out, and so are sounds without a note.

cosine    mean cosine of the angle between two chromas; no value is negative, so that chance is far above 0
centred   the same without the mean of the twelve: which of them stand out
class     share of seconds in which the same pitch class is the strongest, of the mean of that second
"chance" is K1 against the same file half its length later, which may well be in the same key.
"""
import json
import sys
from pathlib import Path

import librosa
import numpy as np

RATE, HOP = 16_000, 512
DELAYS = np.arange(0.0, 0.42, 0.02)


def at(chroma, times):
    """Values at any time, interpolated between frames; frame k is centred on k hops."""
    frames = np.arange(chroma.shape[1]) * HOP / RATE
    return np.stack([np.interp(times, frames, row) for row in chroma], axis=1)


def cosine(a, b):
    length = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    heard = length > 1e-9
    return float(np.mean((a * b).sum(1)[heard] / length[heard])) if heard.any() else np.nan


def centred(a, b):
    return cosine(a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True))


def same_class(a, b, times):
    right = []
    for second in range(int(times[-1]) + 1):
        here = (times >= second) & (times < second + 1)
        x, y = a[here].sum(0), b[here].sum(0)
        if x.max(initial=0) > 0 and y.max(initial=0) > 0:
            right.append(x.argmax() == y.argmax())
    return float(np.mean(right)) if right else np.nan


def hear(corpus, events, name):
    """Times and values of K1's chroma of a file, and three of librosa's."""
    sound, _ = librosa.load(corpus / "audio16" / f"{name}.wav", sr=RATE)
    table = np.loadtxt(events / f"{name}.chroma", ndmin=2)
    times, k1 = table[:, 0], table[:, 1:]
    cqt = librosa.feature.chroma_cqt(y=sound, sr=RATE, hop_length=HOP)
    a2 = librosa.note_to_hz("A2")
    five = librosa.feature.chroma_cqt(y=sound, sr=RATE, hop_length=HOP, fmin=a2, n_octaves=5)
    stft = librosa.feature.chroma_stft(y=sound, sr=RATE, hop_length=HOP)
    return times, k1, cqt, five, stft


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    corpus, events = map(Path, sys.argv[1:])
    files = []
    for path in sorted((corpus / "gt").glob("*.json")):
        entry = json.loads(path.read_text())
        if entry["group"] != "nobeat":
            files.append((entry["group"] in ("real", "unannot"), hear(corpus, events, path.stem)))
    by_delay = [np.nanmean([cosine(k1, at(cqt, t - d)) for _, (t, k1, cqt, _, _) in files]) for d in DELAYS]
    best = DELAYS[int(np.argmax(by_delay))]

    def rolled(x):
        return np.roll(x, len(x) // 2, axis=0)

    rows = {
        "K1, chroma_cqt": lambda t, k1, cqt, five, stft: (k1, at(cqt, t)),
        f"K1 {best:.2f} s earlier, chroma_cqt": lambda t, k1, cqt, five, stft: (k1, at(cqt, t - best)),
        f"K1 {best:.2f} s earlier, five octaves": lambda t, k1, cqt, five, stft: (k1, at(five, t - best)),
        "chroma_stft, chroma_cqt": lambda t, k1, cqt, five, stft: (at(stft, t), at(cqt, t)),
        "chroma_cqt of five, of seven octaves": lambda t, k1, cqt, five, stft: (at(five, t), at(cqt, t)),
        "chance": lambda t, k1, cqt, five, stft: (rolled(k1), at(cqt, t)),
    }
    real = sum(is_real for is_real, _ in files)
    print(f"{'':<36}{f'{real} real recordings':>34}{f'all {len(files)} files':>34}")
    print(f"{'':<36}" + f"{'cosine':>14}{'centred':>10}{'class':>10}" * 2)
    for name, pair in rows.items():
        line = f"{name:<36}"
        for only_real in (True, False):
            chosen = [(pair(*heard), heard[0]) for is_real, heard in files if is_real or not only_real]
            angles = [np.nanmean([angle(a, b) for (a, b), _ in chosen]) for angle in (cosine, centred)]
            classes = np.nanmean([same_class(a, b, t) for (a, b), t in chosen])
            line += f"{angles[0]:>14.3f}{angles[1]:>10.3f}{classes:>10.3f}"
        print(line)


if __name__ == "__main__":
    main()
