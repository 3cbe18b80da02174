"""What only control groups hold: the CPU, memory of the kernel's, memory of all processes.

Only where the server has some: else skipped.
"""

import os

import attack
import pool

MEMORY_MIB = 256
CPU_PERCENT = 20

# Bytes that fit into sockets which nobody reads, in MiB.
TCP_BUFFERS = """
listener = socket.socket()
listener.bind(('127.0.0.1', 0)); listener.listen(10)
total, kept = 0, []
while len(kept) < 200 and total < 2 << 30:
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 << 20)
    one.connect(listener.getsockname())
    kept += [one, listener.accept()[0]]
    one.setblocking(False)
    try:
        while True: total += one.send(bytes(1 << 16))
    except BlockingIOError: pass
total >> 20
"""
UNIX_BUFFERS = """
total, kept = 0, []
while len(kept) < 200:
    pair = socket.socketpair(); kept += pair
    for one in pair:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 << 20)
        one.setblocking(False)
        try:
            while True: total += one.send(bytes(1 << 16))
        except BlockingIOError: pass
total >> 20
"""

LEAVE_HOGS = """
hogs = []
for _ in range(4):
    hogs.append(os.fork())
    if hogs[-1] == 0:
        os.setsid()
        while True: pass
len(hogs)
"""
# The share of one core that they get while the call looks on.
MEASURE_HOGS = """
def used():
    total = 0
    for hog in hogs:
        fields = open('/proc/%d/stat' % hog).read().rsplit(')', 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf('SC_CLK_TCK')
before, began = used(), time.monotonic()
time.sleep(2)
round(100 * (used() - before) / (time.monotonic() - began))
"""


def is_within_memory(test, execution):
    """It was refused, or the session was ended for it."""
    if execution.state == "lost":
        test.assertIn("more than %d MiB of memory" % MEMORY_MIB, execution.stderr)
    else:
        test.assertLessEqual(execution.result, MEMORY_MIB, execution.raw)


CASES = (
    ("buffers of TCP that nobody reads", TCP_BUFFERS, is_within_memory),
    ("buffers of local sockets that nobody reads", UNIX_BUFFERS, is_within_memory),
    (
        "pipes, as many as there can be, and full",
        "total, ends = 0, []\n"
        "while outcome(lambda: ends.append(os.pipe()[1])) == 'worked': pass\n"
        "for end in ends:\n"
        "    outcome(fcntl.fcntl, end, 1031, 1 << 20); os.set_blocking(end, False)\n"
        "    try:\n"
        "        while True: total += os.write(end, bytes(1 << 16))\n"
        "    except OSError: pass\n"
        "total >> 20",
        is_within_memory,
    ),
    (
        "files beside memory",
        "file = open('/tmp/file', 'wb'); other = open('/dev/shm/file', 'wb')\n"
        "for _ in range(60): file.write(bytes(1 << 20)); other.write(bytes(1 << 20))\n"
        "len([bytearray(b'x' * (1 << 20)) for _ in range(150)])",
        attack.is_lost,
    ),
)


class Groups(attack.Attacks):
    flags = ("--cpu", str(CPU_PERCENT))

    def test_memory_of_whatever_kind_has_an_end(self):
        self.attack_each(CASES, timeoutInSeconds=30)

    def test_processes_that_a_call_left_get_no_more_cpu_than_the_session(self):
        with self.session("attack-hogs") as session:
            self.assertEqual(self.run_code(LEAVE_HOGS, session).result, 4)
            share = self.run_code(MEASURE_HOGS, session, timeoutInSeconds=60).result
            self.assertLess(share, 2 * CPU_PERCENT)

    def test_processes_are_limited_by_the_group_as_well(self):
        with self.session("attack-pids") as session:
            self.run_code("1", session)
            limits = []
            for group in pool.groups_of(self.pool.pid):
                path = os.path.join(group, "pids.max")
                if os.path.exists(path) and "semkernel" not in os.path.basename(group):
                    with open(path) as file:
                        limits.append(file.read())
            self.assertEqual(set(limits) - {"max\n"}, {"17\n"})  # and bubblewrap itself

    def test_files_that_leave_no_room_for_python_end_their_session_alone(self):
        fill = (
            "import os\nfor directory in ('/mnt/data', '/tmp', '/dev/shm'):\n"
            "    with open(directory + '/fill', 'ab', 0) as file:\n"
            "        try:\n            while file.write(bytes(1 << 16)): pass\n"
            "        except OSError: pass"
        )
        for _ in range(20):  # each time a little more, until no Python starts any more
            answer = self.pool.post("attack-files", {"code": fill})
            if answer.status == 503:
                break
        self.assertEqual(answer.status, 503, answer.body)
        self.assertIn("beside the session's files", answer.json["error"]["message"])
        self.check_after("attack-files")
        self.pool.delete("attack-files")


if __name__ == "__main__":
    attack.main("full")
