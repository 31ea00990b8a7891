"""What is measured of a tunnel that is up: each function takes it with the seconds to spend, and gives figures by name."""
import contextlib
import itertools
import json
import os
import re
import subprocess
import time

import world
from world import CN_INNER, MN_INNER, Failed, inside, run

TCP_PORT, UDP_PORT = "5300", 5400
LABTOOL = None  # where `labtool` is; system.py sets it
LOSS = 0.01
SESSIONS = itertools.count(1)
UP, DOWN = "up", "down"  # mn to cn, cn to mn


def quantile(values, share):
    """The value below which a share of the sorted values lies; None of none."""
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))] if values else None


def round_trips(text):
    """The times of a ping's output, in ms."""
    return [float(time) for time in re.findall(r"time=([\d.]+) ms", text)]


@contextlib.contextmanager
def pings_beside(seconds):
    """A hundred echoes a second meanwhile; gives a list that is filled at the end.

    Of two pings, since one that has 10 ms or less to its next echo, and none under way, spins until then: it would take processor time
    from tunnels that answer soon, and none from those that do not."""
    found = []
    words = inside("mn", "ping", "-n", "-i", "0.02", "-c", str(max(1, int(seconds * 50 - 25))), "-W", "2", CN_INNER)
    with contextlib.ExitStack() as stack:
        pings = [stack.enter_context(subprocess.Popen(words, stdout=subprocess.PIPE, text=True)) for _ in range(2)]
        yield found
        for ping in pings:
            found += round_trips(ping.communicate(timeout=30)[0])


def iperf(seconds, *options):
    """The report of an iperf3 from mn to cn."""
    words = inside("cn", "iperf3", "-s", "-1", "-p", TCP_PORT)
    server = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(0.2)
        words = inside("mn", "iperf3", "-c", CN_INNER, "-p", TCP_PORT, "-t", str(seconds), "-C", "cubic", "-J", *options)
        report = json.loads(run(words, limit=seconds + 30))
        if "error" in report:
            raise Failed(f"iperf3: {report['error']}")
        return report["end"]
    finally:
        server.terminate()
        server.wait()


def loaded(tunnel, seconds, *options):
    """One TCP flow with echoes beside it: Gbit/s, CPU seconds of both ends a GB of payload, round trips in ms."""
    with pings_beside(seconds) as trips:
        before = tunnel.cpu_seconds()
        received = iperf(seconds, *options)["sum_received"]
        used = tunnel.cpu_seconds() - before
    return {
        "gbps": received["bits_per_second"] / 1e9,
        "cpu_per_gb": used / (received["bytes"] / 1e9),
        "rtt_p50_ms": quantile(trips, 0.5),
        "rtt_p99_ms": quantile(trips, 0.99),
    }


def tcp(tunnel, seconds):
    """A single flow as fast as it goes, each way."""
    return {UP: loaded(tunnel, seconds), DOWN: loaded(tunnel, seconds, "-R")}


def flows(tunnel, seconds, count=8):
    """Several flows each way: Gbit/s in all, and the slowest flow's part of its fair share."""
    result = {}
    for way, options in ((UP, []), (DOWN, ["-R"])):
        end = iperf(seconds, "-P", str(count), *options)
        each = [stream["receiver"]["bits_per_second"] for stream in end["streams"]]
        result[way] = {"gbps": sum(each) / 1e9, "slowest_share": min(each) * count / sum(each)}
    return result


def both_ways(tunnel, seconds):
    """A flow each way at once: Gbit/s of each and in all."""
    end = iperf(seconds, "--bidir")
    up, down = (end[name]["bits_per_second"] / 1e9 for name in ("sum_received", "sum_received_bidir_reverse"))
    return {"up_gbps": up, "down_gbps": down, "gbps": up + down}


def paced(tunnel, seconds):
    """CPU at a paced 1 Gbit/s, and round trips beside a paced 500 Mbit/s: what a tunnel costs that is not driven to its limit."""
    return {"at_1g": loaded(tunnel, seconds, "-b", "1G"), "at_500m": loaded(tunnel, seconds, "-b", "500M")}


def idle(tunnel, seconds):
    """Round trips with nothing beside them in µs, then CPU time of both ends with nothing at all, as a share of a core."""
    count = max(50, int(seconds * 50))
    trips = round_trips(run(inside("mn", "ping", "-n", "-i", "0.02", "-c", str(count), "-W", "1", CN_INNER)))
    time.sleep(0.5)
    before = tunnel.cpu_seconds()
    time.sleep(seconds)
    used = tunnel.cpu_seconds() - before
    return {"rtt_p50_us": quantile(trips, 0.5) * 1e3, "rtt_p99_us": quantile(trips, 0.99) * 1e3, "cpu_share": used / seconds}


def burst(way, rate, seconds, octets):
    """Packets a second that arrived of a burst, and the share that was lost."""
    source, sink, to = ("mn", "cn", CN_INNER) if way == UP else ("cn", "mn", MN_INNER)
    session = next(SESSIONS)
    port = UDP_PORT + session % 500
    receive = inside(sink, LABTOOL, "receive-burst", f"0.0.0.0:{port}", "--session", str(session))
    with subprocess.Popen(receive, stdout=subprocess.PIPE, text=True) as receiver:
        receiver.stdout.readline()
        send = inside(source, LABTOOL, "send-burst", "--to", f"{to}:{port}", "--session", str(session))
        sent = json.loads(run([*send, "--seconds", str(seconds), "--rate", str(rate), "--octets", str(octets)]))
        text = receiver.communicate(timeout=30)[0]
    if not text.strip():
        return 0.0, 1.0
    received = json.loads(text)
    return received["packets"] / max(sent["seconds"], received["seconds"]), 1 - received["packets"] / max(1, sent["packets"])


def highest_rate(way, seconds, octets, steps=7):
    """Packets a second at less than 1 % loss: what gets through a flood, then closer between a rate that held and one that did not.

    A flood takes the tunnel's CPU on a small machine, so rates above what it carried are tried too.
    """
    best, loss = burst(way, 0, seconds, octets)
    if loss < LOSS:
        return best
    good, bad, rate, best = 0.0, None, best, 0.0
    for _ in range(steps):
        got, loss = burst(way, rate, seconds, octets)
        if loss < LOSS:
            good, best = max(good, rate), max(best, got)
        else:
            bad = rate if bad is None else min(bad, rate)
        if bad is None:
            rate *= 1.3
        elif not good:
            rate *= 0.7
        elif bad - good < 0.04 * bad:
            break
        else:
            rate = (good + bad) / 2
    return best


def packets(tunnel, seconds):
    """Packets of 64 octets of payload a second at less than 1 % loss, each way."""
    return {way: highest_rate(way, min(0.7, seconds / 4), 64) for way in (UP, DOWN)}


def crowd(tunnel, seconds, subscribers=250, each=4):
    """CPU of both ends with nothing to do, as a share of a core, while the home agent has 1,000 associations. Of HALTSEC's first
    suite alone: an association at rest has no cipher yet."""
    if tunnel.name != "haltsec:gcm":
        return None
    state, bin_folder = world.STATE, os.path.dirname(LABTOOL)
    folders = [f"{state}/crowd/{number}" for number in range(subscribers)]
    for number, folder in enumerate(folders):
        add = [f"{bin_folder}/hac", "-c", f"{state}/hac/hac.toml", "subscriber", "add", f"crowd{number}@example.org", "--out", folder]
        run([*add, "--connect", f"{world.ADDRESSES['HAO']}:7872"])
    # Few side by side: the controller takes 64 connections at a time from one address, and one that ends counts until it is closed.
    for start in range(0, subscribers, 10):
        nodes = [f"{folder}/mn.toml" for folder in folders[start:start + 10]]
        run(inside("mn", LABTOOL, "authenticate", "--times", str(each), *nodes), limit=120)
    status = json.loads(run([f"{bin_folder}/ha", "-c", f"{state}/ha/ha.toml", "status", "--json"]))
    time.sleep(1)
    before = tunnel.cpu_seconds()
    time.sleep(seconds * 15)
    return {"associations": status["security_associations"]["held"], "cpu_share": (tunnel.cpu_seconds() - before) / (seconds * 15)}


ALL = {"idle": idle, "tcp": tcp, "flows": flows, "both_ways": both_ways, "paced": paced, "packets": packets, "crowd": crowd}
