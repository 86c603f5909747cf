"""Bytes of the protocol, version 1, as PROTOCOL.md has them: frames by hand, payloads by cbor2 behind a scan of our own.

Written from the document alone. Nothing here knows of connections, sessions or actors.
"""
from __future__ import annotations

import math
import struct
from datetime import datetime, timezone
from typing import Any, Iterator

import cbor2

MAX_NUMBER = 2**53 - 1
MAX_ITEMS = 32
MAX_HOPS = 23
MAX_BIGNUM_BYTES = 1024
FIRST_ROUTED = 16

_HEAD = "hops:uint to:text from:text session:uint seq:uint "
_MESSAGE = " flags:uint type:text stream:uint window:uint payload:bytes"
_TABLE = {
    "hello": (1, "payload:bytes"),
    "goaway": (3, "id:uint reason:text"),
    "ping": (5, "id:uint"),
    "pong": (7, "id:uint"),
    "cluster": (9, "payload:bytes"),
    "welcome": (11, ""),
    "ask": (17, _HEAD + "id:uint actor:text sender:text timeout:uint" + _MESSAGE),
    "tell": (19, _HEAD + "actor:text sender:text" + _MESSAGE),
    "reply": (21, _HEAD + "id:uint" + _MESSAGE),
    "fail": (23, _HEAD + "id:uint payload:bytes"),
    "cancel": (25, _HEAD + "id:uint"),
    "item": (27, _HEAD + "id:uint flags:uint type:text payload:bytes"),
    "end": (29, _HEAD + "id:uint payload:bytes"),
    "credit": (31, _HEAD + "id:uint count:uint bytes:uint"),
    "stop": (33, _HEAD + "id:uint"),
    "signal": (35, _HEAD + "payload:bytes"),
    "undeliverable": (37, _HEAD + "id:uint actor:text reason:text"),
    "reset": (39, _HEAD + "id:uint"),
    "ack": (41, _HEAD + "id:uint count:uint flags:uint"),
    "probe": (43, _HEAD),
}
#: Name of a kind to its number, and number to name and fields.
KIND = {name: kind for name, (kind, _) in _TABLE.items()}
LAYOUT = {
    kind: (name, [tuple(field.split(":")) for field in fields.split()]) for name, (kind, fields) in _TABLE.items()
}
_MAJOR = {"uint": 0, "bytes": 2, "text": 3}
_PASSED_OVER = (0, 2, 3)

Fields = dict  # the fields of a frame by name, and its kind as "kind"


class ProtocolError(Exception):
    """Bytes that break the protocol; `offset` says where."""

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(f"{message} at byte {offset}")
        self.offset = offset


# Frames


def _head(major: int, number: int) -> bytes:
    first = major << 5
    if number < 24:
        return bytes([first | number])
    for info, form, limit in ((24, ">B", 1 << 8), (25, ">H", 1 << 16), (26, ">I", 1 << 32), (27, ">Q", 1 << 64)):
        if number < limit:
            return bytes([first | info]) + struct.pack(form, number)
    raise ValueError(f"expected a number of 64 bits, got {number}")


def write_frame(kind: str, fields: Fields) -> bytes:
    """The bytes of one frame."""
    number, layout = KIND[kind], LAYOUT[KIND[kind]][1]
    parts = [_head(4, len(layout) + 1), _head(0, number)]
    for name, type_ in layout:
        value = fields[name]
        if type_ == "uint":
            parts.append(_head(0, value))
        else:
            content = value.encode() if type_ == "text" else bytes(value)
            parts += [_head(_MAJOR[type_], len(content)), content]
    return b"".join(parts)


class _Cursor:
    """A place in bytes, and what may be read there."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def head(self) -> tuple[int, int]:
        """Major type and number of the next head; moves only when both are fine."""
        data, at = self.data, self.at
        if at >= len(data):
            raise ProtocolError("expected an item, got the end", at)
        major, info = data[at] >> 5, data[at] & 31
        if info < 24:
            self.at = at + 1
            return major, info
        if info > 27:
            raise ProtocolError("expected a definite length, got an indefinite or reserved one", at)
        size = 1 << (info - 24)
        if at + 1 + size > len(data):
            raise ProtocolError("expected a whole head, got the end", at)
        self.at = at + 1 + size
        return major, int.from_bytes(data[at + 1 : self.at], "big")

    def typed(self, majors: tuple[int, ...]) -> tuple[int, int]:
        start = self.at
        major, number = self.head()
        if major not in majors or number > MAX_NUMBER:
            self.at = start
            raise ProtocolError(f"expected CBOR type {majors} up to 2^53 - 1, got {major} with {number}", start)
        return major, number

    def take(self, length: int) -> bytes:
        if length > len(self.data) - self.at:
            raise ProtocolError(f"expected {length} bytes, got the end", self.at)
        self.at += length
        return self.data[self.at - length : self.at]


def read_frames(batch: bytes) -> Iterator[Fields]:
    """The frames of a batch, those that are passed over left out. Raises ProtocolError where the rest is refused."""
    cursor = _Cursor(bytes(batch))
    while cursor.at < len(cursor.data):
        frame = _read_frame(cursor)
        if frame is not None:
            yield frame


def _read_frame(cursor: _Cursor) -> Fields | None:
    _, count = cursor.typed((4,))
    if not 1 <= count <= MAX_ITEMS:
        raise ProtocolError(f"expected 1 to {MAX_ITEMS} items, got {count}", cursor.at)
    _, kind = cursor.typed((0,))
    name, layout = LAYOUT.get(kind, (None, []))
    if name is None and kind % 2 == 1:
        raise ProtocolError(f"expected a kind that is known, got {kind}, which is critical", cursor.at)
    if count <= len(layout):
        raise ProtocolError(f"expected {len(layout)} fields in {name}, got {count - 1}", cursor.at)
    if kind >= FIRST_ROUTED and name is not None:
        if cursor.at < len(cursor.data) and cursor.data[cursor.at] > MAX_HOPS:
            raise ProtocolError("expected a hop count in one byte", cursor.at)
    frame: Fields = {"kind": kind}
    for field, type_ in layout:
        _, number = cursor.typed((_MAJOR[type_],))
        if type_ == "uint":
            frame[field] = number
            continue
        start = cursor.at
        content = cursor.take(number)
        if type_ == "text":
            try:
                frame[field] = content.decode("utf-8")
            except UnicodeDecodeError:
                raise ProtocolError("expected UTF-8", start) from None
        else:
            frame[field] = content
    for _ in range(count - 1 - len(layout)):
        major, number = cursor.typed(_PASSED_OVER)
        if major != 0:
            cursor.take(number)
    return frame if name is not None else None


# Values

REF, STREAM, ATTACHMENT, FUNCTION = 20597, 20598, 20599, 20600
_TAGS = {1, 2, 3, 27, *range(64, 83), 84, 85, 86, 258, 259, REF, STREAM, ATTACHMENT, FUNCTION}
UNDEFINED = cbor2.undefined


def scan(data: bytes) -> None:
    """Refuses what the protocol does not allow in a payload, without recursion."""
    cursor = _Cursor(data)
    missing, is_bignum = 1, False
    while missing > 0:
        missing -= 1
        start = cursor.at
        major, number = cursor.head()
        left = len(data) - cursor.at
        if major in (2, 3):
            if number > left or (is_bignum and number > MAX_BIGNUM_BYTES):
                raise ProtocolError(f"expected at most {left} bytes, got {number}", start)
            cursor.at += number
        elif major == 4:
            missing += number
        elif major == 5:
            missing += 2 * number
        elif major == 6:
            if number not in _TAGS:
                raise ProtocolError(f"expected a tag that is known, got {number}", start)
            missing += 1
        is_bignum = major == 6 and number in (2, 3)
        if missing > len(data) - cursor.at:
            raise ProtocolError("expected more items than there are bytes", start)
    if cursor.at != len(data):
        raise ProtocolError("expected one value, got more", cursor.at)


def decode(data: bytes) -> Any:
    """The value of a payload; tags of the table as CBORTag, but for dates, big integers and sets."""
    scan(data)
    try:
        return cbor2.loads(data)
    except Exception as error:  # whatever the library throws for bytes it does not like
        raise ProtocolError(f"expected a value, got {error}") from error


def encode(value: Any) -> bytes:
    """The payload of a value. Integers beyond 32 bits become floats, as a reader expects of numbers."""
    return cbor2.dumps(_as_numbers(value), timezone=timezone.utc, date_as_datetime=True)


class BigInt(int):
    """An integer that is to arrive as a big one."""


def _as_numbers(value: Any) -> Any:
    if isinstance(value, BigInt) or isinstance(value, bool):
        return int(value) if not isinstance(value, bool) else value
    if isinstance(value, int) and not -(2**32) <= value < 2**32:
        return float(value)
    if isinstance(value, dict):
        return {_as_numbers(key): _as_numbers(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_numbers(item) for item in value]
    if isinstance(value, cbor2.CBORTag):
        return cbor2.CBORTag(value.tag, _as_numbers(value.value))
    return value


_TYPED = {
    68: ("Uint8ClampedArray", "B"), 69: ("Uint16Array", "H"), 70: ("Uint32Array", "I"), 72: ("Int8Array", "b"),
    77: ("Int16Array", "h"), 78: ("Int32Array", "i"), 85: ("Float32Array", "f"), 86: ("Float64Array", "d"),
}  # fmt: skip


def notation(value: Any) -> Any:
    """A value as the vectors write it."""
    if value is UNDEFINED:
        return {"$undefined": True}
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return value if -(2**32) <= value < 2**32 else {"$bigint": str(value)}
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        return {"$float": "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}
    if isinstance(value, bytes):
        return {"$bytes": value.hex()}
    if isinstance(value, datetime):
        return {"$date": round(value.timestamp() * 1000)}
    if isinstance(value, (set, frozenset)):
        return {"$set": sorted(notation(item) for item in value)}
    if isinstance(value, (list, tuple)):
        return [notation(item) for item in value]
    if isinstance(value, dict):
        return {key: notation(item) for key, item in value.items()}
    if isinstance(value, cbor2.CBORTag):
        return _tag_notation(value.tag, value.value)
    raise TypeError(f"expected a value, got {type(value)}")


def _tag_notation(tag: int, value: Any) -> Any:
    if tag == 259:
        return {"$map": [[notation(key), notation(item)] for key, item in value.items()]}
    if tag == 27:
        return {"$regexp": list(value[1:])} if value[0] == "RegExp" else {"$error": list(value)}
    if tag in _TYPED:
        name, form = _TYPED[tag]
        return {"$typed": [name, list(struct.unpack(f"<{len(value) // struct.calcsize(form)}{form}", value))]}
    return {"$tag": [tag, notation(value)]}
