"""The aiohttp rim: sockets, request bodies, starting and stopping a server."""
