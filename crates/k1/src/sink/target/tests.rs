use super::*;
use k1_wire::spi::Expansion;

#[test]
fn targets_are_read_and_written() {
    let at = |host: &str, port| Address { host: host.into(), port };
    let ddp = |host: &str, port| Target::Ddp(at(host, port));
    let artnet = |first, channels, syncs| {
        let universes = Universes::new(first, channels).unwrap();
        Target::ArtNet { address: at("10.0.0.5", 6454), universes, syncs }
    };
    let sacn = |address, first, priority, sync_universe| {
        let universes = Universes::new(first, 510).unwrap();
        Target::Sacn { address, interface: None, universes, priority, sync_universe }
    };
    let leaving = |last| {
        let universes = Universes::new(1, 510).unwrap();
        let interface = Some([10, 0, 0, last].into());
        Target::Sacn { address: None, interface, universes, priority: 100, sync_universe: None }
    };
    let serial = |speech, path: &str, baud| Target::Serial { speech, path: path.into(), baud };
    let spi = |chip| Target::Spi { path: "/dev/spidev0.0".into(), chip };
    for (text, target) in [
        ("ddp://wled.local", ddp("wled.local", 4048)),
        ("DDP://wled", ddp("wled", 4048)),
        ("ddp://10.0.0.7:5000/", ddp("10.0.0.7", 5000)),
        ("ddp://[::1]:5000", ddp("::1", 5000)),
        ("ddp://[fe80::1%eth0]", ddp("fe80::1%eth0", 4048)),
        ("ddp://[fe80::1%25eth0]:7", ddp("fe80::1%eth0", 7)),
        ("ddp://::1", ddp("::1", 4048)),
        ("ddp://lampe-küche", ddp("lampe-küche", 4048)),
        ("artnet://10.0.0.5", artnet(0, 510, false)),
        ("artnet://10.0.0.5/?universe=3&channels=512&sync=yes", artnet(3, 512, true)),
        ("sacn://", sacn(None, 1, 100, None)),
        ("sacn://?universe=7&priority=150&sync_universe=8", sacn(None, 7, 150, Some(8))),
        ("sacn://?interface=10.0.0.2", leaving(2)),
        ("sacn://10.0.0.5", sacn(Some(at("10.0.0.5", 5568)), 1, 100, None)),
        ("wled://wled.local", Target::Wled { address: at("wled.local", 21_324), timeout_s: 5 }),
        ("wled://wled.local?timeout=255", Target::Wled { address: at("wled.local", 21_324), timeout_s: 255 }),
        ("adalight:/dev/ttyUSB0", serial(Speech::Adalight, "/dev/ttyUSB0", 115_200)),
        ("tpm2:COM3?baud=1000000", serial(Speech::Tpm2, "COM3", 1_000_000)),
        ("spi:/dev/spidev0.0", spi(Chip::Ws2812(Expansion::Three))),
        ("spi:/dev/spidev0.0?bits=4", spi(Chip::Ws2812(Expansion::Four))),
        ("spi:/dev/spidev0.0?chip=sk9822", spi(Chip::Apa102 { speed_hz: 4_000_000 })),
        ("spi:/dev/spidev0.0?chip=apa102&speed=8000000", spi(Chip::Apa102 { speed_hz: 8_000_000 })),
        ("file:/tmp/a", Target::File("/tmp/a".into())),
        ("terminal", Target::Terminal),
    ] {
        assert_eq!(text.parse::<LightConfig>().unwrap().target, target, "{text}");
        assert_eq!(target.to_string().parse::<LightConfig>().unwrap().target, target);
    }
}

#[test]
fn what_can_never_shine_is_refused_with_the_forms_that_can() {
    for wrong in [
        "",
        "ddp://",
        "ddp:///",
        "ddp://x:99999",
        "ddp://x:0",
        "ddp://x:",
        "http://x",
        "dpp://x",
        "file:",
        "adalight:",
        "tpm2://x",
        "spi:",
        "spi://x",
        "ddp:x",
        "ddp://a b",
        "ddp://a..b",
        "ddp://10.0.0.300",
        "ddp://10.0.0",
        "ddp://[::1",
        "ddp://[x]",
        "ddp://[fe80::1%]",
        "ddp://x/y",
        "ddp://me@x",
        "ddp://1:2:3",
        "wled.local",
        "Terminal",
    ] {
        assert!(wrong.parse::<LightConfig>().unwrap_err().contains("ddp://HOST"), "{wrong}");
    }
    let refused = "ddp://[fe80::1]".parse::<LightConfig>().unwrap_err();
    assert!(refused.contains("ddp://[fe80::1%eth0]"), "{refused}");
    assert!("wled.local".parse::<LightConfig>().unwrap_err().contains("did you mean ddp://wled.local?"));
    assert!("dpp://x".parse::<LightConfig>().unwrap_err().contains("did you mean ddp://x?"));
}

#[test]
fn a_setting_that_a_light_does_not_have_is_refused_with_those_that_it_has() {
    for (wrong, says) in [
        ("artnet://x?universe=40000", "universe is 0 … 32767, not “40000”"),
        ("artnet://x?channels=0", "channels is 1 … 512, not “0”"),
        ("sacn://x?universe=0", "universe is 1 … 63999, not “0”"),
        ("sacn://x?priority=201", "priority is 0 … 200, not “201”"),
        (
            "sacn://?interface=eth0",
            "interface is an IPv4 address of this machine, such as 192.168.1.10, not “eth0”",
        ),
        (
            "sacn://?interface=239.255.0.1",
            "interface is an IPv4 address of this machine, such as 192.168.1.10, not “239.255.0.1”",
        ),
        (
            "sacn://x?interface=10.0.0.2",
            "interface is for multicast; write sacn://?interface=10.0.0.2, without a host",
        ),
        ("artnet://x?sync=maybe", "sync is yes or no, not “maybe”"),
        ("wled://x?timeout=0", "timeout is 1 … 255, not “0”"),
        ("tpm2:COM3?baud=9", "baud is 1200 … 4000000, not “9”"),
        ("adalight:COM3?order=rgbw", "adalight carries red, green and blue only; write an order without w"),
        ("spi:x?chip=ws2801", "chip is one of ws2812, apa102, sk9822, not “ws2801”"),
        ("spi:x?bits=5", "bits is 3 … 4, not “5”"),
        ("spi:x?speed=1000000", "a WS2812 has a fixed speed; leave out speed"),
        ("spi:x?chip=apa102&bits=3", "bits is for ws2812; leave it out"),
        ("spi:x?chip=apa102&speed=0", "speed is 100000 … 32000000, not “0”"),
        ("spi:x?chip=apa102&order=rgbw", "an APA102 has red, green and blue only; write an order without w"),
        ("ddp://x?brightness=3", "brightness is 0 … 1, not “3”"),
        ("artnet://x?universe=3&universe=4", "universe is given twice"),
        ("artnet://x?universe", "write NAME=VALUE in place of “universe”"),
    ] {
        assert_eq!(wrong.parse::<LightConfig>().unwrap_err(), says, "{wrong}");
    }
    let said = "artnet://x?univers=3".parse::<LightConfig>().unwrap_err();
    assert!(
        said.starts_with("there is no setting “univers”; use universe, channels, sync, name, leds"),
        "{said}"
    );
    assert_eq!("ddp://x?".parse::<LightConfig>(), "ddp://x".parse());
    let order = |text: &str| text.parse::<LightConfig>().unwrap().settings.order.channels().to_vec();
    assert_eq!(
        ["spi:x", "spi:x?chip=apa102", "spi:x?order=rgb"].map(order),
        [[1, 0, 2], [2, 1, 0], [0, 1, 2]].map(|order| order.to_vec())
    );
    let stop = |text: &str| text.parse::<LightConfig>().unwrap().settings.stop;
    assert_eq!(
        ["ddp://x", "wled://x", "wled://x?stop=dark"].map(stop),
        [Stop::Dark, Stop::Release, Stop::Dark]
    );
}

#[cfg(unix)]
#[test]
fn a_path_may_be_any_name() {
    use std::os::unix::ffi::OsStrExt;
    let text = OsStr::from_bytes(b"file:/tmp/\xff.bin");
    let file = Target::File(OsStr::from_bytes(b"/tmp/\xff.bin").into());
    assert_eq!(LightConfig::from_os(text), Ok(file.into()));
    assert!(LightConfig::from_os(OsStr::from_bytes(b"ddp://\xff")).is_err());
    assert_eq!(LightConfig::from_os(OsStr::new("terminal")), Ok(Target::Terminal.into()));
}
