// Paints light: LEDs with a glow, on a line, a ring or a matrix.

import { Row, Surface } from './draw.js';

/** Two layers of a halo: columns (fewer blur more), height and strength. */
const LAYERS = [[40, 1, 0.5], [96, 0.46, 0.62]];

export const sheet = (width, height) => Object.assign(document.createElement('canvas'), { width, height });

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
    // The outermost column stays dark, so that the enlarged picture has no edge.
    const edge = 1.2 / width;
    for (const [at, alpha] of [[0, 0], [edge, 0], [ends + edge, 1], [1 - ends - edge, 1], [1 - edge, 0], [1, 0]]) across.addColorStop(at, `rgb(0 0 0 / ${alpha})`);
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

  /** Cuts the masks for a size in pixels; the glow goes on for `over` pixels at both ends. */
  fit(w, thick, leds, over) {
    const key = `${w} ${thick} ${leds} ${over}`;
    if (key === this.key) return;
    this.key = key;
    this.layers = LAYERS.map(([columns, tall, alpha]) => ({
      sheet: sheet(columns, 48), mask: softMask(columns, 48, over / (w + 2 * over)), tall, alpha,
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
    const over = open ? 0 : reach * 0.8;
    this.fit(w, thick, leds, over);
    ctx.globalCompositeOperation = 'lighter';
    ctx.imageSmoothingEnabled = true;
    for (const { sheet: small, mask, tall, alpha } of this.layers) {
      const s = small.getContext('2d');
      s.globalCompositeOperation = 'copy';
      s.imageSmoothingQuality = 'medium';
      const { width, height } = small;
      const end = width * over / (w + 2 * over);
      s.drawImage(image, end, 0, width - 2 * end, height);
      s.globalCompositeOperation = 'source-over';
      // The outermost colours go on behind the ends.
      if (over) for (const [led, at] of [[0, 0], [leds - 1, width - end]]) s.drawImage(image, led, 0, 1, 1, at, 0, end, height);
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

/** Painters for shapes other than lines: the beginning of the shape's text, and a function of the zone. */
export const shapes = new Map();

const shapeOf = (zone) => [...shapes.keys()].find((shape) => zone.shape?.startsWith(shape));

/** True if a zone is drawn in a square rather than along a line. */
export const isSquare = (zone) => shapeOf(zone) !== undefined;

/** Most pixels of a light's canvas for a pixel of the page; fewer on a device that cannot keep up. */
export const quality = { scale: 2 };

/** What paints zones where they hang; only the program has places for them. */
export const hanging = {};

/** One canvas with the light of all zones: lines below each other, each as long as its share, and squares beside them. */
export class Scene extends Surface {
  constructor(canvas, { wall = false, first = false } = {}) {
    super(canvas);
    Object.assign(this, { wall, onlyFirst: first, painters: new Map() });
  }

  get most() { return quality.scale; }

  painter(zone) {
    const key = `${zone.name} ${zone.shape} ${zone.leds}`;
    if (!this.painters.has(key)) this.painters.set(key, isSquare(zone) ? shapes.get(shapeOf(zone))(zone) : new Tube());
    return this.painters.get(key);
  }

  /** Fits the canvas to a device that has become slow. */
  refit() {
    if (this.limit === quality.scale) return;
    this.limit = quality.scale;
    this.fit();
  }

  /** Paints zones with name, shape, leds and rgb. */
  paint(zones) {
    this.refit();
    const { ctx } = this;
    ctx.setTransform(1, 0, 0, 1, 0, 0);
    ctx.clearRect(0, 0, this.w, this.h);
    // Behind the light of a page lies the line with its name. One strip hangs along the longer side of a wall.
    const upright = this.onlyFirst && this.h > this.w;
    const [w, h] = upright ? [this.h, this.w] : [this.w, this.wall ? this.h : this.h - 20 * this.scale];
    if (upright) ctx.transform(0, 1, -1, 0, this.w, 0);
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
        x: open ? 0 : (wide - long) / 2, y: (i + 0.5) * step, w: long, thick, reach: open ? step * 0.62 : Math.min(step * 0.62, long * 0.4), open,
      });
    });
  }
}
