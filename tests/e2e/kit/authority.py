"""A certificate authority of one's own, and certificates that it signs: by openssl's program."""
import ssl
import subprocess


def openssl(*words):
    done = subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


class Authority:
    """`file` holds its certificate."""

    def __init__(self, directory, name):
        self.directory, self.name = directory, name
        self.file, self.key = directory / f"{name}.pem", directory / f"{name}.key"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-days", "3650", "-subj", f"/CN={name}", "-addext", "keyUsage=critical,keyCertSign",
                "-keyout", self.key, "-out", self.file)

    def context(self, name, alternatives="IP:127.0.0.1", days=3650):
        """What a server needs to speak TLS under a certificate for these names."""
        base = self.directory / name
        key, request, extensions, made = (base.with_suffix(end) for end in
                                          (".key", ".csr", ".ext", ".pem"))
        extensions.write_text(f"subjectAltName={alternatives}\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.file, "-CAkey", self.key, "-days", days,
                "-set_serial", "1", "-extfile", extensions, "-out", made)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(made, key)
        return context
