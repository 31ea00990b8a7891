//! The router of a network goes, and the link's carrier stays, as behind a switch: the kernel finds out, and says so.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tests::lab::traffic::during;
use tests::lab::{Daemon, Deployment, Lab, Setup, inside, plan, wait_for};

/// What goes past the tunnel, as the node's own packets do.
const MARK: &str = "7872";
/// The kernel says so after less than this: a second of doubt and three questions.
const KERNEL: Duration = Duration::from_secs(10);
/// A network that is worse than any other.
const WORST: u32 = 20_000;

/// Registered over `wifi`, whose router the kernel asks after a second instead of half a minute.
fn on_wifi<'lab>(lab: &'lab Lab) -> Result<Deployment<'lab>> {
    let mut deployment = Deployment::with(lab, &Setup { in_memory: true, ..Setup::default() })?;
    let neighbours = |name: &str| format!("ipv4/neigh/wifi/{name}");
    let (reachable, delay, again) =
        (neighbours("base_reachable_time_ms"), neighbours("delay_first_probe_time"), neighbours("retrans_time_ms"));
    lab.sysctls(plan::MN, &[(&reachable, "500"), (&delay, "1"), (&again, "200")])?;
    lab.attach_with_metric(plan::WIFI, 100)?;
    deployment.mn_up(&[])?;
    Ok(deployment)
}

/// Something on the host that talks to the router itself, as most do for names.
fn talks_to_the_router(lab: &Lab) -> Result<Daemon> {
    let router = plan::ROUTER4.to_string();
    lab.spawn(plan::MN, "ping", Path::new("ping"), &["-n", "-q", "-m", MARK, "-i", "0.2", &router])
}

/// Neither frames for the old hardware address are taken there any more, nor questions for the address answered.
fn router_goes(lab: &Lab) -> Result<()> {
    lab.ip_batch(plan::NET, "link set wifi address 02:00:00:00:00:99\naddress delete 198.51.100.1/24 dev wifi")
}

/// Another one takes its place.
fn router_comes(lab: &Lab) -> Result<()> {
    lab.ip_batch(plan::NET, "address add 198.51.100.1/24 dev wifi")
}

/// The router goes; gives when the kernel has said that it does not answer.
fn router_fails(lab: &Lab) -> Result<Instant> {
    let events = lab.kernel_events(plan::MN)?;
    router_goes(lab)?;
    let since = Instant::now();
    wait_for("the kernel to find the router gone", KERNEL, || Ok(events.failed(plan::ROUTER4.into())))?;
    eprintln!("the kernel found out after {:.1?}", since.elapsed());
    Ok(Instant::now())
}

fn moves(deployment: &Deployment<'_>) -> Result<usize> {
    let (answer, _) = deployment.json("mn", &["handovers"])?;
    answer["handovers"].as_array().map(Vec::len).context("no records")
}

/// Nothing goes through the tunnel, so that only the kernel can notice.
#[test]
fn a_network_whose_router_has_gone_is_left_at_the_kernels_word() {
    inside(|lab| {
        let deployment = on_wifi(lab)?;
        lab.attach_with_metric(plan::LTE, WORST)?;
        let _talk = talks_to_the_router(lab)?;
        lab.expect_warning("mn", "the home agent does not answer over this network");
        let failed = router_fails(lab)?;
        deployment.wait_for_care_of(plan::LTE)?;
        let took = failed.elapsed();
        eprintln!("on the other network {took:.1?} later");
        ensure!(took < Duration::from_secs(1), "that took {took:?}");
        deployment.ping_everywhere()
    });
}

/// What is sent keeps asking for the router, so that the kernel notices that there is one again; the next Binding Update would be seconds
/// away.
#[test]
fn where_there_is_no_other_network_that_is_said_soon_and_the_node_is_back_as_soon_as_a_router_is() {
    inside(|lab| {
        let deployment = on_wifi(lab)?;
        let _talk = talks_to_the_router(lab)?;
        let (interval, to) = ("0.2", plan::CN4.to_string());
        let _traffic = lab.spawn(plan::MN, "traffic", Path::new("ping"), &["-n", "-q", "-i", interval, &to])?;
        lab.expect_warning("mn", "the home agent does not answer");
        lab.allow_warning("mn", "MHAuth failed");
        let failed = router_fails(lab)?;
        deployment.wait_for_state("registering")?;
        eprintln!("it says so {:.1?} later", failed.elapsed());
        ensure!(failed.elapsed() < Duration::from_secs(1), "that took {:?}", failed.elapsed());
        std::thread::sleep(Duration::from_secs(7));
        router_comes(lab)?;
        let since = Instant::now();
        deployment.wait_for_state("registered")?;
        eprintln!("registered again after {:.1?}", since.elapsed());
        ensure!(since.elapsed() < Duration::from_millis(1_200), "that took {:?}", since.elapsed());
        Ok(())
    });
}

/// A router that answers the home agent's packets but no question, say.
#[test]
fn the_kernels_word_alone_moves_nothing_and_costs_no_packet() {
    inside(|lab| {
        let deployment = on_wifi(lab)?;
        lab.attach_with_metric(plan::LTE, WORST)?;
        let _servers = lab.serve_traffic()?;
        let router = plan::ROUTER4.to_string();
        let streams = during(
            || lab.stream(plan::CN4, Duration::from_secs(5), 1_000),
            || {
                for _ in 0..12 {
                    std::thread::sleep(Duration::from_millis(300));
                    lab.run(plan::MN, &["ip", "neighbour", "replace", &router, "dev", plan::WIFI, "nud", "failed"])?;
                }
                Ok(())
            },
        )?;
        for stream in [&streams.up, &streams.down] {
            eprintln!("{stream:?}");
            ensure!(stream.received > 0 && stream.lost == 0 && stream.duplicates == 0, "{stream:?}");
        }
        let status = deployment.status("mn")?;
        ensure!(status["state"] == "registered" && status["interface"] == plan::WIFI, "{status}");
        ensure!(moves(&deployment)? == 1, "it moved {} times", moves(&deployment)? - 1);
        Ok(())
    });
}
