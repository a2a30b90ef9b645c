#!/usr/bin/env python3
"""Decides which MIDI files and ABC tunes have notes that keep the beat grid, and whether their bars can be trusted.

  midis.py OUT.json FOLDER...     (needs abcmidi for ABC tunes; mido, numpy)

A file that was played in without a metronome has notes everywhere between the beats, and is dropped; so is one whose
half beats are stronger than its beats. The bars of the time signature count only if the low notes, the kick drum and
the crash cymbals prefer their beginnings.
"""

import bisect
import gzip
import io
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import mido
import mido.midifiles.meta as meta
import numpy as np

ENDINGS = (".mid", ".midi", ".kar", ".mid.gz")
FEWEST_NOTES, SHORTEST_S = 150, 25
SHORTEST_BEAT_S, LONGEST_BEAT_S = 0.33, 1.0
USUAL_BPM, SPREAD = 112, 0.45
# Parts of a beat: by chance, 36 % of the notes are this close to quarters of it.
CLOSE = 0.045
ON_GRID, EXACTLY_ON_GRID = 0.8, 0.95
DRUMS, KICKS, SNARES, CRASHES, LOW = 9, (35, 36), (38, 39, 40), (49, 57), 52

# Some files have key signatures that mido refuses. The key does not matter here.
meta.MetaSpec_key_signature.decode = lambda self, message, data: setattr(message, "key", "C")


class Tempo:
    """Seconds of a tick."""

    def __init__(self, tempi, ticks_per_beat):
        tempi = {0: 500_000, **tempi}
        self.ticks_per_beat, self.begins, self.lengths, self.seconds = ticks_per_beat, sorted(tempi), [], []
        second, before, length = 0.0, 0, tempi[0]
        for tick in self.begins:
            second += (tick - before) * length / 1e6 / ticks_per_beat
            before, length = tick, tempi[tick]
            self.seconds.append(second)
            self.lengths.append(length)

    def __call__(self, tick):
        k = bisect.bisect_right(self.begins, tick) - 1
        return self.seconds[k] + (tick - self.begins[k]) * self.lengths[k] / 1e6 / self.ticks_per_beat


def content(path):
    """Bytes of a MIDI file, which may be compressed, or of a tune of an ABC file: FILE.abc#NUMBER."""
    file, _, tune = path.partition("#")
    if tune:
        with tempfile.TemporaryDirectory() as temp:
            out = Path(temp, "tune.mid")
            subprocess.run(["abc2midi", file, tune, "-o", out], check=True, stdout=subprocess.DEVNULL)
            return out.read_bytes()
    data = Path(file).read_bytes()
    return gzip.decompress(data) if file.endswith(".gz") else data


def read(path):
    """The file, its tempo, {tick: time signature}, notes as (tick, pitch, velocity, channel), and the last tick."""
    midi = mido.MidiFile(file=io.BytesIO(content(path)), clip=True)
    tick, tempi, signatures, notes = 0, {}, {}, []
    for x in mido.merge_tracks(midi.tracks):
        tick += x.time
        if x.type == "set_tempo":
            tempi[tick] = x.tempo
        elif x.type == "time_signature":
            signatures[tick] = x.numerator, x.denominator
        elif x.type == "note_on" and x.velocity > 0:
            notes.append((tick, x.note, x.velocity, x.channel))
    if 0 not in signatures:
        first = min(signatures, default=midi.ticks_per_beat)
        signatures[0] = signatures[first] if first < midi.ticks_per_beat else (4, 4)
    return midi, Tempo(tempi, midi.ticks_per_beat), signatures, notes, tick


def grid(midi, signatures, end, quarters=None):
    """Beats as (tick, place in the bar, 0 = unknown); `quarters` is their length unless the signature gives it."""
    quarter, begins, beats = midi.ticks_per_beat, sorted(signatures), []
    for begin, next_begin in zip(begins, [*begins[1:], end]):
        above, below = signatures[begin]
        compound = below == 8 and above % 3 == 0 and above >= 6
        beat = quarter * (quarters or (1.5 if compound else 4 / below))
        bar = above * quarter * 4 / below / beat
        bar = round(bar) if abs(bar - round(bar)) < 0.01 else 0
        count = int(np.ceil((next_begin - begin - 1e-6) / beat))
        beats += [(begin + k * beat, k % bar + 1 if bar else 0) for k in range(count)]
    return beats


def usual_beats(midi, tempo, signatures, end):
    """(quarters, beats, seconds of a beat) of the most usual tempo: the signature's beats, half or twice as long."""
    best = None
    for quarters in (None, 0.5, 2):
        beats = grid(midi, signatures, end, quarters)
        if len(beats) < 16:
            continue
        beat = float(np.median(np.diff([tempo(tick) for tick, _ in beats])))
        if SHORTEST_BEAT_S <= beat <= LONGEST_BEAT_S:
            usual = -0.5 * (np.log2(60 / beat / USUAL_BPM) / SPREAD) ** 2 - (0.6 if quarters else 0)
            if best is None or usual > best[0]:
                best = usual, quarters, beats, beat
    return best and best[1:]


class Notes:
    """Notes between the first and the last beat, and their places."""

    def __init__(self, notes, beats):
        ticks, places = np.array([b[0] for b in beats]), np.array([b[1] for b in beats])
        tick, pitch, velocity, channel = np.array(notes).T
        k = np.searchsorted(ticks, tick + 1e-6) - 1
        inside = (k >= 0) & (k < len(ticks) - 1)
        k = k[inside]
        self.phase = (tick[inside] - ticks[k]) / (ticks[k + 1] - ticks[k])
        self.place = np.where(self.phase > 0.95, places[k + 1], places[k])
        self.weight, pitch, drum = velocity[inside] / 100, pitch[inside], channel[inside] == DRUMS
        self.kick, self.snare, self.crash = (drum & np.isin(pitch, keys) for keys in (KICKS, SNARES, CRASHES))
        self.low = (pitch < LOW) & ~drum
        self.beats_at = np.bincount(places)

    def near(self, parts):
        """Whether each note is close to one of the equal parts of a beat."""
        return np.abs(self.phase * parts - np.round(self.phase * parts)) / parts < CLOSE

    def at(self, *phases):
        """Mean weight of all notes close to these phases, none of which is the beat."""
        return np.mean([self.weight[np.abs(self.phase - p) < 0.05].sum() for p in phases])

    def bar(self):
        """Beats per bar or 0, and the evidence for each place."""
        bar = int(self.place.max())
        if not 2 <= bar <= 7:
            return 0, []
        on = self.near(1)
        beats = self.beats_at[1 : bar + 1] + 1e-9

        def by_place(some):
            return np.array([self.weight[some & on & (self.place == p + 1)].sum() for p in range(bar)]) / beats

        every = by_place(np.ones_like(on))
        evidence = 0.6 * every + by_place(self.low) + by_place(self.kick)
        evidence += 2 * by_place(self.crash) - by_place(self.snare)
        evidence /= every.mean() + 1e-9
        rest = evidence[1:].max()
        # The third beat of four may be as strong as the first; then the signature decides.
        symmetric = bar == 4 and evidence[2] == rest and evidence[0] > 0.95 * rest
        good = evidence[0] > 1.03 * rest + 0.02 or symmetric
        return bar if good else 0, [round(float(v), 2) for v in evidence]


def judge(path):
    """(quarters of a beat or None for the signature's, beats per bar or 0) or None, and the figures or the reason."""
    midi, tempo, signatures, notes, end = read(path)
    if midi.type == 2:
        return None, "independent sequences"
    if len(notes) < FEWEST_NOTES:
        return None, "few notes"
    figures = {"seconds": round(tempo(end), 1), "signature": signatures[0]}
    if figures["seconds"] < SHORTEST_S:
        return None, "short"
    usual = usual_beats(midi, tempo, signatures, end)
    if not usual:
        return None, ("no beat fits", figures)
    quarters, beats, figures["beat_s"] = usual
    heard = Notes(notes, beats)
    on_grid = max(heard.near(4).mean(), heard.near(3).mean())
    on = heard.weight[heard.near(1)].sum()
    others = max(heard.at(0.5), heard.at(0.25, 0.75), heard.at(1 / 3, 2 / 3))
    figures.update(on_grid=round(float(on_grid), 2), preference=round(float(on / (others + 1e-9)), 2))
    if on_grid < ON_GRID:
        return None, ("notes off the grid", figures)
    deep = heard.low | heard.kick
    deep_on = heard.weight[deep & heard.near(1)].sum()
    deep_half = heard.weight[deep & (np.abs(heard.phase - 0.5) < 0.05)].sum()
    # Where every note is on the grid, the beats need less strength if the low notes prefer them.
    exact = on_grid > EXACTLY_ON_GRID and on > 0.75 * others and deep_on > 1.15 * deep_half
    if not exact and on < 1.15 * others:
        return None, ("beats are not stronger", figures)
    bar, figures["places"] = heard.bar()
    return (quarters, 0 if quarters else bar), figures


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    out = {}
    for path in sorted(p for folder in sys.argv[2:] for p in Path(folder).rglob("*")):
        if path.suffix == ".abc":
            pieces = [f"{path}#{n}" for n in re.findall(r"^X: *(\d+)", path.read_text(errors="replace"), re.M)]
        else:
            pieces = [str(path)] if path.name.lower().endswith(ENDINGS) else []
        for piece in pieces:
            try:
                out[piece] = judge(piece)
            except (OSError, ValueError, EOFError) as e:
                out[piece] = None, str(e)
            print(piece, *out[piece], flush=True)
    Path(sys.argv[1]).write_text(json.dumps(out))


if __name__ == "__main__":
    main()
