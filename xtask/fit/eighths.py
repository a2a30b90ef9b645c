#!/usr/bin/env python3
"""Synthesises annotated music in straight eighths as a corpus, to distinguish a slow beat from its double.

Needs Python 3 with numpy and scipy.

  eighths.py OUT COUNT SEED [--slow]     writes OUT/audio16/ID.wav and OUT/gt/ID.{beats,json}; --slow: 58 to 86 BPM only

Drums, basses, chords and arpeggios play random patterns of common styles: kick on each beat with a hat between, rock with
eighths on the hat, off-beat bass, ballads in piano eighths, shaker and clap, half-time. Half of the pieces are slow. The
other half has the same patterns at 90 to 180 BPM, so that a model cannot learn to prefer slow tempi.
"""
import json
import sys
from pathlib import Path

import numpy as np
from scipy.io import wavfile
from scipy.signal import butter, sosfilt

RATE = 16_000
SECONDS = 32
A = np.arange


def band(x, low, high):
    return sosfilt(butter(2, [low, min(high, 7_800)], "bandpass", fs=RATE, output="sos"), x)


class Kit:
    """Drums whose sound is drawn once per piece."""

    def __init__(self, r):
        t = A(int(0.5 * RATE)) / RATE
        noise = r.standard_normal(len(t))
        drop, low, length = r.uniform(1, 4), r.uniform(42, 68), r.uniform(0.05, 0.16)
        turn = low * t + drop * (1 - np.exp(-t / 0.03))
        self.kick = np.sin(2 * np.pi * turn) * np.exp(-t / length) + r.uniform(0, 0.5) * noise * np.exp(-t / 0.003)
        body = np.sin(2 * np.pi * r.uniform(160, 240) * t) * np.exp(-t / r.uniform(0.03, 0.08))
        self.snare = 0.6 * body + r.uniform(0.5, 1) * band(noise, r.uniform(300, 1500), 7000) * np.exp(-t / r.uniform(0.05, 0.14))
        self.hat = band(noise, r.uniform(3500, 6000), 7800) * np.exp(-t / r.uniform(0.01, 0.05)) * 1.6
        self.open = band(noise, r.uniform(3000, 5000), 7800) * np.exp(-t / r.uniform(0.1, 0.25)) * 1.4
        clap = sum(np.exp(-((t - d) % 1) / 0.01) * (t >= d) for d in (0, 0.01, 0.021)) / 3
        self.clap = band(noise, 700, 3500) * (clap + np.exp(-t / 0.08)) * 1.2
        swell = np.minimum(t / 0.02, 1) * np.exp(-np.maximum(t - 0.02, 0) / r.uniform(0.02, 0.05))
        self.shaker = band(noise, 2500, 7000) * swell


def tone(r, kind, hz, seconds):
    t = A(int((seconds + 0.3) * RATE)) / RATE
    off = np.exp(-np.maximum(t - seconds, 0) / 0.05)
    if kind == "pad":
        return np.minimum(t / 0.25, 1) * off * sum(np.sin(2 * np.pi * hz * k * t + k) / k for k in (1, 2, 3))
    if kind == "organ":
        return np.minimum(t / 0.01, 1) * off * sum(np.sin(2 * np.pi * hz * k * t) for k in (1, 2, 4)) * 0.5
    if kind == "saw":
        return np.minimum(t / 0.005, 1) * off * sum(np.sin(2 * np.pi * hz * k * t) / k for k in range(1, 9)) * np.exp(-t / 0.8)
    # Piano and guitar: higher partials decay sooner.
    return np.minimum(t / 0.004, 1) * off * sum(np.sin(2 * np.pi * hz * k * t) / k * np.exp(-t * k / 0.7) for k in range(1, 7))


def put(x, at, what, gain):
    i = int(round(at * RATE))
    if i < 0:
        what, i = what[-i:], 0
    n = min(len(what), len(x) - i)
    if n > 0:
        x[i : i + n] += gain * what[:n]


CHORDS = [(0, 4, 7), (9, 12, 16), (5, 9, 12), (7, 11, 14), (2, 5, 9), (4, 7, 11)]


def drums(r, style, step):
    """Strokes of one bar of eight eighths: (drum, eighth, gain)."""
    hits = []
    if style == "kick_hat":
        hits += [("kick", 2 * b, 1) for b in range(4)] + [("hat", 2 * b + 1, r.uniform(0.25, 0.7)) for b in range(4)]
    elif style == "rock":
        hits += [("kick", 0, 1), ("kick", 4, 0.9), ("snare", 2, 0.8), ("snare", 6, 0.8)]
        hits += [("hat", e, 0.4 if e % 2 == 0 else step["weak"]) for e in range(8)]
        hits += [("kick", e, 0.8) for e in step["extra"]]
    elif style == "floor":
        hits += [("kick", 2 * b, 1) for b in range(4)] + [("open", 2 * b + 1, 0.45) for b in range(4)]
        hits += [("clap", 2, 0.6), ("clap", 6, 0.6)]
    elif style == "half_time":
        hits += [("kick", 0, 1), ("snare", 4, 0.9)] + [("hat", e, 0.4 if e % 2 == 0 else step["weak"]) for e in range(8)]
        hits += [("kick", e, 0.7) for e in step["extra"]]
    elif style == "shaker":
        hits += [("shaker", e, 0.6 if e % 2 == 0 else 0.6 * step["weak"] / 0.4) for e in range(8)] + [("clap", 2, 0.5), ("clap", 6, 0.5)]
    elif style == "backbeat":
        hits += [("kick", 0, 1), ("kick", 4, 1), ("snare", 2, 0.8), ("snare", 6, 0.8)]
    return hits


def piece(r, slow):
    bpm = r.uniform(58, 86) if slow else 2 ** r.uniform(np.log2(90), np.log2(180))
    beat = 60 / bpm
    style = r.choice(["kick_hat", "rock", "floor", "half_time", "shaker", "backbeat", "none"], p=[0.16, 0.26, 0.12, 0.1, 0.1, 0.1, 0.16])
    melody = r.choice(["none", "eighths", "arpeggio", "quarters", "pad"], p=[0.12, 0.3, 0.25, 0.13, 0.2])
    bass = r.choice(["none", "eighths", "quarters", "halves", "off"], p=[0.2, 0.3, 0.25, 0.15, 0.1])
    if style == "none" and melody in ("none", "pad"):
        melody = r.choice(["eighths", "arpeggio"])
    step = {"weak": r.uniform(0.15, 0.42), "extra": [e for e in (3, 5, 7) if r.random() < 0.25]}
    kit, x = Kit(r), np.zeros(SECONDS * RATE)
    voice, low = r.choice(["piano", "organ", "saw"]), r.choice(["saw", "piano", "organ"])
    key = 55 * 2 ** (r.integers(0, 12) / 12)
    hz = lambda semitones, octave: key * 2 ** octave * 2 ** (semitones / 12)
    first, human = r.uniform(0.1, 1.2), r.choice([0, 0, 0.004, 0.008])
    loud = dict(drums=r.uniform(0.4, 1), melody=r.uniform(0.1, 0.5), bass=r.uniform(0.2, 0.6))
    accent = r.uniform(0.55, 1)
    progression = [CHORDS[i] for i in r.integers(0, len(CHORDS), 4)]
    per_chord = r.choice([1, 1, 2])
    beats, bar = [], 0
    while first + bar * 4 * beat < SECONDS:
        chord = progression[bar // per_chord % 4]
        at = lambda eighth: first + (4 * bar + eighth / 2) * beat + (r.normal(0, human) if human else 0)
        beats += [(first + (4 * bar + b) * beat, b + 1) for b in range(4)]
        for drum, eighth, gain in drums(r, style, step):
            put(x, at(eighth), getattr(kit, drum), loud["drums"] * gain * r.uniform(0.9, 1.1))
        if melody == "eighths":
            for e in range(8):
                for note in chord:
                    put(x, at(e), tone(r, voice, hz(note, 2), 0.42 * beat), loud["melody"] * (1 if e % 2 == 0 else accent) * 0.5)
        elif melody == "arpeggio":
            order = [0, 1, 2, 1, 0, 1, 2, 1] if bar % 2 else [0, 2, 1, 2, 0, 2, 1, 2]
            for e in range(8):
                put(x, at(e), tone(r, voice, hz(chord[order[e]], 2), 0.5 * beat), loud["melody"] * (1 if e % 2 == 0 else accent))
        elif melody == "quarters":
            for b in range(4):
                for note in chord:
                    put(x, at(2 * b), tone(r, voice, hz(note, 2), 0.9 * beat), loud["melody"] * 0.5)
        elif melody == "pad":
            for note in chord:
                put(x, at(0), tone(r, "pad", hz(note, 2), 3.9 * beat), loud["melody"] * 0.3)
        lines = {"eighths": A(8), "quarters": A(0, 8, 2), "halves": A(0, 8, 4), "off": A(1, 8, 2), "none": []}[bass]
        for e in lines:
            note = chord[0] if e % 8 < 6 or r.random() < 0.7 else chord[2] - 12
            put(x, at(e), tone(r, low, hz(note, 0), 0.4 * beat if bass in ("eighths", "off") else 0.9 * beat), loud["bass"] * (1 if e % 2 == 0 else accent))
        bar += 1
    room = r.choice([0, 0, 0.2, 0.4])
    if room:
        tail = r.standard_normal(int(0.5 * RATE)) * np.exp(-A(int(0.5 * RATE)) / RATE / r.uniform(0.06, 0.18))
        wet = np.convolve(x, tail / np.linalg.norm(tail))[: len(x)]
        x = x + room * wet
    x += 10 ** (r.uniform(-70, -45) / 20) * r.standard_normal(len(x))
    x *= 10 ** (r.uniform(-16, -2) / 20) / np.abs(x).max()
    about = dict(style=str(style), melody=str(melody), bass=str(bass), tempo=bpm)
    return x, [(t, b) for t, b in beats if t < SECONDS - 0.05], about


def main():
    out, count, seed, only_slow = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), "--slow" in sys.argv
    for folder in ("audio16", "gt"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    for n in range(count):
        r = np.random.default_rng([seed, n])
        x, beats, about = piece(r, only_slow or n % 2 == 0)
        name = f"eighths_{seed}_{n:03}"
        wavfile.write(out / f"audio16/{name}.wav", RATE, (np.clip(x, -1, 1) * 32_767).astype("<i2"))
        (out / f"gt/{name}.beats").write_text("".join(f"{t:.4f}\t{b}\n" for t, b in beats))
        about = dict(id=name, kind="eighths", group=about["style"], cls="gold", dur=SECONDS, tempo_changes=[], n_beats=len(beats), **about)
        (out / f"gt/{name}.json").write_text(json.dumps(about))


if __name__ == "__main__":
    main()
