#!/usr/bin/env python3
"""Writes a small generated picture set, one folder per class, for demonstrations without photos.

Five classes that differ in shape and texture; position, size and colours are random but seeded, so every run writes
the same bytes. Standard library only.
"""
import argparse
import math
import pathlib
import random
import struct
import zlib

SIZE = 96  # pixels, square


def png(pixels: bytes) -> bytes:
    """Encodes SIZE x SIZE RGB rows as a PNG."""
    rows = b"".join(b"\0" + pixels[y * SIZE * 3:(y + 1) * SIZE * 3] for y in range(SIZE))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", SIZE, SIZE, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 6)) + chunk(b"IEND", b"")


# Each answers whether the point (x, y), in units of the radius around the centre, is in the figure.
FIGURES = {
    "disc": lambda x, y: x * x + y * y < 1,
    "ring": lambda x, y: 0.5 < x * x + y * y < 1,
    "square": lambda x, y: abs(x) < 0.9 and abs(y) < 0.9,
    "stripes": lambda x, y: abs(x) < 1 and abs(y) < 1 and math.sin(9 * x) > 0,
    "triangle": lambda x, y: -0.8 < y < 1 and abs(x) < (1 - y) * 0.6,
}


def picture(figure, generator: random.Random) -> bytes:
    centre_x, centre_y = (generator.uniform(0.35, 0.65) * SIZE for _ in range(2))
    radius = generator.uniform(0.2, 0.35) * SIZE
    ink = [generator.randrange(128, 256) for _ in range(3)]
    paper = [generator.randrange(0, 100) for _ in range(3)]
    pixels = bytearray()
    for y in range(SIZE):
        for x in range(SIZE):
            colour = ink if figure((x - centre_x) / radius, (y - centre_y) / radius) else paper
            pixels += bytes(min(255, value + generator.randrange(24)) for value in colour)
    return png(bytes(pixels))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("pictures_per_class", type=int, nargs="?", default=40)
    arguments = parser.parse_args()
    for name, figure in FIGURES.items():
        generator = random.Random(name)
        (arguments.folder / name).mkdir(parents=True, exist_ok=True)
        for index in range(arguments.pictures_per_class):
            (arguments.folder / name / f"{name}_{index:03}.png").write_bytes(picture(figure, generator))


if __name__ == "__main__":
    main()
