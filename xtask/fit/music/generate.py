#!/usr/bin/env python3
"""Training music without end: annotated excerpts of 30 to 40 s, mono at 16 kHz, with beats and bars from the score.

  generate.py --seed N --hours H OUT [--beatless N]

writes OUT/audio16/ID.wav, OUT/gt/ID.beats (seconds, position in the bar) and OUT/gt/ID.json. Of five excerpts with
beats, three are in a musician's style (IDs begin with m) and two are by the grammar (g). Sound without a beat (n) does
not count as hours. A piece depends on the seed and its number only, and existing pieces are kept: a larger H adds to
what is there.

`source` in ID.json is the family that a split must not divide; `sound` is what plays it.

Needs Python 3 with numpy, scipy and mido, the packages fluidsynth, mma and espeak-ng, and the soundfonts that
soundfont.py names: `apt-get install fluidsynth mma espeak-ng fluid-soundfont-gm timgm6mb-soundfont
musescore-general-soundfont-small opl3-soundfont avldrums.lv2-soundfont`. Sounds and styles keep their licences; nothing
audible is part of this repository. An hour of music takes about two minutes on one core.
"""

import argparse
import json
import re
import time
from pathlib import Path

import numpy as np
from scipy.io import wavfile

import accompaniment
import beatless
import grammar
import render
from score import DRUMS, perform

RATE = 16000
# Peaks lie between these levels (dB below full scale): the network must not care.
LEVELS = (-12, -1)
COMPOSED = 46
KINDS = {"styles": "m", "grammar": "g", "beatless": "n"}
ORDER = ("styles", "grammar", "styles", "grammar", "styles")


def styles(seed, number, rng):
    """An excerpt in a musician's style: (sound, performance, what is known of it)."""
    deck = [style for style in accompaniment.styles() for _ in range(accompaniment.weight(style[0]))]
    order = np.random.default_rng([seed, number // len(deck)]).permutation(len(deck))
    style, usual = deck[order[number % len(deck)]]
    score, bpm, detail = accompaniment.compose(style, usual, rng, COMPOSED)
    if all(note[0] == DRUMS for note in score.notes) and rng.random() < 0.75:
        detail = grammar.accompany(score, rng)
    swing = rng.uniform(0.02, 0.07) if rng.random() < 0.06 else 0.0
    performance = perform(score, bpm, rng, swing, 4)
    sound, name = render.play(performance, rng)
    family = re.sub(r"[-\d]+$", "", style)
    return (
        sound,
        performance,
        dict(group="mma", source=f"mma:{family}", style=style, detail=detail, sound=name, bpm=bpm),
    )


def grammatical(seed, number, rng):
    score, bpm, swing, swung, kind, player = grammar.compose(rng, COMPOSED)
    performance = perform(score, bpm, rng, swing, swung)
    sound, name = render.play(performance, rng, player)
    return (
        sound,
        performance,
        dict(group="grammar", source=f"grammar:{kind}", style=kind, detail="", sound=name, bpm=bpm),
    )


def excerpt(sound, performance, rng):
    """30 to 40 s that begin anywhere in the first bars, and the beats within."""
    start = round(rng.uniform(0, 3) * RATE) / RATE if rng.random() < 0.6 else 0.0
    end = min(len(sound) / RATE, start + rng.uniform(30, 40))
    sound = sound[round(start * RATE) : round(end * RATE)]
    peak = np.abs(sound).max()
    if peak < 1e-3 or len(sound) < 20 * RATE:
        raise RuntimeError(f"{len(sound) / RATE:.1f} s of sound with a peak of {peak:.4f}")
    beats = [(second - start, position) for second, position in performance.beats if start <= second < end - 0.05]
    return sound / peak * 10 ** (rng.uniform(*LEVELS) / 20), beats


def save(out, name, sound, beats, about):
    wavfile.write(out / "audio16" / f"{name}.wav", RATE, np.round(sound * 32767).astype(np.int16))
    (out / "gt" / f"{name}.beats").write_text("".join(f"{second:.4f}\t{position}\n" for second, position in beats))
    # Written last: a piece without it is made again.
    (out / "gt" / f"{name}.json").write_text(json.dumps(about) + "\n")


def make(out, seed, kind, number, without_beat=beatless.WITH_MUSIC):
    """Makes the piece unless it exists; returns what is known of it. `without_beat` are kinds of sound without a beat."""
    name = f"{KINDS[kind]}{seed}_{number:05d}"
    known = out / "gt" / f"{name}.json"
    if known.exists():
        return json.loads(known.read_text())
    rng = np.random.default_rng([seed, list(KINDS).index(kind), number])
    if kind == "beatless":
        what, sound = beatless.compose(number, rng, without_beat)
        about, beats, metre, curve = dict(group="nobeat", source=f"nobeat:{what}"), [], None, None
    else:
        sound, performance, about = (styles if kind == "styles" else grammatical)(seed, number, rng)
        sound, beats = excerpt(sound, performance, rng)
        metre, curve = performance.metre, performance.tempo
    about = dict(id=name, cls="gold", meter=metre, dur=len(sound) / RATE, tempo=curve, **about)
    save(out, name, sound, beats, about)
    return about


def main():
    parser = argparse.ArgumentParser(description="Makes training music.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hours", type=float, default=8.0)
    parser.add_argument("--beatless", type=int, default=108, help="how many excerpts without a beat")
    args = parser.parse_args()
    for folder in ("audio16", "gt"):
        (args.out / folder).mkdir(parents=True, exist_ok=True)
    without_beat = beatless.WITH_MUSIC if args.hours else beatless.KINDS
    began, made, failed = time.time(), 0.0, 0
    count = dict.fromkeys(KINDS, 0)
    turn = 0
    while made < args.hours * 3600 or count["beatless"] < args.beatless:
        kind = ORDER[turn % len(ORDER)]
        if count["beatless"] < args.beatless and (turn % 6 == 5 or made >= args.hours * 3600):
            kind = "beatless"
        number, count[kind], turn = count[kind], count[kind] + 1, turn + 1
        try:
            about = make(args.out, args.seed, kind, number, without_beat)
        except RuntimeError as error:
            failed += 1
            print(f"{kind} {number}: {error}", flush=True)
            continue
        made += about["dur"] * (kind != "beatless")
        print(f"{about['id']} {made / 3600:.3f} h in {time.time() - began:.0f} s: {about['source']}", flush=True)
    print(f"{count}, of which {failed} were not made: {made / 3600:.2f} h with beats")


if __name__ == "__main__":
    main()
