#!/usr/bin/env python3
"""Writes recipe.json from what modules.py, midis.py and recordings.py decided, and prints what was dropped and why.

  recipe.py FOLDER MODULES.json MIDI.json RECORDINGS.json

FOLDER has a folder for each unpacked package, with its debian/copyright.
"""

import collections
import fnmatch
import hashlib
import json
import re
import sys
import zlib
from pathlib import Path

SEED, TEST_SHARE = 22, 0.25
# Packages that share music are on one side.
FAMILIES = {
    "tuxtype-data": "tuxmath-data",
    "freedroid-data": "freedroidrpg-data",
    "blobandconquer-data": "blobwars-data",
}
KINDS = ("modules", "midi", "recorded")
# modules.py judged this much.
MODULE_JUDGED_S, MODULE_S, INTRODUCTION_S = 121, 112, 6
MIDI_S = 75
FONTS = ("fluid", "tim", "ms")


def side(package):
    name = f"{SEED} {FAMILIES.get(package, package)}"
    chance = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 2**32
    return "test" if chance < TEST_SHARE else "train"


def licence(folder, files):
    """Names of the files' licences in debian/copyright."""
    for path in folder.glob("usr/share/doc/*/copyright"):
        text = path.read_text(errors="replace")
        stanzas = []
        for stanza in re.split(r"\n\s*\n", text):
            patterns = re.search(r"^Files:(.*(?:\n[ \t]+.*)*)", stanza, re.M)
            name = re.search(r"^License:[ \t]*(\S.*)", stanza, re.M)
            if patterns and name:
                stanzas += [(pattern, name[1].strip()) for pattern in patterns[1].split()]
        if not stanzas:
            common = re.findall(r"common-licenses/([A-Za-z]+(?:-[\d.]+)?)", text)
            words = [word for word in ("public domain", "Artistic") if word.lower() in text.lower()]
            return ", ".join(sorted({*common, *words})) or "see debian/copyright"
        # The last stanza that names the file counts. Paths in the source differ, so only their ends are compared.
        names = set()
        for file in files:
            parts = Path(file.split("#")[0]).parts
            ends = ["/".join(parts[-n:]) for n in range(1, min(5, len(parts)) + 1)]
            hits = [n for p, n in stanzas if p == "*" or any(fnmatch.fnmatch(e, "/".join(p.split("/")[-k:])) for k, e in enumerate(ends, 1) if k > 1 or not p.endswith("*"))]
            names.add(hits[-1] if hits else "see debian/copyright")
        return " / ".join(sorted(names))
    return "see debian/copyright"


def identity(kind, package, file, end=""):
    plain = lambda text, length: re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:length]
    name = Path(file).name.replace(".abc", "").rsplit(".", 1)[0]
    return f"{kind}_{plain(package.removesuffix('-data'), 18)}_{plain(name, 28)}{end}"


def module_items(package, file, decided, figures):
    length = min(figures.get("dur") or figures["seconds"], MODULE_JUDGED_S)
    start = INTRODUCTION_S if length >= 100 else 0
    yield {
        "id": identity("mod", package, file),
        "start": float(start),
        "seconds": round(min(MODULE_S, length - start), 1),
        "rows_per_beat": decided[0],
        "beats_per_bar": decided[1],
    }


def midi_items(package, file, decided, figures):
    """A part of its own for each soundfont where the piece is long enough, else two soundfonts."""
    length, chance = figures["seconds"], zlib.crc32(file.encode())
    parts = 3 if length > 150 else 2 if length > 80 else 1
    for k in range(3 if parts > 1 else 2):
        part = k % parts
        end = 2 if part == parts - 1 else 0
        yield {
            "id": identity("midi", package, file, f"_{k}"),
            "start": round(part * length / parts, 1),
            "seconds": round(min(MIDI_S, length / parts - end), 1),
            "soundfont": FONTS[(chance + k) % 3],
            "beat_quarters": decided[0],
            "beats_per_bar": decided[1],
        }


def recorded_items(package, file, decided, figures):
    yield {"id": identity("rec", package, file), **decided}


def items(folder, path, make, dropped):
    seen, ids = set(), collections.Counter()
    for source, (decided, figures) in sorted(json.loads(Path(path).read_text()).items()):
        if not decided:
            dropped[figures if isinstance(figures, str) else figures[0]] += 1
            continue
        package, file = str(Path(source).relative_to(folder)).split("/", 1)
        disk, _, tune = source.partition("#")
        content = hashlib.sha256(Path(disk).read_bytes()).hexdigest() + tune
        if content in seen:
            dropped["also in another package"] += 1
            continue
        seen.add(content)
        for item in make(package, file, decided, figures):
            ids[item["id"]] += 1
            if ids[item["id"]] > 1:
                item["id"] += f"_{ids[item['id']]}"
            yield {"id": item.pop("id"), "package": package, "file": file, **item}


def main():
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    folder, recipe = Path(sys.argv[1]), {}
    for kind, path, make in zip(KINDS, sys.argv[2:], (module_items, midi_items, recorded_items)):
        dropped = collections.Counter()
        recipe[kind] = list(items(folder, path, make, dropped))
        for part in ("train", "test"):
            used = [i for i in recipe[kind] if side(i["package"]) == part]
            hours, pieces = sum(i["seconds"] for i in used) / 3600, len({(i["package"], i["file"]) for i in used})
            packages, bars = len({i["package"] for i in used}), sum(i["beats_per_bar"] > 0 for i in used)
            print(f"{kind} {part}: {len(used)} excerpts, {hours:.2f} h, {pieces} pieces, {packages} packages, {bars} with bars")
        print(f"{kind} dropped: {sum(dropped.values())}", dict(dropped.most_common()))
    files = collections.defaultdict(set)
    for item in (i for kind in KINDS for i in recipe[kind]):
        files[item["package"]].add(item["file"])
    packages = {p: {"split": side(p), "licence": licence(folder / p, sorted(files[p]))} for p in sorted(files)}
    line = lambda values: ",\n".join(values)
    text = '{\n"packages": {\n' + line(f"{json.dumps(p)}: {json.dumps(v)}" for p, v in packages.items()) + "\n}"
    text += "".join(f',\n"{kind}": [\n' + line(json.dumps(i) for i in recipe[kind]) + "\n]" for kind in KINDS)
    Path(__file__).with_name("recipe.json").write_text(text + "\n}\n")


if __name__ == "__main__":
    main()
