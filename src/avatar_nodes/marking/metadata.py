"""Writes and finds metadata that a file was made by a machine, in the terms of IPTC and C2PA.

The term is `trainedAlgorithmicMedia` of IPTC's digital source types, which C2PA's assertions use
too. MP4 files get it twice: in their `comment`, and as XMP in a `uuid` box (Adobe, XMP
Specification Part 3), where picture and video tools look for `Iptc4xmpExt:DigitalSourceType`.
"""

from __future__ import annotations

import struct
from pathlib import Path

DIGITAL_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
COMMENT = f"AI generated. DigitalSourceType: {DIGITAL_SOURCE_TYPE}"

_XMP_BOX = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_XMP = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
    Iptc4xmpExt:DigitalSourceType="{DIGITAL_SOURCE_TYPE}"/>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>
"""
_SOURCE_TYPES = "digitalsourcetype/"
_MADE_BY_MACHINE = (b"trainedAlgorithmicMedia", b"compositeWithTrainedAlgorithmicMedia")
_READ_BYTES = 4 << 20


def xmp_box() -> bytes:
    """A box to be appended to an MP4 file, XMP in it."""
    body = _XMP_BOX + _XMP.encode()
    return struct.pack(">I4s", 8 + len(body), b"uuid") + body


def source_type(path: Path) -> str | None:
    """IPTC's digital source type where a file claims to be made by a machine, in any form (comment,
    XMP, C2PA manifest), anywhere in its first or last 4 MiB; None: it makes no such claim.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        content = file.read(_READ_BYTES)
        size = file.seek(0, 2)
        file.seek(max(len(content), size - _READ_BYTES))
        content += file.read()
    for term in _MADE_BY_MACHINE:
        if _SOURCE_TYPES.encode() + term in content:
            return f"http://cv.iptc.org/newscodes/{_SOURCE_TYPES}{term.decode()}"
    return None
