"""Writes archives/: ZIP and gzip files of Python's making, for the tests of Storage.

    python archives.py
"""

import gzip
import io
import zipfile
from pathlib import Path

FOLDER = Path(__file__).parent / "archives"
TEXT = b"".join(b"line %d\n" % i for i in range(1000))
BYTES = bytes(i * i % 251 for i in range(300))


class Pipe(io.RawIOBase):
    """A target without places, so that sizes and checksums follow the contents."""

    def __init__(self):
        self.written = bytearray()

    def writable(self):
        return True

    def write(self, data):
        self.written += data
        return len(data)


def entry(name, method):
    info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    info.compress_type = method
    return info


def archive(target, force64=False):
    with zipfile.ZipFile(target, "w") as file:
        for name, contents, method in (("folder/text.txt", TEXT, zipfile.ZIP_DEFLATED),
                                       ("bytes", BYTES, zipfile.ZIP_STORED),
                                       ("empty", b"", zipfile.ZIP_DEFLATED)):
            with file.open(entry(name, method), "w", force_zip64=force64) as sink:
                sink.write(contents)
        file.comment = b"a comment"


def main():
    FOLDER.mkdir(exist_ok=True)
    archive(FOLDER / "deflate.zip")
    archive(FOLDER / "zip64.zip", force64=True)
    pipe = Pipe()
    archive(pipe)
    (FOLDER / "streamed.zip").write_bytes(pipe.written)
    # Python writes zip64's end records only where they are needed: 65536 entries need them.
    zipfile.ZIP_FILECOUNT_LIMIT = 2
    archive(FOLDER / "zip64-end.zip")
    members = gzip.compress(TEXT, mtime=0) + gzip.compress(BYTES, mtime=0)
    (FOLDER / "two.gz").write_bytes(members)


if __name__ == "__main__":
    main()
