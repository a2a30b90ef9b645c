#!/usr/bin/env python3
"""Tests of the training music: run `python -m unittest` in this folder. Tests of what is not installed are skipped."""

import json
import shutil
import tempfile
import unittest
import zlib
from pathlib import Path

import numpy as np
from scipy.io import wavfile

import accompaniment
import beatless
import drums
import generate
import grammar
import kinds
import room
import soundfont
import synthesis
from score import DRUMS, Performance, Score, perform

RATE = 16000


def strokes(seconds, key, count):
    """A performance of one drum, `seconds` apart, that begins after half a second."""
    beats = [(0.5 + k * seconds, k % 4 + 1) for k in range(count)]
    notes = [(DRUMS, second, 0.2, key, 110) for second, _ in beats]
    return Performance("4/4", beats, notes, [(0.0, DRUMS, 0)], {}, "steady")


def first_sound(sound, second, within=0.03):
    """When the sound passes a tenth of its peak near a moment, relative to it (s)."""
    start = round((second - within) * RATE)
    near = np.abs(sound[start : start + round(2.5 * within * RATE)])
    return int(np.argmax(near > 0.1 * near.max())) / RATE - within


class Timing(unittest.TestCase):
    def assert_on_the_beat(self, sound, beats, tolerance=0.002):
        late = [first_sound(sound, second) for second, _ in beats[:-1]]
        self.assertLess(abs(float(np.median(late))), tolerance)
        self.assertLess(float(np.max(np.abs(late))), 2 * tolerance)

    def test_our_drums_sound_on_the_beat(self):
        played = strokes(0.4137, 42, 20)
        for seed, player in ((seed, player) for seed in range(3) for player in synthesis.PLAYERS):
            with self.subTest(player, seed=seed):
                self.assert_on_the_beat(synthesis.play(played, 9.0, np.random.default_rng(seed), player), played.beats)

    @unittest.skipUnless(shutil.which("fluidsynth"), "fluidsynth is not installed")
    def test_soundfonts_sound_on_the_beat(self):
        played = strokes(0.4137, 42, 20)
        for font in soundfont.available():
            with self.subTest(font):
                self.assert_on_the_beat(soundfont.play(played, 9.0, font, wet=False), played.beats)

    def test_notes_follow_every_curve_of_tempo(self):
        for seed in range(30):
            score = Score("4/4", 4, 64)
            for beat in range(64):
                score.add(DRUMS, beat, 0.2, 38, 100)
            played = perform(score, 120, np.random.default_rng(seed))
            late = np.array([note[1] for note in played.notes]) - np.array([second for second, _ in played.beats])
            self.assertLess(abs(late.mean()), 0.008)
            self.assertLess(np.abs(late).max(), 0.026)

    def test_swing_moves_the_second_note_only(self):
        score = Score("4/4", 4, 32)
        for half in range(64):
            score.add(DRUMS, half / 2, 0.1, 42, 100)
        rng = np.random.default_rng(7)
        while (played := perform(score, 100, rng, swing=0.15, swung=2)).tempo != "steady":
            pass
        times = np.sort([note[1] for note in played.notes])
        self.assertAlmostEqual(float(np.diff(times)[::2].mean()), 0.65 * 0.6, delta=0.01)

    def test_speed_moves_the_beats(self):
        played = strokes(0.5, 37, 30)
        sound = synthesis.play(played, 15.0, np.random.default_rng(3))
        for speed in (0.8, 1.0, 1.23):
            moved = room.faster(sound, speed)
            self.assert_on_the_beat(moved, [(second / speed, p) for second, p in played.beats])

    def test_rooms_leave_the_direct_sound_in_place(self):
        played = strokes(0.5, 37, 30)
        sound = room.unit(synthesis.play(played, 15.0, np.random.default_rng(3)))
        for step in (room.reverberant, room.pressed, room.distorted):
            with self.subTest(step.__name__):
                self.assert_on_the_beat(step(sound, np.random.default_rng(1)), played.beats, 0.003)


class Scores(unittest.TestCase):
    def test_every_pattern_fills_its_bar(self):
        for kind, (beats, steps, lines) in drums.PATTERNS.items():
            for line in lines:
                words = line.split()
                for name, columns in zip(words[::2], words[1::2], strict=True):
                    self.assertIn(name, drums.INSTRUMENTS)
                    self.assertEqual(len(columns), beats * steps, f"{kind}: {name}")

    def test_every_kind_has_the_beats_of_its_metre_and_can_be_written(self):
        for metre, table in kinds.KINDS.items():
            per_bar = {"6/8": 2}.get(metre, int(metre[0]))
            for name, kind in table.items():
                self.assertEqual(drums.PATTERNS[kind.drums][0], per_bar, name)
                for bass in kind.bass:
                    writer = grammar.Writer(metre, kind, np.random.default_rng(1), 32)
                    for chords in kind.chords:
                        self.assertTrue(writer.chords(chords, [60, 64, 67]), (name, chords))
                    self.assertTrue(len(writer.bass(bass, 36)) or bass == "reggae", (name, bass))

    def test_bars_count_on_after_a_pick_up(self):
        seen = set()
        for seed in range(60):
            score, bpm, swing, swung, _, _ = grammar.compose(np.random.default_rng(seed), 20)
            positions = [p for _, p in perform(score, bpm, np.random.default_rng(0), swing, swung).beats]
            steps = np.diff(positions)
            self.assertTrue(np.all((steps == 1) | (steps == 1 - score.beats_per_bar)))
            self.assertEqual(max(positions), score.beats_per_bar)
            seen.add(positions[0] > 1)
        self.assertEqual(seen, {False, True})

    def test_a_seed_gives_one_piece(self):
        one, two = (grammar.compose(np.random.default_rng(5), 20)[0].notes for _ in range(2))
        other = grammar.compose(np.random.default_rng(6), 20)[0].notes
        self.assertEqual(one, two)
        self.assertNotEqual(one, other)

    @unittest.skipUnless(shutil.which("mma") and accompaniment.LIBRARY.exists(), "mma is not installed")
    def test_a_style_has_the_bars_that_mma_marks(self):
        score, _, _ = accompaniment.compose("stdlib/waltz", 120, np.random.default_rng(1), 20)
        self.assertEqual(score.beats_per_bar, 3)
        with self.assertRaises(RuntimeError):
            accompaniment.run("Groove a-style-that-does-not-exist\n1 C\n")


class Folders(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = Path(self.folder.name)
        for name in ("one", "two", "altered"):
            for kind in ("audio16", "gt"):
                (self.path / name / kind).mkdir(parents=True)

    def files(self, name):
        return {path.name: zlib.crc32(path.read_bytes()) for path in (self.path / name).rglob("*.*")}

    @unittest.skipUnless(shutil.which("fluidsynth"), "fluidsynth is not installed")
    def test_a_piece_and_its_versions_depend_on_seed_and_number_only(self):
        for name in ("one", "two"):
            for number in (3, 4):
                generate.make(self.path / name, 1, "grammar", number)
            room.version(self.path / name, self.path / name, "g1_00003", 1, 1)
        self.assertEqual(self.files("one"), self.files("two"))
        self.assertEqual(len(self.files("one")), 9)

    def test_a_version_says_where_its_beats_went(self):
        played = strokes(0.5, 37, 60)
        sound = synthesis.play(played, 30.0, np.random.default_rng(3))
        sound /= np.abs(sound).max()
        about = dict(id="c", cls="gold", group="test", source="test", meter="4/4", dur=30.0, bpm=120.0)
        generate.save(self.path / "one", "c", sound, played.beats, about)
        moved = 0
        for number in range(1, 9):
            room.version(self.path / "one", self.path / "altered", "c", number, 1)
            told = json.loads((self.path / "altered" / "gt" / f"c~{number}.json").read_text())
            beats = np.loadtxt(self.path / "altered" / "gt" / f"c~{number}.beats")
            speed = told["speed"]
            moved += speed != 1
            np.testing.assert_allclose(beats[:, 0] * speed, [second for second, _ in played.beats], atol=2e-4)
            self.assertAlmostEqual(told["bpm"], 120 * speed, places=6)
            rate, heard = wavfile.read(self.path / "altered" / "audio16" / f"c~{number}.wav")
            self.assertEqual(len(heard) / rate, told["dur"])
            self.assertAlmostEqual(told["dur"], 30 / speed, delta=0.01)
        self.assertGreater(moved, 0)

    def test_sound_without_a_beat_has_none_and_is_finite(self):
        for number, name in enumerate(beatless.KINDS):
            if name == "babble" or "talk" in name or "speech" in name:
                continue
            said, sound = beatless.compose(number, np.random.default_rng(number), beatless.KINDS)
            self.assertEqual(said, name)
            self.assertTrue(np.isfinite(sound).all() and 0 < np.abs(sound).max() <= 1)
        about = generate.make(self.path / "one", 1, "beatless", 0)
        self.assertEqual(about["group"], "nobeat")
        self.assertEqual((self.path / "one" / "gt" / f"{about['id']}.beats").read_text(), "")


if __name__ == "__main__":
    unittest.main()
