// Web Serial as a page sees it, with one port: a WebSocket to the test. Runs before the page's own code.
(() => {
  const lost = () => new DOMException('The device has been lost.', 'NetworkError');

  class Port extends EventTarget {
    readable = null;
    writable = null;
    opened = [];

    async open({ baudRate }) {
      if (this.readable) throw new DOMException('The port is already open.', 'InvalidStateError');
      const socket = new WebSocket(`ws://${location.host}/socket`);
      socket.binaryType = 'arraybuffer';
      await new Promise((opened, failed) => {
        socket.onopen = opened;
        socket.onerror = () => failed(new DOMException('Failed to open serial port.', 'NetworkError'));
      });
      this.opened.push(baudRate);
      this.socket = socket;
      this.readable = new ReadableStream({
        start: (to) => {
          socket.onmessage = ({ data }) => { try { to.enqueue(new Uint8Array(data)); } catch { /* Nobody reads any more. */ } };
          socket.onclose = () => {
            if (this.socket !== socket) return;
            this.readable = this.writable = this.socket = null;
            try { to.error(lost()); } catch { /* Nobody reads any more. */ }
            this.dispatchEvent(new Event('disconnect'));
          };
        },
      });
      this.writable = new WritableStream({ write: (bytes) => { if (socket.readyState !== 1) throw lost(); socket.send(bytes); } });
    }

    async setSignals(signals) {
      if (!this.socket) throw lost();
      this.socket.send(JSON.stringify(signals));
    }

    async close() {
      if (this.readable?.locked || this.writable?.locked) throw new TypeError('Cannot cancel a locked stream');
      const { socket } = this;
      this.readable = this.writable = this.socket = null;
      if (!socket) throw new DOMException('The port is already closed.', 'InvalidStateError');
      const closed = new Promise((done) => { socket.onclose = done; });
      socket.close();
      await closed;
    }

    getInfo() { return window.fakeUsb ?? { usbVendorId: 0x303a, usbProductId: 0x1001 }; }
  }

  const port = new Port();
  window.fakePort = port;
  const serial = new EventTarget();
  serial.requestPort = async () => {
    if (window.fakeRefusal) throw new DOMException('No port selected by the user.', window.fakeRefusal);
    return port;
  };
  serial.getPorts = async () => [port];
  Object.defineProperty(navigator, 'serial', { value: serial, configurable: true });

  // What is saved stays here.
  URL.createObjectURL = (blob) => { window.saved = blob.text(); return '#'; };
  URL.revokeObjectURL = () => {};
  HTMLAnchorElement.prototype.click = () => {};
  // A file that the visitor chooses: content in base64.
  window.choose = (input, name, content) => {
    const files = new DataTransfer();
    files.items.add(new File([Uint8Array.from(atob(content), (c) => c.charCodeAt(0))], name));
    const element = document.getElementById(input);
    element.files = files.files;
    element.dispatchEvent(new Event('change'));
  };
})();
