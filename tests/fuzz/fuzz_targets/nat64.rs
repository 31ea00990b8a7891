#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tests::fuzz::nat64::nat64(data));
