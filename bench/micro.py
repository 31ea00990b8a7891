#!/usr/bin/env python3
"""Writes the tables of docs/performance.md for what criterion measured: sealing, opening, look-up (micro) and the walk.

Reads target/criterion, writes target/bench/micro.json and target/bench/walk.json. `make bench` runs it behind the benches.
With --no-document the tables are printed alone.
"""
import glob
import json
import os
import sys

import tables

TARGET = os.environ.get("CARGO_TARGET_DIR", f"{tables.ROOT}/target")
# The lengths of inner packets that a TCP packet of 64 KB is cut into say so.
LENGTHS = {1420: "64 KB of TCP in 1420"}
WALKS = {"walk-up": "mn to ha", "walk-down": "ha to mn"}
SUITE_GROUPS = ("seal", "open")
# The suites are in the order of preference; what else a bench measures, such as a bare library's loop, comes behind.
SUITES = ["AES_128_GCM", "AES_128_CBC_SHA256", "AES_128_CBC_SHA", "CHACHA20_POLY1305", "3DES_EDE_CBC_SHA", "NULL_SHA256", "NULL_SHA"]


def place(row):
    """Where a row stands in its table."""
    return (row["group"], SUITES.index(row["name"]) if row["name"] in SUITES else len(SUITES), row["name"], row["length"])


def read():
    """Each bench as group, name, length of a packet (0: not of packets) and ns for each packet or look-up."""
    rows = []
    for path in glob.glob(f"{TARGET}/criterion/**/new/benchmark.json", recursive=True):
        with open(path) as file:
            bench = json.load(file)
        with open(path.replace("benchmark.json", "estimates.json")) as file:
            nanoseconds = json.load(file)["median"]["point_estimate"]
        throughput, value = bench.get("throughput") or {}, bench.get("value_str") or "0"
        name, length = bench.get("function_id"), int(value) if value.isdigit() else 0
        if throughput.get("Bytes") and name and length:
            rows.append({"group": bench["group_id"], "name": name, "length": length, "ns": nanoseconds * length / throughput["Bytes"]})
        else:
            elements = throughput.get("Elements") or 1
            words = " / ".join(word for word in (name, bench.get("value_str")) if word)
            rows.append({"group": bench["group_id"], "name": words, "length": 0, "ns": nanoseconds / elements})
    return sorted(rows, key=place)


def packet_table(rows):
    """A line for each name: ns a packet and Gbit/s of inner packets, by length, for each group."""
    groups = sorted({row["group"] for row in rows}, reverse=True)
    lengths = sorted({row["length"] for row in rows})
    found = {(row["group"], row["name"], row["length"]): row["ns"] for row in rows}
    head, lines = ["suite"], []
    for group in groups:
        for length in lengths:
            head += [f"{WALKS.get(group, group)}, {LENGTHS.get(length, length)} octets: ns a packet", "Gbit/s"]
    for name in dict.fromkeys(row["name"] for row in rows):
        line = [name]
        for group in groups:
            for length in lengths:
                ns = found.get((group, name, length))
                line += [tables.number(ns), tables.number(ns and length * 8 / ns, 2)]
        lines.append(line)
    return tables.table(head, lines)


def main():
    """See the module."""
    rows = read()
    walks = [row for row in rows if row["group"] in WALKS]
    packets = [row for row in rows if row["group"] in SUITE_GROUPS]
    rest = [row for row in rows if row["length"] and row["group"] not in (*WALKS, *SUITE_GROUPS)]
    more = [[f"{row['group']}: {row['name']}, {row['length']} octets", tables.number(row["ns"]),
             tables.number(row["length"] * 8 / row["ns"], 2)] for row in rest]
    others = [[f"{row['group']}: {row['name']}", tables.number(row["ns"], 1)] for row in rows if not row["length"]]
    micro = [f"{tables.machine()} One core; median of criterion's samples; batches of 64 packets.", packet_table(packets)]
    if more:
        micro.append(tables.table(["each packet", "ns", "Gbit/s"], more))
    if others:
        micro.append(tables.table(["each time", "ns"], others))
    walk = f"{tables.machine()} One core has both ends; median of criterion's samples.\n\n{packet_table(walks)}"
    os.makedirs(f"{TARGET}/bench", exist_ok=True)
    for part, measured, text in (("micro", [row for row in rows if row not in walks], "\n\n".join(micro)), ("walk", walks, walk)):
        if not measured:
            continue
        with open(f"{TARGET}/bench/{part}.json", "w") as file:
            json.dump({"machine": tables.machine(), "rows": measured}, file, indent=1)
        print(text)
        if "--no-document" not in sys.argv:
            tables.put(part, text)


if __name__ == "__main__":
    main()
