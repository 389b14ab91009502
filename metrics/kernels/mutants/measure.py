"""Switches mutants on, one at a time, and tells which no test notices.

    measure.py OUT KERNELS BINARY... [--sample N] [--seed N] [--within TEXT]

OUT      the folder that at_once.py wrote to; gets `reached.jsonl` (which mutants each test reaches) and
         `outcomes.jsonl` (a line per mutant; a run goes on where an earlier one stopped)
KERNELS  the folder of the crate, where its tests expect to run
BINARY   the tests' binaries
TEXT     only mutants of files in whose path it occurs

Each mutant is run against the tests that reach it, those that are quick and have caught mutants before first, until
one fails. A test may take ten times its own time and two seconds more, counted in CPU seconds; one that does not end
is caught as well.
"""
import argparse
import collections
import json
import math
import os
import pathlib
import random
import resource
import subprocess

MEMORY_MAX = 6 << 30
TRACE_SECONDS = 60
# Exit codes of a test that used up its time: killed, or out of CPU seconds.
ENDED = (-9, -24)
ENVIRONMENT = dict(os.environ, RUST_BACKTRACE="0", PROPTEST_MAX_SHRINK_ITERS="0",
                   PROPTEST_DISABLE_FAILURE_PERSISTENCE="true")


class Tests:
    """The tests of all binaries: how long each takes and which mutants it reaches."""

    def __init__(self, kernels, binaries, out):
        self.kernels, self.binaries = kernels, {pathlib.Path(b).name: b for b in binaries}
        self.seconds, self.reach = {}, collections.defaultdict(list)
        path = out / "reached.jsonl"
        known = {}
        if path.exists():
            known = {row["test"]: row for row in map(json.loads, path.read_text().splitlines())}
        with path.open("a") as file:
            for test in self.names():
                row = known.get(test)
                if row is None:
                    row = self.trace(test, out / "trace")
                    file.write(json.dumps(row) + "\n")
                    file.flush()
                self.seconds[test] = row["seconds"]
                for number in row["reached"]:
                    self.reach[number].append(test)

    def names(self):
        for name, binary in self.binaries.items():
            run = subprocess.run([binary, "--list"], cwd=self.kernels, capture_output=True, text=True, check=True)
            for line in run.stdout.splitlines():
                if line.endswith(": test"):
                    yield f"{name} {line.removesuffix(': test')}"

    def trace(self, test, path):
        path.unlink(missing_ok=True)
        code, _ = self.run(test, TRACE_SECONDS, MUTANT_TRACE=str(path))
        if code not in (0, *ENDED):
            raise SystemExit(f"{test} fails while it is traced")
        numbers = sorted(map(int, path.read_text().split())) if path.exists() else []
        clean, seconds = self.run(test, TRACE_SECONDS)
        if clean != 0:
            raise SystemExit(f"{test} fails without any mutant")
        return {"test": test, "seconds": seconds, "reached": numbers, "traced to its end": code == 0}

    def run(self, test, seconds, **environment):
        """Exit code and CPU seconds of a test."""
        name, path = test.split(" ")

        def limit():
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))

        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        try:
            code = subprocess.run(
                [self.binaries[name], "--exact", path, "--test-threads=1", "-q"], cwd=self.kernels,
                env=dict(ENVIRONMENT, **environment), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                timeout=600, preexec_fn=limit).returncode
        except subprocess.TimeoutExpired:
            # Asleep for ever: a lock, or a worker that waits.
            code = -9
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return code, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def outcome(number, tests, catches):
    def rank(test):
        return tests.seconds[test] / (1 + 2 * min(catches[test], 3))

    reaching = sorted(tests.reach[number], key=rank)
    for test in reaching:
        code, _ = tests.run(test, int(10 * tests.seconds[test]) + 2, MUTANT=str(number))
        if code != 0:
            catches[test] += 1
            return {"outcome": "timeout" if code in ENDED else "caught", "by": test}
    return {"outcome": "missed" if reaching else "not reached"}


def wilson(share_of, total, z=1.959963984540054):
    """The 95 % interval of a share."""
    if total == 0:
        return 0.0, 1.0
    p = share_of / total
    middle = (p + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * math.sqrt(p * (1 - p) / total + z * z / (4 * total * total))
    return middle - half, middle + half


def report(rows, mutants, left_out):
    counts = collections.Counter(row["outcome"] for row in rows)
    for row in rows:
        if row["outcome"] in ("missed", "not reached"):
            print(f"{row['outcome']}: {row['name']}")
    caught = counts["caught"] + counts["timeout"]
    low, high = wilson(caught, len(rows))
    print(f"{len(mutants)} mutants in one build, {left_out} left out; {len(rows)} run: {dict(counts)}")
    print(f"caught {caught / max(len(rows), 1):.1%}, 95 % interval {low:.1%} to {high:.1%}")
    folders = collections.defaultdict(lambda: [0, 0])
    for row in rows:
        folder = row["file"].split("src/")[1].split("/")[0]
        folders[folder][0] += row["outcome"] in ("caught", "timeout")
        folders[folder][1] += 1
    for folder, (caught, run) in sorted(folders.items()):
        print(f"  {folder}: {caught} of {run}")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("out", type=pathlib.Path)
    arguments.add_argument("kernels", type=pathlib.Path)
    arguments.add_argument("binaries", nargs="+")
    arguments.add_argument("--sample", type=int)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--within", default="")
    given = arguments.parse_args()
    # The tests run elsewhere.
    given.out = given.out.resolve()
    mutants = json.loads((given.out / "mutants.json").read_text())
    left_out = len(json.loads((given.out / "left_out.json").read_text()))
    order = sorted((m for m in mutants if given.within in m["file"]), key=lambda mutant: mutant["name"])
    random.Random(given.seed).shuffle(order)
    tests = Tests(given.kernels, given.binaries, given.out)
    path = given.out / "outcomes.jsonl"
    known = {}
    if path.exists():
        known = {row["name"]: row for row in map(json.loads, path.read_text().splitlines())}
    rows, catches = [], collections.Counter()
    with path.open("a") as file:
        for mutant in order[: given.sample]:
            row = known.get(mutant["name"])
            if row is None:
                row = {**mutant, **outcome(mutant["number"], tests, catches)}
                file.write(json.dumps(row) + "\n")
                file.flush()
            rows.append(row)
    report(rows, mutants, left_out)


if __name__ == "__main__":
    main()
