"""Holds the Python codec to the test vectors: prints one line for each that fails, and the sum as JSON last."""
import json
import sys

from pulsing_wire import LAYOUT, ProtocolError, decode, notation, read_frames, write_frame


def frame_vector(vector: dict) -> None:
    data = bytes.fromhex(vector["hex"])
    name, layout = LAYOUT[vector["kind"]]
    fields = {
        field: bytes.fromhex(vector["fields"][field]) if type_ == "bytes" else vector["fields"][field]
        for field, type_ in layout
    }
    assert write_frame(name, fields) == data, "encoded otherwise"
    assert list(read_frames(data)) == [{"kind": vector["kind"], **fields}], "decoded otherwise"


def batch_vector(vector: dict) -> None:
    kinds = [frame["kind"] for frame in read_frames(bytes.fromhex(vector["hex"]))]
    assert kinds == vector["kinds"], f"expected {vector['kinds']}, got {kinds}"


def value_vector(vector: dict) -> None:
    value = notation(decode(bytes.fromhex(vector["hex"])))
    assert value == vector["value"], f"expected {vector['value']}, got {value}"


def refused(read):
    def check(vector: dict) -> None:
        try:
            read(bytes.fromhex(vector["hex"]))
        except ProtocolError as error:
            assert error.offset == vector["offset"], f"expected offset {vector['offset']}, got {error}"
        else:
            raise AssertionError("expected it to be refused")

    return check


CHECKS = {
    "frames": frame_vector,
    "batches": batch_vector,
    "values": value_vector,
    "hostileBatches": refused(lambda data: list(read_frames(data))),
    "hostileValues": refused(decode),
}

with open(sys.argv[1], encoding="utf-8") as file:
    sections = json.load(file)
assert sections.keys() == CHECKS.keys(), f"expected {CHECKS.keys()}, got {sections.keys()}"
checked = failed = 0
for section, vectors in sections.items():
    for vector in vectors:
        checked += 1
        try:
            CHECKS[section](vector)
        except Exception as error:
            failed += 1
            print(f"{section}: {vector['name']}: {type(error).__name__}: {error}")
print(json.dumps({"checked": checked, "failed": failed}))
