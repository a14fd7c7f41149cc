"""A stateful sandbox for bulk and batch APIs, served from their OpenAPI contracts; planted bugs on request."""

__all__: list[str] = []

VERSION = "0.1.0"  # as the project file has it; a test holds it
