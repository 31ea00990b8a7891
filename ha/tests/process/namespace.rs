//! The hosts of these tests: network namespaces.

use std::process::{Child, Command};

use fixture::{enter_new_network_namespace, shell};

/// Runs `body` in a new network namespace where the outer addresses of home agent and mobile node stand on the loopback device.
pub(crate) fn in_new_network_namespace<S: FnOnce() -> F, F: Future<Output = ()>>(body: S) {
    if !enter_new_network_namespace::<S>() {
        return;
    }
    for command in ["ip link set lo up", "ip addr add 198.51.100.1/32 dev lo", "ip addr add 192.0.2.7/32 dev lo"] {
        shell(command);
    }
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(body());
}

/// A correspondent node in a namespace of its own, behind a link on which this host forwards.
pub(crate) struct Correspondent(Child);

impl Correspondent {
    pub(crate) const IP6: &str = "2001:db8:cc::2";

    pub(crate) fn new() -> Self {
        let process = Command::new("unshare").args(["--net", "sleep", "600"]).spawn().unwrap();
        let correspondent = Self(process);
        let pid = correspondent.0.id();
        let has_left = format!("test $(readlink /proc/{pid}/ns/net) != $(readlink /proc/self/ns/net)");
        shell(&format!("for i in $(seq 100); do {has_left} && break; sleep 0.02; done; {has_left}"));
        shell(&format!("ip link add cn type veth peer name eth0 netns {pid} && ip link set cn up"));
        shell("ip addr add 203.0.113.1/24 dev cn && ip addr add 2001:db8:cc::1/64 dev cn nodad");
        shell("echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding");
        correspondent.shell("ip link set eth0 up; ip addr add 203.0.113.2/24 dev eth0; ip route add default via 203.0.113.1");
        correspondent.shell("ip addr add 2001:db8:cc::2/64 dev eth0 nodad && ip -6 route add default via 2001:db8:cc::1");
        let answer = correspondent.shell("ping -6 -c 5 -i 0.2 -W 1 2001:db8:cc::1");
        assert!(answer.contains("bytes from"), "{answer}");
        correspondent
    }

    /// What a shell prints there; its exit status is not looked at.
    pub(crate) fn shell(&self, command: &str) -> String {
        let pid = self.0.id().to_string();
        let output = Command::new("nsenter").args(["-t", &pid, "-n", "sh", "-c", command]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Correspondent {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}
