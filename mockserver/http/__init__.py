"""The aiohttp server (HTTP/1.1, RFC 9112): requests, responses, wire faults. Begin with `server` and `service`."""
