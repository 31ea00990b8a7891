//! Replays the committed corpus through the bodies of the fuzz targets, with any toolchain.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod data_path;
mod dynamic_authorization;
mod eap;
mod eap_methods;
mod exchange;
mod mhauth_eap;
mod nat64;
mod neighbour;
mod offload;
mod portal;
mod radius;
mod relay;
mod world;

use std::path::{Path, PathBuf};

use tests::fuzz::TARGETS;

/// Name and octets.
type Seed = (String, Vec<u8>);

#[test]
fn every_file_of_the_corpus_passes_through_its_target() {
    for (name, body) in TARGETS {
        let files = files(&folder(name));
        assert!(!files.is_empty(), "the corpus of the fuzz target {name} is empty");
        let replay = move || {
            for file in files {
                println!("{}", file.display());
                body(&std::fs::read(file).unwrap());
            }
        };
        // A thread for each: a simulated world hears what its thread logs, and of other targets' warnings it expects none.
        assert!(std::thread::spawn(replay).join().is_ok(), "the fuzz target {name} fails");
    }
}

#[test]
fn every_folder_of_the_corpus_and_every_fuzz_target_is_in_the_table() {
    let known: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    for entry in files(&fuzz().join("corpus")).into_iter().chain(files(&fuzz().join("fuzz_targets"))) {
        let name = entry.file_stem().unwrap().to_str().unwrap();
        assert!(known.contains(&name), "{} is in no line of tests::fuzz::TARGETS", entry.display());
    }
}

/// The seeds reach what they are named for: among them are messages that are taken to the end.
#[test]
fn the_seeds_are_in_the_corpus() {
    for (target, seeds) in seeds() {
        for (name, data) in seeds {
            let file = folder(target).join(&name);
            let committed = std::fs::read(&file).unwrap_or_default();
            assert!(committed == data, "{} is not the seed: run the ignored test of this file", file.display());
        }
    }
}

#[test]
#[ignore = "writes the seeds into fuzz/corpus, after a message has changed on purpose"]
fn the_seeds_are_written_anew() {
    for (target, seeds) in seeds() {
        std::fs::create_dir_all(folder(target)).unwrap();
        for (name, data) in seeds {
            std::fs::write(folder(target).join(name), data).unwrap();
        }
    }
}

/// Target and seeds.
fn seeds() -> Vec<(&'static str, Vec<Seed>)> {
    let of_eap = [eap::all(), eap_methods::all(), mhauth_eap::all()].concat();
    [
        exchange::all(),
        data_path::all(),
        of_eap,
        portal::all(),
        radius::all(),
        relay::all(),
        nat64::all(),
        neighbour::all(),
        dynamic_authorization::all(),
        offload::all(),
        world::all(),
    ]
    .concat()
}

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn folder(target: &str) -> PathBuf {
    fuzz().join("corpus").join(target)
}

/// The entries of a folder in a fixed order; a folder that is missing fails.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("cannot read {}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}
