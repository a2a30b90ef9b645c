// The token: kept for all tabs of this browser, and requested if it is missing or wrong.

// Behind a proxy, several K1s may share one host, each in its own folder.
const PLACE = new URL('.', document.baseURI).pathname;
const KEY = `k1-token ${PLACE}`;

/** This browser's storage; in memory if it has none. */
let kept = null;
try { kept = localStorage.getItem(KEY); } catch { /* It stays in memory. */ }

function keep(value) {
  kept = value;
  try { localStorage.setItem(KEY, value); } catch { /* It stays in memory. */ }
}

/** Takes the token out of the address. It follows the hash, which no server logs. */
function takeFromAddress() {
  const given = new URLSearchParams(location.hash.slice(1)).get('token');
  if (!given) return false;
  keep(given);
  history.replaceState(null, '', location.pathname + location.search);
  return true;
}
takeFromAddress();

/** The token to send, or null. */
export const token = () => kept;

/** The headers of a request with a token. */
export const showing = (t) => (t ? { Authorization: `Bearer ${t}` } : {});

/** The reason why K1 refuses us: { status, message, wait } with the seconds to wait. Null if it accepts us; throws if nobody answers. */
export async function refusal(t) {
  const asked = (method) => fetch('api/test-connection', { method, headers: showing(t), cache: 'no-store' });
  // Browsers send the page's origin with all requests but GET, and K1 may refuse it.
  let answer = await asked('OPTIONS');
  if (answer.ok) answer = await asked('GET');
  if (answer.ok) return null;
  const said = await answer.json().catch(() => ({}));
  // Too many requests: K1 has accepted us.
  if (said.error === 'rate_limited') return null;
  const wait = Number(answer.headers.get('Retry-After')) || 0;
  return { status: answer.status, message: said.message ?? `K1 answers with ${answer.status}.`, wait };
}

const WHERE = 'Find it where K1 was started (`k1 token` prints it), or on the console of a lamp.';
const SAYS = {
  missing: `This K1 needs its token. ${WHERE}`,
  changed: `The token of this K1 has changed. ${WHERE}`,
  wrong: `That is not the token of this K1. ${WHERE}`,
};

export class Asker {
  /** `form` is shown while K1 needs another token; `go` is called once there is one. */
  constructor(form, go) {
    this.form = form;
    this.go = go;
    this.label = form.querySelector('label');
    this.input = form.querySelector('input');
    this.button = form.querySelector('button');
    form.onsubmit = (event) => { event.preventDefault(); this.offer(this.input.value.trim()); };
    // The token was entered in another tab, or this tab got an address with it.
    addEventListener('storage', (event) => {
      if (event.key !== KEY || !event.newValue || event.newValue === kept) return;
      kept = event.newValue;
      this.go();
    });
    addEventListener('hashchange', () => { if (takeFromAddress()) this.go(); });
  }

  get asks() { return !this.form.hidden; }

  /** Shows the form with the reason. */
  ask() {
    if (!this.asks) this.label.textContent = kept ? SAYS.changed : SAYS.missing;
    this.form.hidden = false;
  }

  close() {
    this.form.hidden = true;
    this.input.value = '';
  }

  /** Tries the typed token. Only the right one is saved, so that a typo does not affect other tabs. */
  async offer(value) {
    // Users may paste the whole address.
    const typed = new URLSearchParams(value.split('#')[1] ?? '').get('token') ?? value;
    if (!typed) return;
    this.button.disabled = true;
    let pause = 0;
    try {
      const why = await refusal(typed);
      if (!why) {
        keep(typed);
        this.go();
      } else {
        this.label.textContent = why.status === 401 ? SAYS.wrong : why.message;
        pause = why.wait;
      }
    } catch {
      this.label.textContent = 'K1 does not answer; try again in a moment.';
    }
    setTimeout(() => { this.button.disabled = false; }, pause * 1000);
  }
}
