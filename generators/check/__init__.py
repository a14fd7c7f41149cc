"""The deterministic check of an implementation. Begin with `run` (`check`); the experiments are in `laws`."""
