"""The planted bugs as data: what each breaks, what a contract must declare for it. Begin with `catalogue` (`BUGS`)."""
