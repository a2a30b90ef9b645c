//! The life of the package: installed, set up, started, hurt, upgraded, removed, purged.

use std::time::Instant;

use super::debian::Machine;
use super::light::Light;
use super::watched::{PATIENCE, Service, must, seconds};

/// Everything in the system that a package could leave behind. Journals, locks and the lists of dpkg change with any package.
const FILES: &str = "find / -xdev \\( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /var/log \
    -o -path /var/cache -o -path /var/lib/dpkg -o -path /var/lib/systemd \\) -prune -o -print | sort";

/// Lives it.
///
/// # Errors
///
/// A sentence: what did not happen as it must.
pub fn live(machine: &Machine, light: &Light) -> Result<(), String> {
    let service = Service { machine, light, user: None };
    let files_before = machine.run(FILES)?;
    let install = |file: &str| {
        machine.run(&format!("DEBIAN_FRONTEND=noninteractive dpkg --install /files/{file} 2>&1"))
    };
    let began = Instant::now();
    let told = install("before.deb")?;
    println!("{told}\ninstalled in {:.2} s: {}", seconds(began.elapsed()), machine.run("k1 --version")?);
    for (question, expected) in [("is-enabled", "disabled"), ("is-active", "inactive")] {
        let told = machine.told(&format!("systemctl {question} k1.service"))?;
        must(told == expected, || format!("after the installation, {question} says {told}"))?;
    }
    machine.run("dpkg --verify k1 && man -w k1 2>/dev/null || test -e /usr/share/man/man1/k1.1.gz")?;
    let told = machine
        .run("systemd-analyze verify k1.service 2>&1; systemd-analyze security --no-pager k1.service")?;
    println!("{}", told.lines().last().unwrap_or_default());

    let settings = format!("K1_ARGUMENTS=\"demo --loop --to {} --listen 127.0.0.1:0\"", light.address);
    machine.run(&format!("printf '%s\\n' '{settings}' >/etc/default/k1"))?;
    let began = Instant::now();
    machine.run("systemctl enable --now k1.service")?;
    service.shines("started", began)?;
    may(machine, &service)?;
    service.suffers()?;
    service.reloads()?;
    upgrade(machine, &service, install)?;
    service.stops("systemctl stop k1.service")?;
    machine.run("systemctl start k1.service")?;
    light.lit(PATIENCE)?;
    service.stops("dpkg --remove k1")?;
    must(machine.run("test -e /etc/default/k1").is_ok(), || "removing it has deleted its settings".into())?;
    machine.run("dpkg --purge k1")?;
    let after = machine.run(FILES)?;
    let left: Vec<_> =
        after.lines().filter(|line| !files_before.lines().any(|before| before == *line)).collect();
    must(left.is_empty(), || format!("the package has left behind: {}", left.join(", ")))?;
    println!("purged: no file is left");
    Ok(())
}

/// What the running service may do.
fn may(machine: &Machine, service: &Service) -> Result<(), String> {
    let pid = service.pid()?;
    let groups = machine.run(&format!(
        "for g in $(sed -n 's/^Groups:\\t//p' /proc/{pid}/status); do getent group $g | cut -d: -f1; done | sort | tr '\\n' ' '"
    ))?;
    must(groups.contains("audio") && groups.contains("dialout"), || format!("its groups are {groups}"))?;
    // Without libnss-systemd the number has no name. systemd takes those of a service from this range.
    let owner = machine.run(&format!("stat -c %u /proc/{pid}"))?;
    must(owner.parse().is_ok_and(|id: u32| (61_184..65_520).contains(&id)), || {
        format!("it runs as user {owner}")
    })?;
    let limit = machine.run(&format!("awk '/realtime priority/ {{ print $4 }}' /proc/{pid}/limits"))?;
    // Root itself may have to do without, in a container.
    match machine.run("prlimit --rtprio=95:95 true") {
        Ok(_) => must(limit == "95", || format!("its limit of real-time priority is {limit}"))?,
        Err(_) => println!("real-time priority cannot be judged: this machine allows none"),
    }
    let token = machine.run("stat -L -c '%a %n' /var/lib/k1 && ls /var/lib/k1")?;
    println!("runs as user {owner}, with the groups {groups}; its settings: {}", token.replace('\n', ", "));
    Ok(())
}

/// Installs the newer package over the older one. Settings stay, and the service restarts by itself.
fn upgrade(
    machine: &Machine,
    service: &Service,
    install: impl Fn(&str) -> Result<String, String>,
) -> Result<(), String> {
    let (pid, state) = (service.pid()?, machine.run("cat /etc/default/k1; cat /var/lib/k1/* | cksum")?);
    let began = Instant::now();
    let told = install("after.deb")?;
    println!("{told}\nupgraded in {:.2} s", seconds(began.elapsed()));
    service.shines("upgraded", began)?;
    must(service.pid()? != pid, || "the old program runs on after the upgrade".into())?;
    let now = machine.run("cat /etc/default/k1; cat /var/lib/k1/* | cksum")?;
    must(now == state, || format!("the upgrade has changed settings:\n{state}\n{now}"))
}
