"""What is played: a score counts in beats, a performance in seconds.

A score's beat is the one a listener taps: a quarter in 4/4, a dotted quarter in 6/8. A performance knows the second of
each beat, because the same curve of tempo places the beats and the notes. Nothing is ever measured in the sound.
"""

from dataclasses import dataclass, field

import numpy as np

DRUMS = 9


@dataclass
class Score:
    """Notes are tuples (channel, beat, length in beats, pitch, velocity); programs are (beat, channel, program)."""

    metre: str
    beats_per_bar: int
    beats: int
    notes: list = field(default_factory=list)
    programs: list = field(default_factory=list)
    volumes: dict = field(default_factory=dict)
    # The position in the bar of beat 0: above 1 if the piece begins with a pick-up.
    first_position: int = 1

    def add(self, channel, beat, length, pitch, velocity):
        if 0 <= beat < self.beats:
            velocity = int(np.clip(velocity, 1, 127))
            self.notes.append((channel, beat, length, int(np.clip(pitch, 0, 127)), velocity))


@dataclass
class Performance:
    """Notes are (channel, second, seconds, pitch, velocity); programs are (second, channel, program)."""

    metre: str
    beats: list
    notes: list
    programs: list
    volumes: dict
    tempo: str

    def seconds(self):
        return self.beats[-1][0]


def tempo_curve(count, bpm, rng):
    """The seconds of `count` + 1 beats, and a word for the curve: steady, step, ramp, with or without drift."""
    tempo = np.full(count, float(bpm))
    kind = str(rng.choice(["steady", "step", "ramp"], p=[0.7, 0.15, 0.15]))
    ratio = np.clip(bpm * 2 ** rng.uniform(-0.5, 0.5), 45, 210) / bpm
    # Excerpts last 30 to 40 s: a change must lie within.
    change = int(rng.uniform(10, 24) * bpm / 60)
    if kind == "step":
        tempo[change:] *= ratio
    elif kind == "ramp":
        length = max(2, int(rng.uniform(2, 20) * bpm / 60))
        tempo *= ratio ** np.clip((np.arange(count) - change) / length, 0, 1)
    if rng.random() < 0.4:
        kind += " drift"
        size, wander = rng.uniform(0.003, 0.03), 0.0
        for beat in range(count):
            wander = 0.9 * wander + 0.45 * rng.normal(0, size)
            tempo[beat] *= 1 + wander
    return np.concatenate([[0.0], np.cumsum(60 / tempo)]), kind


def perform(score, bpm, rng, swing=0.0, swung=2):
    """Plays the score: tempo, swing (how late the second of two notes is, in beats, `swung` notes a beat) and hands."""
    times, kind = tempo_curve(score.beats, bpm, rng)
    grid = np.arange(score.beats + 1)

    def second(beat):
        if swing:
            cell = 2 / swung
            whole, phase = np.floor(beat / cell), (beat / cell) % 1.0
            late = 0.5 + swing / cell
            phase = phase / 0.5 * late if phase < 0.5 else late + (phase - 0.5) / 0.5 * (1 - late)
            beat = (whole + phase) * cell
        return float(np.interp(beat, grid, times))

    shake = rng.uniform(0, 0.002) if rng.random() < 0.4 else rng.uniform(0.002, 0.010)
    # A hand is early or late by habit, but the sum of all hands is the beat.
    habit = {channel: float(np.clip(rng.normal(0, shake / 3), -0.004, 0.004)) for channel in range(16)}
    notes = []
    for channel, beat, length, pitch, velocity in score.notes:
        start, end = second(beat), second(min(beat + length, score.beats))
        hand = float(np.clip(rng.normal(habit[channel], shake), -0.025, 0.025))
        notes.append((channel, max(0.0, start + hand), max(0.03, end - start), pitch, velocity))
    notes.sort(key=lambda note: note[1])
    per_bar = score.beats_per_bar
    # Beats of which none is the first have the position 0.
    beats = [
        (float(times[k]), (k + score.first_position - 1) % per_bar + 1 if per_bar > 1 else 0) for k in range(score.beats)
    ]
    programs = [(second(beat), channel, program) for beat, channel, program in score.programs]
    return Performance(score.metre, beats, notes, programs, dict(score.volumes), kind)
