# The role of dashboard and recorder: docs/iam.md, by statement. A feature that is not used has no permission.

data "aws_iam_policy_document" "task" {
  statement {
    sid       = "Metrics"
    actions   = ["cloudwatch:GetMetricData"]
    resources = ["*"]
    condition {
      test     = "StringEquals"
      variable = "aws:RequestedRegion"
      values   = [local.region]
    }
  }

  statement {
    sid = "LoadBalancer"
    actions = [
      "elasticloadbalancing:DescribeListeners",
      "elasticloadbalancing:DescribeRules",
      "elasticloadbalancing:DescribeTargetGroups",
      "elasticloadbalancing:DescribeTargetHealth",
      "elasticloadbalancing:DescribeLoadBalancers",
      "elasticloadbalancing:DescribeLoadBalancerAttributes",
    ]
    resources = ["*"]
    condition {
      test     = "StringEquals"
      variable = "aws:RequestedRegion"
      values   = [local.region]
    }
  }

  statement {
    sid       = "WeightChanges"
    actions   = ["cloudtrail:LookupEvents"]
    resources = ["*"]
    condition {
      test     = "StringEquals"
      variable = "aws:RequestedRegion"
      values   = [local.region]
    }
  }

  dynamic "statement" {
    for_each = var.ecs_service == "" ? [] : [1]
    content {
      sid = "EcsServices"
      actions = [
        "ecs:DescribeServices",
        "ecs:ListServiceDeployments",
        "ecs:DescribeServiceDeployments",
        "ecs:DescribeServiceRevisions",
      ]
      resources = [
        "arn:${local.partition}:ecs:${local.region}:${local.account}:service/${var.ecs_service}",
        "arn:${local.partition}:ecs:${local.region}:${local.account}:service-deployment/${var.ecs_service}/*",
        "arn:${local.partition}:ecs:${local.region}:${local.account}:service-revision/${var.ecs_service}/*",
      ]
    }
  }

  dynamic "statement" {
    for_each = var.ecs_service == "" ? [] : [1]
    content {
      sid       = "EcsTaskDefinitions"
      actions   = ["ecs:DescribeTaskDefinition"]
      resources = ["*"]
      condition {
        test     = "StringEquals"
        variable = "aws:RequestedRegion"
        values   = [local.region]
      }
    }
  }

  dynamic "statement" {
    for_each = var.codedeploy_application == "" ? [] : [1]
    content {
      sid = "CodeDeploy"
      actions = [
        "codedeploy:GetDeploymentGroup",
        "codedeploy:ListDeployments",
        "codedeploy:BatchGetDeployments",
        "codedeploy:BatchGetDeploymentTargets",
        "codedeploy:GetApplicationRevision",
      ]
      resources = [
        "arn:${local.partition}:codedeploy:${local.region}:${local.account}:application:${var.codedeploy_application}",
        "arn:${local.partition}:codedeploy:${local.region}:${local.account}:deploymentgroup:${var.codedeploy_application}/${var.codedeploy_deployment_group}",
      ]
    }
  }

  dynamic "statement" {
    for_each = var.batch_prefix == "" ? [] : [1]
    content {
      sid     = "BatchTriggers"
      actions = ["events:DescribeRule", "scheduler:GetSchedule"]
      resources = [
        "arn:${local.partition}:events:${local.region}:${local.account}:rule/${var.batch_prefix}*",
        "arn:${local.partition}:scheduler:${local.region}:${local.account}:schedule/*/${var.batch_prefix}*",
      ]
    }
  }

  dynamic "statement" {
    for_each = var.batch_prefix == "" ? [] : [1]
    content {
      sid       = "BatchLogs"
      actions   = ["logs:FilterLogEvents"]
      resources = ["arn:${local.partition}:logs:${local.region}:${local.account}:log-group:/aws/lambda/${var.batch_prefix}*"]
    }
  }

  dynamic "statement" {
    for_each = var.logs_bucket == "" ? [] : [1]
    content {
      sid       = "AccessLogKeys"
      actions   = ["s3:ListBucket"]
      resources = ["arn:${local.partition}:s3:::${var.logs_bucket}"]
      condition {
        test     = "StringLike"
        variable = "s3:prefix"
        values   = [var.logs_prefix, "${var.logs_prefix}/AWSLogs/${local.account}/elasticloadbalancing/*"]
      }
    }
  }

  dynamic "statement" {
    for_each = var.logs_bucket == "" ? [] : [1]
    content {
      sid       = "AccessLogs"
      actions   = ["s3:GetObject"]
      resources = ["arn:${local.partition}:s3:::${var.logs_bucket}/${var.logs_prefix}/AWSLogs/${local.account}/elasticloadbalancing/*"]
    }
  }

  dynamic "statement" {
    for_each = var.athena_results_bucket == "" ? [] : [1]
    content {
      sid = "AthenaQueries"
      actions = [
        "athena:StartQueryExecution",
        "athena:GetQueryExecution",
        "athena:StopQueryExecution",
        "athena:GetWorkGroup",
        "athena:GetDatabase",
      ]
      resources = [
        "arn:${local.partition}:athena:${local.region}:${local.account}:workgroup/${var.athena_workgroup}",
        "arn:${local.partition}:athena:${local.region}:${local.account}:datacatalog/AwsDataCatalog",
      ]
    }
  }

  dynamic "statement" {
    for_each = var.athena_results_bucket == "" ? [] : [1]
    content {
      sid = "AthenaTable"
      actions = [
        "glue:GetDatabase",
        "glue:GetTable",
        "glue:CreateTable",
        "glue:GetPartition",
        "glue:GetPartitions",
      ]
      resources = [
        "arn:${local.partition}:glue:${local.region}:${local.account}:catalog",
        "arn:${local.partition}:glue:${local.region}:${local.account}:database/default",
        "arn:${local.partition}:glue:${local.region}:${local.account}:table/default/migration_access_logs_*",
      ]
    }
  }

  dynamic "statement" {
    for_each = var.athena_results_bucket == "" ? [] : [1]
    content {
      sid = "AthenaLogs"
      actions = [
        "s3:GetObject",
        "s3:ListBucket",
        "s3:GetBucketLocation",
      ]
      resources = [
        "arn:${local.partition}:s3:::${var.logs_bucket}",
        "arn:${local.partition}:s3:::${var.logs_bucket}/${var.logs_prefix}/AWSLogs/${local.account}/*",
      ]
    }
  }

  dynamic "statement" {
    for_each = var.athena_results_bucket == "" ? [] : [1]
    content {
      sid = "AthenaResults"
      actions = [
        "s3:GetBucketLocation",
        "s3:ListBucket",
        "s3:GetObject",
        "s3:PutObject",
        "s3:AbortMultipartUpload",
      ]
      resources = [
        "arn:${local.partition}:s3:::${var.athena_results_bucket}",
        "arn:${local.partition}:s3:::${var.athena_results_bucket}/migration/*",
      ]
    }
  }

  dynamic "statement" {
    for_each = var.notify_topic_arn == "" ? [] : [1]
    content {
      sid       = "Notifications"
      actions   = ["sns:Publish"]
      resources = [var.notify_topic_arn]
    }
  }
}
