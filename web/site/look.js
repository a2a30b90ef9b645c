// A look as text, and as a link that others open: its pattern, its palette by name, and the parameters that are not at their
// defaults, as in `#look?pattern=lava&palette=ember_night&softness=0.4`.

import { get } from './link.js';

const MARK = '#look?';

/** A look (pattern and parameters) as text. */
async function written({ pattern, params }) {
  const [{ params: table }, { palettes }] = [await get('api/v1/params'), await get('api/palettes')];
  const text = new URLSearchParams({ pattern, palette: palettes[params.palette_id].name });
  for (const { id, default: usual } of table) {
    const value = Math.round(1000 * params[id]) / 1000;
    if (id !== 'palette_id' && value !== Math.round(1000 * usual) / 1000) text.set(id, value);
  }
  return text.toString();
}

/** A look from its text: what the link does not name has its default. Throws an Error with a sentence. */
async function read(text) {
  const [{ params: table }, { palettes }, { patterns }] = [await get('api/v1/params'), await get('api/palettes'), await get('api/patterns')];
  const named = new URLSearchParams(text);
  const [pattern, palette] = [named.get('pattern'), named.get('palette')];
  const known = (list, of, name) => {
    const at = list.findIndex(of);
    if (at < 0) throw new Error(`The link asks for a ${name}, which this K1 does not have. It keeps its own look.`);
    return at;
  };
  known(patterns, (p) => p.id === pattern, `pattern “${pattern ?? ''}”`);
  const params = Object.fromEntries(table.map((p) => [p.id, p.default]));
  params.palette_id = known(palettes, (p) => p.name === palette, `palette “${palette ?? ''}”`);
  for (const [key, value] of named) {
    if (key === 'pattern' || key === 'palette') continue;
    known(table, (p) => p.id === key && key !== 'palette_id', `parameter “${key}”`);
    if (value.trim() === '' || !Number.isFinite(Number(value))) throw new Error(`The link says ${key}=${value}, which is not a number. K1 keeps its own look.`);
    params[key] = Number(value);
  }
  return { pattern, params };
}

/** The link to what this K1 shows now. */
export async function share() {
  const { current_pattern: number, parameters: params } = await get('api/config/backup');
  const { patterns } = await get('api/patterns');
  return `${location.href.replace(/#.*/s, '')}${MARK}${await written({ pattern: patterns[number].id, params })}`;
}

/** Shows the look of an address that names one. */
export async function wear(link, hash) { link.post(await read(hash.slice(MARK.length))); }
