"""The page that most teams would write first, for comparison: every viewer asks CloudWatch for every chart's whole window at every refresh."""

import os
from datetime import UTC, datetime, timedelta

import boto3
import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from plotly.subplots import make_subplots

REFRESH_S = 15
HOURS = float(os.environ.get("NAIVE_HOURS", "3"))
LOAD_BALANCER = os.environ["NAIVE_LOAD_BALANCER"]  # app/photo/50dc6c495c0c9188
FLEETS = {
    "EC2": os.environ["NAIVE_BASELINE"],
    "ECS": os.environ["NAIVE_CANARY"],
}  # targetgroup/photo-ec2/73e2d6bc24d8a067


def pull(metrics: list[tuple[str, str]]) -> pd.DataFrame:
    """(metric, statistic) of both fleets, minute by minute: one column for each, `EC2 RequestCount`."""
    cloudwatch = boto3.client("cloudwatch")
    end = datetime.now(UTC).replace(second=0, microsecond=0)
    queries = []
    for fleet, target_group in FLEETS.items():
        for metric, stat in metrics:
            dimensions = [
                {"Name": "TargetGroup", "Value": target_group},
                {"Name": "LoadBalancer", "Value": LOAD_BALANCER},
            ]
            queries.append(
                {
                    "Id": f"{fleet.lower()}_{metric.lower()}",
                    "Label": f"{fleet} {metric}",
                    "MetricStat": {
                        "Metric": {"Namespace": "AWS/ApplicationELB", "MetricName": metric, "Dimensions": dimensions},
                        "Period": 60,
                        "Stat": stat,
                    },
                }
            )
    columns: dict[str, dict[datetime, float]] = {}
    pages = cloudwatch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=queries, StartTime=end - timedelta(hours=HOURS), EndTime=end, ScanBy="TimestampAscending"
    )
    for page in pages:
        for result in page["MetricDataResults"]:
            fleet, _, metric = result["Id"].partition("_")
            columns.setdefault(f"{fleet} {metric}", {}).update(zip(result["Timestamps"], result["Values"], strict=True))
    frame = pd.DataFrame(columns).sort_index()
    for fleet in FLEETS:
        for metric, _ in metrics:
            if f"{fleet} {metric}".lower() not in frame:
                frame[f"{fleet} {metric}".lower()] = float("nan")
    return frame


def draw(title: str, baseline: pd.Series, canary: pd.Series) -> None:
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.7, 0.3])
    figure.add_trace(go.Scatter(x=baseline.index, y=baseline, name="EC2"), row=1, col=1)
    figure.add_trace(go.Scatter(x=canary.index, y=canary, name="ECS", line={"dash": "dash"}), row=1, col=1)
    figure.add_trace(go.Scatter(x=baseline.index, y=canary - baseline, name="ECS − EC2"), row=2, col=1)
    figure.update_layout(title=title, height=300, hovermode="x unified")
    st.plotly_chart(figure, key=title)


@st.fragment(run_every=REFRESH_S)
def charts() -> None:
    left, right = st.columns(2)
    with left:
        frame = pull([("RequestCount", "Sum"), ("HTTPCode_Target_5XX_Count", "Sum")])
        rates = [
            frame[f"{fleet} httpcode_target_5xx_count"].fillna(0) / frame[f"{fleet} requestcount"] * 100
            for fleet in ("ec2", "ecs")
        ]
        draw("Error rate, %", *rates)
    with right:
        frame = pull([("TargetResponseTime", "p95")]) * 1000
        draw("Latency p95, ms", frame["ec2 targetresponsetime"], frame["ecs targetresponsetime"])
    left, right = st.columns(2)
    with left:
        frame = 100 - pull([("TargetResponseTime", "PR(:0.3)")])
        draw("Slower than 0.3 s, %", frame["ec2 targetresponsetime"], frame["ecs targetresponsetime"])
    with right:
        frame = pull([("RequestCount", "Sum")])
        draw("Requests a minute", frame["ec2 requestcount"], frame["ecs requestcount"])


st.set_page_config(page_title="Naive", layout="wide")
st.title("Photo service: EC2 → ECS")
charts()
