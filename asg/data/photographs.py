"""SVHN, STL-10, and folders of images."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from asg.core.errors import FileError, MissingLibrary, OperandError
from asg.data.checks import require_count
from asg.data.dataset import Dataset
from asg.data.draws import Batch
from asg.data.examples import Examples
from asg.data.labelled import labelled_images, one_of, records
from asg.data.named import stacked
from asg.data.order import Array
from asg.data.sources import Remote, read_files

_SVHN = "http://ufldl.stanford.edu/housenumbers/"
SVHN_REMOTES = {
    "train": Remote(f"{_SVHN}train_32x32.mat", "md5:e26dedcc434d2e4c54c9b2d4a06d8373"),
    "test": Remote(f"{_SVHN}test_32x32.mat", "md5:eb5a983be6a315427106f1b164d9cef3"),
    "extra": Remote(f"{_SVHN}extra_32x32.mat", "md5:a93ce644f1a588dc4d68dda5feec44a7"),
}
STL_REMOTE = Remote(
    "http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz",
    "md5:91f7769df0f17e558f3565bffb0c7dfb",
)
ENDINGS = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")


def load_svhn(split: str = "train", root: Any = None, download: bool = False) -> Dataset:
    """House numbers: ``images`` uint8 [n, 3, 32, 32], ``labels`` int32 in 0...9.

    The files call the digit 0 class 10. Source: Netzer et al., 2011,
    http://ufldl.stanford.edu/housenumbers/. Read by SciPy, which comes with scikit-learn.

    Raises:
        FileError: a file is missing, damaged or of another kind.
        OperandError: a split other than "train", "test" and "extra".
        MissingLibrary: SciPy is not installed.
    """
    remote = SVHN_REMOTES[one_of("split", split, SVHN_REMOTES)]
    content = read_files("svhn", [remote.file], [remote], root, download)[remote.file]
    try:
        from scipy.io import loadmat
    except ImportError:
        raise MissingLibrary(
            "data set 'svhn' needs SciPy: pip install 'asg-compiler[data]'"
        ) from None
    try:
        found = loadmat(BytesIO(content))
    except Exception as error:  # SciPy raises many kinds for damaged files
        raise FileError(f"{remote.file} cannot be read: {error}") from None
    if "X" not in found or "y" not in found or np.asarray(found["X"]).ndim != 4:
        raise FileError(f"{remote.file} holds no images X [32, 32, 3, n] and labels y")
    images, labels = np.asarray(found["X"]).transpose(3, 2, 0, 1), np.asarray(found["y"]).ravel()
    return labelled_images("svhn", [remote.file], images, np.where(labels == 10, 0, labels), 10)


def load_stl10(split: str = "train", root: Any = None, download: bool = False) -> Dataset:
    """STL-10: ``images`` uint8 [n, 3, 96, 96], ``labels`` int32 in 0...9 (1...10 in the files).

    The split "unlabeled" has images alone. Source: Coates et al., 2011,
    https://cs.stanford.edu/~acoates/stl10/ (the files hold every plane column by column).

    Raises:
        FileError: a file is missing, damaged or of another kind.
        OperandError: a split other than "train", "test" and "unlabeled".
    """
    one_of("split", split, ("train", "test", "unlabeled"))
    files = [f"{split}_X.bin"] + ([] if split == "unlabeled" else [f"{split}_y.bin"])
    contents = read_files("stl10", files, [STL_REMOTE], root, download, "stl10_binary")
    rows = records(contents[files[0]], 3 * 96 * 96, files[0])
    images = rows.reshape(-1, 3, 96, 96).transpose(0, 1, 3, 2)
    if split == "unlabeled":
        return Dataset({"images": images}, "stl10", files[0])
    labels = np.frombuffer(contents[files[1]], np.uint8)
    return labelled_images("stl10", files, images, labels, 10, first=1)


class ImageFolder(Examples):
    """Images in one folder for each class, read when a batch asks for them.

    An example is ``images`` uint8 [channels, height, width] and ``labels`` int32.

    Attributes:
        classes: the names of the folders, sorted; the label is the place in this list.
        files: of all images, class by class.

    Raises:
        FileError: no folder, or no image in it; later: an image that cannot be read.
        MissingLibrary: Pillow is not installed.
    """

    def __init__(self, root: Any, size: tuple[int, int] | None = None, channels: int = 3) -> None:
        """See `image_folder`."""
        self.name, self.source = Path(root).name, str(root)
        if size is not None:
            size = require_count("size[0]", size[0]), require_count("size[1]", size[1])
        if channels not in (1, 3):
            raise OperandError(f"channels={channels!r} must be 1 (grey) or 3 (red, green, blue)")
        self.size, self.channels = size, channels
        self._library()
        if not Path(root).is_dir():
            raise FileError(f"{root} is no folder")
        folders = sorted(each for each in Path(root).iterdir() if each.is_dir())
        found = [(i, file) for i, each in enumerate(folders) for file in _images(each)]
        if not found:
            raise FileError(f"{root} holds no folder with images ({', '.join(ENDINGS)})")
        self.classes = [each.name for each in folders]
        self.files = [file for _, file in found]
        self._numbers = np.array([label for label, _ in found], np.int32)

    def __len__(self) -> int:
        """Number of images."""
        return len(self.files)

    def example(self, index: int) -> Batch:
        """One image and its label."""
        return {"images": self._read(self.files[index]), "labels": self._numbers[index, ...]}

    def take(self, indices: Array) -> Batch:
        """Images of one size, stacked."""
        return stacked([self.example(int(index)) for index in indices])

    def _read(self, file: Path) -> Array:
        library = self._library()
        try:
            with library.open(file) as opened:
                image = opened.convert("L" if self.channels == 1 else "RGB")
        except (OSError, ValueError, SyntaxError) as error:
            raise FileError(f"{file} cannot be read as an image: {error}") from None
        if self.size is not None:
            image = image.resize(self.size[::-1], library.Resampling.BILINEAR)
        pixels = np.asarray(image, np.uint8)
        return np.ascontiguousarray(pixels.reshape(*pixels.shape[:2], -1).transpose(2, 0, 1))

    @staticmethod
    def _library() -> Any:
        try:
            from PIL import Image
        except ImportError:
            raise MissingLibrary(
                "folders of images need Pillow: pip install 'asg-compiler[data]'"
            ) from None
        return Image


def image_folder(root: Any, size: tuple[int, int] | None = None, channels: int = 3) -> ImageFolder:
    """A data set of images on disk, one folder for each class.

    Args:
        root: the folder of the folders.
        size: height and width that every image is scaled to (default: as they are; then batches
            need images of one size).
        channels: 3 for colour, 1 for grey.

    Raises:
        FileError: no folder, or no image in it.
        MissingLibrary: Pillow is not installed.
    """
    return ImageFolder(root, size, channels)


def _images(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.suffix.lower() in ENDINGS)
