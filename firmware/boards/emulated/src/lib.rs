#![no_std]

//! What the emulated boards share: RISC-V in `virt`, Xtensa in `virt-xtensa`.

pub mod proof;
