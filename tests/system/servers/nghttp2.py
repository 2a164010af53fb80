"""nghttpd, a plain HTTP/2 server, and nghttpx, a proxy, of Debian's nghttp2-server and nghttp2-proxy."""

from .process import Server


class Nghttpd(Server):
    """Serves the files of a folder, h2c or TLS."""

    def __init__(self, folder, port, root, certificate=None, options=()):
        super().__init__(folder, port, f"nghttpd-{port}")
        self.root = root
        self.certificate = certificate
        self.options = list(options)

    def command(self):
        tls = [self.certificate.key, self.certificate.chain] if self.certificate else ["--no-tls"]
        options = [option for option in tls if option == "--no-tls"]
        files = [str(file) for file in tls if file != "--no-tls"]
        return ["nghttpd", *options, *self.options, "-a", self.host, "-d", str(self.root), str(self.port), *files]


class Nghttpx(Server):
    """A reverse proxy: h2c in front, an HTTP/2 backend behind."""

    def __init__(self, folder, port, backend_port, options=()):
        super().__init__(folder, port, f"nghttpx-{port}")
        self.backend_port = backend_port
        self.options = list(options)

    def command(self):
        return [
            "nghttpx",
            "--conf=/dev/null",
            "--no-ocsp",
            "--single-process",
            f"--frontend={self.host},{self.port};no-tls",
            f"--backend={self.host},{self.backend_port};;proto=h2",
            *self.options,
        ]
