"""A Hub to try things by hand: python -m tests.hub [PORT [FOLDER OF DATASETS]]"""

import sys
import threading
from pathlib import Path

from tests.hub.server import serving
from tests.hub.store import User

TOKEN = "hf_" + "a" * 34

port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
with serving(port, Path(sys.argv[2]) if len(sys.argv) > 2 else None) as hub:
    hub.store.users[TOKEN] = User("anna", ("the-choir",))
    print(f"export HF_ENDPOINT={hub.endpoint} HF_HUB_DISABLE_XET=1 HF_TOKEN={TOKEN}", flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        for method, path, status in hub.log:
            print(status, method, path)
