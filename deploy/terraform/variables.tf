variable "vpc_id" { type = string }

variable "subnet_ids" {
  type        = list(string)
  description = "Two or more private subnets with a way to AWS's APIs."
}

variable "listener_arn" {
  type        = string
  description = "HTTPS listener of the load balancer in front of the dashboard."
}

variable "load_balancer_security_group_id" { type = string }

variable "rule_priority" {
  type    = number
  default = 100
}

variable "host_name" {
  type        = string
  description = "Of the dashboard, as in allowed_hosts: dashboard.example.com."
}

variable "oidc" {
  type = object({
    issuer                 = string
    authorization_endpoint = string
    token_endpoint         = string
    user_info_endpoint     = string
    client_id              = string
  })
}

variable "oidc_client_secret_arn" {
  type        = string
  description = "Secret in Secrets Manager; its text is the client's secret. It gets into the state, as does the database's password."
}

variable "image" {
  type        = string
  description = "Of the Dockerfile: 123456789012.dkr.ecr.ap-northeast-1.amazonaws.com/migration-dashboard:1.2.3."
}

variable "configuration_parameter" {
  type        = string
  default     = "/migration-dashboard/migration.toml"
  description = "SSM parameter with the text of migration.toml."
}

variable "database_password_secret_arn" {
  type        = string
  description = "Secret; its text becomes the password of PostgreSQL."
}

variable "mackerel_key_secret_arn" {
  type        = string
  default     = ""
  description = "Secret with MACKEREL_APIKEY."
}

variable "gate_token_secret_arn" {
  type        = string
  default     = ""
  description = "Secret with GATE_TOKEN."
}

variable "ecs_service" {
  type        = string
  default     = ""
  description = "cluster/service that is observed."
}

variable "codedeploy_application" {
  type    = string
  default = ""
}

variable "codedeploy_deployment_group" {
  type    = string
  default = ""
}

variable "batch_prefix" {
  type        = string
  default     = ""
  description = "How the names of the jobs' rules, schedules and functions begin: photo-."
}

variable "logs_bucket" {
  type        = string
  default     = ""
  description = "Of the load balancer's access logs."
}

variable "logs_prefix" {
  type    = string
  default = "alb"
}

variable "athena_results_bucket" {
  type        = string
  default     = ""
  description = "Only for --engine athena."
}

variable "athena_workgroup" {
  type    = string
  default = "primary"
}

variable "notify_topic_arn" {
  type        = string
  default     = ""
  description = "SNS topic of [notify]."
}
