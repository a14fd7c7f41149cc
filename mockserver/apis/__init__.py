"""The bundled APIs (Genero, On Key), where APIs come from (`sources`), and the reference model made of one."""
