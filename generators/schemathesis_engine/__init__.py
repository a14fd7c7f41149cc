"""The adapter to schemathesis, which runs in a process of its own. Begin with `process` (`run_task`)."""
