"""How far the program is with opening the archive of this process, for what runs before ui.app_context is imported."""

import threading

notice_shown, archive_opened = threading.Event(), threading.Event()
