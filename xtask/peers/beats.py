#!/usr/bin/env python3
"""Runs other beat trackers over a corpus, for `cargo xtask ear --corpus CORPUS --peers OUT` to score them beside K1.

K1 does not depend on them. Each tool has its own requirements, so each may run under its own Python:

  beats.py CORPUS OUT TOOL...

  aubio       its library 0.4 (Debian: python3-aubio), buffer 1024, hop 512: as in `aubiotrack`; causal
  ledfx       as LedFx 2.2 calls it (pip install aubio-ledfx samplerate-ledfx numpy): buffer 4096, hop 500, 30 kHz; causal
  essentia    RhythmExtractor2013, method "multifeature" (pip install essentia); hears the whole file
  librosa     beat.beat_track at 22.05 kHz (pip install librosa); hears the whole file
  madmom      RNNBeatProcessor, DBNBeatTrackingProcessor (pip install madmom, which needs Python 3.8); hears the whole file
  madmom_online   the same, forward only; causal
  NAME=COMMAND    a program with the output of `k1 analyze --json`; {file} is the sound, {file16} the same at 16 kHz: "k1=target/release/k1 analyze {file16} --json"

They hear CORPUS/audio44/ID.wav. OUT/TOOL/ID.jsonl gets one line per beat (for a causal tool with "at", the seconds of sound
heard when the beat was announced) and per change of tempo. OUT/TOOL/cost.json gets the CPU seconds of all files, without the
tool's start-up, and the seconds of sound.
"""
import json
import resource
import shlex
import subprocess
import sys
import time
import wave
from pathlib import Path

TEMPO_STEP_BPM = 0.01


def beat(t, at=None):
    return {"t": round(float(t), 5), **({} if at is None else {"at": round(float(at), 5)}), "kind": "beat"}


class Tempo:
    """Lines for each change of tempo."""

    def __init__(self):
        self.last = 0.0

    def lines(self, at, bpm):
        if not bpm or abs(bpm - self.last) <= TEMPO_STEP_BPM:
            return []
        self.last = bpm
        return [{"t": round(at, 5), "kind": "tempo", "bpm": round(float(bpm), 3)}]


def whole(times):
    return [beat(t) for t in times]


def aubio():
    import aubio

    def hear(path):
        size, hop = 1024, 512
        source = aubio.source(str(path), 0, hop)
        rate = source.samplerate
        tracker, tempo, lines, given = aubio.tempo("default", size, hop, rate), Tempo(), [], 0
        while True:
            samples, read = source()
            found = tracker(samples)
            given += hop
            if found[0]:
                lines.append(beat(tracker.get_last_s(), given / rate))
            lines += tempo.lines(given / rate, tracker.get_bpm())
            if read < hop:
                return lines

    return hear


def ledfx():
    import aubio
    import numpy as np
    import samplerate

    def hear(path):
        rate, hop, size = 30_000, 500, 4096
        with wave.open(str(path)) as sound:
            own = sound.getframerate()
            samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2").astype(np.float32) / 32768
        resampler = samplerate.Resampler("sinc_fastest", channels=1)
        tracker, tempo, lines, waiting = aubio.tempo("default", size, hop, rate), Tempo(), [], np.zeros(0, np.float32)
        block = own // 60
        for begin in range(0, len(samples), block):
            given = samples[begin : begin + block]
            at = (begin + len(given)) / own
            waiting = np.concatenate([waiting, resampler.process(given, rate / own, end_of_input=False)])
            while len(waiting) >= hop:
                now, waiting = np.ascontiguousarray(waiting[:hop]), waiting[hop:]
                if tracker(now)[0]:
                    lines.append(beat(tracker.get_last_s(), at))
                lines += tempo.lines(at, tracker.get_bpm())
        return lines

    return hear


def essentia():
    import essentia.standard as es

    def hear(path):
        samples = es.MonoLoader(filename=str(path), sampleRate=44100)()
        return whole(es.RhythmExtractor2013(method="multifeature")(samples)[1])

    return hear


def librosa():
    import librosa as lib

    def hear(path):
        samples, rate = lib.load(path, sr=22050)
        return whole(lib.beat.beat_track(y=samples, sr=rate, units="time")[1])

    return hear


def madmom(online=False):
    from madmom.features.beats import DBNBeatTrackingProcessor, RNNBeatProcessor

    network = RNNBeatProcessor(online=True, fps=100, origin="online") if online else RNNBeatProcessor(fps=100)

    def hear(path):
        found = DBNBeatTrackingProcessor(fps=100, online=online)(network(str(path)))
        # A frame of the causal tracker ends at its stated time.
        return [beat(t, t if online else None) for t in found]

    return hear


def program(command):
    def hear(path):
        at_16k = path.parent.with_name("audio16") / path.name
        parts = [part.format(file=path, file16=at_16k) for part in shlex.split(command)]
        printed = subprocess.run(parts, check=True, capture_output=True, text=True).stdout
        return [json.loads(line) for line in printed.splitlines() if line.startswith("{")]

    return hear


TOOLS = {
    "aubio": aubio,
    "ledfx": ledfx,
    "essentia": essentia,
    "librosa": librosa,
    "madmom": madmom,
    "madmom_online": lambda: madmom(True),
}


def processor_s():
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    corpus, out = Path(sys.argv[1]), Path(sys.argv[2])
    sounds = sorted((corpus / "audio44").glob("*.wav"))
    if not sounds:
        sys.exit(f"{corpus}/audio44 has no .wav")
    for tool in sys.argv[3:]:
        name, _, command = tool.partition("=")
        if not command and name not in TOOLS:
            sys.exit(f"{name} is none of {', '.join(TOOLS)}, and no NAME=COMMAND")
        hear = program(command) if command else TOOLS[name]()
        # Exclude what is loaded on first use.
        hear(sounds[0])
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        took = length = 0.0
        for path in sounds:
            before = processor_s()
            lines = hear(path)
            took += processor_s() - before
            with wave.open(str(path)) as sound:
                length += sound.getnframes() / sound.getframerate()
            (folder / f"{path.stem}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        (folder / "cost.json").write_text(json.dumps({"processor_s": took, "sound_s": length}) + "\n")
        print(f"{name}: {len(sounds)} files, {took:.1f} s of {length:.0f} s", flush=True)


if __name__ == "__main__":
    main()
