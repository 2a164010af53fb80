"""HAProxy with an HTTP/2 front, over h2c or TLS, before one backend."""

from .process import Server

CONFIGURATION = """
global
    maxconn 1000
defaults
    mode http
    retries 0
    timeout connect 2s
    timeout client 30s
    timeout server 30s
    timeout queue 2s
frontend front
    bind 127.0.0.1:{port} {front}
    default_backend back
backend back
    server one 127.0.0.1:{backend_port}
"""


class Haproxy(Server):
    def __init__(self, folder, port, backend_port, certificate=None):
        super().__init__(folder, port, f"haproxy-{port}")
        self.front = f"ssl crt {certificate.bundle} alpn h2" if certificate else "proto h2"
        self.backend_port = backend_port

    def command(self):
        return ["haproxy", "-db", "-f", str(self.folder / "haproxy.cfg")]

    def start(self):
        text = CONFIGURATION.format(port=self.port, front=self.front, backend_port=self.backend_port)
        (self.folder / "haproxy.cfg").write_text(text)
        return super().start()
