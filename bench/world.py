"""The namespaces of the system measurement, and the peers in them. Everything ends with the namespaces that system.py entered.

    mn (mo) ---- outer 198.18.0.0/24, fd00:18::/64 ---- (ho) ha (hh) ---- home 10.8.0.0/24, fd00:8::/64 ---- (ch) cn
    home addresses: mn 10.9.0.2, fd00:9::2; the home agent is also the router of a second subnet of the outer link, 198.18.1.0/24 and
    fd00:18:1::/64, which roaming.py moves to

The home agent forwards between the tunnel and a real link, as it does in service.
"""
import os
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
STATE = "/run/bench"
MN_INNER, CN_INNER = "10.9.0.2", "10.8.0.2"
ADDRESSES = {
    "MN": "mn", "HA": "ha", "CN": "cn", "STATE": STATE, "OUTER": "4", "HAO": "198.18.0.1", "HAO4": "198.18.0.1", "HAO6": "fd00:18::1",
    "MNO4": "198.18.0.2", "MNO6": "fd00:18::2", "MNI4": MN_INNER, "MNI6": "fd00:9::2",
}
LINKS = [
    # namespace, interface, addresses
    ("mn", "mo", ["198.18.0.2/24", "fd00:18::2/64"]),
    ("ha", "ho", ["198.18.0.1/24", "fd00:18::1/64", "198.18.1.1/24", "fd00:18:1::1/64"]),
    ("ha", "hh", ["10.8.0.1/24", "fd00:8::1/64"]),
    ("cn", "ch", ["10.8.0.2/24", "fd00:8::2/64"]),
]
NO_OFFLOADS = "-nogso"
CPUCLOCK_SCHED = 2  # of the process that the other bits name, inverted: what clock_getcpuclockid(3) gives


class Failed(Exception):
    """A peer that did not come up, or a measurement that gave nothing."""


def run(words, limit=60, **more):
    """The standard output of a command; Failed with what it said when it fails."""
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=limit, **more)
    if done.returncode:
        raise Failed(f"{' '.join(words[:12])}: {(done.stderr + done.stdout).strip()[-500:]}")
    return done.stdout


def inside(namespace, *words):
    """A command in a namespace."""
    return ["ip", "netns", "exec", namespace, *words]


def build():
    """Makes the namespaces, links and routes. Offloads of the links are on, as the kernel makes them."""
    os.makedirs(STATE, exist_ok=True)
    for namespace in ("mn", "ha", "cn"):
        run(["ip", "netns", "add", namespace])
        run(inside(namespace, "sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.default.router_solicitations=0"))
        run(["ip", "-n", namespace, "link", "set", "lo", "up"])
    run(inside("ha", "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"))
    for left, right in ((LINKS[0], LINKS[1]), (LINKS[2], LINKS[3])):
        run(["ip", "link", "add", left[1], "netns", left[0], "type", "veth", "peer", "name", right[1], "netns", right[0]])
    for namespace, interface, addresses in LINKS:
        for address in addresses:
            run(["ip", "-n", namespace, "address", "add", address, "dev", interface])
        run(["ip", "-n", namespace, "link", "set", interface, "up"])
    for gateway in ("10.8.0.1", "fd00:8::1"):
        run(["ip", "-n", "cn", "route", "add", "default", "via", gateway])


def tear_down():
    """Takes the namespaces down; their interfaces go with them."""
    for namespace in ("mn", "ha", "cn"):
        subprocess.run(["ip", "netns", "delete", namespace], stderr=subprocess.DEVNULL, check=False)
    subprocess.run(["rm", "-rf", STATE], check=False)


def switch_offloads_off():
    """No segmentation and no aggregation on any link: each packet is one everywhere, as on a bare network card."""
    for namespace, interface, _ in LINKS:
        run(inside(namespace, "ethtool", "-K", interface, "tso", "off", "gso", "off", "gro", "off"))


def peer(action, name):
    """What peer.sh prints for an action on a peer."""
    environment = {"MTU": "1420", **os.environ, **ADDRESSES}
    return run(["bash", f"{HERE}/peer.sh", action, name.removesuffix(NO_OFFLOADS)], env=environment)


def version(name):
    """The version of a peer, or None where it is not installed."""
    try:
        return peer("version", name).strip() or None
    except Failed:
        return None


class Tunnel:
    """A peer between mn and cn that carries packets; everything is taken down behind the `with`."""

    def __init__(self, name):
        self.name = name

    def __enter__(self):
        tear_down()
        build()
        try:
            if self.name.endswith(NO_OFFLOADS):
                switch_offloads_off()
            peer("up-ha", self.name)
            peer("up-mn", self.name)
            self.wait_until_it_carries()
        except BaseException:
            self.__exit__()
            raise
        self.pids = [int(line) for side in ("mn", "ha") for line in self.read(f"pids.{side}")]
        self.mtu = int(self.read("mtu")[0])
        return self

    def __exit__(self, *_):
        try:
            peer("down", self.name)
        finally:
            tear_down()

    @staticmethod
    def read(name):
        """The lines of a file that the peer left in the scratch folder."""
        try:
            with open(f"{STATE}/{name}") as file:
                return file.read().split()
        except FileNotFoundError:
            return []

    def wait_until_it_carries(self, limit=20):
        """Pings until an echo comes back."""
        end = time.monotonic() + limit
        while subprocess.run(inside("mn", "ping", "-qnc1", "-W1", CN_INNER), stdout=subprocess.DEVNULL, check=False).returncode:
            if time.monotonic() > end:
                raise Failed(f"{self.name}: no echo within {limit} s")

    def cpu_seconds(self):
        """CPU time of the tunnel's processes so far, ended threads too, by their own clocks: stat has hundredths of a second."""
        return sum(time.clock_gettime(~pid << 3 | CPUCLOCK_SCHED) for pid in self.pids)
