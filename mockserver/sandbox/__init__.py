"""Sandboxes: state of the APIs, settings, clock. Begin with `sandboxes` (`Sandbox`, `Sandboxes`)."""
