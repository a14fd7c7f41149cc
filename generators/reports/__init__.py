"""Reports for people and machines: console, JUnit, SARIF, JSON Lines, HTML. Begin with `model` (`Report`)."""
