// A chip on a serial port, by the loader in its ROM and Espressif's library. The loader is not replaced by a faster one, so
// that a chip gets the same commands as from `k1 install`.

import { ESPLoader, Transport } from './esptool.js';

const SPEED = 115200;
/** Bytes that the loader programs, and reads, at once. */
const BLOCK = 1024;
const READ = 64;
/** Opens the registers of the watchdog. */
const UNLOCK = 0x50d83aa1;
/** Commands of the loader. */
const BEGIN = 0x02, DATA = 0x03, PARAMETERS = 0x0b, ATTACH = 0x0d, READ_SLOWLY = 0x0e, MD5 = 0x13;

const silent = { clean() {}, write() {}, writeLine() {} };

/** Numbers as the loader reads them: 32 bits, little-endian. */
const words = (...numbers) => new Uint8Array(Uint32Array.from(numbers).buffer);

const PULLED = 'The cable was pulled, or the board lost its power';

export class Chip {
  constructor(port) {
    this.port = port;
    this.transport = new Transport(port);
    this.lost = new Promise((_, reject) => {
      this.transport.setDeviceLostCallback(() => reject(new Error(PULLED)));
      this.onLost = () => reject(new Error(PULLED));
    });
    this.lost.catch(() => { /* A command that waits for the chip hears it. */ });
    port.addEventListener?.('disconnect', this.onLost);
    this.loader = new ESPLoader({ transport: this.transport, baudrate: SPEED, terminal: silent });
  }

  /** Waits for the chip, but not for one that is gone. */
  until(promise) { return Promise.race([promise, this.lost]); }

  /** One command; throws a sentence if the chip does not carry it out. */
  async command(what, op, data, { sum = 0, answer = 0, patience = 3000 } = {}) {
    try {
      return await this.until(this.loader.checkCommand(what, op, data, sum, answer, patience));
    } catch (e) {
      if (e.message === PULLED) throw e;
      throw new Error(/status/.test(e.message) ? `The chip’s loader refused to ${what}` : `The chip stopped answering when it was asked to ${what}. Is the cable still in?`);
    }
  }

  /** Opens the port and starts the loader. Returns number, revision (major · 100 + minor) and bytes of flash. */
  async open() {
    try {
      await this.until(this.loader.detectChip());
    } catch (e) {
      if (e.message === PULLED) throw e;
      if (e instanceof DOMException) throw new Error('The port cannot be opened. Another program or tab may use it: close serial monitors and try again. On Linux, your user must be in the group dialout.');
      throw new Error('No chip answers on this port. Hold the button BOOT of the board, press and release RESET, release BOOT, and try again; or choose another port.');
    }
    const { loader } = this;
    const security = await this.until(loader.getSecurityInfo());
    if (loader.secureDownloadMode) throw new Error('The loader of this chip is locked (secure download), so K1 cannot tell which keys it trusts');
    if ([...security.flashCryptCnt.toString(2)].filter((bit) => bit === '1').length % 2) throw new Error('This chip encrypts its flash, so K1 cannot check it through a cable');
    await this.until(loader.chip.postConnect?.(loader));
    await this.command('reach its flash', ATTACH, words(0, 0));
    return { id: security.chipId, name: loader.chip.CHIP_NAME, revision: await this.until(this.revision()), flash: await this.until(this.flash()) };
  }

  async revision() {
    const { loader } = this, { chip } = loader;
    if (chip.getMajorChipVersion) return await chip.getMajorChipVersion(loader) * 100 + await chip.getMinorChipVersion(loader);
    // The C6: two bits above those of the library's number.
    return ((await loader.readReg(chip.EFUSE_BASE + 0x50) >> 22) & 3) * 100 + await chip.getChipRevision(loader);
  }

  async flash() {
    const id = await this.loader.readFlashId();
    const size = this.loader.DETECTED_FLASH_SIZES[(id >> 16) & 0xff];
    return size ? parseInt(size, 10) * (size.endsWith('MB') ? 1 << 20 : 1 << 10) : 0;
  }

  /** Makes the loader ready for a flash of this size. `watchdog` is the pair of registers that would restart the chip. */
  async prepare(flash, watchdog) {
    if (watchdog && this.loader.isUsbJtagSerialPort()) {
      const [protect, config] = watchdog;
      for (const [register, value] of [[protect, UNLOCK], [config, 0], [protect, 0]]) await this.until(this.loader.writeReg(register, value));
    }
    await this.command('take the size of its flash', PARAMETERS, words(0, flash, 0x10000, 0x1000, 0x100, 0xffff));
  }

  /** Reads bytes of the flash. */
  async read(at, length) {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i += READ) {
      bytes.set(await this.command('read its flash', READ_SLOWLY, words(at + i, READ, READ, READ), { answer: READ }), i);
    }
    return bytes;
  }

  /** MD5 of a part of the flash, as the chip computes it. */
  async md5(at, length) {
    const digits = await this.command('check its flash', MD5, words(at, length, 0, 0), { answer: 32, patience: 10000 });
    return String.fromCharCode(...digits);
  }

  /** Erases and programs whole sectors; `progress` hears of every block. */
  async write(at, bytes, progress) {
    const blocks = bytes.length / BLOCK;
    await this.command('erase its flash', BEGIN, words(bytes.length, blocks, BLOCK, at, 0), { patience: 30000 });
    for (let i = 0; i < blocks; i++) {
      const block = bytes.subarray(i * BLOCK, (i + 1) * BLOCK);
      const packet = new Uint8Array(16 + BLOCK);
      packet.set(words(BLOCK, i, 0, 0));
      packet.set(block, 16);
      await this.command('write its flash', DATA, packet, { sum: this.loader.checksum(block) });
      progress(BLOCK);
    }
  }

  /** Lets the chip start what is in its flash. */
  async restart() { await this.until(this.loader.after('custom_reset', false, 'D0|R1|W100|R0')); }

  /** Gives the port back. */
  async close() {
    this.port.removeEventListener?.('disconnect', this.onLost);
    const patience = new Promise((done) => { setTimeout(done, 1500); });
    await Promise.race([this.transport.disconnect().catch(() => { /* It is gone. */ }), patience]);
  }
}
