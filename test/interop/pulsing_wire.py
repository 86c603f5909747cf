"""Bytes of the protocol, version 1, as PROTOCOL.md has them: frames by hand, payloads by cbor2 behind a scan.

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
MAX_TEXT_BYTES = 4096
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
    "part": (45, _HEAD + "id:uint flags:uint payload:bytes"),
    "hold": (46, _HEAD + "actor:text flags:uint"),
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

    def head(self) -> tuple:
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

    def typed(self, majors: tuple) -> tuple:
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
        if type_ == "text" and number > MAX_TEXT_BYTES:
            raise ProtocolError(f"expected a text of at most {MAX_TEXT_BYTES} bytes, got {number}", start)
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
UNDEFINED = cbor2.undefined
MAX_DEPTH, MAX_COUNT, MAX_FIELDS = 64, 100_000, 8
_REFERENCES = (REF, STREAM, FUNCTION)
_OF_OBJECTS = {
    "constructor", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "toLocaleString", "toString", "valueOf",
    "__proto__", "__defineGetter__", "__defineSetter__", "__lookupGetter__", "__lookupSetter__",
}  # fmt: skip


def _element_size(tag: int) -> int:
    """Of a typed array, RFC 8746; 0 where the tag is none that is allowed."""
    if tag in (76, 80, 83, 84) or not 64 <= tag <= 86:
        return 0
    return (2 if tag >= 80 else 1) << (tag & 3)


class _Level:
    """An open list or map: what it is, how many items it still misses, the keys it has had."""

    def __init__(self, kind: str, missing: int) -> None:
        self.kind, self.missing, self.keys = kind, missing, set()


class _Scan:
    """Refuses what the protocol does not allow in a payload, without recursion. Rules have the document's numbers."""

    def __init__(self, data: bytes) -> None:
        self.cursor = _Cursor(data)
        self.levels = [_Level("list", 1)]
        self.missing = 1  # on all levels together
        self.count = 0
        self.depth = 0
        self.start = 0
        self.tag: int | None = None

    def refuse(self, rule: int, offset: int | None = None) -> ProtocolError:
        at = self.start if offset is None else offset
        return ProtocolError(f"expected a value, got what rule {rule} forbids", at)

    def run(self) -> None:
        cursor = self.cursor
        while self.levels:
            if self.levels[-1].missing == 0:
                if self.levels.pop().kind in ("list", "set", "object", "map"):
                    self.depth -= 1
                continue
            self.start = cursor.at
            major, number = cursor.head()
            if 1 < major < 7 and cursor.data[self.start] & 31 == 27:
                raise self.refuse(2)
            self.count += 1
            if major == 6:
                self._tagged(number)
                continue
            self._item(major, number, cursor.data[self.start] & 31)
            if self.count > MAX_COUNT:
                raise self.refuse(9)
        if cursor.at != len(cursor.data):
            raise self.refuse(1, cursor.at)

    def _tagged(self, tag: int) -> None:
        is_known = tag in (1, 2, 3, 27, 258, 259, ATTACHMENT, *_REFERENCES) or _element_size(tag) > 0
        if self.tag is not None or self.levels[-1].kind in ("fields", "texts") or not is_known:
            raise self.refuse(6)
        self.tag = tag

    def _item(self, major: int, number: int, info: int) -> None:
        level, tag = self.levels[-1], self.tag
        self.tag = None
        is_key = level.kind in ("object", "map") and level.missing % 2 == 0
        is_member = level.kind == "set" or (level.kind == "map" and is_key)
        level.missing -= 1
        self.missing -= 1
        if (level.kind == "texts" and major != 3) or (level.kind == "fields" and major in (2, 4, 5)):
            raise self.refuse(6)
        if is_key and level.kind == "object" and (major != 3 or tag is not None):
            raise self.refuse(5)
        if tag is not None and not self._fits(tag, major, number, info):
            raise self.refuse(6)
        if major in (2, 3):
            self._string(major, number, tag, level, is_key, is_member)
        elif major in (4, 5):
            self._open(major, number, tag)
        elif major == 7 and (info < 20 or info == 24):
            raise self.refuse(2)
        elif is_member and tag is None and (is_key or major != 7 or info > 24):
            is_big = major < 2 and info == 27
            if major < 2 or info > 24:
                self.count += 100 if is_big else 50
            if is_key:
                self._key(level, self._scalar(major, number, info))

    def _fits(self, tag: int, major: int, number: int, info: int) -> bool:
        if tag == 1:
            return info < 27 if major < 2 else major == 7 and info > 24
        if tag in (2, 3):
            return major == 2 and number <= MAX_BIGNUM_BYTES
        if tag == 27:
            return major == 4 and number in (2, 3)
        if tag in _REFERENCES:
            return major == 4 and number <= MAX_FIELDS
        if tag in (258, 259, ATTACHMENT):
            return major == {258: 4, 259: 5, ATTACHMENT: 0}[tag]
        return major == 2 and number % _element_size(tag) == 0

    def _string(self, major: int, length: int, tag: int | None, level: _Level, is_key: bool, is_member: bool) -> None:
        cursor = self.cursor
        if length > len(cursor.data) - cursor.at:
            raise self.refuse(3)
        at, content = cursor.at, cursor.take(length)
        if major == 2:
            self.count += 3 if tag is None else 7
            if tag in (2, 3):
                self.count += (length * length >> 9) + (100 if is_member else 0)
                number = int.from_bytes(content, "big")
                if is_key:
                    self._key(level, ("big", ~number if tag == 3 else number))
            return
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.refuse(4, at + error.start) from None
        if is_key:
            if level.kind == "object" and text == "__proto__":
                raise self.refuse(5)
            self._key(level, text)
        if level.kind == "texts":
            self._part_of_named(level, text)

    def _part_of_named(self, level: _Level, text: str) -> None:
        """A text of tag 27; whether a regular expression is one is JavaScript's to say."""
        if not hasattr(level, "name"):
            level.name, level.is_error = text, level.missing == 1
            if level.is_error and (text == "RegExp" or text in _OF_OBJECTS) or not level.is_error and text != "RegExp":
                raise self.refuse(8)
        elif not level.is_error and level.missing == 1:
            level.source = text
        elif not level.is_error:
            if "v" in text:
                raise self.refuse(8)
            self.count += 25 * (len(level.source.encode("utf-16-le")) // 2)
            self.count += 1250 * (level.source.count("\\p") + level.source.count("\\P")) if "u" in text else 0

    def _open(self, major: int, number: int, tag: int | None) -> None:
        items = number if major == 4 else 2 * number
        self.missing += items
        if self.missing > len(self.cursor.data) - self.cursor.at:
            raise self.refuse(3)
        if tag == STREAM and number > 2:
            self.count += 150
        if items == 0:
            return
        kind = {258: "set", 259: "map", 27: "texts", REF: "fields", STREAM: "fields", FUNCTION: "fields"}.get(
            tag, "list" if major == 4 else "object"
        )
        if kind in ("list", "set", "object", "map"):
            if self.depth == MAX_DEPTH:
                raise self.refuse(7)
            self.depth += 1
        elif tag == 27:
            self.count += 100
        self.levels.append(_Level(kind, items))

    def _scalar(self, major: int, number: int, info: int) -> Any:
        if major == 7:
            form = {25: ">e", 26: ">f", 27: ">d"}.get(info)
            if form is None:
                return ("simple", info)
            value = struct.unpack(form, number.to_bytes(struct.calcsize(form), "big"))[0]
            return ("number", "nan" if math.isnan(value) else value)
        return ("big" if info == 27 else "number", number if major == 0 else ~number)

    def _key(self, level: _Level, key: Any) -> None:
        if key in level.keys:
            raise self.refuse(5)
        level.keys.add(key)


def scan(data: bytes) -> None:
    """Refuses what the protocol does not allow in a payload."""
    _Scan(data).run()


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
