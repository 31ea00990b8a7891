#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tests::fuzz::exit_point::exit_point(data));
