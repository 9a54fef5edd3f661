"""Runs a command beside a PostgreSQL of its own, whose address is in CHINWAG_TEST_ENGINE."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from engines import ACCOUNT, Engine

scratch = pathlib.Path(tempfile.mkdtemp())
engine = None
try:
    if ACCOUNT:
        os.chown(scratch, ACCOUNT.pw_uid, ACCOUNT.pw_gid)
        scratch.chmod(0o755)
    engine = Engine(scratch, "one")
    address = engine.address(rest="?sslmode=disable")
    sys.exit(subprocess.run(sys.argv[1:], env={**os.environ, "CHINWAG_TEST_ENGINE": address}).returncode)
finally:
    if engine:
        engine.stop()
    shutil.rmtree(scratch, ignore_errors=True)
