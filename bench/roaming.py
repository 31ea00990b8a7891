#!/usr/bin/env python3
"""Measures what a move of the mobile node costs, beside other tunnels, and writes the table and the plots of docs/roaming.md.

A numbered UDP stream runs through the tunnel: `both`, 10,000 packets a second each way; `down`, 1,000 a second to a mobile node
whose applications are silent. Its outer address is deleted, one of another subnet of the same link added, and the route to what the
home agent has outside pointed there; then back, and so on. Rounds are interleaved as in system.py, each with a fresh tunnel. Needs root, iproute2,
ping and cc. Results go to target/bench/roaming.jsonl, a line for each move.
"""
import argparse
import json
import mmap
import os
import random
import subprocess
import sys
import time

import plot
import system
import tables
import world

PEERS = ["haltsec:gcm", "wireguard-go:new", "wireguard-go", "openvpn:gcm", "strongswan:gcm"]
RATES = {"both": (10_000, 10_000), "down": (0, 1_000)}  # packets a second from the mobile node, and to it
# Outer address of the mobile node, and the router of that subnet, which is the home agent. A peer may answer from its address there and
# expect the mobile node to know it from then on, so the route of each place leads to both subnets; to no more, so that nothing gets
# past the tunnel.
PLACES = [(world.ADDRESSES["MNO4"], world.ADDRESSES["HAO4"]), ("198.18.1.2", "198.18.1.1")]
OUTSIDE = "198.18.0.0/15"
WAYS = ("up", "down")
CAPACITY, COUNTERS, COUNTERS_EACH = 1 << 20, 4096 // 8, 8  # of probe.c, in words of 64 bits
SECOND = 1_000_000_000
UNDER_WAY = 0.02  # seconds after a move in which what left before it may still arrive: a hole that begins later is not the move's
AFTER = 1.0  # seconds that a stream is watched after it is back, and before a move, for what it does without one
STEADY = 0.02  # seconds since the last arrival in which a stream counts as running


class Stream:
    """The probe's streams while the `with` lasts."""

    def __init__(self, mode):
        self.rates = RATES[mode]
        self.ways = [number for number, rate in enumerate(self.rates) if rate]

    def __enter__(self):
        name = f"{world.STATE}/probe"
        ends = zip(("mn", "cn"), (world.MN_INNER, world.CN_INNER), map(str, self.rates))
        words = [f"{system.TARGET}/bench/probe", name, *(word for end in ends for word in end)]
        self.probe = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        if self.probe.stdout.readline().strip() != "streaming":
            raise world.Failed("the probe does not stream")
        with open(name, "rb") as file:
            self.words = memoryview(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)).cast("Q")
        return self

    def __exit__(self, *_):
        self.probe.kill()
        self.probe.wait()

    def counter(self, way, name):
        """One of the counters of a way."""
        return self.words[way * COUNTERS_EACH + ("sent", "refused", "arrived", "repeated", "last_arrival").index(name)]

    def times(self, way, kind, first, last):
        """When the packets from a number up to another left (0) or came (1)."""
        start = COUNTERS + (2 * way + kind) * CAPACITY
        return self.words[start + first:start + last].tolist()

    def is_steady(self, arrived):
        """Whether each way has run for a fifth of a second since it had so many arrivals, and runs now."""
        now = time.time_ns()
        return all(now - self.counter(way, "last_arrival") < STEADY * SECOND
                   and self.counter(way, "arrived") > arrived[way] + self.rates[way] / 5 for way in self.ways)

    def counters(self, name):
        """One of the counters, of both ways."""
        return [self.counter(way, name) for way in range(2)]

    def wait_until_steady(self, limit, arrived):
        """Whether the streams run again within a limit; so many had arrived before."""
        end = time.monotonic() + limit
        while not self.is_steady(arrived):
            if time.monotonic() > end:
                return False
            time.sleep(0.005)
        return True

    def has_room(self, seconds):
        """Whether the probe keeps the times of so many seconds more."""
        return all(self.counter(way, "sent") + self.rates[way] * seconds < CAPACITY for way in self.ways)


def longest(times, until=None):
    """The longest hole between times, in ms; of those that begin until a time where one is given."""
    holes = zip(times, times[1:])
    return max(((later - earlier) / 1e6 for earlier, later in holes if until is None or earlier <= until), default=None)


def of_move(stream, way, sent, repeated, began, took, is_back):
    """Figures of a way around a move that took so many ms; `sent` had left when it began, and `repeated` had come again."""
    last = stream.counter(way, "sent") - int(stream.rates[way] / 20)  # what left just now may be under way
    first = max(0, sent - int(stream.rates[way] * AFTER))
    left, came = (stream.times(way, kind, first, last) for kind in (0, 1))
    arrivals = sorted(filter(None, came))
    before = [at for at in arrivals if at <= began]
    after = [at for at in arrivals if at > began]
    return {
        "gap_ms": longest(before[-1:] + after, began + took * 1e6 + UNDER_WAY * SECOND) if is_back else None,
        "after_gap_ms": longest(before[-1:] + after),
        "lost": came[sent - first:].count(0),
        "came_twice": stream.counter(way, "repeated") - repeated,
        "still_gap_ms": longest(before),
        "still_lost": came[:sent - first - int(stream.rates[way] / 20)].count(0),
        "sender_gap_ms": longest(left),
    }


def move_to(place):
    """The mobile node's outer address becomes that of a place; gives when that began and how long it took, in ns and ms."""
    (old, _), (new, router) = PLACES[1 - place], PLACES[place]
    lines = f"address delete {old}/24 dev mo\naddress add {new}/24 dev mo\nroute replace {OUTSIDE} via {router} dev mo\n"
    began = time.time_ns()
    world.run(["ip", "-n", "mn", "-batch", "-"], input=lines)
    return began, (time.time_ns() - began) / 1e6


def moved(stream, place, limit):
    """One move and what it cost."""
    arrived, sent, repeated = (stream.counters(name) for name in ("arrived", "sent", "repeated"))
    began, took = move_to(place)
    is_back = stream.wait_until_steady(limit, arrived)
    time.sleep(AFTER)
    figures = {WAYS[way]: of_move(stream, way, sent[way], repeated[way], began, took, is_back) for way in stream.ways}
    return {"move_ms": took, **figures}


def moves(tunnel, mode, most, seconds, limit, longest_gap):
    """What each of so many moves cost, or of as many as go into the seconds: at least one, and none behind one that did not come back.

    A move comes at any moment of what a tunnel does by the clock: some time after the last one, random and up to the longest gap so
    far, in seconds. Right behind the keepalive that ended the last gap, the next is always as far away as it can be."""
    end = time.monotonic() + seconds
    with Stream(mode) as stream:
        if not stream.wait_until_steady(10, [0, 0]):
            raise world.Failed(f"{tunnel.name}: no steady stream")
        time.sleep(AFTER)
        for number in range(most):
            pause = random.uniform(0, longest_gap)
            if number and time.monotonic() + pause > end or not stream.has_room(pause + 2 * AFTER + limit):
                return
            time.sleep(pause)
            result = moved(stream, 1 - number % 2, limit)
            yield {"move": number, **result}
            gap = worse_gap(result)
            if gap is None:
                return
            longest_gap = max(longest_gap, gap / 1e3)


def measured(peer, mode, arguments, longest_gap):
    """The results of a round of a peer; `error` says what did not go."""
    try:
        with world.Tunnel(peer) as tunnel:
            # Else a tunnel that knows both families goes over to the one that does not move.
            world.run(["ip", "-n", "mn", "address", "delete", f"{world.ADDRESSES['MNO6']}/64", "dev", "mo"])
            yield from moves(tunnel, mode, arguments.moves, arguments.seconds, arguments.limit, longest_gap)
    except Exception as error:  # one peer that fails must not end the measurement of the others
        yield {"error": f"{type(error).__name__}: {error}"}


def brief(results):
    """A line that tells how a round went."""
    words = [result["error"] for result in results if "error" in result]
    for way in WAYS:
        of_way = [result[way] for result in results if way in result]
        gaps = ["–" if each["gap_ms"] is None else f"{each['gap_ms']:.1f}" for each in of_way]
        words += [f"{way} {' '.join(gaps)} ms, lost {sum(each['lost'] for each in of_way)}"] if of_way else []
    return "; ".join(words)


def measure(peers, arguments, out):
    """All rounds; each result is a line of `out`, too."""
    results, longest_gaps = [], {}
    for number in range(arguments.rounds):
        turn = number % len(peers)
        order = peers[turn:] + peers[:turn]
        for peer in order if number % 2 == 0 else order[::-1]:
            for mode in arguments.modes.split(","):
                start, found = time.monotonic(), []
                longest_gap = longest_gaps.get((peer, mode), 0.0)
                for result in measured(peer, mode, arguments, longest_gap):
                    found.append({"peer": peer, "mode": mode, "round": number, "load": os.getloadavg()[0], **result})
                    print(json.dumps(found[-1]), file=out, flush=True)
                results += found
                gaps = [worse_gap(result) or 0.0 for result in found if "error" not in result]
                longest_gaps[peer, mode] = max([longest_gap, *(gap / 1e3 for gap in gaps)])
                took = time.monotonic() - start
                print(f"round {number + 1} of {arguments.rounds}: {peer}, {mode}: {brief(found)} ({took:.0f} s)", flush=True)
    return results


def write_up(head, results):
    """Puts table and plots where they stand."""
    text = tables.roaming(head, results)
    print(text)
    tables.put("roaming", text, tables.ROAMING)
    for mode, title in (("both", "traffic both ways, 10,000 packets a second each"), ("down", "a stream to a silent mobile node")):
        rows = [row for row in results if row["mode"] == mode and "error" not in row]
        series = {peer: [worse_gap(row) for row in rows if row["peer"] == peer] for peer in dict.fromkeys(row["peer"] for row in rows)}
        if series:
            with open(f"{tables.ROOT}/docs/roaming-{mode}.svg", "w") as file:
                file.write(plot.distribution(f"The gap that a move makes: {title}", series))


def worse_gap(row):
    """The gap of the way that waited longer; None where one was not back."""
    gaps = [row[way]["gap_ms"] for way in WAYS if way in row]
    return None if None in gaps else max(gaps)


def main():
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("peers", nargs="*", help=f"default: those installed of {' '.join(PEERS)}; of two wireguard-go the newer")
    parser.add_argument("--rounds", type=int, default=3, help="fresh tunnels of each peer and mode")
    parser.add_argument("--moves", type=int, default=8, help="most of a round")
    parser.add_argument("--seconds", type=float, default=22, help="after which a round begins no other move")
    parser.add_argument("--limit", type=float, default=15, help="seconds in which a stream has to be back")
    parser.add_argument("--modes", default=",".join(RATES))
    parser.add_argument("--out", default=f"{system.TARGET}/bench/roaming.jsonl")
    parser.add_argument("--no-document", action="store_true", help="leave docs/roaming.md and its plots as they are")
    parser.add_argument("--from", dest="source", help="write up the results of this file again, and measure nothing")
    arguments = parser.parse_args()
    if arguments.source:
        with open(arguments.source) as file:
            head, *results = map(json.loads, file)
        write_up(head, results)
        return
    system.enter_namespaces()
    os.environ["HALTSEC_BIN"] = os.path.abspath(system.BIN)
    os.makedirs(f"{system.TARGET}/bench", exist_ok=True)
    probe = ["cc", "-std=c11", "-O2", "-Wall", "-pthread", "-o", f"{system.TARGET}/bench/probe", f"{world.HERE}/probe.c"]
    world.run(probe)
    versions = {peer: world.version(peer) for peer in arguments.peers or PEERS}
    for peer in [peer for peer, version in versions.items() if version is None]:
        print(f"{peer} is not installed: left out", flush=True)
    peers = [peer for peer, version in versions.items() if version]
    if not arguments.peers and "wireguard-go:new" in peers and "wireguard-go" in peers:
        peers.remove("wireguard-go")
    if not peers:
        sys.exit(f"none of the peers is installed; hac, ha and mn were looked for in {system.BIN}")
    head = {"machine": tables.machine(), "versions": versions, "programs": system.programs()}
    with open(arguments.out, "w") as out:
        print(json.dumps(head), file=out)
        results = measure(peers, arguments, out)
    if not arguments.no_document:
        write_up(head, results)
    if any("error" in result for result in results):
        sys.exit(1)


if __name__ == "__main__":
    main()
