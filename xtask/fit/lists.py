#!/usr/bin/env python3
"""Lists excerpts for k1-trainer.

  lists.py TRAINING VALIDATION CORPUS[:WEIGHT]...

writes a line per excerpt to each of the first two files: inputs, beats, weight. A corpus has gt/ID.json, gt/ID.beats and
inputs/ID.inputs, which `cargo xtask ear --corpus CORPUS --inputs CORPUS/inputs` writes.

The split is by source, which is a style, a kind of the grammar, a noise or a package, and never divides one: what is marked
"test" is in neither list, a seventh of the sources of generated music is for validation, all else is for training. Altered
versions (ID~1) belong to their piece; those of validation are in neither list.
"""
import json
import sys
import zlib
from pathlib import Path

BEATS_LEAST = 8
VALIDATION = 7


def source_of(about):
    """The source of an excerpt. Those of the training recipe name the style and its groove."""
    source = about.get("source", about["id"])
    return "mma:" + source["detail"].split(":")[0] if isinstance(source, dict) else source


def is_for_validation(source):
    return source.partition(":")[0] in ("mma", "grammar", "nobeat") and zlib.crc32(source.encode()) % VALIDATION == 0


def excerpts(corpus, weight):
    """(whether for validation, line) of each excerpt that may be used."""
    for path in sorted((corpus / "gt").glob("*.json")):
        name, about = path.stem, json.loads(path.read_text())
        inputs, beats = corpus / "inputs" / f"{name}.inputs", path.with_suffix(".beats")
        known = sum(1 for line in beats.read_text().splitlines() if line.strip())
        if about.get("split") == "test" or (about["group"] != "nobeat" and known < BEATS_LEAST):
            continue
        held = is_for_validation(source_of(about))
        if not (held and "~" in name):
            yield held, f"{inputs} {beats} {weight}\n"


def main():
    training, validation, *corpora = sys.argv[1:]
    lines = {False: [], True: []}
    for word in corpora:
        folder, _, weight = word.partition(":")
        for held, line in excerpts(Path(folder), weight or "1"):
            lines[held].append(line)
    Path(training).write_text("".join(lines[False]))
    Path(validation).write_text("".join(lines[True]))
    print(f"{len(lines[False])} excerpts for training, {len(lines[True])} for validation")


if __name__ == "__main__":
    main()
