#!/usr/bin/env python3
"""What metrics cost Classify's throughput: in the calls themselves, and while Prometheus scrapes.

The first is measured alone (metrics_bench: the CPU time of one call's metrics) over what a call costs the server's CPU.
The second is the CPU time of one scrape of a server that does nothing else, over what the cores have in the 5 s between two.
Their sum is the cost; to see that nothing else is hidden, rounds in turns put the same closed-loop load on a server without
an endpoint and on one that is scraped once a second.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import threading
import urllib.request

import report
import server
from load import load

CORES = len(os.sched_getaffinity(0))
BACKBONE = "mobilenet_v2"
SCRAPE_INTERVAL = 5  # seconds, as in deploy/prometheus
SCRAPES = 1000


class Scraper:
    """GET /metrics once a second while `with` lasts."""

    def __init__(self, address):
        self.url, self.sizes = f"http://{address}/metrics", []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _run(self):
        while not self._stop.wait(1):
            with urllib.request.urlopen(self.url, timeout=30) as answer:
                self.sizes.append(len(answer.read()))


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rounds(arguments, payload):
    """{"without": [...], "scraped": [...]} images/s, and the server's CPU seconds per image."""
    options = {"clients": 32, "warmup": 2, "seconds": arguments.seconds, "model": "photos", "payload": payload}
    throughput, per_image = {"without": [], "scraped": []}, []
    with (
        server.Server(arguments.build, arguments.data_dir, ["--devices", "none"]) as scraped,
        server.Server(arguments.build, arguments.copy, ["--devices", "none", "--metrics-listen", "none"]) as without,
    ):
        for number in range(arguments.rounds):
            for kind in ("without", "scraped") if number % 2 else ("scraped", "without"):
                if kind == "without":
                    result = load(arguments.build, without.address, **options)
                else:
                    before = cpu_seconds(scraped.pid)
                    with Scraper(scraped.metrics_address) as scraper:
                        result = load(arguments.build, scraped.address, **options)
                    images = result["throughput"] * (options["warmup"] + arguments.seconds)
                    per_image.append((cpu_seconds(scraped.pid) - before) / images)
                throughput[kind].append(result["throughput"])
    return throughput, statistics.median(per_image), scraper.sizes[-1]


def cost_of_a_scrape(arguments):
    """CPU seconds."""
    with server.Server(arguments.build, arguments.data_dir, ["--devices", "none"]) as graft:
        url = f"http://{graft.metrics_address}/metrics"
        before = cpu_seconds(graft.pid)
        for _ in range(SCRAPES):
            with urllib.request.urlopen(url, timeout=30) as answer:
                answer.read()
        return (cpu_seconds(graft.pid) - before) / SCRAPES


def cost_of_a_call(build):
    """{callers: CPU seconds of one call's metrics}"""
    done = subprocess.run([build / "bench/metrics_bench", "--benchmark_format=json"], capture_output=True, text=True, check=True)
    return {one["threads"]: one["cpu_time"] * 1e-9 for one in json.loads(done.stdout)["benchmarks"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    report.add_arguments(parser, "metrics-data")
    parser.add_argument("--rounds", type=int, default=10, help="of each kind")
    parser.add_argument("--seconds", type=float, default=10, help="per round")
    arguments = parser.parse_args()
    arguments.copy = arguments.data_dir.with_name(arguments.data_dir.name + "-without")

    shutil.rmtree(arguments.data_dir, ignore_errors=True)
    shutil.rmtree(arguments.copy, ignore_errors=True)
    server.import_weights(arguments.build, arguments.data_dir, BACKBONE)
    dataset = server.small_dataset(arguments.data_dir / "photos")
    payload = server.some_photos(arguments.data_dir / "payload", 32)
    with server.Server(arguments.build, arguments.data_dir) as graft:
        graft.graft("dataset", "push", "photos", dataset)
        graft.train("photos", "photos", BACKBONE)
    shutil.copytree(arguments.data_dir, arguments.copy)

    calls = cost_of_a_call(arguments.build)
    scrape = cost_of_a_scrape(arguments)
    throughput, per_image, scrape_bytes = rounds(arguments, payload)
    ratios = [scraped / without for scraped, without in zip(throughput["scraped"], throughput["without"])]
    share = max(calls.values()) / per_image
    loss = 1 - statistics.median(ratios)
    error = statistics.stdev(ratios) / len(ratios) ** 0.5 if len(ratios) > 1 else 0
    scraping = scrape / SCRAPE_INTERVAL / CORES
    checks = [
        (
            "counting and scraping, of the CPU time: below 1 %",
            f"{100 * share:.3f} % + {100 * scraping:.3f} %",
            share + scraping < 0.01,
        ),
    ]
    text = (
        f"One call's metrics take {1e6 * calls[1]:.2f} µs alone, {1e6 * calls[max(calls)]:.2f} µs of CPU with "
        f"{max(calls)} callers at once; a call of Classify takes {1e3 * per_image:.2f} ms of the server's CPU. A scrape "
        f"takes {1e3 * scrape:.2f} ms of it. "
        f"{arguments.rounds} rounds of {arguments.seconds:.0f} s, 32 clients, {CORES} cores: "
        f"{report.shown(report.spread(throughput['without']))} images/s without an endpoint, "
        f"{report.shown(report.spread(throughput['scraped']))} scraped once a second ({scrape_bytes / 1024:.0f} KiB): "
        f"{100 * loss:.2f} % fewer (standard error {100 * error:.2f} %).\n\n"
        + report.verdicts(checks)
    )
    data = {"call_seconds": calls, "cpu_per_image": per_image, "throughput": throughput, "share": share,
            "scrape_seconds": scrape, "loss": loss, "loss_error": error}
    report.write("metrics_overhead", "### What metrics cost", text, data, arguments)


if __name__ == "__main__":
    main()
