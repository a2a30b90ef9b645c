"""Plays a performance by instruments of our own, drawn anew for each piece: drum machines, oscillators, plucks, bells.

Tones are read from tables of one period, one table an octave, so that nothing above half the sampling rate sounds.
"""

import numpy as np
from scipy.signal import butter, lfilter, sosfilt

from score import DRUMS

RATE = 16000
TABLE = 2048
VOICES = ("saw", "square", "pulse", "sine", "triangle", "organ", "bell", "pluck", "unison", "fuzz", "singer")
CONSOLE = ("square", "pulse", "triangle")
PLAYERS = ("", "console", "module")
LONGEST = 3.0
# Which drum of the machine plays a General MIDI key.
KEYS = {
    35: "kick",
    36: "kick",
    38: "snare",
    40: "snare",
    37: "stick",
    39: "clap",
    42: "hat",
    44: "hat",
    46: "open",
    49: "crash",
    52: "crash",
    55: "crash",
    57: "crash",
    51: "ride",
    53: "ride",
    59: "ride",
    41: "low",
    43: "low",
    45: "mid",
    47: "mid",
    48: "high",
    50: "high",
    60: "bongo",
    61: "bongo",
    62: "bongo",
    63: "bongo",
    64: "low",
    65: "high",
    66: "mid",
    54: "shaker",
    69: "shaker",
    70: "shaker",
    82: "shaker",
    81: "triangle",
    80: "triangle",
}


def decay(count, seconds):
    return np.exp(-np.arange(count) / RATE / seconds)


def hiss(rng, count, low, seconds):
    noise = sosfilt(butter(2, low, "high", fs=RATE, output="sos"), rng.standard_normal(count))
    return noise * decay(count, seconds)


def knock(count, pitch, drop, bend, seconds):
    """A sine whose pitch falls by `drop` Hz within about `bend` seconds."""
    t = np.arange(count) / RATE
    return np.sin(2 * np.pi * (pitch * t + drop * bend * (1 - np.exp(-t / bend)))) * decay(count, seconds)


def machine(rng):
    """The drums of a piece by name, 1 s each at most."""
    n, u = RATE, rng.uniform
    kick = knock(n, u(38, 70), u(40, 400), u(0.008, 0.05), np.exp(u(np.log(0.05), np.log(0.4))))
    kick[:60] += u(0, 0.6) * rng.standard_normal(60)
    snare = u(0.2, 0.8) * hiss(rng, n, u(300, 2000), u(0.04, 0.18)) + u(0.1, 0.7) * knock(
        n, u(150, 260), u(0, 80), 0.02, 0.07
    )
    clap = hiss(rng, n, 900, u(0.05, 0.14))
    late = int(u(0.008, 0.013) * RATE)
    clap[late:] += clap[:-late]
    clap[late:] += 0.7 * clap[:-late]
    if rng.random() < 0.25:
        # Noise through a short shift register, as in old consoles.
        coarse = np.repeat(rng.choice([-1.0, 1.0], n // 4), 4)
        snare = coarse * decay(n, u(0.04, 0.12)) * 0.5
        kick = np.sign(knock(n, u(45, 70), u(100, 300), 0.03, 0.1)) * decay(n, 0.08)
    metal = sum(np.sign(np.sin(2 * np.pi * u(2000, 6000) * np.arange(n) / RATE)) for _ in range(5))
    metal = sosfilt(butter(2, 4000, "high", fs=RATE, output="sos"), metal / 5 + u(0.2, 1) * rng.standard_normal(n))
    tom = u(70, 110)
    drums = dict(
        kick=kick * u(0.7, 1.5),
        snare=snare * u(0.6, 1.2),
        clap=clap * u(0.3, 0.6),
        hat=metal * decay(n, u(0.01, 0.05)) * u(0.15, 0.6),
        open=metal * decay(n, u(0.08, 0.3)) * u(0.15, 0.6),
        ride=metal * decay(n, u(0.15, 0.4)) * u(0.1, 0.4),
        crash=hiss(rng, n, 2500, u(0.2, 0.6)) * u(0.12, 0.4),
        low=knock(n, tom, 40, 0.05, 0.2) * 0.9,
        mid=knock(n, tom * 1.4, 50, 0.05, 0.17) * 0.9,
        high=knock(n, tom * 1.9, 60, 0.04, 0.14) * 0.9,
        bongo=knock(n, u(200, 500), 40, 0.02, 0.06) * 0.6,
        stick=knock(n, u(500, 1900), 0, 0.01, u(0.01, 0.06)) * u(0.3, 0.7),
        shaker=hiss(rng, n, 4500, u(0.01, 0.04)) * u(0.2, 0.4),
        triangle=knock(n, u(3000, 5500), 0, 0.01, u(0.1, 0.5)) * u(0.15, 0.3),
    )
    return {name: sound.astype(np.float32) for name, sound in drums.items()}


def period(voice, pitch, rng):
    """One period of a voice for notes from `pitch` (Hz) to an octave above it."""
    harmonics = int(np.clip(7600 / (2 * pitch), 1, 200))
    k = np.arange(1, harmonics + 1)
    if voice in ("saw", "unison", "pluck"):
        size = 1 / k
    elif voice in ("square", "fuzz"):
        size = (k % 2) / k
    elif voice == "pulse":
        size = np.sin(np.pi * k * rng.uniform(0.1, 0.35)) / k
    elif voice == "triangle":
        size = (k % 2) / k**2
    elif voice == "singer":
        formants = rng.uniform((300, 900, 2300), (800, 2000, 3200))
        size = sum(np.exp(-0.5 * ((1.4 * pitch * k - formant) / 180) ** 2) for formant in formants) + 0.05 / k
    elif voice == "organ":
        size = np.where(np.isin(k, [1, 2, 3, 4, 6, 8]), rng.uniform(0.2, 1, harmonics), 0)
    else:
        size = (k == 1) * 1.0
    spectrum = np.zeros(TABLE // 2 + 1, complex)
    spectrum[1 : harmonics + 1] = -0.5j * size * TABLE
    return np.fft.irfft(spectrum, TABLE).astype(np.float32)


class Voice:
    """One instrument: its tables, its envelope, and the notes it has played before."""

    def __init__(self, kind, rng):
        self.kind, self.rng, self.tables, self.played = kind, rng, {}, {}
        self.seed = int(rng.integers(1 << 30))
        slow = rng.random() < 0.15 or kind == "singer"
        self.attack = rng.uniform(0.03, 0.12) if slow else rng.uniform(0.001, 0.008)
        self.decay = float(np.exp(rng.uniform(np.log(0.1), np.log(2.0))))
        self.sustain = 0.0 if kind in ("pluck", "bell") else float(rng.choice([0.0, 0.5, 0.9]))
        self.sustain = 0.9 if kind == "singer" else self.sustain
        self.release = rng.uniform(0.02, 0.15)
        self.detune = rng.uniform(0.003, 0.012)
        self.ratio = float(rng.choice([1, 2, 3, 3.5, 1.41, 7]))
        self.index = rng.uniform(0.5, 4)
        self.vibrato = rng.uniform(0.002, 0.01) if kind == "singer" or rng.random() < 0.2 else 0.0
        self.gain = rng.uniform(0.08, 0.3)

    def read(self, pitch, count):
        octave = int(np.floor(np.log2(pitch)))
        if octave not in self.tables:
            self.tables[octave] = period(self.kind, 2.0**octave, np.random.default_rng(self.seed))
        t = np.arange(count, dtype=np.float32) / RATE
        turns = pitch * t
        if self.vibrato:
            turns = turns + self.vibrato * pitch / (2 * np.pi * 5.5) * (1 - np.cos(2 * np.pi * 5.5 * t))
        return self.tables[octave][(turns * TABLE).astype(np.int64) % TABLE]

    def note(self, key, seconds):
        pitch = 440 * 2 ** ((key - 69) / 12)
        count = int((min(seconds, LONGEST) + self.release) * 100 + 1) * (RATE // 100)
        known = (key, count)
        if known in self.played:
            return self.played[known]
        t = np.arange(count) / RATE
        if self.kind == "bell":
            depth = self.index * np.exp(-t / (0.4 * self.decay))
            sound = np.sin(2 * np.pi * pitch * t + depth * np.sin(2 * np.pi * min(pitch * self.ratio, 7000) * t))
        elif self.kind == "unison":
            sound = sum(self.read(pitch * (1 + d * self.detune), count) for d in (-1, 0.1, 1)) / 2
        elif self.kind == "pluck":
            bright = np.exp(-t * (3 + pitch / 150))
            sound = self.read(pitch, count) * bright + np.sin(2 * np.pi * pitch * t) * (1 - bright)
        else:
            sound = self.read(pitch, count)
        held = self.sustain + (1 - self.sustain) * np.exp(-t / self.decay)
        fade = np.clip((count / RATE - t) / self.release, 0, 1)
        self.played[known] = (sound * held * np.minimum(1, t / self.attack) * fade).astype(np.float32)
        return self.played[known]


class Sampled:
    """One note of a voice, kept in 8 bits and played at other speeds without a filter, as a tracker module does it."""

    kind = "sampled"

    def __init__(self, rng):
        voice, self.root = Voice(str(rng.choice(VOICES)), rng), int(rng.integers(45, 66))
        seconds, fifth = rng.uniform(0.3, 1.5), rng.random() < 0.25
        self.sound = eight_bits(sum(voice.note(self.root + step, seconds) for step in ((0, 7) if fifth else (0,))), rng)
        self.gain = rng.uniform(0.1, 0.3)

    def note(self, key, seconds):
        speed = 2 ** ((key - self.root) / 12)
        count = min(int(seconds * RATE), int((len(self.sound) - 1) / speed))
        return self.sound[(np.arange(count) * speed).astype(np.int64)]


def eight_bits(sound, rng):
    """The sound in 8 bits, at the full or at half the rate."""
    hold, top = int(rng.integers(1, 3)), np.abs(sound).max() + 1e-9
    return (np.round(np.repeat(sound[::hold], hold) / top * 127) / 127 * top).astype(np.float32)


def soft(sound, drive):
    """A tube: louder parts are pressed together."""
    top = np.abs(sound).max() + 1e-9
    return np.tanh(drive * sound / top) * top / np.tanh(drive)


def echo(sound, seconds, amount):
    late = max(1, int(seconds * RATE))
    out = sound.copy()
    for k in (1, 2, 3):
        if k * late < len(out):
            out[k * late :] += amount**k * sound[: -k * late]
    return out


def put(sound, at, note, gain):
    end = min(len(sound), at + len(note))
    if at < end:
        sound[at:end] += gain * note[: end - at]


def play(performance, end, rng, player=""):
    """The first `end` seconds of sound, by a synthesiser, an old "console", or the player of a tracker "module"."""
    count = round(end * RATE)
    drums, kit = np.zeros(count, np.float32), machine(rng)
    if player == "module":
        kit = {name: eight_bits(sound, rng) for name, sound in kit.items()}
    buses, voices, kicks = {}, {}, []
    for channel, second, seconds, key, velocity in performance.notes:
        at = round(second * RATE)
        if at >= count:
            continue
        if channel == DRUMS:
            name = KEYS.get(key, "stick")
            put(drums, at, kit[name], (velocity / 110) ** 1.5)
            kicks += [at] if name == "kick" else []
            continue
        if channel not in voices:
            choice = str(rng.choice(CONSOLE if player == "console" else VOICES))
            voices[channel] = Sampled(rng) if player == "module" else Voice(choice, rng)
            buses[channel] = np.zeros(count, np.float32)
        voice = voices[channel]
        loud = voice.gain * (velocity / 100) ** 1.3 * performance.volumes.get(channel, 100) / 100
        put(buses[channel], at, voice.note(key, seconds), loud)
    for channel, bus in buses.items():
        if voices[channel].kind == "fuzz":
            bus = soft(bus, rng.uniform(3, 12))
        elif not player and rng.random() < 0.5:
            bus = sosfilt(butter(2, rng.uniform(500, 5000), fs=RATE, output="sos"), bus)
        if rng.random() < 0.2:
            bus = echo(bus, rng.uniform(0.12, 0.5), rng.uniform(0.2, 0.5))
        buses[channel] = bus
    tonal = sum(buses.values(), np.zeros(count))
    if kicks and rng.random() < 0.35:
        # The kick presses the rest down, as dance music is mixed.
        depth, seconds = rng.uniform(0.3, 0.9), rng.uniform(0.1, 0.3)
        hit = np.zeros(count)
        hit[kicks] = 1
        dip = lfilter([1], [1, -np.exp(-1 / (seconds * RATE / 2))], hit)
        tonal = tonal * (1 - depth * np.minimum(1, dip))
    loud = np.sqrt((tonal**2).mean()) + 1e-9
    struck = np.sqrt((drums**2).mean()) + 1e-9
    # The balance of drums and the rest varies by 24 dB.
    balance = 10 ** (rng.uniform(-12, 12) / 20) if kicks or struck > 1e-6 else 0
    mix = tonal / loud + balance * drums / struck if buses else drums / struck
    return (soft(mix, rng.uniform(0.5, 4)) if rng.random() < 0.5 else mix).astype(np.float32)
