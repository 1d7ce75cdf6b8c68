"""A test that fails where the service under test makes the kernel send anything twice: run it with pytest, as root."""
import socket
import threading

from retrans_ctypes.testing import assert_no_retransmits


def echo(door):
    connection, _ = door.accept()
    with connection:
        while True:
            data = connection.recv(65536)
            if not data:
                return
            connection.sendall(data)


def test_an_answer_arrives_at_the_first_attempt():
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen(1)
        threading.Thread(target=echo, args=(door,), daemon=True).start()
        port = door.getsockname()[1]
        with assert_no_retransmits(port=port):
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(b"hello")
                assert connection.recv(65536) == b"hello"
