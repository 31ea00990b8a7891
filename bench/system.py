#!/usr/bin/env python3
"""Measures whole tunnels side by side in network namespaces and writes the tables of docs/performance.md.

Rounds are interleaved: every peer once a round, in an order that turns, so that what the machine does meanwhile meets all alike.
Ratios are taken within a round, then the median of them. Needs root, iproute2, iperf3, ping and ethtool; a peer that is not
installed is left out. The programs are taken from target/release (HALTSEC_BIN), the results go to target/bench/system.jsonl.
"""
import argparse
import ctypes
import json
import os
import sys
import time

import measure
import tables
import world

ROOT = os.path.dirname(world.HERE)
TARGET = os.environ.get("CARGO_TARGET_DIR", f"{ROOT}/target")
BIN = os.environ.get("HALTSEC_BIN", f"{TARGET}/release")
PEERS = ["plain", "plain-nogso", "wireguard-go:new", "wireguard-go", "boringtun", "gotatun", "openvpn:gcm", "openvpn:cbc",
         "haltsec:gcm", "haltsec:cbc-sha256", "haltsec:cbc-sha", "haltsec:chacha"]
ENTERED = "HALTSEC_BENCH_ENTERED"


def enter_namespaces():
    """Starts again in mount, network and process namespaces of its own: whatever happens, nothing is left behind."""
    if os.environ.get(ENTERED):
        run_of_its_own()
        return
    if os.geteuid():
        sys.exit("the system measurement makes network namespaces: run it as root")
    # The first process of a process namespace has to wait for orphans, which a shell does: one that ended would seem to be there.
    init = ["bash", "-c", '"$@"; exit $?', "init"]
    words = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", *init, sys.executable, *sys.argv]
    os.execvpe(words[0], words, {**os.environ, ENTERED: "1"})


def run_of_its_own():
    """A /run that only this measurement sees: namespaces by name, control sockets, scratch files."""
    if ctypes.CDLL(None, use_errno=True).mount(b"tmpfs", b"/run", b"tmpfs", 0, b"mode=0755"):
        sys.exit(f"cannot mount a /run of its own: {os.strerror(ctypes.get_errno())}")
    os.makedirs("/run/wireguard", exist_ok=True)


def programs():
    """Where HALTSEC's programs are, as a document may say it."""
    folder = os.path.relpath(BIN, TARGET)
    return "of a folder apart" if folder.startswith("..") else f"target/{folder}"


def measured(peer, what, seconds):
    """The figures of one peer in one round; `error` says what did not go."""
    result = {"peer": peer, "load": os.getloadavg()[0]}
    try:
        with world.Tunnel(peer) as tunnel:
            result["mtu"] = tunnel.mtu
            for name in what:
                result[name] = measure.ALL[name](tunnel, seconds)
    except Exception as error:  # one peer that fails must not end the measurement of the others
        result["error"] = f"{type(error).__name__}: {error}"
    return result


def brief(result):
    """A line that tells how it went."""
    if "error" in result:
        return result["error"]
    tcp, packets = result.get("tcp"), result.get("packets")
    words = [f"{tcp['up']['gbps']:.2f} / {tcp['down']['gbps']:.2f} Gbit/s"] if tcp else []
    words += [f"{packets['up'] / 1e3:.0f} / {packets['down'] / 1e3:.0f} k packets/s"] if packets else []
    return ", ".join(words) or "done"


def main():
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("peers", nargs="*", help=f"default: those installed of {' '.join(PEERS)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4, help="of each run of TCP")
    parser.add_argument("--only", default=",".join(measure.ALL), help="measurements, separated by commas")
    parser.add_argument("--against", help="the peer that ratios are to; default: wireguard-go, the newer build if it is there")
    parser.add_argument("--out", default=f"{TARGET}/bench/system.jsonl")
    parser.add_argument("--no-document", action="store_true", help="leave docs/performance.md as it is")
    arguments = parser.parse_args()
    enter_namespaces()
    os.environ["HALTSEC_BIN"] = os.path.abspath(BIN)
    measure.LABTOOL = os.path.join(os.environ["HALTSEC_BIN"], "labtool")
    versions = {peer: world.version(peer) for peer in arguments.peers or PEERS}
    for peer in [peer for peer, version in versions.items() if version is None]:
        print(f"{peer} is not installed: left out", flush=True)
    peers = [peer for peer, version in versions.items() if version]
    if not peers:
        sys.exit(f"none of the peers is installed; hac, ha, mn and labtool were looked for in {BIN}")
    results = []
    os.makedirs(os.path.dirname(os.path.abspath(arguments.out)), exist_ok=True)
    with open(arguments.out, "w") as out:
        print(json.dumps({"machine": tables.machine(), "versions": versions}), file=out)
        for number in range(arguments.rounds):
            turn = number % len(peers)
            order = peers[turn:] + peers[:turn]
            for peer in order if number % 2 == 0 else order[::-1]:
                start = time.monotonic()
                result = {"round": number, **measured(peer, arguments.only.split(","), arguments.seconds)}
                results.append(result)
                print(json.dumps(result), file=out, flush=True)
                took = time.monotonic() - start
                print(f"round {number + 1} of {arguments.rounds}: {peer}: {brief(result)} ({took:.0f} s)", flush=True)
    text = tables.system(results, versions, programs(), arguments.against)
    print(text)
    if not arguments.no_document:
        tables.put("system", text)
    if any("error" in result for result in results):
        sys.exit(1)


if __name__ == "__main__":
    main()
