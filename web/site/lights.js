// Real lights: a strip on a serial port, and a WLED in the same network. They show what the page shows.

import { $ } from './controls.js';
import { ready } from './link.js';

/** Frames per second that a WLED takes through its WebSocket without falling behind. */
const WLED_FPS = 20;
/** Colours in one message to a WLED, which takes at most 256. */
const COLOURS = 256;
/** Bytes of a live message in front of its pixels. */
const HEAD = 140;

const PULLED = 'The cable was pulled. K1 goes on as soon as it is back.';

/** The light that shines; null if there is none. */
let light = null;

function tell(text, isBad = false) {
  $('real-told').textContent = text;
  $('real-told').classList.toggle('bad', isBad);
}

/** A strip on a serial port, by Adalight. */
class Strip {
  constructor(port, speed, order) { Object.assign(this, { port, speed, order }); }

  async open() {
    try {
      await this.port.open({ baudRate: this.speed });
    } catch {
      throw new Error('The port cannot be opened. Another program or tab may use it: close it there, and connect again. On Linux, your user must be in the group dialout.');
    }
    this.back = async (event) => {
      const port = event.target;
      if (this.writer || !(port instanceof EventTarget) || !port.open) return;
      try {
        await port.open({ baudRate: this.speed });
        this.port = port;
        this.writer = port.writable.getWriter();
        tell('The strip is back.');
      } catch { /* It is another one. */ }
    };
    navigator.serial.addEventListener('connect', this.back);
    this.writer = this.port.writable.getWriter();
  }

  /** Sends the player's last frame, unless the one before is still on its way. */
  async show(player) {
    if (this.isBusy || !this.writer) return;
    this.isBusy = true;
    try {
      await this.writer.write(player.adalight(this.order));
      this.sent = (this.sent ?? 0) + 1;
    } catch {
      this.writer = null;
      tell(PULLED, true);
    } finally {
      this.isBusy = false;
    }
  }

  async close(player) {
    navigator.serial.removeEventListener('connect', this.back);
    if (!this.writer) return;
    // The strip keeps what it has, so the last frame is dark.
    const dark = player.adalight(this.order);
    await this.writer.write(dark.fill(0, 6)).catch(() => { /* It is gone. */ });
    this.writer.releaseLock();
    await this.port.close().catch(() => { /* It is gone. */ });
  }
}

/** A WLED, by the JSON messages of its WebSocket. */
class Wled {
  constructor(host) { this.host = host; this.at = -Infinity; }

  /** Returns the number of its LEDs. */
  open() {
    return new Promise((resolve, reject) => {
      const no = (why) => reject(new Error(`${this.host} ${why}`));
      const reach = 'does not answer as a WLED. Check its address in the WLED app, and that this device is in the same network; the browser may also ask you for access to the local network.';
      let socket;
      try {
        socket = new WebSocket(`ws://${this.host}/ws`);
      } catch {
        return no('cannot be reached from here. An address is a name such as wled.local, or numbers such as 192.168.1.40.');
      }
      this.socket = socket;
      const patience = setTimeout(() => { no(reach); socket.close(); }, 6000);
      socket.onmessage = ({ data }) => {
        let count = 0;
        try { count = JSON.parse(data).info.leds.count; } catch { return; }
        clearTimeout(patience);
        socket.onmessage = null;
        if (!(count >= 1)) return no('has no LEDs set up.');
        socket.send('{"on":true,"v":false}');
        resolve(count);
      };
      socket.onclose = () => {
        clearTimeout(patience);
        no(reach);
        if (light === this) stop(`${this.host} has closed the connection. Connect again.`, true);
      };
    });
  }

  /** Sends the colours as a screen shows them, because WLED corrects them for LEDs itself. */
  show(player, message) {
    const now = performance.now();
    if (now - this.at < 1000 / WLED_FPS || this.socket.bufferedAmount > 0 || this.socket.readyState !== 1) return;
    this.at = now;
    const bytes = new Uint8Array(message.buffer, HEAD, 3 * message.getUint16(2, true));
    const colours = Array.from({ length: bytes.length / 3 }, (_, i) => (bytes[3 * i] << 16 | bytes[3 * i + 1] << 8 | bytes[3 * i + 2]).toString(16).padStart(6, '0'));
    for (let from = 0; from < colours.length; from += COLOURS) {
      this.socket.send(JSON.stringify({ seg: { id: 0, i: [from, ...colours.slice(from, from + COLOURS)] }, tt: 0, v: false }));
    }
    this.sent = (this.sent ?? 0) + 1;
  }

  close() {
    this.socket.onclose = null;
    // WLED goes on with its own effect.
    if (this.socket.readyState === 1) this.socket.send('{"seg":{"id":0,"frz":false},"v":false}');
    this.socket.close();
  }
}

/** Lets a light shine in place of the one before. */
function shine(link, next, leds, text) {
  light = next;
  link.resize(leds);
  link.shown = (player, message) => light?.show(player, message);
  $('real-stop').hidden = false;
  tell(text);
}

async function stop(text = '', isBad = false) {
  const link = await ready;
  const last = light;
  light = null;
  link.shown = null;
  $('real-stop').hidden = true;
  tell(text, isBad);
  await last?.close(link.player);
  if (last) link.resize();
}

/** Runs the work of a form, and says why it fails. */
function submits(form, work) {
  $(form).onsubmit = async (event) => {
    event.preventDefault();
    const button = $(form).querySelector('button');
    button.disabled = true;
    try {
      await stop();
      await work(await ready);
    } catch (e) {
      tell(e.message, true);
    } finally {
      button.disabled = false;
    }
  };
}

submits('usb', async (link) => {
  if (!navigator.serial) throw new Error('This browser cannot reach a strip on USB (it has no Web Serial). Chrome, Edge, Opera and other browsers built on Chromium have it, on computers. Or use the program: k1 run demo --to adalight:PORT.');
  const port = await navigator.serial.requestPort().catch(() => { throw new Error('No port was chosen. If the list was empty, the cable may carry no data: try another one.'); });
  const leds = Number($('usb-leds').value), speed = Number($('usb-speed').value);
  const strip = new Strip(port, speed, $('usb-order').value);
  await strip.open();
  // Ten bits for each byte.
  const fps = Math.min(60, Math.floor(speed / 10 / (6 + 3 * leds)));
  shine(link, strip, leds, `The strip shines, with up to ${fps} frames per second.`);
});

submits('wled', async (link) => {
  if (location.protocol === 'https:') {
    throw new Error('This page came over https, and browsers let such a page reach only https; a WLED speaks http. Open this site from this computer itself (http://localhost), or use the program: k1 run demo --to wled://HOST.');
  }
  const wled = new Wled($('wled-host').value.trim());
  const count = await wled.open();
  const leds = Math.min(count, link.player.most());
  shine(link, wled, leds, `${wled.host} shines with ${leds} LEDs, ${WLED_FPS} times per second. The program k1 gives it 60.`);
});

$('real-stop').onclick = () => stop('K1 no longer sends.');
$('real').dataset.state = 'ready';
addEventListener('pagehide', () => { if (light instanceof Wled) light.close(); });
