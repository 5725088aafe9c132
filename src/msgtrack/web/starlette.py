"""The redirect server as a mount of Starlette, and of FastAPI, which is one.

::

    app = Starlette(routes=[..., tracking_mount("/t", handler, record=writer.write)])

Needs the extra ``starlette``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

from msgtrack.errors import MissingExtra
from msgtrack.hits import Hit
from msgtrack.redirect import RedirectHandler
from msgtrack.web._edge import Observer, utc_now
from msgtrack.web.asgi import TrackingApp

try:
    from starlette.routing import Mount
except ImportError as error:
    raise MissingExtra(
        f"msgtrack.web.starlette needs the package {error.name!r}, which is not installed",
        hint="pip install 'msgtrack[starlette]'",
    ) from error

__all__ = ["tracking_mount"]


def tracking_mount(
    path: str,
    handler: RedirectHandler,
    *,
    record: Callable[[Hit], object] | None = None,
    clock: Callable[[], datetime] = utc_now,
    observe: Observer | None = None,
    name: str = "msgtrack",
) -> Mount:
    """A mount that answers every path under ``path``; the tracker's ``base_url`` ends with it.

    An application that is mounted hears no goodbye: close what records in the ``lifespan`` of the whole. The other
    arguments are those of :class:`msgtrack.web.asgi.TrackingApp`, and ``name`` is the mount's.
    """
    mount = Mount(path, app=TrackingApp(handler, record=record, clock=clock, observe=observe), name=name)
    # A path may hold an encoded line break, which a full stop does not match by itself.
    mount.path_regex = re.compile(mount.path_regex.pattern, re.DOTALL)
    return mount
