#!/usr/bin/env python3
"""Labels recordings where beat trackers agree, from what trackers.py recorded.

  recordings.py order TRACKERS.json ORDER.json           the files for madmom, those first where two other trackers agree
  recordings.py label TRACKERS.json MADMOM.json OUT.json

A part of at least 30 s is kept in which two independent trackers agree with an F-measure of 0.9 at the same metrical
level. Essentia's and librosa's beats alone are not enough when madmom hears others. Bars are madmom's; they count only
if the harmony and the low notes also change most at their beginnings.
"""
import json, os, sys
import numpy as np
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

WINDOW_S, LEAST_S, LEAST_F = 0.07, 30.0, 0.9


def matched(a, b):
    """Whether each beat of `a` is near a beat of `b`, each of which counts once."""
    hit, j = np.zeros(len(a), bool), 0
    for i, t in enumerate(a):
        while j < len(b) and b[j] < t - WINDOW_S: j += 1
        if j < len(b) and b[j] <= t + WINDOW_S: hit[i] = True; j += 1
    return hit


def agreement(a, b):
    """(seconds, begin, end, F) of the longest part in which `b` agrees with `a`."""
    a, b = np.asarray(a), np.asarray(b)
    if len(a) < 8 or len(b) < 8: return (0, 0, 0, 0)
    hit = matched(a, b)
    sums = np.concatenate([[0], np.cumsum(hit)])
    places = np.searchsorted(b, a - WINDOW_S), np.searchsorted(b, a + WINDOW_S, side='right')
    best = (0, 0, 0, 0)
    ok = np.where(hit)[0]
    for i in ok:
        for j in ok[::-1]:
            if a[j] - a[i] <= max(best[0], 0): break
            f = 2 * (sums[j + 1] - sums[i]) / (j - i + 1 + places[1][j] - places[0][i])
            if f >= LEAST_F: best = (a[j] - a[i], a[i], a[j], f); break
    return best


def f_measure(a, b, begin, end):
    a, b = (np.asarray([t for t in x if begin - WINDOW_S <= t <= end + WINDOW_S]) for x in (a, b))
    return 2 * matched(a, b).sum() / max(1, len(a) + len(b))


def bars(path, start, beats, found, begin, end):
    """Places in the bar of `beats`, or why they are unknown."""
    import modules
    from trackers import sound
    b = np.array([t for t, _ in found]); p = np.array([n for _, n in found])
    inside = (b >= begin - 0.1) & (b <= end + 0.1)
    b, p = b[inside], p[inside]
    if len(b) < 24 or f_measure(b, beats, begin, end) < 0.9: return None, 'the bars have other beats'
    m = int(p.max())
    if np.mean((p[1:] == p[:-1] % m + 1)) < 0.97: return None, 'bars with jumps'
    x = sound(path, start, end + 2).astype(np.float32) / 32768
    rise, chroma = modules.fluxes(x)
    beat = float(np.median(np.diff(b)))
    z = lambda v: (v - v.mean()) / (v.std() + 1e-9)
    low, change = z(modules.at(rise, b)[:, 0]), z(modules.novelty(chroma, b, beat))
    by = np.array([(low + 1.5 * change)[p == k + 1].mean() for k in range(m)])
    if by[0] < np.max(by[1:]) + 0.15: return None, f'the harmony says otherwise'
    place = []
    for t in beats:
        k = int(np.argmin(np.abs(b - t)))
        place.append(int(p[k]) if abs(b[k] - t) <= WINDOW_S else 0)
    return (m, place), [round(float(v), 2) for v in by]


def main():
    heard = json.load(open(sys.argv[2]))
    if sys.argv[1] == 'order':
        rows = []
        for path, d in heard.items():
            s, begin, end, f = agreement(d['essentia'], d['librosa'])
            part = f_measure(d['essentia'], d['librosa'], 0, 1e9)
            # Certain agreement first: there it gives the bar. Then the half agreed.
            rows.append((bool(s >= LEAST_S), part, path, d))
        # One piece of each package at a time.
        rows.sort(key=lambda r: (-r[0], -r[1]))
        turn, seen = {}, {}
        for r in rows:
            package = os.path.relpath(r[2], os.path.commonpath([x[2] for x in rows])).split('/')[0]
            seen[package] = seen.get(package, 0) + 1; turn[r[2]] = seen[package]
        rows.sort(key=lambda r: (not r[0], turn[r[2]]))
        print(sum(r[0] for r in rows), 'of', len(rows), 'agree')
        json.dump([dict(file=r[2], start=r[3]['start'], seconds=min(60, r[3]['seconds'])) for r in rows if r[0] or r[1] > 0.3], open(sys.argv[3], 'w'))
        return
    mad = json.load(open(sys.argv[3])) if os.path.exists(sys.argv[3]) else {}
    out = {}
    for path, d in heard.items():
        m = mad.get(path)
        tries = []
        if m:
            for other in ('essentia', 'librosa'): tries.append((agreement(m['beats'], d[other]), 'madmom', other, m['beats']))
        else: tries.append((agreement(d['essentia'], d['librosa']), 'essentia', 'librosa', d['essentia']))
        (s, begin, end, f), best, other, beats = max(tries, key=lambda t: t[0][0])
        if s < LEAST_S:
            out[path] = (None, 'madmom agrees with none' if m else 'the two trackers disagree'); continue
        steps = np.diff([t for t in beats if begin <= t <= end])
        # A steady tempo may be heard everywhere, also when nothing plays.
        begin2 = max(0, begin - 0.3)
        end2 = min(d['seconds'], end + 0.3)
        use = [t for t in beats if begin2 <= t <= end2]
        places, why = (bars(path, d['start'], use, m['bars'], begin, end) if m else (None, 'not heard by madmom'))
        good = dict(start=round(d['start'] + begin2, 2), seconds=round(end2 - begin2, 2), beats_per_bar=places[0] if places else 0,
                    trackers=f'{best}, {other}', agreement=round(float(f), 3), beats=[round(t - begin2, 2 if best == 'librosa' else 3) for t in use])
        if places: good['places'] = places[1]
        out[path] = (good, why)
    json.dump(out, open(sys.argv[4], 'w'))
    kept = [g for g, _ in out.values() if g]
    print(len(kept), 'of', len(out), 'kept,', round(sum(g['seconds'] for g in kept) / 3600, 2), 'h;', sum(bool(g['beats_per_bar']) for g in kept), 'with bars')
    import collections
    print(collections.Counter(str(w) if not isinstance(w, list) else 'bars' for _, w in out.values()))


if __name__ == '__main__':
    main()
