"""The planted bugs as data: what each breaks, and what a contract must declare for it. Begin with `table` (`BUGS`)."""
