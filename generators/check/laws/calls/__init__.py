"""The laws on calls of any operation, with `x-bulk` or without. Begin with `catalogue`."""
