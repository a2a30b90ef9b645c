//! Tells the linker where the chip's memory is, and the code which hardware the chip has.

fn main() -> Result<(), &'static str> {
    let chip = esp_metadata_generated::Chip::from_cargo_feature()?;
    chip.define_cfgs();
    // RISC-V with floating-point registers, which interrupts and the scheduler do not save: see src/real_time.rs.
    println!("cargo:rustc-check-cfg=cfg(interrupt_levels)");
    if chip.target() == "riscv32imafc-unknown-none-elf" {
        println!("cargo:rustc-cfg=interrupt_levels");
    }
    // Improv needs Wi-Fi, and USB over which a network can be chosen.
    println!("cargo:rustc-check-cfg=cfg(improv)");
    if chip.contains("wifi_driver_supported") && chip.contains("usb_serial_jtag_driver_supported") {
        println!("cargo:rustc-cfg=improv");
    }
    println!("cargo:rustc-link-arg=-Tlinkall.x");
    Ok(())
}
