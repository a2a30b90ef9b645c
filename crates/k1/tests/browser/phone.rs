//! A phone opens the page: K1 runs on a terminal in one network namespace. The test reads the QR code from the terminal
//! and opens its address in a browser in another namespace.
//!
//! Needs `ip netns` and the rights to use it. If they are missing, the test prints that it was skipped and passes,
//! unless `K1_REQUIRE` names `netns`.

use std::fs::File;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::chromium::Browser;
use crate::doors::{ASKS, LIT, LIVE};
use crate::{browser, need, screenshot, turn};

/// The address that the phone read from the code.
const ADDRESS: &str = "K1_PHONE_OPENS";
const PATIENCE: Duration = Duration::from_secs(60);

fn ip(arguments: &str) -> Result<(), String> {
    let out =
        Command::new("ip").args(arguments.split_whitespace()).output().map_err(|e| format!("ip: {e}"))?;
    match out.status.success() {
        true => Ok(()),
        false => Err(format!("ip {arguments}: {}", String::from_utf8_lossy(&out.stderr).trim())),
    }
}

/// Two namespaces with a cable between them; dropping removes them.
struct Home {
    k1: String,
    phone: String,
}

impl Home {
    fn build() -> Result<Self, String> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let id = format!("{}-{}", std::process::id(), NUMBER.fetch_add(1, Relaxed));
        let home = Self { k1: format!("k1-a-{id}"), phone: format!("k1-b-{id}") };
        for space in [&home.k1, &home.phone] {
            ip(&format!("netns add {space}"))?;
            ip(&format!("-n {space} link set lo up"))?;
        }
        Ok(home)
    }

    /// Makes the namespaces; `None`, with the reason on the console, if the system does not allow it.
    fn get() -> Option<Self> {
        let built = Self::build();
        if let Err(why) = &built {
            need::missing("netns", &format!("a network namespace ({why})"));
        }
        built.ok()
    }

    /// Gives K1's namespace an interface, whose other end is in the phone's namespace.
    fn interface(&self, name: &str, addresses: &[&str], is_up: bool) {
        let Self { k1, phone } = self;
        ip(&format!("-n {k1} link add {name} type veth peer name {name} netns {phone}")).unwrap();
        for address in addresses {
            let nodad = if address.contains(':') { "nodad" } else { "" };
            ip(&format!("-n {k1} address add {address} dev {name} {nodad}")).unwrap();
        }
        if !is_up {
            return;
        }
        for space in [phone, k1] {
            ip(&format!("-n {space} link set {name} up")).unwrap();
        }
        // The kernel needs a moment to detect the cable.
        let began = Instant::now();
        let is_running = || {
            let shown =
                Command::new("ip").args(["-n", k1, "link", "show", "up", "dev", name]).output().unwrap();
            String::from_utf8_lossy(&shown.stdout).contains("state UP")
        };
        while !is_running() {
            assert!(began.elapsed() < PATIENCE, "{name} does not come up");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Plugs the cable in.
    fn connect(&self) {
        self.interface("k1wire", &["10.213.7.1/24"], true);
        ip(&format!("-n {} address add 10.213.7.2/24 dev k1wire", self.phone)).unwrap();
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        for space in [&self.k1, &self.phone] {
            let _ = ip(&format!("netns delete {space}"));
        }
    }
}

/// K1 on a terminal of its own.
struct OnTerminal {
    child: Child,
    shown: Arc<Mutex<Vec<u8>>>,
}

impl OnTerminal {
    fn start(space: &str, settings: &std::path::Path) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let terminal = File::options().read(true).write(true).open(name).unwrap();
        let child = in_space(space, env!("CARGO_BIN_EXE_k1"))
            .args(["run", "demo", "--listen", "0.0.0.0"])
            .env("XDG_CONFIG_HOME", settings)
            .stdout(Stdio::from(terminal))
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let (shown, mut master) = (Arc::new(Mutex::new(Vec::new())), File::from(master));
        let into = shown.clone();
        std::thread::spawn(move || {
            let mut block = [0; 4096];
            while let Ok(n @ 1..) = master.read(&mut block) {
                into.lock().unwrap().extend_from_slice(&block[..n]);
            }
        });
        Self { child, shown }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().unwrap()).replace('\r', "")
    }

    /// Waits until its terminal shows what `look` finds.
    fn shows<T>(&self, what: &str, look: impl Fn(&str) -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            let text = self.text();
            if let Some(found) = look(&text) {
                return found;
            }
            assert!(began.elapsed() < PATIENCE, "{what} is not shown:\n{text}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn in_space(space: &str, program: &str) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", space, program]).stdin(Stdio::null());
    command.env_remove("K1_TOKEN").env_remove("CREDENTIALS_DIRECTORY");
    command
}

/// The content of the code on a terminal, once it is complete. Each character shows two dots, one above the other.
fn code(text: &str) -> Option<String> {
    let is_code = |l: &&str| l.chars().count() > 20 && l.chars().all(|c| " █▀▄".contains(c));
    let lines: Vec<_> = text.lines().skip_while(|l| !is_code(l)).take_while(is_code).collect();
    // Other text follows the code.
    text.lines().skip_while(|l| !is_code(l)).nth(lines.len())?;
    let dots: Vec<Vec<bool>> = lines
        .iter()
        .flat_map(|l| ['▀', '▄'].map(|half| l.chars().map(|c| c == '█' || c == half).collect()))
        .collect();
    let (size, scale) = (dots.first()?.len(), 6);
    [false, true].into_iter().find_map(|inverted| {
        let dot = |x: usize, y: usize| dots.get(y / scale).and_then(|r| r.get(x / scale)) == Some(&true);
        let mut picture =
            rqrr::PreparedImage::prepare_from_greyscale(size * scale, dots.len() * scale, |x, y| {
                if dot(x, y) != inverted { 255 } else { 0 }
            });
        picture.detect_grids().iter().find_map(|grid| grid.decode().ok()).map(|(_, text)| text)
    })
}

#[test]
fn every_interface_that_counts_is_printed_best_first() {
    let Some(home) = Home::get() else { return };
    home.interface("eth7", &["10.213.8.1/24"], true);
    home.interface("wlan7", &["10.213.9.1/24", "fd00:9::1/64"], true);
    home.interface("docker0", &["172.31.0.1/16"], true);
    home.interface("eth8", &["10.213.10.1/24"], false);
    ip(&format!("-n {} route add default via 10.213.9.2", home.k1)).unwrap();
    let settings = tempfile::tempdir().unwrap();
    let printed = |listen: &str| {
        let mut k1 = in_space(&home.k1, env!("CARGO_BIN_EXE_k1"));
        k1.args(["run", "demo", "--listen", listen, "--duration", "0.3"]);
        let out = k1.env("XDG_CONFIG_HOME", settings.path()).output().unwrap();
        let text = String::from_utf8(out.stdout).unwrap();
        let hosts: Vec<String> = text
            .lines()
            .filter_map(|l| Some(l.split_once("http://")?.1.rsplit_once(':')?.0.to_owned()))
            .collect();
        (hosts, code(&text).unwrap_or_default())
    };
    let all = ["10.213.9.1", "10.213.8.1", "[fd00:9::1]"];
    for (listen, expected) in [
        ("0.0.0.0:0", &all[..2]),
        ("[::]:0", &all[..]),
        ("[fd00:9::1]:0", &all[2..]),
        ("10.213.8.1:0", &all[1..2]),
        ("wlan7:0", &["10.213.9.1", "[fd00:9::1]"][..]),
        ("127.0.0.1:0", &["127.0.0.1"][..]),
    ] {
        let (hosts, code) = printed(listen);
        assert_eq!(hosts, expected, "{listen}");
        let is_local = listen.starts_with("127");
        assert_eq!(code.starts_with(&format!("http://{}:", expected[0])), !is_local, "{listen}: {code}");
    }
}

#[test]
fn a_phone_reads_the_code_and_opens_the_page() {
    if browser().is_none() {
        return;
    }
    let _turn = turn();
    let Some(home) = Home::get() else { return };
    // Without a network, there is no code, but a sentence and the light.
    let settings = tempfile::tempdir().unwrap();
    let k1 = OnTerminal::start(&home.k1, settings.path());
    k1.shows("that nobody can open it", |t| t.contains("No other machine can open the page").then_some(()));
    k1.shows("figures", |t| t.contains("[FPS]").then_some(()));
    assert_eq!(code(&k1.text()), None, "{}", k1.text());
    home.connect();
    k1.shows("the new address", |t| t.contains("http://10.213.7.1:3330/#token=").then_some(()));
    let later = k1.shows("a code", code);
    drop(k1);

    // With a network.
    let k1 = OnTerminal::start(&home.k1, settings.path());
    let address = k1.shows("a code", code);
    assert!(address.starts_with("http://10.213.7.1:3330/#token="), "{address}");
    assert_eq!(address, later, "the token has outlived the run");
    let printed = format!("Light is on: {address}\n");
    assert!(k1.text().contains(&printed), "the code contains the address above it: {}", k1.text());
    assert!(!k1.text().contains("127.0.0.1"), "{}", k1.text());

    let me = std::env::current_exe().unwrap();
    let opened = in_space(&home.phone, me.to_str().unwrap())
        .args(["phone::opens_what_it_has_read", "--exact", "--ignored", "--nocapture"])
        .env(ADDRESS, &address)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&opened.stdout);
    print!("{said}");
    let errors = String::from_utf8_lossy(&opened.stderr);
    assert!(opened.status.success() && said.contains("1 passed"), "{said}{errors}");
}

#[test]
#[ignore = "started by a_phone_reads_the_code_and_opens_the_page in the phone's namespace"]
fn opens_what_it_has_read() {
    let Ok(address) = std::env::var(ADDRESS) else {
        println!("{ADDRESS} names no address");
        return;
    };
    let Some(program) = browser() else { return };
    let mut page = Browser::start(&program);
    page.size(390, 844);
    let began = Instant::now();
    // Without the token the page asks for it and shows nothing else.
    page.open(address.split('#').next().unwrap());
    page.wait("the question", ASKS);
    page.new_tab();
    page.size(390, 844);
    page.open(&address);
    page.wait("the link", LIVE);
    page.wait("all patterns", "document.querySelectorAll('.pattern').length === 21");
    page.wait("light", LIT);
    page.wait("frames", "k1.shown.figures > 0");
    page.screenshot(&screenshot("phone"), false);
    println!("the phone's page is live and lit {:.1} s after its first tap", began.elapsed().as_secs_f64());
}
