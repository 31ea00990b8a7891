#!/usr/bin/env python3
"""Counts the instructions of a packet's way through both ends, under valgrind, and writes the table of docs/performance.md.

What a packet costs is the difference between a long walk and a short one, divided by the packets between them: the start counts for
nothing. valgrind answers for the processor (AES-NI and AVX2, no VAES, SHA-NI or AVX-512), so the paths taken are those of a processor
without these, and the figures are the same on every machine, however busy. Writes target/bench/callgrind.json.
"""
import json
import os
import re
import subprocess
import sys
import tempfile

import tables
from micro import LENGTHS as names
from micro import SUITES

TARGET = os.environ.get("CARGO_TARGET_DIR", f"{tables.ROOT}/target")
BATCH = 64
SHORT, LONG = 4, 20
WAYS, LENGTHS = ("up", "down"), (64, 1400, 1420)
PACKETS = {1420: 46}  # in a batch, where it is one packet to be cut


def build():
    """Builds the bench `walk` and gives its path."""
    words = [os.environ.get("CARGO", "cargo"), "bench", "--locked", "--package", "tests", "--bench", "walk", "--no-run"]
    done = subprocess.run([*words, "--message-format", "json"], stdout=subprocess.PIPE, text=True, cwd=tables.ROOT, check=True)
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    built = [message for message in messages if message.get("executable")]
    return next(message["executable"] for message in built if message["target"]["name"] == "walk")


def instructions(program, suite, way, length, batches):
    """The instructions of a whole run."""
    with tempfile.TemporaryDirectory() as folder:
        valgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out"]
        words = [*valgrind, program, "--count", suite, way, str(length), str(batches)]
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    found = re.search(r"Collected : (\d+)", done.stdout)
    if done.returncode or not found:
        sys.exit(f"{' '.join(words)} failed:\n{done.stdout}")
    return int(found[1])


def main():
    """See the module."""
    program = build()
    version = subprocess.run(["valgrind", "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    rows = []
    for suite in SUITES:
        row = {"suite": suite}
        for way in WAYS:
            for length in LENGTHS:
                runs = [instructions(program, suite, way, length, batches) for batches in (SHORT, LONG)]
                row[f"{way} {length}"] = (runs[1] - runs[0]) / ((LONG - SHORT) * PACKETS.get(length, BATCH))
        rows.append(row)
        print(row, flush=True)
    columns = [(way, length) for way in WAYS for length in LENGTHS]
    head = ["suite", *(f"{'mn to ha' if way == 'up' else 'ha to mn'}, {names.get(length, length)} octets" for way, length in columns)]
    lines = [[row["suite"], *(tables.number(row[f"{way} {length}"]) for way, length in columns)] for row in rows]
    os.makedirs(f"{TARGET}/bench", exist_ok=True)
    with open(f"{TARGET}/bench/callgrind.json", "w") as file:
        json.dump({"machine": tables.machine(), "valgrind": version, "rows": rows}, file, indent=1)
    text = f"{tables.machine()} {version}.\n\n{tables.table(head, lines)}"
    print(text)
    tables.put("callgrind", text)


if __name__ == "__main__":
    main()
