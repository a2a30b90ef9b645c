// What the page computes, in WebAssembly: a module without a bindings generator. Its functions are those of
// crates/k1-installer/src/exports.rs.

const MODULE = new URL('install.wasm', import.meta.url);
const write = new TextEncoder();
const read = new TextDecoder();

/** Loads the module; throws an Error with a sentence. */
export async function load() {
  if (typeof WebAssembly !== 'object') throw new Error('This browser has no WebAssembly, or it is switched off. Install with the program k1 instead: k1 install.');
  const answer = await fetch(MODULE).catch(() => null);
  if (!answer?.ok) throw new Error('A part of this page could not be loaded. Are you online? Reload to try again.');
  const { instance } = await WebAssembly.instantiate(await answer.arrayBuffer(), {});
  return new Computing(instance.exports);
}

/** Each function throws an Error with a sentence if it refuses. */
class Computing {
  constructor(wasm) {
    this.wasm = wasm;
    this.page = wasm.page_new();
  }

  /** Writes pieces one after the other where the module reads them. */
  put(...pieces) {
    let at = this.wasm.page_room(this.page, pieces.reduce((sum, piece) => sum + piece.length, 0));
    for (const piece of pieces) {
      new Uint8Array(this.wasm.memory.buffer, at, piece.length).set(piece);
      at += piece.length;
    }
  }

  out(n) { return new Uint8Array(this.wasm.memory.buffer, this.wasm.page_out(this.page), n).slice(); }

  said(n) {
    const said = JSON.parse(read.decode(this.out(n)));
    if (said.refused) throw new Error(said.refused);
    return said;
  }

  /** Opens a bundle with its maker's public key (text), and says what it is. */
  open(maker, bundle) {
    const key = write.encode(maker);
    this.put(key, bundle);
    return this.said(this.wasm.bundle_open(this.page, key.length));
  }

  /** A new key of the owner: { id, secret, public }. */
  makeKey() {
    this.put(crypto.getRandomValues(new Uint8Array(32)));
    return this.said(this.wasm.key_new(this.page));
  }

  readKey(text) {
    this.put(write.encode(text));
    return this.said(this.wasm.key_read(this.page));
  }

  /** What the loader of a chip needs to know, if the firmware is for it. `flash` is in bytes, 0 if it is not known. */
  suits(id, revision, flash) { return this.said(this.wasm.chip_suits(this.page, id, revision, flash)); }

  /** Checks the settings on the chip; names the keys that it trusts. */
  respects(settings) {
    this.put(settings);
    return this.said(this.wasm.chip_respects(this.page));
  }

  /** Address, size and MD5 of each piece. */
  plan(erase) { return this.said(this.wasm.plan(this.page, erase)); }

  piece(number) { return this.out(this.wasm.plan_piece(this.page, number)); }

  /** The packet to join a network; empty if the names are too long. */
  join(ssid, password) {
    const name = write.encode(ssid);
    this.put(name, write.encode(password));
    return this.out(this.wasm.improv_join(this.page, name.length));
  }

  /** The packet of a question. */
  ask(number) { return this.out(this.wasm.improv_ask(this.page, number)); }

  /** What bytes of a lamp complete: a list of { state }, { error }, { result, texts } and { line }. */
  hear(bytes) {
    this.put(bytes);
    return this.said(this.wasm.improv_hear(this.page));
  }
}
