#!/usr/bin/env python3
"""Makes the ear's network: music, its alterations, the inputs, the training, the table of weights.

  train.py FOLDER [--seed N]... [--corpus CORPUS[:WEIGHT]]... [--last CORPUS[:WEIGHT]]... [--write SEED]...

One command with its seeds gives the same weights on every computer. FOLDER takes some 8 GB; what is there is kept. A --corpus
is further music in the form of generate.py: that of material/build.py, an annotated corpus. Each piece is heard once as it is
and once as altered by room.py. Each seed makes a network, FOLDER/weights-SEED, that has not heard any --last corpus: it is
scored on them. Then each learns a little longer with them and with the music for validation, too, and becomes
FOLDER/weights-SEED-all. At last it hears many sounds without a beat, and becomes FOLDER/weights-SEED-calm; with --write, those of the
given seeds replace the engine's. Needs what music/generate.py needs, and
Rust. Twelve hours of music take about half an hour on two cores, a network about half an hour of one core.
"""
import argparse
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SIZES = ["--dense", "40", "--units", "48,48"]
# Steps, and the rate at their beginning.
FIRST, LAST, CALM = ("6000", "1.5e-3"), ("1500", "5e-4"), ("500", "3e-4")
MUSIC_SEED = 5
BEATLESS_SEED, BEATLESS, BEATLESS_WEIGHT = 10, 640, 1.5


def run(*command, log=None, native=False):
    """Runs a command in the project's folder. `native` uses all that this processor can, which changes no bit."""
    flags = {"RUSTFLAGS": "-C target-cpu=native", "CARGO_TARGET_DIR": str(ROOT / "target/native")} if native else {}
    # The trainer takes and returns much memory in each step: it keeps it instead.
    flags |= {"MALLOC_MMAP_THRESHOLD_": str(1 << 32), "MALLOC_TRIM_THRESHOLD_": str(1 << 33), "MALLOC_TOP_PAD_": str(1 << 28)}
    out = open(log, "w") if log else None
    subprocess.run([str(word) for word in command], cwd=ROOT, env=os.environ | flags, check=True, stdout=out)


def prepare(folder, words, alter=True):
    """Alters the corpora, computes the inputs of both forms, and returns the words for lists.py. With `alter=False`, only as they are."""
    listed = []
    for word in words:
        corpus, _, weight = word.partition(":")
        corpus = Path(corpus).resolve()
        altered, inputs = folder / "altered" / corpus.name, folder / "inputs" / corpus.name
        if alter:
            run(sys.executable, HERE / "music/room.py", corpus, altered, "--seed", MUSIC_SEED)
        for form in (corpus, altered) if alter else (corpus,):
            run("cargo", "run", "--release", "--package", "xtask", "--", "ear", "--corpus", form, "--inputs", inputs)
            listed.append(f"{form}:{inputs}:{weight or 1}")
    return listed


def train(folder, name, corpora, jobs, steps, rate, networks, with_validation=False):
    """Trains the networks (seed, weights to begin with, name), `jobs` at a time."""
    lists = [folder / f"{name}-training", folder / f"{name}-validation"]
    run(sys.executable, HERE / "lists.py", *lists, *corpora)
    if with_validation:
        lists[0].write_text("".join(part.read_text() for part in lists))
    trainer = ["cargo", "run", "--release", "--package", "k1-trainer", "--", "train", "--music", lists[0], "--validation", lists[1]]
    run("cargo", "build", "--release", "--package", "k1-trainer", native=True)

    def one(network):
        seed, before, name = network
        begin = ["--from", before] if before else SIZES
        options = ["--out", name, "--seed", seed, "--steps", steps, "--rate", rate, "--chunks", 2, *begin]
        run(*trainer, *options, log=f"{name}.log", native=True)

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(one, networks))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=lambda path: Path(path).resolve())
    parser.add_argument("--seed", type=int, action="append")
    parser.add_argument("--hours", type=float, default=12.0)
    parser.add_argument("--corpus", action="append", default=[])
    parser.add_argument("--last", action="append", default=[])
    parser.add_argument("--write", type=int, action="append", default=[])
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    args = parser.parse_args()
    seeds, folder = args.seed or [1], args.folder
    music = folder / "music"
    run(sys.executable, HERE / "music/generate.py", "--seed", MUSIC_SEED, "--hours", args.hours, music)
    corpora = prepare(folder, [str(music), *args.corpus])
    first = [folder / f"weights-{seed}" for seed in seeds]
    train(folder, "first", corpora, args.jobs, *FIRST, [(seed, None, name) for seed, name in zip(seeds, first)])
    corpora += prepare(folder, args.last)
    last = [folder / f"weights-{seed}-all" for seed in seeds]
    train(folder, "last", corpora, args.jobs, *LAST, list(zip(seeds, first, last)), with_validation=True)
    beatless = folder / "beatless"
    run(sys.executable, HERE / "music/generate.py", "--seed", BEATLESS_SEED, "--hours", 0, "--beatless", BEATLESS, beatless)
    corpora += prepare(folder, [f"{beatless}:{BEATLESS_WEIGHT}"], alter=False)
    calm = [folder / f"weights-{seed}-calm" for seed in seeds]
    train(folder, "calm", corpora, args.jobs, *CALM, list(zip(seeds, last, calm)), with_validation=True)
    if args.write:
        others, quiet = len(args.corpus + args.last), round(BEATLESS * 30 / 3600)
        about = f"Trained on {args.hours:g} hours of generated music, {others} other corpora and {quiet} hours of sound without a beat."
        run(sys.executable, HERE / "export.py", about, *(folder / f"weights-{seed}-calm" for seed in args.write))


if __name__ == "__main__":
    main()
