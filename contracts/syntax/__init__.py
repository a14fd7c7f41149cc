"""Read JSON and YAML strictly; JSON Pointers, durations, short renderings of values. Begin with `json_text`."""
