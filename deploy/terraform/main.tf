# Dashboard, recorder and PostgreSQL behind an existing HTTPS listener with sign-in by OIDC. docs/deploy.md explains the variables.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.40"
    }
  }
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

data "aws_secretsmanager_secret_version" "oidc_client" { secret_id = var.oidc_client_secret_arn }

data "aws_secretsmanager_secret_version" "database" { secret_id = var.database_password_secret_arn }

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.name
  parameter = "arn:${local.partition}:ssm:${local.region}:${local.account}:parameter${var.configuration_parameter}"

  secrets = { for name, arn in {
    MIGRATION_TOML  = local.parameter
    PGPASSWORD      = var.database_password_secret_arn
    MACKEREL_APIKEY = var.mackerel_key_secret_arn
    GATE_TOKEN      = var.gate_token_secret_arn
  } : name => arn if arn != "" }

  write_configuration = "printenv MIGRATION_TOML > /data/migration.toml"

  # What dashboard and recorder have in common.
  container = {
    image                  = var.image
    readonlyRootFilesystem = true
    stopTimeout            = 30
    mountPoints            = [{ sourceVolume = "data", containerPath = "/data" }]
    secrets                = [for name, arn in local.secrets : { name = name, valueFrom = arn }]
    environment = [
      { name = "MIGRATION_CONFIG", value = "/data/migration.toml" },
      { name = "TMPDIR", value = "/data" },
      { name = "LOG_FORMAT", value = "json" },
      { name = "PGHOST", value = aws_db_instance.archive.address },
      { name = "PGSSLMODE", value = "require" },
    ]
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        "awslogs-group"         = aws_cloudwatch_log_group.logs.name
        "awslogs-region"        = local.region
        "awslogs-stream-prefix" = "task"
      }
    }
  }
}

data "aws_iam_policy_document" "assumed_by_ecs" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

resource "aws_iam_role" "task" {
  name_prefix        = "migration-dashboard-task-"
  assume_role_policy = data.aws_iam_policy_document.assumed_by_ecs.json
}

resource "aws_iam_role_policy" "task" {
  name   = "read-the-migration"
  role   = aws_iam_role.task.id
  policy = data.aws_iam_policy_document.task.json
}

resource "aws_iam_role" "execution" {
  name_prefix        = "migration-dashboard-exec-"
  assume_role_policy = data.aws_iam_policy_document.assumed_by_ecs.json
}

resource "aws_iam_role_policy_attachment" "execution" {
  role       = aws_iam_role.execution.name
  policy_arn = "arn:${local.partition}:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
}

data "aws_iam_policy_document" "execution" {
  statement {
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [for name, arn in local.secrets : arn if name != "MIGRATION_TOML"]
  }
  statement {
    actions   = ["ssm:GetParameters"]
    resources = [local.parameter]
  }
}

resource "aws_iam_role_policy" "execution" {
  name   = "read-secrets"
  role   = aws_iam_role.execution.id
  policy = data.aws_iam_policy_document.execution.json
}

resource "aws_security_group" "task" {
  name_prefix = "migration-dashboard-"
  description = "Migration dashboard and recorder"
  vpc_id      = var.vpc_id
  ingress {
    from_port       = 8501
    to_port         = 8501
    protocol        = "tcp"
    security_groups = [var.load_balancer_security_group_id]
  }
  egress {
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_security_group" "database" {
  name_prefix = "migration-dashboard-archive-"
  description = "Archive of the migration dashboard"
  vpc_id      = var.vpc_id
  ingress {
    from_port       = 5432
    to_port         = 5432
    protocol        = "tcp"
    security_groups = [aws_security_group.task.id]
  }
}

resource "aws_db_subnet_group" "archive" {
  name_prefix = "migration-dashboard-"
  subnet_ids  = var.subnet_ids
}

resource "aws_db_instance" "archive" {
  identifier_prefix         = "migration-dashboard-"
  engine                    = "postgres"
  engine_version            = "17"
  instance_class            = "db.t4g.micro"
  allocated_storage         = 20
  storage_type              = "gp3"
  storage_encrypted         = true
  db_name                   = "archive"
  username                  = "archive"
  password                  = data.aws_secretsmanager_secret_version.database.secret_string
  backup_retention_period   = 14
  publicly_accessible       = false
  db_subnet_group_name      = aws_db_subnet_group.archive.name
  vpc_security_group_ids    = [aws_security_group.database.id]
  final_snapshot_identifier = "migration-dashboard-last"
}

resource "aws_cloudwatch_log_group" "logs" {
  name_prefix       = "migration-dashboard-"
  retention_in_days = 90
}

resource "aws_ecs_cluster" "cluster" { name = "migration-dashboard" }

resource "aws_ecs_task_definition" "dashboard" {
  family                   = "migration-dashboard"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = "1024"
  memory                   = "2048"
  task_role_arn            = aws_iam_role.task.arn
  execution_role_arn       = aws_iam_role.execution.arn
  volume { name = "data" }
  container_definitions = jsonencode([merge(local.container, {
    name         = "dashboard"
    portMappings = [{ containerPort = 8501 }]
    command      = ["sh", "-c", "${local.write_configuration} && exec streamlit run dashboard.py --server.address=0.0.0.0 --server.port=8501"]
  })])
}

resource "aws_ecs_task_definition" "recorder" {
  family                   = "migration-recorder"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = "512"
  memory                   = "1024"
  task_role_arn            = aws_iam_role.task.arn
  execution_role_arn       = aws_iam_role.execution.arn
  volume { name = "data" }
  container_definitions = jsonencode([merge(local.container, {
    name    = "recorder"
    command = ["sh", "-c", "${local.write_configuration} && exec python cli.py record --json"]
  })])
}

resource "aws_lb_target_group" "dashboard" {
  name_prefix          = "migd-"
  vpc_id               = var.vpc_id
  target_type          = "ip"
  protocol             = "HTTP"
  port                 = 8501
  deregistration_delay = 15
  health_check { path = "/healthz" }
  stickiness { type = "lb_cookie" }
}

resource "aws_lb_listener_rule" "dashboard" {
  listener_arn = var.listener_arn
  priority     = var.rule_priority
  condition {
    host_header { values = [var.host_name] }
  }
  action {
    type  = "authenticate-oidc"
    order = 1
    authenticate_oidc {
      issuer                     = var.oidc.issuer
      authorization_endpoint     = var.oidc.authorization_endpoint
      token_endpoint             = var.oidc.token_endpoint
      user_info_endpoint         = var.oidc.user_info_endpoint
      client_id                  = var.oidc.client_id
      client_secret              = data.aws_secretsmanager_secret_version.oidc_client.secret_string
      scope                      = "openid email"
      on_unauthenticated_request = "authenticate"
    }
  }
  action {
    type             = "forward"
    order            = 2
    target_group_arn = aws_lb_target_group.dashboard.arn
  }
}

resource "aws_ecs_service" "dashboard" {
  name                              = "dashboard"
  cluster                           = aws_ecs_cluster.cluster.id
  task_definition                   = aws_ecs_task_definition.dashboard.arn
  desired_count                     = 1
  launch_type                       = "FARGATE"
  health_check_grace_period_seconds = 120
  depends_on                        = [aws_lb_listener_rule.dashboard]
  network_configuration {
    subnets         = var.subnet_ids
    security_groups = [aws_security_group.task.id]
  }
  load_balancer {
    container_name   = "dashboard"
    container_port   = 8501
    target_group_arn = aws_lb_target_group.dashboard.arn
  }
}

resource "aws_ecs_service" "recorder" {
  name            = "recorder"
  cluster         = aws_ecs_cluster.cluster.id
  task_definition = aws_ecs_task_definition.recorder.arn
  desired_count   = 1
  launch_type     = "FARGATE"
  network_configuration {
    subnets         = var.subnet_ids
    security_groups = [aws_security_group.task.id]
  }
}
