// Compares a listener's taps with the beats that K1 announced. All times are on K1's clock, in ms.

/** Largest distance of a tap that is on a beat, in ms: the tolerance of the F-measure (Davies, Degara and Plumbley 2009). */
export const ON_BEAT = 70;
/** Half the period of the slowest tempo (49 BPM), in ms: a tap farther than this from all beats belongs to none. */
const REACH = 620;
/** Number of taps to compare. */
export const ENOUGH = 4;
/** A pause of the listener, in ms: longer than two of the slowest beats. */
const PAUSE = 2500;
const MOST_TAPS = 200;

const median = (values) => {
  const v = [...values].sort((a, b) => a - b);
  const mid = v.length >> 1;
  return v.length % 2 ? v[mid] : (v[mid - 1] + v[mid]) / 2;
};

export class Taps {
  constructor() { this.all = []; }

  /** Adds a tap; `bpm` is K1's tempo at that time, 0 if unknown. */
  add(at, bpm) {
    this.all.push({ at, bpm });
    if (this.all.length > MOST_TAPS) this.all.shift();
  }

  /** Assigns each tap its nearest beat (null = none nearby), once no nearer beat can follow. `beats` are the latest, in order. */
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
  /** Compares the taps with K1; null before there are enough. */
  compare() {
    const taps = this.all.filter((t) => t.beat !== undefined);
    if (taps.length < ENOUGH) return null;
    // A listener who taps faster than K1 also taps between beats, so only the nearest tap of each beat counts for the offset.
    const met = new Map();
    for (const t of taps) if (t.beat && !(Math.abs(met.get(t.beat)?.off) <= Math.abs(t.off))) met.set(t.beat, t);
    const offs = [...met.values()].map((t) => t.off);
    const offset = offs.length ? median(offs) : null;
    const steps = taps.slice(1).map((t, i) => t.at - taps[i].at).filter((s) => s < PAUSE);
    // The mean of the usual intervals. Intervals around a missed tap do not count; without a usual interval there is no tempo.
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

/** A sentence that sums up a comparison. */
export function verdict({ tempo, k1, offset, alone }) {
  if (k1 === null || offset === null) return 'K1 announced no beats near your taps, so there is nothing to compare.';
  const some = alone ? ` ${alone} of your taps had no beat nearby.` : '';
  if (tempo === null) return `Your taps are too uneven for a tempo.${some}`;
  const ratio = tempo / k1;
  for (const [n, times] of [[2, 'twice'], [3, 'three times']]) {
    if (same(ratio, n)) return `You tap ${times} as fast as K1.${some}`;
    if (same(ratio, 1 / n)) return `K1 beats ${times} as fast as you tap.${some}`;
  }
  if (!same(ratio, 1)) return `You tap at a different tempo than K1.${some}`;
  return (Math.abs(offset) * k1 / 60000 > 0.35 ? 'The same tempo, but you tap between the beats of K1.' : 'You and K1 follow the same tempo.') + some;
}
