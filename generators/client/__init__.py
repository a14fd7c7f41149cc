"""HTTP clients for an implementation under test, and fresh environments in it. Begin with `http` (Client)."""
