"""A port for a server that cannot choose one itself."""

import socket


def free_port():
    """Free when asked; another process may take it before it is used."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]
