"""Certificates made in the run, with openssl: a CA, servers good and bad, a client."""

import dataclasses
import pathlib
import subprocess

CA_CONFIGURATION = """
[ca]
default_ca = one
[one]
dir = {folder}
database = {folder}/index.txt
serial = {folder}/serial
new_certs_dir = {folder}
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
"""


@dataclasses.dataclass
class Certificate:
    key: pathlib.Path
    chain: pathlib.Path
    ca: pathlib.Path

    @property
    def bundle(self):
        """Key and chain in one file, as HAProxy wants them."""
        bundle = self.chain.with_suffix(".bundle.pem")
        bundle.write_text(self.chain.read_text() + self.key.read_text())
        return bundle


def openssl(*args):
    done = subprocess.run(["openssl", *map(str, args)], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"openssl {' '.join(map(str, args))}: {done.stderr}"


class Authority:
    """A CA of its own in a folder."""

    def __init__(self, folder, name="Test CA"):
        self.folder = folder
        self.key = folder / "ca.key"
        self.certificate = folder / "ca.pem"
        folder.mkdir(parents=True)
        (folder / "index.txt").touch()
        (folder / "serial").write_text("1000\n")
        (folder / "ca.cnf").write_text(CA_CONFIGURATION.format(folder=folder))
        openssl(
            *("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -batch -subj").split(),
            f"/CN={name}",
            *("-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign -keyout").split(),
            self.key,
            "-out",
            self.certificate,
        )

    def issue(self, name, names="DNS:localhost,IP:127.0.0.1", usage="serverAuth", dates=("20200101000000Z", None)):
        """A certificate for subject alternative names; dates: first and last moment (None: in a month)."""
        key, request, chain = (self.folder / f"{name}.{end}" for end in ("key", "csr", "pem"))
        extensions = self.folder / f"{name}.ext"
        lines = [f"extendedKeyUsage={usage}", "basicConstraints=CA:FALSE"] + ([f"subjectAltName={names}"] if names else [])
        extensions.write_text("\n".join(lines) + "\n")
        openssl(
            *("req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -batch -subj").split(),
            f"/CN={name}",
            "-keyout",
            key,
            "-out",
            request,
        )
        last = ("-enddate", dates[1]) if dates[1] else ("-days", "30")
        openssl(
            *("ca -batch -notext -config").split(),
            self.folder / "ca.cnf",
            *("-cert", self.certificate, "-keyfile", self.key, "-startdate", dates[0], *last),
            *("-extfile", extensions, "-in", request, "-out", chain),
        )
        return Certificate(key, chain, self.certificate)
