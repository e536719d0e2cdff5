"""Checkpoints of PyTorch: what is in them, and what is refused."""

from __future__ import annotations

import os
import random
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from asg.cli.main import main
from asg.core.errors import AsgError, ConfigError, FileError
from asg.io import load_arrays, load_metadata, load_torch
from tests.io.torch_archive import (
    KINDS,
    NONE,
    ORDERED,
    archive,
    called,
    found,
    group,
    integer,
    mapping,
    program,
    saved,
    storage,
    tensor,
    text,
)

Array = np.ndarray[Any, Any]
EIGHT = np.arange(8, dtype=np.float32)
VECTOR = tensor("Float", "0", 8, [8], [1])


def state() -> dict[str, Array]:
    """An array of every dtype."""
    numbers = np.array([[0, 1, 2], [3, 100, 7]])
    wide = {name: numbers.astype(name) for name in KINDS if name != "bfloat16"}
    return wide | {
        "bfloat16": numbers.astype(ml_dtypes.bfloat16), "scalar": np.array(2.5),
        "empty": np.zeros((0, 3), np.float32),
    }  # fmt: skip


def assert_equal(ours: dict[str, Array], wanted: dict[str, Array]) -> None:
    assert list(ours) == list(wanted)
    for name, array in wanted.items():
        assert ours[name].dtype == array.dtype and ours[name].shape == array.shape, name
        np.testing.assert_array_equal(ours[name], array)


# -- what is in a file -------------------------------------------------------------------------


def test_a_file_made_by_hand_gives_its_arrays(tmp_path: Path) -> None:
    assert_equal(load_torch(saved(tmp_path / "model.pt", state())), state())


def test_the_files_made_by_hand_are_pytorchs(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    theirs = torch.load(saved(tmp_path / "model.pt", state()), weights_only=True)
    assert list(theirs) == list(state())
    for name, array in state().items():
        held = theirs[name].float() if name == "bfloat16" else theirs[name]
        np.testing.assert_array_equal(held.numpy(), array.astype(held.numpy().dtype))


@pytest.mark.parametrize(
    ("size", "stride", "offset"),
    [((8,), (1,), 0), ((4, 2), (1, 4), 0), ((2, 2), (4, 1), 2), ((3,), (2,), 1), ((), (), 7),
     ((2, 3), (2, 1), 0), ((1, 2), (10**15, 1), 6), ((0, 5), (5, 1), 9), ((4,), (0,), 3)],
)  # fmt: skip
def test_views_of_a_storage(
    size: tuple[int, ...], stride: tuple[int, ...], offset: int, tmp_path: Path
) -> None:
    description = program(mapping({"x": tensor("Float", "0", 8, size, stride, offset)}))
    (x,) = load_torch(archive(tmp_path / "a.pt", description, {"0": EIGHT.tobytes()})).values()
    assert x.shape == size and x.flags.c_contiguous and x.flags.writeable
    for place in np.ndindex(*size):
        assert x[place] == offset + sum(i * s for i, s in zip(place, stride, strict=True))


def test_bytes_of_bools_are_made_bools(tmp_path: Path) -> None:
    description = program(mapping({"x": tensor("Bool", "0", 3, [3], [1])}))
    x = load_torch(archive(tmp_path / "a.pt", description, {"0": b"\x00\x01\x07"}))["x"]
    assert x.view(np.uint8).tolist() == [0, 1, 1]


def test_shared_storages_become_arrays_of_their_own(tmp_path: Path) -> None:
    description = program(mapping({"a": VECTOR, "b": VECTOR}))
    arrays = load_torch(archive(tmp_path / "a.pt", description, {"0": EIGHT.tobytes()}))
    arrays["a"][:] = 0.0
    np.testing.assert_array_equal(arrays["b"], EIGHT)


NESTED = {
    "model": mapping({"w": VECTOR}),
    "ema": mapping({"inner": mapping({"v": VECTOR})}),
    "optimizer": mapping({"state": b"}" + integer(0) + mapping({"step": VECTOR}) + b"s"}),
    "epoch": integer(3), "notes": b"](" + text("a") + NONE + b"\x88" + b"G" + b"\x00" * 8 + b"e",
}  # fmt: skip


def nested(path: Path, *keys: str) -> Path:
    chosen = {key: NESTED[key] for key in keys or NESTED}
    return archive(path, program(mapping(chosen)), {"0": EIGHT.tobytes()})


def test_the_only_state_dict_is_found_and_others_are_chosen(tmp_path: Path) -> None:
    one = nested(tmp_path / "one.pt", "model", "optimizer", "epoch", "notes")
    assert list(load_torch(one)) == ["w"]
    several = nested(tmp_path / "several.pt")
    assert list(load_torch(several, "model")) == ["w"]
    assert list(load_torch(several, "ema.inner")) == ["v"]
    listed = "there are state dicts under 'model', 'ema.inner'"
    with pytest.raises(ConfigError, match=rf"several\.pt: {listed}; choose one by its key"):
        load_torch(several)
    with pytest.raises(ConfigError, match=f"no state dict under the key 'ema'; {listed}"):
        load_torch(several, "ema")
    with pytest.raises(ConfigError, match="there is no state dict, which is"):
        load_torch(nested(tmp_path / "none.pt", "epoch", "notes", "optimizer"))


def test_files_of_pytorch(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    layer = torch.nn.Sequential(torch.nn.LSTM(3, 4, 2), torch.nn.BatchNorm1d(4))
    layer[0].weight_ih_l0 = layer[0].weight_ih_l1  # tied
    state = OrderedDict(
        layer.state_dict(),
        half=torch.arange(6).half().reshape(2, 3).T, brain=torch.ones(3).bfloat16(),
        part=torch.arange(10)[2:9:3], one=torch.tensor(7, dtype=torch.int8),
        wide=torch.tensor([2**63 + 1], dtype=torch.uint64), held=torch.nn.Parameter(torch.ones(2)),
        mask=torch.tensor([True, False]), row=torch.arange(5).expand(1, -1), none=torch.ones(0),
    )  # fmt: skip
    path = tmp_path / "model.pt"
    for protocol in (2, 4):
        torch.save({"model": state, "size": torch.Size([3])}, path, pickle_protocol=protocol)
        ours = load_torch(path)
        assert list(ours) == list(state)
        for name, value in state.items():
            narrow = value.detach().float() if name == "brain" else value.detach()
            assert str(value.dtype).removeprefix("torch.") == ours[name].dtype.name
            np.testing.assert_array_equal(ours[name].astype(narrow.numpy().dtype), narrow.numpy())


def test_checkpoints_of_training_in_pytorch(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    layer = torch.nn.Linear(3, 2)
    optimizer = {
        "state": {0: {"step": torch.tensor(1.0), "exp_avg": torch.ones(2, 3)}},
        "param_groups": [{"lr": 0.001, "betas": (0.9, 0.999), "foreach": None, "params": [0, 1]}],
    }
    path = tmp_path / "last.pt"
    torch.save({"model": layer.state_dict(), "optimizer": optimizer, "epoch": 3}, path)
    assert list(load_torch(path)) == ["weight", "bias"]


def test_what_pytorch_saves_besides_tensors_is_refused(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    layer, path = torch.nn.Linear(3, 2), tmp_path / "a.pt"
    saves: list[tuple[Any, str]] = [
        (lambda: torch.save(layer, path), r"asks for 'torch\.nn\.modules\.linear\.Linear'"),
        (lambda: torch.save(layer.state_dict(), path, _use_new_zipfile_serialization=False),
         r"PyTorch before 1\.6"),
        (lambda: torch.save({"x": torch.ones(2, dtype=torch.complex64)}, path),
         "'x': its dtype is complex64"),
        (lambda: torch.save({"x": torch.ones(2).to(torch.float8_e5m2)}, path),
         "its dtype is float8_e5m2"),
        (lambda: torch.save({"x": torch.ones(2, dtype=torch.complex64).conj()}, path),
         "lazy conjugate"),
        (lambda: torch.save({"x": torch.ones(1).expand(1000)}, path), r"\.contiguous\(\)"),
        (lambda: torch.save({"x": torch.ones(2).to_sparse()}, path), "sparse"),
        (lambda: torch.save([torch.ones(2)], path), "there is no state dict"),
    ]  # fmt: skip
    for save, message in saves:
        save()
        with pytest.raises(AsgError, match=message):
            load_torch(path)


# -- what is wrong with a file -----------------------------------------------------------------


def of(value: bytes) -> bytes:
    return program(mapping({"x": value}))


SYSTEM = found("posix" if os.name == "posix" else "nt", "system")
HUGE = 2**62
HOSTILE: list[tuple[str, bytes, str]] = [
    ("a call", of(called(SYSTEM, text("touch called"))), r"asks for '(posix|nt)\.system'"),
    ("eval", of(called(found("builtins", "eval"), text("1"))), r"asks for 'builtins\.eval'"),
    ("a class", of(found("torch.nn", "Linear") + b")\x81"), r"asks for 'torch\.nn\.Linear'"),
    ("attribute", of(found("collections", "OrderedDict.update")), "asks for"),
    ("name on the stack", of(text("os") + text("system") + b"\x93"), r"asks for 'os\.system'"),
    ("numbers as names", of(integer(1) + integer(2) + b"\x93"), r"asks for '1\.2'"),
    ("instance", of(b"(ios\nsystem\n"), "instruction INST"),
    ("object", of(b"(" + found("torch", "Size") + b"o"), "instruction OBJ"),
    ("new object", of(found("torch", "Size") + b")\x81"), "instruction NEWOBJ"),
    ("extension", of(b"\x82\x01"), "instruction EXT1"),
    ("text reference", of(b"Pabc\n"), "instruction PERSID"),
    ("set", of(b"\x8f"), "instruction EMPTY_SET"),
    ("called number", of(integer(1) + b")R"), "calls a int"),
    ("called with a list", of(found("torch", "Size") + b"]R"), "calls a _Builder"),
    ("called with a lot", of(called(found("torch", "Size"), NONE, NONE)), "size is damaged"),
    ("ordered pairs", of(called(found("collections", "OrderedDict"), b"]")), "ordered dict"),
    ("attributes", of(ORDERED + mapping({"update": NONE}) + b"b"), "attributes of a dict"),
    ("attributes of none", of(NONE + b"}b"), "attributes of a NoneType"),
    ("empty stack", b"\x80\x02R.", "not there"),
    ("no mark", b"\x80\x02Nt.", "not there"),
    ("mark as value", b"\x80\x02(q\x00.", "not there"),
    ("recalled", b"\x80\x02h\x07.", "recalls value 7"),
    ("appended", b"\x80\x02}Na.", "appends to a dict"),
    ("set in a list", b"\x80\x02]NNs.", "sets items of a list"),
    ("odd items", b"\x80\x02}(Nu.", "without a value"),
    ("key", b"\x80\x02}]Ns.", "a list as a key"),
    ("no end", b"\x80\x02}", "damaged|complete"),
    ("unknown code", b"\x80\x02\xff.", "damaged"),
    ("short text", b"\x80\x02X\xff\xff\xff\x7fabc.", "damaged"),
    ("long text", b"\x80\x04\x8d" + b"\xff" * 8 + b"abc.", "damaged"),
    ("no text", b"\x80\x02X\x01\x00\x00\x00\xff.", "damaged"),
    ("nothing", b"", "damaged|complete"),
    ("no dict", program(integer(5)), "there is no state dict"),
    ("dict in itself", program(b"}q\x00" + text("x") + b"h\x00s"), "there is no state dict"),
    ("deep dicts", program(b"}" + (text("x") + b"}") * 5000 + b"s" * 5000), "no state dict"),
    ("deep tuples", of(b")" + b"\x85" * 200_000), "there is no state dict"),
    ("other entries", program(mapping({"x": VECTOR, "n": integer(1)})), "entry 'n' .* is int"),
    ("no storage", of(group(text("module"), NONE) + b"Q"), "something else than a storage"),
    ("storage of text", of(group(*[text("storage")] * 5) + b"Q"), "something else than a storage"),
    ("missing record", of(tensor("Float", "1", 8, [8], [1])), "'a/data/1' is missing"),
    ("path", of(tensor("Float", "../../../etc/passwd", 8, [8], [1])), "is missing"),
    ("size of storage", of(tensor("Float", "0", 9, [8], [1])), "has 32 bytes and should have 36"),
    ("width", of(tensor("Double", "0", 8, [8], [1])), "has 32 bytes and should have 64"),
    ("huge claim", of(tensor("Float", "0", HUGE, [HUGE], [1])), "has 32 bytes and should have"),
    ("offset", of(tensor("Float", "0", 8, [8], [1], 1)), "up to place 8 of a storage of 8"),
    ("stride", of(tensor("Float", "0", 8, [2, 2], [7, 1])), "up to place 8"),
    ("huge stride", of(tensor("Float", "0", 8, [2], [HUGE])), "up to place"),
    ("huge size", of(tensor("Float", "0", 8, [HUGE], [0])), "more than the 8 of its storage"),
    ("sizes", of(tensor("Float", "0", 8, [0, HUGE, HUGE], [0, 0, 0])), "too large"),
    ("beyond 64 bits", of(tensor("Float", "0", 8, [2**64], [1])), "2\\^63"),
    ("negative offset", of(tensor("Float", "0", 8, [1], [1], -1)), "ints from 0"),
    ("negative stride", of(tensor("Float", "0", 8, [2], [-1], 1)), "ints from 0"),
    ("negative count", of(tensor("Float", "0", -8, [2], [1])), "should have -32"),
    ("axes", of(tensor("Float", "0", 8, [2, 2], [1])), "2 sizes and 1 strides"),
    ("many axes", of(tensor("Float", "0", 8, [1] * 65, [1] * 65)), "65 sizes"),
    ("conjugate", of(tensor("Float", "0", 8, [8], [1], 0, mapping({"conj": b"\x88"}))), "lazy"),
    ("no tensor", of(called(found("torch._utils", "_rebuild_tensor_v2"), NONE)), "damaged"),
    ("no parameter", of(called(found("torch._utils", "_rebuild_parameter"), NONE)), "damaged"),
    ("no dtype", of(called(found("torch._utils", "_rebuild_tensor_v3"), storage("Float", "0", 8),
                           integer(0), group(), group(), NONE, NONE, NONE)), "damaged"),
    ("long names", of(found("a" * 5000, "b" * 5000)), r"asks for 'a{77}'\.\.\."),
    ("lines", of(text("a\nb") + text("c\n") + b"\x93"), r"asks for 'a\\nb\.c\\n'"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "description", "message"), HOSTILE, ids=lambda v: str(v)[:20])
def test_a_hostile_description_is_one_error_and_runs_nothing(
    what: str, description: bytes, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = archive(tmp_path / "a.pt", description, {"0": EIGHT.tobytes()})
    with pytest.raises(AsgError, match=message) as told:
        load_torch(path)
    assert str(told.value).startswith(f"{path}: ") and "\n" not in str(told.value)
    assert len(str(told.value)) < len(str(path)) + 300
    assert [each.name for each in tmp_path.iterdir()] == ["a.pt"]


def test_a_description_is_not_read_by_pythons_own_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pickle

    for name in ("load", "loads", "Unpickler", "_Unpickler"):
        monkeypatch.delattr(pickle, name)
    assert_equal(load_torch(saved(tmp_path / "model.pt", state())), state())


def test_archives_that_are_none(tmp_path: Path) -> None:
    good = of(VECTOR)
    records = {"0": EIGHT.tobytes()}
    bomb = archive(tmp_path / "bomb.pt", good, {"0": bytes(2**24)}, None, zipfile.ZIP_DEFLATED)
    assert bomb.stat().st_size < 2**16
    paths: list[tuple[Path, str]] = [
        (tmp_path / "none.pt", "no file"),
        (tmp_path, "is a folder"),
        (bomb, "compressed"),
        (archive(tmp_path / "big.pt", good, records, {"byteorder": b"big"}), "little-endian"),
        (archive(tmp_path / "script.pt", good, records, {"constants.pkl": b""}), "TorchScript"),
        (archive(tmp_path / "two.pt", good, records, {"x/data.pkl": b""}), "not a file that"),
    ]
    for name, content, message in (
        ("empty", b"", "not a file that torch.save wrote"),
        ("text", b"weights", "not a file that torch.save wrote"),
        ("zip", b"PK\x03\x04" + bytes(100), "damaged"),
        ("old", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.rest", "before 1.6"),
    ):
        (tmp_path / name).write_bytes(content)
        paths.append((tmp_path / name, message))
    for path, message in paths:
        with pytest.raises(FileError, match=message) as told:
            load_torch(path)
        assert "\n" not in str(told.value)


def test_tensors_far_beyond_their_file(tmp_path: Path) -> None:
    vector = tensor("Byte", "0", 2**16, [2**16], [1])
    shared = program(mapping({str(i): vector for i in range(40)}))
    with pytest.raises(FileError, match="more than 16 times the bytes of the file"):
        load_torch(archive(tmp_path / "a.pt", shared, {"0": bytes(2**16)}))


def test_a_description_of_more_than_its_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from asg.io import torch_file

    path = archive(tmp_path / "a.pt", of(VECTOR), {"0": EIGHT.tobytes()})
    monkeypatch.setattr(torch_file, "_LONGEST_DESCRIPTION", len(of(VECTOR)) - 1)
    with pytest.raises(FileError, match="bytes, more than"):
        load_torch(path)


def test_damage_anywhere_is_an_error_of_ours_or_harmless(tmp_path: Path) -> None:
    content = saved(tmp_path / "model.pt", state()).read_bytes()
    path, rng, refused = tmp_path / "damaged.pt", random.Random(0), 0
    for trial in range(600):
        damaged = bytearray(content)
        if trial % 3 == 0:
            del damaged[rng.randrange(len(damaged)) :]
        for _ in range(rng.randint(1, 3) if damaged else 0):
            damaged[rng.randrange(len(damaged))] = rng.choice((0, 1, 255, rng.randrange(256)))
        path.write_bytes(damaged)
        try:
            load_torch(path)
        except AsgError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 400


# -- the command -------------------------------------------------------------------------------


def test_convert_writes_safetensors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = saved(tmp_path / "model.pt", state()), tmp_path / "model.safetensors"
    assert main(["convert", str(source), str(target)]) == 0
    out = capsys.readouterr().out
    assert out == f"wrote {target}: {len(state())} arrays of 0.0 MiB\n"
    arrays = load_arrays(target)
    assert_equal({name: arrays[name] for name in state()}, state())
    assert load_metadata(target) == {"format": "pt"}


def test_convert_takes_a_key(tmp_path: Path) -> None:
    source, target = nested(tmp_path / "several.pt"), tmp_path / "out.safetensors"
    assert main(["convert", str(source), str(target), "--key", "ema.inner"]) == 0
    assert list(load_arrays(target)) == ["v"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: source, target; asg convert --help shows"),
        (["several.pt"], "the following arguments are required: target"),
        (["several.pt", "b", "c"], "unrecognized arguments: c"),
        (["several.pt", "b", "--key"], "argument --key: expected one argument"),
        (["several.pt", "b", "--ke", "x"], "unknown option --ke. Did you mean --key?"),
        (["none.pt", "b"], "no file none.pt"),
        (["several.pt", "b"], "several.pt: there are state dicts under 'model', 'ema.inner'"),
        (["several.pt", "b", "--key", "x"], "several.pt: no state dict under the key 'x'"),
        (["several.pt", "./several.pt", "--key", "model"], "./several.pt is both source and"),
        (["bad.pt", "b"], "bad.pt: not a file that torch.save wrote"),
    ],
    ids=str,
)
def test_a_mistake_is_one_line_and_exit_code_2(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    nested(Path("several.pt"))
    Path("bad.pt").write_text("bad")
    assert main(["convert", *arguments]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"error: {message}") and err.count("\n") == 1
    assert not Path("b").exists()


def test_a_target_that_cannot_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = saved(tmp_path / "model.pt", state())
    assert main(["convert", str(source), str(tmp_path / "none" / "out")]) == 1
    assert capsys.readouterr().err.startswith("error: cannot write")
