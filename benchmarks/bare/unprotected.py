"""The same pages and health check without the program's middleware: what Streamlit does by itself."""

from pathlib import Path

import streamlit as st
from starlette.routing import Route

from dashboard import endpoints, lifespan

ROOT = Path(__file__).parent.parent.parent

app = st.App(str(ROOT / "pages" / "__init__.py"), lifespan=lifespan, routes=[Route("/healthz", endpoints)])
