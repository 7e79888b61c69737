#!/usr/bin/env python3
"""A thousand versions on one backbone beside one version: memory, throughput, and the first request to each."""

import argparse
import shutil
import statistics
import subprocess

import report
import server
from load import load, outcome, usage

BACKBONE = "mobilenet_v2"
ONE = "photos"


def copy_versions(arguments):
    """Publishes the copies; a file with their names."""
    command = [arguments.build / "bench/graft-copy-versions", "--data-dir", arguments.data_dir, "--model", ONE]
    done = subprocess.run([*map(str, command), "--copies", str(arguments.versions)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    names = arguments.data_dir / "models.txt"
    names.write_text(done.stdout, encoding="utf-8")
    return names


def drive(arguments, graft, **options):
    result = load(arguments.build, graft.address, payload=arguments.data_dir / "payload", **options)
    if result["unexpected"]:
        raise SystemExit(f"unexpected answers: {result['unexpected']}")
    return result


def measure(arguments, models):
    """In a fresh process: each of `models` (graft-load's options) called for the first time and again, then all at random."""
    with server.Server(arguments.build, arguments.data_dir, ["--devices", "none"]) as graft:
        drive(arguments, graft, clients=1, requests=50, model=ONE)  # the trunk is loaded, the process warm
        idle = usage(graft.pid)["megabytes"]
        touched = drive(arguments, graft, kind="first-and-again", clients=1, requests=2 * arguments.versions, **models)
        busy, one = [], []
        for _ in range(arguments.rounds):
            busy.append(drive(arguments, graft, clients=16, seconds=arguments.seconds, warmup=0.5, **models)["throughput"])
            one.append(drive(arguments, graft, clients=16, seconds=arguments.seconds, warmup=0.5, model=ONE)["throughput"])
        return {
            "idle_megabytes": idle,
            "megabytes": usage(graft.pid)["megabytes"],
            "first": outcome(touched, "first"),
            "again": outcome(touched, "again"),
            "throughput": report.spread(busy),
            "throughput_of_one": report.spread(one),
        }


def body(arguments, runs):
    single, many = runs["one"], runs["many"]
    memory = statistics.median(run["megabytes"] for run in many) / statistics.median(run["megabytes"] for run in single)
    throughput = statistics.median(run["throughput"]["median"] / run["throughput_of_one"]["median"] for run in many)
    extra = {
        quantile: statistics.median(run["first"][quantile] - run["again"][quantile] for run in many)
        for quantile in ("p50_ms", "p99_ms")
    }
    rows = [
        [name,
         report.shown(report.spread([run["megabytes"] for run in found]), 1),
         report.shown(report.spread([run["throughput"]["median"] for run in found])),
         report.shown(report.spread([run["throughput_of_one"]["median"] for run in found])),
         *(report.shown(report.spread([run[turn][quantile] for run in found]), 2)
           for turn in ("first", "again") for quantile in ("p50_ms", "p99_ms"))]
        for name, found in (("1", single), (str(arguments.versions), many))
    ]
    head = ["versions", "resident MB after the load", "16 clients over all, images/s", "over one, images/s",
            "first request to each p50 ms", "p99", "the next to the same p50 ms", "p99"]
    checks = [
        ("memory within 10 % of one version", f"{100 * (memory - 1):+.1f} %", memory <= 1.1),
        ("throughput over all within 5 % of one", f"{100 * (throughput - 1):+.1f} %", throughput >= 0.95),
        ("first request to a version within 2 ms of a warm one (p50)", f"{extra['p50_ms']:+.2f} ms", extra["p50_ms"] <= 2),
        ("the same, p99", f"{extra['p99_ms']:+.2f} ms", extra["p99_ms"] <= 2),
    ]
    return f"{report.table(head, rows)}\n\n{report.verdicts(checks)}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    report.add_arguments(parser, "thousand-versions-data")
    parser.add_argument("--versions", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=3, help="fresh server processes with one version and with all")
    parser.add_argument("--rounds", type=int, default=3, help="of throughput in each process")
    parser.add_argument("--seconds", type=float, default=3, help="of each throughput")
    arguments = parser.parse_args()

    shutil.rmtree(arguments.data_dir, ignore_errors=True)
    server.import_weights(arguments.build, arguments.data_dir, BACKBONE)
    server.some_photos(arguments.data_dir / "payload", 32)
    with server.Server(arguments.build, arguments.data_dir) as graft:
        graft.graft("dataset", "push", "photos", server.small_dataset(arguments.data_dir / "dataset"))
        graft.train(ONE, "photos", BACKBONE)
    names = copy_versions(arguments)
    runs = {"one": [], "many": []}
    for _ in range(arguments.processes):
        runs["one"].append(measure(arguments, {"model": ONE}))
        runs["many"].append(measure(arguments, {"models_file": names}))
    title = f"### {arguments.versions} versions on one {BACKBONE}"
    report.write("thousand-versions", title, body(arguments, runs), runs, arguments)


if __name__ == "__main__":
    main()
