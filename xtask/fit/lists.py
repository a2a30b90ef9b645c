#!/usr/bin/env python3
"""Lists excerpts for k1-trainer.

  lists.py TRAINING VALIDATION CORPUS:INPUTS:WEIGHT...

writes a line per excerpt to each of the first two files: inputs, beats, weight. A corpus has gt/ID.json and gt/ID.beats; INPUTS
has ID.inputs, which `cargo xtask ear --corpus CORPUS --inputs INPUTS` writes.

The split is by source, which is a style, a kind of the grammar, a noise or a package, and never divides one: what is marked
"test" is in neither list, a seventh of the sources of generated music is for validation, all else is for training. Altered
versions (ID~1) belong to their piece; those of validation are in neither list.

Generated music has every tempo equally often. Its weight makes the tempi about as common as in music.
"""
import json
import math
import sys
import zlib
from pathlib import Path

BEATS_LEAST = 8
VALIDATION = 7
# The most common tempo in beats a minute, and the spread of the others in octaves.
COMMON_BPM, SPREAD = 115, 0.7


def source_of(about):
    """The source of an excerpt. Those of the training recipe name the style and its groove."""
    source = about.get("source", about["id"])
    return "mma:" + source["detail"].split(":")[0] if isinstance(source, dict) else source


def is_for_validation(source):
    return source.partition(":")[0] in ("mma", "grammar", "nobeat") and zlib.crc32(source.encode()) % VALIDATION == 0


def commonness(about):
    """How common the tempo of an excerpt is, 1 for the most common one and where no tempo is known."""
    bpm = about.get("bpm") or about.get("tempo")
    if not isinstance(bpm, int | float):
        return 1.0
    return math.exp(-0.5 * (math.log2(bpm / COMMON_BPM) / SPREAD) ** 2)


def excerpts(corpus, inputs, weight):
    """(whether for validation, line) of each excerpt that may be used."""
    for path in sorted((corpus / "gt").glob("*.json")):
        name, about = path.stem, json.loads(path.read_text())
        beats = path.with_suffix(".beats")
        known = sum(1 for line in beats.read_text().splitlines() if line.strip()) if beats.exists() else 0
        if about.get("split") == "test" or (about["group"] != "nobeat" and known < BEATS_LEAST):
            continue
        held = is_for_validation(source_of(about))
        if not (held and "~" in name):
            yield held, f"{inputs / name}.inputs {beats} {weight * commonness(about):.3f}\n"


def main():
    training, validation, *corpora = sys.argv[1:]
    lines = {False: [], True: []}
    for word in corpora:
        corpus, inputs, weight = word.rsplit(":", 2)
        for held, line in excerpts(Path(corpus), Path(inputs), float(weight)):
            lines[held].append(line)
    Path(training).write_text("".join(lines[False]))
    Path(validation).write_text("".join(lines[True]))
    print(f"{len(lines[False])} excerpts for training, {len(lines[True])} for validation")


if __name__ == "__main__":
    main()
