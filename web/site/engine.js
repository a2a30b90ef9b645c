// The engine: a WebAssembly module without a bindings generator. Its functions are those of crates/k1-web/src/exports.rs.

const ENGINE = new URL('engine.wasm', import.meta.url);
const write = new TextEncoder();
const read = new TextDecoder();

/** Sentence for a browser that cannot run the engine. */
const TOO_OLD = 'This browser has no WebAssembly, or it is switched off. Any browser since 2021 runs K1; on this one, only a K1 in your network can show its page.';

let asked;
/** The module's bytes, for a worklet that cannot take the compiled module. */
export const bytes = async () => (await fetch(ENGINE)).arrayBuffer();

/** The compiled module; throws an Error with a sentence. */
export function compiled() {
  asked ??= (async () => {
    if (typeof WebAssembly !== 'object') throw new Error(TOO_OLD);
    const answer = await fetch(ENGINE).catch(() => { throw new Error('The engine could not be loaded. Are you online? Reload to try again.'); });
    if (!answer.ok) throw new Error(`The engine could not be loaded (${answer.status}). Reload to try again.`);
    // Some hosts do not know the media type of WebAssembly, which streaming insists on.
    if (WebAssembly.compileStreaming && answer.headers.get('Content-Type') === 'application/wasm') return WebAssembly.compileStreaming(answer);
    return WebAssembly.compile(await answer.arrayBuffer());
  })();
  return asked;
}

/** The half that hears, for sound that this page makes; a worklet has its own. */
export class Listener {
  constructor(module, rate) {
    this.wasm = new WebAssembly.Instance(module, {}).exports;
    this.ear = this.wasm.listener_new(rate);
    this.size = this.wasm.snapshot_words();
  }

  /** Snapshots of the next samples of the built-in music. */
  demo(samples) { return this.heard(this.wasm.listener_demo(this.ear, samples)); }

  /** Snapshots of samples. */
  push(samples) {
    new Float32Array(this.wasm.memory.buffer, this.wasm.listener_room(this.ear), samples.length).set(samples);
    return this.heard(this.wasm.listener_push(this.ear, samples.length));
  }

  heard(n) {
    const at = this.wasm.listener_heard(this.ear);
    return Array.from({ length: n }, (_, i) => new Uint32Array(this.wasm.memory.buffer, at + 4 * i * this.size, this.size).slice());
  }
}

/** The half that shows, and the API. All times are in µs of performance.now(). */
export class Player {
  /** `pattern` is the index of the pattern to begin with. */
  constructor(module, leds, pattern) {
    this.wasm = new WebAssembly.Instance(module, {}).exports;
    this.page = this.wasm.player_new(leds, pattern ?? this.wasm.first_pattern());
  }

  static now() { return performance.now() * 1000; }

  /** Writes pieces one after the other where the engine reads them. */
  put(...pieces) {
    const n = pieces.reduce((sum, piece) => sum + piece.length, 0);
    let at = this.wasm.player_room(this.page, n);
    for (const piece of pieces) {
      new Uint8Array(this.wasm.memory.buffer, at, piece.length).set(piece);
      at += piece.length;
    }
  }

  /** A copy of what the last call has left. */
  out(n) {
    const at = this.wasm.player_out(this.page);
    return new Uint8Array(this.wasm.memory.buffer, at, n).slice();
  }

  /** The object that the last call has left; null if it left nothing. */
  said(n) { return n ? JSON.parse(read.decode(this.out(n))) : null; }

  view(n) { return new DataView(this.out(n).buffer); }

  /** Hears a snapshot of an ear whose clock is `shift` ms behind performance.now(). */
  hear(words, shift) {
    this.put(new Uint8Array(words.buffer, words.byteOffset, words.byteLength));
    this.wasm.player_hear(this.page, shift * 1000);
  }

  /** The live message of the frame that begins at `at` µs. */
  frame(at, ended = false) { return this.view(this.wasm.player_frame(this.page, at, ended)); }

  /** The bytes of that frame for LEDs: linear light, R, G, B. */
  wire() { return this.out(this.wasm.player_wire(this.page)); }

  /** Begins again with another number of LEDs; false if it is out of range. */
  leds(leds) { return Boolean(this.wasm.player_leds(this.page, leds)); }

  /** The last frame for a strip on a serial port (Adalight), with the colours in an order such as GRB. */
  adalight(order) {
    this.put(write.encode(order));
    return this.out(this.wasm.player_adalight(this.page));
  }

  thumbnails() { return this.view(this.wasm.player_thumbnails(this.page, Player.now())); }
  hello() { return this.said(this.wasm.player_hello(this.page, Player.now())); }
  changes() { return this.said(this.wasm.player_changes(this.page)); }
  status() { return this.said(this.wasm.player_status(this.page, Player.now())); }
  gain() { return this.wasm.player_gain(this.page); }

  /** Notes how long hearing and rendering took, in ms, and the number of gaps in the sound. */
  took(hear, render, gaps = 0) { this.wasm.player_took(this.page, hear * 1000, render * 1000, gaps); }

  /** Names the source; `silence` says why a live one gives no sound. */
  source(name, isLive, silence = '') {
    const text = write.encode(name);
    this.put(text, write.encode(silence));
    this.wasm.player_source(this.page, text.length, isLive);
  }

  obey(command) {
    this.put(write.encode(JSON.stringify(command)));
    return this.said(this.wasm.player_obey(this.page, Player.now()));
  }

  /** The answer to a request: { status, said }. */
  ask(method, path, body = '') {
    const [m, p, b] = [method, path, body].map((text) => write.encode(text));
    this.put(m, p, b);
    const answer = this.out(this.wasm.player_ask(this.page, Player.now(), m.length, p.length));
    return { status: answer[0] | answer[1] << 8, said: JSON.parse(read.decode(answer.subarray(2))) };
  }
}
