"""Reads a pickle without running it: no name is imported, no object is built, every budget is bounded.

The opcode stream (cut by the table of `pickletools`) is executed on plain containers. A class or function that the
stream names stays a `Name`, what it would have made becomes an `Inert`; only a few builders that make plain values or
lazy tensors are known. A stranger's class can therefore be looked at (its state is data) and can never act.
"""

from __future__ import annotations

import itertools
import pickletools
import warnings
from collections.abc import Callable
from typing import IO, Any

from ...errors import Unreadable

MOST_WORK = 5_000_000
"""Instructions, and items that our builders copy: 150,000 tensors take fewer, and it is read in seconds."""
MOST_BYTES = 256 << 20
"""Of one text or byte string."""
MOST_INTEGER_BITS = 8192
MOST_NAMES = 1000
LONGEST_NAME = 200


class Name:
    """A class or function that the stream asks for by name."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


class Inert:
    """Stands for an object of a foreign class: what it was called with and what was put into it, as data."""

    __slots__ = ("args", "items", "name", "state", "values")

    def __init__(self, name: str, args: tuple[Any, ...] = ()) -> None:
        self.name, self.args = name, args
        self.state: Any = None
        self.values: list[Any] = []
        self.items: dict[Any, Any] = {}


Builder = Callable[..., Any]
Reader = Callable[[IO[bytes]], Any]


def read_pickle(
    file: IO[bytes], where: str, builders: dict[str, Builder], persistent: Callable[[Any], Any]
) -> tuple[Any, list[str]]:
    """One pickle from the file's position to its STOP.

    Args:
        where: named in errors.
        builders: "module.name" -> a function of our own that may be called with the stream's arguments.
        persistent: makes an object from a persistent id (torch's storages).

    Returns:
        the object tree (dicts, lists, tuples, sets, scalars, Inert, Name, and what the builders return), and the names
        that were asked for and not built, in order.

    Raises:
        Unreadable: for anything that is not a complete, well-formed pickle within the budgets.
    """
    machine = _Machine(builders, persistent)
    steps, next_bytes, number = machine.steps(), file.read, int.from_bytes
    try:
        for count in itertools.count():
            code = next_bytes(1)
            step = steps.get(code)
            if step is None:
                if code == b".":
                    return machine.stack.pop(), list(machine.refused)
                raise ValueError(f"instruction {code!r} is not allowed" if code else "the pickle has no end")
            if count > machine.left:
                raise ValueError(f"more than {MOST_WORK} instructions")
            width, read, handle = step
            if width:  # where the file ends within it, the next instruction is missing
                handle(number(next_bytes(width), "little"))
            else:
                handle(read(file) if read else None)
    except Unreadable:
        raise
    except (
        ValueError,
        TypeError,
        IndexError,
        KeyError,
        AttributeError,
        OverflowError,
        RecursionError,
        MemoryError,
    ) as error:
        why = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise Unreadable(f"not a pickle that can be read safely ({why[:120]})", where, "save it again") from error
    raise AssertionError("the loop above has no other end")


def _counted(size: int) -> Reader:
    """Reads a byte string that stands behind its length."""

    def read(file: IO[bytes]) -> bytes:
        length = int.from_bytes(file.read(size), "little")
        if length > MOST_BYTES:
            raise ValueError(f"a text of {length} bytes")
        data = file.read(length)
        if len(data) != length:
            raise ValueError("the pickle has no end")
        return data

    return read


def _quiet(read: Reader) -> Reader:
    """The same for texts with escapes that Python does not know: it would warn on stderr and leave them as they are."""

    def quietly(file: IO[bytes]) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return read(file)

    return quietly


def _argument(opcode: pickletools.OpcodeInfo) -> Reader | None:
    """How the argument of an instruction is read; byte strings by our own hand, for their size is the file's word."""
    if opcode.arg is None:
        return None
    width = _COUNTED.get(opcode.name)
    if width is None:
        reader: Reader = opcode.arg.reader
        return _quiet(reader) if opcode.name in ("STRING", "GLOBAL", "INST", "PERSID") else reader
    read = _counted(width)
    if "UNICODE" in opcode.name:
        return lambda file: read(file).decode("utf-8", "surrogatepass")
    if "STRING" in opcode.name:
        return lambda file: read(file).decode("latin-1")
    return read


_COUNTED = {
    "BINSTRING": 4,
    "SHORT_BINSTRING": 1,
    "BINBYTES": 4,
    "SHORT_BINBYTES": 1,
    "BINBYTES8": 8,
    "BYTEARRAY8": 8,
    "SHORT_BINUNICODE": 1,
    "BINUNICODE": 4,
    "BINUNICODE8": 8,
}
_LITERALS = frozenset(
    ["INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "STRING", "UNICODE", "FLOAT", "BINFLOAT"]
)
_UNSIGNED = {"BININT1": 1, "BININT2": 2, "BINGET": 1, "BINPUT": 1, "LONG_BINGET": 4, "LONG_BINPUT": 4}
"""Bytes of arguments that are whole numbers: most of all instructions."""
_OPCODES = [(opcode.code.encode("latin-1"), opcode.name, _argument(opcode)) for opcode in pickletools.opcodes]
Step = tuple[int, Reader | None, Callable[[Any], None]]
"""Bytes of a whole number, how any other argument is read, and what is done with it."""


class _Machine:
    """The pickle machine: a stack, marks, and a memo kept as a dict (an index may be huge)."""

    def __init__(self, builders: dict[str, Builder], persistent: Callable[[Any], Any]) -> None:
        self.builders, self.persistent = builders, persistent
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.refused: dict[str, None] = {}
        self.left = MOST_WORK

    def steps(self) -> dict[bytes, Step]:
        """What to do at each instruction that is allowed."""
        known: dict[bytes, Step] = {}
        for code, name, read in _OPCODES:
            width = _UNSIGNED.get(name, 0)
            if name in _COUNTED or (width and name in _LITERALS):
                known[code] = width, read, self.push
            elif name in _LITERALS:
                known[code] = width, read, self.literal
            elif (handler := getattr(self, "op_" + name.lower(), None)) is not None:
                known[code] = width, read, handler
        return known

    def push(self, arg: Any) -> None:
        self.stack.append(arg)

    def literal(self, arg: Any) -> None:
        if type(arg) is int and arg.bit_length() > MOST_INTEGER_BITS:
            raise ValueError("an integer of more than 1 KB")
        self.stack.append(arg)

    def op_none(self, arg: Any) -> None:
        self.stack.append(None)

    def op_newtrue(self, arg: Any) -> None:
        self.stack.append(True)

    def op_newfalse(self, arg: Any) -> None:
        self.stack.append(False)

    def pop_mark(self) -> list[Any]:
        """Everything above the last mark, taken off the stack."""
        above, self.stack = self.stack, self.marks.pop()
        return above

    def op_proto(self, arg: Any) -> None:
        pass

    op_frame = op_proto

    def op_mark(self, arg: Any) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def op_pop(self, arg: Any) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self.pop_mark()

    def op_pop_mark(self, arg: Any) -> None:
        self.pop_mark()

    def op_dup(self, arg: Any) -> None:
        self.stack.append(self.stack[-1])

    def op_put(self, arg: Any) -> None:
        self.memo[arg] = self.stack[-1]

    op_binput = op_long_binput = op_put

    def op_memoize(self, arg: Any) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def op_get(self, arg: Any) -> None:
        self.stack.append(self.memo[arg])

    op_binget = op_long_binget = op_get

    def op_empty_dict(self, arg: Any) -> None:
        self.stack.append({})

    def op_empty_list(self, arg: Any) -> None:
        self.stack.append([])

    def op_empty_tuple(self, arg: Any) -> None:
        self.stack.append(())

    def op_empty_set(self, arg: Any) -> None:
        self.stack.append([])  # a set is kept as a list: its members need no hash then

    def op_list(self, arg: Any) -> None:
        values = self.pop_mark()
        self.stack.append(values)

    op_frozenset = op_list

    def op_tuple(self, arg: Any) -> None:
        values = self.pop_mark()
        self.stack.append(tuple(values))

    def op_tuple1(self, arg: Any) -> None:
        self.stack[-1] = (self.stack[-1],)

    def op_tuple2(self, arg: Any) -> None:
        last = self.stack.pop()
        self.stack[-1] = (self.stack[-1], last)

    def op_tuple3(self, arg: Any) -> None:
        self.stack[-3:] = [(self.stack[-3], self.stack[-2], self.stack[-1])]

    def op_dict(self, arg: Any) -> None:
        values = self.pop_mark()
        self.stack.append({})
        self._set(values)

    def op_setitem(self, arg: Any) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set([key, value])

    def op_setitems(self, arg: Any) -> None:
        self._set(self.pop_mark())

    def _set(self, values: list[Any]) -> None:
        target = self.stack[-1]
        items = target.items if type(target) is Inert else target
        if type(items) is not dict:
            raise ValueError("items are set on something that is no dict")
        for key, value in zip(values[::2], values[1::2], strict=True):
            items[_hashable(key)] = value

    def op_append(self, arg: Any) -> None:
        value = self.stack.pop()
        self._extend([value])

    def op_appends(self, arg: Any) -> None:
        self._extend(self.pop_mark())

    op_additems = op_appends

    def _extend(self, values: list[Any]) -> None:
        target = self.stack[-1]
        into = target.values if type(target) is Inert else target
        if type(into) is not list:
            raise ValueError("items are appended to something that is no list")
        into.extend(values)

    def op_global(self, arg: Any) -> None:
        module, _, name = arg.partition(" ")
        self._name(module, name)

    def op_stack_global(self, arg: Any) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if type(name) is not str or type(module) is not str:
            raise ValueError("a name that is no text")
        self._name(module, name)

    def _name(self, module: str, name: str) -> None:
        text = f"{'builtins' if module == '__builtin__' else module}.{name}"[:LONGEST_NAME]
        if text not in self.builders and len(self.refused) < MOST_NAMES:
            self.refused.setdefault(text)
        self.stack.append(Name(text))

    def op_reduce(self, arg: Any) -> None:
        args, function = self.stack.pop(), self.stack.pop()
        self._build(function, args)

    op_newobj = op_reduce

    def op_newobj_ex(self, arg: Any) -> None:
        keywords, args, function = self.stack.pop(), self.stack.pop(), self.stack.pop()
        self._build(function, (*args, keywords) if keywords else args)

    def op_obj(self, arg: Any) -> None:
        values = self.pop_mark()
        self._build(values[0], tuple(values[1:]))

    def op_inst(self, arg: Any) -> None:
        values = self.pop_mark()
        self.op_global(arg)
        self._build(self.stack.pop(), tuple(values))

    def _build(self, function: Any, args: Any) -> None:
        name = function.text if type(function) is Name else getattr(function, "name", "?")
        builder = self.builders.get(name) if type(function) is Name else None
        args = args if type(args) is tuple else (args,)
        self.left -= sum([_weight(arg) for arg in args if type(arg) in _SIZED]) if len(args) < 100 else len(args)
        self.stack.append(builder(*args) if builder else Inert(str(name), args))

    def op_build(self, arg: Any) -> None:
        state = self.stack.pop()
        if type(self.stack[-1]) is Inert:
            self.stack[-1].state = state

    def op_persid(self, arg: Any) -> None:
        self.stack.append(self.persistent(arg))

    def op_binpersid(self, arg: Any) -> None:
        self.stack.append(self.persistent(self.stack.pop()))


_SIZED = frozenset([str, bytes, dict, list, tuple])


def _weight(arg: Any) -> int:
    """What copying an argument that has a size costs, as a number of instructions."""
    return len(arg) >> 6 if type(arg) in (str, bytes) else len(arg)


_LARGEST_KEY = 2**61 - 2
"""Larger integers can be made to collide in a dict, which then takes hours."""


_BY_IDENTITY: Any = object.__hash__


def _hashable(key: Any) -> Any:
    """A key as it is if hashing it is cheap and safe, else one that stands for it."""
    if type(key) is str or key is None or isinstance(key, str | float | bytes | Name):
        return key
    if type(key).__hash__ is _BY_IDENTITY:
        return key
    if type(key) in (int, bool):
        return key if abs(key) <= _LARGEST_KEY else Inert("key")
    if type(key) is tuple and all(type(k) is str or (type(k) is int and 0 <= k <= _LARGEST_KEY) for k in key):
        return key
    return Inert("key")
