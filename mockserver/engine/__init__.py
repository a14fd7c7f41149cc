"""The pipeline of a request, from routing to the journal. Begin with `pipeline` (`handle`), then `stages`.

`scenario_execution` executes what a scenario decided: delays, failures, wire faults before, during or after the commit.
"""
