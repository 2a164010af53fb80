"""nginx: HTTP/2 over h2c and TLS, HTTP/1.1, unix sockets; it writes down which request it executed when."""

import os
import signal
import subprocess

from .process import Server, eventually

CONFIGURATION = """
{user}
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log notice;
worker_processes {workers};
worker_shutdown_timeout 30s;
events {{ worker_connections 2048; }}
http {{
    # One line a request, when it ends: what it is, on which connection, over what.
    log_format ledger escape=json '$msec $http_x_request_id $request_method $status $connection $connection_requests '
                      '$server_protocol $ssl_session_reused $ssl_client_verify $http_x_mesh_attempt $http_x_who $ssl_client_serial';
    access_log {folder}/access.log ledger;
    client_body_temp_path {folder}/temp;
    proxy_temp_path {folder}/temp;
    fastcgi_temp_path {folder}/temp;
    uwsgi_temp_path {folder}/temp;
    scgi_temp_path {folder}/temp;
    keepalive_requests {keepalive_requests};
    client_max_body_size 16m;
    server {{
{listen}
        root {root};
        location = /echo {{ return 200 "hello\\n"; }}
        location = /post {{ proxy_pass {behind}; }}
{extra}
    }}
    server {{
        listen unix:{folder}/loop.sock;
        access_log off;
        location = /echo {{ return 200 "hello\\n"; }}
    }}
}}
"""


class Nginx(Server):
    """One nginx with what it listens at given as the lines of its configuration; "%s" stands for its port.

    /hello is a file, /echo and /post answer what is sent; `behind`: who answers for /post instead."""

    def __init__(self, folder, port, root, listen="listen 127.0.0.1:%s http2;", tls="", **options):
        super().__init__(folder, port, f"nginx-{port}")
        self.options = {
            "listen": f"        {listen.replace('%s', str(port))}\n        {tls}",
            "root": root,
            "workers": options.pop("workers", 1),
            "keepalive_requests": options.pop("keepalive_requests", 1000000),
            "extra": options.pop("extra", ""),
            "behind": options.pop("behind", f"http://unix:{folder}/loop.sock:/echo"),
            "folder": folder,
            "user": "user root;" if os.geteuid() == 0 else "",  # whose workers could not read our folders otherwise
        }
        assert not options, options

    def command(self):
        return ["nginx", "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")]

    def start(self):
        (self.folder / "nginx.conf").write_text(CONFIGURATION.format(**self.options))
        for left_over in self.folder.glob("*.sock"):
            left_over.unlink()
        return super().start()

    @property
    def access_log(self):
        return self.folder / "access.log"

    def workers(self):
        """Process ids of the workers that accept: not those that are shutting down."""
        found = subprocess.run(
            ["ps", "-o", "pid=,args=", "--ppid", str(self.process.pid)], capture_output=True, text=True, check=False
        )
        lines = [line.split(None, 1) for line in found.stdout.splitlines()]
        return {int(pid) for pid, args in lines if "worker process" in args and "shutting" not in args}

    def reload(self):
        """New workers, old ones say GOAWAY and end when they are done. Returns when the new ones are there."""
        before = self.workers()
        self.process.send_signal(signal.SIGHUP)
        eventually(lambda: self.workers() and not self.workers() & before, f"{self.name} has new workers")

    def kill_workers(self):
        """SIGKILL in the midst of their requests; the master starts new ones."""
        before = self.workers()
        for pid in before:
            subprocess.run(["kill", "-KILL", str(pid)], check=False)
        eventually(lambda: self.workers() and not self.workers() & before, f"{self.name} has new workers")

    def executed(self):
        """The ledger's lines as dictionaries, in the order in which the requests ended."""
        names = ("at id method status connection nth protocol reused verified attempt who serial").split()
        if not self.access_log.exists():
            return []
        lines = self.access_log.read_text(errors="replace").splitlines()
        # Fields that nginx leaves empty: two spaces in a row.
        return [dict(zip(names, line.split(" "), strict=False)) for line in lines]

