"""Dashboards, alerts and docs/metrics.md against what a working server and its worker export."""

import json
import pathlib
import re
import subprocess
import sys

import pytest
import yaml
from conftest import PROGRAMS, ROOT, wait_for
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

DASHBOARDS = sorted((ROOT / "deploy/grafana/dashboards").glob("*.json"))
RULES = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text(encoding="utf-8"))["groups"][0]["rules"]
PROMETHEUS_OWN = {"up", "ALERTS", "scrape_samples_scraped"}


def documented():
    """{section: {name: (type, labels, NVIDIA only)}} of docs/metrics.md."""
    sections, section = {}, None
    for line in (ROOT / "docs/metrics.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            section = sections.setdefault(line[3:], {})
        elif row := re.match(r"\| `(\w+)` \| (\w+) \| (.*?) ?\| (.+) \|$", line):
            section[row[1]] = (row[2], set(re.findall(r"`(\w+)`", row[3])), "NVIDIA only" in row[4])
    return sections


def all_documented():
    return {name: row for section in documented().values() for name, row in section.items()}


def metrics_of(expression):
    without_labels = re.sub(r'"[^"]*"', "", re.sub(r"\b(by|ignoring|on) \([^)]*\)", "", expression))
    words = set(re.findall(r"\b(?:graft_|process_|exposer_|scrape_)\w+|\bup\b|\bALERTS\b", without_labels))
    return {word if word in all_documented() else re.sub(r"_(bucket|sum|count)$", "", word) for word in words}


def needs_a_gpu(expression):
    return any(all_documented().get(name, (0, 0, False))[2] for name in metrics_of(expression))


def has_gpu():
    return pathlib.Path("/dev/nvidia0").exists()


def targets():
    for file in DASHBOARDS:
        board = json.loads(file.read_text(encoding="utf-8"))
        for panel in board["panels"]:
            for target in panel.get("targets", []):
                yield pytest.param(target["expr"], id=f"{file.stem}: {panel['title']} {target['refId']}")
        for one in board["annotations"]["list"]:
            yield pytest.param(one["expr"], id=f"{file.stem}: {one['name']}")


def promtool(*words):
    outcome = subprocess.run([PROGRAMS / "promtool", *words], capture_output=True, text=True, timeout=60, check=False)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_promtool_takes_configuration_and_rules_and_passes_the_rules_tests():
    promtool("check", "config", ROOT / "deploy/prometheus/prometheus.yml")
    promtool("check", "rules", "--lint-fatal", ROOT / "deploy/prometheus/alerts.yml")
    promtool("test", "rules", ROOT / "deploy/prometheus/alerts_test.yml")


def test_every_alert_is_tested_firing_and_quiet_and_has_a_runbook():
    tests = yaml.safe_load((ROOT / "deploy/prometheus/alerts_test.yml").read_text(encoding="utf-8"))["tests"]
    runbook = (ROOT / "docs/alerts.md").read_text(encoding="utf-8")
    fires = {case["alertname"]: set() for test in tests for case in test["alert_rule_test"]}
    for test in tests:
        for case in test["alert_rule_test"]:
            fires[case["alertname"]].add(bool(case["exp_alerts"]))
    names = [rule["alert"] for rule in RULES]
    assert fires == {name: {True, False} for name in names}
    assert re.findall(r"^## (\w+)$", runbook, re.M) == names
    assert [rule["annotations"]["runbook"] for rule in RULES] == [f"docs/alerts.md#{name.lower()}" for name in names]


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
def test_dashboards_are_grafanas(file):
    text = json.loads(file.read_text(encoding="utf-8"))
    again = JSONEncoder(sort_keys=True).encode(Dashboard.from_json(text))
    assert json.loads(again) == text
    ids = [panel["id"] for panel in text["panels"]]
    assert len(set(ids)) == len(ids)


def test_dashboards_are_what_their_script_writes_and_use_the_provisioned_source():
    script = ROOT / "deploy/grafana/make_dashboards.py"
    outcome = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr
    source = (ROOT / "deploy/grafana/provisioning/datasources/prometheus.yml").read_text(encoding="utf-8")
    uid = yaml.safe_load(source)["datasources"][0]["uid"]
    for file in DASHBOARDS:
        assert set(re.findall(r'"uid": "(graft-prom\w+)"', file.read_text(encoding="utf-8"))) == {uid}


@pytest.mark.parametrize("expression", list(targets()))
def test_panel_has_an_answer(expression, prometheus, exported):
    assert exported
    assert metrics_of(expression) <= set(all_documented()) | PROMETHEUS_OWN
    answer = prometheus.ask(expression)
    assert answer or (needs_a_gpu(expression) and not has_gpu()), "no data"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_alert_looks_at_what_exists(rule, prometheus, exported):
    assert exported
    prometheus.ask(rule["expr"])
    for name in metrics_of(rule["expr"]):
        assert name in set(all_documented()) | PROMETHEUS_OWN
        kind = all_documented().get(name, ("gauge",))[0]
        answer = prometheus.ask(f"count({name}{'_bucket' if kind == 'histogram' else ''})")
        assert answer or (needs_a_gpu(name) and not has_gpu()), f"{name} is unknown"


def test_rules_are_evaluated_and_none_fires(prometheus, exported):
    assert exported
    (group,) = prometheus.get("rules")["groups"]
    wait_for(lambda: all(rule["health"] == "ok" for rule in prometheus.get("rules")["groups"][0]["rules"]), lambda: "evaluated")
    assert len(group["rules"]) == len(RULES)
    assert [alert for alert in prometheus.get("alerts")["alerts"] if alert["labels"]["severity"] == "critical"] == []


@pytest.mark.parametrize("program, section", [("server", "Server"), ("worker", "Workers")])
def test_docs_list_what_is_exported(program, section, exported):
    tables = documented()
    expected = {
        name: (kind, labels)
        for name, (kind, labels, nvidia) in (tables[section] | tables["Both"]).items()
        if has_gpu() or not nvidia
    }
    assert exported.families[program] == expected


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-q", "-p", "no:cacheprovider", *sys.argv[1:]]))
