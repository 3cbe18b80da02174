"""Code that speaks to the server in the worker's stead, over the worker's own socket."""

import attack

HOLD = "\ntime.sleep(20)"
STEAL = "nonce = nonce_of_this_call()\n"


def is_forged(test, execution):
    """What a call says of itself is its own business."""
    test.assertEqual((execution.status, execution.result), ("Succeeded", "forged"))


def is_refused(why):
    def check(test, execution):
        attack.is_lost(test, execution)
        test.assertIn(why, execution.stderr)

    return check


def has_not_been_forged(test, execution):
    test.assertNotEqual(execution.result, "forged")


CASES = (
    (
        "a packet of nothing",
        "os.write(3, b'x')" + HOLD,
        is_refused("wrong size"),
    ),
    (
        "garbage of every size",
        "for n in range(32, 3000, 97): os.write(3, os.urandom(n))" + HOLD,
        is_refused("malformed header"),
    ),
    (
        "a packet larger than packets are",
        "os.write(3, frame(3, bytes(100000), nonce_of_this_call()))" + HOLD,
        is_refused("wrong size"),
    ),
    (
        "a guessed nonce",
        "os.write(3, frame(5, nonce=os.urandom(16)))" + HOLD,
        is_refused("wrong nonce"),
    ),
    (
        "a second greeting",
        "os.write(3, frame(1, b'{\"proto\":1,\"python\":\"9\",\"pid\":1}'))" + HOLD,
        is_refused("unexpected type"),
    ),
    (
        "an order to the server",
        STEAL + "os.write(3, frame(2, b'{}', nonce))" + HOLD,
        is_refused("unexpected type"),
    ),
    (
        "a child with the right nonce",
        STEAL + "if os.fork() == 0: os._exit(os.write(3, frame(5, nonce=nonce)))" + HOLD,
        is_refused("another process"),
    ),
    (
        "a grandchild in a session of its own",
        STEAL + "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0: os.write(3, frame(5, nonce=nonce))\n"
        "    os._exit(0)" + HOLD,
        is_refused("another process"),
    ),
    (
        "a child that says it is the worker",
        STEAL + "worker = os.getpid()\n"
        "if os.fork() == 0:\n"
        "    claim = struct.pack('iII', worker, os.getuid(), os.getgid())\n"
        "    os._exit(outcome(socket.socket(fileno=3).sendmsg, [frame(5, nonce=nonce)],\n"
        "                     [(socket.SOL_SOCKET, 2, claim)]) == 'EPERM')\n"
        "os.waitstatus_to_exitcode(os.wait()[1])",
        1,
    ),
    (
        "an answer stolen from the end of its own call",
        STEAL + "os.write(3, frame(3, b'{\"value\":\"forged\"}', nonce))\n"
        "os.write(3, frame(5, nonce=nonce))",
        is_forged,
    ),
    (
        "an answer that is begun and never ended",
        STEAL + "os.write(3, frame(3, b'{', nonce, 0, 1000000))\n1",
        is_refused("out of order"),
    ),
    (
        "a value of three million equal names",
        STEAL + "size = 16 * 1024 * 1024 - 100\n"
        "body = b'{\"value\":{' + b'\"\":0,' * (size // 5) + b'\"\":0}}'\n"
        "for number, at in enumerate(range(0, len(body), 60000)):\n"
        "    os.write(3, frame(3, body[at:at + 60000], nonce, number, len(body)))" + HOLD,
        is_refused("not what it must be"),
    ),
    (
        "more answers than anyone reads",
        STEAL + "body = b'{\"value\":0}' + b' ' * 50000\n"
        "while True: os.write(3, frame(3, body, nonce))",
        is_refused("too much"),
    ),
    (
        "a display of no known kind",
        STEAL + "os.write(3, frame(6, b'\\x09image/xxxdata', nonce))" + HOLD,
        is_refused("not what it must be"),
    ),
    (
        "a display that closes the answer's quotes",
        STEAL + "os.write(3, frame(6, b'\\x0dtext/x\",\"a\":\"data', nonce))" + HOLD,
        is_refused("not what it must be"),
    ),
    (
        "a display shorter than the name of its kind",
        STEAL + "os.write(3, frame(6, b'\\xffimage/png', nonce))" + HOLD,
        is_refused("not what it must be"),
    ),
    (
        "a display of nothing",
        STEAL + "os.write(3, frame(6, b'', nonce))" + HOLD,
        is_refused("not what it must be"),
    ),
    (
        "a display of two gigabytes",
        STEAL + "os.write(3, frame(6, b'\\x09image/png', nonce, 0, 1 << 31))" + HOLD,
        is_refused("too large"),
    ),
    (
        "a second report on imports",
        "os.write(3, frame(7, b'{\"missing\":[],\"all\":true}'))" + HOLD,
        is_refused("unexpected type"),
    ),
    (
        "seventeen displays",
        STEAL + "for _ in range(17): os.write(3, frame(6, b'\\x09image/pngx', nonce))" + HOLD,
        is_refused("too many displays"),
    ),
    (
        "a display of its own making",
        STEAL + "os.write(3, frame(6, b'\\x09image/pngx', nonce))\n'mine'",
        "mine",
    ),
    ("a closed socket", "os.close(3)\n'forged'", attack.is_lost),
    ("another file in the socket's place", "os.dup2(1, 3)\n'forged'", attack.is_lost),
    (
        "a socket that is shut down",
        "socket.socket(fileno=os.dup(3)).shutdown(socket.SHUT_RDWR)\n'forged'",
        attack.is_lost,
    ),
    (
        "a socket that may not send",
        "socket.socket(fileno=os.dup(3)).shutdown(socket.SHUT_WR)\n'forged'",
        attack.is_lost,
    ),
    (
        "a socket that may not receive, which the next call comes upon",
        "socket.socket(fileno=os.dup(3)).shutdown(socket.SHUT_RD)\n'mine'",
        "mine",
    ),
    (
        "another program in the worker's place",
        STEAL + "os.set_inheritable(3, True)\n"
        "os.execv('/usr/bin/python3', ['python3', '-c', 'import os; os.write(3, b\"x\" * 99)'])",
        is_refused("malformed header"),
    ),
)

# What is sent beside the packets: the server wants none of it, and must not have to wait for it.
DESCRIPTORS = (
    (
        "descriptors by the hundred",
        "import array\nsender = socket.socket(fileno=os.dup(3))\n"
        "files = array.array('i', [os.open('/dev/null', 0) for _ in range(100)])\n"
        "for _ in range(20):\n"
        "    outcome(sender.sendmsg, [frame(3, b'{\"value\":0}', nonce_of_this_call())],\n"
        "            [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)])\n"
        "for file in files: os.close(file)\nsender.close()\n1",
        attack.is_answered,
    ),
    (
        "the socket itself, sent through itself",
        "sender = socket.socket(fileno=os.dup(3))\n"
        "outcome(sender.sendmsg, [frame(3, b'{\"value\":0}', nonce_of_this_call())],\n"
        "        [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack('i', 3))])\n1",
        attack.is_answered,
    ),
    (
        "a connection whose closing takes a minute",
        "listener = socket.create_server(('127.0.0.1', 0))\n"
        "one = socket.create_connection(listener.getsockname())\n"
        "outcome(one.setsockopt, socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 99))\n"
        "one.setblocking(False)\n"
        "try:\n    while True: one.send(bytes(65536))\n"
        "except BlockingIOError: pass\n"
        "sender, number = socket.socket(fileno=os.dup(3)), one.fileno()\n"
        "body = b'{\"value\":\"' + b'x' * (8 << 20) + b'\"}'\n"
        "for n, at in enumerate(range(0, len(body), 60000)):  # so that the server is busy\n"
        "    os.write(3, frame(3, body[at:at + 60000], nonce_of_this_call(), n, len(body)))\n"
        "outcome(sender.sendmsg, [bytes(40)],\n"
        "        [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack('i', number))])\n"
        "os.close(number)\n1",
        attack.is_answered,
    ),
)

# A thread that lives on may spoil later calls of its own session, but only those.
LATE = (
    (
        "an answer between two calls",
        "def late():\n"
        "    while os.readlink('/proc/self/fd/1') != '/dev/null': pass\n"
        "    os.write(3, frame(5))\n"
        "threading.Thread(target=late).start()",
        attack.is_answered,
    ),
    (
        "a display between two calls",
        "def late():\n"
        "    while os.readlink('/proc/self/fd/1') != '/dev/null': pass\n"
        "    os.write(3, frame(6, b'\\x09image/pngx'))\n"
        "threading.Thread(target=late).start()",
        attack.is_answered,
    ),
    (
        "a child that takes the next order for itself",
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    os.read(3, 65536)\n"
        "    os.write(3, frame(3, b'{\"value\":\"forged\"}', nonce_of_this_call()))\n"
        "    os._exit(0)",
        has_not_been_forged,
    ),
)


class Frames(attack.Attacks):
    def run_code(self, code, session, **members):
        return super().run_code(attack.FORGE + code, session, **members)

    def test_forged_frames_end_their_worker_at_most(self):
        self.attack_each(CASES, timeoutInSeconds=10)

    def test_descriptors_sent_to_the_server_do_not_hold_it_up(self):
        self.attack_each(DESCRIPTORS, timeoutInSeconds=10)

    def test_late_frames_reach_their_own_session_only(self):
        for sentence, code, expected in LATE:
            with self.subTest(sentence), self.session() as session:
                self.judge(self.run_code(code, session), attack.is_answered)
                self.judge(self.run_code("1", session, timeoutInSeconds=1), expected)


if __name__ == "__main__":
    attack.main()
