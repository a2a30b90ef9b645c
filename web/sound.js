// The speaker: plays the sound that K1 hears, in time with the light.
//
// Sound is played a little after it arrives, and the light waits for the same time: a sample captured at server time T is
// heard, and a frame for T is shown, at local(T) + DELAY.

export const DELAY = 180;
const RATE = 16000;

export class Speaker {
  constructor(link) {
    this.link = link;
    this.on = false;
    this.played = [];
  }

  async toggle() {
    if (this.on) return this.stop();
    // A context at K1's own rate plays consecutive pieces without a seam.
    this.context = new AudioContext({ sampleRate: RATE, latencyHint: 'interactive' });
    await this.context.resume();
    this.gain = this.context.createGain();
    this.gain.connect(this.context.destination);
    this.next = 0;
    this.played = [];
    this.on = true;
    this.link.hear(this, true);
  }

  stop() {
    this.on = false;
    this.link.hear(this, false);
    this.context?.close();
    this.context = null;
  }

  /** K1's time, in ms, of the sound and light at a local time; null until the clocks have been compared. */
  heard(local) {
    const { offset } = this.link;
    return offset === null ? null : local + offset - (this.on ? DELAY : 0);
  }

  /** The context's clock at a local time, including output latency. */
  contextTime(local) {
    const stamp = this.context.getOutputTimestamp?.();
    if (stamp && stamp.performanceTime > 0) return stamp.contextTime + (local - stamp.performanceTime) / 1000;
    const latency = this.context.outputLatency || this.context.baseLatency || 0;
    return this.context.currentTime - latency + (local - performance.now()) / 1000;
  }

  play(view) {
    if (!this.on || !this.context) return;
    const count = view.getUint16(2, true);
    const server = view.getFloat64(4, true);
    const local = this.link.local(server);
    if (local === null) return;
    const ideal = this.contextTime(local + DELAY);
    // Pieces follow each other without a gap; only a real gap or drift restarts the timing.
    if (Math.abs(ideal - this.next) > 0.025) this.next = ideal;
    const start = Math.round(this.next * RATE) / RATE;
    this.next = start + count / RATE;
    if (start < this.context.currentTime) return;
    const buffer = this.context.createBuffer(1, count, RATE);
    const out = buffer.getChannelData(0);
    for (let i = 0; i < count; i++) out[i] = view.getInt16(12 + 2 * i, true) / 32768;
    const node = this.context.createBufferSource();
    node.buffer = buffer;
    node.connect(this.gain);
    node.start(start);
    this.played.push({ start, server });
    if (this.played.length > 40) this.played.shift();
  }

  /** How far the light is ahead of the sound, in ms, when a frame for `server_us` is shown now; null if silent. */
  skew(server_us) {
    if (!this.on || !this.context || !this.played.length) return null;
    const now = this.contextTime(performance.now());
    const piece = this.played.findLast((p) => p.start <= now);
    if (!piece) return null;
    return (server_us - (piece.server + (now - piece.start) * 1e6)) / 1000;
  }
}
