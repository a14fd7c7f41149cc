"""Recorded exchanges as something to paste: a shell script, a test, requests for an editor, an HTTP archive."""

from mockserver.pasting.archive import as_har
from mockserver.pasting.requests import as_http
from mockserver.pasting.script import as_curl
from mockserver.pasting.snippet import as_pytest
from mockserver.pasting.trail import Trail, trail_of

__all__ = ["Trail", "as_curl", "as_har", "as_http", "as_pytest", "trail_of"]
