// Painting on canvases. Without data, nothing is painted.

export const calm = matchMedia('(prefers-reduced-motion: reduce)');

/** A canvas whose pixels match the screen's. */
export class Surface {
  constructor(canvas) {
    this.canvas = canvas;
    this.ctx = canvas.getContext('2d');
    const sizes = new ResizeObserver(([entry]) => {
      this.exact = entry.devicePixelContentBoxSize?.[0];
      this.fit();
    });
    // Letters are sharp in a picture with exactly the pixels of the screen. Safari has no such box.
    try { sizes.observe(canvas, { box: 'device-pixel-content-box' }); } catch { sizes.observe(canvas); }
    this.fit();
  }
  /** Most pixels of the canvas for a pixel of the page. */
  get most() { return 2; }
  fit() {
    this.scale = Math.min(this.most, devicePixelRatio || 1);
    const { clientWidth, clientHeight } = this.canvas;
    const exact = this.scale === devicePixelRatio && this.exact;
    this.w = Math.max(1, exact?.inlineSize ?? Math.round(clientWidth * this.scale));
    this.h = Math.max(1, exact?.blockSize ?? Math.round(clientHeight * this.scale));
    if (this.canvas.width !== this.w || this.canvas.height !== this.h) {
      this.canvas.width = this.w;
      this.canvas.height = this.h;
    }
  }
  dark() { this.ctx.clearRect(0, 0, this.w, this.h); }
}

/** A row of pixels as an image that can be stretched. */
export class Row {
  constructor() { this.canvas = document.createElement('canvas'); this.leds = 0; }
  put(rgb, leds) {
    if (leds !== this.leds) {
      this.leds = leds;
      this.canvas.width = leds;
      this.canvas.height = 1;
      this.ctx = this.canvas.getContext('2d');
      this.image = this.ctx.createImageData(leds, 1);
      this.image.data.fill(255);
    }
    const out = this.image.data;
    for (let i = 0, o = 0; i < leds * 3; i += 3, o += 4) {
      out[o] = rgb[i]; out[o + 1] = rgb[i + 1]; out[o + 2] = rgb[i + 2];
    }
    this.ctx.putImageData(this.image, 0, 0);
    return this.canvas;
  }
}

/** The last seconds of light, newest on top. */
export class Waterfall extends Surface {
  constructor(canvas) { super(canvas); this.row = new Row(); this.last = null; }
  /** Keeps the picture, which a canvas loses when it is resized. */
  fit() {
    const { width, height } = this.canvas;
    const kept = document.createElement('canvas');
    Object.assign(kept, { width, height });
    kept.getContext('2d').drawImage(this.canvas, 0, 0);
    super.fit();
    if (this.w !== width || this.h !== height) this.ctx.drawImage(kept, 0, 0, this.w, height);
  }
  paint(rgb, leds, now) {
    // 60 device pixels a second whatever the frame rate.
    const speed = 60 * this.scale;
    const step = this.last === null ? 1 : Math.floor((now - this.last) / 1000 * speed);
    if (step < 1) return;
    this.last = this.last === null || step > 200 ? now : this.last + step * 1000 / speed;
    const { ctx, canvas, w } = this;
    ctx.drawImage(canvas, 0, Math.min(step, this.h));
    ctx.imageSmoothingEnabled = true;
    ctx.drawImage(this.row.put(rgb, leds), 0, 0, w, Math.min(step, this.h));
  }
}

/** Colours for bars and notes: five colours of the current palette, interpolated, lightened to be readable. */
let ink = null;
export function wear(colors) { ink = colors; }
function hue(x) {
  if (!ink) return '#8d86a5';
  const p = Math.min(x, 0.9999) * (ink.length - 1);
  const [a, b] = [ink[Math.floor(p)], ink[Math.floor(p) + 1]];
  const mix = ['r', 'g', 'b'].map((c) => a[c] + (b[c] - a[c]) * (p % 1));
  const lift = Math.max(0, 110 - Math.max(...mix));
  return `rgb(${mix.map((c) => Math.round(c + lift)).join(' ')})`;
}

export class Bars extends Surface {
  paint(values) {
    const { ctx, w, h } = this;
    ctx.clearRect(0, 0, w, h);
    const n = values.length;
    const pitch = w / n;
    for (let i = 0; i < n; i++) {
      // A root scale keeps small values visible.
      const tall = Math.max(pitch * 0.36, Math.sqrt(values[i] / 255) * h);
      ctx.fillStyle = hue(i / (n - 1));
      ctx.beginPath();
      ctx.roundRect(i * pitch + pitch * 0.14, h - tall, pitch * 0.72, tall, [pitch * 0.36, pitch * 0.36, 0, 0]);
      ctx.fill();
    }
  }
}

const NOTES = ['C', '♯', 'D', '♯', 'E', 'F', '♯', 'G', '♯', 'A', '♯', 'B'];

export class Notes extends Surface {
  get most() { return 4; }
  paint(values) {
    const { ctx, w, h, scale } = this;
    ctx.clearRect(0, 0, w, h);
    const pitch = w / 12;
    const foot = 20 * scale;
    ctx.font = `${12 * scale}px system-ui, sans-serif`;
    ctx.textAlign = 'center';
    for (let i = 0; i < 12; i++) {
      const v = values[i] / 255;
      const size = Math.max(0, Math.min(pitch * 0.82, h - foot));
      ctx.globalAlpha = 0.12 + 0.88 * v * v;
      ctx.fillStyle = hue(i / 11);
      ctx.beginPath();
      ctx.arc((i + 0.5) * pitch, (h - foot) / 2, size / 2 * (0.5 + 0.5 * v), 0, 7);
      ctx.fill();
      ctx.globalAlpha = 1;
      ctx.fillStyle = '#a9a3b8';
      ctx.fillText(NOTES[i], Math.round((i + 0.5) * pitch), Math.round(h - 4 * scale));
    }
  }
}

/** A thumbnail: half a second of a small strip as a tiny waterfall. */
export class Thumbnail {
  constructor(canvas) {
    this.canvas = canvas;
    canvas.width = 48;
    canvas.height = 18;
    this.ctx = canvas.getContext('2d');
    this.row = new Row();
    this.seen = false;
  }
  paint(rgb, leds) {
    if (calm.matches && this.seen) return;
    const { ctx, canvas } = this;
    ctx.imageSmoothingEnabled = false;
    const rows = this.seen ? 1 : canvas.height;
    if (this.seen) ctx.drawImage(canvas, 0, 1);
    ctx.drawImage(this.row.put(rgb, leds), 0, 0, canvas.width, rows);
    this.seen = true;
  }
}

/** A line of history with its target. */
export class Spark extends Surface {
  paint(values, target) {
    const { ctx, w, h } = this;
    ctx.clearRect(0, 0, w, h);
    if (values.length < 2) return;
    const top = Math.max(...values, target ?? 0) * 1.08 || 1;
    const y = (v) => h - 1 - (v / top) * (h - 2);
    if (target) {
      ctx.strokeStyle = 'rgb(255 255 255 / .18)';
      ctx.beginPath();
      ctx.moveTo(0, y(target));
      ctx.lineTo(w, y(target));
      ctx.stroke();
    }
    ctx.strokeStyle = '#b7a6ff';
    ctx.lineWidth = 1.5;
    ctx.beginPath();
    const n = Math.max(values.length, 60);
    values.forEach((v, i) => ctx[i ? 'lineTo' : 'moveTo'](w * (n - values.length + i) / (n - 1), y(v)));
    ctx.stroke();
  }
}

/** Mean colour of a frame, lifted so that it tints the page even when the light is faint. */
export function mood(rgb) {
  let r = 0, g = 0, b = 0;
  for (let i = 0; i < rgb.length; i += 3) { r += rgb[i]; g += rgb[i + 1]; b += rgb[i + 2]; }
  const n = Math.max(1, rgb.length / 3);
  const peak = Math.max(r, g, b) / n;
  const lift = peak > 2 ? Math.min(4, 150 / peak) : 0;
  return [r, g, b].map((x) => Math.min(255, Math.round(x / n * lift)));
}
