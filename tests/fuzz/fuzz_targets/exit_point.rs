#![no_main]

#[allow(dead_code)]
#[path = "../../src/fuzz/mod.rs"]
mod fuzz;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::exit_point::exit_point(data));
