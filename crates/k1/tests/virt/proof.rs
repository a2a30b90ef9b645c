//! Proofs on the emulated machine without a network: the test puts a question and music into its memory.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::lamp::{Turn, firmware, ready};
use crate::support;

const FRAMES_AT: usize = 0x0300_0000;

/// Asks a question; returns the answers, one for each line of JSON.
fn ask(folder: &Path, question: [u32; 5], music: &[f32], machine: &[&str]) -> Vec<Value> {
    let put = |name: &str, bytes: Vec<u8>| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    };
    let question = put("question", question.iter().flat_map(|w| w.to_le_bytes()).collect());
    let music = put("music", music.iter().flat_map(|s| s.to_le_bytes()).collect());
    let out = Command::new("qemu-system-riscv32")
        .args([
            "-M", "virt", "-m", "64M", "-display", "none", "-serial", "stdio", "-monitor", "none", "-bios",
            "none",
        ])
        .args(["-device", &format!("loader,file={}", firmware("proof").display())])
        .args(["-device", &format!("loader,file={question},addr=0x81f00000,force-raw=on")])
        .args(["-device", &format!("loader,file={music},addr=0x82000000,force-raw=on")])
        .args(machine)
        .output()
        .expect("the emulator");
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success(), "{said}{}", String::from_utf8_lossy(&out.stderr));
    said.lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e}: {said}"))).collect()
}

/// The built-in music.
fn demo(seconds: usize) -> Vec<f32> {
    let mut source = k1::source::open(&k1::source::Input::Demo, k1_engine::SAMPLE_RATE).unwrap();
    let mut samples = vec![0.0; seconds * k1_engine::SAMPLE_RATE as usize];
    let mut filled = 0;
    while filled < samples.len() {
        filled += source.read(&mut samples[filled..]).unwrap();
    }
    samples
}

#[test]
fn sixty_seconds_of_music_give_the_same_frames_as_render() {
    if ready().is_none() {
        return;
    }
    let _turn = Turn::beside();
    let folder = support::folder();
    let music = demo(60);
    let memory = folder.path().join("memory");
    let backend = format!("memory-backend-file,id=m,size=64M,mem-path={},share=on", memory.display());
    let machine = ["-smp", "2", "-object", &backend, "-machine", "memory-backend=m"];
    let answer = ask(folder.path(), [1, music.len() as u32, 120, 3, 180], &music, &machine);
    let frames = answer[0]["frames"].as_u64().unwrap() as usize;

    let raw = folder.path().join("raw");
    std::fs::write(&raw, music.iter().flat_map(|s| s.to_le_bytes()).collect::<Vec<u8>>()).unwrap();
    let array = folder.path().join("frames.npy");
    let mut render = support::k1(["render", "-", "--rate", "16000", "--leds", "180", "--fps", "120", "-o"]);
    render.arg(&array).stdin(std::fs::File::open(&raw).unwrap());
    assert_eq!(support::start(&mut render).end().code(), Some(0));
    let array = std::fs::read(array).unwrap();
    let here = &array[array.len() - frames * 540..];
    let memory = std::fs::read(memory).unwrap();
    let there = &memory[FRAMES_AT..FRAMES_AT + frames * 540];
    let different = here.iter().zip(there).filter(|(a, b)| a != b).count();
    println!("{frames} frames of 180 LEDs on two emulated harts: {different} of {} bytes differ", here.len());
    assert!(frames > 7_000 && here.iter().any(|b| *b > 30), "there is light");
    assert_eq!(different, 0);
}

#[test]
fn a_million_reads_are_whole() {
    if ready().is_none() {
        return;
    }
    let _turn = Turn::beside();
    let answers = ask(support::folder().path(), [2, 0, 0, 0, 0], &[], &["-smp", "2"]);
    for (answer, reads) in answers.iter().zip([500, 1_000_000]) {
        println!("{answer}");
        assert_eq!(answer["reads"], reads);
        assert_eq!((&answer["torn"], &answer["backwards"]), (&0.into(), &0.into()));
        assert!(answer["worst_retries"].as_u64() <= Some(1));
    }
    assert!(answers[1]["writes"].as_u64() > Some(10_000), "the other hart wrote at the same time");
}
