// What a listener's taps say of the beats that K1 announced. All times are K1's clock, in ms.

/** A tap is on a beat within this, in ms: the tolerance of the F-measure (Davies, Degara and Plumbley 2009). */
export const ON_BEAT = 70;
/** Half of the slowest beat there is (49 BPM), in ms: a tap that is farther from every beat has none. */
const REACH = 620;
/** Taps to compare. */
export const ENOUGH = 4;
/** Longer than two of the slowest beats, in ms: the listener has paused. */
const PAUSE = 2500;
const MOST_TAPS = 200;

const median = (values) => {
  const v = [...values].sort((a, b) => a - b);
  const mid = v.length >> 1;
  return v.length % 2 ? v[mid] : (v[mid - 1] + v[mid]) / 2;
};

export class Taps {
  constructor() { this.all = []; }

  /** A tap at a time; `bpm` is K1's tempo then, 0 if none. */
  add(at, bpm) {
    this.all.push({ at, bpm });
    if (this.all.length > MOST_TAPS) this.all.shift();
  }

  /** Gives each tap its beat (null = none is near), once no nearer one can come. `beats` are the last ones, in order. */
  settle(beats, now) {
    for (const tap of this.all) {
      if (tap.beat !== undefined || !(beats.at(-1)?.at >= tap.at || now - tap.at > 2 * REACH)) continue;
      const far = (b) => Math.abs(tap.at - b.at);
      const near = beats.reduce((best, b) => (best && far(best) <= far(b) ? best : b), null);
      tap.beat = near && far(near) <= REACH ? near : null;
      tap.off = tap.beat && tap.at - near.at;
    }
  }

  // `tempo` and `k1` are in BPM (null = none), `offset` and `spread` in ms, `share` is 0 … 1 of all taps (null = no tap
  // has a beat), `alone` counts taps without a beat.
  /** The taps against K1, or null before there are enough. */
  compare() {
    const taps = this.all.filter((t) => t.beat !== undefined);
    if (taps.length < ENOUGH) return null;
    // Whoever taps faster than K1 has taps between its beats: of a beat only the nearest tap tells the offset.
    const met = new Map();
    for (const t of taps) if (t.beat && !(Math.abs(met.get(t.beat)?.off) <= Math.abs(t.off))) met.set(t.beat, t);
    const offs = [...met.values()].map((t) => t.off);
    const offset = offs.length ? median(offs) : null;
    const steps = taps.slice(1).map((t, i) => t.at - taps[i].at).filter((s) => s < PAUSE);
    // The mean of the steps that are like most; a tap left out does not count, and without a usual step there is no tempo.
    const usual = steps.length ? median(steps) : 0;
    const like = steps.filter((s) => Math.abs(s / usual - 1) < 0.25);
    const bpms = taps.map((t) => t.bpm).filter((b) => b > 0);
    return {
      tempo: like.length && like.length * 2 >= steps.length ? 60000 * like.length / like.reduce((a, s) => a + s, 0) : null,
      k1: bpms.length ? median(bpms) : null,
      offset,
      spread: offs.length ? median(offs.map((o) => Math.abs(o - offset))) : null,
      share: offs.length ? taps.filter((t) => Math.abs(t.off ?? Infinity) <= ON_BEAT).length / taps.length : null,
      alone: taps.filter((t) => !t.beat).length,
    };
  }
}

/** Tempi are the same within 8 %, as in MIREX's tempo task. */
const same = (ratio, to) => Math.abs(ratio / to - 1) <= 0.08;

/** What a comparison means, in a sentence. */
export function verdict({ tempo, k1, offset, alone }) {
  if (k1 === null || offset === null) return 'K1 announced no beat near your taps: there is nothing to compare with.';
  const some = alone ? ` ${alone} of your taps had no beat near.` : '';
  if (tempo === null) return `Your taps are too uneven for a tempo.${some}`;
  const ratio = tempo / k1;
  for (const [n, times] of [[2, 'twice'], [3, 'three times']]) {
    if (same(ratio, n)) return `You tap ${times} as fast as K1.${some}`;
    if (same(ratio, 1 / n)) return `K1 beats ${times} as fast as you tap.${some}`;
  }
  if (!same(ratio, 1)) return `You tap at another tempo than K1.${some}`;
  return (Math.abs(offset) * k1 / 60000 > 0.35 ? 'The same tempo, but you tap between the beats of K1.' : 'You and K1 follow the same tempo.') + some;
}
