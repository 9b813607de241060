# SPDX-License-Identifier: GPL-2.0
"""sockets.py DEVICE FAR: PF_LANA beside PF_PACKET. DEVICE is hooked, FAR is the other end of its wire,
where Linux is. Calls that both families have are made on both, and what they answer is compared."""

import ctypes
import errno
import mmap
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

from lana import check, end
from rig import LIBC, LONG, SLOW, Lana, Leaks, Load, in_time, one_cpu, quiesce, read

FAMILY, SOL, AUXDATA, STATISTICS, RING, PAUSE = 18, 300, 1, 2, 3, 4
TYPE = 0x88B5
PEER = bytes.fromhex("020000000099")
SO_PRIORITY, SO_ZEROCOPY, SO_TXTIME, MSG_ZEROCOPY = 12, 60, 61, 0x4000000
SO_TIMESTAMPNS, SO_RXQ_OVFL, SO_ATTACH_FILTER, SO_DETACH_FILTER = 35, 40, 26, 27
device, far = sys.argv[1:3]
lana = Lana()


def address(name=b"", mac=b"", kind=TYPE, family=FAMILY):
    """A struct sockaddr_lana."""
    return struct.pack("=HHiHBB8s32s", family, socket.htons(kind), 0, 0, 0, len(mac), mac, name)


def done(result):
    """What a call of libc has answered: a number, or the name of an error."""
    return result if result >= 0 else errno.errorcode[ctypes.get_errno()]


def bind(sock, name, length=None, **more):
    text = address(name, **more)
    return done(LIBC.bind(sock.fileno(), text, len(text) if length is None else length))


def name(sock):
    """What getsockname() says; Python asks for none of a family that it does not know."""
    to, size = ctypes.create_string_buffer(100), ctypes.c_int(100)
    LIBC.getsockname(sock.fileno(), to, ctypes.byref(size))
    return to.raw[20:size.value].rstrip(b"\0").decode()


def recvmsg(sock, size=2000, room=1000):
    """The same of recvmsg(): data, control messages, flags, address."""
    data, control, who = (ctypes.create_string_buffer(n) for n in (size, room, 100))
    vector = struct.pack("PN", ctypes.addressof(data), size)
    vector = ctypes.create_string_buffer(vector, len(vector))
    head = struct.pack("PIxxxxPNPNixxxx", ctypes.addressof(who), 100, ctypes.addressof(vector), 1,
                       ctypes.addressof(control), room, 0)
    head = ctypes.create_string_buffer(head, len(head))
    if sock.gettimeout():
        select.select([sock], [], [], sock.gettimeout())
    count = LIBC.recvmsg(sock.fileno(), head, 0)
    if count < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    _, length, _, _, _, used, flags = struct.unpack("PIxxxxPNPNixxxx", head.raw)
    messages, at = [], 0
    while at < used:
        end_of, level, kind = struct.unpack_from("Nii", control.raw, at)
        messages.append((level, kind, control.raw[at + 16:at + end_of]))
        at += (end_of + 7) & ~7
    return data.raw[:count], messages, flags, who.raw[:length]


def sendto(sock, data, to, length=None, flags=0):
    return done(LIBC.sendto(sock.fileno(), data, len(data), flags, to, len(to) if length is None else length))


def tried(function, *args):
    """What a call of Python has answered: what it returns, or the name of an error."""
    try:
        return function(*args)
    except OSError as error:
        return errno.errorcode[error.errno]


def sender(packet):
    """Who has sent it, as recvmsg() says it: type, device, kind of address, MAC."""
    _, kind, index, _, what, length, mac = struct.unpack("=HHiHBB8s", packet[3][:20])
    return socket.ntohs(kind), index, what, mac[:length]


def frame(data=b"x" * 50, source=PEER, to=b"\xff" * 6, kind=TYPE):
    return to + source + struct.pack(">H", kind) + data


def bound(kind=socket.SOCK_RAW, to=None):
    """A socket that is on top of the device."""
    sock = socket.socket(FAMILY, kind)
    sock.settimeout(3)
    answer = lana.bind(name(sock), to or device)
    assert not answer.error, answer
    return sock


def witness(kind=socket.SOCK_RAW):
    """A packet socket at the other end of the wire."""
    sock = socket.socket(socket.AF_PACKET, kind, 0)
    sock.bind((far, TYPE))
    sock.settimeout(3)
    return sock


def settled(sock):
    """What has come and was not read."""
    sock.setblocking(False)
    packets = []
    try:
        while True:
            packets.append(sock.recv(1 << 17))
    except BlockingIOError:
        sock.settimeout(3)
    return packets


def opening():
    sock = socket.socket(FAMILY, socket.SOCK_RAW)
    check("the number of the family is in procfs", read("/proc/net/lana/family") == f"{FAMILY}\n")
    check("a socket has a block of a generated name", name(sock) in lana.names(), name(sock), lana.names())
    check("its type is pflana", lana.blocks()[name(sock)].type == "pflana")
    for kind, protocol, want in [(socket.SOCK_STREAM, 0, "ESOCKTNOSUPPORT"),
                                 (socket.SOCK_SEQPACKET, 0, "ESOCKTNOSUPPORT"),
                                 (socket.SOCK_RAW, 1, "EPROTONOSUPPORT")]:
        got = tried(socket.socket, FAMILY, kind, protocol)
        check(f"socket(AF_LANA, {kind}, {protocol}) is {want}", got == want, got)
    for what, command in [("without CAP_NET_RAW", ["setpriv", "--bounding-set", "-net_raw", "--inh-caps",
                                                   "-net_raw"]),
                          ("for root of a user namespace", ["unshare", "-Urn"])]:
        for family in [FAMILY, socket.AF_PACKET]:
            code = f"import socket; socket.socket({family}, socket.SOCK_RAW, 0)"
            run = subprocess.run([*command, sys.executable, "-S", "-c", code], stderr=subprocess.PIPE, text=True,
                                 check=False)
            refused = "Operation not permitted" in run.stderr
            # Packet sockets have no graph that somebody else could see.
            want = family == FAMILY or "user" not in what
            check(f"socket({family}) {what} is {'refused' if want else 'not refused'}", refused == want,
                  run.stderr)
    was = name(sock)
    sock.close()
    check("with the socket its block goes", was not in lana.names())


def naming():
    sock, other = bound(), socket.socket(FAMILY, socket.SOCK_DGRAM)
    sock.send(frame())
    sent = lana.blocks()[name(sock)].packets
    check("bind() gives it a name", bind(sock, b"alice") == 0 and name(sock) == "alice", name(sock))
    check("which keeps its bindings and its counters", lana.blocks()["alice"].packets == sent == 1 and
          len(lana.blocks()["alice"].ports) == 1)
    check("and can be given again", bind(sock, b"alice") == 0 and bind(sock, b"zoe") == 0 and
          bind(sock, b"alice") == 0 and name(sock) == "alice")
    before = lana.names()
    for what, args, more, want in [
            ("a name that is taken", (b"alice",), {}, "EADDRINUSE"),
            ("the name of a device's block", (device.encode(),), {}, "EADDRINUSE"),
            ("no name", (b"",), {}, "EINVAL"), ("a name with a slash", (b"a/b",), {}, "EINVAL"),
            ("a name with a blank", (b"a b",), {}, "EINVAL"),
            ("a name of 32 bytes", (b"a" * 32,), {}, "EINVAL"),
            ("an address that is too short", (b"bob", 20), {}, "EINVAL"),
            ("an address of another family", (b"bob",), {"family": 17}, "EAFNOSUPPORT")]:
        got = bind(other, *args, **more)
        check(f"bind() to {what} is {want}", got == want, got)
    got = done(LIBC.bind(other.fileno(), ctypes.c_void_p(16), 52))
    check("bind() to a bad pointer is EFAULT", got == "EFAULT", got)
    check("and nothing has changed", lana.names() == before)
    for what, answer, text in [("fb-new", lana.add("x", "pflana"), "a program that opens a socket"),
                               ("fb-del", lana.remove("alice"), "'alice' is a socket"),
                               ("replace", lana.replace("alice", name(other)), "stands for a socket")]:
        check(f"{what} of a socket is refused", answer.error and text in answer.text, answer)


def rights():
    """Who has CAP_NET_RAW alone gives no names that others may want."""
    code = f"""
import ctypes, socket, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
sock = socket.socket({FAMILY}, socket.SOCK_RAW)
for name in sys.argv[1:]:
    text = struct.pack("=HHiHBB8s32s", {FAMILY}, 0, 0, 0, 0, 0, b"", name.encode())
    print(libc.bind(sock.fileno(), text, len(text)) and ctypes.get_errno(), flush=True)
sys.stdin.read()
"""
    names = [far, "eth9", "socket", "socket1", "x:socket:", "socket:mine"]
    command = ["setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin", sys.executable, "-S", "-c", code,
               *names]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        got = [int(program.stdout.readline()) for _ in names]
        want = [errno.EPERM] * 5 + [0]
        check("without CAP_NET_ADMIN bind() takes names that begin with 'socket:', and no others", got == want, got)
        check("it is there under that", lana.blocks()["socket:mine"].type == "pflana")
        answer = lana.hook(far)
        check("meanwhile a device can be hooked under its own name", not answer.error, answer)
        subprocess.run(["vlink", "ethernet", "unhook", far], check=True)
        program.stdin.close()
    sock = socket.socket(FAMILY, socket.SOCK_RAW)
    number = name(sock).removeprefix("socket:")
    subprocess.run(["ip", "link", "add", f"socket{number}", "type", "dummy"], check=True)
    answer = lana.hook(f"socket{number}")
    check("nor does a generated name stand in the way of a device's", number.isdigit() and not answer.error, answer)
    subprocess.run(["ip", "link", "del", f"socket{number}"], check=True)


def contents():
    """Bytes that a program may still write, checksums that are not there yet."""
    ours = bound()
    only_ours(ours)
    ours.setsockopt(SOL, AUXDATA, 1)
    virtio = witness()
    virtio.setsockopt(263, 15, 1)  # PACKET_VNET_HDR
    flags = []
    for head in struct.pack("BBHHHH", 1, 0, 0, 0, 34, 6), bytes(10):
        virtio.send(head + frame(b"c" * 60))
        control = recvmsg(ours)[1]
        flags += [struct.unpack("IIiHHBB2x", data)[6] for level, kind, data in control if (level, kind) == (SOL, AUXDATA)]
    check("LANA_AUXDATA says that a checksum is not filled in", flags == [2, 0], flags)
    shared = Ring(ours, 4096)
    virtio.send(struct.pack("BBHHHH", 1, 0, 0, 0, 34, 6) + frame(b"c" * 60))
    select.select([ours], [], [], 3)
    word = struct.unpack_from("H", shared.memory, 4096 + 24)[0]
    check("so does a record", word == 2, word)
    shared.memory.close()
    ours.setsockopt(SOL, RING, struct.pack("II", 0, 0))
    ours.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)

    subprocess.run(["ip", "address", "add", "192.0.2.50/24", "dev", far], check=True)
    subprocess.run(["ip", "neigh", "replace", "192.0.2.9", "lladdr", PEER.hex(":"), "dev", far], check=True)
    sender_ = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender_.setsockopt(socket.SOL_SOCKET, SO_ZEROCOPY, 1)
    sender_.connect(("192.0.2.9", 9))
    memory = mmap.mmap(-1, 4096)

    def sent():
        """Sends from the program's own pages, which is told when they are not used any more, and whether they
        were copied."""
        memory[:1000] = b"A" * 1000
        sender_.send(memoryview(memory)[:1000], MSG_ZEROCOPY)
        memory[:1000] = b"B" * 1000
        for _ in range(50):
            try:
                control = sender_.recvmsg(1, 200, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT)[1]
                return struct.unpack("IBBBBII", control[0][2][:16])[1:4:2]
            except BlockingIOError:
                time.sleep(0.02)
        return None

    settled(ours)
    told = sent()
    got = [packet[42:] for packet in settled(ours) if packet[12:14] == b"\x08\x00"]
    check("MSG_ZEROCOPY: what waits at a socket is what was sent", got == [b"A" * 1000], got and got[0][:9])
    check("and the pages are the sender's again", told is not None, told)
    ours.close()
    subprocess.run(["fbctl", "set", device, "batch=on"], check=True)
    told = sent()
    # SO_EE_ORIGIN_ZEROCOPY, and that it was copied.
    check("what waits for a batch is a copy", told is not None and told[1] == 1, told)
    subprocess.run(["fbctl", "set", device, "batch="], check=True)

    ours = bound()
    ours.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    shared = Ring(ours, 1 << 16)
    stream = socket.socket()
    stream.setblocking(False)
    tried(stream.connect, ("192.0.2.9", 9))
    select.select([ours], [], [], 3)
    stamp = struct.unpack_from("Q", shared.memory, 4096 + 8)[0]
    check("a packet of a local TCP has a time stamp of now", abs(stamp / 1e9 - time.time()) < 60, stamp)
    shared.memory.close()
    stream.close()
    subprocess.run(["ip", "address", "flush", "dev", far], check=True)
    subprocess.run(["ip", "neigh", "flush", "dev", far, "nud", "permanent"], check=False)


def priorities():
    """What a program says of the queue that its packets are to wait in."""
    ours, seen = bound(), witness()
    for command in ["qdisc add dev {} root handle 1: htb", "class add dev {} parent 1: classid 1:2 htb rate 1gbit"]:
        subprocess.run(["tc", *command.format(device).split()], check=True)
    ours.setsockopt(socket.SOL_SOCKET, SO_PRIORITY, 0x10002)
    ours.send(frame())
    seen.recv(2000)
    text = subprocess.run(["tc", "-s", "class", "show", "dev", device], stdout=subprocess.PIPE, text=True,
                          check=True).stdout
    check("SO_PRIORITY chooses the class of a queue", " 1 pkt" in text, text)
    subprocess.run(["tc", "qdisc", "del", "dev", device, "root"], check=True)

    def timed():
        try:
            return ours.sendmsg([frame()], [(socket.SOL_SOCKET, SO_TXTIME, struct.pack("Q", time.monotonic_ns()))])
        except OSError as error:
            return errno.errorcode[error.errno]

    got = timed()
    check("SCM_TXTIME without SO_TXTIME is EINVAL", got == "EINVAL", got)
    ours.setsockopt(socket.SOL_SOCKET, SO_TXTIME, struct.pack("iI", time.CLOCK_MONOTONIC, 0))
    got = timed()
    check("with it the packet is sent", got == len(frame()) and seen.recv(2000) == frame(), got)
    if os.environ.get("LANA_LANE") != "x86_64":
        return  # The other test kernels have no queue that looks at the time.
    queue = ["tc", "qdisc", "add", "dev", device, "root", "fq"]
    subprocess.run(queue, check=True)
    start = time.monotonic_ns()
    ours.sendmsg([frame()], [(socket.SOL_SOCKET, SO_TXTIME, struct.pack("Q", start + 400_000_000))])
    came = seen.recv(2000) == frame()
    took = time.monotonic_ns() - start
    check("and, where a queue looks at it, not before its time", came and took >= 400_000_000, came, took)
    subprocess.run(["tc", "qdisc", "del", "dev", device, "root"], check=True)


def gone():
    """The device goes that a socket is bound to."""
    subprocess.run(["ip", "link", "add", "gone0", "type", "veth", "peer", "name", "gone1"], check=True)
    lana.hook("gone0")
    ours, theirs = bound(to="gone0"), socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    theirs.bind(("gone0", TYPE))
    subprocess.run(["ip", "link", "set", "gone0", "up"], check=True)
    poll = select.poll()
    for sock in ours, theirs:
        poll.register(sock, select.POLLIN)
    subprocess.run(["ip", "link", "del", "gone0"], check=True)
    events = [dict(poll.poll(3000)).get(sock.fileno(), 0) & select.POLLERR for sock in (ours, theirs)]
    check("its program is told, as that of a packet socket", events == [select.POLLERR] * 2, events)
    got = [tried(sock.recv, 99) for sock in (ours, theirs)]
    check("by ENETDOWN", got == ["ENETDOWN"] * 2, got)
    ours.setblocking(False)
    check("once", tried(ours.recv, 99) == "EAGAIN")


def edges():
    """Who is told by epoll's edges alone, as asynchronous programs are."""
    ours, seen = bound(), witness()
    only_ours(ours)
    shared = Ring(ours, 1 << 16)
    epoll = select.epoll()
    epoll.register(ours.fileno(), select.EPOLLIN | select.EPOLLET)
    for pause in 0, 100:
        ours.setsockopt(SOL, PAUSE, pause)
        epoll.poll(0)
        seen.send(frame())
        check(f"pause {pause}: an edge tells of a packet", epoll.poll(3) != [])
        head = struct.unpack_from("Q", shared.memory, 0)[0]
        # The reader has looked at the head; one more comes; then it says what it has read.
        seen.send(frame())
        struct.pack_into("Q", shared.memory, 64, head)
        check("so it does of one that comes while the last one is read", epoll.poll(3) != [])
        shared.read()

    # On two CPUs, where there are.
    want, found, silent = 20000 // SLOW, 0, 0
    pid = os.fork()
    if not pid:
        for number in range(want):
            seen.send(frame())
            if number % 7 == 0:
                time.sleep(0.0001)
        os._exit(0)
    until = time.monotonic() + 60
    while found < want and time.monotonic() < until:
        if not epoll.poll(2) and struct.unpack_from("Q", shared.memory, 0) != struct.unpack_from("Q", shared.memory, 64):
            silent += 1
        found += len(shared.read())
        found += struct.unpack("II", ours.getsockopt(SOL, STATISTICS, 8))[1]
    os.waitpid(pid, 0)
    check("and of all that come while it reads on another CPU", found == want and not silent, found, want, silent)


def both_ways():
    raw, seen = bound(), witness()
    raw.send(frame(b"to the wire"))
    got = seen.recvfrom(2000)
    check("what is sent comes out of the device", got[0][:25] == frame(b"to the wire"), got)
    seen.send(frame(b"from the wire", to=PEER))
    got = recvmsg(raw)
    check("what the device receives comes to the socket", got[0][:27] == frame(b"from the wire", to=PEER), got)
    index = socket.if_nametoindex(device)
    check("with who sent it", sender(got) == (TYPE, index, 3, PEER), sender(got))
    raw.close()
    dgram, seen = bound(socket.SOCK_DGRAM), witness()
    got = sendto(dgram, b"hello", address(mac=PEER))
    check("a datagram is sent to an address", got == 5, got)
    got = seen.recv(2000)
    own = bytes.fromhex(read(f"/sys/class/net/{device}/address").strip().replace(":", ""))
    check("under the device's own address", got[:19] == PEER + own + struct.pack(">H", TYPE) + b"hello", got)
    seen.send(frame(b"answer", to=own))
    got = recvmsg(dgram)
    check("a datagram comes without its header", got[0][:6] == b"answer" and sender(got)[2:] == (0, PEER), got)


def receiving():
    """Both families get the same packets, and answer the same."""
    ours, seen = bound(), witness()
    theirs = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    theirs.bind((device, 3))  # ETH_P_ALL: it sees all before LANA does
    theirs.settimeout(3)
    epoll = select.epoll()
    for sock in ours, theirs:
        epoll.register(sock.fileno(), select.EPOLLIN | select.EPOLLOUT)

    def same(what, call):
        # The witness's packets come to the graph; what is sent to the other one comes to the packet socket,
        # which sees it on its way to the wire of its own.
        results = []
        for sock in ours, theirs:
            seen.send(frame(b"y" * 86))
            if sock is theirs:
                ours.recv(2000)
            results.append(call(sock))
            settled(ours), settled(theirs)
        check(what, results[0] == results[1], *results)

    same("recv() takes what there is", lambda s: len(s.recv(2000)))
    same("recv() with too little room cuts", lambda s: s.recv(20))
    same("MSG_TRUNC tells the length", lambda s: s.recv_into(bytearray(20), 20, socket.MSG_TRUNC))
    same("recvmsg() says that it was cut", lambda s: recvmsg(s, 20)[2])
    same("MSG_PEEK leaves it", lambda s: (s.recv(2000, socket.MSG_PEEK) == s.recv(2000)))
    same("recv() of nothing with MSG_DONTWAIT", lambda s: (s.recv(99), done(LIBC.recv(s.fileno(), ctypes.create_string_buffer(9), 9, 0x40)))[1])
    same("a flag that is none", lambda s: tried(s.recv, 99, 0x10000))
    same("MSG_OOB", lambda s: tried(s.recv, 99, socket.MSG_OOB))
    same("a bad pointer", lambda s: done(LIBC.recv(s.fileno(), ctypes.c_void_p(16), 99, 0)))
    same("a bad pointer for the address",
         lambda s: done(LIBC.recvfrom(s.fileno(), ctypes.create_string_buffer(99), 99, 0, ctypes.c_void_p(16),
                                      ctypes.byref(ctypes.c_int(99)))))
    same("poll() says that it can be read and written",
         lambda s: sorted(mask for fd, mask in epoll.poll(0) if fd == s.fileno()))
    same("SIOCINQ", lambda s: ioctl(s, 0x541B))
    same("SIOCOUTQ", lambda s: ioctl(s, 0x5411))
    same("an ioctl that is none", lambda s: ioctl(s, 0x1234))
    same("SO_TYPE", lambda s: s.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE))

    def stamped(sock):
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        control = recvmsg(sock)[1]
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 0)
        for level, kind, data in control:
            if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
                return abs(struct.unpack("qq", data)[0] - time.time()) < 60
        return control

    same("SO_TIMESTAMPNS", stamped)

    def filtered(keep):
        def call(sock):
            program = struct.pack("HBBI", 6, 0, 0, keep)
            text = ctypes.create_string_buffer(program)
            fprog = struct.pack("HxxxxxxP", 1, ctypes.addressof(text))
            settled(sock)
            sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, fprog)
            seen.send(frame(b"z" * 86))
            result = [len(packet) for packet in (time.sleep(0.05), settled(sock))[1]]
            sock.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)
            return result
        return call

    same("a filter that takes nothing", filtered(0))
    same("a filter that takes 30 bytes", filtered(30))
    same("a filter that takes all", filtered(1 << 16))

    def interrupted(sock):
        settled(sock)
        sock.settimeout(None)
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        result = done(LIBC.recv(sock.fileno(), ctypes.create_string_buffer(9), 9, 0))
        sock.settimeout(3)
        return result

    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.siginterrupt(signal.SIGALRM, True)
    same("a signal ends the wait", interrupted)

    for what, call in [
            ("connect()", lambda s: done(LIBC.connect(s.fileno(), address(b"a"), 52))),
            ("listen()", lambda s: tried(s.listen, 1)),
            ("accept()", lambda s: done(LIBC.accept(s.fileno(), None, None))),
            ("shutdown()", lambda s: tried(s.shutdown, socket.SHUT_RDWR)),
            ("getpeername()", lambda s: done(
                LIBC.getpeername(s.fileno(), ctypes.create_string_buffer(99), ctypes.byref(ctypes.c_int(99))))),
            ("splice() from it", lambda s: tried(os.splice, s.fileno(), PIPE[1], 9) if hasattr(os, "splice") else 0),
            ("mmap() without a ring", lambda s: tried(mmap.mmap, s.fileno(), 8192)),
            ("a level that is none", lambda s: tried(s.getsockopt, 77, 1)),
            ("setsockopt() with a bad pointer", lambda s: done(
                LIBC.setsockopt(s.fileno(), SOL if s is ours else 263, AUXDATA if s is ours else 8,
                                ctypes.c_void_p(16), 4))),
            ("setsockopt() that is too short", lambda s: tried(s.setsockopt, SOL if s is ours else 263,
                                                               AUXDATA if s is ours else 8, b"x")),
            ("setsockopt() of an option that is none", lambda s: tried(
                s.setsockopt, SOL if s is ours else 263, 99, 1))]:
        results = [call(sock) for sock in (ours, theirs)]
        check(f"{what} answers what a packet socket does", results[0] == results[1], *results)
    pair = tried(socket.socketpair, FAMILY, socket.SOCK_RAW)
    check("socketpair() is not there", pair in ("EOPNOTSUPP", "ENOTSUP"), pair)


PIPE = os.pipe()


def ioctl(sock, number):
    value = ctypes.c_int(-1)
    result = done(LIBC.ioctl(sock.fileno(), number, ctypes.byref(value)))
    return result or value.value


def many():
    """recvmmsg(), the ancillary data, a queue that is full."""
    ours, seen = bound(), witness()
    for number in range(8):
        seen.send(frame(bytes([number]) * 60))
    time.sleep(0.1)
    ours.setsockopt(SOL, AUXDATA, 1)
    buffers = [ctypes.create_string_buffer(200) for _ in range(8)]
    vectors = (ctypes.c_void_p * 16)(*(x for b in buffers for x in (ctypes.addressof(b), 200)))
    heads = b"".join(struct.pack("PIxxxxPNPNixxxxIxxxx", 0, 0, ctypes.addressof(vectors) + 16 * i, 1, 0, 0, 0, 0)
                     for i in range(8))
    heads = ctypes.create_string_buffer(heads)
    got = done(LIBC.recvmmsg(ours.fileno(), heads, 8, 0, None))
    check("recvmmsg() takes eight", got == 8 and all(b.raw[14] == i for i, b in enumerate(buffers)), got)
    seen.send(frame(b"a" * 60))
    control = recvmsg(ours)[1]
    aux = [struct.unpack("IIiHHB3x", data) for level, kind, data in control if (level, kind) == (SOL, AUXDATA)]
    want = (74, 74, socket.if_nametoindex(device), 0, 0, 0)
    check("LANA_AUXDATA has lengths, device and direction", aux == [want], aux)
    subprocess.run(["ip", "link", "add", "link", far, "name", "vlan7", "type", "vlan", "id", "7"], check=True)
    subprocess.run(["ip", "link", "set", "vlan7", "up"], check=True)
    tagged = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    tagged.bind(("vlan7", TYPE))
    tagged.send(frame())
    while True:  # what Linux says unasked may come first
        data, control, _, _ = recvmsg(ours)
        aux = [struct.unpack("IIiHHB3x", d) for level, kind, d in control if (level, kind) == (SOL, AUXDATA)]
        if data[12:14] == struct.pack(">H", TYPE):
            break
    check("and the VLAN's tag", aux[0][3:5] == (7, 0x8100), aux)
    subprocess.run(["ip", "link", "del", "vlan7"], check=True)
    settled(ours)
    ours.getsockopt(SOL, STATISTICS, 8)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    ours.setsockopt(socket.SOL_SOCKET, SO_RXQ_OVFL, 1)
    drops = lana.blocks()[name(ours)].drops.get("queue-full", 0)
    for _ in range(100):
        seen.send(frame())
    time.sleep(0.2)
    there = len(settled(ours))
    total, lost = struct.unpack("II", ours.getsockopt(SOL, STATISTICS, 8))
    check("a queue that is full drops, and counts", there + lost == total == 100 and lost > 0, there, lost, total)
    counted = lana.blocks()[name(ours)].drops.get("queue-full", 0) - drops
    check("so does the block: queue-full", counted == lost, counted, lost)
    line = next(line.split() for line in read("/proc/net/lana/sockets").splitlines() if line.startswith(name(ours)))
    check("and procfs", int(line[7]) == lost and line[2] == "3", line)
    seen.send(frame())
    control = recvmsg(ours)[1]
    check("SO_RXQ_OVFL tells of it", (1, SO_RXQ_OVFL, struct.pack("I", lost)) in control, control)
    check("reading the statistics sets them back", ours.getsockopt(SOL, STATISTICS, 8) == struct.pack("II", 1, 0))


def sending():
    raw, dgram = bound(), bound(socket.SOCK_DGRAM, far_block())
    loose = socket.socket(FAMILY, socket.SOCK_RAW)
    to = address(mac=PEER)
    for what, got, want in [
            ("nothing", sendto(raw, b"", None, 0), "EINVAL"),
            ("13 bytes", sendto(raw, b"x" * 13, None, 0), "EINVAL"),
            ("too much", sendto(raw, b"x" * 70000, None, 0), "EMSGSIZE"),
            ("as much as can be", sendto(raw, frame(b"x" * 65535), None, 0), 65549),
            ("a socket that is not bound", sendto(loose, frame(), None, 0), "ENOTCONN"),
            ("a datagram without an address", sendto(dgram, b"x", None, 0), "EDESTADDRREQ"),
            ("an address that is too short", sendto(dgram, b"x", to, 12), "EINVAL"),
            ("an address of another family", sendto(dgram, b"x", address(mac=PEER, family=17)), "EAFNOSUPPORT"),
            ("a bad pointer", done(LIBC.send(raw.fileno(), ctypes.c_void_p(16), 99, 0)), "EFAULT"),
            ("a bad pointer in pages", done(LIBC.send(raw.fileno(), ctypes.c_void_p(16), 9999, 0)), "EFAULT"),
            ("an address at a bad pointer", done(LIBC.sendto(dgram.fileno(), b"x", 1, 0, ctypes.c_void_p(16), 52)),
             "EFAULT")]:
        check(f"sending {what}: {want}", got == want, got)
    check("what was not sent does not stay", ioctl(raw, 0x5411) == 0)
    # A device that is slow: what waits there is the sender's.
    subprocess.run(["tc", "qdisc", "add", "dev", device, "root", "tbf", "rate", "16kbit", "burst",
                    "2000", "limit", "1000000"], check=True)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4608)
    raw.setblocking(False)
    count = 0
    while tried(raw.send, frame(b"x" * 1000)) == 1014 and count < 1000:
        count += 1
    check("SO_SNDBUF holds who sends too fast", tried(raw.send, frame()) == "EAGAIN" and 0 < count < 20, count)
    check("poll() says so", not select.select([], [raw], [], 0)[1])
    check("and when there is room again", raw in select.select([], [raw], [], 20)[1])
    subprocess.run(["tc", "qdisc", "del", "dev", device, "root"], check=True)


def far_block():
    """The far end of the wire, hooked as well: what comes there comes to who is on top of it."""
    lana.hook(far)
    return far


class Ring:
    """A ring, as include/uapi/linux/lana_socket.h says."""

    def __init__(self, sock, size):
        self.sock, self.size = sock, size
        sock.setsockopt(SOL, RING, struct.pack("II", size, 0))
        self.memory = mmap.mmap(sock.fileno(), 4096 + size)

    def read(self, limit=None):
        packets = []
        head, tail = struct.unpack_from("Q", self.memory, 0)[0], struct.unpack_from("Q", self.memory, 64)[0]
        while tail != head and (limit is None or len(packets) < limit):
            at = 4096 + tail % self.size
            snap, length, _, index, tci, _, flags, way, kind, drops = struct.unpack_from("IIQiHHHBBI",
                                                                                         self.memory, at)
            if not flags & 1:
                packets.append((self.memory[at + 32:at + 32 + snap], length, index, tci, way, kind, drops))
            tail += (32 + snap + 31) & ~31
        struct.pack_into("Q", self.memory, 64, tail)
        return packets


def ring():
    ours, seen = bound(), witness()
    for what, option, want in [("a size that is no power of two", struct.pack("II", 5000, 0), "EINVAL"),
                               ("a size below a page", struct.pack("II", 2048, 0), "EINVAL"),
                               ("a size beyond all bounds", struct.pack("II", 1 << 31, 0), "EINVAL"),
                               ("a flag", struct.pack("II", 4096, 1), "EINVAL"),
                               ("half an option", b"1234", "EINVAL")]:
        got = tried(ours.setsockopt, SOL, RING, option)
        check(f"a ring of {what} is {want}", got == want, got)
    got = tried(socket.socket(FAMILY, socket.SOCK_DGRAM).setsockopt, SOL, RING, struct.pack("II", 4096, 0))
    check("a ring for datagrams is not there", got in ("EOPNOTSUPP", "ENOTSUP"), got)
    shared = Ring(ours, 4096)
    for length, offset in [(4096, 0), (12288, 0), (4096, 4096)]:
        got = tried(lambda l=length, o=offset: mmap.mmap(ours.fileno(), l, offset=o))
        check(f"a mapping of {length} bytes at {offset} is refused", got == "EINVAL", got)
    got = tried(ours.setsockopt, SOL, RING, struct.pack("II", 0, 0))
    check("a ring that is mapped stays", got == "EBUSY", got)
    check("poll() says that there is nothing", not select.select([ours], [], [], 0)[0])
    sizes = [50 + 37 * i % 700 for i in range(200)]
    good = 0
    for number, size in enumerate(sizes):
        data = frame(bytes([number]) * size)
        seen.send(data)
        select.select([ours], [], [], 3)
        good += [packet[0] for packet in shared.read()] == [data]
    check("packets of all sizes come by the ring, round and round", good == len(sizes), good)
    seen.send(frame(b"q" * 46))
    select.select([ours], [], [], 3)
    packet = shared.read()[0]
    check("each says where it comes from", packet[1:3] + packet[4:6] == (60, socket.if_nametoindex(device), 0, 1) or
          packet[1:3] + packet[4:6] == (60, socket.if_nametoindex(device), 0, 3), packet)
    ours.getsockopt(SOL, STATISTICS, 8)
    for _ in range(200):
        seen.send(frame())
    time.sleep(0.2)
    there = len(shared.read())
    total, lost = struct.unpack("II", ours.getsockopt(SOL, STATISTICS, 8))
    check("a ring that is full drops, and counts", there + lost == total == 200 and lost > 0, there, lost, total)
    for value in [1, 1 << 63, (1 << 64) - 1, struct.unpack_from("Q", shared.memory, 0)[0] + 32]:
        struct.pack_into("Q", shared.memory, 64, value)
        for _ in range(50):
            seen.send(frame())
    select.select([ours], [], [], 0)
    check("whatever the program writes there, the kernel is not led astray", True)
    struct.pack_into("Q", shared.memory, 64, struct.unpack_from("Q", shared.memory, 0)[0])
    seen.send(frame(b"again" * 10))
    select.select([ours], [], [], 3)
    check("and goes on", [p[0] for p in shared.read()] == [frame(b"again" * 10)])
    shared.memory.close()
    check("a ring can be given up", tried(ours.setsockopt, SOL, RING, struct.pack("II", 0, 0)) is None)
    seen.send(frame())
    check("then recv() works again", ours.recv(2000) == frame())
    shared = Ring(ours, 1 << 16)
    ours.close()
    check("a mapping outlives close()", shared.read() == [])
    shared.memory.close()


def only_ours(sock):
    """A filter, so that what Linux says unasked does not come between."""
    lines = [(0x28, 0, 0, 12), (0x15, 0, 1, TYPE), (6, 0, 0, 1 << 16), (6, 0, 0, 0)]
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in lines))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HxxxxxxP", 4, ctypes.addressof(program)))


def blocks():
    """A ring of more than one MiB."""
    ours, seen = bound(), witness()
    only_ours(ours)
    shared, want = Ring(ours, 2 << 20), 3200 // min(SLOW, 2)
    numbers, across, sent = [], 0, 0
    while sent < want:
        before = struct.unpack_from("Q", shared.memory, 64)[0]
        with one_cpu():
            for sent in range(sent + 1, sent + 101):
                seen.send(frame(struct.pack("I", sent) * 350))
        quiesce()
        got = shared.read()
        across += before >> 20 != struct.unpack_from("Q", shared.memory, 64)[0] >> 20
        numbers += [struct.unpack_from("I", packet[0], 14)[0] for packet in got
                    if packet[0][14:] == packet[0][14:18] * 350]
    check("packets come whole and in order, from one MiB to the next", numbers == list(range(1, sent + 1)) and
          across > 1, len(numbers), sent, across)


def pauses():
    """Who waits for a ring is woken by the first packet, and then not too often, nor too late."""
    ours, seen = bound(), witness()
    only_ours(ours)
    check("the pause of a ring is 100 us", ours.getsockopt(SOL, PAUSE) == 100)
    for value in -1, 1000001, b"x", b"":
        got = tried(ours.setsockopt, SOL, PAUSE, value)
        check(f"a pause of {value} is EINVAL", got == "EINVAL", got)
    check("which changes nothing", ours.getsockopt(SOL, PAUSE) == 100)
    shared = Ring(ours, 1 << 14)

    def waited(count):
        """Seconds until who waits is told of packets that come while it sleeps, and how many it finds."""
        def send():
            for _ in range(count):
                seen.send(frame())
        timer = threading.Timer(0.1, send)
        begun = time.monotonic()
        timer.start()
        ready = select.select([ours], [], [], 5)[0]
        took = time.monotonic() - begun
        found = len(shared.read())
        timer.join()
        return took, found if ready else None

    ours.setsockopt(SOL, PAUSE, 1000000)
    check("a pause is what was set", ours.getsockopt(SOL, PAUSE) == 1000000)

    def first():
        """Nobody was woken for longer than the pause."""
        shared.read()
        time.sleep(1.2)
        took, found = waited(1)
        return took < 0.6 and found == 1, took, found

    def others():
        first()
        took, found = waited(3)
        return 0.6 < took < 3 and found == 3, took, found

    def crowd():
        first()
        took, found = waited(60)
        return took < 0.6 and found >= 43, took, found

    def awake():
        seen.send(frame())
        return select.select([ours], [], [], 0)[0] and len(shared.read()) == 1,

    def each():
        took, found = waited(1)
        return took < 0.6 and found == 1, took, found

    check("the first packet wakes who waits", *in_time(first))
    check("those that follow at once do so together, after the pause", *in_time(others))
    check("who does not wait sees them at once", *in_time(awake))
    check("nor does it wait for the pause when a quarter of the ring is full", *in_time(crowd))
    check("who came last was long ago: woken at once", *in_time(first))
    ours.setsockopt(SOL, PAUSE, 0)
    check("without a pause each wakes", *in_time(each))

    # Whoever is still to be woken, what it waits for can go.
    shared.memory.close()
    ours.close()
    for way in "closed", "given up", "made anew", "killed":
        pid = os.fork()
        if not pid:
            sock = bound()
            only_ours(sock)
            sock.setsockopt(SOL, PAUSE, 200000)
            own = Ring(sock, 4096)
            for _ in range(2):
                seen.send(frame())
                told = bool(own.read())
            own.memory.close()
            if way == "closed":
                sock.close()
            elif way != "killed":
                sock.setsockopt(SOL, RING, struct.pack("II", 8192 if way == "made anew" else 0, 0))
                time.sleep(0.3)
            os._exit(not told)
        check(f"a socket is {way} while who waits is to be woken", os.waitpid(pid, 0)[1] == 0)
    time.sleep(0.3)


def flood():
    """A ring at full rate."""
    ours = bound()
    # Longer than many packets take, also where one takes a millisecond.
    ours.setsockopt(SOL, PAUSE, 10000 if SLOW < 50 else 100000)
    shared = Ring(ours, 1 << 20)
    load = Load().add(far, 0).start()
    read_so_far = woken = 0
    until = time.monotonic() + 1
    while time.monotonic() < until:
        woken += bool(select.select([ours], [], [], 3)[0])
        read_so_far += len(shared.read())
    load.stop()
    while select.select([ours], [], [], 0.2)[0]:
        read_so_far += len(shared.read())
    total, lost = struct.unpack("II", ours.getsockopt(SOL, STATISTICS, 8))
    check("at full rate all is read, or counted as lost", 0 < read_so_far == total - lost, read_so_far, total, lost)
    print(f"# {total} packets, {lost} lost, woken {woken} times")
    check("and who waits is woken for many at a time", 0 < woken * 4 < total, woken, total)


def churn():
    """Sockets come, go and are killed, while packets arrive at full rate and the graph is rewired."""
    want = 1000 if LONG else 1000 // SLOW
    counts = {"opened": 0, "killed": 0, "rewired": 0}
    lana.add("fork", "tee")
    lana.bind("fork", device)
    load = Load().add(far, 0).start()

    def opener(mine):
        socks = [socket.socket(FAMILY, socket.SOCK_RAW) for _ in range(20)]
        for sock in socks:
            mine.bind(name(sock), "fork")
        tried(socks[0].send, frame())
        for sock in socks:
            sock.close()
        counts["opened"] += 20

    def killer(_):
        pid = os.fork()
        if not pid:
            mine = Lana()
            socks = [socket.socket(FAMILY, socket.SOCK_RAW) for _ in range(10)]
            mine.bind(name(socks[0]), "fork")
            mine.bind(name(socks[1]), "fork")
            rings = [Ring(socks[1], 8192)]
            os.kill(os.getpid(), signal.SIGKILL)
            del rings
        os.waitpid(pid, 0)
        counts["killed"] += 10

    def rewirer(mine):
        for kind, *pair in [("UNBIND", "fork", device), ("BIND", "probe", device), ("BIND", "fork", "probe"),
                            ("UNBIND", "fork", "probe"), ("UNBIND", "probe", device), ("BIND", "fork", device)]:
            mine.do(kind, *pair)
        counts["rewired"] += 1

    def repeat(what):
        mine = Lana()
        while min(counts["opened"], counts["killed"]) < want:
            what(mine)

    lana.add("probe", "dummy")
    threads = [threading.Thread(target=repeat, args=(what,)) for what in (opener, killer, rewirer)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    packets = sum(load.stop().values())
    print(f"# {counts}, {packets} packets")
    left = [n for n in lana.names() if n not in ("fork", "probe", device, far)]
    check("sockets opened, closed and killed under load leave nothing", not left and all(counts.values()) and packets,
          left, counts)
    lana.unbind("fork", device)
    lana.remove("fork")
    lana.remove("probe")


leaks = Leaks()
for part in (opening, naming, rights, both_ways, receiving, many, contents, priorities, gone, sending, ring, blocks,
             pauses, edges, flood, churn):
    part()
leaks.check()
end()
