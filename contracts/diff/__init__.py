"""Changes between two versions of a contract, and which of them break clients. Begin with `compare`."""
