"""The plug-in interface: what an API provides, and what its hooks receive. Begin with `model` (`Api`, `Hooks`)."""
