// Patterns, palettes and parameters, built from K1's own lists.

import { Thumbnail, wear } from './draw.js';

/** Lets arrow keys move within a group of radio buttons, as in a native one. */
function arrows(group, choose) {
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

function check(group, chosen) {
  for (const item of group.children) {
    const on = item === chosen;
    item.setAttribute('aria-checked', on);
    item.tabIndex = on ? 0 : -1;
  }
  if (!chosen && group.firstElementChild) group.firstElementChild.tabIndex = 0;
}

export class Gallery {
  constructor(root, patterns, link) {
    this.root = root;
    this.link = link;
    this.patterns = patterns;
    this.items = new Map();
    root.replaceChildren(...patterns.map((p) => {
      const item = document.createElement('button');
      item.type = 'button';
      item.className = 'pattern';
      item.setAttribute('role', 'radio');
      item.dataset.id = p.id;
      item.title = `${p.description}\nListens to ${p.listens}.`;
      const canvas = document.createElement('canvas');
      canvas.setAttribute('aria-hidden', 'true');
      const name = document.createElement('b');
      name.textContent = p.name;
      item.append(canvas, name);
      item.onclick = () => this.choose(item);
      this.items.set(p.id, { item, thumbnail: new Thumbnail(canvas) });
      return item;
    }));
    check(root, null);
    arrows(root, (item) => this.choose(item));
    // Thumbnails cost K1 time, so request them only while they are visible.
    const seen = new IntersectionObserver((e) => link.want({ thumbnails: e.some((x) => x.isIntersecting) }));
    seen.observe(root);
    document.addEventListener('visibilitychange', () => link.want({ thumbnails: !document.hidden }));
  }
  choose(item) { this.link.post({ pattern: item.dataset.id }); }
  step(by) {
    const at = this.patterns.findIndex((p) => p.id === this.current);
    if (at >= 0) this.link.post({ pattern: this.patterns[(at + by + this.patterns.length) % this.patterns.length].id });
  }
  show(id) {
    this.current = id;
    check(this.root, this.items.get(id)?.item);
    return this.patterns.find((p) => p.id === id);
  }
  thumbnails(view) {
    const count = view.getUint8(1);
    const leds = view.getUint16(2, true);
    this.patterns.slice(0, count).forEach((p, i) => {
      const rgb = new Uint8Array(view.buffer, view.byteOffset + 4 + i * leds * 3, leds * 3);
      this.items.get(p.id).thumbnail.paint(rgb, leds);
    });
  }
}

export class Palettes {
  constructor(root, palettes, link) {
    this.root = root;
    this.link = link;
    this.count = palettes.length;
    this.palettes = palettes;
    root.replaceChildren(...palettes.map((p) => {
      const item = document.createElement('button');
      item.type = 'button';
      item.className = 'palette';
      item.setAttribute('role', 'radio');
      item.dataset.id = p.id;
      item.title = p.about;
      const swatch = document.createElement('i');
      swatch.style.background = `linear-gradient(90deg, ${p.colors.map((c) => `rgb(${c.r} ${c.g} ${c.b})`).join(', ')})`;
      const name = document.createElement('span');
      name.textContent = p.name.replaceAll('_', ' ');
      item.append(swatch, name);
      item.onclick = () => this.choose(item);
      return item;
    }));
    check(root, null);
    arrows(root, (item) => this.choose(item));
  }
  choose(item) { this.link.set({ palette_id: Number(item.dataset.id) }); }
  step(by) {
    if (this.current !== undefined) this.link.set({ palette_id: (this.current + by + this.count) % this.count });
  }
  show(id) {
    this.current = id;
    wear(this.palettes[id].colors);
    check(this.root, this.root.children[id]);
  }
}

export class Params {
  constructor(root, table, link) {
    this.table = table;
    this.link = link;
    this.rows = new Map();
    // The palette has its own place.
    const shown = table.filter((p) => p.id !== 'palette_id');
    root.replaceChildren(...shown.map((p) => this.row(p)));
  }
  row(p) {
    const box = document.createElement('div');
    box.className = 'param';
    const label = document.createElement('label');
    label.htmlFor = `p-${p.id}`;
    label.textContent = p.name;
    const value = document.createElement('output');
    value.htmlFor = `p-${p.id}`;
    value.textContent = '–';
    const slide = document.createElement('div');
    slide.className = 'slide';
    const mark = document.createElement('s');
    const share = (p.default - p.min) / (p.max - p.min);
    // The thumb is 18 px wide and stays within the track.
    mark.style.left = `calc(9px + ${share} * (100% - 18px))`;
    const input = document.createElement('input');
    Object.assign(input, { type: 'range', id: `p-${p.id}`, min: p.min, max: p.max, step: p.step, value: p.default, disabled: true });
    input.title = `Default ${p.default}${p.unit ? ` ${p.unit}` : ''}. Double-click to return to it.`;
    input.oninput = () => {
      this.paint(p, Number(input.value));
      this.link.set({ [p.id]: Number(input.value) });
    };
    input.ondblclick = () => this.link.set({ [p.id]: p.default });
    slide.append(mark, input);
    const help = document.createElement('p');
    help.textContent = p.help;
    box.append(label, value, slide, help);
    this.rows.set(p.id, { box, label, value, input, help });
    return box;
  }
  paint(p, v) {
    const { value, input } = this.rows.get(p.id);
    value.textContent = `${Number.isInteger(p.step) ? v : v.toFixed(2)}${p.unit ? ` ${p.unit}` : ''}`;
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
    pattern.knobs.forEach((knob, i) => {
      const row = this.rows.get(`custom_param_${i + 1}`);
      if (!row) return;
      row.label.textContent = knob;
      row.help.textContent = `Custom ${i + 1} of ${pattern.name}.`;
    });
  }
  defaults() { return Object.fromEntries(this.table.map((p) => [p.id, p.default])); }
}
