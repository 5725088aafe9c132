"""The redirect server as a blueprint of Flask.

::

    app.register_blueprint(tracking_blueprint(handler, record=writer.write), url_prefix="/t")

Needs the extra ``flask``.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from msgtrack.errors import MissingExtra
from msgtrack.hits import Hit
from msgtrack.redirect import RedirectHandler
from msgtrack.web._edge import Edge, Observer, utc_now
from msgtrack.web._environ import answer

try:
    from flask import Blueprint, Response, request
    from flask.sansio.blueprints import BlueprintSetupState
    from werkzeug.datastructures import Headers
    from werkzeug.routing import BaseConverter, Rule
except ImportError as error:
    raise MissingExtra(
        f"msgtrack.web.flask needs the package {error.name!r}, which is not installed",
        hint="pip install 'msgtrack[flask]'",
    ) from error

__all__ = ["tracking_blueprint"]


class _Anything(BaseConverter):
    """The rest of a path, slashes at its beginning and end included, or nothing."""

    regex = "(?s:.*)"
    part_isolating = False


class _Answer(Response):
    default_mimetype = None

    def get_wsgi_headers(self, environ: object) -> Headers:
        """As they are: Werkzeug would write ``Location`` in its own way."""
        return Headers(self.headers)


def tracking_blueprint(
    handler: RedirectHandler,
    *,
    record: Callable[[Hit], object] | None = None,
    clock: Callable[[], datetime] = utc_now,
    observe: Observer | None = None,
    name: str = "msgtrack",
) -> Blueprint:
    """A blueprint that answers every path under its ``url_prefix``, by any method; the tracker's ``base_url`` ends
    with that prefix.

    Other views of the application come first where their paths are more exact. Its arguments are those of
    :class:`msgtrack.web.wsgi.TrackingApp`, and ``name`` is the blueprint's.
    """
    edge = Edge(handler, record=record, clock=clock, observe=observe)

    def view(**_: str) -> Response:
        response, length = answer(edge, request.environ)
        made = _Answer(response.body, status=response.status, headers=list(response.headers))
        made.headers["Content-Length"] = str(length)
        return made

    def route(state: BlueprintSetupState) -> None:
        # Flask's own way to add a rule knows neither "any method" nor "any path".
        state.app.url_map.converters.setdefault("msgtrack_anything", _Anything)
        prefix = (state.url_prefix or "").rstrip("/")
        endpoint = f"{state.name_prefix}.{state.name}.answer".lstrip(".")
        state.app.url_map.add(Rule(f"{prefix}/<msgtrack_anything:path>", endpoint=endpoint, merge_slashes=False))
        state.app.view_functions[endpoint] = view

    blueprint = Blueprint(name, __name__)
    blueprint.record(route)
    return blueprint
