"""Tokenizers, windows over texts, and folders of images."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asg import data
from asg.core.errors import AsgError, FileError, MissingLibrary, OperandError
from asg.data import ByteTokenizer, CharacterTokenizer, DataLoader

TEXT = "To be, or nöt to be: 😀\n"


@pytest.mark.parametrize("kind", [CharacterTokenizer.of(TEXT), ByteTokenizer()])
@pytest.mark.parametrize("text", [TEXT, "", "be", "😀"])
def test_texts_come_back(kind: Any, text: str) -> None:
    tokens = kind.encode(text)
    assert tokens.dtype == np.int32 and kind.decode(tokens) == text
    assert kind.decode(tokens.tolist()) == text
    assert all(0 <= token < kind.size for token in tokens)


def test_a_vocabulary_is_sorted_and_stored(tmp_path: Path) -> None:
    first = CharacterTokenizer.of(TEXT, unknown="?")
    assert list(first.characters) == sorted(set(TEXT) | {"?"})
    assert first.decode(first.encode("be zig")) == "be ???"
    first.save(tmp_path / "characters.json")
    second = CharacterTokenizer.load(tmp_path / "characters.json")
    assert (second.characters, second.unknown) == (first.characters, "?")
    assert np.array_equal(second.encode("toxic"), first.encode("toxic"))


def test_unknown_characters_are_refused_or_replaced() -> None:
    with pytest.raises(OperandError, match=r"character 'z' at 1 is not in the vocabulary of 2"):
        CharacterTokenizer("ab").encode("azb")
    assert CharacterTokenizer("ab_", "_").encode("azb").tolist() == [0, 2, 1]
    assert CharacterTokenizer("ba").encode("ab").tolist() == [1, 0]


def test_library_tokenizers_are_those_of_the_library(tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    inner = tokenizers.Tokenizer(tokenizers.models.BPE())
    inner.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel()
    inner.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<s>"], show_progress=False,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    inner.train_from_iterator([TEXT] * 5, trainer)
    inner.post_processor = tokenizers.processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 0)]
    )
    inner.save(str(tmp_path / "tokenizer.json"))
    ours = data.tokenizer(tmp_path / "tokenizer.json")
    assert ours.size == inner.get_vocab_size()
    assert ours.encode(TEXT, special=True).tolist() == inner.encode(TEXT).ids
    assert ours.encode(TEXT).tolist() == inner.encode(TEXT).ids[1:]
    assert ours.decode(ours.encode(TEXT)).strip() == TEXT.strip()
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(FileError, match=r"bad\.json cannot be read as a tokenizer"):
        data.tokenizer(tmp_path / "bad.json")
    with pytest.raises(FileError, match="is no file"):
        data.tokenizer(tmp_path / "gone.json")


def test_missing_libraries_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for library in ("tokenizers", "PIL"):
        monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingLibrary, match=r"pip install 'asg-compiler\[text\]'"):
        data.tokenizer("tokenizer.json")
    with pytest.raises(MissingLibrary, match=r"pip install 'asg-compiler\[data\]'"):
        data.image_folder(tmp_path)


@pytest.mark.parametrize(("length", "stride"), [(3, None), (3, 1), (4, 2), (9, 5), (10, None)])
def test_targets_are_inputs_one_later(length: int, stride: int | None) -> None:
    tokens = np.arange(11) * 2
    windows = data.text_windows(tokens, length, stride)
    step = stride or length
    starts = [s for s in range(0, 11, step) if s + length + 1 <= 11]
    assert len(windows) == len(starts)
    for window, start in zip(windows, starts, strict=True):
        assert window["inputs"].tolist() == tokens[start : start + length].tolist()
        assert window["targets"].tolist() == tokens[start + 1 : start + length + 1].tolist()
    batch = windows[[len(windows) - 1, 0]]
    assert batch["targets"].flags.c_contiguous
    assert batch["inputs"][1].tolist() == tokens[:length].tolist()


def test_random_windows_are_anywhere_and_repeat() -> None:
    windows = data.text_windows(np.arange(10), 3, random=500, seed=1)
    starts = windows[:]["inputs"][:, 0]
    assert set(starts) == set(range(7))
    again = data.text_windows(np.arange(10), 3, random=500, seed=1)
    assert np.array_equal(again[:]["inputs"][:, 0], starts)
    assert not np.array_equal(data.text_windows(np.arange(10), 3, random=500).starts, starts)


def test_windows_are_memory_light_and_go_through_a_loader(tmp_path: Path) -> None:
    np.save(tmp_path / "tokens.npy", np.arange(1000, dtype=np.uint16))
    tokens = np.load(tmp_path / "tokens.npy", mmap_mode="r")
    loader = DataLoader(data.text_windows(tokens, 100, stride=1), 32, shuffle=True)
    batch = next(iter(loader))
    assert batch["inputs"].shape == (32, 100) and type(batch["inputs"]) is np.ndarray
    assert np.array_equal(batch["inputs"] + 1, batch["targets"])


def test_a_text_file_is_a_data_set(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    text = data.read_text(tmp_path / "text.txt")
    assert text.tokenizer.decode(text.arrays["tokens"]) == TEXT
    assert len(text.windows(5)) == (len(TEXT) - 1) // 5
    as_bytes = data.read_text(tmp_path / "text.txt", ByteTokenizer())
    assert len(as_bytes) == len(TEXT.encode())


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    image = pytest.importorskip("PIL.Image")
    for name, grey in [("b/2.png", 20), ("a/1.png", 10), ("a/3.PNG", 30)]:
        path = tmp_path / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image.new("RGB", (4, 3), (grey, 2 * grey, 3 * grey)).save(path)
    (tmp_path / "set" / "a" / "notes.txt").write_text("no image")
    return tmp_path / "set"


def test_folders_of_images_are_classes(pictures: Path) -> None:
    found = data.image_folder(pictures)
    assert (found.classes, len(found)) == (["a", "b"], 3)
    batch = found[:]
    assert batch["images"].shape == (3, 3, 3, 4) and batch["images"].dtype == np.uint8
    assert batch["images"][:, :, 0, 0].tolist() == [[10, 20, 30], [30, 60, 90], [20, 40, 60]]
    assert batch["labels"].tolist() == [0, 0, 1] and batch["labels"].dtype == np.int32
    assert data.image_folder(pictures, (6, 5), 1)[0]["images"].shape == (1, 6, 5)
    pytest.importorskip("PIL.Image").new("L", (9, 9)).save(pictures / "b" / "9.png")
    with pytest.raises(OperandError, match="example 3 of the batch"):
        data.image_folder(pictures)[:]
    assert data.image_folder(pictures, (3, 4))[:]["images"].shape == (4, 3, 3, 4)
    (pictures / "b" / "9.png").write_bytes(b"no image")
    with pytest.raises(FileError, match=r"9\.png cannot be read as an image"):
        data.image_folder(pictures)[3]


WRONG: list[tuple[Callable[[Path], Any], type[AsgError], str]] = [
    (lambda p: CharacterTokenizer([]), OperandError, "one or more single characters"),
    (lambda p: CharacterTokenizer(["ab"]), OperandError, "single characters"),
    (lambda p: CharacterTokenizer("aba"), OperandError, "'a' stands twice"),
    (lambda p: CharacterTokenizer("ab", "c"), OperandError, "unknown='c'"),
    (lambda p: CharacterTokenizer("ab").decode([2]), OperandError, r"tokens\[0\] is 2"),
    (lambda p: ByteTokenizer().decode([256]), OperandError, r"tokens\[0\] is 256"),
    (lambda p: CharacterTokenizer.load(p / "gone.json"), FileError, "cannot be read"),
    (lambda p: data.read_text(p / "gone.txt"), FileError, "cannot be read"),
    (lambda p: data.text_windows(np.arange(5), 5), OperandError, "5 tokens give no window of 5"),
    (lambda p: data.text_windows(np.arange(5.0), 2), OperandError, r"given float64\[5\]"),
    (lambda p: data.text_windows(np.arange(5), 0), OperandError, "length=0"),
    (lambda p: data.text_windows(np.arange(5), 2, 0), OperandError, "stride=0"),
    (lambda p: data.text_windows(np.arange(5), 2, 1, random=3), OperandError, "choose one"),
    (lambda p: data.image_folder(p), FileError, "holds no folder with images"),
    (lambda p: data.image_folder(p / "gone"), FileError, "is no folder"),
    (lambda p: data.image_folder(p, channels=4), OperandError, "channels=4"),
    (lambda p: data.image_folder(p, (0, 4)), OperandError, r"size\[0\]=0"),
]


@pytest.mark.parametrize(("make", "error", "message"), WRONG)
def test_what_makes_no_sense_is_refused(
    tmp_path: Path, make: Callable[[Path], Any], error: type[AsgError], message: str
) -> None:
    with pytest.raises(error, match=message):
        make(tmp_path)


@pytest.mark.parametrize("content", ["{}", "[1]", "no", '{"format": "asg.character_tokenizer"}'])
def test_files_that_are_no_tokenizer_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(FileError, match=r"x\.json"):
        CharacterTokenizer.load(tmp_path / "x.json")
