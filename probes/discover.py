"""What is in these files and folders? Every file is recognised by its content; one that is not understood says why."""

from __future__ import annotations

import os
import re
import stat
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

from .artifacts import Artifacts, Checkpoint, Log, Progress, Script, Unknown
from .errors import Unreadable
from .readers.checkpoints.checkpoint import IsData, read_checkpoint
from .readers.checkpoints.deepspeed import is_deepspeed, is_partition, read_deepspeed
from .readers.checkpoints.deepspeed_named import is_layer, read_layers, read_universal, universal_folder
from .readers.checkpoints.folders import is_side_file, join_folders, said
from .readers.checkpoints.gguf_file import MAGIC as GGUF
from .readers.checkpoints.keras_file import MAGIC as HDF5
from .readers.checkpoints.onnx_file import looks_like_onnx
from .readers.checkpoints.sharded import is_shard_index, join_shards
from .readers.checkpoints.torch_tar import looks_like_tar
from .readers.checkpoints.trusted import read_trusted
from .readers.logs.joined_logs import is_bookkeeping, join_logs
from .readers.logs.log import read_log
from .readers.logs.scripts import offers_target, parse, trains
from .readers.logs.tensorboard import is_events, read_tensorboard, runs_of
from .readers.logs.text import read_text

DEEPEST = 8
MOST_FILES = 5000
MOST_UNKNOWN = 200
LARGEST_TEXT = 16 << 30
_SKIPPED = frozenset(
    [
        ".git",
        ".hg",
        ".svn",
        "__pycache__",
        "site-packages",
        "node_modules",
        ".venv",
        "venv",
        ".tox",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
        ".ipynb_checkpoints",
        ".cache",
        ".idea",
        ".vscode",
    ]
)
_MEDIA = frozenset(
    [
        ".png",
        ".jpg",
        ".jpeg",
        ".gif",
        ".bmp",
        ".svg",
        ".pdf",
        ".mp4",
        ".avi",
        ".wav",
        ".mp3",
        ".pyc",
        ".so",
        ".ttf",
        ".ico",
        ".webp",
        ".tif",
        ".tiff",
    ]
)
_OTHER_FORMATS = (
    (b"\x1f\x8b", "a gzip file; unpack it first"),
    (b"PAR1", "a Parquet file; this format is not read yet, so export it as CSV"),
)


@dataclass(slots=True)
class _Found:
    checkpoints: list[Checkpoint] = field(default_factory=list)
    sides: list[Checkpoint] = field(default_factory=list)
    logs: list[Log] = field(default_factory=list)
    events: dict[Path, list[Path]] = field(default_factory=lambda: defaultdict(list))
    deepspeed: dict[Path, list[Path]] = field(default_factory=lambda: defaultdict(list))
    universal: dict[Path, list[Path]] = field(default_factory=lambda: defaultdict(list))
    indexes: list[Path] = field(default_factory=list)
    data: list[Path] = field(default_factory=list)
    scripts: list[Script] = field(default_factory=list)
    targets: list[Path] = field(default_factory=list)
    unknown: list[Unknown] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    trust: bool = False


def discover(
    paths: Sequence[Path], target: Path | None = None, progress: Progress | None = None, trust: bool = False
) -> Artifacts:
    """Reads files and run folders. No code of theirs is run and nothing is unpickled, unless `trust` says so.

    Args:
        paths: files or folders. A link that is named here is followed; links inside folders are not.
        target: the person's file to run later; only recorded.
        trust: load torch files whole where the safe reader had to leave something out.

    Raises:
        Unreadable: a path that does not exist. What is merely not understood ends in `unknown`.
    """
    found = _Found(trust=trust)
    files = list(dict.fromkeys(file for path in paths for file in _files(Path(path), found)))
    if target is not None and not Path(target).is_file():
        raise Unreadable("there is no such file", str(target), "give the Python file that defines build_model()")
    shares = _shares(files)
    for file, start, stop in zip(files, shares, shares[1:], strict=False):
        part = _within(progress, start, stop)
        if part is not None:
            part(0.0, f"reading {file.name}")
        try:
            _take(file, found, part)
        except Unreadable as error:
            found.unknown.append(Unknown(file, f"{error.what}; {error.do}"))
        except OSError as error:
            found.unknown.append(Unknown(file, f"cannot be opened ({error.strerror or type(error).__name__})"))
        except RecursionError:
            found.unknown.append(Unknown(file, "nested too deeply to be read"))
    for folders in runs_of(found.events).values():
        _take_events([file for folder in folders for file in found.events[folder]], found, progress)
    for folder in sorted(found.deepspeed.keys() | found.universal.keys()):
        _take_deepspeed(folder, found)
    return _artifacts(found, target)


def _files(path: Path, found: _Found) -> Iterator[Path]:
    """Regular files under `path`, in a stable order."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise Unreadable("there is no such file or folder", str(path), "check the path") from error
    if not stat.S_ISDIR(mode):
        yield path.resolve() if path.is_symlink() else path
        return
    count = 0
    for folder, folders, names in os.walk(path):
        depth = len(Path(folder).relative_to(path).parts)
        folders[:] = sorted(
            d for d in folders if d not in _SKIPPED and depth < DEEPEST and not _is_environment(Path(folder, d))
        )
        for name in sorted(names):
            count += 1
            if count > MOST_FILES:
                found.warnings.append(f"only the first {MOST_FILES} files of {path} were looked at.")
                return
            file = Path(folder, name)
            if file.suffix.lower() not in _MEDIA and name != ".DS_Store" and not is_bookkeeping(file):
                yield file


def _is_environment(folder: Path) -> bool:
    return (folder / "pyvenv.cfg").exists() or (folder / "conda-meta").exists()


def _shares(files: list[Path]) -> list[float]:
    """Where each file begins in the whole, by its bytes, and where the last ends."""
    sizes = [_size(file) + 1 for file in files]
    return [total / max(1, sum(sizes)) for total in accumulate(sizes, initial=0)]


def _size(file: Path) -> int:
    try:
        return file.lstat().st_size
    except OSError:
        return 0


def _within(progress: Progress | None, start: float, stop: float) -> Progress | None:
    """The progress of one file as a part of the whole."""
    if progress is None:
        return None
    return lambda fraction, text="": progress(start + (stop - start) * fraction, text)


def _take(file: Path, found: _Found, progress: Progress | None = None) -> None:
    """Puts one file where it belongs. Raises Unreadable with the reason why it belongs nowhere."""
    size = _regular(file)
    with file.open("rb") as opened:
        head = opened.read(4096)
    if head.startswith(b"version https://git-lfs"):
        raise Unreadable("a Git LFS pointer, not the file itself", str(file), "fetch it with `git lfs pull`")
    for known, why in _unsupported(file, head):
        if known:
            raise Unreadable(why.partition("; ")[0], str(file), why.partition("; ")[2])
    if is_deepspeed(file) or is_layer(file):
        found.deepspeed[file.parent].append(file)
    elif (whole := universal_folder(file)) is not None:
        found.universal[whole].append(file)
    elif is_events(head):
        found.events[file.parent].append(file)
    elif file.suffix == ".distcp":
        return  # read through the folder's .metadata
    elif head[:6] == b"\x93NUMPY":
        found.data.append(file)
    elif _may_be_checkpoint(head, size):
        _take_checkpoint(file, found)
    elif file.suffix == ".py":
        _take_script(file, found)
    elif file.name.endswith(".index.json") and is_shard_index(file):
        found.indexes.append(file)
    else:
        _take_text(file, size, found, progress)


def _regular(file: Path) -> int:
    """The size of a regular file. Raises Unreadable for links, pipes, devices and empty files."""
    status = file.lstat()
    if stat.S_ISLNK(status.st_mode):
        raise Unreadable("a link; links inside folders are not followed", str(file), "give the file that it points to")
    if not stat.S_ISREG(status.st_mode):
        raise Unreadable("a pipe, socket or device, not a file", str(file), "give a regular file")
    if status.st_size == 0:
        raise Unreadable("the file is empty (0 bytes)", str(file), "check whether saving it was interrupted")
    return status.st_size


def _may_be_checkpoint(head: bytes, size: int) -> bool:
    zipped, pickled = head[:4] == b"PK\x03\x04", head[:1] == b"\x80" and head[1:2] in b"\x00\x01\x02\x03\x04\x05"
    named = (
        head.startswith((HDF5, GGUF))
        or looks_like_onnx(head)
        or looks_like_tar(head)
        or b"torch.distributed.checkpoint" in head
    )
    tensors = len(head) > 9 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= size
    return zipped or pickled or named or tensors or b"torch.distributed.checkpoint" in head


def _unsupported(file: Path, head: bytes) -> Iterator[tuple[bool, str]]:
    """(whether it is this format, the sentence about it) for the formats that are recognised and not read."""
    yield from ((head.startswith(magic), why) for magic, why in _OTHER_FORMATS)
    damaged = file.suffix == ".safetensors" and not _may_be_checkpoint(head, file.stat().st_size)
    yield damaged, "a safetensors file that is cut short or damaged; copy or save it again"
    alone = file.suffix == ".distcp" and not (file.parent / ".metadata").is_file()
    yield alone, "part of a distributed checkpoint without its .metadata; copy the whole folder"


def _read(file: Path, trust: bool) -> Checkpoint:
    """By the safe reader; whole, if that had to leave something out and the person trusts the file."""
    try:
        checkpoint = read_checkpoint(file)
    except Unreadable:
        if not trust:
            raise
        return read_trusted(file)
    return read_trusted(file) if trust and checkpoint.refused else checkpoint


def _take_checkpoint(file: Path, found: _Found) -> None:
    try:
        checkpoint = _read(file, found.trust)
    except IsData:
        found.data.append(file)
        return
    if is_side_file(checkpoint):
        found.sides.append(checkpoint)
        return
    if not (checkpoint.tensors or checkpoint.optimizer or checkpoint.warnings):
        settings = ", ".join(list(checkpoint.hyper)[:4])
        why = f"it holds no model weights and no optimizer state{f' (but {settings})' if settings else ''}"
        raise Unreadable(why, str(file), "give the file with the weights")
    found.checkpoints.append(checkpoint)


def _take_script(file: Path, found: _Found) -> None:
    text = read_text(file)
    tree = parse(text)
    if tree is None:
        raise Unreadable("not valid Python", str(file), "check it with `python -m py_compile`")
    if offers_target(tree):
        found.targets.append(file)
    if trains(tree):
        found.scripts.append(Script(file, text))


def _take_text(file: Path, size: int, found: _Found, progress: Progress | None) -> None:
    if size > LARGEST_TEXT:
        raise Unreadable(f"{size >> 30} GB of text is too much to be a training log", str(file), "give a shorter log")
    found.logs.append(read_log(file, progress))


def _take_events(files: list[Path], found: _Found, progress: Progress | None) -> None:
    try:
        found.logs.append(read_tensorboard(files, progress))
    except Unreadable as error:
        found.unknown.extend(Unknown(file, f"{error.what}; {error.do}") for file in files)


def _take_deepspeed(folder: Path, found: _Found) -> None:
    """A folder of ZeRO partitions, of named parts or of layers as one checkpoint; a model file alone is read as any."""
    files, named = found.deepspeed.get(folder, []), found.universal.get(folder, [])
    layers = [file for file in files if is_layer(file)]
    try:
        if named:
            found.checkpoints.append(read_universal(folder, named, [f for f in files if not is_partition(f)]))
        elif any(is_partition(file) for file in files):
            found.checkpoints.append(read_deepspeed(folder, files))
        elif layers:
            found.checkpoints.append(read_layers(folder, layers))
        else:
            for file in files:
                _take_checkpoint(file, found)
    except Unreadable as error:
        found.unknown.append(Unknown(folder, f"{error.what}; {error.do}"))


def _artifacts(found: _Found, target: Path | None) -> Artifacts:
    folders = {checkpoint.path.parent for checkpoint in found.checkpoints}
    lonely = [side for side in found.sides if side.path.parent not in folders]
    found.unknown.extend(Unknown(s.path, f"no model weights, only {said(s)}; give the whole folder") for s in lonely)
    if len(found.unknown) > MOST_UNKNOWN:
        found.warnings.append(f"{len(found.unknown) - MOST_UNKNOWN} more files were not understood.")
    scripts = sorted(found.scripts, key=lambda s: ("train" not in s.path.stem.lower(), len(s.path.parts), s.path))
    return Artifacts(
        checkpoints=tuple(in_training_order(join_folders(_with_shards(found), found.sides))),
        logs=tuple(join_logs(found.logs)),
        target=Path(target) if target else None,
        target_candidate=found.targets[0] if found.targets else None,
        data=tuple(found.data),
        script=scripts[0] if scripts else None,
        unknown=tuple(found.unknown[:MOST_UNKNOWN]),
        warnings=tuple(found.warnings),
    )


def in_training_order(checkpoints: list[Checkpoint]) -> list[Checkpoint]:
    """By epoch where all have one, then by step where all have one, then by the numbers in their names.

    A step may be the optimizer's own count, which begins anew after a bad resume; an epoch is the file's.
    """
    by_step = all(c.step is not None for c in checkpoints)
    by_epoch = all(c.epoch is not None for c in checkpoints)

    def key(c: Checkpoint) -> tuple[float, float, list[int], str]:
        numbers = [int(n[:18]) for n in re.findall(r"\d+", c.path.stem)]
        return (c.epoch or 0) if by_epoch else 0, (c.step or 0) if by_step else 0, numbers, str(c.path)

    return sorted(checkpoints, key=key)


def _with_shards(found: _Found) -> list[Checkpoint]:
    """The checkpoints, with the shards that an index lists joined into one."""
    checkpoints = list(found.checkpoints)
    for index in found.indexes:
        try:
            checkpoints = join_shards(index, checkpoints)
        except Unreadable as error:
            found.unknown.append(Unknown(index, f"{error.what}; {error.do}"))
    return checkpoints
