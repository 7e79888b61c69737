"""Photos enlarged to the sizes that cameras and phones send, as JPEG of quality 90: FOLDER/WIDTHxHEIGHT/NAME.jpg."""

import argparse
import pathlib

import cv2

SIZES = {"640x480": 16, "1920x1080": 8, "4000x3000": 4}  # how many photos of each


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    arguments = parser.parse_args()
    photos = sorted(arguments.photos.iterdir())
    for size, count in SIZES.items():
        width, height = map(int, size.split("x"))
        target = arguments.folder / size
        target.mkdir(parents=True, exist_ok=True)
        for photo in photos[:: max(1, len(photos) // count)][:count]:
            image = cv2.resize(cv2.imread(str(photo)), (width, height), interpolation=cv2.INTER_CUBIC)
            cv2.imwrite(str(target / f"{photo.stem}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 90])


if __name__ == "__main__":
    main()
