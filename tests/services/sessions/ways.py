"""The ways to a pool: its unix socket, TCP, and TCP with TLS.

Each test of what must hold on all of them walks over WAYS, with one pool for the first two and one
for the third: Pools() starts both.
"""

import http.client
import json
import os
import re
import socket
import ssl
import subprocess
import tempfile
import urllib.parse

import pool

NAME = "pool.test"  # of the certificate
TARGET = "/executions?" + pool.query(**{"api-version": pool.NEWEST, "identifier": "ways-session"})


def make_certificate(directory, name=NAME):
    """A certificate of its own issuer and its key: their paths."""
    certificate, key = (os.path.join(directory, name + end) for end in (".crt", ".key"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "2", "-subj", "/CN=" + name, "-keyout", key, "-out", certificate,
         "-addext", "subjectAltName=DNS:%s,DNS:*.wild.test,IP:127.0.0.1" % name],
        check=True, capture_output=True,
    )
    return certificate, key


class Way(http.client.HTTPConnection):
    """A connection that shows the token where it must."""

    def __init__(self, server, kind, token=True):
        super().__init__("localhost", timeout=pool.PATIENCE)
        self.server, self.kind, self.with_token = server, kind, token

    def connect(self):
        self.sock = dial(self.server, self.kind)

    def putheader(self, header, *values):
        super().putheader(header, *values)
        if header.lower() == "host" and self.kind != "unix" and self.with_token:
            super().putheader("Authorization", "Bearer " + token(self.server))


def token(server):
    with open(server.announcement["tokenFile"]) as file:
        return file.read().strip()


def dial(server, kind, name=NAME):
    """A connected socket."""
    if kind == "unix":
        sock = socket.socket(socket.AF_UNIX)
        address = server.path
    else:
        sock = socket.socket()
        parts = urllib.parse.urlsplit(server.announcement["tcp"])
        address = (parts.hostname, parts.port)
    sock.settimeout(pool.PATIENCE)
    sock.connect(address)
    if kind == "tls":
        context = ssl.create_default_context(cafile=server.certificate)
        sock = context.wrap_socket(sock, server_hostname=name)
    return sock


def request(server, kind, method, target, body=None, headers=None, token=True):
    connection = Way(server, kind, token)
    try:
        connection.request(method, target, body, headers or {})
        return pool.Answer(connection.getresponse())
    finally:
        connection.close()


def run(server, kind, code, **members):
    body = json.dumps({"code": code, **members})
    return pool.Execution(request(server, kind, "POST", TARGET, body))


def head(server, kind, text="POST " + TARGET + " HTTP/1.1"):
    """The first lines of a request that may be asked on this way, without the blank one."""
    lines = [text, "Host: localhost"]
    if kind != "unix":
        lines.append("Authorization: Bearer " + token(server))
    return "".join(line + "\r\n" for line in lines).encode()


def read_all(sock):
    """What comes until the other side ends the connection."""
    data = b""
    try:
        while block := sock.recv(65536):
            data += block
    except (ConnectionError, ssl.SSLError):
        pass
    return data


def statuses(data):
    """The status codes of all answers in these bytes."""
    return [status.decode() for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", data)]


def send(sock, data):
    """Bytes that the other side need not read to the end."""
    try:
        sock.sendall(data)
    except (ConnectionError, ssl.SSLError):
        pass


class Pools:
    """Servers for all three ways; flags are those of both."""

    def __init__(self, *flags):
        self.directory = tempfile.TemporaryDirectory()
        self.certificate, key = make_certificate(self.directory.name)
        tls = ("--tls-certificate", self.certificate, "--tls-key", key)
        self.plain = pool.Pool("--tcp", "--warm-min", "1", *flags).__enter__()
        self.tls = pool.Pool("--tcp", "--warm-min", "1", *tls, *flags).__enter__()
        self.tls.certificate = self.certificate
        self.ways = (("unix", self.plain), ("tcp", self.plain), ("tls", self.tls))

    def end(self):
        self.plain.__exit__()
        self.tls.__exit__()
        self.directory.cleanup()
