"""The law of errors: each fault is told, with its code and place. Begin with `faults`."""
