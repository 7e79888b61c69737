#!/usr/bin/env python3
"""Mixed traffic with swaps, for an hour or --minutes: nothing fails that is not the client's fault, nothing grows.

The traffic (graft-load --kind mixed): Classify, ClassifyBatch, photos cut in half, bytes that are no image, unknown
models, bad top_k, calls cancelled or with deadlines of milliseconds, on versions and aliases. Meanwhile versions are
trained and published, promoted, rolled back and deleted, and health is checked. Ends with exit code 1 and the reasons if
an answer was not what its call deserves, a swap failed, the server did not stop cleanly, or memory, file descriptors or
threads grew.
"""

import argparse
import json
import shutil
import sys
import time

import report
import server
from load import Watch, finish_load, load, outcome, slope_per_hour, start_load

BACKBONE = "mobilenet_v2"
MODEL = "soak"
KEPT_VERSIONS = 4
MEGABYTES_PER_HOUR = 1.0
LEAST_HOURS_FOR_A_SLOPE = 0.5  # below, the allocator's own steps are larger than what is asked for
MOST_MEGABYTES_IN_SHORT_RUNS = 24


class Swaps:
    """Publishes by training with another seed, promotes, rolls back and deletes, in turn."""

    def __init__(self, graft):
        self.graft, self.failures, self.done = graft, [], {}
        self.versions = []

    def step(self, what, *words):
        code, out, error = self.graft.try_graft(*words)
        self.done[what] = self.done.get(what, 0) + 1
        if code != 0:
            self.failures.append(f"graft {' '.join(map(str, words))}: exit code {code}: {error}{out}")
        return out if code == 0 else None

    def publish(self, *flags):
        seed = self.versions[-1] if self.versions else 0
        words = ("--dataset", "photos", "--backbone", BACKBONE, "--model", MODEL, "--seed", seed, *flags)
        job = self.step("publish", "-o", "json", "train", *words)
        if job:
            self.versions.append(int(json.loads(job)["result"]["modelVersion"].rsplit("/", 1)[1]))

    def round(self):
        self.publish("--alias", "production")  # and promoted at once
        if len(self.versions) >= 2:
            self.step("promote", "model", "promote", f"{MODEL}:{self.versions[-2]}", "production")
            self.step("roll back", "model", "rollback", MODEL, "production")
        while len(self.versions) > KEPT_VERSIONS:
            self.step("delete", "model", "delete", f"{MODEL}:{self.versions.pop(1)}")  # the first one has traffic of its own


def classify_rate(arguments, graft, payloads):
    """Calls per second that leave room for training, whatever the build."""
    best = load(arguments.build, graft.address, clients=8, seconds=3, warmup=2, model=f"{MODEL}:1", payload=payloads)
    return max(1.0, arguments.share * best["throughput"])


def run(arguments, graft, payloads):
    swaps = Swaps(graft)
    swaps.publish("--alias", "production")
    rate, seconds = classify_rate(arguments, graft, payloads), 60 * arguments.minutes
    models = [f"{MODEL}:1", f"{MODEL}@production", MODEL]
    window = {"warmup": 0, "seconds": seconds}
    traffic = start_load(arguments.build, graft.address, kind="mixed", rate=rate, model=models, payload=payloads, **window)
    health = start_load(arguments.build, graft.address, kind="health", rate=2, channels=1, **window)
    end = time.monotonic() + seconds
    with Watch(graft.pid) as watch:
        while time.monotonic() < end - arguments.swap_seconds and traffic.poll() is None:
            swaps.round()
            time.sleep(max(0, min(arguments.swap_seconds, end - time.monotonic())))
        result, checked = finish_load(traffic), finish_load(health)
    return {"rate": rate, "traffic": result, "health": checked, "swaps": swaps.done, "failures": swaps.failures,
            "samples": watch.samples}


def growth(samples):
    """After a warm-up of a fifth, at most ten minutes: the slope of memory, and fds and threads before and after."""
    settled = [sample for sample in samples if sample["seconds"] >= min(600, samples[-1]["seconds"] / 5)]
    quarter = max(1, len(settled) // 4)
    slope, error = slope_per_hour(settled)
    found = {
        "hours": (settled[-1]["seconds"] - settled[0]["seconds"]) / 3600,
        "slope_per_hour": slope,
        "standard_error": error,
    }
    for field in ("megabytes", "fds", "threads"):
        values = [sample[field] for sample in settled]
        found[field] = {"first": max(values[:quarter]), "last": max(values[-quarter:])}
    return found


def faults(arguments, found, grown):
    """What was wrong, as sentences; nothing is good."""
    wrong = list(found["failures"])
    for name in ("traffic", "health"):
        for one in found[name]["unexpected"]:
            wrong.append(f"{one['kind']}: {one['count']} x {one['outcome']}, for example: {one['message']}")
    for kind in ("classify", "classify-batch"):
        if outcome(found["traffic"], kind)["count"] == 0:
            wrong.append(f"{kind} never succeeded")
    for field in ("fds", "threads"):
        if grown[field]["last"] > grown[field]["first"] + 2:
            wrong.append(f"{field} grew from {grown[field]['first']} to {grown[field]['last']}")
    if arguments.sanitizer:  # its own shadow and quarantine grow for long
        return wrong
    if grown["hours"] >= LEAST_HOURS_FOR_A_SLOPE:
        if grown["slope_per_hour"] > MEGABYTES_PER_HOUR:
            wrong.append(f"memory grows by {grown['slope_per_hour']:.2f} MB/hour")
    elif grown["megabytes"]["last"] > grown["megabytes"]["first"] + MOST_MEGABYTES_IN_SHORT_RUNS:
        wrong.append(f"memory grew from {grown['megabytes']['first']:.0f} to {grown['megabytes']['last']:.0f} MB")
    return wrong


def body(arguments, found, grown, wrong):
    rows = [
        [kind, code, latencies["count"], f"{latencies['p50_ms']:.1f}", f"{latencies['p99_ms']:.1f}"]
        for name in ("traffic", "health")
        for kind, codes in found[name]["kinds"].items()
        for code, latencies in codes.items()
    ]
    swaps = ", ".join(f"{what} {count}" for what, count in found["swaps"].items())
    return (
        f"{arguments.minutes:g} minutes at {found['rate']:.0f} calls/s, Poisson; swaps meanwhile: {swaps}.\n\n"
        f"{report.table(['call', 'answer', 'calls', 'p50 ms', 'p99 ms'], rows)}\n\n"
        f"Resident memory {grown['slope_per_hour']:+.2f} ± {2 * grown['standard_error']:.2f} MB/hour over "
        f"{60 * grown['hours']:.0f} minutes after the warm-up ({grown['megabytes']['first']:.0f} to "
        f"{grown['megabytes']['last']:.0f} MB), file descriptors {grown['fds']['first']} to {grown['fds']['last']}, "
        f"threads {grown['threads']['first']} to {grown['threads']['last']}.\n\n"
        + ("Nothing was wrong." if not wrong else "**Wrong:**\n\n" + "\n".join(f"- {one}" for one in wrong))
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    report.add_arguments(parser, "soak-data")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--share", type=float, default=0.4, help="of the peak that is offered")
    parser.add_argument("--swap-seconds", type=float, default=10, help="between rounds of swaps")
    parser.add_argument("--sanitizer", action="store_true", help="the build is instrumented: memory is not judged")
    arguments = parser.parse_args()

    shutil.rmtree(arguments.data_dir, ignore_errors=True)
    server.import_weights(arguments.build, arguments.data_dir, BACKBONE)
    payloads = server.some_photos(arguments.data_dir / "payload", 32)
    with server.Server(arguments.build, arguments.data_dir) as graft:  # a server that ends badly ends this as well
        graft.graft("dataset", "push", "photos", server.small_dataset(arguments.data_dir / "dataset"))
        found = run(arguments, graft, payloads)
    grown = growth(found["samples"])
    wrong = faults(arguments, found, grown)
    report.write("soak", "### Soak", body(arguments, found, grown, wrong), {**found, "growth": grown, "wrong": wrong}, arguments)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
