"""The errors of msgtrack, all of one tree.

::

    MsgtrackError
    ├── InvalidValue (ValueError)         a value that no rule of ours admits
    │   ├── NaiveDatetime                 a moment without a time zone
    │   ├── InvalidId                     an id that is empty, too long or not text
    │   ├── InvalidOption                 an option with a value outside its closed list
    │   └── WeakSecret                    a signing secret that is empty or too short
    ├── UnknownOption (TypeError)         an option nobody knows, misspelt most likely
    ├── UnknownIndicator (KeyError)       a key that no indicator has
    ├── NotSupported                      a part that is planned and not there yet
    ├── MissingExtra (ImportError)        a part that needs an extra which is not installed
    ├── CompileError                      a message that cannot be tracked as asked
    ├── RenderError                       a message that cannot be rendered
    │   ├── MissingValue (KeyError)       a placeholder without a value
    │   └── NotPublished                  registered links rendered before they were published
    ├── NotOurs                           a text that this compiled message did not make
    ├── UnreadableInput (OSError)         a file that cannot be read, or read as what it should be
    ├── StoreError                        a store that cannot do what it was asked
    │   ├── UnknownStore                  a store address whose scheme nobody registered
    │   ├── StoreClosed                   a store used after ``close``
    │   ├── EventsPurged                  a question that only events which were purged could answer
    │   └── SchemaMismatch                a database written by another version of the schema
    ├── HookError                         a function of the application's that raised, or gave what it must not
    ├── SourceError                       a source of hits that cannot be read
    └── ServerError                       a server that cannot start (a busy port)

Every error says what was wrong and where, carries a short ``code`` for programs and a ``hint`` for people: what to
do next.
"""

from __future__ import annotations

__all__ = [
    "CompileError",
    "EventsPurged",
    "HookError",
    "InvalidId",
    "InvalidOption",
    "InvalidValue",
    "MissingExtra",
    "MissingValue",
    "MsgtrackError",
    "NaiveDatetime",
    "NotOurs",
    "NotPublished",
    "NotSupported",
    "RenderError",
    "SchemaMismatch",
    "ServerError",
    "SourceError",
    "StoreClosed",
    "StoreError",
    "UnknownIndicator",
    "UnknownOption",
    "UnknownStore",
    "UnreadableInput",
    "WeakSecret",
]


class MsgtrackError(Exception):
    """The parent of every error that msgtrack raises on purpose.

    Args:
        message: what was wrong, and where, in one line.
        hint: what to do about it; empty when the message says it all.
    """

    code = "error"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class InvalidValue(MsgtrackError, ValueError):
    """A value that no rule of ours admits."""

    code = "invalid-value"


class NaiveDatetime(InvalidValue):
    """A moment without a time zone: it could mean 26 different moments."""

    code = "naive-datetime"


class InvalidId(InvalidValue):
    """An id that is empty, longer than 64 bytes of UTF-8, or not text."""

    code = "invalid-id"


class InvalidOption(InvalidValue):
    """An option with a value outside its closed list."""

    code = "invalid-option"


class WeakSecret(InvalidValue):
    """A signing secret that is empty or shorter than 32 bytes."""

    code = "weak-secret"


class UnknownOption(MsgtrackError, TypeError):
    """An option that nobody knows, misspelt most likely."""

    code = "unknown-option"


class UnknownIndicator(MsgtrackError, KeyError):
    """A key that no indicator has, misspelt most likely."""

    code = "unknown-indicator"


class NotSupported(MsgtrackError):
    """A part that is planned and not there yet; ``docs/not-supported.md`` lists them all."""

    code = "not-supported"


class MissingExtra(MsgtrackError, ImportError):
    """A part that needs an extra of the package which is not installed."""

    code = "missing-extra"


class CompileError(MsgtrackError):
    """A message that cannot be tracked as asked.

    ``line`` and ``column`` count from 1 where known; ``code`` says which rule was broken, where there are several.
    """

    code = "compile"

    def __init__(
        self,
        message: str,
        *,
        line: int | None = None,
        column: int | None = None,
        code: str | None = None,
        hint: str = "",
    ) -> None:
        where = "" if line is None else f" at line {line}, column {column}"
        super().__init__(message + where, hint=hint)
        self.line = line
        self.column = column
        if code is not None:
            self.code = code


class RenderError(MsgtrackError):
    """A message that cannot be rendered."""

    code = "render"


class MissingValue(RenderError, KeyError):
    """A placeholder of the message has no value."""

    code = "missing-value"


class NotPublished(RenderError):
    """A message with registered links was rendered before ``registry.publish(compiled)``."""

    code = "not-published"


class NotOurs(MsgtrackError, ValueError):
    """A text was to be restored that this compiled message did not make."""

    code = "not-ours"


class UnreadableInput(MsgtrackError, OSError):
    """A file that cannot be read, or does not hold what it should."""

    code = "unreadable-input"


class StoreError(MsgtrackError):
    """A store that cannot do what it was asked."""

    code = "store"


class UnknownStore(StoreError, ValueError):
    """A store address whose scheme nobody registered."""

    code = "unknown-store"


class StoreClosed(StoreError):
    """A store was used after ``close``."""

    code = "store-closed"


class EventsPurged(StoreError):
    """A question that only the events of a delivery could answer, and they were purged: its counts are frozen."""

    code = "events-purged"


class SchemaMismatch(StoreError):
    """A database was written by a version of the schema that this version does not read."""

    code = "schema-mismatch"


class HookError(MsgtrackError):
    """A function of the application's that raised (``__cause__`` says what), or gave what it must not."""

    code = "hook"


class SourceError(MsgtrackError):
    """A source of hits that cannot be read."""

    code = "source"


class ServerError(MsgtrackError, OSError):
    """A server that cannot start, because its port is taken for one."""

    code = "server"
