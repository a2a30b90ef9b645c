//! Settings on a flash that tears writes: after a power cut at any step, the memory holds the old or the new value.

use embassy_futures::block_on;
use k1_device::exchange::Settings;
use k1_device::settings::{Group, Hardware, Memory, Power, Scene, Scenes, Store, StripSettings, Wifi};
use k1_engine::light::{Matrix, Shape};
use k1_engine::params::Param;
use k1_sim::flash::{Flash, SECTOR, Tear};

const SECTORS: usize = 4;

fn store(flash: Flash) -> Store<Flash> {
    Store::new(flash, 0..(SECTORS * SECTOR) as u32).expect("whole sectors")
}

/// The memory after `n` changes.
fn after(n: usize) -> Memory {
    let mut memory = Memory::default();
    for i in 0..n {
        change(&mut memory, i);
    }
    memory
}

/// The groups that change in turn. The scenes are made, replaced and removed.
const CHANGING: [Group; 6] =
    [Group::Look, Group::Hardware, Group::Strip, Group::Wifi, Group::Power, Group::Scene(0)];

/// Change number `i`.
fn change(memory: &mut Memory, i: usize) {
    match i % CHANGING.len() {
        0 => {
            memory.look.params.set(Param::Warmth, (i % 100) as f32 / 100.0);
            memory.look.pattern = i % k1_engine::patterns::PATTERNS.len();
        }
        1 => memory.hardware.leds = 1 + (i % 300) as u16,
        2 => memory.strip.shape = Shape::Matrix(Matrix::new(1 + (i % 300) as u16, 1)),
        4 => memory.power = Power { brightness: (i % 100) as f32 / 100.0, scene: Some(0), ..Power::new() },
        5 if i % 4 == 1 => _ = memory.scenes.remove("a scene"),
        5 => {
            let (look, brightness) = (Some(memory.look.look()), Some((i % 50) as f32 / 50.0));
            memory.scenes.set(Scene { name: "a scene".into(), fade_s: i as f32, brightness, look });
        }
        _ => memory.wifi.ssid = heapless::String::try_from(format!("network {i}").as_str()).unwrap(),
    }
}

fn save(store: &mut Store<Flash>, memory: &Memory, i: usize) -> bool {
    block_on(store.save(memory, CHANGING[i % CHANGING.len()]))
}

/// Saves changes until one fails; returns the number of saved changes.
fn run(store: &mut Store<Flash>, changes: core::ops::Range<usize>) -> usize {
    let mut memory = after(changes.start);
    for i in changes.clone() {
        change(&mut memory, i);
        if !save(store, &memory, i) {
            return i;
        }
    }
    changes.end
}

/// Loads the memory from a flash. Returns the memory, true if something was lost, and the flash.
fn load(flash: Flash) -> (Memory, bool, Flash) {
    let mut kept = flash.clone();
    let mut s = store(flash);
    let (memory, loaded) = block_on(s.load());
    // The next start finds the flash as loading has repaired it.
    kept.bytes = s.into_flash().bytes;
    (memory, loaded.erased || loaded.damaged > 0, kept)
}

#[test]
fn every_cut_keeps_the_old_or_the_new() {
    // Enough changes to use up the area, so that sectors are erased and copied.
    const BEFORE: usize = 150;
    const DURING: usize = 90;
    let mut s = store(Flash::new(SECTORS));
    assert_eq!(run(&mut s, 0..BEFORE), BEFORE);
    let start = s.into_flash();
    let first = start.steps;
    let mut whole = store(start.clone());
    assert_eq!(run(&mut whole, BEFORE..BEFORE + DURING), BEFORE + DURING);
    let last = whole.into_flash().steps;
    let mut cuts = 0;
    for step in first..last {
        for tear in Tear::ALL {
            let mut flash = start.clone();
            flash.cut_at(step, tear);
            let mut s = store(flash);
            let done = run(&mut s, BEFORE..BEFORE + DURING);
            assert!(done < BEFORE + DURING, "the cut at {step} was not met");
            let mut flash = s.into_flash();
            flash.power_on();
            let (memory, lost, flash) = load(flash);
            assert!(!lost, "step {step}, {tear:?}");
            assert!(memory == after(done) || memory == after(done + 1), "step {step}, {tear:?}: {memory:?}");
            // The store can write again.
            let mut s = store(flash);
            assert_eq!(run(&mut s, done..done + 6), done + 6, "step {step}, {tear:?}");
            assert_eq!(load(s.into_flash()).0, after(done + 6), "step {step}, {tear:?}");
            cuts += 1;
        }
    }
    println!("{} flash steps in {DURING} saves, {cuts} cuts: old or new each time", last - first);
    assert!(last - first > 150, "{}", last - first);
}

#[test]
fn any_garbage_is_a_lamp_on_its_first_day() {
    for seed in 0..60_u64 {
        let mut flash = Flash::new(SECTORS);
        let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        for byte in &mut flash.bytes {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            *byte = match seed % 3 {
                0 => x as u8,
                1 => 0,
                _ => !(1 << (x % 8)),
            };
        }
        let (memory, _, flash) = load(flash);
        assert_eq!(memory, Memory::default(), "{seed}");
        let mut s = store(flash);
        assert_eq!(run(&mut s, 0..30), 30, "{seed}");
        assert_eq!(load(s.into_flash()).0, after(30), "{seed}");
    }
}

#[test]
fn one_flipped_bit_costs_at_most_its_own_group() {
    let mut s = store(Flash::new(SECTORS));
    run(&mut s, 0..6);
    let good = s.into_flash();
    let used = good.bytes.iter().rposition(|b| *b != 0xff).unwrap().min(900);
    for bit in 0..used * 8 {
        let mut flash = good.clone();
        flash.bytes[bit / 8] ^= 1 << (bit % 8);
        let (memory, _, _) = load(flash);
        let same = |a: bool| usize::from(a);
        let set = after(6);
        let kept = same(memory.look == set.look || memory.look == Settings::default())
            + same(memory.hardware == set.hardware || memory.hardware == Hardware::default())
            + same(memory.strip == set.strip || memory.strip == StripSettings::default())
            + same(memory.wifi == set.wifi || memory.wifi == Wifi::default())
            + same(memory.power == set.power || memory.power == Power::default())
            + same(memory.scenes == set.scenes || memory.scenes == Scenes::default());
        assert_eq!(kept, 6, "bit {bit}: a value that nobody has set");
    }
}

#[test]
fn an_area_of_odd_size_is_refused() {
    assert!(Store::new(Flash::new(4), 0..100).is_none());
    assert!(Store::new(Flash::new(4), 0..SECTOR as u32).is_none(), "one sector cannot be erased safely");
}
