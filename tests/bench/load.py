"""Runs the load generator, and watches what a process holds meanwhile. Standard library only."""

import json
import os
import pathlib
import subprocess
import threading
import time


def start_load(build, address, **options):
    """graft-load with --option-name value for each keyword; lists repeat the flag."""
    command = [str(pathlib.Path(build) / "bench/graft-load"), "--server", address]
    for name, value in options.items():
        flag = "--" + name.replace("_", "-")
        if value is True:
            command.append(flag)
        elif value not in (None, False):
            for one in value if isinstance(value, list) else [value]:
                command += [flag, str(one)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish_load(process):
    out, error = process.communicate()
    if process.returncode != 0:
        raise SystemExit(f"graft-load: exit code {process.returncode}: {error}")
    return json.loads(out)


def load(build, address, **options):
    return finish_load(start_load(build, address, **options))


def outcome(result, kind="classify", code="OK"):
    """The latencies of a kind's calls that ended so; {"count": 0} if none did."""
    return result["kinds"].get(kind, {}).get(code, {"count": 0})


class Watch:
    """Samples of a process' memory, file descriptors and threads, `interval` seconds apart, while `with` lasts."""

    def __init__(self, pid, interval=1.0):
        self.pid, self.interval, self.samples = pid, interval, []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _run(self):
        start = time.monotonic()
        while not self._stop.wait(self.interval):
            try:
                self.samples.append({"seconds": time.monotonic() - start, **usage(self.pid)})
            except OSError:  # it has ended
                return


def usage(pid):
    """{"megabytes", "fds", "threads"} of a living process."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        fields = dict(line.split(":", 1) for line in file)
    return {
        "megabytes": int(fields["VmRSS"].split()[0]) / 1024,
        "threads": int(fields["Threads"]),
        "fds": len(os.listdir(f"/proc/{pid}/fd")),
    }


def slope_per_hour(samples, field="megabytes"):
    """Least-squares slope over time, and its standard error as if the samples were independent."""
    times = [sample["seconds"] / 3600 for sample in samples]
    values = [sample[field] for sample in samples]
    count = len(samples)
    mean_time, mean_value = sum(times) / count, sum(values) / count
    spread = sum((t - mean_time) ** 2 for t in times)
    slope = sum((t - mean_time) * (v - mean_value) for t, v in zip(times, values)) / spread
    residual = sum((v - mean_value - slope * (t - mean_time)) ** 2 for t, v in zip(times, values))
    return slope, (residual / max(1, count - 2) / spread) ** 0.5
