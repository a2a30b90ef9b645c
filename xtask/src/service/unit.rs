//! The life of a unit that `k1 service install` has written.

use std::time::Instant;

use super::debian::Machine;
use super::light::Light;
use super::watched::{PATIENCE, Service, must};

/// A user of the clean system.
const USER: &str = "maker";

/// The system's unit, of a program that no package has brought.
///
/// # Errors
///
/// A sentence: what did not happen as it must.
pub fn system(machine: &Machine, light: &Light) -> Result<(), String> {
    machine.run("cp /files/k1 /usr/local/bin/k1")?;
    println!("k1 service install --system --now");
    let service = Service { machine, light, user: None };
    lives(&service, "/etc/systemd/system", " --system")?;
    machine.run(
        "systemctl clean --what=state k1.service 2>/dev/null || rm -rf /var/lib/k1 /var/lib/private/k1",
    )?;
    Ok(())
}

/// A user's unit, which runs without a login.
///
/// # Errors
///
/// A sentence: what did not happen as it must.
pub fn user(machine: &Machine, light: &Light) -> Result<(), String> {
    machine.run(&format!("useradd --create-home --uid 1000 {USER} && loginctl enable-linger {USER}"))?;
    let began = Instant::now();
    while machine.run_as(Some(USER), "systemctl --user is-system-running").is_err() {
        must(began.elapsed() < PATIENCE, || "the user's manager does not start".into())?;
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    println!("k1 service install --now, as a user");
    let service = Service { machine, light, user: Some(USER) };
    lives(&service, &format!("/home/{USER}/.config/systemd/user"), "")
}

fn lives(service: &Service, folder: &str, scope: &str) -> Result<(), String> {
    let run = |line: &str| service.machine.run_as(service.user, line);
    let arguments = format!("demo --loop --to '{}' --listen 127.0.0.1:0", service.light.address);
    let install = format!("k1 service install{scope} --now -- {arguments}");
    let began = Instant::now();
    run(&install)?;
    service.shines("started", began)?;
    println!("{}", run("k1 service status")?);
    service.suffers()?;
    service.reloads()?;
    service.stops(&format!("k1 service uninstall{scope} --now"))?;
    // By the steps that K1 prints instead of running them, too.
    let steps = run(&install.replace(" --now", ""))?;
    follow(service, &steps)?;
    service.light.lit(PATIENCE)?;
    let steps = run(&format!("k1 service uninstall{scope}"))?;
    follow(service, &steps)?;
    service.light.last().map(drop).or_else(|e| must(e.contains("no frame at all"), || e))?;
    let left = service.machine.told(&format!("find {folder} -name 'k1*'"))?;
    must(left.is_empty(), || format!("`k1 service uninstall` has left {left}"))?;
    let state = service.property("LoadState")?;
    must(state == "not-found", || format!("after it was removed, systemd says that it is {state}"))?;
    println!("uninstalled: no file is left in {folder}");
    Ok(())
}

/// Runs the commands of systemd among printed lines.
fn follow(service: &Service, printed: &str) -> Result<(), String> {
    let steps = printed.lines().filter(|line| line.starts_with("  systemctl"));
    let mut number = 0;
    for step in steps {
        service.machine.run_as(service.user, step.trim())?;
        number += 1;
    }
    must(number == 2, || format!("these are not two steps: {printed}"))
}
