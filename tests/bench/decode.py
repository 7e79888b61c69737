#!/usr/bin/env python3
"""The cost of a photo over its megapixels, from encoded bytes to the network's input, beside OpenCV and libjpeg-turbo."""

import argparse
import subprocess

import report


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    report.add_arguments(parser, "decode-data")
    arguments = parser.parse_args()
    program = arguments.build / "bench/decode_bench"
    done = subprocess.run([program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    curve = done.stdout.partition("\nmilliseconds\n")[2].strip()  # after Google Benchmark's own lines
    text = f"Milliseconds, median of five; the photo's size in megapixels and its file's in kB.\n\n```\n{curve}\n```"
    report.write("decode", "### Decode and resize", text, {"output": done.stdout}, arguments)


if __name__ == "__main__":
    main()
