"""Storage of records, and of request bodies that wait for their job. Begin with `interface` (`View`) and `memory`."""
