"""The server's own doors, from inside a session: its port, its socket, its token."""

import hashlib
import urllib.parse

import attack

REACH = """
def reach(family, address):
    with socket.socket(family) as one:
        one.settimeout(5)
        one.connect(address)
"""


class Server(attack.Attacks):
    flags = ("--tcp",)

    def test_its_doors_cannot_be_reached_from_inside(self):
        port = urllib.parse.urlparse(self.pool.announcement["tcp"]).port
        path = self.pool.path
        addresses = [
            "socket.AF_INET, ('127.0.0.1', %d)" % port,
            "socket.AF_INET, ('0.0.0.0', %d)" % port,
            "socket.AF_INET, ('127.1.2.3', %d)" % port,
            "socket.AF_INET6, ('::1', %d)" % port,
            "socket.AF_INET6, ('::ffff:127.0.0.1', %d)" % port,
            "socket.AF_UNIX, %r" % path,
            "socket.AF_UNIX, '/proc/1/root%s'" % path,
            "socket.AF_UNIX, '/proc/%d/cwd/socket' % os.getppid()",
        ]
        code = REACH + "[address for address in (%s) if outcome(reach, *address) == 'worked']" % "".join(
            "(%s), " % address for address in addresses
        )
        self.attack_each([("connecting", code, [])])

    def test_its_token_cannot_be_read_from_inside(self):
        token = self.pool.announcement["tokenFile"]
        with open(token) as file:
            secret = file.read().strip()
        self.assertGreater(len(secret), 20)
        code = (
            "import gc, hashlib\n"
            "paths = [%r, os.path.dirname(%r), '/proc/1/root' + %r]\n"
            "opened = [path for path in paths if outcome(os.open, path, 0) == 'worked']\n"
            "texts = [x for x in gc.get_objects() if type(x) is str]\n"
            "words = [*os.environ.values(), *sys.argv, *texts]\n"
            "sums = {hashlib.sha256(word.encode(errors='replace')).hexdigest() for word in words}\n"
            "opened, %r in sums"
            % (token, token, token, hashlib.sha256(secret.encode()).hexdigest())
        )
        self.attack_each([("reading", code, [[], False])])


if __name__ == "__main__":
    attack.main()
