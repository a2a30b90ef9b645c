"""Plays a performance by fluidsynth and a General MIDI soundfont, mono at 16 kHz.

The soundfonts are those of the Debian packages fluid-soundfont-gm (MIT), timgm6mb-soundfont (GPL-2),
musescore-general-soundfont-small (MIT) and opl3-soundfont (CC-BY-SA-4.0). The recorded drum kits are those of
avldrums.lv2-soundfont (CC-BY-SA-3.0).
"""

import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
from scipy.signal import resample_poly

from score import DRUMS

RATE = 16000
FONTS = {
    "fluid": "/usr/share/sounds/sf2/FluidR3_GM.sf2",
    "tim": "/usr/share/sounds/sf2/TimGM6mb.sf2",
    "musescore": "/usr/share/sounds/sf3/MuseScore_General_Lite.sf3",
    "opl3": "/usr/share/sounds/sf2/OPL-3_FM_128M.sf2",
}
KITS = {
    "black pearl": "/usr/share/sounds/sf2/Black_Pearl_4_LV2.sf2",
    "red zeppelin": "/usr/share/sounds/sf2/Red_Zeppelin_4_LV2.sf2",
}
# The kits lack the hand percussion of General MIDI: their nearest sounds.
KIT_KEYS = {
    35: 36,
    39: 37,
    50: 47,
    48: 45,
    43: 41,
    52: 49,
    55: 49,
    57: 49,
    59: 51,
    60: 47,
    61: 47,
    62: 47,
    63: 47,
    64: 45,
    65: 47,
    66: 45,
    67: 56,
    68: 56,
    69: 42,
    70: 42,
    75: 37,
    76: 37,
    77: 37,
    80: 53,
    81: 53,
    82: 42,
}
# Ticks a second of the MIDI file, whose tempo is one beat a second.
TICKS = 10000
# How much later than its event a stroke sounds (s, measured with hi-hats): fluidsynth acts at the border of a block and
# of a millisecond, and the samples of one soundfont begin with silence.
LATE, LATE_BY_FONT = 0.0032, {"opl3": 0.0095}
# Silence before the piece (s), so that its first notes can be sent early.
LEAD = 0.05
# A voice that never ends would keep fluidsynth busy for ever.
SILENCE = (64, 123, 120)


def available():
    return [name for name, path in FONTS.items() if Path(path).exists()]


def midi(performance, end, late):
    """The performance up to second `end` as a MIDI file that begins with the lead; notes are `late` seconds early."""
    shift = LEAD - late
    events = [
        (0.0, 0, mido.Message("control_change", channel=channel, control=7, value=volume))
        for channel, volume in performance.volumes.items()
    ]
    events += [
        (second + shift / 2, 0, mido.Message("program_change", channel=channel, program=program))
        for second, channel, program in performance.programs
    ]
    for channel, second, length, pitch, velocity in performance.notes:
        if second < end:
            events.append((second + shift, 2, mido.Message("note_on", channel=channel, note=pitch, velocity=velocity)))
            events.append((min(second + length, end) + shift, 1, mido.Message("note_off", channel=channel, note=pitch)))
    events += [
        (end + LEAD, 3, mido.Message("control_change", channel=channel, control=control, value=0))
        for channel in range(16)
        for control in SILENCE
    ]
    events.sort(key=lambda event: event[:2])
    track, last = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=1000000)]), 0
    for second, _, message in events:
        tick = round(second * TICKS)
        track.append(message.copy(time=tick - last))
        last = tick
    file = mido.MidiFile(type=0, ticks_per_beat=TICKS)
    file.tracks.append(track)
    return file


def play_kit(performance, end, kit, wet=True):
    """The drums of the performance by a recorded kit, which is a melodic instrument to fluidsynth."""
    notes = [
        (0, second, length, KIT_KEYS.get(key, key), velocity)
        for channel, second, length, key, velocity in performance.notes
        if channel == DRUMS
    ]
    return play(replace(performance, notes=notes, programs=[(0.0, 0, 0)], volumes={0: 110}), end, kit, wet)


def play(performance, end, font, wet=True):
    """The first `end` seconds of sound; `wet` adds fluidsynth's reverberation and chorus."""
    with tempfile.TemporaryDirectory() as folder:
        score, raw = f"{folder}/score.mid", f"{folder}/sound.raw"
        midi(performance, end, LATE_BY_FONT.get(font, LATE)).save(score)
        effects = [] if wet else ["-R", "0", "-C", "0"]
        subprocess.run(
            [
                "fluidsynth",
                "-ni",
                "-q",
                "-g",
                "0.4",
                *effects,
                "-o",
                "synth.dynamic-sample-loading=1",
                "-r",
                str(2 * RATE),
                "-O",
                "s16",
                "-T",
                "raw",
                "-F",
                raw,
                (FONTS | KITS)[font],
                score,
            ],
            check=True,
            timeout=120,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        sound = np.fromfile(raw, np.int16).reshape(-1, 2).astype(np.float32).mean(1) / 32768
    return resample_poly(sound, 1, 2).astype(np.float32)[round(LEAD * RATE) : round((LEAD + end) * RATE)]
