// The ear, on the browser's thread for sound.

class Ear extends AudioWorkletProcessor {
  constructor({ processorOptions: { module, bytes, demo } }) {
    super();
    this.demo = demo;
    this.wasm = new WebAssembly.Instance(module ?? new WebAssembly.Module(bytes), {}).exports;
    this.ear = this.wasm.listener_new(sampleRate);
    this.size = this.wasm.snapshot_words();
    this.heard = 0;
    this.samples = 0;
    this.port.onmessage = ({ data }) => {
      if (data.gain) this.wasm.listener_gain(this.ear, data.gain);
      if ('sound' in data) this.wantsSound = data.sound;
      if (data.over) this.over = true;
    };
    this.port.postMessage({ ready: this.ear !== 0, delay: this.ear && this.wasm.listener_delay(this.ear) / 1000 });
  }

  process([input], [output]) {
    if (this.over || !this.ear) return false;
    const n = output[0].length;
    // Where the module keeps samples; its memory may have moved.
    const room = new Float32Array(this.wasm.memory.buffer, this.wasm.listener_room(this.ear), n);
    let count;
    if (this.demo) {
      count = this.wasm.listener_demo(this.ear, n);
      for (const channel of output) channel.set(new Float32Array(this.wasm.memory.buffer, room.byteOffset, n));
    } else {
      room.fill(0);
      for (const channel of input) for (let i = 0; i < n; i++) room[i] += channel[i] / input.length;
      count = this.wasm.listener_push(this.ear, n);
    }
    this.samples += n;
    if (!count) return true;
    this.heard += count;
    const { buffer } = this.wasm.memory;
    const words = new Uint32Array(buffer, this.wasm.listener_heard(this.ear), count * this.size).slice();
    // `began` is the context's time at which the ear's clock was 0.
    const message = { words, last: this.heard, began: currentTime + n / sampleRate - this.samples / sampleRate };
    if (this.wantsSound) message.sound = new Float32Array(buffer, this.wasm.listener_sound(this.ear), count * 128).slice();
    this.port.postMessage(message, [words.buffer]);
    return true;
  }
}

registerProcessor('k1-ear', Ear);
