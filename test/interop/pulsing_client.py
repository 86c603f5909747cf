"""A node in Python: one link to a relay, sessions that outlive it, asks, tells, streams and actors.

Written from PROTOCOL.md alone, as a proof that it suffices. It is a leaf with one link; ports, attachments and direct
connections are not for it.
"""
from __future__ import annotations

import asyncio
import base64
import collections
import inspect
import os
import random
from dataclasses import dataclass
from typing import Any, AsyncIterator, Awaitable, Callable

import cbor2
import websockets

from pulsing_wire import FUNCTION, KIND, LAYOUT, REF, STREAM, UNDEFINED, ProtocolError, decode, encode
from pulsing_wire import read_frames, write_frame

VERSION = 1
HANDSHAKE_S = 5.0
PING_AFTER_S, GONE_AFTER_S = 15.0, 40.0
GRACE_S = 60.0
ACK_FRAMES, ACK_BYTES, ACK_S = 32, 256 * 1024, 0.25
GAP_S = 0.25
PROBE_S, MAX_PROBE_S = 2.0, 16.0
LOG_FRAMES, LOG_BYTES = 4096, 1024 * 1024
MAX_HELD, MAX_HELD_BYTES = 512, 1024 * 1024
MAX_WHOLE, PART = 128 * 1024, 32 * 1024
MORE, LAST, DROPPED = 0, 1, 2
MAX_PARTED, MAX_PARTS_BYTES = 256, 32 * 1024 * 1024 + 16 * 1024
STREAM_BYTES = 512 * 1024
MAX_TELLS, TELLS_PER_CREDIT = 2048, 512
MAX_TELL_BYTES, TELL_BYTES_PER_CREDIT = 4 * 1024 * 1024, 1024 * 1024
MAX_WINDOW = 65_536
RAW, JSON, CBOR, FORMAT, PLAIN = 0, 1, 2, 3, 4
RESEND = 1
LEAVING, NO_VERSION, REFUSED, BROKEN = 0, 1, 2, 3


def new_id() -> str:
    return base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=")


class Failure(Exception):
    """An error record: of an ask that failed, a stream that did, or, raised by an actor, what its caller is to get."""

    def __init__(self, name: str, code: str, message: str, fields: dict | None = None) -> None:
        super().__init__(f"{name} [{code}]: {message}")
        self.name, self.code, self.message, self.fields = name, code, message, fields or {}

    def record(self) -> dict:
        record = {"name": self.name, "code": self.code, "message": self.message}
        return {**record, "fields": self.fields} if self.fields else record

    @staticmethod
    def read(payload: bytes) -> "Failure":
        try:
            record = decode(payload)
        except ProtocolError as error:
            return Failure("ProtocolError", "protocol_error", str(error))
        record = record if isinstance(record, dict) else {}
        texts = (record.get(key) for key in ("name", "code", "message"))
        name, code, message = (text if isinstance(text, str) else "" for text in texts)
        fields = record.get("fields")
        return Failure(name or "Error", code, message, fields if isinstance(fields, dict) else None)


class Refused(Exception):
    """The neighbour said goaway; `code` is why."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"goaway {code}: {reason}")
        self.code, self.reason = code, reason


@dataclass(frozen=True)
class Ref:
    """An actor, wherever it is."""

    node: str
    actor: str
    name: str | None = None


@dataclass
class Message:
    """What an actor gets, and what an asker of a typed message does. `value`: bytes but for CBOR, or an InStream."""

    type: str
    value: Any
    format: int = CBOR


class InStream:
    """A stream that comes from a peer: `async for`, which counts an item as consumed when it is taken."""

    def __init__(self, peer: "Peer", id_: int, window: int) -> None:
        self.peer, self.id, self.window = peer, id_, window
        self.items: collections.deque = collections.deque()
        self.unconsumed = 0
        self.count = self.bytes = self._told_count = self._told_bytes = 0
        self._is_due = False
        self.is_over = False
        self._error: Exception | None = None
        self._changed = asyncio.Event()

    def arrived(self, value: Any, size: int) -> None:
        if self.unconsumed >= self.window:
            raise ProtocolError(f"expected at most {self.window} items not consumed in stream {self.id}, got more")
        self.unconsumed += 1
        self.items.append((value, size))
        self._changed.set()

    def ended(self, error: Exception | None) -> None:
        self.is_over, self._error = True, error
        self._changed.set()

    def __aiter__(self) -> "InStream":
        return self

    async def __anext__(self) -> Any:
        while not self.items:
            if self.is_over:
                error, self._error = self._error, None
                raise error if error else StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        value, size = self.items.popleft()
        self.unconsumed -= 1
        self.count += 1
        self.bytes += size
        self._consumed()
        return value

    def stop(self) -> None:
        """No more is wanted."""
        if self.is_over:
            return
        self.ended(None)
        self.items.clear()
        if self.peer.streams_in.pop(self.id, None):
            self.peer.send("stop", id=self.id)

    def _consumed(self) -> None:
        if self.is_over:
            return
        items, size = self.count - self._told_count, self.bytes - self._told_bytes
        if items * 2 >= self.window or size * 4 >= STREAM_BYTES:
            self._tell()
        elif not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self) -> None:
        self._is_due = False
        if self.is_over or self.count == self._told_count:
            return
        self._told_count, self._told_bytes = self.count, self.bytes
        self.peer.send("credit", id=self.id, count=self.count, bytes=self.bytes)


class OutStream:
    """A stream that goes to a peer, from an asynchronous iterator; no further ahead than the consumer allows."""

    def __init__(self, peer: "Peer", id_: int, window: int, source: AsyncIterator) -> None:
        self.peer, self.id, self.window, self.source = peer, id_, window, source
        self.sent = self.sent_bytes = self.consumed = self.consumed_bytes = 0
        self._credit = asyncio.Event()
        self.task = peer.node.spawn(self._run())

    def credit(self, count: int, size: int) -> None:
        if count <= self.consumed or count > self.sent or size > self.sent_bytes:
            return
        self.consumed, self.consumed_bytes = count, size
        self._credit.set()

    def _has_room(self) -> bool:
        return self.sent - self.consumed < self.window and self.sent_bytes - self.consumed_bytes < STREAM_BYTES

    async def _run(self) -> None:
        payload = b""
        try:
            while True:
                while not self._has_room():
                    self._credit.clear()
                    await self._credit.wait()
                await self.peer.room()
                try:
                    value = await self.source.__anext__()
                except StopAsyncIteration:
                    break
                body = self.peer.body(value)
                self.sent += 1
                self.sent_bytes += len(body["payload"])
                self.peer.send("item", id=self.id, flags=body["flags"], type=body["type"], payload=body["payload"])
        except asyncio.CancelledError:  # stopped, or reset: nothing more is said
            await self._close()
            raise
        except Exception as error:
            payload = encode(failure_of(error).record())
        self.peer.streams_out.pop(self.id, None)
        self.peer.send("end", id=self.id, payload=payload)

    async def _close(self) -> None:
        close = getattr(self.source, "aclose", None)
        if close:
            await close()


def failure_of(error: Exception) -> Failure:
    if isinstance(error, Failure):
        return error
    return Failure("PulsingSystemError", "system_error", str(error) or type(error).__name__)


class Peer:
    """The sessions with one node, its own and ours, and all that is pending between the two."""

    def __init__(self, node: "Node", id_: str) -> None:
        self.node, self.id = node, id_
        # Of our session.
        self.number = node.next_session()
        self.next = 1
        self.has_spoken = False
        self.sent = self.acked = 0
        self.log: collections.deque = collections.deque()  # (seq, kind, fields, size)
        self.log_bytes = 0
        self.is_waiting = node.neighbour is None
        self.is_asking = self.is_beginning = self.has_missed = False
        self.resent: tuple = (-1, 0.0)
        # Of the peer's.
        self.received = self.dead = 0  # R and D
        self.due = 1
        self.held: dict[int, dict] = {}
        self.held_bytes = 0
        self.frames_to_ack = self.bytes_to_ack = 0
        self.gap_s, self.probe_s = GAP_S, PROBE_S
        self.timers: dict[str, asyncio.TimerHandle] = {}
        # What is pending.
        self.asks: dict[int, asyncio.Future] = {}
        self.next_ask = 1
        self.handling: dict[int, asyncio.Task | None] = {}  # asks to answer, and the work on them once it began
        self.streams_in: dict[int, InStream] = {}
        self.streams_out: dict[int, OutStream] = {}
        self.next_stream = self.next_part = 1
        self.parts: dict[int, list] = {}
        # Sent in our session, and taken over there as far as is known: tells, and the bytes of their payloads.
        self.tells = self.tells_taken = self.tell_bytes = self.tell_bytes_taken = 0
        # Those of the peer's that were taken here, and how many of them it was told of.
        self.took = self.told_of = self.took_bytes = self.told_of_bytes = 0
        self.full: dict[str, asyncio.Event] = {}  # actors over there whose mailboxes are full; set when one no longer is
        self.has_room, self.has_tell_room = asyncio.Event(), asyncio.Event()
        self.has_room.set()
        self.has_tell_room.set()
        self.resets = self.duplicates = 0

    # Sending

    def send(self, kind: str, **fields: Any) -> None:
        """Sends a frame in its number, large ones in parts."""
        if len(fields.get("payload", b"")) <= MAX_WHOLE:
            self._send(kind, fields)
            return
        data = write_frame(kind, {"hops": 0, "to": "", "from": "", "session": 0, "seq": 0, **fields})
        id_, self.next_part = self.next_part, self.next_part + 1
        for at in range(0, len(data), PART):
            flags = LAST if at + PART >= len(data) else MORE
            self._send("part", {"id": id_, "flags": flags, "payload": data[at : at + PART]})

    def _send(self, kind: str, fields: dict) -> None:
        """Numbers a frame, logs it, and sends it now or when the peer can be reached again."""
        size = len(fields.get("payload", b""))
        self.log.append((self.next, kind, fields, size))
        self.log_bytes += size
        self.next += 1
        self._expect_ack()
        if not self.is_waiting and not self.is_asking:
            self._post(kind, fields, self.next - 1)
        self._update_room()

    def _post(self, kind: str, fields: dict, seq: int) -> None:
        """One frame, as the way to the peer is now."""
        is_neighbour = self.node.neighbour == self.id
        head = {"hops": 0, "to": "", "from": ""} if is_neighbour else {"hops": 4, "to": self.id, "from": self.node.id}
        self.has_spoken = self.has_spoken or self.node.neighbour is not None
        self.sent = max(self.sent, seq)
        self.node.post(kind, {**head, "session": self.number, "seq": seq, **fields})

    def _control(self, kind: str, **fields: Any) -> None:
        """A frame that is not numbered."""
        self._post(kind, fields, 0)

    async def room(self) -> None:
        """Waits until more may be made."""
        await self.has_room.wait()

    async def tell_room(self, actor: str) -> None:
        """Waits until another tell may be made for an actor."""
        while not (self.has_room.is_set() and self.has_tell_room.is_set() and actor not in self.full):
            await self.has_tell_room.wait()
            await self.has_room.wait()
            if actor in self.full:
                await self.full[actor].wait()

    def _update_room(self) -> None:
        is_full = len(self.log) >= LOG_FRAMES or self.log_bytes >= LOG_BYTES
        if is_full or self.is_waiting or self.is_asking:
            self.has_room.clear()
        else:
            self.has_room.set()

    # Receiving

    def receive(self, frame: dict) -> None:
        kind, session = frame["kind"], frame["session"]
        if kind == KIND["reset"]:
            if frame["id"] == self.number:
                self.reset("the peer ended the session", session)
        elif kind == KIND["ack"]:
            self._acknowledged(frame)
        elif kind == KIND["probe"]:
            if self._meet(session):
                self._acknowledge(RESEND)
        elif self.is_beginning:
            self.has_missed = True
        elif self._meet(session):
            if self.is_beginning:  # since now
                self.has_missed = True
            else:
                self._arrived(frame)

    def _meet(self, session: int) -> bool:
        """The session the peer says it is in; False where that one is over."""
        if session <= self.dead or session < self.received:
            self._control("reset", id=session)
            return False
        if session == self.received:
            return True
        if self.received != 0 and not self.is_beginning:
            self.reset("the peer began a new session", session)
            return True
        if self.received != 0:
            self.dead = session - 1
        self.received, self.due = session, 1
        if self.is_beginning:
            self._control("probe")
        return True

    def _arrived(self, frame: dict) -> None:
        seq, size = frame["seq"], len(frame.get("payload", b""))
        if seq < self.due:
            self.duplicates += 1
            return
        if seq > self.due:
            if seq not in self.held and len(self.held) < MAX_HELD and self.held_bytes < MAX_HELD_BYTES:
                self.held[seq] = frame
                self.held_bytes += size
            self._timer("gap", self.gap_s, self._gap)
            return
        current = self.received
        while frame is not None:
            self.due += 1
            self.frames_to_ack += 1
            # A part at once: its sender has few on their way.
            self.bytes_to_ack += ACK_BYTES if frame["kind"] == KIND["part"] else len(frame.get("payload", b""))
            self.node.deliver(self, frame)
            if self.received != current:  # it was reset meanwhile
                return
            frame = self.held.pop(self.due, None)
            if frame is not None:
                self.held_bytes -= len(frame.get("payload", b""))
        if not self.held:
            self._cancel("gap")
            self.gap_s = GAP_S
        if self.frames_to_ack >= ACK_FRAMES or self.bytes_to_ack >= ACK_BYTES:
            self._acknowledge(0)
        else:
            self._timer("ack", ACK_S, lambda: self._acknowledge(0))

    def _gap(self) -> None:
        if self.held:
            self._acknowledge(RESEND)
            self.gap_s = min(MAX_PROBE_S, self.gap_s * 2)
            self._timer("gap", self.gap_s, self._gap)

    def _acknowledge(self, flags: int) -> None:
        self._cancel("ack")
        self.frames_to_ack = self.bytes_to_ack = 0
        self._control("ack", id=self.received, count=self.due - 1, flags=flags)

    def _acknowledged(self, frame: dict) -> None:
        count, flags = frame["count"], frame["flags"]
        if frame["id"] != self.number or count > self.sent:
            return
        number = self.number
        if not self._meet(frame["session"]) or self.number != number:
            return
        if self.is_beginning:
            self.is_beginning = False
            if self.has_missed:
                self.has_missed = False
                self._acknowledge(RESEND)
        if count < self.acked:
            return
        if count > self.acked:
            self.probe_s = PROBE_S
        self.acked = count
        while self.log and self.log[0][0] <= count:
            self.log_bytes -= self.log.popleft()[3]
        if flags & RESEND:
            self._send_again(count)
        self._update_room()

    def _send_again(self, count: int) -> None:
        now = asyncio.get_running_loop().time()
        if not self.is_asking and self.resent[0] == count and now - self.resent[1] < GAP_S:
            return
        self.is_asking = False
        self.resent = (count, now)
        if not self.is_waiting:
            for seq, kind, fields, _ in list(self.log):
                self._post(kind, fields, seq)

    # Ways that come and go

    def found(self) -> None:
        """There is a way to the peer again."""
        self.is_waiting = False
        self._cancel("grace")
        self._cancel("probe")
        self.probe_s = PROBE_S
        self.is_asking = self.is_beginning or len(self.log) > 0
        if self.received:
            self._acknowledge(RESEND)
        if self.is_asking or self.has_spoken or self.received:
            self._control("probe")
        self._expect_ack()
        self._update_room()

    def lost(self) -> None:
        """There is no way to the peer now."""
        if not self.is_waiting:
            self.is_waiting = True
            self._timer("grace", GRACE_S, lambda: self.reset("no way led to the peer for too long"))
            self._update_room()

    def _expect_ack(self) -> None:
        if self.log or self.is_asking:
            acked = self.acked
            self._timer("probe", self.probe_s, lambda: self._probe(acked))

    def _probe(self, acked: int) -> None:
        if not self.is_waiting and (self.is_asking or (self.log and self.acked == acked)):
            self.probe_s = min(MAX_PROBE_S, self.probe_s * 2)
            self._control("probe")
        self._expect_ack()

    def reset(self, why: str, follower: int = 0) -> None:
        """Both sessions are over: everything pending fails. `follower` is the peer's next one, where that is known."""
        self.resets += 1
        for timer in ("ack", "gap", "probe", "grace"):
            self._cancel(timer)
        met, had_spoken = self.received, self.has_spoken or self.received > 0 or follower > 0
        self.dead = max(self.dead, self.received - 1, follower - 1) if follower else max(self.dead, self.received)
        self.received = follower if follower > self.dead else 0
        self.due = 1
        self.held.clear()
        self.held_bytes = self.frames_to_ack = self.bytes_to_ack = 0
        self.log.clear()
        self.log_bytes = 0
        self.number, self.next, self.sent, self.acked = self.node.next_session(), 1, 0, 0
        self.resent = (-1, 0.0)
        self.gap_s, self.probe_s = GAP_S, PROBE_S
        self.has_missed = self.has_spoken = False
        self.is_beginning = self.is_beginning or had_spoken
        self.is_asking = self.is_beginning
        if met and not follower:
            self._control("reset", id=met)
        if self.is_beginning:
            self._control("probe")
        self._expect_ack()
        self._fail_all(Failure("SessionResetError", "session_reset", why, {"outcome": "unknown"}))
        self._update_room()

    def _fail_all(self, error: Failure) -> None:
        self.tells = self.tells_taken = self.tell_bytes = self.tell_bytes_taken = 0
        self.took = self.told_of = self.took_bytes = self.told_of_bytes = 0
        for actor in list(self.full):
            self.hold(actor, False)
        self.has_tell_room.set()
        self.next_stream = self.next_part = 1
        self.parts.clear()
        asks, self.asks = self.asks, {}
        for ask in asks.values():
            if not ask.done():
                ask.set_exception(error)
        for task in self.handling.values():
            if task:
                task.cancel()
        self.handling.clear()
        for stream in list(self.streams_out.values()):
            stream.task.cancel()
        self.streams_out.clear()
        incoming, self.streams_in = self.streams_in, {}
        for stream in incoming.values():
            stream.ended(error)

    def whole(self, frame: dict) -> dict | None:
        """Takes a part; the frame it completes, if it does."""
        id_, flags = frame["id"], frame["flags"]
        if flags == DROPPED:
            self.parts.pop(id_, None)
            return None
        if flags > DROPPED or (id_ not in self.parts and len(self.parts) >= MAX_PARTED):
            raise ProtocolError("expected a part that is allowed, got another")
        self.parts.setdefault(id_, []).append(frame["payload"])
        if sum(len(piece) for pieces in self.parts.values() for piece in pieces) > MAX_PARTS_BYTES:
            raise ProtocolError("expected fewer bytes of parts, got more")
        if flags == MORE:
            return None
        frames = list(read_frames(b"".join(self.parts.pop(id_))))
        if len(frames) != 1 or LAYOUT[frames[0]["kind"]][0] not in ("ask", "tell", "reply", "fail", "item", "end"):
            raise ProtocolError("expected one message in parts, got something else")
        return frames[0]

    def _timer(self, name: str, seconds: float, callback: Callable[[], None]) -> None:
        if name in self.timers:
            return

        def run() -> None:
            self.timers.pop(name, None)
            callback()

        self.timers[name] = asyncio.get_running_loop().call_later(seconds, run)

    def _cancel(self, name: str) -> None:
        timer = self.timers.pop(name, None)
        if timer:
            timer.cancel()

    # Messages

    def body(self, value: Any) -> dict:
        """The fields of a message: a Message, a value, or a stream of values, which begins when the frame is sent."""
        type_, format_, plain = "", CBOR, PLAIN
        if isinstance(value, Message):
            type_, format_, plain, value = value.type, value.format, 0, value.value
        if hasattr(value, "__anext__"):
            id_, window = self.next_stream, 32
            self.next_stream += 1
            return {"flags": plain, "type": type_, "stream": id_, "window": window, "payload": b"", "source": value}
        if isinstance(value, bytes) and plain:
            format_ = RAW
        payload = value if isinstance(value, bytes) and format_ != CBOR else encode(lower(value))
        return {"flags": format_ | plain, "type": type_, "stream": 0, "window": 0, "payload": payload}

    def send_message(self, kind: str, body: dict, **fields: Any) -> None:
        source = body.pop("source", None)
        self.send(kind, **fields, **body)
        if source is not None:
            id_ = body["stream"]
            self.streams_out[id_] = OutStream(self, id_, body["window"], source)

    def ask(self, actor: str, value: Any, timeout: float) -> asyncio.Future:
        id_ = self.next_ask
        self.next_ask += 1
        future = self.asks[id_] = asyncio.get_running_loop().create_future()
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        self.send_message("ask", self.body(value), id=id_, actor=actor, sender="", timeout=round(timeout * 1000))
        return future

    def tell(self, actor: str, value: Any) -> None:
        body = self.body(value)
        self.send_message("tell", body, actor=actor, sender="")
        self.tells += 1
        self.tell_bytes += len(body["payload"])
        self._update_tell_room()

    def tells_are_taken(self, count: int, size: int) -> None:
        """The peer has taken so many tells of this session, of so many bytes, in all."""
        if not (self.tells_taken < count <= self.tells and self.tell_bytes_taken <= size <= self.tell_bytes):
            return
        self.tells_taken, self.tell_bytes_taken = count, size
        self._update_tell_room()

    def _update_tell_room(self) -> None:
        tells, size = self.tells - self.tells_taken, self.tell_bytes - self.tell_bytes_taken
        if tells >= MAX_TELLS or size >= MAX_TELL_BYTES:
            self.has_tell_room.clear()
        else:
            self.has_tell_room.set()

    def hold(self, actor: str, is_full: bool) -> None:
        """The mailbox of an actor over there is full, or no longer."""
        if is_full:
            self.full.setdefault(actor, asyncio.Event())
        elif actor in self.full:
            self.full.pop(actor).set()

    def took_tell(self, size: int) -> None:
        """A tell of the peer, with a payload of so many bytes, is in a mailbox, or was dropped."""
        self.took += 1
        self.took_bytes += size
        if self.took - self.told_of >= TELLS_PER_CREDIT or self.took_bytes - self.told_of_bytes >= TELL_BYTES_PER_CREDIT:
            self.told_of, self.told_of_bytes = self.took, self.took_bytes
            self.send("credit", id=0, count=self.took, bytes=self.took_bytes)

    def give_up(self, future: asyncio.Future) -> None:
        for id_, ask in list(self.asks.items()):
            if ask is future:
                del self.asks[id_]
                self.send("cancel", id=id_)

    def value(self, frame: dict) -> Any:
        """The value of a message or an item."""
        if frame["flags"] >> 3:
            raise ProtocolError("expected no attachments on a WebSocket, got some")
        if frame.get("stream", 0):
            return self._stream(frame["stream"], frame["window"])
        format_, payload = frame["flags"] & FORMAT, frame["payload"]
        if format_ == FORMAT:
            raise ProtocolError("expected a payload format from 0 to 2, got 3")
        if format_ != CBOR:
            return payload
        return self._raised(decode(payload)) if payload else UNDEFINED

    def message(self, frame: dict) -> Message:
        return Message(frame["type"], self.value(frame), frame["flags"] & FORMAT)

    def _stream(self, id_: Any, window: Any) -> InStream:
        if not isinstance(id_, int) or id_ < 1 or not isinstance(window, int) or not 1 <= window <= MAX_WINDOW:
            raise ProtocolError(f"expected a stream and its window, got {id_} and {window}")
        if id_ in self.streams_in:
            raise ProtocolError(f"expected a new stream, got {id_} again")
        stream = self.streams_in[id_] = InStream(self, id_, window)
        return stream

    def _raised(self, value: Any) -> Any:
        """Tags of ours as what they stand for."""
        if isinstance(value, list):
            return [self._raised(item) for item in value]
        if isinstance(value, dict):
            return {key: self._raised(item) for key, item in value.items()}
        if not isinstance(value, cbor2.CBORTag):
            return value
        content = value.value if isinstance(value.value, (list, tuple)) else ()
        if value.tag == REF and len(content) == 3 and is_id(content[0]) and is_id(content[1]):
            return Ref(*content)
        if value.tag == STREAM and len(content) >= 2:
            return self._stream(content[0], content[1])
        if value.tag == FUNCTION and len(content) == 2 and is_id(content[0]) and is_id(content[1]):
            return Function(self.node, content[0], content[1])
        if value.tag in (REF, STREAM, FUNCTION) or value.tag == 20599:
            raise ProtocolError(f"expected well-formed contents of tag {value.tag}, got others")
        return value

    def give_back(self, value: Any) -> None:
        """Takes nothing of a message nobody waits for."""
        if isinstance(value, Message):
            value = value.value
        if isinstance(value, InStream):
            value.stop()
        elif isinstance(value, Function):
            value.release()
        elif isinstance(value, list):
            for item in value:
                self.give_back(item)
        elif isinstance(value, dict):
            for item in value.values():
                self.give_back(item)


@dataclass
class Function:
    """A function of another node."""

    node: "Node"
    at: str
    actor: str

    async def __call__(self, *args: Any) -> Any:
        return await self.node.ask(Ref(self.at, self.actor), Message("@callback", list(args)))

    def release(self) -> None:
        self.node.tell_now(Ref(self.at, self.actor), Message("@release", UNDEFINED))


def is_id(text: Any) -> bool:
    return isinstance(text, str) and len(text) == 22


def lower(value: Any) -> Any:
    """Refs as tags."""
    if isinstance(value, Ref):
        return cbor2.CBORTag(REF, [value.node, value.actor, value.name])
    if isinstance(value, (list, tuple)):
        return [lower(item) for item in value]
    if isinstance(value, dict):
        return {key: lower(item) for key, item in value.items()}
    return value


@dataclass
class Record:
    """What a node says of itself."""

    version: int
    kind: str
    links: set
    names: dict
    is_hidden: bool = False
    is_gone: bool = False


Handler = Callable[[Message], Awaitable[Any]]


class Node:
    """A leaf. `await start(url)`, then `find`, `ask`, `tell`, `serve`; `await close()` at the end."""

    def __init__(self, token: str | None = None, versions: tuple[int, int] = (VERSION, VERSION)) -> None:
        self.id = new_id()
        self.token, self.versions = token, versions
        self.neighbour: str | None = None
        self.peers: dict[str, Peer] = {}
        self.record = Record(1, "leaf", set(), {})
        self.records: dict[str, Record] = {}
        self.links = 0  # links ever made, and the serial of the last
        #: Code and reason of every goaway that came.
        self.goaways: list = []
        #: Ids of the nodes a way leads to.
        self.members: set = set()
        self._sessions = 0
        self._actors: dict[str, asyncio.Queue] = {}
        self._work_of: dict[str, asyncio.Task] = {}
        self._watches: dict[str, list] = {}
        self._tasks: set = set()
        self._socket: Any = None
        self._batch: list[bytes] = []
        self._outbox: asyncio.Queue = asyncio.Queue()
        self._is_open = self._is_closing = False
        self._heard = 0.0
        self._pinged: float | None = None
        #: Set whenever something of the cluster changed.
        self.changed = asyncio.Event()
        #: Cleared, the node does not come back after it lost its link.
        self.may_link = asyncio.Event()
        self.may_link.set()

    # Life

    async def start(self, url: str) -> None:
        """Links to a relay and stays linked. Raises Refused when it does not let this node in."""
        self._run("system/core", self._system, is_reentrant=True)
        await self._link(url)
        self.spawn(self._stay(url))

    async def close(self) -> None:
        """Ends for good."""
        self._is_closing = True
        if self._is_open:
            await self._say_goodbye(LEAVING, "leaving")
        for task in list(self._tasks):
            task.cancel()
        for peer in self.peers.values():
            for timer in list(peer.timers):
                peer._cancel(timer)

    def cut(self) -> None:
        """Drops the connection as a network does: nothing is said, what is on its way is lost."""
        self._batch.clear()
        self._down()
        self._socket.transport.abort()

    def spawn(self, work: Any) -> asyncio.Task:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()

    def next_session(self) -> int:
        self._sessions += 1
        return self._sessions

    # The link

    async def _stay(self, url: str) -> None:
        ceiling = 0.1
        while True:
            await self._reading
            if self._is_closing or any(code in (NO_VERSION, REFUSED, BROKEN) for code, _ in self.goaways):
                return
            while True:
                await self.may_link.wait()
                await asyncio.sleep(ceiling * random.uniform(0.25, 1))
                try:
                    await self._link(url)
                    ceiling = 0.1
                    break
                except (OSError, asyncio.TimeoutError, websockets.exceptions.WebSocketException):
                    ceiling = min(10.0, ceiling * 2)

    async def _link(self, url: str) -> None:
        self._socket = await websockets.connect(url, compression=None, max_size=2**24, ping_interval=None)
        try:
            await asyncio.wait_for(self._greet(), HANDSHAKE_S)
        except BaseException:
            self._socket.transport.abort()
            raise
        self._outbox = asyncio.Queue()
        self._up()
        self._reading = self.spawn(self._read())
        while not self._is_synced:
            self.changed.clear()
            await self.changed.wait()
            if not self._is_open:
                raise ConnectionError("expected to be told of the cluster, got the end of the connection")

    async def _greet(self) -> None:
        self.links += 1
        hello = {"pulsing": self.versions, "node": self.id, "kind": "leaf", "features": [], "serial": self.links}
        if self.token is not None:
            hello["token"] = self.token
        await self._greet_with("hello", {"payload": encode(hello)})
        self._early: list[dict] = []
        self._is_synced = False
        has_hello = is_welcome = False
        while not (has_hello and is_welcome):
            for frame in read_frames(await self._binary()):
                name = LAYOUT[frame["kind"]][0]
                if has_hello and is_welcome:
                    self._early.append(frame)
                elif name == "goaway":
                    self.goaways.append((frame["id"], frame["reason"]))
                    raise Refused(frame["id"], frame["reason"])
                elif name == "hello" and not has_hello:
                    has_hello = True
                    self._read_hello(frame["payload"])
                    await self._greet_with("welcome", {})
                elif name == "welcome" and has_hello:
                    is_welcome = True
                else:
                    raise ProtocolError(f"expected the handshake, got {name}")

    async def _greet_with(self, kind: str, fields: dict) -> None:
        try:
            await self._socket.send(write_frame(kind, fields))
        except websockets.exceptions.ConnectionClosed:
            pass  # why, stands in what came before, and is read next

    def _read_hello(self, payload: bytes) -> None:
        hello = decode(payload)
        if len(payload) > 4096 or not isinstance(hello, dict) or not is_id(hello.get("node")):
            raise ProtocolError("expected a hello, got something else")
        lowest, highest = hello["pulsing"]
        if not lowest <= VERSION <= highest:
            raise Refused(NO_VERSION, f"expected version {VERSION}, got {lowest} to {highest}")
        self._greeted, self._greeted_kind = hello["node"], hello["kind"]

    async def _binary(self) -> bytes:
        data = await self._socket.recv()
        if isinstance(data, str):
            raise ProtocolError("expected a binary message, got text")
        return data

    async def _read(self) -> None:
        socket = self._socket
        helpers = [self.spawn(self._watch()), self.spawn(self._write(socket, self._outbox))]
        try:
            for frame in self._early:
                self._received(frame)
            while True:
                for frame in read_frames(await self._binary()):
                    if socket is not self._socket or not self._is_open:
                        return
                    self._heard, self._pinged = asyncio.get_running_loop().time(), None
                    self._received(frame)
        except ProtocolError as error:
            await self._say_goodbye(BROKEN, str(error))
        except (OSError, websockets.exceptions.ConnectionClosed):
            pass
        finally:
            for helper in helpers:
                helper.cancel()
            if socket is self._socket:
                self._down()

    async def _say_goodbye(self, code: int, reason: str) -> None:
        self.post("goaway", {"id": code, "reason": reason})
        self._flush()
        await self._outbox.join()
        await self._socket.close()

    async def _watch(self) -> None:
        """Pings a silent neighbour, and gives it up."""
        loop = asyncio.get_running_loop()
        self._heard, self._pinged = loop.time(), None
        while True:
            await asyncio.sleep(5)
            now = loop.time()
            if now - self._heard < PING_AFTER_S:
                continue
            if self._pinged is None:
                self._pinged = now
                self.post("ping", {"id": 0})
            elif now - self._heard >= GONE_AFTER_S and now - self._pinged >= PING_AFTER_S:
                self.cut()

    def _up(self) -> None:
        self.neighbour = self._greeted
        self._is_open = True
        self.record.links = {self.neighbour}
        self.record.version += 1
        self.records.setdefault(self.neighbour, Record(0, self._greeted_kind, set(), {}))
        names = [[name, actor] for name, actor in self.record.names.items()]
        own = ["node", self.id, self.record.version, "leaf", None, [], [], [self.neighbour], names]
        self._tell_cluster([own, ["synced"]])
        self._update_members()

    def _down(self) -> None:
        if not self._is_open:
            return
        self._is_open = False
        self.neighbour = None
        self.record.links = set()
        self.record.version += 1
        self._update_members()
        for peer in self.peers.values():
            peer.lost()

    def post(self, kind: str, fields: dict) -> None:
        """One frame to the neighbour, with all others of this turn; lost where there is none."""
        if not self._is_open:
            return
        if not self._batch:
            asyncio.get_running_loop().call_soon(self._flush)
        self._batch.append(write_frame(kind, fields))

    def _flush(self) -> None:
        batch, self._batch = b"".join(self._batch), []
        if batch and self._is_open:
            self._outbox.put_nowait(batch)

    async def _write(self, socket: Any, outbox: asyncio.Queue) -> None:
        while True:
            await socket.send(await outbox.get())
            outbox.task_done()

    def _received(self, frame: dict) -> None:
        kind = LAYOUT[frame["kind"]][0]
        if frame["kind"] >= 16:
            self._routed(frame)
        elif kind == "ping":
            self.post("pong", {"id": frame["id"]})
        elif kind == "cluster":
            self._learn(decode(frame["payload"]))
        elif kind == "goaway":
            self.goaways.append((frame["id"], frame["reason"]))
            if frame["id"] == LEAVING:
                self._bury(self.neighbour)
        elif kind != "pong":
            raise ProtocolError(f"expected the handshake to be over, got {kind}")

    def _routed(self, frame: dict) -> None:
        to, from_ = frame["to"], frame["from"]
        if to not in ("", self.id) or from_ == self.id or (from_ == "" and to != ""):
            return
        source = from_ or self.neighbour
        if frame["kind"] == KIND["undeliverable"]:
            if frame["id"] == 1 and frame["actor"] in self.peers:
                self.peers[frame["actor"]].reset(f"undeliverable: {frame['reason']}")
            return
        peer = self.peer(source)
        try:
            peer.receive(frame)
        except ProtocolError as error:
            peer.reset(f"the peer broke the protocol: {error}")
            if source == self.neighbour:
                raise

    def peer(self, id_: str) -> Peer:
        if id_ not in self.peers:
            self.peers[id_] = Peer(self, id_)
        return self.peers[id_]

    # The cluster

    def _tell_cluster(self, updates: list) -> None:
        self.post("cluster", {"payload": encode(updates)})

    def _learn(self, updates: Any) -> None:
        for update in updates:
            op = update[0]
            if op == "synced":
                self._is_synced = True
            elif op == "want":
                if update[1] == self.id:
                    names = [[name, actor] for name, actor in self.record.names.items()]
                    links = list(self.record.links)
                    self._tell_cluster([["node", self.id, self.record.version, "leaf", None, [], [], links, names]])
            elif update[1] == self.id:
                continue
            elif op == "gone":
                self._bury(update[1])
            elif op == "node":
                _, id_, version, kind, _, _, _, links, names, *later = update
                known = self.records.get(id_)
                if known is None or (not known.is_gone and known.version < version):
                    self.records[id_] = Record(version, kind, set(links), dict(names), later[:1] == ["hidden"])
            elif op in ("link", "name", "state"):
                self._change_record(*update[:5])
            else:
                raise ProtocolError(f"expected an update, got {op}")
        self._update_members()

    def _change_record(self, op: str, id_: str, version: int, what: str, state: Any = None) -> None:
        record = self.records.get(id_)
        if record is None or version > record.version + 1:
            self._tell_cluster([["want", id_]])
        elif not record.is_gone and version == record.version + 1:
            record.version = version
            if op == "link":
                (record.links.add if state else record.links.discard)(what)
            elif op == "state":
                record.is_hidden = what == "hidden"
            elif state is None:
                record.names.pop(what, None)
            else:
                record.names[what] = state

    def _bury(self, id_: str | None) -> None:
        if id_ in self.records:
            self.records[id_].is_gone = True
            self.records[id_].links.clear()
        if id_ in self.peers:
            self.peers[id_].reset("the node has ended")

    def _update_members(self) -> None:
        before, self.members = self.members, set()
        queue = list(self.record.links)
        while queue:
            id_ = queue.pop(0)
            if id_ in self.members or id_ not in self.records:
                continue
            self.members.add(id_)
            queue += [other for other in self.records[id_].links if id_ in self.records.get(other, self.record).links]
        self.members.discard(self.id)
        for id_, peer in self.peers.items():
            if id_ in self.members and id_ not in before:
                peer.found()
            elif id_ in before and id_ not in self.members:
                peer.lost()
        self.changed.set()

    async def find(self, name: str) -> Ref:
        """An actor of that public name, as soon as there is one."""
        while True:
            for id_ in self.members:
                actor = self.records[id_].names.get(name)
                if actor is not None:
                    return Ref(id_, actor, name)
            self.changed.clear()
            await self.changed.wait()

    # Messages

    async def ask(self, ref: Ref, value: Any, timeout: float = 30.0) -> Any:
        """Asks an actor, and waits `timeout` seconds, 0 for ever. Gets a value, or a Message where it returned one."""
        peer = self.peer(ref.node)
        future = peer.ask(ref.actor, value, timeout)
        try:
            return await asyncio.wait_for(asyncio.shield(future), timeout or None)
        except (asyncio.TimeoutError, asyncio.CancelledError):
            peer.give_up(future)
            raise

    async def call(self, ref: Ref, method: str, *args: Any) -> Any:
        """Calls a method of an actor made of a class."""
        return await self.ask(ref, Message("@call", list([method, list(args)])))

    async def tell(self, ref: Ref, value: Any) -> None:
        await self.peer(ref.node).tell_room(ref.actor)
        self.tell_now(ref, value)

    def tell_now(self, ref: Ref, value: Any) -> None:
        self.peer(ref.node).tell(ref.actor, value)

    def serve(self, handler: Handler, name: str | None = None) -> Ref:
        """An actor: `handler` gets its messages one by one; what it returns or raises is the answer of an ask."""
        actor = new_id()
        self._run(actor, handler)
        if name is not None:
            self._publish(name, actor)
        return Ref(self.id, actor, name)

    def end(self, ref: Ref) -> None:
        """Ends an actor; who watches it is told."""
        self._actors.pop(ref.actor, None)
        self._work_of.pop(ref.actor).cancel()
        if ref.name is not None:
            self._publish(ref.name, None)
        for watch in self._watches.pop(ref.actor, []):
            if not watch.done():
                watch.set_result("killed")

    def _run(self, actor: str, handler: Handler, is_reentrant: bool = False) -> None:
        mailbox = self._actors[actor] = asyncio.Queue()
        self._work_of[actor] = self.spawn(self._work(handler, mailbox, is_reentrant))

    def _publish(self, name: str, actor: str | None) -> None:
        if actor is None:
            self.record.names.pop(name, None)
        else:
            self.record.names[name] = actor
        self.record.version += 1
        self._tell_cluster([["name", self.id, self.record.version, name, actor]])

    async def _system(self, message: Message) -> Any:
        """The node's own actor."""
        if message.type != "@watch":
            raise Failure("PulsingUnsupportedError", "unsupported", f"expected @watch, got {message.type}")
        if message.value not in self._actors:
            return "normal"
        watch = asyncio.get_running_loop().create_future()
        self._watches.setdefault(message.value, []).append(watch)
        return await watch

    async def _work(self, handler: Handler, mailbox: asyncio.Queue, is_reentrant: bool) -> None:
        while True:
            peer, ask, message = await mailbox.get()
            if ask is not None and ask not in peer.handling:  # cancelled, or of a session that is over
                peer.give_back(message)
                continue
            task = self.spawn(self._handle(handler, peer, ask, message))
            if ask is not None:
                peer.handling[ask] = task
            if not is_reentrant:
                await asyncio.wait({task})

    async def _handle(self, handler: Handler, peer: Peer, ask: int | None, message: Message) -> None:
        number = peer.number
        try:
            result = handler(message)
            if inspect.isawaitable(result):
                result = await result
            body = peer.body(result) if ask is not None else None
        except asyncio.CancelledError:
            raise
        except Exception as error:
            if ask is not None and peer.number == number:
                peer.handling.pop(ask, None)
                peer.send("fail", id=ask, payload=encode(failure_of(error).record()))
            return
        if body is not None and peer.number == number:
            peer.handling.pop(ask, None)
            peer.send_message("reply", body, id=ask)

    def deliver(self, peer: Peer, frame: dict) -> None:
        """One frame of a session, in order."""
        if frame["kind"] == KIND["part"]:
            whole = peer.whole(frame)
            if whole is None:
                return
            frame = whole
        kind = LAYOUT[frame["kind"]][0]
        if kind in ("ask", "tell"):
            self._deliver_message(peer, frame, frame.get("id"))
        elif kind in ("reply", "fail"):
            ask = peer.asks.pop(frame["id"], None)
            if kind == "fail":
                if ask and not ask.done():
                    ask.set_exception(Failure.read(frame["payload"]))
                return
            answer = peer.value(frame) if frame["flags"] & PLAIN else peer.message(frame)
            if ask and not ask.done():
                ask.set_result(answer)
            else:
                peer.give_back(answer)
        elif kind == "cancel":
            task = peer.handling.pop(frame["id"], None)
            if task:
                task.cancel()
        elif kind == "item":
            stream = peer.streams_in.get(frame["id"])
            value = peer.value(frame) if frame["flags"] & PLAIN else peer.message(frame)
            if stream:
                stream.arrived(value, len(frame["payload"]))
            else:
                peer.give_back(value)
        elif kind == "end":
            stream = peer.streams_in.pop(frame["id"], None)
            if stream:
                stream.ended(Failure.read(frame["payload"]) if frame["payload"] else None)
        elif kind == "credit":
            if frame["id"] == 0:
                peer.tells_are_taken(frame["count"], frame["bytes"])
            elif frame["id"] in peer.streams_out:
                peer.streams_out[frame["id"]].credit(frame["count"], frame["bytes"])
        elif kind == "hold":
            peer.hold(frame["actor"], frame["flags"] & 1 == 1)
        elif kind == "stop":
            stream = peer.streams_out.pop(frame["id"], None)
            if stream:
                stream.task.cancel()

    def _deliver_message(self, peer: Peer, frame: dict, ask: int | None) -> None:
        mailbox = self._actors.get(frame["actor"])
        message = peer.message(frame)
        if ask is None:
            peer.took_tell(len(frame["payload"]))
        if mailbox is not None:
            if ask is not None:
                peer.handling[ask] = None
            mailbox.put_nowait((peer, ask, message))
            return
        peer.give_back(message)
        if ask is not None:
            error = Failure("ActorStoppedError", "actor_stopped", "expected a running actor, got an id no actor has")
            peer.send("fail", id=ask, payload=encode(error.record()))
