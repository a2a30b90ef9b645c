// Paints zones other than lines: matrices and rings.

import { shapes, sheet } from '../light.js';

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

/** A ring, clockwise from the top. */
const ring = (n) => Array.from({ length: n }, (_, i) => {
  const turn = 2 * Math.PI * i / n;
  return [0.5 + 0.5 * Math.sin(turn), 0.5 - 0.5 * Math.cos(turn)];
});

shapes.set('matrix:', (zone) => new Grid(zone.shape));
shapes.set('ring', (zone) => new Dots(ring(zone.leds)));
