"""Forward frames between an untagged interface and a trunk: tagger.py ACCESS TRUNK TPID:TCI...

Kernels of test machines often lack VLAN devices. Tags, outermost first, are
pushed toward the trunk and popped from it; frames with other tags are dropped.
A kernel takes the outermost tag out of the frame and reports it beside it
(PACKET_AUXDATA), so it is put back before comparing.
"""
import select
import socket
import struct
import sys

ETH_P_ALL, SOL_PACKET, PACKET_AUXDATA, PACKET_OUTGOING = 3, 263, 8, 4
TP_STATUS_VLAN_VALID, TP_STATUS_VLAN_TPID_VALID = 0x10, 0x40


def listen(name):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    s.bind((name, 0))
    s.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    s.setsockopt(SOL_PACKET, 1, struct.pack("iHH8s", socket.if_nametoindex(name), 1, 0, b""))  # promiscuous
    return s


def receive(s):
    frame, aux, _, address = s.recvmsg(65536, 256)
    if address[2] == PACKET_OUTGOING:
        return None
    for level, kind, data in aux:
        if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
            status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH", data[:20])
            if status & TP_STATUS_VLAN_VALID:
                tpid = tpid if status & TP_STATUS_VLAN_TPID_VALID else 0x8100
                frame = frame[:12] + struct.pack("!HH", tpid, tci) + frame[12:]
    return frame


access, trunk = listen(sys.argv[1]), listen(sys.argv[2])
tags = b"".join(struct.pack("!HH", *(int(x, 16) for x in t.split(":"))) for t in sys.argv[3:])
while True:
    for s in select.select([access, trunk], [], [])[0]:
        frame = receive(s)
        if frame is None:
            continue
        if s is access:
            trunk.send(frame[:12] + tags + frame[12:])
        elif frame[12 : 12 + len(tags)] == tags:
            access.send(frame[:12] + frame[12 + len(tags) :])
