//! The sources of sound, and the sentence when one is refused.

use serde_json::json;

use super::chromium::Browser;
use super::{Place, sound};

/// The options for a microphone that plays a file again and again.
fn microphone_of(file: &std::path::Path) -> [String; 3] {
    [
        "--use-fake-device-for-media-stream".into(),
        "--use-fake-ui-for-media-stream".into(),
        format!("--use-file-for-fake-audio-capture={}", file.display()),
    ]
}

fn press(page: &mut Browser, sound: &str) {
    page.eval(&format!("document.querySelector('[data-sound={sound}]').click()"));
}

const TOLD: &str = "document.getElementById('told').textContent";
const SOURCE: &str = "document.getElementById('source').textContent";
/// The tempo that the page shows is that of the beginning of the built-in music.
const TEMPO: &str = "Math.abs(Number(document.getElementById('bpm').textContent) - 112) < 1";

pub fn microphone(place: &Place) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("microphone.wav");
    // The first 34 s of the music have one tempo.
    std::fs::write(&file, sound::wav(&sound::demo(32), 16_000)).unwrap();
    let options = microphone_of(&file);
    let mut page = place.page(&options.each_ref().map(String::as_str));
    press(&mut page, "microphone");
    page.wait("the microphone's name", &format!("{SOURCE}.startsWith('microphone: ')"));
    page.wait("the tempo of the sound in the microphone", TEMPO);
    // K1 counts its beats: 112 in a minute.
    let beats = page.eval(
        "new Promise((done) => { const from = k1.shown.beats; setTimeout(() => done(k1.shown.beats - from), 8000); })",
    );
    let beats = beats.as_f64().unwrap();
    assert!((12.0..=18.0).contains(&beats), "{beats} beats in 8 s of 112 in a minute");
    let rate = page.eval("k1.link.sound.context.sampleRate");
    println!("site: {beats} beats in 8 s (14.9 are right), heard by a microphone at {rate} Hz");
    // What it hears can be compared with its beats, and is not played.
    page.eval("location.hash = '#hearing'");
    page.eval("document.getElementById('beats').open = true");
    page.wait("samples for the comparison", "k1.link.hearing.size > 0 && k1.link.sound.take");
    assert_eq!(page.eval("document.querySelector('[data-sound=pause]').hidden"), json!(true));
    // The microphone is unplugged.
    page.eval(
        "(() => { const [track] = k1.link.sound.stream.getAudioTracks(); track.stop(); track.onended(); })()",
    );
    page.wait(
        "the loss to be told",
        &format!("{TOLD}.includes('unplugged') && {TOLD}.includes('Choose a sound')"),
    );
    page.wait("the source to wait", &format!("{SOURCE}.includes('waiting for sound')"));
    press(&mut page, "demo");
    page.wait("the way on", &format!("{SOURCE} === 'built-in music' && {TOLD} === ''"));
    assert_eq!(page.errors(), Vec::<String>::new());
}

/// Drops files, made of the bytes at an address or of a text.
const DROP: &str = r"
  window.drop = async (...files) => {
    const transfer = new DataTransfer();
    for (const [name, type, content] of files) {
      const bytes = content.endsWith('.wav') ? await (await fetch(content)).arrayBuffer() : content;
      transfer.items.add(new File([bytes], name, { type }));
    }
    dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, cancelable: true }));
  }; true";

pub fn dropped(place: &Place) {
    place.host.add("song.wav", sound::wav(&sound::demo(30), 16_000));
    place.host.add("short.wav", sound::wav(&sound::demo(2), 16_000));
    let mut page = place.page(&[]);
    page.eval(DROP);
    page.eval("drop(['My song.wav', 'audio/wav', 'song.wav'])");
    page.wait("the name of the song", &format!("{SOURCE} === 'My song.wav'"));
    page.wait("the tempo of the song", TEMPO);
    // It pauses and goes on.
    press(&mut page, "pause");
    page.wait("the pause", "k1.link.sound.media.paused && k1.link.sound.isPaused");
    page.press("m");
    page.wait("the music to go on", "!k1.link.sound.media.paused && !k1.link.sound.isPaused");
    // A file that is not sound: a sentence, and the next one plays.
    page.eval(
        "drop(['broken.mp3', 'audio/mpeg', 'this is not music'], ['short.wav', 'audio/wav', 'short.wav'])",
    );
    page.wait("the next file", &format!("{SOURCE} === 'short.wav'"));
    page.wait("the sentence", &format!("{TOLD}.includes('cannot play broken.mp3')"));
    page.wait("the end", &format!("{TOLD}.includes('That was the end')"));
    // A picture.
    page.eval("drop(['cat.png', 'image/png', 'miaow'])");
    page.wait("the sentence", &format!("{TOLD}.startsWith('That is not a sound')"));
    // Only broken files.
    page.eval("drop(['broken.ogg', 'audio/ogg', 'no'])");
    page.wait(
        "the sentence",
        &format!("{TOLD}.includes('broken.ogg') && {TOLD}.includes('Drop another song')"),
    );
    press(&mut page, "demo");
    page.wait("the way on", &format!("{SOURCE} === 'built-in music'"));
    assert_eq!(page.errors(), Vec::<String>::new());
}

pub fn refused(place: &Place) {
    // Nobody is there to allow a microphone.
    let mut page = place.page(&["--use-fake-device-for-media-stream"]);
    let denied = json!({"permission": {"name": "microphone"}, "setting": "denied"});
    page.call("Browser.setPermission", denied);
    press(&mut page, "microphone");
    page.wait("the sentence", &format!("{TOLD}.startsWith('The browser did not allow the microphone')"));
    page.wait("light in the meantime", "k1.shown.beats > 0");
    press(&mut page, "demo");
    page.wait("the way on", &format!("{SOURCE} === 'built-in music' && {TOLD} === ''"));
    assert_eq!(page.errors(), Vec::<String>::new());

    // No microphone at all.
    let mut page =
        place.page(&["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream=device-count=0"]);
    page.eval("navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('none', 'NotFoundError'))");
    press(&mut page, "microphone");
    page.wait("the sentence", &format!("{TOLD}.startsWith('This device has no microphone')"));
    // A tab without its sound.
    page.eval("navigator.mediaDevices.getDisplayMedia = async () => document.createElement('canvas').captureStream()");
    press(&mut page, "screen");
    page.wait("the sentence", &format!("{TOLD}.startsWith('You shared a picture without its sound')"));
    page.eval("navigator.mediaDevices.getDisplayMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'))");
    press(&mut page, "screen");
    page.wait("the sentence", &format!("{TOLD}.startsWith('The browser did not allow the sound of a tab')"));
}

/// Opens the site in a browser that lacks something.
fn without(place: &Place, missing: &str) -> Browser {
    let mut page = place.browser(&[]);
    page.call(
        "Page.addScriptToEvaluateOnNewDocument",
        json!({"source": format!("delete window.{missing};")}),
    );
    page.open(&place.host.url());
    page
}

pub fn old_browsers(place: &Place) {
    let mut page = without(place, "WebAssembly");
    page.wait(
        "the sentence",
        "document.getElementById('link').textContent.startsWith('This browser has no WebAssembly')",
    );
    assert_eq!(page.eval("getComputedStyle(document.getElementById('start')).display"), json!("none"));

    // Without a thread for sound there is still light.
    let mut page = without(place, "AudioWorkletNode");
    page.wait("light", "window.k1?.shown.beats > 0");
    press(&mut page, "demo");
    page.wait("the sentence", &format!("{TOLD}.startsWith('This browser has no AudioWorklet')"));
    let beats = page.eval("k1.shown.beats").as_u64().unwrap();
    page.wait("light afterwards", &format!("k1.shown.beats > {beats}"));

    // A host that does not know WebAssembly, and a worklet that takes no compiled module.
    let mut page = place.browser(&[]);
    let source = "WebAssembly.compileStreaming = undefined; const Node = AudioWorkletNode; \
                  window.AudioWorkletNode = class extends Node { constructor(context, name, options) { \
                    if (options.processorOptions.module) throw new DOMException('no', 'DataCloneError'); \
                    super(context, name, options); } };";
    page.call("Page.addScriptToEvaluateOnNewDocument", json!({"source": source}));
    page.open(&place.host.url());
    page.wait("light", "window.k1?.shown.beats > 0");
    press(&mut page, "demo");
    page.wait("the music", &format!("{SOURCE} === 'built-in music'"));
    page.wait("its beats", TEMPO);
    assert_eq!(page.errors(), Vec::<String>::new());
}

/// A serial port in the page's memory, whose bytes the test reads.
const PORT: &str = r"
  window.sent = [];
  const port = new EventTarget();
  port.open = async (options) => { window.opened = options; };
  port.close = async () => { window.closed = true; };
  port.writable = new WritableStream({ write(bytes) { if (window.pulled) throw new Error('pulled'); window.sent.push([...bytes]); } });
  const serial = new EventTarget();
  serial.requestPort = async () => { if (!window.isPlugged) throw new DOMException('none', 'NotFoundError'); return port; };
  Object.defineProperty(navigator, 'serial', { value: serial, configurable: true });";

pub fn strip_on_usb(place: &Place) {
    let mut page = place.browser(&[]);
    page.call("Page.addScriptToEvaluateOnNewDocument", json!({"source": PORT}));
    page.open(&place.host.url());
    page.wait("light", "window.k1?.shown.beats > 0");
    press(&mut page, "demo");
    page.wait("the music", "document.body.classList.contains('plays')");
    const SAID: &str = "document.querySelector('#strip-here [data-part=said]').textContent";
    let submit = "document.querySelector('#strip-here button').click()";
    page.eval("document.querySelector('[data-light]').click()");
    page.wait("the form", "document.querySelector('[data-light]').light");
    page.eval(submit);
    page.wait("what is missing", &format!("{SAID}.startsWith('No port was chosen')"));
    page.eval("(() => { window.isPlugged = true; const f = document.getElementById('strip-here'); f.leds.value = 12; f.order.value = 'BGR'; })()");
    page.eval(submit);
    page.wait("frames on the port", "sent.length > 20");
    assert_eq!(page.eval("opened.baudRate"), json!(115_200));
    let frames = page.eval("sent");
    let mut lit = 0;
    for frame in frames.as_array().unwrap() {
        let bytes: Vec<u8> = frame.as_array().unwrap().iter().map(|b| b.as_u64().unwrap() as u8).collect();
        let (pixels, rest) = k1_wire::serial::read_adalight(&bytes).unwrap();
        assert_eq!((pixels.len(), rest.len()), (36, 0));
        lit += usize::from(pixels.iter().any(|byte| *byte > 0));
    }
    assert!(lit > 10, "{lit} of the frames shine");
    // The page shows the same strip.
    page.wait("twelve LEDs", "k1.link.player.frame(performance.now() * 1000).getUint16(2, true) === 12");
    page.eval("window.pulled = true");
    page.wait("the sentence", &format!("{SAID}.startsWith('The strip is gone')"));
    let beats = page.eval("k1.shown.beats").as_u64().unwrap();
    page.wait("the music to go on", &format!("k1.shown.beats > {beats}"));
    assert_eq!(page.errors(), Vec::<String>::new());
}
