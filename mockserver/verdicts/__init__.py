"""Laws of client conduct over the journal, and the verdict on a client. Begin with `verdict`."""
