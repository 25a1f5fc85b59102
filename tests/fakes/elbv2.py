"""Elastic Load Balancing on loopback: moto, with exact weights, behind a layer for what moto does not have: unhealthy targets, paging, and every fault."""

import io
import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Self
from urllib.parse import parse_qs, unquote_to_bytes, urlencode
from urllib.request import Request, urlopen
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import boto3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server
from werkzeug.test import run_wsgi_app

from domain import Aws, Fleet, Migration
from domain.config.models import Fleets
from tests.fakes.http import ErrorReply, LoopbackServer

REGION = "ap-northeast-1"
WEIGHTS: Mapping[str, int] = {"photo-ec2": 90, "photo-ecs": 10}
XMLNS = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"
THROTTLED: ErrorReply = (400, "Throttling", "Rate exceeded")
EXPIRED: ErrorReply = (403, "ExpiredToken", "The security token included in the request is expired")
UNKNOWN_KEY: ErrorReply = (403, "InvalidClientTokenId", "The security token included in the request is invalid.")
INTERNAL_FAILURE: ErrorReply = (500, "InternalFailure", "The request processing has failed because of an unknown error")

_SETUP_ACCESS_KEY = "AKIAWORLDSOWNBUILDER"  # of the fake's own calls, which no fault affects
_DEFAULT_RULE_ID = b"d0d0d0d0d0d0d0d0"
_PAGED_ELEMENTS = ("Listeners", "Rules", "TargetGroups")


def access_denied(action: str) -> ErrorReply:
    """AWS's reply to a user without the permission."""
    who = "arn:aws:sts::123456789012:assumed-role/viewer/session"
    return (403, "AccessDenied", f"User: {who} is not authorized to perform: elasticloadbalancing:{action}")


def target(ip: str, state: str, reason: str = "", description: str = "", port: int = 80) -> dict[str, str]:
    """One target, for `Elbv2World.health`."""
    return {"Id": ip, "Port": str(port), "State": state, "Reason": reason, "Description": description}


class FakeElbv2(LoopbackServer):
    """The load balancer "photo": HTTP:80 redirects, HTTPS:443 forwards 90 : 10 to photo-ec2 and photo-ecs.

    One at a time in a process: moto keeps its state in module variables. Its ARNs are the same every time. `set_weights`, `add_rule`, …
    change the state through boto3; the faults are plain attributes; `reset` reverts all of it.
    """

    def __init__(self, *, port: int = 0) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)
        super().__init__(
            make_server("127.0.0.1", port, self._handle, threaded=True, request_handler=QuietRequestHandler)
        )
        self.groups: dict[str, str] = {}  # name → ARN
        self.load_balancer = self.listener = self.redirecting_listener = self.rule = ""
        self._added_rules: list[str] = []
        self._default_ids: dict[
            bytes, bytes
        ] = {}  # listener-rule/app/photo/50dc…/f2f7… → moto's id of its default rule
        self._reset_faults()

    def _reset_faults(self) -> None:
        self.access_keys: set[str] | None = None  # the known AWS_ACCESS_KEY_IDs; None: any
        self.errors: dict[str, ErrorReply] = {}  # action, or "*" → its reply
        self.errors_by_parameter: dict[str, ErrorReply] = {}  # any value in a request, such as a name → its reply
        self.target_health: dict[str, Sequence[Mapping[str, str]]] = {}  # a group's name → targets, instead of moto's
        self.page_size = 0  # if the caller gives none; 0: no paging
        self.hang: dict[str, threading.Event] = {}  # an action, or "*" → its requests wait for it
        self.raw_replies: dict[str, bytes] = {}  # an action → the body of its replies, with status 200
        self.clock_skew_s = 0.0  # added to the Date header
        self.calls: list[str] = []  # the actions, one for each page

    def __enter__(self) -> Self:
        super().__enter__()
        for path in ("reset", "seed?a=1"):
            with urlopen(Request(f"{self.url}/moto-api/{path}", method="POST")) as reply:
                reply.read()
        self._build()
        return self

    def reset(self) -> None:
        """Ends every fault, removes added rules, and restores the first weights. Added groups and listeners stay, without weight."""
        self.release()
        self._reset_faults()
        for arn in self._added_rules:
            self.elbv2.delete_rule(RuleArn=arn)
        self._added_rules.clear()
        self.set_weights(WEIGHTS)

    def release(self) -> None:
        for event in self.hang.values():
            event.set()

    def client(self, service: str = "elbv2") -> Any:
        """A boto3 client that no fault affects, to change the state."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=_SETUP_ACCESS_KEY,
            aws_secret_access_key="an-example-secret",
        )

    def _build(self) -> None:
        ec2, self.elbv2 = self.client("ec2"), self.client()
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{at}.0/24", AvailabilityZone=f"{REGION}{zone}")["Subnet"][
                "SubnetId"
            ]
            for at, zone in ((1, "a"), (2, "c"))
        ]
        self._vpc = vpc
        certificate = self.client("acm").request_certificate(DomainName="photo.example.com")["CertificateArn"]
        self._certificates = [{"CertificateArn": certificate}]
        reply = self.elbv2.create_load_balancer(Name="photo", Subnets=self.subnets)
        self.load_balancer = reply["LoadBalancers"][0]["LoadBalancerArn"]
        for name in WEIGHTS:
            self.add_group(name)
        self.redirecting_listener = self.add_listener(80, self.redirect())
        self.listener = self.add_listener(443, self.forward(WEIGHTS), protocol="HTTPS")
        rules = self.elbv2.describe_rules(ListenerArn=self.listener)["Rules"]
        self.rule = next(rule["RuleArn"] for rule in rules if rule["IsDefault"])

    def add_group(self, name: str, *, targets: int = 2) -> str:
        """Creates a target group with `targets` healthy targets; returns its ARN."""
        reply = self.elbv2.create_target_group(Name=name, Protocol="HTTP", Port=80, VpcId=self._vpc, TargetType="ip")
        arn = str(reply["TargetGroups"][0]["TargetGroupArn"])
        self.groups[name] = arn
        if targets:
            first = 10 * len(self.groups)
            ids = [{"Id": f"10.0.1.{first + number}", "Port": 80} for number in range(targets)]
            self.elbv2.register_targets(TargetGroupArn=arn, Targets=ids)
        return arn

    def add_listener(self, port: int, action: Mapping[str, Any], *, protocol: str = "HTTP") -> str:
        reply = self.elbv2.create_listener(
            LoadBalancerArn=self.load_balancer,
            Protocol=protocol,
            Port=port,
            DefaultActions=[action],
            Certificates=self._certificates if protocol == "HTTPS" else [],
        )
        return str(reply["Listeners"][0]["ListenerArn"])

    def redirect(self) -> dict[str, Any]:
        return {
            "Type": "redirect",
            "RedirectConfig": {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"},
        }

    def forward(self, weights: Mapping[str, int], *, stickiness_s: int | None = None) -> dict[str, Any]:
        """The action that forwards to groups, by name, with these weights."""
        sticky = {"Enabled": stickiness_s is not None, **({"DurationSeconds": stickiness_s} if stickiness_s else {})}
        groups = [{"TargetGroupArn": self.groups[name], "Weight": weight} for name, weight in weights.items()]
        return {
            "Type": "forward",
            "ForwardConfig": {"TargetGroups": groups, "TargetGroupStickinessConfig": sticky},
        }

    def set_weights(
        self, weights: Mapping[str, int], *, rule: str | None = None, stickiness_s: int | None = None
    ) -> None:
        """ModifyRule, or ModifyListener for the default action of HTTPS:443."""
        action = self.forward(weights, stickiness_s=stickiness_s)
        if rule and rule != self.rule:
            self.elbv2.modify_rule(RuleArn=rule, Actions=[action])
        else:
            self.elbv2.modify_listener(ListenerArn=self.listener, DefaultActions=[action])

    def weights(self) -> dict[str, int]:
        """The current weights of the default action of HTTPS:443, by group name."""
        (rule,) = self.elbv2.describe_rules(RuleArns=[self.rule])["Rules"]
        groups = rule["Actions"][-1].get("ForwardConfig", {}).get("TargetGroups", ())
        weights = {group["TargetGroupArn"]: group["Weight"] for group in groups}
        return {name: weights[arn] for name, arn in self.groups.items() if arn in weights}

    def add_rule(
        self,
        conditions: Iterable[Mapping[str, Any]],
        *actions: Mapping[str, Any],
        priority: int | None = None,
        listener: str | None = None,
    ) -> str:
        """Adds a rule to HTTPS:443, or to another listener; returns its ARN."""
        reply = self.elbv2.create_rule(
            ListenerArn=listener or self.listener,
            Priority=priority or len(self._added_rules) + 1,
            Conditions=list(conditions),
            Actions=list(actions),
        )
        self._added_rules.append(reply["Rules"][0]["RuleArn"])
        return self._added_rules[-1]

    def add_header_rule(self, name: str, value: str, group: str) -> str:
        """Sends requests with this header to one group; returns the rule's ARN."""
        condition = {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": name, "Values": [value]}}
        return self.add_rule([condition], {"Type": "forward", "TargetGroupArn": self.groups[group]})

    def migration(
        self, *, baseline: Sequence[str] = ("photo-ec2",), canary: Sequence[str] = ("photo-ecs",), **overrides: Any
    ) -> Migration:
        """A valid configuration for this load balancer. Groups by name or ARN; `rule`, `load_balancer` and `profile` are keys of [aws]."""

        def fleet(label: str, groups: Sequence[str]) -> Fleet:
            return Fleet(label=label, target_groups=tuple(self.groups.get(group, group) for group in groups))

        aws = {key: overrides.pop(key) for key in ("rule", "load_balancer", "profile") if key in overrides}
        settings: dict[str, Any] = {
            "name": "Photo service",
            "aws": Aws(region=REGION, **{"load_balancer": self.load_balancer, **aws}),
            "fleets": Fleets(baseline=fleet("EC2", baseline), canary=fleet("ECS", canary)),
        }
        return Migration(**{**settings, **overrides})

    def _handle(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """The WSGI application: replies with a fault, or with moto's reply, corrected."""
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        request = {key: values[0] for key, values in parse_qs(body.decode("latin-1")).items()}
        action = request.get("Action", "")
        if action == "ModifyListener" and not any(key.startswith("Certificates") for key in request):
            # AWS keeps a listener's certificate unless another is given; moto requires it in each request.
            certificate = {"Certificates.member.1.CertificateArn": self._certificates[0]["CertificateArn"]}
            body += b"&" + urlencode(certificate).encode()
            request |= certificate
        if not action or _SETUP_ACCESS_KEY in environ.get("HTTP_AUTHORIZATION", ""):
            return self._send(start, *self._call_moto(environ, body))
        self.calls.append(action)
        for event in [self.hang[key] for key in (action, "*") if key in self.hang]:
            event.wait()
        key = re.search(r"Credential=([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
        is_known = self.access_keys is None or (key and key[1] in self.access_keys)
        errors = [] if is_known else [UNKNOWN_KEY]
        errors += [self.errors[name] for name in (action, "*") if name in self.errors]
        errors += [error for value, error in self.errors_by_parameter.items() if value in request.values()]
        if errors:
            return self._send(start, errors[0][0], _error_body(*errors[0][1:]))
        if action in self.raw_replies:
            return self._send(start, 200, self.raw_replies[action])
        name = next((name for name, arn in self.groups.items() if arn == request.get("TargetGroupArn")), "")
        if action == "DescribeTargetHealth" and name in self.target_health:
            return self._send(start, 200, _target_health_body(self.target_health[name]))
        offset, size = int(request.pop("Marker", "0")), int(request.pop("PageSize", self.page_size))
        status, reply = self._call_moto(environ, urlencode(request).encode())
        return self._send(start, status, _page_of(reply, offset, size) if status == 200 else reply)

    def _call_moto(self, environ: dict[str, Any], body: bytes) -> tuple[int, bytes]:
        """Status and body of moto's reply. Moto's default rules have ids of 15 digits that differ by process; here all have the same id of 16."""
        body = re.sub(
            rb"(listener-rule%2F[^&]*)%2F" + _DEFAULT_RULE_ID,
            lambda match: match[1] + b"%2F" + self._default_ids[unquote_to_bytes(match[1])],
            body,
        )
        moto_environ = {**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        chunks, status, _ = run_wsgi_app(self._moto, moto_environ, buffered=True)
        reply = b"".join(chunks)
        for path, number in re.findall(rb"(listener-rule/[^<]*)/(\d{1,15})(?=<)", reply):
            self._default_ids[path] = number
            reply = reply.replace(path + b"/" + number + b"<", path + b"/" + _DEFAULT_RULE_ID + b"<")
        return int(status.split()[0]), reply

    def _send(self, start: Callable[..., Any], status: int, body: bytes) -> Iterable[bytes]:
        date = format_datetime(datetime.now(UTC) + timedelta(seconds=self.clock_skew_s), usegmt=True)
        start(f"{status} -", [("Content-Type", "text/xml"), ("Content-Length", str(len(body))), ("Date", date)])
        return [body]


class QuietRequestHandler(MotoRequestHandler):
    def send_response(self, code: int, message: str | None = None) -> None:
        """Without logging, and without a Date of its own."""
        self.send_response_only(code, message)


def _error_body(code: str, message: str) -> bytes:
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    return f'<ErrorResponse xmlns="{XMLNS}">{error}<RequestId>1</RequestId></ErrorResponse>'.encode()


def _target_health_body(targets: Iterable[Mapping[str, str]]) -> bytes:
    """A DescribeTargetHealth reply for targets made by `target`."""

    def elements(target: Mapping[str, str], *tags: str) -> str:
        return "".join(f"<{tag}>{escape(target[tag])}</{tag}>" for tag in tags if target.get(tag))

    members = "".join(
        f"<member><Target>{elements(target, 'Id', 'Port', 'AvailabilityZone')}</Target>"
        f"<TargetHealth>{elements(target, 'State', 'Reason', 'Description')}</TargetHealth></member>"
        for target in targets
    )
    result = f"<TargetHealthDescriptions>{members}</TargetHealthDescriptions>"
    name = "DescribeTargetHealth"
    return f'<{name}Response xmlns="{XMLNS}"><{name}Result>{result}</{name}Result></{name}Response>'.encode()


def _page_of(reply: bytes, offset: int, size: int) -> bytes:
    """`size` members of a reply from `offset` on, with the marker of the next page; the whole reply if `size` is 0."""
    if not size:
        return reply
    ElementTree.register_namespace("", XMLNS)
    tree = ElementTree.fromstring(reply)
    result = tree[0]
    for element in (element for element in result if element.tag.rpartition("}")[2] in _PAGED_ELEMENTS):
        members = list(element)
        for member in members[:offset] + members[offset + size :]:
            element.remove(member)
        if offset + size < len(members):
            ElementTree.SubElement(result, f"{{{XMLNS}}}NextMarker").text = str(offset + size)
    return ElementTree.tostring(tree)
