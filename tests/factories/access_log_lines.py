"""Lines of access logs as a load balancer writes them."""

from pathlib import Path

SAMPLES_DIR = Path(__file__).parent.parent / "samples" / "access_logs"
TARGET_GROUP_ARN = "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:targetgroup/photo-ecs/73e2d6bc24d8a067"


def access_log_line(
    request: str = "GET https://photo.example.com:443/photos/8812?token=secret HTTP/2.0",
    *,
    elb: str = "200",
    target: str = "200",
    latency: str = "0.042",
    time: str = "2026-09-21T14:18:03.186641Z",
    group: str = TARGET_GROUP_ARN,
    agent: str = "Mozilla/5.0 (X11; Linux x86_64)",
    protocol: str = "h2",
    target_port: str = "10.0.1.7:8080",
    times: tuple[str, str] = ("0.000", "0.000"),
    sent_bytes: int = 366,
    trailing_fields: str = '"Root=1-58337262-36d228ad5d99923122bbe354" "-" "-" 0 2026-09-21T14:18:03.000000Z "forward" "-" "-" "10.0.1.7:8080" "200" "-" "-"',
) -> str:
    """A line; `times`: request_processing_time and response_processing_time."""
    return (
        f"{protocol} {time} app/photo/50dc6c495c0c9188 203.0.113.9:2817 {target_port} {times[0]} {latency} {times[1]} {elb} {target} 34 {sent_bytes}"
        f' "{request}" "{agent}" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 {group} {trailing_fields}\n'
    )
