// A WLED in the same network, by the JSON messages of its WebSocket.

/** Frames per second that a WLED takes without falling behind. */
const FPS = 20;
/** Colours in one message, of which a WLED takes at most 256. */
const COLOURS = 256;
/** Bytes of a live message in front of its pixels. */
const HEAD = 140;

const SECURE = 'This page came over https, and browsers let such a page reach only https; a WLED has none. Open this site from your own computer (http://localhost), or use the program: k1 run demo --to wled://HOST.';
const SILENT = 'does not answer as a WLED. Check its address in the WLED app, and that this device is in the same network; the browser may also ask whether this page may reach the local network.';

export class Light {
  constructor(form, link) {
    Object.assign(this, { form, link, socket: null, at: -Infinity });
    this.said = form.querySelector('[data-part="said"]');
    this.button = form.querySelector('button');
    form.onsubmit = (event) => {
      event.preventDefault();
      if (this.socket) this.end('The WLED goes on by itself.');
      else this.begin(new FormData(form).get('host').trim());
    };
    addEventListener('pagehide', () => { if (this.socket) this.end(''); });
  }

  begin(host) {
    if (location.protocol === 'https:') return this.tell(SECURE);
    let socket;
    try {
      socket = new WebSocket(`ws://${host}/ws`);
    } catch {
      return this.tell(`${host} is not an address: use a name such as wled.local, or numbers such as 192.168.1.40.`);
    }
    this.tell(`Asking ${host}…`);
    this.socket = socket;
    const patience = setTimeout(() => this.end(`${host} ${SILENT}`), 6000);
    // A WLED says first what it is.
    socket.onmessage = ({ data }) => {
      let leds = 0;
      try { leds = JSON.parse(data).info.leds.count; } catch { return; }
      clearTimeout(patience);
      socket.onmessage = null;
      if (!(leds >= 1)) return this.end(`${host} has no LEDs: set them up in its settings.`);
      socket.send('{"on":true,"v":false}');
      this.begun(host, leds);
    };
    socket.onclose = () => {
      clearTimeout(patience);
      this.end(this.shows ? `${host} has closed the connection. Connect again.` : `${host} ${SILENT}`);
    };
  }

  begun(host, count) {
    // It may have more LEDs than a page renders for.
    const leds = Math.min(count, 1024);
    this.link.player.leds(leds);
    this.shows = (player, message) => this.show(message);
    this.link.shown = this.shows;
    this.button.textContent = 'Disconnect';
    this.tell(`${host} shows the light on ${leds} LEDs, ${FPS} times a second. The program k1 sends 60.`);
  }

  /** Sends the colours as a screen shows them, because WLED corrects them for LEDs itself. */
  show(message) {
    const now = performance.now();
    if (now - this.at < 1000 / FPS || this.socket.bufferedAmount > 0 || this.socket.readyState !== 1) return;
    this.at = now;
    const bytes = new Uint8Array(message.buffer, HEAD, 3 * message.getUint16(2, true));
    const colours = Array.from({ length: bytes.length / 3 }, (_, i) => (bytes[3 * i] << 16 | bytes[3 * i + 1] << 8 | bytes[3 * i + 2]).toString(16).padStart(6, '0'));
    for (let from = 0; from < colours.length; from += COLOURS) {
      this.socket.send(JSON.stringify({ seg: { id: 0, i: [from, ...colours.slice(from, from + COLOURS)] }, tt: 0, v: false }));
    }
  }

  end(why) {
    const { socket, shows } = this;
    this.socket = this.shows = null;
    // Another light may have taken its place.
    if (shows && this.link.shown === shows) this.link.shown = null;
    this.button.textContent = 'Connect';
    this.tell(why);
    if (!socket) return;
    socket.onclose = socket.onmessage = null;
    if (socket.readyState === 1) socket.send('{"seg":{"id":0,"frz":false},"v":false}');
    socket.close();
  }

  tell(text) { this.said.textContent = text; }
}
