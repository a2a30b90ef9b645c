// A strip of real LEDs on a serial port: Web Serial, in browsers that have it.

/** A sentence for an error of the port. */
function sentence(error) {
  if (error.name === 'NotFoundError') return 'No port was chosen. Plug the controller in, and choose its port.';
  if (error.name === 'InvalidStateError' || error.name === 'NetworkError') return 'The port cannot be opened: another program or page uses it, or this user may not. Close the other one (on Linux: join the group dialout), and try again.';
  return `The port cannot be used: ${error.message}`;
}

export class Light {
  constructor(form, link) {
    Object.assign(this, { form, link, port: null, before: null });
    this.said = form.querySelector('[data-part="said"]');
    this.button = form.querySelector('button');
    form.onsubmit = (event) => {
      event.preventDefault();
      if (this.port) this.end('The strip is disconnected.');
      else this.begin();
    };
    navigator.serial.addEventListener('disconnect', (event) => { if (event.target === this.port) this.lost(); });
  }

  async begin() {
    const { leds, order, rate } = Object.fromEntries(new FormData(this.form));
    let port;
    try {
      port = await navigator.serial.requestPort();
      await port.open({ baudRate: Number(rate), bufferSize: 8192 });
    } catch (e) {
      this.said.textContent = sentence(e);
      return;
    }
    this.port = port;
    this.writer = port.writable.getWriter();
    this.order = order;
    this.link.player.leds(Number(leds));
    this.button.textContent = 'Disconnect';
    // Ten bits carry a byte.
    const most = Math.min(60, Number(rate) / 10 / (6 + 3 * Number(leds)));
    this.said.textContent = `The strip shows the light, at most ${Math.floor(most)} frames a second at this rate.`;
    this.shows = (player) => this.show(player);
    this.link.shown = this.shows;
  }

  /** Sends the newest frame when the port has taken the one before: a slow port loses frames, and no time. */
  async show(player) {
    if (this.isBusy) return;
    this.isBusy = true;
    try {
      await this.writer.write(player.adalight(this.order));
    } catch {
      this.lost();
    }
    this.isBusy = false;
  }

  lost() {
    if (this.port) this.end('The strip is gone: was its cable pulled? Plug it in and choose the port again; the music goes on.');
  }

  async end(why) {
    const { port, writer } = this;
    this.port = null;
    // Another light may have taken its place.
    if (this.link.shown === this.shows) this.link.shown = null;
    this.button.textContent = 'Choose the port';
    this.said.textContent = why;
    // A port that is gone cannot be closed.
    await Promise.resolve(writer.close()).catch(() => {});
    await port.close().catch(() => {});
  }
}
