"""Scores from the accompaniment styles that musicians wrote for the package mma (GPL-2 or later; the chords are ours).

`styles.txt` names the styles. A piece changes its groove between sections, plays the fills of its style, and is then
arranged anew: without drums, with few parts, other instruments or other volumes, or with its off-beats stressed.
"""

import os
import re
import subprocess
import tempfile
from pathlib import Path

import mido
import numpy as np

from score import DRUMS, Score

LIBRARY = Path("/usr/share/mma/lib")
# Half-beat flips are the faults that other music did not cure: styles with strong off-beats come three times as often.
OFF_BEAT = re.compile(
    "ska|reggae|polka|bossa|house|techno|trance|dance|march|samba|calypso|rave|twist|salsa|mambo|son$|merengue|soul|latin"
    "|disco|quickstep|2beat|foxtrot|zydeco|charleston|ragtime|broadway|dnb|trip"
)
NOT_MUSIC = re.compile(r"(end|ending|intro|count|countin)\d*$", re.I)
PROGRESSIONS = [
    line.split()
    for line in """
C Am Dm G7 C F C G7 Em Am F G7 C A7 Dm G7
Am F C G Am F C E7 Dm Am E7 Am F C G E7
C7 F7 C7 C7 F7 F7 C7 A7 Dm G7 C7 G7
Fmaj7 Gm7 C7 Fmaj7 Bbmaj7 Am7 D7 Gm7 C7 Am7 Dm7 Gm7
Em Em C D Em Em G D C G D Em
C G Am F C G F F
C C F C G7 G7 C C F F C A7 D7 G7 C C
Dm7 G7 Cmaj7 Cmaj7 Cm7 F7 Bbmaj7 Bbmaj7
Am Am Am Am Dm Dm Am E7
C Bb F C C Bb F G
C C C C F F C C
Am G F E7 Am G F E7
Cm Ab Eb Bb Cm Ab Bb Gm
C D F C Am D G G
""".strip().splitlines()
]
SUBSTITUTES = (0, 4, 11, 16, 24, 25, 26, 27, 29, 30, 33, 38, 46, 48, 52, 56, 61, 65, 73, 80, 81, 89)
KITS = (0, 0, 0, 8, 16, 24, 25, 32, 40)
KICKS, HATS = (35, 36), (42, 44, 46, 51, 54, 69, 70, 82)
ARRANGEMENTS = ("as written", "no drums", "few parts", "rhythm section", "other instruments", "off-beats")


def styles():
    """The permitted styles: (name, usual tempo)."""
    text = (Path(__file__).parent / "styles.txt").read_text()
    return [(line.split()[0], float(line.split()[1])) for line in text.splitlines() if line[0] != "#"]


def weight(style):
    return 3 if OFF_BEAT.search(style.split("/")[1].lower()) else 1


def grooves(style):
    """The grooves of a style: (those that carry a section, those that fill a bar)."""
    text = (LIBRARY / f"{style}.mma").read_text(errors="replace")
    names = [name for name in re.findall(r"^\s*DefGroove\s+(\S+)", text, re.M | re.I) if not NOT_MUSIC.search(name)]
    fills = [name for name in names if re.search("fill", name, re.I)]
    return [name for name in names if name not in fills] or names, fills


def source(style, chords, bpm, bars, rng):
    """The text of a piece for mma: sections of 4 or 8 bars, chords in an order of ours."""
    sections, fills = grooves(style)
    first = str(rng.choice(sections))
    second = str(rng.choice(sections)) if rng.random() < 0.5 else first
    length = int(rng.choice([4, 8, 8]))
    lines = [f"RndSeed {int(rng.integers(1, 9999))}", f"Tempo {bpm}"]
    current = None
    for bar in range(bars):
        groove = first if bar // length % 2 == 0 else second
        if fills and bar % length == length - 1 and rng.random() < 0.6:
            groove = str(rng.choice(fills))
        if groove != current:
            lines.append(f"Groove {style}:{groove}")
            current = groove
        lines += ["MidiMark bar", f"{bar + 1} {chords[bar % len(chords)]}"]
    return "\n".join(lines + ["MidiMark bar"]) + "\n"


def run(text):
    """The MIDI file that mma makes of the text. Its home, to which it writes, is a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        script, out = Path(folder) / "piece.mma", Path(folder) / "piece.mid"
        script.write_text(text)
        told = subprocess.run(
            ["mma", script, "-f", out],
            capture_output=True,
            text=True,
            cwd=folder,
            env=dict(os.environ, HOME=folder, LC_ALL="C"),
        )
        if not out.exists():
            raise RuntimeError(f"mma: {told.stdout[-300:]} {told.stderr[-300:]}")
        return mido.MidiFile(out, clip=True)


def read(file):
    """The score of a MIDI file that has a marker at each bar; a beat is a quarter."""
    quarter, tick, marks, open_notes = file.ticks_per_beat, 0, [], {}
    notes, programs, volumes = [], [], {}
    for message in mido.merge_tracks(file.tracks):
        tick += message.time
        beat = tick / quarter
        if message.type == "marker" and message.text.strip().lower() == "bar":
            marks.append(beat)
        elif message.type == "program_change":
            programs.append((beat, message.channel, message.program))
        elif message.type == "control_change" and message.control == 7:
            volumes.setdefault(message.channel, message.value)
        elif message.type == "note_on" and message.velocity:
            open_notes.setdefault((message.channel, message.note), []).append((beat, message.velocity))
        elif message.type in ("note_on", "note_off"):
            held = open_notes.get((message.channel, message.note))
            if held:
                start, velocity = held.pop(0)
                notes.append((message.channel, start, beat - start, message.note, velocity))
    bars = np.diff(marks)
    if len(bars) < 4 or np.ptp(bars) > 1e-6 or abs(bars[0] - round(bars[0])) > 1e-6 or marks[0] > 1e-6:
        raise RuntimeError(f"bars of {sorted(set(np.round(bars, 3)))} quarters")
    per_bar = round(bars[0])
    score = Score(f"{per_bar}/4", per_bar, round(marks[-1]), programs=programs, volumes=volumes)
    for note in sorted(notes, key=lambda note: note[1]):
        score.add(*note)
    return score


def has_beats(notes):
    """Whether the notes mark the beats, not only the moments half-way between them."""
    phases = np.array([note[1] % 1 for note in notes])
    loud = np.array([note[4] for note in notes])
    on = loud[np.minimum(phases, 1 - phases) < 0.08].sum()
    return on > 0 and on >= 0.6 * loud[np.abs(phases - 0.5) < 0.08].sum()


def take_breaks(score, channels, rng):
    """Silences the drums, or half of the parts, for 1 to 4 bars now and then."""
    bar = score.beats_per_bar
    for start in range(4 * bar, score.beats, 8 * bar):
        if rng.random() < 0.5:
            end = start + bar * int(rng.integers(1, 5))
            silent = {DRUMS} if rng.random() < 0.6 else set(rng.choice(sorted(channels), len(channels) // 2).tolist())
            score.notes = [note for note in score.notes if not (note[0] in silent and start <= note[1] + 0.1 < end)]


def arrange(score, rng):
    """Changes parts, instruments, key and volumes in place; returns the arrangement's name."""
    pitches = {}
    for channel, _, _, pitch, _ in score.notes:
        pitches.setdefault(channel, []).append(pitch)
    tonal = [channel for channel in pitches if channel != DRUMS and len(pitches[channel]) > 20]
    name = str(rng.choice(ARRANGEMENTS, p=[0.2, 0.15, 0.15, 0.15, 0.2, 0.15])) if tonal else "as written"
    keep, muted = set(pitches), ()
    if name == "no drums":
        keep = set(tonal)
    elif name == "few parts":
        keep = set(rng.choice(tonal, min(len(tonal), int(rng.integers(1, 4))), replace=False).tolist())
        keep |= {DRUMS} if rng.random() < 0.4 else set()
    elif name == "rhythm section":
        # Without drums, the two lowest parts are the rhythm section.
        low = sorted(tonal, key=lambda channel: np.median(pitches[channel]))
        keep = {DRUMS, *low[: 1 if DRUMS in pitches else 2]}
    elif name == "off-beats" and rng.random() < 0.6:
        muted = KICKS
    # A part that plays off the beat needs another one that plays on it.
    for needed in (min(tonal, key=lambda channel: np.median(pitches[channel]), default=DRUMS), DRUMS, *tonal):
        if has_beats([note for note in score.notes if note[0] in keep and not (note[0] == DRUMS and note[3] in muted)]):
            break
        keep.add(needed)
    key = int(rng.integers(-6, 7))
    if rng.random() < 0.25 and len(keep) > 1:
        take_breaks(score, keep, rng)
    notes, score.notes = score.notes, []
    for channel, beat, length, pitch, velocity in notes:
        if channel not in keep or channel == DRUMS and pitch in muted:
            continue
        loud = 1.0
        if name == "off-beats":
            strong = abs(beat - round(beat)) < 0.1
            stressed = channel != DRUMS or pitch in HATS
            loud = (0.6 if strong else 1.25) if stressed else 0.8
        score.add(channel, beat, length, pitch if channel == DRUMS else pitch + key, velocity * loud)
    if name != "as written":
        swap = {channel: int(rng.choice(SUBSTITUTES)) for channel in tonal if rng.random() < 0.5}
        score.programs = [
            (beat, channel, swap.get(channel, program)) for beat, channel, program in score.programs if channel != DRUMS
        ] + [(0.0, DRUMS, int(rng.choice(KITS)))]
    lowest = min(tonal, key=lambda channel: np.median(pitches[channel]), default=None)
    for channel in range(16):
        wide = channel in (DRUMS, lowest)
        score.volumes[channel] = int(rng.uniform(35 if wide else 55, 127))
    return name


def compose(style, usual_bpm, rng, seconds):
    """A score in the style, its tempo, and the name of its arrangement."""
    bpm = float(np.clip(usual_bpm * 2 ** rng.uniform(-0.45, 0.45), 45, 210))
    chords = PROGRESSIONS[int(rng.integers(len(PROGRESSIONS)))]
    # Bars have at least 3 beats, and a change of tempo shortens the piece by a factor of 1.5 at most.
    bars = int(seconds * 1.5 * bpm / 60 / 3) + 4
    score = read(run(source(style, chords, round(usual_bpm), bars, rng)))
    return score, bpm, arrange(score, rng)
