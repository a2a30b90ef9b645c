#!/usr/bin/env python3
"""Builds free music with known beats from Debian packages: tracker modules, MIDI files and recordings.

  build.py OUT [--kind modules|midi|recorded] [--packages FOLDER] [--recipe FILE] [--only ID,ID...] [--keep]

Needs libopenmpt0, fluidsynth, fluid-soundfont-gm, timgm6mb-soundfont, musescore-general-soundfont-small, abcmidi and
ffmpeg (Debian 12), and numpy, scipy, soundfile and mido (PyPI). The packages of the recipe are not installed: apt-get
downloads them, and only the files that the recipe names are unpacked into FOLDER (OUT/packages). --keep renders only
what is missing.

recipe.json names the packages, their licences and their side of the split, and for each excerpt the file, the start,
the seconds, and where its beats are from: the rows of a module, the tempo map of a MIDI file, or the listed times on
which beat trackers agree. A package is on one side, "train" or "test", as a whole.

  OUT/KIND/audio16/ID.wav   mono, 16 kHz, 16 bits
  OUT/KIND/gt/ID.beats      second and place in the bar of each beat; 0 = the place is unknown
  OUT/KIND/gt/ID.json       id, cls, group, meter (beats of a bar), seconds, source (package), split

modules.py, midis.py and trackers.py with recordings.py decide what the beats are, and recipe.py writes the recipe from
that, or adds recordings to it. A new recipe needs only these, an unpacked folder for each package, and a look at what
they drop.
"""

import argparse
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import resample_poly

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

RATE = 16_000
# Modules and MIDI files are rendered at this rate.
WIDE = 32_000
# A MIDI file is rendered from this long before its excerpt, for the reverberation.
BEFORE_S = 1.5
TICKS_PER_S, TICKS_PER_BEAT = 19_200, 9_600
# Sustain, all notes off, all sound off.
SILENCE = (64, 123, 120)
PEAK = 10 ** (-3 / 20)
FONTS = {
    "fluid": "/usr/share/sounds/sf2/FluidR3_GM.sf2",
    "tim": "/usr/share/sounds/sf2/TimGM6mb.sf2",
    "ms": "/usr/share/sounds/sf3/MuseScore_General_Lite.sf3",
}


def unpack(package, files, folder):
    """Downloads the package unless `files` are there."""
    missing = {f for f in files if not (folder / package / f).exists()}
    if not missing:
        return
    with tempfile.TemporaryDirectory() as temp:
        subprocess.run(["apt-get", "-qq", "download", package], cwd=temp, check=True)
        archive = next(Path(temp).glob("*.deb"))
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE) as content:
            files = tarfile.open(fileobj=content.stdout, mode="r|")
            for member in files:
                name = member.name.removeprefix("./")
                if name in missing and member.isfile():
                    path = folder / package / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(files.extractfile(member).read())


def module(path, item):
    import openmpt

    samples, rows, *_ = openmpt.render(path, item["start"] + item["seconds"] + 0.3, rate=WIDE)
    rows_per_beat, bar = item["rows_per_beat"], item["beats_per_bar"]
    beats = [(t, row // rows_per_beat % bar + 1 if bar else 0) for t, _, row, _ in rows if row % rows_per_beat == 0]
    return samples[round(item["start"] * WIDE) :], WIDE, beats


def midi(path, item):
    import mido

    import midis

    file, tempo, signatures, _, end = midis.read(path)
    grid = midis.grid(file, signatures, end, item["beat_quarters"])
    begin, stop = max(0, item["start"] - BEFORE_S), item["start"] + item["seconds"]
    events, tick = [], 0
    for message in mido.merge_tracks(file.tracks):
        tick += message.time
        second = tempo(tick)
        is_earlier_note = second < begin and message.type in ("note_on", "note_off")
        if second <= stop and not message.is_meta and not is_earlier_note:
            events.append((max(0.0, second - begin), message))
    # The synthesizer renders as long as a voice sounds.
    for channel in range(16):
        off = (mido.Message("control_change", channel=channel, control=number) for number in SILENCE)
        events += [(stop - begin, message) for message in off]
    track, last = mido.MidiTrack(), 0
    for second, message in events:
        now = round(second * TICKS_PER_S)
        track.append(message.copy(time=now - last))
        last = now
    part = mido.MidiFile(type=0, ticks_per_beat=TICKS_PER_BEAT, tracks=[track])
    with tempfile.TemporaryDirectory() as temp:
        score, sound = temp + "/part.mid", temp + "/part.wav"
        part.save(score)
        # Dynamic loading unpacks only the samples that are played.
        options = ["-o", "synth.dynamic-sample-loading=1", "-g", "0.4", "-r", str(WIDE), "-O", "s16", "-T", "wav"]
        command = ["fluidsynth", "-niq", *options, "-F", sound, FONTS[item["soundfont"]], score]
        subprocess.run(command, check=True, timeout=300, capture_output=True)
        samples = soundfile.read(sound, always_2d=True)[0].mean(1)
    beats = [(tempo(tick), place if item["beats_per_bar"] else 0) for tick, place in grid]
    return samples[round((item["start"] - begin) * WIDE) :], WIDE, beats


def recorded(path, item):
    command = ["ffmpeg", "-v", "error", "-ss", str(item["start"]), "-t", str(item["seconds"]), "-i", path]
    raw = subprocess.run([*command, "-ac", "1", "-ar", str(RATE), "-f", "s16le", "-"], check=True, capture_output=True)
    places = item.get("places", [0] * len(item["beats"]))
    beats = [(item["start"] + t, place) for t, place in zip(item["beats"], places)]
    return np.frombuffer(raw.stdout, "<i2") / 32768, RATE, beats


# Of each kind: what makes it, class, group.
KINDS = {
    "modules": (module, "gold", "mod"),
    "midi": (midi, "gold", "midi"),
    "recorded": (recorded, "silver", "real"),
}


def write(kind, item, split, folder, out):
    """Writes sound, beats and entry of an excerpt, and returns its seconds."""
    make, cls, group = KINDS[kind]
    samples, rate, beats = make(str(folder / item["package"] / item["file"]), item)
    samples = samples[: round(item["seconds"] * rate)]
    if rate != RATE:
        samples = resample_poly(samples, RATE, rate)
    samples = samples * (PEAK / max(1e-3, np.abs(samples).max()))
    seconds, name = len(samples) / RATE, item["id"]
    words = np.round(samples * 32767).astype(np.int16)
    soundfile.write(out / kind / "audio16" / f"{name}.wav", words, RATE, subtype="PCM_16")
    inside = [(t - item["start"], place) for t, place in sorted(beats) if 0 <= t - item["start"] < seconds - 0.05]
    lines = (f"{t:.4f}\t{place}\n" for t, place in inside)
    (out / kind / "gt" / f"{name}.beats").write_text("".join(lines))
    entry = {"id": name, "cls": cls, "group": group, "meter": f"{item['beats_per_bar'] or '?'}/4"}
    entry |= {"dur": round(seconds, 3), "source": item["package"], "split": split}
    (out / kind / "gt" / f"{name}.json").write_text(json.dumps(entry))
    return seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--kind", choices=KINDS)
    parser.add_argument("--packages", type=Path)
    parser.add_argument("--recipe", type=Path, default=HERE / "recipe.json")
    parser.add_argument("--only", type=lambda ids: ids.split(","))
    parser.add_argument("--keep", action="store_true")
    a = parser.parse_args()
    recipe, folder = json.loads(a.recipe.read_text()), a.packages or a.out / "packages"
    for kind in [a.kind] if a.kind else KINDS:
        for part in ("audio16", "gt"):
            (a.out / kind / part).mkdir(parents=True, exist_ok=True)
        items = [i for i in recipe[kind] if not a.only or i["id"] in a.only]
        if a.keep:
            items = [i for i in items if not (a.out / kind / "gt" / f"{i['id']}.json").exists()]
        for package in sorted({i["package"] for i in items}):
            unpack(package, {i["file"].split("#")[0] for i in items if i["package"] == package}, folder)
        seconds = [write(kind, i, recipe["packages"][i["package"]]["split"], folder, a.out) for i in items]
        print(f"{kind}: {len(items)} excerpts, {sum(seconds) / 3600:.2f} h", flush=True)


if __name__ == "__main__":
    main()
