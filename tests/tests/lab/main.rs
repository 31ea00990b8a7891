//! The main job with the real programs: HAC, home agent and mobile node, each in a namespace, set up by their own commands.

mod attacks;
mod breadth;
mod capture;
mod clean_up;
mod commands;
mod data_path;
mod discovery;
mod dns;
mod eap;
mod handover;
mod json;
mod laptop;
mod main_job;
mod nat;
mod path_mtu;
mod refusals;
mod remapping;
mod remedies;
mod renewal;
mod replays;
mod restarts;
mod resume;
mod roaming;
mod secrets;
mod setup;
mod wire;
