#!/usr/bin/env python3
"""Records the beats that other trackers hear in recordings, each with a Python that has it.

  trackers.py offline FOLDER OUT.json      Essentia and librosa (pip install essentia librosa), for every recording
  trackers.py madmom ORDER.json OUT.json   madmom (pip install madmom; Python 3.8), in the order of the list

FOLDER has a folder for each package. Each recording is heard once, from a tenth of its length on, for 90 s at most,
and by madmom for 60 s, because it needs much processor time. What OUT.json has already is not heard again.
"""

import json
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np

LONGEST_S, SHORTEST_S = 90, 40
PROCESSOR_S = 45 * 60
# At most this many recordings of a package, spread over its files.
PIECES = 16
ENDINGS = (".ogg", ".oga", ".opus", ".mp3", ".flac", ".g722")
# Of madmom's eight networks.
NETWORKS = 3


def length(path):
    command = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", path]
    try:
        return float(subprocess.run(command, capture_output=True, text=True).stdout)
    except ValueError:
        return 0.0


def sound(path, start, seconds):
    """16-bit samples at 44.1 kHz."""
    command = ["ffmpeg", "-v", "error", "-ss", str(start), "-t", str(seconds), "-i", path]
    raw = subprocess.run([*command, "-ac", "1", "-ar", "44100", "-f", "s16le", "-"], check=True, capture_output=True)
    return np.frombuffer(raw.stdout, "<i2")


def rounded(times):
    return [round(float(t), 3) for t in times]


def known(path):
    return json.loads(Path(path).read_text()) if Path(path).exists() else {}


def write(path, value):
    Path(path + ".new").write_text(json.dumps(value))
    os.replace(path + ".new", path)


def recordings(folder):
    for package in sorted(Path(folder).iterdir()):
        files = sorted(str(p) for p in package.rglob("*") if p.name.lower().endswith(ENDINGS))
        if len(files) > PIECES:
            files = [files[int(k)] for k in np.linspace(0, len(files) - 1, PIECES)]
        yield from files


def offline(folder, out):
    import essentia

    essentia.log.infoActive = False
    import essentia.standard as es
    import librosa

    done = known(out)
    for path in (p for p in recordings(folder) if p not in done):
        whole = length(path)
        if whole < SHORTEST_S:
            continue
        start = round(whole * 0.1, 1)
        samples = sound(path, start, round(min(LONGEST_S, whole - start - 2), 1)).astype(np.float32) / 32768
        beats = es.RhythmExtractor2013(method="multifeature")(samples)[1]
        half = librosa.resample(samples, orig_sr=44_100, target_sr=22_050)
        other = librosa.beat.beat_track(y=half, sr=22_050, units="time")[1]
        seconds = round(len(samples) / 44_100, 2)
        done[path] = {"start": start, "seconds": seconds, "essentia": rounded(beats), "librosa": rounded(other)}
        write(out, done)
    print(len(done), "recordings")


def downbeat_networks():
    """madmom's RNNDownBeatProcessor with fewer networks, for the sake of the processor."""
    from madmom.audio.signal import FramedSignalProcessor, SignalProcessor
    from madmom.audio.spectrogram import (
        FilteredSpectrogramProcessor,
        LogarithmicSpectrogramProcessor,
        SpectrogramDifferenceProcessor,
    )
    from madmom.audio.stft import ShortTimeFourierTransformProcessor
    from madmom.ml.nn import NeuralNetworkEnsemble
    from madmom.models import DOWNBEATS_BLSTM
    from madmom.processors import ParallelProcessor, SequentialProcessor

    def spectra(size, bands):
        return SequentialProcessor((
            FramedSignalProcessor(frame_size=size, fps=100),
            ShortTimeFourierTransformProcessor(),
            FilteredSpectrogramProcessor(num_bands=bands, fmin=30, fmax=17_000, norm_filters=True),
            LogarithmicSpectrogramProcessor(mul=1, add=1),
            SpectrogramDifferenceProcessor(diff_ratio=0.5, positive_diffs=True, stack_diffs=np.hstack),
        ))  # fmt: skip

    return SequentialProcessor((
        SignalProcessor(num_channels=1, sample_rate=44_100),
        ParallelProcessor([spectra(1024, 3), spectra(2048, 6), spectra(4096, 12)]),
        np.hstack,
        NeuralNetworkEnsemble.load(DOWNBEATS_BLSTM[:NETWORKS]),
        partial(np.delete, obj=0, axis=1),
    ))  # fmt: skip


def madmom(order, out):
    from madmom.audio.signal import Signal
    from madmom.features.beats import DBNBeatTrackingProcessor
    from madmom.features.downbeats import DBNDownBeatTrackingProcessor

    network = downbeat_networks()
    bars = DBNDownBeatTrackingProcessor(beats_per_bar=[3, 4], fps=100)
    beats = DBNBeatTrackingProcessor(fps=100)
    done = known(out)
    spent = sum(heard["cpu"] for heard in done.values())
    while spent < PROCESSOR_S:
        # The order may grow while other trackers are at work.
        todo = [e for e in json.loads(Path(order).read_text()) if e["file"] not in done]
        if not todo:
            break
        next_, before = todo[0], time.process_time()
        samples = sound(next_["file"], next_["start"], next_["seconds"])
        activations = network(Signal(samples, sample_rate=44_100))
        found = [[round(float(t), 3), int(place)] for t, place in bars(activations)]
        cpu = time.process_time() - before
        spent += cpu
        done[next_["file"]] = {"cpu": cpu, "beats": rounded(beats(activations.sum(1))), "bars": found}
        write(out, done)
        print(f"{spent:.0f} s, {next_['file']}", flush=True)


def main():
    tools = {"offline": offline, "madmom": madmom}
    if len(sys.argv) != 4 or sys.argv[1] not in tools:
        sys.exit(__doc__)
    tools[sys.argv[1]](*sys.argv[2:])


if __name__ == "__main__":
    main()
