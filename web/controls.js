// Patterns, palettes and parameters, built from K1's own lists.

import { Thumbnail, wear } from './draw.js';

/** An element by its id. */
export const $ = (id) => document.getElementById(id);

/** Lets arrow keys move within a group of radio buttons, as in a native one. */
export function arrows(group, choose) {
  group.addEventListener('keydown', (event) => {
    const all = [...group.children];
    const at = all.indexOf(document.activeElement);
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (at < 0 || !step) return;
    event.preventDefault();
    const to = all[(at + step + all.length) % all.length];
    to.focus();
    choose(to);
  });
}

export function check(group, chosen) {
  for (const item of group.children) {
    const on = item === chosen;
    item.setAttribute('aria-checked', on);
    item.tabIndex = on ? 0 : -1;
  }
  if (!chosen && group.firstElementChild) group.firstElementChild.tabIndex = 0;
}

/** An element with a class, a text and children. */
export function el(tag, name = '', text = '', ...children) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text) made.textContent = text;
  made.append(...children);
  return made;
}

/** A button that acts when pressed. */
export function button(name, text, act) {
  const made = el('button', name, text);
  made.type = 'button';
  made.onclick = act;
  return made;
}

/** A labelled input. */
export function field(text, type = 'text', placeholder = '') {
  const input = el('input');
  Object.assign(input, { type, placeholder, autocomplete: 'off' });
  return el('label', 'field', text, input);
}

/** Tells a screen reader something; the same text is not told again. */
export function say(text) {
  if ($('spoken').textContent !== text) $('spoken').textContent = text;
}

/** A button of a radio group. */
export function radio(name, ...children) {
  const item = el('button', name, '', ...children);
  item.type = 'button';
  item.setAttribute('role', 'radio');
  return item;
}

/** Colours as a gradient from left to right. */
export const gradient = (colors) => `linear-gradient(90deg, ${colors.map((c) => `rgb(${c.r} ${c.g} ${c.b})`).join(', ')})`;

/** Scrolls a chosen tile into the visible part of its row, without moving the page. */
function reveal(group, item) {
  if (!item || group.scrollWidth <= group.clientWidth) return;
  const { left, right } = group.getBoundingClientRect();
  const at = item.getBoundingClientRect();
  if (at.left < left || at.right > right) group.scrollLeft += at.left - left - 24;
}

export class Gallery {
  constructor(root, patterns, target, link) {
    Object.assign(this, { root, patterns, target });
    this.items = new Map();
    root.replaceChildren(...patterns.map((p) => {
      const canvas = el('canvas');
      canvas.setAttribute('aria-hidden', 'true');
      const item = radio('pattern', canvas, el('b', '', p.name));
      item.dataset.id = p.id;
      item.title = `${p.description}\nListens to ${p.listens}.`;
      item.onclick = () => this.choose(item);
      this.items.set(p.id, { item, thumbnail: new Thumbnail(canvas) });
      return item;
    }));
    check(root, null);
    arrows(root, (item) => this.choose(item));
    // Thumbnails cost K1 time, so request them only while they are visible, and paint no others.
    const seen = new IntersectionObserver((e) => link.want({ thumbnails: e.some((x) => x.isIntersecting) }));
    seen.observe(root);
    const inSight = new IntersectionObserver((e) => e.forEach((x) => { this.items.get(x.target.dataset.id).inSight = x.isIntersecting; }), { rootMargin: '80px' });
    for (const { item } of this.items.values()) inSight.observe(item);
    document.addEventListener('visibilitychange', () => link.want({ thumbnails: !document.hidden && root.offsetParent !== null }));
  }
  choose(item) { this.target.post({ pattern: item.dataset.id }); }
  step(by) {
    const at = this.patterns.findIndex((p) => p.id === this.current);
    if (at >= 0) this.target.post({ pattern: this.patterns[(at + by + this.patterns.length) % this.patterns.length].id });
  }
  show(id) {
    const item = this.items.get(id)?.item;
    if (id !== this.current) {
      check(this.root, item);
      reveal(this.root, item);
    }
    this.current = id;
    return this.patterns.find((p) => p.id === id);
  }
  thumbnails(view) {
    const count = view.getUint8(1);
    const leds = view.getUint16(2, true);
    this.patterns.slice(0, count).forEach((p, i) => {
      const { inSight, thumbnail } = this.items.get(p.id);
      // Every picture is painted once, so that no tile is empty.
      if (inSight || !thumbnail.seen) thumbnail.paint(new Uint8Array(view.buffer, view.byteOffset + 4 + i * leds * 3, leds * 3), leds);
    });
  }
}

export class Palettes {
  constructor(root, palettes, target) {
    Object.assign(this, { root, palettes, target, count: palettes.length });
    root.replaceChildren(...palettes.map((p) => {
      const swatch = el('i');
      swatch.style.background = gradient(p.colors);
      const item = radio('palette', swatch, el('span', '', p.name.replaceAll('_', ' ')));
      item.dataset.id = p.id;
      item.title = p.about;
      item.onclick = () => this.choose(item);
      return item;
    }));
    check(root, null);
    arrows(root, (item) => this.choose(item));
  }
  choose(item) { this.target.set({ palette_id: Number(item.dataset.id) }); }
  step(by) {
    if (this.current !== undefined) this.target.set({ palette_id: (this.current + by + this.count) % this.count });
  }
  show(id) {
    // It may be newer than this list.
    if (id === this.current || !this.palettes[id]) return;
    this.current = id;
    wear(this.palettes[id].colors);
    check(this.root, this.root.children[id]);
    reveal(this.root, this.root.children[id]);
  }
  colors(id) { return this.palettes[id].colors; }
}

/** Parameters that every pattern shows besides its own three. */
const FIRST = ['custom_param_1', 'custom_param_2', 'custom_param_3', 'speed'];

export class Params {
  /** `near` takes the parameters that are always visible, `more` the others. */
  constructor(near, more, table, target) {
    Object.assign(this, { table, target });
    this.rows = new Map();
    const row = (id) => this.row(table.find((p) => p.id === id));
    near.replaceChildren(...FIRST.map(row));
    more.replaceChildren(...table.map((p) => p.id).filter((id) => !FIRST.includes(id) && id !== 'palette_id').map(row));
  }

  /** Sends what a slider says. */
  tie(p, input) {
    input.title = `${p.help} Double-click returns to ${p.default}.`;
    input.oninput = () => {
      this.paint(p, Number(input.value));
      this.target.set({ [p.id]: Number(input.value) });
    };
    input.ondblclick = () => this.target.set({ [p.id]: p.default });
  }

  row(p) {
    const label = el('label', '', p.name);
    label.htmlFor = `p-${p.id}`;
    const value = el('span', 'num', '–');
    const mark = el('s');
    const share = (p.default - p.min) / (p.max - p.min);
    // The thumb is 22 px wide and stays within the track.
    mark.style.left = `calc(11px + ${share} * (100% - 22px))`;
    const input = el('input');
    Object.assign(input, { type: 'range', id: `p-${p.id}`, min: p.min, max: p.max, step: p.step, value: p.default, disabled: true });
    this.tie(p, input);
        const box = el('div', 'param', '', label, value, el('div', 'slide', '', mark, input), ...(FIRST.includes(p.id) ? [] : [el('p', '', p.help)]));
    this.rows.set(p.id, { box, label, value, input });
    return box;
  }

  paint(p, v) {
    const { value, input } = this.rows.get(p.id);
    // Shares are shown in percent; the turn of a colour is an angle.
    const text = p.unit === 'turn' ? `${Math.round(360 * v)}°` : p.step === 1 ? (v >= 0.5 ? 'on' : 'off') : `${Math.round(100 * v)} %`;
    value.textContent = text;
    input.setAttribute('aria-valuetext', text);
    input.style.setProperty('--at', `${100 * (v - p.min) / (p.max - p.min)}%`);
  }

  show(values) {
    for (const p of this.table) {
      const row = this.rows.get(p.id);
      if (!row || values[p.id] === undefined) continue;
      row.input.disabled = false;
      // Do not move a slider that the user is dragging to an older value.
      if (document.activeElement === row.input && row.input.matches(':active')) continue;
      row.input.value = values[p.id];
      this.paint(p, values[p.id]);
    }
  }

  /** Shows the pattern's own names for the custom knobs. */
  name(pattern) {
    pattern.knobs.forEach((knob, i) => { this.rows.get(`custom_param_${i + 1}`).label.textContent = knob; });
  }

  defaults() { return Object.fromEntries(this.table.map((p) => [p.id, p.default])); }
}
