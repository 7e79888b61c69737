#!/usr/bin/env python3
"""Three times the calls that the server can answer, for minutes; then the same beside a training job.

The load is open loop: Poisson arrivals at three times the measured peak, whatever the server does. Reported: goodput over
the peak, how fast calls are shed, whether memory stays flat, how fast health and admin calls are answered meanwhile, and
how much of its share of the cores (--worker-cores) a training job keeps.
"""

import argparse
import os
import shutil
import statistics

import report
import server
from load import Watch, finish_load, load, outcome, slope_per_hour, start_load

CORES = len(os.sched_getaffinity(0))
BACKBONE = "mobilenet_v2"
PROBES = {"health": 10, "server-info": 10}  # calls per second while the server is overloaded


def peak(arguments, graft, model, payload):
    """Closed loop: images/s, and what the generator used of the cores."""
    runs = [
        load(arguments.build, graft.address, clients=32, warmup=1, seconds=arguments.peak_seconds, model=model, payload=payload)
        for _ in range(3)
    ]
    return (
        report.spread([run["throughput"] for run in runs]),
        statistics.median(run["generator_cpu_seconds"] / run["seconds"] for run in runs),
    )


def start_overload(arguments, graft, model, payload, rate, seconds):
    options = {"rate": rate, "warmup": 5, "seconds": seconds, "channels": 32, "deadline_ms": arguments.deadline_ms}
    flood = start_load(arguments.build, graft.address, model=model, payload=payload, **options)
    probes = {
        kind: start_load(arguments.build, graft.address, kind=kind, rate=rate, warmup=5, seconds=seconds, channels=1)
        for kind, rate in PROBES.items()
    }
    return flood, probes


def finish_overload(flood, probes):
    return finish_load(flood), {kind: finish_load(probe) for kind, probe in probes.items()}


def codes(result):
    seconds = result["seconds"]
    return {code: found["count"] / seconds for code, found in result["kinds"]["classify"].items()}


def shed(result):
    return outcome(result, code="RESOURCE_EXHAUSTED")


def flood_only(arguments, payload):
    with server.Server(arguments.build, arguments.data_dir, ["--devices", "none"]) as graft:
        best, generator_at_peak = peak(arguments, graft, "photos", payload)
        rate = 3 * best["median"]
        flood, probes = start_overload(arguments, graft, "photos", payload, rate, 60 * arguments.minutes)
        with Watch(graft.pid) as watch:
            result, answered = finish_overload(flood, probes)
    settled = watch.samples[len(watch.samples) // 10 :]
    slope, error = slope_per_hour(settled)
    generators = [result, *answered.values()]
    generator = sum(one["generator_cpu_seconds"] / one["seconds"] for one in generators)
    return {
        "peak": best,
        "rate": rate,
        "goodput": result["throughput"],
        "ratio": result["throughput"] / best["median"],
        "ratio_corrected": result["throughput"] / (CORES - generator) / (best["median"] / (CORES - generator_at_peak)),
        "generator_cores": generator,
        "generator_cores_at_peak": generator_at_peak,
        "codes_per_second": codes(result),
        "ok": outcome(result),
        "shed": shed(result),
        "start_delay": result["start_delay"],
        "not_sent": result["not_sent"],
        "probes": {kind: outcome(one, kind) for kind, one in answered.items()},
        "probe_failures": [found for one in answered.values() for found in one["unexpected"]],
        "megabytes": {
            "first": settled[0]["megabytes"],
            "last": settled[-1]["megabytes"],
            "max": max(sample["megabytes"] for sample in settled),
            "slope_per_hour": slope,
            "standard_error": error,
        },
    }


def features_per_second(graft, dataset, seed):
    """Of a job whose photos are in no cache, and which computes them once: in a precision that is not left to it."""
    result = graft.train(f"job-{seed}", dataset, BACKBONE, "--seed", seed, "--precision", "f32")["result"]
    if result.get("imagesFromCache"):
        raise SystemExit("the features were cached already: nothing to measure")
    return result["imagesComputed"] / result["phaseSeconds"]["prepare"]


def beside_training(arguments, payload):
    """Half of the cores to workers, half to Classify."""
    share = max(1, CORES // 2)
    flags = ["--worker-cores", share, "--inference-threads", max(1, CORES - share)]
    alone, loaded, goodput, generators = [], [], [], []
    for number in range(arguments.training_rounds):
        for overloaded in (False, True):
            shutil.rmtree(arguments.data_dir / "features", ignore_errors=True)
            with server.Server(arguments.build, arguments.data_dir, map(str, flags)) as graft:
                if number == 0 and not overloaded:
                    best, _ = peak(arguments, graft, "photos", payload)
                if not overloaded:
                    alone.append(features_per_second(graft, "photos", 10 * number + 1))
                    continue
                flood, probes = start_overload(arguments, graft, "photos", payload, 3 * best["median"], arguments.training_seconds)
                loaded.append(features_per_second(graft, "photos", 10 * number + 2))
                result, answered = finish_overload(flood, probes)
                goodput.append(result["throughput"])
                generators.append(sum(one["generator_cpu_seconds"] / one["seconds"] for one in [result, *answered.values()]))
    alone, loaded = report.spread(alone), report.spread(loaded)
    generator, ratio = statistics.median(generators), loaded["median"] / alone["median"]
    return {
        "flags": " ".join(map(str, flags)),
        "peak": best,
        "goodput": report.spread(goodput),
        "generator_cores": generator,
        "alone": alone,
        "loaded": loaded,
        "ratio": ratio,
        "ratio_corrected": ratio * CORES / (CORES - generator),
    }


def body(flood, training):
    memory = flood["megabytes"]
    checks = [
        ("goodput over the peak, generator's CPU given back: at least 0.90",
         f"{flood['ratio_corrected']:.2f} (raw {flood['ratio']:.2f})", flood["ratio_corrected"] >= 0.9),
        ("shed calls answered, p99: at most 20 ms", f"{flood['shed'].get('p99_ms', 0):.1f} ms",
         0 < flood["shed"].get("p99_ms", 0) <= 20),
        ("memory flat: slope of resident memory after the first tenth",
         f"{memory['slope_per_hour']:.1f} ± {2 * memory['standard_error']:.1f} MB/hour, "
         f"{memory['first']:.0f} to {memory['last']:.0f} MB", memory["last"] - memory["first"] < 5),
    ]
    for kind, found in flood["probes"].items():
        checks.append((f"{kind} p99: at most 100 ms", f"{found['p99_ms']:.1f} ms",
                       found["p99_ms"] <= 100 and not flood["probe_failures"]))
    if training:
        checks.append(
            (f"training beside it (`{training['flags']}`) keeps at least 0.80 of its images/s, generator's CPU given back",
             f"{training['ratio_corrected']:.2f} (raw {training['ratio']:.2f})", training["ratio_corrected"] >= 0.8)
        )
    rates = ", ".join(f"{code} {rate:.0f}/s" for code, rate in sorted(flood["codes_per_second"].items()))
    text = (
        f"Peak, closed loop with 32 clients: {report.shown(flood['peak'])} images/s. Offered: {flood['rate']:.0f}/s. "
        f"Answered: {rates}; OK p50 {flood['ok']['p50_ms']:.0f} ms, p99 {flood['ok']['p99_ms']:.0f} ms. The generator used "
        f"{flood['generator_cores']:.2f} of {CORES} cores (at the peak {flood['generator_cores_at_peak']:.2f}) and started "
        f"99 % of its calls within {flood['start_delay']['p99_ms']:.1f} ms of their time."
    )
    if training:
        text += (
            f"\n\nBeside training: features (f32) at {report.shown(training['alone'])} images/s without load, "
            f"{report.shown(training['loaded'])} with; Classify's goodput meanwhile {report.shown(training['goodput'])} "
            f"of a peak of {report.shown(training['peak'])} images/s with its share of the cores; the generator used "
            f"{training['generator_cores']:.2f} cores."
        )
    return f"{text}\n\n{report.verdicts(checks)}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    report.add_arguments(parser, "overload-data")
    parser.add_argument("--minutes", type=float, default=10, help="of overload")
    parser.add_argument("--deadline-ms", type=float, default=2000, help="of every call")
    parser.add_argument("--peak-seconds", type=float, default=5)
    parser.add_argument("--training-rounds", type=int, default=3, help="0: not beside training")
    parser.add_argument("--training-seconds", type=float, default=25, help="of load per round: longer than the job takes")
    arguments = parser.parse_args()

    shutil.rmtree(arguments.data_dir, ignore_errors=True)
    server.import_weights(arguments.build, arguments.data_dir, BACKBONE)
    payload = server.some_photos(arguments.data_dir / "payload", 32)
    with server.Server(arguments.build, arguments.data_dir) as graft:
        graft.graft("dataset", "push", "photos", server.photos())
        graft.train("photos", "photos", BACKBONE)
    flood = flood_only(arguments, payload)
    training = beside_training(arguments, payload) if arguments.training_rounds else None
    report.write("overload", f"### Overload with {BACKBONE}", body(flood, training), {"flood": flood, "training": training}, arguments)


if __name__ == "__main__":
    main()
