"""Turns measurements into JSON, Markdown and the sections of docs/performance.md. Standard library only."""

import datetime
import json
import os
import pathlib
import platform
import re
import shlex
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs/performance.md"


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "rounds": len(values)}


def shown(value, digits=0):
    """'340 (331-345)' of a spread, '340' where there was one round, '-' of None."""
    if value is None:
        return "-"
    if not isinstance(value, dict):
        return f"{value:.{digits}f}"
    text = f"{value['median']:.{digits}f}"
    return text if value["rounds"] == 1 else f"{text} ({value['min']:.{digits}f}-{value['max']:.{digits}f})"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows])


def verdicts(checks):
    """Rows of (what, figure, limit, holds) as a list of what was asked and whether it was reached."""
    return table(
        ["asked", "measured", "reached"], [(what, figure, "yes" if holds else "**no**") for what, figure, holds in checks]
    )


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        cpu = re.search(r"model name\s*: (.*)", file.read())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    with open("/etc/os-release", encoding="utf-8") as file:
        system = re.search(r'PRETTY_NAME="(.*)"', file.read()).group(1)
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores of {cpu.group(1) if cpu else platform.processor()}, {memory:.0f} GB, {system}"


def commit():
    done = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def write(name, title, body, data, arguments):
    """Prints the section, writes build/bench/NAME.{json,md}, and with --write-docs its place in docs/performance.md."""
    command = shlex.join([os.path.relpath(sys.argv[0], ROOT), *sys.argv[1:]])
    facts = {
        "machine": machine(),
        "date": datetime.date.today().isoformat(),
        "commit": commit(),
        "command": command,
        "load_average_before": arguments.load_average,
    }
    section = (
        f"{title}\n\n`{command}` on {facts['date']}, commit {facts['commit']}, {facts['machine']}; "
        f"load average before: {arguments.load_average:.2f}.\n\n{body}\n"
    )
    print(section)
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / f"{name}.json").write_text(json.dumps({**facts, **data}, indent=1), encoding="utf-8")
    (arguments.out / f"{name}.md").write_text(section, encoding="utf-8")
    if arguments.write_docs:
        write_into(DOCUMENT, name, section)


def write_into(document, name, section):
    """Replaces what stands between '<!-- NAME -->' and '<!-- end of NAME -->'."""
    text = document.read_text(encoding="utf-8")
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    if begin not in text or end not in text:
        raise SystemExit(f"{document} has no place for {name}")
    before, rest = text.split(begin, 1)
    document.write_text(before + begin + section + end + rest.split(end, 1)[1], encoding="utf-8")


def add_arguments(parser, name):
    """The flags that every measurement has."""
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release", help="folder with bin/ and bench/")
    parser.add_argument("--data-dir", type=pathlib.Path, default=ROOT / "build/bench" / name, help="emptied first")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build/bench", help="for the results")
    parser.add_argument("--write-docs", action="store_true", help=f"write the result into {DOCUMENT.name}")
    parser.set_defaults(load_average=os.getloadavg()[0])
