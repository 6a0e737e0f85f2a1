#!/usr/bin/env python3
"""Peers that ask for much and give nothing, until killed: one opens and closes connections as fast
as it goes, one sends a request byte by byte, one is told everything and does not read.

    unkind.py PORT PATH     PATH: a messaging URL's path, of a member whose group is written to
"""

import base64
import os
import socket
import sys
import threading
import time


def connect(port, **options):
    plain = socket.socket()
    for name, value in options.items():
        plain.setsockopt(socket.SOL_SOCKET, getattr(socket, name), value)
    plain.connect(("127.0.0.1", port))
    return plain


def come_and_go(port):
    request = b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"
    for number in range(sys.maxsize):
        plain = connect(port)
        if number % 2:
            plain.sendall(request)
        plain.close()


def dribble(port):
    request = b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000
    while True:
        many = [connect(port) for _ in range(50)]
        for i in range(len(request)):
            for plain in many:
                try:
                    plain.sendall(request[i : i + 1])
                except OSError:
                    pass  # closed, as it should be
            time.sleep(0.005)  # that is the slowness
        for plain in many:
            plain.close()


def ignore(port, path):
    while True:
        plain = connect(port, SO_RCVBUF=4096)
        key = base64.b64encode(os.urandom(16)).decode()
        plain.sendall(
            f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        time.sleep(1)
        plain.close()


def main():
    port, path = int(sys.argv[1]), sys.argv[2]
    for what in ((come_and_go, port), (dribble, port), (ignore, port, path)):
        threading.Thread(target=what[0], args=what[1:], daemon=True).start()
    print("unkind", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
