"""Data sets by name, from small files in each set's own format that the tests write."""

import gzip
import struct
import sys
import tarfile
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asg import data
from asg.cache.folder import cache_folder
from asg.core.errors import AsgError, FileError, MissingLibrary, OperandError, UnknownName
from asg.data.idx import read_idx

RANDOM = np.random.default_rng(0)
GREY = RANDOM.integers(0, 256, (6, 28, 28), np.uint8)
COLOUR = RANDOM.integers(0, 256, (6, 3, 32, 32), np.uint8)
LABELS = np.array([3, 0, 9, 1, 2, 4], np.uint8)


def idx(array: Any) -> bytes:
    codes = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}
    code = codes[array.dtype.str[1:]]
    header = bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    content: bytes = array.astype(array.dtype.newbyteorder(">")).tobytes()
    return header + content


def write(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def packed(files: dict[str, bytes]) -> dict[str, bytes]:
    return {f"{name}.gz": gzip.compress(content) for name, content in files.items()}


def mnist_files(part: str = "train") -> dict[str, bytes]:
    return {f"{part}-images-idx3-ubyte": idx(GREY), f"{part}-labels-idx1-ubyte": idx(LABELS)}


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "i4", "f4", "f8"])
def test_idx_files_hold_any_dtype(dtype: str) -> None:
    array = RANDOM.integers(-100, 100, (3, 2, 4)).astype(dtype)
    found = read_idx(idx(array), "file")
    assert np.array_equal(found, array) and found.dtype == array.dtype


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "kmnist"])
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("split", ["train", "test"])
def test_mnist_and_its_relatives(
    tmp_path: Path, name: str, compressed: bool, split: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = mnist_files({"train": "train", "test": "t10k"}[split])
    write(tmp_path / name, packed(files) if compressed else files)
    for found in (data.load(name, split=split, root=tmp_path),
                  data.load(name, split=split, root=tmp_path / name)):  # fmt: skip
        assert np.array_equal(found.arrays["images"], GREY[:, None])
        assert np.array_equal(found.arrays["labels"], LABELS)
        assert found.arrays["labels"].dtype == np.int32 and found.name == name
    monkeypatch.setenv("ASG_DATA", str(tmp_path))
    assert len(data.load(name, split=split)) == 6
    monkeypatch.delenv("ASG_DATA")
    monkeypatch.setenv("ASG_CACHE", str(tmp_path / "cache"))
    write(tmp_path / "cache" / "data" / name, files)
    assert len(data.load(name, split=split)) == 6


@pytest.mark.parametrize(("part", "first"), [("letters", 1), ("balanced", 0)])
@pytest.mark.parametrize("archive", [False, True])
def test_emnist_stands_upright(tmp_path: Path, part: str, first: int, archive: bool) -> None:
    images, labels = GREY.transpose(0, 2, 1), LABELS + np.uint8(first)
    files = packed({
        f"emnist-{part}-test-images-idx3-ubyte": idx(images),
        f"emnist-{part}-test-labels-idx1-ubyte": idx(labels),
    })  # fmt: skip
    if archive:
        with zipfile.ZipFile(tmp_path / "gzip.zip", "w") as opened:
            for name, content in files.items():
                opened.writestr(f"gzip/{name}", content)
    else:
        write(tmp_path / "gzip", files)
    found = data.load("emnist", part=part, split="test", root=tmp_path)
    assert np.array_equal(found.arrays["images"][:, 0], GREY)
    assert np.array_equal(found.arrays["labels"], LABELS)


def tar(path: Path, files: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, BytesIO(content))


def binary_ten(part: slice = slice(None)) -> bytes:
    flat = COLOUR[part].reshape(-1, 3072)
    return np.concatenate([LABELS[part, None], flat], 1).tobytes()


def short(text: bytes) -> bytes:
    return b"U" + bytes([len(text)]) + text


def python_two(entries: dict[bytes, Any]) -> bytes:
    """What Python 2's cPickle wrote for a dict of arrays of bytes and of lists of small ints."""
    body = b"\x80\x02}q\x01("
    for key, value in entries.items():
        body += short(key)
        if isinstance(value, list):
            body += b"](" + b"".join(b"K" + bytes([each]) for each in value) + b"e"
            continue
        rows, columns = value.shape
        body += b"cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K\x00\x85q\x05"
        body += short(b"b") + b"\x87Rq\x06(K\x01" + b"K" + bytes([rows])
        body += b"M" + struct.pack("<H", columns) + b"\x86cnumpy\ndtype\nq\x07" + short(b"u1")
        body += b"K\x00K\x01\x87Rq\x08(K\x03" + short(b"|") + b"NNN" + b"J\xff\xff\xff\xff" * 2
        body += b"K\x00tb\x89T" + struct.pack("<i", value.size) + value.tobytes() + b"tb"
    return body + b"u."


FLAT = COLOUR.reshape(-1, 3072)


@pytest.mark.parametrize("form", ["binary", "python"])
@pytest.mark.parametrize("where", ["folder", "unpacked", "archive"])
def test_cifar10(tmp_path: Path, form: str, where: str) -> None:
    parts = [slice(i, i + 1) for i in range(4)] + [slice(4, 6)]
    if form == "binary":
        folder, archive = "cifar-10-batches-bin", "cifar-10-binary.tar.gz"
        files = {f"data_batch_{i + 1}.bin": binary_ten(part) for i, part in enumerate(parts)}
    else:
        folder, archive = "cifar-10-batches-py", "cifar-10-python.tar.gz"
        files = {
            f"data_batch_{i + 1}": python_two({
                b"data": FLAT[part], b"labels": LABELS[part].tolist(), b"batch_label": [1],
            })
            for i, part in enumerate(parts)
        }  # fmt: skip
    if where == "archive":
        tar(tmp_path / archive, {f"{folder}/{name}": each for name, each in files.items()})
    else:
        write(tmp_path / folder if where == "unpacked" else tmp_path, files)
    found = data.load("cifar10", form=form, root=tmp_path)
    assert np.array_equal(found.arrays["images"], COLOUR)
    assert np.array_equal(found.arrays["labels"], LABELS)


@pytest.mark.parametrize("form", ["binary", "python"])
def test_cifar100_has_two_kinds_of_labels(tmp_path: Path, form: str) -> None:
    coarse, fine = LABELS, LABELS * np.uint8(10)
    rows = np.concatenate([coarse[:, None], fine[:, None], FLAT], 1).tobytes()
    entries = {b"data": FLAT, b"fine_labels": fine.tolist(), b"coarse_labels": coarse.tolist()}
    write(tmp_path, {"test.bin": rows} if form == "binary" else {"test": python_two(entries)})
    found = data.load("cifar100", split="test", form=form, root=tmp_path).arrays
    assert np.array_equal(found["images"], COLOUR)
    assert np.array_equal(found["labels"], fine)
    assert np.array_equal(found["coarse"], coarse)


def test_svhn_calls_ten_zero(tmp_path: Path) -> None:
    scipy_io = pytest.importorskip("scipy.io")
    labels = np.where(LABELS == 0, 10, LABELS)[:, None]
    matrices = {"X": COLOUR.transpose(2, 3, 1, 0), "y": labels}
    scipy_io.savemat(tmp_path / "test_32x32.mat", matrices, do_compression=True)
    found = data.load("svhn", split="test", root=tmp_path).arrays
    assert np.array_equal(found["images"], COLOUR)
    assert np.array_equal(found["labels"], LABELS)
    scipy_io.savemat(tmp_path / "train_32x32.mat", {"Z": labels})
    with pytest.raises(FileError, match="holds no images X"):
        data.load("svhn", root=tmp_path)
    (tmp_path / "train_32x32.mat").write_bytes(b"MATLAB 5.0 but no more")
    with pytest.raises(FileError, match="cannot be read"):
        data.load("svhn", root=tmp_path)


def test_stl10_is_stored_by_columns(tmp_path: Path) -> None:
    images = RANDOM.integers(0, 256, (2, 3, 96, 96), np.uint8)
    stored = images.transpose(0, 1, 3, 2).tobytes()
    files = {"train_X.bin": stored, "train_y.bin": bytes([10, 1]), "unlabeled_X.bin": stored}
    tar(tmp_path / "stl10_binary.tar.gz", {f"stl10_binary/{name}": f for name, f in files.items()})
    found = data.load("stl10", root=tmp_path).arrays
    assert np.array_equal(found["images"], images)
    assert found["labels"].tolist() == [9, 0]
    alone = data.load("stl10", split="unlabeled", root=tmp_path).arrays
    assert list(alone) == ["images"] and np.array_equal(alone["images"], images)


def test_tiny_shakespeare_is_split_in_order(tmp_path: Path) -> None:
    text = "To be, or not to be.\n" * 10
    write(tmp_path, {"input.txt": text.encode()})
    parts = [data.load("tinyshakespeare", split=s, root=tmp_path) for s in ("train", "test", "all")]
    texts = [part.tokenizer.decode(part.arrays["tokens"]) for part in parts]  # type: ignore[attr-defined]
    assert texts == [text[:189], text[189:], text]
    as_bytes = data.load("tinyshakespeare", tokens="bytes", root=tmp_path)
    assert as_bytes.arrays["tokens"].tolist() == list(text.encode())


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "diabetes"])
def test_bundled_tables_are_those_of_scikit_learn(name: str) -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    found = data.load(name).arrays
    assert np.array_equal(found["x"], x.astype(np.float32))
    assert np.array_equal(found["y" if name == "diabetes" else "labels"], y)
    assert all(array.dtype in (np.float32, np.int32) for array in found.values())


def test_computed_sets_are_what_they_say() -> None:
    for name in ("xor", "spirals", "moons"):
        one, two, other = (data.load(name, count=200, seed=s).arrays for s in (1, 1, 2))
        assert np.array_equal(one["x"], two["x"]) and not np.array_equal(one["x"], other["x"])
        assert np.bincount(one["labels"]).tolist() == [100, 100] or name == "xor"
    xor = data.load("xor", noise=0.05).arrays
    corners = np.round(xor["x"])
    assert np.array_equal(xor["labels"], corners[:, 0] != corners[:, 1])
    moons = data.load("moons", noise=0.0).arrays
    centre = np.where(moons["labels"][:, None] == 1, [1.0, 0.5], [0.0, 0.0])
    assert np.allclose(np.linalg.norm(moons["x"] - centre, axis=1), 1.0, atol=1e-6)
    spirals = data.load("spirals", classes=3, turns=0.0, noise=0.0).arrays
    angles = np.arctan2(spirals["x"][:, 1], spirals["x"][:, 0]) % (2 * np.pi)
    assert np.allclose(angles * 3 / (2 * np.pi) % 3, spirals["labels"], atol=1e-4)
    assert (np.linalg.norm(spirals["x"], axis=1) <= 1.0).all()
    copied, turned = (data.load(n, count=5, length=7, vocabulary=3) for n in ("copy", "reverse"))
    assert np.array_equal(copied.arrays["inputs"], copied.arrays["targets"])
    assert np.array_equal(turned.arrays["inputs"][:, ::-1], turned.arrays["targets"])
    assert set(turned.arrays["inputs"].ravel()) == {0, 1, 2}


BAD: list[tuple[str, dict[str, bytes], dict[str, Any], str]] = [
    ("mnist", mnist_files() | {"train-labels-idx1-ubyte": b"no"}, {}, "ubyte is no IDX"),
    ("mnist", mnist_files() | {"train-labels-idx1-ubyte": b""}, {}, "begins with nothing"),
    ("mnist", mnist_files() | {"train-labels-idx1-ubyte": idx(LABELS)[:6]}, {}, "its header"),
    ("mnist", mnist_files() | {"train-labels-idx1-ubyte": idx(LABELS)[:-1]}, {}, "13 bytes"),
    ("mnist", mnist_files() | {"train-labels-idx1-ubyte": idx(LABELS[:4])}, {}, "4 labels"),
    ("mnist", mnist_files() | {"train-labels-idx1-ubyte": idx(LABELS + np.uint8(1))}, {}, "is 10"),
    ("mnist", mnist_files() | {"train-images-idx3-ubyte": idx(LABELS)}, {}, "no images of bytes"),
    ("mnist", {"train-images-idx3-ubyte.gz": b"\x1f\x8b\x08broken", **mnist_files()}, {}, ""),
    ("mnist", packed(mnist_files()) | {"train-labels-idx1-ubyte.gz": b"x"}, {}, "cannot be read"),
    ("cifar10", {"test_batch.bin": b"x" * 3072}, {"split": "test"}, "no records of 3073 bytes"),
    ("cifar10", {"test_batch.bin": b"\x0b" * 3073}, {"split": "test"}, r"labels\[0\] is 11"),
    ("cifar10", {"cifar-10-binary.tar.gz": b"no"}, {}, "cifar-10-binary.tar.gz cannot be read"),
    ("cifar10", {"test_batch": python_two({b"data": FLAT})}, {"split": "test", "form": "python"},
     "holds no data, labels"),
    ("stl10", {"unlabeled_X.bin": b""}, {"split": "unlabeled"}, "no records"),
    ("tinyshakespeare", {"input.txt": b"\xff"}, {}, "no UTF-8"),
    ("tinyshakespeare", {"input.txt": b""}, {}, "is empty"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "files", "options", "message"), BAD)
def test_damaged_and_foreign_files_are_refused(
    tmp_path: Path, name: str, files: dict[str, bytes], options: Any, message: str
) -> None:
    write(tmp_path, files)
    if not message:  # a plain file is taken before a compressed one
        data.load(name, root=tmp_path, **options)
        return
    with pytest.raises(FileError, match=message):
        data.load(name, root=tmp_path, **options)


@pytest.mark.parametrize("name", data.names(files=True))
def test_a_set_without_its_files_says_which_and_where(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASG_DATA", str(tmp_path))
    with pytest.raises(FileError) as caught:
        data.load(name)
    message = str(caught.value)
    assert f"data set {name!r} needs " in message and str(tmp_path / name) in message
    assert all(part in message for part in ("root=", "$ASG_DATA", "download=True"))


def test_another_sets_folder_is_not_taken(tmp_path: Path) -> None:
    write(tmp_path / "mnist", mnist_files())
    with pytest.raises(FileError, match="'kmnist' needs"):
        data.load("kmnist", root=tmp_path)


def test_downloads_go_through_pooch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pooch = pytest.importorskip("pooch")
    asked: list[str] = []

    def retrieve(url: str, digest: str, file: str, folder: Path) -> None:
        asked.append(f"{file} {digest[:4]}")
        content = packed(mnist_files() | mnist_files("t10k"))[file]
        write(folder, {file: content})

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    assert len(data.load("mnist", root=tmp_path, download=True)) == 6
    assert asked == ["train-images-idx3-ubyte.gz md5:", "train-labels-idx1-ubyte.gz sha2"]
    assert len(data.load("mnist", root=tmp_path, download=True)) == 6  # nothing is asked again
    assert len(asked) == 2

    def offline(*arguments: Any) -> None:
        raise OSError("no net")

    monkeypatch.setattr(pooch, "retrieve", offline)
    with pytest.raises(FileError, match=r"t10k-images.*no net\n.*put it into"):
        data.load("mnist", split="test", root=tmp_path, download=True)
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(MissingLibrary, match=r"needs pooch: pip install 'asg-compiler\[data\]'"):
        data.load("mnist", split="test", root=tmp_path, download=True)


def test_missing_libraries_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"train_32x32.mat": b"anything"})
    for library in ("sklearn", "scipy.io"):
        monkeypatch.setitem(sys.modules, library, None)
    options: dict[str, Any] = {"iris": {}, "svhn": {"root": tmp_path}}
    for name, given in options.items():
        with pytest.raises(MissingLibrary, match=r"pip install 'asg-compiler\[data\]'"):
            data.load(name, **given)


@pytest.mark.parametrize(
    ("platform", "variables", "end"),
    [
        ("linux", {"XDG_CACHE_HOME": "/caches"}, "/caches/asg"),
        ("linux", {}, ".cache/asg"),
        ("darwin", {}, "Library/Caches/asg"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/asg"),
        ("linux", {"ASG_CACHE": "/mine"}, "/mine"),
    ],
)
def test_the_cache_is_where_the_platform_keeps_them(
    platform: str, variables: dict[str, str], end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ASG_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.platform", platform)
    assert cache_folder().as_posix().endswith(end)


WRONG: list[tuple[Callable[[], Any], type[AsgError], str]] = [
    (lambda: data.load("minst"), UnknownName, "Did you mean 'mnist'"),
    (lambda: data.load("digits", root="."), OperandError, "no option root; there are: none"),
    (lambda: data.load("xor", n=3), OperandError, "no option n; there are: count, noise, seed"),
    (lambda: data.load("xor", count=0), OperandError, "count=0"),
    (lambda: data.load("moons", noise=-1.0), OperandError, "noise=-1.0"),
    (
        lambda: data.load("mnist", split="val"),
        OperandError,
        "split='val' is not one",
    ),
    (lambda: data.load("emnist", part="all"), OperandError, "part='all' is not one of byclass"),
    (lambda: data.load("cifar10", form="zip"), OperandError, "form='zip'"),
    (lambda: data.load("svhn", split="all"), OperandError, "split='all'"),
    (lambda: data.load("tinyshakespeare", tokens="words"), OperandError, "tokens='words'"),
]


@pytest.mark.parametrize(("make", "error", "message"), WRONG)
def test_what_makes_no_sense_is_refused(
    make: Callable[[], Any], error: type[AsgError], message: str
) -> None:
    with pytest.raises(error, match=message):
        make()
