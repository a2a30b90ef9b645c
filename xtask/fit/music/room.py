#!/usr/bin/env python3
"""What happens to music on its way to a microphone: speed, loudspeakers, rooms, noise, compression, distortion, level.

  room.py IN OUT [--versions N] [--seed N] [--only GLOB]

reads a folder of music (audio16/ID.wav, gt/ID.beats, gt/ID.json) and writes N altered versions of each piece, ID~1
to ID~N, into another folder of the same form. Speed moves the beats; all else leaves the direct sound where it is. A
version depends on the ID, its number and the seed only. Existing versions are kept. Needs Python 3, numpy and scipy.
"""

import argparse
import json
import time
import zlib
from pathlib import Path

import numpy as np
from scipy import fft
from scipy.io import wavfile
from scipy.signal import butter, lfilter, oaconvolve, sosfilt

RATE = 16000
# A version is not moved beyond these tempi (beats a minute).
TEMPI = (42, 215)


def unit(sound):
    return sound / (sound.std() + np.float32(1e-6))


def faster(sound, speed):
    """The sound at `speed` times its speed and pitch, by cubic interpolation."""
    if speed > 1:
        sound = sosfilt(butter(4, 7600 / speed, fs=RATE, output="sos"), sound).astype(np.float32)
    at = np.arange(int((len(sound) - 3) / speed)) * speed
    whole = at.astype(np.int64)
    part = (at - whole).astype(np.float32)
    padded = np.concatenate([sound[:1], sound, sound[-1:], sound[-1:]])
    a, b, c, d = (padded[whole + k] for k in range(4))
    return b + 0.5 * part * (c - a + part * (2 * a - 5 * b + 4 * c - d + part * (3 * (b - c) + d - a)))


def equalised(sound, rng):
    """A smooth curve of random gain, and perhaps the narrow band of a small loudspeaker."""
    count = fft.next_fast_len(len(sound))
    spectrum = fft.rfft(sound, count)
    hertz = np.arange(len(spectrum)) * RATE / count
    knots = np.geomspace(40, 8000, 8)
    gain = np.cumsum(rng.normal(0, 3, 8)) + rng.normal(0, 2, 8)
    curve = np.interp(np.log(np.maximum(hertz, 20)), np.log(knots), gain - gain.mean())
    if rng.random() < 0.3:
        low, high = rng.uniform(80, 400), rng.uniform(3000, 8000)
        curve -= 12 * np.log2(np.maximum(1, low / np.maximum(hertz, 5))) + 12 * np.log2(np.maximum(1, hertz / high))
    for _ in range(int(rng.integers(0, 4))):
        # Resonances and holes of a case or a corner.
        centre, width = np.exp(rng.uniform(np.log(80), np.log(6000))), rng.uniform(0.05, 0.4)
        curve += rng.uniform(-9, 9) * np.exp(-0.5 * (np.log(np.maximum(hertz, 5) / centre) / width) ** 2)
    return fft.irfft(spectrum * (10 ** (np.clip(curve, -60, 25) / 20)).astype(np.float32), count)[: len(sound)]


def reverberant(sound, rng):
    """A room: single reflections first, then a tail whose high notes die sooner."""
    seconds = float(np.exp(rng.uniform(np.log(0.15), np.log(1.4))))
    count = int(seconds * RATE)
    t = np.arange(count) / RATE
    tail = rng.standard_normal(count) * np.exp(-6.9 * t / seconds)
    bright = sosfilt(butter(1, rng.uniform(1500, 4000), fs=RATE, output="sos"), tail)
    tail = bright + (tail - bright) * np.exp(-6.9 * t / (0.5 * seconds))
    tail[: int(rng.uniform(0.002, 0.02) * RATE)] = 0
    for _ in range(int(rng.integers(2, 9))):
        tail[int(rng.uniform(0.001, 0.04) * RATE)] += rng.normal(0, 0.25) * np.abs(tail).max()
    # From a lamp next to the loudspeaker to one in the far corner.
    tail *= 10 ** (rng.uniform(-15, 4) / 20) / np.sqrt((tail**2).sum())
    tail[0] = 1
    return oaconvolve(sound, tail.astype(np.float32))[: len(sound)]


def pressed(sound, rng):
    """A compressor: the level is followed over some milliseconds, and louder parts are turned down."""
    hold = np.exp(-1 / (rng.uniform(0.01, 0.25) * RATE))
    level = np.sqrt(lfilter([1 - hold], [1, -hold], sound * sound)).astype(np.float32) + np.float32(0.05)
    return unit(sound * level ** -np.float32(rng.uniform(0.3, 0.9)))


def distorted(sound, rng):
    kind = str(rng.choice(["soft", "hard", "coarse"], p=[0.6, 0.3, 0.1]))
    if kind == "soft":
        drive = np.float32(rng.uniform(0.7, 3))
        return np.tanh(drive * sound) / drive
    top = np.float32(rng.uniform(1.0, 2.5))
    if kind == "hard":
        return np.clip(sound, -top, top)
    steps = np.float32(2 ** rng.integers(4, 7))
    return np.round(sound * steps / 4) * 4 / steps


def coloured(rng, count, slope):
    """Noise whose level falls by `slope` times 6 dB an octave."""
    long = fft.next_fast_len(count)
    spectrum = fft.rfft(rng.standard_normal(long, dtype=np.float32))
    spectrum[1:] *= np.arange(1, len(spectrum), dtype=np.float32) ** np.float32(-slope)
    spectrum[0] = 0
    return unit(fft.irfft(spectrum, long)[:count])


def hum(rng, count):
    t = np.arange(count, dtype=np.float32) * np.float32(rng.choice([50, 60]) / RATE)
    return unit(
        sum(np.float32(rng.uniform(0, 1) / k) * np.sin(np.float32(2 * np.pi) * ((k * t) % 1)) for k in range(1, 7))
    )


def bursts(rng, count):
    """Syllables of a voice and knocks, at random moments."""
    sound, at, voice = np.zeros(count, np.float32), rng.uniform(0, 1), rng.uniform(90, 260)
    knocks = rng.random() < 0.3
    while at < count / RATE - 0.5:
        n = int(rng.uniform(0.05, 0.3) * RATE)
        t = np.arange(n) / RATE
        start = int(at * RATE)
        if knocks:
            part = rng.standard_normal(n) * np.exp(-t / 0.01)
        else:
            pitch = voice * rng.uniform(0.8, 1.3) * (1 + rng.uniform(-0.3, 0.3) * t)
            part = np.hanning(n) * sum(np.sin(2 * np.pi * k * pitch * t) / k for k in range(1, 9))
        sound[start : start + n] += part * rng.uniform(0.3, 1)
        at += n / RATE * (not knocks) + rng.exponential(0.3)
    return unit(sound)


def noisy(sound, rng):
    """Noise between 3 and 35 dB below the music."""
    count = len(sound)
    kind = str(rng.choice(["coloured", "hum", "bursts"], p=[0.7, 0.1, 0.2]))
    if kind == "coloured":
        added = coloured(rng, count, rng.uniform(0, 0.8))
    else:
        added = hum(rng, count) if kind == "hum" else bursts(rng, count)
    return unit(sound) + np.float32(10 ** (-rng.uniform(3, 35) / 20)) * added


STEPS = ((equalised, 0.7), (reverberant, 0.55), (pressed, 0.35), (distorted, 0.3), (noisy, 0.6))


def alter(sound, rng, bpm=None):
    """An altered version, its speed, and the names of what was done; sound between -1 and 1."""
    sound, speed, done = unit(np.asarray(sound, np.float32)), 1.0, []
    if rng.random() < 0.7:
        speed = float(2 ** rng.uniform(-0.3, 0.3))
        if bpm:
            speed = float(np.clip(speed, min(1, TEMPI[0] / bpm), max(1, TEMPI[1] / bpm)))
        sound = unit(faster(sound, speed))
    for step, chance in STEPS:
        if rng.random() < chance:
            sound = unit(step(sound, rng))
            done.append(step.__name__)
    level = 10 ** (rng.uniform(-40, -1) / 20)
    return sound / (np.abs(sound).max() + 1e-6) * level, speed, done


def version(folder, out, name, number, seed):
    """Writes version `number` of a piece, unless it exists."""
    new = f"{name}~{number}"
    if (out / "gt" / f"{new}.json").exists():
        return
    about = json.loads((folder / "gt" / f"{name}.json").read_text())
    rate, sound = wavfile.read(folder / "audio16" / f"{name}.wav")
    if rate != RATE:
        raise SystemExit(f"{name}.wav has {rate} samples a second: convert it to {RATE}")
    rng = np.random.default_rng([zlib.crc32(name.encode()), number, seed])
    sound, speed, done = alter(sound / np.float32(32768), rng, about.get("bpm"))
    lines = [line.split() for line in (folder / "gt" / f"{name}.beats").read_text().splitlines()]
    beats = "".join(f"{float(second) / speed:.4f}\t{position}\n" for second, position in lines)
    about |= dict(id=new, of=name, speed=speed, altered=done, dur=len(sound) / RATE)
    if about.get("bpm"):
        about["bpm"] *= speed
    wavfile.write(out / "audio16" / f"{new}.wav", RATE, np.round(sound * 32767).astype(np.int16))
    (out / "gt" / f"{new}.beats").write_text(beats)
    (out / "gt" / f"{new}.json").write_text(json.dumps(about) + "\n")


def main():
    parser = argparse.ArgumentParser(description="Alters music as rooms and microphones do.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--versions", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="*", help="a pattern of IDs")
    args = parser.parse_args()
    for kind in ("audio16", "gt"):
        (args.out / kind).mkdir(parents=True, exist_ok=True)
    names = sorted(path.stem for path in (args.folder / "gt").glob(f"{args.only}.json"))
    began = time.process_time()
    for name in names:
        for number in range(1, args.versions + 1):
            version(args.folder, args.out, name, number, args.seed)
    spent = time.process_time() - began
    print(f"{len(names) * args.versions} versions, {spent:.0f} s of processor time")


if __name__ == "__main__":
    main()
