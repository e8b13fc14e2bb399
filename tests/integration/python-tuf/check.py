"""Refreshes with python-tuf, downloads a target and compares it with a file, byte for byte.

    python3 check.py URL METADATA-DIR ROOT TARGET FILE

URL is where metadata/ and targets/ are served. METADATA-DIR is the client's memory: the first run
puts ROOT there, later runs go on from what is there. Exit code 0: the same bytes; 1: not.
"""
import os
import sys
import tempfile

import cryptography.hazmat.primitives.asymmetric.types as types

# Two names that came with cryptography 40; Debian 12 has 38.
for new, old in (("PublicKeyTypes", "PUBLIC_KEY_TYPES"), ("PrivateKeyTypes", "PRIVATE_KEY_TYPES")):
    if not hasattr(types, new):
        setattr(types, new, getattr(types, old))

from tuf.ngclient import Updater  # noqa: E402  behind the names it needs


def main():
    if len(sys.argv) != 6:
        print("usage: check.py URL METADATA-DIR ROOT TARGET FILE", file=sys.stderr)
        return 2
    url, metadata_dir, root, name, file = sys.argv[1:]
    os.makedirs(metadata_dir, exist_ok=True)
    bootstrap = None
    if not os.path.exists(os.path.join(metadata_dir, "root.json")):
        with open(root, "rb") as f:
            bootstrap = f.read()
    with tempfile.TemporaryDirectory() as target_dir:
        try:
            updater = Updater(
                metadata_dir,
                f"{url}/metadata/",
                target_dir,
                f"{url}/targets/",
                bootstrap=bootstrap,
            )
            updater.refresh()
            info = updater.get_targetinfo(name)
            if info is None:
                raise ValueError(f"{name}: no such target")
            with open(updater.download_target(info), "rb") as f:
                got = f.read()
        except Exception as error:  # whatever it is, it is no success
            print(f"check.py: {type(error).__name__}: {error}", file=sys.stderr)
            return 1
    with open(file, "rb") as f:
        if got != f.read():
            print(f"check.py: {name}: not the bytes of {file}", file=sys.stderr)
            return 1
    print(f"{name}: {len(got)} bytes, as published")
    return 0


sys.exit(main())
