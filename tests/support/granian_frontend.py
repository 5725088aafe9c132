"""What granian runs: the application and handler that the environment names."""

from __future__ import annotations

import os

from frontend_servers import hand_over

from msgtrack.testing._frontend_requests import AT, HANDLERS
from msgtrack.web import asgi, wsgi

made = asgi.TrackingApp if os.environ["INTERFACE"] == "asgi" else wsgi.TrackingApp
app = made(HANDLERS[os.environ["HANDLER"]], record=hand_over, clock=lambda: AT)
