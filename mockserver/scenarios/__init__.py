"""Scenarios: model, loading, matching, playing. Begin with `model` (`Scenario`) and `player` (`ScenarioPlayer`)."""
