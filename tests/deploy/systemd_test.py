"""The unit, as systemd itself reads it."""

import pathlib
import subprocess

SYSTEMD = pathlib.Path(__file__).resolve().parents[2] / "deploy/systemd"


def analyze(*words):
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False)


def test_unit_is_valid_and_hardened(tmp_path):
    text = (SYSTEMD / "graft-server.service").read_text(encoding="utf-8")
    unit = tmp_path / "graft-server.service"
    assert "/opt/graft/bin/graft-server" in text
    unit.write_text(text.replace("/opt/graft/bin/graft-server", "/bin/true"), encoding="utf-8")
    verified = analyze("verify", unit)
    assert verified.returncode == 0 and not verified.stderr, verified.stderr
    # Of 100; below 20 is what systemd calls OK.
    secured = analyze("security", "--offline=true", "--threshold=20", unit)
    assert secured.returncode == 0, secured.stdout
