"""One Python node in the hands of a test: commands come as lines of JSON, each answered by a line of JSON."""
from __future__ import annotations

import asyncio
import json
import re
import sys
from typing import Any

from pulsing_client import Failure, Function, InStream, Message, Node, Ref, Refused
from pulsing_wire import UNDEFINED, notation


class Driver:
    """Each method is a command; its arguments are those of the line."""

    def __init__(self) -> None:
        self.node = Node()
        self.streams: dict[str, InStream] = {}
        self.logs: dict[str, list] = {}
        self.grown = asyncio.Event()
        self.served: dict[str, Ref] = {}
        self.pending: dict[str, asyncio.Task] = {}

    # The node

    async def start(self, url: str, token: str | None = None, versions: tuple = (1, 1)) -> Any:
        self.url = url
        await self.node.close()
        self.node = Node(token, versions)
        await self.node.start(url)
        return {"node": self.node.id, "neighbour": self.node.neighbour}

    async def cut(self) -> None:
        self.node.cut()

    async def away(self) -> None:
        """Drops the connection, and stays away."""
        self.node.may_link.clear()
        self.node.cut()

    async def back(self) -> None:
        self.node.may_link.set()

    async def close(self) -> None:
        await self.node.close()

    async def garbage(self, hex: str) -> list:
        """Sends bytes as they are; codes and offsets of the goaways that came until the connection was over."""
        reading = self.node._reading
        self.node._outbox.put_nowait(bytes.fromhex(hex))
        await asyncio.wait({reading})
        return [[code, int(re.search(r"at byte (\d+)", reason)[1])] for code, reason in self.node.goaways]

    async def members(self, without: str) -> bool:
        """Settles when a node is no member any more."""
        while without in self.node.members:
            self.node.changed.clear()
            await self.node.changed.wait()
        return True

    async def hidden(self, node: str, hidden: bool) -> int:
        """Settles when the page of a node is hidden, or is not; how many links that took."""
        while node not in self.node.records or self.node.records[node].is_hidden != hidden:
            self.node.changed.clear()
            await self.node.changed.wait()
        return self.node.links

    async def tell_twice(self, name: str, values: list) -> None:
        """Tells, and sends every frame of it once more."""
        ref = await self.node.find(name)
        peer = self.node.peer(ref.node)
        for value in values:
            self.node.tell_now(ref, value)
        for seq, kind, fields, _ in peer.log:
            peer._post(kind, fields, seq)

    async def mute(self, node: str) -> None:
        """Acknowledges what came so far, and nothing more."""
        peer = self.node.peer(node)
        peer._acknowledge(0)
        self.had = peer.due - 1
        peer._acknowledge = lambda flags: None

    async def again(self, node: str) -> None:
        """Asks for all that came since, and acknowledges again."""
        peer = self.node.peer(node)
        del peer._acknowledge
        peer._control("ack", id=peer.received, count=self.had, flags=1)

    async def duplicates(self, node: str) -> int:
        return self.node.peer(node).duplicates

    async def resets(self, node: str) -> int:
        return self.node.peer(node).resets

    # Asking

    async def ask(
        self, name: str, value: Any, type: str | None = None, node: str | None = None, timeout: float = 30
    ) -> Any:
        ref = Ref(node, name) if node else await self.node.find(name)
        return plain(await self.node.ask(ref, value if type is None else Message(type, value), timeout))

    async def begin(self, key: str, **ask: Any) -> None:
        """An ask whose answer is fetched later."""
        self.pending[key] = asyncio.ensure_future(self.ask(**ask))

    async def answer(self, key: str) -> Any:
        return await self.pending.pop(key)

    async def call(self, name: str, method: str, args: list) -> Any:
        return plain(await self.node.call(await self.node.find(name), method, *args))

    async def tell(self, name: str, values: list) -> None:
        ref = await self.node.find(name)
        for value in values:
            await self.node.tell(ref, value)

    async def flood(self, name: str, count: int, cuts: list) -> None:
        """Tells 1 to `count`, and drops the connection after each of `cuts`."""
        ref = await self.node.find(name)
        for i in range(1, count + 1):
            await self.node.tell(ref, i)
            if i in cuts:
                self.node.cut()

    async def told(self, node: str) -> int:
        """How many tells of this session went to a node."""
        return self.node.peer(node).tells

    # Streams that come

    async def open(self, key: str, name: str, value: Any) -> int:
        stream = await self.node.ask(await self.node.find(name), value)
        self.streams[key] = stream
        return stream.window

    async def take(self, key: str, count: int, cuts: list = ()) -> list:
        items = []
        async for item in self.streams[key]:
            items.append(plain(item))
            if len(items) in cuts:
                self.node.cut()
            if len(items) == count:
                break
        return items

    async def stop(self, key: str) -> None:
        self.streams.pop(key).stop()

    # Serving

    async def serve(self, name: str) -> str:
        ref = self.node.serve(getattr(self, f"_{name}"), name)
        self.served[ref.actor] = ref
        return ref.actor

    async def end(self, actor: str) -> None:
        self.node.end(self.served.pop(actor))

    async def log(self, name: str, count: int) -> list:
        """What the actor wrote down, as soon as it is that much."""
        while len(self.logs.get(name, [])) < count:
            self.grown.clear()
            await self.grown.wait()
        return self.logs[name]

    def _note(self, name: str, value: Any) -> None:
        self.logs.setdefault(name, []).append(value)
        self.grown.set()

    async def _echo(self, message: Message) -> Any:
        return message.value if message.type == "" else message

    async def _collect(self, message: Message) -> None:
        self._note("collect", message.value)

    async def _fail(self, message: Message) -> Any:
        raise Failure("PulsingBusinessError", "too_much", f"no more than {message.value}", {"details": message.value})

    async def _numbers(self, message: Message) -> Any:
        async def numbers():
            try:
                for i in range(1, int(message.value) + 1):
                    self._note("numbers", i)
                    yield i
            finally:
                self._note("ended", True)

        return numbers()

    async def _half(self, message: Message) -> Any:
        async def half():
            yield 1
            raise Failure("PulsingBusinessError", "half", "only half of it")

        return half()

    async def _sum(self, message: Message) -> Any:
        total = 0
        async for item in message.value:
            total += item
        return total

    async def _apply(self, message: Message) -> Any:
        """A call of a method whose first argument is a function."""
        method, (function, *args) = message.value
        assert method == "apply" and isinstance(function, Function)
        result = await function(*args)
        function.release()
        return result

    async def _me(self, message: Message) -> Any:
        return {"ref": self.node.serve(self._echo)}

    async def _through(self, message: Message) -> Any:
        return await self.node.ask(message.value["ref"], message.value["value"])

    async def _slow(self, message: Message) -> None:
        self._note("slow", "began")
        try:
            await asyncio.Event().wait()
        finally:
            self._note("slow", "cancelled")


def plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, Message):
        return {"type": value.type, "format": value.format, "value": plain(value.value)}
    return None if value is UNDEFINED else notation(value)


async def main() -> None:
    driver = Driver()
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader(limit=2**24)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)

    async def obey(line: bytes) -> None:
        command = json.loads(line)
        answer = {"id": command.pop("id")}
        try:
            answer["result"] = await getattr(driver, command.pop("do"))(**command)
        except Failure as error:
            answer["error"] = error.record()
        except Refused as error:
            answer["error"] = {"name": "Refused", "code": error.code, "message": error.reason}
        except Exception as error:
            answer["error"] = {"name": type(error).__name__, "code": "", "message": str(error)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()

    async for line in lines:
        asyncio.ensure_future(obey(line))
    await driver.node.close()


asyncio.run(main())
