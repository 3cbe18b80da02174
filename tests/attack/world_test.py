"""Code that looks for a way out: the host's files, processes, network, devices, neighbours."""

import attack

REFUSED_BY_NETWORK = ["ENETUNREACH"] * 4

CASES = (
    # ---- network ----
    (
        "the address of cloud metadata, without a packet leaving",
        "def send(family, kind, address):\n"
        "    with socket.socket(family, kind) as one:\n"
        "        one.settimeout(2)\n"
        "        one.connect(address)\n"
        "[outcome(send, *way) for way in (\n"
        "    (socket.AF_INET, socket.SOCK_STREAM, ('169.254.169.254', 80)),\n"
        "    (socket.AF_INET, socket.SOCK_DGRAM, ('169.254.169.254', 80)),\n"
        "    (socket.AF_INET, socket.SOCK_STREAM, ('192.0.2.1', 443)),\n"
        "    (socket.AF_INET, socket.SOCK_DGRAM, ('192.0.2.1', 53)))]",
        REFUSED_BY_NETWORK,
    ),
    (
        "interfaces other than its own loopback",
        "[line.split(':')[0].strip() for line in open('/proc/net/dev').readlines()[2:]]",
        ["lo"],
    ),
    ("routes", "len(open('/proc/net/route').readlines())", 1),
    (
        "names",
        "try: found = socket.getaddrinfo('example.com', 80)\n"
        "except OSError: found = 'unknown'\nfound",
        "unknown",
    ),
    (
        "an interface that is made",
        "outcome(fcntl.ioctl, socket.socket(socket.AF_INET, socket.SOCK_DGRAM), 0x8914, bytes(40))",
        "EPERM",
    ),
    (
        "broadcast and multicast",
        "one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "one.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)\n"
        "[outcome(one.sendto, b'x', (address, 9)) for address in ('255.255.255.255', '224.0.0.1')]",
        ["ENETUNREACH"] * 2,
    ),
    # ---- processes and /proc ----
    (
        "processes of the host",
        "sorted(name for name in os.listdir('/proc') if name.isdigit())",
        ["1", "2"],
    ),
    ("the environment of its init", "open('/proc/1/environ').read()", ""),
    (
        "secrets in any environment",
        "[name for name in os.listdir('/proc') if name.isdigit()\n"
        " and b'SEMKERNEL' in open('/proc/%s/environ' % name, 'rb').read()]",
        [],
    ),
    (
        "the program of its init",
        "outcome(open, '/proc/1/exe', 'r+b') in ('EACCES', 'ETXTBSY', 'EROFS')",
        True,
    ),
    (
        "descriptors of its init that lead out",
        "sorted({os.readlink('/proc/1/fd/' + name).split(':')[0]\n"
        "        for name in os.listdir('/proc/1/fd')} - {'/dev/null', 'pipe', 'anon_inode'})",
        [],
    ),
    (
        "the root of its init",
        "sorted(os.listdir('/proc/1/root')) == sorted(os.listdir('/'))",
        True,
    ),
    (
        "switches of the kernel",
        "[name for name in ('kernel/core_pattern', 'kernel/hostname', 'kernel/sysrq', 'vm/drop_caches',\n"
        " 'kernel/modprobe', 'net/ipv4/ip_forward', 'fs/file-max', 'kernel/printk')\n"
        " if outcome(open, '/proc/sys/' + name, 'r+') == 'worked']",
        [],
    ),
    (
        "files of /proc for root",
        "[name for name in ('sysrq-trigger', 'kcore', 'kmsg', 'kpagecount', 'timer_list')\n"
        " if outcome(open, '/proc/' + name, 'r+b') == 'worked']",
        [],
    ),
    (
        "more rights by a lower badness",
        "outcome(open('/proc/self/oom_score_adj', 'w', 1).write, '-1000\\n')",
        "EACCES",
    ),
    (
        "addresses of the kernel",
        "path = '/proc/kallsyms'\n"
        "lines = open(path).readlines() if os.path.exists(path) else []\n"
        "[line for line in lines if line.split()[0].strip('0')]",
        [],
    ),
    ("parents", "[os.getppid(), os.getsid(1) in (0, 1), os.getpid()]", [1, True, 2]),
    # ---- files ----
    (
        "directories of the host",
        "[path for path in ('/home', '/root', '/var', '/run', '/srv', '/boot', '/sys', '/media',\n"
        " '/etc/passwd', '/etc/shadow', '/etc/hosts', '/etc/ssl/private', '/usr/local/bin',\n"
        " '/dev/mem', '/dev/kmsg', '/dev/fuse', '/dev/kvm', '/dev/net', '/dev/mqueue', '/dev/loop0')\n"
        " if os.path.exists(path)]",
        [],
    ),
    (
        "places that could be written",
        "found = []\n"
        "for top, names, files in os.walk('/', followlinks=False):\n"
        "    names[:] = [name for name in names if name not in ('proc', 'fd')]\n"
        "    if top.startswith('/usr/') and top.count('/') > 3: names[:] = []\n"
        "    if outcome(open, top + '/trial', 'w') == 'worked': found.append(top)\nsorted(found)",
        ["/dev/shm", "/mnt/data", "/tmp"],
    ),
    (
        "symbolic links that lead out",
        "found = []\n"
        "for target in ('/etc/shadow', '/proc/1/root/etc/shadow', '../../etc/shadow',\n"
        "               '/proc/self/fd/3', '/proc/1/cwd/../../etc/passwd'):\n"
        "    os.symlink(target, 'link')\n"
        "    if outcome(open, 'link') == 'worked': found.append(target)\n"
        "    os.unlink('link')\nfound",
        [],
    ),
    (
        "hard links and renames across file systems",
        "open('own', 'w').close()\n"
        "[outcome(os.link, '/usr/bin/python3', 'theirs'), outcome(os.link, 'own', '/usr/own'),\n"
        " outcome(os.rename, 'own', '/tmp/own'), outcome(os.rename, '/mnt/data', '/tmp/data')]",
        ["EXDEV", "EROFS", "EXDEV", "EXDEV"],
    ),
    (
        "mount points that are taken away",
        "[outcome(os.rmdir, path) for path in ('/mnt/data', '/tmp', '/dev/shm', '/mnt')]",
        ["EROFS"] * 4,
    ),
    (
        "a rename that swaps a file and a link, again and again",
        "open('a', 'w').write('own'); os.symlink('/etc/shadow', 'b')\n"
        "for _ in range(20000): libc.renameat2(-100, b'a', -100, b'b', 2)\n"
        "os.path.lexists('a') and os.path.lexists('b')",
        True,
    ),
    (
        "programs in its files",
        "open('run', 'w').write('#!/bin/sh\\n'); os.chmod('run', 0o755)\n"
        "outcome(subprocess.run, './run')",
        "EACCES",
    ),
    (
        "devices, pipes and other nodes",
        "[outcome(os.mkfifo, 'fifo'), outcome(os.mknod, 'null', 0o20666, 0x103),\n"
        " outcome(os.mknod, 'disk', 0o60666, 0x800)]",
        ["EPERM"] * 3,
    ),
    (
        "a lease on its own file, for who opens it later",
        "outcome(fcntl.fcntl, os.open('own', os.O_CREAT), fcntl.F_SETLEASE, fcntl.F_WRLCK)",
        "EPERM",
    ),
    (
        "names that no terminal should show",
        "for name in (b'\\n', b'\\x1b[2J', b'\\xff\\xfe', b'x' * 255, b' ', b'..x'):\n"
        "    os.close(os.open(name, os.O_CREAT))\nlen(os.listdir(b'.'))",
        6,
    ),
    # ---- users, devices, terminals ----
    (
        "programs that would run as root",
        "[line.split()[4] for line in open('/proc/self/mountinfo')\n"
        " if 'nosuid' not in line.split()[5].split(',')]",
        [],
    ),
    (
        "devices on any mount but /dev",
        "[line.split()[4] for line in open('/proc/self/mountinfo')\n"
        " if 'nodev' not in line.split()[5].split(',') and not line.split()[4].startswith('/dev')]",
        [],
    ),
    (
        "new privileges",
        "[line.split()[1] for line in open('/proc/self/status')\n"
        " if line.split(':')[0] in ('NoNewPrivs', 'Seccomp', 'CapEff', 'CapPrm', 'CapBnd', 'CapAmb')]",
        ["0" * 16, "0" * 16, "0" * 16, "0" * 16, "1", "2"],
    ),
    (
        "another user",
        "[outcome(call, 0) for call in (os.setuid, os.setgid, os.seteuid, os.setegid)] + ["
        "outcome(os.setgroups, [0]), outcome(os.chown, '/mnt/data', 0, 0)]",
        ["EPERM"] * 5 + ["EINVAL"],
    ),
    ("a terminal", "outcome(open, '/dev/tty')", "ENXIO"),
    ("one of the host's terminals", "outcome(os.open, '/dev/ptmx', os.O_RDWR)", "ENOENT"),
    (
        "a terminal of its own that works",
        "try: result = os.openpty()\nexcept OSError: result = 'refused'\nresult",
        "refused",
    ),
    ("a higher priority", "[outcome(os.setpriority, 0, 0, -5) in ('EACCES', 'EPERM')]", [True]),
    ("another time", "outcome(time.clock_settime, time.CLOCK_REALTIME, 0)", "EPERM"),
    ("another host name", "outcome(socket.sethostname, 'x')", "EPERM"),
)


class World(attack.Attacks):
    def test_ways_out_are_closed(self):
        self.attack_each(CASES, timeoutInSeconds=20)

    def test_bait_of_the_host_is_not_taken(self):
        host = self.host
        reach = (
            "def reach(family, address):\n"
            "    with socket.socket(family) as one: one.connect(address)\n"
            "[outcome(reach, *bait) for bait in %r] + [outcome(open, path) for path in %r]"
        )
        baits = [
            (1, host.path),
            (1, "\0" + host.name),
            (2, ("127.0.0.1", host.port)),
            (1, self.pool.path),
        ]
        paths = [
            host.secret,
            "/proc/1/root" + host.secret,
            "/proc/%d/environ" % self.pool.server_pid,
        ]
        expected = ["ENOENT", "ECONNREFUSED", "ECONNREFUSED", "ENOENT"] + ["ENOENT"] * 3
        self.attack_each([("bait", reach % (baits, paths), expected)])

    def test_a_session_finds_nothing_of_the_one_before(self):
        leave = (
            "for path in ('/mnt/data', '/tmp', '/dev/shm'):\n"
            "    open(path + '/left', 'w').write('secret'); os.mkdir(path + '/directory')\n"
            "one = socket.socket(socket.AF_UNIX); one.bind('\\0left'); one.listen(1)\n"
            "two = socket.create_server(('127.0.0.1', 7777))\n"
            "import fcntl; fcntl.flock(os.open('/tmp/left', 0), fcntl.LOCK_EX)"
        )
        look = (
            "def reach(family, address):\n"
            "    with socket.socket(family) as one: one.connect(address)\n"
            "[sorted(os.listdir(path)) for path in ('/mnt/data', '/tmp', '/dev/shm')] + [\n"
            " outcome(reach, 1, '\\0left'), outcome(reach, 2, ('127.0.0.1', 7777))]"
        )
        nothing = [[], [], [], "ECONNREFUSED", "ECONNREFUSED"]
        with self.session("attack-before") as before:
            self.judge(self.run_code(leave, before), attack.is_answered)
            with self.session("attack-beside") as beside:
                self.judge(self.run_code(look, beside), nothing)
        with self.session("attack-after") as after:
            self.judge(self.run_code(look, after), nothing)

    def test_a_neighbour_does_not_feel_a_reign_of_signals(self):
        code = (
            "for number in range(1, 70000):\n"
            "    if number != os.getpid(): outcome(os.kill, number, signal.SIGKILL)\n"
            "1"
        )
        self.attack_each([("signals to every number", code, 1)])


if __name__ == "__main__":
    attack.main()
