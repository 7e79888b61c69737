"""Which photos of a folder are in a data set, and with which labels: the rules of `graft dataset push`.

    animals/cat/1.jpg, animals/dog/2.jpg   one folder per class; wrapper folders (animals) are skipped
    train/cat/1.jpg, test/cat/9.jpg        train|training, validation|val|valid and test|testing are splits, when
                                           nothing but splits lies beside them
    cat/kittens/3.jpg                      deeper folders belong to their class (cat)

Left out: links, hidden files, what systems leave behind (__MACOSX, Thumbs.db, desktop.ini) and files without a
picture's extension.
"""

import dataclasses
import os
import pathlib

from graft.v1.dataset_pb2 import Split

_EXTENSIONS = tuple(
    ".jpg .jpeg .jpe .jfif .png .webp .bmp .gif .tif .tiff .heic .heif .avif .jp2".split()
)
_SYSTEM_NAMES = {"__macosx", "thumbs.db", "desktop.ini", "$recycle.bin", "@eadir"}
_SPLITS = {
    "train": Split.SPLIT_TRAIN,
    "training": Split.SPLIT_TRAIN,
    "validation": Split.SPLIT_VALIDATION,
    "val": Split.SPLIT_VALIDATION,
    "valid": Split.SPLIT_VALIDATION,
    "test": Split.SPLIT_TEST,
    "testing": Split.SPLIT_TEST,
}
_HINT = "put the pictures of each class into a folder named for the class"


@dataclasses.dataclass(frozen=True)
class Photo:
    """A file of a data set."""

    file: pathlib.Path
    path: str  # its name in the data set, '/' between parts
    label: str
    split: int = Split.SPLIT_UNSPECIFIED  # where it is given; else the server assigns one
    group: str = ""  # photos of one group stay on one side of a split


def photos_in(folder):
    """The photos of `folder`, by path. ValueError, naming file and remedy, where labels are not clear."""
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder")
    paths = sorted(_photo_paths(folder))
    if not paths:
        raise ValueError(f"{folder}: no pictures in it; {_HINT}")
    photos = [Photo(folder.joinpath(*parts), "/".join(parts), label, split) for parts, label, split in
              _labelled(folder, paths)]
    labels = {photo.label for photo in photos}
    if len(labels) < 2:
        raise ValueError(f"{folder}: only one class, {min(labels)!r}; a classifier needs at least two: {_HINT}")
    return photos


def _photo_paths(folder):
    """Paths relative to the folder, as tuples of their parts."""
    for parent, folders, files in os.walk(folder, onerror=_raise):
        folders[:] = [name for name in folders if _is_visible(name)]
        for name in files:
            file = pathlib.Path(parent, name)
            is_photo = _is_visible(name) and name.lower().endswith(_EXTENSIONS)
            if is_photo and file.is_file() and not file.is_symlink():
                yield file.relative_to(folder).parts


def _raise(error):
    raise error


def _is_visible(name):
    return not name.startswith(".") and name.lower() not in _SYSTEM_NAMES


def _labelled(folder, paths):
    """(path, label, split) of each."""
    depth = _depth_of_tree(paths)
    names = sorted({path[depth] for path in paths if len(path) > depth + 1})
    splits = [name for name in names if name.lower() in _SPLITS]
    # A class may be called "train" (toys, say): split names are splits where they all hold folders.
    with_folders = {path[depth] for path in paths if len(path) > depth + 2}
    if not splits or with_folders != set(names):
        yield from _of_classes(folder, paths, depth, Split.SPLIT_UNSPECIFIED)
        return
    _refuse_loose(folder, paths, depth)
    others = [name for name in names if name not in splits]
    if others:
        raise ValueError(f"{folder}: folder {others[0]!r} lies beside {', '.join(splits)}; keep only train, validation "
                         "and test there, or only classes")
    for name in names:
        members = [path for path in paths if path[depth] == name]
        yield from _of_classes(folder, members, depth + 1, _SPLITS[name.lower()])


def _of_classes(folder, paths, depth, split):
    depth = _unwrapped(paths, depth, lambda _: True)
    _refuse_loose(folder, paths, depth)
    return [(path, path[depth], split) for path in paths]


def _depth_of_tree(paths):
    """Below wrappers, but not below a lone "train": that one names a split."""
    return _unwrapped(paths, 0, lambda name: name.lower() not in _SPLITS)


def _unwrapped(paths, depth, may_enter):
    """Skips folders that hold exactly one folder with folders in it, and no picture."""
    while True:
        name = paths[0][depth]
        lone = all(len(path) > depth + 1 and path[depth] == name for path in paths)
        if not lone or not may_enter(name) or any(len(path) == depth + 2 for path in paths):
            return depth
        depth += 1


def _refuse_loose(folder, paths, depth):
    loose = next(("/".join(path) for path in paths if len(path) == depth + 1), None)
    if loose is None:
        return
    if all(len(path) == depth + 1 for path in paths):
        raise ValueError(f"{folder}: no class folders: {loose} lies in none; {_HINT}")
    raise ValueError(f"{folder}: {loose} lies beside the class folders, in none of them; move it into one or away")
