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
pub(crate) struct Correspondent(Host);

impl Correspondent {
    pub(crate) const IP6: &str = "2001:db8:cc::2";

    pub(crate) fn new() -> Self {
        let correspondent = Self(Host::new());
        let pid = correspondent.0.pid();
        shell(&format!("ip link add cn type veth peer name eth0 netns {pid} && ip link set cn up"));
        shell("ip addr add 203.0.113.1/24 dev cn && ip addr add 2001:db8:cc::1/64 dev cn nodad");
        shell("echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding");
        correspondent.shell("ip link set eth0 up; ip addr add 203.0.113.2/24 dev eth0; ip route add default via 203.0.113.1");
        correspondent.shell("ip addr add 2001:db8:cc::2/64 dev eth0 nodad && ip -6 route add default via 2001:db8:cc::1");
        let answer = correspondent.shell("ping -6 -c 5 -i 0.2 -W 1 2001:db8:cc::1");
        assert!(answer.contains("bytes from"), "{answer}");
        correspondent
    }

    /// See [`Host::shell`].
    pub(crate) fn shell(&self, command: &str) -> String {
        self.0.shell(command)
    }
}

/// A host on the home link, which is this host's interface `home`: it has the first address of each pool.
pub(crate) struct Neighbour(Host);

impl Neighbour {
    pub(crate) fn new() -> Self {
        let neighbour = Self(Host::new());
        let pid = neighbour.0.pid();
        shell(&format!("ip link add home address 02:00:00:00:00:01 type veth peer name eth0 netns {pid}"));
        shell("ip address add 10.9.0.1/24 dev home && ip address add 2001:db8:100::1/64 dev home nodad && ip link set home up");
        shell("echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding");
        neighbour.shell(
            "ip address add 10.9.0.77/24 dev eth0; ip address add 2001:db8:100::77/64 dev eth0 nodad; ip link set eth0 up",
        );
        let answer = neighbour.shell("ping -6 -c 20 -i 0.1 -W 1 2001:db8:100::1 | grep -m 1 'bytes from'");
        assert!(answer.contains("bytes from"), "{answer}");
        neighbour
    }

    /// See [`Host::shell`].
    pub(crate) fn shell(&self, command: &str) -> String {
        self.0.shell(command)
    }

    /// Whether an echo request is answered within two seconds.
    pub(crate) fn pings(&self, destination: &str) -> bool {
        self.shell(&format!("ping -c 1 -W 2 {destination}")).contains("bytes from")
    }
}

/// A process in a network namespace of its own.
struct Host(Child);

impl Host {
    fn new() -> Self {
        let host = Self(Command::new("unshare").args(["--net", "sleep", "600"]).spawn().unwrap());
        let has_left = format!("test $(readlink /proc/{}/ns/net) != $(readlink /proc/self/ns/net)", host.pid());
        shell(&format!("for i in $(seq 100); do {has_left} && break; sleep 0.02; done; {has_left}"));
        host
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }

    /// What a shell prints there; its exit status is not looked at.
    fn shell(&self, command: &str) -> String {
        let pid = self.pid().to_string();
        let output = Command::new("nsenter").args(["-t", &pid, "-n", "sh", "-c", command]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}
