#!/usr/bin/env python3
"""Measures what the networks' figures depend on: the amount of music, each kind of alteration, the size.

  curves.py FOLDER [--seed N] [--steps N] [--corpus CORPUS]...

FOLDER is train.py's, after its first part. Trains short networks into FOLDER/curves, each of which differs from another in one
thing, and prints a row for each: weights, hours of music, the loss on music for validation and, for each CORPUS, the F of an ear with this network
alone. What is there is kept. The steps are fewer than those of the networks that K1 ships, so compare the rows with each other.
"""
import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

from train import FIRST, HERE, ROOT, run

SIZE = (40, 48)
SIZES = ((16, 20), (28, 32), (56, 64))
AMOUNTS = (2, 4, 8, 16)
ALTERATIONS = ("equalised", "reverberant", "pressed", "distorted", "noisy")
WEIGHTS = ROOT / "crates/k1-engine/src/audio/network_weights.rs"


def pieces(path):
    """The lines of a list for training: those of music as it is, and of altered music."""
    lines = path.read_text().splitlines(keepends=True)
    is_altered = [("~" in line.split()[1]) for line in lines]
    return [[line for line, a in zip(lines, is_altered) if a == altered] for altered in (False, True)]


def altered_by(line):
    """The names of what was done to an altered excerpt, its speed among them."""
    about = json.loads(Path(line.split()[1]).with_suffix(".json").read_text())
    return set(about["altered"]) | ({"faster"} if about["speed"] != 1 else set())


def evenly(lines, count):
    return [lines[i * len(lines) // count] for i in range(count)]


def lists(folder, out):
    """Writes the lists. Returns (what, name of the list, sizes, list for validation) of each network."""
    plain, altered = pieces(folder / "first-training")
    (out / "all").write_text("".join(plain + altered))
    held = folder / "first-validation"
    # Music for validation, altered: its inputs lie beside those that train.py lists.
    (out / "altered-validation").write_text("".join(altered_version(line, folder) for line in held.read_text().splitlines()))
    rows = [("all", "all", SIZE, held)]
    by_piece = {line.split()[1].rsplit("/", 1)[-1].split("~")[0].removesuffix(".beats"): line for line in altered}
    for part in AMOUNTS:
        some = evenly(plain, len(plain) // part)
        names = [line.split()[1].rsplit("/", 1)[-1].removesuffix(".beats") for line in some]
        (out / f"1-{part}").write_text("".join(some + [by_piece[name] for name in names if name in by_piece]))
        rows.append((f"1/{part} of the music", f"1-{part}", SIZE, held))
    rows += [(f"dense {dense}, units {units}", "all", (dense, units), held) for dense, units in SIZES]
    kinds = {kind: [line for line in altered if kind not in altered_by(line)] for kind in (*ALTERATIONS, "faster")}
    count = min(map(len, kinds.values()))
    for kind, some in {"nothing": altered, **kinds}.items():
        (out / f"without-{kind}").write_text("".join(plain + evenly(some, count)))
        rows.append((f"altered, without {kind}", f"without-{kind}", SIZE, out / "altered-validation"))
    (out / "as-it-is").write_text("".join(plain))
    rows.append(("not altered at all", "as-it-is", SIZE, out / "altered-validation"))
    return rows


def altered_version(line, folder):
    inputs, beats, weight = line.split()
    inputs, beats = Path(inputs), Path(beats)
    altered = folder / "altered" / inputs.parent.name / "gt" / f"{beats.stem}~1.beats"
    return f"{inputs.with_name(f'{inputs.stem}~1.inputs')} {altered} {weight}\n"


def f_of(network, corpus):
    """The F of an ear with this network alone."""
    run(sys.executable, HERE / "export.py", "A trial.", network)
    said = subprocess.run(
        ["cargo", "run", "--release", "--package", "xtask", "--", "ear", "--corpus", corpus],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout
    return re.search(r"^all +\d+ +(\S+)", said, re.M)[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=lambda path: Path(path).resolve())
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--corpus", action="append", default=[], type=lambda path: Path(path).resolve())
    args = parser.parse_args()
    out = args.folder / "curves"
    out.mkdir(exist_ok=True)
    rows = lists(args.folder, out)
    run("cargo", "build", "--release", "--package", "k1-trainer", native=True)
    shipped = WEIGHTS.read_text()
    try:
        for what, music, (dense, units), held in rows:
            network = out / f"{music}-{dense}-{units}"
            log = network.with_suffix(".log")
            if not network.exists():
                options = ["--out", network, "--seed", args.seed, "--steps", args.steps, "--rate", FIRST[1], "--chunks", 2]
                options += ["--dense", dense, "--units", f"{units},{units}"]
                trainer = ["cargo", "run", "--release", "--package", "k1-trainer", "--", "train", "--music", out / music]
                run(*trainer, "--validation", held, *options, log=log, native=True)
            text = log.read_text()
            hours, weights = re.search(r"excerpts, (\S+) hours; .* (\d+) weights", text).groups()
            loss = re.search(r"in whole numbers (\S+)", text)[1]
            scores = "".join(f"  {f_of(network, corpus)}" for corpus in args.corpus)
            print(f"{what:<32} {weights:>6} weights {hours:>6} h  loss {loss}{scores}", flush=True)
    finally:
        if WEIGHTS.read_text() != shipped:
            WEIGHTS.write_text(shipped)


if __name__ == "__main__":
    main()
