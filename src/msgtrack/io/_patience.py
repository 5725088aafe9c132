"""To ask something that may take long, and to wait for its answer a little while only."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from msgtrack.errors import StoreError

__all__ = ["Patience"]

_T = TypeVar("_T")


class Patience:
    """Asks one question at a time, each in a thread of its own, and waits ``seconds`` for the answer.

    A question that takes longer goes on: what it does holds, and until it has ended nothing else is asked. Its thread keeps no
    process from ending. Use it under a lock.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._asked: tuple[threading.Thread, Future[Any]] | None = None

    def ask(self, question: Callable[[], _T]) -> _T:
        """The answer.

        Raises:
            StoreError: there is none yet, or an earlier question has not ended.
            BaseException: whatever the question raises.
        """
        if self._asked is not None:
            thread, earlier = self._asked
            # A thread lives on for a moment behind its answer; one that a fork left behind never answers.
            if thread.is_alive() and not earlier.done():
                raise StoreError("the store of links is still busy with an earlier question")
        future: Future[_T] = Future()
        thread = threading.Thread(target=_answer, args=(future, question), name="msgtrack-store-of-links", daemon=True)
        self._asked = thread, future
        thread.start()
        try:
            return future.result(self._seconds)
        except TimeoutError as error:
            if future.done():
                raise
            raise StoreError(f"the store of links has not answered within {self._seconds:g} seconds") from error


def _answer(future: Future[_T], question: Callable[[], _T]) -> None:
    try:
        answer = question()
    except BaseException as error:  # noqa: BLE001  # it is raised again where the answer is waited for
        future.set_exception(error)
    else:
        future.set_result(answer)
