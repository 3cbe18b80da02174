"""What level landlock keeps in, though the host's files, processes and network are in reach."""

import os
import sys

import attack
import pool

TOO_MUCH = "it had more in its files than it may"

def is_ended_for(reason, files):
    def judge(test, execution):
        attack.is_lost(test, execution)
        test.assertIn(reason, execution.stderr)
        test.assertIn("files are " + files, execution.stderr)

    return judge


class Landlock(attack.Attacks):
    flags = ("--data-size", "16M", "--tmp-size", "16M", "--data-inodes", "512")

    def test_files_of_the_host_are_neither_read_nor_changed(self):
        secret = repr(self.host.secret)
        every = (
            "/home /root /var /run /srv /opt /mnt /media /sys /proc /dev /etc /tmp /dev/shm /boot / "
            "/usr /usr/local /usr/src .. ../.. ../../.."
        )
        self.attack_each([
            ("directories",
             "[name for name in %r.split() if os.path.isdir(name)"
             " and outcome(os.listdir, name) != 'EACCES']" % every, []),
            ("files",
             "[name for name in (%s, '/etc/passwd', '/etc/hostname', '/proc/1/environ',"
             " '/proc/self/maps', '/proc/%%d/environ' %% os.getppid(), '/proc/self/root/etc/passwd',"
             " '/dev/tty', '/dev/kmsg', '/dev/mem', '../../worker.py/')"
             " if outcome(open, name) not in ('EACCES', 'ENOENT', 'ENOTDIR', 'EPERM')]" % secret, []),
            ("by a link", "os.symlink(%s, 'link'); outcome(open, 'link')" % secret, "EACCES"),
            ("by a handle without access",
             "outcome(os.open, '/proc/self/fd/%%d' %% os.open(%s, os.O_PATH), 0)" % secret, "EACCES"),
            ("new files",
             "[name for name in %r.split() if os.path.isdir(name)"
             " and outcome(open, name + '/new', 'w') == 'worked']" % every, []),
            ("content, name, place",
             "[outcome(open, {0}, 'a'), outcome(os.truncate, {0}, 0), outcome(os.unlink, {0}),"
             " outcome(os.rename, {0}, 'mine') in ('EACCES', 'EXDEV'),"
             " outcome(os.link, {0}, 'mine') in ('EACCES', 'EXDEV', 'EPERM')]".format(secret),
             ["EACCES", "EACCES", "EACCES", True, True]),
            ("mode, owner, time and attributes, as the host sees them",
             "[outcome(os.chmod, {0}, 0o777), outcome(os.utime, {0}, (1, 1)),"
             " outcome(os.chown, {0}, os.getuid(), -1), outcome(os.lchown, {0}, -1, -1),"
             " outcome(os.setxattr, {0}, 'user.a', b'b')]".format(secret),
             ["worked", "worked", "EPERM", "EPERM", "ENOTSUP"]),
            ("the worker's program", "outcome(open, '../../worker.py', 'w')", "EACCES"),
            ("programs of its own",
             "open('run', 'w').write('#!/bin/sh\\n'); os.fchmod(os.open('run', 0), 0o755);"
             " outcome(os.execv, 'run', ['run'])", "EACCES"),
            ("its directory's own name", "outcome(os.rename, '../data', '../other')", "EACCES"),
        ])

    def test_sockets_of_the_host_are_out_of_reach(self):
        families = "(socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, 16, 17, 40)"
        self.attack_each([
            ("sockets", "[outcome(socket.socket, family, kind) for family in %s for kind in (1, 2, 3)]"
             % families, ["EPERM"] * 18),
            ("pairs of datagrams, which can be sent anywhere",
             "[outcome(socket.socketpair, socket.AF_UNIX, kind) for kind in (2, 3)]", ["EPERM"] * 2),
            ("a pair with another peer",
             "[outcome(socket.socketpair(socket.AF_UNIX, kind)[0].connect, address)"
             " for kind in (1, 5) for address in (%r, '\\0' + %r)]" % (self.host.path, self.host.name),
             ["EPERM"] * 4),
            ("a pair's message to a name",
             "[outcome(socket.socketpair(socket.AF_UNIX, kind)[0].sendmsg, [b'x'], [], 0, %r)"
             " for kind in (1, 5)]" % self.host.path, ["EISCONN", "EPIPE"]),
        ])  # that nobody has come there is seen at the end

    def test_processes_of_the_host_are_out_of_reach(self):
        self.attack_each([
            ("signals", "[outcome(os.kill, number, 0) for number in (1, os.getppid(), %d, %d)]"
             % (os.getpid(), self.pool.server_pid), ["EPERM"] * 4),
            ("signals by handles",
             "outcome(signal.pidfd_send_signal, os.pidfd_open(os.getppid()), 0)", "EPERM"),
            ("signals to everybody are for the session",
             "if os.fork() == 0: time.sleep(1000)\n"
             "os.kill(-1, signal.SIGKILL); os.WTERMSIG(os.wait()[1])", 9),
            ("signals to every number",
             "for number in range(1, 70000):\n"
             "    if number != os.getpid(): outcome(os.kill, number, signal.SIGKILL)\n1", 1),
            ("limits of others", "outcome(resource.prlimit, os.getppid(), resource.RLIMIT_NOFILE)", "EPERM"),
            ("priorities of others",
             "[outcome(os.setpriority, *who, 19) for who in ((0, os.getppid()), (1, 0), (2, 0))]",
             ["EPERM"] * 3),
            ("processors of others", "outcome(os.sched_setaffinity, os.getppid(), {0})", "EPERM"),
            ("being hidden from the server", "libc.prctl(4, 0, 0, 0, 0)", -1),
        ])

    def test_a_session_finds_nothing_of_another(self):
        self.pool.run("open('private', 'w').write('x')", "attack-neighbour")
        home = self.pool.run("import os; os.getcwd()", "attack-neighbour").result
        code = (
            "[outcome(os.listdir, {0!r}), outcome(open, {0!r} + '/private'),"
            " outcome(open, {0!r} + '/new', 'w')]".format(home)
        )
        self.attack_each([("its directory", code, ["EACCES"] * 3)])

    def test_too_much_ends_the_session(self):
        files = is_ended_for(TOO_MUCH, "lost, too")
        self.attack_each([
            ("processes", "for _ in range(40):\n    if os.fork() == 0: time.sleep(1000)\n"
             "time.sleep(1000)", is_ended_for("more processes", "kept")),
            ("threads", "for _ in range(18): threading.Thread(target=time.sleep, args=(1000,)).start()\n"
             "time.sleep(1000)", is_ended_for("more processes", "kept")),
            ("memory", "for _ in range(4):\n    if os.fork() == 0: x = bytearray(os.urandom(1) * (90 << 20));"
             " time.sleep(1000)\ntime.sleep(1000)", is_ended_for("MiB of memory", "kept")),
            ("files without a name",
             "kept = []\nfor _ in range(4):\n    kept.append(open('x', 'wb')); os.unlink('x')\n"
             "    kept[-1].write(bytes(12 << 20)); kept[-1].flush()\ntime.sleep(1000)", files),
            ("nested directories",
             "for _ in range(3000): os.mkdir('d'); os.chdir('d')\ntime.sleep(1000)", files),
            ("many files", "for n in range(900): open(str(n), 'w').close()\ntime.sleep(1000)", files),
            ("space without writing",
             "[libc.fallocate(1, 0, 0, 1), outcome(open('x', 'wb').truncate, 1 << 40)]", [-1, "EFBIG"]),
        ])
        if os.geteuid() != 0:  # who sees everything
            shut = "os.umask(0o777); os.mkdir('shut'); time.sleep(1000)"
            self.attack_each([("directories that are shut", shut, files)])

    def test_names_made_to_hinder_their_removal_do_not(self):
        before = [name for name in os.listdir(os.environ["TMPDIR"]) if "places" in name]
        code = (
            "for name in ('.0', '.1', '.2', '..a', '-r', ' ', '\\n', 'x' * 255, '\\udcff'):\n"
            "    os.makedirs(name + '/' + name + '/c'); os.symlink('/', name + '/l')\n"
            "    open(name + '/' + name + '/f', 'w').close()\n"
            "    for d in (name + '/' + name + '/c', name + '/' + name, name):\n"
            "        os.fchmod(os.open(d, 0), 0)\n1"
        )
        self.pool.run(attack.PRELUDE + code, "attack-names")
        place = os.path.join(os.environ["TMPDIR"], before[0])
        self.pool.delete("attack-names")
        pool.wait_until(lambda: len(os.listdir(place)) == 2, "only the neighbour's was there")

    def test_usual_programs_work(self):
        programs = (
            "open('a', 'w').write('x'); import shutil; shutil.copy2('a', 'b'); open('b').read() == 'x'",
            "import sqlite3; sqlite3.connect('db').execute('create table t (x)'); True",
            "import tempfile; tempfile.TemporaryFile().write(b'x') == 1",
            "subprocess.run('echo 42 | cat', shell=True, capture_output=True).stdout == b'42\\n'",
            "import asyncio; await asyncio.to_thread(abs, -1) == 1",
            "import multiprocessing as m\na, b = m.Pipe()\n"
            "p = m.get_context('fork').Process(target=b.send, args=(1,)); p.start(); a.recv() == 1",
            "import zipfile, pathlib; pathlib.Path('t').touch(); pathlib.Path('t').touch();"
            " zipfile.ZipFile('z', 'w').write('t'); True",
            "os.environ['HOME'] == os.getcwd()",
        )
        self.attack_each([(code, code, True) for code in programs])


if __name__ == "__main__":
    if "--landlock" not in sys.argv:
        sys.argv.append("--landlock")
    attack.main()
