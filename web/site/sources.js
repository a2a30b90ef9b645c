// Sources of sound: built-in music, files, the microphone, the sound of a tab or of the system.

import { Listener, bytes } from './engine.js';

const HOP_MS = 8;
const RATE = 16000;
/** Sound as it is: browsers would remove what they take for noise, and music is. */
const RAW = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
/** Time in ms after which a source in a page without sound goes on where it is, and does not catch up. */
const STALE = 400;

/** A sentence for what a browser refuses. */
function refusal(error, what) {
  const says = {
    NotAllowedError: `The browser did not allow the ${what}. Press the button once more and allow it, or choose another sound.`,
    NotFoundError: `This device has no ${what} that the browser can use. Plug one in, or choose another sound.`,
    NotReadableError: `Another program holds the ${what}, or its driver fails. Close that program and press again.`,
    AbortError: `The ${what} could not be started. Press again, or choose another sound.`,
  };
  return new Error(says[error.name] ?? `The ${what} cannot be used: ${error.message}`, { cause: error });
}

/** The times of an ear as times of performance.now(). */
class Clock {
  constructor(context, isPlayed) { Object.assign(this, { context, isPlayed, shift: null, at: 0 }); }

  /** `heardAt` is the context's time in ms of something that has just arrived. Returns what to add to the context's times. */
  read(heardAt) {
    const now = performance.now();
    const found = this.isPlayed ? this.played(now) : now - heardAt;
    if (this.shift === null || Math.abs(found - this.shift) > 60) this.shift = found;
    // Played: the mean. Live: the shortest way, which is the true one, with room for clocks that drift.
    else if (this.isPlayed) this.shift += (found - this.shift) * 0.02;
    else this.shift = Math.min(found, this.shift + (now - this.at) * 0.0005);
    this.at = now;
    return this.shift;
  }

  /** When the context's time 0 was heard. */
  played(now) {
    const { context } = this;
    const stamp = context.getOutputTimestamp?.();
    if (stamp && stamp.performanceTime > 0) return stamp.performanceTime - 1000 * stamp.contextTime;
    return now - 1000 * (context.currentTime - (context.outputLatency || context.baseLatency || 0));
  }
}

/** The sound that K1 hears now, and the way of its snapshots to the player. */
export class Sound {
  constructor(module, player, arrived) {
    Object.assign(this, { module, player, arrived, queue: [], spent: 0, hops: 0, hasEnded: false, turn: 0 });
    this.preview();
  }

  /** The built-in music without sound, so that there is light before anyone has pressed anything. */
  preview() {
    this.kind = 'preview';
    this.own = new Listener(this.module, RATE);
    this.from = null;
    this.player.source('built-in music, silent', false);
  }

  /** Gives the player the snapshots whose sound is heard by now. */
  due(now) {
    if (this.own) this.makePreview(now);
    while (this.queue.length && this.queue[0].at <= now) {
      const { words, shift } = this.queue.shift();
      this.player.hear(words, shift);
    }
  }

  makePreview(now) {
    if (this.from === null || now - this.from - this.made * HOP_MS > STALE) {
      this.from = now - (this.made ?? 0) * HOP_MS;
      this.made ??= 0;
    }
    const due = Math.floor((now - this.from) / HOP_MS) - this.made;
    if (due < 1) return;
    const began = performance.now();
    for (const words of this.own.demo(due * 128)) this.queue.push({ words, shift: this.from, at: now });
    this.spent += performance.now() - began;
    this.made += due;
  }

  /** Ms that the ear has worked since the last call. */
  busy() {
    const { spent, hops } = this;
    this.spent = this.hops = 0;
    if (!this.context) return spent;
    // The thread for sound has no clock that is fine enough, so the page times a few hops of its own.
    const { sampleRate } = this.context;
    if (this.probe?.rate !== sampleRate) this.probe = { rate: sampleRate, ear: new Listener(this.module, sampleRate) };
    const noise = Float32Array.from({ length: Math.min(8192, 8 * HOP_MS * sampleRate / 1000) }, () => Math.random() - 0.5);
    const began = performance.now();
    const { length } = this.probe.ear.push(noise);
    return length ? hops * (performance.now() - began) / length : 0;
  }

  gain(gain) {
    this.gained = gain;
    this.ear?.port.postMessage({ gain });
  }

  /** Passes the sound as live messages to `take`, or to nobody. */
  want(take) {
    this.take = take;
    this.ear?.port.postMessage({ sound: Boolean(take) });
  }

  stop() {
    this.turn += 1;
    this.ear?.port.postMessage({ over: true });
    this.ear?.disconnect();
    this.stream?.getTracks().forEach((track) => track.stop());
    if (this.media) {
      this.media.pause();
      URL.revokeObjectURL(this.media.src);
    }
    this.context?.close();
    Object.assign(this, { own: null, ear: null, stream: null, media: null, context: null, queue: [], hasEnded: false, made: undefined });
  }

  get canWork() { return typeof AudioWorkletNode === 'function'; }

  /** A context with an ear; `isPlayed` if its sound is heard. */
  async open(kind, options, { demo = false, isPlayed }) {
    if (!this.canWork) {
      throw new Error(window.isSecureContext
        ? 'This browser has no AudioWorklet, in which K1 hears. Any browser since 2021 has one.'
        : 'Browsers let a page hear only over HTTPS. Open this page with https:// in its address.');
    }
    this.stop();
    const { turn } = this;
    const context = new AudioContext({ latencyHint: 'interactive', ...options });
    this.context = context;
    this.kind = kind;
    await Promise.all([context.audioWorklet.addModule(new URL('worklet.js', import.meta.url)), context.resume()]);
    if (turn !== this.turn) return null;
    const ear = await this.makeEar(context, demo);
    if (turn !== this.turn) return null;
    const clock = new Clock(context, isPlayed);
    ear.port.onmessage = ({ data }) => this.arrives(data, clock);
    ear.onprocessorerror = () => this.broke?.('The ear has stopped. Reload the page; please report this.');
    ear.connect(context.destination);
    this.ear = ear;
    this.gain(this.gained ?? 1);
    this.want(this.take);
    return context;
  }

  async makeEar(context, demo) {
    const make = (processorOptions) => new Promise((done, fail) => {
      const ear = new AudioWorkletNode(context, 'k1-ear', { processorOptions: { ...processorOptions, demo }, outputChannelCount: [demo ? 1 : 2] });
      const patience = setTimeout(() => fail(new Error('The ear does not start in this browser.')), 4000);
      ear.port.onmessage = ({ data }) => {
        clearTimeout(patience);
        this.delay = data.delay;
        if (data.ready) done(ear);
        else fail(new Error(`K1 cannot hear sound at ${context.sampleRate} Hz.`));
      };
      ear.onprocessorerror = () => { clearTimeout(patience); fail(new Error('The ear does not start in this browser.')); };
    });
    // Some browsers do not pass a compiled module to a worklet.
    return make({ module: this.module }).catch(async () => make({ bytes: await bytes() }));
  }

  /** Takes snapshots from the worklet. */
  arrives({ words, last, began, sound }, clock) {
    const size = this.player.wasm.snapshot_words();
    const count = words.length / size;
    const start = 1000 * began - this.delay;
    const shift = start + clock.read(start + last * HOP_MS);
    for (let i = 0; i < count; i++) {
      this.queue.push({ words: words.subarray(i * size, (i + 1) * size), shift, at: shift + (last - count + 1 + i) * HOP_MS });
    }
    if (this.queue.length > 250) this.queue.splice(0, this.queue.length - 125);
    this.hops += count;
    if (sound && this.take) this.pass(sound, shift + (last - count) * HOP_MS);
    this.arrived();
  }

  /** Passes sound as a live message: kind 2, number of samples, time of the first in µs, samples. */
  pass(sound, at) {
    const view = new DataView(new ArrayBuffer(12 + 2 * sound.length));
    view.setUint8(0, 2);
    view.setUint16(2, sound.length, true);
    view.setFloat64(4, at * 1000, true);
    sound.forEach((x, i) => view.setInt16(12 + 2 * i, Math.max(-1, Math.min(1, x)) * 32767, true));
    this.take(view);
  }

  /** Plays the built-in music. */
  async demo() {
    if (await this.open('demo', { sampleRate: RATE }, { demo: true, isPlayed: true })) this.player.source('built-in music', false);
  }

  /** Plays files one after the other; `told` gets the name of each, or null at the end. */
  async files(files, told) {
    const context = await this.open('file', {}, { isPlayed: true });
    if (!context) return;
    const media = new Audio();
    this.media = media;
    const node = context.createMediaElementSource(media);
    node.connect(context.destination);
    node.connect(this.ear);
    const unplayed = [];
    const { turn } = this;
    const next = (i) => {
      if (turn !== this.turn) return;
      URL.revokeObjectURL(media.src);
      const file = files[i];
      this.hasEnded = !file;
      if (!file) return told(null, unplayed);
      media.onended = () => next(i + 1);
      media.onerror = () => { unplayed.push(file.name); next(i + 1); };
      media.src = URL.createObjectURL(file);
      this.player.source(file.name, false);
      media.play().then(() => { if (turn === this.turn) told(file.name, unplayed); }, () => {});
    };
    next(0);
  }

  async microphone() {
    if (!navigator.mediaDevices?.getUserMedia) throw new Error(`Browsers give a microphone only to pages over HTTPS. Open this page with https:// in its address, or choose another sound.`);
    const stream = await navigator.mediaDevices.getUserMedia({ audio: RAW }).catch((e) => { throw refusal(e, 'microphone'); });
    await this.live('microphone', stream, 'the microphone was unplugged');
  }

  /** The sound of a tab or of the system. */
  async screen() {
    if (!navigator.mediaDevices?.getDisplayMedia) throw new Error('This browser cannot share the sound of a tab; Chrome and Edge on a computer can. Use the microphone, or drop a song.');
    const stream = await navigator.mediaDevices
      .getDisplayMedia({ video: { frameRate: 1 }, audio: { ...RAW, suppressLocalAudioPlayback: false }, systemAudio: 'include' })
      .catch((e) => { throw refusal(e, 'sound of a tab'); });
    if (!stream.getAudioTracks().length) {
      stream.getTracks().forEach((track) => track.stop());
      throw new Error('You shared a picture without its sound. Press again, choose a tab, and switch on its sound (Chrome and Edge on a computer can do this).');
    }
    await this.live('sound of a tab', stream, 'the tab is no longer shared');
  }

  async live(name, stream, gone) {
    const context = await this.open(name, {}, { isPlayed: false });
    if (!context) return stream.getTracks().forEach((track) => track.stop());
    this.stream = stream;
    const [track] = stream.getAudioTracks();
    const label = name === 'microphone' && track.label ? `microphone: ${track.label}` : name;
    this.player.source(label, true);
    track.onended = () => {
      this.player.source(label, true, gone);
      this.broke?.(`K1 hears nothing: ${gone}. Choose a sound to go on.`);
    };
    context.createMediaStreamSource(stream).connect(this.ear);
  }

  /** True if there is something to pause: live sound goes on by itself. */
  get canPause() { return this.kind === 'demo' || this.kind === 'file'; }

  get isPaused() { return this.context?.state === 'suspended'; }

  async pause(paused) {
    if (this.canPause) await (paused ? this.context?.suspend() : this.context?.resume());
    if (this.media) await (paused ? this.media.pause() : this.media.play().catch(() => {}));
  }
}
