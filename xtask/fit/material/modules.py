#!/usr/bin/env python3
"""Decides how the rows of tracker modules make beats and bars, and which modules do not tell.

  modules.py OUT.json FOLDER...     (needs libopenmpt0; numpy, scipy)

Rows that begin beats hold more onsets than others, and so do rows that begin bars, where also the low notes are and
the harmony changes. The rows are known exactly; only their meaning is decided here. A module is dropped when the
onsets fit two meanings nearly as well, or when a part of it does not fit.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np
from scipy.signal import resample_poly

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import openmpt

ENDINGS = (".mod", ".xm", ".s3m", ".it", ".mtm", ".stm", ".669", ".ult", ".far", ".umx", ".mo3")
RATE, HOP, SIZE = 22_050, 220, 1024
# Of chroma.
HARMONY_HOP, HARMONY_SIZE = 2205, 8192
BANDS_HZ = ((30, 160), (160, 1500), (1500, 9000))
WEIGHTS = np.array([1.0, 0.7, 0.7])
HEARD_S, SHORTEST_S = 122, 25
SHORTEST_BEAT_S, LONGEST_BEAT_S = 0.34, 0.92
# The most usual tempo, and the spread of tempi in octaves.
USUAL_BPM, SPREAD = 118, 0.45


def spectra(samples, size, hop, count):
    window = np.hanning(size).astype(np.float32)
    for begin in range(0, count, 500):
        n = min(count, begin + 500) - begin
        frames = np.lib.stride_tricks.as_strided(samples[begin * hop :], (n, size), (hop * 4, 4))
        yield begin, np.abs(np.fft.rfft(frames * window, axis=1))


def fluxes(x):
    """Rise of the log energy per frame and band, and chroma per frame, of samples at 44.1 kHz."""
    y = np.ascontiguousarray(resample_poly(x, 1, 2), np.float32)
    count = 1 + (len(y) - SIZE) // HOP
    hz = np.fft.rfftfreq(SIZE, 1 / RATE)
    energy = np.zeros((count, len(BANDS_HZ)), np.float32)
    for begin, s in spectra(y, SIZE, HOP, count):
        for k, (low, high) in enumerate(BANDS_HZ):
            energy[begin : begin + len(s), k] = (s[:, (hz >= low) & (hz < high)] ** 2).sum(1)
    logs = np.log10(energy / (energy.max(0) + 1e-9) + 1e-4)
    rise = np.zeros_like(logs)
    rise[3:] = np.maximum(0, logs[3:] - logs[:-3])
    count = max(0, 1 + (len(y) - HARMONY_SIZE) // HARMONY_HOP)
    hz = np.fft.rfftfreq(HARMONY_SIZE, 1 / RATE)
    used = (hz > 60) & (hz < 2000)
    tone = np.round(12 * np.log2(hz[used] / 440)).astype(int) % 12
    chroma = np.zeros((count, 12), np.float32)
    for begin, s in spectra(y, HARMONY_SIZE, HARMONY_HOP, count):
        for k, frame in enumerate(s[:, used] ** 0.7):
            chroma[begin + k] = np.bincount(tone, frame, 12)
    chroma /= np.linalg.norm(chroma, axis=1, keepdims=True) + 1e-9
    return rise, chroma


def at(rise, times):
    """The largest rise close to each time, per band."""
    frame = np.round((np.asarray(times) - SIZE / 4 / RATE) * RATE / HOP).astype(int)
    return np.max([rise[np.clip(frame + d, 0, len(rise) - 1)] for d in range(-1, 4)], axis=0)


def novelty(chroma, times, beat):
    """Change of the harmony at each time: from the beat before to the beat after."""
    rate, middle = RATE / HARMONY_HOP, HARMONY_SIZE / 2 / HARMONY_HOP
    out = np.zeros(len(times))
    for k, t in enumerate(times):
        a, b, c = (int((t + d) * rate - middle) for d in (-beat, 0, beat))
        if 0 <= a < b < c <= len(chroma):
            u, v = chroma[a:b].sum(0), chroma[b:c].sum(0)
            out[k] = 1 - u @ v / (np.linalg.norm(u) * np.linalg.norm(v) + 1e-9)
    return out


def explained(values, phase, period):
    """Share of the variance that the phase explains, adjusted for the number of phases."""
    groups = [values[phase == p] for p in range(period)]
    rest = sum(((g - g.mean()) ** 2).sum() for g in groups if len(g))
    return 1 - rest / max(1, len(values) - period) / (values.var() + 1e-12) * (len(values) - 1) / len(values)


def z(values):
    return (values - values.mean()) / (values.std() + 1e-9)


def backbeat(bands, row, k):
    """How much low notes prefer the first and third of four beats, and high ones the others."""
    high, low, place = bands[:, 2] + 0.5 * bands[:, 1], bands[:, 0], row // k % 4
    on = row % k == 0
    odd, even = on & (place % 2 == 1), on & (place % 2 == 0)
    if not odd.any() or not even.any():
        return 0.0
    return low[even].mean() - low[odd].mean() + high[odd].mean() - high[even].mean()


def levels(bands, strength, row, row_s, counts):
    """For each count of rows that can be a beat: (score, count, strength over other rows, half beats, low ones)."""
    found = []
    for k in counts:
        beat = k * row_s
        if not SHORTEST_BEAT_S <= beat <= LONGEST_BEAT_S:
            continue
        on, off = row % k == 0, row % k != 0
        half = row % k == k // 2 if k % 2 == 0 else off
        over = strength[on].mean() / (strength[off].mean() + 1e-6)
        over_half = strength[on].mean() / (strength[half].mean() + 1e-6)
        low = bands[on, 0].mean() / (bands[half, 0].mean() + 1e-6)
        usual = -0.5 * (np.log2(60 / beat / USUAL_BPM) / SPREAD) ** 2
        score = usual + 2.5 * backbeat(bands, row, k) + 0.4 * min(over_half, 2.5) + 0.3 * min(low, 2)
        found.append((score, k, over, over_half, low))
    return sorted(found, reverse=True)


def bar_of(bands, strength, chroma, times, row, k, row_s, lengths):
    """Beats per bar, or 0 if the notes do not tell."""
    on = row % k == 0
    beat = row[on] // k
    evidence = z(novelty(chroma, times[on], k * row_s)) + 0.5 * z(strength[on]) + 0.5 * z(bands[on, 0])
    # Patterns of 2^n rows begin with a bar of four unless the notes contradict it.
    plain = all(n & (n - 1) == 0 for n in lengths)
    best = (0.0, 0)
    for m in (3, 4):
        if any(n % (k * m) for n in lengths):
            continue
        by_place = np.array([evidence[beat % m == p].mean() for p in range(m)])
        margin = -0.05 if plain and m == 4 else 0.12
        if by_place[0] > by_place[1:].max() + margin:
            best = max(best, (explained(evidence, beat % m, m), m))
    return best[1]


def judge(x, rows, patterns):
    """(rows per beat, beats per bar or 0) or None, and the figures or the reason."""
    times, row = np.array([r[0] for r in rows]), np.array([r[2] for r in rows])
    if len(x) < SHORTEST_S * 44_100 or len(rows) < 100:
        return None, "short"
    row_s = float(np.median(np.diff(times)))
    rise, chroma = fluxes(x)
    bands = at(rise, times)
    strength = bands @ WEIGHTS
    if (strength > 0.3).mean() < 0.08:
        return None, "few onsets"
    share = {p: explained(strength, row % p, p) for p in (2, 3, 4, 6, 8, 16)}
    # What factors of two and of three explain beyond the alternation of rows.
    even = max(0.0, share[2])
    duple, triple = max(share[4], share[8], share[16]) - even / 2, max(share[3], share[6] - even)
    figures = {"row_s": round(row_s, 4), "duple": round(duple, 3), "triple": round(triple, 3)}
    if max(duple, triple) < 0.06:
        return None, ("no period", figures)
    if abs(duple - triple) < 0.03:
        return None, ("two or three", figures)
    found = levels(bands, strength, row, row_s, (2, 4, 8, 16) if duple > triple else (3, 6, 12, 24))
    figures["levels"] = [[round(float(v), 2) for v in level] for level in found]
    if not found:
        return None, ("no beat fits", figures)
    if len(found) > 1 and found[0][0] - found[1][0] < 0.35:
        return None, ("two levels fit", figures)
    _, k, over, over_half, low = found[0]
    if over < 1.15:
        return None, ("beats are not stronger", figures)
    if over_half < 0.95 or low < 0.8:
        return None, ("half beats are stronger", figures)
    for part in np.array_split(np.arange(len(row)), 3):
        on = row[part] % k == 0
        if strength[part].any() and strength[part][on].mean() < strength[part][~on].mean():
            return None, ("a part does not fit", figures)
    lengths = {patterns[r[3]] for r in rows if patterns[r[3]] >= 16}
    return (k, bar_of(bands, strength, chroma, times, row, k, row_s, lengths)), figures


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    out = {}
    for path in sorted(p for folder in sys.argv[2:] for p in Path(folder).rglob("*")):
        name = path.name.lower()
        if not path.is_file() or not (name.endswith(ENDINGS) or name.startswith("mod.")):
            continue
        try:
            x, rows, patterns, duration = openmpt.render(path, HEARD_S)
            good, why = judge(x, rows, patterns)
        except ValueError as e:
            good, why, duration = None, str(e), 0
        out[str(path)] = good, {**why, "seconds": round(duration, 1)} if good else why
        print(path, *out[str(path)], flush=True)
        Path(sys.argv[1]).write_text(json.dumps(out))


if __name__ == "__main__":
    main()
