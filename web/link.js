// The connection to K1: one WebSocket that comes back by itself, and one clock for both sides.

const TOKEN_KEY = 'k1-token';

/** The token from the address (after the hash, where no server logs it) or from an earlier visit. */
function token() {
  const given = new URLSearchParams(location.hash.slice(1)).get('token');
  if (given) {
    sessionStorage.setItem(TOKEN_KEY, given);
    history.replaceState(null, '', location.pathname);
  }
  return sessionStorage.getItem(TOKEN_KEY);
}

export function setToken(value) {
  sessionStorage.setItem(TOKEN_KEY, value);
}

/** Tries again when nobody answers: a lamp ends connections that wait, to make room for others. */
async function knock(request, times) {
  for (;;) {
    try {
      return await request();
    } catch (e) {
      times -= 1;
      if (!times) throw e;
      await new Promise((later) => setTimeout(later, 300));
    }
  }
}

/** A request of the API, answered in JSON; throws an Error with K1's own sentence. */
export async function ask(method, path, body) {
  const t = token();
  const headers = t ? { Authorization: `Bearer ${t}` } : {};
  if (typeof body === 'string') headers['Content-Type'] = 'application/json';
  const answer = await knock(() => fetch(path, { method, headers, body }), method === 'GET' ? 4 : 1);
  const said = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(said.message), { status: answer.status });
  return said;
}

export const get = (path) => ask('GET', path);

export class Link {
  /** `on` has open(), closed(seconds), message(object) and binary(DataView). */
  constructor(on) {
    this.on = on;
    this.tries = 0;
    this.wanted = {};
    this.waiting = {};
    this.hearing = new Set();
    this.offset = null;
    this.bestTrip = Infinity;
    this.connect();
    // A phone that wakes up reconnects at once and not after the back-off.
    addEventListener('online', () => this.now());
    document.addEventListener('visibilitychange', () => { if (!document.hidden) this.now(); });
  }

  now() {
    if (this.socket || !this.timer) return;
    clearTimeout(this.timer);
    this.connect();
  }

  connect() {
    this.timer = null;
    const t = token();
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    const query = t ? `?token=${encodeURIComponent(t)}` : '';
    const socket = new WebSocket(`${scheme}://${location.host}/api/v1/live${query}`);
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      this.socket = socket;
      this.tries = 0;
      this.bestTrip = Infinity;
      this.on.open();
      this.post(this.wanted);
      this.ping();
      this.pinger = setInterval(() => this.ping(), 4000);
    };
    socket.onmessage = (event) => {
      if (typeof event.data !== 'string') return this.on.binary(new DataView(event.data));
      const message = JSON.parse(event.data);
      if (message.pong !== undefined) this.pong(message);
      else this.on.message(message);
    };
    socket.onclose = () => {
      clearInterval(this.pinger);
      this.socket = null;
      const wait = Math.min(10, 0.4 * 2 ** this.tries++) * (0.8 + 0.4 * Math.random());
      this.on.closed(wait);
      this.timer = setTimeout(() => this.connect(), wait * 1000);
    };
  }

  post(command) {
    if (this.socket?.readyState === WebSocket.OPEN && Object.keys(command).length) {
      this.socket.send(JSON.stringify(command));
    }
  }

  /** Wishes that hold for the connection and are said again after each reconnect. */
  want(wishes) {
    Object.assign(this.wanted, wishes);
    this.post(wishes);
  }

  /** The sound, for as long as anybody here wants it. */
  hear(who, on) {
    this.hearing[on ? 'add' : 'delete'](who);
    this.want({ audio: this.hearing.size > 0 });
  }

  /** Parameters, latest wins: at most one message per animation frame however fast a slider moves. */
  set(params) {
    const idle = Object.keys(this.waiting).length === 0;
    Object.assign(this.waiting, params);
    if (idle) requestAnimationFrame(() => {
      this.post({ params: this.waiting });
      this.waiting = {};
    });
  }

  ping() { this.post({ ping: performance.now() }); }

  /** Keeps the clock difference of the shortest round trip (Cristian's algorithm). */
  pong({ pong, server_us }) {
    const now = performance.now();
    const trip = now - pong;
    this.bestTrip *= 1.05;
    if (trip <= this.bestTrip) {
      this.bestTrip = trip;
      this.offset = server_us / 1000 - (pong + now) / 2;
    }
  }

  /** Local time (ms of performance.now) of a server time in µs; null until the clocks were compared. */
  local(server_us) {
    return this.offset === null ? null : server_us / 1000 - this.offset;
  }
}
