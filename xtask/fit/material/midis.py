#!/usr/bin/env python3
"""Decides which MIDI files hold a beat grid that their notes keep, and whether their bars can be trusted."""
import bisect, glob, gzip, io, json, os, sys
import numpy as np
import mido
import mido.midifiles.meta as meta

# Some files hold key signatures that mido refuses; the key does not matter here.
meta.MetaSpec_key_signature.decode = lambda self, message, data: setattr(message, 'key', 'C')


class TempoMap:
    def __init__(self, tempos, tpb):
        d = {0: 500000}
        d.update(tempos)
        self.tpb, self.ticks, self.us, self.s = tpb, sorted(d), [], []
        s = pt = 0
        pu = d[0]
        for k in self.ticks:
            s += (k - pt) * pu / 1e6 / tpb
            pt, pu = k, d[k]
            self.s.append(s); self.us.append(pu)

    def __call__(self, tick):
        i = bisect.bisect_right(self.ticks, tick) - 1
        return self.s[i] + (tick - self.ticks[i]) * self.us[i] / 1e6 / self.tpb


def read(path):
    data = gzip.open(path).read() if path.endswith('.gz') else open(path, 'rb').read()
    m = mido.MidiFile(file=io.BytesIO(data), clip=True)
    a, tempos, sigs, notes = 0, {}, {}, []
    for x in mido.merge_tracks(m.tracks):
        a += x.time
        if x.type == 'set_tempo': tempos[a] = x.tempo
        elif x.type == 'time_signature': sigs[a] = (x.numerator, x.denominator)
        elif x.type == 'note_on' and x.velocity > 0: notes.append((a, x.note, x.velocity, x.channel))
    return m, TempoMap(tempos, m.ticks_per_beat), sigs, notes, a


def grid(m, tm, sigs, end, unit=None, shift=0):
    """[(tick, position)], beat in quarters of the first signature."""
    tpb = m.ticks_per_beat
    s = dict(sigs)
    if 0 not in s: s[0] = s[min(s)] if s and min(s) < tpb else (4, 4)
    ks = sorted(s); out = []
    for i, k in enumerate(ks):
        n, q = s[k]; e = ks[i + 1] if i + 1 < len(ks) else end
        step = unit * tpb if unit else tpb * 1.5 if q == 8 and n % 3 == 0 and n >= 6 else tpb * 4 / q
        nb = n * tpb * 4 / q / step
        if abs(nb - round(nb)) > 0.01: nb = 0
        nb = int(round(nb)); j = 0
        while k + j * step < e - 1e-6:
            out.append((k + j * step, j % nb + 1 if nb else 0)); j += 1
    return out


def judge(path):
    m, tm, sigs, notes, end = read(path)
    if m.type == 2: return None, 'type 2'
    if len(notes) < 150: return None, 'few notes'
    length = tm(end)
    if length < 25: return None, 'short'
    if not tm.ticks or (len(tm.ticks) == 1 and tm.us[0] == 500000 and not sigs): note_default = True
    else: note_default = False
    sig = sigs[min(sigs)] if sigs and min(sigs) < m.ticks_per_beat else (4, 4)
    info = dict(sig=sig, sigs=len(set(sigs.values())), tempi=len(tm.ticks), length=round(length, 1))
    best = None
    for unit in (None, 0.5, 2):
        b = grid(m, tm, sigs, end, unit)
        bt = np.array([x[0] for x in b])
        sec = np.array([tm(x) for x in bt])
        if len(sec) < 16: continue
        beat = float(np.median(np.diff(sec)))
        if not 0.33 <= beat <= 1.0: continue
        prior = -0.5 * (np.log2(60 / beat / 112) / 0.45) ** 2 - (0 if unit is None else 0.6)
        if best is None or prior > best[0]: best = (prior, unit, b, bt, sec, beat)
    if best is None: return None, ('no tempo fits', info)
    _, unit, b, bt, sec, beat = best
    info.update(beat=round(beat, 3), unit=unit)
    t = np.array([n[0] for n in notes], float); w = np.array([n[2] for n in notes], float); w = w / 100
    i = np.searchsorted(bt, t + 1e-6) - 1; ok = (i >= 0) & (i < len(bt) - 1)
    i, t2, w2 = i[ok], t[ok], w[ok]; pitch = np.array([n[1] for n in notes])[ok]; ch = np.array([n[3] for n in notes])[ok]
    ph = (t2 - bt[i]) / (bt[i + 1] - bt[i])
    def near(div, tol=0.045): return np.abs(ph * div - np.round(ph * div)) / div < tol
    four, three = near(4).mean(), near(3).mean()
    on = w2[near(1)].sum()
    count = lambda p: w2[np.abs(ph - p) < 0.05].sum()
    half, q, third = count(.5), (count(.25) + count(.75)) / 2, (count(1 / 3) + count(2 / 3)) / 2
    info.update(four=round(float(four), 2), three=round(float(three), 2), on=round(float(on / w2.sum()), 2), half=round(float(half / w2.sum()), 2))
    # a grid by chance holds 36 % and 27 % of the notes
    if max(four, three) < 0.8: return None, ('notes off the grid', info)
    deep = (pitch < 52) & (ch != 9) | (ch == 9) & np.isin(pitch, (35, 36))
    deep_on, deep_half = w2[deep & near(1)].sum(), w2[deep & (np.abs(ph - .5) < 0.05)].sum()
    # A score that was written on the grid is believed with less: its low notes must prefer the beat.
    strict = max(four, three) > 0.95 and on > 0.75 * max(half, q, third) and deep_on > 1.15 * deep_half
    if not strict and on < 1.15 * max(half, q, third): return None, ('beat not stronger', info)
    # Low notes and drums at each place of the bar
    nb = np.array([x[1] for x in b]); pos = np.where(ph > 0.95, nb[np.minimum(i + 1, len(nb) - 1)], nb[i]); hit = near(1)
    low = (pitch < 52) & (ch != 9) & hit; kick = (ch == 9) & np.isin(pitch, (35, 36)) & hit; crash = (ch == 9) & np.isin(pitch, (49, 57)) & hit
    snare = (ch == 9) & np.isin(pitch, (38, 40, 39)) & hit
    big = int(nb.max()) if nb.max() > 0 else 0
    bar = 0
    if big >= 2:
        n = np.bincount(nb, minlength=big + 1)[1:] + 1e-9
        f = lambda s: np.array([w2[s & (pos == p + 1)].sum() for p in range(big)]) / n
        every = f(hit); ev = f(low) / (every.mean() + 1e-9) + f(kick) / (every.mean() + 1e-9) + 0.6 * every / (every.mean() + 1e-9) + 2 * f(crash) / (every.mean() + 1e-9) - f(snare) / (every.mean() + 1e-9)
        info['places'] = [round(float(v), 2) for v in ev]
        rest = np.sort(ev[1:])[-1]
        # The third beat of four may be as strong as the first; then the signature decides.
        if ev[0] > rest * 1.03 + 0.02 or (big == 4 and ev[2] == rest and ev[0] > 0.95 * rest): bar = big
        if unit is not None or big not in (2, 3, 4, 5, 6, 7): bar = 0
    info['bar'] = bar
    return (unit, bar), info


if __name__ == '__main__':
    out = {}
    for p in sys.argv[2:]:
        for f in sorted(glob.glob(f'{p}/**/*', recursive=True)):
            if not f.lower().endswith(('.mid', '.midi', '.kar', '.mid.gz')): continue
            try: r = judge(f)
            except Exception as e: r = (None, repr(e))
            out[f] = r
            print(f[len('/work/fit/packages/'):], r, flush=True)
    json.dump(out, open(sys.argv[1], 'w'))
