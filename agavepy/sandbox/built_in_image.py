"""
The program behind the images that every tenant has: ``function`` runs a pickled function, ``context`` prints.

It is run by its path, as a program of its own, and imports nothing of agavepy.
"""

import os
import socket
import sys

_DATA, _RESULTS = "_abaco_binary_data_file", "_abaco_results_socket"
_HIDDEN = ("_abaco_access_token", "x-nonce")  # more people may read a log than may have these


def main(what: str) -> None:
    {"function": run_function, "context": print_context}[what](message())


def run_function(pickled: bytes) -> None:
    """Call the function of a pickled ``{"func", "args", "kwargs"}``; send what it returns, pickled as well."""
    import cloudpickle

    if not pickled:
        sys.exit("This image takes a pickled function: send it as application/octet-stream.")
    call = cloudpickle.loads(pickled)
    send(cloudpickle.dumps(call["func"](*call["args"], **call["kwargs"])))


def print_context(data: bytes) -> None:
    """Print the message, of text or of bytes, and the variables."""
    print(f"Contents of MSG: {os.environ.get('MSG', data)}")
    print("Environment:")
    for name, value in sorted(os.environ.items()):
        print(f"{name}={'…' if name in _HIDDEN and value else value}")


def message() -> bytes:
    """Return the whole message of bytes; empty if it is a text. It is there already: there is nothing to wait for."""
    if _DATA not in os.environ:
        return b""
    data = bytearray()
    handle = os.open(os.environ[_DATA], os.O_RDONLY | os.O_NONBLOCK)
    try:
        while piece := os.read(handle, 1 << 16):
            data += piece
    except BlockingIOError:
        pass  # the pipe is empty
    finally:
        os.close(handle)
    return bytes(data)


def send(result: bytes) -> None:
    """Send a result as one datagram."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.connect(os.environ[_RESULTS])
        line.send(result)


if __name__ == "__main__":
    main(sys.argv[1])
