"""The least page with the charts of Live: a sentence, and four charts of three hours; no source is asked."""

from datetime import UTC, datetime, timedelta

import numpy as np
import plotly.graph_objects as go
import streamlit as st
from plotly.subplots import make_subplots

MINUTES = 180


def figure(title: str, seed: int) -> go.Figure:
    """Both fleets, and below them their difference."""
    rng, end = np.random.default_rng(seed), datetime.now(UTC).replace(second=0, microsecond=0)
    times = [end - timedelta(minutes=ago) for ago in range(MINUTES, 0, -1)]
    baseline, canary = rng.gamma(20, 0.05, (2, MINUTES))
    drawn = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.7, 0.3])
    drawn.add_trace(go.Scatter(x=times, y=baseline, name="EC2"), row=1, col=1)
    drawn.add_trace(go.Scatter(x=times, y=canary, name="ECS"), row=1, col=1)
    drawn.add_trace(go.Scatter(x=times, y=canary - baseline, name="ECS − EC2"), row=2, col=1)
    drawn.update_layout(title=title, height=300, hovermode="x unified")
    return drawn


st.set_page_config(page_title="Bare", layout="wide")
st.title("CONTINUE")
for left, right in (("Error rate", "Latency"), ("Slow answers", "Requests")):
    for column, name in zip(st.columns(2), (left, right), strict=True):
        column.plotly_chart(figure(name, len(name)), key=name)
