"""Laws of bulk semantics as experiments, one module per family. Begin with `catalogue` (`LAWS`)."""
