#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tests::fuzz::over_tls::ttls_avp(data));
