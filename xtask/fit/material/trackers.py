#!/usr/bin/env python3
"""Records the beats that other trackers hear in recordings, with a Python that has them.

  trackers.py essentia,librosa PACKAGES OUT.json     (pip install essentia librosa)
  trackers.py madmom PACKAGES OUT.json ORDER.json    (pip install madmom, which needs Python 3.8)

Each recording is heard once, from a tenth of its length on, for 90 s at most. ORDER.json lists the files for madmom,
whose CPU time is limited to CPU_S.
"""
import glob, json, os, subprocess, sys, time
import numpy as np

LONGEST_S, SHORTEST_S = 90, 40
CPU_S = 45 * 60
# At most this many pieces of a package, spread over its files.
PIECES = 16
SOUND = ('.ogg', '.oga', '.opus', '.mp3', '.flac')


def length(path):
    r = subprocess.run(['ffprobe', '-v', 'error', '-show_entries', 'format=duration', '-of', 'csv=p=0', path], capture_output=True, text=True)
    try: return float(r.stdout)
    except ValueError: return 0.0


def sound(path, start, seconds):
    raw = subprocess.run(['ffmpeg', '-v', 'error', '-ss', str(start), '-t', str(seconds), '-i', path, '-ac', '1', '-ar', '44100', '-f', 's16le', '-'], check=True, capture_output=True).stdout
    return np.frombuffer(raw, '<i2')


def pieces(folder, done):
    for package in sorted(os.listdir(folder)):
        if package.endswith('.part'): continue
        files = [f for f in sorted(glob.glob(f'{folder}/{package}/**/*', recursive=True)) if f.lower().endswith(SOUND)]
        if len(files) > PIECES: files = [files[int(i)] for i in np.linspace(0, len(files) - 1, PIECES)]
        yield from ((f, n) for f, n in ((f, length(f)) for f in files if f not in done) if n >= SHORTEST_S)


def offline(folder, out):
    import essentia
    essentia.log.infoActive = False
    import essentia.standard as es
    import librosa
    done = json.load(open(out)) if os.path.exists(out) else {}
    for path, n in pieces(folder, done):
        start = round(n * 0.1, 1); seconds = round(min(LONGEST_S, n - start - 2), 1)
        try:
            x = sound(path, start, seconds).astype(np.float32) / 32768
            _, beats, confidence, *_ = es.RhythmExtractor2013(method='multifeature')(x)
            y = librosa.resample(x, orig_sr=44100, target_sr=22050)
            done[path] = dict(length=n, start=start, seconds=round(len(x) / 44100, 2), essentia=[round(float(t), 3) for t in beats], confidence=float(confidence),
                              librosa=[round(float(t), 3) for t in librosa.beat.beat_track(y=y, sr=22050, units='time')[1]])
        except Exception as e: print(path, repr(e), flush=True); continue
        json.dump(done, open(out + '.new', 'w')); os.replace(out + '.new', out)
    print(len(done), 'recordings', flush=True)


def ensemble():
    """madmom's RNNDownBeatProcessor with three of its eight networks, for the processor's sake."""
    from functools import partial
    from madmom.audio.signal import FramedSignalProcessor, SignalProcessor
    from madmom.audio.stft import ShortTimeFourierTransformProcessor
    from madmom.audio.spectrogram import FilteredSpectrogramProcessor, LogarithmicSpectrogramProcessor, SpectrogramDifferenceProcessor
    from madmom.ml.nn import NeuralNetworkEnsemble
    from madmom.models import DOWNBEATS_BLSTM
    from madmom.processors import ParallelProcessor, SequentialProcessor
    parts = ParallelProcessor([])
    for size, bands in ((1024, 3), (2048, 6), (4096, 12)):
        parts.append(SequentialProcessor((
            FramedSignalProcessor(frame_size=size, fps=100), ShortTimeFourierTransformProcessor(),
            FilteredSpectrogramProcessor(num_bands=bands, fmin=30, fmax=17000, norm_filters=True),
            LogarithmicSpectrogramProcessor(mul=1, add=1), SpectrogramDifferenceProcessor(diff_ratio=0.5, positive_diffs=True, stack_diffs=np.hstack))))
    return SequentialProcessor((SignalProcessor(num_channels=1, sample_rate=44100), parts, np.hstack,
                                NeuralNetworkEnsemble.load(DOWNBEATS_BLSTM[:3]), partial(np.delete, obj=0, axis=1)))


def downbeats(out, order):
    from madmom.audio.signal import Signal
    from madmom.features.beats import DBNBeatTrackingProcessor
    from madmom.features.downbeats import DBNDownBeatTrackingProcessor
    network = ensemble()
    bars = DBNDownBeatTrackingProcessor(beats_per_bar=[3, 4], fps=100)
    beats = DBNBeatTrackingProcessor(fps=100)
    done = json.load(open(out)) if os.path.exists(out) else {}
    spent = sum(d['cpu'] for d in done.values())
    while True:
        # The order grows while other trackers are at work.
        todo = [e for e in json.load(open(order)) if e['file'] not in done]
        if not todo: break
        e = todo[0]
        if spent > CPU_S: print('the CPU time is spent', flush=True); break
        before = time.process_time()
        try:
            a = network(Signal(sound(e['file'], e['start'], e['seconds']), sample_rate=44100))
            found = bars(a)
            plain = beats(a.sum(1))
        except Exception as err: sys.exit(f"{e['file']}: {err!r}")
        cpu = time.process_time() - before; spent += cpu
        done[e['file']] = dict(cpu=cpu, beats=[round(float(t), 3) for t in plain], bars=[[round(float(t), 3), int(p)] for t, p in found],
                               strength=[[round(float(v), 3) for v in a[min(len(a) - 1, int(round(t * 100)))]] for t, _ in found])
        json.dump(done, open(out + '.new', 'w')); os.replace(out + '.new', out)
        print(f"{spent:.0f} CPU s, {e['file']}", flush=True)


if __name__ == '__main__':
    if sys.argv[1] == 'madmom': downbeats(*sys.argv[3:5])
    else: offline(*sys.argv[2:4])
