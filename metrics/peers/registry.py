"""The list of peers: who does which workload, and how one of them is measured.

`registry.py FOLDER WORKLOAD PACKAGE` measures one peer in this process and prints one line of JSON.
"""

import json
import os
import resource
import sys
import time
import warnings
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Callable

SHAPE = (512, 512, 300)
SPACING_MM = (0.8, 0.8, 2.5)
MEMORY_BYTES_MAX = 14 << 30
# A computation that takes longer than this is measured once, without a run to warm up.
LONG_S = 8.0


@dataclass(frozen=True)
class Peer:
    """A package that does a workload, or the reason why it is not measured."""

    workload: str
    package: str
    prepare: Callable | None = None
    # The name of our workload to compare with, if the package follows another convention than the default.
    ours: str | None = None
    # Only a part of the work is measured; its time is multiplied by this.
    factor: float = 1.0
    note: str = ""
    # The distribution whose version is named.
    distribution: str | None = None

    def version(self):
        try:
            return metadata.version(self.distribution or self.package)
        except metadata.PackageNotFoundError:
            return ""


PEERS: list[Peer] = []


def peer(workload, package, **settings):
    """Registers a function `inputs -> run`: it loads and converts, and `run` is what is measured.

    `run` returns a dictionary of values, or what a second function turns into one: `inputs -> (run, values)`.
    """

    def register(prepare):
        PEERS.append(Peer(workload, package, prepare, **settings))
        return prepare

    return register


def absent(workload, package, reason):
    """Lists a package that cannot be measured."""
    PEERS.append(Peer(workload, package, note=reason))


class Inputs:
    """The folder that `inputs.py` filled."""

    def __init__(self, folder):
        self.folder = Path(folder)

    def pair(self, name, shape=SHAPE):
        import numpy as np

        paths = (self.folder / f"{name}_{side}.u8" for side in ("gt", "pr"))
        return tuple(np.fromfile(path, np.uint8).reshape(shape) for path in paths)

    def numbers(self, name):
        import numpy as np

        return np.fromfile(self.folder / f"{name}.f64")

    def flags(self, name):
        import numpy as np

        return np.fromfile(self.folder / f"{name}.u8", np.uint8)

    def scores(self, size):
        return self.flags(f"labels_{size}"), self.numbers(f"scores_{size}")

    def path(self, name):
        return str(self.folder / name)


def load():
    """All peers; importing a module registers those it defines."""
    import cases  # noqa: F401
    import files  # noqa: F401
    import volumes  # noqa: F401

    return PEERS


def memory_bytes(field):
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    return 0


def reset_peak():
    """Sets the peak of the memory back to what is used now, where the system allows it."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pass


def timed(run):
    wall, cpu = time.perf_counter(), time.process_time()
    result = run()
    return result, time.process_time() - cpu, time.perf_counter() - wall


def measure(found, inputs, repeats=3):
    """CPU seconds (best of several), peak memory of the first run and values of a peer."""
    prepared = found.prepare(inputs)
    run, values = prepared if isinstance(prepared, tuple) else (prepared, lambda result: result)
    before = memory_bytes("VmRSS:")
    reset_peak()
    result, cpu, wall = timed(run)
    peak = memory_bytes("VmHWM:")
    times = [(cpu, wall)] if wall > LONG_S else []
    for _ in range(0 if times else repeats):
        del result
        result, cpu, wall = timed(run)
        times.append((cpu, wall))
    return {
        "cpu_s": min(cpu for cpu, _ in times) * found.factor,
        "wall_s": min(wall for _, wall in times) * found.factor,
        "repeats": len(times),
        "rss_inputs_bytes": before,
        "peak_rss_bytes": peak,
        "version": found.version(),
        "values": {name: float(f"{float(v):.12g}") for name, v in values(result).items()},
    }


def one_thread():
    """What environment variables do not reach."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    if "SimpleITK" in sys.modules:
        sys.modules["SimpleITK"].ProcessObject.SetGlobalDefaultNumberOfThreads(1)


def main():
    warnings.simplefilter("ignore")
    folder, workload, package = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    found = next(p for p in load() if (p.workload, p.package) == (workload, package))
    print("RESULT " + json.dumps(measure(found, Inputs(folder))), flush=True)
    # Some packages fail while the interpreter shuts down; the result is printed.
    os._exit(0)


if __name__ == "__main__":
    # The peers import this module by name: without this line they would register with a second copy of it.
    sys.modules["registry"] = sys.modules["__main__"]
    main()
