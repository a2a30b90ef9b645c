#!/usr/bin/env python3
"""Compares the cost of K1's and aubio's beats: whole programs from start to end, on the same files, one after the other.

Needs aubiotrack (Debian: aubio-tools) and valgrind; nothing of K1 depends on them:

  cost.py CORPUS [EVERY]

CORPUS/audio16/ID.wav is what both hear; aubio also hears CORPUS/audio44/ID.wav, the rate that it was made for. Of the
files, in the order of their names, each EVERYth is heard (10). Instructions are counted by callgrind and are the same each
time; CPU seconds are the system's, user and system, and as good as the machine is quiet. Build K1 before, with
`cargo build --release`; K1=PATH names another program.
"""
import os
import re
import resource
import subprocess
import sys
import tempfile
import wave
from pathlib import Path


def seconds(path):
    with wave.open(str(path)) as sound:
        return sound.getnframes() / sound.getframerate()


def quietly(command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def cpu(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    quietly(command)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def instructions(command):
    with tempfile.NamedTemporaryFile() as out:
        quietly(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out.name}", *command])
        return int(re.search(r"^(?:totals|summary): (\d+)", Path(out.name).read_text(), re.M).group(1))


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    corpus, every = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) == 3 else 10
    k1 = os.environ.get("K1") or str(Path(os.environ.get("CARGO_TARGET_DIR", "target")) / "release" / "k1")
    names = sorted(p.name for p in (corpus / "audio16").glob("*.wav"))[::every]
    long = sum(seconds(corpus / "audio16" / name) for name in names)
    tools = {
        "K1, 16 kHz": lambda name: [k1, "analyze", str(corpus / "audio16" / name), "--json"],
        "aubio, 44.1 kHz": lambda name: ["aubiotrack", "-i", str(corpus / "audio44" / name)],
        "aubio, 16 kHz": lambda name: ["aubiotrack", "-i", str(corpus / "audio16" / name)],
    }
    counted, took = dict.fromkeys(tools, 0), dict.fromkeys(tools, 0.0)
    for name in names:
        for tool, command in tools.items():
            took[tool] += cpu(command(name))
        for tool, command in tools.items():
            counted[tool] += instructions(command(name))
    print(f"{len(names)} files, {long:.0f} s; of a second of sound")
    for tool in tools:
        million, ms = counted[tool] / long / 1e6, 1e3 * took[tool] / long
        print(f"{tool:<16} {million:6.2f} million instructions, {ms:6.2f} ms of CPU", end="")
        if tool != "K1, 16 kHz":
            ratios = (counted["K1, 16 kHz"] / counted[tool], took["K1, 16 kHz"] / took[tool])
            print(f"; K1 takes {ratios[0]:.2f} of its instructions, {ratios[1]:.2f} of its time", end="")
        print()


if __name__ == "__main__":
    main()
