"""Compose requests from a contract: single-record requests with `single`, bulk requests with `batch` (`Composer`)."""
