#!/usr/bin/env python3
"""Writes recipe.json from what modules.py, midis.py and recordings.py decided, and prints what was dropped and why.

  recipe.py FOLDER MODULES.json MIDI.json RECORDINGS.json     all anew
  recipe.py add FOLDER RECORDINGS.json                        more recordings; no excerpt that is there changes

FOLDER has a folder for each unpacked package, with its debian/copyright. Of a recipe to which recordings are added, the
packages need not be there; a recording that another package of the recipe has too is found only if that one is.
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
RECIPE = Path(__file__).with_name("recipe.json")


def side(package):
    name = f"{SEED} {FAMILIES.get(package, package)}"
    chance = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 2**32
    return "test" if chance < TEST_SHARE else "train"


def names_file(pattern, parts):
    """Whether a pattern of debian/copyright names a file, as far as the ends of both tell."""
    if pattern == "*":
        return True
    ends = pattern.split("/")
    own = [end for end in ends[-2:] if end != "*"]
    if not own or len(ends) < 2 and pattern.startswith("*"):
        return bool(own) and fnmatch.fnmatch(parts[-1], pattern)
    if ends[-1] == "*":
        return ends[-2] in parts[:-1]
    return fnmatch.fnmatch(parts[-1], ends[-1]) and (len(ends) < 2 or fnmatch.fnmatch(parts[-2], ends[-2]))


def licence(folder, files):
    """Names of the files' licences in debian/copyright."""
    for path in folder.glob("usr/share/doc/*/copyright"):
        text = path.read_text(errors="replace")
        stanzas = []
        for stanza in re.split(r"\n\s*\n", text):
            patterns = re.search(r"^Files:(.*(?:\n[ \t]+.*)*)", stanza, re.M)
            name = re.search(r"^Licen[cs]e:[ \t]*(\S.*)", stanza, re.M)
            if patterns and name:
                stanzas += [(pattern, name[1].strip()) for pattern in patterns[1].split()]
        if not stanzas:
            common = re.findall(r"common-licenses/([A-Za-z]+(?:-\d[\d.]*\b)?)", text)
            creative = re.findall(r"Creative\s+Commons\s+Attribution(-ShareAlike)?\s+(\d[\d.]*)\b", text)
            common += [f"CC-BY{'-SA' if alike else ''}-{version}" for alike, version in creative]
            words = [word for word in ("public domain", "Artistic") if word.lower() in text.lower()]
            return ", ".join(sorted({*common, *words})) or "see debian/copyright"
        # The last stanza that names a file counts. Folders of the source differ from those of the package, so only the
        # ends of the paths are compared.
        names = set()
        for file in files:
            hits = [name for pattern, name in stanzas if names_file(pattern, Path(file.split("#")[0]).parts)]
            names.add(hits[-1] if hits else "see debian/copyright")
        return " / ".join(sorted(names))
    return "see debian/copyright"


def identity(kind, package, file, end=""):
    def plain(text, length):
        return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:length]

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


def content(disk):
    return hashlib.sha256(Path(disk).read_bytes()).hexdigest()


def items(folder, path, make, dropped, known=()):
    """Entries of what has labels, except what the entries in `known` are of."""
    files = {(i["package"], i["file"]) for i in known}
    at_hand = (folder / package / file for package, file in files)
    seen, ids = {content(disk) for disk in at_hand if disk.exists()}, collections.Counter(i["id"] for i in known)
    for source, (decided, figures) in sorted(json.loads(Path(path).read_text()).items()):
        package, file = str(Path(source).relative_to(folder)).split("/", 1)
        if (package, file) in files:
            dropped["already in the recipe"] += 1
            continue
        if not decided:
            dropped[figures if isinstance(figures, str) else figures[0]] += 1
            continue
        disk, _, tune = source.partition("#")
        this = content(disk) + tune
        if this in seen:
            dropped["also in another package"] += 1
            continue
        seen.add(this)
        for item in make(package, file, decided, figures):
            ids[item["id"]] += 1
            if ids[item["id"]] > 1:
                item["id"] += f"_{ids[item['id']]}"
            yield {"id": item.pop("id"), "package": package, "file": file, **item}


def tell(kind, entries, dropped):
    for part in ("train", "test"):
        used = [i for i in entries if side(i["package"]) == part]
        hours, pieces = sum(i["seconds"] for i in used) / 3600, len({(i["package"], i["file"]) for i in used})
        packages, bars = len({i["package"] for i in used}), sum(i["beats_per_bar"] > 0 for i in used)
        print(f"{kind} {part}: {len(used)} excerpts, {hours:.2f} h, {pieces} pieces, {packages} packages, bars in {bars}")
    print(f"{kind} dropped: {sum(dropped.values())}", dict(dropped.most_common()))


def origins(folder, entries):
    """Side and licence of each package of the entries."""
    files = collections.defaultdict(set)
    for item in entries:
        files[item["package"]].add(item["file"])
    return {p: {"split": side(p), "licence": licence(folder / p, sorted(files[p]))} for p in sorted(files)}


def write(recipe):
    # One line for each package and excerpt.
    packages = (f"{json.dumps(p)}: {json.dumps(v)}" for p, v in sorted(recipe["packages"].items()))
    text = '{\n"packages": {\n' + ",\n".join(packages) + "\n}"
    for kind in KINDS:
        text += f',\n"{kind}": [\n' + ",\n".join(json.dumps(i) for i in recipe[kind]) + "\n]"
    RECIPE.write_text(text + "\n}\n")


def anew(folder, *paths):
    folder, recipe = Path(folder), {}
    for kind, path, make in zip(KINDS, paths, (module_items, midi_items, recorded_items)):
        dropped = collections.Counter()
        recipe[kind] = list(items(folder, path, make, dropped))
        tell(kind, recipe[kind], dropped)
    recipe["packages"] = origins(folder, (i for kind in KINDS for i in recipe[kind]))
    write(recipe)


def add(folder, path):
    folder, recipe, dropped = Path(folder), json.loads(RECIPE.read_text()), collections.Counter()
    more = list(items(folder, path, recorded_items, dropped, recipe["recorded"]))
    tell("recorded", more, dropped)
    for package, origin in origins(folder, more).items():
        old = recipe["packages"].setdefault(package, origin)
        # A package that is there already keeps its side.
        old["licence"] = " / ".join(sorted({*old["licence"].split(" / "), *origin["licence"].split(" / ")}))
    recipe["recorded"] = sorted(recipe["recorded"] + more, key=lambda i: f"{i['package']}/{i['file']}")
    write(recipe)


def main():
    if len(sys.argv) == 4 and sys.argv[1] == "add":
        add(*sys.argv[2:])
    elif len(sys.argv) == 5:
        anew(*sys.argv[1:])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
