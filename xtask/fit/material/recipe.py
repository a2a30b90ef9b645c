#!/usr/bin/env python3
"""Writes recipe.json from what modules.py, midis.py and recordings.py decided.

  recipe.py PACKAGES MODULES.json MIDI.json RECORDINGS.json
"""
import fnmatch, glob, hashlib, json, os, re, sys, zlib

SEED = 22
TEST = 0.25
# Packages that share music are on one side.
FAMILIES = {'tuxtype-data': 'tuxmath-data', 'freedroid-data': 'freedroidrpg-data', 'blobandconquer-data': 'blobwars-data'}
EXCERPT_S = 112


def side(package):
    family = FAMILIES.get(package, package)
    n = int(hashlib.sha256(f'{SEED} {family}'.encode()).hexdigest()[:8], 16)
    return 'test' if n / 2 ** 32 < TEST else 'train'


def licence(folder, package, files):
    """Names of the licences of the files in a machine-readable debian/copyright."""
    for path in glob.glob(f'{folder}/{package}/usr/share/doc/*/copyright'):
        text = open(path, errors='replace').read()
        names = {}
        for stanza in re.split(r'\n\s*\n', text):
            where = re.search(r'^Files:((?:.*\n)(?:[ \t]+.*\n)*)', stanza + '\n', re.M)
            which = re.search(r'^License:[ \t]*(.+)', stanza, re.M)
            if where and which:
                for pattern in where.group(1).split(): names[pattern] = which.group(1).strip()
        if names:
            found = set()
            for f in files:
                base = os.path.basename(f)
                hits = [n for p, n in names.items() if p != '*' and (fnmatch.fnmatch(base, os.path.basename(p)) and os.path.basename(p) != '*'
                        or (p.endswith('*') and os.path.dirname(p).split('/')[-1:] == [os.path.basename(os.path.dirname(f))]))]
                found.add(hits[-1] if hits else names.get('*', 'see debian/copyright'))
            return ' / '.join(sorted(found))
        known = [n for n, p in (('GPL-2', r'common-licenses/GPL'), ('LGPL', r'common-licenses/LGPL'), ('public domain', r'public domain'), ('Artistic', 'Artistic')) if re.search(p, text, re.I)]
        return ', '.join(known) + ' (debian/copyright is free text)' if known else 'see debian/copyright'
    return 'see debian/copyright'


def name(kind, package, file, n=''):
    base = re.sub(r'[^a-z0-9]+', '_', os.path.basename(file).rsplit('.', 1)[0].lower()).strip('_')[:28]
    return f"{kind}_{re.sub(r'[^a-z0-9]+', '_', package.removesuffix('-data'))[:18]}_{base}{n}"


def main():
    folder, modules, midi, recordings = sys.argv[1:]
    recipe = dict(packages={}, modules=[], midi=[], recorded=[])
    seen, dropped = set(), {}
    def fresh(path):
        h = hashlib.sha256(open(path, 'rb').read()).hexdigest()
        if h in seen: return False
        seen.add(h); return True
    split = lambda path: os.path.relpath(path, folder).split('/', 1)
    load = lambda f: json.load(open(f)) if os.path.exists(f) else {}
    def drop(kind, why):
        why = why[0] if isinstance(why, list) else why
        key = f'{kind}: {why[:30]}'; dropped[key] = dropped.get(key, 0) + 1
    for path, (good, info) in sorted(load(modules).items()):
        if not good: drop('modules', info); continue
        if not fresh(path): drop('modules', 'the same file in two packages'); continue
        package, file = split(path)
        length = min((info.get('dur') or info['seconds']), 121)
        start = 0.0 if length < 100 else 6.0
        recipe['modules'].append(dict(id=name('mod', package, file), package=package, file=file, start=start, seconds=round(min(EXCERPT_S, length - start), 1),
                                      rows_per_beat=good[0], beats_per_bar=good[1]))
    fonts = ('fluid', 'tim', 'ms')
    for path, (good, info) in sorted(load(midi).items()):
        if not good: drop('midi', info); continue
        if not fresh(path): drop('midi', 'the same file in two packages'); continue
        package, file = split(path)
        length = info['length']; n = zlib.crc32(file.encode())
        # Each soundfont has a part of its own where the piece is long enough.
        parts = 3 if length > 150 else 2 if length > 80 else 1
        for k in range(3 if parts > 1 else 2):
            part = k % parts
            start = round(part * length / parts, 1)
            seconds = round(min(75.0, length / parts - (2 if part == parts - 1 else 0)), 1)
            recipe['midi'].append(dict(id=name('midi', package, file, f'_{k}'), package=package, file=file, start=start, seconds=seconds,
                                       soundfont=fonts[(n + k) % 3], beat_quarters=good[0], beats_per_bar=good[1]))
    for path, (good, info) in sorted(load(recordings).items()):
        if not good: drop('recorded', info); continue
        if not fresh(path): drop('recorded', 'the same file in two packages'); continue
        package, file = split(path)
        recipe['recorded'].append(dict(id=name('rec', package, file), package=package, file=file, **good))
    for kind in ('modules', 'midi', 'recorded'):
        ids = {}
        for i in recipe[kind]:
            n = ids[i['id']] = ids.get(i['id'], 0) + 1
            if n > 1: i['id'] += f'_{n}'
    for p in sorted({i['package'] for k in ('modules', 'midi', 'recorded') for i in recipe[k]}):
        files = {i['file'] for k in ('modules', 'midi', 'recorded') for i in recipe[k] if i['package'] == p}
        recipe['packages'][p] = dict(split=side(p), licence=licence(folder, p, files))
    out = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'recipe.json')
    with open(out, 'w') as f:
        f.write('{\n"packages": {\n' + ',\n'.join(f'  {json.dumps(p)}: {json.dumps(v)}' for p, v in recipe['packages'].items()) + '\n}')
        for kind in ('modules', 'midi', 'recorded'):
            f.write(f',\n"{kind}": [\n' + ',\n'.join('  ' + json.dumps(i) for i in recipe[kind]) + '\n]')
        f.write('\n}\n')
    for kind in ('modules', 'midi', 'recorded'):
        for s in ('train', 'test'):
            use = [i for i in recipe[kind] if side(i['package']) == s]
            print(f"{kind} {s}: {len(use)} items, {sum(i['seconds'] for i in use) / 3600:.2f} h, {len({i['file'] for i in use})} pieces, {len({i['package'] for i in use})} packages, {sum(bool(i.get('beats_per_bar')) for i in use)} with bars")
    for k, v in sorted(dropped.items()): print('dropped', k, v)
    for p, v in recipe['packages'].items(): print(p, v)


if __name__ == '__main__':
    main()
