//! The committed code is what the proto file says. `UPDATE=1 cargo test -p feed --test generated` writes it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::path::Path;

const MESSAGE_WITH_KEYS: &str = ".haltsec.feed.v1.SecurityAssociation";

#[test]
fn the_committed_code_is_generated_from_the_proto_file() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let committed = package.join("src/generated/haltsec.feed.v1.rs");
    let folder = tempfile::tempdir().unwrap();
    let descriptors = protox::Compiler::new([package.join("proto")])
        .and_then(|mut compiler| Ok(compiler.include_source_info(true).open_file("feed.proto")?.file_descriptor_set()))
        .unwrap();
    tonic_prost_build::configure()
        .build_transport(false)
        .skip_debug([MESSAGE_WITH_KEYS])
        .out_dir(folder.path())
        .compile_fds(descriptors)
        .unwrap();
    let generated = std::fs::read_to_string(folder.path().join("haltsec.feed.v1.rs")).unwrap();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&committed, &generated).unwrap();
    }
    let committed = std::fs::read_to_string(&committed).unwrap_or_default();
    assert!(committed == generated, "src/generated is not up to date: UPDATE=1 cargo test -p feed --test generated");
}
