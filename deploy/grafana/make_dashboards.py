#!/usr/bin/env python3
"""Writes dashboards/*.json from what stands here, with Grafana's own model of a dashboard.

Needs grafana-foundation-sdk (tests/requirements.txt). Each dashboard: is it healthy; then rate, errors, duration; then causes.
"""

import argparse
import itertools
import pathlib
import sys

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import BigValueGraphMode, LegendDisplayMode, LegendPlacement
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
)

FOLDER = pathlib.Path(__file__).resolve().parent / "dashboards"
SOURCE = DataSourceRef(type_val="prometheus", uid="graft-prometheus")  # provisioning/datasources
RATE = "[$__rate_interval]"
SERVER_FAULT = 'code=~"INTERNAL|UNKNOWN|DATA_LOSS"'


def queries(panel, expressions):
    """Adds {legend: expression} to the panel."""
    for index, (legend, expression) in enumerate(expressions.items()):
        query = prometheus.Dataquery().expr(expression).legend_format(legend).ref_id(chr(ord("A") + index))
        panel.with_target(query.range().datasource(SOURCE))
    return panel


def number(title, expression, unit="short", red_above=None, red_below=None, description=""):
    """One value of the top row: green, or red beyond its limit."""
    steps = [Threshold(value=None, color="red" if red_below is not None else "green")]
    if red_below is not None:
        steps.append(Threshold(value=red_below, color="green"))
    if red_above is not None:
        steps.append(Threshold(value=red_above, color="red"))
    panel = stat.Panel().title(title).description(description).unit(unit).datasource(SOURCE).height(4).span(4)
    panel.graph_mode(BigValueGraphMode.AREA).reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    panel.color_scheme(dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS))
    panel.thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
    return queries(panel, {"": expression})


def graph(title, unit, expressions, description="", at_most=None):
    panel = timeseries.Panel().title(title).description(description).unit(unit).datasource(SOURCE).height(8).span(8)
    panel.min(0).fill_opacity(10)
    if at_most is not None:
        panel.max(at_most)
    legend = common.VizLegendOptions().show_legend(True).display_mode(LegendDisplayMode.LIST)
    panel.legend(legend.placement(LegendPlacement.BOTTOM))
    return queries(panel, expressions)


def quantile(share, metric, by="", where=""):
    labels = "le, " + by if by else "le"
    return f"histogram_quantile({share}, sum by ({labels}) (rate({metric}_bucket{where}{RATE})))"


def quantiles(metric, where=""):
    return {f"p{round(share * 100)}": quantile(share, metric, where=where) for share in (0.5, 0.95, 0.99)}


def annotation(name, expression, color):
    return dashboard.AnnotationQuery().name(name).datasource(SOURCE).enable(True).icon_color(color).expr(expression)


def build(uid, title, rows):
    board = dashboard.Dashboard(title).uid(uid).tags(["graft"]).editable().refresh("10s").time("now-1h", "now")
    board.annotation(annotation("Promotions", "sum by (kind) (increase(graft_alias_moves_total[1m])) > 0", "blue"))
    board.annotation(annotation("Job ends", "sum by (state) (increase(graft_jobs_ended_total[1m])) > 0", "purple"))
    ids = itertools.count(1)
    for name, panels in rows.items():
        board.with_row(dashboard.Row(name).id(next(ids)))
        for panel in panels:
            board.with_panel(panel.id(next(ids)))
    return board.build()


def serving():
    requests, images = "graft_rpc_requests_total", "graft_classify_images_total"
    phase = "graft_classify_phase_seconds"
    return build(
        "graft-serving",
        "Graft: Serving",
        {
            "Healthy?": [
                number("Server", 'min(up{job="graft-server"})', red_below=1, description="1: it answers"),
                number("Alerts firing", 'count(ALERTS{alertstate="firing"}) or vector(0)', red_above=1),
                number("Images per second", f'sum(rate({images}{{code="OK"}}{RATE}))', "reqps"),
                number(
                    "Calls failed by the server's fault",
                    f"(sum(rate({requests}{{{SERVER_FAULT}}}{RATE})) or vector(0)) / sum(rate({requests}{RATE}))",
                    "percentunit",
                    red_above=0.01,
                ),
                number("p99 of one image", quantile(0.99, phase, where='{phase="total"}'), "s", red_above=0.5),
                number("Refused per second", f"sum(rate(graft_shed_requests_total{RATE}))", "reqps", red_above=1),
            ],
            "Rate, errors, duration": [
                graph("Images", "reqps", {"{{code}}": f"sum by (code) (rate({images}{RATE}))"}),
                graph(
                    "Calls that did not end with OK",
                    "reqps",
                    {"{{method}} {{code}}": f'sum by (method, code) (rate({requests}{{code!="OK"}}{RATE}))'},
                ),
                graph("Time of one image", "s", quantiles(phase, '{phase="total"}')),
                graph("Calls", "reqps", {"{{method}}": f"sum by (method) (rate({requests}{RATE}))"}),
                graph(
                    "p95 of calls",
                    "s",
                    {"{{method}}": quantile(0.95, "graft_rpc_duration_seconds", by="method")},
                    "A stream's or a watch's call lasts as long as it.",
                ),
                graph("Calls under way", "short", {"active": "graft_rpc_active"}),
            ],
            "Causes": [
                graph("p95 by phase", "s", {"{{phase}}": quantile(0.95, phase, by="phase")}),
                graph(
                    "Images inside",
                    "short",
                    {
                        "admitted": "graft_classify_admitted_images",
                        "wait for {{waiting_for}}": "graft_classify_queue_images",
                        "calls wait for a thread": "graft_request_pool_waiting",
                    },
                    "256 are admitted at most.",
                ),
                graph("Bytes admitted", "bytes", {"encoded": "graft_classify_admitted_bytes"}),
                graph("Refused", "reqps", {"{{reason}}": f"sum by (reason) (rate(graft_shed_requests_total{RATE}))"}),
                graph(
                    "Images per forward pass",
                    "short",
                    {
                        "mean": f"rate(graft_classify_batch_images_sum{RATE}) / rate(graft_classify_batch_images_count{RATE})",
                        "p95": quantile(0.95, "graft_classify_batch_images"),
                    },
                    "1 on the CPU.",
                ),
                graph("Images by model", "reqps", {"{{model}}": f"rate(graft_model_images_total{RATE})"}),
                graph(
                    "Mean time by model",
                    "s",
                    {"{{model}}": f"rate(graft_model_image_seconds_total{RATE}) / rate(graft_model_images_total{RATE})"},
                ),
                graph("Memory of models", "bytes", {"trunks": "graft_trunk_bytes", "heads": "graft_head_bytes"}),
                graph("Models in memory", "short", {"trunks": "graft_trunks_loaded", "heads": "graft_heads_loaded"}),
                graph(
                    "Trunks loaded and removed",
                    "short",
                    {
                        "loaded: {{outcome}}": "graft_trunk_loads_total",
                        "removed": "graft_trunks_removed_total",
                        "seconds of loading": "graft_trunk_load_seconds_total",
                    },
                ),
                graph("Moves of aliases", "short", {"{{kind}}": "graft_alias_moves_total"}, "The next call sees them."),
            ],
        },
    )


def training():
    return build(
        "graft-training",
        "Graft: Training",
        {
            "Healthy?": [
                number("Devices without a worker", "count(graft_worker_running == 0) or vector(0)", red_above=1),
                number("Workers at work", "sum(graft_worker_busy)"),
                number("Jobs waiting", 'sum(graft_jobs{state="QUEUED"}) or vector(0)'),
                number("Jobs succeeded, 24 h", 'increase(graft_jobs_ended_total{state="SUCCEEDED"}[24h])'),
                number("Jobs failed, 24 h", 'increase(graft_jobs_ended_total{state="FAILED"}[24h])', red_above=1),
                number("Crashes of workers, 24 h", "sum(increase(graft_worker_failures_total[24h]))", red_above=1),
            ],
            "Rate, errors, duration": [
                graph("Jobs by state", "short", {"{{state}}": 'graft_jobs{state!~"SUCCEEDED|FAILED|CANCELLED"}'}),
                graph(
                    "Jobs that ended, per hour",
                    "short",
                    {"{{state}}": "increase(graft_jobs_ended_total[1h])"},
                ),
                graph(
                    "Failures, per hour",
                    "short",
                    {"{{type}}": "increase(graft_job_failures_total[1h])"},
                    "data and config are the user's matter.",
                ),
                graph(
                    "Wait in the queue",
                    "s",
                    {
                        "p50": "histogram_quantile(0.5, sum by (le) (increase(graft_job_queue_wait_seconds_bucket[1h])))",
                        "p95": "histogram_quantile(0.95, sum by (le) (increase(graft_job_queue_wait_seconds_bucket[1h])))",
                    },
                    "Of the last hour.",
                ),
                graph(
                    "Mean time of a job by phase",
                    "s",
                    {
                        "{{phase}}": "sum by (phase) (increase(graft_job_phase_seconds_sum[1h]))"
                        " / sum by (phase) (increase(graft_job_phase_seconds_count[1h]))"
                    },
                    "Of the last hour's that succeeded.",
                ),
                graph(
                    "Mean time of an epoch",
                    "s",
                    {
                        "{{phase}}": f"sum by (phase) (rate(graft_training_epoch_seconds_sum{RATE}))"
                        f" / sum by (phase) (rate(graft_training_epoch_seconds_count{RATE}))"
                    },
                ),
            ],
            "Running jobs": [
                graph("Loss", "short", {"{{device}} {{backbone}} {{split}}": "graft_training_loss"}),
                graph("Accuracy", "percentunit", {"{{device}} {{backbone}} {{split}}": "graft_training_accuracy"}, at_most=1),
                graph("Images per second", "short", {"{{device}} {{phase}}": "graft_training_images_per_second"}),
            ],
            "Causes": [
                graph(
                    "Waiting for photos",
                    "percentunit",
                    {"{{device}} {{backbone}}": "graft_training_data_stall_ratio"},
                    "Share of the newest epoch.",
                    at_most=1,
                ),
                graph(
                    "Features found in the cache",
                    "percentunit",
                    {
                        "hits": 'sum(increase(graft_feature_cache_photos_total{result="hit"}[1h]))'
                        " / sum(increase(graft_feature_cache_photos_total[1h]))"
                    },
                    at_most=1,
                ),
                graph("Time of a checkpoint", "s", quantiles("graft_training_checkpoint_seconds")),
                graph("Jobs begun anew", "short", {"{{class}}": "sum by (class) (graft_job_restarts_total)"}),
                graph("Leases lost", "short", {"{{device}}": "graft_job_leases_lost_total"}),
                graph("Crashes of workers", "short", {"{{device}}": "graft_worker_failures_total"}),
                graph("Cores used", "short", {"{{device}}": f'rate(process_cpu_seconds_total{{job="graft-worker"}}{RATE})'}),
                graph("Memory", "bytes", {"{{device}}": 'process_resident_memory_bytes{job="graft-worker"}'}),
                graph("GPU utilisation", "percentunit", {"GPU {{gpu}}": "graft_gpu_utilization_ratio"}, at_most=1),
            ],
        },
    )


def registry_and_system():
    return build(
        "graft-system",
        "Graft: Registry and system",
        {
            "Healthy?": [
                number("Targets that do not answer", 'count(up{job=~"graft-.+"} == 0) or vector(0)', red_above=1),
                number("Disk free", "min(graft_disk_free_bytes / graft_disk_size_bytes)", "percentunit", red_below=0.1),
                number("p99 of a commit", quantile(0.99, "graft_database_commit_seconds"), "s", red_above=0.25),
                number("Up for", 'time() - max(process_start_time_seconds{job="graft-server"})', "s"),
                number("Models", "graft_models"),
                number("Data sets", "graft_datasets"),
            ],
            "Rate, errors, duration": [
                graph(
                    "Commits",
                    "ops",
                    {"{{job}} {{device}}": f"rate(graft_database_commit_seconds_count{RATE})"},
                ),
                graph("Time of a commit", "s", quantiles("graft_database_commit_seconds")),
                graph(
                    "Moves of aliases, per hour",
                    "short",
                    {"{{kind}}": "increase(graft_alias_moves_total[1h])"},
                ),
            ],
            "Registry": [
                graph("Models", "short", {"models": "graft_models", "versions": "graft_model_versions"}),
                graph("Data sets", "short", {"data sets": "graft_datasets", "versions": "graft_dataset_versions"}),
                graph("Database", "bytes", {"files": "graft_database_bytes"}),
            ],
            "Causes": [
                graph(
                    "Cores used",
                    "short",
                    {"{{job}} {{device}}": f'rate(process_cpu_seconds_total{{job=~"graft-.+"}}{RATE})'},
                ),
                graph("Memory", "bytes", {"{{job}} {{device}}": 'process_resident_memory_bytes{job=~"graft-.+"}'}),
                graph("Disk", "bytes", {"free": "graft_disk_free_bytes", "size": "graft_disk_size_bytes"}),
                graph(
                    "File descriptors",
                    "short",
                    {
                        "open: {{job}} {{device}}": 'process_open_fds{job=~"graft-.+"}',
                        "limit: {{job}} {{device}}": 'process_max_fds{job=~"graft-.+"}',
                    },
                ),
                graph(
                    "Connections",
                    "short",
                    {"open": "graft_connections", "refused": f"increase(graft_connections_refused_total{RATE})"},
                    "1,024 at most.",
                ),
                graph("Threads", "short", {"{{job}} {{device}}": 'process_threads{job=~"graft-.+"}'}),
                graph(
                    "GPU memory",
                    "bytes",
                    {"GPU {{gpu}} used": "graft_gpu_memory_used_bytes", "GPU {{gpu}}": "graft_gpu_memory_bytes"},
                ),
                graph("Series", "short", {"{{job}} {{device}}": 'scrape_samples_scraped{job=~"graft-.+"}'}, "2,000 at most."),
                graph("Versions running", "short", {"{{version}}": "count by (version) (graft_build_info)"}),
            ],
        },
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail when a file is not what would be written")
    arguments = parser.parse_args()
    boards = {"serving": serving(), "training": training(), "registry_and_system": registry_and_system()}
    for name, board in boards.items():
        text = JSONEncoder(sort_keys=True, indent=1).encode(board) + "\n"
        file = FOLDER / f"{name}.json"
        if not arguments.check:
            file.write_text(text, encoding="utf-8")
        elif not file.is_file() or file.read_text(encoding="utf-8") != text:
            sys.exit(f"{file} is not what {pathlib.Path(__file__).name} writes: run it")


if __name__ == "__main__":
    main()
