#!/usr/bin/env python3
"""Labels recordings where beat trackers agree, from what trackers.py recorded.

  recordings.py order OFFLINE.json ORDER.json               the list for madmom: first where Essentia and librosa agree
  recordings.py label OFFLINE.json MADMOM.json OUT.json     the labels, or why there are none

The longest part of at least 30 s is kept in which two trackers agree with an F-measure of 0.9 at the same metrical
level; its beats are madmom's or, of a recording that madmom has not heard, Essentia's. A recording is dropped if
madmom disagrees with both others. Bars are madmom's, and count only if the low notes and the changes of the harmony
are most at their beginnings.
"""

import collections
import json
import os
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import modules
from trackers import known, sound

WINDOW_S, LEAST_S, LEAST_F = 0.07, 30.0, 0.9
MADMOM_S = 60
# Less agreement than this promises nothing.
HOPELESS_F = 0.3
# Least share of beats whose place follows the place of the beat before.
STEADY = 0.97
MARGIN = 0.15


def matched(a, b):
    """Whether each beat of `a` is near a beat of `b`, each of which counts once."""
    hit, j = np.zeros(len(a), bool), 0
    for i, t in enumerate(a):
        while j < len(b) and b[j] < t - WINDOW_S:
            j += 1
        if j < len(b) and b[j] <= t + WINDOW_S:
            hit[i] = True
            j += 1
    return hit


def f_measure(a, b, begin=0.0, end=np.inf):
    a, b = ([t for t in x if begin - WINDOW_S <= t <= end + WINDOW_S] for x in (a, b))
    return 2 * matched(a, b).sum() / max(1, len(a) + len(b))


def agreement(a, b):
    """(seconds, begin, end, F-measure) of the longest part in which the trackers agree, or zeros."""
    a, b, best = np.asarray(a), np.asarray(b), (0.0, 0.0, 0.0, 0.0)
    hit = matched(a, b)
    sums = np.concatenate([[0], np.cumsum(hit)])
    first, last = np.searchsorted(b, a - WINDOW_S), np.searchsorted(b, a + WINDOW_S, side="right")
    for i in np.flatnonzero(hit):
        for j in np.flatnonzero(hit)[::-1]:
            if a[j] - a[i] <= best[0]:
                break
            f = 2 * (sums[j + 1] - sums[i]) / (j - i + 1 + last[j] - first[i])
            if f >= LEAST_F:
                best = float(a[j] - a[i]), float(a[i]), float(a[j]), float(f)
                break
    return best


def places(path, start, beats, found, begin, end):
    """(beats per bar, place of each beat) or None, and the evidence of each place or the reason."""
    found = [(t, place) for t, place in found if begin - 0.1 <= t <= end + 0.1]
    if not found:
        return None, "no bars"
    times, place = np.array([t for t, _ in found]), np.array([p for _, p in found])
    if f_measure(times, beats, begin, end) < LEAST_F:
        return None, "the bars have other beats"
    bar = int(place.max())
    if np.mean(place[1:] == place[:-1] % bar + 1) < STEADY:
        return None, "the bars jump"
    rise, chroma = modules.fluxes(sound(path, start, end + 2).astype(np.float32) / 32768)
    change = modules.novelty(chroma, times, float(np.median(np.diff(times))))
    evidence = modules.z(modules.at(rise, times)[:, 0]) + 1.5 * modules.z(change)
    by_place = np.array([evidence[place == p + 1].mean() for p in range(bar)])
    if by_place[0] < by_place[1:].max() + MARGIN:
        return None, "the harmony contradicts the bars"
    nearest = [int(np.argmin(np.abs(times - t))) for t in beats]
    own = [int(place[k]) if abs(times[k] - t) <= WINDOW_S else 0 for k, t in zip(nearest, beats)]
    return (bar, own), [round(float(v), 2) for v in by_place]


def label(path, heard, madmom):
    """Fields of the recipe or None, and the evidence of the bars or the reason."""
    best = "madmom" if madmom else "essentia"
    beats = madmom["beats"] if madmom else heard["essentia"]
    others = ("essentia", "librosa") if madmom else ("librosa",)
    (seconds, begin, end, f), other = max((agreement(beats, heard[name]), name) for name in others)
    if seconds < LEAST_S:
        return None, "madmom agrees with neither" if madmom else "two trackers disagree"
    bars, why = None, "not heard by madmom"
    if madmom:
        bars, why = places(path, heard["start"], beats, madmom["bars"], begin, end)
    begin, end = max(0.0, begin - 0.3), min(heard["seconds"], end + 0.3)
    inside = [k for k, t in enumerate(beats) if begin <= t <= end]
    fields = {
        "start": round(heard["start"] + begin, 2),
        "seconds": round(end - begin, 2),
        "beats_per_bar": bars[0] if bars else 0,
        "trackers": [best, other],
        "agreement": round(f, 3),
        "beats": [round(beats[k] - begin, 3) for k in inside],
    }
    if bars:
        fields["places"] = [bars[1][k] for k in inside]
    return fields, why


def package(path, folder):
    return Path(path).relative_to(folder).parts[0]


def order(offline, out):
    heard = known(offline)
    folder, turns, rows = os.path.commonpath([str(Path(p).parent) for p in heard]), collections.Counter(), []
    f = {path: f_measure(d["essentia"], d["librosa"]) for path, d in heard.items()}
    agree = {path: agreement(d["essentia"], d["librosa"])[0] >= LEAST_S for path, d in heard.items()}
    # One recording of each package after another.
    for path in sorted(heard, key=lambda p: (not agree[p], -f[p])):
        turns[package(path, folder)] += 1
        if agree[path] or f[path] > HOPELESS_F:
            rows.append((not agree[path], turns[package(path, folder)], path))
    parts = [(path, heard[path]["start"], min(MADMOM_S, heard[path]["seconds"])) for *_, path in sorted(rows)]
    entries = [{"file": path, "start": start, "seconds": seconds} for path, start, seconds in parts]
    Path(out).write_text(json.dumps(entries))
    print(sum(agree.values()), "of", len(heard), "agree")


def labels(offline, madmom, out):
    by_madmom = known(madmom)
    done = {path: label(path, heard, by_madmom.get(path)) for path, heard in known(offline).items()}
    Path(out).write_text(json.dumps(done))
    kept = [fields for fields, _ in done.values() if fields]
    hours, bars = sum(fields["seconds"] for fields in kept) / 3600, sum(fields["beats_per_bar"] > 0 for fields in kept)
    print(f"{len(kept)} of {len(done)} recordings, {hours:.2f} h, {bars} with bars")
    for why, count in collections.Counter(why if isinstance(why, str) else "bars" for _, why in done.values()).items():
        print(f"{count:5} {why}")


def main():
    tools = {("order", 4): order, ("label", 5): labels}
    tool = tools.get((sys.argv[1] if len(sys.argv) > 1 else "", len(sys.argv)))
    if not tool:
        sys.exit(__doc__)
    tool(*sys.argv[2:])


if __name__ == "__main__":
    main()
