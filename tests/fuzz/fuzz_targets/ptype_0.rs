#![no_main]

#[allow(dead_code)]
#[path = "../../src/fuzz/mod.rs"]
mod fuzz;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::clear::ptype_0(data));
