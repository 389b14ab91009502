"""Runs our side and every peer, each in a fresh process on one core, and prints one table as Markdown.

`run.sh` calls it; see there for the environment. A peer that fails is listed with its reason.
"""

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import registry

HERE = Path(__file__).parent
# Seconds for one process: the slowest peer takes about two minutes.
LIMIT_S = 900
ONE_THREAD = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
    "RAYON_NUM_THREADS",
)
# Runs of our side after the one that warms up.
REPEATS = 15


@dataclass(frozen=True)
class Workload:
    """A row of the issue's table: CPU seconds that must be met, and those aimed at."""

    name: str
    title: str
    must_s: float | None = None
    aim_s: float | None = None
    # The peer whose time, multiplied, is the target instead of a fixed one.
    must_relative: tuple[str, float] | None = None
    aim_relative: tuple[str, float] | None = None


INFLATE = "libdeflate, inflate alone"
WORKLOADS = [
    Workload("dice-iou", "Dice + IoU, two masks of 512x512x300", 0.006, 0.0042),
    Workload("dice-104", "Dice of 104 labels, 512x512x300", 0.036, 0.012),
    Workload("distances-organ", "HD, HD95, ASSD, MASD, NSD, one organ", 0.10, 0.025),
    Workload("distances-spread", "the same, 60 lesions over the whole volume", 0.25, 0.06),
    Workload("distances-104", "HD95 + NSD of 104 labels", 0.5, 0.10),
    Workload("boundary-iou", "boundary IoU, organ", 0.1, 0.03),
    Workload("auc", "AUC + DeLong interval, 10 million scores", 0.20, 0.09),
    Workload("auc-bootstrap", "1,000 bootstraps of AUC, 100,000 scores", 0.25, 0.08),
    Workload("calibration", "ECE + MCE + Brier + log loss, 10 million", 0.030, 0.010),
    Workload("harrell", "Harrell's C, 100,000 cases", 0.015, 0.006),
    Workload("rank-mean", "ranking 50 x 1,000 x 1,000, mean-then-rank", 0.005, 0.002),
    Workload("rank-rank", "the same, rank-then-mean", 0.006, 0.003),
    Workload("rank-test", "the same, test-based", 5.0, 1.0),
    Workload("read-mask", "read a mask .nii.gz, 512x512x300", None, 0.015, (INFLATE, 1.15)),
    Workload("read-ct", "read an int16 CT .nii.gz, 512x512x300", None, None, (INFLATE, 1.15), (INFLATE, 1.0)),
    Workload("panoptic", "panoptic quality, 256^3, 105 lesions", 0.020, 0.008),
]
# Our side only: another way, the other convention, smaller inputs.
EXTRA = [
    ("read-mask-runs", "read a mask .nii.gz straight to runs"),
    ("surfels-organ", "distances of one organ, surfel-weighted"),
    ("surfels-spread", "distances of 60 lesions, surfel-weighted"),
]
# How cost grows: what grows, the smaller and the larger workload.
GROWTH = [
    ("voxels, 39 to 79 million: Dice + IoU", "dice-iou-half", "dice-iou"),
    ("grid 2 x finer on each axis: voxels x 8, surface x 4: organ distances", "distances-organ-coarse", "distances-organ"),
    ("cases, 1 to 10 million: AUC + DeLong", "auc-1e6", "auc"),
]
TWO_THREADS = ["dice-iou", "distances-organ", "distances-104", "auc", "auc-bootstrap", "rank-test"]
MEMORY_HEADS = ["input MiB", "added MiB", "peak / input"]


def environment(threads=1):
    values = dict.fromkeys(ONE_THREAD, "1") | {"PANOPTICA_CITATION_REMINDER": "false"}
    return os.environ | values | {"RAYON_NUM_THREADS": str(threads)}


def run(command, cores, threads=1):
    """The last line of a process's output, or why there is none."""
    command = ["taskset", "-c", cores, *map(str, command)]
    try:
        done = subprocess.run(
            command, env=environment(threads), capture_output=True, text=True, timeout=LIMIT_S, cwd=HERE
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"more than {LIMIT_S} s"}
    lines = [line.removeprefix("RESULT ") for line in done.stdout.splitlines() if line.startswith(("RESULT ", "{"))]
    if done.returncode != 0 or not lines:
        error = [line for line in done.stderr.splitlines() if line.strip()]
        return {"failed": error[-1].strip() if error else f"ended with status {done.returncode}"}
    return json.loads(lines[-1])


class Comparison:
    """Measures on demand and remembers."""

    def __init__(self, binary, inputs, core):
        self.binary, self.inputs, self.core = binary, inputs, core
        self.found = {}

    def ours(self, workload, threads=1):
        # Two threads need two cores: the first two, whichever the single one is.
        cores = self.core if threads == 1 else "0,1"
        key = (workload, "Fiel", threads)
        if key not in self.found:
            print(f"{workload}: Fiel, {threads} thread(s)", file=sys.stderr, flush=True)
            self.found[key] = run([self.binary, self.inputs, workload, REPEATS], cores, threads)
        return self.found[key]

    def peer(self, peer):
        key = (peer.workload, peer.package, 1)
        if peer.prepare is None:
            return {"failed": peer.note}
        if key not in self.found:
            print(f"{peer.workload}: {peer.package}", file=sys.stderr, flush=True)
            command = [sys.executable, "registry.py", self.inputs, peer.workload, peer.package]
            self.found[key] = run(command, self.core)
        return self.found[key]


def seconds(value):
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def mib(result):
    return f"{(result['peak_rss_bytes'] - result['rss_inputs_bytes']) / 2**20:.0f}"


def values(result, names=None):
    found = result["values"]
    return ", ".join(f"{name} {found[name]:.12g}" for name in names or found if name in found)


def peer_rows(comparison, peers, workload):
    for peer in (p for p in peers if p.workload == workload.name):
        theirs, ours = comparison.peer(peer), comparison.ours(peer.ours or workload.name)
        if "failed" in theirs or "failed" in ours:
            reason = theirs.get("failed") or "ours failed: " + ours["failed"]
            yield f"| {workload.title} | {peer.package} | not measured: {reason} | | | | | |"
            continue
        name = f"{peer.package} {theirs['version']}".strip() + (f" ({peer.note})" if peer.note else "")
        ratio = theirs["cpu_s"] / ours["cpu_s"]
        shared = values(ours, theirs["values"]) or "-"
        yield (
            f"| {workload.title} | {name} | {seconds(theirs['cpu_s'])} | {seconds(ours['cpu_s'])} | {ratio:.3g} "
            f"| {mib(theirs)} / {mib(ours)} | {values(theirs)} | {shared} |"
        )


def target(comparison, peers, workload, fixed, relative):
    """A target in seconds: fixed, or a multiple of a peer's time."""
    if fixed is not None or relative is None:
        return fixed
    package, factor = relative
    peer = next((p for p in peers if (p.workload, p.package) == (workload.name, package)), None)
    result = comparison.peer(peer) if peer else {"failed": "no peers"}
    return None if "failed" in result else result["cpu_s"] * factor


def verdict(cpu_s, limit):
    if limit is None:
        return "-"
    return f"{seconds(limit)} {'met' if cpu_s <= limit else f'missed, {cpu_s / limit:.2f} x'}"


def target_rows(comparison, peers, workloads):
    for workload in workloads:
        ours = comparison.ours(workload.name)
        if "failed" in ours:
            yield f"| {workload.title} | failed: {ours['failed']} | | | | | | | |"
            continue
        must = target(comparison, peers, workload, workload.must_s, workload.must_relative)
        aim = target(comparison, peers, workload, workload.aim_s, workload.aim_relative)
        yield (
            f"| {workload.title} | {seconds(ours['cpu_s'])} | {verdict(ours['cpu_s'], must)} "
            f"| {verdict(ours['cpu_s'], aim)} | {fastest(comparison, peers, workload, by_hand=False)} "
            f"| {fastest(comparison, peers, workload, by_hand=True)} | {memory_cells(ours)} |"
        )


def fastest(comparison, peers, workload, by_hand):
    """Our advantage over the fastest peer: a package's own function, or the best Python by hand (inflating alone too)."""
    ratios = []
    for peer in (p for p in peers if p.workload == workload.name):
        theirs, ours = comparison.peer(peer), comparison.ours(peer.ours or workload.name)
        hand = "by hand" in peer.package or "alone" in peer.package
        if hand == by_hand and "failed" not in theirs and "failed" not in ours:
            ratios.append((theirs["cpu_s"] / ours["cpu_s"], peer.package.removesuffix(" by hand")))
    return f"{min(ratios)[0]:.3g} ({min(ratios)[1]})" if ratios else "-"


def memory_cells(ours):
    """Input, what the computation adds, and the whole as a multiple of the input."""
    extra, size = ours["peak_rss_bytes"] - ours["rss_inputs_bytes"], ours["input_bytes"]
    return f"{size / 2**20:.1f} | {extra / 2**20:.1f} | {(size + extra) / size:.2f}"


def print_table(heads, rows):
    print("| " + " | ".join(heads) + " |")
    print("|" + "---|" * len(heads))
    for row in rows:
        print(row, flush=True)
    print()


def growth_rows(comparison):
    for what, small, large in GROWTH:
        a, b = comparison.ours(small), comparison.ours(large)
        if "failed" not in a and "failed" not in b:
            yield f"| {what} | {seconds(a['cpu_s'])} | {seconds(b['cpu_s'])} | {b['cpu_s'] / a['cpu_s']:.2f} |"


def thread_rows(comparison, titles):
    for name in TWO_THREADS:
        one, two = comparison.ours(name), comparison.ours(name, threads=2)
        if "failed" not in one and "failed" not in two:
            efficiency = one["wall_s"] / two["wall_s"] / 2
            yield f"| {titles[name]} | {seconds(one['wall_s'])} | {seconds(two['wall_s'])} | {efficiency:.0%} |"


def machine():
    info = Path("/proc/cpuinfo").read_text()
    model = next((l.split(":")[1].strip() for l in info.splitlines() if l.startswith("model name")), platform.machine())
    load = ", ".join(f"{v:.1f}" for v in os.getloadavg())
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    rust = subprocess.run(["rustc", "--version"], capture_output=True, text=True).stdout.strip()
    return f"{now}; {model}, {os.cpu_count()} cores; load {load}; Python {platform.python_version()}; {rust}."


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workloads", nargs="*", help="names; all if none is given")
    parser.add_argument("--binary", required=True)
    parser.add_argument("--inputs", required=True)
    parser.add_argument("--json", type=Path, help="also write every measurement here")
    parser.add_argument("--ours-only", action="store_true", help="no peers")
    given = parser.parse_args()
    unknown = set(given.workloads) - {w.name for w in WORKLOADS}
    if unknown:
        parser.error(f"no workload {', '.join(sorted(unknown))}; there are {', '.join(w.name for w in WORKLOADS)}")
    return given


def main():
    given = arguments()
    workloads = [w for w in WORKLOADS if not given.workloads or w.name in given.workloads]
    peers = [] if given.ours_only else registry.load()
    comparison = Comparison(given.binary, given.inputs, os.environ.get("FIEL_PEERS_CORE", "1"))
    print(f"Measured {machine()}\n")
    if peers:
        heads = ["workload", "peer", "its CPU s", "ours", "ratio", "MiB added, its / ours", "its values", "ours"]
        print_table(heads, (row for w in workloads for row in peer_rows(comparison, peers, w)))
    heads = ["workload", "CPU s", "must", "aim", "x fastest package", "x by hand", *MEMORY_HEADS]
    print_table(heads, target_rows(comparison, peers, workloads))
    if not given.workloads:
        titles = {w.name: w.title for w in WORKLOADS} | dict(EXTRA)
        heads = ["ours, also", "CPU s", *MEMORY_HEADS]
        extra = ((t, comparison.ours(n)) for n, t in EXTRA)
        print_table(heads, (f"| {t} | {seconds(r['cpu_s'])} | {memory_cells(r)} |" for t, r in extra if "failed" not in r))
        print_table(["what grows", "CPU s before", "after", "factor"], growth_rows(comparison))
        print_table(["two threads", "wall s, one", "wall s, two", "efficiency"], thread_rows(comparison, titles))
    print(f"Ended {machine()}")
    if given.json:
        rows = [{"workload": w, "who": who, "threads": n} | r for (w, who, n), r in comparison.found.items()]
        given.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
