"""What /proc says about a process' memory."""

import pathlib


def memory_mib(pid, field):
    """`field` of its status: VmRSS, what it has; VmHWM, the most it ever had. 0 where it died."""
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except FileNotFoundError:
        return 0.0
    return int(next((line.split()[1] for line in status.splitlines() if line.startswith(field)), 0)) / 1024
