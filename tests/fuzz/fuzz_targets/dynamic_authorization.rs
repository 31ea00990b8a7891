#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tests::fuzz::dynamic_authorization::dynamic_authorization(data));
