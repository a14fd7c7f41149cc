"""Recorded exchanges as curl, pytest, HTTP file and HAR, with their prerequisites. Begin with `prerequisites`."""
