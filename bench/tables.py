"""Markdown tables of what was measured, and their places in docs/performance.md and docs/roaming.md."""
import os
import platform
import re
import statistics
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DOCUMENT, ROAMING = f"{ROOT}/docs/performance.md", f"{ROOT}/docs/roaming.md"


def put(part, text, document=DOCUMENT):
    """Replaces what stands between the markers of a part in the document, and nothing else."""
    begin, end = f"<!-- {part}: begin -->", f"<!-- {part}: end -->"
    with open(document) as file:
        before, rest = file.read().split(begin)
    after = rest.split(end)[1]
    with open(document, "w") as file:
        file.write(f"{before}{begin}\n{text.strip()}\n{end}{after}")


def machine():
    """One line: what was measured, on which processor, cores and kernel."""
    with open("/proc/cpuinfo") as file:
        info = file.read()
    model = re.search(r"^model name\s*: (.*)$", info, re.MULTILINE)
    flags = set((re.search(r"^flags\s*: (.*)$", info, re.MULTILINE) or [""])[0].split())
    known = {"aes": "AES-NI", "vaes": "VAES", "sha_ni": "SHA-NI", "avx2": "AVX2", "avx512f": "AVX-512"}
    having = [name for flag, name in known.items() if flag in flags]
    words = ["git", "-C", ROOT, "describe", "--always", "--dirty", "--exclude=*"]
    commit = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False).stdout.strip()
    kind = " (a virtual machine)" if "hypervisor" in flags else ""
    return (f"Measured at commit {commit or 'unknown'} on {(model[1] if model else platform.machine()).strip()}{kind}, "
            f"{os.cpu_count()} cores, {', '.join(having) or 'no vector cryptography'}; {platform.system()} {platform.release()}.")


def table(head, rows):
    """A Markdown table: the first column is text, the others are figures."""
    lines = [head, ["---"] + ["--:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def number(value, digits=0):
    """A figure, or a dash where there is none."""
    return "–" if value is None else f"{value:,.{digits}f}"


def spread(values, digits):
    """Median, and least and greatest where they are not one value."""
    values = [value for value in values if value is not None]
    if not values:
        return "–"
    if len(values) == 1:
        return number(values[0], digits)
    return f"{number(statistics.median(values), digits)} ({number(min(values), digits)}–{number(max(values), digits)})"


class Results:
    """The rows of all rounds, asked by peer and by path (`tcp.up.gbps`)."""

    def __init__(self, rows):
        self.rows = [row for row in rows if "error" not in row]
        self.peers = list(dict.fromkeys(row["peer"] for row in self.rows))

    @staticmethod
    def figure(row, path):
        """One figure of one round; of `a|b` the less one, which is the worse direction of a rate."""
        values = []
        for each in path.split("|"):
            value = row
            for name in each.split("."):
                value = value.get(name) if isinstance(value, dict) else None
            values.append(value)
        return None if None in values else min(values)

    def by_round(self, peer, path):
        """A peer's figures by the number of the round."""
        found = {row["round"]: self.figure(row, path) for row in self.rows if row["peer"] == peer}
        return {turn: value for turn, value in found.items() if value is not None}

    def of(self, peer, path, digits, scale=1):
        """Median and spread of a figure."""
        return spread([value * scale for value in self.by_round(peer, path).values()], digits)

    def median(self, peer, path):
        """The median alone."""
        values = self.by_round(peer, path).values()
        return statistics.median(values) if values else None

    def ratio(self, peer, other, path, digits=2):
        """Median and spread of the ratios within a round."""
        ours, theirs = self.by_round(peer, path), self.by_round(other, path)
        return spread([value / theirs[turn] for turn, value in ours.items() if theirs.get(turn)], digits)


TCP, PACKETS = "tcp.up.gbps|tcp.down.gbps", "packets.up|packets.down"


def system(rows, versions, programs, against=None):
    """The section of the system measurement: a table for each question. `programs` says which HALTSEC's were."""
    results = Results(rows)
    against = against or next((peer for peer in ("wireguard-go:new", "wireguard-go") if peer in results.peers), "plain")
    others = [peer for peer in results.peers if not peer.startswith(("plain", "haltsec"))]
    rates = {peer: results.median(peer, PACKETS) for peer in others if results.median(peer, PACKETS)}
    fastest = max(rates, key=rates.get, default=None)
    rounds = len({row["round"] for row in rows})
    known = "; ".join(f"{peer}: {version.splitlines()[0]}" for peer, version in versions.items() if version and peer in others)
    parts = [f"{machine()} {rounds} interleaved rounds: median (least–greatest); ratios within a round.", f"Peers: {known or 'none'}. HALTSEC's programs: {programs}."]
    for title, head, cells in sections(results, against, fastest):
        lines = [[peer, *cells(peer)] for peer in results.peers if any(cell != "–" for cell in cells(peer))]
        if lines:
            parts.append(f"### {title}\n\n{table(['peer', *head], lines)}")
    failed = [f"- {row['peer']}, round {row['round'] + 1}: {row['error']}" for row in rows if "error" in row]
    return "\n\n".join(parts + (["Not measured:\n\n" + "\n".join(failed)] if failed else []))


def sections(results, against, fastest):
    """Title, head and cells of each table."""
    of, ratio = results.of, results.ratio
    yield ("TCP, a single flow, home agent forwarding to the correspondent node's link",
           ["MTU", "up Gbit/s", "down Gbit/s", f"worse way / {against}", "CPU s a GB, both ends, up", "RTT p99 beside it, ms, up", "down"],
           lambda peer: [of(peer, "mtu", 0).replace(",", "").split(" ")[0] if results.by_round(peer, TCP) else "–",
                         of(peer, "tcp.up.gbps", 2), of(peer, "tcp.down.gbps", 2), ratio(peer, against, TCP),
                         of(peer, "tcp.up.cpu_per_gb", 2), of(peer, "tcp.up.rtt_p99_ms", 2), of(peer, "tcp.down.rtt_p99_ms", 2)])
    yield ("TCP, eight flows, and a flow each way at once",
           ["8 flows up, Gbit/s", "8 flows down", "slowest / fair share, up", "down", "both ways, up + down Gbit/s"],
           lambda peer: [of(peer, "flows.up.gbps", 2), of(peer, "flows.down.gbps", 2), of(peer, "flows.up.slowest_share", 2),
                         of(peer, "flows.down.slowest_share", 2), of(peer, "both_ways.gbps", 2)])
    yield ("TCP that is paced",
           ["CPU s a GB at 1 Gbit/s, both ends", f"/ {against}", "Gbit/s reached", "RTT p50 beside 500 Mbit/s, ms", "p99"],
           lambda peer: [of(peer, "paced.at_1g.cpu_per_gb", 2), ratio(peer, against, "paced.at_1g.cpu_per_gb"),
                         of(peer, "paced.at_1g.gbps", 2), of(peer, "paced.at_500m.rtt_p50_ms", 2), of(peer, "paced.at_500m.rtt_p99_ms", 2)])
    yield ("UDP, 64 octets of payload, packets at less than 1 % loss",
           ["up k/s", "down k/s", f"worse way / {fastest or 'fastest peer'}", "worse way / plain"],
           lambda peer: [of(peer, "packets.up", 0, 1e-3), of(peer, "packets.down", 0, 1e-3),
                         ratio(peer, fastest, PACKETS), ratio(peer, "plain", PACKETS)])
    yield ("Nothing to do",
           ["RTT p50, µs", "p99", "CPU of both ends, % of a core", "with 1,000 associations"],
           lambda peer: [of(peer, "idle.rtt_p50_us", 0), of(peer, "idle.rtt_p99_us", 0), of(peer, "idle.cpu_share", 3, 100),
                         of(peer, "crowd.cpu_share", 3, 100)])


def roaming(head, rows):
    """The section of the roaming measurement: a table for each mode. `head` says on which machine and with which programs."""
    good = [row for row in rows if "error" not in row]
    known = "; ".join(f"{peer}: {version.splitlines()[0].split(' [')[0]}" for peer, version in head["versions"].items()
                      if version and not peer.startswith("haltsec") and any(row["peer"] == peer for row in good))
    parts = [f"{head['machine']} {len({row['round'] for row in rows})} interleaved rounds.",
             f"Peers: {known or 'none'}. HALTSEC's programs: {head['programs']}."]
    titles = {"both": "Traffic both ways, 10,000 packets a second each", "down": "A stream of 1,000 packets a second to a silent mobile node"}
    for mode, title in titles.items():
        of_mode = [row for row in good if row["mode"] == mode]
        peers = dict.fromkeys(row["peer"] for row in sorted(of_mode, key=lambda row: row["round"]))
        lines = [[peer, way, *roaming_cells([row[way] for row in of_mode if row["peer"] == peer])]
                 for peer in peers for way in ("up", "down") if any(way in row for row in of_mode)]
        if lines:
            parts.append(f"### {title}\n\n{table(ROAMING_COLUMNS, lines)}")
    failed = [f"- {row['peer']}, {row['mode']}, round {row['round'] + 1}: {row['error']}" for row in rows if "error" in row]
    return "\n\n".join(parts + (["Not measured:\n\n" + "\n".join(failed)] if failed else []))


ROAMING_COLUMNS = ["peer", "way", "moves", "gap, ms: median", "p90", "worst", "any gap after, ms", "before, ms", "lost: median", "worst", "before",
                   "came twice"]


def roaming_cells(figures):
    """The columns of one way of a peer: a stream that was not back waited longer than any."""
    gaps = sorted(float("inf") if each["gap_ms"] is None else each["gap_ms"] for each in figures)
    ranked = [gaps[round((len(gaps) - 1) * share)] for share in (0.5, 0.9, 1)]
    any_gap = [[each[name] for each in figures if each[name] is not None] for name in ("after_gap_ms", "still_gap_ms")]
    lost = [each["lost"] for each in figures]
    return [str(len(figures)), *("not back" if gap == float("inf") else number(gap, 1) for gap in ranked),
            *(number(statistics.median(gaps) if gaps else None, 1) for gaps in any_gap), number(statistics.median(lost)), number(max(lost)),
            number(statistics.median(each["still_lost"] for each in figures)), number(sum(each["came_twice"] for each in figures))]
