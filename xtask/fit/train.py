#!/usr/bin/env python3
"""Makes the ear's network: music, its alterations, the inputs, the training, the table of weights.

  train.py FOLDER [--seed N]... [--hours H] [--steps N] [--corpus CORPUS[:WEIGHT]]... [--write]

One command with its seeds gives the same weights on every computer. FOLDER takes some 6 GB; what is there is kept. A --corpus is
further music in the form of generate.py: that of material/build.py, an annotated corpus. Each seed makes a network; with --write
they replace the engine's. Needs what music/generate.py needs, and Rust. Twelve hours of music take about half an hour on two cores, 2,200 steps
twenty minutes.
"""
import argparse
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SIZES = ["--dense", "40", "--units", "48,48"]
LEARNING = ["--rate", "3e-3", "--chunks", "2"]
MUSIC_SEED = 3


def run(*command, native=False):
    """Runs a command in the project's folder. `native` uses all that this processor can, which changes no bit."""
    flags = {"RUSTFLAGS": "-C target-cpu=native", "CARGO_TARGET_DIR": str(ROOT / "target/native")} if native else {}
    subprocess.run([str(word) for word in command], cwd=ROOT, env=os.environ | flags, check=True)


def main():
    parser = argparse.ArgumentParser(description="Trains the ear's network.")
    parser.add_argument("folder", type=lambda path: Path(path).resolve())
    parser.add_argument("--seed", type=int, action="append")
    parser.add_argument("--hours", type=float, default=12.0)
    parser.add_argument("--steps", type=int, default=2200)
    parser.add_argument("--corpus", action="append", default=[])
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    seeds = args.seed or [1]
    music, altered = args.folder / "music", args.folder / "altered"
    run(sys.executable, HERE / "music/generate.py", "--seed", MUSIC_SEED, "--hours", args.hours, music)
    run(sys.executable, HERE / "music/room.py", music, altered, "--versions", 1, "--seed", MUSIC_SEED)
    more = [(Path(folder).resolve(), weight or "1") for folder, _, weight in (word.partition(":") for word in args.corpus)]
    corpora = [(music, "1"), (altered, "1"), *more]
    for folder, _ in corpora:
        run("cargo", "xtask", "ear", "--corpus", folder, "--inputs", folder / "inputs")
    lists = [args.folder / name for name in ("training", "validation")]
    run(sys.executable, HERE / "lists.py", *lists, *(f"{folder}:{weight}" for folder, weight in corpora))
    trainer = ["cargo", "run", "--release", "--package", "k1-trainer", "--", "train", "--music", lists[0], "--validation", lists[1]]
    weights = [args.folder / f"weights-{seed}" for seed in seeds]
    for seed, out in zip(seeds, weights):
        run(*trainer, "--out", out, "--seed", seed, "--steps", args.steps, *SIZES, *LEARNING, native=True)
    if args.write:
        about = f"Trained on {args.hours:g} hours of generated music and {len(more)} other corpora, seeds {seeds}."
        run(sys.executable, HERE / "export.py", about, *weights)


if __name__ == "__main__":
    main()
