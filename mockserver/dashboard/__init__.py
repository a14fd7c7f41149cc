"""The dashboard: the pages that a browser shows of a running server. `files` serves them, `static` has them."""
