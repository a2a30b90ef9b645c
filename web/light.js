// Paints light: LEDs with a glow, on a line, a ring or a matrix.

import { Row, Surface } from './draw.js';

/** Columns of the two layers of a halo: fewer columns blur more. */
const LAYERS = [[20, 1, 0.5], [80, 0.46, 0.62]];

const sheet = (width, height) => Object.assign(document.createElement('canvas'), { width, height });

/** A soft edge around a band: bright along its middle line, dark at its rim. */
function softMask(width, height, ends) {
  const mask = sheet(width, height);
  const ctx = mask.getContext('2d');
  const down = ctx.createLinearGradient(0, 0, 0, height);
  for (let i = 0; i <= 16; i++) {
    const x = Math.abs(i / 8 - 1);
    // A Gauss bell with a longer tail that ends at 0, as light behind milky glass falls off.
    const fall = (0.62 * Math.exp(-x * x * 9) + 0.38 * Math.exp(-x * 3.2)) * (1 - x * x);
    down.addColorStop(i / 16, `rgb(0 0 0 / ${fall})`);
  }
  ctx.fillStyle = down;
  ctx.fillRect(0, 0, width, height);
  if (ends) {
    ctx.globalCompositeOperation = 'destination-in';
    const across = ctx.createLinearGradient(0, 0, width, 0);
    for (const [at, alpha] of [[0, 0], [ends, 1], [1 - ends, 1], [1, 0]]) across.addColorStop(at, `rgb(0 0 0 / ${alpha})`);
    ctx.fillStyle = across;
    ctx.fillRect(0, 0, width, height);
  }
  return mask;
}

/** A line of LEDs. */
export class Tube {
  constructor() {
    this.row = new Row();
    this.layers = null;
    this.core = sheet(1, 1);
    this.key = '';
  }

  /** Cuts the masks for a size in pixels; `open` lets the glow run out of both sides. */
  fit(w, thick, leds, open) {
    const key = `${w} ${thick} ${leds} ${open}`;
    if (key === this.key) return;
    this.key = key;
    this.layers = LAYERS.map(([columns, tall, alpha]) => ({
      sheet: sheet(columns, 48), mask: softMask(columns, 48, open ? 0 : 0.06), tall, alpha,
    }));
    Object.assign(this.core, { width: Math.max(1, Math.round(w)), height: Math.max(1, Math.round(thick)) });
    this.dots = sheet(this.core.width, this.core.height);
    const ctx = this.dots.getContext('2d');
    const pitch = w / leds;
    ctx.beginPath();
    if (pitch < 5) ctx.roundRect(0, 0, w, thick, thick / 2);
    else {
      const wide = Math.min(pitch * 0.78, thick * 1.7);
      for (let i = 0; i < leds; i++) ctx.roundRect((i + 0.5) * pitch - wide / 2, 0, wide, thick, Math.min(wide, thick) / 2);
    }
    ctx.fill();
  }

  /** Paints around the middle line `y`, from `x` to `x + w`; the halo reaches `reach` up and down. */
  paint(ctx, rgb, leds, { x, y, w, thick, reach, open }) {
    if (!leds || w < 1) return;
    const image = this.row.put(rgb, leds);
    this.fit(w, thick, leds, open);
    ctx.globalCompositeOperation = 'lighter';
    ctx.imageSmoothingEnabled = true;
    const over = open ? 0 : w * 0.06;
    for (const { sheet: small, mask, tall, alpha } of this.layers) {
      const s = small.getContext('2d');
      s.globalCompositeOperation = 'copy';
      s.imageSmoothingQuality = 'medium';
      s.drawImage(image, 0, 0, small.width, small.height);
      s.globalCompositeOperation = 'destination-in';
      s.drawImage(mask, 0, 0);
      ctx.globalAlpha = alpha;
      ctx.drawImage(small, x - over, y - reach * tall, w + 2 * over, 2 * reach * tall);
    }
    ctx.globalAlpha = 1;
    const c = this.core.getContext('2d');
    c.globalCompositeOperation = 'copy';
    c.imageSmoothingEnabled = w / leds < 3;
    c.drawImage(image, 0, 0, this.core.width, this.core.height);
    c.globalCompositeOperation = 'destination-in';
    c.drawImage(this.dots, 0, 0);
    ctx.drawImage(this.core, x, y - thick / 2);
    // The middle of a bright LED is nearly white.
    ctx.globalAlpha = 0.5;
    ctx.drawImage(this.core, x, y - thick / 5, w, thick * 0.4);
    ctx.globalAlpha = 1;
    ctx.globalCompositeOperation = 'source-over';
  }
}

/** The places of a matrix's LEDs, [x, y] in the order of the wire, from its shape (docs/lights.md). */
function matrix(text) {
  const [size, ...flags] = text.slice('matrix:'.length).split(',');
  const [columns, rows] = size.split('x').map(Number);
  const has = (flag) => flags.includes(flag);
  const turns = Number(flags.find((f) => f.startsWith('rotate='))?.slice(7) ?? 0) / 90;
  const [long, wide] = has('columns') ? [rows, columns] : [columns, rows];
  const places = [];
  for (let i = 0; i < columns * rows; i++) {
    const line = Math.floor(i / long);
    const along = has('serpentine') && line % 2 ? long - 1 - (i % long) : i % long;
    let [x, y, w, h] = has('columns') ? [line, along, wide, long] : [along, line, long, wide];
    if (has('flip')) x = w - 1 - x;
    for (let t = 0; t < turns; t++) [x, y, w, h] = [h - 1 - y, x, h, w];
    places.push([x, y]);
  }
  const across = turns % 2 ? [rows, columns] : [columns, rows];
  return { places, columns: across[0], rows: across[1] };
}

/** LEDs on a grid: a small picture, enlarged with its glow. */
class Grid {
  constructor(shape) {
    Object.assign(this, matrix(shape));
    this.small = sheet(this.columns, this.rows);
    this.ctx = this.small.getContext('2d');
    this.image = this.ctx.createImageData(this.columns, this.rows);
    this.image.data.fill(255);
  }
  paint(ctx, rgb, leds, { x, y, w, h }) {
    const out = this.image.data;
    for (let i = 0; i < Math.min(leds, this.places.length); i++) {
      const at = 4 * (this.places[i][1] * this.columns + this.places[i][0]);
      out[at] = rgb[3 * i]; out[at + 1] = rgb[3 * i + 1]; out[at + 2] = rgb[3 * i + 2];
    }
    this.ctx.putImageData(this.image, 0, 0);
    const cell = Math.min(w / this.columns, h / this.rows);
    const [wide, tall] = [cell * this.columns, cell * this.rows];
    const [left, top] = [x + (w - wide) / 2, y + (h - tall) / 2];
    ctx.globalCompositeOperation = 'lighter';
    ctx.imageSmoothingEnabled = true;
    ctx.globalAlpha = 0.35;
    ctx.drawImage(this.small, left, top, wide, tall);
    ctx.globalAlpha = 1;
    const radius = cell * 0.32;
    for (let i = 0; i < this.columns * this.rows; i++) {
      ctx.fillStyle = `rgb(${out[4 * i]} ${out[4 * i + 1]} ${out[4 * i + 2]})`;
      ctx.beginPath();
      ctx.arc(left + (i % this.columns + 0.5) * cell, top + (Math.floor(i / this.columns) + 0.5) * cell, radius, 0, 7);
      ctx.fill();
    }
    ctx.globalCompositeOperation = 'source-over';
  }
}

/** LEDs at places of their own: a ring, or the points of a map; each with a glow. */
class Dots {
  /** `places` are [x, y] from 0 to 1. */
  constructor(places) { this.places = places; }
  paint(ctx, rgb, leds, { x, y, w, h }) {
    const side = Math.min(w, h) * 0.86;
    const [left, top] = [x + (w - side) / 2, y + (h - side) / 2];
    const n = Math.min(leds, this.places.length);
    const size = Math.max(2, Math.min(side * 1.6 / n, side / 14));
    ctx.globalCompositeOperation = 'lighter';
    for (const [grow, alpha] of [[4.5, 0.06], [2.4, 0.14], [1, 1]]) {
      ctx.globalAlpha = alpha;
      for (let i = 0; i < n; i++) {
        ctx.fillStyle = `rgb(${rgb[3 * i]} ${rgb[3 * i + 1]} ${rgb[3 * i + 2]})`;
        ctx.beginPath();
        ctx.arc(left + this.places[i][0] * side, top + this.places[i][1] * side, size * grow / 2 * 0.8, 0, 7);
        ctx.fill();
      }
    }
    ctx.globalAlpha = 1;
    ctx.globalCompositeOperation = 'source-over';
  }
}

const ring = (n) => Array.from({ length: n }, (_, i) => {
  const turn = 2 * Math.PI * i / n;
  return [0.5 + 0.5 * Math.sin(turn), 0.5 - 0.5 * Math.cos(turn)];
});

/** The painter for a zone. */
function painter(zone) {
  if (zone.shape?.startsWith('matrix:')) return new Grid(zone.shape);
  if (zone.shape === 'ring') return new Dots(ring(zone.leds));
  return new Tube();
}

/** True if a zone is drawn in a square rather than along a line. */
export const isSquare = (zone) => zone.shape === 'ring' || zone.shape?.startsWith('matrix:');

/** One canvas with the light of all zones: lines below each other, each as long as its share, and squares beside them. */
export class Scene extends Surface {
  constructor(canvas, { wall = false, first = false } = {}) {
    super(canvas);
    Object.assign(this, { wall, onlyFirst: first, painters: new Map() });
  }

  painter(zone) {
    const key = `${zone.name} ${zone.shape} ${zone.leds}`;
    if (!this.painters.has(key)) this.painters.set(key, painter(zone));
    return this.painters.get(key);
  }

  /** Paints zones with name, shape, leds and rgb. */
  paint(zones) {
    const { ctx, w, h } = this;
    ctx.clearRect(0, 0, w, h);
    const shown = this.onlyFirst ? zones.slice(0, 1) : zones;
    const squares = shown.filter(isSquare);
    const lines = shown.filter((z) => !isSquare(z));
    const side = squares.length ? Math.min(h, lines.length ? w * 0.4 / squares.length : w / squares.length) : 0;
    let x = lines.length ? w - side * squares.length : (w - side * squares.length) / 2;
    for (const zone of squares) {
      const inset = side * 0.06;
      this.painter(zone).paint(ctx, zone.rgb, zone.leds, { x: x + inset, y: (h - side) / 2 + inset, w: side - 2 * inset, h: side - 2 * inset });
      x += side;
    }
    const wide = w - side * squares.length;
    const most = Math.max(...lines.map((z) => z.leds));
    const open = lines.length === 1 && !squares.length;
    lines.forEach((zone, i) => {
      const long = open ? w : wide * 0.92 * Math.max(0.12, zone.leds / most);
      const step = h / lines.length;
      const thick = Math.max(3, Math.min(step * 0.16, this.scale * (this.wall ? 22 : 12), 1.4 * long / zone.leds + 4 * this.scale));
      this.painter(zone).paint(ctx, zone.rgb, zone.leds, {
        x: open ? 0 : (wide - long) / 2, y: (i + 0.5) * step, w: long, thick, reach: this.wall ? Math.min(step * 0.62, h * 0.5) : step * 0.62, open,
      });
    });
  }
}
