"""Writes compound files (MS-CFB), the format of old Word, Excel and PowerPoint files."""

import struct

_END, _FREE, _OF_TABLE, _NONE = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD, 0xFFFFFFFF


def compound(streams: dict[str, bytes], *, left_over: bytes = b"") -> bytes:
    """Returns a compound file with these streams, at most about 60 KB, because it has one table sector.

    The sectors have 512 octets, and those of the streams alternate. Streams below 4,096 octets are in the mini stream;
    `left_over` is in a free sector.
    """
    small = {name: content for name, content in streams.items() if len(content) < 4_096}
    mini, mini_table, first = b"", list[int](), dict[str, int]()
    for name, content in small.items():
        first[name] = len(mini_table)
        many = -(-len(content) // 64)
        mini_table += [*range(len(mini_table) + 1, len(mini_table) + many), _END]
        mini += content.ljust(many * 64, b"\0")
    packed_table = struct.pack(f"<{len(mini_table)}L", *mini_table)
    packed_table = packed_table.ljust(-(-len(packed_table) // 512) * 512, b"\xff")
    entries = [_entry("Root Entry", 5, 1 if streams else _NONE, 0, len(mini))]
    parts = {"mini": mini, "mini table": packed_table, "directory": bytes(128 * (len(streams) + 4) // 512 * 512)}
    parts |= {name: content for name, content in streams.items() if name not in small}
    table, sectors = [_OF_TABLE], [b""]
    heads, tails = dict[str, int](), dict[str, int]()
    chunks = {name: [content[at : at + 512] for at in range(0, len(content), 512)] for name, content in parts.items()}
    for turn in range(max(map(len, chunks.values()))):
        for name, pieces in chunks.items():
            if turn < len(pieces):
                if name in tails:
                    table[tails[name]] = len(sectors)
                heads.setdefault(name, len(sectors))
                tails[name] = len(sectors)
                table.append(_END)
                sectors.append(pieces[turn].ljust(512, b"\0"))
    if left_over:
        table.append(_FREE)
        sectors.append(left_over.ljust(512, b"\0"))
    entries[0] = _entry("Root Entry", 5, 1, heads.get("mini", _END), len(mini))
    for number, (name, content) in enumerate(streams.items(), 1):
        following = number + 1 if number < len(streams) else _NONE
        entries.append(_entry(name, 2, _NONE, first.get(name, heads.get(name, _END)), len(content), following))
    listed = b"".join(entries).ljust(len(parts["directory"]), b"\0")
    at, number = heads["directory"], 0
    while at != _END:
        sectors[at], at, number = listed[number : number + 512], table[at], number + 512
    sectors[0] = struct.pack(f"<{len(table)}L", *table).ljust(512, b"\xff")
    head = struct.pack(
        "<8s16xHHHHH6xLLL4xLLLLL",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        0x3E,
        3,
        0xFFFE,
        9,
        6,
        0,
        1,
        heads["directory"],
        4_096,
        heads.get("mini table", _END),
        len(packed_table) // 512,
        _END,
        0,
    )
    return head + struct.pack("<109L", 0, *[_NONE] * 108) + b"".join(sectors)


def _entry(name: str, kind: int, child: int, first: int, size: int, right: int = _NONE) -> bytes:
    wide = name.encode("utf-16-le") + b"\0\0"
    return struct.pack("<64sHBBLLL16xL16xLQ", wide, len(wide), kind, 1, _NONE, right, child, 0, first, size)
