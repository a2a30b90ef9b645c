// A running lamp on a serial port: its console, and Improv for its network.

const SPEED = 115200;
/** Time for a chip to come back after a restart, in ms; a chip's own USB disappears for a moment. */
const RETURN = 15000;
/** Questions of Improv. */
const STATE = 2, SCAN = 4;

const pause = (ms) => new Promise((done) => { setTimeout(done, ms); });

export class Lamp {
  /** `told` hears of everything that the lamp says. */
  constructor(computing, told) {
    this.computing = computing;
    this.told = told;
  }

  /** Opens the port; waits for a lamp that restarts. Throws a sentence. */
  async open(port) {
    const until = Date.now() + RETURN;
    for (;;) {
      for (const candidate of new Set([port, ...await navigator.serial.getPorts()])) {
        try {
          await candidate.open({ baudRate: SPEED });
          this.port = candidate;
          // Neither reset nor loader.
          await candidate.setSignals({ dataTerminalReady: false, requestToSend: false });
          this.reading = this.read();
          return;
        } catch { /* Not this one, or not yet. */ }
      }
      if (Date.now() > until) throw new Error('The lamp’s port cannot be opened. Unplug the board, plug it in again, and press “Connect to a lamp”.');
      await pause(300);
    }
  }

  async read() {
    while (this.port?.readable) {
      const reader = this.port.readable.getReader();
      this.reader = reader;
      try {
        for (;;) {
          const { value, done } = await reader.read();
          if (done) return;
          for (const said of this.computing.hear(value)) this.told(said);
        }
      } catch {
        if (!this.port?.readable) this.told({ gone: true });
      } finally {
        reader.releaseLock();
      }
    }
  }

  async send(packet) {
    const writer = this.port?.writable?.getWriter();
    if (!writer) throw new Error('The cable was pulled. Plug it in and press “Connect to a lamp”.');
    try { await writer.write(packet); } finally { writer.releaseLock(); }
  }

  /** Asks for state and networks; answers come through `told`. */
  async ask() {
    await this.send(this.computing.ask(STATE));
    await this.send(this.computing.ask(SCAN));
  }

  /** Joins a network; answers come through `told`. */
  async join(ssid, password) {
    const packet = this.computing.join(ssid, password);
    if (!packet.length) throw new Error('The name or the password is too long: a network’s name has at most 32 bytes, its password 64.');
    await this.send(packet);
  }

  async close() {
    const { port } = this;
    this.port = null;
    await this.reader?.cancel().catch(() => { /* It is gone. */ });
    await this.reading;
    await port?.close().catch(() => { /* It is gone. */ });
  }
}
