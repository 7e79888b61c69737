#!/usr/bin/env python3
"""Writes what an image holds as CycloneDX 1.5 JSON: Graft, Debian's packages, the pinned wheels.

    deploy/docker/sbom.py --version 0.1.0 --dpkg-status IMAGE/var/lib/dpkg/status --venv VENV > sbom.json

Standard library only: it runs in the builder.
"""

import argparse
import json
import pathlib
from urllib.parse import quote


def paragraphs(text):
    """The fields of each paragraph of a Debian control file, or of a wheel's METADATA, which starts with one."""
    for block in text.split("\n\n"):
        lines = [line for line in block.splitlines() if line and line[0] not in " \t" and ": " in line]
        if lines:
            yield dict(line.split(": ", 1) for line in lines)


def debian_packages(status):
    for fields in paragraphs(pathlib.Path(status).read_text(encoding="utf-8")):
        if fields.get("Status", "").endswith(" installed"):
            name, version = fields["Package"], fields["Version"]
            yield {
                "type": "library",
                "name": name,
                "version": version,
                "purl": f"pkg:deb/debian/{quote(name)}@{quote(version)}?arch={fields['Architecture']}&distro=debian-12",
            }


def wheels(venv):
    """Of the libraries that the programs load. pip and what else made the venv is not in the image."""
    for metadata in sorted(pathlib.Path(venv).glob("lib/python3*/site-packages/*.dist-info/METADATA")):
        fields = next(paragraphs(metadata.read_text(encoding="utf-8", errors="replace")))
        name, version = fields["Name"], fields["Version"]
        if name.lower() in ("pip", "setuptools", "wheel"):
            continue
        normal = name.lower().replace("_", "-")
        yield {"type": "library", "name": name, "version": version, "purl": f"pkg:pypi/{normal}@{quote(version)}"}


def bom(version, components):
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": "graft",
                "name": "graft",
                "version": version,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            }
        },
        "components": [{"bom-ref": component["purl"], **component} for component in components],
        "dependencies": [{"ref": "graft", "dependsOn": [component["purl"] for component in components]}],
    }


def main():
    parser = argparse.ArgumentParser(description="A CycloneDX SBOM of Debian's packages and a venv's wheels.")
    parser.add_argument("--version", required=True, help="Graft's")
    parser.add_argument("--dpkg-status", required=True)
    parser.add_argument("--venv", required=True)
    arguments = parser.parse_args()
    components = [*debian_packages(arguments.dpkg_status), *wheels(arguments.venv)]
    print(json.dumps(bom(arguments.version, components), indent=1))


if __name__ == "__main__":
    main()
