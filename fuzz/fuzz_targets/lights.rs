#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| k1_sim::hostile::lights(bytes));
