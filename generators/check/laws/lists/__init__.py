"""The laws of lists: pages, filters and orders. Begin with `catalogue`."""
