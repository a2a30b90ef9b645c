"""Chooses what plays a performance: a soundfont, our own instruments, or one for the drums and another for the rest."""

from dataclasses import replace

import soundfont
import synthesis
from score import DRUMS

FONTS = {"fluid": 0.35, "tim": 0.35, "opl3": 0.2, "musescore": 0.1}
WAYS = {"soundfont": 0.4, "synthesis": 0.28, "machine": 0.12, "kit": 0.2}


def draw(table, rng):
    return str(rng.choice(list(table), p=list(table.values())))


def play(performance, rng, player=""):
    """At most 44 s of sound, and the name of what plays. Some kinds of music have a player of their own."""
    end = min(44.0, performance.seconds())
    struck = any(note[0] == DRUMS for note in performance.notes)
    tonal = any(note[0] != DRUMS for note in performance.notes)
    way = "synthesis" if player else draw(WAYS, rng)
    font, wet = draw(FONTS, rng), rng.random() < 0.4
    if way == "soundfont" or way == "machine" and not (struck and tonal) or way == "kit" and not struck:
        return soundfont.play(performance, end, font, wet), font
    if way == "synthesis":
        return synthesis.play(performance, end, rng, player), player or "synthesis"
    parts = [
        replace(performance, notes=[note for note in performance.notes if (note[0] == DRUMS) == wanted])
        for wanted in (True, False)
    ]
    if way == "machine":
        name, beaten = "synthesis", synthesis.play(parts[0], end, rng)
    else:
        name = str(rng.choice(list(soundfont.KITS)))
        beaten = soundfont.play_kit(parts[0], end, name, wet)
    if not tonal:
        return beaten, name
    rest = soundfont.play(parts[1], end, font, wet)
    # The drums are between 9 dB softer and 9 dB louder than the rest.
    beaten = beaten * (rest.std() / max(1e-6, beaten.std()) * 10 ** (rng.uniform(-9, 9) / 20))
    count = min(len(beaten), len(rest))
    return beaten[:count] + rest[:count], f"{name} and {font}"
