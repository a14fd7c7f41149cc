"""The control API under `/_sandbox`: sandboxes, clocks, scenarios, journal, records, verdicts. Begin with `routes`."""
