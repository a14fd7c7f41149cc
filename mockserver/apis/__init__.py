"""The APIs that come with the sandbox, each handed over as one `Api`."""
