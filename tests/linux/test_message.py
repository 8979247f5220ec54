"""Messages keep their boundaries, and carry descriptors."""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING

import pytest

from rootgen.linux.message import LIMIT, Inbox, message_pair, read, send
from rootgen.linux.path import open_in_root

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def pair() -> Iterator[tuple[int, int]]:
    """Open a pair, and close what of it is left."""
    ours, theirs = message_pair()
    yield ours, theirs
    for descriptor in (ours, theirs):
        os.close(descriptor)


def test_boundaries(pair: tuple[int, int]) -> None:
    """Each message is received as it was sent, in order, any bytes."""
    messages = [b"one", bytes(range(256)), b"x" * 60_000]
    for message in messages:
        send(pair[0], message)
    assert [read(pair[1]) for _ in messages] == messages


def test_descriptor(pair: tuple[int, int]) -> None:
    """What arrives is open on the same file, and closes on exec."""
    read_end, write_end = os.pipe()
    send(pair[0], b"take", write_end)
    os.close(write_end)
    message, [taken] = Inbox().receive(pair[1])
    assert message == b"take"
    assert taken is not None
    assert not os.get_inheritable(taken)
    os.write(taken, b"through")
    os.close(taken)
    with open(read_end, "rb") as reader:
        assert reader.read() == b"through"


def test_descriptors(pair: tuple[int, int]) -> None:
    """Several arrive in the order in which they were given; a message may carry none."""
    pipes = [os.pipe() for _ in range(4)]
    send(pair[0], b"take", *(write_end for _, write_end in pipes))
    send(pair[0], b"none")
    message, taken = Inbox().receive(pair[1])
    assert (message, len(taken)) == (b"take", 4)
    assert Inbox().receive(pair[1]) == (b"none", ())
    for number, descriptor in enumerate(taken):
        os.write(descriptor, b"%d" % number)
    assert [os.read(read_end, 9) for read_end, _ in pipes] == [b"0", b"1", b"2", b"3"]
    for descriptor in (*taken, *(end for both in pipes for end in both)):
        os.close(descriptor)


def test_end() -> None:
    """When nobody holds the other socket the message is empty, and sending is an error."""
    ours, theirs = message_pair()
    os.close(theirs)
    assert read(ours) == b"" == Inbox().receive(ours)[0]
    with pytest.raises(BrokenPipeError):
        send(ours, b"x")
    os.close(ours)


def test_answer_of_one_that_closed_without_reading() -> None:
    """What it sent comes nevertheless, and then the end."""
    ours, theirs = message_pair()
    send(ours, b"unread")
    send(theirs, b"the answer")
    os.close(theirs)
    assert read(ours) == b"the answer"
    assert read(ours) == b""
    os.close(ours)


def test_close_on_exec(pair: tuple[int, int]) -> None:
    """Neither socket survives an exec."""
    assert not any(os.get_inheritable(descriptor) for descriptor in pair)


def test_nothing_waits_for_the_collector(pair: tuple[int, int]) -> None:
    """Who sends and receives for days holds no more memory: a server's copies would be as large."""
    gc.collect()
    gc.disable()
    try:
        for _ in range(50):
            send(pair[0], b"x" * 1000, pair[0])
            os.close(Inbox().receive(pair[1])[1][0])
            root = os.open("/", os.O_PATH)
            os.close(open_in_root(root, "usr", os.O_PATH))
            os.close(root)
        assert gc.collect() < 50
    finally:
        gc.enable()


def test_what_is_longer_than_the_limit_is_cut(pair: tuple[int, int]) -> None:
    """A message that is too long costs no more than the limit."""
    send(pair[0], b"y" * (LIMIT + 10))
    assert len(read(pair[1])) == LIMIT
