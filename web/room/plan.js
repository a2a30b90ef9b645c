// Paints the zones where they hang.

import { Scene, isSquare } from '../light.js';

/** Share of the plan that the longest line takes. */
const LONG = 0.86;
/** Share of the plan's height that a square takes. */
const SIDE = 0.44;

/** Places for zones that nobody has hung: lines below each other, squares beside them. */
export function places(zones) {
  const squares = zones.filter(isSquare).length;
  let [line, square] = [0, 0];
  return zones.map((zone) => {
    if (zone.place) return zone.place;
    if (isSquare(zone)) return { x: (++square - 0.5) / squares, y: squares === zones.length ? 0.5 : 0.72, angle: 0 };
    return { x: 0.5, y: ++line / (zones.length - squares + 1) * (squares ? 0.5 : 1), angle: 0 };
  });
}

/** The box of a zone on a plan: its middle, length, thickness (px) and angle (rad). */
export function box(zone, place, most, w, h) {
  const angle = place.angle * Math.PI / 180;
  const wide = Math.abs(Math.cos(angle)) * w + Math.abs(Math.sin(angle)) * h;
  const side = Math.min(w * 0.9, h * SIDE);
  const [long, thick] = isSquare(zone) ? [side, side] : [wide * LONG * Math.max(0.12, zone.leds / most), 0];
  // No end hangs out of the picture, nor touches its edge.
  const inside = (at, along, across, all) => {
    const half = Math.min(0.95 * all, Math.abs(along) * long + Math.abs(across) * thick) / 2 + 0.025 * all;
    return Math.max(half, Math.min(all - half, at * all));
  };
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  return { x: inside(place.x, cos, sin, w), y: inside(place.y, sin, cos, h), long, thick, angle };
}

/** The longest line among zones, in LEDs. */
export const longest = (zones) => Math.max(1, ...zones.filter((z) => !isSquare(z)).map((z) => z.leds));

export class Hung extends Scene {
  paint(zones) {
    // Only what was hung has places of its own.
    if (this.wall && !zones.some((z) => z.place)) return super.paint(zones);
    this.refit();
    const { ctx, w, h, scale } = this;
    ctx.clearRect(0, 0, w, h);
    const most = longest(zones);
    const at = places(zones);
    zones.forEach((zone, i) => {
      const { x, y, long, thick, angle } = box(zone, at[i], most, w, h);
      ctx.translate(x, y);
      ctx.rotate(angle);
      if (thick) this.painter(zone).paint(ctx, zone.rgb, zone.leds, { x: -long / 2, y: -thick / 2, w: long, h: thick });
      else {
        const thin = Math.max(3, Math.min(scale * (this.wall ? 18 : 10), 1.4 * long / zone.leds + 4 * scale));
        this.painter(zone).paint(ctx, zone.rgb, zone.leds, { x: -long / 2, y: 0, w: long, thick: thin, reach: Math.min(h * 0.16, long * 0.4) });
      }
      ctx.setTransform(1, 0, 0, 1, 0, 0);
    });
  }
}
