"""Scores that a grammar draws: a kind of music, its drums, bass, chords and tune, in sections with fills and breaks."""

import numpy as np

import drums
from kinds import BASSES, GUITARS, KEYS, KINDS, METRES, PADS, STRINGS, SYNTHS, TUNES
from score import DRUMS, Score

BASS, CHORDS, SECOND, TUNE = 0, 1, 2, 3

HARMONY = {
    "pop": ([0, 4, 7], [0, 4, 7], [0, 3, 7], [0, 5, 7]),
    "minor": ([0, 3, 7], [0, 3, 7], [0, 4, 7]),
    "seventh": ([0, 4, 7, 10], [0, 3, 7, 10], [0, 4, 7, 11]),
    "power": ([0, 7, 12],),
}
# Chords that leave out the beat, and styles whose beats are heard without drums.
OFF_BEAT = ("off", "skank", "oom pah", "oom pah pah")
MARKS_BEATS = (
    "quarter",
    "eighth",
    "octave",
    "walk",
    "chug",
    "tremolo",
    "stride",
    "arpeggio",
    "broken",
    "chip",
    "sixteenth",
    "montuno",
)
DRUMS_ALONE = 0.07
DEGREES = (0, 2, 3, 5, 7, 8, 9, 10)
SCALE = (0, 2, 3, 5, 7, 8, 10)


class Writer:
    """Writes a piece bar by bar; a step is the smallest part of a beat."""

    def __init__(self, metre, kind, rng, beats):
        self.rng, self.kind = rng, kind
        self.pattern, self.per_bar, self.steps = drums.pattern(kind.drums, rng)
        other = drums.pattern(kind.drums, rng)[0] if rng.random() < 0.5 else self.pattern
        # In half of the pieces, every second bar differs a little from the one before it.
        self.patterns = [(bar, drums.varied(bar, rng) if rng.random() < 0.5 else bar) for bar in (self.pattern, other)]
        self.bars = beats // self.per_bar + 1
        self.columns = self.per_bar * self.steps
        # The note between two beats: the second of two, or in triplets the last of three.
        self.half = 0.5 if self.steps % 2 == 0 and self.steps != 6 else 2 / 3
        self.score = Score(metre, self.per_bar, 0)
        self.root = int(rng.integers(36, 48))
        shapes = HARMONY[kind.harmony]
        length = int(rng.choice([2, 4, 4, 8]))
        self.harmony = [(int(rng.choice(DEGREES)), shapes[int(rng.integers(len(shapes)))]) for _ in range(length)]
        self.harmony[0] = (0, self.harmony[0][1])
        self.every = 2 if self.per_bar == 2 or rng.random() < 0.25 else 1
        strokes = min(self.columns, int(rng.integers(2, self.per_bar + 3)))
        rhythm = rng.choice(self.columns, strokes, replace=False)
        self.hits = sorted({0, *rhythm.tolist()} if rng.random() < 0.75 else set(rhythm.tolist()))
        strength = [
            0.6 if c % self.steps == 0 else 0.35 if 2 * c % self.steps == 0 else 0.12 for c in range(self.columns)
        ]
        self.motifs = [np.flatnonzero(rng.random(self.columns) < strength) for _ in range(3)]
        self.tune_at = 0
        self.change = int(rng.choice([1, 2, 4]))

    def parts(self):
        rng = self.rng
        # All but what must have more than drums is sometimes played by drums alone.
        alone = not self.kind.without_drums and rng.random() < DRUMS_ALONE
        if self.kind.alone or alone:
            return dict(drums=True, bass=False, chords=False, second=False, tune=False)
        parts = dict(
            drums=not self.kind.without_drums and rng.random() < 0.88,
            bass=rng.random() < 0.8,
            chords=rng.random() < 0.9,
            second=rng.random() < 0.4,
            tune=rng.random() < 0.5,
        )
        if sum(parts.values()) < 2 or not (parts["drums"] or parts["chords"]):
            parts["chords"] = parts["bass"] = True
        return parts

    def write(self, parts):
        rng, kind, score = self.rng, self.kind, self.score
        bass, chords = str(rng.choice(kind.bass or ("root",))), str(rng.choice(kind.chords or ("bar",)))
        second = str(rng.choice(["pad", "bar", "off", "arpeggio", chords]))
        if chords in OFF_BEAT:
            parts["bass"] = True
        if not parts["drums"] and chords != "swell" and not (
            parts["chords"] and chords in MARKS_BEATS or parts["bass"] and bass in MARKS_BEATS
        ):
            # Something has to play the beats.
            parts["bass"], bass = True, str(rng.choice(["quarter", "eighth", "walk"]))
        sounds = kind.sounds or GUITARS + KEYS + SYNTHS + STRINGS
        for channel, choice in ((BASS, BASSES), (CHORDS, sounds), (SECOND, PADS + sounds), (TUNE, TUNES)):
            score.programs.append((0.0, channel, int(rng.choice(choice))))
        score.programs.append((0.0, DRUMS, int(rng.choice([0, 0, 8, 16, 24, 25, 32, 40]))))
        for channel in range(16):
            score.volumes[channel] = int(rng.uniform(40 if channel in (DRUMS, BASS) else 60, 127))
        # A pick-up is a part of a bar in which only the tune or a fill plays.
        pickup = int(rng.integers(1, self.per_bar)) if parts["drums"] and self.per_bar > 1 and rng.random() < 0.25 else 0
        score.first_position = self.per_bar - pickup + 1 if pickup else 1
        score.beats = self.bars * self.per_bar + pickup
        if pickup:
            self.pick_up(pickup, parts)
        section = int(rng.choice([4, 8, 8]))
        break_left, broken, alone = 0, (), sum(parts.values()) == 1
        for bar in range(self.bars):
            start = pickup + bar * self.per_bar
            if bar % section == 0 and bar and break_left == 0 and not alone and rng.random() < 0.25:
                break_left = int(rng.integers(1, 5))
                broken = (
                    ("drums",) if rng.random() < 0.6 else tuple(rng.choice(["drums", "bass", "chords", "second"], 2))
                )
            playing = {part for part, on in parts.items() if on and not (break_left and part in broken)}
            break_left = max(0, break_left - 1)
            degree, shape = self.harmony[bar // self.every % len(self.harmony)]
            chord = self.root + degree
            if "drums" in playing:
                last = bar % section == section - 1 and rng.random() < 0.6
                self.beat(start, self.patterns[bar // section % 2][bar % 2], last, bar % section == 0)
            if "bass" in playing:
                low = chord - 12 if chord - 12 > 27 else chord
                for at, length, pitch, loud in self.bass(bass, low):
                    score.add(BASS, start + at, length, pitch, 96 * loud)
            for part, channel, style in (("chords", CHORDS, chords), ("second", SECOND, second)):
                if part in playing:
                    octave = 0 if kind.harmony == "power" and style in ("chug", "tremolo") else 12
                    for at, length, pitches, loud in self.chords(style, [chord + octave + p for p in shape]):
                        for pitch in pitches:
                            score.add(channel, start + at, length, pitch, (84 if part == "chords" else 64) * loud)
            if "tune" in playing and bar // section % 4 != 3:
                self.tune(start)
        # Every stroke has a loudness of its own.
        spread = rng.uniform(0.02, 0.15)
        score.notes = [(c, b, n, p, int(np.clip(v * rng.normal(1, spread), 1, 127))) for c, b, n, p, v in score.notes]
        return score

    def pick_up(self, beats, parts):
        if parts["drums"] and self.rng.random() < 0.5:
            for step, key, loud in drums.fill(self.rng, beats * self.steps):
                self.score.add(DRUMS, step / self.steps, 0.2, key, 105 * loud)
        else:
            parts["tune"] = True
            for step in range(0, 2 * beats):
                self.score.add(
                    TUNE, step // 2 + (self.half if step % 2 else 0), 0.4, self.root + 24 + SCALE[step % 7], 90
                )

    def beat(self, start, pattern, last, first):
        last &= self.per_bar > 1
        free = self.steps * (2 if self.per_bar > 3 and self.rng.random() < 0.5 else 1) if last else 0
        for key, loud in pattern.items():
            for column in np.flatnonzero(loud):
                if column < self.columns - free:
                    self.score.add(DRUMS, start + column / self.steps, 0.2, key, 112 * loud[column])
        for step, key, loud in drums.fill(self.rng, free):
            self.score.add(DRUMS, start + (self.columns - free + step) / self.steps, 0.2, key, 108 * loud)
        if first and self.per_bar > 1 and self.rng.random() < 0.6:
            self.score.add(DRUMS, start, 0.5, drums.INSTRUMENTS["crash"], 108)

    def bass(self, style, low):
        """(beat, length, pitch, loudness) of a bar."""
        rng, n, half = self.rng, self.per_bar, self.half
        step = 1 / self.steps
        fifth = low + 7 if low < 36 else low - 5
        if style == "root":
            return [(0, n * 0.9, low, 1)]
        if style == "quarter":
            return [(k, 0.8, low, 1) for k in range(n)]
        if style == "eighth":
            return [(k + h, 0.4, low, 1 if h == 0 else 0.85) for k in range(n) for h in (0, half)]
        if style == "gallop":
            return [(k + s * 0.25, 0.2, low, 0.9) for k in range(n) for s in (1, 2, 3)]
        if style == "octave":
            return [(k + h, 0.4, low + (12 if h else 0), 1) for k in range(n) for h in (0, half)]
        if style == "off":
            return [(k + half, 0.4, low, 1) for k in range(n)]
        if style == "walk":
            return [(k, 0.85, low + (int(rng.choice([2, 4, 5, 7, 9, 11])) if k else 0), 1) for k in range(n)]
        if style == "fifth":
            middle = n // 2 if n > 3 else 1
            return [(0, 0.9, low, 1)] + ([(middle, 0.9, fifth, 0.95)] if n != 3 else [])
        if style == "kick":
            kicks = np.flatnonzero(self.pattern.get(36, np.ones(1)))
            return [(k * step, max(0.2, step * 1.5), low, 1) for k in kicks]
        if style == "hits":
            return [(k * step, 0.4, low + (12 if rng.random() < 0.12 else 0), 1) for k in self.hits]
        if style == "bossa":
            return [x for k in range(0, n - 1, 2) for x in ((k, 1.3, low, 1), (k + 1.5, 0.45, fifth, 0.9))]
        if style == "tumbao":
            return [(1.5, 1.4, fifth, 1), (3, 1, low, 1)]
        if style == "reggae":
            return [
                (k, 0.6, low + p, 1) for k, p in ((0.5, 0), (1, 0), (1.5, 4), (2, 7), (3, 0)) if rng.random() < 0.85
            ]
        raise ValueError(style)

    def chords(self, style, pitches):
        """(beat, length, pitches, loudness) of a bar."""
        rng, n, half = self.rng, self.per_bar, self.half
        step = 1 / self.steps
        if style == "pad":
            return [(0, n * 0.97, pitches, 0.8)]
        if style == "swell":
            # Chords that run into each other, and change in every bar, half of it, or with every beat.
            each = self.change if n % self.change == 0 else 1
            return [(k, each * 1.05, [p + 12 * (k // each % 2) for p in pitches], 0.9) for k in range(0, n, each)]
        if style == "bar":
            return [(0, 0.9 * n if rng.random() < 0.5 else 0.8, pitches, 1)]
        if style == "quarter":
            return [(k, 0.6, pitches, 1.1 if k == 0 else 0.9) for k in range(n)]
        if style == "eighth":
            if self.steps in (3, 6):
                return [(k + j / 3, 0.3, pitches, 1.1 if j == 0 else 0.8) for k in range(n) for j in range(3)]
            return [(k + h, 0.4, pitches, 1.05 if h == 0 else 0.85) for k in range(n) for h in (0, half)]
        if style == "sixteenth":
            mute = rng.random(self.columns) < 0.25
            return [(c * step, 0.2, pitches, 1 if c in self.hits else 0.6) for c in range(self.columns) if not mute[c]]
        if style in ("off", "skank"):
            return [(k + half, 0.35 if style == "off" else 0.15, pitches, 1) for k in range(n)]
        if style == "hits":
            return [(c * step, 0.4, pitches, 1) for c in self.hits]
        if style == "chug":
            rest = 2 if self.steps == 4 and rng.random() < 0.5 else 0
            return [
                (c * step, 0.6 * step, pitches, 1.2 if c in self.hits else 0.8)
                for c in range(self.columns)
                if c in self.hits or rest == 0 or c % 4 != rest
            ]
        if style == "tremolo":
            return [(c * step, step, pitches, 1.1 if c % self.steps == 0 else 0.85) for c in range(self.columns)]
        if style == "charleston":
            return [(0, 0.7, pitches, 1), (1 + half, 0.3, pitches, 1)]
        if style == "bossa":
            return [(at, 0.4, pitches, 1) for at in (0, 1, 1.5 + 1, 3.5) if at < n]
        if style == "montuno":
            return [
                (at, 0.3, [pitches[0], pitches[0] + 12] if k % 2 else pitches[1:], 1)
                for k, at in enumerate((0, 0.5, 1, 1.5, 2.5, 3.5))
            ]
        if style == "oom pah":
            return [(k, 0.5, pitches, 0.9) for k in range(1, n)]
        if style == "oom pah pah":
            return [(k + j / 3, 0.25, pitches, 0.9) for k in range(n) for j in (1, 2)]
        if style == "stride":
            return [(k, 0.4, [pitches[0] - 12] if k % 2 == 0 else pitches, 1) for k in range(n)]
        if style in ("arpeggio", "broken", "chip"):
            cell = {"arpeggio": 0.25, "broken": 0.5, "chip": 0.125}[style]
            if self.steps in (3, 6):
                cell = 1 / 3 if style != "chip" else 1 / 12
            line = pitches + [pitches[0] + 12] + ([pitches[-1]] if style == "broken" else [])
            count = round(n / cell)
            return [(k * cell, cell, [line[k % len(line)]], 1.1 if k % len(line) == 0 else 0.9) for k in range(count)]
        raise ValueError(style)

    def tune(self, start):
        for column in self.motifs[int(self.rng.choice([0, 0, 1, 2]))]:
            self.tune_at = int(np.clip(self.tune_at + self.rng.integers(-2, 3), -5, 9))
            pitch = self.root + 24 + SCALE[self.tune_at % 7] + 12 * (self.tune_at // 7)
            self.score.add(TUNE, start + column / self.steps, 0.5, pitch, 92)


def choose(table, rng):
    names = list(table)
    weight = np.array([getattr(table[name], "weight", table[name]) for name in names], float)
    return names[int(rng.choice(len(names), p=weight / weight.sum()))]


def compose(rng, seconds):
    """A score, its tempo, its swing, the notes a beat that swing, the name of its kind, and the player it needs."""
    metre = choose(METRES, rng)
    name = choose(KINDS[metre], rng)
    kind = KINDS[metre][name]
    low, high = kind.tempo
    if rng.random() < 0.15:
        low, high = max(45, low / 1.3), min(210, high * 1.3)
    bpm = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    writer = Writer(metre, kind, rng, int(seconds * 1.5 * bpm / 60))
    swing, swung = 0.0, 4
    if writer.steps == 4 and rng.random() < 0.2:
        swing, swung = rng.uniform(0.02, 0.08), 4
        if rng.random() < 0.3:
            swing, swung = rng.uniform(0.06, 0.16), 2
    return writer.write(writer.parts()), bpm, swing, swung, name, kind.player


def accompany(score, rng):
    """Adds bass, chords and perhaps a tune to a score of drums alone; returns the name of their kind."""
    phases = np.array([beat % 1 for _, beat, _, _, _ in score.notes])
    triplets = np.mean(np.abs(phases - 2 / 3) < 0.05) > 0.05
    steps = drums.TRIPLET if triplets else drums.STRAIGHT
    table = {
        name: kind
        for kinds in KINDS.values()
        for name, kind in kinds.items()
        if drums.PATTERNS[kind.drums][:2] == (score.beats_per_bar, steps) and not kind.alone
    }
    if not table:
        return "drums alone"
    name = choose(table, rng)
    writer = Writer(score.metre, table[name], rng, score.beats)
    added = writer.write(
        dict(drums=False, bass=True, chords=rng.random() < 0.9, second=rng.random() < 0.3, tune=rng.random() < 0.4)
    )
    for note in added.notes:
        score.add(*note)
    score.programs += [program for program in added.programs if program[1] != DRUMS]
    score.volumes = added.volumes
    return f"with {name}"
