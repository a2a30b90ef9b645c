#!/usr/bin/env python3
"""Builds free music with known beats from Debian packages: tracker modules, MIDI files and recordings.

  build.py OUT [--kind modules|midi|recorded] [--packages FOLDER] [--recipe FILE] [--only ID,ID...]

Requires libopenmpt0, fluidsynth, fluid-soundfont-gm, timgm6mb-soundfont, musescore-general-soundfont-small, abcmidi,
ffmpeg (Debian 12) and numpy, scipy, soundfile, mido (PyPI). Nothing of the packages is installed: they are downloaded with
apt-get, and only the files that the recipe names are unpacked into --packages (default: OUT/packages).

recipe.json names the packages with their licences and their side of the split, and for each item the file, the start
and the length of the excerpt, and how its beats follow: from the rows of a module, from the tempo map of a MIDI file,
or as the listed times that several beat trackers agree on. A package is on one side, "train" or "test", as a whole.

OUT/KIND/audio16/ID.wav   mono, 16 kHz, 16 bits
OUT/KIND/gt/ID.beats      seconds and place in the bar of each beat; 0 = the place is unknown
OUT/KIND/gt/ID.json       id, cls, group, meter, seconds, source, split
"""

import argparse
import glob
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import soundfile
from scipy.signal import resample_poly

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

RATE = 16_000
WIDE = 32_000
FONTS = {
    "fluid": "/usr/share/sounds/sf2/FluidR3_GM.sf2",
    "tim": "/usr/share/sounds/sf2/TimGM6mb.sf2",
    "ms": "/usr/share/sounds/sf3/MuseScore_General_Lite.sf3",
}
KINDS = {"modules": ("gold", "mod"), "midi": ("gold", "midi"), "recorded": ("silver", "real")}
# Seconds that a MIDI file is rendered before its excerpt, for the reverberation.
BEFORE_S = 1.5


def unpack(package, files, folder):
    """Downloads the package unless its files are there, and keeps only `files`."""
    out = os.path.join(folder, package)
    missing = {f for f in files if not os.path.exists(os.path.join(out, f))}
    if not missing:
        return out
    with tempfile.TemporaryDirectory() as temp:
        subprocess.run(["apt-get", "-qq", "download", package], cwd=temp, check=True)
        deb = glob.glob(temp + "/*.deb")[0]
        stream = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE)
        archive = tarfile.open(fileobj=stream.stdout, mode="r|")
        for member in archive:
            name = member.name.removeprefix("./")
            if name in missing and member.isfile():
                path = os.path.join(out, name)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as f:
                    f.write(archive.extractfile(member).read())
        stream.wait()
    return out


def module(path, item):
    import openmpt

    # Also the rows just before the end belong to the excerpt.
    x, rows, *_ = openmpt.render(path, item["start"] + item["seconds"] + 0.3, rate=WIDE)
    k, bar = item["rows_per_beat"], item["beats_per_bar"]
    beats = [(r[0], r[2] // k % bar + 1 if bar else 0) for r in rows if r[2] % k == 0]
    a = round(item["start"] * WIDE)
    return x[a : a + round(item["seconds"] * WIDE)], beats


def midi(path, item):
    import mido

    import midis

    m, tempo, signatures, _, end = midis.read(path)
    beats = [
        (tempo(t), p if item["beats_per_bar"] else 0)
        for t, p in midis.grid(m, signatures, end, item["beat_quarters"])
    ]
    begin, stop = max(0, item["start"] - BEFORE_S), item["start"] + item["seconds"]
    ticks = lambda s: round(max(0, s - begin) * 19200)
    events, a = [], 0
    for x in mido.merge_tracks(m.tracks):
        a += x.time
        t = tempo(a)
        if t > stop:
            break
        if x.is_meta or (t < begin and x.type in ("note_on", "note_off")):
            continue
        events.append((ticks(t), x))
    # The synthesizer renders as long as a voice sounds.
    for c in range(16):
        events += [(ticks(stop), mido.Message("control_change", channel=c, control=n, value=0)) for n in (64, 123, 120)]
    out, track, last = mido.MidiFile(type=0, ticks_per_beat=9600), mido.MidiTrack(), 0
    for t, x in events:
        track.append(x.copy(time=t - last))
        last = t
    out.tracks.append(track)
    with tempfile.TemporaryDirectory() as temp:
        out.save(temp + "/a.mid")
        # Dynamic loading unpacks only the samples that are played.
        options = ["-o", "synth.dynamic-sample-loading=1", "-g", "0.4", "-r", str(WIDE), "-O", "s16", "-T", "wav"]
        command = ["fluidsynth", "-niq", *options, "-F", temp + "/a.wav", FONTS[item["soundfont"]], temp + "/a.mid"]
        subprocess.run(command, check=True, timeout=300, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        x = soundfile.read(temp + "/a.wav", always_2d=True)[0].mean(1)
    a = round((item["start"] - begin) * WIDE)
    return x[a : a + round(item["seconds"] * WIDE)], beats


def excerpt(path, start, seconds, rate):
    """Part of a recording as mono samples."""
    raw = subprocess.run(
        [
            "ffmpeg",
            "-v",
            "error",
            "-ss",
            str(start),
            "-t",
            str(seconds),
            "-i",
            path,
            "-ac",
            "1",
            "-ar",
            str(rate),
            "-f",
            "s16le",
            "-",
        ],
        check=True,
        capture_output=True,
    ).stdout
    return np.frombuffer(raw, "<i2") / 32768


def recorded(path, item):
    beats = [(item["start"] + t, p) for t, p in zip(item["beats"], item.get("places") or [0] * len(item["beats"]))]
    return excerpt(path, item["start"], item["seconds"], RATE), beats


def make(item, kind, source, folder, out):
    base = os.path.join(out, kind)
    path = os.path.join(unpack(item["package"], [item["file"].split("#")[0]], folder), item["file"])
    x, beats = {"modules": module, "midi": midi, "recorded": recorded}[kind](path, item)
    if kind != "recorded":
        x = resample_poly(x, RATE, WIDE)
    x = x * (10 ** (-3 / 20) / max(1e-3, np.abs(x).max()))
    seconds = len(x) / RATE
    soundfile.write(
        f"{base}/audio16/{item['id']}.wav",
        np.clip(np.round(x * 32767), -32768, 32767).astype(np.int16),
        RATE,
        subtype="PCM_16",
    )
    inside = [(t - item["start"], p) for t, p in sorted(beats) if 0 <= t - item["start"] < seconds - 0.05]
    with open(f"{base}/gt/{item['id']}.beats", "w") as f:
        f.writelines(f"{t:.4f}\t{p}\n" for t, p in inside)
    cls, group = KINDS[kind]
    meter = f"{item['beats_per_bar']}/4" if item.get("beats_per_bar") else "?"
    entry = dict(
        id=item["id"],
        cls=cls,
        group=group,
        meter=meter,
        seconds=round(seconds, 3),
        source=item["package"],
        split=source["split"],
    )
    with open(f"{base}/gt/{item['id']}.json", "w") as f:
        json.dump(entry, f)
    return seconds


def main():
    p = argparse.ArgumentParser(usage=__doc__)
    p.add_argument("out")
    p.add_argument("--kind", choices=KINDS)
    p.add_argument("--packages")
    p.add_argument("--only")
    p.add_argument("--recipe", default=os.path.join(HERE, "recipe.json"))
    p.add_argument("--jobs", type=int, default=1)
    p.add_argument("--keep", action="store_true", help="do not render what is there")
    a = p.parse_args()
    recipe = json.load(open(a.recipe))
    folder = a.packages or os.path.join(a.out, "packages")
    failed = 0
    for kind in [a.kind] if a.kind else KINDS:
        for d in ("audio16", "gt"):
            os.makedirs(f"{a.out}/{kind}/{d}", exist_ok=True)
        items = [i for i in recipe[kind] if not a.only or i["id"] in a.only.split(",")]
        if a.keep:
            items = [i for i in items if not os.path.exists(f"{a.out}/{kind}/gt/{i['id']}.json")]

        def one(item):
            try:
                return make(item, kind, recipe["packages"][item["package"]], folder, a.out)
            except Exception as e:
                print(f"{item['id']}: {e!r}", flush=True)

        with ThreadPoolExecutor(a.jobs) as pool:
            took = list(pool.map(one, items))
        failed += took.count(None)
        took = [t for t in took if t is not None]
        print(f"{kind}: {len(took)} of {len(items)} excerpts, {sum(took) / 3600:.2f} h", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
